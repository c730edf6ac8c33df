"""Backgrounds: what is laid behind the views of an asset when they are read.

The renderer averages the samples of a pixel as linear light and states coverage as straight alpha (`render.kernels.film`). So
a view in front of a background is mixed in linear light, too (`over`): it is what the renderer would have given, had the
background stood there. Backgrounds are drawn, not stored: the same shards serve every training.
"""

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, model_validator
from scipy import ndimage

from versemill.colour import decode_srgb, encode_srgb
from versemill.config import Config
from versemill.errors import AssetError, ConfigError
from versemill.files import open_foreign, open_regular
from versemill.materials import images
from versemill.panoramas import in_folder, look, read

Floats = NDArray[np.float32]
Unit = Annotated[float, Field(ge=0, le=1)]
Kind = Literal["constant", "noise", "checker", "clouds", "clutter", "panorama", "photographs"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FOLDERS = {"panorama": "panoramas", "photographs": "photographs"}
"""Kinds that need a folder -> the setting that names it."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MAX_FILES = 20_000
"""Of a folder of photographs."""
MAX_BYTES, MAX_PIXELS = 64 * 2**20, 64_000_000
"""Of a photograph."""
SIDE = 1024
"""Pixels on the longer side that are kept of a photograph."""
JPEG = b"\xff\xd8"
"""First bytes of a JPEG."""
KEY = 0.18
"""Where the log-average of a panorama comes to lie: a middle grey (Reinhard et al. 2002, section 3)."""


class Background(Config):
    """What is laid behind the views of an asset. Draws are keyed by the asset, the epoch and the view."""

    kinds: tuple[Kind, ...] = Field(
        default=("constant",),
        min_length=1,
        description="one of them is drawn per asset and epoch; constant: one colour, the same in all views; noise: cells of "
        "random colours; checker: squares of two colours; clouds: smooth between two colours; clutter: boxes, discs and "
        "stripes; panorama: what each camera sees of a panorama around the asset; photographs: crops of pictures",
    )
    colour: tuple[Unit, Unit, Unit] | None = Field(default=None, description="sRGB of 'constant'; null: drawn per asset")
    panoramas: str | None = Field(default=None, description="folder of .hdr or .exr panoramas, for 'panorama'")
    photographs: str | None = Field(
        default=None, description=f"folder of pictures ({', '.join(SUFFIXES)}) for 'photographs'; subfolders are not read"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.kinds)) != len(self.kinds):
            raise ValueError(f"each kind may be named only once, got {self.kinds}")
        for kind, setting in FOLDERS.items():
            if (kind in self.kinds) != (getattr(self, setting) is not None):
                raise ValueError(f"kind '{kind}' and the folder `{setting}` need each other: set both, or neither")
        if self.colour is not None and "constant" not in self.kinds:
            raise ValueError(f"colour is for kind 'constant', which is not among {self.kinds}")
        return self


def check(background: Background) -> None:
    """Looks into the folders that a background names, before anything is trained.

    Raises:
        ConfigError: a folder without panoramas or pictures, or with a picture that may not be read; see `pictures`.
    """
    if background.panoramas is not None:
        _panoramas(background.panoramas)
    if background.photographs is not None:
        pictures(background.photographs)


def over(colour: Floats, alpha: Floats, behind: Floats) -> Floats:
    """Straight sRGB colours in front of others, mixed in linear light.

    Args:
        colour, behind: (..., 3, H, W) sRGB in [0, 1]. alpha: (..., 1, H, W) coverage in [0, 1].

    Returns:
        (..., 3, H, W) float32 sRGB: encode(alpha decode(colour) + (1 - alpha) decode(behind)), IEC 61966-2-1.
    """
    colour, behind, alpha = np.broadcast_arrays(colour, behind, alpha)
    mixed = np.where(alpha > 0, colour, behind).astype(np.float32)
    part = (alpha > 0) & (alpha < 1)
    light = alpha[part] * decode_srgb(colour[part]) + (1 - alpha[part]) * decode_srgb(behind[part])
    mixed[part] = encode_srgb(light)
    return mixed


def draw(
    background: Background,
    shared: np.random.Generator,
    own: Sequence[np.random.Generator],
    height: int,
    width: int,
    directions: Sequence[NDArray[np.float64] | None] | None = None,
) -> Floats:
    """The backgrounds of V views of one asset.

    Args:
        shared: draws what the views have in common: the kind, the colour of 'constant', the panorama and its turn. own: V
            generators of what each view has for itself.
        directions: of each view (H, W, 3) in the world, for 'panorama'; None where there is no camera, or a parallel one:
            a direction and a field of view are drawn then.

    Returns:
        (V, 3, H, W) float32 sRGB in [0, 1].

    Raises:
        ConfigError: see `check`; a picture that can't be decoded.
    """
    kind = background.kinds[int(shared.integers(len(background.kinds)))]
    if kind == "constant":
        colour = np.asarray(background.colour or shared.random(3), np.float32)
        return np.broadcast_to(colour[:, None, None], (len(own), 3, height, width)).copy()
    if kind == "panorama":
        files = _panoramas(str(background.panoramas))
        image, turn = _developed(files[int(shared.integers(len(files)))]), shared.uniform(0, 360)
        ways = directions or [None] * len(own)
        aimed = [_aimed(rng, height, width) if way is None else way for rng, way in zip(own, ways, strict=True)]
        light = np.stack([look(image, way, turn) for way in aimed])
        return np.asarray(encode_srgb(light), np.float32).transpose(0, 3, 1, 2)
    if kind == "photographs":
        shots = pictures(str(background.photographs))
        return np.stack([_crop(_picture(shots[int(rng.integers(len(shots)))]), height, width, rng) for rng in own])
    paint = {"noise": noise, "checker": checker, "clouds": clouds, "clutter": clutter}[kind]
    return np.stack([paint(height, width, rng) for rng in own])


def noise(height: int, width: int, rng: np.random.Generator) -> Floats:
    """(3, H, W): cells of random colours, of one pixel's side to an eighth of the picture's."""
    cell = 2 ** int(rng.integers(0, max(1, int(np.log2(max(min(height, width), 8))) - 2)))
    colours = rng.random((3, -(-height // cell), -(-width // cell)), np.float32)
    return colours.repeat(cell, 1).repeat(cell, 2)[:, :height, :width]


def checker(height: int, width: int, rng: np.random.Generator) -> Floats:
    """(3, H, W): squares of two colours, 3 to 16 across the picture's shorter side."""
    colours = rng.random((2, 3), np.float32)
    cell = min(height, width) / rng.uniform(3, 16)
    x, y = rng.random(2)
    rows, columns = (np.floor(np.arange(n) / cell + shift).astype(int) for n, shift in ((height, y), (width, x)))
    odd = (rows[:, None] + columns) % 2
    return np.ascontiguousarray(colours[odd].transpose(2, 0, 1))


def clouds(height: int, width: int, rng: np.random.Generator) -> Floats:
    """(3, H, W): clouds of one to sixteen cells between two colours; the coarsest are a gradient."""
    colours = rng.uniform(0, 1, (2, 3, 1, 1))
    cells = int(2 ** rng.integers(0, 5))
    factor = (1, (height + cells) / (cells + 1), (width + cells) / (cells + 1))
    mix = ndimage.zoom(rng.uniform(0, 1, (1, cells + 1, cells + 1)), factor, order=1, mode="nearest")[:, :height, :width]
    mix = np.pad(mix, ((0, 0), (0, height - mix.shape[1]), (0, width - mix.shape[2])), mode="edge")
    return (colours[0] + mix * (colours[1] - colours[0])).astype(np.float32)


def clutter(height: int, width: int, rng: np.random.Generator) -> Floats:
    """(3, H, W): 12 to 40 boxes and discs, plain or striped, one over the other."""
    picture = np.broadcast_to(rng.uniform(0, 1, (3, 1, 1)), (3, height, width)).copy()
    y, x = np.mgrid[:height, :width]
    for _ in range(int(rng.integers(12, 41))):
        angle, reach = rng.uniform(0, np.pi), rng.uniform(0.03, 0.3, 2) * max(height, width)
        dx, dy = x - rng.uniform(0, width), y - rng.uniform(0, height)
        u, v = (np.cos(angle) * dx + np.sin(angle) * dy) / reach[0], (np.cos(angle) * dy - np.sin(angle) * dx) / reach[1]
        inside = np.maximum(abs(u), abs(v)) < 1 if rng.random() < 0.5 else u * u + v * v < 1
        if rng.random() < 0.4:
            inside &= np.sin(u * rng.uniform(5, 30)) > 0
        picture = np.where(inside, rng.uniform(0, 1, (3, 1, 1)), picture)
    return picture.astype(np.float32)


def directions_of(c2w: NDArray[np.float64], K: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """(H, W, 3) world directions through the pixels' centres of a pinhole camera: c2w (4, 4) in OpenCV axes, K (3, 3)."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    local = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1)
    return np.asarray(local @ c2w[:3, :3].T, np.float64)


def _aimed(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """(H, W, 3) directions of a drawn camera: any azimuth, within 30 degrees of level, 40 to 90 degrees wide."""
    azimuth, elevation, wide = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-30, 30)), np.radians(rng.uniform(40, 90))
    forward = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], 1)
    focal = width / 2 / np.tan(wide / 2)
    return directions_of(pose, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]), height, width)


@lru_cache(maxsize=8)
def _panoramas(folder: str) -> list[Path]:
    files = in_folder(folder)
    if not files:
        raise ConfigError(f"background.panoramas '{folder}' has no .hdr or .exr file")
    return files


@lru_cache(maxsize=4)
def _developed(path: Path) -> Floats:
    """(H, W, 3) linear light in [0, 1] of a panorama: its log-average becomes `KEY`, and what is brighter than 1 is cut."""
    image = read(path)
    weight = np.cos((np.arange(len(image)) + 0.5) / len(image) * np.pi - np.pi / 2)
    bright = np.log(1e-6 + image @ np.array([0.2126, 0.7152, 0.0722]))
    average = np.exp(np.average(bright.mean(1), weights=weight))
    return np.clip(image * (KEY / average), 0, 1).astype(np.float32)


@lru_cache(maxsize=8)
def pictures(folder: str) -> tuple[Path, ...]:
    """The pictures of a folder, by name; nothing of them is decoded yet.

    Raises:
        ConfigError: the folder does not exist, has no picture or more than `MAX_FILES` files; or a picture in it is not a
            regular file, leads outside the folder, is not a picture, or has more than `MAX_BYTES` or `MAX_PIXELS`.
    """
    try:
        entries = sorted(entry for entry, _ in zip(Path(folder).iterdir(), range(MAX_FILES + 1), strict=False))
    except OSError as error:
        raise ConfigError(f"background.photographs '{folder}' can't be read: {error.strerror}") from error
    if len(entries) > MAX_FILES:
        raise ConfigError(f"background.photographs '{folder}' has more than {MAX_FILES:,} entries; take fewer")
    files = tuple(path for path in entries if path.suffix.lower() in SUFFIXES)
    if not files:
        raise ConfigError(f"background.photographs '{folder}' has no picture; known are {', '.join(SUFFIXES)}")
    for path in files:
        with _named(path), open_regular(path, [path.parent]) as file:
            _fits(path, os.fstat(file.fileno()).st_size, Image.open(file, formats=images.FORMATS).size)
    return files


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turns what goes wrong with a file into a ConfigError that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is lower than Pillow's
            yield
    except AssetError as error:
        raise ConfigError(f"can't use '{path}' as a background: {error}; remove it") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ConfigError(f"'{path}' is not a whole picture of a known kind; remove it") from error


def _fits(path: Path, count: int, size: tuple[int, int]) -> None:
    if count > MAX_BYTES:
        raise ConfigError(f"'{path}' has {count:,} bytes; the limit is {MAX_BYTES:,}: scale it down")
    if size[0] * size[1] > MAX_PIXELS:
        raise ConfigError(f"'{path}' has {size[0]} x {size[1]} pixels; the limit is {MAX_PIXELS:,} in all: scale it down")


@lru_cache(maxsize=32)
def _picture(path: Path) -> Image.Image:
    """A photograph, at most `SIDE` pixels on its longer side."""
    with _named(path):
        data = open_foreign(path, [path.parent], MAX_BYTES)
        _fits(path, len(data), images.size(data))
        if data[:2] == JPEG:
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as shot:
                shot.draft("RGB", (SIDE, SIDE))  # decodes it at a fraction of its size, several times as fast
                image = shot.convert("RGB")
        else:
            image = Image.fromarray(images.decode(data, "RGB", colour=True))
    image.thumbnail((SIDE, SIDE))
    return image


def _crop(shot: Image.Image, height: int, width: int, rng: np.random.Generator) -> Floats:
    """(3, H, W): half to all of the largest cut of this shape, anywhere in the picture, brought to size."""
    scale = min(shot.width / width, shot.height / height) * rng.uniform(0.5, 1)
    left, top = rng.random(2) * (shot.width - scale * width, shot.height - scale * height)
    box = (left, top, left + scale * width, top + scale * height)
    cut = shot.resize((width, height), Image.Resampling.BILINEAR, box)
    return np.asarray(cut, np.float32).transpose(2, 0, 1) / np.float32(255)
