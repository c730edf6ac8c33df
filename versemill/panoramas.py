"""Panoramas of real light: Radiance and OpenEXR files, as linear radiance; and what is seen of one in a direction."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from versemill.errors import ConfigError
from versemill.materials import images

Float32 = NDArray[np.float32]

SUFFIXES = (".hdr", ".exr")
ROWS = 512
"""Larger panoramas are brought down to at most this many rows; 0.35 degrees are sharper than any reflection that we show."""
MAX_BYTES = 2**30
"""Of a file."""
MAX_PIXELS = 2**27
"""Of a file: 16k x 8k."""


def in_folder(folder: str | Path) -> list[Path]:
    """The panoramas of a folder, by name; an empty list where there are none."""
    return sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in SUFFIXES)


@lru_cache(maxsize=16)
def read(path: Path) -> Float32:
    """(H, W, 3) linear radiance of a panorama, row 0 at the top, at most `ROWS` high.

    Raises:
        ConfigError: a file that is too large, or that its reader can't read.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ConfigError(f"'{path}' has {size:,} bytes; the limit is {MAX_BYTES:,}")
    image = read_exr(path) if path.suffix.lower() == ".exr" else read_hdr(path)
    factor = -(-image.shape[0] // ROWS)
    height, width = (n // factor for n in image.shape[:2])
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return blocks.mean((1, 3), dtype=np.float64).astype(np.float32)


def read_exr(path: Path) -> Float32:
    """Reads an OpenEXR image of any compression as (H, W, 3) float32 linear radiance; what is not finite becomes 0 or 65504.

    Raises:
        ConfigError: not an OpenEXR file, too large a one, or one without the channels R, G and B.
    """
    import OpenEXR

    try:
        with path.open("rb") as file:
            _check_pixels(path, *images.size(file.read(2**16)))
        channels = OpenEXR.File(str(path), separate_channels=True).channels()
        image = np.stack([channels[name].pixels for name in "RGB"], -1).astype(np.float32)
    except KeyError as error:
        raise ConfigError(f"'{path}' has no channel {error}; it has {', '.join(channels)}") from None
    except (RuntimeError, ValueError, OSError, SyntaxError) as error:
        raise ConfigError(f"'{path}' is not a readable OpenEXR file ({error})") from None
    return np.maximum(np.nan_to_num(image, nan=0.0, posinf=65504.0, neginf=0.0), 0)


def read_hdr(path: Path) -> Float32:
    """Reads a Radiance RGBE panorama (flat or run-length coded) as (H, W, 3) float32 linear radiance.

    Raises:
        ConfigError: not a Radiance file of the usual orientation, too large, or truncated.
    """
    data = path.read_bytes()
    try:
        head, _, rest = data.partition(b"\n\n")
        size, _, body = rest.partition(b"\n")
        words = size.split()
        if not head.startswith(b"#?") or words[0] != b"-Y" or words[2] != b"+X":
            raise ValueError("header")
        height, width = int(words[1]), int(words[3])
        _check_pixels(path, width, height)
        rgbe = _scanlines(body, height, width)
    except (ValueError, IndexError) as error:
        raise ConfigError(f"'{path}' is not a readable Radiance .hdr file ({error})") from None
    scale = np.ldexp(1.0, rgbe[..., 3].astype(int) - 136) * (rgbe[..., 3] > 0)
    return (rgbe[..., :3] * scale[..., None]).astype(np.float32)


def _scanlines(body: bytes, height: int, width: int) -> NDArray[np.uint8]:
    coded = 8 <= width < 32768 and body[:2] == b"\x02\x02"
    if not coded:
        return np.frombuffer(body[: height * width * 4], np.uint8).reshape(height, width, 4)
    out, at = np.empty((height, 4, width), np.uint8), 0
    for y in range(height):
        at += 4
        for channel in range(4):
            x = 0
            while x < width:
                count = body[at]
                if count > 128:
                    out[y, channel, x : x + count - 128] = body[at + 1]
                    x, at = x + count - 128, at + 2
                else:
                    out[y, channel, x : x + count] = np.frombuffer(body[at + 1 : at + 1 + count], np.uint8)
                    x, at = x + count, at + 1 + count
    return out.transpose(0, 2, 1)


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ConfigError(f"'{path}' has {width} x {height} pixels; the limit is {MAX_PIXELS:,} in all")


def look(image: Float32, directions: NDArray[np.floating], turn: float = 0.0) -> Float32:
    """What is seen of a panorama in some directions, interpolated linearly between its texels.

    A panorama runs clockwise seen from above, as photographs do, and its middle column faces -X before the turn: the same as
    the lighting preset `hdri` has it.

    Args:
        image: (H, W, 3). directions: (..., 3), of any length, in the world. turn: degrees about the vertical,
            counter-clockwise seen from above.

    Returns:
        (..., 3) float32.
    """
    height, width = image.shape[:2]
    x, y, z = np.moveaxis(np.asarray(directions, np.float64), -1, 0)
    azimuth = np.degrees(np.arctan2(y, x)) - turn
    column = (-azimuth / 360 % 1.0) * width - 0.5
    row = np.clip((0.5 - np.degrees(np.arctan2(z, np.hypot(x, y))) / 180) * height - 0.5, 0, height - 1)
    left, top = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    across, down = (column - left)[..., None], (row - top)[..., None]
    below = np.minimum(top + 1, height - 1)
    upper, lower = (image[r, left % width] * (1 - across) + image[r, (left + 1) % width] * across for r in (top, below))
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
