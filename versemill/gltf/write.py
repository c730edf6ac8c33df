"""Writing a GLB: split vertices, accessors, embedded images."""

import io
import struct
from typing import Any, Literal
from zlib import Z_RLE

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill import __version__, mesh
from versemill.asset import Asset
from versemill.config import canonical_json
from versemill.errors import AssetError
from versemill.materials.material import Material, Texture

Document = dict[str, Any]
Array = NDArray[Any]

VERTEX_INDEX = "_VERTEX_INDEX"
"""Vertex attribute, float32 as glTF demands: the asset's vertex that a split vertex came from."""

TRIANGLES = 4


def to_glb(asset: Asset, textures: Literal["png", "jpeg"] = "png") -> bytes:
    """Encodes an asset as one GLB with embedded textures: a node per part, a primitive per material of the part.

    Vertices that no face uses are left out. Where the asset has no normals, smooth ones with creases are written, and
    `from_glb` leaves them out again. Caption, tags, seed, index, center, scale and provenance go into the scene's extras.

    Args:
        textures: "png" keeps every texel; "jpeg" is smaller, and keeps PNG for textures with alpha.

    Raises:
        AssetError: the asset fails `Asset.check`, or has more vertices than a float32 index can count (2**24).
    """
    asset.check()
    if len(asset.vertices) > 2**24:
        raise AssetError("too_large", f"a GLB holds at most {2**24} shared vertices here, the asset has {len(asset.vertices)}")
    used, compact = np.unique(asset.faces, return_inverse=True)
    faces = compact.reshape(-1, 3)
    normals = asset.normals
    if normals is None:
        normals = mesh.corner_normals(asset.vertices, asset.faces)
    # A face without area has no normal, but it stays part of the topology; glTF wants unit vectors.
    normals = np.where(np.linalg.norm(normals, axis=-1, keepdims=True) < 0.5, np.array([0, 0, 1], np.float32), normals)

    out = _Writer()
    materials = [_write_material(out, material, textures) for material in asset.materials]
    order = np.lexsort((asset.material_ids, asset.part_ids))
    nodes: list[Document] = [{"name": name, "extras": {"part": part}} for part, name in enumerate(asset.part_names)]
    meshes: list[Document] = []
    pairs = np.stack([asset.part_ids, asset.material_ids], 1)[order]
    starts = np.flatnonzero(np.r_[True, (pairs[1:] != pairs[:-1]).any(1)])
    for start, end in zip(starts, np.r_[starts[1:], len(order)], strict=True):
        part, material = (int(k) for k in pairs[start])
        chosen = order[start:end]
        primitive = _write_primitive(out, asset.vertices[used], faces[chosen], asset.uvs[chosen], normals[chosen])
        if "mesh" not in nodes[part]:
            nodes[part]["mesh"] = len(meshes)
            meshes.append({"name": asset.part_names[part], "primitives": []})
        meshes[-1]["primitives"].append({**primitive, "material": material})
    extras = {
        "caption": asset.caption,
        "tags": list(asset.tags),
        "seed": asset.seed,
        "index": asset.index,
        "source": asset.source,
        "center": list(asset.center),
        "scale": asset.scale,
        "provenance": asset.provenance,
        "normals": asset.normals is not None,
    }
    if (np.diff(order) < 0).any():
        extras["face_order"] = out.accessor(order.astype(np.uint32), None)
    return out.glb(
        {
            "asset": {"version": "2.0", "generator": f"versemill {__version__}"},
            "scene": 0,
            "scenes": [{"nodes": list(range(len(nodes))), "extras": {"versemill": extras}}],
            "nodes": nodes,
            "meshes": meshes,
            "materials": materials,
        }
    )


class _Writer:
    """The binary chunk and the tables that point into it."""

    def __init__(self) -> None:
        self.binary = bytearray()
        self.views: list[Document] = []
        self.accessors: list[Document] = []
        self.images: list[Document] = []
        self.image_of: dict[bytes, int] = {}

    def view(self, data: bytes, **more: Any) -> int:
        self.views.append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data), **more})
        self.binary += data + b"\0" * (-len(data) % 4)
        return len(self.views) - 1

    def accessor(self, array: Array, target: int | None, bounds: bool = False) -> int:
        kinds = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}
        entry: Document = {
            "bufferView": self.view(array.tobytes(), **({"target": target} if target else {})),
            "componentType": 5126 if array.dtype == np.float32 else 5125,
            "count": len(array),
            "type": kinds[1 if array.ndim == 1 else array.shape[1]],
        }
        if bounds:
            entry |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def texture(self, texels: Texture, encoding: str) -> Document:
        """A texture reference; equal images are stored once."""
        opaque = texels.shape[2] == 4 and bool((texels[..., 3] == 255).all())
        pixels = np.ascontiguousarray(texels[..., :3] if opaque else texels)
        buffer = io.BytesIO()
        if encoding == "jpeg" and pixels.shape[2] == 3:
            Image.fromarray(pixels).save(buffer, "JPEG", quality=92, subsampling=0)
            mime = "image/jpeg"
        else:
            # Run lengths alone: a third faster than matching, and for filtered rows of a picture no larger.
            Image.fromarray(pixels).save(buffer, "PNG", compress_level=3, compress_type=Z_RLE)
            mime = "image/png"
        data = buffer.getvalue()
        if data not in self.image_of:
            self.image_of[data] = len(self.images)
            self.images.append({"bufferView": self.view(data), "mimeType": mime})
        return {"index": self.image_of[data]}

    def glb(self, document: Document) -> bytes:
        document |= {
            "buffers": [{"byteLength": len(self.binary)}],
            "bufferViews": self.views,
            "accessors": self.accessors,
        }
        if self.images:
            document |= {
                "images": self.images,
                "textures": [{"source": k, "sampler": 0} for k in range(len(self.images))],
                "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497}],
            }
        text = canonical_json(document).encode()
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + len(self.binary)
        head = struct.pack("<4sII", b"glTF", 2, total) + struct.pack("<I4s", len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(self.binary), b"BIN\0") + bytes(self.binary)


def _write_primitive(out: _Writer, vertices: Array, faces: Array, uvs: Array, normals: Array) -> Document:
    """One primitive: corners that agree in vertex, UV and normal become one glTF vertex."""
    corner = np.empty((3 * len(faces), 6), np.float32)
    corner[:, 0] = faces.reshape(-1)
    corner[:, 1:3] = uvs.reshape(-1, 2)
    corner[:, 3:] = normals.reshape(-1, 3)
    first, inverse = distinct(corner)
    kept = corner[first]
    flipped = np.stack([kept[:, 1], np.float32(1) - kept[:, 2]], 1)
    attributes = {
        "POSITION": out.accessor(_y_up(vertices[faces.reshape(-1)[first]]), 34962, bounds=True),
        "NORMAL": out.accessor(_y_up(kept[:, 3:]), 34962),
        "TEXCOORD_0": out.accessor(flipped, 34962),
        VERTEX_INDEX: out.accessor(kept[:, 0].copy(), 34962),
    }
    return {"attributes": attributes, "indices": out.accessor(inverse.astype(np.uint32), 34963), "mode": TRIANGLES}


def distinct(rows: Array) -> tuple[Array, Array]:
    """First index of each distinct row of (N, C) float32, compared bit for bit, and the (N,) inverse."""
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32).astype(np.int64)
    label = np.zeros(len(bits), np.int64)
    for column in bits.T:
        # Labels stay below 2**31 and columns below 2**32, so that a pair is one int64.
        label = np.unique((label << 32) | column, return_inverse=True)[1]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return first, inverse


def _y_up(vectors: Array) -> Array:
    return np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], 1).astype(np.float32)


def _write_material(out: _Writer, material: Material, encoding: str) -> Document:
    surface: Document = {
        "baseColorFactor": [float(c) for c in material.base_color],
        "metallicFactor": float(material.metallic),
        "roughnessFactor": float(material.roughness),
    }
    entry: Document = {
        "name": material.name,
        "pbrMetallicRoughness": surface,
        "alphaMode": material.alpha_mode.upper(),
        "doubleSided": material.double_sided,
        "extras": {"source": material.source, "licence": material.licence},
    }
    if material.alpha_mode == "mask":
        entry["alphaCutoff"] = float(material.alpha_cutoff)
    if material.base_color_texture is not None:
        surface["baseColorTexture"] = out.texture(material.base_color_texture, encoding)
    if material.metallic_roughness_texture is not None:
        surface["metallicRoughnessTexture"] = out.texture(material.metallic_roughness_texture, encoding)
    if material.normal_texture is not None:
        entry["normalTexture"] = out.texture(material.normal_texture, encoding)
    return entry
