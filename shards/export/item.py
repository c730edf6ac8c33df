"""One asset on its way out: its row, decoded when asked, and the small file formats that exporters share."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.asset import Asset
from versemill.camera import Camera, invert_pose, to_opengl
from versemill.errors import ConfigError
from versemill.fields import Fields
from versemill.files import written_aside
from versemill.gltf import from_glb
from versemill.shards.rows import decode_cameras, decode_fields, decode_mesh, decode_pass

Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""World (Z up) to glTF's axes (Y up): (x, y, z) -> (x, z, -y)."""


@dataclass(frozen=True)
class Item:
    """One row, as nested dictionaries with the columns that the exporter named."""

    row: dict[str, Any]

    @property
    def id(self) -> str:
        """The asset's id: unique, without dots or slashes."""
        return self.row["meta"]["id"]

    @property
    def meta(self) -> dict[str, Any]:
        """The `meta` group, with its JSON texts parsed."""
        meta = dict(self.row["meta"])
        return {k: json.loads(v) if k in ("provenance", "metrics", "methods") else v for k, v in meta.items()}

    @property
    def views(self) -> dict[str, Any]:
        """The `views` group as stored. Raises ConfigError where the row has none."""
        if self.row["views"] is None:
            raise ConfigError(f"asset {self.id} has no views, which this format needs; render them first")
        return self.row["views"]

    @cached_property
    def cameras(self) -> tuple[Camera, ...]:
        """All cameras; ConfigError when one is orthographic, which no pinhole format can say."""
        cameras = decode_cameras(self.views)
        if any(c.orthographic for c in cameras):
            raise ConfigError(f"asset {self.id} has orthographic views; this format knows pinhole cameras only")
        return cameras

    def count(self, least: int, reader: str) -> int:
        """Number of views; ConfigError when the reader needs more."""
        if len(self.cameras) < least:
            raise ConfigError(
                f"asset {self.id} has {len(self.cameras)} views, but {reader} reads {least}; "
                f"make the dataset with --set render.cameras.views={least}"
            )
        return len(self.cameras)

    @cached_property
    def K(self) -> NDArray[np.float64]:
        """The one K (3, 3) of all views; ConfigError when they differ."""
        first = self.cameras[0].K
        if any(not np.array_equal(c.K, first) for c in self.cameras):
            raise ConfigError(f"the views of asset {self.id} differ in their intrinsics; this format has room for one K")
        return first

    def images(self, name: str) -> NDArray[Any]:
        """(V, H, W[, C]) of one pass. Raises ConfigError where it was not rendered."""
        if self.views[name] is None:
            raise ConfigError(f"asset {self.id} has no pass '{name}', which this format needs; add it to render.passes")
        images = decode_pass(name, self.views[name], self.views.get(f"{name}_range"))
        return np.moveaxis(images, 1, -1) if images.ndim == 4 else images

    def has(self, name: str) -> bool:
        """Whether the pass was rendered."""
        return self.views.get(name) is not None

    @cached_property
    def fields(self) -> Fields:
        """The field samples; ConfigError where there are none."""
        if self.row["fields"] is None:
            raise ConfigError(f"asset {self.id} has no fields, which this format needs; sample them first")
        return decode_fields(self.row["fields"])

    @cached_property
    def asset(self) -> Asset:
        """The textured mesh that the views show, with its parts and materials."""
        return from_glb(self.row["mesh"]["glb"])

    @cached_property
    def watertight(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Vertices (n, 3) and faces (m, 3) of the closed surface."""
        return decode_mesh(self.row["mesh"])


def w2c_opengl(camera: Camera, scale: float = 1.0) -> NDArray[np.float64]:
    """(4, 4) world to OpenGL camera axes, of a world scaled by `scale`."""
    return invert_pose(c2w_opengl(camera, scale))


def c2w_opengl(camera: Camera, scale: float = 1.0) -> NDArray[np.float64]:
    """(4, 4) OpenGL camera axes to the Z-up world scaled by `scale`."""
    pose = to_opengl(camera.c2w)
    pose[:3, 3] *= scale
    return pose


def angle_x(camera: Camera) -> float:
    """Horizontal field of view in radians."""
    return 2 * float(np.arctan(camera.width / (2 * camera.K[0, 0])))


def png(image: NDArray[Any]) -> bytes:
    """PNG bytes of (H, W) uint8 or uint16, or (H, W, 3 or 4) uint8."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG", compress_level=1)
    return out.getvalue()


def rgba(cell: bytes) -> NDArray[np.uint8]:
    """(H, W, 4) straight-alpha image of an `rgb` cell."""
    return np.ascontiguousarray(np.moveaxis(decode_pass("rgb", [cell])[0], 0, -1))


def opaque(image: NDArray[np.uint8], background: int = 255) -> NDArray[np.uint8]:
    """(H, W, 3): straight RGBA laid over a grey, in sRGB as image viewers do."""
    alpha = image[..., 3:].astype(np.float32) / 255
    return np.rint(image[..., :3] * alpha + background * (1 - alpha)).astype(np.uint8)


def text(value: Any) -> bytes:
    """Readable JSON with keys in the order given; refuses NaN."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def save(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        aside.write_bytes(data)


def npy(array: NDArray[Any]) -> bytes:
    """NPY bytes of an array, without pickles."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    """NPZ bytes: uncompressed, in the order given; numpy writes no clock into them."""
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def obj(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> bytes:
    """Wavefront OBJ text of a triangle mesh, positions with 9 digits (float32 exactly)."""
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces.astype(np.int64) + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()


def y_up(array: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, 3) points, or (n, 6) points and normals, from the Z-up world into glTF's axes."""
    parts = np.split(array.astype(np.float64), array.shape[1] // 3, axis=1)
    return np.concatenate([part @ Y_UP.T for part in parts], axis=1).astype(np.float32)


def listing(entries: Sequence[dict[str, Any]]) -> list[str]:
    """The ids of exported assets, in order."""
    return [entry["id"] for entry in entries]
