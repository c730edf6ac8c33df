"""Folders of photographs with measured normals: DiLiGenT's layout, and one that others are easily brought into.

A case is a folder with three things, at any depth under the one that is named:

    mask.png                     the object, brighter than a half
    normals                      `Normal_gt.mat` (DiLiGenT: variable `Normal_gt`, H x W x 3), or a file whose name begins with
                                 "normal": .npy (H x W x 3, float), .png (8 or 16 bit, (n + 1) / 2)
    photographs                  every other .png or .jpg; their mean is the picture, as if all lights shone at once. Those of
                                 16 bit are linear light, those of 8 bit sRGB

Normals have x right, y up, z towards the viewer. LUCES-MV is a folder per object and view of this kind once its normals are
saved as one of these files; its own archive has not been read here.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image
from scipy.io.matlab import MatReadError

from versemill.colour import decode_srgb, encode_srgb
from versemill.errors import ConfigError
from versemill.generation.conditions import MAX_PIXELS
from versemill.generation.normals.errors import TO_PICTURE
from versemill.materials.images import FORMATS

MASK = "mask.png"
MAX_BYTES = 1 << 30
"""Of a file of normals."""
MAX_LIGHTS = 256
"""Photographs of a case."""
PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class Photograph:
    """A case.

    Attributes:
        rgba: (4, H, W) float32 in [0, 1], alpha the mask. normal: (3, H, W) float32 unit vectors, OpenCV axes, 0 where unknown.
        name: its folder.
    """

    rgba: NDArray[np.float32]
    normal: NDArray[np.float32]
    name: str

    @property
    def known(self) -> NDArray[np.bool_]:
        """(H, W): in the mask, with a normal whose length lies within 0.5 to 1.5."""
        return (self.rgba[3] > 0.5) & (self.normal != 0).any(0)


def read(folder: str | Path) -> Iterator[Photograph]:
    """The cases under a folder, sorted by name, one in memory at a time.

    Raises:
        ConfigError: there are none, or a file of one can't be used.
    """
    root = Path(folder)
    cases = sorted(path.parent for path in root.rglob(MASK)) if root.is_dir() else []
    if not cases:
        raise ConfigError(f"'{folder}' holds no photographs with normals: no folder in it has a {MASK}")
    return (_case(case, str(case.relative_to(root))) for case in cases)


def _case(folder: Path, name: str) -> Photograph:
    mask = _grey(folder / MASK) > 0.5
    named = sorted(p for p in folder.iterdir() if p.name.lower().startswith("normal"))
    usable = [p for p in named if p.suffix.lower() in (".mat", ".npy", ".png")]
    if not usable:
        raise ConfigError(f"'{folder}' has no normals: Normal_gt.mat, or normal*.npy or .png")
    normal = _normals(usable[0], mask.shape)
    length = np.linalg.norm(normal, axis=-1)
    sound = mask & (length >= 0.5) & (length <= 1.5)
    unit = np.where(sound[..., None], normal / np.maximum(length, 1e-6)[..., None], 0)
    taken = {folder / MASK, *named}
    shots = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES and p not in taken)
    if not 1 <= len(shots) <= MAX_LIGHTS:
        raise ConfigError(f"'{folder}' has {len(shots)} photographs; 1 to {MAX_LIGHTS} are needed")
    light = np.zeros((*mask.shape, 3))
    for shot in shots:
        values, linear = _colours(shot, mask.shape)
        light += (values if linear else decode_srgb(values)) / len(shots)
    bright = max(float(np.quantile(light[mask], 0.99)), 1e-6) if mask.any() else 1.0
    picture = encode_srgb(np.clip(light / bright, 0, 1))
    rgba = np.concatenate([picture, mask[..., None]], 2).transpose(2, 0, 1).astype(np.float32)
    return Photograph(rgba, (unit * TO_PICTURE).transpose(2, 0, 1).astype(np.float32), name)


def _normals(path: Path, shape: tuple[int, ...]) -> NDArray[np.floating]:
    """(H, W, 3), y up."""
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"'{path}' has {path.stat().st_size:,} bytes; {MAX_BYTES:,} are the limit")
    try:
        match path.suffix.lower():
            case ".mat":
                sizes = {name: size for name, size, _ in scipy.io.whosmat(path)}
                if sizes.get("Normal_gt") != (*shape, 3):
                    raise ConfigError(f"'{path}' needs a variable Normal_gt of {(*shape, 3)}; it has {sizes}")
                values = scipy.io.loadmat(path, variable_names=["Normal_gt"])["Normal_gt"]
            case ".npy":
                values = np.load(path, mmap_mode="r", allow_pickle=False)
            case _:
                values = _colours(path, shape)[0] * 2 - 1
    except (OSError, ValueError, TypeError, LookupError, NotImplementedError, zlib.error, MatReadError) as error:
        raise ConfigError(f"can't read the normals {path}: {error}") from error
    if values.shape != (*shape, 3) or values.dtype.kind != "f":
        raise ConfigError(f"'{path}' holds {values.dtype} {values.shape}; float {(*shape, 3)} are needed, the mask's size")
    return np.nan_to_num(np.asarray(values, np.float32))


def _grey(path: Path) -> NDArray[np.floating]:
    values, _ = _pixels(path)
    return values if values.ndim == 2 else values.mean(-1)


def _colours(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.floating], bool]:
    """(H, W, 3) in [0, 1], and whether the file has 16 bits."""
    values, deep = _pixels(path)
    if values.shape[:2] != shape[:2]:
        raise ConfigError(f"'{path}' has {values.shape[1]} x {values.shape[0]} pixels, its mask {shape[1]} x {shape[0]}")
    return (np.repeat(values[..., None], 3, -1) if values.ndim == 2 else values), deep


def _pixels(path: Path) -> tuple[NDArray[np.floating], bool]:
    """(H, W) or (H, W, 3) float32 in [0, 1], channels in the order R, G, B, and whether the file has 16 bits."""
    try:
        with Image.open(path, formats=FORMATS) as image:  # reads the header alone
            if image.width * image.height > MAX_PIXELS:
                raise ConfigError(f"'{path}' has {image.width} x {image.height} pixels; the limit is {MAX_PIXELS:,}")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ConfigError(f"can't read the picture {path}: {error}") from error
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)  # Pillow reads 16-bit colours as 8-bit ones
    if values is None or values.dtype not in (np.uint8, np.uint16):
        raise ConfigError(f"can't read the picture {path}: not a whole PNG or JPEG of 8 or 16 bits")
    scaled = np.asarray(values, np.float32) / (65535 if values.dtype == np.uint16 else 255)
    return (scaled if scaled.ndim == 2 else scaled[..., [2, 1, 0]]), values.dtype == np.uint16
