"""Questions to a triangle mesh: rays, closest points, signed distance. One BVH, CPU or CUDA, through Warp."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import ArrayLike, NDArray

from versemill import device as _device
from versemill.mesh import morton_order

wp.set_module_options(_device.EXACT)


@wp.kernel
def _cast(
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    limit: float,
    faces: wp.array(dtype=wp.int32),
    distances: wp.array(dtype=float),
    weights: wp.array(dtype=wp.vec2),
):
    i = wp.tid()
    hit = wp.mesh_query_ray(mesh, origins[i], directions[i], limit)
    if hit.result:
        faces[i] = hit.face
        distances[i] = hit.t
        weights[i] = wp.vec2(hit.u, hit.v)
    else:
        faces[i] = -1


@wp.kernel
def _closest(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    by_winding: bool,
    limit: float,
    faces: wp.array(dtype=wp.int32),
    distances: wp.array(dtype=float),
    nearest: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    sign = float(1.0)
    if by_winding:
        hit = wp.mesh_query_point_sign_winding_number(mesh, points[i], limit, 2.0, 0.5)
        sign = hit.sign
    else:
        hit = wp.mesh_query_point_no_sign(mesh, points[i], limit)
    if not hit.result:
        faces[i] = -1
        distances[i] = limit
        return
    spot = wp.mesh_eval_position(mesh, hit.face, hit.u, hit.v)
    faces[i] = hit.face
    nearest[i] = spot
    distances[i] = sign * wp.length(points[i] - spot)


@dataclass(frozen=True, eq=False)
class RayHits:
    """Answers for N rays.

    Attributes:
        faces: (N,) int32, -1 where the ray misses.
        distances: (N,) float32 in units of the direction's own length; 0 where it misses.
        weights: (N, 3) float32 barycentric weights of the face's corners.
    """

    faces: NDArray[np.int32]
    distances: NDArray[np.float32]
    weights: NDArray[np.float32]


class MeshQuery:
    """A BVH over a mesh, built once and asked many times; it is built when the first question comes.

    Distances hold to about 1e-5 of the mesh's size even for the needles that booleans leave: Warp finds closest points by
    barycentric coordinates in float32, which lose (length / height)^2 digits, so needles are cut into shorter pieces first.

    Args:
        vertices: (V, 3), finite. faces: (F, 3), at least one.
        device: "auto", "cpu", "cuda:0".
        winding: build what `signed_distance` needs.
    """

    def __init__(self, vertices: ArrayLike, faces: ArrayLike, device: str = "cpu", winding: bool = False) -> None:
        positions = np.ascontiguousarray(vertices, np.float32)
        indices = np.ascontiguousarray(faces, np.int32)
        if len(indices) == 0 or not np.isfinite(positions).all():
            raise ValueError("a mesh query needs finite vertices and at least one face")
        # Native code reads what the indices say.
        if indices.min() < 0 or indices.max() >= len(positions):
            raise ValueError(f"face indices span [{indices.min()}, {indices.max()}], vertices are 0..{len(positions) - 1}")
        self.device = _device.resolve(device)
        self.winding = winding
        self._positions, self._indices = positions, indices

    @cached_property
    def _whole(self) -> Any:
        """What rays are cast at: the faces as they are, since cuts would leave cracks."""
        return self._mesh(self._positions, self._indices, self.winding and self._cut is None)

    @cached_property
    def _cut(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]] | None:
        return cut_needles(self._positions, self._indices)

    @cached_property
    def _pieces(self) -> Any:
        """What distances are measured to."""
        return self._whole if self._cut is None else self._mesh(self._cut[0], self._cut[1], self.winding)

    def _mesh(self, positions: NDArray[np.float32], indices: NDArray[np.int32], winding: bool) -> Any:
        return wp.Mesh(
            points=wp.array(positions, dtype=wp.vec3, device=self.device),
            indices=wp.array(indices.reshape(-1), dtype=wp.int32, device=self.device),
            support_winding_number=winding,
        )

    def ray_cast(self, origins: ArrayLike, directions: ArrayLike, limit: float = 1e6) -> RayHits:
        """First hits of N rays, origins (N, 3) and directions (N, 3), of either side of the surface.

        Directions need not be unit; distances count in their length, up to `limit`.
        """
        start, along = self._vectors(origins), self._vectors(directions)
        faces, distances, uv = (self._empty(len(start), dtype) for dtype in (wp.int32, float, wp.vec2))
        wp.launch(_cast, len(start), [self._whole.id, start, along, limit, faces, distances, uv], device=self.device)
        pair = uv.numpy()
        # Warp's u and v weigh the first two corners.
        weights = np.concatenate([pair, 1 - pair.sum(1, keepdims=True)], 1).astype(np.float32)
        return RayHits(faces.numpy(), distances.numpy(), weights)

    def closest(
        self, points: ArrayLike, limit: float = 1e6
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
        """Distance (N,), face (N,) and position (N, 3) of the nearest surface point of each of N points.

        Beyond `limit` the face is -1 and the distance is `limit`; a tight limit makes the search several times faster.
        """
        return self._nearest(points, False, limit)

    def signed_distance(self, points: ArrayLike) -> NDArray[np.float32]:
        """(N,) float32 distance, negative inside, by winding number > 0.5: exact for closed meshes, robust for soups.

        Raises:
            ValueError: the query was built without `winding=True`.
        """
        if not self.winding:
            raise ValueError("signed_distance needs MeshQuery(..., winding=True)")
        return self._nearest(points, True, 1e6)[0]

    def _nearest(self, points: ArrayLike, signed: bool, limit: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        places = np.ascontiguousarray(points, np.float32).reshape(-1, 3)
        # Neighbours in space, asked one after the other, walk the same branches: two to three times as fast.
        order = morton_order(places) if len(places) > 1024 else np.arange(len(places))
        sent, count = self._vectors(places[order]), len(places)
        faces, distances, spots = (self._empty(count, dtype) for dtype in (wp.int32, float, wp.vec3))
        wp.launch(_closest, count, [self._pieces.id, sent, signed, limit, faces, distances, spots], device=self.device)
        back = np.empty(count, np.int64)
        back[order] = np.arange(count)
        face = faces.numpy()[back]
        if self._cut is not None:
            face = np.where(face < 0, np.int32(-1), self._cut[2][face])
        return distances.numpy()[back], face, spots.numpy()[back]

    def _vectors(self, values: ArrayLike) -> Any:
        return wp.array(np.ascontiguousarray(values, np.float32).reshape(-1, 3), dtype=wp.vec3, device=self.device)

    def _empty(self, count: int, dtype: Any) -> Any:
        return wp.zeros(count, dtype=dtype, device=self.device)


CUT = 100.0
"""Greatest length^3 / height^2 of a face, in sizes of the mesh: float32's 1e-7 times that, the error, is then 1e-5."""
CUTS = 14
"""Rounds of halving; what is still a needle then is so thin that its neighbours lie as near."""


def cut_needles(
    positions: NDArray[np.float32], faces: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]] | None:
    """Halves the longest edge of faces that are too long for their height, again and again.

    Returns:
        positions, faces, and the face that each comes from (F',); None where there is no needle.
    """
    used = positions[faces].reshape(-1, 3)
    size = float(np.ptp(used, axis=0).max())
    corners = used.reshape(-1, 3, 3).astype(np.float64)
    origin = np.arange(len(faces), dtype=np.int32)
    done: list[tuple[Any, Any]] = []
    left = 4 * len(faces) + 200_000  # pieces that may be made: a mesh of nothing but needles must not fill the memory
    for _ in range(CUTS):
        sides = ((corners - corners[:, [1, 2, 0]]) ** 2).sum(2)
        longest = sides.max(1)
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        # length^3 / height^2 with height = |cross| / length
        needle = longest**2.5 > CUT * size * (cross**2).sum(1)
        needle &= longest > 1e-6 * size * size
        left -= int(needle.sum())
        if left < 0 or not needle.any():
            break
        done.append((corners[~needle], origin[~needle]))
        at, rows = sides[needle].argmax(1), np.arange(int(needle.sum()))
        corners, origin = corners[needle], np.tile(origin[needle], 2)
        a, b, c = corners[rows, at], corners[rows, (at + 1) % 3], corners[rows, (at + 2) % 3]
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
    if not done:
        return None
    corners = np.concatenate([*(c for c, _ in done), corners])
    pieces = np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3)
    return corners.reshape(-1, 3).astype(np.float32), pieces, np.concatenate([*(o for _, o in done), origin])
