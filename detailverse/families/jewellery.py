"""Knots, chains, rings, crowns, medallions: tubes along closed curves, settings, stones."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import (
    Builder,
    Manifold,
    Solid,
    box,
    cylinder,
    facing,
    hull,
    move,
    section,
    strut,
    subtract,
    union,
)
from versemill.detailverse.spines import Contour, circle, lathe, lobed, polygon, rectangle, tube

CORD = ("rope", "beads", "ribs", "knurling", "scales", "basket_weave", "grooves", "studs")


@family("jewellery")
class Jewellery(Family):
    """An ornament of bent and set metal."""

    title: ClassVar[str] = "knots, chains and jewellery"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("ornate", "classical", "alien", "industrial")
    renamed: ClassVar[dict[str, str]] = {"cord": "links"}
    slots: ClassVar[dict[str, Slot]] = {
        "cord": Slot(CORD, "precious"),
        "links": Slot((), "precious"),
        "setting": Slot(("beads", "rope", "greek_key", "dentils"), "precious"),
        "stones": Slot((), "gem"),
    }

    kind: Literal["knot", "chain", "ring", "crown", "medallion"] = Field(default="knot", description="what it is")
    p: Literal[2, 3] = Field(default=2, description="turns of a knot about the axis")
    q: Literal[3, 5, 7] = Field(default=3, description="turns of a knot round the tube; even steps are avoided")
    thick: float = Field(default=0.12, ge=0.09, le=0.16, description="thickness of the cord")
    section: Literal["round", "square", "flat"] = Field(default="round", description="section of the cord")
    count: int = Field(default=8, ge=6, le=14, description="links, points or stones, depth of a knot")
    height: float = Field(
        default=0.5, ge=0.35, le=0.65, description="height of a crown, width of a link, breadth of a knot, chain or medallion"
    )

    def noun(self) -> str:
        return {
            "chain": f"chain of {self._links()} links",
            "ring": "finger ring with a faceted stone",
            "crown": f"crown with {self.count} points and set stones",
            "medallion": f"medallion with {self.count} small stones and {self.q} pendants",
        }.get(self.kind, f"knot that goes round {self._turns()[0]} times")

    def _links(self) -> int:
        return self.count + self.count % 2

    def _turns(self) -> tuple[int, int]:
        return (self.p, 4) if self.p == 3 and self.q == 3 else (self.p, self.q)

    def parts(self) -> tuple[str, ...]:
        return {"knot": ("cord",), "chain": ("links",)}.get(self.kind, ("setting", "cord", "stones"))

    def _contour(self) -> Contour:
        return {"round": circle, "square": polygon(4), "flat": rectangle(1.35, 0.6)}[self.section]

    def build(self, builder: Builder) -> list[Solid]:
        return {"chain": self._chain, "ring": self._ring, "crown": self._crown, "medallion": self._medallion}.get(
            self.kind, self._knot
        )(builder)

    def _knot(self, builder: Builder) -> list[Solid]:
        p, q = self._turns()
        s = np.linspace(0, 2 * np.pi, 64 * (p + q), endpoint=False)
        wide, deep = 0.12 + 0.44 * self.height, 0.6 + 0.07 * self.count
        # Where more strands pass the hole, the hole stays wide.
        wide = min(wide, 0.36) if q > 4 else wide
        r = 0.66 + wide * np.cos(q * s)
        curve = np.stack([r * np.cos(p * s), wide * deep * np.sin(q * s), r * np.sin(p * s)], 1)
        thick = min(self.thick, 0.145 if q < 5 else 0.11)
        return [
            Solid(
                builder.sweep(tube(curve, thick * (0.85 if self.section == "flat" else 1), True, self._contour()), "cord"),
                "cord",
            )
        ]

    def _link(self, builder: Builder, long: float, wide: float) -> Manifold:
        s = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        x = (long - wide) * np.clip(np.cos(s) * 1.6, -1, 1) + wide * np.cos(s)
        curve = np.stack([x, wide * np.sin(s), 0 * s], 1)
        path = _even(curve, 72 if builder.fine else 44)
        return builder.sweep(tube(path, self.thick * 0.42, True, self._contour()), segments=24 if builder.fine else 16)

    def _chain(self, builder: Builder) -> list[Solid]:
        """Links on an oval, every second one turned; each rests in its neighbours, and daylight shows through all of them."""
        count = self._links()
        a = np.linspace(0, 2 * np.pi, 240, endpoint=False)
        places = _even(np.stack([0.9 * np.cos(a), (0.1 + 1.35 * self.height) * 0.9 * np.sin(a), 0 * a], 1), count)
        along = np.roll(places, -1, 0) - np.roll(places, 1, 0)
        turns = np.degrees(np.arctan2(along[:, 1], along[:, 0]))
        gap = float(np.linalg.norm(np.diff(places, axis=0), axis=1).max())
        long = gap / 2 + self.thick * 0.42 * 0.98
        wide = max((0.34 + 0.2 * self.height) * long, 2.8 * self.thick * 0.42)
        link = self._link(builder, long, wide)
        solids = []
        for k in range(count):
            body = link.rotate([90.0 * (k % 2) + 45, 0, 0]).rotate([0, 0, float(turns[k])])
            solids.append(Solid(body.translate(places[k].tolist()).rotate([90, 0, 0]), "links"))
        return solids

    def _stone(self, size: float) -> Manifold:
        """A brilliant cut: table up, girdle at z = 0."""
        a = np.linspace(0, 2 * np.pi, 8, endpoint=False)
        ring = np.stack([np.cos(a), np.sin(a)], 1)
        turned = np.stack([np.cos(a + np.pi / 8), np.sin(a + np.pi / 8)], 1)
        rows = [
            np.c_[ring * 0.55, 0 * a + 0.38],
            np.c_[turned * 0.86, 0 * a + 0.2],
            np.c_[ring, 0 * a + 0.03],
            np.c_[ring, 0 * a - 0.03],
            [[0, 0, -0.7]],
        ]
        return hull(np.concatenate(rows) * size)

    def _claws(self, size: float, count: int) -> list[Manifold]:
        return [_claw(size).rotate([0, 0, 360 * k / count]) for k in range(count)]

    def _ring(self, builder: Builder) -> list[Solid]:
        a = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        swell = self.thick * (1.0 + 0.35 * np.exp(-(((a - np.pi / 2 + np.pi) % (2 * np.pi) - np.pi) ** 2) / 0.3))
        curve = np.stack([0.72 * np.cos(a), 0 * a, 0.72 * np.sin(a)], 1)
        solids = [
            Solid(
                builder.sweep(tube(curve, swell, True, rectangle(0.7, 1.2) if self.section != "round" else circle), "cord"),
                "cord",
            )
        ]
        size = 0.3
        z = 0.72 + self.thick + 0.16
        cup = lathe(
            [(0, -0.2), (0.14, -0.2), (0.2, -0.1), (size * 0.98, -0.06), (size * 1.02, 0.05), (size * 0.85, 0.05), (0, -0.05)],
            (3, 4),
        )
        solids.append(Solid(builder.sweep(cup, "setting").translate([0, 0, z - 0.02]), "setting"))
        solids.append(Solid(self._stone(size).translate([0, 0, z + 0.06]), "stones"))
        solids += [Solid(c.translate([0, 0, z + 0.04]), "setting") for c in self._claws(size, 6)]
        for side in (1, -1):
            for k in range(3):
                t = np.pi / 2 + side * (0.48 + 0.21 * k)
                way = np.array([np.cos(t), 0, np.sin(t)])
                at = way * (0.72 + self.thick * 1.05)
                solids.append(Solid(move(self._stone(0.085), facing(way, (0, 1, 0)), at + way * 0.01), "stones"))
                solids.append(
                    Solid(move(cylinder(0.1, 0.1, (0, 0, -0.03), segments=24), facing(way, (0, 1, 0)), at), "setting")
                )
        return solids

    def _crown(self, builder: Builder) -> list[Solid]:
        low, high, r = -0.5, -0.16, 0.85
        band = [(r - 0.05, low), (r, low), (r, high), (r - 0.05, high)]
        profile = [(0, low), *band[1:3], (r - 0.07, high), (r - 0.07, low + 0.08), (0, low + 0.08)]
        solid_band = builder.sweep(lathe(profile, (1, 2)), "setting")
        solids = [Solid(solid_band, "setting")]
        hole = cylinder(r - 0.071, 1, segments=96)
        solids = [Solid(subtract(solid_band, [hole]), "setting")]
        for z in (low, high):
            a = np.linspace(0, 2 * np.pi, 96, endpoint=False)
            curve = np.stack([(r - 0.03) * np.cos(a), (r - 0.03) * np.sin(a), 0 * a + z], 1)
            solids.append(Solid(builder.sweep(tube(curve, 0.06, True), "cord", copies=2), "cord"))
        tall = self.height
        for k in range(self.count):
            turn = 360 * k / self.count
            half = 0.75 * np.pi * r / self.count
            outline = [
                (-half, 0),
                (half, 0),
                (half * 0.35, tall * 0.55),
                (half * 0.5, tall * 0.72),
                (0, tall),
                (-half * 0.5, tall * 0.72),
                (-half * 0.35, tall * 0.55),
            ]
            point = _plate(outline, 0.06).translate([0, -r + 0.03, high - 0.02])
            solids.append(Solid(point.rotate([0, 0, turn]), "setting"))
            inner = [(x * 0.62, 0.06 + z * 0.8) for x, z in outline]
            solids.append(Solid(_plate(inner, 0.1).translate([0, -r + 0.03, high - 0.02]).rotate([0, 0, turn]), "cord"))
            solids += [
                Solid(
                    Manifold.sphere(0.036, 12 if builder.fine else 8)
                    .translate([0, -r - 0.01, z])
                    .rotate([0, 0, turn + 90 * j / self.count]),
                    "setting",
                )
                for j in (-1.35, -0.45, 0.45, 1.35)
                for z in (low + 0.085, high - 0.085)
            ]
            solids.append(
                Solid(Manifold.sphere(0.065, 32).translate([0, -r + 0.03, high + tall]).rotate([0, 0, turn]), "stones")
            )
            stone = self._stone(0.11).rotate([90, 0, 0]).translate([0, -r - 0.02, (low + high) / 2])
            solids.append(Solid(stone.rotate([0, 0, turn]), "stones"))
            solids.append(Solid(cylinder(0.13, 0.06, (0, -r - 0.01, (low + high) / 2), "y", 32).rotate([0, 0, turn]), "cord"))
            small = self._stone(0.05).rotate([90, 0, 0]).translate([0, -r - 0.01, high + tall * 0.68])
            solids.append(Solid(small.rotate([0, 0, turn]), "stones"))
        return solids

    def _medallion(self, builder: Builder) -> list[Solid]:
        disc = lathe(
            [(0, -0.07), (0.8, -0.07), (0.86, -0.02), (0.86, 0.03), (0.8, 0.07), (0.56, 0.07), (0.52, 0.03), (0, 0.03)],
            (5, 6),
            lobed(self.count, 0.07) if self.p == 3 else circle,
        )
        solids = [Solid(builder.sweep(disc, "setting"), "setting")]
        a = np.linspace(0, 2 * np.pi, 128, endpoint=False)
        for r, thick in ((0.88, self.thick * 0.75), (0.34, self.thick * 0.4)):
            curve = np.stack([r * np.cos(a), r * np.sin(a), 0 * a + 0.03], 1)
            solids.append(Solid(builder.sweep(tube(curve, thick, True, self._contour()), "cord"), "cord"))
        great = 0.16 + 0.28 * self.height
        solids.append(Solid(self._stone(great).translate([0, 0, 0.12]), "stones"))
        solids += [Solid(c.translate([0, 0, 0.1]), "setting") for c in self._claws(great, 8)]
        for k in range(self.count):
            t = 2 * np.pi * k / self.count + np.pi / 2
            at = [0.68 * np.cos(t), 0.68 * np.sin(t), 0.1]
            solids.append(Solid(self._stone(0.085).translate(at), "stones"))
            solids.append(Solid(cylinder(0.105, 0.09, (at[0], at[1], 0.06), segments=24), "cord"))
        loop = builder.sweep(tube(np.stack([0 * a, 0.12 * np.cos(a), 0.12 * np.sin(a)], 1)[::2] * 1.0, 0.035, True)).translate(
            [0, 1.04, 0]
        )
        solids.append(Solid(loop, "cord"))
        for k in range(self.q):
            t = np.radians(-90 + 17 * (k - (self.q - 1) / 2))
            way, long = np.array([np.cos(t), np.sin(t), 0.0]), 0.12 + 0.09 * (k % 2)
            solids.append(Solid(strut(0.86 * way, (0.92 + long) * way, 0.022, 10), "cord"))
            drop = move(self._stone(0.075), facing(-way), (0.95 + long) * way)
            solids += [
                Solid(drop, "stones"),
                Solid(Manifold.sphere(0.045, 20).translate(((0.9 + long) * way).tolist()), "cord"),
            ]
        oval = [0.56 + 0.88 * self.height, 1, self.thick / 0.12]
        return [Solid(s.body.scale(oval).rotate([90, 0, 0]), s.part) for s in solids]


def _even(curve: Floats, count: int) -> Floats:
    """A closed curve resampled to equal steps."""
    ring = np.concatenate([curve, curve[:1]])
    t = np.r_[0, np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))]
    at = np.arange(count) / count * t[-1]
    return np.stack([np.interp(at, t, ring[:, k]) for k in range(3)], 1)


def _claw(size: float) -> Manifold:
    return union(
        [box((0.05, 0.06, 0.26), (size * 0.98, 0, 0.0), 0.012), box((0.12, 0.05, 0.05), (size * 0.93, 0, 0.12), 0.012)]
    )


def _plate(outline: list[tuple[float, float]], thick: float) -> Manifold:
    return section(outline).extrude(thick).translate([0, 0, -thick / 2]).rotate([90, 0, 0])
