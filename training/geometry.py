"""Rays, unprojection and normals of depth maps, for batches of views."""

import torch
from torch import Tensor
from torch.nn import functional as F


def rays(c2w: Tensor, K: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Origins and unit directions (B, V, 3, size, size) of the rays through all pixel centres, world frame.

    c2w: (B, V, 4, 4), OpenCV axes. K: (B, V, 3, 3) for size x size pixels.
    """
    grid = torch.arange(size, device=c2w.device, dtype=c2w.dtype) + 0.5
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    plane_x = (x - K[..., 0, 2, None, None]) / K[..., 0, 0, None, None]
    plane_y = (y - K[..., 1, 2, None, None]) / K[..., 1, 1, None, None]
    local = torch.stack([plane_x, plane_y, torch.ones_like(plane_x)], 2)
    directions = F.normalize(torch.einsum("bvij,bvjhw->bvihw", c2w[..., :3, :3], local), dim=2)
    return c2w[..., :3, 3, None, None].expand_as(directions), directions


def unproject(depth: Tensor, c2w: Tensor, K: Tensor) -> Tensor:
    """World points (B, V, 3, S, S) of planar depth (B, V, 1, S, S)."""
    origins, directions = rays(c2w, K, depth.shape[-1])
    forward = (directions * c2w[..., :3, 2, None, None]).sum(2, keepdim=True)
    return origins + directions / forward * depth


def depth_normals(depth: Tensor, c2w: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """World-space unit normals (B, V, 3, S, S) of planar depth (B, V, 1, S, S), and where they hold (B, V, 1, S, S) bool.

    Central differences of the unprojected points; a normal faces the camera. It holds where the pixel and its four
    neighbours have depth (above 0) and lie on one surface: no step beyond 8 times the pixel's footprint.
    """
    points = unproject(depth, c2w, K)
    across = points[..., 1:-1, 2:] - points[..., 1:-1, :-2]
    down = points[..., 2:, 1:-1] - points[..., :-2, 1:-1]
    normals = F.normalize(torch.cross(down, across, dim=2), dim=2, eps=1e-12)
    with torch.no_grad():
        seen = depth > 0
        near = seen[..., 1:-1, 1:-1]
        for shifted in (seen[..., 1:-1, 2:], seen[..., 1:-1, :-2], seen[..., 2:, 1:-1], seen[..., :-2, 1:-1]):
            near = near & shifted
        footprint = depth[..., 1:-1, 1:-1] / K[..., 0, 0, None, None, None]
        jump = torch.maximum(across.norm(dim=2, keepdim=True), down.norm(dim=2, keepdim=True))
        holds = F.pad(near & (jump < 16 * footprint), (1, 1, 1, 1))
    return F.pad(normals, (1, 1, 1, 1)), holds


def pool(maps: Tensor, stride: int) -> Tensor:
    """Mean over stride x stride pixels of (B, V, C, S, S)."""
    return maps if stride == 1 else F.avg_pool2d(maps.flatten(0, 1), stride).unflatten(0, maps.shape[:2])


def strided(K: Tensor, stride: float) -> Tensor:
    """K (..., 3, 3) for images averaged over stride x stride pixels."""
    return K * torch.tensor([[1 / stride], [1 / stride], [1.0]], device=K.device, dtype=K.dtype)
