"""Objects and their views, read from the shards and held in memory; pairs of views as examples."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from versemill.errors import ConfigError
from versemill.generation.views.cameras import orbit
from versemill.generation.views.maps import painted, thinned
from versemill.generation.views.presets import ViewsRecipe
from versemill.shards import Selection, ShardDataset
from versemill.training.batches import Batches, to_device


@dataclass(frozen=True, eq=False)
class Seen:
    """All views of one asset at the model's size.

    Attributes:
        rgba: (V, 4, S, S) uint8, straight alpha. c2w: (V, 4, 4) float32, OpenCV axes. K: (V, 3, 3) float32 for S x S pixels.
        index, name: which asset it is.
        maps: (V, 3, S, S) uint8, part maps as `maps.painted` gives them; None: none were read.
    """

    rgba: Tensor
    c2w: Tensor
    K: Tensor
    index: int
    name: str
    maps: Tensor | None = None

    def shown(self, views: Sequence[int]) -> Tensor:
        """(n, 3, S, S) float32 in [0, 1]: what a network is given, the maps where they were read, else `pictures`."""
        return self.pictures(views) if self.maps is None else self.maps[list(views)].float() / 255

    def pictures(self, views: Sequence[int]) -> Tensor:
        """(n, 3, S, S) float32 in [0, 1], composited over white: every pixel by its alpha, not only the empty ones."""
        some = self.rgba[list(views)].float() / 255
        alpha = some[:, 3:]
        return some[:, :3] * alpha + 1 - alpha


class SeenViews(Dataset[Seen]):
    """The assets of some splits with their views, in memory once read, in the shards' order.

    Raises:
        ConfigError: orthographic views, views that are not square or smaller than the preset's, or fewer than two.
    """

    def __init__(
        self, dataset_dir: str | Path, splits: Sequence[str], recipe: ViewsRecipe, indices: Collection[int] | None, judged: bool
    ) -> None:
        sources = [ShardDataset(dataset_dir, split, passes=("rgb",), resolution=recipe.size) for split in splits]
        maps = [ShardDataset(dataset_dir, split, passes=("part",)) if recipe.shown == "map" else None for split in splits]
        rows = [(pair, i, int(index)) for pair in zip(sources, maps, strict=True) for i, index in enumerate(pair[0].indices)]
        rows = [row for row in rows if indices is None or row[2] in indices]
        if recipe.assets and not judged:
            rows = rows[: recipe.assets]
        if rows:
            height, width = ShardDataset(dataset_dir, passes=("rgb",), views=(0,))[0]["rgb"].shape[2:]
            if width != height or width < recipe.size:
                raise ConfigError(
                    f"the views of {dataset_dir} have {width} x {height} pixels and preset {recipe.name} needs square ones of "
                    f"{recipe.size} or more: render such views or take another preset"
                )
        self._size = recipe.size
        self._where = [(pair, i) for pair, i, _ in rows]
        self.indices = [index for _, _, index in rows]
        self._kept: dict[int, Seen] = {}

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, position: int) -> Seen:
        if position not in self._kept:
            (source, maps), row = self._where[position]
            item = seen(source[row])
            if maps is not None:
                item = replace(item, maps=painted(thinned(maps[row]["part"][:, 0], self._size)))
            self._kept[position] = item
        return self._kept[position]

    @cached_property
    def mean(self) -> Tensor:
        """(3, S, S): the pixelwise mean of all views, the best constant answer in squared error."""
        total = torch.zeros((), dtype=torch.float64)
        for k in range(len(self)):
            total = total + self[k].pictures(range(len(self[k].rgba))).double().mean(0)
        return (total / len(self)).float()

    @cached_property
    def thumbnails(self) -> tuple[Tensor, list[tuple[int, int]]]:
        """Thumbnails (N, 192) of what is shown of all views, and the position and view of each."""
        places = [(k, view) for k in range(len(self)) for view in range(len(self[k].rgba))]
        return torch.cat([small(self[k].shown(range(len(self[k].rgba)))) for k in range(len(self))]), places


def small(pictures: Tensor) -> Tensor:
    """Thumbnails (N, 192) of pictures (N, 3, S, S)."""
    return F.adaptive_avg_pool2d(pictures, 8).flatten(1)


def seen(sample: dict[str, Any]) -> Seen:
    """The views of a `shards.ShardDataset` sample.

    Raises:
        ConfigError: a camera is orthographic, or there are fewer than two views.
    """
    if bool(sample["orthographic"].any()):
        raise ConfigError("perspective views are needed, this dataset has orthographic ones: take other cameras")
    if len(sample["rgb"]) < 2:
        raise ConfigError(f"asset {sample['id']} has one view; pairs of views are needed: render at least two")
    rgba = (sample["rgb"] * 255).round().byte()
    return Seen(rgba, sample["c2w"].float(), sample["K"].float(), int(sample["index"]), str(sample["id"]))


def item(recipe: ViewsRecipe) -> tuple[Selection, Callable[[dict[str, Any]], Seen]]:
    """What of a row makes the views of an asset, see `Family.item`."""
    return Selection(passes=("rgb",), resolution=recipe.size), seen


@dataclass(frozen=True, eq=False)
class ViewBatch:
    """B source views with T targets each, and what is drawn for the loss.

    Attributes:
        source: (B, 3, S, S), a view or a part map. target: (B, T, 3, S, S). Both in [0, 1] over white.
        c2w, K: (B, 1 + T, 4, 4) and (B, 1 + T, 3, 3), the source first.
        keep: (B, 2) float32, 0 where the picture, or the pose, is withheld.
        noise: (B, T, *recipe.shape). uniform: (B, T) in (0, 1), from which the path takes its times.
        blank: (B, T) float32, 1 where the target is regressed: nothing of it is seen, at the highest noise.
    """

    source: Tensor
    target: Tensor
    c2w: Tensor
    K: Tensor
    keep: Tensor
    noise: Tensor
    uniform: Tensor
    blank: Tensor

    def to(self, device: torch.device) -> "ViewBatch":
        """The same on a device."""
        return to_device(self, device)


def example(item: Seen, recipe: ViewsRecipe, rng: np.random.Generator, regress: float) -> ViewBatch:
    """One source view of an asset and `recipe.targets` others; some targets are the source itself. With maps: a view's map,
    and that view.

    Args:
        regress: share of targets that are regressed.
    """
    count = recipe.targets
    source, *others = (int(v) for v in rng.permutation(len(item.rgba)))
    targets = [others[k % len(others)] for k in range(count)]
    targets = [source if draw < recipe.identity else view for draw, view in zip(rng.random(count), targets, strict=True)]
    channels = rng.permutation(3) if recipe.permute else np.arange(3)
    views = [source] * (1 + count) if recipe.shown == "map" else [source, *targets]
    pictures = item.pictures(views)[:, channels]
    shown = item.shown(views[:1])[0] if recipe.shown == "map" else pictures[0]
    uniform, blank = rng.uniform(1e-4, 1 - 1e-4, count), rng.random(count) < regress
    if recipe.together:  # one noise level for all that is drawn at once
        uniform, blank = np.full(count, uniform[0]), np.full(count, blank[0])
    fate = rng.random()  # no picture, no pose, neither, or both
    hidden = [fate < 2 * recipe.drop, recipe.drop <= fate < 3 * recipe.drop]
    return ViewBatch(
        shown,
        pictures[1:],
        item.c2w[views],
        item.K[views],
        torch.tensor([float(not h) for h in hidden]),
        torch.from_numpy(rng.standard_normal((count, *recipe.shape), np.float32)),
        torch.from_numpy(uniform.astype(np.float32)),
        torch.from_numpy(blank.astype(np.float32)),
    )


class PairBatches(Batches):
    """As `Batches`; in the first `recipe.warm` steps all targets are regressed, later a share `recipe.regress`."""

    def __init__(self, items: Any, recipe: ViewsRecipe, seed: int, rank: int, processes: int) -> None:
        super().__init__(items, recipe, seed, rank, processes, make=partial(example, regress=1.0), stream="novel-views")

    def __getitem__(self, step: int) -> Any:
        regress = 1.0 if step < self.recipe.warm else self.recipe.regress
        self.make = partial(example, regress=regress)
        return super().__getitem__(step)


def noise(recipe: ViewsRecipe, generator: torch.Generator) -> ViewBatch:
    """A batch of noise from two cameras."""
    size, count = recipe.size, recipe.targets
    c2w = torch.tensor(np.stack([orbit(30.0 * k, 20.0, 3.0) for k in range(1 + count)]), dtype=torch.float32)[None]
    K = torch.tensor([[1.09 * size, 0, size / 2], [0, 1.09 * size, size / 2], [0, 0, 1]])
    pictures = torch.rand(1, 1 + count, 3, size, size, generator=generator)
    return ViewBatch(
        pictures[:, 0], pictures[:, 1:], c2w, K.expand(1, 1 + count, 3, 3), torch.ones(1, 2),
        torch.randn(1, count, *recipe.shape, generator=generator), torch.rand(1, count, generator=generator),
        torch.zeros(1, count),
    )  # fmt: skip
