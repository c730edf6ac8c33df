"""Relief panels: framed plates with girih stars, interlaced knots, keys, rosettes or a field of any flat ornament."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.palette import RELIEF
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, prism, solid, subtract, union
from versemill.detailverse.surfaces import PLAIN, Patch, slab


@family("relief")
class Relief(Family):
    """A panel on its edge, carved on both sides."""

    title: ClassVar[str] = "relief panels"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("classical", "ornate", "rustic")
    renamed: ClassVar[dict[str, str]] = {"figure": "carving", "field": "ground"}
    slots: ClassVar[dict[str, Slot]] = {
        "field": Slot(RELIEF, "panel", ornament=2.0),
        "carving": Slot((), "panel"),
        "ground": Slot((), "panel"),
        "frame": Slot(("greek_key", "beads", "guilloche", "dentils", "egg_and_dart", "rope"), "panel", ornament=0.8),
    }

    kind: Literal["girih", "celtic", "rosette", "field", "fan"] = Field(default="girih", description="main motif")
    ratio: float = Field(default=1.0, ge=0.7, le=1.4, description="width over height")
    border: float = Field(default=0.16, ge=0.12, le=0.22, description="width of the frame")
    order: Literal[6, 8, 10, 12] = Field(default=8, description="points of a star, petals of a rosette")
    repeat: int = Field(default=2, ge=1, le=3, description="motifs across the panel")
    line: float = Field(default=0.12, ge=0.08, le=0.18, description="width of a strap over the motif's size")
    depth: float = Field(default=0.06, ge=0.045, le=0.08, description="height of the motif")
    crest: Literal["none", "gable", "arch", "shoulders"] = Field(default="none", description="what crowns the frame")
    rise: float = Field(default=0.25, ge=0.14, le=0.4, description="height of the crest over the panel's width")

    def noun(self) -> str:
        motif = {
            "girih": f"{self.order}-pointed girih stars",
            "celtic": "Celtic interlace",
            "rosette": f"a {self.order}-petalled rosette",
            "fan": "scalloped fans",
            "field": "an all-over pattern",
        }[self.kind]
        crown = {"none": "", "gable": " under a gable", "arch": " under an arch", "shoulders": " between two finials"}
        return f"carved {{}} panel with {motif}{crown[self.crest]}"

    def parts(self) -> tuple[str, ...]:
        return ("field", "frame") if self.kind == "field" else ("carving", "ground", "frame")

    def name(self) -> str:
        return "carved panel"

    def build(self, builder: Builder) -> list[Solid]:
        height = 2.0 / max(self.ratio, 1.0)
        width = height * self.ratio
        b = self.border
        ground = "field" if self.kind == "field" else "ground"
        solids = [Solid(builder.plate(width - b, height - b, 0.16, ground, copies=2), ground)]
        for turn, long in ((0, width), (90, height), (180, width), (270, height)):
            away = (height if turn % 180 == 0 else width) / 2 - b / 2
            bar = _bar(builder, long, b).translate([0, -0.05, -away]).rotate([0, -float(turn), 0])
            solids.append(Solid(bar, "frame"))
        for x in (1, -1):
            for z in (1, -1):
                at = (x * (width / 2 - b / 2), -0.06, z * (height / 2 - b / 2))
                solids.append(Solid(box((b * 1.12, 0.34, b * 1.12), at, 0.03), "frame"))
                solids.append(Solid(Manifold.sphere(b * 0.36, 24).translate([at[0], -0.22, at[2]]), "frame"))
        solids += [Solid(body, "frame") for body in self._crest(width, height)]
        if self.kind != "field":
            solids.append(Solid(self._figure(builder, width - 2 * b, height - 2 * b), "carving"))
        front = [Solid(s.body.translate([0, -0.07, 0]), s.part) for s in solids]
        return front + [Solid(s.body.rotate([0, 0, 180]), s.part) for s in front]

    def _crest(self, width: float, height: float) -> list[Manifold]:
        """The crown of the frame: a moulded field with a boss in it, or a ball on either side."""
        foot, up, half = height / 2 - 0.02, self.rise * width, width / 2
        if self.crest == "none":
            return []
        if self.crest == "shoulders":
            r = 0.32 * up
            stand = box((0.9 * r, 0.24, up - r), (half - self.border / 2, -0.05, foot + (up - r) / 2), 0.02)
            ball = Manifold.sphere(r, 40).translate([half - self.border / 2, -0.05, foot + up - r])
            return [b.mirror([m, 0, 0]) if m else b for b in (stand, ball) for m in (0, 1)]
        angle = np.linspace(0, np.pi, 33)
        line = [(-half, 0.0), (half, 0.0), (0.0, up)]
        if self.crest == "arch":
            line = [(half * np.cos(a), up * np.sin(a)) for a in angle]

        def inset(share: float, thick: float) -> Manifold:
            middle = 0.33 * up
            outline = [(x * share, middle + (z - middle) * share) for x, z in line]
            return prism(outline, thick).rotate([90, 0, 0]).translate([0, -0.05, foot])

        moulding = subtract(inset(1.0, 0.3), [inset(0.74, 0.2).translate([0, side * 0.2, 0]) for side in (1, -1)])
        boss = Manifold.sphere(0.2 * up, 40).scale([1, 0.9, 1]).translate([0, -0.1, foot + 0.36 * up])
        return [moulding, inset(0.6, 0.2), boss]

    def _figure(self, builder: Builder, width: float, height: float) -> Manifold:
        """The motif as a height field on a fine raster, cut where it is low and set on the plate."""
        edge = 0.8 * builder.edge if builder.fine else 0.02
        motif = {"girih": self._girih, "celtic": self._celtic, "rosette": self._rosette, "fan": self._fan}[self.kind]
        size = width / self.repeat if self.kind in ("girih", "celtic", "fan") else min(width, height)
        rows = max(1, round(height / size))
        cell = (size, height / rows) if self.kind != "rosette" else (width, height)
        op = _Raster(motif, cell, (width, height), self.depth, edge, self.kind == "rosette")
        return solid(*slab(width, height, 0.2, op, PLAIN)).translate([0, 0.03, 0])

    def _girih(self, x: Floats, y: Floats) -> Floats:
        """Star and strap work: distances to the lines of a {n/k} star, folded into one sector."""
        n = self.order
        r, a = np.hypot(x, y), np.arctan2(y, x)
        away = np.full(len(x), 9.0)
        for turn, reach in ((0.0, 0.46), (np.pi / n, 0.27)):
            b = np.abs((a + turn + np.pi / n) % (2 * np.pi / n) - np.pi / n)
            px, py = r * np.cos(b), r * np.sin(b)
            slope = np.pi / 2 - np.pi * (n // 2 - 2) / n
            nx, ny = np.sin(slope), np.cos(slope)
            away = np.minimum(away, np.abs((px - reach) * nx + py * ny))
        away = np.minimum(away, 0.5 - np.maximum(np.abs(x), np.abs(y)) + 0.012)
        return _strap(away, self.line * 0.24)

    def _celtic(self, x: Floats, y: Floats) -> Floats:
        """A plait: two families of sine straps that pass over and under each other at every crossing."""
        best = np.zeros(len(x))
        for sign in (1, -1):
            for shift in (0.0, 0.5):
                wave = 0.25 * sign * np.cos(2 * np.pi * (x + shift))
                away = np.abs((y - wave + 0.5) % 1 - 0.5) / np.sqrt(
                    1 + (0.25 * 2 * np.pi * np.sin(2 * np.pi * (x + shift))) ** 2
                )
                over = 0.8 + 0.2 * sign * np.cos(4 * np.pi * (x + 0.125 + shift / 2))
                best = np.maximum(best, _strap(away, self.line * 0.55) * over)
        return best

    def _rosette(self, x: Floats, y: Floats) -> Floats:
        n = self.order
        r, a = np.hypot(x, y) * 2, np.arctan2(y, x)
        total = np.zeros(len(x))
        for tier, (inner, outer, turn) in enumerate(((0.5, 0.96, 0.5), (0.3, 0.74, 0.0), (0.14, 0.5, 0.5))):
            b = np.abs((a + 2 * np.pi * (turn / n) + np.pi / n) % (2 * np.pi / n) - np.pi / n)
            s = np.clip((r - inner * 0.6) / (outer - inner * 0.6), 0, 1)
            half = np.pi / n * 0.92 * np.sqrt(np.clip(1 - np.clip((s - 0.6) / 0.4, 0, 1) ** 2, 0, 1))
            inside = (b < half) & (r < outer)
            vein = 0.82 + 0.18 * np.clip(b * r / 0.02, 0, 1)
            total = np.maximum(total, inside * (0.3 + 0.22 * tier + 0.22 * s * (1 - (b / np.maximum(half, 1e-6)) ** 2)) * vein)
        total = np.maximum(total, np.sqrt(np.clip(1 - (r / 0.2) ** 2, 0, 1)) * 1.1)
        return np.maximum(total, 0.7 * (np.abs(r - 0.985) < 0.025))

    def _fan(self, x: Floats, y: Floats) -> Floats:
        best = np.zeros(len(x))
        for row in (2, 1, 0, -1):
            cx = (x + 0.5 * (row % 2)) % 1 - 0.5
            dy = y - (row * 0.5 - 0.75)
            r, a = np.hypot(cx, dy), np.arctan2(dy, np.abs(cx))
            rib = 0.55 + 0.45 * np.abs(np.cos(a * self.order))
            inside = (r < 0.5) & (dy > -0.02)
            shape = np.where(r > 0.46, 1.0, rib * (0.35 + 0.9 * r)) * inside
            best = np.where(inside, shape, best)
        return best


class _Raster:
    """An ornament of one cell that evaluates a motif over the whole panel."""

    role: ClassVar[str] = "field"
    aspect: ClassVar[float] = 1.0

    def __init__(
        self, motif: object, cell: tuple[float, float], size: tuple[float, float], depth: float, edge: float, single: bool
    ) -> None:
        self.motif, self.cell, self.size, self.depth, self.edge, self.single = motif, cell, size, depth, edge, single
        self.pitch = max(size) * 4

    def columns(self) -> Floats:
        return np.arange(n := int(self.size[0] / self.edge)) / n

    def rows(self) -> Floats:
        return np.arange(n := int(self.size[1] / self.edge)) / n

    def height(self, patch: Patch) -> Floats:
        x, z = patch.points[:, 0], patch.points[:, 2]
        if self.single:
            unit = min(self.size)
            return self.depth * self.motif(x / unit, z / unit)  # type: ignore[operator]
        u = (x / self.cell[0] + 0.5 * round(self.size[0] / self.cell[0])) % 1 - 0.5
        v = (z / self.cell[1] + 0.5 * round(self.size[1] / self.cell[1])) % 1 - 0.5
        return self.depth * self.motif(u, v)  # type: ignore[operator]


def _strap(away: Floats, half: float) -> Floats:
    """A strap's section: a flat band with a groove along its middle."""
    return np.where(away < half, np.where(away < 0.3 * half, 0.72, 1.0), 0.0)


def _bar(builder: Builder, long: float, wide: float) -> Manifold:
    """One side of the frame: a moulded bar whose front carries the frame's ornament in one row."""
    finish = builder.finish("frame", copies=8)
    op = finish.bands[0][2] if finish.bands else None
    body = box((long, 0.26, wide), (0, 0, 0), 0.02)
    if op is None:
        return body
    fitted = op.model_copy(update={"pitch": min((wide - 0.05) / min(op.aspect, 1.6), long / 3), "depth": min(op.depth, 0.035)})  # type: ignore[attr-defined]
    strip = solid(*slab(long - 0.02, wide - 0.05, 0.2, fitted, finish)).translate([0, -0.05, 0])
    return union([body, strip])
