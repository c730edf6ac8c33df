"""Fields: points with signed distances and normals that shape models train on. Signed distance is negative inside."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fields:
    """Samples of one watertight surface, in the asset's world frame, float32.

    Attributes:
        surface: (N, 6) points and unit outward normals, uniform by area.
        sharp_surface: (M, 6) points on sharp edges with a normal; M is 0 where the surface has none.
        near_points, near_sdf: (P, 3) and (P,), around the surface at several sigmas.
        sharp_near_points, sharp_near_sdf: (Q, 3) and (Q,), around the sharp edges.
        vol_points, vol_sdf: (R, 3) and (R,), uniform in the box [-1.05, 1.05]^3.
        voxels: (K, 3) uint8 indices of the occupied cells of a 64^3 surface grid over [-1, 1]^3.
        stats: JSON-able measurements: sigmas, thresholds, `depth_to_surface` and the like.
    """

    surface: Float32
    sharp_surface: Float32
    near_points: Float32
    near_sdf: Float32
    sharp_near_points: Float32
    sharp_near_sdf: Float32
    vol_points: Float32
    vol_sdf: Float32
    voxels: NDArray[np.uint8]
    stats: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in FIELD_ARRAYS:
            array = getattr(self, name)
            columns = FIELD_ARRAYS[name]
            if array.ndim != (2 if columns else 1) or (columns and array.shape[1] != columns):
                raise ValueError(f"field '{name}' must be (n{f', {columns}' if columns else ''}), got {array.shape}")
            expected = np.uint8 if name == "voxels" else np.float32
            if array.dtype != expected:
                raise ValueError(f"field '{name}' must be {np.dtype(expected)}, got {array.dtype}")
        for name in ("near", "sharp_near", "vol"):
            points, sdf = getattr(self, f"{name}_points"), getattr(self, f"{name}_sdf")
            if len(points) != len(sdf):
                raise ValueError(f"{len(points)} {name}_points but {len(sdf)} {name}_sdf")

    def __repr__(self) -> str:
        return f"Fields({', '.join(f'{name} {len(getattr(self, name)):,}' for name in FIELD_ARRAYS if '_sdf' not in name)})"


FIELD_ARRAYS = {
    "surface": 6,
    "sharp_surface": 6,
    "near_points": 3,
    "near_sdf": 0,
    "sharp_near_points": 3,
    "sharp_near_sdf": 0,
    "vol_points": 3,
    "vol_sdf": 0,
    "voxels": 3,
}
"""Name -> columns (0 = one-dimensional) of the arrays of `Fields`, in the order they are written."""
