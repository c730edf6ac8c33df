"""Monocular: one picture to the normals and the depth of its pixels, by a U-Net (Ronneberger et al. 2015).

An LRM has to learn cameras, correspondence and colour before shapes matter. This network is asked for shape alone, so
a training of minutes on a CPU already shows what shapes it was taught.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from versemill import seeds
from versemill.reconstruction.posed import turn_about_z
from versemill.reconstruction.presets import upgrade
from versemill.shards import Selection
from versemill.shards.backgrounds import Background, check
from versemill.training.batches import Batches, to_device
from versemill.training.family import Cases, Examples, Family, Metric, Needs, NoJudging
from versemill.training.images import masked_mean, mean_where
from versemill.training.objects import scene_of_asset, textured
from versemill.training.recipe import Recipe, mixed_precision, table
from versemill.training.scenes import Scene, Scenes, laid_over, reading, scene

GROUPS = 8
"""Of the channels, in every group norm."""


class MonocularRecipe(Recipe):
    """A U-Net from one picture to normals and depth."""

    size: int = Field(description="image side in pixels", ge=16, le=1024)
    patch: int = Field(description="side in pixels of a cell of the finest level", ge=2, le=32)
    width: int = Field(description="channels of the finest level, a multiple of 8", ge=16, le=4096)
    layers: int = Field(description="levels of the U-Net", ge=1, le=64)
    masked: bool = Field(default=True, description="the model also sees coverage")
    input_views: int = Field(default=4, description="views of an object in a batch, each a picture by itself", ge=1, le=32)
    depth: float = Field(default=1.0, description="weight of the absolute error of depth", ge=0)
    normal: float = Field(default=1.0, description="weight of 1 - cosine of the normals", ge=0)
    augment: bool = Field(default=True, description="turn scenes about Z and permute colour channels, for small datasets")
    background: Background | None = Field(
        default=None, description="what is laid behind the input pictures in training; null: white, as in judging"
    )


PRESETS = table(
    MonocularRecipe(
        name="micro",
        hardware="2 CPU cores",
        time="2 minutes",
        expected="normals 4.7 degrees better than facing the camera on DetailVerse (37.6), trained on 160 Zeroverse assets",
        size=64,
        patch=2,
        width=32,
        layers=3,
        steps=500,
        batch=16,
        input_views=2,
        lr=2e-3,
        warmup=50,
        weight_decay=0.01,
        ema=0.99,
        depth=1.0,
        normal=1.0,
        divergence=5.0,
    ),
)


class Block(nn.Module):
    """Two convolutions of 3 x 3 with a skip: (N, before, s, s) to (N, after, s, s)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.branch = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(GROUPS, after), nn.GELU(),
            nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(GROUPS, after),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        return self.skip(maps) + self.branch(maps)


class Monocular(nn.Module):
    """Pictures (N, 3, S, S) to the surface they show, in each camera's frame.

    `recipe.layers` levels, each half as fine as the one before and `recipe.width` channels wider; the finest has one
    cell per `recipe.patch` x `recipe.patch` pixels.
    """

    def __init__(self, recipe: MonocularRecipe) -> None:
        super().__init__()
        if recipe.size % (recipe.patch * 2**recipe.layers) or recipe.width % GROUPS:
            raise ValueError(
                f"size {recipe.size} must be a multiple of patch {recipe.patch} times 2 per layer ({recipe.layers}), "
                f"width {recipe.width} of {GROUPS}"
            )
        self.recipe = recipe
        widths = [recipe.width * (level + 1) for level in range(recipe.layers)]
        self.stem = nn.Conv2d((3 + recipe.masked) * recipe.patch**2, recipe.width, 3, padding=1)
        self.down = nn.ModuleList(Block(before, after) for before, after in pairwise([recipe.width, *widths]))
        self.middle = Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(Block(below + here, here) for below, here in pairwise([widths[-1], *reversed(widths)]))
        self.head = nn.Conv2d(recipe.width, 4 * recipe.patch**2, 1)
        # An untrained network says what is true on average: everything faces the camera, as far away as the origin.
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Predicts what each picture shows; the camera is not given.

        Args:
            images: (N, 3, S, S) sRGB in [0, 1] over white. alpha: (N, 1, S, S), used if the recipe is `masked`.

        Returns:
            unit normals (N, 3, S, S) in the camera's frame, OpenCV axes; planar depth (N, 1, S, S) in world units, less
            the camera's distance from the origin. Float32, and without meaning where nothing is seen.
        """
        recipe = self.recipe
        pixels = (torch.cat([images, alpha], 1) if recipe.masked else images) * 2 - 1
        with torch.autocast(images.device.type, torch.bfloat16, enabled=mixed_precision(recipe, images.device)):
            maps = self.stem(F.pixel_unshuffle(pixels, recipe.patch))
            skips: list[Tensor] = []
            for block in self.down:
                skips.append(block(maps))
                maps = F.avg_pool2d(skips[-1], 2)
            maps = self.middle(maps)
            for block in self.up:
                maps = block(torch.cat([F.interpolate(maps, scale_factor=2.0, mode="nearest"), skips.pop()], 1))
            raw = F.pixel_shuffle(self.head(maps), recipe.patch).float()
        facing = raw.new_tensor([0.0, 0.0, -1.0])[:, None, None]
        return F.normalize(raw[:, :3] + facing, dim=1), raw[:, 3:]


def surface(normal: Tensor, depth: Tensor, c2w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a perfect `Monocular` says of N views.

    Args:
        normal: (N, 3, S, S) world frame, 0 where unknown. depth: (N, 1, S, S) planar, 0 where unknown. c2w: (N, 4, 4).

    Returns:
        normals and depth as `Monocular.forward` returns them, and where both are known: (N, 1, S, S) bool.
    """
    known = (normal.norm(dim=1, keepdim=True) > 0.5) & (depth > 0)
    distance = c2w[:, :3, 3].norm(dim=1)[:, None, None, None]
    return torch.einsum("nji,njhw->nihw", c2w[:, :3, :3], normal), depth - distance, known


@dataclass(frozen=True, eq=False)
class Pictures:
    """B objects with V views each; see `Scene` for the arrays.

    `images` are in front of the recipe's background: white, unless it has another.
    """

    images: Tensor
    alpha: Tensor
    depth: Tensor
    normal: Tensor
    c2w: Tensor

    def to(self, device: torch.device) -> "Pictures":
        """The same on a device."""
        return to_device(self, device)


def example(scene: Scene, recipe: MonocularRecipe, rng: np.random.Generator) -> Pictures:
    """Some views of one object, without the batch's axis."""
    aside = seeds.aside(rng)
    views = rng.permutation(len(scene.rgb))[: recipe.input_views]
    c2w, rgb, normal = scene.c2w, scene.rgb, scene.normal
    if recipe.augment:
        turn = turn_about_z(rng.uniform(0, 2 * np.pi))
        c2w, rgb = turn @ c2w, rgb[:, rng.permutation(3).tolist()]
        normal = torch.einsum("ij,vjhw->vihw", turn[:3, :3], normal)
    images = laid_over(recipe.background, aside, rgb[views], scene.alpha[views], c2w[views], scene.K[views])
    return Pictures(images, scene.alpha[views], scene.depth[views], normal[views], c2w[views])


class MonocularObjective(nn.Module):
    """The network and its loss as one module: batch in, scalar and its terms out. Every input view is a picture by itself."""

    def __init__(self, model: Monocular) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Pictures) -> tuple[Tensor, dict[str, Tensor]]:
        """1 - cosine of the normals and absolute error of depth, weighted by the recipe, where the truth is known."""
        images, alpha, *truth = (t.flatten(0, 1) for t in (batch.images, batch.alpha, batch.normal, batch.depth, batch.c2w))
        true_normal, true_depth, known = surface(*truth)
        normal, depth = self.model(images, alpha)
        terms = {
            "normal": mean_where(1 - (normal * true_normal).sum(1, keepdim=True), known),
            "depth": mean_where((depth - true_depth).abs(), known),
        }
        total = self.model.recipe.normal * terms["normal"] + self.model.recipe.depth * terms["depth"]
        return total, {name: value.detach() for name, value in terms.items()}


NORMAL_ERROR = Metric("normal_error", "normal error", "degrees", higher_is_better=False)
FACING = "facing the camera"
"""The baseline of normals: what a network says that has learned nothing."""


def score(network: Monocular, cases: Cases, judging: NoJudging, device: torch.device) -> dict[str, list[float]]:
    """The normal error of each scene, over all of its views."""
    with torch.no_grad():
        answers = (network(scene.over_white.to(device), scene.alpha.to(device))[0].cpu() for scene in cases)
        return {NORMAL_ERROR.key: [normal_error(normal, scene) for normal, scene in zip(answers, cases, strict=True)]}


def baselines(cases: Cases, training: Examples, judging: NoJudging) -> dict[str, dict[str, list[float]]]:
    """`FACING`: every surface faces the camera."""
    facing = torch.tensor([0.0, 0.0, -1.0])[:, None, None]
    return {FACING: {NORMAL_ERROR.key: [normal_error(facing.expand_as(scene.normal), scene) for scene in cases]}}


def normal_error(normal: Tensor, scene: Scene) -> float:
    """Angle in degrees between normals (V, 3, S, S) of each camera's frame and the true ones.

    The mean over the pixels where the truth is known, then over the views that have such pixels.
    """
    truth, _, known = surface(scene.normal, scene.depth, scene.c2w)
    angle = torch.rad2deg(torch.arccos((normal * truth).sum(1).clamp(-1, 1)))
    return float(masked_mean(angle, known[:, 0]).nanmean())


def data(
    dataset_dir: str | Path, splits: Sequence[str], recipe: MonocularRecipe, indices: Collection[int] | None, judged: bool
) -> Scenes:
    """The scenes of a dataset at the recipe's size, with normals."""
    if recipe.background is not None:
        check(recipe.background)
    return Scenes(dataset_dir, splits, recipe.size, recipe.workers == 0 and not judged, normals=True, indices=indices)


def item(recipe: MonocularRecipe) -> tuple[Selection, Callable[[dict[str, Any]], Scene]]:
    """What of a row makes a scene, see `Family.item`."""
    return reading(recipe.size, normals=True), scene


def noise(recipe: MonocularRecipe, generator: torch.Generator) -> Pictures:
    """A batch of one picture of noise."""
    images = torch.rand(1, 1, 3, recipe.size, recipe.size, generator=generator)
    full = torch.ones_like(images[:, :, :1])
    up = torch.tensor([0.0, 0.0, 1.0])[:, None, None].expand_as(images)
    return Pictures(images, full, 4 * full, up, torch.eye(4).expand(1, 1, 4, 4))


def mesh_case(name: str, asset: Any, recipe: MonocularRecipe, judging: NoJudging) -> Scene:
    """A mesh seen by the paper's cameras of 4 input views and their targets."""
    return scene_of_asset(textured(asset), 4, recipe.size, name)


MONOCULAR = Family(
    name="monocular",
    summary="one picture to the normals and the depth of its pixels",
    stream="reconstruction",
    presets=PRESETS,
    default="micro",
    needs=lambda recipe: Needs(passes=("rgb", "depth", "normal"), resolution=recipe.size, views=recipe.input_views),
    data=data,
    item=item,
    batches=partial(Batches, make=example, stream="reconstruction"),
    network=Monocular,
    objective=lambda network, lpips: MonocularObjective(network),
    noise=noise,
    metrics=(NORMAL_ERROR,),
    score=score,
    baselines=baselines,
    mesh_case=mesh_case,
    gate=(FACING,),
    upgrade=upgrade(MonocularRecipe),
)
