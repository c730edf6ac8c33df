"""Evaluation: a trained network on held-out objects, compared with its untrained state and the baselines."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from versemill.asset import Asset
from versemill.config import Config
from versemill.errors import AssetError, ConfigError
from versemill.markdown import inert
from versemill.training import statistics
from versemill.training.family import MODEL, UNTRAINED, Exam, Examples, Family, Measured, Metric, Progress
from versemill.training.lpips import Lpips
from versemill.training.runs import load, torch_device
from versemill.training.scenes import check_needs
from versemill.training.tables import Gain, markdown


@dataclass(frozen=True)
class Evaluation:
    """What a run reaches on some objects.

    Attributes:
        objects: per object: name, and method -> metric key -> value. A metric that a method can't have is absent.
        summary: method -> metric key -> mean over the objects that have it.
        intervals: method -> 95 % bootstrap interval of the first metric over objects; empty below 20 objects.
        gains: other method -> how much better the model is in the first metric: mean, low, high over objects (paired); low
            and high are None below 20 objects.
        all_gains: other method -> metric key -> the same in every metric that both have.
        metrics: those of `summary`; the first is the one of intervals and gains.
        family, preset, judging: what was judged, and how. source: on what.
        table: the figures as Markdown. files: what else was written, by kind.
        notes: what was left out, and why.
    """

    objects: list[dict[str, Any]]
    summary: dict[str, dict[str, float]]
    intervals: dict[str, tuple[float, float]]
    gains: dict[str, Gain]
    all_gains: dict[str, dict[str, Gain]]
    metrics: tuple[Metric, ...]
    family: str
    preset: str
    judging: dict[str, Any]
    source: str
    table: str
    files: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def evaluate(
    family: Family, run_dir: str | Path, dataset_dir: str | Path, split: str | Sequence[str] = ("val", "test"),
    judging: Config | None = None, device: str = "auto", objects: int | None = None, out: str | Path | None = None,
    full: bool = True, lpips: str | Path | None = None, progress: Progress | None = None,
    against: Sequence[tuple[Family, str | Path]] = (), trained_on: str | Path | None = None,
) -> Evaluation:  # fmt: skip
    """Evaluates a run on held-out assets of a dataset.

    Writes evaluation.json, table.md and what the family shows (pictures, meshes, ...) to `out` (default:
    `run_dir`/evaluation).

    Args:
        split: one split or several. judging: settings at judgement; None: the family's defaults.
        objects: at most so many, in the shards' order.
        full: also what takes seconds per object.
        lpips: folder of LPIPS weights; without it that metric is left out.
        against: other families and runs of them, whose renderings of the same views are rows of the table.
        trained_on: the dataset whose training assets make the baselines; None: the same one.

    Raises:
        ConfigError: no trained network, no assets in the split, no training assets, data that does not suit the preset, or a
            run that can't be compared.
    """
    settings = judging or family.judging()
    splits = (split,) if isinstance(split, str) else tuple(split)
    target = torch_device(device)
    others = _renderers(family, against, target)
    exam = replace(_exam(family, run_dir, trained_on or dataset_dir, settings, target, full, lpips, out), against=others)
    examples = held_out(family, dataset_dir, splits, exam.recipe, settings)
    count = min(len(examples), objects or len(examples))
    cases = (family.case(examples[k], settings) for k in range(count))
    return assess(family, exam, cases, count, f"{dataset_dir} ({', '.join(splits)})", progress)


def evaluate_assets(
    family: Family, run_dir: str | Path, assets: Sequence[tuple[str, Asset]], dataset_dir: str | Path,
    judging: Config | None = None, device: str = "auto", out: str | Path | None = None, full: bool = True,
    lpips: str | Path | None = None, progress: Progress | None = None,
) -> Evaluation:  # fmt: skip
    """Evaluates a run on named assets (anyone's meshes); see `evaluate`. `dataset_dir` is the dataset it was trained on.

    An asset that can't be used is left out with a note that says why.

    Raises:
        ConfigError: no trained network, or a family that can't judge meshes. AssetError: no asset can be used.
    """
    if family.mesh_case is None:
        raise ConfigError(f"family '{family.name}' can't be judged on meshes: name a dataset")
    settings = judging or family.judging()
    exam = _exam(family, run_dir, dataset_dir, settings, torch_device(device), full, lpips, out)
    left_out: list[str] = []

    def cases() -> Iterator[Any]:
        assert family.mesh_case is not None
        for name, asset in assets:
            try:
                yield family.mesh_case(name, asset, exam.recipe, settings)
            except AssetError as error:
                left_out.append(f"{inert(name)} is left out: {inert(str(error))}")

    return assess(family, exam, cases(), len(assets), "meshes", progress, left_out)


def held_out(family: Family, dataset_dir: str | Path, splits: Sequence[str], recipe: Any, judging: Config) -> Examples:
    """The examples of `splits` that a preset can be judged on.

    Raises:
        ConfigError: there are none, or they do not suit the preset or the settings.
    """
    check_needs(dataset_dir, family.needs(recipe), f"preset {recipe.name}")
    examples = family.data(dataset_dir, splits, recipe, None, True)
    if not len(examples):
        raise ConfigError(f"{dataset_dir} has no assets in {' or '.join(splits)}: mill more assets")
    family.case(examples[0], judging)
    return examples


def assess(
    family: Family,
    exam: Exam,
    cases: Iterable[Any],
    count: int,
    source: str,
    progress: Progress | None = None,
    left_out: Sequence[str] = (),
) -> Evaluation:
    """Measures a network on at most `count` cases; writes the files of `evaluate` to `exam.out`.

    Args:
        left_out: notes on cases that could not be made, complete once all cases are drawn.

    Raises:
        AssetError: there is no case.
    """
    exam.out.mkdir(parents=True, exist_ok=True)
    made = iter(cases)
    first_case = next(made, None)
    if first_case is None:
        raise AssetError("unusable", left_out[0] if left_out else "there is nothing to evaluate")
    measured = (family.measure or plain_measure(family))(exam, chain([first_case], made), count, progress)
    objects = measured.objects
    methods = [name for name in objects[0] if name != "name"]
    present = [m for m in family.metrics if any(m.key in o[method] for o in objects for method in methods)]
    first = family.metric
    bounds = {
        method: statistics.interval(v[np.isfinite(v)].tolist()) for method in methods for v in [_values(objects, method, first)]
    }
    every = {method: _gains(present, objects, method) for method in methods[1:]}
    evaluation = Evaluation(
        objects=objects,
        summary={method: mean_metrics(present, [o[method] for o in objects]) for method in methods},
        intervals={method: pair for method, pair in bounds.items() if pair is not None},
        gains={method: gains[first.key] for method, gains in every.items() if first.key in gains},
        all_gains=every,
        metrics=tuple(present),
        family=family.name,
        preset=exam.recipe.name,
        judging=exam.judging.model_dump(mode="json"),
        source=source,
        table=str(exam.out / "table.md"),
        files=measured.files,
        notes=[*measured.notes, *left_out],
    )
    (exam.out / "evaluation.json").write_text(json.dumps(asdict(evaluation), indent=1) + "\n")
    settings = "".join(f", {name} {value}" for name, value in evaluation.judging.items() if value is not None)
    about = f"{len(objects)} objects, family {family.name}, preset {exam.recipe.name}{settings}."
    page = markdown(source, about, present, objects, evaluation.summary, evaluation.intervals, every, evaluation.notes)
    (exam.out / "table.md").write_text(page)
    return evaluation


def plain_measure(family: Family) -> Any:
    """`Family.measure` of a family that has none: its `score` and `baselines`, object by object."""

    def measure(exam: Exam, cases: Iterable[Any], count: int, progress: Progress | None) -> Measured:
        objects = []
        for number, case in enumerate(cases):
            methods = {
                MODEL: family.score(exam.network, [case], exam.judging, exam.device),
                UNTRAINED: family.score(exam.untrained, [case], exam.judging, exam.device),
                **family.baselines([case], exam.training, exam.judging),
            }
            scores = {method: {key: values[0] for key, values in scored.items()} for method, scored in methods.items()}
            objects.append({"name": str(getattr(case, "name", number)), **scores})
            if progress:
                progress(number + 1, count, scores[MODEL])
        return Measured(objects)

    return measure


def mean_metrics(metrics: Sequence[Metric], measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """Metric key -> mean over the objects that have it."""
    by_key = {m.key: [values[m.key] for values in measured if m.key in values] for m in metrics}
    return {key: float(np.mean(values)) for key, values in by_key.items() if values}


def _values(objects: Sequence[dict[str, Any]], method: str, metric: Metric) -> NDArray[np.float64]:
    """(objects,) of a method, NaN where it has no such metric."""
    return np.array([o[method].get(metric.key, np.nan) for o in objects], np.float64)


def _gains(metrics: Sequence[Metric], objects: Sequence[dict[str, Any]], method: str) -> dict[str, Gain]:
    """How much better the model is than a method, by metric, over the objects that both have it for."""
    gains = {}
    for metric in metrics:
        values = metric.gain(_values(objects, MODEL, metric), _values(objects, method, metric))
        values = values[np.isfinite(values)]
        if len(values):
            gains[metric.key] = (float(values.mean()), *(statistics.interval(values.tolist()) or (None, None)))
    return gains


def _exam(
    family: Family, run_dir: str | Path, dataset_dir: str | Path, judging: Config, device: torch.device, full: bool,
    lpips: str | Path | None, out: str | Path | None,
) -> Exam:  # fmt: skip
    network, recipe = load(family, run_dir, device)
    training = family.data(dataset_dir, ("train",), recipe, None, False)
    if not len(training):
        raise ConfigError(
            f"{dataset_dir} has no assets in train, and baselines are made of them: name the dataset that the model was "
            "trained on with --dataset"
        )
    untrained = family.fresh(recipe, 0).to(device).eval()
    learned = Lpips(lpips).to(device) if lpips else None
    place = Path(out or Path(run_dir) / "evaluation")
    return Exam(network, untrained, recipe, training, judging, device, learned, full, place)


def _renderers(
    family: Family, against: Sequence[tuple[Family, str | Path]], device: torch.device
) -> dict[str, Callable[..., torch.Tensor]]:
    """`Exam.against` of some runs."""
    if against and not family.compares:
        raise ConfigError(f"family '{family.name}' is not judged against other models: leave --against out")
    renderers: dict[str, Callable[..., torch.Tensor]] = {}
    for other, run_dir in against:
        if other.renders is None:
            raise ConfigError(f"{run_dir} is a run of family '{other.name}', which draws no views: name another run")
        name = f"{other.name} ({Path(run_dir).name})"
        if name in renderers:
            raise ConfigError(f"two runs of --against are called {name}, and a row has one name: rename a folder")
        renderers[name] = partial(other.renders, load(other, run_dir, device)[0])
    return renderers
