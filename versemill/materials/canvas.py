"""Periodic fields on the unit square: noise, cells, bricks and warps, from which the texture families are painted.

Every field is (S, S) float32, repeats without a seam and has row 0 at the top (v = 1). Lengths are in texture widths.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

Field = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Maps:
    """What a family paints: sRGB colour (S, S, 3) in [0, 1], height (S, S) in texture widths, roughness and metallic."""

    color: Field
    height: Field
    roughness: Field | float
    metallic: Field | float = 0.0


@dataclass(frozen=True, eq=False)
class Cells:
    """A Voronoi diagram of one jittered point per grid cell.

    Attributes:
        near, second: distances to the nearest and second nearest point, in cells.
        label: (S, S) int64 number of the nearest point.
        count: how many points there are.
    """

    near: Field
    second: Field
    label: NDArray[np.int64]
    count: int


@dataclass(frozen=True, eq=False)
class Blocks:
    """A pavement of rectangles.

    Attributes:
        edge: distance to the nearest side of the own rectangle, in texture widths.
        x, y: position within the rectangle, in [0, 1).
        label: (S, S) int64 number of the rectangle.
        count: how many there are.
    """

    edge: Field
    x: Field
    y: Field
    label: NDArray[np.int64]
    count: int


class Canvas:
    """A square of pixels with a random stream of its own; `u` runs right and `v` up, both at pixel centres."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.rng = np.random.Generator(np.random.Philox(seed))
        axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
        self.u: Field = np.broadcast_to(axis, (size, size))
        self.v: Field = np.broadcast_to(1 - axis[:, None], (size, size))

    def noise(self, cells: int | tuple[int, int], octaves: int = 1, gain: float = 0.5) -> Field:
        """Fractal value noise: cubic B-splines over random lattices of `cells` (across, up), doubled per octave.

        Its mean is 0 and its standard deviation 0.4, so that nearly all of it lies in [-1, 1]. Octaves finer
        than two pixels are drawn but left out.
        """
        across, up = (cells, cells) if isinstance(cells, int) else cells
        total: Field = np.zeros((self.size, self.size), np.float32)
        for octave in range(octaves):
            shape = (up << octave, across << octave)
            lattice = self.rng.random(shape, np.float32) * 2 - 1
            if max(shape) <= self.size // 2:
                total += np.float32(gain**octave) * _spline(_spline(lattice, self.size, 1), self.size, 0)
        variance = sum(gain ** (2 * k) for k in range(octaves)) * (151 / 315) ** 2 / 3
        total *= np.float32(0.4 / np.sqrt(variance))
        return total

    def speckle(self) -> Field:
        """Independent uniform numbers in [-1, 1], one per pixel."""
        return self.rng.random((self.size, self.size), np.float32) * 2 - 1

    def cells(self, cells: int | tuple[int, int], jitter: float = 1.0) -> Cells:
        """Voronoi cells of a lattice of points (across, up), each moved by up to half a cell times `jitter`."""
        across, up = (cells, cells) if isinstance(cells, int) else cells
        place = (self.rng.random((2, up, across), np.float32) - 0.5) * np.float32(jitter) + np.float32(0.5)
        x, y = self.u[0] * np.float32(across), self.v[:, 0] * np.float32(up)
        column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        fx, fy = (x - column)[None, :], (y - row)[:, None]
        shape = (self.size, self.size)
        near, second = np.full(shape, 9, np.float32), np.full(shape, 9, np.float32)
        label = np.zeros(shape, np.int64)
        for dy in (-1, 0, 1):
            r = (row + dy) % up
            for dx in (-1, 0, 1):
                c = (column + dx) % across
                distance = np.take(place[0][r], c, 1)
                distance += np.float32(dx) - fx
                distance *= distance
                offset = np.take(place[1][r], c, 1)
                offset += np.float32(dy) - fy
                distance += offset * offset
                closer = distance < near
                np.minimum(second, np.maximum(near, distance), out=second)
                np.minimum(near, distance, out=near)
                np.copyto(label, r[:, None] * across + c, where=closer)
        return Cells(np.sqrt(near), np.sqrt(second), label, across * up)

    def blocks(self, across: int, up: int, shift: float = 0.0, warp: Field | float = 0.0) -> Blocks:
        """Rectangles in rows, each row moved by `shift` of a rectangle; `up * shift` must be whole. `warp` bends the lines."""
        y = (self.v + warp) * np.float32(up)
        row = np.floor(y)
        x = (self.u + warp) * np.float32(across) + row * np.float32(shift)
        column = np.floor(x)
        fx, fy = x - column, y - row
        edge = np.minimum(np.minimum(fx, 1 - fx) / np.float32(across), np.minimum(fy, 1 - fy) / np.float32(up))
        # A row that wraps around has shifted by a whole number of rectangles: take that back, or labels differ at the seam.
        wraps = np.floor_divide(row, up) * np.float32(up * shift)
        label = (row.astype(np.int64) % up) * across + (column - np.round(wraps)).astype(np.int64) % across
        return Blocks(edge, fx, fy, label, across * up)

    def each(self, part: Cells | Blocks, values: ArrayLike | None = None) -> NDArray[Any]:
        """A value per cell, spread over its pixels: uniform in [0, 1], or a random choice among the rows of `values`."""
        if values is None:
            return self.rng.random(part.count, np.float32)[part.label]
        table = np.asarray(values, np.float32)
        return table[self.rng.integers(len(table), size=part.count)][part.label]

    def warped(self, field: Field, du: Field | float, dv: Field | float) -> Field:
        """The field read at (u + du, v + dv), repeating; (S, S) or (S, S, C)."""
        if field.ndim == 3:
            return np.stack([self.warped(field[..., c], du, dv) for c in range(field.shape[2])], -1)
        row, column = np.indices(field.shape, np.float32)
        where = np.stack([row - np.float32(self.size) * dv, column + np.float32(self.size) * du])
        return np.asarray(map_coordinates(field, where, order=1, mode="grid-wrap", prefilter=False), np.float32)


def _spline(lattice: Field, size: int, axis: int) -> Field:
    """A periodic uniform cubic B-spline along one axis, at `size` pixel centres."""
    count = lattice.shape[axis]
    t = ((np.arange(size) + 0.5) * count / size).astype(np.float32)
    start = np.floor(t)
    f = t - start
    weights = ((1 - f) ** 3 / 6, (3 * f**3 - 6 * f**2 + 4) / 6, (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6, f**3 / 6)
    shape = (-1, 1) if axis == 0 else (1, -1)
    total: Field = np.zeros(1, np.float32)
    for k, weight in enumerate(weights):
        total = total + np.take(lattice, (start.astype(np.int64) + k - 1) % count, axis) * weight.reshape(shape)
    return total


def step(low: float, high: float, field: ArrayLike) -> Field:
    """Smoothstep: 0 up to `low`, 1 from `high`, smooth between; falls where low > high."""
    t = np.clip((np.asarray(field, np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: ArrayLike, b: ArrayLike, amount: ArrayLike) -> Field:
    """Blend of two colours, (3,) or (S, S, 3), by `amount` (S, S)."""
    first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return first + (second - first) * np.asarray(amount, np.float32)[..., None]


def blend(a: ArrayLike, b: ArrayLike, amount: ArrayLike) -> Field:
    """Blend of two scalar fields by `amount`."""
    first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return first + (second - first) * np.asarray(amount, np.float32)


def tint(color: ArrayLike, gain: ArrayLike) -> Field:
    """A colour, (3,) or (S, S, 3), made lighter or darker by the factor `gain` (S, S)."""
    return np.asarray(color, np.float32) * np.asarray(gain, np.float32)[..., None]


def wave(phase: ArrayLike) -> Field:
    """Cosine wave in [0, 1] with period 1; 1 at whole numbers."""
    return 0.5 + 0.5 * np.cos(np.asarray(phase, np.float32) * np.float32(2 * np.pi))


def tent(phase: ArrayLike) -> Field:
    """Triangle wave in [0, 1] with period 1; 0 at whole numbers."""
    phase = np.asarray(phase, np.float32)
    return 1 - np.abs(2 * (phase - np.floor(phase)) - 1)
