"""What an ablation found: the record, its page of Markdown and its plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from versemill.markdown import table
from versemill.training.family import Metric
from versemill.training.statistics import Comparison

Runs = dict[str, list[list[float | None] | None]]
"""Arm -> training seed -> score per object, None where an object can't have it; None where that training diverged."""


@dataclass(frozen=True)
class Outcome:
    """What an ablation found.

    Attributes:
        name, question, budget: what was asked, and at what cost.
        metrics: what the scores are; the first decides the verdict.
        objects: training assets of every arm that reads shards.
        drawn: arm whose assets are milled while it trains -> different assets that each training was given.
        scores: test -> metric key -> `Runs`.
        baselines: test -> baseline -> metric key -> mean over objects.
        peak_norms: arm -> per seed, the highest median gradient norm of 100 steps (LRM-Zero's early warning).
        diverged: arm -> seeds whose training was stopped, with the reason.
        comparisons: of every pair of arms on every test set in every metric.
        files: the table, the plot.
    """

    name: str
    question: str
    budget: dict[str, Any]
    metrics: tuple[Metric, ...]
    objects: int
    drawn: dict[str, list[int]]
    scores: dict[str, dict[str, Runs]]
    baselines: dict[str, dict[str, dict[str, float]]]
    peak_norms: dict[str, list[float]]
    diverged: dict[str, dict[int, str]]
    comparisons: list[Comparison]
    files: list[str]


def markdown(outcome: Outcome) -> str:
    """The outcome as a page of Markdown: scores of every arm, then the verdicts."""
    budget, metrics = outcome.budget, outcome.metrics
    judging = ", ".join(f"{name} {value}" for name, value in budget["judging"].items())
    cost = (
        f"Family {budget['family']}, preset {budget['preset']}, {budget['steps'] or 'its own'} steps, {budget['seeds']} "
        f"training seeds, {outcome.objects} training assets per arm{', judged with ' + judging if judging else ''}. "
        f"Scores: {'; '.join(m.title for m in metrics)}."
    )
    fresh = [f"{arm}: {', '.join(map(str, counts))}" for arm, counts in outcome.drawn.items()]
    if fresh:
        cost += f" Arms whose assets were milled while they trained drew as many different ones, by seed: {'; '.join(fresh)}."
    lines = [f"# {outcome.name}", "", outcome.question, "", cost, ""]
    for test in outcome.scores:
        lines += [*_scores(outcome, test), "", *_verdicts(outcome, test), ""]
    return "\n".join(lines)


def _scores(outcome: Outcome, test: str) -> list[str]:
    first, *others = outcome.metrics
    arms = outcome.scores[test][first.key]
    objects = max((len(run) for runs in arms.values() for run in runs if run), default=0)
    rows = []
    for arm, runs in arms.items():
        means = _means(runs)
        cells = [arm, _mean(first, means), ", ".join(first.text(m) for m in means)]
        cells += [_mean(m, _means(outcome.scores[test][m.key][arm])) for m in others]
        rows.append([*cells, f"{max(outcome.peak_norms[arm]):.2f}", len(outcome.diverged[arm])])
    for name, values in outcome.baselines[test].items():
        shown = [m.text(values[m.key]) if m.key in values else "" for m in outcome.metrics]
        rows.append([f"*{name}*", shown[0], "", *shown[1:], "", ""])
    columns = ["arm", first.title, "by seed", *(m.title for m in others), "peak gradient norm", "diverged"]
    return [f"## Judged on {test}, {objects} objects", "", table(columns, rows)]


def _verdicts(outcome: Outcome, test: str) -> list[str]:
    by_key = {metric.key: metric for metric in outcome.metrics}
    rows = []
    for c in (c for c in outcome.comparisons if c.test == test):
        metric = by_key[c.metric]
        gain = "" if c.gain is None else f"{metric.text(c.gain, sign=True)} {metric.unit}".rstrip()
        interval = "" if c.low is None or c.high is None else f"{metric.text(c.low, True)} to {metric.text(c.high, True)}"
        rows.append([f"{c.first} against {c.second}", f"{gain} in {metric.name}", interval, c.verdict])
    return [table(["first against second", "the first's gain", "95 % interval", "verdict"], rows)]


def _means(runs: Sequence[Sequence[float | None] | None]) -> list[float]:
    """Mean over objects of every training that did not diverge."""
    return [float(np.nanmean(np.array(run, np.float64))) for run in runs if run]


def _mean(metric: Metric, means: Sequence[float]) -> str:
    return metric.text(float(np.mean(means))) if means else ""


def plot(path: Path, outcome: Outcome) -> None:
    """A PNG of the first metric, with a column per test set: above, the arms' scores, a dot per training seed; below, the gain
    of every pair."""
    metric = outcome.metrics[0]
    scores = {test: by_metric[metric.key] for test, by_metric in outcome.scores.items()}
    arms = max(len(runs) for runs in scores.values())
    pairs = arms * (arms - 1) // 2
    figure, axes = plt.subplots(
        2, len(scores), squeeze=False, layout="constrained", figsize=(5.4 * len(scores), 2.8 + 0.4 * (arms + pairs)),
        height_ratios=[arms + 0.5, pairs + 0.5],
    )  # fmt: skip
    for (above, below), (test, by_arm) in zip(axes.T, scores.items(), strict=True):
        for row, runs in enumerate(by_arm.values()):
            means = _means(runs)
            above.plot(means, np.full(len(means), row), "o", color="#8fb4d9", markersize=6)
            if means:
                above.plot(np.mean(means), row, "|", color="#123a66", markersize=18, markeredgewidth=2.5)
        _rows(above, list(by_arm), f"{metric.title}\na dot per training seed")
        marks = [f"{name} {metric.text(v[metric.key])}" for name, v in outcome.baselines[test].items() if metric.key in v]
        above.set_title(f"judged on {test}\n{', '.join(marks)}", fontsize=8)
        compared = [c for c in outcome.comparisons if c.test == test and c.metric == metric.key]
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
