"""What an ablation's trainings are judged by: each family's metric, a network's score on every object, baselines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from versemill.reconstruction import baselines, metrics
from versemill.reconstruction.data import Scene
from versemill.reconstruction.methods import HULL, MEAN, NEAREST, Answer, predict
from versemill.reconstruction.monocular import Monocular, surface
from versemill.reconstruction.presets import Preset
from versemill.reconstruction.runs import Model, Network

FACING = "facing the camera"
"""The baseline of normals: what a network says that has learned nothing."""
Cases = Sequence[tuple[Scene, list[int]]]
"""Scenes to judge on, each with the indices of its input views."""
Scores = NDArray[np.float64]
"""(seeds, objects) values of a metric; a row of NaN is a training that diverged."""


@dataclass(frozen=True)
class Metric:
    """What a score says. higher_is_better: which way; a gain is positive where the first of two is better, either way."""

    name: str
    unit: str
    higher_is_better: bool

    @property
    def title(self) -> str:
        """Name, unit and, where it is the unusual one, direction."""
        return f"{self.name} in {self.unit}" + ("" if self.higher_is_better else ", lower is better")

    def gain(self, first: Scores, second: Scores) -> Scores:
        """How much better the first is."""
        return first - second if self.higher_is_better else second - first


PSNR = Metric("PSNR", "dB", higher_is_better=True)
NORMAL_ERROR = Metric("normal error", "degrees", higher_is_better=False)


def metric_of(preset: Preset) -> Metric:
    """What a preset's networks are judged by."""
    return NORMAL_ERROR if preset.family == "monocular" else PSNR


def score(network: Network, cases: Cases, device: torch.device) -> list[float]:
    """The metric of the network's family on each object: PSNR over all views that are no inputs, normal error over all."""
    with torch.no_grad():
        if isinstance(network, Monocular):
            return [
                normal_error(network(scene.over_white.to(device), scene.alpha.to(device))[0].cpu(), scene) for scene, _ in cases
            ]
        return [_psnr(network, scene, inputs, device) for scene, inputs in cases]


def _psnr(model: Model, scene: Scene, inputs: list[int], device: torch.device) -> float:
    targets = _targets(scene, inputs)
    found = predict(model, scene, inputs, device)
    cameras = scene.c2w[None, targets].to(device), scene.K[None, targets].to(device)
    image = Answer.of(model.draw(found, *cameras, scene.rgb.shape[-1])).image
    return float(metrics.psnr(image, scene.over_white[targets]).mean())


def _targets(scene: Scene, inputs: list[int]) -> list[int]:
    return [k for k in range(len(scene.rgb)) if k not in inputs]


def normal_error(normal: Tensor, scene: Scene) -> float:
    """Angle in degrees between normals (V, 3, S, S) of each camera's frame and the true ones.

    The mean over the pixels where the truth is known, then over the views that have such pixels.
    """
    truth, _, known = surface(scene.normal, scene.depth, scene.c2w)
    angle = torch.rad2deg(torch.arccos((normal * truth).sum(1).clamp(-1, 1)))
    return float(metrics.masked_mean(angle, known[:, 0]).nanmean())


def baseline_scores(metric: Metric, cases: Cases, mean: Tensor) -> dict[str, float]:
    """Baseline -> mean over objects of what needs no training: what a score is worth.

    Of PSNR: the mean image (3, S, S), the nearest input view, the visual hull. Of normal error: `FACING`.
    """
    judged = [_facing(scene) if metric == NORMAL_ERROR else _pictures(scene, inputs, mean) for scene, inputs in cases]
    return {name: float(np.mean([values[name] for values in judged])) for name in judged[0]}


def _facing(scene: Scene) -> dict[str, float]:
    return {FACING: normal_error(torch.tensor([0.0, 0.0, -1.0])[:, None, None].expand_as(scene.normal), scene)}


def _pictures(scene: Scene, inputs: list[int], mean: Tensor) -> dict[str, float]:
    targets = _targets(scene, inputs)
    truth = scene.over_white[targets]
    rgb, alpha, _ = baselines.visual_hull(scene, inputs, targets)
    near = scene.over_white[baselines.nearest_view(scene, inputs, targets)]
    images = {MEAN: mean.expand_as(truth), NEAREST: near, HULL: rgb + 1 - alpha}
    return {name: float(metrics.psnr(image, truth).mean()) for name, image in images.items()}
