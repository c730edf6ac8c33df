"""What a comparison shows: means with their intervals over objects, and how much better the first arm is, as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.generation.distillation.judging import COUNTS, EVERY, gain
from versemill.markdown import table
from versemill.training.family import Metric
from versemill.training.statistics import MIN_OBJECTS, interval

Scores = Mapping[str, Mapping[str, float]]
"""Arm -> metric -> value, of one object."""
Bounds = tuple[float, float] | None
"""A 95 % bootstrap interval over objects; None below `statistics.MIN_OBJECTS` of them."""


@dataclass(frozen=True)
class Compared:
    """What a comparison gave.

    Attributes:
        title, question: of the page. objects: per object its scores; every one has all arms, in the order of the table.
    """

    title: str
    question: str
    objects: Sequence[Scores]

    @property
    def arms(self) -> list[str]:
        """Their names; the first is compared with the others."""
        return list(self.objects[0])

    @property
    def metrics(self) -> list[Metric]:
        """Those that some arm has."""
        return [metric for metric in EVERY if any(metric.key in row for each in self.objects for row in each.values())]

    def column(self, arm: str, key: str) -> NDArray[np.float64]:
        """(objects,) NaN where the object has no such value."""
        return np.array([each[arm].get(key, np.nan) for each in self.objects], np.float64)

    def mean(self, arm: str, key: str) -> tuple[float, Bounds] | None:
        """Mean over the objects that have it and its interval; None where there are none."""
        return _mean(self.column(arm, key))

    def gain(self, other: str, metric: Metric) -> tuple[float, Bounds] | None:
        """How much better the first arm is, over the objects that both have it for; see `judging.gain`."""
        return _mean(gain(metric, self.column(self.arms[0], metric.key), self.column(other, metric.key)))

    def figures(self) -> dict[str, float]:
        """ "arm: metric" -> mean."""
        keys = ["calls", *(metric.key for metric in self.metrics)]
        return {f"{arm}: {key}": mean[0] for arm in self.arms for key in keys if (mean := self.mean(arm, key))}

    def score_rows(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of the table of means."""
        rows = [[arm, self._calls(arm), *(self._cell(arm, metric) for metric in self.metrics)] for arm in self.arms]
        return ["", "calls", *(metric.title for metric in self.metrics)], rows

    def gain_rows(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of the table of gains; an interval without 0 is marked by a star."""
        compared = [metric for metric in self.metrics if any(self.gain(other, metric) for other in self.arms[1:])]
        rows = [[other, *(_gain_text(metric, self.gain(other, metric)) for metric in compared)] for other in self.arms[1:]]
        return [f"gain of {self.arms[0]} over", *(metric.name for metric in compared)], rows

    def markdown(self) -> str:
        """The page."""
        about = (
            f"{len(self.objects)} objects. Calls: evaluations of the 2D model's network in an object. In brackets the 95 % "
            f"bootstrap interval over objects, from {MIN_OBJECTS} objects on. Gains are positive where the first is better and "
            "starred where their interval excludes 0; of ratios to the truth they say how much nearer to 1 the first is, as a "
            "difference of |ln|. A distillation whose loss is not finite counts in `diverged` alone."
        )
        parts = [f"# {self.title}", self.question, about, table(*self.score_rows())]
        if len(self.arms) > 1:
            parts.append(table(*self.gain_rows()))
        return "\n\n".join(parts) + "\n"

    def _calls(self, arm: str) -> str:
        mean = self.mean(arm, "calls")
        return f"{mean[0]:,.0f}" if mean else ""

    def _cell(self, arm: str, metric: Metric) -> str:
        values = self.column(arm, metric.key)
        if metric.key in COUNTS and not np.isnan(values).all():
            return f"{np.nansum(values):.0f} of {np.isfinite(values).sum()}"
        mean = _mean(values)
        return "" if mean is None else metric.text(mean[0]) + _bounds(metric, mean[1])


def _gain_text(metric: Metric, gained: tuple[float, Bounds] | None) -> str:
    if gained is None:
        return ""
    mean, bounds = gained
    star = "*" if bounds and (bounds[0] > 0 or bounds[1] < 0) else ""
    return metric.text(mean, sign=True) + _bounds(metric, bounds, sign=True) + star


def _bounds(metric: Metric, bounds: Bounds, sign: bool = False) -> str:
    return f" ({metric.text(bounds[0], sign)} to {metric.text(bounds[1], sign)})" if bounds else ""


def _mean(values: NDArray[np.float64]) -> tuple[float, Bounds] | None:
    known = values[np.isfinite(values)]
    return (float(known.mean()), interval(known.tolist())) if len(known) else None


@dataclass(frozen=True)
class Residuals:
    """Equation 8's residual on objects.

    Attributes:
        times: when. objects: per object, where kappa comes from (`flat.ARMS`) -> the residual at each time.
    """

    times: tuple[float, ...]
    objects: Sequence[Mapping[str, Sequence[float]]]

    def values(self, arm: str) -> NDArray[np.float64]:
        """(objects, times)."""
        return np.array([each[arm] for each in self.objects], np.float64)

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of the table: means over objects, and for each step of the order -gamma < 0 < +gamma < random the
        share of objects that keep it."""
        shown = Metric("residual", "residual", "", places=4)
        rows = []
        for arm in self.objects[0]:
            means = [_mean(column) for column in self.values(arm).T]
            rows.append([arm, *("" if m is None else shown.text(m[0]) + _bounds(shown, m[1]) for m in means)])
        order = ["-gamma", "0", "+gamma", "random"]
        for low, high in pairwise(order):
            below = self.values(low) < self.values(high)
            rows.append([f"objects with {low} below {high}", *(f"{n} of {len(below)}" for n in below.sum(0))])
        return ["kappa from", *(f"t = {t}" for t in self.times)], rows

    def figures(self) -> dict[str, float]:
        """ "residual ARM T" -> mean."""
        return {
            f"residual {arm} {t}": float(value)
            for arm in self.objects[0]
            for t, value in zip(self.times, self.values(arm).mean(0), strict=True)
        }

    def markdown(self) -> str:
        """The page."""
        head = f"# Residual of equation 8\n\n{len(self.objects)} objects; in brackets the 95 % bootstrap interval over objects."
        return f"{head}\n\n{table(*self.rows())}\n"


def plain(scores: Mapping[str, Any]) -> dict[str, float]:
    """Scores as JSON has them: without what is not finite."""
    return {key: float(value) for key, value in scores.items() if np.isfinite(value)}
