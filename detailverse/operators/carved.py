"""Classical carving: flutes, ribs, dentils, keys, beads, ropes, interlaced waves."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Floats, Operator, operator
from versemill.detailverse.surfaces import BEVEL, Patch

KEY = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 0, 0, 0, 0, 0, 0],
        [1, 0, 1, 1, 1, 1, 0],
        [1, 0, 1, 0, 0, 1, 0],
        [1, 0, 1, 1, 0, 1, 0],
        [1, 0, 0, 0, 0, 1, 0],
        [1, 1, 1, 1, 1, 1, 0],
    ]
)
"""One meander: row 0 is the base line that runs on into the next unit."""


def steps(parts: int, wall: float = 0.12) -> Floats:
    """Two samples in each of `parts` equal strips of a cell, so that every border between strips is a steep wall."""
    return ((np.arange(parts)[:, None] + [wall, 1 - wall]) / parts).reshape(-1)


@operator("fluting")
class Fluting(Operator):
    """Concave channels that run along the surface, with rounded ends, their lower third filled by a cable."""

    phrase: ClassVar[str] = "fluting"
    aspect: ClassVar[float] = 6.0
    pitch: float = Field(default=0.066, ge=0.052, le=0.086, description="width of a flute with its fillet")
    depth: float = Field(default=0.028, ge=0.02, le=0.04, description="depth of a flute")
    fillet: float = Field(default=0.1, ge=0.05, le=0.15, description="share of the pitch left as a flat ridge")
    cabled: float = Field(default=0.35, ge=0.0, le=0.5, description="share of the length that a cable fills")

    def columns(self) -> Floats:
        inside = np.linspace(self.fillet / 2, 1 - self.fillet / 2, 9)
        return np.r_[0.01, inside]

    def rows(self) -> Floats:
        return np.linspace(0, 1, 9, endpoint=False)

    def height(self, patch: Patch) -> Floats:
        half = (1 - self.fillet) / 2
        across = np.abs(patch.u % 1 - 0.5) / half
        reach = patch.size[0] / patch.size[1] * half
        along = np.maximum(reach - np.minimum(patch.v, patch.nv - patch.v), 0) / reach
        channel = -np.clip(1 - across**2 - along**2, 0, 1)
        end = np.maximum(patch.v - self.cabled * patch.nv, 0) / reach
        cable = 1.25 * np.sqrt(np.clip(1 - (across / 0.68) ** 2 - end**2, 0, 1)) * (patch.v > 0.5 * reach)
        return self.depth * (channel + cable)


@operator("ribs")
class Ribs(Operator):
    """Keeled ribs that stand up along the surface (gadroons)."""

    phrase: ClassVar[str] = "raised ribs"
    aspect: ClassVar[float] = 6.0
    pitch: float = Field(default=0.066, ge=0.052, le=0.092, description="width of a rib with its gap")
    depth: float = Field(default=0.032, ge=0.024, le=0.046, description="height of a rib")
    gap: float = Field(default=0.2, ge=0.1, le=0.35, description="share of the pitch left flat")

    def columns(self) -> Floats:
        inside = np.linspace(self.gap / 2, 1 - self.gap / 2, 7)
        return np.r_[0.01, inside]

    def rows(self) -> Floats:
        return np.linspace(0, 1, 9, endpoint=False)

    def height(self, patch: Patch) -> Floats:
        half = (1 - self.gap) / 2
        across = np.abs(patch.u % 1 - 0.5) / half
        reach = patch.size[0] / patch.size[1] * half
        along = np.maximum(reach - np.minimum(patch.v, patch.nv - patch.v), 0) / reach
        away = np.hypot(across, along)
        return self.depth * (0.35 * np.sqrt(np.clip(1 - away**2, 0, 1)) + 0.65 * np.clip(1 - away, 0, 1))


@operator("dentils")
class Dentils(Operator):
    """A row of square teeth."""

    phrase: ClassVar[str] = "a dentil course"
    role: ClassVar[Literal["field", "border", "skin"]] = "border"
    aspect: ClassVar[float] = 1.2
    pitch: float = Field(default=0.052, ge=0.039, le=0.071, description="width of a tooth with its gap")
    depth: float = Field(default=0.039, ge=0.022, le=0.056, description="how far a tooth stands out")
    width: float = Field(default=0.6, ge=0.45, le=0.75, description="share of the pitch that is tooth")

    def columns(self) -> Floats:
        low, high = (1 - self.width) / 2, (1 + self.width) / 2
        return np.array([low - 0.06, low + 0.06, high - 0.06, high + 0.06])

    def rows(self) -> Floats:
        return np.array([0.07, 0.17, 0.83, 0.93])

    def height(self, patch: Patch) -> Floats:
        tooth = np.abs(patch.u % 1 - 0.5) < self.width / 2
        return np.where(tooth & (np.abs(patch.v / patch.nv - 0.5) < 0.38), self.depth, 0.0)


@operator("greek_key")
class GreekKey(Operator):
    """A running meander."""

    phrase: ClassVar[str] = "a Greek key border"
    role: ClassVar[Literal["field", "border", "skin"]] = "border"
    pitch: float = Field(default=0.141, ge=0.113, le=0.176, description="width of one meander")
    depth: float = Field(default=0.03, ge=0.024, le=0.04, description="height of the line")

    def columns(self) -> Floats:
        return steps(7, 0.2)

    def height(self, patch: Patch) -> Floats:
        i = np.clip((patch.u % 1 * 7).astype(int), 0, 6)
        j = np.clip((patch.v / patch.nv * 7).astype(int), 0, 6)
        return self.depth * KEY[j, i]


@operator("beads")
class Beads(Operator):
    """A string of hemispherical beads."""

    phrase: ClassVar[str] = "a beaded border"
    role: ClassVar[Literal["field", "border", "skin"]] = "border"
    pitch: float = Field(default=0.062, ge=0.05, le=0.076, description="distance between beads")
    depth: float = Field(default=0.042, ge=0.034, le=0.056, description="height of a bead")

    def columns(self) -> Floats:
        return np.r_[0.01, np.linspace(0.06, 0.94, 7)]

    def height(self, patch: Patch) -> Floats:
        u, v = patch.u % 1 - 0.5, patch.v % 1 - 0.5
        return self.depth * np.sqrt(np.clip(1 - (u * u + v * v) / 0.44**2, 0, 1))


@operator("egg_and_dart")
class EggAndDart(Operator):
    """Eggs in shells, alternating with darts."""

    phrase: ClassVar[str] = "an egg-and-dart moulding"
    role: ClassVar[Literal["field", "border", "skin"]] = "border"
    aspect: ClassVar[float] = 1.1
    pitch: float = Field(default=0.113, ge=0.084, le=0.141, description="width of an egg with its dart")
    depth: float = Field(default=0.048, ge=0.038, le=0.056, description="height of an egg")

    def columns(self) -> Floats:
        return np.arange(n := 16) / n

    def height(self, patch: Patch) -> Floats:
        u, v = patch.u % 1 - 0.5, patch.v % 1
        r = np.hypot(u / 0.3, (v - 0.55) / 0.42)
        egg = np.sqrt(np.clip(1 - r * r, 0, 1))
        side = BEVEL / (0.36 * patch.size[0])
        shell = 0.75 * np.clip(np.minimum(r - 1.1, 1.38 + side - r) / side, 0, 1) * (v > 0.2)
        dart = 0.8 * np.clip(1 - np.abs(np.abs(u) - 0.5) / np.maximum(0.1 * v, 1e-6), 0, 1)
        return self.depth * np.maximum(np.maximum(egg, shell), dart)


@operator("rope")
class Rope(Operator):
    """A twisted cord."""

    phrase: ClassVar[str] = "a rope border"
    role: ClassVar[Literal["field", "border", "skin"]] = "border"
    pitch: float = Field(default=0.065, ge=0.05, le=0.077, description="distance between strands along the cord")
    depth: float = Field(default=0.05, ge=0.04, le=0.06, description="height of the cord")

    def columns(self) -> Floats:
        return np.arange(n := 8) / n

    def rows(self) -> Floats:
        return np.r_[0.0, (1 - np.cos(np.linspace(0.15, 0.85, 7) * np.pi)) / 2]

    def height(self, patch: Patch) -> Floats:
        v = patch.v / patch.nv
        cord = np.sqrt(np.clip(1 - (2 * v - 1) ** 2, 0, 1))
        strand = np.abs(np.sin(np.pi * (patch.u + 1.1 * v)))
        return self.depth * cord * (0.2 + 0.8 * strand**0.8)


@operator("guilloche")
class Guilloche(Operator):
    """Two wavy bands that cross over and under round a row of studs."""

    phrase: ClassVar[str] = "a guilloche braid"
    role: ClassVar[Literal["field", "border", "skin"]] = "border"
    aspect: ClassVar[float] = 0.7
    pitch: float = Field(default=0.169, ge=0.113, le=0.197, description="wave length of the bands")
    depth: float = Field(default=0.036, ge=0.028, le=0.045, description="height of the bands")

    def columns(self) -> Floats:
        return np.arange(n := 20) / n

    def rows(self) -> Floats:
        return np.arange(n := 14) / n

    def height(self, patch: Patch) -> Floats:
        u, v = patch.u, 2 * patch.v / patch.nv - 1
        total = np.zeros(len(u))
        for side in (1, -1):
            wave = 0.55 * side * np.cos(2 * np.pi * u)
            slope = 0.55 * 2 * np.pi * side * np.sin(2 * np.pi * u) * 0.5
            away = np.abs(v - wave) / np.sqrt(1 + slope**2 * 0.5)
            over = 0.75 + 0.25 * side * np.sin(2 * np.pi * u) * np.sign(np.cos(2 * np.pi * u) + 1e-9)
            total = np.maximum(total, (away < 0.26) * over * (0.8 + 0.2 * (away > 0.14)))
        stud = np.hypot((u % 0.5 - 0.0) - 0.5 * np.round(u % 0.5 / 0.5), v * 0.35)
        return self.depth * np.maximum(total, np.sqrt(np.clip(1 - (stud / 0.08) ** 2, 0, 1)))


@operator("arcade")
class Arcade(Operator):
    """Blind arches on little columns."""

    phrase: ClassVar[str] = "a blind arcade"
    aspect: ClassVar[float] = 2.2
    pitch: float = Field(default=0.103, ge=0.08, le=0.132, description="width of a bay")
    depth: float = Field(default=0.042, ge=0.032, le=0.056, description="depth of the niches")
    pier: float = Field(default=0.24, ge=0.15, le=0.35, description="share of the bay that is pier")

    def columns(self) -> Floats:
        low = self.pier / 2
        inside = np.linspace(low + 0.06, 1 - low - 0.06, 8)
        return np.r_[0.02, low - 0.04, inside, 1 - low + 0.04]

    def rows(self) -> Floats:
        top = np.linspace(0.6, 0.9, 10)
        return np.r_[0.04, 0.06, 0.14, 0.16, top, 0.97]

    def height(self, patch: Patch) -> Floats:
        x = (patch.u % 1 - 0.5) * patch.size[0]
        z = (patch.v % 1) * patch.size[1]
        half = (1 - self.pier) / 2 * patch.size[0]
        spring = 0.88 * patch.size[1] - half
        away = np.where(z < spring, np.abs(x), np.hypot(x, z - spring))
        niche = np.clip(np.minimum(half - away, z - 0.15 * patch.size[1]) / BEVEL + 0.5, 0, 1)
        rim = np.clip((1.22 * half - away) / BEVEL + 0.5, 0, 1) * (z > 0.05 * patch.size[1])
        return self.depth * (0.3 * rim * (1 - niche) - niche)
