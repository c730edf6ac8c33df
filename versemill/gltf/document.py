"""The container level of glTF: chunks, buffers, accessors, node transforms, images."""

import base64
import json
import struct
import urllib.parse
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.errors import AssetError
from versemill.gltf import compression
from versemill.gltf.extensions import check_required
from versemill.materials import images
from versemill.materials.material import Texture

Array = NDArray[Any]
Node = dict[str, Any]

_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
MOST_TEXTURES = 4
"""Largest textures (max_texture_side squared) whose pixels all textures of a file may have together."""

_MOST_VALUES = 2_000_000
"""Values of a document that is believed: each takes some hundred bytes once it is parsed."""

_MOST_ITEMS = 2**28
"""Longest accessor that is believed: a few bytes must not ask for all of the memory."""


class Reader:
    """A parsed document with its buffers; remembers what it could not keep."""

    def __init__(self, data: bytes, resolve: Callable[[str], bytes] | None, max_texture_side: int | None) -> None:
        self.dropped: set[str] = set()
        self.textures: dict[tuple[str, str, bool], Texture] = {}
        self.texels = 0
        self.resolve, self.max_texture_side = resolve, max_texture_side
        text, self.binary = _chunks(data)
        self.document: Node = parsed(text)
        if not str(self.document["asset"]["version"]).startswith("2"):
            raise ValueError(f"glTF version {self.document['asset']['version']}, only 2.x is read")
        check_required(self.document)
        self.buffers: dict[int, bytes] = {}
        self.unpacked: dict[int, bytes] = {}

    def _uri(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.split(",", 1)[1], validate=True)
        if self.resolve is None:
            raise ValueError(f"the file refers to '{uri[:80]}' next to it")
        return self.resolve(urllib.parse.unquote(uri))

    def _buffer(self, index: int) -> bytes:
        if index not in self.buffers:
            entry = self.document["buffers"][natural(index)]
            self.buffers[index] = self._uri(entry["uri"]) if "uri" in entry else self.binary
        return self.buffers[index]

    def view(self, index: int) -> memoryview:
        """The bytes of a buffer view, not copied; unpacked where meshoptimizer packed them."""
        view = self.document["bufferViews"][natural(index)]
        packed = next((view["extensions"][name] for name in compression.MESHOPT if name in view.get("extensions", {})), None)
        if packed is None:
            return self._slice(index, view)
        if index not in self.unpacked:
            self.unpacked[index] = compression.meshopt(bytes(self._slice(index, packed)), packed)
        return memoryview(self.unpacked[index])

    def _slice(self, index: int, entry: Node) -> memoryview:
        start = natural(entry.get("byteOffset", 0))
        data = memoryview(self._buffer(entry["buffer"]))[start : start + natural(entry["byteLength"])]
        if len(data) != entry["byteLength"]:
            raise ValueError(f"buffer view {index} wants {entry['byteLength']} bytes, the file has {len(data)}")
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
        """Visible nodes of the default scene, parents first, with their (4, 4) transforms to the scene."""
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
            if not node.get("extensions", {}).get("KHR_node_visibility", {}).get("visible", True):
                continue
            matrix = outer @ local_transform(node)
            yield node, matrix
            stack += [(k, matrix) for k in reversed(node.get("children", []))]

    @cached_property
    def placed(self) -> list[Array]:
        """(4, 4) transform of every node to its scene, whether it is visible or not."""
        nodes = self.document.get("nodes", [])
        children = {natural(child) for node in nodes for child in node.get("children", [])}
        placed: dict[int, Array] = {}
        stack = [(k, np.eye(4)) for k in range(len(nodes)) if k not in children]
        while stack:
            index, outer = stack.pop()
            if index in placed:
                raise ValueError(f"node {index} is reached twice: the scene is not a tree")
            placed[index] = outer @ local_transform(nodes[index])
            stack += [(k, placed[index]) for k in nodes[index].get("children", [])]
        if len(placed) < len(nodes):
            raise ValueError("nodes hang in a cycle")
        return [placed[k] for k in range(len(nodes))]

    def texture(self, info: Node | None, mode: Literal["RGB", "RGBA"], colour: bool = False) -> Texture | None:
        """The texels that a texture reference points to; `colour` says that they hold sRGB."""
        if info is None:
            return None
        texture = self.document["textures"][natural(info["index"])]
        extensions = texture.get("extensions", {})
        source = extensions.get("EXT_texture_webp", texture).get("source", texture.get("source"))
        if source is None:
            source = extensions.get(compression.BASISU, {}).get("source")
        if source is None:
            self.dropped.add("texture without a readable image")
            return None
        entry = self.document["images"][natural(source)]
        key = (f"view {entry['bufferView']}" if "bufferView" in entry else str(entry["uri"]), mode, colour)
        if key not in self.textures:
            self.textures[key] = self._image(source, mode, colour)
        return self.textures[key]

    def _image(self, source: int, mode: Literal["RGB", "RGBA"], colour: bool) -> Texture:
        entry = self.document["images"][source]
        data = bytes(self.view(entry["bufferView"])) if "bufferView" in entry else self._uri(entry["uri"])
        packed = data.startswith(compression.KTX2_MAGIC)
        try:
            size = compression.basis_size(data) if packed else images.size(data)
            if self.max_texture_side and max(size) > self.max_texture_side:
                raise AssetError(
                    "image_too_large",
                    f"image {source} has {size[0]} x {size[1]} pixels; the limit max_texture_side is {self.max_texture_side}",
                )
            self.texels += size[0] * size[1]
            if self.max_texture_side and self.texels > MOST_TEXTURES * self.max_texture_side**2:
                raise AssetError(
                    "image_too_large",
                    f"with image {source} the textures have {self.texels} pixels; the limit is {MOST_TEXTURES} x "
                    f"max_texture_side squared, max_texture_side is {self.max_texture_side}",
                )
            return compression.basis(data)[..., : len(mode)] if packed else images.decode(data, mode, colour)
        except Image.DecompressionBombError as error:
            raise AssetError("image_too_large", f"image {source}: {error}") from error
        except (OSError, ValueError, SyntaxError) as error:
            raise AssetError("bad_image", f"image {source} is not an image that can be read: {error}") from error


def parsed(text: bytes) -> Node:
    """The JSON of a glTF file.

    Raises:
        ValueError: it is not JSON, or holds so many values that they would fill the memory.
        AssetError: "not_finite": it holds NaN or infinity.
    """
    if (count := sum(text.count(mark) for mark in (b",", b"[", b"{"))) > _MOST_VALUES:
        raise ValueError(f"the JSON holds {count} values, more than {_MOST_VALUES}")
    document: Node = json.loads(text, parse_constant=_refused)
    return document


def _refused(name: str) -> None:
    raise AssetError("not_finite", f"the file holds {name}, which is not a JSON number")


def natural(value: Any) -> int:
    """Refuses what Python would take as an index from the end."""
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"expected a natural number, got {value!r}")
    return value


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """JSON text and binary chunk of a GLB; of a .gltf, the text and nothing."""
    if data[:4] != b"glTF":
        text = data.removeprefix(b"\xef\xbb\xbf")
        if text.lstrip()[:1] == b"{":
            return text, b""
        raise ValueError(f"the file starts with {data[:4]!r}, not with 'glTF'")
    _, version, length = struct.unpack_from("<4sII", data)
    if version != 2 or length > len(data):
        raise ValueError(f"version {version} with {len(data)} of {length} bytes; wanted version 2, complete")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, at)
        if at + 8 + size > length:
            raise ValueError(f"a chunk of {size} bytes does not fit in the file")
        chunks.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    # Padded with spaces by the standard, with zeros by some.
    return chunks[b"JSON"].rstrip(b"\0"), chunks.get(b"BIN\0", b"")


def local_transform(node: Node) -> Array:
    """(4, 4) float64 local transform of a node."""
    if "matrix" in node:
        return np.asarray(node["matrix"], np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrix(node.get("rotation", (0, 0, 0, 1))) * np.asarray(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def rotation_matrix(quaternion: Any) -> Array:
    """(3, 3) float64 of a unit quaternion (x, y, z, w)."""
    x, y, z, w = np.asarray(quaternion, np.float64)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
