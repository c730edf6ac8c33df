"""Reading a GLB or .gltf: our own exactly, others as an indexed asset."""

import dataclasses
import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill import mesh
from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.gltf.document import Reader, natural
from versemill.gltf.geometry import Piece, pieces
from versemill.gltf.surfaces import read_material
from versemill.gltf.write import GENERATOR
from versemill.materials.material import Material
from versemill.materials.uv_sets import Placement, lay_out
from versemill.materials.vertex_colors import paint

Document = dict[str, Any]
Array = NDArray[Any]

_DAMAGE = (
    LookupError, ValueError, TypeError, AttributeError, ArithmeticError, struct.error, OSError, RecursionError, MemoryError,
)  # fmt: skip

SAID_CHARACTERS = 4000
"""Of what a foreign file says of itself."""


def from_glb(
    data: bytes,
    resolve: Callable[[str], bytes] | None = None,
    *,
    normalized: bool = False,
    max_texture_side: int | None = None,
    trusted: bool = True,
) -> Asset:
    """Decodes a GLB, or the JSON text of a .gltf, into an asset in the file's own units.

    Of our own files everything comes back. Of others, and of ours once another program has edited them: every triangle of
    the scene at rest (node transforms, instances, skins and morph weights applied), positions that are exactly equal within
    a node merged into one, one part per node or instance, and the materials that are used; each place that a material's
    textures lie at is a UV set. Vertex colours become a texture of materials that have none. What an asset can't hold
    (`versemill.gltf.extensions`, animation, ...) is listed in `provenance["dropped"]`.

    Args:
        resolve: bytes of a relative URI, for a .gltf with files next to it.
        normalized: answer what `Asset.normalized` makes of it, computed from the file's positions in float64: an object far
            from its origin loses nothing.
        max_texture_side: pixels; larger images are refused before they are decoded.
        trusted: whether a file of ours is believed what it says of its caption, tags, seed, place in its source and history.
            Where not, that is kept as `provenance["said_by_file"]`, and a licence that any file names is "unknown".

    Raises:
        AssetError: reason "broken_file" (truncated or not glTF), "unsupported_extension" (one that is required, or a
            compression whose decoder is not here), "bad_image", "image_too_large", "empty", "not_finite", "no_extent" or
            "bad_index".
    """
    try:
        reader = Reader(data, resolve, max_texture_side)
        for key in ("animations", "cameras"):
            if reader.document.get(key):
                reader.dropped.add(key)
        asset = _own(reader, trusted) or _foreign(reader, normalized)
    except _DAMAGE as error:
        raise AssetError("broken_file", f"not a readable glTF file: {type(error).__name__}: {error}") from error
    asset.check()
    asset = asset if trusted else _distrusted(asset, reader.document)
    return asset.normalized() if normalized else asset


def _own(reader: Reader, trusted: bool) -> Asset | None:
    """An asset that `to_glb` wrote; None where it did not, or where the file was edited since."""
    document = reader.document
    if not str(document["asset"].get("generator", "")).startswith(GENERATOR):
        return None
    if any(key in node for node in document.get("nodes", []) for key in ("matrix", "translation", "rotation", "scale")):
        return None
    try:
        scene = document["scenes"][natural(document["scene"])]
        own: Document = scene["extras"]["versemill"]
        all_pieces, part_names = pieces(reader, keep_empty=True)
        joined = _joined(all_pieces)
        position, faces = _restored(joined["position"], joined["faces"], np.concatenate([piece.index for piece in all_pieces]))
        order: Any = slice(None)
        if "face_order" in own:
            order = np.argsort(reader.accessor(own["face_order"]))
            if len(order) != len(faces):
                return None
        history, authored = _history(own) if trusted else {}, bool(own["normals"])
    except _DAMAGE:
        return None
    materials, uvs = _surfaces(reader, document.get("materials", []), joined)
    normals = _filled(joined["normals"], position, faces)[order] if authored else None
    return Asset(
        vertices=position.astype(np.float32),
        faces=faces[order].astype(np.int32),
        uvs=uvs[order],
        material_ids=joined["material_ids"][order].astype(np.int32),
        part_ids=joined["part_ids"][order].astype(np.int32),
        materials=tuple(materials),
        part_names=part_names,
        normals=normals,
        **history,
    )


def _distrusted(asset: Asset, document: Document) -> Asset:
    """The asset with all that its file says of itself set apart from what is known."""
    said: Document = {}
    scenes = document.get("scenes")
    extras = [scene.get("extras") for scene in scenes if isinstance(scene, dict)] if isinstance(scenes, list) else []
    for own in (e["versemill"] for e in extras if isinstance(e, dict) and isinstance(e.get("versemill"), dict)):
        said |= {key: own[key] for key in ("caption", "tags", "source", "center", "scale", "provenance") if key in own}
    if document["asset"].get("copyright"):
        said["copyright"] = document["asset"]["copyright"]
    licences = sorted({material.licence for material in asset.materials} - {"unknown", Material().licence})
    said |= {"licences": licences} if licences else {}
    materials = tuple(dataclasses.replace(material, source="file", licence="unknown") for material in asset.materials)
    text = json.dumps(said, default=str)
    kept = said if len(text) <= SAID_CHARACTERS else {"text": text[:SAID_CHARACTERS]}
    return dataclasses.replace(
        asset, materials=materials, provenance={**asset.provenance, **({"said_by_file": kept} if said else {})}
    )


def _foreign(reader: Reader, normalized: bool) -> Asset:
    all_pieces, part_names = pieces(reader, keep_empty=False)
    if not all_pieces:
        raise AssetError("empty", "the file has no triangles")
    joined = _joined(all_pieces)
    used, local = np.unique(joined["material_ids"], return_inverse=True)
    joined["material_ids"] = local
    entries = [reader.document["materials"][k] if k >= 0 else None for k in used]
    materials, uvs = _surfaces(reader, entries, joined)
    position, faces = _merged(joined["position"], joined["faces"], joined["vertex_parts"])
    if not np.isfinite(position).all():
        bad = int((~np.isfinite(position)).any(1).sum())
        raise AssetError("not_finite", f"{bad} of {len(position)} vertices hold NaN or infinity")
    middle, half = np.zeros(3), 1.0
    normals = _filled(joined["normals"], position, faces) if joined["normals"].any() else None
    if normalized:
        position, middle, half = mesh.normalized(position, faces)
    uvs, painted, whole = _painted(position, faces, uvs, joined, materials)
    if not whole:
        reader.dropped.add("vertex colours of textured materials")
    return Asset(
        vertices=position.astype(np.float32),
        faces=faces.astype(np.int32),
        uvs=uvs,
        material_ids=local.astype(np.int32),
        part_ids=joined["part_ids"].astype(np.int32),
        materials=painted,
        part_names=part_names,
        normals=normals,
        center=(float(middle[0]), float(middle[1]), float(middle[2])),
        scale=half,
        provenance={"dropped": sorted(reader.dropped)} if reader.dropped else {},
    )


def _joined(all_pieces: Sequence[Piece]) -> Document:
    """The arrays of all pieces, one after the other; a face without a material has -1."""
    if not all_pieces:
        raise AssetError("empty", "the file has no triangles")
    counts = [len(piece.faces) for piece in all_pieces]
    starts = np.cumsum([0] + [len(piece.position) for piece in all_pieces])
    channels = {k: np.zeros((sum(counts), 3, 2), np.float32) for piece in all_pieces for k in piece.uvs}
    for k, uv in channels.items():
        blank = [np.zeros((count, 3, 2), np.float32) for count in counts]
        uv[:] = np.concatenate([piece.uvs.get(k, zeros) for piece, zeros in zip(all_pieces, blank, strict=True)])
    return {
        "position": np.concatenate([piece.position for piece in all_pieces]),
        "faces": np.concatenate([piece.faces + start for piece, start in zip(all_pieces, starts, strict=False)]),
        "channels": channels,
        "normals": np.concatenate([piece.normals for piece in all_pieces]),
        "material_ids": np.repeat([-1 if p.material is None else p.material for p in all_pieces], counts),
        "part_ids": np.repeat([piece.part for piece in all_pieces], counts),
        "vertex_parts": np.repeat([piece.part for piece in all_pieces], np.diff(starts)),
        "colors": [piece.colors for piece in all_pieces],
        "counts": counts,
    }


def _surfaces(
    reader: Reader, entries: Sequence[Document | None], joined: Document
) -> tuple[list[Material], NDArray[np.float32]]:
    """The materials of these entries, a plain one for None, and the UV sets that their textures need."""
    materials: list[Material] = []
    sets: list[tuple[Placement, ...]] = []
    for entry in entries:
        material, placements = (Material(), ()) if entry is None else read_material(reader, entry)
        materials.append(material)
        sets.append(placements)
    return materials, lay_out(joined["channels"], joined["material_ids"], sets, len(joined["faces"]))


def _painted(
    position: Array, faces: Array, uvs: NDArray[np.float32], joined: Document, materials: list[Material]
) -> tuple[NDArray[np.float32], tuple[Material, ...], bool]:
    """Vertex colours, which glTF holds linear, as textures of the materials that have none."""
    pairs = list(zip(joined["colors"], joined["counts"], strict=True))
    if all(colors is None for colors, _ in pairs):
        return uvs, tuple(materials), True
    colors = np.concatenate([np.full((n, 3, 4), 255, np.uint8) if c is None else c for c, n in pairs])
    colored = np.repeat([c is not None for c, _ in pairs], joined["counts"])
    return paint(position, faces, uvs, joined["material_ids"], materials, colors, colored)


def _history(own: Document) -> Document:
    """The fields of an own asset that are not geometry."""
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


def _restored(position: Array, faces: Array, index: Array) -> tuple[Array, Array]:
    """Undoes the splitting of our own files by `_VERTEX_INDEX`.

    Raises:
        ValueError: the indices don't fit the positions.
    """
    if index.min() < 0 or index.max() >= len(index):
        raise ValueError(f"vertex indices span [{index.min()}, {index.max()}] for {len(index)} vertices")
    vertices = np.full((index.max() + 1, 3), np.nan)
    vertices[index] = position
    if not np.array_equal(vertices[index], position):
        raise ValueError("one vertex index stands at different positions")
    return vertices, index[faces]


def _merged(position: Array, faces: Array, part: Array) -> tuple[Array, Array]:
    """Merges vertices of one part at exactly equal positions (-0 equals 0); drops what no face uses."""
    rows = np.ascontiguousarray(np.column_stack([position + 0.0, part.astype(np.float64)]))
    _, first, inverse = np.unique(rows.view(np.dtype((np.void, 32)))[:, 0], return_index=True, return_inverse=True)
    used, compact = np.unique(first[inverse][faces], return_inverse=True)
    return position[used], compact.reshape(-1, 3)


def _filled(normals: Array, vertices: Array, faces: Array) -> Array:
    """Unit normals per corner; where a file has none, the face's own."""
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    own = mesh.face_normals(vertices, faces)[:, None].astype(np.float32)
    unit = np.where(np.abs(length - 1) < 1e-3, normals, normals / np.maximum(length, np.float32(1e-30)))
    return np.where(length > 1e-6, unit, own).astype(np.float32)
