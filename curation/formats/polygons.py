"""Polygons as triangles: quads by their better diagonal, convex polygons as fans, all others by manifold3d's ear clipping."""

from typing import Any

import manifold3d
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def triangulate(points: NDArray[Any], sizes: NDArray[Any], corners: NDArray[Any]) -> tuple[Ints, Ints]:
    """Triangles of polygons that may be concave, and the polygon that each comes from.

    A polygon of n corners gives n - 2 triangles that keep its winding, in the order of the polygons; one of fewer than three
    gives none. A polygon that goes round more than once, with at least twice as many corners as vertices, is taken once.

    Args:
        points: (V, 3). sizes: (P,) corners per polygon. corners: (sum of sizes,) vertices, one polygon after the other.

    Returns:
        (T, 3) positions in `corners`, and (T,) polygons.
    """
    sizes = np.asarray(sizes, np.int64)
    starts = np.cumsum(sizes) - sizes
    sizes = _once(sizes, starts, corners)
    pieces: list[Ints] = []
    owners: list[Ints] = []
    for size in np.unique(sizes[sizes >= 3]):
        which = np.flatnonzero(sizes == size)
        local = _of_size(np.asarray(points, np.float64)[corners[starts[which, None] + np.arange(size)]])
        pieces.append((starts[which, None, None] + local).reshape(-1, 3))
        owners.append(np.repeat(which, size - 2))
    if not pieces:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(pieces)[order], owner[order]


def _once(sizes: Ints, starts: Ints, corners: NDArray[Any]) -> Ints:
    """Sizes with those of polygons that repeat themselves cut to their first round."""
    result = sizes.copy()
    for k in np.flatnonzero(sizes >= 6):
        loop = corners[starts[k] : starts[k] + sizes[k]]
        again = np.flatnonzero(loop[1:] == loop[0])
        if len(again) and len(np.unique(loop)) * 2 <= sizes[k]:
            result[k] = again[0] + 1
    return result


def _of_size(loops: NDArray[np.float64]) -> Ints:
    """(P, n - 2, 3) corner numbers of polygons (P, n, 3)."""
    count, size = loops.shape[:2]
    if size == 3:
        return np.broadcast_to(np.arange(3), (count, 1, 3))
    if size == 4:
        return _quads(loops)
    fan = np.stack([np.zeros(size - 2, np.int64), np.arange(1, size - 1), np.arange(2, size)], 1)
    result = np.broadcast_to(fan, (count, size - 2, 3)).copy()
    normals = _normals(loops)
    ahead, behind = np.roll(loops, -1, 1) - loops, loops - np.roll(loops, 1, 1)
    turns = np.einsum("pnk,pk->pn", np.cross(behind, ahead), normals)
    # Convex: every corner turns the same way, once around.
    first = loops[:, 1:-1] - loops[:, :1]
    second = loops[:, 2:] - loops[:, :1]
    fanned = np.einsum("pnk,pk->pn", np.cross(first, second), normals)
    for k in np.flatnonzero((turns < 0).any(1) | (fanned < 0).any(1)):
        result[k] = _clipped(loops[k], normals[k], fan)
    return result


def _quads(loops: NDArray[np.float64]) -> Ints:
    """(P, 2, 3): cut along the diagonal that lies inside, and of two along the shorter."""
    splits = np.array([[[0, 1, 2], [0, 2, 3]], [[0, 1, 3], [1, 2, 3]]])
    normals = _normals(loops)
    inside, length = [], []
    for split, (a, b) in zip(splits, ((0, 2), (1, 3)), strict=True):
        triangles = loops[:, split]
        cross = np.cross(triangles[:, :, 1] - triangles[:, :, 0], triangles[:, :, 2] - triangles[:, :, 0])
        inside.append((np.einsum("ptk,pk->pt", cross, normals) > 0).all(1))
        length.append(np.linalg.norm(loops[:, a] - loops[:, b], axis=1))
    # Diagonals that differ by rounding alone must not flip from one reader or platform to the next.
    shorter = length[1] < length[0] * (1 - 1e-6)
    second = np.where(inside[0] == inside[1], shorter, inside[1])
    return splits[second.astype(np.int64)]


def _normals(loops: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, 3) unit normals of polygons (P, n, 3) by Newell's sum; 0 where there is no area."""
    middle = loops - loops.mean(1, keepdims=True)
    total = np.cross(middle, np.roll(middle, -1, 1)).sum(1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, length, out=np.zeros_like(total), where=length > 0)


def _clipped(loop: NDArray[np.float64], normal: NDArray[np.float64], fan: Ints) -> Ints:
    """(n - 2, 3) triangles of one polygon (n, 3) in its own plane; the fan where it has no plane."""
    if not normal.any():
        return fan
    x = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    x /= np.linalg.norm(x)
    flat = (loop - loop.mean(0)) @ np.stack([x, np.cross(normal, x)], 1)
    flat /= max(float(np.abs(flat).max()), 1e-300)
    triangles = np.asarray(manifold3d.triangulate([flat]), np.int64)
    return triangles if len(triangles) == len(fan) else fan
