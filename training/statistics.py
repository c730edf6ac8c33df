"""What scores over objects and training seeds show: intervals, a two-level bootstrap, and a verdict for a pair of arms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from versemill import seeds
from versemill.training.family import Metric, Scores

MIN_SEEDS = 3
"""Fewer training seeds than this can't tell a difference of data from the luck of one training."""
MIN_OBJECTS = 20
"""Fewer objects than this get no interval: it would claim what so few can't show."""


def interval(values: Sequence[float], draws: int = 2000) -> tuple[float, float] | None:
    """95 % bootstrap interval of the mean over objects, or None below `MIN_OBJECTS`; a fixed seed."""
    if len(values) < MIN_OBJECTS:
        return None
    picks = seeds.stream(0, len(values), "reconstruction/bootstrap").integers(0, len(values), (draws, len(values)))
    low, high = np.quantile(np.asarray(values)[picks].mean(1), [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Comparison:
    """Two arms on one test set in one metric.

    Attributes:
        first, second, test: names. metric: its key. seeds, objects: how many both arms share.
        gain: how much better `first` is in the metric, on average; None where no seed trained on both.
        low, high: 95 % interval of the gain, or None where it is not tested.
        verdict: "not tested" with the reason, "no difference" with the metric, or which arm is better.
    """

    first: str
    second: str
    test: str
    metric: str
    seeds: int
    objects: int
    gain: float | None
    low: float | None
    high: float | None
    verdict: str


def compare(scores: Mapping[str, Scores], test: str, metric: Metric) -> list[Comparison]:
    """Every pair of arms on a test set; arms have the same seeds and objects, in the same order."""
    return [
        _pair(first, second, metric.gain(scores[first], scores[second]), test, metric)
        for first, second in combinations(scores, 2)
    ]


def _pair(first: str, second: str, gains: Scores, test: str, metric: Metric) -> Comparison:
    gains = gains[~np.isnan(gains).all(1)]  # trainings that diverged
    gains = gains[:, ~np.isnan(gains).any(0)]  # objects that can't have the metric
    count, objects = gains.shape
    mean = float(gains.mean()) if gains.size else None
    if count < MIN_SEEDS or objects < MIN_OBJECTS:
        lacking = f"{count} of {MIN_SEEDS} seeds" if count < MIN_SEEDS else f"{objects} of {MIN_OBJECTS} objects"
        return Comparison(first, second, test, metric.key, count, objects, mean, None, None, f"not tested ({lacking})")
    low, high = bootstrap(gains)
    if low <= 0 <= high:
        verdict = f"no difference in {metric.name} shown"
    else:
        better, worse = (first, second) if low > 0 else (second, first)
        verdict = f"'{better}' is better than '{worse}' in {metric.name}"
    return Comparison(first, second, test, metric.key, count, objects, mean, low, high, verdict)


def bootstrap(values: Scores, draws: int = 4000) -> tuple[float, float]:
    """95 % interval of the mean of (seeds, objects): training seeds are drawn first, then objects, both with replacement.

    All seeds are judged on the same objects, so one draw of objects holds for all of its seeds. With 3 seeds the
    spread between them is known badly and the interval is rather too narrow than too wide.
    """
    rng = seeds.stream(0, values.size, "reconstruction/ablation")
    rows = rng.integers(0, len(values), (draws, len(values)))
    columns = rng.integers(0, values.shape[1], (draws, values.shape[1]))
    means = np.array([values[r].mean(0)[c].mean() for r, c in zip(rows, columns, strict=True)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
