"""The container level of glTF: chunks, buffers, accessors, node transforms, images."""

import base64
import io
import json
import struct
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.errors import AssetError
from versemill.materials.material import Texture

Array = NDArray[Any]
Node = dict[str, Any]

_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_UNREADABLE = {"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"}
_MOST_ITEMS = 2**28
"""Longest accessor that is believed: a few bytes must not ask for all of the memory."""


class Reader:
    """A parsed document with its buffers; remembers what it could not keep."""

    def __init__(self, data: bytes, resolve: Callable[[str], bytes] | None) -> None:
        self.dropped: set[str] = set()
        self.textures: dict[tuple[int, str], Texture] = {}
        self.resolve = resolve
        text, binary = _chunks(data)
        self.document: Node = json.loads(text)
        if not str(self.document["asset"]["version"]).startswith("2"):
            raise ValueError(f"glTF version {self.document['asset']['version']}, only 2.x is read")
        unreadable = sorted(_UNREADABLE & set(self.document.get("extensionsRequired", ())))
        if unreadable:
            raise AssetError("unsupported_extension", f"the file needs {', '.join(unreadable)}; export it without compression")
        self.buffers = [self._uri(b["uri"]) if "uri" in b else binary for b in self.document.get("buffers", [])]

    def _uri(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.split(",", 1)[1], validate=True)
        if self.resolve is None:
            raise ValueError(f"the file refers to '{uri[:80]}' beside it")
        return self.resolve(urllib.parse.unquote(uri))

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self.document["bufferViews"][natural(index)]
        start = natural(view.get("byteOffset", 0))
        data = self.buffers[natural(view["buffer"])][start : start + natural(view["byteLength"])]
        if len(data) != view["byteLength"]:
            raise ValueError(f"buffer view {index} wants {view['byteLength']} bytes, the file has {len(data)}")
        return data

    def accessor(self, index: int) -> Array:
        """(N,) or (N, C) values; normalised integers become float32 in [0, 1] or [-1, 1]."""
        entry = self.document["accessors"][natural(index)]
        count, width = natural(entry["count"]), _WIDTHS[entry["type"]]
        if count > _MOST_ITEMS:
            raise ValueError(f"accessor {index} claims {count} items, more than {_MOST_ITEMS}")
        dtype = np.dtype(_COMPONENTS[entry["componentType"]])
        if "bufferView" in entry:
            stride = self.document["bufferViews"][entry["bufferView"]].get("byteStride", dtype.itemsize * width)
            offset = natural(entry.get("byteOffset", 0))
            strided = np.ndarray((count, width), dtype, self.view(entry["bufferView"]), offset, (stride, dtype.itemsize))
            values = strided.copy()
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in entry:
            sparse, n = entry["sparse"], natural(entry["sparse"]["count"])
            kind = np.dtype(_COMPONENTS[sparse["indices"]["componentType"]])
            at = np.frombuffer(self.view(sparse["indices"]["bufferView"]), kind, n, sparse["indices"].get("byteOffset", 0))
            new = np.frombuffer(
                self.view(sparse["values"]["bufferView"]), dtype, n * width, sparse["values"].get("byteOffset", 0)
            )
            values[at] = new.reshape(n, width)
        if entry.get("normalized", False) and dtype.kind in "iu":
            values = np.maximum(values.astype(np.float32) / np.iinfo(dtype).max, -1)
        return values[:, 0] if width == 1 else values

    def instances(self) -> Iterator[tuple[Node, Array]]:
        """Nodes of the default scene, parents first, with their (4, 4) transforms to the scene."""
        document = self.document
        nodes = document.get("nodes", [])
        scenes = document.get("scenes") or [{"nodes": list(range(len(nodes)))}]
        seen: set[int] = set()
        stack = [(k, np.eye(4)) for k in reversed(scenes[natural(document.get("scene", 0))].get("nodes", []))]
        while stack:
            index, outer = stack.pop()
            if index in seen:
                raise ValueError(f"node {index} is reached twice: the scene is not a tree")
            seen.add(index)
            node = nodes[natural(index)]
            matrix = outer @ _transform(node)
            yield node, matrix
            stack += [(k, matrix) for k in reversed(node.get("children", []))]

    def texture(self, info: Node | None, mode: str) -> Texture | None:
        """The texels a texture reference points to, as "RGB" or "RGBA"."""
        if info is None:
            return None
        texture = self.document["textures"][natural(info["index"])]
        source = texture.get("extensions", {}).get("EXT_texture_webp", texture).get("source")
        if source is None:
            self.dropped.add("texture without a readable image")
            return None
        if (source, mode) not in self.textures:
            image = self.document["images"][natural(source)]
            data = self.view(image["bufferView"]) if "bufferView" in image else self._uri(image["uri"])
            with Image.open(io.BytesIO(data)) as picture:
                if picture.mode.startswith("I"):
                    eight = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
                    self.textures[source, mode] = np.asarray(Image.fromarray(eight).convert(mode))
                else:
                    self.textures[source, mode] = np.asarray(picture.convert(mode))
        return self.textures[source, mode]


def natural(value: Any) -> int:
    """Refuses what Python would take as an index from the end."""
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"expected a natural number, got {value!r}")
    return value


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """JSON text and binary chunk of a GLB; of a .gltf, the text and nothing."""
    if data[:4] != b"glTF":
        if data.lstrip()[:1] == b"{":
            return data, b""
        raise ValueError(f"the file starts with {data[:4]!r}, not with 'glTF'")
    _, version, length = struct.unpack_from("<4sII", data)
    if version != 2 or length > len(data):
        raise ValueError(f"version {version} with {len(data)} of {length} bytes; wanted version 2, complete")
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, at)
        if at + 8 + size > length:
            raise ValueError(f"a chunk of {size} bytes does not fit in the file")
        found.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    return found[b"JSON"], found.get(b"BIN\0", b"")


def _transform(node: Node) -> Array:
    """(4, 4) float64 local transform of a node."""
    if "matrix" in node:
        return np.asarray(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = np.asarray(node.get("rotation", (0, 0, 0, 1)), np.float64)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix
