"""What `normals` is trained by: one-step regression of normals from a picture and a noised picture."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from versemill.generation.normals.data import NormalBatch
from versemill.generation.normals.network import Normals
from versemill.training.images import mean_where


def noised(pictures: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """z = sqrt(1 - sigma^2) x + sigma noise for x in [-1, 1]: a diffusion's forward step, with sigma = sqrt(1 - alpha).

    Args:
        pictures, noise: (N, 3, H, W), in [0, 1] and standard normal.

    Returns:
        z in the pictures' units, [0, 1] where there is no noise.
    """
    return (math.sqrt(1 - sigma**2) * (2 * pictures - 1) + sigma * noise + 1) / 2


def terms(raw: Tensor, normal: Tensor) -> dict[str, Tensor]:
    """Terms: "cosine", 1 - cosine; "l2", squared distance of the raw answer to the unit normal; means over known pixels.

    The squared distance of unit vectors would only be twice the first term: of the raw answer it also asks for its length,
    whose best value falls below 1 where the direction is uncertain.

    Args:
        raw: (N, 3, H, W). normal: (N, 3, H, W) unit vectors, 0 where unknown.
    """
    known = normal.square().sum(1, keepdim=True) > 0.25
    return {
        "cosine": mean_where(1 - (F.normalize(raw, dim=1) * normal).sum(1, keepdim=True), known),
        "l2": mean_where((raw - normal).square().sum(1, keepdim=True), known),
    }


class Objective(nn.Module):
    """The network and its loss as one module: batch in, scalar and its terms out."""

    def __init__(self, network: Normals) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: NormalBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """`terms`, weighted by the recipe. In the second stage the clean stream of two gets no gradient, so it stays."""
        recipe = self.network.recipe
        frozen = recipe.streams == 2 and bool(batch.second.all())
        raw = self.network(batch.picture, noised(batch.picture, batch.noise, recipe.sigma), frozen)
        parts = terms(raw, batch.normal)
        total = recipe.cosine * parts["cosine"] + recipe.l2 * parts["l2"]
        return total, {name: value.detach() for name, value in parts.items()}
