"""A trained novel-views' answer to one picture: views from other poses, and a turntable of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from versemill.camera import intrinsics
from versemill.errors import ConfigError
from versemill.generation.conditions import MAX_PIXELS, cut_out
from versemill.generation.views.cameras import orbit
from versemill.generation.views.families import MULTI_VIEWS, NOVEL_VIEWS
from versemill.generation.views.judging import noise_of
from versemill.generation.views.network import NovelViews
from versemill.generation.views.sampler import Sampling, draw
from versemill.training.runs import describe, load, torch_device

FOV = 49.13434
"""Degrees: Zero-1-to-3's lens, and the pipeline `views`."""
DISTANCE = 3.0
"""From the origin, where an asset's longest side is 2: the nearest of Zero-1-to-3's, and the pipeline `views`."""
FRAMES, FRAME_MS = 24, 80
"""Of a turntable."""


@dataclass(frozen=True)
class Answer:
    """The views (N, S, S, 3) uint8, in the order of the poses, and the calls of the network that each took."""

    views: np.ndarray
    calls: int


def views(
    run_dir: str | Path, image: Path, azimuths: Sequence[float], elevation: float, seen_from: float, sampling: Sampling,
    seed: int, device: str,
) -> Answer:  # fmt: skip
    """The object of a picture from other poses; the same arguments give the same views.

    Args:
        azimuths: degrees around the object from where the picture was taken, counter-clockwise seen from above.
        elevation, seen_from: degrees above the horizon, of the views and of the picture.

    Raises:
        ConfigError: no trained novel-views, or a picture that can't be used.
    """
    target = torch_device(device)
    family = MULTI_VIEWS if describe(run_dir)["family"] == MULTI_VIEWS.name else NOVEL_VIEWS
    loaded, recipe = load(family, run_dir, target)
    source = read_square(image, recipe.size)
    poses = [orbit(0.0, seen_from, DISTANCE), *(orbit(azimuth, elevation, DISTANCE) for azimuth in azimuths)]
    c2w = torch.tensor(np.stack(poses), dtype=torch.float32, device=target)[None]
    K = torch.tensor(intrinsics(FOV, recipe.size, recipe.size), dtype=torch.float32, device=target)
    noise = noise_of([0], [seed], (len(azimuths), 3, recipe.size, recipe.size), target)
    drawn = draw(cast(NovelViews, loaded), source[None].to(target), c2w, K.expand(1, len(poses), 3, 3), noise, sampling)
    pixels = (drawn[0].permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
    return Answer(pixels, sampling.evaluations)


def read_square(path: Path, size: int) -> Tensor:
    """(3, size, size) over white of a square picture, framed as the training views are: nothing is cropped or centred.

    Raises:
        ConfigError: no picture, a picture that is not square, too large or too small, or one whose background can't be removed.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width != height or not size <= width <= MAX_PIXELS**0.5:
                raise ConfigError(
                    f"{path} has {width} x {height} pixels; a square picture of {size} to {int(MAX_PIXELS**0.5)} pixels a "
                    "side is needed, with the object framed as in training: crop or scale it"
                )
            pixels = np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ConfigError(f"can't read the picture {path}: {error}") from error
    try:
        rgba = torch.from_numpy(cut_out(pixels).copy()).permute(2, 0, 1).float() / 255
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    white = rgba[:3] * rgba[3:] + 1 - rgba[3:]
    return torch.nn.functional.adaptive_avg_pool2d(white, size)


def write_view(path: Path, view: np.ndarray) -> None:
    """A PNG of a view (S, S, 3) uint8."""
    Image.fromarray(view).save(path)


def write_turntable(path: Path, frames: np.ndarray) -> None:
    """An endless GIF of views (N, S, S, 3) uint8."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=others, duration=FRAME_MS, loop=0)
