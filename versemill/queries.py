"""Questions to a triangle mesh: rays, closest points, signed distance. One BVH, CPU or CUDA, through Warp."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import ArrayLike, NDArray

from versemill import device as _device

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
    """A BVH over a mesh, built once and asked many times.

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
        self._mesh = wp.Mesh(
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
        wp.launch(_cast, len(start), [self._mesh.id, start, along, limit, faces, distances, uv], device=self.device)
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
        asked = self._vectors(points)
        faces, distances, spots = (self._empty(len(asked), dtype) for dtype in (wp.int32, float, wp.vec3))
        wp.launch(_closest, len(asked), [self._mesh.id, asked, signed, limit, faces, distances, spots], device=self.device)
        return distances.numpy(), faces.numpy(), spots.numpy()

    def _vectors(self, values: ArrayLike) -> Any:
        return wp.array(np.ascontiguousarray(values, np.float32).reshape(-1, 3), dtype=wp.vec3, device=self.device)

    def _empty(self, count: int, dtype: Any) -> Any:
        return wp.zeros(count, dtype=dtype, device=self.device)
