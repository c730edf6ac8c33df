"""Masonry and carpentry: bricks, planks, panels, rivets, studs, grooves, hexagons, knurls."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar

import numpy as np
from pydantic import Field

from detailverse.noise import hashed
from detailverse.operators.carved import steps
from detailverse.registry import Floats, Operator, operator
from detailverse.surfaces import Patch


@operator("bricks")
class Bricks(Operator):
    """Courses of bricks in running bond; each stands out by its own amount."""

    phrase: ClassVar[str] = "brickwork"
    aspect: ClassVar[float] = 0.5
    pitch: float = Field(default=0.16, ge=0.1, le=0.24, description="length of a brick with its joint")
    depth: float = Field(default=0.02, ge=0.015, le=0.034, description="depth of the joints")
    joint: float = Field(default=0.16, ge=0.12, le=0.22, description="width of a joint over the height of a course")
    uneven: float = Field(default=0.5, ge=0.0, le=0.9, description="how differently the bricks stand out")

    def columns(self, fine: bool) -> Floats:
        j = self.joint / 4
        edges = np.array([j, 0.5 - j, 0.5 + j, 1 - j])
        return (edges[:, None] + [-0.024, 0.024]).reshape(-1)

    def rows(self, fine: bool) -> Floats:
        j = self.joint / 2
        return np.array([j - 0.048, j + 0.048, 1 - j - 0.048, 1 - j + 0.048])

    def height(self, patch: Patch) -> Floats:
        row = np.floor(patch.v).astype(np.int64)
        u = patch.u + 0.5 * (row % 2)
        brick = np.floor(u).astype(np.int64) % patch.nu if patch.wrap else np.floor(u).astype(np.int64)
        x, y = np.abs(u % 1 - 0.5), np.abs(patch.v % 1 - 0.5)
        solid = (x < 0.5 - self.joint / 4) & (y < 0.5 - self.joint / 2)
        rise = self.uneven * self.depth * hashed(brick, row, patch.seed)
        return np.where(solid, rise, -self.depth)


@operator("planks")
class Planks(Operator):
    """Upright boards with gaps, of uneven height."""

    phrase: ClassVar[str] = "planking"
    aspect: ClassVar[float] = 5.0
    pitch: float = Field(default=0.14, ge=0.1, le=0.22, description="width of a board")
    depth: float = Field(default=0.022, ge=0.017, le=0.034, description="depth of the gaps")

    def columns(self, fine: bool) -> Floats:
        return np.array([0.02, 0.12, 0.5, 0.88, 0.98])

    def rows(self, fine: bool) -> Floats:
        return np.array([0.008, 0.016, 0.5, 0.984, 0.992])

    def height(self, patch: Patch) -> Floats:
        board = np.floor(patch.u).astype(np.int64) % patch.nu
        shift = np.where(board % 2, 0.5, 0.0)
        along = patch.v + shift
        x, y = np.abs(patch.u % 1 - 0.5), along % 1
        rise = self.depth * (0.5 * hashed(board, np.floor(along).astype(np.int64), patch.seed) - 0.1)
        gap = (x > 0.43) | ((np.minimum(y, 1 - y) < 0.012) & (shift == 0.0))
        return np.where(gap, -self.depth, rise)


@operator("panels")
class Panels(Operator):
    """Inset panels with a raised centre."""

    phrase: ClassVar[str] = "inset panels"
    pitch: float = Field(default=0.208, ge=0.144, le=0.32, description="width of a panel with its frame")
    depth: float = Field(default=0.034, ge=0.02, le=0.056, description="depth of the inset")
    frame: float = Field(default=0.12, ge=0.07, le=0.2, description="width of the frame over the pitch")
    core: float = Field(default=0.5, ge=0.0, le=1.0, description="height of the centre over the depth")

    def columns(self, fine: bool) -> Floats:
        low, core = self.frame, self.frame + 0.12
        edges = [low - 0.015, low + 0.015, core, core + 0.06]
        return np.r_[edges, [1 - e for e in reversed(edges)]]

    def height(self, patch: Patch) -> Floats:
        away = np.minimum(np.minimum(patch.u % 1, 1 - patch.u % 1), np.minimum(patch.v % 1, 1 - patch.v % 1))
        core = np.clip((away - self.frame - 0.12) / 0.06, 0, 1)
        return np.where(away < self.frame, 0.0, -self.depth * (1 - self.core * core))


@operator("rivets")
class Rivets(Operator):
    """Plates with a rivet in each corner and a seam between them."""

    phrase: ClassVar[str] = "riveted plates"
    pitch: float = Field(default=0.169, ge=0.117, le=0.234, description="width of a plate")
    depth: float = Field(default=0.028, ge=0.018, le=0.039, description="height of a rivet head")
    head: float = Field(default=0.09, ge=0.06, le=0.12, description="radius of a rivet over the pitch")

    def columns(self, fine: bool) -> Floats:
        ring = 0.2 + self.head * np.cos(np.linspace(np.pi, 0, 9 if fine else 6))
        half = np.r_[0.02, 0.045, ring]
        return np.r_[half, 1 - half[::-1]]

    def height(self, patch: Patch) -> Floats:
        x, y = np.minimum(patch.u % 1, 1 - patch.u % 1), np.minimum(patch.v % 1, 1 - patch.v % 1)
        radius = np.hypot(x - 0.2, y - 0.2) / self.head
        seam = np.minimum(x, y) < 0.032
        return np.where(seam, -0.6 * self.depth, self.depth * np.sqrt(np.clip(1.02 - radius**2, 0, 1)))


@operator("studs")
class Studs(Operator):
    """Faceted, pyramid-shaped studs."""

    phrase: ClassVar[str] = "pyramid studs"
    pitch: float = Field(default=0.085, ge=0.058, le=0.13, description="distance between studs")
    depth: float = Field(default=0.036, ge=0.02, le=0.048, description="height of a stud")

    def columns(self, fine: bool) -> Floats:
        return np.array([0.01, 0.1, 0.3, 0.5, 0.7, 0.9])

    def height(self, patch: Patch) -> Floats:
        away = np.maximum(np.abs(patch.u % 1 - 0.5), np.abs(patch.v % 1 - 0.5))
        return self.depth * np.clip(1 - away / 0.4, 0, 1)


@operator("grooves")
class Grooves(Operator):
    """Square grooves that run round."""

    phrase: ClassVar[str] = "turned grooves"
    pitch: float = Field(default=0.058, ge=0.039, le=0.104, description="distance between grooves")
    depth: float = Field(default=0.028, ge=0.017, le=0.045, description="depth of a groove")
    width: float = Field(default=0.4, ge=0.25, le=0.6, description="share of the pitch that is groove")

    def columns(self, fine: bool) -> Floats:
        return np.array([0.0, 0.5]) if fine else np.array([0.0])

    def rows(self, fine: bool) -> Floats:
        low, high = (1 - self.width) / 2, (1 + self.width) / 2
        return np.array([low - 0.03, low + 0.03, high - 0.03, high + 0.03])

    def height(self, patch: Patch) -> Floats:
        return np.where(np.abs(patch.v % 1 - 0.5) < self.width / 2, -self.depth, 0.0)


@operator("hex_grid")
class HexGrid(Operator):
    """A honeycomb of sunken or raised hexagons."""

    phrase: ClassVar[str] = "a honeycomb"
    aspect: ClassVar[float] = float(np.sqrt(3.0))
    pitch: float = Field(default=0.091, ge=0.065, le=0.143, description="distance between the cells of a row")
    depth: float = Field(default=0.028, ge=0.017, le=0.045, description="height of a cell")
    sunken: bool = Field(default=True, description="cells lie below their walls")

    def columns(self, fine: bool) -> Floats:
        return np.arange(n := 20 if fine else 12) / n

    def rows(self, fine: bool) -> Floats:
        return np.arange(n := 32 if fine else 20) / n

    def height(self, patch: Patch) -> Floats:
        inside = np.full(len(patch.u), -1.0)
        for shift in (0.0, 0.5):
            x = (patch.u + shift) % 1 - 0.5
            y = ((patch.v + shift) % 1 - 0.5) * np.sqrt(3.0)
            reach = np.maximum(np.abs(x), np.abs(x) / 2 + np.abs(y) * np.sqrt(3.0) / 2)
            inside = np.maximum(inside, 0.5 - reach)
        cell = np.clip((inside - 0.07) / 0.05, 0, 1)
        return self.depth * (-cell if self.sunken else cell)


@operator("knurling")
class Knurling(Operator):
    """Diamond knurling: two crossed families of ridges."""

    phrase: ClassVar[str] = "diamond knurling"
    pitch: float = Field(default=0.052, ge=0.039, le=0.085, description="width of a diamond")
    depth: float = Field(default=0.024, ge=0.014, le=0.036, description="height of a diamond")

    def columns(self, fine: bool) -> Floats:
        return np.arange(n := 8 if fine else 4) / n

    def height(self, patch: Patch) -> Floats:
        a, b = (patch.u + patch.v) % 1, (patch.u - patch.v) % 1
        return self.depth * (1 - 2 * np.maximum(np.abs(a - 0.5), np.abs(b - 0.5)))


@operator("basket_weave")
class BasketWeave(Operator):
    """Strips that pass over and under each other."""

    phrase: ClassVar[str] = "basket weave"
    pitch: float = Field(default=0.104, ge=0.065, le=0.156, description="width of two strips")
    depth: float = Field(default=0.034, ge=0.022, le=0.045, description="height of a strip's arch")

    def columns(self, fine: bool) -> Floats:
        half = np.r_[0.03, 0.06, np.linspace(0.1, 0.4, 6 if fine else 3), 0.44, 0.47]
        return np.r_[half, half + 0.5]

    def height(self, patch: Patch) -> Floats:
        i, j = np.floor(2 * patch.u), np.floor(2 * patch.v)
        x, y = 2 * patch.u - i - 0.5, 2 * patch.v - j - 0.5
        across, along = np.where((i + j) % 2 == 0, (x, y), (y, x))
        arch = np.cos(np.pi * along * 0.9)
        return self.depth * np.where(np.abs(across) < 0.41, 0.35 + 0.65 * arch, -0.6)


@operator("glyphs")
class Glyphs(Operator):
    """Rows of invented signs: each one a mirrored pattern of strokes on a small raster."""

    phrase: ClassVar[str] = "rows of engraved glyphs"
    pitch: float = Field(default=0.128, ge=0.096, le=0.192, description="width of a sign")
    depth: float = Field(default=0.022, ge=0.015, le=0.034, description="depth of the strokes")
    raised: bool = Field(default=False, description="strokes stand out rather than in")

    def columns(self, fine: bool) -> Floats:
        return steps(7)

    def height(self, patch: Patch) -> Floats:
        i, j = np.floor(patch.u).astype(np.int64) % patch.nu, np.floor(patch.v).astype(np.int64)
        x, y = (patch.u % 1 * 7).astype(np.int64), (patch.v % 1 * 7).astype(np.int64)
        mirrored = np.minimum(x, 6 - x)
        inner = (x > 0) & (x < 6) & (y > 0) & (y < 6)
        node = (mirrored % 2 == 1) & (y % 2 == 1)
        stroke = hashed(i, j, mirrored, y, patch.seed) < np.where((mirrored + y) % 2 == 1, 0.6, 0.25)
        ink = inner & (node | stroke)
        return self.depth * ink * (1.0 if self.raised else -1.0)
