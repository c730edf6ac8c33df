"""Shapes drawn from a trained generator: noise, sampler, decoder, and of several candidates the one that the picture shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Setting
from torch import Tensor

from versemill import seeds
from versemill.config import Config
from versemill.generation.shapes import outlines
from versemill.generation.shapes.flow_presets import ShapeFlowRecipe
from versemill.generation.shapes.generator import ShapeGenerator
from versemill.generation.shapes.vae import Field
from versemill.generation.shapes.vae_judging import extracted

CHUNK = 16
"""Shapes drawn at once."""
CELLS = 48
"""Along the box's side, of the meshes by which candidates are compared."""


class Drawing(Config):
    """How shapes are drawn."""

    steps: int = Setting(default=50, description="of the sampler", ge=1, le=1000)
    guidance: float = Setting(default=6.0, description="classifier-free guidance; 1: none (paper 7)", ge=0)
    sampler: Literal["euler", "heun", "ddim"] = Setting(default="euler", description="how the path is followed")
    candidates: int = Setting(
        default=8,
        description="shapes drawn for a picture, of which the one with the most similar outline is taken",
        ge=1,
        le=64,
    )


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture as a generator takes it.

    Attributes:
        pixels: (3, S, S) in [0, 1] over white, cut as in training. outline: see `outlines.outline`.
    """

    pixels: Tensor
    outline: NDArray[np.bool_]


def noise_of(recipe: ShapeFlowRecipe, channels: int, number: int, candidate: int = 0) -> Tensor:
    """(M, C): the noise that a candidate of sample `number` starts from."""
    rng = seeds.stream(candidate, number, "shape-flow/sample")
    return torch.from_numpy(rng.standard_normal((recipe.tokens, channels), np.float32))


def draw(
    network: ShapeGenerator, pictures: Sequence[Shown] | None, numbers: Sequence[int], how: Drawing, device: torch.device
) -> Iterator[Field]:
    """The field of each picture's shape, or of a shape of no picture, from the noise of each number."""
    candidates = 1 if pictures is None else how.candidates
    each = max(1, CHUNK // candidates)
    for first in range(0, len(numbers), each):
        some = numbers[first : first + each]
        noise = torch.stack([noise_of(network.recipe, network.vae.channels, n, c) for n in some for c in range(candidates)])
        shown = None if pictures is None else pictures[first : first + each]
        pixels = None if shown is None else torch.stack([p.pixels for p in shown for _ in range(candidates)]).to(device)
        latents = network.draw(pixels, noise.to(device), how.steps, how.guidance, how.sampler)
        fields = [network.decode(one[None]) for one in latents]
        for k in range(len(some)):
            outline = None if shown is None else shown[k].outline
            yield _most_similar(network.recipe, fields[k * candidates : (k + 1) * candidates], outline, device)


def _most_similar(
    recipe: ShapeFlowRecipe, fields: Sequence[Field], outline: NDArray[np.bool_] | None, device: torch.device
) -> Field:
    """The first of the fields whose outline agrees best with the picture's."""
    if outline is None or len(fields) == 1:
        return fields[0]
    meshes = [extracted(field, CELLS, device) for field in fields]
    scores = [outlines.agreement(mesh, outline, recipe.fill, recipe.frame) for mesh in meshes]
    return fields[int(np.argmax(scores))]
