"""The asset: an indexed triangle mesh with per-corner UVs, per-face ids, materials and provenance.

Positions are shared across UV seams and hard edges; what differs from corner to corner (UVs, normals) is
stored per corner. Vertices are split only when a GLB is written.
"""

import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

import numpy as np
from numpy.typing import NDArray

from versemill import mesh, notebook
from versemill.errors import AssetError
from versemill.materials.material import Material

if TYPE_CHECKING:
    import trimesh

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Asset:
    """A textured mesh in the world frame: right-handed, Z up, longest side 2, centred at the origin.

    Attributes:
        vertices: (V, 3) float32 positions.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        uvs: (F, 3, 2) float32 per corner, v up; (F, 3, 2 S) where textures need several sets, which lie side by side.
        material_ids: (F,) int32 into `materials`.
        part_ids: (F,) int32 into `part_names`.
        materials: at least one.
        part_names: at least one; for people and captions.
        normals: (F, 3, 3) float32 unit shading normals per corner, or None: then each consumer uses
            `versemill.mesh.corner_normals`, which smooths below a crease angle.
        seed, index: the dataset seed and asset index that every later draw (cameras, samples) is keyed by.
        source: the stage that made it: "zeroverse", "detailverse", "files".
        caption: one natural sentence. tags: short words, sorted.
        center, scale: source position = center + scale * vertex; the way back to the source's units.
        provenance: JSON-able record of every drawn value; enough to remake the asset.
    """

    vertices: Float32
    faces: Int32
    uvs: Float32
    material_ids: Int32
    part_ids: Int32
    materials: tuple[Material, ...]
    part_names: tuple[str, ...]
    normals: Float32 | None = None
    seed: int = 0
    index: int = 0
    source: str = "files"
    caption: str = ""
    tags: tuple[str, ...] = ()
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.faces)
        expected: dict[str, tuple[type, tuple[int | None, ...]]] = {
            "vertices": (np.float32, (None, 3)),
            "faces": (np.int32, (None, 3)),
            "uvs": (np.float32, (count, 3, self.uv_sets * 2)),
            "material_ids": (np.int32, (count,)),
            "part_ids": (np.int32, (count,)),
            "normals": (np.float32, (count, 3, 3)),
        }
        for name, (dtype, shape) in expected.items():
            array = getattr(self, name)
            if array is None and name == "normals":
                continue
            matches = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
            if array.dtype != dtype or not matches:
                required = "(" + ", ".join("n" if n is None else str(n) for n in shape) + ")"
                raise ValueError(f"asset {name} must be {required} {np.dtype(dtype)}, got {array.shape} {array.dtype}")

    def __repr__(self) -> str:
        counts = {
            "face": len(self.faces), "material": len(self.materials), "part": len(self.part_names),
        }  # fmt: skip
        sizes = ", ".join(f"{count:,} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
        return f"Asset({self.source} #{self.index}: {len(self.vertices):,} vertices, {sizes})"

    def _repr_html_(self) -> str:
        return notebook.figure(self, self.caption)

    @classmethod
    def from_trimesh(cls, mesh: Union["trimesh.Trimesh", "trimesh.Scene"], up: Literal["y", "z"] = "z") -> "Asset":
        """A normalised asset of a trimesh mesh or scene; see `versemill.exchange.from_trimesh`."""
        from versemill.exchange import from_trimesh

        return from_trimesh(mesh, up)

    def to_trimesh(self) -> "trimesh.Trimesh":
        """The geometry with a colour per face; see `versemill.exchange.to_trimesh`."""
        from versemill.exchange import to_trimesh

        return to_trimesh(self)

    def save(self, path: str | Path, textures: Literal["png", "jpeg"] = "png") -> None:
        """Writes a .glb, .obj or .ply file; see `versemill.exchange.write_mesh`."""
        from versemill.exchange import write_mesh

        write_mesh(self, path, textures)

    def check(self) -> None:
        """Checks that later stages can use the asset.

        Raises:
            AssetError: reason "empty", "not_finite", "bad_index" or "bad_material".
        """
        if len(self.faces) == 0 or len(self.vertices) == 0:
            raise AssetError("empty", f"the mesh has {len(self.vertices)} vertices and {len(self.faces)} faces")
        for name in ("vertices", "uvs", "normals"):
            array = getattr(self, name)
            if array is not None and not np.isfinite(array).all():
                bad = int((~np.isfinite(array)).reshape(len(array), -1).any(1).sum())
                raise AssetError("not_finite", f"{bad} of {len(array)} {name} hold NaN or infinity")
        if self.faces.min() < 0 or self.faces.max() >= len(self.vertices):
            span = f"[{self.faces.min()}, {self.faces.max()}]"
            raise AssetError("bad_index", f"face indices span {span}, vertices are 0..{len(self.vertices) - 1}")
        for name, limit in (("material_ids", len(self.materials)), ("part_ids", len(self.part_names))):
            ids = getattr(self, name)
            if ids.min() < 0 or ids.max() >= limit:
                raise AssetError("bad_material", f"{name} span [{ids.min()}, {ids.max()}], but there are {limit}")
        if (needed := max((m.uv_sets for m in self.materials), default=1)) > self.uv_sets:
            raise AssetError("bad_material", f"textures need {needed} UV sets, the asset has {self.uv_sets}")

    @property
    def uv_sets(self) -> int:
        """How many UV sets there are, at least one."""
        return max(self.uvs.shape[-1] // 2, 1)

    def uv_set(self, number: int) -> Float32:
        """(F, 3, 2) one UV set."""
        return self.uvs[..., 2 * number : 2 * number + 2]

    def shading_normals(self) -> Float32:
        """(F, 3, 3) float32 unit normals per corner on the outer side of their face: the asset's own, or smooth ones with
        creases where it has none."""
        if self.normals is None:
            return mesh.corner_normals(self.vertices, self.faces)
        return mesh.facing_normals(self.vertices, self.faces, self.normals)[0]

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of geometry, ids and materials: what the asset is, not how it came to be."""
        h = hashlib.sha256()
        for array in (self.vertices, self.faces, self.uvs, self.material_ids, self.part_ids, self.normals):
            h.update(b"-" if array is None else repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        for material in self.materials:
            h.update(material.content_hash.encode())
        h.update(repr(self.part_names).encode())
        return h.hexdigest()

    def normalized(self) -> "Asset":
        """The same asset with its bounding box centred at the origin and its longest side 2.

        `center` and `scale` are updated, so that source positions stay recoverable.

        Raises:
            AssetError: the mesh is empty, not finite, or has no extent.
        """
        self.check()
        vertices, middle, half = mesh.normalized(self.vertices, self.faces)
        center = np.asarray(self.center) + self.scale * middle
        return dataclasses.replace(
            self,
            vertices=vertices.astype(np.float32),
            center=(float(center[0]), float(center[1]), float(center[2])),
            scale=self.scale * half,
        )
