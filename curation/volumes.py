"""Iso-surfaces of sparse distance grids: only cells near the surface are ever asked for their distance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import marching_cubes

from versemill.queries import MeshQuery

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]

PAD = 4  # grid points around the surface's box, so that the outside is one region and the surface never meets the border


@dataclass(frozen=True, eq=False)
class Band:
    """Grid points near a surface.

    Attributes:
        shape: points per axis. origin: (3,) position of point (0, 0, 0). spacing: world units between points.
        index: (N,) int64 flat indices of the points within the width, ascending.
        distance: (N,) float32 unsigned distances.
    """

    shape: tuple[int, int, int]
    origin: NDArray[np.float64]
    spacing: float
    index: NDArray[np.int64]
    distance: NDArray[np.float32]

    def positions(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """(N, 3) world positions of flat indices."""
        return self.origin + self.spacing * np.stack(np.unravel_index(index, self.shape), 1)


def band(query: MeshQuery, low: NDArray[np.float64], high: NDArray[np.float64], spacing: float, width: float) -> Band:
    """Distances at all grid points within `width` of the surface, found by halving blocks of 8 points.

    A block is dropped when its centre is farther from the surface than its half diagonal and the width together.
    """
    side = 8
    blocks = np.ceil(((high - low) / spacing + 2 * PAD + 1) / side).astype(np.int64)
    origin = (low + high) / 2 - spacing * (blocks * side - 1) / 2
    corner = np.stack(np.meshgrid(*(np.arange(n) * side for n in blocks), indexing="ij"), -1).reshape(-1, 3)
    reach = 1e6
    while True:
        middle = origin + spacing * (corner + (side - 1) / 2)
        bound = width + spacing * np.sqrt(3) * (side - 1) / 2
        distance, _, _ = query.closest(middle, limit=min(reach, bound * 1.001))
        near = distance <= bound
        corner, distance = corner[near], distance[near]
        if side == 1:
            break
        side //= 2
        step = np.stack(np.meshgrid(*[[0, side]] * 3, indexing="ij"), -1).reshape(-1, 3)
        corner = (corner[:, None] + step).reshape(-1, 3)
        reach = bound + spacing * np.sqrt(3) * side / 2
    shape = tuple(int(n) * 8 for n in blocks)
    index = np.ravel_multi_index(tuple(corner.T), shape)
    order = np.argsort(index)
    return Band((shape[0], shape[1], shape[2]), origin, spacing, index[order], distance[order])


def winding_surface(
    query: MeshQuery, low: NDArray[np.float64], high: NDArray[np.float64], spacing: float
) -> tuple[Vertices, Faces]:
    """The outer wall of a closed soup: where its winding number passes one half, by marching cubes on signed distances.

    The sign can't change between two neighbours whose distances add up to more than their spacing, so whole regions share
    one winding number and only points nearest to the surface are asked one by one. Cavities that the outside does not
    reach are filled.

    Args:
        query: built with `winding=True`, of a mesh without boundary (cap its holes first).
    """
    near = band(query, low, high, spacing, 1.001 * spacing)
    field = np.full(near.shape, 2 * spacing, np.float32)
    flat = field.reshape(-1)
    flat[near.index] = near.distance
    region, regions = ndimage.label(field > spacing / 2)
    region = region.reshape(-1)
    strides = (near.shape[1] * near.shape[2], near.shape[2], 1)
    loose = near.index[near.distance <= spacing / 2]
    loose_region = np.zeros(len(loose), region.dtype)
    for step in (s * sign for s in strides for sign in (1, -1)):
        neighbour = loose + step
        # Compared within rounding of the float32 distances.
        clear = (loose_region == 0) & (flat[neighbour] > spacing / 2) & (flat[neighbour] + flat[loose] > 1.001 * spacing)
        loose_region[clear] = region[neighbour[clear]]
    representative = np.zeros(regions + 1, np.int64)
    representative[region] = np.arange(len(region))
    single = loose[loose_region == 0]
    probes = np.concatenate([representative[1:], single])
    negative = query.signed_distance(near.positions(probes)) < 0
    inside_region = np.concatenate([[False], negative[:regions]])
    inside = inside_region[region]
    inside[loose] = inside_region[loose_region]
    inside[single] = negative[regions:]
    outside, _ = ndimage.label(~inside.reshape(near.shape))
    inside = outside.reshape(-1) != outside[0, 0, 0]
    flat[inside] *= -1
    return _march(field, near)


def shell_surface(
    query: MeshQuery, low: NDArray[np.float64], high: NDArray[np.float64], spacing: float, half_thickness: float
) -> tuple[Vertices, Faces]:
    """A closed skin around any mesh: the distance's iso-surface one spacing away, of which only the wall that the outside
    reaches is kept, pulled back towards the mesh.

    Around a body whose inside is sealed the skin comes to lie on the surface; around a sheet seen from both sides it stays
    `half_thickness` away on either side. Gaps narrower than two spacings close.
    """
    near = band(query, low, high, spacing, 2.001 * spacing)
    field = np.full(near.shape, 1.5 * spacing, np.float32)
    flat = field.reshape(-1)
    flat[near.index] = near.distance - np.float32(spacing)
    region, _ = ndimage.label(field > 0)
    outside = region.reshape(-1) == region[0, 0, 0]
    flat[~outside & (flat > 0)] *= -1
    vertices, faces = _march(field, near)
    _, _, nearest = query.closest(vertices, limit=3 * spacing)
    away = vertices.astype(np.float64) - nearest
    length = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    away /= length
    # What lies two spacings behind the mesh: sealed inside, or the outside again?
    behind = np.rint((nearest - 1.5 * spacing * away - near.origin) / near.spacing).astype(np.int64)
    open_behind = outside[np.ravel_multi_index(tuple(behind.T), near.shape, mode="clip")]
    offset = np.where(open_behind, half_thickness, 0.02 * spacing)
    return (nearest + offset[:, None] * away).astype(np.float32), faces


def _march(field: NDArray[np.float32], near: Band) -> tuple[Vertices, Faces]:
    """Marching cubes at 0, negative inside, wound outwards, in world units; (0, 0) arrays where nothing is negative."""
    # A value of exactly 0 would collapse triangles into a grid point.
    tiny = np.float32(1e-3 * near.spacing)
    field[np.abs(field) < tiny] = tiny
    if field.min() >= 0:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    vertices, faces, _, _ = marching_cubes(field, 0.0, gradient_direction="descent")
    return (vertices * near.spacing + near.origin).astype(np.float32), faces.astype(np.int32)
