"""Sheets of pictures: what was shown, what a network answered, what is true, and where the two differ."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from versemill.generation.normals import errors
from versemill.generation.shapes import looks

Pixels = NDArray[np.uint8]
NOTE = (
    "The sheet's columns: picture (as rendered, then as an unseen photograph), model, truth, error (white from 60 degrees), "
    "sharp mask."
)
WHITE = 60.0
"""Degrees of error that are shown as white."""


def row(
    picture: NDArray[np.floating], answer: NDArray[np.floating], truth: NDArray[np.floating], known: NDArray[np.bool_],
    side: int | None = None,
) -> list[Pixels]:  # fmt: skip
    """The five pictures (S, S, 3) of a view: arrays (3, H, W), mask (H, W); scaled to `side` pixels if it is given."""
    angle = np.where(known, errors.angles(answer, truth), 0)
    heat = (matplotlib.colormaps["inferno"](np.clip(angle / WHITE, 0, 1))[..., :3] * 255).astype(np.uint8)
    mask = np.repeat((errors.sharp(truth, known) * 255).astype(np.uint8)[..., None], 3, -1)
    shown = np.round(picture.transpose(1, 2, 0) * 255).astype(np.uint8)
    cells = [shown, errors.picture(answer, known), errors.picture(truth, known), heat, mask]
    return (
        cells if side is None else [np.asarray(cv2.resize(cell, (side, side), interpolation=cv2.INTER_AREA)) for cell in cells]
    )


def write(path: Path, rows: Sequence[Sequence[Pixels]]) -> None:
    """Writes rows as one PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    looks.sheet(path, rows)
