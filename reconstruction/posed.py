"""What the models of posed pictures train on: input and target views of a scene, and the loss of the pictures they draw."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from versemill import seeds
from versemill.camera import intrinsics, look_at
from versemill.reconstruction.losses import Geometry, Loss
from versemill.reconstruction.presets import PosedRecipe
from versemill.shards import Selection
from versemill.shards.backgrounds import check
from versemill.training.batches import to_device
from versemill.training.geometry import pool, strided
from versemill.training.scenes import Scene, Scenes, angles, laid_over, reading, scene


@dataclass(frozen=True, eq=False)
class Batch:
    """B objects with inputs (B, I, ...) and targets (B, T, ...); see `Scene` for the arrays.

    `images` are in front of the recipe's background: white, unless it has another.
    """

    images: Tensor
    alpha: Tensor
    depth: Tensor
    normal: Tensor
    c2w: Tensor
    K: Tensor
    target_rgb: Tensor
    target_alpha: Tensor
    target_depth: Tensor
    target_normal: Tensor
    target_c2w: Tensor
    target_K: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return to_device(self, device)


def data(
    dataset_dir: str | Path, splits: Sequence[str], recipe: PosedRecipe, indices: Collection[int] | None, judged: bool
) -> Scenes:
    """The scenes of a dataset at the recipe's size; judging also compares normals, where the dataset has them."""
    if recipe.background is not None:
        check(recipe.background)
    keep = recipe.workers == 0 and not judged
    return Scenes(dataset_dir, splits, recipe.size, keep, normals=recipe.reads_normals or judged, indices=indices)


def item(recipe: PosedRecipe) -> tuple[Selection, Callable[[dict[str, Any]], Scene]]:
    """What of a row makes a scene, see `Family.item`."""
    return reading(recipe.size, recipe.reads_normals), scene


def example(scene: Scene, recipe: PosedRecipe, rng: np.random.Generator) -> Batch:
    """Inputs and targets of one object, without the batch's axis."""
    aside = seeds.aside(rng)
    order = rng.permutation(len(scene.rgb))
    inputs = order[: recipe.input_views]
    # One target in four is an input: it keeps the visible side sharp; the others are novel as far as there are views.
    candidates = np.roll(order, -(recipe.input_views - recipe.target_views // 4))
    near = angles(scene.c2w, scene.c2w[inputs]).min(1).values[candidates] <= recipe.max_angle
    targets = np.resize(candidates[near.numpy()], recipe.target_views)
    c2w, rgb, normal = scene.c2w, scene.rgb, scene.normal
    if recipe.augment:
        turn = turn_about_z(rng.uniform(0, 2 * np.pi))
        c2w, rgb = turn @ c2w, rgb[:, rng.permutation(3).tolist()]
        normal = torch.einsum("ij,vjhw->vihw", turn[:3, :3], normal) if recipe.reads_normals else normal
    images = laid_over(recipe.background, aside, rgb[inputs], scene.alpha[inputs], c2w[inputs], scene.K[inputs])
    return Batch(
        images, scene.alpha[inputs], scene.depth[inputs], normal[inputs], c2w[inputs],
        scene.K[inputs],
        rgb[targets], scene.alpha[targets], scene.depth[targets], normal[targets], c2w[targets], scene.K[targets],
    )  # fmt: skip


def turn_about_z(angle: float) -> Tensor:
    """(4, 4) rotation of the world about Z by an angle in radians."""
    turn = torch.eye(4)
    turn[:2, :2] = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn


class Objective(nn.Module):
    """A model and its loss as one module: batch in, scalar and its terms out."""

    def __init__(self, model: Any, perceptual: nn.Module | None) -> None:
        super().__init__()
        self.model, self.loss = model, Loss(model.recipe, perceptual)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch and its terms; depth is judged where the model has it.

        Gaussians have a depth in their own input views, a field has one where it is rendered.
        """
        scene, depth = self.model(batch.images, batch.alpha, batch.c2w, batch.K)
        rendering = self.model.draw(scene, batch.target_c2w, batch.target_K, batch.target_rgb.shape[-1])
        if depth is None:
            geometry = Geometry(
                rendering.depth / rendering.alpha.clamp_min(1e-2), batch.target_depth, batch.target_normal,
                batch.target_alpha, batch.target_c2w, batch.target_K,
            )  # fmt: skip
        else:
            stride = self.model.recipe.stride
            truth, normal, cover = (pool(t, stride) for t in (batch.depth, batch.normal, batch.alpha))
            geometry = Geometry(depth, truth, normal, cover, batch.c2w, strided(batch.K, stride))
        return self.loss(rendering, batch.target_rgb, batch.target_alpha, geometry)


def noise(recipe: PosedRecipe, generator: torch.Generator) -> Batch:
    """A batch of one object whose pictures are noise."""
    shape = (1, recipe.input_views + 1)
    rgb = torch.rand(*shape, 3, recipe.size, recipe.size, generator=generator)
    eyes = torch.randn(shape[1], 3, generator=generator).double().numpy()
    c2w = torch.tensor(np.stack([look_at(4 * eye / np.linalg.norm(eye)) for eye in eyes]))[None].float()
    K = torch.tensor(intrinsics(50.0, recipe.size, recipe.size)).float().expand(*shape, 3, 3)
    full = torch.ones_like(rgb[:, :, :1])
    seen = (rgb, full, 4 * full, torch.zeros_like(rgb), c2w, K)
    return Batch(*seen, *(t[:, :1] for t in seen))
