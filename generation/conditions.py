"""Pictures as conditions: the foreground, cut out, turned in the plane and put on white at a stated share of the frame.

TripoSG: the object fills 90 % of the frame in the paper and 83 % in the released code (a margin of 0.1 of its longer side on
each side); a turn of at most 10 degrees with probability 0.2, in training only. Cameras are the preset `triposg` of `render/`.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from versemill.errors import ConfigError
from versemill.materials.images import FORMATS

PAPER_FILL, RELEASED_FILL = 0.9, 1 / 1.2
"""Share of the frame that the longer side of the foreground takes."""
ROLL, ROLL_CHANCE = 10.0, 0.2
"""Degrees at most of the turn in the plane, and how often there is one."""
TOLERANCE = 12
"""A background of one colour: most of the border within so many of 255 levels of its median."""
PLAIN = 0.95
"""Share of the border that must be so."""
MAX_PIXELS = 64_000_000
"""Of a picture that is read."""


def crop(rgba: Tensor, size: int, fill: float = PAPER_FILL, roll: float = 0.0) -> Tensor:
    """(3, size, size) over white of a picture (4, H, W) in [0, 1] with straight alpha.

    The foreground (alpha over a half) is turned by `roll` degrees, counter-clockwise, and scaled so that the longer side of
    its box takes `fill` of the frame; its box is centred.

    Raises:
        ValueError: the picture has no foreground.
    """
    rows, columns = torch.nonzero(rgba[3] > 0.5, as_tuple=True)
    if not len(rows):
        raise ValueError("a condition needs a foreground; no pixel of this picture has an alpha over a half")
    angle = np.deg2rad(roll)
    spin = torch.tensor([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], dtype=torch.float32)
    centres = torch.stack([columns, rows], 1).float() + 0.5
    turned = centres @ spin.T
    low, high = turned.min(0).values - 0.5, turned.max(0).values + 0.5
    pixels = (high - low).max() / fill  # of the source on the frame's side
    premultiplied = torch.cat([rgba[:3] * rgba[3:], rgba[3:]])
    shrink = float(pixels) / size
    height, width = rgba.shape[1:]
    if shrink > 1.5:  # else bilinear sampling would skip pixels
        small = (max(1, round(height / shrink)), max(1, round(width / shrink)))
        premultiplied = F.interpolate(premultiplied[None], small, mode="bilinear", antialias=True, align_corners=False)[0]
    steps = ((torch.arange(size) + 0.5) / size - 0.5) * pixels
    x, y = torch.meshgrid(steps, steps, indexing="xy")
    source = (torch.stack([x, y], -1) + (low + high) / 2) @ spin  # the inverse turn
    grid = source / torch.tensor([width, height]) * 2 - 1
    cut = F.grid_sample(premultiplied[None], grid[None], align_corners=False)[0]
    return (cut[:3] + 1 - cut[3:]).clamp(0, 1)


def normal_map(normals: Tensor, alpha: Tensor) -> Tensor:
    """(4, H, W) in [0, 1]: unit normals (3, H, W) in OpenCV axes as a picture, (n + 1) / 2 with x right, y up, z towards the
    viewer, and alpha (H, W)."""
    return torch.cat([(normals * torch.tensor([1.0, -1.0, -1.0])[:, None, None] + 1) / 2, alpha[None]])


def turned_normals(picture: Tensor, roll: float, mirror: bool) -> Tensor:
    """A `normal_map` (4, H, W) whose vectors are turned by `roll` degrees, counter-clockwise, after a reflection of x with
    `mirror`: what its pixels hold when the picture itself is mirrored and turned so."""
    x, y = 2 * picture[0] - 1, 2 * picture[1] - 1
    x = -x if mirror else x
    cos, sin = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    turned = torch.stack([cos * x - sin * y, sin * x + cos * y])
    return torch.cat([(turned + 1) / 2, picture[2:]])


def cut_out(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) of a picture (H, W, 3 or 4): what has no useful alpha loses a background of one colour.

    The background is what can be reached from the border without leaving the border's colour.

    Raises:
        ConfigError: the picture has neither alpha nor a plain border, or nothing is left.
    """
    if pixels.shape[2] == 4 and (pixels[..., 3] < 128).any():
        picture = pixels
    else:
        rgb = pixels[..., :3].astype(np.int16)
        border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
        colour = np.median(border, 0)
        share = float((np.abs(border - colour).max(1) <= TOLERANCE).mean())
        if share < PLAIN:
            raise ConfigError(
                f"the picture has no transparent background, and only {share:.0%} of its border is of one colour ({PLAIN:.0%} "
                "are needed): cut the object out and save it as a PNG with alpha"
            )
        alike = np.abs(rgb - colour).max(2) <= TOLERANCE
        label, _ = ndimage.label(alike)
        edges = np.unique(np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]]))
        background = np.isin(label, edges[edges > 0])
        picture = np.dstack([pixels[..., :3], np.where(background, 0, 255).astype(np.uint8)])
    if not (picture[..., 3] >= 128).any():
        raise ConfigError("nothing is left of the picture without its background")
    return picture


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """(H, W, 4) of a picture file.

    Raises:
        ConfigError: no picture, or too large a one.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ConfigError(
                    f"{path} has {image.width} x {image.height} pixels; the limit is {MAX_PIXELS:,}: scale it down"
                )
            return np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ConfigError(f"can't read the picture {path}: {error}") from error


def read_picture(path: Path) -> Tensor:
    """(4, H, W) float32 in [0, 1] with straight alpha; see `cut_out`.

    Raises:
        ConfigError: no picture, too large a one, or one that `cut_out` refuses.
    """
    pixels = read_pixels(path)
    try:
        picture = cut_out(pixels)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255
