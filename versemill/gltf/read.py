"""Reading a GLB or .gltf: our own back exactly, anybody's as an indexed asset."""

import dataclasses
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill import mesh
from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.gltf.document import Reader, natural
from versemill.gltf.write import TRIANGLES, VERTEX_INDEX, distinct
from versemill.materials.material import Material
from versemill.materials.vertex_colors import from_linear, paint

Document = dict[str, Any]
Array = NDArray[Any]

_STRIP, _FAN = 5, 6


def from_glb(data: bytes, resolve: Callable[[str], bytes] | None = None) -> Asset:
    """Decodes a GLB, or the JSON text of a .gltf, into an asset in the file's own units (see `Asset.normalized`).

    Of our own files everything comes back. Of anybody's: every triangle of the scene with node transforms applied,
    positions that are exactly equal within a node merged into one, one part per node, and the materials; vertex colours
    become a texture of materials that have none. What an asset can't hold (vertex colours over a texture, skins,
    animation, ...) is listed in `provenance["gltf"]["dropped"]`.

    Args:
        resolve: bytes of a relative URI, for a .gltf with files beside it.

    Raises:
        AssetError: reason "broken_file" (truncated or not glTF), "unsupported_extension" (compressed geometry or
            textures), "empty", "not_finite" or "bad_index".
    """
    try:
        return _read(data, resolve)
    except (LookupError, ValueError, TypeError, AttributeError, struct.error, OSError, RecursionError, MemoryError) as error:
        raise AssetError("broken_file", f"not a readable glTF file: {type(error).__name__}: {error}") from error
    except Image.DecompressionBombError as error:
        raise AssetError("broken_file", f"a texture is too large to decode: {error}") from error


@dataclass(frozen=True, eq=False)
class _Piece:
    """One primitive in place: positions (N, 3) Z up, faces (F, 3), and per corner UVs, normals (0 where it has none), and
    colours (F, 3, 4) uint8 or None."""

    position: Array
    faces: Array
    uvs: Array
    normals: Array
    colors: Array | None
    index: Array | None
    material: int | None
    part: int


def _read(data: bytes, resolve: Callable[[str], bytes] | None) -> Asset:
    reader = Reader(data, resolve)
    document = reader.document
    scene = document.get("scenes", [{}])[natural(document.get("scene", 0))]
    own: Document | None = (scene.get("extras") or {}).get("versemill")
    for key in ("skins", "animations", "cameras"):
        if document.get(key):
            reader.dropped.add(key)
    materials = [_read_material(reader, entry) for entry in document.get("materials", [])]
    pieces, part_names = _pieces(reader, keep_empty=own is not None)
    if not pieces:
        raise AssetError("empty", "the file has no triangles")
    if any(piece.material is None for piece in pieces):
        materials.append(Material())

    counts = [len(piece.faces) for piece in pieces]
    starts = np.cumsum([0] + [len(piece.position) for piece in pieces])
    faces = np.concatenate([piece.faces + start for piece, start in zip(pieces, starts, strict=False)])
    position = np.concatenate([piece.position for piece in pieces])
    uvs = np.concatenate([piece.uvs for piece in pieces])
    normals = np.concatenate([piece.normals for piece in pieces])
    material_ids = np.repeat([len(materials) - 1 if p.material is None else p.material for p in pieces], counts)
    part_ids = np.repeat([piece.part for piece in pieces], counts)

    index = [piece.index for piece in pieces if piece.index is not None]
    untouched = own is not None and len(index) == len(pieces)
    if untouched:
        position, faces = _restored(position, faces, np.concatenate(index))
    else:
        position, faces = _merged(position, faces, np.repeat([p.part for p in pieces], np.diff(starts)))
    order: Any = slice(None)
    if own is not None and untouched and "face_order" in own:
        order = np.argsort(reader.accessor(own["face_order"]))
    stored = own["normals"] if own is not None else normals.any()
    asset = Asset(
        vertices=position.astype(np.float32),
        faces=faces[order].astype(np.int32),
        uvs=uvs[order].astype(np.float32),
        material_ids=material_ids[order].astype(np.int32),
        part_ids=part_ids[order].astype(np.int32),
        materials=tuple(materials),
        part_names=part_names,
        normals=_filled(normals, position, faces)[order] if stored else None,
        **_history(own, reader),
    )
    asset.check()
    return asset if untouched else _painted(asset, pieces, reader)


def _painted(asset: Asset, pieces: list[_Piece], reader: Reader) -> Asset:
    """The asset with its vertex colours, which glTF holds linear, as textures."""
    if all(piece.colors is None for piece in pieces):
        return asset
    colors = [np.full((*p.faces.shape, 4), 255, np.uint8) if p.colors is None else p.colors for p in pieces]
    colored = np.repeat([p.colors is not None for p in pieces], [len(p.faces) for p in pieces])
    a = asset
    uvs, materials, whole = paint(a.vertices, a.faces, a.uvs, a.material_ids, a.materials, np.concatenate(colors), colored)
    if not whole:
        reader.dropped.add("vertex colours of textured materials")
    return dataclasses.replace(asset, uvs=uvs, materials=materials, **_history(None, reader))


def _pieces(reader: Reader, keep_empty: bool) -> tuple[list[_Piece], tuple[str, ...]]:
    """All primitives with triangles and the names of the parts: nodes with a mesh, or with `keep_empty` all nodes."""
    pieces: list[_Piece] = []
    names: list[str] = []
    for node, matrix in reader.instances():
        if "mesh" not in node and not keep_empty:
            continue
        entry = reader.document["meshes"][natural(node["mesh"])] if "mesh" in node else {"primitives": []}
        names.append(str(node.get("name", entry.get("name", f"part {len(names)}"))))
        for primitive in entry["primitives"]:
            corners = _corners(reader, primitive)
            if corners is not None:
                pieces.append(_read_primitive(reader, primitive, corners, matrix, len(names) - 1))
    return pieces, tuple(names)


def _z_up(vectors: Array) -> Array:
    return np.stack([vectors[..., 0], -vectors[..., 2], vectors[..., 1]], -1)


def _history(own: Document | None, reader: Reader) -> Document:
    """The asset's fields that are not geometry."""
    if own is None:
        dropped = {"gltf": {"dropped": sorted(reader.dropped)}} if reader.dropped else {}
        return {"provenance": dropped}
    x, y, z = (float(c) for c in own["center"])
    return {
        "caption": str(own["caption"]),
        "tags": tuple(str(tag) for tag in own["tags"]),
        "seed": natural(own["seed"]),
        "index": natural(own["index"]),
        "source": str(own["source"]),
        "center": (x, y, z),
        "scale": float(own["scale"]),
        "provenance": dict(own["provenance"]),
    }


def _corners(reader: Reader, primitive: Document) -> Array | None:
    """(F, 3) indices into the primitive's vertices, or None where it has no triangles."""
    mode = primitive.get("mode", TRIANGLES)
    if mode not in (TRIANGLES, _STRIP, _FAN):
        reader.dropped.add("points and lines")
        return None
    count = natural(reader.document["accessors"][primitive["attributes"]["POSITION"]]["count"])
    flat = reader.accessor(primitive["indices"]).astype(np.int64) if "indices" in primitive else np.arange(count)
    if len(flat) and (flat.min() < 0 or flat.max() >= count):
        raise AssetError("bad_index", f"face indices reach {flat.max()}, vertices are 0..{count - 1}")
    if mode == _STRIP:
        rows = np.stack([flat[:-2], flat[1:-1], flat[2:]], 1)
        rows[1::2] = rows[1::2, [1, 0, 2]]
    elif mode == _FAN:
        rows = np.stack([np.full(max(len(flat) - 2, 0), flat[0]), flat[1:-1], flat[2:]], 1)
    else:
        rows = flat.reshape(-1, 3)
    return rows if len(rows) else None


def _read_primitive(reader: Reader, primitive: Document, corners: Array, matrix: Array, part: int) -> _Piece:
    attributes = primitive["attributes"]
    for name in attributes:
        if name.startswith("JOINTS_") or (name.startswith("COLOR_") and name != "COLOR_0"):
            reader.dropped.add("vertex colours" if name.startswith("COLOR_") else "skins")
    if "targets" in primitive:
        reader.dropped.add("morph targets")
    position = reader.accessor(attributes["POSITION"]).astype(np.float64).reshape(-1, 3)
    exact = bool((matrix == np.eye(4)).all())
    if not exact:
        position = position @ matrix[:3, :3].T + matrix[:3, 3]
    uv = np.zeros((*corners.shape, 2), np.float32)
    channel, placed = _uv_source(reader, primitive)
    if f"TEXCOORD_{channel}" in attributes:
        raw = placed(reader.accessor(attributes[f"TEXCOORD_{channel}"]).astype(np.float32).reshape(-1, 2))
        uv = np.stack([raw[:, 0], np.float32(1) - raw[:, 1]], 1)[corners]
    normal = np.zeros((*corners.shape, 3), np.float32)
    if "NORMAL" in attributes:
        vectors = reader.accessor(attributes["NORMAL"])
        if not exact:
            # Normals go with the cofactors of the linear part: its inverse transpose but for the scale, whose sign stays.
            vectors = vectors.astype(np.float64) @ _cofactors(matrix[:3, :3]).T
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
            vectors *= np.sign(np.linalg.det(matrix[:3, :3])) or 1.0
        normal = _z_up(vectors.astype(np.float32))[corners]
    colors = None
    if "COLOR_0" in attributes:
        colors = from_linear(reader.accessor(attributes["COLOR_0"]))[corners]
    if np.linalg.det(matrix[:3, :3]) < 0:
        # A mirrored node turns its triangles around.
        corners, uv, normal = corners[:, ::-1], uv[:, ::-1], normal[:, ::-1]
        colors = None if colors is None else colors[:, ::-1]
    index = reader.accessor(attributes[VERTEX_INDEX]).astype(np.int64) if VERTEX_INDEX in attributes else None
    material = natural(primitive["material"]) if "material" in primitive else None
    return _Piece(_z_up(position), corners, uv, normal, colors, index, material, part)


def _cofactors(linear: Array) -> Array:
    a, b, c = linear
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)])


def _uv_source(reader: Reader, primitive: Document) -> tuple[int, Callable[[Array], Array]]:
    """Which TEXCOORD set the base colour reads, and its KHR_texture_transform."""
    entries = reader.document.get("materials", [])
    entry = entries[natural(primitive["material"])] if "material" in primitive else {}
    glossy = entry.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
    surface = entry.get("pbrMetallicRoughness", {})
    info = glossy.get("diffuseTexture") or surface.get("baseColorTexture") or surface.get("metallicRoughnessTexture")
    info = info or entry.get("normalTexture") or {}
    moved = info.get("extensions", {}).get("KHR_texture_transform")
    if not moved:
        return natural(info.get("texCoord", 0)), lambda uv: uv
    angle = float(moved.get("rotation", 0))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = turn * np.asarray(moved.get("scale", (1, 1)), np.float64)
    offset = np.asarray(moved.get("offset", (0, 0)), np.float64)
    channel = natural(moved.get("texCoord", info.get("texCoord", 0)))
    return channel, lambda uv: (uv @ linear.T + offset).astype(np.float32)


def _restored(position: Array, faces: Array, index: Array) -> tuple[Array, Array]:
    """Undoes the splitting of our own files by `_VERTEXVERTEX_INDEX`."""
    if index.min() < 0 or index.max() >= len(index):
        raise ValueError(f"{VERTEX_INDEX} spans [{index.min()}, {index.max()}] for {len(index)} vertices")
    vertices = np.full((index.max() + 1, 3), np.nan)
    vertices[index] = position
    if not np.array_equal(vertices[index], position):
        raise ValueError(f"{VERTEX_INDEX} joins vertices at different positions")
    return vertices, index[faces]


def _merged(position: Array, faces: Array, node: Array) -> tuple[Array, Array]:
    """Merges vertices of one node at exactly equal float32 positions (-0 equals 0); drops what no face uses."""
    rows = np.column_stack([position.astype(np.float32) + np.float32(0), node.astype(np.uint32).view(np.float32)])
    first, inverse = distinct(rows)
    used, compact = np.unique(first[inverse][faces], return_inverse=True)
    return position[used], compact.reshape(-1, 3)


def _filled(normals: Array, vertices: Array, faces: Array) -> Array:
    """Unit normals per corner; where a file has none, the face's own."""
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    own = mesh.face_normals(vertices, faces)[:, None].astype(np.float32)
    unit = np.where(np.abs(length - 1) < 1e-3, normals, normals / np.maximum(length, np.float32(1e-30)))
    return np.where(length > 1e-6, unit, own).astype(np.float32)


def _read_material(reader: Reader, entry: Document) -> Material:
    surface, extensions = dict(entry.get("pbrMetallicRoughness", {})), entry.get("extensions", {})
    glossy = extensions.get("KHR_materials_pbrSpecularGlossiness")
    if glossy is not None:
        reader.dropped.add("specular colours")
        surface = {"metallicFactor": 0.0, "roughnessFactor": 1.0 - float(glossy.get("glossinessFactor", 1.0))}
        surface["baseColorFactor"] = glossy.get("diffuseFactor", (1, 1, 1, 1))
        surface["baseColorTexture"] = glossy.get("diffuseTexture")
    for key in ("emissiveTexture", "occlusionTexture"):
        if key in entry:
            reader.dropped.add(key)
    reader.dropped.update(name for name in extensions if name != "KHR_materials_pbrSpecularGlossiness")
    red, green, blue, alpha = (float(c) for c in surface.get("baseColorFactor", (1, 1, 1, 1)))
    bump = entry.get("normalTexture")
    normal = reader.texture(bump, "RGB")
    if bump is not None and normal is not None and bump.get("scale", 1.0) != 1.0:
        vectors = (normal / np.float32(127.5) - 1) * np.array([bump["scale"], bump["scale"], 1], np.float32)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-6))
        normal = ((vectors * 0.5 + 0.5) * 255 + 0.5).clip(0, 255).astype(np.uint8)
    extras: Document = entry["extras"] if isinstance(entry.get("extras"), dict) else {}
    modes: dict[str, Literal["opaque", "mask", "blend"]] = {"OPAQUE": "opaque", "MASK": "mask", "BLEND": "blend"}
    return Material(
        name=str(entry.get("name", "material")),
        base_color=(red, green, blue, alpha),
        metallic=float(surface.get("metallicFactor", 1.0)),
        roughness=float(surface.get("roughnessFactor", 1.0)),
        base_color_texture=reader.texture(surface.get("baseColorTexture"), "RGBA"),
        metallic_roughness_texture=reader.texture(surface.get("metallicRoughnessTexture"), "RGB"),
        normal_texture=normal,
        alpha_mode=modes[entry.get("alphaMode", "OPAQUE")],
        alpha_cutoff=float(entry.get("alphaCutoff", 0.5)),
        double_sided=bool(entry.get("doubleSided", False)),
        source=str(extras.get("source", "file")),
        licence=str(extras.get("licence", "unknown")),
    )
