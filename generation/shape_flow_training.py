"""How `shape-flow` is trained: views as conditions, latents of the shape they show, and the loss of the path."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional as F

from versemill import seeds
from versemill.camera import Camera
from versemill.errors import ConfigError
from versemill.generation import conditions, paths
from versemill.generation.extraction import NOTHING, Mesh
from versemill.generation.shape_data import Floats, Placement, Shape, ShapeSet, about_z, input_points
from versemill.generation.shape_generator import ShapeGenerator, averaged
from versemill.generation.shape_presets import ShapeFlowRecipe
from versemill.generation.shape_vae import Posterior, ShapeVae
from versemill.generation.shape_vae_training import starts
from versemill.shards import ShardDataset
from versemill.training.batches import to_device
from versemill.training.recipe import mixed_precision

THUMBNAIL = 32
"""Side in pixels of the crops by which the nearest training view is found."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A shape and its views.

    Attributes:
        rgba: (V, 4, H, W) uint8 with straight alpha. cameras: V of them.
        normals: (V, 3, H, W) float32, world space, 0 outside, and mesh, the true one: both empty unless they are for judging.
    """

    shape: Shape
    rgba: NDArray[np.uint8]
    cameras: tuple[Camera, ...]
    normals: Floats
    mesh: Mesh

    def placement(self, view: int, frame: str, mirror: bool = False) -> Placement:
        """How the shape stands when it is generated from a view; in the frame "camera" that view is its front."""
        if frame == "asset":
            return Placement.fitting(self.shape.surface, about_z(0, mirror))
        eye = self.cameras[view].c2w[:3, 2]  # where it looks; an azimuth of the eye of -90 degrees is the front
        turn = about_z(np.pi / 2 - np.arctan2(eye[1], eye[0]))
        return Placement.fitting(self.shape.surface, about_z(0, mirror) @ turn)

    def picture(self, view: int, size: int, fill: float, roll: float = 0.0, mirror: bool = False) -> Tensor:
        """(3, size, size) over white; see `conditions.crop`."""
        rgba = torch.from_numpy(self.rgba[view]).float() / 255
        return conditions.crop(rgba.flip(-1) if mirror else rgba, size, fill, roll)


class SeenShapes(ShapeSet):
    """The shapes of a dataset with their views, in memory. Latents are computed when first drawn, and kept.

    Views without a foreground are left out; so are assets without any other.
    """

    def __init__(
        self,
        dataset_dir: str | Path,
        splits: Sequence[str],
        recipe: ShapeFlowRecipe,
        indices: Collection[int] | None,
        judged: bool,
    ) -> None:
        super().__init__(dataset_dir, splits, indices, None if judged else recipe.assets)
        self.recipe, self.judged = recipe, judged
        passes = ("rgb", "normal") if judged else ("rgb",)
        sources = {
            int(index): (source, row)
            for source in (ShardDataset(dataset_dir, split, passes=passes) for split in splits)
            for row, index in enumerate(source.indices)
        }
        self.all_seen: list[Seen] = [self._read(position, *sources[shape.index]) for position, shape in enumerate(self.shapes)]
        self._latents: dict[tuple[int, int, bool], Posterior] = {}

    def _read(self, position: int, source: Any, row: int) -> Seen:
        sample = source[row]
        rgba = (sample["rgb"] * 255).round().byte().numpy()
        shown = np.flatnonzero((rgba[:, 3] >= 128).any((1, 2)))
        if not len(shown):
            raise ConfigError(f"asset {sample['id']} is in none of its views")
        height, width = rgba.shape[2:]
        cameras = tuple(
            Camera(
                _orthogonal(sample["c2w"][k].numpy()), sample["K"][k].numpy(), width, height, bool(sample["orthographic"][k])
            )
            for k in shown
        )
        if not self.judged:
            return Seen(self.shapes[position], rgba[shown], cameras, np.zeros((0, 3, height, width), np.float32), NOTHING)
        return Seen(self.shapes[position], rgba[shown], cameras, sample["normal"][shown].numpy(), self.mesh(position))

    def __getitem__(self, position: int) -> Any:
        return self, position

    def seen(self, position: int) -> Seen:
        """The shape and views at a position."""
        return self.all_seen[position]

    @cached_property
    def vae(self) -> ShapeVae:
        """The recipe's trained autoencoder.

        Raises:
            ConfigError: it names none, or one that is not trained.
        """
        if not self.recipe.vae:
            raise ConfigError("shape-flow generates the latents of a trained shape-vae: name its run with --set vae=RUN")
        vae = ShapeVae(self.recipe.vae_recipe).eval()
        vae.load_state_dict(averaged(self.recipe.vae))
        return vae

    def latents(self, position: int, view: int, mirror: bool) -> Posterior:
        """The posterior (M, C) of a shape as it stands for a view, over the stored mean and deviation.

        Which points the encoder sees depends on the asset, the view and the mirror alone.
        """
        key = (position, view, mirror)
        if key not in self._latents:
            seen, vae = self.all_seen[position], self.vae
            rng = seeds.stream(seen.shape.index, 2 * view + mirror, "shape-flow/points")
            points = input_points(seen.shape, vae.recipe.input_points, vae.recipe.sharp_input, rng)
            placed = torch.from_numpy(seen.placement(view, self.recipe.frame, mirror).oriented(points))[None]
            with torch.no_grad():
                posterior = vae.encode(placed, starts(placed, self.recipe.tokens))
            mean = (posterior.mean[0] - vae.latent_mean) / vae.latent_deviation
            self._latents[key] = Posterior(mean, posterior.log_variance[0] - 2 * vae.latent_deviation.log())
        return self._latents[key]

    @cached_property
    def thumbnails(self) -> tuple[Tensor, list[tuple[int, int]]]:
        """Small crops of all views, (N, 3 * 32 * 32), and the position and view of each."""
        places = [(p, v) for p, seen in enumerate(self.all_seen) for v in range(len(seen.rgba))]
        crops = [self.all_seen[p].picture(v, THUMBNAIL, self.recipe.fill).flatten() for p, v in places]
        return torch.stack(crops), places


def _orthogonal(c2w: Floats) -> NDArray[np.float64]:
    """The pose, its rotation exact in double precision."""
    pose = c2w.astype(np.float64)
    u, _, v = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = u @ v
    return pose


@dataclass(frozen=True, eq=False)
class FlowBatch:
    """B latents with their pictures, and what is drawn for the loss.

    Attributes:
        picture: (B, 3, S, S) over white. keep: (B,) float32, 0 where the picture is withheld.
        latents, noise: (B, M, C), of deviation about 1. uniform: (B,) in (0, 1), from which the path takes its times.
    """

    picture: Tensor
    keep: Tensor
    latents: Tensor
    noise: Tensor
    uniform: Tensor

    def to(self, device: torch.device) -> "FlowBatch":
        """The same on a device."""
        return to_device(self, device)


def example(item: tuple[SeenShapes, int], recipe: ShapeFlowRecipe, rng: np.random.Generator) -> FlowBatch:
    """One view of one shape; half of them mirrored, a fifth turned in the plane (TripoSG section 4.1)."""
    shapes, position = item
    seen = shapes.seen(position)
    view, mirror = int(rng.integers(len(seen.rgba))), bool(rng.integers(2))
    roll = float(rng.uniform(-conditions.ROLL, conditions.ROLL)) if rng.random() < conditions.ROLL_CHANCE else 0.0
    posterior = shapes.latents(position, view, mirror)
    draws = torch.from_numpy(rng.standard_normal((2, *posterior.mean.shape), np.float32))
    latents = posterior.sample(draws[0])
    return FlowBatch(
        seen.picture(view, recipe.picture, recipe.fill, roll, mirror),
        torch.tensor(float(rng.random() >= recipe.drop)),
        latents,
        assigned(latents, draws[1]) if recipe.coupling == "assigned" else draws[1],
        torch.tensor(rng.uniform(1e-4, 1 - 1e-4), dtype=torch.float32),
    )


def assigned(latents: Tensor, noise: Tensor) -> Tensor:
    """Noise (M, C) in the order that brings it nearest to latents (M, C), by squared distance.

    Both are sets to a network without position codes, so a set of noise is as likely in one order as in another; paths that
    do not cross are straighter and faster to learn (equivariant optimal transport: Klein et al. 2023, Song et al. 2023).
    """
    _, order = linear_sum_assignment(torch.cdist(latents, noise).square().numpy())
    return noise[torch.from_numpy(order)]


class Objective(nn.Module):
    """The network and its loss: squared error of what the path asks for."""

    def __init__(self, network: ShapeGenerator) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: FlowBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and with it the load balance of a mixture."""
        network, recipe = self.network, self.network.recipe
        path = recipe.path
        t = path.times(batch.uniform)
        x = paths.mix(path, batch.latents, batch.noise, t)
        scale, time = path.seen(t)
        device = batch.latents.device
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision(recipe, device)):
            answer = network.flow(scale[:, None, None] * x, time, network.condition(batch.picture, batch.keep)).float()
        error = F.mse_loss(answer, paths.target(path, batch.latents, batch.noise, t))
        balance = network.flow.balance()
        return error + recipe.balance * balance, {"flow": error.detach(), "balance": balance.detach()}


def noise(recipe: ShapeFlowRecipe, generator: torch.Generator) -> FlowBatch:
    """A batch of noise with a picture of noise."""
    channels = recipe.vae_recipe.channels
    latents, draws = torch.randn(2, 1, recipe.tokens, channels, generator=generator)
    picture = torch.rand(1, 3, recipe.picture, recipe.picture, generator=generator)
    return FlowBatch(picture, torch.ones(1), latents, draws, torch.rand(1, generator=generator))
