"""A network's normals for pictures of one's own, in the picture's own frame."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from versemill.generation import conditions
from versemill.generation.normals import errors
from versemill.generation.normals.network import Normals
from versemill.render.outputs import write_exr

FILL = 0.8
"""Share of the frame that the longer side of the object takes, about as in the training views."""


def estimate(network: Normals, rgba: Tensor, size: int) -> Tensor:
    """Unit normals (3, H, W), OpenCV axes, of a picture (4, H, W) in [0, 1] with straight alpha; 0 outside the object.

    The object (alpha over a half) is cut out and scaled so that it takes `FILL` of `size` x `size` pixels over white, as the
    network knows objects; the answer is then sampled at the picture's own pixels.

    Raises:
        ValueError: nothing in the picture has an alpha over a half.
    """
    device = next(network.parameters()).device
    shown = conditions.crop(rgba, size, FILL)
    answer = network.answer(shown[None].to(device)).cpu()
    inside = rgba[3] > 0.5
    rows, columns = torch.nonzero(inside, as_tuple=True)
    low = torch.stack([columns.min(), rows.min()]).float()
    high = torch.stack([columns.max(), rows.max()]).float() + 1
    side = (high - low).max() / FILL  # of the frame, in the picture's pixels
    height, width = inside.shape
    x, y = torch.meshgrid(torch.arange(width) + 0.5, torch.arange(height) + 0.5, indexing="xy")
    places = (torch.stack([x, y], -1) - (low + high) / 2) / side * 2
    normals = F.grid_sample(answer, places[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
    return F.normalize(normals, dim=0) * inside


class Written(NamedTuple):
    """The files of one picture."""

    png: Path
    exr: Path


def write(network: Normals, path: Path, out: Path, size: int) -> Written:
    """Writes the normals of a picture: OUT/NAME_normals.png, (n + 1) / 2 with the object as alpha, and
    OUT/NAME_normals.exr, float32.

    Both have the picture's own size, x right, y up, z towards the viewer; the EXR's channels are R, G, B and A.

    Raises:
        ConfigError: no picture, too large a one, or one whose object can't be cut out.
    """
    rgba = conditions.read_picture(path)
    normal = estimate(network, rgba, size).numpy()
    known = rgba[3].numpy() > 0.5
    out.mkdir(parents=True, exist_ok=True)
    written = Written(out / f"{path.stem}_normals.png", out / f"{path.stem}_normals.exr")
    alpha = (known * 255).astype(np.uint8)[..., None]
    Image.fromarray(np.concatenate([errors.picture(normal, known), alpha], 2)).save(written.png)
    write_exr(written.exr, channels(normal, known), "RGBA")
    return written


def channels(normal: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W, 4): normals (3, H, W) as in normal maps but not coded, 0 outside, and where the object is."""
    values = np.where(known[..., None], normal.transpose(1, 2, 0) * errors.TO_PICTURE, 0)
    return np.concatenate([values, known[..., None]], 2).astype(np.float32)
