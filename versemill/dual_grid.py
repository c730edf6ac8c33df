"""Flexible dual grids: any surface, closed or not, as sparse voxels with one dual vertex and three edges each.

The geometry of O-Voxel (TRELLIS.2, arXiv 2512.14692; its README and data toolkit at github.com/microsoft/TRELLIS.2). Inside and
outside play no part: a grid edge counts where a triangle crosses it, and each crossed edge becomes a quad between the dual
vertices of the four voxels around it. So open sheets, surfaces within surfaces and non-manifold edges stay as they are.

Kernels run on the CPU, where Warp takes threads in order: the same mesh gives the same bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import ArrayLike, NDArray

from versemill import device as _device
from versemill import dual_grid_kernels as kernels
from versemill.mesh import boundary_edges

NUDGE = np.array([1.0e-9, 1.3e-9, 1.7e-9])
"""Voxels by which a mesh is moved. Made by hand or by rule, it may pass exactly through the grid's corners, where each axis by
itself would round to a side of its own and tear the surface; a move that no plane follows puts all on one side."""

CROSSINGS = 1 << 22
"""Crossings that are in memory at once, but for those of the last face: 32 bytes each."""

MOST = 1024
"""Voxels a side at most: codes of Morton's curve have 10 bits an axis."""


@dataclass(frozen=True, eq=False)
class DualGrid:
    """The n voxels around the grid edges that a surface crosses, along Morton's curve (x is the highest of three bits).

    Attributes:
        voxels: (n, 3) int32 in [0, resolution).
        vertices: (n, 3) float32 in [0, 1]: where the dual vertex lies in its voxel.
        crossed: (n, 3) bool: whether the surface crosses the voxel's edge along x, y or z that ends at its upper corner.
        faces: (n,) int32 the face nearest to the voxel's centre, of those that cross an edge of the voxel.
        weights: (n, 3) float32 barycentric weights of the nearest point of that face.
    """

    voxels: NDArray[np.int32]
    vertices: NDArray[np.float32]
    crossed: NDArray[np.bool_]
    faces: NDArray[np.int32]
    weights: NDArray[np.float32]


def dual_grid(vertices: ArrayLike, faces: ArrayLike, resolution: int) -> DualGrid:
    """The flexible dual grid of a mesh in the cube [-1/2, 1/2]^3, `resolution` voxels a side.

    A dual vertex is the point of its voxel with the least quadratic error: squared distances to the planes of the faces at each
    crossing of the voxel's edges, to the planes of the faces in the voxel, to the boundary edges in it, and to the mean of the
    crossings, weighed by `FACE_WEIGHT`, `BOUNDARY_WEIGHT` and `REGULARISATION`.

    Args:
        vertices: (V, 3). faces: (F, 3); edges with one face are boundaries, so positions have to be shared.

    Raises:
        ValueError: no face, a position outside the cube or not finite, or a resolution outside [2, 1024].
    """
    if not 2 <= resolution <= MOST:
        raise ValueError(f"a dual grid has 2 to {MOST} voxels a side, not {resolution}")
    triangles = np.ascontiguousarray(faces, np.int32)
    used = np.asarray(vertices, np.float64)[triangles]
    if not len(triangles) or not (np.abs(used) < 0.5).all():
        raise ValueError("a dual grid needs at least one face, and finite vertices within (-1/2, 1/2)")
    _device.start()
    scaled = (used + 0.5) * resolution + NUDGE
    solid = np.flatnonzero(np.linalg.norm(np.cross(scaled[:, 1] - scaled[:, 0], scaled[:, 2] - scaled[:, 0]), axis=1) > 1e-12)
    corners = _array(scaled[solid].reshape(-1, 3), wp.vec3d)
    marks = _zeros(((1 << (resolution - 1).bit_length()) ** 3 + 31) // 32, wp.uint32)
    for points, axes, _ in _crossings(corners, resolution):
        _launch(kernels.mark, len(axes), [points, axes, resolution, marks])
    words = marks.numpy()
    ends = np.cumsum(np.bitwise_count(words), dtype=np.int64)
    count = int(ends[-1])
    grid = [resolution, marks, _array(np.r_[0, ends[:-1]].astype(np.int32), wp.int32)]
    quadrics, crossed, distances = _zeros((count, 13), float), _zeros((count, 3), wp.bool), _zeros(count, wp.float64)
    nearest, weights = _zeros(count, wp.int32), _zeros(count, wp.vec3)
    distances.fill_(np.inf)
    for crossings in _crossings(corners, resolution):
        _launch(kernels.gather, len(crossings[1]), [*crossings, corners, *grid, quadrics, crossed, distances, nearest, weights])
    _launch(kernels.cover, len(solid), [corners, *grid, quadrics])
    rim = (np.asarray(vertices, np.float64)[boundary_edges(triangles)] + 0.5) * resolution
    _launch(kernels.follow, len(rim), [_array(rim.reshape(-1, 3), wp.vec3d), *grid, quadrics])
    solved = _zeros(count, wp.vec3)
    _launch(kernels.solve, count, [quadrics, solved])
    return DualGrid(
        voxels=_voxels(words),
        vertices=np.clip(solved.numpy() + np.float32(0.5), 0, 1),
        crossed=crossed.numpy(),
        faces=solid.astype(np.int32)[nearest.numpy()],
        weights=weights.numpy(),
    )


def _array(values: NDArray[Any], dtype: Any) -> Any:
    return wp.array(values, dtype=dtype, device="cpu")


def _zeros(shape: int | tuple[int, int], dtype: Any) -> Any:
    return wp.zeros(shape, dtype=dtype, device="cpu")


def _launch(kernel: Any, count: int, arguments: list[Any]) -> None:
    wp.launch(kernel, count, arguments, device="cpu")


def _crossings(corners: Any, resolution: int) -> Iterator[list[Any]]:
    """Where faces cross grid lines: points (m,) in voxels, the axis (m,) of each line, the face (m,); many faces at a time."""
    faces = len(corners) // 3
    counts, places = _zeros(faces, wp.int32), (wp.vec3d, wp.int32, wp.int32)
    _launch(kernels.cross, faces, [corners, 0, resolution, counts, counts, *(_zeros(0, kind) for kind in places), False])
    ends = np.cumsum(counts.numpy(), dtype=np.int64)
    starts = ends - counts.numpy()
    for part in np.split(np.arange(faces), np.flatnonzero(np.diff(ends // CROSSINGS)) + 1):
        if len(part) and ends[part[-1]] > starts[part[0]]:
            crossings = [_zeros(int(ends[part[-1]] - starts[part[0]]), kind) for kind in places]
            first = _array((starts[part] - starts[part[0]]).astype(np.int32), wp.int32)
            _launch(kernels.cross, len(part), [corners, int(part[0]), resolution, first, counts, *crossings, True])
            yield crossings


def _voxels(words: NDArray[np.uint32]) -> NDArray[np.int32]:
    """(n, 3) the voxels whose bits are set, in the order of the bits."""
    some = np.flatnonzero(words)
    rows, columns = np.nonzero(np.unpackbits(words[some].view(np.uint8).reshape(-1, 4), axis=1, bitorder="little"))
    codes = (some[rows] * 32 + columns).astype(np.uint32)
    voxels = np.zeros((len(codes), 3), np.int32)
    for bit in range(10):
        for axis in range(3):
            voxels[:, axis] |= (((codes >> np.uint32(3 * bit + 2 - axis)) & np.uint32(1)) << np.uint32(bit)).astype(np.int32)
    return voxels
