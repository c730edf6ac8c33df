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
from versemill.materials.material import SLOTS, Material, Texture
from versemill.materials.sampler import Sampler

Document = dict[str, Any]
Array = NDArray[Any]

VERTEX_INDEX = "_VERTEX_INDEX"
"""Vertex attribute, float32 as glTF demands: the asset's vertex that a split vertex came from."""

TRIANGLES = 4
GENERATOR = "versemill "
WRAPS = {"repeat": 10497, "mirror": 33648, "clamp": 33071}
MAGNIFIERS = {"linear": 9729, "nearest": 9728}
MINIFIERS = {"linear": 9987, "nearest": 9986}
"""Always between mip levels; see `Sampler`."""


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
        uvs = asset.uvs[chosen, :, : 2 * asset.materials[material].uv_sets]
        primitive = _write_primitive(out, asset.vertices[used], faces[chosen], uvs, normals[chosen])
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
    names = sorted(out.extensions)
    return out.glb(
        {
            **({"extensionsUsed": names} if names else {}),
            "asset": {"version": "2.0", "generator": f"{GENERATOR}{__version__}"},
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
        self.samplers: dict[tuple[int, int, int, int], int] = {}
        self.textures: dict[tuple[int, int], int] = {}
        self.extensions: set[str] = set()

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

    def texture(self, texels: Texture, sampler: Sampler, encoding: str) -> Document:
        """A texture reference; equal images, samplers and pairs of them are stored once."""
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
        key = (MAGNIFIERS[sampler.magnify], MINIFIERS[sampler.minify], WRAPS[sampler.wrap_s], WRAPS[sampler.wrap_t])
        pair = self.image_of[data], self.samplers.setdefault(key, len(self.samplers))
        place = {"texCoord": sampler.uv_set} if sampler.uv_set else {}
        return {"index": self.textures.setdefault(pair, len(self.textures)), **place}

    def glb(self, document: Document) -> bytes:
        document |= {
            "buffers": [{"byteLength": len(self.binary)}],
            "bufferViews": self.views,
            "accessors": self.accessors,
        }
        if self.images:
            document |= {
                "images": self.images,
                "textures": [{"source": source, "sampler": sampler} for source, sampler in self.textures],
                "samplers": [
                    dict(zip(("magFilter", "minFilter", "wrapS", "wrapT"), key, strict=True)) for key in self.samplers
                ],
            }
        text = canonical_json(document).encode()
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + len(self.binary)
        head = struct.pack("<4sII", b"glTF", 2, total) + struct.pack("<I4s", len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(self.binary), b"BIN\0") + bytes(self.binary)


def _write_primitive(out: _Writer, vertices: Array, faces: Array, uvs: Array, normals: Array) -> Document:
    """One primitive: corners that agree in vertex, UV and normal become one glTF vertex."""
    width = uvs.shape[-1]
    corner = np.empty((3 * len(faces), 4 + width), np.float32)
    corner[:, 0] = faces.reshape(-1)
    corner[:, 1 : 1 + width] = uvs.reshape(-1, width)
    corner[:, 1 + width :] = normals.reshape(-1, 3)
    first, inverse = distinct(corner)
    kept = corner[first]
    attributes = {
        "POSITION": out.accessor(_y_up(vertices[faces.reshape(-1)[first]]), 34962, bounds=True),
        "NORMAL": out.accessor(_y_up(kept[:, 1 + width :]), 34962),
    }
    for k in range(width // 2):
        flipped = np.stack([kept[:, 1 + 2 * k], np.float32(1) - kept[:, 2 + 2 * k]], 1)
        attributes[f"TEXCOORD_{k}"] = out.accessor(flipped, 34962)
    attributes[VERTEX_INDEX] = out.accessor(kept[:, 0].copy(), 34962)
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
    references = {
        slot: out.texture(texels, material.sampler(slot), encoding)
        for slot in SLOTS
        if (texels := material.texture(slot)) is not None
    }
    for slot, owner, key in (
        ("base_color", surface, "baseColorTexture"),
        ("metallic_roughness", surface, "metallicRoughnessTexture"),
        ("normal", entry, "normalTexture"),
        ("emissive", entry, "emissiveTexture"),
    ):
        if slot in references:
            owner[key] = references[slot]
    extensions: Document = {}
    peak = max(material.emissive)
    if peak > 0:
        # glTF's factor ends at 1; what is brighter is a strength.
        entry["emissiveFactor"] = [float(c) / max(peak, 1.0) for c in material.emissive]
        if peak > 1:
            extensions["KHR_materials_emissive_strength"] = {"emissiveStrength": float(peak)}
    if material.unlit:
        extensions["KHR_materials_unlit"] = {}
    if extensions:
        entry["extensions"] = extensions
        out.extensions |= set(extensions)
    return entry
