"""Organic solids from signed distances: evaluated in blocks near the surface, extracted by marching cubes, closed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from versemill.detailverse.solids import Manifold, solid
from versemill.errors import AssetError

Floats = NDArray[np.float64]
Field = Callable[[Floats], Floats]
BLOCK = 8


def extract(field: Field, half: tuple[float, float, float], step: float, lipschitz: float = 1.0) -> Manifold:
    """The solid where the field is negative, within the box [-half, half].

    Args:
        field: (N, 3) points -> (N,) values; where it claims to be a distance, `lipschitz` bounds its slope.
        half: half the box's sides; the solid is capped by the box.
        step: grid spacing in world units.

    Raises:
        AssetError: reason "empty", or what `solids.solid` raises.
    """
    counts = [int(np.ceil(2 * h / step / BLOCK)) * BLOCK + 1 for h in half]
    axes = [(np.arange(n) - (n - 1) / 2) * step for n in counts]
    blocks = [(n - 1) // BLOCK for n in counts]
    centre = np.stack(np.meshgrid(*((np.arange(b) * BLOCK + BLOCK / 2) for b in blocks), indexing="ij"), -1).reshape(-1, 3)
    offset = np.array([a[0] for a in axes])
    coarse = field(centre * step + offset)
    reach = lipschitz * step * (BLOCK / 2 + 1) * np.sqrt(3.0)
    values = np.full(counts, np.float32(step))
    corner = np.arange(BLOCK + 1)
    local = np.stack(np.meshgrid(corner, corner, corner, indexing="ij"), -1).reshape(-1, 3)
    start = (centre - BLOCK / 2).astype(np.int64)
    far = np.abs(coarse) > reach
    for at, sign in zip(start[far & (coarse < 0)], coarse[far & (coarse < 0)], strict=True):
        values[at[0] : at[0] + BLOCK + 1, at[1] : at[1] + BLOCK + 1, at[2] : at[2] + BLOCK + 1] = sign
    near = start[~far]
    for chunk in np.array_split(near, max(1, len(near) // 400)):
        index = (chunk[:, None] + local[None]).reshape(-1, 3)
        values[index[:, 0], index[:, 1], index[:, 2]] = field(index * step + offset).astype(np.float32)
    values = np.pad(values, 1, constant_values=np.float32(step))
    values[values == 0] = np.float32(step * 1e-3)
    if not (values < 0).any():
        raise AssetError("empty", f"the field is nowhere negative at a spacing of {step:.3g}")
    vertices, faces, _, _ = marching_cubes(values, 0.0)
    return solid((vertices - 1) * step + offset, faces.astype(np.int64))
