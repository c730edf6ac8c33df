"""Masonry and carpentry: bricks, planks, panels, rivets, studs, grooves, hexagons, knurls."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.noise import hashed
from versemill.detailverse.operators.carved import steps
from versemill.detailverse.registry import Floats, Operator, operator
from versemill.detailverse.surfaces import Patch


@operator("bricks")
class Bricks(Operator):
    """Courses of bricks in running bond, hewn to a hip; each stands out by its own amount."""

    phrase: ClassVar[str] = "brickwork"
    aspect: ClassVar[float] = 0.5
    pitch: float = Field(default=0.146, ge=0.103, le=0.176, description="length of a brick with its joint")
    depth: float = Field(default=0.026, ge=0.02, le=0.036, description="depth of the joints")
    joint: float = Field(default=0.18, ge=0.14, le=0.24, description="width of a joint over the height of a course")
    uneven: float = Field(default=0.5, ge=0.0, le=0.8, description="how differently the bricks stand out")
    hewn: float = Field(default=0.6, ge=0.2, le=0.9, description="height of the hip over the depth: flat or rusticated")

    def columns(self) -> Floats:
        j, n = self.joint / 4, 3
        half = np.r_[j - 0.02, np.linspace(j + 0.02, 0.25, n)]
        quarter = np.r_[half, 0.5 - half[-2::-1]]
        return np.r_[quarter, quarter + 0.5]

    def rows(self) -> Floats:
        j = self.joint / 2
        half = np.r_[max(j - 0.05, 0.01), np.linspace(j + 0.04, 0.5, 3)]
        return np.r_[half, 1 - half[-2::-1]]

    def height(self, patch: Patch) -> Floats:
        row = np.floor(patch.v).astype(np.int64)
        u = patch.u + 0.5 * (row % 2)
        brick = np.floor(u).astype(np.int64) % patch.nu if patch.wrap else np.floor(u).astype(np.int64)
        x, y = 0.5 - self.joint / 4 - np.abs(u % 1 - 0.5), 0.5 - self.joint / 2 - np.abs(patch.v % 1 - 0.5)
        hip = np.minimum(x * patch.size[0] / patch.size[1], y) / (0.5 - self.joint / 2)
        rise = self.uneven * self.depth * hashed(brick, row, patch.seed) + self.hewn * self.depth * np.clip(hip, 0, 1)
        return np.where((x > 0) & (y > 0), np.minimum(rise, 1.5 * self.depth), -self.depth)  # as far as any operator reaches


@operator("planks")
class Planks(Operator):
    """Upright boards with chamfered edges, a groove down the middle and nails at both ends."""

    phrase: ClassVar[str] = "planking"
    aspect: ClassVar[float] = 5.0
    pitch: float = Field(default=0.095, ge=0.073, le=0.117, description="width of a board")
    depth: float = Field(default=0.026, ge=0.02, le=0.036, description="depth of the gaps")

    def columns(self) -> Floats:
        half = np.array([0.02, 0.08, 0.16, *np.linspace(0.2, 0.36, 4), 0.4, 0.5])
        return np.r_[half, 1 - half[-2::-1]]

    def rows(self) -> Floats:
        half = np.r_[0.006, 0.014, 0.04 + 0.018 * np.cos(np.linspace(np.pi, 0, 4)), 0.2, 0.35, 0.49]
        return np.r_[half, 1 - half[::-1]]

    def height(self, patch: Patch) -> Floats:
        board = np.floor(patch.u).astype(np.int64) % patch.nu
        x, y = np.abs(patch.u % 1 - 0.5), patch.v % 1
        y = np.minimum(y, 1 - y)
        rise = self.depth * 0.5 * hashed(board, np.floor(patch.v).astype(np.int64), patch.seed)
        groove = -0.45 * self.depth * np.clip(1 - x / 0.1, 0, 1)
        nail = np.hypot(x - 0.22, (y - 0.04) * patch.size[1] / patch.size[0]) / 0.085
        head = 0.6 * self.depth * np.sqrt(np.clip(1.02 - nail**2, 0, 1))
        chamfer = np.clip((0.5 - x) / 0.16, 0, 1)
        board_height = np.where(y < 0.01, -self.depth, rise + groove + head)
        return -self.depth + chamfer * (board_height + self.depth)


@operator("panels")
class Panels(Operator):
    """Inset panels between grooved frames, each with a hipped centre."""

    phrase: ClassVar[str] = "inset panels"
    pitch: float = Field(default=0.163, ge=0.12, le=0.202, description="width of a panel with its frame")
    depth: float = Field(default=0.036, ge=0.024, le=0.05, description="depth of the inset")
    frame: float = Field(default=0.14, ge=0.1, le=0.18, description="width of the frame over the pitch")
    core: float = Field(default=0.7, ge=0.3, le=1.2, description="height of the centre over the depth")

    def columns(self) -> Floats:
        low = self.frame
        half = np.r_[0.005, 0.04, low, low + 0.09, low + 0.13, low + 0.19, np.linspace(low + 0.22, 0.5, 3)]
        return np.r_[half, 1 - half[-2::-1]]

    def height(self, patch: Patch) -> Floats:
        away = np.minimum(np.minimum(patch.u % 1, 1 - patch.u % 1), np.minimum(patch.v % 1, 1 - patch.v % 1))
        low, floor = self.frame, -self.depth
        corners = [0, 0.04, low, low + 0.09, low + 0.13, low + 0.19, 0.5]
        heights = [0.4 * floor, 0, 0, floor, floor, (1 - 0.6 * self.core) * floor, (1 - 1.2 * self.core) * floor]
        return np.interp(away, corners, heights)


@operator("rivets")
class Rivets(Operator):
    """Plates with a rivet in each corner and a seam between them."""

    phrase: ClassVar[str] = "riveted plates"
    pitch: float = Field(default=0.145, ge=0.101, le=0.173, description="width of a plate")
    depth: float = Field(default=0.032, ge=0.026, le=0.04, description="height of a rivet head")
    head: float = Field(default=0.09, ge=0.06, le=0.12, description="radius of a rivet over the pitch")

    def columns(self) -> Floats:
        ring = 0.2 + self.head * np.cos(np.linspace(np.pi, 0, 6))
        half = np.r_[0.01, 0.058, ring]
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
    pitch: float = Field(default=0.085, ge=0.07, le=0.1, description="distance between studs")
    depth: float = Field(default=0.042, ge=0.036, le=0.052, description="height of a stud")

    def columns(self) -> Floats:
        return np.array([0.01, 0.1, 0.3, 0.5, 0.7, 0.9])

    def height(self, patch: Patch) -> Floats:
        away = np.maximum(np.abs(patch.u % 1 - 0.5), np.abs(patch.v % 1 - 0.5))
        return self.depth * np.clip(1 - away / 0.4, 0, 1)


@operator("grooves")
class Grooves(Operator):
    """V-shaped grooves that run round."""

    phrase: ClassVar[str] = "turned grooves"
    pitch: float = Field(default=0.06, ge=0.045, le=0.075, description="distance between grooves")
    depth: float = Field(default=0.026, ge=0.018, le=0.036, description="depth of a groove")
    width: float = Field(default=0.65, ge=0.5, le=0.85, description="share of the pitch that is groove")

    def columns(self) -> Floats:
        return np.array([0.0])

    def rows(self) -> Floats:
        low, high = (1 - self.width) / 2, (1 + self.width) / 2
        return np.unique([*np.linspace(low, 0.5, 2), *np.linspace(0.5, high, 2)])

    def height(self, patch: Patch) -> Floats:
        return -self.depth * np.clip(1 - 2 * np.abs(patch.v % 1 - 0.5) / self.width, 0, 1)


@operator("hex_grid")
class HexGrid(Operator):
    """A honeycomb of sunken or raised hexagons."""

    phrase: ClassVar[str] = "a honeycomb pattern"
    aspect: ClassVar[float] = float(np.sqrt(3.0))
    pitch: float = Field(default=0.078, ge=0.056, le=0.101, description="distance between the cells of a row")
    depth: float = Field(default=0.032, ge=0.024, le=0.045, description="height of a cell")
    sunken: bool = Field(default=True, description="cells lie below their walls")

    def columns(self) -> Floats:
        return np.arange(n := 12) / n

    def rows(self) -> Floats:
        return np.arange(n := 20) / n

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
    pitch: float = Field(default=0.056, ge=0.045, le=0.066, description="width of a diamond")
    depth: float = Field(default=0.027, ge=0.022, le=0.034, description="height of a diamond")

    def columns(self) -> Floats:
        return np.arange(n := 4) / n

    def height(self, patch: Patch) -> Floats:
        a, b = (patch.u + patch.v) % 1, (patch.u - patch.v) % 1
        return self.depth * (1 - 2 * np.maximum(np.abs(a - 0.5), np.abs(b - 0.5)))


@operator("basket_weave")
class BasketWeave(Operator):
    """Strips that pass over and under each other."""

    phrase: ClassVar[str] = "basket weave"
    pitch: float = Field(default=0.089, ge=0.056, le=0.112, description="width of two strips")
    depth: float = Field(default=0.038, ge=0.03, le=0.048, description="height of a strip's arch")

    def columns(self) -> Floats:
        half = np.r_[0.015, 0.075, np.linspace(0.12, 0.38, 3), 0.425, 0.485]
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
    pitch: float = Field(default=0.11, ge=0.083, le=0.138, description="width of a sign")
    depth: float = Field(default=0.028, ge=0.024, le=0.036, description="depth of the strokes")
    raised: bool = Field(default=False, description="strokes stand out rather than in")

    def columns(self) -> Floats:
        return steps(7, 0.2)

    def height(self, patch: Patch) -> Floats:
        i, j = np.floor(patch.u).astype(np.int64) % patch.nu, np.floor(patch.v).astype(np.int64)
        x, y = (patch.u % 1 * 7).astype(np.int64), (patch.v % 1 * 7).astype(np.int64)
        mirrored = np.minimum(x, 6 - x)
        inner = (x > 0) & (x < 6) & (y > 0) & (y < 6)
        node = (mirrored % 2 == 1) & (y % 2 == 1)
        stroke = hashed(i, j, mirrored, y, patch.seed) < np.where((mirrored + y) % 2 == 1, 0.6, 0.25)
        ink = inner & (node | stroke)
        return self.depth * ink * (1.0 if self.raised else -1.0)


@operator("knit")
class Knit(Operator):
    """Columns of knitted stitches: pairs of slanting loops, each over the one below."""

    phrase: ClassVar[str] = "knitted stitches"
    aspect: ClassVar[float] = 0.8
    pitch: float = Field(default=0.1, ge=0.08, le=0.125, description="width of a stitch")
    depth: float = Field(default=0.03, ge=0.022, le=0.038, description="height of a loop")

    def columns(self) -> Floats:
        half = np.array([0.01, 0.07, 0.16, 0.25, 0.34, 0.43])
        return np.r_[half, half + 0.5]

    def rows(self) -> Floats:
        return np.arange(n := 8) / n

    def height(self, patch: Patch) -> Floats:
        x = patch.u % 1
        leg = np.abs(2 * (x % 0.5) - 0.5) * 2
        along = (patch.v - 0.9 * np.abs(2 * x - 1)) % 1
        loop = np.sqrt(np.clip(1 - leg**2, 0, 1)) * np.clip(np.minimum(along, 1 - along) / 0.14, 0.15, 1)
        return self.depth * (loop - 0.3)


@operator("tread")
class Tread(Operator):
    """The tread of a tyre: slanting blocks on either side of a groove."""

    phrase: ClassVar[str] = "a deep tread"
    decorates: ClassVar[bool] = False
    role: ClassVar[Literal["field", "border", "skin"]] = "border"
    pitch: float = Field(default=0.075, ge=0.06, le=0.095, description="distance between blocks")
    depth: float = Field(default=0.024, ge=0.018, le=0.03, description="depth of the grooves")

    def columns(self) -> Floats:
        return np.arange(n := 8) / n

    def rows(self) -> Floats:
        half = np.array([0.02, 0.1, 0.2, 0.3, 0.4, 0.44, 0.49])
        return np.r_[half, 1 - half[::-1]]

    def height(self, patch: Patch) -> Floats:
        across = 2 * np.abs(patch.v / patch.nv - 0.5)
        block = (patch.u + 0.8 * across) % 1
        raised = (block > 0.3) & (across > 0.08) & (across < 0.97)
        return np.where(raised, 0.5 * self.depth, -0.5 * self.depth)
