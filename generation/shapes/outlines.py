"""Which of several drawn shapes a picture shows: the one whose outline, from the front, is most like the picture's.

Outlines are compared in the crop of `conditions.crop`, where neither lens nor distance matters much, and from the direction
that suits a shape best: a picture's is not known.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from versemill.generation import conditions
from versemill.generation.shapes.extraction import BOX
from versemill.generation.shapes.vae import Field

SIDE = 32
"""Of an outline, in pixels."""
CELLS = 40
"""Along the box's side, at whose corners a field is asked: as close as an outline's pixels, or closer."""
REACH = 0.5
"""Greatest value of a field that counts as inside, so that what is thinner than a cell is not lost."""
ELEVATIONS = tuple(range(-15, 31, 5))
AZIMUTHS = {"camera": (0.0,), "asset": (-90.0, -60.0, -30.0, 0.0, 30.0, 60.0, 90.0)}
"""Degrees from the front, by the frame that shapes stand in: TripoSG's conditions are seen from -15 to 30 and -90 to 90."""


def outline(rgba: Tensor, fill: float) -> NDArray[np.bool_]:
    """(SIDE, SIDE) of a picture (4, H, W) in [0, 1] with straight alpha: where its foreground is, cut as conditions are."""
    black = torch.cat([torch.zeros_like(rgba[:3]), rgba[3:]])
    return (conditions.crop(black, SIDE, fill)[0] < 0.5).numpy()


def occupied(field: Field, device: torch.device) -> NDArray[np.float32]:
    """(N, 3) corners of the grid inside the shape that one field holds."""
    steps = torch.linspace(-BOX, BOX, CELLS + 1)
    corners = torch.cartesian_prod(steps, steps, steps)
    with torch.no_grad():
        values = torch.cat([field(part[None].to(device))[0].cpu() for part in corners.split(8192)])
    return corners[values < REACH].numpy()


def seen(points: NDArray[np.float32], azimuth: float, elevation: float, fill: float) -> NDArray[np.bool_]:
    """(SIDE, SIDE): points (N, 3) in front of a parallel camera, degrees from -Y; their box is centred, its longer side `fill`
    of the frame."""
    picture = np.zeros((SIDE, SIDE), bool)
    if not len(points):
        return picture
    a, e = np.radians([azimuth, elevation])
    right = np.array([np.cos(a), np.sin(a), 0])
    up = np.array([-np.sin(a) * np.sin(e), np.cos(a) * np.sin(e), np.cos(e)])
    flat = points @ np.stack([right, -up], 1)
    low, high = flat.min(0), flat.max(0)
    longest = max(float((high - low).max()), 1e-6)
    at = ((flat - (low + high) / 2) / longest * fill + 0.5) * SIDE
    column, row = np.clip(at.astype(np.int64), 0, SIDE - 1).T
    picture[row, column] = True
    return picture


def agreement(field: Field, shown: NDArray[np.bool_], fill: float, frame: str, device: torch.device) -> float:
    """IoU of the outline of the shape that one field holds with that of a picture, (SIDE, SIDE)."""
    points = occupied(field, device)
    outlines = [seen(points, azimuth, elevation, fill) for azimuth in AZIMUTHS[frame] for elevation in ELEVATIONS]
    return max(float((mine & shown).sum() / max(1, (mine | shown).sum())) for mine in outlines)
