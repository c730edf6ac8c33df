"""Shapes as training sees them: field points of the shards, placed, and batches drawn from them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from versemill.generation.shape_vae import farthest_points
from versemill.shards import ShardDataset

from versemill import seeds
from versemill.errors import ConfigError

Floats = NDArray[np.float32]
FIELDS = (
    "surface", "sharp_surface", "near_points", "near_sdf", "sharp_near_points", "sharp_near_sdf", "vol_points", "vol_sdf",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shape:
    """What a row's fields say of one asset; all float32.

    Attributes:
        surface, sharp: (N, 6), (M, 6) positions and normals, uniform on the surface and along its sharp edges; M may be 0.
        near, sharp_near, volume: (P, 4), (Q, 4), (R, 4) positions and signed distances, negative inside.
        name: says which asset it is. index: its index in the dataset.
    """

    surface: Floats
    sharp: Floats
    near: Floats
    sharp_near: Floats
    volume: Floats
    name: str
    index: int

    @property
    def depth(self) -> float:
        """Greatest distance inside: how thick the thickest place is, halved."""
        return float(max(0.0, -min(self.near[:, 3].min(initial=0), self.volume[:, 3].min(initial=0))))

    def placed(self, placement: "Placement") -> "Shape":
        """The same asset, moved."""
        vectors = [np.concatenate([placement.points(a[:, :3]), placement.normals(a[:, 3:])], 1) for a in (self.surface, self.sharp)]
        values = [
            np.concatenate([placement.points(a[:, :3]), a[:, 3:] * np.float32(placement.scale)], 1)
            for a in (self.near, self.sharp_near, self.volume)
        ]
        return Shape(*vectors, *values, self.name, self.index)


@dataclass(frozen=True, eq=False)
class Placement:
    """p -> scale * (turn p - center): turn (3, 3) orthogonal, center (3,), scale."""

    turn: Floats
    center: Floats
    scale: float

    @staticmethod
    def fitting(surface: Floats, turn: Floats) -> "Placement":
        """The one that turns and then puts the surface's box (of points (N, 6)) at the origin, its longest side 2."""
        turned = surface[:, :3] @ turn.T
        low, high = turned.min(0), turned.max(0)
        return Placement(turn, (low + high) / 2, float(2 / (high - low).max()))

    def points(self, points: Floats) -> Floats:
        """Positions (N, 3), moved."""
        return ((points @ self.turn.T - self.center) * np.float32(self.scale)).astype(np.float32)

    def normals(self, normals: Floats) -> Floats:
        """Directions (N, 3), turned."""
        return (normals @ self.turn.T).astype(np.float32)

    def undone(self, points: Floats) -> Floats:
        """Positions (N, 3), moved back."""
        return ((points / np.float32(self.scale) + self.center) @ self.turn).astype(np.float32)


def about_z(angle: float, mirror: bool = False) -> Floats:
    """(3, 3) rotation by `angle` radians about Z, after a reflection of x with `mirror`."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)
    return turn * np.array([-1 if mirror else 1, 1, 1], np.float32)


def shape(sample: dict[str, Any]) -> Shape:
    """The shape of a `shards.ShardDataset` sample that was read with `FIELDS`."""
    arrays = {name: sample[name].numpy().astype(np.float32) for name in FIELDS}
    pairs = [
        np.concatenate([arrays[f"{name}_points"], arrays[f"{name}_sdf"].reshape(-1, 1)], 1)
        for name in ("near", "sharp_near", "vol")
    ]
    return Shape(arrays["surface"], arrays["sharp_surface"], *pairs, str(sample["id"]), int(sample["index"]))


def load_shapes(dataset_dir: str | Path, splits: Sequence[str]) -> list[Shape]:
    """The shapes of some splits, in the shards' order.

    Raises:
        ConfigError: there are none, or the rows hold no field points.
    """
    sources = [ShardDataset(dataset_dir, split, passes=(), fields=FIELDS) for split in splits]
    shapes = [shape(source[i]) for source in sources for i in range(len(source))]
    if not shapes:
        raise ConfigError(f"{dataset_dir} has no assets in {' or '.join(splits)}: mill more assets")
    poor = [s.name for s in shapes if min(len(s.surface), len(s.near), len(s.volume)) < 256]
    if poor:
        raise ConfigError(
            f"{dataset_dir}: {poor[0]} has {len(shapes[0].surface)} surface, {len(shapes[0].near)} near and "
            f"{len(shapes[0].volume)} volume points; shape models need 256 of each: mill with the pipeline 'shapes'"
        )
    return shapes


class VaeDraws(Protocol):
    """What `VaeBatches` reads of a preset."""

    batch: int
    tokens: tuple[int, ...]
    channels: int
    input_points: int
    sharp_input: float
    near_queries: int
    volume_queries: int
    surface_queries: int
    augment: bool


@dataclass(frozen=True)
class VaeBatch:
    """B shapes: what the encoder sees, and where the field is judged.

    Attributes:
        surface: (B, N, 6). chosen: (B, M) int64, which of them the tokens start from. noise: (B, M, C), standard normal.
        points, sdf: (B, Q, 3) and (B, Q). on_surface: (B, S, 6).
    """

    surface: Tensor
    chosen: Tensor
    noise: Tensor
    points: Tensor
    sdf: Tensor
    on_surface: Tensor

    def to(self, device: torch.device) -> "VaeBatch":
        """The same on a device."""
        return VaeBatch(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


def vae_batch(shapes: Sequence[Shape], preset: VaeDraws, seed: int, step: int) -> VaeBatch:
    """Batch number `step`, a pure function of its arguments; each epoch is a permutation of the shapes."""
    first = step * preset.batch
    tokens = preset.tokens[int(seeds.stream(seed, step, "shape-vae/tokens").integers(len(preset.tokens)))]
    examples = [_example(shapes[order(len(shapes), seed, p)], preset, tokens, seed, p) for p in range(first, first + preset.batch)]
    surface, noise, points, on_surface = (torch.from_numpy(np.stack(column)) for column in zip(*examples, strict=True))
    return VaeBatch(surface, starts(surface, tokens), noise, points[..., :3], points[..., 3], on_surface)


def starts(surface: Tensor, tokens: int) -> Tensor:
    """(B, M) indices of the points that tokens start from: of the first 4 M points of (B, N, 6), the M farthest apart."""
    return farthest_points(surface[:, : 4 * tokens, :3], tokens)


def order(count: int, seed: int, position: int) -> int:
    """Which of `count` shapes comes at a position: each epoch is a permutation."""
    epoch, place = divmod(position, count)
    return int(seeds.stream(seed, epoch, "shapes/order").permutation(count)[place])


def _example(whole: Shape, preset: VaeDraws, tokens: int, seed: int, position: int) -> tuple[Floats, Floats, Floats, Floats]:
    rng = seeds.stream(seed, position, "shape-vae/example")
    noise = rng.standard_normal((tokens, preset.channels), np.float32)
    surface = input_points(whole, preset.input_points, preset.sharp_input, rng)
    near = _balanced(whole.near, preset.near_queries, rng)
    if preset.sharp_input and len(whole.sharp_near):
        half = preset.near_queries // 2
        near = np.concatenate([near[half:], _balanced(whole.sharp_near, half, rng)])
    points = np.concatenate([near, _balanced(whole.volume, preset.volume_queries, rng)])
    on_surface = whole.surface[rng.integers(0, len(whole.surface), preset.surface_queries)]
    drawn = Shape(surface, on_surface, points, points[:0], points[:0], whole.name, whole.index)
    if preset.augment:
        turn = about_z(rng.uniform(0, 2 * np.pi), bool(rng.integers(2)))
        drawn = drawn.placed(Placement.fitting(whole.surface, turn))
    return drawn.surface, noise, drawn.near, drawn.sharp


def input_points(whole: Shape, count: int, sharp: float, rng: np.random.Generator) -> Floats:
    """(count, 6) points for the encoder in random order, a share of them along sharp edges where there are any (Dora)."""
    edges = round(count * sharp) if len(whole.sharp) else 0
    plain = whole.surface[rng.choice(len(whole.surface), count - edges, replace=len(whole.surface) < count - edges)]
    if not edges:
        return plain
    both = np.concatenate([plain, whole.sharp[rng.integers(0, len(whole.sharp), edges)]])
    return both[rng.permutation(count)]


def _balanced(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    """(count, 4) of points (N, 4), half of them inside where any is: a field that is never negative must not pay."""
    inside = np.flatnonzero(points[:, 3] < 0)
    outside = np.flatnonzero(points[:, 3] >= 0)
    if not len(inside) or not len(outside):
        return points[rng.integers(0, len(points), count)]
    half = count // 2
    return points[np.concatenate([rng.choice(inside, half), rng.choice(outside, count - half)])]
