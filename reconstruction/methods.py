"""What is compared: the model, itself untrained, the baselines and the ceiling; each answers with pictures and is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from versemill.reconstruction import baselines, metrics
from versemill.reconstruction.data import Scene
from versemill.reconstruction.geometry import depth_normals
from versemill.reconstruction.optimise import optimise
from versemill.reconstruction.runs import Model
from versemill.reconstruction.splat import Rendering, render

MODEL, UNTRAINED, MEAN, INPUT_MEAN = "model", "untrained model", "mean image", "mean of the inputs"
NEAREST, HULL, OPTIMUM = "nearest view", "visual hull", "per-scene optimum"
METHODS = (MODEL, UNTRAINED, MEAN, INPUT_MEAN, NEAREST, HULL, OPTIMUM)
"""Order of the rows: ours; the same network before training, what it owes to its design alone; the baselines; the ceiling."""
METRICS = ("psnr", "ssim", "lpips", "mask_iou", "depth_error", "normal_error")


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
class Contest:
    """Everything that stays the same from object to object.

    Attributes:
        model, untrained: predict from the inputs. mean: (3, S, S), the training set's mean image. device: of the models.
        lpips: the learned distance, or None where no weights were given.
        optimum: also fit Gaussians to each object, seconds each.
    """

    model: Model
    untrained: Model
    mean: Tensor
    device: torch.device
    lpips: Callable[[Tensor, Tensor], Tensor] | None = None
    optimum: bool = False


def predict(model: Model, scene: Scene, inputs: list[int], device: torch.device) -> Any:
    """The reconstruction (one object: Gaussians or a triplane) from some of a scene's views."""
    with torch.no_grad():
        return model(*(t[None, inputs].to(device) for t in (scene.over_white, scene.alpha, scene.c2w, scene.K)))[0]


def answers(contest: Contest, scene: Scene, inputs: list[int], targets: list[int], found: Any) -> dict[str, Answer]:
    """Every method's pictures of the target views; `found` is the model's reconstruction."""
    size, count, device = scene.rgb.shape[-1], len(targets), contest.device
    cameras = scene.c2w[None, targets].to(device), scene.K[None, targets].to(device)
    with torch.no_grad():
        ours = contest.model.draw(found, *cameras, size)
        fresh = contest.untrained.draw(predict(contest.untrained, scene, inputs, device), *cameras, size)
        rgb, alpha, depth = baselines.visual_hull(scene, inputs, targets)
    near = baselines.nearest_view(scene, inputs, targets)
    given = {
        MODEL: Answer.of(ours),
        UNTRAINED: Answer.of(fresh),
        MEAN: Answer(contest.mean.expand(count, -1, -1, -1)),
        INPUT_MEAN: Answer(scene.over_white[inputs].mean(0).expand(count, -1, -1, -1)),
        NEAREST: Answer(scene.over_white[near], scene.alpha[near]),
        HULL: Answer(rgb + 1 - alpha, alpha, depth),
    }
    if contest.optimum:
        best = optimise(scene, len(inputs) * (size // contest.model.preset.stride) ** 2)
        with torch.no_grad():
            given[OPTIMUM] = Answer.of(render(best, scene.c2w[None, targets], scene.K[None, targets], (size, size)))
    return given


def measure(contest: Contest, scene: Scene, targets: list[int], answer: Answer) -> dict[str, float]:
    """Metric -> mean over target views; a metric that the method can't have is absent.

    Depth and normals are compared where prediction and truth both have a surface: depth in world units, the angle
    between the normals of the predicted depth map and the rendered normals in degrees.
    """
    truth, mask = scene.over_white[targets], scene.alpha[targets, 0] > 0.5
    values = {"psnr": metrics.psnr(answer.image, truth), "ssim": metrics.ssim(answer.image, truth)}
    if contest.lpips is not None:
        with torch.no_grad():
            values["lpips"] = contest.lpips(answer.image.to(contest.device), truth.to(contest.device)).cpu()
    if answer.alpha is not None:
        covered = answer.alpha > 0.5
        values["mask_iou"] = metrics.iou(covered[:, 0], mask)
        if answer.depth is not None:
            known = (scene.depth[targets] > 0) & covered
            values["depth_error"] = metrics.masked_mean((answer.depth - scene.depth[targets]).abs()[:, 0], known[:, 0])
            normals, holds = depth_normals((answer.depth * covered)[None], scene.c2w[None, targets], scene.K[None, targets])
            told = known & holds[0] & (scene.normal[targets].norm(dim=1, keepdim=True) > 0.5)
            cosine = (normals[0] * scene.normal[targets]).sum(1).clamp(-1, 1)
            values["normal_error"] = metrics.masked_mean(torch.rad2deg(torch.arccos(cosine)), told[:, 0])
    return {name: float(value.nanmean()) for name, value in values.items() if not value.isnan().all()}
