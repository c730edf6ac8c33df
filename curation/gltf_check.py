"""What a glTF file claims, checked before anything is read from it: lengths, cycles, references and sizes."""

import base64
import struct
from typing import Any
from urllib.parse import unquote

from versemill.curation.config import LoadLimits
from versemill.curation.formats.soup import check_counts
from versemill.curation.place import Place
from versemill.errors import AssetError
from versemill.gltf.compression import MESHOPT
from versemill.gltf.document import parsed
from versemill.gltf.extensions import check_required

COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
LISTS = ("materials", "textures", "images", "meshes", "buffers")
"""Lists that may be as long as `max_geometries` each."""

ATTRIBUTES = 12
"""Attributes of a vertex, over all vertices: position, normal, tangent, colour, joints, weights, and some UV sets."""

TYPE_COUNT = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


def check_gltf(name: str, data: bytes, place: Place, limits: LoadLimits) -> dict[str, Any]:
    """Refuses a glTF or GLB file that lies about itself, before a loader allocates what it claims.

    Images are checked when they are read: those that nothing uses cost nothing.

    Returns:
        the parsed JSON document.

    Raises:
        AssetError: "truncated", "unreadable", "unsupported_extension", "missing_buffer", "bad_accessor", "node_cycle",
            "too_large" or "unsafe_path".
    """
    document, chunk = _parts(name, data)
    try:
        if not str(document["asset"]["version"]).startswith("2"):
            raise AssetError("unreadable", f"{name} is glTF version {document['asset']['version']}; only version 2 is read")
        check_required(document)
        buffers = [_buffer(name, i, b, chunk, place) for i, b in enumerate(document.get("buffers", []))]
        views = [_view(name, i, v, buffers) for i, v in enumerate(document.get("bufferViews", []))]
        for i, accessor in enumerate(document.get("accessors", [])):
            _check_accessor(name, i, accessor, views, limits)
        check_counts(name, 0, 0, max(len(document.get(key, ())) for key in LISTS), limits)
        _check_instances(name, document, limits)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise AssetError("unreadable", f"{name} is not valid glTF: {type(error).__name__} {error}") from error
    return document


def _parts(name: str, data: bytes) -> tuple[dict[str, Any], bytes | None]:
    """The JSON document and the binary chunk, if any."""
    text, chunk = data, None
    if data[:4] == b"glTF":
        if len(data) < 20:
            raise AssetError("truncated", f"{name} has {len(data)} bytes, less than a GLB header")
        _, version, length, json_length, kind = struct.unpack("<4sIIII", data[:20])
        if version != 2:
            raise AssetError("unreadable", f"{name} is GLB version {version}; only version 2 is read")
        if length > len(data) or 20 + json_length > len(data):
            raise AssetError("truncated", f"{name} says it has {length} bytes, but there are {len(data)}")
        if kind != 0x4E4F534A:
            raise AssetError("unreadable", f"the first chunk of {name} is not JSON")
        text = data[20 : 20 + json_length]
        head = 20 + json_length
        if head + 8 <= len(data):
            size, kind = struct.unpack("<II", data[head : head + 8])
            if kind == 0x004E4942:
                chunk = data[head + 8 : head + 8 + size]
                if len(chunk) < size:
                    raise AssetError("truncated", f"the binary chunk of {name} has {len(chunk)} of its {size} bytes")
    elif name.lower().endswith(".glb"):
        raise AssetError("unreadable", f"{name} does not begin with the GLB magic 'glTF'")
    try:
        document = parsed(text.removeprefix(b"\xef\xbb\xbf").rstrip(b"\0"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise AssetError("unreadable", f"the JSON of {name} can't be parsed: {error}") from error
    if not isinstance(document, dict):
        raise AssetError("unreadable", f"the JSON of {name} is not an object")
    return document, chunk


def _buffer(name: str, i: int, entry: dict[str, Any], chunk: bytes | None, place: Place) -> int:
    """The length of a buffer's content."""
    if any(entry.get("extensions", {}).get(extension, {}).get("fallback") for extension in MESHOPT) and "uri" not in entry:
        return int(entry["byteLength"])
    if "uri" in entry and entry["uri"].startswith("data:"):
        content = data_uri(entry["uri"])
    elif "uri" in entry:
        content = place.read_named(unquote(entry["uri"]), "missing_buffer")
    elif chunk is not None and i == 0:
        content = chunk
    else:
        raise AssetError("missing_buffer", f"buffer {i} of {name} has no data")
    if len(content) < entry["byteLength"]:
        raise AssetError("truncated", f"buffer {i} of {name} has {len(content)} of its {entry['byteLength']} bytes")
    return len(content)


def data_uri(uri: str) -> bytes:
    """Bytes of a base64 data URI.

    Raises:
        ValueError: it is not base64.
    """
    head, _, body = uri.partition(",")
    if not head.endswith(";base64"):
        raise ValueError("a data URI must be base64")
    return base64.b64decode(body, validate=True)


def _view(name: str, i: int, entry: dict[str, Any], buffers: list[int]) -> tuple[int, int | None]:
    """Length, once unpacked, and stride of a buffer view."""
    packed = next((entry["extensions"][e] for e in MESHOPT if e in entry.get("extensions", {})), None)
    for part in (entry, packed) if packed else (entry,):
        start, length, whole = part.get("byteOffset", 0), part["byteLength"], buffers[part["buffer"]]
        if start < 0 or length < 0 or start + length > whole:
            raise AssetError("bad_accessor", f"buffer view {i} of {name} ends at byte {start + length} of {whole}")
    if packed and packed["count"] * packed["byteStride"] != entry["byteLength"]:
        raise AssetError("bad_accessor", f"buffer view {i} of {name} does not unpack to its {entry['byteLength']} bytes")
    return entry["byteLength"], entry.get("byteStride")


def _check_accessor(name: str, i: int, entry: dict[str, Any], views: list[tuple[int, int | None]], limits: LoadLimits) -> None:
    count, item = entry["count"], COMPONENT_BYTES[entry["componentType"]] * TYPE_COUNT[entry["type"]]
    if not 0 <= count <= 3 * max(limits.max_vertices, limits.max_faces):
        raise AssetError("too_large", f"accessor {i} of {name} claims {count} items")
    if "bufferView" in entry:
        length, stride = views[entry["bufferView"]]
        end = entry.get("byteOffset", 0) + (stride or item) * max(count - 1, 0) + (item if count else 0)
        if end > length:
            raise AssetError("bad_accessor", f"accessor {i} of {name} ends at byte {end} of a view of {length}")


def _check_instances(name: str, document: dict[str, Any], limits: LoadLimits) -> None:
    """Walks the scene graph: a node reached twice is a cycle or a shared child, both of which glTF forbids."""
    nodes, accessors = document.get("nodes", []), document.get("accessors", [])
    children = {child for node in nodes for child in node.get("children", [])}
    seen: set[int] = set()
    stack = [i for i in range(len(nodes)) if i not in children]
    faces = vertices = geometries = values = 0
    while stack:
        i = stack.pop()
        if i in seen:
            raise AssetError("node_cycle", f"node {i} of {name} is reached twice")
        seen.add(i)
        stack += nodes[i].get("children", [])
        if "mesh" not in nodes[i]:
            continue
        times = _instances(nodes[i], accessors)
        for primitive in document["meshes"][nodes[i]["mesh"]]["primitives"]:
            count = accessors[primitive["attributes"]["POSITION"]]["count"]
            _check_attributes(name, primitive["attributes"], accessors, count)
            values += times * count * len(primitive["attributes"])
            corners = accessors[primitive["indices"]]["count"] if "indices" in primitive else count
            vertices += times * count
            # A strip or a fan has a triangle for nearly every index.
            faces += times * (corners // 3 if primitive.get("mode", 4) == 4 else max(corners - 2, 0))
            geometries += times
    if len(seen) < len(nodes):
        raise AssetError("node_cycle", f"{len(nodes) - len(seen)} nodes of {name} hang in a cycle")
    check_counts(name, vertices, faces, geometries, limits)
    if values > ATTRIBUTES * limits.max_vertices:
        raise AssetError(
            "too_large",
            f"{name} has {values} values of vertices; the limit is {ATTRIBUTES} x max_vertices ({limits.max_vertices})",
        )


def _check_attributes(name: str, attributes: dict[str, int], accessors: list[dict[str, Any]], count: int) -> None:
    """Each attribute has a value per position, which glTF asks for, and nothing is allocated for more."""
    for attribute, k in attributes.items():
        if accessors[k]["count"] != count:
            raise AssetError("bad_accessor", f"{attribute} of {name} has {accessors[k]['count']} values for {count} positions")


def _instances(node: dict[str, Any], accessors: list[dict[str, Any]]) -> int:
    """How often a node's mesh is drawn."""
    attributes = node.get("extensions", {}).get("EXT_mesh_gpu_instancing", {}).get("attributes", {})
    return max((int(accessors[k]["count"]) for k in attributes.values()), default=1)
