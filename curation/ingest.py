"""Ingestion: one mesh file of somebody else's becomes an `Asset`, or is refused with a reason."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from curation.config import LoadLimits
from curation.foreign_materials import convert, texture_beside
from curation.gltf_check import check_counts, check_gltf
from curation.images import check_image, inside
from versemill.asset import Asset
from versemill.errors import AssetError

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")
Y_UP = {".glb", ".gltf", ".obj"}
TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Turns a Y-up world into a Z-up one: what looked along +Z (glTF's front) looks along -Y."""

DEFAULT_LIMITS = LoadLimits()


def load(path: Path, limits: LoadLimits = DEFAULT_LIMITS) -> Asset:
    """Reads GLB, glTF, OBJ (with its MTL and textures), PLY, STL or OFF.

    Scene transforms are baked (frame 0), polygons triangulated, equal positions shared, authored UVs, normals and
    PBR materials kept, the up axis turned to Z and the whole normalised; `provenance` holds the file's SHA-256.
    An OBJ that has UVs but names no material takes a PNG or JPEG beside it that begins with its own name, if there is
    exactly one. Vertex colours are not kept.

    Raises:
        AssetError: "missing_file", "unsupported_format", "too_large", "truncated", "unreadable", "empty", "not_finite",
            "bad_index", "no_extent", "unsafe_path", "bad_image", "image_too_large", "missing_buffer", "bad_accessor",
            "node_cycle" or "unsupported_extension".
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise AssetError("unsupported_format", f"{path.name}: only {', '.join(SUFFIXES)} are read")
    if not path.is_file():
        raise AssetError("missing_file", f"{path} is not a file")
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise AssetError("too_large", f"{path.name} has {size} bytes; the limit max_bytes is {limits.max_bytes}")
    data = path.read_bytes()
    if suffix in (".glb", ".gltf"):
        check_gltf(path, data, limits)
    else:
        _check_header(path, data, limits)
    scene = _read(path, data, suffix, limits)
    geometry = _gather(path, scene, limits)
    provenance = {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": size, **geometry["notes"]}
    return _build(path, geometry, _up_axis(suffix, limits), provenance, limits)


def _up_axis(suffix: str, limits: LoadLimits) -> str:
    if suffix in (".glb", ".gltf") or limits.up == "auto":
        return "y" if suffix in Y_UP else "z"
    return limits.up


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
    """Gives trimesh the files beside a model, and remembers the first one that had to be refused."""

    def __init__(self, folder: Path, limits: LoadLimits) -> None:
        self.folder, self.limits, self.refused = folder, limits, []  # type: ignore[var-annotated]

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
        raise NotImplementedError("reading only")

    def namespaced(self, namespace: str) -> "_Beside":
        return self


def _read(path: Path, data: bytes, suffix: str, limits: LoadLimits) -> trimesh.Scene:
    resolver = _Beside(path.parent, limits)
    try:
        scene = trimesh.load_scene(io.BytesIO(data), file_type=suffix[1:], resolver=resolver, process=False)
    except MemoryError as error:
        raise AssetError("too_large", f"{path.name} does not fit into memory") from error
    except Exception as error:
        if resolver.refused:
            raise resolver.refused[0] from error
        raise AssetError(
            "unreadable", f"{path.name} can't be read as {suffix[1:].upper()}: {type(error).__name__} {error}"
        ) from error
    if resolver.refused:
        raise resolver.refused[0]
    return scene


def _gather(path: Path, scene: trimesh.Scene, limits: LoadLimits) -> dict[str, Any]:
    """Concatenates all triangle meshes of a scene, transforms baked, corners in float64."""
    nodes = [(node, *scene.graph[node]) for node in scene.graph.nodes_geometry]
    meshes = [
        (n, np.asarray(t, np.float64), scene.geometry[g]) for n, t, g in nodes if isinstance(scene.geometry[g], trimesh.Trimesh)
    ]
    meshes = [m for m in meshes if len(m[2].faces)]
    if not meshes:
        raise AssetError("empty", f"{path.name} holds no triangles")
    check_counts(
        path.name, sum(len(m.vertices) for *_, m in meshes), sum(len(m.faces) for *_, m in meshes), len(meshes), limits
    )
    out: dict[str, Any] = {k: [] for k in ("vertices", "faces", "uvs", "normals", "material_ids", "part_ids")}
    sources: list[Any] = []
    names: list[str] = []
    offset = 0
    for part, (name, transform, mesh) in enumerate(meshes):
        vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
        if not np.isfinite(vertices).all() or not np.isfinite(transform).all():
            bad = int((~np.isfinite(vertices)).any(1).sum())
            raise AssetError("not_finite", f"{bad} of {len(vertices)} vertices of {path.name} hold NaN or infinity")
        if faces.min() < 0 or faces.max() >= len(vertices):
            span = f"[{faces.min()}, {faces.max()}]"
            raise AssetError("bad_index", f"face indices of {path.name} span {span}, vertices are 0..{len(vertices) - 1}")
        mirrored = np.linalg.det(transform[:3, :3]) < 0
        order = faces[:, ::-1] if mirrored else faces
        out["vertices"].append(vertices @ transform[:3, :3].T + transform[:3, 3])
        out["faces"].append(order + offset)
        offset += len(vertices)
        uv = getattr(mesh.visual, "uv", None)
        has_uv = uv is not None and np.shape(uv) == (len(vertices), 2)
        out["uvs"].append(np.asarray(uv, np.float64)[order] if has_uv else np.zeros((len(faces), 3, 2)))
        out["normals"].append(_normals(mesh, transform)[order] if "vertex_normals" in mesh._cache else None)
        material = getattr(mesh.visual, "material", None)
        known = [i for i, m in enumerate(sources) if m is material]
        if not known:
            known = [len(sources)]
            sources.append(material)
        out["material_ids"].append(np.full(len(faces), known[0], np.int32))
        out["part_ids"].append(np.full(len(faces), part, np.int32))
        names.append(str(name))
    normals = None if any(n is None for n in out["normals"]) else np.concatenate(out["normals"])
    joined = {k: np.concatenate(v) for k, v in out.items() if k != "normals"}
    notes = {"geometries": len(meshes), "authored_normals": normals is not None}
    return {**joined, "normals": normals, "sources": sources, "names": names, "notes": notes}


def _normals(mesh: trimesh.Trimesh, transform: NDArray[np.float64]) -> NDArray[np.float64]:
    normals = np.asarray(mesh.vertex_normals, np.float64)
    try:
        return normals @ np.linalg.inv(transform[:3, :3])
    except np.linalg.LinAlgError:
        return np.zeros_like(normals)


def _build(path: Path, g: dict[str, Any], up: str, provenance: dict[str, Any], limits: LoadLimits) -> Asset:
    points = g["vertices"] @ TO_Z_UP.T if up == "y" else g["vertices"]
    low, high = points[np.unique(g["faces"])].min(0), points[np.unique(g["faces"])].max(0)
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
        turned = g["normals"] @ TO_Z_UP.T if up == "y" else g["normals"]
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        # A file whose normals are broken is better off with computed ones.
        if np.isfinite(length).all() and length.min() > 1e-8:
            normals = (turned / length).astype(np.float32)
    materials = tuple(convert(path, i, m) for i, m in enumerate(g["sources"]))
    if path.suffix.lower() == ".obj" and len(materials) == 1 and np.ptp(uvs) > 0:
        materials = (texture_beside(path, materials[0], limits),)
    return Asset(
        vertices=vertices,
        faces=faces,
        uvs=uvs,
        material_ids=g["material_ids"],
        part_ids=g["part_ids"],
        materials=materials,
        part_names=tuple(g["names"]),
        normals=normals,
        source="files",
        caption=f"A model named {path.stem.replace('_', ' ').replace('-', ' ')}.",
        tags=("files",),
        center=(float(middle[0]), float(middle[1]), float(middle[2])),
        scale=half,
        provenance=provenance,
    )


def merge_equal(vertices: NDArray[np.float32], faces: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Shares exactly equal positions and drops unreferenced ones; order of first appearance is kept."""
    used, faces = np.unique(faces, return_inverse=True)
    kept = vertices[used] + np.float32(0)  # -0.0 becomes 0.0
    rows = np.ascontiguousarray(kept).view(np.dtype((np.void, 12))).reshape(-1)
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(first), np.int32)
    rank[order] = np.arange(len(first), dtype=np.int32)
    return kept[first[order]], rank[inverse][faces.reshape(-1, 3)].astype(np.int32)
