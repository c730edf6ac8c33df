"""How `shape-vae` is trained: examples of field points, and the weighted terms of its loss."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from versemill.generation.shapes import losses as losses
from versemill.generation.shapes.data import Placement, Shape, about_z, balanced, input_points
from versemill.generation.shapes.vae import Field, ShapeVae, farthest_points
from versemill.generation.shapes.vae_presets import ShapeVaeRecipe
from versemill.training.batches import Batches, to_device
from versemill.training.recipe import mixed_precision


@dataclass(frozen=True, eq=False)
class VaeBatch:
    """B shapes: what the encoder sees, and where the field is judged.

    Attributes:
        surface: (B, N, 6). chosen: (B, M) int64, which of them tokens start from, the farthest apart first.
        noise, blur: (B, M, C), standard normal. share: (B,) of the recipe's `latent_noise`, 0 to 1; 0 for half of the shapes.
        which: (B,) int64; the first says which of the recipe's token counts is used.
        points, sdf: (B, Q, 3) and (B, Q). on_surface: (B, S, 6). slope: (B,) share of the gradient terms' weights, 0 to 1.
    """

    surface: Tensor
    chosen: Tensor
    noise: Tensor
    blur: Tensor
    share: Tensor
    which: Tensor
    points: Tensor
    sdf: Tensor
    on_surface: Tensor
    slope: Tensor

    def to(self, device: torch.device) -> "VaeBatch":
        """The same on a device."""
        return to_device(self, device)


class VaeBatches(Batches):
    """As `Batches`; the gradient terms come in as the recipe's `ramp` says.

    The slope of a field that has no shape yet is noise, and a term that is made of it drowns the distances.
    """

    def __init__(self, items: Any, recipe: ShapeVaeRecipe, seed: int, rank: int, processes: int) -> None:
        super().__init__(items, recipe, seed, rank, processes, make=example, stream="shape-vae")

    def __getitem__(self, step: int) -> Any:
        self.make = partial(example, slope=ramped(step / self.recipe.steps, *self.recipe.ramp))
        return super().__getitem__(step)


def ramped(done: float, start: float, end: float) -> float:
    """0 up to `start`, 1 from `end` on, linear between them."""
    return float(done >= end) if end <= start else min(1.0, max(0.0, (done - start) / (end - start)))


def example(whole: Shape, recipe: ShapeVaeRecipe, rng: np.random.Generator, slope: float = 1.0) -> VaeBatch:
    """One shape's part of a batch."""
    tokens = recipe.tokens[-1]
    surface = input_points(whole, recipe.input_points, recipe.sharp_input, rng)
    near = balanced(whole.near, recipe.near_queries, rng)
    if recipe.sharp_input and len(whole.sharp_near):
        half = recipe.near_queries // 2
        near = np.concatenate([near[half:], balanced(whole.sharp_near, half, rng)])
    points = np.concatenate([near, balanced(whole.volume, recipe.volume_queries, rng)])
    on_surface = whole.surface[rng.integers(0, len(whole.surface), recipe.surface_queries)]
    if recipe.augment:
        placement = Placement.fitting(whole.surface, about_z(rng.uniform(0, 2 * np.pi), bool(rng.integers(2))))
        surface, on_surface, points = placement.oriented(surface), placement.oriented(on_surface), placement.measured(points)
    seen = torch.from_numpy(surface)
    which = int(rng.integers(len(recipe.tokens)))
    noise, blur = torch.from_numpy(rng.standard_normal((2, tokens, recipe.channels), np.float32))
    return VaeBatch(
        seen,
        starts(seen[None], tokens)[0],
        noise,
        blur,
        torch.tensor(max(0.0, rng.uniform(-1, 1)), dtype=torch.float32),
        torch.tensor(which),
        torch.from_numpy(points[:, :3].copy()),
        torch.from_numpy(points[:, 3].copy()),
        torch.from_numpy(on_surface),
        torch.tensor(slope, dtype=torch.float32),
    )


def starts(surface: Tensor, tokens: int) -> Tensor:
    """(B, M) indices of the points that tokens start from: of the first 4 M points of (B, N, 6), the M farthest apart."""
    return farthest_points(surface[:, : 4 * tokens, :3], tokens)


class Objective(nn.Module):
    """The network and its loss: TripoSG's equation 7, with its own recipe's weights."""

    def __init__(self, network: ShapeVae) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: VaeBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the terms, and each of them."""
        network, recipe = self.network, self.network.recipe
        tokens = recipe.tokens[int(batch.which[0])]
        device = batch.surface.device.type
        with torch.autocast(device, torch.bfloat16, enabled=mixed_precision(recipe, batch.surface.device)):
            posterior = network.encode(batch.surface, batch.chosen[:, :tokens])
            latents = posterior.sample(batch.noise[:, :tokens])
            noise = recipe.latent_noise * batch.share
            latents = latents + noise[:, None, None] * network.latent_deviation * batch.blur[:, :tokens]
            field = network.decode(latents, noise)
            values = field(batch.points)
        if self.training:
            network.remember(posterior.mean.detach())
        terms = {"kl": losses.kl_loss(posterior.mean, posterior.log_variance)}
        if recipe.field == "sdf":
            terms["sdf"] = losses.distance_loss(values, losses.truncated(batch.sdf, recipe.tau))
        else:
            terms["occupancy"] = losses.occupancy_loss(values, batch.sdf)
        slope = float(batch.slope[0])
        if slope and (recipe.normal or recipe.eikonal):
            gradient = gradient_at(field, batch.on_surface[..., :3])
            terms["normal"] = losses.normal_loss(gradient, batch.on_surface[..., 3:])
            terms["eikonal"] = losses.eikonal_loss(gradient, torch.zeros_like(gradient[..., 0]), recipe.tau)
        weights = {"kl": recipe.kl, "normal": slope * recipe.normal, "eikonal": slope * recipe.eikonal}
        total = torch.stack([weights.get(name, 1.0) * value for name, value in terms.items()]).sum()
        return total, {name: value.detach() for name, value in terms.items()}


def gradient_at(field: Field, points: Tensor) -> Tensor:
    """The gradient (B, S, 3) of fields at points (B, S, 3), in full precision and differentiable again.

    The fused attention kernels have no second derivative.
    """
    whole = Field(field.vae, field.keys.float(), field.values.float(), field.places)
    with sdpa_kernel(SDPBackend.MATH):
        tracked = points.clone().requires_grad_()
        return losses.slope(whole(tracked), tracked)


def noise(recipe: ShapeVaeRecipe, generator: torch.Generator) -> VaeBatch:
    """A batch of one ball."""
    surface = torch.nn.functional.normalize(torch.randn(1, recipe.input_points, 3, generator=generator), dim=-1)
    points = 2 * torch.rand(1, recipe.near_queries, 3, generator=generator) - 1
    normals = torch.cat([surface, surface], -1)
    tokens = recipe.tokens[-1]
    draws = torch.randn(2, 1, tokens, recipe.channels, generator=generator)
    return VaeBatch(
        normals, starts(normals, tokens), draws[0], draws[1], torch.ones(1),
        torch.zeros(1, dtype=torch.int64), points, points.norm(dim=-1) - 1, normals[:, : recipe.surface_queries], torch.ones(1),
    )  # fmt: skip
