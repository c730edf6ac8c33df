"""Ingestion: one mesh file of somebody else's becomes an `Asset`, or is refused with a reason."""

import dataclasses
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from versemill.curation import blender
from versemill.curation.config import LoadLimits
from versemill.curation.foreign_materials import convert, texture_beside
from versemill.curation.gltf_check import check_counts, check_gltf, resource
from versemill.curation.images import check_image, inside

from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.gltf import from_glb
from versemill.materials.vertex_colors import paint

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off", *blender.SUFFIXES)
TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Turns a Y-up world into a Z-up one: what looked along +Z looks along -Y."""

DEFAULT_LIMITS = LoadLimits()


def load(path: Path, limits: LoadLimits = DEFAULT_LIMITS) -> Asset:
    """Reads GLB, glTF, OBJ (with its MTL and textures), PLY, STL or OFF, and through Blender FBX and USD.

    Scene transforms are baked (frame 0), polygons triangulated, exactly equal positions shared, authored UVs, normals and
    materials kept, the up axis turned to Z and the whole normalised; `provenance` holds the file's name and SHA-256.
    glTF is always Y up; so is OBJ unless `limits.up` says otherwise; PLY, STL and OFF are taken to be Z up unless it does.
    FBX and USD name their own axes. FBX takes textures from its own folder alone; others are listed in
    `provenance["textures_left_out"]`.
    An OBJ that has UVs but names no material takes the PNG or JPEG beside it that begins with its own name, if there is
    exactly one. Vertex and face colours become a texture of materials that have none.

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
    if not path.is_file():
        raise AssetError("missing_file", f"{path} is not a file")
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise AssetError("too_large", f"{path.name} has {size} bytes; the limit max_bytes is {limits.max_bytes}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AssetError("unreadable", f"{path.name} can't be read: {error.strerror}") from error
    history: dict[str, Any] = {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": size}
    if suffix in blender.SUFFIXES:
        data, told = blender.to_glb(path, limits)
        history |= told
        check_gltf(path, data, limits)
        asset = from_glb(data).normalized()
    elif suffix in (".glb", ".gltf"):
        check_gltf(path, data, limits)
        asset = from_glb(data, lambda uri: resource(path, uri, "missing_buffer", limits)).normalized()
    else:
        _check_header(path, data, limits)
        up = limits.up if limits.up != "auto" else "y" if suffix == ".obj" else "z"
        asset = _build(path, _gather(path, _read(path, data, suffix, limits), limits), up, limits)
    caption = asset.caption or f"A model named {path.stem.replace('_', ' ').replace('-', ' ')}."
    return dataclasses.replace(asset, caption=caption, provenance={**asset.provenance, **history})


def _check_header(path: Path, data: bytes, limits: LoadLimits) -> None:
    """Counts that PLY, binary STL and OFF files state, compared with what the bytes can hold."""
    head = data[:4096]
    suffix = path.suffix.lower()
    counts: dict[str, int] = {}
    if suffix == ".ply":
        if not head.startswith(b"ply"):
            raise AssetError("unreadable", f"{path.name} does not begin with 'ply'")
        for line in head.split(b"end_header")[0].splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == b"element" and words[2].isdigit():
                counts[words[1].decode(errors="replace")] = int(words[2])
    elif suffix == ".stl" and len(data) >= 84 and not head.lstrip().startswith(b"solid"):
        counts["face"] = int.from_bytes(data[80:84], "little")
        if 84 + 50 * counts["face"] > len(data):
            raise AssetError("truncated", f"{path.name} claims {counts['face']} triangles, but has only {len(data)} bytes")
    elif suffix == ".off":
        words = head.split(b"OFF", 1)[-1].split()
        if len(words) >= 2 and words[0].isdigit() and words[1].isdigit():
            counts = {"vertex": int(words[0]), "face": int(words[1])}
    check_counts(path.name, counts.get("vertex", 0), counts.get("face", 0), 0, limits)
    if max(counts.values(), default=0) > len(data):
        raise AssetError("truncated", f"{path.name} claims {max(counts.values())} items in {len(data)} bytes")


class _Beside(trimesh.resolvers.Resolver):
    """Gives trimesh the files beside a model, and remembers what it had to refuse: trimesh itself swallows it."""

    def __init__(self, folder: Path, limits: LoadLimits) -> None:
        self.folder, self.limits = folder, limits
        self.refused: list[AssetError] = []

    def get(self, key: str) -> bytes:
        try:
            file = inside(self.folder, key)
            if not file.is_file():
                raise FileNotFoundError(key)
            if file.stat().st_size > self.limits.max_bytes:
                raise AssetError("too_large", f"'{key}' has {file.stat().st_size} bytes; the limit is {self.limits.max_bytes}")
            data = file.read_bytes()
            if file.suffix.lower() in Image.registered_extensions():
                check_image(data, f"texture '{key}'", self.limits)
        except AssetError as error:
            self.refused.append(error)
            raise
        return data

    def keys(self) -> list[str]:
        return []

    def write(self, name: str, data: Any) -> None:
        raise NotImplementedError("a model's folder is only read")

    def namespaced(self, namespace: str) -> "_Beside":
        return self


def _read(path: Path, data: bytes, suffix: str, limits: LoadLimits) -> trimesh.Scene:
    resolver = _Beside(path.parent, limits)
    try:
        scene = trimesh.load_scene(io.BytesIO(data), file_type=suffix[1:], resolver=resolver, process=False)
    except MemoryError as error:
        raise AssetError("too_large", f"{path.name} does not fit into memory") from error
    except Exception as error:
        # Parsers of foreign files raise anything at all; each is a refusal of this one file.
        problem = AssetError("unreadable", f"{path.name} is not readable {suffix[1:].upper()}: {type(error).__name__} {error}")
        raise (resolver.refused[0] if resolver.refused else problem) from error
    if resolver.refused:
        raise resolver.refused[0]
    return scene


def _gather(path: Path, scene: trimesh.Scene, limits: LoadLimits) -> dict[str, Any]:
    """Concatenates all triangle meshes of a scene: vertices in float64, everything else per corner or face."""
    geometry = ((name, scene.geometry[scene.graph[name][1]]) for name in scene.graph.nodes_geometry)
    meshes = [(name, mesh) for name, mesh in geometry if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
    if not meshes:
        raise AssetError("empty", f"{path.name} holds no triangles")
    check_counts(path.name, sum(len(m.vertices) for _, m in meshes), sum(len(m.faces) for _, m in meshes), len(meshes), limits)
    names = ("vertices", "faces", "uvs", "normals", "material_ids", "part_ids", "colors", "colored")
    out: dict[str, Any] = {name: [] for name in names}
    sources: list[Any] = []
    offset = 0
    for part, (_, mesh) in enumerate(meshes):
        vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
        if not np.isfinite(vertices).all():
            bad = int((~np.isfinite(vertices)).any(1).sum())
            raise AssetError("not_finite", f"{bad} of {len(vertices)} vertices of {path.name} hold NaN or infinity")
        if faces.min() < 0 or faces.max() >= len(vertices):
            span = f"[{faces.min()}, {faces.max()}]"
            raise AssetError("bad_index", f"face indices of {path.name} span {span}, vertices are 0..{len(vertices) - 1}")
        out["vertices"].append(vertices)
        out["faces"].append(faces + offset)
        offset += len(vertices)
        uv = getattr(mesh.visual, "uv", None)
        has_uv = uv is not None and np.shape(uv) == (len(vertices), 2)
        out["uvs"].append(np.asarray(uv, np.float64)[faces] if has_uv else np.zeros((len(faces), 3, 2)))
        kind = getattr(mesh.visual, "kind", None) if mesh.visual.defined else None
        colors = np.full((len(faces), 3, 4), 255, np.uint8)
        if kind == "vertex":
            colors = np.asarray(mesh.visual.vertex_colors, np.uint8)[faces]
        elif kind == "face":
            colors = np.repeat(np.asarray(mesh.visual.face_colors, np.uint8)[:, None], 3, axis=1)
        out["colors"].append(colors)
        out["colored"].append(np.full(len(faces), kind in ("vertex", "face")))
        # trimesh computes vertex normals on demand; only those that the file brought are in its cache before that.
        authored = "vertex_normals" in mesh._cache
        out["normals"].append(np.asarray(mesh.vertex_normals, np.float64)[faces] if authored else None)
        material = getattr(mesh.visual, "material", None)
        known = next((i for i, m in enumerate(sources) if m is material), len(sources))
        sources[known:] = sources[known:] or [material]
        out["material_ids"].append(np.full(len(faces), known, np.int32))
        out["part_ids"].append(np.full(len(faces), part, np.int32))
    normals = None if any(n is None for n in out["normals"]) else np.concatenate(out["normals"])
    joined = {k: np.concatenate(v) for k, v in out.items() if k != "normals"}
    return {**joined, "normals": normals, "sources": sources, "names": [str(name) for name, _ in meshes]}


def _build(path: Path, g: dict[str, Any], up: str, limits: LoadLimits) -> Asset:
    """Turned to Z up, normalised in float64 (far-off origins cost no precision), equal positions merged."""
    turn = TO_Z_UP if up == "y" else np.eye(3)
    points = g["vertices"] @ turn.T
    used = points[np.unique(g["faces"])]
    low, high = used.min(0), used.max(0)
    half = float((high - low).max()) / 2
    if not np.isfinite(half) or not half > 0:
        raise AssetError("no_extent", f"the bounding box of {path.name} has no size: {low.tolist()} to {high.tolist()}")
    middle = (low + high) / 2
    vertices, faces = merge_equal(((points - middle) / half).astype(np.float32), g["faces"])
    uvs = g["uvs"].astype(np.float32)
    if not np.isfinite(uvs).all():
        raise AssetError("not_finite", f"UVs of {path.name} hold NaN or infinity")
    normals = None
    if g["normals"] is not None:
        length = np.linalg.norm(g["normals"], axis=-1, keepdims=True)
        # A file whose normals are broken is better off with computed ones.
        if np.isfinite(length).all() and length.min() > 1e-8:
            normals = (g["normals"] @ turn.T / length).astype(np.float32)
    materials = tuple(convert(path, i, m) for i, m in enumerate(g["sources"]))
    if path.suffix.lower() == ".obj" and len(materials) == 1 and np.ptp(uvs) > 0:
        materials = (texture_beside(path, materials[0], limits),)
    uvs, materials, whole = paint(vertices, faces, uvs, g["material_ids"], materials, g["colors"], g["colored"])
    return Asset(
        vertices=vertices,
        faces=faces,
        uvs=uvs,
        material_ids=g["material_ids"],
        part_ids=g["part_ids"],
        materials=materials,
        provenance={} if whole else {"dropped": ["vertex colours of textured materials"]},
        part_names=tuple(g["names"]),
        normals=normals,
        center=(float(middle[0]), float(middle[1]), float(middle[2])),
        scale=half,
    )


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
