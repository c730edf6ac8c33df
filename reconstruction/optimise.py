"""The upper reference: 3D Gaussians fitted to one object alone, by its own pictures."""

import torch
from torch import Tensor
from torch.nn import functional as F

from versemill import seeds
from versemill.training import baselines
from versemill.training.geometry import unproject
from versemill.training.scenes import Scene, spread
from versemill.training.splats import Gaussians
from versemill.training.splatting import render

RATES = {"means": 4e-3, "quats": 5e-3, "scales": 1e-2, "opacities": 5e-2, "colors": 2e-2}
"""Adam's learning rates, of means in world units, of log scales, and of logits of opacity and colour."""
START_VIEWS = 8
"""Views whose silhouettes bound the shape that the fit starts from."""


def optimise(scene: Scene, count: int, steps: int = 300, views: int = 4) -> Gaussians:
    """Fits `count` Gaussians to all views of a scene: what the representation can show of this object at this size.

    It sees the target views too, so it is no competitor but a ceiling. It starts on the surface of the visual hull, in
    its colours, and minimises squared error over white with Adam; views are drawn from a stream of its own.

    Returns:
        one set of Gaussians, without gradients, on the CPU.
    """
    rng = seeds.stream(0, len(scene.rgb), "reconstruction/optimise")
    points, colors = _hull_points(scene)
    picked = torch.from_numpy(rng.choice(len(points), count, replace=len(points) < count))
    footprint = 3.0 / float(scene.K[0, 0, 0])
    raw = {
        "means": points[picked],
        "quats": torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(count, 1),
        "scales": torch.full((count, 3), footprint).log(),
        "opacities": torch.zeros(count),
        "colors": torch.logit(colors[picked].clamp(0.02, 0.98)),
    }
    raw = {name: value[None].requires_grad_() for name, value in raw.items()}
    optimizer = torch.optim.Adam([{"params": [value], "lr": RATES[name]} for name, value in raw.items()], eps=1e-15)
    size = scene.rgb.shape[-1]
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, RATES.values(), strict=True):
            group["lr"] = rate * 0.1 ** (step / steps)
        chosen = rng.permutation(len(scene.rgb))[:views]
        rendering = render(_gaussians(raw), scene.c2w[None, chosen], scene.K[None, chosen], (size, size))
        loss = F.mse_loss(rendering.over(1.0)[0], scene.over_white[chosen])
        loss = loss + 0.2 * F.mse_loss(rendering.alpha[0], scene.alpha[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return _gaussians({name: value.detach() for name, value in raw.items()})


def _gaussians(raw: dict[str, Tensor]) -> Gaussians:
    return Gaussians(
        raw["means"], raw["quats"], raw["scales"].exp(), torch.sigmoid(raw["opacities"]), torch.sigmoid(raw["colors"])
    )


def _hull_points(scene: Scene) -> tuple[Tensor, Tensor]:
    """Points (N, 3) on the visual hull's surface, as some views see it, and their colours there (N, 3)."""
    inputs = spread(scene.c2w, min(START_VIEWS, len(scene.rgb) - 1))
    rgb, _, depth = baselines.visual_hull(scene, inputs, inputs)
    inside = (depth > 0)[:, 0]
    points = unproject(depth[None], scene.c2w[None, inputs], scene.K[None, inputs])[0]
    if not bool(inside.any()):  # silhouettes that share no point; the box will do
        return torch.rand(64, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1, torch.full((64, 3), 0.5)
    return points.permute(0, 2, 3, 1)[inside], rgb.permute(0, 2, 3, 1)[inside]
