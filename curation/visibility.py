"""What can be seen of a surface from outside, by rays from its points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.directions import fibonacci
from versemill.queries import MeshQuery

Ints = NDArray[np.integer[Any]]


def escapes(
    vertices: NDArray[np.float32],
    faces: Ints,
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    rays: int,
    device: str,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rays that leave the asset from either side of surface points.

    Returns:
        front (N, rays) and back (N, rays), int64, 1 where the ray to that side meets nothing.
    """
    toward = hemisphere(normals, rays)
    query = MeshQuery(vertices, faces, device)
    sides = []
    for sign in (1.0, -1.0):
        start = np.broadcast_to((points + sign * 1e-4 * normals)[:, None], toward.shape)
        hits = query.ray_cast(start.reshape(-1, 3), sign * toward.reshape(-1, 3))
        sides.append((hits.faces < 0).reshape(len(points), rays).astype(np.int64))
    return sides[0], sides[1]


def hemisphere(normals: NDArray[np.float64], rays: int) -> NDArray[np.float64]:
    """(N, rays, 3) even directions, each on the side that its normal (N, 3) points to."""
    directions = fibonacci(rays)
    along = np.einsum("nk,rk->nr", normals, directions)
    return np.where(along >= 0, 1.0, -1.0)[..., None] * directions
