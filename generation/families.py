"""The families of shape models that `training` receives."""

from dataclasses import replace
from functools import partial

from versemill.generation import norld, shape_flow_judging, shape_flow_training, shape_vae_judging, shape_vae_training
from versemill.generation.shape_generator import ShapeGenerator
from versemill.generation.shape_presets import FLOW_PRESETS, VAE_PRESETS, flow_needs, vae_needs
from versemill.generation.shape_vae import ShapeVae
from versemill.training.batches import Batches
from versemill.training.family import UNTRAINED, Family

SHAPE_VAE = Family(
    name="shape-vae",
    summary="TripoSG: surface points to a set of latents to a field of signed distances",
    stream="shape-vae",
    presets=VAE_PRESETS,
    default="tiny",
    needs=vae_needs,
    data=shape_vae_judging.vae_data,
    batches=partial(Batches, make=shape_vae_training.example, stream="shape-vae"),
    network=ShapeVae,
    objective=lambda network, lpips: shape_vae_training.Objective(network),
    noise=shape_vae_training.noise,
    metrics=shape_vae_judging.METRICS,
    score=shape_vae_judging.vae_score,
    baselines=shape_vae_judging.vae_baselines,
    mesh_case=shape_vae_judging.vae_mesh_case,
    judging=shape_vae_judging.ShapeJudging,
    measure=shape_vae_judging.vae_measure,
    gate=(shape_vae_judging.NEAREST, shape_vae_judging.ELLIPSOID, UNTRAINED),
    hidden=ShapeVae.hidden,
    preview=shape_vae_judging.vae_preview,
)

SHAPE_FLOW = Family(
    name="shape-flow",
    summary="TripoSG: a picture, or none, to the latents of a shape by rectified flow",
    stream="shape-flow",
    presets=FLOW_PRESETS,
    default="tiny",
    needs=flow_needs,
    data=shape_flow_judging.data,
    batches=partial(Batches, make=shape_flow_training.example, stream="shape-flow"),
    network=ShapeGenerator,
    objective=lambda network, lpips: shape_flow_training.Objective(network),
    noise=shape_flow_training.noise,
    metrics=shape_flow_judging.METRICS,
    score=shape_flow_judging.score,
    baselines=shape_flow_judging.baseline_scores,
    case=shape_flow_judging.case_of,
    judging=shape_flow_judging.FlowJudging,
    measure=shape_flow_judging.measure,
    gate=(shape_flow_judging.SHUFFLED, shape_flow_judging.NEAREST),
    hidden=ShapeGenerator.hidden,
    preview=shape_flow_judging.preview,
)

NORLD = replace(
    SHAPE_FLOW,
    name="norld",
    summary="Hi3DGen: a normal map to the latents of a shape, held to the normals of the surface they stand for",
    presets=norld.PRESETS,
    needs=norld.needs,
    batches=partial(Batches, make=norld.example, stream="shape-flow"),
    objective=lambda network, lpips: norld.Objective(network),
    noise=norld.noise,
    metrics=shape_flow_judging.NORMALS_FIRST,
)
