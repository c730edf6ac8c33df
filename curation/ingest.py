"""Ingestion: a foreign mesh file becomes an `Asset`, or is rejected with a reason."""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.asset import Asset
from versemill.config import canonical_json
from versemill.curation import blender
from versemill.curation.config import LoadLimits
from versemill.curation.formats import READERS, Soup
from versemill.curation.gltf_check import check_gltf
from versemill.curation.place import Place
from versemill.errors import AssetError, VersemillError
from versemill.gltf import from_glb
from versemill.materials.material import clay_for_plain
from versemill.materials.uv_sets import lay_out
from versemill.materials.vertex_colors import paint
from versemill.mesh import face_normals, normalized

SUFFIXES = (".glb", ".gltf", *READERS, *blender.SUFFIXES)
TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Turns a Y-up world into a Z-up one: what looked along +Z looks along -Y."""

DEFAULT_LIMITS = LoadLimits()
MOST_SCALE = 1e30
"""Half a longest side that is believed: squares of it are finite."""

MOST_CHARACTERS = 200
"""Of a name in a foreign file."""


def load(path: Path, limits: LoadLimits = DEFAULT_LIMITS, root: Path | None = None) -> Asset:
    """Reads GLB, glTF, OBJ (with its MTL and textures), PLY, STL or OFF, and through Blender FBX and USD.

    Scene transforms are baked at rest (frame 0), polygons triangulated, exactly equal positions shared, authored UVs, normals
    and materials kept, the up axis turned to Z and the whole normalised in float64; `provenance` holds the file's name and
    SHA-256, what was left out ("dropped", "textures_left_out") and which textures were not where the file says
    ("textures_elsewhere"). glTF is always Y up. By default OBJ is Y up, and PLY, STL and OFF are Z up; `limits.up` overrides
    this. FBX and USD name their own axes.
    An OBJ that has UVs but names no material takes the PNG or JPEG next to it that begins with its own name, if there is
    exactly one. Vertex and face colours become a texture of materials that have none.

    Args:
        root: the folder that must contain the file and all files that it names, links followed; None is the file's own.

    Raises:
        AssetError: "bad_name", "missing_file", "unsupported_format", "too_large", "truncated", "unreadable", "broken_file",
            "empty", "not_finite", "bad_index", "no_extent", "unsafe_path", "bad_image", "image_too_large", "missing_buffer",
            "bad_accessor", "node_cycle", "unsupported_extension", "needs_blender", "blender_timeout" or "blender_crashed".
    """
    path = Path(path)
    suffix = path.suffix.lower()
    shown = os.fsencode(path.name).decode(errors="backslashreplace")
    if shown != path.name:
        raise AssetError("bad_name", f"the name {shown} is not UTF-8; rename the file")
    if suffix not in SUFFIXES:
        raise AssetError("unsupported_format", f"{path.name}: only {', '.join(SUFFIXES)} are read")
    place = Place(path, None if root is None else Path(root), limits.max_bytes)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers are refused, not warned of
            return settled(_loaded(path, suffix, place, limits), path.stem)
    except VersemillError:
        raise
    except MemoryError as error:
        raise AssetError("too_large", f"{path.name} does not fit into memory") from error
    except Exception as error:
        # Parsers of foreign files raise anything at all; each is a refusal of this one file.
        raise AssetError("broken_file", f"{path.name} can't be read: {type(error).__name__}: {error}") from error


def _loaded(path: Path, suffix: str, place: Place, limits: LoadLimits) -> Asset:
    data = place.read(path)
    history: dict[str, Any] = {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    if suffix in READERS:
        up = limits.up if limits.up != "auto" else "y" if suffix == ".obj" else "z"
        asset = _build(path.name, READERS[suffix](data, place, limits), up)
    else:
        if suffix in blender.SUFFIXES:
            data, about = blender.to_glb(path, limits, place.roots[0])
            history |= about
        check_gltf(path.name, data, place, limits)
        asset = from_glb(
            data,
            lambda uri: place.read_named(uri, "bad_image"),
            normalized=True,
            max_texture_side=limits.max_texture_side,
            trusted=False,
        )
    return dataclasses.replace(asset, provenance={**asset.provenance, **history})


def settled(asset: Asset, stem: str) -> Asset:
    """A foreign asset whose texts can be written and whose numbers are finite; its licence is unknown, its caption its name.

    Raises:
        AssetError: "not_finite": a material, the place in its source, or the history holds NaN or infinity.
    """
    for material in asset.materials:
        numbers = (*material.base_color, *material.emissive, material.metallic, material.roughness, material.alpha_cutoff)
        if not np.isfinite(numbers).all():
            raise AssetError("not_finite", f"material '{_text(material.name)}' holds NaN or infinity")
    if not np.isfinite((*asset.center, asset.scale)).all() or not 0 < asset.scale < MOST_SCALE:
        raise AssetError("not_finite", f"its longest side is {2 * asset.scale:g} at {asset.center}; scale it to a usual size")
    try:
        canonical_json(asset.provenance)
    except ValueError as error:
        raise AssetError("not_finite", f"its history can't be written: {error}") from error
    return dataclasses.replace(
        asset,
        caption=_text(f"A model named {stem.replace('_', ' ').replace('-', ' ')}."),
        materials=tuple(dataclasses.replace(m, name=_text(m.name), licence="unknown") for m in clay_for_plain(asset.materials)),
        part_names=tuple(_text(name) for name in asset.part_names),
    )


def _text(text: str) -> str:
    """A name as it can be written: lone surrogates as escapes, and not endless."""
    return text[:MOST_CHARACTERS].encode(errors="backslashreplace").decode()


def _build(name: str, soup: Soup, up: str) -> Asset:
    """Turned to Z up, normalised in float64 (far-off origins cost no precision), equal positions merged."""
    turn = TO_Z_UP if up == "y" else np.eye(3)
    points, middle, half = normalized(soup.vertices @ turn.T, soup.faces)
    vertices, faces = merge_equal(points.astype(np.float32), soup.faces)
    count = len(faces)
    material_ids = np.zeros(count, np.int32) if soup.material_ids is None else soup.material_ids.astype(np.int32)
    uvs = lay_out({} if soup.uvs is None else {0: soup.uvs}, material_ids, soup.placements, count)
    if not np.isfinite(uvs).all():
        raise AssetError("not_finite", f"UVs of {name} hold NaN or infinity")
    materials, whole = soup.materials, True
    if soup.colors is not None:
        uvs, materials, whole = paint(vertices, faces, uvs, material_ids, materials, soup.colors, np.ones(count, bool))
    notes = dict(soup.notes)
    if not whole:
        notes["dropped"] = sorted([*notes.get("dropped", []), "vertex colours of textured materials"])
    return Asset(
        vertices=vertices,
        faces=faces,
        uvs=uvs,
        material_ids=material_ids,
        part_ids=np.zeros(count, np.int32) if soup.part_ids is None else soup.part_ids.astype(np.int32),
        materials=materials,
        provenance=notes,
        part_names=soup.part_names or (Path(name).stem,),
        normals=None if soup.normals is None else _unit_normals(soup.normals @ turn.T, points, soup.faces),
        center=(float(middle[0]), float(middle[1]), float(middle[2])),
        scale=half,
    )


def _unit_normals(normals: NDArray[np.float64], points: NDArray[np.float64], faces: NDArray[Any]) -> NDArray[np.float32] | None:
    """(F, 3, 3) unit normals, the face's own where the file has none; None where the file's are broken: computed ones are
    better."""
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    if not np.isfinite(length).all() or not (length > 1e-8).any():
        return None
    own = face_normals(points, faces)[:, None]
    return np.where(length > 1e-8, normals / np.maximum(length, 1e-300), own).astype(np.float32)


def merge_equal(vertices: NDArray[np.float32], faces: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Shares exactly equal positions and drops unreferenced ones; order of first appearance is kept."""
    used, local = np.unique(faces, return_inverse=True)
    kept = vertices[used] + np.float32(0)  # -0.0 becomes 0.0
    rows = np.ascontiguousarray(kept).view(np.dtype((np.void, 12))).reshape(-1)
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(first), np.int32)
    rank[order] = np.arange(len(first), dtype=np.int32)
    return kept[first[order]], rank[inverse][local].reshape(-1, 3).astype(np.int32)
