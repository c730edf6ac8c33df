"""The families of shape models that `training` receives."""

from dataclasses import replace
from functools import partial

from versemill.generation.shapes import data, flow_judging, flow_training, norld, vae_judging, vae_training
from versemill.generation.shapes.flow_presets import FLOW_PRESETS, flow_needs, upgrade
from versemill.generation.shapes.generator import ShapeGenerator
from versemill.generation.shapes.vae import ShapeVae
from versemill.generation.shapes.vae_presets import VAE_PRESETS, vae_needs
from versemill.training.batches import Batches
from versemill.training.family import UNTRAINED, Family

SHAPE_VAE = Family(
    name="shape-vae",
    summary="TripoSG: surface points to a set of latents to a field of signed distances",
    stream="shape-vae",
    presets=VAE_PRESETS,
    default="tiny",
    needs=vae_needs,
    data=vae_judging.vae_data,
    item=data.item,
    batches=vae_training.VaeBatches,
    network=ShapeVae,
    objective=lambda network, lpips: vae_training.Objective(network),
    noise=vae_training.noise,
    metrics=vae_judging.METRICS,
    score=vae_judging.vae_score,
    baselines=vae_judging.vae_baselines,
    mesh_case=vae_judging.vae_mesh_case,
    judging=vae_judging.ShapeJudging,
    measure=vae_judging.vae_measure,
    gate=(vae_judging.NEAREST, vae_judging.ELLIPSOID, UNTRAINED),
    hidden=ShapeVae.hidden,
    preview=vae_judging.vae_preview,
)

SHAPE_FLOW = Family(
    name="shape-flow",
    summary="TripoSG: a picture, or none, to the latents of a shape by rectified flow",
    stream="shape-flow",
    presets=FLOW_PRESETS,
    default="tiny",
    needs=flow_needs,
    data=flow_judging.data,
    batches=partial(Batches, make=flow_training.example, stream="shape-flow"),
    network=ShapeGenerator,
    objective=lambda network, lpips: flow_training.Objective(network),
    noise=flow_training.noise,
    metrics=flow_judging.METRICS,
    score=flow_judging.score,
    baselines=flow_judging.baseline_scores,
    case=flow_judging.case_of,
    judging=flow_judging.FlowJudging,
    measure=flow_judging.measure,
    gate=(flow_judging.SHUFFLED, flow_judging.NEAREST),
    hidden=ShapeGenerator.hidden,
    preview=flow_judging.preview,
    upgrade=upgrade,
)

NORLD = replace(
    SHAPE_FLOW,
    name="norld",
    summary="Hi3DGen: a normal map to the latents of a shape, held to the normals of the surface they stand for",
    presets=norld.PRESETS,
    batches=partial(Batches, make=norld.example, stream="shape-flow"),
    objective=lambda network, lpips: norld.Objective(network),
    noise=norld.noise,
    metrics=flow_judging.NORMALS_FIRST,
)
