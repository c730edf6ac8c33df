"""Distillation: what an iteration of each method costs, against SDS and against what its calls of the network say.

`--folder DIR` holds `data` (a dataset of the pipeline `views`) and `run` (a novel-views trained on it); without it the network
is the preset `tiny`, untrained, which costs as much.
"""

from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Benchmark, Table, measure
from versemill.generation import NOVEL_VIEWS
from versemill.generation.distillation import cameras, comparison, flat, judging
from versemill.generation.distillation.models import Prior, ViewModel
from versemill.generation.distillation.optimisation import Picture, State
from versemill.generation.distillation.settings import PRESETS, MethodName
from versemill.generation.views import data
from versemill.training.runs import load
from versemill.training.scenes import Scenes

CPU = torch.device("cpu")
METHODS: tuple[MethodName, ...] = ("sds", "fixed", "ism", "sdi", "fixed-point", "vsd")
STEPS = 10
"""Iterations that are timed, spread over the whole annealing."""
OBJECTS = 20
"""Held-out objects of `quality`: intervals need as many."""
TIMES = (0.9, 0.7, 0.6, 0.5, 0.4, 0.3)


def methods(quick: bool, folder: str | None = None) -> Benchmark:
    """An iteration of each method with the preset `tiny`, at times spread over the annealing, in core-seconds."""
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    model, picture = _model(folder, quick)
    table = Table(
        f"an iteration, {PRESETS['tiny'].views} views at {model.size}², mean over the annealing",
        ["method", "calls", "core-s", "over SDS", "over SDS by calls"],
    )
    spent: dict[str, tuple[float, float]] = {}
    for method in METHODS:
        settings = PRESETS["tiny"]
        settings = settings.model_copy(update={"scoring": settings.scoring.model_copy(update={"method": method})})
        spent[method] = _iterations(State(settings, model, picture, 0), 2 if quick else STEPS)
        cost, calls = spent[method]
        over, by_calls = cost / spent["sds"][0], calls / spent["sds"][1]
        table.rows.append([method, calls, cost, f"{over:.2f}", f"{by_calls:.2f}"])
        figures |= {f"{method}_core_s": cost, f"{method}_calls": calls, f"{method}_over_sds": over}
    return Benchmark([table], figures, "SDS with the same network, cameras and guidance")


def residuals(quick: bool, folder: str | None = None) -> Benchmark:
    """Equation 8's residual by time and by where kappa comes from, on a trained novel-views."""
    settings = PRESETS["tiny"]
    model, _ = _model(folder, quick)
    count = 2 if quick else 4
    c2w, K = cameras.ring(settings.cameras, model.size, count)
    prior = Prior(model.path, *model.estimators(c2w, K))
    times = TIMES[-1:] if quick else TIMES
    values = flat.residuals(prior, torch.zeros(count, 3, model.size, model.size), settings.scoring, times, steps=20)
    table = Table(
        f"residual of equation 8, guidance {settings.scoring.guidance:g}", ["kappa from", *(f"t = {t}" for t in times)]
    )
    table.rows = [[name, *row] for name, row in values.items()]
    figures = {f"residual_{name}_{t}": value for name, row in values.items() for t, value in zip(times, row, strict=True)}
    return Benchmark([table], figures, "SDI's paper and its toy: -gamma < 0 < +gamma < random, for t under 0.7")


def quality(quick: bool, folder: str) -> Benchmark:
    """Methods on known objects, at equal iterations and at equal calls: held-out ones, or those that a run learned by heart."""
    network: Any
    network, recipe = load(NOVEL_VIEWS, Path(folder) / "run", CPU)
    splits = ("train",) if recipe.assets else ("val", "test")
    scenes = Scenes(Path(folder) / "data", splits, recipe.size, keep=False)
    count = 1 if quick else min(len(scenes), recipe.assets or OBJECTS)
    truths = [judging.truth_of(scenes[k]) for k in range(count)]
    settings = PRESETS["tiny"].model_copy(update={"iterations": 15}) if quick else PRESETS["tiny"]
    chosen = comparison.arms(settings)
    compared = comparison.compare(truths, lambda truth: _views_of(network, truth), chosen)
    shown = [metric for metric in judging.METRICS if metric.key in compared.summary["sdi"]]
    table = Table(f"{count} {splits[0]} objects, preset tiny", ["", "calls", *(metric.title for metric in shown)])
    for arm, row in compared.summary.items():
        cells = (metric.text(row[metric.key]) if metric.key in row else "" for metric in shown)
        table.rows.append([arm, f"{row.get('calls', 0):.0f}", *cells])
    figures = {f"{arm}: {key}": value for arm, row in compared.summary.items() for key, value in row.items()}
    return Benchmark([table], figures, "SDS with the same annealing and plain, the visual hull of the picture")


def _views_of(network: Any, truth: judging.Truth) -> ViewModel:
    assert NOVEL_VIEWS.view_model is not None
    return NOVEL_VIEWS.view_model(network, truth.scene.over_white[0], truth.scene.c2w[0], truth.scene.K[0])


def _iterations(state: State, count: int) -> tuple[float, float]:
    """Core-seconds and calls of an iteration, the mean over `count` spread evenly over the run."""
    state.advance()  # kernels are compiled
    before = state.calls
    with measure() as span:
        for k in range(count):
            state.step = round((k + 0.5) / count * state.settings.iterations)
            state.advance()
    return span.cpu / count, (state.calls - before) / count


def _model(folder: str | None, quick: bool) -> tuple[ViewModel, Picture]:
    """The network as a 2D model of the first training object's first view, or of a grey disc."""
    network: Any
    if folder:
        network, recipe = load(NOVEL_VIEWS, Path(folder) / "run", CPU)
        item = data.SeenViews(Path(folder) / "data", ("train",), recipe, None, False)[0]
        picture = Picture(item.pictures([0])[0], item.rgba[0, 3].float() / 255)
    else:
        recipe = NOVEL_VIEWS.preset("micro" if quick else "tiny")
        network = NOVEL_VIEWS.fresh(recipe, 0).eval()
        grid = torch.linspace(-1, 1, recipe.size)
        alpha = ((grid[:, None] ** 2 + grid**2) < 0.3).float()
        picture = Picture((1 - 0.6 * alpha).expand(3, -1, -1).contiguous(), alpha)
    c2w, K = cameras.reference(PRESETS["tiny"].cameras, recipe.size)
    assert NOVEL_VIEWS.view_model is not None
    return NOVEL_VIEWS.view_model(network, picture.rgb, c2w[0], K[0]), picture


PARTS = {"methods": methods, "residuals": residuals, "quality": quality}


def run(quick: bool, folder: str | None = None) -> Benchmark:
    """What needs no trained network."""
    parts = [part(quick, folder) for part in (methods, residuals)]
    figures = {name: value for part in parts for name, value in part.figures.items()}
    return Benchmark([table for part in parts for table in part.tables], figures, "; ".join(part.peer for part in parts))
