"""Field data: points on, near and around the watertight surface with signed distances, as shape models train on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill import seeds
from versemill.curated import Curated, Rejected
from versemill.curation.config import FieldsConfig
from versemill.fields import Fields
from versemill.mesh import adjacency, face_cross, face_normals, sample_surface
from versemill.queries import MeshQuery
from versemill.views import Views

VOLUME_BOX = 1.05


def sample(curated: Curated, config: FieldsConfig | None = None) -> Fields:
    """Draws the field arrays of `versemill.fields.Fields` from the watertight surface (TripoSG section 4; Dora's sharp edges).

    Signed distances are exact closest distances, negative inside by winding number. A surface without sharp edges gives
    empty sharp arrays, not an error.

    Args:
        config: the default is `FieldsConfig()`.
    """
    config = config or FieldsConfig()
    vertices, faces = curated.watertight_vertices, curated.watertight_faces
    asset = curated.asset

    def stream(purpose: str) -> np.random.Generator:
        return seeds.stream(asset.seed, asset.index, f"curation/{purpose}")

    normals = face_normals(vertices, faces)
    points, chosen, _ = sample_surface(vertices, faces, config.surface_points, stream("surface"))
    surface = np.concatenate([points, normals[chosen]], 1).astype(np.float32)

    rng = stream("sharp")
    ends, directions = creases(vertices, faces, config.sharp_angle)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    sharp = _along_edges(ends, directions, lengths, config.sharp_points, rng)
    bases = _along_edges(ends, directions, lengths, config.sharp_near_points, rng)[:, :3]
    sharp_near = _jitter(bases, config.sharp_near_sigmas, rng)

    rng = stream("near")
    starts, _, _ = sample_surface(vertices, faces, config.near_points, rng)
    near = _jitter(starts, config.near_sigmas, rng)
    volume = stream("volume").uniform(-VOLUME_BOX, VOLUME_BOX, (config.volume_points, 3)).astype(np.float32)

    query = MeshQuery(vertices, faces, config.device, winding=True)
    point_sets = [near, sharp_near, volume]
    sdf = query.signed_distance(np.concatenate(point_sets))
    near_sdf, sharp_near_sdf, volume_sdf = np.split(sdf, np.cumsum([len(a) for a in point_sets])[:-1])
    return Fields(
        surface=surface,
        sharp_surface=sharp,
        near_points=near,
        near_sdf=near_sdf,
        sharp_near_points=sharp_near,
        sharp_near_sdf=sharp_near_sdf,
        vol_points=volume,
        vol_sdf=volume_sdf,
        voxels=voxels(vertices, faces, config.voxel_resolution),
        stats={
            "near_sigmas": list(config.near_sigmas),
            "sharp_near_sigmas": list(config.sharp_near_sigmas),
            "sharp_angle": config.sharp_angle,
            "sharp_edges": len(lengths),
            "sharp_length": float(lengths.sum()),
            "volume_box": VOLUME_BOX,
            "voxel_resolution": config.voxel_resolution,
            "inside_share": float((volume_sdf < 0).mean()) if len(volume_sdf) else 0.0,
        },
    )


def creases(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges whose faces' normals differ by more than `angle` degrees.

    Slivers have no reliable normal: an edge counts only where both faces are at least 1e-4 as high above it as it is long.

    Returns:
        ends (E, 2, 3) and the unit mean normals (E, 3) of the two faces.
    """
    pairs, edges = adjacency(faces)
    normals = face_normals(vertices, faces)
    first, second = normals[pairs[:, 0]], normals[pairs[:, 1]]
    sharp = np.einsum("ij,ij->i", first, second) < np.cos(np.radians(angle))
    pairs, edges, total = pairs[sharp], edges[sharp], (first + second)[sharp]
    ends = vertices.astype(np.float64)[edges]
    squared = ((ends[:, 1] - ends[:, 0]) ** 2).sum(1)
    double_area = np.linalg.norm(face_cross(vertices, faces), axis=1)[pairs].min(1)
    length = np.linalg.norm(total, axis=1)
    sound = (double_area > 1e-4 * squared) & (length > 1e-6)
    return ends[sound], total[sound] / length[sound, None]


def _along_edges(
    ends: NDArray[np.float64],
    directions: NDArray[np.float64],
    lengths: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """(count, 6) points uniform by length along edges with their normals; (0, 6) where there are no edges."""
    if not len(lengths) or not lengths.sum() > 0:
        return np.zeros((0, 6), np.float32)
    cumulative = np.cumsum(lengths)
    chosen = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right").clip(max=len(lengths) - 1)
    t = rng.random((count, 1))
    points = ends[chosen, 0] * (1 - t) + ends[chosen, 1] * t
    return np.concatenate([points, directions[chosen]], 1).astype(np.float32)


def _jitter(points: NDArray[Any], sigmas: tuple[float, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Points moved by isotropic normal noise; the i-th takes the sigma i modulo their number."""
    sigma = np.asarray(sigmas)[np.arange(len(points)) % len(sigmas)]
    return (points + sigma[:, None] * rng.standard_normal(points.shape)).astype(np.float32)


def voxels(vertices: NDArray[np.float32], faces: NDArray[np.int32], resolution: int) -> NDArray[np.uint8]:
    """(K, 3) uint8 cells of a grid over [-1, 1]^3 that the surface passes through, in ascending order.

    Triangles are halved until no edge is longer than a cell, then ten evenly spaced points of each mark their cells; a
    cell that is only grazed may be missed.
    """
    size = 2 / resolution
    lattice = np.array([(i, j, 3 - i - j) for i in range(4) for j in range(4 - i)]) / 3
    corners = vertices.astype(np.float64)[faces]
    marked = []
    while len(corners):
        sides = ((corners - corners[:, [1, 2, 0]]) ** 2).sum(2)
        small = sides.max(1) <= size * size
        marked.append(_cells(np.einsum("ki,nij->nkj", lattice, corners[small]).reshape(-1, 3), resolution))
        rest, at = corners[~small], sides[~small].argmax(1)
        rows = np.arange(len(rest))
        a, b, c = rest[rows, at], rest[rows, (at + 1) % 3], rest[rows, (at + 2) % 3]
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
    codes = np.unique(np.concatenate(marked))
    return np.stack(np.unravel_index(codes, (resolution,) * 3), 1).astype(np.uint8)


def _cells(points: NDArray[np.float64], resolution: int) -> NDArray[np.int64]:
    index = np.clip(((points + 1) * (resolution / 2)).astype(np.int64), 0, resolution - 1)
    return np.unique((index[:, 0] * resolution + index[:, 1]) * resolution + index[:, 2])


def depth_to_surface(curated: Curated, views: Views, count: int = 4096, device: str = "cpu") -> float:
    """Mean distance, in world units, of unprojected depth pixels to the watertight surface: the SDF's zero set.

    At most `count` foreground pixels, evenly spaced over all views, are compared.

    Raises:
        ValueError: the views have no depth pass or no foreground pixel.
    """
    if "depth" not in views.passes:
        raise ValueError(f"depth_to_surface needs the depth pass; the views have {', '.join(views.passes)}")
    depth = views.passes["depth"]
    seen = np.flatnonzero(depth.reshape(-1) > 0)
    if not len(seen):
        raise ValueError("depth_to_surface: no pixel of any view shows the asset")
    kept = np.unique(seen[np.linspace(0, len(seen) - 1, min(count, len(seen))).round().astype(np.int64)])
    per_view = depth[0].size
    points = [
        camera.unproject(depth[i]).reshape(-1, 3)[kept[kept // per_view == i] % per_view]
        for i, camera in enumerate(views.cameras)
    ]
    distance, _, _ = MeshQuery(curated.watertight_vertices, curated.watertight_faces, device).closest(np.concatenate(points))
    return float(distance.astype(np.float64).mean())


def check_agreement(curated: Curated, views: Views, config: FieldsConfig) -> float | Rejected:
    """`depth_to_surface`, or a rejection where views and fields show different surfaces.

    The limit is `config.max_depth_to_surface` cells of a 256 grid (2/256 world units each).
    """
    distance = depth_to_surface(curated, views, config.agreement_points, config.device)
    limit = config.max_depth_to_surface * 2 / 256
    if distance > limit:
        return Rejected(
            "fields",
            "depth_disagrees",
            f"depth lies {distance:.5f} from the watertight surface on average; the limit is {limit:.5f}",
            distance,
            limit,
        )
    return distance
