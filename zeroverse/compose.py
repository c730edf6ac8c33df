"""Compositions: displaced primitives, posed together, fitted to where they belong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from versemill.zeroverse import primitives
from versemill.zeroverse.draws import Plan
from versemill.zeroverse.primitives import SURFACES, Primitive
from versemill.zeroverse.shape import Float64, Shape, euler_matrix, quaternion_matrix

Drawn = Sequence[dict[str, Any]]
"""Primitives as a plan describes them."""


def compose(plan: Plan) -> tuple[list[Shape], float, Float64]:
    """The displaced primitives of an object, each closed, together centred with longest side 2, before any augmentation.

    Returns:
        shapes, and the scale and centre that lead back: composition position = center + scale * vertex.
    """
    posed = _Posed.of(plan["primitives"], plan["triangles"], plan["placement"])
    scale, center = float(posed.extent.max()) / 2, posed.center
    return posed.shapes(lambda v: (v - center) / scale, plan["tile"] * scale), scale, center


def fill(drawn: Drawn, triangles: int, tile: float, low: Float64, high: Float64, first_surface: int) -> list[Shape]:
    """A composition squeezed into the box from `low` to `high` (3,), each primitive closed.

    A texture repeat covers `tile` of the box's own unit in the mean of the three directions.
    """
    posed = _Posed.of(drawn, triangles, "cube")
    ratio = (high - low) / posed.extent
    mean = float(np.prod(ratio)) ** (1 / 3)
    return posed.shapes(lambda v: (v - posed.center) * ratio + (low + high) / 2, tile / mean, first_surface)


@dataclass(frozen=True, eq=False)
class _Posed:
    """Primitives in the composition's frame, with the vertices of each."""

    drawn: Drawn
    made: list[Primitive]
    vertices: list[Float64]

    @classmethod
    def of(cls, drawn: Drawn, triangles: int, placement: str) -> "_Posed":
        made, vertices = [], []
        poses = _poses(drawn, placement)
        for p, n, (rotation, offset) in zip(drawn, _resolutions(drawn, triangles), poses, strict=True):
            made.append(primitives.primitive(p["kind"], p["axes"], n))
            heights = {h["surface"]: (h["amplitude"], np.asarray(h["grid"])) for h in p["heights"]}
            vertices.append(made[-1].displaced(heights) @ rotation.T + offset)
        return cls(drawn, made, vertices)

    @property
    def _bounds(self) -> tuple[Float64, Float64]:
        return np.min([v.min(0) for v in self.vertices], axis=0), np.max([v.max(0) for v in self.vertices], axis=0)

    @property
    def extent(self) -> Float64:
        low, high = self._bounds
        return high - low

    @property
    def center(self) -> Float64:
        low, high = self._bounds
        return (low + high) / 2

    def shapes(self, fit: Callable[[Float64], Float64], tile: float, first_surface: int = 0) -> list[Shape]:
        """One shape per primitive, its vertices mapped by `fit`; `tile` in the composition's unit."""
        shapes = []
        for p, primitive, vertices in zip(self.drawn, self.made, self.vertices, strict=True):
            # Rounded to what an asset holds, so that nothing moves or collapses later.
            fitted = fit(vertices).astype(np.float32).astype(np.float64)
            shapes.append(primitive.shape(fitted, tile, first_surface))
            first_surface += len(SURFACES[p["kind"]])
        return shapes


def _resolutions(drawn: Drawn, triangles: int) -> list[tuple[int, ...]]:
    """Grid cells of each primitive, with the shortest common edge length that keeps to the budget of triangles."""

    def at(step: float) -> list[tuple[int, ...]]:
        return [primitives.resolution(p["kind"], p["axes"], step, bool(p["heights"])) for p in drawn]

    low, high = 1e-3, 10.0
    for _ in range(16):
        step = (low * high) ** 0.5
        total = sum(primitives.triangle_count(p["kind"], n) for p, n in zip(drawn, at(step), strict=True))
        low, high = (low, step) if total <= triangles else (step, high)
    return at(high)


def _poses(drawn: Drawn, placement: str) -> list[tuple[Float64, Float64]]:
    """Rotation (3, 3) and position (3,) of each primitive in the composition."""
    if placement == "cube":
        return [(quaternion_matrix(p["quaternion"]), np.asarray(p["center"])) for p in drawn]
    poses: list[tuple[Float64, Float64]] = []
    for p in drawn:
        turn, shift = euler_matrix(p["grown_euler"]), np.asarray(p["grown_offset"])
        poses = [(turn @ rotation, turn @ offset + shift) for rotation, offset in poses]
        poses.append((euler_matrix(p["euler"]), np.asarray(p["offset"])))
    return poses
