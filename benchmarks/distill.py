"""Distillation: what an iteration of each method costs, against SDS and against what its calls of the network say.

`--folder DIR` holds `run`, a trained novel-views; without it the network is the preset `tiny`, untrained: the cost is the same.
"""

from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Benchmark, Table, measure
from versemill.generation import NOVEL_VIEWS
from versemill.generation.distillation import cameras, flat
from versemill.generation.distillation.models import Prior, ViewModel
from versemill.generation.distillation.optimisation import Picture, State
from versemill.generation.distillation.settings import PRESETS, Distillation, MethodName
from versemill.training.runs import load

CPU = torch.device("cpu")
METHODS: tuple[MethodName, ...] = ("sds", "fixed", "ism", "sdi", "fixed-point", "vsd")
STEPS = 10
"""Iterations that are timed, spread over the whole annealing."""
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
    count = 2 if quick else 8
    c2w, K = cameras.ring(settings.cameras, model.size, count)
    prior = Prior(model.path, *model.estimators(c2w, K))
    times = TIMES[-1:] if quick else TIMES
    values = flat.residuals(prior, torch.zeros(count, 3, model.size, model.size), settings.scoring, times, steps=50)
    table = Table(
        f"residual of equation 8, guidance {settings.scoring.guidance:g}", ["kappa from", *(f"t = {t}" for t in times)]
    )
    table.rows = [[name, *row] for name, row in values.items()]
    figures = {f"residual_{name}_{t}": value for name, row in values.items() for t, value in zip(times, row, strict=True)}
    return Benchmark([table], figures, "SDI's paper and its toy: -gamma < 0 < +gamma < random, for t under 0.7")


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
    """The network as a 2D model of a grey disc."""
    network: Any
    if folder:
        network, recipe = load(NOVEL_VIEWS, Path(folder) / "run", CPU)
    else:
        recipe = NOVEL_VIEWS.preset("micro" if quick else "tiny")
        network = NOVEL_VIEWS.fresh(recipe, 0).eval()
    given: Distillation = PRESETS["tiny"]
    grid = torch.linspace(-1, 1, recipe.size)
    alpha = ((grid[:, None] ** 2 + grid**2) < 0.3).float()
    picture = Picture((1 - 0.6 * alpha).expand(3, -1, -1).contiguous(), alpha)
    c2w, K = cameras.reference(given.cameras, recipe.size)
    assert NOVEL_VIEWS.view_model is not None
    return NOVEL_VIEWS.view_model(network, picture.rgb, c2w[0], K[0]), picture


PARTS = {"methods": methods, "residuals": residuals}


def run(quick: bool, folder: str | None = None) -> Benchmark:
    """Both parts."""
    parts = [part(quick, folder) for part in (methods, residuals)]
    figures = {name: value for part in parts for name, value in part.figures.items()}
    return Benchmark([table for part in parts for table in part.tables], figures, "; ".join(part.peer for part in parts))
