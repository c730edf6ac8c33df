"""Near-duplicates: a descriptor of a shape that no rotation, mirror image, scale or tessellation changes, and its index.

The surface, as a distribution of area around its centroid in units of its root-mean-square radius, is split into spherical
shells; in each shell, the energy of every degree of the spherical harmonics is taken, which rotations and reflections leave
alone (Kazhdan, Funkhouser, Rusinkiewicz 2003). Distances between descriptors are small for what looks alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from versemill.mesh import face_areas, morton_order

POINTS = 8192
SHELLS, LONGEST = 8, 2.4
"""Shells overlap linearly; their middles are evenly spaced from 0 to LONGEST root-mean-square radii."""
DEGREES = 10
SIZE = SHELLS * DEGREES
VERSION = 1
"""Descriptors of different versions can't be compared."""

NEAR = 0.01
"""Descriptors closer than this are of one shape: see `python -m benchmarks curation` for what lies on either side."""
AXES = 6
"""Principal axes that the tree divides; more prune better and are slower to walk."""

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


def spread_points(vertices: Floats, faces: Ints, count: int = POINTS) -> NDArray[np.float64]:
    """(count, 3) points evenly spread by area, without a draw: faces along Morton's curve, evenly spaced in their area, and
    a low-discrepancy sequence within each face.

    Raises:
        ValueError: the mesh has no area.
    """
    corners = np.asarray(vertices, np.float64)[faces]
    order = morton_order(corners.mean(1))
    cumulative = np.cumsum(face_areas(vertices, faces)[order])
    if not len(cumulative) or not cumulative[-1] > 0:
        raise ValueError("can't spread points over a surface without area")
    at = (np.arange(count) + 0.5) / count * cumulative[-1]
    chosen = order[np.searchsorted(cumulative, at).clip(max=len(faces) - 1)]
    # The plane's golden ratio (Roberts 2018), folded into the triangle.
    u, v = ((np.arange(count)[:, None] * (0.7548776662466927, 0.5698402909980532)) % 1).T
    outside = u + v > 1
    u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
    a, b, c = corners[chosen].transpose(1, 0, 2)
    return a + u[:, None] * (b - a) + v[:, None] * (c - a)


def descriptor(vertices: Floats, faces: Ints) -> NDArray[np.float32]:
    """(SIZE,) float32 of a closed surface, shells by degrees; equal for rotated, mirrored, scaled and re-tessellated copies.

    Raises:
        ValueError: the mesh has no area.
    """
    points = spread_points(vertices, faces)
    points = points - points.mean(0)
    radius = np.linalg.norm(points, axis=1)
    scale = float(np.sqrt((radius**2).mean()))
    toward = points / np.maximum(radius, 1e-12)[:, None]
    place = np.clip(radius / scale * ((SHELLS - 1) / LONGEST), 0, SHELLS - 1)
    shells = np.clip(1 - np.abs(place[:, None] - np.arange(SHELLS)), 0, None) / len(points)
    energies = []
    for degree, waves in enumerate(_harmonics(toward, DEGREES)):
        amplitude = waves @ shells  # (2 degree + 1, SHELLS)
        # Of a uniform shell, degree 0 has energy 1; dividing by the degree's functions keeps sampling noise even.
        energies.append(np.sqrt((amplitude**2).sum(0) / (2 * degree + 1)))
    return np.stack(energies, 1).reshape(-1).astype(np.float32)


def _harmonics(toward: NDArray[np.float64], degrees: int) -> list[NDArray[np.float64]]:
    """Real spherical harmonics of unit vectors (N, 3): per degree an array (2 degree + 1, N), of mean square 1 on the sphere.

    Associated Legendre functions, fully normalised, by the stable recurrence in the degree at fixed order.
    """
    x, y, z = toward.T
    harmonics = [np.empty((2 * degree + 1, len(z))) for degree in range(degrees)]
    # Powers of x + iy carry sin(theta)^m, so that the poles need no special case.
    wave = np.ones(len(z), complex)
    sectoral = 1.0
    for m in range(degrees):
        if m:
            wave = wave * (x + 1j * y)
            sectoral *= np.sqrt((2 * m + 1) / (2 * m))
        before, now = np.zeros(len(z)), np.full(len(z), sectoral)
        for degree in range(m, degrees):
            if degree > m:
                a = np.sqrt((4 * degree**2 - 1) / (degree**2 - m**2))
                b = np.sqrt(((degree - 1) ** 2 - m**2) / (4 * (degree - 1) ** 2 - 1)) if degree > m + 1 else 0.0
                before, now = now, a * (z * now - b * before)
            weight = np.sqrt(2.0) if m else 1.0
            harmonics[degree][degree + m] = weight * now * wave.real
            if m:
                harmonics[degree][degree - m] = weight * now * wave.imag
    return harmonics


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Every asset that repeats one of a lower index, ascending.

    Attributes:
        index: (D,) uint64. kept: (D,) uint64, the lowest index that it repeats and that is no duplicate itself.
        exact: (D,) bool, the same content hash; otherwise near. distance: (D,) float32 between descriptors; 0 where exact.
    """

    index: NDArray[np.uint64]
    kept: NDArray[np.uint64]
    exact: NDArray[np.bool_]
    distance: NDArray[np.float32]


def find_duplicates(indices: Ints, hashes: NDArray[Any], descriptors: Floats, radius: float = NEAR) -> Duplicates:
    """Exact copies by content hash, then near ones by descriptor; of each group the lowest index is kept.

    Going up the indices, each asset that is not claimed yet is kept and claims all unclaimed ones within `radius`; so the
    kept ones all lie farther apart than that. Neighbours come from a k-d tree over the descriptors' first AXES principal
    components. A projection never lengthens a distance, so the tree misses none, and the full distance decides. Time grows
    as n log n; memory is 8 (SIZE / 2 + AXES) bytes an asset.

    Args:
        indices: (N,) distinct. hashes: (N,) of any sortable type. descriptors: (N, SIZE); a row that is not finite has no
            shape to compare, and is only looked up by its hash.
    """
    order = np.argsort(indices)
    indices, hashes, descriptors = np.asarray(indices)[order], np.asarray(hashes)[order], np.asarray(descriptors)[order]
    count = len(indices)
    claimed_by, distance = np.arange(count), np.zeros(count, np.float32)
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    claimed_by = first[inverse] if count else claimed_by
    exact = claimed_by != np.arange(count)
    shaped = np.flatnonzero(~exact & np.isfinite(descriptors).all(1))
    suspects, tree, projected = _crowded(descriptors[shaped], radius)
    rows = shaped[suspects]
    free = np.ones(len(rows), bool)
    for k in range(len(rows)):
        if not free[k]:
            continue
        close = np.asarray(tree.query_ball_point(projected[k], radius), np.int64)
        close = close[(close > k) & free[close]]
        if not len(close):
            continue
        apart = np.linalg.norm(descriptors[rows[close]].astype(np.float64) - descriptors[rows[k]], axis=1)
        close, apart = close[apart <= radius], apart[apart <= radius]
        free[close] = False
        claimed_by[rows[close]], distance[rows[close]] = rows[k], apart
    # What is an exact copy of a near copy repeats the same one as that does.
    distance[exact] = np.where(claimed_by[claimed_by[exact]] == claimed_by[exact], 0, distance[claimed_by[exact]])
    claimed_by = claimed_by[claimed_by]
    gone = np.flatnonzero(claimed_by != np.arange(count))
    return Duplicates(
        indices[gone].astype(np.uint64),
        indices[claimed_by[gone]].astype(np.uint64),
        hashes[gone] == hashes[claimed_by[gone]],
        distance[gone],
    )


def _crowded(descriptors: Floats, radius: float) -> tuple[NDArray[np.int64], cKDTree, NDArray[np.float64]]:
    """Rows with another within `radius` in the projection, ascending; a tree of those alone, and their projections."""
    if len(descriptors) < 2:
        return np.zeros(0, np.int64), cKDTree(np.zeros((1, AXES))), np.zeros((0, AXES))
    middle = descriptors.mean(0, dtype=np.float64)
    covariance = sum(
        (block - middle).T @ (block - middle) for block in np.array_split(descriptors, len(descriptors) // 65536 + 1)
    )
    axes = np.linalg.eigh(covariance)[1][:, -AXES:]
    projected = np.concatenate([(b - middle) @ axes for b in np.array_split(descriptors, len(descriptors) // 65536 + 1)])
    reach = radius * (1 + 1e-6) + 1e-9
    nearest, _ = cKDTree(projected).query(projected, k=2, distance_upper_bound=reach, workers=-1)
    suspects = np.flatnonzero(np.isfinite(nearest[:, 1]))
    kept = projected[suspects]
    return suspects, cKDTree(kept if len(kept) else np.zeros((1, AXES))), kept
