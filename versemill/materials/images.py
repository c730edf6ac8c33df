"""Images of any origin as 8-bit texels: which formats are opened, and how deeper pixels become codes."""

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.colour import encode_srgb

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TGA", "TIFF", "GIF", "DDS", "PPM", "JPEG2000")
"""What Pillow may open of foreign files: pictures, no vector formats or containers that run other programs."""

EXR_MAGIC = b"\x76\x2f\x31\x01"
Mode = Literal["L", "RGB", "RGBA"]


def opened(data: bytes) -> Image.Image:
    """A Pillow image whose header alone was read.

    Raises:
        OSError, ValueError, SyntaxError: it is no image, or of none of `FORMATS`.
    """
    return Image.open(io.BytesIO(data), formats=FORMATS)


def size(data: bytes) -> tuple[int, int]:
    """Width and height by the header.

    Raises:
        OSError, ValueError, SyntaxError: it is no image that `decode` knows.
    """
    if data[:4] == EXR_MAGIC:
        return _exr_size(data)
    with opened(data) as image:
        return image.size


def decode(data: bytes, mode: Mode, colour: bool = False) -> NDArray[np.uint8]:
    """Texels (H, W) or (H, W, C) uint8, row 0 at the top.

    16-bit pixels keep their upper byte. Floating-point pixels are linear in [0, 1]; with `colour` they become sRGB codes.

    Raises:
        OSError, ValueError, SyntaxError: it can't be decoded.
    """
    if data[:4] == EXR_MAGIC:
        return _of_float(_read_exr(data), mode, colour)
    with opened(data) as image:
        if image.mode == "F":
            return _of_float(np.asarray(image, np.float32), mode, colour)
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
        return np.ascontiguousarray(np.asarray(image.convert(mode), np.uint8))


def _of_float(pixels: NDArray[Any], mode: Mode, colour: bool) -> NDArray[np.uint8]:
    """8-bit codes of (H, W) or (H, W, C) linear values."""
    values = np.nan_to_num(pixels.reshape(*pixels.shape[:2], -1).astype(np.float64), nan=0.0).clip(0, 1)
    if values.shape[2] < 3:
        values = np.concatenate([values[..., :1]] * 3 + [values[..., 1:2]], -1)
    rgb = values[..., :3]
    if colour:
        rgb = encode_srgb(rgb)
    alpha = values[..., 3:4] if values.shape[2] > 3 else np.ones_like(rgb[..., :1])
    codes = np.rint(np.concatenate([rgb, alpha], -1) * 255).astype(np.uint8)
    if mode == "L":
        return np.asarray(Image.fromarray(codes).convert("L"))
    return np.ascontiguousarray(codes[..., : len(mode)])


def _exr_size(data: bytes) -> tuple[int, int]:
    """From the attribute dataWindow: four little-endian int32, xMin, yMin, xMax, yMax."""
    at = data.find(b"dataWindow\0box2i\0", 0, 65536)
    if at < 0 or at + 37 > len(data):
        raise ValueError("an OpenEXR file without a data window")
    window = np.frombuffer(data, "<i4", 4, at + 21).astype(np.int64)
    width, height = int(window[2] - window[0] + 1), int(window[3] - window[1] + 1)
    if width < 1 or height < 1:
        raise ValueError(f"an OpenEXR file of {width} x {height} pixels")
    return width, height


def _read_exr(data: bytes) -> NDArray[np.float32]:
    """(H, W, C) of the first part's colour channels."""
    import tempfile

    import OpenEXR

    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        file.write(data)
        file.flush()
        try:
            channels = OpenEXR.File(file.name, separate_channels=True).channels()
        except RuntimeError as error:
            raise OSError(str(error)) from error
        names = next((n for n in (("R", "G", "B", "A"), ("R", "G", "B"), ("Y", "A"), ("Y",)) if set(n) <= set(channels)), ())
        if not names:
            raise ValueError(f"an OpenEXR file with the channels {', '.join(channels)} is not a picture")
        return np.stack([np.asarray(channels[name].pixels, np.float32) for name in names], -1)
