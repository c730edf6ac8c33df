"""What `normals` is trained on: views of the shards, cut and made photograph-like, and their batches in two stages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from versemill import seeds
from versemill.errors import ConfigError
from versemill.generation.normals import domains
from versemill.generation.normals.presets import NormalsRecipe
from versemill.shards import ShardDataset, backgrounds
from versemill.shards.folder import find_shards
from versemill.training.batches import Batches, to_device

MEAN_OF = 64
"""Training assets at most whose mean normal is a baseline."""


@dataclass(frozen=True, eq=False)
class Views:
    """The views of one asset.

    Attributes:
        rgba: (V, 4, S, S) uint8 with straight alpha. normal: (V, 3, S, S) float16 unit vectors in each camera's frame, OpenCV
            axes, 0 where unknown.
        name: says which asset it is. source: what made it. index: its index in the dataset.
    """

    rgba: NDArray[np.uint8]
    normal: NDArray[np.float16]
    name: str
    source: str
    index: int


class ViewSet(Dataset[Views]):
    """The views of some splits of a dataset folder at the recipe's size, in the shards' order; in memory once seen if `keep`.

    Raises:
        ConfigError: the dataset's views are not square, or smaller than the recipe's.
    """

    def __init__(
        self, dataset_dir: str | Path, splits: Sequence[str], recipe: NormalsRecipe, indices: Collection[int] | None, keep: bool
    ) -> None:
        shards = [
            ShardDataset(dataset_dir, split, passes=("rgb", "normal"), normal_frame="camera", resolution=recipe.view)
            for split in splits
        ]
        rows = [(shard, row, int(index)) for shard in shards for row, index in enumerate(shard.indices)]
        self._rows = [row for row in rows if indices is None or row[2] in indices]
        self.indices = [index for _, _, index in self._rows]
        self._keep = keep
        self._kept: dict[int, Views] = {}
        by_index = sources(dataset_dir)
        self.sources = [by_index[index] for index in self.indices]
        if self._rows:
            height, width = ShardDataset(dataset_dir, passes=("rgb",), views=(0,))[0]["rgb"].shape[-2:]
            if height != width or width < recipe.view:
                raise ConfigError(
                    f"the views of {dataset_dir} have {width} x {height} pixels; preset {recipe.name} needs square ones of "
                    f"{recipe.view} or more: render larger, or set view"
                )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: int) -> Views:
        if position in self._kept:
            return self._kept[position]
        shard, row, index = self._rows[position]
        sample = shard[row]
        rgba = (sample["rgb"] * 255).round().byte().numpy()
        views = Views(rgba, sample["normal"].half().numpy(), str(sample["id"]), self.sources[position], index)
        if self._keep:
            self._kept[position] = views
        return views

    @cached_property
    def mean_normal(self) -> NDArray[np.float32]:
        """(3,) unit vector: the mean over the pixels of `MEAN_OF` assets at even distances."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(MEAN_OF, len(self))).round().astype(int))
        total = sum(self[int(k)].normal.astype(np.float64).sum((0, 2, 3)) for k in chosen)
        return np.asarray(total / max(np.linalg.norm(total), 1e-12), np.float32)


def sources(dataset_dir: str | Path) -> dict[int, str]:
    """Asset index -> the stage that made it, from the shards' columns."""
    fs, paths = find_shards(dataset_dir)
    known: dict[int, str] = {}
    for path in paths:
        with pq.ParquetFile(path, filesystem=fs) as file:
            rows = file.read(columns=["meta.index", "meta.source"])["meta"].to_pylist()
        known |= {int(row["index"]): str(row["source"]) for row in rows}
    return known


def data(
    dataset_dir: str | Path, splits: Sequence[str], recipe: NormalsRecipe, indices: Collection[int] | None, judged: bool
) -> ViewSet:
    """The views of a dataset; kept in memory for training without loader processes."""
    if recipe.background is not None:
        backgrounds.check(recipe.background)
    return ViewSet(dataset_dir, splits, recipe, indices, recipe.workers == 0 and not judged)


@dataclass(frozen=True, eq=False)
class NormalBatch:
    """B pictures and what they show.

    Attributes:
        picture: (B, 3, C, C) in [0, 1]. noise: (B, 3, C, C) standard normal, what the noisy stream gets of it.
        normal: (B, 3, C, C) unit vectors in the camera's frame, 0 where unknown.
        second: (B,) bool, whether the second stage sees it.
    """

    picture: Tensor
    noise: Tensor
    normal: Tensor
    second: Tensor

    def to(self, device: torch.device) -> "NormalBatch":
        """The same on a device."""
        return to_device(self, device)


class Staged(Dataset[NormalBatch]):
    """Batches of both domains: photograph-like ones of all assets with labels like a scan's, clean ones of `clean_source`.

    Of a staged recipe the clean ones come last; else they are spread evenly. Both have the same number of each.

    Raises:
        ConfigError: no asset is of `clean_source`.
    """

    def __init__(self, examples: Any, recipe: NormalsRecipe, seed: int, rank: int, processes: int) -> None:
        self.recipe = recipe
        positions = [k for k, source in enumerate(examples.sources) if recipe.clean_source in ("", source)]
        if recipe.clean and not positions:
            raise ConfigError(
                f"no training asset is of source '{recipe.clean_source}', only of {', '.join(sorted(set(examples.sources)))}: "
                "set clean_source to one of them, or clean to 0"
            )
        rest = (recipe, seed, rank, processes)
        self._mixed = Batches(examples, *rest, make=photographed, stream="normals/photographs")
        self._clean = Batches(Chosen(examples, positions), *rest, make=plain, stream="normals/clean")

    def __len__(self) -> int:
        return self.recipe.steps

    def is_clean(self, step: int) -> bool:
        """Whether the labels of a step are clean."""
        if self.recipe.staged:
            return step >= self.recipe.clean_from
        return round((step + 1) * self.recipe.clean) > round(step * self.recipe.clean)

    def __getitem__(self, step: int) -> NormalBatch:
        batch: NormalBatch = (self._clean if self.is_clean(step) else self._mixed)[step]
        return batch


class Chosen:
    """Some of a sequence's items."""

    def __init__(self, items: Any, positions: Sequence[int]) -> None:
        self._items, self._positions = items, positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, position: int) -> Any:
        return self._items[self._positions[position]]


def photographed(views: Views, recipe: NormalsRecipe, rng: np.random.Generator) -> NormalBatch:
    """A crop of one view of an asset as stage 1 sees it."""
    aside = seeds.aside(rng)
    rgba, normal = _cut(views, recipe, rng)
    behind = None if recipe.background is None else backgrounds.draw(recipe.background, aside, [aside], *rgba.shape[1:])[0]
    return _example(domains.photograph(rgba, domains.TRAINING, rng, behind), domains.scanned(normal, rng), False, rng)


def plain(views: Views, recipe: NormalsRecipe, rng: np.random.Generator) -> NormalBatch:
    """A crop of one view of an asset as it was rendered, over white, with its true normals."""
    rgba, normal = _cut(views, recipe, rng)
    return _example(over_white(rgba), normal, recipe.staged, rng)


def over_white(rgba: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 3, H, W) in [0, 1] of pictures (..., 4, H, W) in [0, 1] with straight alpha."""
    alpha = rgba[..., 3:, :, :]
    return rgba[..., :3, :, :] * alpha + 1 - alpha


def _cut(views: Views, recipe: NormalsRecipe, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A square of a view around one of the object's pixels: rgba (4, C, C) in [0, 1] and normals (3, C, C)."""
    view = int(rng.integers(len(views.rgba)))
    rgba, normal = views.rgba[view], views.normal[view]
    rows, columns = np.nonzero(rgba[3] >= 128)
    size = recipe.crop
    chosen = int(rng.integers(max(1, len(rows))))
    row, column = (rows[chosen], columns[chosen]) if len(rows) else (recipe.view // 2, recipe.view // 2)
    top, left = (int(np.clip(place - size // 2, 0, recipe.view - size)) for place in (row, column))
    colours, vectors = (t[:, top : top + size, left : left + size].astype(np.float32) for t in (rgba, normal))
    if recipe.augment:
        colours = colours[[*rng.permutation(3), 3]]
        if rng.random() < 0.5:
            colours, vectors = colours[..., ::-1], vectors[..., ::-1] * np.array([-1, 1, 1], np.float32)[:, None, None]
    return colours / np.float32(255), vectors


def _example(picture: NDArray[np.float32], normal: NDArray[np.float32], second: bool, rng: np.random.Generator) -> NormalBatch:
    noise = torch.from_numpy(rng.standard_normal(picture.shape, np.float32))
    shown, truth = (torch.from_numpy(np.ascontiguousarray(array)) for array in (picture, normal))
    return NormalBatch(shown, noise, truth, torch.tensor(second))


def noise(recipe: NormalsRecipe, generator: torch.Generator) -> NormalBatch:
    """A batch of one picture of noise."""
    picture = torch.rand(1, 3, recipe.crop, recipe.crop, generator=generator)
    facing = torch.tensor([0.0, 0.0, -1.0])[:, None, None].expand(1, 3, recipe.crop, recipe.crop)
    return NormalBatch(picture, torch.randn(picture.shape, generator=generator), facing, torch.zeros(1, dtype=torch.bool))
