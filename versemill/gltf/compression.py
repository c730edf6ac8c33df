"""Compressed glTF data: Draco meshes, meshopt buffer views and Basis Universal textures, each by its own decoder.

The decoders are optional (`pip install 'versemill[compressed]'`). Where one is missing, or the data is broken, the refusal
names the extension.
"""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.errors import AssetError

WAY_OUT = "pip install 'versemill[compressed]', or export the file without it"
MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
DRACO, BASISU = "KHR_draco_mesh_compression", "KHR_texture_basisu"
KTX2_MAGIC = b"\xabKTX 20\xbb\r\n\x1a\n"
_FILTERS = {"OCTAHEDRAL": "decode_filter_oct", "QUATERNION": "decode_filter_quat", "EXPONENTIAL": "decode_filter_exp"}


def _decoder(module: str, extension: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise AssetError("unsupported_extension", f"the file uses {extension}, whose decoder is not here; {WAY_OUT}") from error


def draco(data: bytes, attributes: dict[str, int]) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Faces (F, 3) and values (N, C) by attribute name, as the decoder gives them.

    Args:
        attributes: glTF's names and Draco's unique ids.

    Raises:
        AssetError: "unsupported_extension", "broken_file".
    """
    decoder = _decoder("DracoPy", DRACO)
    try:
        mesh = decoder.decode(data)
        faces = np.asarray(mesh.faces, np.int64).reshape(-1, 3)
        return faces, {name: np.asarray(mesh.get_attribute_by_unique_id(k)["data"]) for name, k in attributes.items()}
    except (decoder.FileTypeException, RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise AssetError("broken_file", f"{DRACO}: the data can't be decoded: {error}") from error


def meshopt(data: bytes, entry: dict[str, Any]) -> bytes:
    """The bytes of a buffer view that meshoptimizer packed.

    Args:
        entry: the extension's object: count, byteStride, mode and filter.

    Raises:
        AssetError: "unsupported_extension", "broken_file".
    """
    decoder = _decoder("meshoptimizer", MESHOPT[0])
    count, stride, mode, kind = entry["count"], entry["byteStride"], entry["mode"], entry.get("filter", "NONE")
    if kind not in ("NONE", *_FILTERS):
        raise AssetError("unsupported_extension", f"{MESHOPT[1]}: the filter {kind} can't be read; {WAY_OUT}")
    if not 0 < stride <= 256 or not 0 <= count * stride <= 2**31:
        raise AssetError("broken_file", f"{MESHOPT[0]}: {count} items of {stride} bytes")
    try:
        if mode == "ATTRIBUTES":
            packed = decoder.decode_vertex_buffer(count, stride, data, np.dtype((np.void, stride)))
            if kind != "NONE":
                packed = getattr(decoder, _FILTERS[kind])(packed, count, stride)
            return bytes(packed.tobytes())
        indices = {"TRIANGLES": decoder.decode_index_buffer, "INDICES": decoder.decode_index_sequence}[mode](count, 4, data)
        return bytes(indices.astype(np.uint16 if stride == 2 else np.uint32).tobytes())
    except (RuntimeError, ValueError, KeyError) as error:
        raise AssetError("broken_file", f"{MESHOPT[0]}: the data can't be decoded: {error}") from error


def basis_size(data: bytes) -> tuple[int, int]:
    """Width and height that a KTX2 file's header states."""
    width, height = np.frombuffer(data, "<u4", 2, 20)
    return int(width), int(height)


def basis(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 4) texels of a KTX2 file with a Basis Universal payload.

    Raises:
        AssetError: "unsupported_extension", "broken_file".
    """
    decoder = _decoder("opengl_basisu", BASISU)
    try:
        return np.ascontiguousarray(decoder.open(data).transcode(decoder.Target.RGBA8).data)
    except (decoder.BasisuError, ValueError, TypeError, OSError) as error:
        raise AssetError("broken_file", f"{BASISU}: the data can't be decoded: {error}") from error
