"""Shapes as training sees them: the field points of the shards, placed and drawn from."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.errors import ConfigError
from versemill.generation.shapes.extraction import Mesh
from versemill.shards import Selection, ShardDataset

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

    def oriented(self, vectors: Floats) -> Floats:
        """Positions and normals (N, 6), moved."""
        return np.concatenate([self.points(vectors[:, :3]), (vectors[:, 3:] @ self.turn.T).astype(np.float32)], 1)

    def measured(self, values: Floats) -> Floats:
        """Positions and distances (N, 4), moved."""
        return np.concatenate([self.points(values[:, :3]), values[:, 3:] * np.float32(self.scale)], 1)

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
    near, sharp_near, volume = (
        np.concatenate([arrays[f"{name}_points"], arrays[f"{name}_sdf"].reshape(-1, 1)], 1)
        for name in ("near", "sharp_near", "vol")
    )
    return Shape(
        arrays["surface"], arrays["sharp_surface"], near, sharp_near, volume, str(sample["id"]), int(sample["index"])
    )  # fmt: skip


def item(recipe: Any) -> tuple[Selection, Callable[[dict[str, Any]], Shape]]:
    """What of a row makes a shape, see `training.family.Family.item`."""
    return Selection(passes=(), fields=FIELDS), shape


class ShapeSet:
    """The shapes of some splits of a dataset folder, in the shards' order, in memory; their meshes are read when needed.

    Args:
        indices: only these assets. limit: at most so many.

    Raises:
        ConfigError: a row holds too few field points.
    """

    def __init__(
        self, dataset_dir: str | Path, splits: Sequence[str], indices: Collection[int] | None = None, limit: int | None = None
    ) -> None:
        sources = [
            (ShardDataset(dataset_dir, split, passes=(), fields=FIELDS), ShardDataset(dataset_dir, split, passes=(), mesh=True))
            for split in splits
        ]
        rows = [
            (fields, meshes, row)
            for fields, meshes in sources
            for row, index in enumerate(fields.indices)
            if indices is None or int(index) in indices
        ][:limit]
        self.shapes = [shape(fields[row]) for fields, _, row in rows]
        self._meshes = [(meshes, row) for _, meshes, row in rows]
        self.indices = [s.index for s in self.shapes]
        if poor := next((s for s in self.shapes if min(len(s.surface), len(s.near), len(s.volume)) < LEAST), None):
            raise ConfigError(
                f"{dataset_dir}: asset {poor.name} has {len(poor.surface)} surface, {len(poor.near)} near and "
                f"{len(poor.volume)} volume points; shape models need {LEAST} of each: mill with the pipeline 'shapes'"
            )

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, position: int) -> Shape:
        return self.shapes[position]

    def mesh(self, position: int) -> Mesh:
        """The watertight mesh of the shape at a position."""
        source, row = self._meshes[position]
        sample = source[row]
        return sample["watertight_vertices"].numpy().astype(np.float32), sample["watertight_faces"].numpy().astype(np.int32)


LEAST = 256
"""Surface, near and volume points that an asset must have."""


def input_points(whole: Shape, count: int, sharp: float, rng: np.random.Generator) -> Floats:
    """(count, 6) points for the encoder in random order, a share of them along sharp edges where there are any (Dora)."""
    edges = round(count * sharp) if len(whole.sharp) else 0
    plain = whole.surface[rng.choice(len(whole.surface), count - edges, replace=len(whole.surface) < count - edges)]
    if not edges:
        return plain
    both = np.concatenate([plain, whole.sharp[rng.integers(0, len(whole.sharp), edges)]])
    return both[rng.permutation(count)]


def balanced(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    """(count, 4) of points (N, 4), half of them inside where any is: a field that is never negative must not pay."""
    inside = np.flatnonzero(points[:, 3] < 0)
    outside = np.flatnonzero(points[:, 3] >= 0)
    if not len(inside) or not len(outside):
        return points[rng.integers(0, len(points), count)]
    half = count // 2
    return points[np.concatenate([rng.choice(inside, half), rng.choice(outside, count - half)])]
