"""Part maps as pictures: which part each pixel shows, in colours that a network is given instead of a view."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from versemill.errors import ConfigError
from versemill.generation.conditions import read_pixels

PALETTE = torch.tensor(
    [[230, 25, 75], [60, 180, 75], [0, 130, 200], [245, 130, 48], [145, 30, 180], [70, 240, 240], [240, 50, 230], [90, 90, 0]],
    dtype=torch.uint8,
)
"""Colours of the parts of a picture by falling area; the smallest of more parts share the last one."""
BACKGROUND = -1
PARTS = 64
"""Colours that a map may have."""
WHITE = 250
"""A colour whose channels are all at least this is background."""


def painted(ids: Tensor) -> Tensor:
    """Pictures (V, 3, S, S) uint8 over white of part ids (V, S, S), `BACKGROUND` where there is none.

    Parts are numbered by their area in each picture, so that a map says what its regions are and not how an asset was made.
    """
    pictures = torch.full((*ids.shape, 3), 255, dtype=torch.uint8)
    for picture, view in zip(pictures, ids, strict=True):
        parts, counts = view[view != BACKGROUND].unique(return_counts=True)
        for rank, k in enumerate(counts.argsort(descending=True, stable=True)):
            picture[view == parts[k]] = PALETTE[min(rank, len(PALETTE) - 1)]
    return pictures.permute(0, 3, 1, 2)


def thinned(ids: Tensor, size: int) -> Tensor:
    """(..., size, size) of ids (..., N, N): ids can't be averaged, so the pixel at the middle of each new one is taken."""
    side = ids.shape[-1]
    places = ((torch.arange(size) + 0.5) * side / size).long()
    return ids[..., places[:, None], places]


def read_map(path: Path, size: int) -> Tensor:
    """(3, size, size) in [0, 1] of a square picture of flat colours on white or on nothing; see `painted`.

    Raises:
        ConfigError: no picture, a picture that is not square, too large or too small, or one of too many colours or none.
    """
    pixels = read_pixels(path)
    height, width = pixels.shape[:2]
    if width != height or width < size:
        raise ConfigError(f"{path} has {width} x {height} pixels; a square map of at least {size} pixels a side is needed")
    return painted(thinned(_ids(path, pixels)[None], size))[0].float() / 255


def _ids(path: Path, pixels: NDArray[np.uint8]) -> Tensor:
    """(H, W) part ids of (H, W, 4): a number for each colour."""
    shown = (pixels[..., 3] >= 128) & (pixels[..., :3].min(-1) < WHITE)
    colours, numbers = np.unique(pixels[shown][:, :3], axis=0, return_inverse=True)
    if not 0 < len(colours) <= PARTS:
        raise ConfigError(
            f"{path} has {len(colours):,} colours that are not white; a map has a flat colour for each part, 1 to {PARTS}, and "
            "no smoothed edges: scale it without interpolation"
        )
    ids = np.full(shown.shape, BACKGROUND, np.int64)
    ids[shown] = numbers.reshape(-1)
    return torch.from_numpy(ids)
