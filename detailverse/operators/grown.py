"""Natural and worn surfaces: scales, cells, cracks, hammering, quilting, Turing patterns, ridges, erosion."""
# ruff: noqa: D102 - the base class documents its methods

import functools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.noise import cells, fractal, hashed, scatter, smoothstep
from versemill.detailverse.registry import Floats, Operator, operator
from versemill.detailverse.surfaces import BEVEL, Patch


@operator("scales")
class Scales(Operator):
    """Overlapping scales or shingles, each with a keel."""

    phrase: ClassVar[str] = "overlapping scales"
    aspect: ClassVar[float] = 0.6
    pitch: float = Field(default=0.103, ge=0.073, le=0.124, description="width of a scale")
    depth: float = Field(default=0.05, ge=0.036, le=0.064, description="how far a scale's tip stands out")
    keel: float = Field(default=0.3, ge=0.1, le=0.45, description="height of the middle ridge over the depth")

    def columns(self) -> Floats:
        return np.arange(n := 10) / n

    def rows(self) -> Floats:
        return np.arange(n := 8) / n

    def height(self, patch: Patch) -> Floats:
        v = patch.nv - patch.v
        best = np.zeros(len(v))
        for back in (0, 1, 2):
            row = np.floor(v) - back
            x = (patch.u + 0.5 * (row % 2)) % 1 - 0.5
            y = (v - row) / 2
            away = 0.5 * (1 - np.hypot(2.04 * x, np.maximum(2 * y - 1, 0))) * patch.size[0]
            rim = np.clip(away / BEVEL, 0, 1)
            rise = (0.25 + 0.75 * y) * (1 - 0.25 * (2 * x) ** 2) + self.keel * np.clip(1 - 6 * np.abs(x), 0, 1) * y
            best = np.maximum(best, np.where((y < 1) & (row >= 0), rise * rim, 0.0))
        return self.depth * best


@operator("voronoi")
class Voronoi(Operator):
    """Irregular cells: raised pebbles or sunken pits between walls."""

    phrase: ClassVar[str] = "irregular cells"
    pitch: float = Field(default=0.082, ge=0.06, le=0.097, description="mean size of a cell")
    depth: float = Field(default=0.038, ge=0.03, le=0.05, description="height of the cells")
    raised: bool = Field(default=True, description="pebbles rather than pits")

    def columns(self) -> Floats:
        return np.arange(n := 8) / n

    def height(self, patch: Patch) -> Floats:
        _, border, _ = scatter(patch.u, patch.v, patch.nu, patch.seed, patch.wrap)
        dome = np.sqrt(np.clip(1 - (1 - np.clip((border - 0.06) / 0.3, 0, 1)) ** 2, 0, 1))
        return self.depth * (dome if self.raised else -smoothstep(border, 0.08, 0.16))


@operator("cracks")
class Cracks(Operator):
    """Dried mud: tilted plates between deep cracks."""

    phrase: ClassVar[str] = "a cracked surface"
    pitch: float = Field(default=0.112, ge=0.082, le=0.134, description="mean size of a plate")
    depth: float = Field(default=0.036, ge=0.026, le=0.046, description="depth of the cracks")

    def columns(self) -> Floats:
        return np.arange(n := 14) / n

    def height(self, patch: Patch) -> Floats:
        wobble = 0.12 * fractal(patch.points, 4 / patch.size[0] / 2, patch.seed, 2)
        _, border, name = scatter(patch.u + wobble, patch.v - wobble, patch.nu, patch.seed, patch.wrap)
        level = 0.35 * hashed(name, patch.seed + 1)
        return self.depth * (-1.0 + (1.0 + level) * np.clip((border - 0.02) / 0.09, 0, 1))


@operator("hammering")
class Hammering(Operator):
    """Facets of a hammer: shallow dents that meet in ridges."""

    phrase: ClassVar[str] = "hammered facets"
    pitch: float = Field(default=0.08, ge=0.06, le=0.092, description="mean size of a dent")
    depth: float = Field(default=0.05, ge=0.036, le=0.066, description="depth of a dent")

    def columns(self) -> Floats:
        return np.arange(n := 6) / n

    def height(self, patch: Patch) -> Floats:
        centre, _, _ = scatter(patch.u, patch.v, patch.nu, patch.seed, patch.wrap)
        return self.depth * (np.minimum(centre / 0.7, 1.0) ** 2 - 0.6)


@operator("quilting")
class Quilting(Operator):
    """Padded diamonds with a button in each seam crossing."""

    phrase: ClassVar[str] = "diamond quilting"
    aspect: ClassVar[float] = 1.0
    pitch: float = Field(default=0.103, ge=0.077, le=0.124, description="width of a diamond")
    depth: float = Field(default=0.046, ge=0.034, le=0.058, description="height of the padding")

    def columns(self) -> Floats:
        return np.arange(n := 14) / n

    def height(self, patch: Patch) -> Floats:
        a, b = (patch.u + patch.v) % 1 - 0.5, (patch.u - patch.v) % 1 - 0.5
        puff = (np.clip(1 - (2 * a) ** 2, 0, 1) * np.clip(1 - (2 * b) ** 2, 0, 1)) ** 0.4
        corner = np.hypot(0.5 - np.abs(a), 0.5 - np.abs(b))
        return self.depth * np.maximum(puff, 0.8 * np.sqrt(np.clip(1 - (corner / 0.12) ** 2, 0, 1)))


@functools.lru_cache(maxsize=8)
def _turing(seed: int, stripes: bool) -> Floats:
    """A (96, 96) periodic Turing pattern in [-1, 1], 8 wave lengths wide: Swift-Hohenberg, spectral steps."""
    n, waves = 96, 8
    k = np.fft.fftfreq(n, 1 / n)
    squared = (k[:, None] ** 2 + k[None, : n // 2 + 1] ** 2) / waves**2
    linear = 0.3 - (1 - squared) ** 2
    i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    field = hashed(i, j, seed) - 0.5
    step, bias = 0.5, 0.0 if stripes else 0.9
    for _ in range(70):
        forcing = bias * field**2 - field**3
        field = np.fft.irfft2((np.fft.rfft2(field) + step * np.fft.rfft2(forcing)) / (1 - step * linear), s=(n, n))
    return field / np.abs(field).max()


@operator("reaction_diffusion")
class ReactionDiffusion(Operator):
    """A Turing pattern: labyrinth or spots, from the Swift-Hohenberg equation on a periodic raster."""

    phrase: ClassVar[str] = "a labyrinth of ridges"
    pitch: float = Field(default=0.089, ge=0.062, le=0.112, description="wave length of the pattern")
    depth: float = Field(default=0.036, ge=0.028, le=0.045, description="height of the pattern")
    stripes: bool = Field(default=True, description="labyrinth rather than spots")

    def columns(self) -> Floats:
        return np.arange(n := 8) / n

    def height(self, patch: Patch) -> Floats:
        pattern = _turing(patch.seed % 1009, self.stripes)
        n = len(pattern)
        tiles = max(1, round(patch.nu / 8))
        x, y = patch.u / patch.nu * tiles * n, patch.v / 8 * n
        i, j = np.floor(x).astype(int), np.floor(y).astype(int)
        a, b = x - i, y - j
        value = sum(
            pattern[(i + di) % n, (j + dj) % n] * np.where(di, a, 1 - a) * np.where(dj, b, 1 - b)
            for di in (0, 1)
            for dj in (0, 1)
        )
        return self.depth * smoothstep(np.asarray(value), -0.28, 0.28)


@operator("ridges")
class Ridges(Operator):
    """Branching crests: ridged noise in space."""

    phrase: ClassVar[str] = "jagged ridges"
    role: ClassVar[Literal["field", "border", "skin"]] = "skin"
    pitch: float = Field(default=0.17, ge=0.13, le=0.215, description="distance between the main crests")
    depth: float = Field(default=0.07, ge=0.055, le=0.09, description="height of the crests")

    def height(self, patch: Patch) -> Floats:
        return self.depth * fractal(patch.points, 1 / self.pitch, patch.seed, 3, ridged=True)


@operator("erosion")
class Erosion(Operator):
    """Worn, pitted stone: terraced noise with pits."""

    phrase: ClassVar[str] = "eroded strata"
    role: ClassVar[Literal["field", "border", "skin"]] = "skin"
    pitch: float = Field(default=0.16, ge=0.12, le=0.21, description="size of the largest forms")
    depth: float = Field(default=0.07, ge=0.05, le=0.09, description="height of the relief")
    layers: int = Field(default=4, ge=3, le=7, description="number of terraces")

    def height(self, patch: Patch) -> Floats:
        level = fractal(patch.points * [1, 1, 1.6], 1 / self.pitch, patch.seed, 3) * self.layers
        terrace = np.floor(level) + smoothstep(level % 1, 0.35, 0.65)
        return self.depth * terrace / self.layers


@operator("pebbles")
class Pebbles(Operator):
    """Cells in space, each one a bump: pebbledash, warts, berries."""

    phrase: ClassVar[str] = "a pebbled skin"
    role: ClassVar[Literal["field", "border", "skin"]] = "skin"
    pitch: float = Field(default=0.091, ge=0.065, le=0.117, description="mean size of a bump")
    depth: float = Field(default=0.042, ge=0.034, le=0.052, description="height of a bump")

    def height(self, patch: Patch) -> Floats:
        _, border, _ = cells(patch.points, self.pitch, patch.seed)
        return self.depth * np.sqrt(np.clip(1 - (1 - np.clip(border / 0.35, 0, 1)) ** 2, 0, 1))
