"""The second, smaller model: posed images to a triplane radiance field (the NeRF-LRM of LRM-Zero's table; Instant3D, LRM).

The same trunk as the Gaussians' model reads the images; learned tokens next to the patches become three feature planes,
and a small network turns the features of a point into density and colour, which are integrated along rays.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from versemill.reconstruction.model import Trunk
from versemill.reconstruction.presets import TriplaneRecipe
from versemill.training.geometry import rays
from versemill.training.splats import Rendering

TOKEN = 4
"""Side of a plane token's patch, in cells of its plane."""
AXES = ((0, 1), (0, 2), (1, 2))
"""World axes that span the three planes."""
CHUNK = 2**19
"""Points whose density and colour are computed at once."""


@dataclass(frozen=True, eq=False)
class Triplane:
    """B radiance fields over the world box [-1, 1]^3: planes (B, 3, C, P, P), in the order of `AXES`."""

    planes: Tensor

    def __getitem__(self, index: slice) -> "Triplane":
        return Triplane(self.planes[index])


class TriplaneLRM(Trunk):
    """Large reconstruction model: images (B, V, 3, S, S) with cameras to one `Triplane` per object."""

    recipe: TriplaneRecipe

    def __init__(self, recipe: TriplaneRecipe) -> None:
        if recipe.plane % TOKEN:
            raise ValueError(f"plane {recipe.plane} must be a multiple of {TOKEN}")
        channels, hidden = recipe.plane_channels, 2 * recipe.plane_channels
        super().__init__(recipe, channels * TOKEN**2)
        self.queries = nn.Parameter(torch.randn(3 * (recipe.plane // TOKEN) ** 2, recipe.width))
        self.field = nn.Sequential(
            nn.Linear(3 * channels, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 4)
        )
        nn.init.normal_(self.head.weight, std=recipe.width**-0.5)

    def forward(self, images: Tensor, alpha: Tensor, c2w: Tensor, K: Tensor) -> tuple[Triplane, None]:
        """Predicts B triplanes; see `LRM.forward` for the arguments. A field has no depth of its own: None."""
        origins, directions = rays(c2w, K, self.recipe.size)
        raw = self.predict(images, alpha, origins, directions, self.queries)[:, -len(self.queries) :]
        n = self.recipe.plane // TOKEN
        maps = raw.reshape(len(raw), 3, n, n, -1, TOKEN, TOKEN).permute(0, 1, 4, 2, 5, 3, 6)
        return Triplane(maps.reshape(len(raw), 3, -1, n * TOKEN, n * TOKEN)), None

    def splats(self, triplane: Triplane) -> None:
        """A field has none."""
        return

    def draw(self, triplane: Triplane, c2w: Tensor, K: Tensor, size: int) -> Rendering:
        """Volume rendering of B fields by cameras (B, V) at size x size pixels.

        Each ray takes `recipe.samples` points evenly within the world box, at the middle of their intervals: no draw.
        """
        origins, directions = rays(c2w, K, size)
        forward = (directions * c2w[..., :3, 2, None, None]).sum(2)  # planar z per unit of ray
        flat = [t.permute(0, 1, 3, 4, 2).flatten(1, 3) for t in (origins, directions)]
        near, far = box_crossing(*flat)
        step = (far - near) / self.recipe.samples
        middles = torch.arange(self.recipe.samples, device=near.device) + 0.5
        along = near[..., None] + step[..., None] * middles  # (B, R, samples)
        chunk = max(1, CHUNK // (len(near) * self.recipe.samples))
        parts = []
        for rows in torch.arange(near.shape[1], device=near.device).split(chunk):
            points = flat[0][:, rows, None] + along[:, rows, :, None] * flat[1][:, rows, None]
            arguments = (triplane.planes, points.flatten(1, 2))
            # A chunk's activations are recomputed in the backward pass, or a step holds every point's.
            values = checkpoint(self.at, *arguments, use_reentrant=False) if torch.is_grad_enabled() else self.at(*arguments)
            parts.append(values.unflatten(1, points.shape[1:3]))
        values = torch.cat(parts, 1)
        opacity = 1 - torch.exp(-values[..., 3] * step[..., None])
        through = torch.cumprod(1 - opacity, -1)
        weights = opacity * torch.cat([torch.ones_like(through[..., :1]), through[..., :-1]], -1)
        rgb = (weights[..., None] * values[..., :3]).sum(2)
        depth = (weights * along).sum(-1)
        shape = c2w.shape[:2]
        image = torch.cat([rgb, (1 - through[..., -1])[..., None], depth[..., None]], -1)
        image = image.unflatten(1, (shape[1], size, size)).permute(0, 1, 4, 2, 3)
        return Rendering(image[:, :, :3], image[:, :, 3:4], image[:, :, 4:] * forward[:, :, None])

    def at(self, planes: Tensor, points: Tensor) -> Tensor:
        """Colour in [0, 1] and density (B, N, 4) of world points (B, N, 3)."""
        features = [
            F.grid_sample(planes[:, k], points[:, None, :, axes], align_corners=False, padding_mode="border")[:, :, 0]
            for k, axes in enumerate(AXES)
        ]
        raw = self.field(torch.cat(features, 1).transpose(1, 2))
        return torch.cat([torch.sigmoid(raw[..., :3]), 10 * F.softplus(raw[..., 3:] - 1)], -1)


def box_crossing(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Distances (...,) at which rays (..., 3) enter and leave [-1, 1]^3; equal where they miss it."""
    safe = torch.where(directions.abs() < 1e-9, 1e-9, directions)
    a, b = (-1 - origins) / safe, (1 - origins) / safe
    near = torch.minimum(a, b).amax(-1).clamp_min(0)
    return near, torch.maximum(torch.maximum(a, b).amin(-1), near)
