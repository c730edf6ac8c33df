"""How `shape-flow` is trained: views as conditions, latents of the shape they show, and the loss of the path."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
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
from versemill.directions import fibonacci
from versemill.errors import ConfigError
from versemill.generation import conditions, paths
from versemill.generation.shapes import outlines
from versemill.generation.shapes.bridge import Bridge
from versemill.generation.shapes.data import Floats, Placement, Shape, ShapeSet, about_z, input_points
from versemill.generation.shapes.extraction import NOTHING, Mesh
from versemill.generation.shapes.flow_presets import ShapeFlowRecipe
from versemill.generation.shapes.generator import ShapeGenerator, averaged
from versemill.generation.shapes.vae import Posterior, ShapeVae
from versemill.generation.shapes.vae_training import starts
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
        maps: (view) -> (4, H, W) float32 in [0, 1], the `conditions.normal_map` that it is shown as; None: it is shown itself.
        normals: (V, 3, H, W) float32, world space, 0 outside; empty where nothing needs them.
        mesh: the true one; empty unless it is for judging.
    """

    shape: Shape
    rgba: NDArray[np.uint8]
    cameras: tuple[Camera, ...]
    maps: Callable[[int], Tensor] | None
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
        if self.maps is None:
            shown = torch.from_numpy(self.rgba[view]).float() / 255
        else:
            shown = conditions.turned_normals(self.maps(view), roll, mirror)
        return conditions.crop(shown.flip(-1) if mirror else shown, size, fill, roll)

    def outline(self, view: int, fill: float) -> NDArray[np.bool_]:
        """Of the foreground, see `outlines.outline`."""
        return outlines.outline(torch.from_numpy(self.rgba[view, 3]).float() / 255, fill)


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
        passes = ("rgb", "normal") if judged or recipe.sees_normals else ("rgb",)
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
        normals = sample["normal"][shown].numpy() if "normal" in sample else np.zeros((0, 3, height, width), np.float32)
        maps: Callable[[int], Tensor] | None = None
        if self.recipe.condition == "normal":
            maps = partial(_true_map, rgba[shown], cameras, normals)
        elif self.recipe.condition == "predicted":
            maps = cache(partial(self._predicted_map, rgba[shown]))
        return Seen(self.shapes[position], rgba[shown], cameras, maps, normals, self.mesh(position) if self.judged else NOTHING)

    def _predicted_map(self, rgba: NDArray[np.uint8], view: int) -> Tensor:
        picture = torch.from_numpy(rgba[view]).float() / 255
        return self.bridge(picture)

    @cached_property
    def bridge(self) -> Bridge:
        """The recipe's estimator of normals.

        Raises:
            ConfigError: it names none, or one that is not trained.
        """
        return Bridge(self.recipe.estimator)

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
            log_variance = posterior.log_variance[0] - 2 * vae.latent_deviation.log()
            order = around(posterior.mean[0, :, :3]) if self.recipe.order == "sphere" else slice(None)
            self._latents[key] = Posterior(mean[order], log_variance[order])
        return self._latents[key]

    @cached_property
    def thumbnails(self) -> tuple[Tensor, list[tuple[int, int]]]:
        """Small crops of all views, (N, 3 * 32 * 32), and the position and view of each."""
        places = [(p, v) for p, seen in enumerate(self.all_seen) for v in range(len(seen.rgba))]
        crops = [self.all_seen[p].picture(v, THUMBNAIL, self.recipe.fill).flatten() for p, v in places]
        return torch.stack(crops), places


def _true_map(rgba: NDArray[np.uint8], cameras: Sequence[Camera], normals: Floats, view: int) -> Tensor:
    turned = np.einsum("ji,jhw->ihw", cameras[view].c2w[:3, :3].astype(np.float32), normals[view])
    return conditions.normal_map(torch.from_numpy(turned), torch.from_numpy(rgba[view, 3]).float() / 255)


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


@dataclass(frozen=True)
class Pose:
    """How a view is shown: which one, whether mirrored, by how many degrees turned in the plane."""

    view: int
    mirror: bool
    roll: float


def pose(seen: Seen, rng: np.random.Generator) -> Pose:
    """One view; half of them mirrored, a fifth turned in the plane (TripoSG section 4.1)."""
    view, mirror = int(rng.integers(len(seen.rgba))), bool(rng.integers(2))
    roll = float(rng.uniform(-conditions.ROLL, conditions.ROLL)) if rng.random() < conditions.ROLL_CHANCE else 0.0
    return Pose(view, mirror, roll)


def example(item: tuple[SeenShapes, int], recipe: ShapeFlowRecipe, rng: np.random.Generator) -> FlowBatch:
    """One view of one shape."""
    return posed(item, recipe, pose(item[0].seen(item[1]), rng), rng)


def posed(item: tuple[SeenShapes, int], recipe: ShapeFlowRecipe, at: Pose, rng: np.random.Generator) -> FlowBatch:
    """A view as `at` says, the latents of the shape as it stands for it, and the draws of the loss."""
    shapes, position = item
    posterior = shapes.latents(position, at.view, at.mirror)
    draws = torch.from_numpy(rng.standard_normal((2, *posterior.mean.shape), np.float32))
    latents = posterior.sample(draws[0])
    return FlowBatch(
        shapes.seen(position).picture(at.view, recipe.picture, recipe.fill, at.roll, at.mirror),
        torch.tensor(float(rng.random() >= recipe.drop)),
        latents,
        draws[1][nearest(latents, draws[1])] if recipe.order == "noise" else draws[1],
        torch.tensor(rng.uniform(1e-4, 1 - 1e-4), dtype=torch.float32),
    )


def around(places: Tensor) -> Tensor:
    """(M,) indices of places (M, 3) in the order of M points of the unit sphere, each with the place that is nearest to it.

    So a token comes to stand for a side of the shape, and where it lies is no guess.
    """
    return nearest(torch.from_numpy(fibonacci(len(places))).float(), places)


def nearest(points: Tensor, others: Tensor) -> Tensor:
    """(M,) indices of `others` (M, C), each once, that bring them nearest to `points` (M, C) by squared distance.

    Latents are a set to a network without position codes, so a set of noise is as likely in one order as in another; paths
    that do not cross are straighter and faster to learn (equivariant optimal transport: Klein et al. 2023, Song et al. 2023).
    """
    _, order = linear_sum_assignment(torch.cdist(points, others).square().numpy())
    return torch.from_numpy(order)


class Objective(nn.Module):
    """The network and its loss: squared error of what the path asks for."""

    def __init__(self, network: ShapeGenerator) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: FlowBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and with it the load balance of a mixture."""
        total, terms, _ = self.path_loss(batch)
        return total, terms

    def path_loss(self, batch: FlowBatch) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The loss, its terms, and the latents (B, M, C) that the network's answers mean."""
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
        terms = {"flow": error.detach(), "balance": balance.detach()}
        total = error + recipe.balance * balance
        if network.flow.guesses:
            guesses = torch.stack([(guess - batch.latents[..., :3]).square().mean() for guess in network.flow.guesses]).mean()
            terms["guess"] = guesses.detach()
            total = total + recipe.guess * guesses
        return total, terms, paths.split(path, x, answer, t)[0]


def noise(recipe: ShapeFlowRecipe, generator: torch.Generator) -> FlowBatch:
    """A batch of noise with a picture of noise."""
    channels = recipe.vae_recipe.channels
    latents, draws = torch.randn(2, 1, recipe.tokens, channels, generator=generator)
    picture = torch.rand(1, 3, recipe.picture, recipe.picture, generator=generator)
    return FlowBatch(picture, torch.ones(1), latents, draws, torch.rand(1, generator=generator))
