"""3D Gaussians, the splats that images see of them, and the reference compositor, in torch.

The image model is that of 3D Gaussian splatting with gsplat's constants: a Gaussian is projected by the
local linearisation of the pinhole camera, widened by `WIDEN` square pixels, and composited front to back in the
order of its centre's depth.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

WIDEN = 0.3
"""Added to the projected variances, in square pixels: no Gaussian falls between pixels."""
NEAR = 0.05
"""Gaussians nearer than this, in world units along the axis, are not drawn."""
ALPHA_MIN, ALPHA_MAX = 1 / 255, 0.999
"""A Gaussian adds nothing where its alpha is below the first; the second keeps transmittance above 0."""


@dataclass(frozen=True, eq=False)
class Gaussians:
    """B sets of G Gaussians, world frame.

    Attributes:
        means: (B, G, 3). quats: (B, G, 4), w first, any length. scales: (B, G, 3), standard deviations.
        opacities: (B, G) in [0, 1]. colors: (B, G, 3) sRGB in [0, 1].
    """

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor

    def __getitem__(self, index: slice) -> "Gaussians":
        return Gaussians(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Splats:
    """Gaussians as N images see them.

    Attributes:
        xy: (N, G, 2) centres in pixels. conic: (N, G, 3) inverse covariance xx, xy, yy. reach: (N, G, 2) pixels beyond
        which alpha is below `ALPHA_MIN`; 0 where nothing is drawn. opacities: (N, G). features: (N, G, 4): colour and
        depth of the centre.
    """

    xy: Tensor
    conic: Tensor
    reach: Tensor
    opacities: Tensor
    features: Tensor


@dataclass(frozen=True, eq=False)
class Rendering:
    """rgb (B, V, 3, H, W), premultiplied by alpha (B, V, 1, H, W); depth (B, V, 1, H, W): expected planar z x alpha."""

    rgb: Tensor
    alpha: Tensor
    depth: Tensor

    def over(self, background: Tensor | float) -> Tensor:
        """The picture (B, V, 3, H, W) over a background colour that broadcasts to it."""
        return self.rgb + (1 - self.alpha) * background


def rotations(quats: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), w first, of any length."""
    w, x, y, z = F.normalize(quats, dim=-1).unbind(-1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def project(gaussians: Gaussians, w2c: Tensor, K: Tensor, size: tuple[int, int]) -> Splats:
    """Gaussians (B, G) seen by cameras (B, V): splats of N = B * V images.

    Args:
        w2c: (B, V, 4, 4), OpenCV axes. K: (B, V, 3, 3) in pixels. size: height, width.
    """
    height, width = size
    turn = w2c[..., :3, :3]
    local = torch.einsum("bvij,bgj->bvgi", turn, gaussians.means) + w2c[..., None, :3, 3]
    depth = local[..., 2]
    visible = depth > NEAR
    z = torch.where(visible, depth, torch.ones_like(depth))
    fx, fy, cx, cy = (K[..., i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    x, y = local[..., 0] / z, local[..., 1] / z
    xy = torch.stack([fx * x + cx, fy * y + cy], -1)
    # Far outside the image the linearisation explodes: it is taken at the nearest direction within 15 % beyond the image.
    edge_x, edge_y = 0.15 * width / fx, 0.15 * height / fy
    x = torch.minimum(torch.maximum(x, -cx / fx - edge_x), (width - cx) / fx + edge_x)
    y = torch.minimum(torch.maximum(y, -cy / fy - edge_y), (height - cy) / fy + edge_y)

    half = rotations(gaussians.quats) * gaussians.scales[..., None, :]  # R S: covariance = half half^T
    half = torch.einsum("bvij,bgjk->bvgik", turn, half)
    row_x = (fx / z)[..., None] * (half[..., 0, :] - x[..., None] * half[..., 2, :])
    row_y = (fy / z)[..., None] * (half[..., 1, :] - y[..., None] * half[..., 2, :])
    xx, xy_, yy = (row_x * row_x).sum(-1) + WIDEN, (row_x * row_y).sum(-1), (row_y * row_y).sum(-1) + WIDEN
    determinant = xx * yy - xy_ * xy_
    conic = torch.stack([yy, -xy_, xx], -1) / determinant[..., None]

    opacities = gaussians.opacities[:, None].expand_as(depth)
    colors = gaussians.colors[:, None].expand(*depth.shape, 3)
    with torch.no_grad():
        sigmas = torch.sqrt(2 * torch.log((opacities / ALPHA_MIN).clamp_min(1.0)))
        reach = sigmas[..., None] * torch.sqrt(torch.stack([xx, yy], -1)) * visible[..., None]
    flat = [t.flatten(0, 1) for t in (xy, conic, reach, opacities, torch.cat([colors, depth[..., None]], -1))]
    return Splats(*flat)


def composite(splats: Splats, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The reference: every Gaussian at every pixel. Returns features (N, H, W, 4) and alpha (N, H, W). O(N G H W) memory."""
    height, width = size
    order = splats.features[..., 3].detach().argsort(dim=1, stable=True)
    xy, conic, reach, features = (
        torch.gather(t, 1, order[..., None].expand(-1, -1, t.shape[-1]))
        for t in (splats.xy, splats.conic, splats.reach, splats.features)
    )
    opacities = torch.gather(splats.opacities, 1, order)
    y, x = torch.meshgrid(
        torch.arange(height, device=xy.device, dtype=xy.dtype) + 0.5,
        torch.arange(width, device=xy.device, dtype=xy.dtype) + 0.5,
        indexing="ij",
    )
    dx = x.flatten() - xy[..., 0:1]
    dy = y.flatten() - xy[..., 1:2]
    power = 0.5 * (conic[..., 0:1] * dx * dx + conic[..., 2:3] * dy * dy) + conic[..., 1:2] * dx * dy
    alpha = (opacities[..., None] * torch.exp(-power)).clamp(max=ALPHA_MAX)
    alpha = alpha * ((alpha >= ALPHA_MIN) & (reach[..., 0:1] > 0))
    through = torch.cumprod(1 - alpha, 1)
    before = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], 1)
    image = torch.einsum("ngp,ngc->npc", alpha * before, features)
    return image.unflatten(1, (height, width)), (1 - through[:, -1]).unflatten(1, (height, width))


def invert(c2w: Tensor) -> Tensor:
    """Inverse of rigid transforms (..., 4, 4)."""
    rotation = c2w[..., :3, :3].transpose(-1, -2)
    shift = -(rotation @ c2w[..., :3, 3:])
    last = torch.zeros_like(c2w[..., 3:, :])
    last[..., 3] = 1
    return torch.cat([torch.cat([rotation, shift], -1), last], -2)
