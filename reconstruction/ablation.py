"""The statistics of an ablation: scores of trained models by seed and object, a two-level bootstrap, a verdict per pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from reconstruction import baselines, metrics
from reconstruction.data import Scene
from reconstruction.methods import HULL, MEAN, NEAREST, Answer, predict
from reconstruction.runs import Model
from versemill import seeds

MIN_SEEDS = 3
"""Fewer training seeds than this can't tell a difference of data from the luck of one training."""
Cases = Sequence[tuple[Scene, list[int]]]
"""Scenes to judge on, each with the indices of its input views."""
Scores = NDArray[np.float64]
"""(seeds, objects) PSNR in dB; a row of NaN is a training that diverged."""


@dataclass(frozen=True)
class Comparison:
    """Two arms on one test set.

    Attributes:
        first, second, test: names. seeds, objects: how many both arms share.
        gain: mean PSNR of `first` minus that of `second`, in dB; None where no seed trained on both.
        low, high: 95 % interval of the gain, or None where it is not tested.
        verdict: "not tested" with the reason, "no difference shown", or which arm is better.
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


def compare(scores: Mapping[str, Scores], test: str) -> list[Comparison]:
    """Every pair of arms on a test set; arms have the same seeds and objects, in the same order."""
    return [_pair(first, second, scores[first], scores[second], test) for first, second in combinations(scores, 2)]


def _pair(first: str, second: str, a: Scores, b: Scores, test: str) -> Comparison:
    gains = (a - b)[~np.isnan(a - b).any(1)]
    count, objects = gains.shape
    mean = float(gains.mean()) if gains.size else None
    if count < MIN_SEEDS or objects < metrics.MIN_OBJECTS:
        lacking = f"{count} of {MIN_SEEDS} seeds" if count < MIN_SEEDS else f"{objects} of {metrics.MIN_OBJECTS} objects"
        return Comparison(first, second, test, count, objects, mean, None, None, f"not tested ({lacking})")
    low, high = bootstrap(gains)
    if low <= 0 <= high:
        verdict = "no difference shown"
    else:
        better, worse = (first, second) if low > 0 else (second, first)
        verdict = f"'{better}' is better than '{worse}'"
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


def score(model: Model, cases: Cases, device: torch.device) -> list[float]:
    """PSNR of a model on each object: the mean over all views that are no inputs."""
    scores = []
    for scene, inputs in cases:
        targets = [k for k in range(len(scene.rgb)) if k not in inputs]
        with torch.no_grad():
            found = predict(model, scene, inputs, device)
            cameras = scene.c2w[None, targets].to(device), scene.K[None, targets].to(device)
            image = Answer.of(model.draw(found, *cameras, scene.rgb.shape[-1])).image
        scores.append(float(metrics.psnr(image, scene.over_white[targets]).mean()))
    return scores


def baseline_scores(cases: Cases, mean: torch.Tensor) -> dict[str, float]:
    """Mean PSNR of the mean image (3, S, S), the nearest view and the visual hull: what a score is worth."""
    found: dict[str, list[float]] = {MEAN: [], NEAREST: [], HULL: []}
    for scene, inputs in cases:
        targets = [k for k in range(len(scene.rgb)) if k not in inputs]
        truth = scene.over_white[targets]
        rgb, alpha, _ = baselines.visual_hull(scene, inputs, targets)
        images = (mean, scene.over_white[baselines.nearest_view(scene, inputs, targets)], rgb + 1 - alpha)
        for values, image in zip(found.values(), images, strict=True):
            values.append(float(metrics.psnr(image.expand_as(truth), truth).mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def plot(
    path: Path, scores: Mapping[str, Mapping[str, Scores]], comparisons: Sequence[Comparison],
    beside: Mapping[str, Mapping[str, float]], title: str,
) -> None:  # fmt: skip
    """A PNG with a column per test set: above, the arms' scores, a dot per training seed; below, the gain of every pair."""
    arms = max(len(found) for found in scores.values())
    pairs = arms * (arms - 1) // 2
    figure, axes = plt.subplots(
        2, len(scores), squeeze=False, layout="constrained", figsize=(5.4 * len(scores), 2.2 + 0.4 * (arms + pairs)),
        height_ratios=[arms + 0.5, pairs + 0.5],
    )  # fmt: skip
    for (above, below), (test, found) in zip(axes.T, scores.items(), strict=True):
        for row, values in enumerate(found.values()):
            means = values.mean(1)[~np.isnan(values).any(1)]
            above.plot(means, np.full(len(means), row), "o", color="#8fb4d9", markersize=6)
            if len(means):
                above.plot(means.mean(), row, "|", color="#123a66", markersize=18, markeredgewidth=2.5)
        _rows(above, list(found), "PSNR in dB, a dot per training seed")
        told = ", ".join(f"{name} {value:.2f}" for name, value in beside[test].items())
        above.set_title(f"judged on {test}\n{told}", fontsize=8)
        for row, pair in enumerate(c for c in comparisons if c.test == test):
            if pair.gain is None:
                continue
            tested = pair.low is not None and pair.high is not None
            below.plot(pair.gain, row, "o", color="#123a66" if tested else "lightgrey")
            if tested:
                below.plot([pair.low, pair.high], [row, row], color="#123a66")
        below.axvline(0, color="grey", linewidth=1)
        names = [f"{c.first} - {c.second}" for c in comparisons if c.test == test]
        _rows(below, names, "gain in dB with its 95 % interval; grey: not tested")
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _rows(axis: Axes, names: list[str], label: str) -> None:
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel(label, fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.margins(x=0.15)
