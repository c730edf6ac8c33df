"""Cells: how one array or image becomes bytes and back.

An array cell says its own dtype and shape: 8 bytes ``b"VMA1" filter dtype ndim 0``, then ndim little-endian
uint32 sizes, then one Zstandard frame. The frame holds the array in C order after the filter:

- ``P`` (plain): nothing.
- ``S`` (shuffle): all lowest bytes, then all second bytes ...: slowly changing high bytes compress.
- ``D`` (delta + shuffle): along the last axis each value minus its predecessor, modulo 2^bits; then shuffle.
- ``B`` (bits): booleans packed eight to a byte, most significant bit first.
- ``C`` (colour): (3 or 4, H, W) bytes; red and blue minus green, then each row minus the row above, all modulo 256; stored
  row by row, (H, 3 or 4, W), so that a row of all channels is undone in one step.

Colour cells are array cells with filter ``C``, or lossless WebP or PNG files, distinguished by their first bytes. The array is
a seventh larger than WebP, a fifth smaller than fast PNG, and twenty times as fast to write and five to read as WebP.
"""

import io
import math
import struct
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from versemill.errors import ShardError

MAGIC = b"VMA1"
DTYPES: dict[str, np.dtype[Any]] = {
    "B": np.dtype("<u1"),
    "H": np.dtype("<u2"),
    "I": np.dtype("<u4"),
    "i": np.dtype("<i4"),
    "f": np.dtype("<f4"),
    "d": np.dtype("<f8"),
    "?": np.dtype("?"),
}
CODES = {dtype: code for code, dtype in DTYPES.items()}
LEVELS = 65534
"""Steps of a quantised value: codes 1..65535 span its range; code 0 is background."""

Filter = Literal["plain", "shuffle", "delta", "colour"]


def encode_array(array: NDArray[Any], filter: Filter = "shuffle", level: int = 1) -> bytes:
    """One array cell; booleans are packed whatever the filter.

    Args:
        filter: "delta" pays where neighbours on the last axis are close, integers only; "colour" is for uint8 pictures
            with red, green, blue and perhaps alpha along the first axis.
        level: of Zstandard.

    Raises:
        TypeError: the dtype has no code, or the filter is not for such an array.
    """
    array = np.ascontiguousarray(array)
    dtype = array.dtype.newbyteorder("<")
    if dtype not in CODES:
        raise TypeError(f"array cells hold {', '.join(map(str, CODES))}, not {array.dtype}")
    shape, kind = array.shape, filter[0].upper()
    array = array.astype(dtype, copy=False)
    if dtype == np.bool_:
        kind, array = "B", np.packbits(array)
    elif filter == "delta":
        if dtype.kind not in "ui":
            raise TypeError(f"the delta filter is exact for integers only, not {dtype}")
        delta = array.copy()
        delta[..., 1:] -= array[..., :-1]
        array = _shuffled(delta)
    elif filter == "colour":
        if dtype != np.uint8 or array.ndim != 3 or len(array) not in (3, 4):
            raise TypeError(f"the colour filter is for (3 or 4, H, W) uint8, not {array.shape} {array.dtype}")
        rows = array.transpose(1, 0, 2).copy()
        rows[:, [0, 2]] -= rows[:, [1]]
        array = rows.copy()
        array[1:] -= rows[:-1]
    elif filter == "shuffle":
        array = _shuffled(array)
    header = struct.pack(f"<4sccBx{len(shape)}I", MAGIC, kind.encode(), CODES[dtype].encode(), len(shape), *shape)
    return header + pa.Codec("zstd", level).compress(np.ascontiguousarray(array).reshape(-1), asbytes=True)


def decode_array(cell: bytes | memoryview, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """The array of `encode_array`, bit for bit.

    Args:
        out: contiguous memory to decode into, used where the filter is "delta", and it has the cell's dtype and shape; for
            those who decode many cells and need one at a time.

    Raises:
        ShardError: the bytes are not an array cell, or are damaged.
    """
    view = memoryview(cell)
    try:
        magic, kind, code, ndim = struct.unpack_from("<4sccB", view)
        if magic != MAGIC:
            raise ShardError(f"an array cell starts with {MAGIC!r}, not {magic!r}; rewrite the shard")
        shape = struct.unpack_from(f"<{ndim}I", view, 8)
        dtype = DTYPES[code.decode()]
        count = math.prod(shape)
        size = (count + 7) // 8 if kind == b"B" else count * dtype.itemsize
        raw = np.frombuffer(pa.Codec("zstd").decompress(view[8 + 4 * ndim :], size), np.uint8)
    except (struct.error, KeyError, UnicodeDecodeError, OSError, ValueError, pa.ArrowException) as error:
        raise ShardError(f"an array cell of {len(view)} bytes is damaged ({error}); remake the shard") from error
    if kind == b"B":
        return np.unpackbits(raw, count=count).astype(np.bool_).reshape(shape)
    if kind == b"P":
        return raw.view(dtype).reshape(shape)
    if kind == b"C":
        return _colours(raw.reshape(shape[1], shape[0], shape[2]))
    if kind == b"S" or not shape:
        return _unshuffled(raw, dtype, np.empty(shape, dtype))
    if out is None or out.dtype != dtype or out.shape != shape:
        out = np.empty(shape, dtype)
    return np.add.accumulate(_unshuffled(raw, dtype, out), axis=-1, out=out)


def _shuffled(array: NDArray[Any]) -> NDArray[np.uint8]:
    size = array.dtype.itemsize
    return np.ascontiguousarray(array.reshape(-1).view(np.uint8).reshape(-1, size).T)


def _unshuffled(raw: NDArray[np.uint8], dtype: np.dtype[Any], out: NDArray[Any]) -> NDArray[Any]:
    count, values = out.size, out.reshape(-1)
    if dtype.itemsize == 2:  # four times faster than the general way, and where most bytes are
        codes = values.view(np.uint16)
        codes[...] = raw[count:]
        codes <<= 8
        codes |= raw[:count]
        return out
    octets = values.view(np.uint8).reshape(count, dtype.itemsize)
    for octet in range(dtype.itemsize):
        octets[:, octet] = raw[octet * count : (octet + 1) * count]
    return out


def _colours(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (C, H, W), a view, of the differences (H, C, W) of the colour filter; undone in place where they allow it."""
    rows = rows if rows.flags.writeable else rows.copy()
    above = rows[0]
    for row in rows[1:]:  # eight times faster than numpy's cumsum of bytes
        np.add(row, above, out=row)
        above = row
    rows[:, 0] += rows[:, 1]
    rows[:, 2] += rows[:, 1]
    return rows.transpose(1, 0, 2)


def encode_colour(
    image: NDArray[np.uint8], codec: Literal["zstd", "webp", "png"] = "zstd", effort: int = 1, level: int = 1
) -> bytes:
    """One colour cell of an (H, W, 3) or (H, W, 4) uint8 image, lossless; colours under zero alpha are kept.

    Args:
        codec: "zstd" is an array cell with the colour filter; "webp" and "png" are image files.
        effort: of WebP. level: of Zstandard.
    """
    if codec == "zstd":
        return encode_array(np.moveaxis(image, -1, 0), "colour", level)
    out = io.BytesIO()
    if codec == "webp":
        Image.fromarray(image).save(out, "WEBP", lossless=True, method=effort, quality=0, exact=True)
    else:
        Image.fromarray(image).save(out, "PNG", compress_level=1)
    return out.getvalue()


def is_image_file(cell: bytes | memoryview) -> bool:
    """Whether a colour cell is a WebP or PNG file, not an array cell."""
    return memoryview(cell)[:4] != MAGIC


def decode_colour(cell: bytes | memoryview) -> NDArray[np.uint8]:
    """The (C, H, W) uint8 image of a colour cell; not contiguous.

    WebP files without transparency come back with 3 channels; the caller knows how many its pass has.

    Raises:
        ShardError: the bytes are no image, or are damaged.
    """
    if not is_image_file(cell):
        return decode_array(cell)
    try:
        return np.moveaxis(np.asarray(Image.open(io.BytesIO(cell), formats=("WEBP", "PNG"))), -1, 0)
    except (OSError, ValueError, SyntaxError) as error:
        raise ShardError(f"an image cell of {len(cell)} bytes is damaged ({error}); remake the shard") from error


def quantise(values: NDArray[np.floating], foreground: NDArray[np.bool_], low: float, high: float) -> NDArray[np.uint16]:
    """Codes of values within [low, high]: 1 + round((v - low) / (high - low) * 65534); 0 where not foreground.

    Decoding is off by at most (high - low) / 65534 / 2, plus float32 rounding.
    """
    scale = LEVELS / (high - low) if high > low else 0.0
    codes = values.astype(np.float64)
    codes -= low
    codes *= scale
    np.rint(codes, out=codes)
    np.clip(codes, 0, LEVELS, out=codes)
    codes += 1
    codes *= foreground
    return codes.astype(np.uint16)


def dequantise(
    codes: NDArray[np.uint16], low: float, high: float, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Values of codes, float32, into `out` where it is given; background (code 0) is 0."""
    step = np.float32((high - low) / LEVELS)
    values = np.multiply(codes, step, out=out)
    values += np.float32(low - step)
    for channel, of in zip(codes, values, strict=True) if codes.ndim == 3 else [(codes, values)]:
        np.copyto(of, 0, where=channel == 0)
    return values
