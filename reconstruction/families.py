"""The two families of posed pictures: pixel-aligned Gaussians and a triplane field, trained and judged alike."""

from dataclasses import replace
from functools import partial

from versemill.reconstruction import evaluation, posed
from versemill.reconstruction.methods import MEAN, METRICS
from versemill.reconstruction.model import LRM
from versemill.reconstruction.presets import GAUSSIANS as GAUSSIANS_PRESETS
from versemill.reconstruction.presets import TRIPLANE as TRIPLANE_PRESETS
from versemill.reconstruction.presets import GaussiansRecipe, TriplaneRecipe, needs, upgrade
from versemill.reconstruction.triplane import TriplaneLRM
from versemill.training.batches import Batches
from versemill.training.family import UNTRAINED, Family

GAUSSIANS = Family(
    name="gaussians",
    summary="LRM-Zero: posed pictures to 3D Gaussians",
    stream="reconstruction",
    presets=GAUSSIANS_PRESETS,
    default="micro",
    needs=needs,
    data=posed.data,
    item=posed.item,
    batches=partial(Batches, make=posed.example, stream="reconstruction"),
    network=LRM,
    objective=posed.Objective,
    noise=posed.noise,
    metrics=METRICS,
    score=evaluation.score,
    baselines=evaluation.baseline_scores,
    case=evaluation.case,
    mesh_case=evaluation.mesh_case,
    judging=evaluation.PosedJudging,
    measure=evaluation.measured,
    gate=(MEAN, UNTRAINED),
    takes_lpips=True,
    renders=evaluation.renders,
    upgrade=upgrade(GaussiansRecipe),
)

TRIPLANE = replace(
    GAUSSIANS,
    name="triplane",
    summary="NeRF-LRM: posed pictures to a triplane radiance field",
    presets=TRIPLANE_PRESETS,
    network=TriplaneLRM,
    upgrade=upgrade(TriplaneRecipe),
)
