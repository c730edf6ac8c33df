"""From a reconstruction to a mesh: its rendered depths are fused into a signed distance (Curless and Levoy 1996)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import trimesh
from skimage import measure
from torch import Tensor
from torch.nn import functional as F

from versemill.camera import intrinsics, look_at
from versemill.directions import fibonacci
from versemill.training.splats import Rendering, invert

DISTANCE, FOV = 3.5, 50.0
"""Where the fusing cameras stand: the world box is whole in each of them from its middle."""
Draw = Callable[[Tensor, Tensor, int], Rendering]
"""(c2w (1, V, 4, 4), K (1, V, 3, 3), image side) -> the reconstruction as those cameras see it."""


def fuse(draw: Draw, views: int = 32, size: int = 96, resolution: int = 80) -> trimesh.Trimesh | None:
    """A coloured triangle mesh in the world frame, or None where the reconstruction shows no surface.

    Depth and colour of `views` cameras all around are averaged over `resolution`^3 voxels of [-1, 1]^3, near the
    surface (3 voxels) and before it; a voxel that no camera sees is inside. The zero set comes from marching cubes.
    """
    c2w, K = _cameras(views, size)
    with torch.no_grad():
        seen = draw(c2w, K, size)
    alpha = seen.alpha[0, :, 0].cpu()
    depth = torch.where(alpha > 0.5, seen.depth[0, :, 0].cpu() / alpha.clamp_min(1e-3), torch.zeros(()))
    colors = (seen.rgb[0].cpu() / alpha[:, None].clamp_min(1e-3)).clamp(0, 1)
    voxel = 2.2 / (resolution - 1)
    axis = torch.linspace(-1.1, 1.1, resolution)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    distance, weight = torch.zeros(len(points)), torch.zeros(len(points))
    paint, coats = torch.zeros(len(points), 3), torch.zeros(len(points))
    reach = 3 * voxel
    for view in range(views):
        local = points @ invert(c2w[0, view])[:3, :3].T + invert(c2w[0, view])[:3, 3]
        pixel = local @ K[0, view].T
        grid = (pixel[:, :2] / pixel[:, 2:] * (2 / size) - 1)[None, None]
        surface = F.grid_sample(depth[None, None, view], grid, mode="nearest", align_corners=False)[0, 0, 0]
        color = F.grid_sample(colors[None, view], grid, align_corners=False)[0, :, 0].T
        ahead = torch.where(surface > 0, surface - local[:, 2], torch.tensor(reach))  # background is empty as far as it goes
        seen_or_empty = ahead > -reach
        distance += seen_or_empty * ahead.clamp(max=reach)
        weight += seen_or_empty
        close = (ahead.abs() < reach) & (surface > 0)
        paint += close[:, None] * color
        coats += close
    field = torch.where(weight > 0, distance / weight.clamp_min(1), torch.tensor(-reach)).reshape((resolution,) * 3).numpy()
    if not field.min() < 0 < field.max():
        return None
    vertices, faces, _, _ = measure.marching_cubes(field, 0.0, gradient_direction="descent")
    cells = np.ravel_multi_index(tuple(np.round(vertices).astype(int).T), field.shape)
    shade = (paint / coats.clamp_min(1)[:, None])[torch.from_numpy(cells)].numpy()
    return trimesh.Trimesh(vertices * voxel - 1.1, faces, vertex_colors=(shade * 255).round().astype(np.uint8), process=False)


def write_mesh(path: Path, mesh: trimesh.Trimesh) -> None:
    """Binary .ply with vertex colours."""
    path.write_bytes(mesh.export(file_type="ply"))


def _cameras(views: int, size: int) -> tuple[Tensor, Tensor]:
    """Cameras (1, views) on a Fibonacci sphere, looking at the origin."""
    c2w = torch.from_numpy(np.stack([look_at(DISTANCE * direction) for direction in fibonacci(views)])).float()
    return c2w[None], torch.from_numpy(intrinsics(FOV, size, size)).float().expand(1, views, 3, 3)
