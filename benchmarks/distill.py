"""Distillation: what an iteration of each method costs, against SDS and against what its calls of the network say; and the
ablations of SDI on objects that are known.

`--folder DIR` holds `data` (a dataset of the pipeline `views`), `run` (a novel-views trained on it) and, if it stands in the
comparison, `lrm` (a trained run of gaussians or triplane). Without it costs are those of the preset `tiny`, untrained. The
ablations write DIR/compared, and resume by object and arm; `--objects N` and `--set iterations=100` change them.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Benchmark, Table, measure
from versemill.errors import ConfigError
from versemill.generation import NOVEL_VIEWS
from versemill.generation.distillation import answers, arms, baselines, cameras, comparison, flat, judging
from versemill.generation.distillation.comparison import TIMES, Advance, Arm, Made
from versemill.generation.distillation.judging import Truth
from versemill.generation.distillation.models import Prior, ViewModel
from versemill.generation.distillation.optimisation import Picture, State
from versemill.generation.distillation.settings import PRESETS, Distillation
from versemill.generation.views import data
from versemill.mill.pipeline import config
from versemill.mill.run.progress import steps
from versemill.reconstruction import GAUSSIANS, TRIPLANE
from versemill.reconstruction.methods import predict
from versemill.training.runs import CHECKPOINT, describe, load
from versemill.training.scenes import resized
from versemill.training.statistics import MIN_OBJECTS

CPU = torch.device("cpu")
METHODS = ("sds", "fixed", "ism", "sdi", "fixed-point", "vsd")
STEPS = 10
"""Iterations that are timed, spread over the whole annealing."""
LRM = "LRM from one view"
QUICK = {"iterations": 10, "gaussians": 100, "mesh_resolution": 24}
"""Of the preset `tiny`, changed for a smoke test."""


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
        state = State(arms.changed(PRESETS["tiny"], {"method": method}), model, picture, 0)
        spent[method] = _iterations(state, 2 if quick else STEPS)
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


def ablation(name: str, quick: bool, folder: str, objects: int = MIN_OBJECTS, settings: list[str] | None = None) -> Benchmark:
    """One of `arms.ABLATIONS` on held-out objects, or on those that a run has memorised."""
    place, asked = Path(folder), arms.ABLATIONS[name]
    network: Any
    network, recipe = load(NOVEL_VIEWS, place / "run", CPU)
    changes = QUICK if quick else {}
    base = config.settings("preset tiny", Distillation, settings or [], {**PRESETS["tiny"].model_dump(), **changes})
    splits = ("train",) if recipe.assets else ("val", "test")
    truths = judging.truths(place / "data", splits, recipe.size, min(1 if quick else objects, recipe.assets or objects))
    model = partial(_views_of, network)
    chosen = [arms.arm(arm, each, model) for arm, each in asked.arms(base).items()]
    if asked.baselines:
        chosen += [baselines.hull(), baselines.fused_views(network, base)]
        chosen += [lrm(place / "lrm")] if (place / "lrm").exists() else []
    out = place / ("compared-quick" if quick else "compared")
    basis = {"model": answers.digest(place / "run" / CHECKPOINT), "splits": splits}
    with steps(f"{name}, {len(truths)} objects") as progress:
        compared = comparison.compare(name, asked.question, truths, chosen, out, basis, base.mesh_resolution, progress)
    tables = [
        Table(f"{len(truths)} {splits[0]} objects; the page is {out / name}.md", *compared.score_rows()),
        Table("gains, positive where the first is better; * where the interval excludes 0", *compared.gain_rows()),
    ]
    figures = compared.figures()
    if asked.residuals:
        with steps("residuals of equation 8") as progress:
            seen = comparison.residuals(truths, model, base, out, basis, TIMES[-1:] if quick else TIMES, progress)
        tables.append(Table(f"residual of equation 8; the page is {out / 'residuals.md'}", *seen.rows()))
        figures |= seen.figures()
    return Benchmark(tables, figures, asked.question)


def lrm(run: Path) -> Arm:
    """A trained run of posed pictures that is shown the picture alone.

    Raises:
        ConfigError: a run of another family.
    """
    families = {family.name: family for family in (GAUSSIANS, TRIPLANE)}
    family = families.get(describe(run)["family"])
    if family is None:
        raise ConfigError(f"{run} is a run of family '{describe(run)['family']}'; an LRM is one of {', '.join(families)}")
    network: Any
    network, recipe = load(family, run, CPU)

    def make(truth: Truth, advance: Advance) -> Made:
        reconstruction = predict(network, resized(truth.scene, recipe.size), [0], CPU)
        return Made(lambda c2w, K, size: network.draw(reconstruction, c2w, K, size))

    return Arm(LRM, {"baseline": "lrm", "run": answers.digest(run / CHECKPOINT)}, make)


def _views_of(network: Any, truth: Truth) -> ViewModel:
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


PARTS = {
    "methods": methods,
    "residuals": residuals,
    **{name: partial(ablation, name) for name in arms.ABLATIONS},
}


def run(quick: bool, folder: str | None = None) -> Benchmark:
    """What needs no trained network."""
    parts = [part(quick, folder) for part in (methods, residuals)]
    figures = {name: value for part in parts for name, value in part.figures.items()}
    return Benchmark([table for part in parts for table in part.tables], figures, "; ".join(part.peer for part in parts))
