"""Methods side by side on known objects: at equal iterations, and at equal evaluations of the 2D model's network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from versemill.generation.distillation import export, judging, methods
from versemill.generation.distillation.judging import MESH_METRICS, METRICS, Truth
from versemill.generation.distillation.models import ViewModel
from versemill.generation.distillation.optimisation import Picture, State, optimise
from versemill.generation.distillation.settings import Distillation
from versemill.markdown import table
from versemill.training.loop import DivergenceError
from versemill.training.statistics import interval

HULL = "visual hull of one view"
Scores = dict[str, dict[str, float]]
"""Arm -> metric -> value."""


@dataclass(frozen=True)
class Compared:
    """What a comparison gave.

    Attributes:
        objects: per object its scores. summary: their means, without what is not a number.
        intervals: arm -> metric -> 95 % bootstrap interval over objects of (arm - first arm); none below 20 objects.
    """

    objects: list[Scores]
    summary: Scores
    intervals: dict[str, dict[str, tuple[float, float]]]

    def markdown(self) -> str:
        """The summary as a table."""
        shown = [m for m in (*METRICS, *MESH_METRICS) if any(m.key in row for row in self.summary.values())]
        rows = [
            [arm, f"{row.get('calls', 0):,.0f}", *(m.text(row[m.key]) if m.key in row else "" for m in shown)]
            for arm, row in self.summary.items()
        ]
        return table(["", "calls", *(m.name for m in shown)], rows)


def arms(settings: Distillation) -> dict[str, Distillation]:
    """The method of the settings, and SDS: annealed alike and plain, at equal iterations and at equal calls.

    Resolution, guidance and cameras are the same. Annealing alone sharpens, so annealed SDS at equal calls is the fair rival.
    """
    scoring = settings.scoring
    spent = total_calls(settings)
    chosen: dict[str, Distillation] = {scoring.method: settings}
    for name, annealed in (("sds annealed", True), ("sds plain", False)):
        rival = settings.model_copy(update={"scoring": scoring.model_copy(update={"method": "sds", "annealed": annealed})})
        chosen[f"{name}, equal iterations"] = rival
        chosen[f"{name}, equal calls"] = rival.model_copy(update={"iterations": iterations_for(rival, spent)})
    return chosen


def total_calls(settings: Distillation) -> int:
    """Evaluations of the network in all iterations, before tau."""
    return sum(methods.calls(settings.scoring, step, settings.iterations) for step in range(settings.iterations))


def iterations_for(settings: Distillation, calls: int) -> int:
    """How many iterations spend so many calls, to the nearest."""
    return max(1, round(calls * settings.iterations / total_calls(settings)))


def score(state: State, truth: Truth) -> dict[str, float]:
    """All metrics of a distilled object, and the calls it took."""
    scene, views = truth.scene, truth.others
    seen = export.pictures(state.field, scene.c2w[views], scene.K[views], scene.rgb.shape[-1])
    scores = judging.agreement(seen.over(1.0)[0], seen.alpha[0, :, 0], truth)
    if truth.mesh is not None:
        scores |= judging.mesh_agreement(export.mesh_of(state.field, state.settings.mesh_resolution), truth)
    return scores | {"calls": float(state.calls)}


def compare(
    truths: Sequence[Truth], model: Callable[[Truth], ViewModel], chosen: dict[str, Distillation], seed: int = 0,
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Compared:  # fmt: skip
    """Distils each object from its first view by every arm, and judges it; the hull of that view next to them.

    Args:
        model: (object) -> the 2D model with its first view as condition. chosen: arm -> settings; the first is compared
            with the others.
    """
    objects: list[Scores] = []
    for number, truth in enumerate(truths):
        scores: Scores = {}
        picture = Picture(truth.scene.over_white[0], truth.scene.alpha[0, 0])
        for name, settings in chosen.items():
            own = settings.model_copy(update={"cameras": judging.cameras_of(truth, settings.cameras)})
            try:
                scores[name] = score(optimise(own, model(truth), picture, seed), truth)
            except DivergenceError:
                scores[name] = {"diverged": 1.0}
        scores[HULL] = judging.hull(truth)
        objects.append(scores)
        if progress:
            progress(number + 1, len(truths), next(iter(scores.values())))
    names = list(objects[0])
    return Compared(objects, {name: _means([each[name] for each in objects]) for name in names}, _intervals(objects, names))


def _means(scores: list[dict[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(key for each in scores for key in each)
    values = {key: np.array([each.get(key, np.nan) for each in scores]) for key in keys}
    return {key: float(np.nanmean(column)) for key, column in values.items() if not np.isnan(column).all()}


def _intervals(objects: list[Scores], names: list[str]) -> dict[str, dict[str, tuple[float, float]]]:
    first, *others = names
    answer: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in others}
    for name in others:
        for metric in (*METRICS, *MESH_METRICS):
            gaps = [each[name].get(metric.key, np.nan) - each[first].get(metric.key, np.nan) for each in objects]
            bounds = interval([gap for gap in gaps if np.isfinite(gap)])
            if bounds is not None:
                answer[name][metric.key] = bounds
    return answer
