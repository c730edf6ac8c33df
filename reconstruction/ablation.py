"""What an ablation's scores by seed and object show: a two-level bootstrap, a verdict per pair, the table and the plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from versemill.reconstruction import metrics
from versemill.reconstruction.judging import NORMAL_ERROR, Metric, Scores

from versemill import seeds

MIN_SEEDS = 3
"""Fewer training seeds than this can't tell a difference of data from the luck of one training."""


@dataclass(frozen=True)
class Comparison:
    """Two arms on one test set.

    Attributes:
        first, second, test: names. seeds, objects: how many both arms share.
        gain: how much better `first` is in the metric, on average; None where no seed trained on both.
        low, high: 95 % interval of the gain, or None where it is not tested.
        verdict: "not tested" with the reason, "no difference" with the metric, or which arm is better.
    """

    first: str
    second: str
    test: str
    seeds: int
    objects: int
    gain: float | None
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class Outcome:
    """What an ablation found.

    Attributes:
        name, question, budget: what was asked, and at what cost.
        metric: what the scores are.
        objects: training assets of every arm.
        scores: test -> arm -> seed -> score per object, None where that training diverged.
        baselines: test -> baseline -> mean score.
        peak_norms: arm -> per seed, the highest median gradient norm of 100 steps (the paper's early warning).
        diverged: arm -> seeds whose training was stopped, with the reason.
        comparisons: of every pair of arms on every test set.
        files: the table, the plot.
    """

    name: str
    question: str
    budget: dict[str, Any]
    metric: Metric
    objects: int
    scores: dict[str, dict[str, list[list[float] | None]]]
    baselines: dict[str, dict[str, float]]
    peak_norms: dict[str, list[float]]
    diverged: dict[str, dict[int, str]]
    comparisons: list[Comparison]
    files: list[str]


def compare(scores: Mapping[str, Scores], test: str, metric: Metric) -> list[Comparison]:
    """Every pair of arms on a test set; arms have the same seeds and objects, in the same order."""
    return [
        _pair(first, second, metric.gain(scores[first], scores[second]), test, metric)
        for first, second in combinations(scores, 2)
    ]


def _pair(first: str, second: str, gains: Scores, test: str, metric: Metric) -> Comparison:
    gains = gains[~np.isnan(gains).any(1)]
    count, objects = gains.shape
    mean = float(gains.mean()) if gains.size else None
    if count < MIN_SEEDS or objects < metrics.MIN_OBJECTS:
        lacking = f"{count} of {MIN_SEEDS} seeds" if count < MIN_SEEDS else f"{objects} of {metrics.MIN_OBJECTS} objects"
        return Comparison(first, second, test, count, objects, mean, None, None, f"not tested ({lacking})")
    low, high = bootstrap(gains)
    if low <= 0 <= high:
        verdict = f"no difference in {metric.name} shown"
    else:
        better, worse = (first, second) if low > 0 else (second, first)
        verdict = f"'{better}' is better than '{worse}' in {metric.name}"
    return Comparison(first, second, test, count, objects, mean, low, high, verdict)


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


def markdown(outcome: Outcome) -> str:
    """The outcome as a page of Markdown: scores of every arm, then the verdicts."""
    budget, metric = outcome.budget, outcome.metric
    seen = "each view by itself" if metric == NORMAL_ERROR else f"{budget['views']} input views"
    cost = (
        f"Preset {budget['preset']}, {budget['steps'] or 'its own'} steps, {budget['seeds']} training seeds, "
        f"{outcome.objects} training assets per arm, {seen}. Scores: {metric.title}."
    )
    lines = [
        f"# {outcome.name}", "", outcome.question, "",
        cost, "",
    ]  # fmt: skip
    for test, arms in outcome.scores.items():
        objects = max((len(run) for runs in arms.values() for run in runs if run), default=0)
        lines += [f"## Judged on {test}, {objects} objects", ""]
        lines += [f"| arm | {metric.title} | by seed | peak gradient norm | diverged |", "|---|---|---|---|---|"]
        for arm, runs in arms.items():
            means = _means(runs)
            mean = f"{np.mean(means):.2f}" if means else ""
            peak = max(outcome.peak_norms[arm])
            lines.append(
                f"| {arm} | {mean} | {', '.join(f'{m:.2f}' for m in means)} | {peak:.2f} | {len(outcome.diverged[arm])} |"
            )
        lines += [f"| *{name}* | {value:.2f} | | | |" for name, value in outcome.baselines[test].items()]
        lines += ["", f"| first against second | the first's gain in {metric.unit} | 95 % interval | verdict |"]
        lines += ["|---|---|---|---|"]
        for c in (c for c in outcome.comparisons if c.test == test):
            gain = "" if c.gain is None else f"{c.gain:+.2f}"
            interval = "" if c.low is None else f"{c.low:+.2f} to {c.high:+.2f}"
            lines.append(f"| {c.first} against {c.second} | {gain} | {interval} | {c.verdict} |")
        lines.append("")
    return "\n".join(lines)


def _means(runs: Sequence[Sequence[float] | None]) -> list[float]:
    """Mean over objects of every training that did not diverge."""
    return [float(np.mean(run)) for run in runs if run]


def plot(path: Path, outcome: Outcome) -> None:
    """A PNG with a column per test set: above, the arms' scores, a dot per training seed; below, the gain of every pair."""
    metric, scores = outcome.metric, outcome.scores
    arms = max(len(found) for found in scores.values())
    pairs = arms * (arms - 1) // 2
    figure, axes = plt.subplots(
        2, len(scores), squeeze=False, layout="constrained", figsize=(5.4 * len(scores), 2.8 + 0.4 * (arms + pairs)),
        height_ratios=[arms + 0.5, pairs + 0.5],
    )  # fmt: skip
    for (above, below), (test, found) in zip(axes.T, scores.items(), strict=True):
        for row, runs in enumerate(found.values()):
            means = _means(runs)
            above.plot(means, np.full(len(means), row), "o", color="#8fb4d9", markersize=6)
            if means:
                above.plot(np.mean(means), row, "|", color="#123a66", markersize=18, markeredgewidth=2.5)
        _rows(above, list(found), f"{metric.title}\na dot per training seed")
        told = ", ".join(f"{name} {value:.2f}" for name, value in outcome.baselines[test].items())
        above.set_title(f"judged on {test}\n{told}", fontsize=8)
        compared = [c for c in outcome.comparisons if c.test == test]
        for row, pair in enumerate(compared):
            if pair.gain is None:
                continue
            tested = pair.low is not None and pair.high is not None
            below.plot(pair.gain, row, "o", color="#123a66" if tested else "lightgrey")
            if tested:
                below.plot([pair.low, pair.high], [row, row], color="#123a66")
        below.axvline(0, color="grey", linewidth=1)
        names = [f"{c.first} against {c.second}" for c in compared]
        _rows(below, names, f"gain of the first in {metric.unit} ({metric.name})\n95 % interval; grey: not tested")
    figure.suptitle(f"{outcome.name}: {outcome.question}", fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _rows(axis: Axes, names: list[str], label: str) -> None:
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel(label, fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.margins(x=0.15)
