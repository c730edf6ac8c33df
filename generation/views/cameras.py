"""Poses as the networks see them: rays per pixel in the source's own turn, and Zero-1-to-3's four numbers."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from versemill.camera import look_at
from versemill.training.geometry import rays


def turned(c2w: Tensor) -> Tensor:
    """Cameras (B, V, 4, 4), all turned about Z so that the first of each row has azimuth 0.

    What stays of the source's pose is its elevation and its distance: an asset has no azimuth of its own.
    """
    azimuth = torch.atan2(c2w[:, 0, 1, 3], c2w[:, 0, 0, 3])
    turn = torch.eye(4, dtype=c2w.dtype, device=c2w.device).repeat(len(c2w), 1, 1)
    turn[:, 0, 0] = turn[:, 1, 1] = azimuth.cos()
    turn[:, 0, 1] = azimuth.sin()
    turn[:, 1, 0] = -azimuth.sin()
    return turn[:, None] @ c2w


def plucker(c2w: Tensor, K: Tensor, size: int) -> Tensor:
    """Rays (B, V, 6, size, size) of cameras (B, V, 4, 4) and (B, V, 3, 3): unit direction d, then moment o x d."""
    origins, directions = rays(c2w, K, size)
    return torch.cat([directions, torch.cross(origins, directions, dim=2)], 2)


def relative_pose(c2w: Tensor) -> Tensor:
    """(B, V - 1, 4) of cameras (B, V, 4, 4): [polar angle, sin and cos of azimuth, distance], each less the first one's.

    Zero-1-to-3 (Liu et al. 2023, section 3.2 and its code); angles in radians, the polar angle from +Z.
    """
    x, y, z = c2w[..., :3, 3].unbind(-1)
    radius = (x * x + y * y + z * z).sqrt()
    polar, azimuth = torch.arccos((z / radius).clamp(-1, 1)), torch.atan2(y, x)
    around = azimuth[:, 1:] - azimuth[:, :1]
    return torch.stack([polar[:, 1:] - polar[:, :1], around.sin(), around.cos(), radius[:, 1:] - radius[:, :1]], -1)


def orbit(azimuth: float, elevation: float, distance: float) -> NDArray[np.float64]:
    """c2w (4, 4) of a camera that looks at the origin; degrees, azimuth counter-clockwise seen from above."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return look_at(distance * np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)]))
