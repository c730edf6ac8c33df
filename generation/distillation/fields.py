"""What is optimised: 3D Gaussians, or a grid of density and colour. Both know how to be seen, and nothing of 2D models."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from versemill import seeds
from versemill.generation.distillation.settings import Distillation
from versemill.training.geometry import rays
from versemill.training.splats import Gaussians, Rendering
from versemill.training.splatting import render

SPLAT_RATES = {"means": 0.2, "quats": 0.25, "scales": 0.5, "opacities": 2.5, "colors": 1.0}
"""Rates over that of the settings, of means in world units, of log scales, and of logits of opacity and colour."""


class Field(Protocol):
    """A scene in [-1, 1]^3 whose parameters are optimised."""

    def see(self, c2w: Tensor, K: Tensor, size: int) -> Rendering:
        """What cameras (V, 4, 4) and (V, 3, 3) see; a batch of one."""
        ...

    def groups(self) -> list[dict[str, Any]]:
        """Adam's groups of parameters with their rates."""
        ...

    def gaussians(self) -> Gaussians:
        """The scene as one set of Gaussians."""
        ...


class Splats(nn.Module):
    """Gaussians, kept as logits and logarithms. Their number stays as it is: nothing is split or pruned."""

    def __init__(self, settings: Distillation, seed: int) -> None:
        super().__init__()
        self.rate, count = settings.rate, settings.gaussians
        rng = seeds.stream(seed, 0, "distillation/start")
        directions = rng.standard_normal((count, 3))
        places = settings.start_radius * rng.random((count, 1)) ** (1 / 3)
        means = directions / ((directions**2).sum(1, keepdims=True) ** 0.5) * places
        self.means = nn.Parameter(torch.from_numpy(means).float())
        self.quats = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(count, 1))
        spacing = settings.start_radius * (4.2 / count) ** (1 / 3)
        self.scales = nn.Parameter(torch.full((count, 3), 0.5 * spacing).log())
        self.opacities = nn.Parameter(torch.full((count,), -2.0))
        self.colors = nn.Parameter(torch.zeros(count, 3))

    def see(self, c2w: Tensor, K: Tensor, size: int) -> Rendering:
        """See `Field`."""
        return render(self.gaussians(), c2w[None], K[None], (size, size))

    def groups(self) -> list[dict[str, Any]]:
        """See `Field`."""
        return [{"params": [getattr(self, name)], "lr": self.rate * share} for name, share in SPLAT_RATES.items()]

    def gaussians(self) -> Gaussians:
        """See `Field`. Scales stay between 0.002 and 0.3: wider ones would be fog."""
        scales = self.scales.exp().clamp(2e-3, 0.3)
        return Gaussians(
            self.means[None],
            self.quats[None],
            scales[None],
            torch.sigmoid(self.opacities)[None],
            torch.sigmoid(self.colors)[None],
        )


class Voxels(nn.Module):
    """A grid of density and colour, seen by volume rendering: alpha = 1 - exp(-density step), front to back."""

    def __init__(self, settings: Distillation, seed: int) -> None:
        super().__init__()
        side, self.rate, self.samples = settings.resolution, settings.rate, settings.samples
        axis = torch.linspace(-1, 1, side)
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        radius = (x * x + y * y + z * z).sqrt()
        blob = 4.0 * (1 - radius / settings.start_radius)  # DreamFusion's: dense in the middle, empty outside
        self.density = nn.Parameter(blob.clamp(-4, 4)[None, None])
        self.color = nn.Parameter(torch.zeros(1, 3, side, side, side))

    def see(self, c2w: Tensor, K: Tensor, size: int) -> Rendering:
        """See `Field`. Rays are sampled at the middles of equal steps through the box."""
        origins, directions = (r[0] for r in rays(c2w[None], K[None], size))  # (V, 3, S, S)
        safe = torch.where(directions.abs() < 1e-6, torch.full_like(directions, 1e-6), directions)
        ends = torch.stack([(-1 - origins) / safe, (1 - origins) / safe])
        near = ends.amin(0).amax(1, keepdim=True).clamp_min(0.05)
        step = ((ends.amax(0).amin(1, keepdim=True) - near) / self.samples).clamp_min(0)  # 0 where the box is missed
        along = near[:, None] + step[:, None] * (
            torch.arange(self.samples, device=step.device).view(-1, 1, 1, 1) + 0.5
        )  # (V, N, 1, S, S)
        points = (origins[:, None] + along * directions[:, None]).permute(0, 1, 3, 4, 2)
        where = points.reshape(1, -1, 1, 1, 3)
        values = F.grid_sample(torch.cat([self.density, self.color], 1), where, align_corners=True)
        values = values.view(4, *points.shape[:-1])
        alpha = 1 - torch.exp(-self._dense(values[0]) * step)  # (V, N, S, S)
        through = torch.cumprod(1 - alpha, 1)
        weight = alpha * torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], 1)
        forward = (directions * c2w[:, :3, 2, None, None]).sum(1)
        rgb = (weight[:, :, None] * torch.sigmoid(values[1:]).permute(1, 2, 0, 3, 4)).sum(1)
        depth = (weight * along[:, :, 0]).sum(1) * forward
        return Rendering(rgb[None], weight.sum(1)[None, :, None], depth[None, :, None])

    def groups(self) -> list[dict[str, Any]]:
        """See `Field`."""
        return [{"params": [self.density], "lr": 5 * self.rate}, {"params": [self.color], "lr": 5 * self.rate}]

    def gaussians(self) -> Gaussians:
        """See `Field`: one per voxel that a ray through it would see, as wide as half a voxel."""
        side = self.density.shape[-1]
        cell = 2 / (side - 1)
        alpha = 1 - torch.exp(-self._dense(self.density[0, 0]) * cell)
        z, y, x = (alpha > 0.05).nonzero(as_tuple=True)
        means = torch.stack([x, y, z], 1).float() * cell - 1
        quats = means.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(len(means), 1)
        scales = torch.full_like(means, cell / 2)
        parts = (means, quats, scales, alpha[z, y, x], torch.sigmoid(self.color[0])[:, z, y, x].T)
        return Gaussians(*(part[None] for part in parts))

    @staticmethod
    def _dense(raw: Tensor) -> Tensor:
        return 10 * F.softplus(raw)


FIELDS: dict[str, type[Splats] | type[Voxels]] = {"gaussians": Splats, "voxels": Voxels}
"""Name in the settings -> class."""
