"""Scenes: the views of one asset, read from the shards and scaled to a model's size; and what a dataset must have."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from versemill.errors import ConfigError
from versemill.shards import Selection, ShardDataset, backgrounds
from versemill.shards.backgrounds import Background
from versemill.training.family import Needs
from versemill.training.geometry import strided


@dataclass(frozen=True, eq=False)
class Scene:
    """All views of one asset at the model's size, float32 on the CPU.

    Attributes:
        rgb: (V, 3, S, S) sRGB premultiplied by alpha (V, 1, S, S), both in [0, 1].
        depth: (V, 1, S, S) planar z in world units, 0 where unknown.
        normal: (V, 3, S, S) world-space unit vectors of the visible side, 0 where unknown.
        c2w: (V, 4, 4), OpenCV axes. K: (V, 3, 3) for S x S pixels.
        name: says which asset it is.
    """

    rgb: Tensor
    alpha: Tensor
    depth: Tensor
    normal: Tensor
    c2w: Tensor
    K: Tensor
    name: str = ""

    @property
    def over_white(self) -> Tensor:
        """(V, 3, S, S) pictures over white: what the model sees and what it is judged by."""
        return self.rgb + 1 - self.alpha


def scene(sample: dict[str, Any]) -> Scene:
    """The scene of a `shards.ShardDataset` sample: rgb (V, 4, S, S) straight alpha, depth (V, 1, S, S), c2w, K, id; normal
    (V, 3, S, S) where it was read.

    Raises:
        ConfigError: the images are not square, or a camera is orthographic.
    """
    rgba = sample["rgb"]
    if rgba.shape[2] != rgba.shape[3]:
        raise ConfigError(f"square views are needed, these are {rgba.shape[3]} x {rgba.shape[2]}")
    if bool(sample["orthographic"].any()):
        raise ConfigError("perspective views are needed, this dataset has orthographic ones: take other cameras")
    alpha = rgba[:, 3:]
    normal = sample["normal"] if "normal" in sample else torch.zeros(1, 1, 1, 1).expand(len(rgba), 3, *rgba.shape[2:])
    return Scene(rgba[:, :3] * alpha, alpha, sample["depth"], normal, sample["c2w"], sample["K"], str(sample["id"]))


def reading(size: int, normals: bool) -> Selection:
    """What a scene at `size` pixels is read from."""
    return Selection(passes=("rgb", "depth", "normal") if normals else ("rgb", "depth"), resolution=size)


def laid_over(
    background: Background | None, rng: np.random.Generator, rgb: Tensor, alpha: Tensor, c2w: Tensor, K: Tensor
) -> Tensor:
    """(V, 3, S, S) pictures in front of what a recipe lays behind them: a drawn background, or white.

    Args:
        rng: draws the background (see `seeds.aside`). rgb, alpha, c2w, K: of V views, as in `Scene`.
    """
    if background is None:
        return rgb + 1 - alpha
    size = rgb.shape[-1]
    poses, matrices = c2w.double().numpy(), K.double().numpy()
    ways = [backgrounds.directions_of(pose, matrix, size, size) for pose, matrix in zip(poses, matrices, strict=True)]
    behind = backgrounds.draw(background, rng, [rng] * len(rgb), size, size, ways)
    straight = torch.where(alpha > 0, rgb / alpha.clamp_min(1e-6), 0.0)
    return torch.from_numpy(backgrounds.over(straight.numpy(), alpha.numpy(), behind))


def resized(scene: Scene, size: int) -> Scene:
    """A scene with views of `size` pixels: colours averaged or interpolated, depth and normals of the nearest pixel."""
    own = scene.rgb.shape[-1]
    rgb, alpha = (
        F.interpolate(t, (size, size), mode="bilinear", antialias=size < own, align_corners=False)
        for t in (scene.rgb, scene.alpha)
    )
    depth, normal = (F.interpolate(t, (size, size), mode="nearest-exact") for t in (scene.depth, scene.normal))
    return replace(scene, rgb=rgb, alpha=alpha, depth=depth, normal=normal, K=strided(scene.K, own / size))


class Scenes(Dataset[Scene]):
    """The scenes of some splits of a dataset folder at `size` pixels, in the shards' order; in memory once seen if `keep`.

    With `normals` the pass is read where the dataset has it; `has_normals` says whether it does. `indices` keeps only the
    assets of these indices.

    Raises:
        ConfigError: the dataset's images are smaller than `size`.
    """

    def __init__(
        self, dataset_dir: str | Path, splits: Sequence[str], size: int, keep: bool, normals: bool = False,
        indices: Collection[int] | None = None,
    ) -> None:  # fmt: skip
        self.has_normals = normals and _has_pass(dataset_dir, "normal")
        sources = [ShardDataset(dataset_dir, split, reading(size, self.has_normals)) for split in splits]
        rows = [(source, i, int(index)) for source in sources for i, index in enumerate(source.indices)]
        rows = [row for row in rows if indices is None or row[2] in indices]
        self._where = [(source, i) for source, i, _ in rows]
        self.indices = [index for _, _, index in rows]
        self._kept: dict[int, Scene] = {}
        self._keep = keep
        if self._where:
            width = ShardDataset(dataset_dir, passes=("rgb",), views=(0,))[0]["rgb"].shape[3]
            if width < size:
                raise ConfigError(f"the views of {dataset_dir} are {width} pixels wide and the preset needs {size}: "
                                  "render larger or take a smaller preset")  # fmt: skip

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, index: int) -> Scene:
        if index in self._kept:
            return self._kept[index]
        source, i = self._where[index]
        loaded = scene(source[i])
        if self._keep:
            self._kept[index] = loaded
        return loaded


def check_needs(dataset_dir: str | Path, needs: Needs, who: str) -> None:
    """Refuses a dataset that lacks what a preset asks for, before anything is trained.

    Args:
        who: names the preset in the error.

    Raises:
        ConfigError: a pass is missing.
    """
    for name in needs.passes:
        if not _has_pass(dataset_dir, name):
            raise ConfigError(f"{who} needs the pass '{name}', and {dataset_dir} does not have it: render it")


def _has_pass(dataset_dir: str | Path, name: str) -> bool:
    """Whether the first row has a pass; a dataset's rows are alike in this."""
    try:
        ShardDataset(dataset_dir, passes=(name,), views=(0,))[0]
    except ConfigError:
        return False
    return True


def angles(c2w: Tensor, others: Tensor) -> Tensor:
    """Angles in degrees (A, B) at the origin between camera positions of c2w (A, 4, 4) and of others (B, 4, 4)."""
    a, b = (F.normalize(t[:, :3, 3], dim=1) for t in (c2w, others))
    return torch.rad2deg(torch.arccos((a @ b.T).clamp(-1, 1)))


def spread(c2w: Tensor, count: int) -> list[int]:
    """Indices of `count` cameras spread around the origin: the first one, then always the farthest from those chosen."""
    if count >= len(c2w):
        raise ConfigError(f"{count} input views leave none of {len(c2w)} to test on: render at least {count + 1} views")
    apart = angles(c2w, c2w)
    chosen = [0]
    while len(chosen) < count:
        nearest = apart[:, chosen].min(1).values
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return chosen
