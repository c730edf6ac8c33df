"""The families of novel-view models that `training` receives."""

from dataclasses import replace

from versemill.generation.views import data, judging
from versemill.generation.views.network import NovelViews, Objective
from versemill.generation.views.presets import MAP_PRESETS, MULTI_PRESETS, PRESETS, needs
from versemill.generation.views.view_model import SourceViews
from versemill.training.family import Family

NOVEL_VIEWS = Family(
    name="novel-views",
    summary="Zero-1-to-3: one view and a relative pose to the view from there, by diffusion",
    stream="novel-views",
    presets=PRESETS,
    default="tiny",
    needs=needs,
    data=data.SeenViews,
    item=data.item,
    batches=data.PairBatches,
    network=NovelViews,
    objective=lambda network, lpips: Objective(network),
    noise=data.noise,
    metrics=judging.METRICS,
    score=judging.score,
    baselines=judging.baseline_scores,
    case=judging.case_of,
    judging=judging.ViewsJudging,
    measure=judging.measure,
    gate=(judging.COPY,),
    compares=True,
    hidden=NovelViews.hidden,
    preview=judging.preview,
    view_model=SourceViews,
)

MULTI_VIEWS = replace(
    NOVEL_VIEWS,
    name="multi-views",
    summary="MVDream's kind: one view to four views at once that see each other, by diffusion",
    presets=MULTI_PRESETS,
    view_model=None,  # it draws four views of its own choice, not one
)

MAP_VIEWS = replace(
    NOVEL_VIEWS,
    name="map-views",
    summary="a part map of a view to the view, by diffusion: the kind of model that a ControlNet on segmentations is",
    presets=MAP_PRESETS,
    item=None,  # a map is read at full resolution, a view at the model's: two readings of a row
    gate=(judging.MEAN,),  # a map's colours are not the object's: copying it is no baseline
    compares=False,
    view_model=None,
)
