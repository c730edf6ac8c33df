"""A model's answer to one picture: views from other poses, and a turntable of them; or to a part map, its view."""

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
from versemill.generation.conditions import read_picture
from versemill.generation.views import zero123
from versemill.generation.views.cameras import orbit
from versemill.generation.views.families import MAP_VIEWS, MULTI_VIEWS, NOVEL_VIEWS
from versemill.generation.views.judging import noise_of
from versemill.generation.views.maps import read_map
from versemill.generation.views.network import NovelViews
from versemill.generation.views.sampler import Drawer, Sampling, draw
from versemill.training.runs import describe, load, torch_device

FOV = 49.13434
"""Degrees: Zero-1-to-3's lens, and the pipeline `views`."""
DISTANCE = 3.0
"""From the origin, where an asset's longest side is 2: the nearest of Zero-1-to-3's, and the pipeline `views`."""
MAP_ELEVATION = 25.0
"""Degrees above the horizon from which a part map is taken to be seen: as in the pipeline `views`."""
FRAMES, FRAME_MS = 24, 80
"""Of a turntable."""


@dataclass(frozen=True)
class Answer:
    """The views (N, S, S, 3) uint8, in the order of the poses, and the calls of the network that each took."""

    views: np.ndarray
    calls: int


@dataclass(frozen=True)
class Model:
    """What draws, the side of its pictures in pixels, and whether it is shown a part map instead of another view."""

    drawer: Drawer
    size: int
    mapped: bool
    device: torch.device


def opened(folder: Path, device: str) -> Model:
    """A run of novel-views, multi-views or map-views, or a folder of Zero-1-to-3 as diffusers saves it.

    Raises:
        ConfigError: the folder holds something else.
    """
    target = torch_device(device)
    if zero123.is_folder(folder):
        theirs = zero123.Zero123(folder).to(target)
        return Model(theirs, theirs.size, False, target)
    name = describe(folder)["family"]
    family = next((each for each in (MULTI_VIEWS, MAP_VIEWS) if each.name == name), NOVEL_VIEWS)
    network, recipe = load(family, folder, target)
    return Model(cast(NovelViews, network), recipe.size, recipe.shown == "map", target)


def views(
    model: Model, image: Path, azimuths: Sequence[float], elevation: float, seen_from: float, sampling: Sampling, seed: int
) -> Answer:
    """The object of a picture from other poses; the same arguments give the same views.

    Args:
        azimuths: degrees around the object from where the picture was taken, counter-clockwise seen from above.
        elevation, seen_from: degrees above the horizon, of the views and of the picture.

    Raises:
        ConfigError: a picture that can't be used, or a way to draw that the model does not have.
    """
    poses = [orbit(0.0, seen_from, DISTANCE), *(orbit(azimuth, elevation, DISTANCE) for azimuth in azimuths)]
    return _answer(model, read_square(image, model.size), poses, sampling, seed)


def from_map(model: Model, image: Path, sampling: Sampling, seed: int) -> Answer:
    """One view of what a part map shows; see `maps.read_map`.

    Raises:
        ConfigError: a map that can't be used, or a way to draw that the model does not have.
    """
    return _answer(model, read_map(image, model.size), [orbit(0.0, MAP_ELEVATION, DISTANCE)] * 2, sampling, seed)


def _answer(model: Model, shown: Tensor, poses: Sequence[np.ndarray], sampling: Sampling, seed: int) -> Answer:
    device = model.device
    c2w = torch.tensor(np.stack(poses), dtype=torch.float32, device=device)[None]
    K = torch.tensor(intrinsics(FOV, model.size, model.size), dtype=torch.float32, device=device)
    noise = noise_of([0], [seed], (len(poses) - 1, *model.drawer.shape), device)
    drawn = draw(model.drawer, shown[None].to(device), c2w, K.expand(1, len(poses), 3, 3), noise, sampling)
    pixels = (drawn[0].permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
    return Answer(pixels, sampling.evaluations)


def read_square(path: Path, size: int) -> Tensor:
    """(3, size, size) over white of a square picture, framed as the training views are: nothing is cropped or centred.

    Raises:
        ConfigError: no picture, a picture that is not square, too large or too small, or one whose background can't be removed.
    """
    rgba = read_picture(path)
    height, width = rgba.shape[1:]
    if width != height or width < size:
        raise ConfigError(
            f"{path} has {width} x {height} pixels; a square picture of at least {size} pixels a side is needed, with the "
            "object framed as in training: crop or scale it"
        )
    white = rgba[:3] * rgba[3:] + 1 - rgba[3:]
    return torch.nn.functional.adaptive_avg_pool2d(white, size)


def write_view(path: Path, view: np.ndarray) -> None:
    """A PNG of a view (S, S, 3) uint8."""
    Image.fromarray(view).save(path)


def write_turntable(path: Path, frames: np.ndarray) -> None:
    """An endless GIF of views (N, S, S, 3) uint8."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=others, duration=FRAME_MS, loop=0)
