"""What a glTF file claims, checked before anything is read from it: lengths, cycles, references and sizes."""

import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from versemill.curation.config import LoadLimits
from versemill.curation.images import check_image, data_uri, inside

from versemill.errors import AssetError

COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
TYPE_COUNT = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
COMPRESSED = {"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression", "KHR_texture_basisu"}


def check_gltf(path: Path, data: bytes, limits: LoadLimits) -> dict[str, Any]:
    """Refuses a glTF or GLB file that lies about itself, before a loader allocates what it claims.

    Returns:
        the parsed JSON document.

    Raises:
        AssetError: "truncated", "unreadable", "unsupported_extension", "missing_buffer", "bad_accessor", "node_cycle",
            "too_large", "unsafe_path", "bad_image" or "image_too_large".
    """
    document, chunk = _parts(path, data)
    try:
        compressed = sorted(COMPRESSED & set(document.get("extensionsRequired", [])))
        if compressed:
            raise AssetError(
                "unsupported_extension",
                f"{path.name} needs {', '.join(compressed)}: export it uncompressed, with PNG or JPEG textures",
            )
        buffers = [_buffer(path, i, b, chunk, limits) for i, b in enumerate(document.get("buffers", []))]
        views = [_view(path, i, v, buffers) for i, v in enumerate(document.get("bufferViews", []))]
        for i, accessor in enumerate(document.get("accessors", [])):
            _check_accessor(path, i, accessor, views, limits)
        _check_instances(path, document, limits)
        for i, image in enumerate(document.get("images", [])):
            label = f"image {i} of {path.name}"
            if "bufferView" in image:
                check_image(views[image["bufferView"]][0], label, limits)
            elif "uri" in image:
                check_image(resource(path, image["uri"], "bad_image", limits), label, limits)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise AssetError("unreadable", f"{path.name} is not valid glTF: {type(error).__name__} {error}") from error
    return document


def _parts(path: Path, data: bytes) -> tuple[dict[str, Any], bytes | None]:
    """The JSON document and the binary chunk, if any."""
    text, chunk = data, None
    if data[:4] == b"glTF":
        if len(data) < 20:
            raise AssetError("truncated", f"{path.name} has {len(data)} bytes, less than a GLB header")
        _, version, length, json_length, kind = struct.unpack("<4sIIII", data[:20])
        if version != 2:
            raise AssetError("unreadable", f"{path.name} is GLB version {version}; only version 2 is read")
        if length > len(data) or 20 + json_length > len(data):
            raise AssetError("truncated", f"{path.name} says it has {length} bytes, but there are {len(data)}")
        if kind != 0x4E4F534A:
            raise AssetError("unreadable", f"the first chunk of {path.name} is not JSON")
        text = data[20 : 20 + json_length]
        head = 20 + json_length
        if head + 8 <= len(data):
            size, kind = struct.unpack("<II", data[head : head + 8])
            if kind == 0x004E4942:
                chunk = data[head + 8 : head + 8 + size]
                if len(chunk) < size:
                    raise AssetError("truncated", f"the binary chunk of {path.name} has {len(chunk)} of its {size} bytes")
    elif path.suffix.lower() == ".glb":
        raise AssetError("unreadable", f"{path.name} does not begin with the GLB magic 'glTF'")
    try:
        document = json.loads(text)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise AssetError("unreadable", f"the JSON of {path.name} can't be parsed: {error}") from error
    if not isinstance(document, dict):
        raise AssetError("unreadable", f"the JSON of {path.name} is not an object")
    return document, chunk


def resource(path: Path, uri: str, reason: str, limits: LoadLimits) -> bytes:
    """Bytes behind a URI: embedded, or a file beside the model."""
    if uri.startswith("data:"):
        return data_uri(uri)
    file = inside(path.parent, unquote(uri))
    if not file.is_file():
        raise AssetError(reason, f"{path.name} refers to '{uri}', which is not there")
    if file.stat().st_size > limits.max_bytes:
        raise AssetError("too_large", f"'{uri}' has {file.stat().st_size} bytes, the limit is {limits.max_bytes}")
    return file.read_bytes()


def _buffer(path: Path, i: int, entry: dict[str, Any], chunk: bytes | None, limits: LoadLimits) -> bytes:
    if "uri" in entry:
        content = resource(path, entry["uri"], "missing_buffer", limits)
    elif chunk is not None and i == 0:
        content = chunk
    else:
        raise AssetError("missing_buffer", f"buffer {i} of {path.name} has no data")
    if len(content) < entry["byteLength"]:
        raise AssetError("truncated", f"buffer {i} of {path.name} has {len(content)} of its {entry['byteLength']} bytes")
    return content


def _view(path: Path, i: int, entry: dict[str, Any], buffers: list[bytes]) -> tuple[bytes, int | None]:
    """Bytes and stride of a buffer view."""
    start, length = entry.get("byteOffset", 0), entry["byteLength"]
    content = buffers[entry["buffer"]]
    if start < 0 or length < 0 or start + length > len(content):
        raise AssetError("bad_accessor", f"buffer view {i} of {path.name} ends at byte {start + length} of {len(content)}")
    return content[start : start + length], entry.get("byteStride")


def _check_accessor(
    path: Path, i: int, entry: dict[str, Any], views: list[tuple[bytes, int | None]], limits: LoadLimits
) -> None:
    count, item = entry["count"], COMPONENT_BYTES[entry["componentType"]] * TYPE_COUNT[entry["type"]]
    if not 0 <= count <= 3 * max(limits.max_vertices, limits.max_faces):
        raise AssetError("too_large", f"accessor {i} of {path.name} claims {count} items")
    if "bufferView" in entry:
        content, stride = views[entry["bufferView"]]
        end = entry.get("byteOffset", 0) + (stride or item) * max(count - 1, 0) + (item if count else 0)
        if end > len(content):
            raise AssetError("bad_accessor", f"accessor {i} of {path.name} ends at byte {end} of a view of {len(content)}")


def _check_instances(path: Path, document: dict[str, Any], limits: LoadLimits) -> None:
    """Walks the scene graph: a node reached twice is a cycle or a shared child, both of which glTF forbids."""
    nodes, accessors = document.get("nodes", []), document.get("accessors", [])
    children = {child for node in nodes for child in node.get("children", [])}
    seen: set[int] = set()
    stack = [i for i in range(len(nodes)) if i not in children]
    faces = vertices = geometries = 0
    while stack:
        i = stack.pop()
        if i in seen:
            raise AssetError("node_cycle", f"node {i} of {path.name} is reached twice")
        seen.add(i)
        stack += nodes[i].get("children", [])
        if "mesh" not in nodes[i]:
            continue
        for primitive in document["meshes"][nodes[i]["mesh"]]["primitives"]:
            count = accessors[primitive["attributes"]["POSITION"]]["count"]
            vertices += count
            faces += (accessors[primitive["indices"]]["count"] if "indices" in primitive else count) // 3
            geometries += 1
    if len(seen) < len(nodes):
        raise AssetError("node_cycle", f"{len(nodes) - len(seen)} nodes of {path.name} hang in a cycle")
    check_counts(path.name, vertices, faces, geometries, limits)


def check_counts(name: str, vertices: int, faces: int, geometries: int, limits: LoadLimits) -> None:
    """Raises AssetError "too_large" where a count is above its limit."""
    for what, value, limit in (
        ("vertices", vertices, limits.max_vertices),
        ("faces", faces, limits.max_faces),
        ("geometries", geometries, limits.max_geometries),
    ):
        if value > limit:
            raise AssetError("too_large", f"{name} has {value} {what}; the limit max_{what} is {limit}")
