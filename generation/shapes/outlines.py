"""Which of several drawn shapes a picture shows: the one whose outline, from the front, is most like the picture's.

Outlines are compared in the crop of `conditions.crop`, where neither lens nor distance matters much, and from the direction
that suits a shape best: a picture's is not known.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from versemill.generation import conditions
from versemill.generation.shapes import looks
from versemill.generation.shapes.extraction import Mesh

SIDE = 48
"""Of an outline, in pixels."""
PIXELS = 80
"""Side of the picture of a drawn shape: its longest side, 2 of the 2.6 that are seen, takes more pixels there than in the
outline."""
ELEVATIONS = tuple(range(-15, 31, 5))
AZIMUTHS = {"camera": (0.0,), "asset": (-90.0, -60.0, -30.0, 0.0, 30.0, 60.0, 90.0)}
"""Degrees from the front, by the frame that shapes stand in: TripoSG's conditions are seen from -15 to 30 and -90 to 90."""


def outline(alpha: Tensor, fill: float) -> NDArray[np.bool_]:
    """(SIDE, SIDE) of alpha (H, W) in [0, 1]: where the foreground is, cut as conditions are; none: nowhere."""
    if not (alpha > 0.5).any():
        return np.zeros((SIDE, SIDE), bool)
    black = torch.cat([torch.zeros(3, *alpha.shape), alpha[None]])
    return (conditions.crop(black, SIDE, fill)[0] < 0.5).numpy()


def seen(mesh: Mesh, azimuth: float, elevation: float, fill: float) -> NDArray[np.bool_]:
    """(SIDE, SIDE): the outline of a mesh in front of a parallel camera, degrees from -Y."""
    mask, _ = looks.seen(mesh, looks.front(PIXELS, elevation, azimuth - 90))
    return outline(torch.from_numpy(mask).float(), fill)


def agreement(mesh: Mesh, shown: NDArray[np.bool_], fill: float, frame: str) -> float:
    """IoU of the outline of a mesh with that of a picture, (SIDE, SIDE)."""
    outlines = [seen(mesh, azimuth, elevation, fill) for azimuth in AZIMUTHS[frame] for elevation in ELEVATIONS]
    return max(float((mine & shown).sum() / max(1, (mine | shown).sum())) for mine in outlines)
