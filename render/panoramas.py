"""Panoramas of real light: Radiance and OpenEXR files of a folder, or those that ship with Blender."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from versemill.errors import ConfigError, MissingDependencyError
from versemill.render.config import CyclesConfig

Float32 = NDArray[np.float32]

ROWS = 512
"""Larger panoramas are brought down to at most this many rows; 0.35 degrees are sharper than any reflection that we show."""


def files(folder: str | None) -> list[Path]:
    """The panoramas of a folder, by name; of Blender's own if None (eight of Poly Haven's, CC0).

    Raises:
        ConfigError: a folder without any. MissingDependencyError: Blender is not here.
    """
    if folder is None:
        home = Path(CyclesConfig().python).parents[1]
        images = sorted(home.glob("lib/python3*/site-packages/bpy/*/datafiles/studiolights/world/*.exr"))
        if not images:
            raise MissingDependencyError(
                f"lighting preset 'hdri' without a folder takes the panoramas that ship with Blender, and none is under "
                f"'{home}'; `make blender` installs it, or set lighting.folder to a folder of .hdr or .exr files"
            )
        return images
    images = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in (".hdr", ".exr"))
    if not images:
        raise ConfigError(f"lighting.folder '{folder}' has no .hdr or .exr file")
    return images


@lru_cache(maxsize=16)
def read(path: Path) -> Float32:
    """(H, W, 3) linear radiance of a panorama, row 0 at the top, at most `ROWS` high. Raises as its reader does."""
    image = read_exr(path) if path.suffix.lower() == ".exr" else read_hdr(path)
    factor = -(-image.shape[0] // ROWS)
    height, width = (n // factor for n in image.shape[:2])
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return blocks.mean((1, 3), dtype=np.float64).astype(np.float32)


def read_exr(path: Path) -> Float32:
    """Reads an OpenEXR image of any compression as (H, W, 3) float32 linear radiance; what is not finite becomes 0 or 65504.

    Raises:
        ConfigError: not an OpenEXR file, or one without the channels R, G and B.
    """
    import OpenEXR

    try:
        channels = OpenEXR.File(str(path), separate_channels=True).channels()
        image = np.stack([channels[name].pixels for name in "RGB"], -1).astype(np.float32)
    except KeyError as error:
        raise ConfigError(f"'{path}' has no channel {error}; it has {', '.join(channels)}") from None
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"'{path}' is not a readable OpenEXR file ({error})") from None
    return np.maximum(np.nan_to_num(image, nan=0.0, posinf=65504.0, neginf=0.0), 0)


def read_hdr(path: Path) -> Float32:
    """Reads a Radiance RGBE panorama (flat or run-length coded) as (H, W, 3) float32 linear radiance.

    Raises:
        ConfigError: not a Radiance file of the usual orientation, or truncated.
    """
    data = path.read_bytes()
    try:
        head, _, rest = data.partition(b"\n\n")
        size, _, body = rest.partition(b"\n")
        words = size.split()
        if not head.startswith(b"#?") or words[0] != b"-Y" or words[2] != b"+X":
            raise ValueError("header")
        height, width = int(words[1]), int(words[3])
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
