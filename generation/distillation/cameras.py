"""Where distillation looks from: the picture's own camera at azimuth 0, and cameras around the object."""

import numpy as np
import torch
from torch import Tensor

from versemill.camera import intrinsics
from versemill.generation.distillation.methods import Draws
from versemill.generation.distillation.settings import Cameras
from versemill.generation.views.cameras import orbit


def posed(azimuths: list[float], elevations: list[float], cameras: Cameras, size: int) -> tuple[Tensor, Tensor]:
    """c2w (V, 4, 4) and K (V, 3, 3) of cameras that look at the origin; degrees, azimuth counter-clockwise seen from above."""
    poses = [orbit(a, e, cameras.distance) for a, e in zip(azimuths, elevations, strict=True)]
    c2w = torch.from_numpy(np.stack(poses)).float()
    return c2w, torch.from_numpy(intrinsics(cameras.fov, size, size)).float().repeat(len(c2w), 1, 1)


def reference(cameras: Cameras, size: int) -> tuple[Tensor, Tensor]:
    """The camera of the picture, (1, 4, 4) and (1, 3, 3)."""
    return posed([0.0], [cameras.picture_elevation], cameras, size)


def drawn(cameras: Cameras, size: int, views: int, draws: Draws) -> tuple[Tensor, Tensor]:
    """Cameras of one iteration: one in each of `views` equal sectors of azimuth, so that no side is forgotten for long."""
    rng = draws.stream("cameras")
    azimuths = (rng.random() + (np.arange(views) + rng.random(views)) / views) * 360
    return posed(list(azimuths), list(rng.uniform(*cameras.elevation, views)), cameras, size)


def ring(cameras: Cameras, size: int, views: int) -> tuple[Tensor, Tensor]:
    """Once around the object, the picture's side first, at the picture's elevation."""
    return posed([360 * k / views for k in range(views)], [cameras.picture_elevation] * views, cameras, size)
