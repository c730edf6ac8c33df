"""What is compared: the model, itself untrained, the baselines and the ceiling; each answers with pictures and is measured."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from versemill.reconstruction.optimise import optimise
from versemill.training import baselines, images
from versemill.training.family import MODEL, UNTRAINED, Exam, Metric
from versemill.training.geometry import depth_normals
from versemill.training.scenes import Scene
from versemill.training.splats import Rendering
from versemill.training.splatting import render

MEAN, INPUT_MEAN = "mean image", "mean of the inputs"
NEAREST, HULL, OPTIMUM = "nearest view", "visual hull", "per-scene optimum"
METHODS = (MODEL, UNTRAINED, MEAN, INPUT_MEAN, NEAREST, HULL, OPTIMUM)
"""Order of the rows: ours; the same network before training, what it owes to its design alone; the baselines; the ceiling."""
METRICS = (
    Metric("psnr", "PSNR", "dB"),
    Metric("ssim", "SSIM", "", places=3),
    Metric("lpips", "LPIPS", "", higher_is_better=False, places=3),
    Metric("mask_iou", "mask IoU", "", places=3),
    Metric("depth_error", "depth error", "", higher_is_better=False, places=3),
    Metric("normal_error", "normal error", "degrees", higher_is_better=False, places=1),
)


@dataclass(frozen=True, eq=False)
class Answer:
    """Pictures over white (T, 3, S, S); alpha and planar depth (T, 1, S, S) where a method has them."""

    image: Tensor
    alpha: Tensor | None = None
    depth: Tensor | None = None

    @classmethod
    def of(cls, rendering: Rendering) -> "Answer":
        """What a rendering (1, T, ...) shows; depth is that of the covering surface, not thinned by alpha."""
        alpha = rendering.alpha[0].cpu()
        return cls(rendering.over(1.0)[0].clamp(0, 1).cpu(), alpha, rendering.depth[0].cpu() / alpha.clamp_min(1e-3))


@dataclass(frozen=True, eq=False)
class Case:
    """A scene, the views that a model sees of it, and those that it is judged on: all others."""

    scene: Scene
    inputs: list[int]

    @property
    def targets(self) -> list[int]:
        """Indices of the views that are no inputs."""
        return [k for k in range(len(self.scene.rgb)) if k not in self.inputs]


def predict(model: Any, scene: Scene, inputs: list[int], device: torch.device) -> Any:
    """The reconstruction (one object: Gaussians or a triplane) from some of a scene's views."""
    with torch.no_grad():
        return model(*(t[None, inputs].to(device) for t in (scene.over_white, scene.alpha, scene.c2w, scene.K)))[0]


def answers(exam: Exam, mean: Tensor, case: Case, reconstruction: Any) -> dict[str, Answer]:
    """Every method's pictures of the target views.

    Args:
        mean: (3, S, S), the training set's mean image. reconstruction: the model's, of this object.
    """
    scene, inputs, targets = case.scene, case.inputs, case.targets
    size, count, device = scene.rgb.shape[-1], len(targets), exam.device
    network: Any = exam.network
    untrained: Any = exam.untrained
    cameras = scene.c2w[None, targets].to(device), scene.K[None, targets].to(device)
    with torch.no_grad():
        ours = network.draw(reconstruction, *cameras, size)
        fresh = untrained.draw(predict(untrained, scene, inputs, device), *cameras, size)
        rgb, alpha, depth = baselines.visual_hull(scene, inputs, targets)
    near = baselines.nearest_view(scene, inputs, targets)
    given = {
        MODEL: Answer.of(ours),
        UNTRAINED: Answer.of(fresh),
        MEAN: Answer(mean.expand(count, -1, -1, -1)),
        INPUT_MEAN: Answer(scene.over_white[inputs].mean(0).expand(count, -1, -1, -1)),
        NEAREST: Answer(scene.over_white[near], scene.alpha[near]),
        HULL: Answer(rgb + 1 - alpha, alpha, depth),
    }
    if exam.full:
        best = optimise(scene, len(inputs) * (size // network.recipe.stride) ** 2)
        with torch.no_grad():
            given[OPTIMUM] = Answer.of(render(best, scene.c2w[None, targets], scene.K[None, targets], (size, size)))
    return given


def measure(exam: Exam, case: Case, answer: Answer) -> dict[str, float]:
    """Metric key -> mean over target views; a metric that the method can't have is absent.

    Depth and normals are compared where prediction and truth both have a surface: depth in world units, the angle
    between the normals of the predicted depth map and the rendered normals in degrees.
    """
    scene, targets = case.scene, case.targets
    truth, mask = scene.over_white[targets], scene.alpha[targets, 0] > 0.5
    values = {"psnr": images.psnr(answer.image, truth), "ssim": images.ssim(answer.image, truth)}
    if exam.lpips is not None:
        with torch.no_grad():
            values["lpips"] = exam.lpips(answer.image.to(exam.device), truth.to(exam.device)).cpu()
    if answer.alpha is not None:
        covered = answer.alpha > 0.5
        values["mask_iou"] = images.iou(covered[:, 0], mask)
        if answer.depth is not None:
            known = (scene.depth[targets] > 0) & covered
            values["depth_error"] = images.masked_mean((answer.depth - scene.depth[targets]).abs()[:, 0], known[:, 0])
            normals, holds = depth_normals((answer.depth * covered)[None], scene.c2w[None, targets], scene.K[None, targets])
            compared = known & holds[0] & (scene.normal[targets].norm(dim=1, keepdim=True) > 0.5)
            cosine = (normals[0] * scene.normal[targets]).sum(1).clamp(-1, 1)
            values["normal_error"] = images.masked_mean(torch.rad2deg(torch.arccos(cosine)), compared[:, 0])
    return {name: float(value.nanmean()) for name, value in values.items() if not value.isnan().all()}
