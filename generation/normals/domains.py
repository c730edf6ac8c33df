"""Two domains of pictures besides the shards' own: what stage 1 trains on, and a shift that no training sees.

Stage 1 of NiRNE trains on photographs whose normals come from scans: backgrounds, lights, blur, compression, and labels that
are soft and misplaced at edges. Nothing here is a photograph; `TRAINING` imitates those traits. `UNSEEN` draws other
kinds of them (clutter instead of gradients, motion instead of defocus, shot noise, a lamp from one side) for judging only.
"""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from versemill.shards.backgrounds import clouds, clutter

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """How pictures come to look like photographs.

    Attributes:
        background: "soft": a colour, a gradient or clouds; "clutter": boxes, discs and stripes with hard edges.
        exposure, balance: of all light and of each channel, drawn within so many powers of two either way. lamp: the same of
            a ramp of light across the picture.
        blur: standard deviation of a Gaussian in pixels, at most. motion: length of a blur along a line in pixels, at most.
        grain: standard deviation of sensor noise, at most, in [0, 1]. shot: the same at white, growing with the square root of
            the light.
        quality: range of JPEG qualities.
    """

    background: Literal["soft", "clutter"]
    exposure: float
    balance: float
    lamp: float
    blur: float
    motion: int
    grain: float
    shot: float
    quality: tuple[int, int]


TRAINING = Look("soft", exposure=0.8, balance=0.3, lamp=0.0, blur=1.0, motion=0, grain=0.03, shot=0.0, quality=(50, 95))
UNSEEN = Look("clutter", exposure=0.8, balance=0.3, lamp=1.0, blur=0.0, motion=5, grain=0.0, shot=0.06, quality=(25, 45))
SOFT = 8.0
"""Degrees between a normal and the mean around it, from which scans are imitated to be soft."""


def photograph(rgba: Floats, look: Look, rng: np.random.Generator, behind: Floats | None = None) -> Floats:
    """(3, H, W) in [0, 1] of a picture (4, H, W) in [0, 1] with straight alpha, sRGB.

    `behind` (3, H, W) takes the place of the look's own background, which is drawn all the same: nothing else changes.
    """
    height, width = rgba.shape[1:]
    alpha = rgba[3:]
    own = (clouds if look.background == "soft" else clutter)(height, width, rng)
    behind = own if behind is None else behind
    gain = 2 ** (rng.uniform(-look.exposure, look.exposure) + rng.uniform(-look.balance, look.balance, (3, 1, 1)))
    lit = (rgba[:3] * alpha + behind * (1 - alpha)) ** 2.2 * gain
    if look.lamp:
        x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
        angle = rng.uniform(0, 2 * np.pi)
        lit = lit * 2 ** (rng.uniform(0, look.lamp) * (np.cos(angle) * x + np.sin(angle) * y))
    if look.blur:
        lit = ndimage.gaussian_filter(lit, (0, *[rng.uniform(0, look.blur)] * 2))
    if look.motion:
        lit = ndimage.convolve(lit, _streak(rng.uniform(1, look.motion), rng.uniform(0, np.pi))[None], mode="nearest")
    deviation = rng.uniform(0, look.grain) + rng.uniform(0, look.shot) * np.sqrt(np.clip(lit, 0, 1))
    values = np.clip(lit, 0, 1) ** (1 / 2.2) + deviation * rng.standard_normal(lit.shape)
    return compressed(np.clip(values, 0, 1), int(rng.integers(look.quality[0], look.quality[1] + 1)))


def compressed(values: NDArray[np.floating], quality: int) -> Floats:
    """(3, H, W) in [0, 1] after JPEG of a quality."""
    buffer = io.BytesIO()
    Image.fromarray(np.round(values * 255).astype(np.uint8).transpose(1, 2, 0)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer), np.float32).transpose(2, 0, 1) / np.float32(255)


def scanned(normal: Floats, rng: np.random.Generator) -> Floats:
    """Normals (3, H, W), 0 where unknown, as a scan gives them: away by a pixel at most, and soft and uneven at edges.

    Pixels whose normal is over `SOFT` degrees from the mean of the 3 x 3 to 7 x 7 around it, and their neighbours, get that
    mean with a slow error of about 10 degrees. What is unknown stays so.
    """
    known = (normal != 0).any(0)
    height, width = known.shape
    moved = np.roll(normal, rng.integers(-1, 2, 2), (1, 2))
    moved = np.where((moved != 0).any(0) & known, moved, normal)
    size = 1 + 2 * int(rng.integers(1, 4))
    mean = _unit(ndimage.uniform_filter(moved, (0, size, size), mode="nearest"))
    turned = (moved * mean).sum(0) < np.cos(np.radians(SOFT))
    edge = ndimage.binary_dilation(turned & known, iterations=1)
    slow = ndimage.zoom(rng.standard_normal((3, height // 8 + 2, width // 8 + 2)), (1, 8, 8), order=1)[:, :height, :width]
    return np.where(known, np.where(edge, _unit(mean + 0.15 * slow), moved), 0).astype(np.float32)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=0), 1e-6)


def _streak(length: float, angle: float) -> NDArray[np.float64]:
    """A line through the middle of an odd square, sum 1: the blur of a camera that moved `length` pixels."""
    reach = int(np.ceil(length / 2))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    weight = np.clip(1 - abs(across), 0, 1) * np.clip(length / 2 + 0.5 - abs(along), 0, 1)
    return weight / weight.sum()
