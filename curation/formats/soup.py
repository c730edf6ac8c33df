"""What every reader hands over: triangles with what the file says of their corners, before axes and units are settled."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.curation.config import LoadLimits
from versemill.errors import AssetError
from versemill.materials.material import Material
from versemill.materials.uv_sets import Placement

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Soup:
    """Triangles of a file.

    Attributes:
        vertices: (V, 3) float64. faces: (F, 3) int64.
        uvs: (F, 3, 2) float64, v up, or None. normals: (F, 3, 3) float64 or None.
        colors: (F, 3, 4) uint8 sRGB per corner, or None.
        material_ids: (F,) into `materials`. part_ids: (F,) into `part_names`.
        placements: per material, the distinct places that its textures lie at; they become its UV sets.
        notes: for the asset's provenance.
    """

    vertices: Floats
    faces: Ints
    uvs: Floats | None = None
    normals: Floats | None = None
    colors: NDArray[np.uint8] | None = None
    material_ids: Ints | None = None
    materials: tuple[Material, ...] = (Material(name="material"),)
    placements: tuple[tuple[Placement, ...], ...] = ((),)
    part_ids: Ints | None = None
    part_names: tuple[str, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)


def check_counts(name: str, vertices: int, faces: int, geometries: int, limits: LoadLimits) -> None:
    """Raises AssetError "too_large" where a count is above its limit."""
    for what, value, limit in (
        ("vertices", vertices, limits.max_vertices),
        ("faces", faces, limits.max_faces),
        ("geometries", geometries, limits.max_geometries),
    ):
        if value > limit:
            raise AssetError("too_large", f"{name} has {value} {what}; the limit max_{what} is {limit}")


def check_geometry(name: str, vertices: Floats, faces: Ints) -> None:
    """Raises AssetError "empty", "not_finite" or "bad_index"."""
    if not len(faces):
        raise AssetError("empty", f"{name} holds no triangles")
    if faces.min() < 0 or faces.max() >= len(vertices):
        span = f"[{faces.min()}, {faces.max()}]"
        raise AssetError("bad_index", f"face indices of {name} span {span}, vertices are 0..{len(vertices) - 1}")
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices)).any(1).sum())
        raise AssetError("not_finite", f"{bad} of {len(vertices)} vertices of {name} hold NaN or infinity")
