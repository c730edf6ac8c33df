"""What a reconstruction is compared with: predictors without learning that see the same input views and cameras."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from versemill.training.geometry import rays, unproject
from versemill.training.scenes import Scene, angles
from versemill.training.splats import invert

RADIUS = math.sqrt(3.0)
"""The world box [-1, 1]^3 lies in this sphere."""
SAMPLES = 96
"""Points per ray at which the visual hull is tested, over the sphere of radius `RADIUS`."""


def mean_image(scenes: Iterable[Scene]) -> Tensor:
    """(3, S, S): the pixelwise mean over white of all training views, the best constant answer in squared error."""
    total, count = torch.zeros(()), 0
    for scene in scenes:
        total = total + scene.over_white.double().sum(0)
        count += len(scene.rgb)
    return (total / max(count, 1)).float()


def nearest_view(scene: Scene, inputs: list[int], targets: list[int]) -> list[int]:
    """For each target the input whose camera direction is closest."""
    closest = angles(scene.c2w[targets], scene.c2w[inputs]).argmin(1)
    return [inputs[int(k)] for k in closest]


def visual_hull(scene: Scene, inputs: list[int], targets: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """The largest shape that fits the input silhouettes, in the colours that the inputs project onto it.

    A surface point takes the colours of the inputs that see it (by the hull's own depth), the more the closer their
    direction is to the target's; where none sees it, of all inputs. Everything is known to this baseline that the
    model knows: images, masks, cameras.

    Returns:
        rgb (T, 3, S, S) premultiplied, alpha (T, 1, S, S) in {0, 1}, depth (T, 1, S, S) planar z, 0 outside.
    """
    seen = _march(scene, inputs, inputs)
    depth = _march(scene, inputs, targets)
    points = unproject(depth[None], scene.c2w[None, targets], scene.K[None, targets])[0]  # (T, 3, S, S)
    flat = points.permute(0, 2, 3, 1).flatten(1, 2)  # (T, P, 3)
    grid, z = _project(scene, inputs, flat.reshape(-1, 3))
    colors = _look(scene.rgb[inputs], grid).unflatten(-1, flat.shape[:2])  # (I, 3, T, P)
    cover = _look(scene.alpha[inputs], grid).unflatten(-1, flat.shape[:2])[:, 0]
    front = _look(seen, grid, "nearest").unflatten(-1, flat.shape[:2])[:, 0]
    size = scene.rgb.shape[-1]
    slack = 3 * RADIUS / size
    visible = ((z.unflatten(-1, flat.shape[:2]) - front).abs() < slack) & (front > 0)
    closeness = torch.cos(torch.deg2rad(angles(scene.c2w[inputs], scene.c2w[targets])))  # (I, T)
    weight = torch.exp(8 * closeness)[..., None] * cover.clamp_min(1e-3) * (visible.float() + 1e-4)
    mixed = (colors / cover.clamp_min(1e-3)[:, None] * weight[:, None]).sum(0) / weight.sum(0)  # (3, T, P)
    alpha = (depth > 0).float()
    rgb = mixed.permute(1, 0, 2).unflatten(-1, (size, size)).clamp(0, 1) * alpha
    return rgb, alpha, depth


def _march(scene: Scene, inputs: list[int], views: list[int]) -> Tensor:
    """Planar depth (V, 1, S, S) of the hull of `inputs` in `views`; 0 where the ray misses it."""
    size = scene.rgb.shape[-1]
    origins, directions = (t[0] for t in rays(scene.c2w[None, views], scene.K[None, views], size))
    middle = -(origins * directions).sum(1, keepdim=True)
    steps = torch.linspace(-RADIUS, RADIUS, SAMPLES)
    along = (middle + steps[:, None, None]).clamp_min(0.05)  # (V, SAMPLES, S, S)
    points = origins[:, None] + along[:, :, None] * directions[:, None]
    flat = points.permute(0, 1, 3, 4, 2).reshape(-1, 3)
    grid, z = _project(scene, inputs, flat)
    # An input that shows the whole object carves away all that it does not show; one that cuts it off knows only its frame.
    masks = scene.alpha[inputs, 0]
    edges = torch.cat([masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]], 1)
    unknown = (grid.abs() > 1).any(-1) & (edges > 0.5).any(1, keepdim=True)
    filled = (_look(scene.alpha[inputs], grid)[:, 0] > 0.5) & (z > 0)
    inside = (filled | unknown).all(0) & ~unknown.all(0) & (flat.abs() <= 1).all(1)  # assets fit [-1, 1]^3
    inside = inside.reshape(along.shape)
    first = inside.float().argmax(1, keepdim=True)
    forward = (directions * scene.c2w[views, :3, 2, None, None]).sum(1, keepdim=True)
    return torch.gather(along, 1, first) * forward * inside.any(1, keepdim=True)


def _project(scene: Scene, views: list[int], points: Tensor) -> tuple[Tensor, Tensor]:
    """Image positions (V, P, 2) in [-1, 1] (edges of the image) and planar depths (V, P) of world points (P, 3)."""
    size = scene.rgb.shape[-1]
    w2c, K = invert(scene.c2w[views]), scene.K[views]
    local = torch.einsum("vij,pj->vpi", w2c[:, :3, :3], points) + w2c[:, None, :3, 3]
    z = local[..., 2]
    pixels = torch.einsum("vij,vpj->vpi", K, local)[..., :2] / z.clamp_min(1e-3)[..., None]
    return pixels * (2 / size) - 1, z


def _look(images: Tensor, grid: Tensor, mode: str = "bilinear") -> Tensor:
    """Values (V, C, P) of images (V, C, S, S) at positions (V, P, 2); 0 outside."""
    return F.grid_sample(images, grid[:, None], mode=mode, align_corners=False)[:, :, 0]
