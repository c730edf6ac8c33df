"""Hashes, noise and cells as pure functions: no generator state, so that samples may come in any number and order."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]


def hashed(*keys: ArrayLike) -> Any:
    """Uniform floats in [0, 1) from integer arrays that broadcast together (a 64-bit mix of all of them)."""
    mixed: Any = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        for key in keys:
            mixed = (mixed ^ np.asarray(key, np.int64).astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def smoothstep(x: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, a cubic between; `low` may exceed `high`."""
    w = np.clip((x - low) / (high - low), 0, 1)
    return w * w * (3 - 2 * w)


def noise(points: Floats, frequency: float, seed: int) -> Floats:
    """Gradient-free value noise in [-1, 1] at points (N, 3), smooth to the second derivative."""
    p = points * frequency
    cell = np.floor(p)
    w = p - cell
    w = w * w * w * (w * (6 * w - 15) + 10)
    i = cell.astype(np.int64)
    total = np.zeros(len(p))
    for dx in (0, 1):
        for dy in (0, 1):
            for dz in (0, 1):
                weight = np.where(dx, w[:, 0], 1 - w[:, 0]) * np.where(dy, w[:, 1], 1 - w[:, 1])
                weight *= np.where(dz, w[:, 2], 1 - w[:, 2])
                total += weight * hashed(i[:, 0] + dx, i[:, 1] + dy, i[:, 2] + dz, seed)
    return 2 * total - 1


def fractal(points: Floats, frequency: float, seed: int, octaves: int = 4, ridged: bool = False) -> Floats:
    """Octaves of noise, normalised to about [-1, 1]; ridged folds each octave into crests."""
    total, amplitude, weight = np.zeros(len(points)), 1.0, 0.0
    for octave in range(octaves):
        layer = noise(points + 17.31 * octave, frequency * 2.03**octave, seed + octave)
        total += amplitude * (1 - 2 * np.abs(layer) ** 0.8 if ridged else layer)
        weight += amplitude
        amplitude *= 0.5
    return total / weight


def cells(points: Floats, pitch: float, seed: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Voronoi cells of a jittered lattice in space, at points (N, 3).

    Returns:
        distance to the nearest centre and to the border with the second nearest cell, both in pitches, and
        the cell's id.
    """
    p = points / pitch
    low, high = np.floor(p.min(0)).astype(np.int64) - 1, np.floor(p.max(0)).astype(np.int64) + 2
    axes = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
    i, j, k = (a.reshape(-1) for a in axes)
    jitter = np.stack([hashed(i, j, k, seed, axis) for axis in range(3)], 1)
    centres = np.stack([i, j, k], 1) + 0.1 + 0.8 * jitter
    distance, nearest = cKDTree(centres).query(p, k=2)
    between = np.maximum(np.linalg.norm(centres[nearest[:, 1]] - centres[nearest[:, 0]], axis=1), 1e-9)
    border = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * between)
    return distance[:, 0], border, nearest[:, 0].astype(np.int64)


def scatter(u: Floats, v: Floats, nu: int, seed: int, wrap: bool) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Voronoi cells in the plane of cell coordinates, periodic in u where `wrap`; returns as `cells`."""
    low, high = int(np.floor(v.min())) - 2, int(np.ceil(v.max())) + 2
    i, j = (a.reshape(-1) for a in np.meshgrid(np.arange(-2, nu + 2), np.arange(low, high), indexing="ij"))
    name = i % nu if wrap else i
    centres = np.stack([i + 0.1 + 0.8 * hashed(name, j, seed, 0), j + 0.1 + 0.8 * hashed(name, j, seed, 1)], 1)
    distance, nearest = cKDTree(centres).query(np.stack([u, v], 1), k=2)
    between = np.maximum(np.linalg.norm(centres[nearest[:, 1]] - centres[nearest[:, 0]], axis=1), 1e-9)
    border = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * between)
    return distance[:, 0], border, (name * 7919 + j)[nearest[:, 0]].astype(np.int64)
