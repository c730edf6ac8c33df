"""Woven, knitted and quilted things: cushions, baskets, bolsters, balls of yarn, rugs, hassocks."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, cylinder, strut, subtract
from versemill.detailverse.spines import lathe, lobed, polygon, tube

CLOTH = ("quilting", "knit", "ribs")
PLAIT = ("basket_weave",)


@family("textile")
class Textile(Family):
    """Something soft or plaited."""

    title: ClassVar[str] = "woven, knitted and quilted things"
    styles: ClassVar[tuple[str, ...]] = ("rustic", "ornate", "classical", "plain")
    labels: ClassVar[dict[str, str]] = {"cloth": "cover"}
    renamed: ClassVar[dict[str, str]] = {"cloth": "wicker, or the pile of a rug", "trim": "rims"}
    slots: ClassVar[dict[str, Slot]] = {
        "cloth": Slot(CLOTH, "cloth", ornament=0.8),
        "wicker": Slot(PLAIT, "basket", ornament=2.0),
        "rims": Slot(("rope",), "basket", ornament=2.0),
        "pile": Slot(("knit", "ribs", "basket_weave"), "carpet", ornament=1.0),
        "yarn": Slot((), "yarn"),
        "needles": Slot((), "ash wood"),
        "trim": Slot(("rope",), "trim", ornament=0.8),
        "feet": Slot((), "fine wood"),
    }

    kind: Literal["cushion", "basket", "bolster", "ball of yarn", "rug", "pouffe"] = Field(
        default="cushion", description="what it is"
    )
    size: float = Field(default=0.85, ge=0.7, le=1.0, description="half width")
    fill: float = Field(
        default=0.4,
        ge=0.3,
        le=0.5,
        description="half thickness of a cushion, flare of a basket, height of a pouffe, girth of a roll",
    )
    square: float = Field(
        default=0.35, ge=0.1, le=0.7, description="roundness of a cushion's corners, swell of a pouffe, length of a rug"
    )
    count: int = Field(default=12, ge=9, le=16, description="tassels, ribs, windings")
    handle: bool = Field(default=True, description="a basket has a handle, a rug is folded at one end")

    def noun(self) -> str:
        return {
            "cushion": "square {} cushion with a corded edge",
            "basket": "basket with a handle" if self.handle else "open {} basket",
            "bolster": "bolster with tassels",
            "rug": "half-rolled {} rug with a fringe",
            "ball of yarn": "ball of yarn with two knitting needles",
            "pouffe": "round {} pouffe with a buttoned top",
        }.get(self.kind, self.kind)

    def parts(self) -> tuple[str, ...]:
        return {
            "ball of yarn": ("yarn", "needles"),
            "basket": ("wicker", "rims"),
            "rug": ("pile", "trim"),
            "pouffe": ("cloth", "trim", "feet"),
        }.get(self.kind, ("cloth", "trim"))

    def build(self, builder: Builder) -> list[Solid]:
        return {
            "cushion": self._cushion,
            "basket": self._basket,
            "bolster": self._bolster,
            "ball of yarn": self._yarn,
            "rug": self._rug,
            "pouffe": self._pouffe,
        }[self.kind](builder)

    def _cushion(self, builder: Builder) -> list[Solid]:
        contour = polygon(4, self.square)
        s = np.linspace(-np.pi / 2, np.pi / 2, 50)
        r, z = self.size * np.cos(s) ** 0.55, self.fill * np.sign(np.sin(s)) * np.abs(np.sin(s)) ** 0.9
        r[[0, -1]] = 0
        f = np.arange(240) / 240
        section, _ = contour(f)
        lie = builder.sweep(lathe(np.stack([r, z], 1), (8, 41), contour), "cloth", segments=96).warp_batch(self._creased)
        cord = builder.sweep(tube(np.c_[section * self.size * 0.995, 0 * f], 0.05, closed=True), "trim")
        corners = [section[30 + 60 * k] * self.size for k in range(4)]
        tassels = [t for c in corners for t in self._tassel(np.array([c[0], c[1], 0.0]), np.array([c[0], c[1], 0.0]))]
        solids = [Solid(lie, "cloth"), Solid(cord, "trim"), *(Solid(t, "trim") for t in tassels)]
        return [Solid(s.body.rotate([68, 0, 0]), s.part) for s in solids]

    def _creased(self, points: np.ndarray) -> np.ndarray:
        """Folds that run from the corners inwards, and the dent of a head: both faces move, the seam stays."""
        x, y = points[:, 0] / self.size, points[:, 1] / self.size
        corner = np.hypot(np.abs(x) - 0.85, np.abs(y) - 0.85)
        angle = np.arctan2(np.abs(y) - 0.95, np.abs(x) - 0.95)
        fold = np.abs((angle * self.count / 3) % 1 - 0.5) * 2
        points[:, 2] *= 1 - 0.35 * np.exp(-((corner / 0.4) ** 2)) * fold - 0.25 * np.exp(-((np.hypot(x, y) / 0.3) ** 2))
        return points

    def _tassel(self, at: np.ndarray, way: np.ndarray) -> list[Manifold]:
        way = way / np.linalg.norm(way)
        knob = Manifold.sphere(0.075, 20).translate((at + way * 0.05).tolist())
        side = np.cross(way, [0, 0, 1.0])
        threads = []
        for k in range(7):
            a = 2 * np.pi * k / 7
            off = (side * np.cos(a) + np.array([0, 0, 1.0]) * np.sin(a)) * 0.05
            threads.append(strut(at + way * 0.07 + off * 0.5, at + way * 0.28 + off * 1.3, 0.022, 8))
        return [knob, *threads]

    def _basket(self, builder: Builder) -> list[Solid]:
        r, top = 0.6 * self.size, 0.5
        flare = 1 + self.fill
        s = np.linspace(0, 1, 30)
        out = r * (1 + (flare - 1) * s**0.8)
        z = -0.6 + (top + 0.5) * s
        profile = [
            (0, -0.6),
            *zip(out, z, strict=True),
            (out[-1] - 0.06, z[-1]),
            *zip((out - 0.07)[::-4], z[::-4], strict=True),
            (0, -0.5),
        ]
        body = builder.sweep(lathe(profile, (1, 30)), "wicker")
        a = np.linspace(0, 2 * np.pi, 96, endpoint=False)

        def hoop(radius: float, height: float, thick: float) -> Solid:
            return Solid(
                builder.sweep(
                    tube(np.stack([radius * np.cos(a), radius * np.sin(a), 0 * a + height], 1), thick, closed=True), "rims"
                ),
                "rims",
            )

        solids = [Solid(body, "wicker"), hoop(float(out[-1]) - 0.03, float(z[-1]), 0.075), hoop(float(out[0]), -0.57, 0.06)]
        if self.handle:
            t = np.linspace(-0.05, np.pi + 0.05, 50)
            path = np.stack([(out[-1] - 0.02) * np.cos(t), 0 * t, z[-1] + 0.75 * np.sin(t)], 1)
            solids.append(Solid(builder.sweep(tube(path, 0.07, up=(0, 1, 0)), "rims"), "rims"))
        return solids

    def _bolster(self, builder: Builder) -> list[Solid]:
        r = 0.42 * self.size
        s = np.linspace(0, 1, 12)
        end = r * np.sqrt(np.clip(1 - (1 - s) ** 2, 0, 1)) * 0.85 + 0.15 * r * s
        profile = [
            (0, -0.95),
            *zip(end[1:], -0.93 + 0.13 * s[1:], strict=True),
            *zip(end[:0:-1], 0.93 - 0.13 * s[:0:-1], strict=True),
            (0, 0.95),
        ]
        roll = builder.sweep(lathe(profile, (11, 12)), "cloth").rotate([0, 90, 0])
        a = np.linspace(0, 2 * np.pi, 80, endpoint=False)
        solids = [Solid(roll, "cloth")]
        for side in (1, -1):
            ring = np.stack([0 * a + side * 0.81, r * 0.99 * np.cos(a), r * 0.99 * np.sin(a)], 1)
            solids.append(Solid(builder.sweep(tube(ring, 0.045, closed=True), "trim"), "trim"))
            pleats = [
                strut((side * 0.94, 0, 0), (side * 0.83, r * 0.9 * np.cos(b), r * 0.9 * np.sin(b)), 0.03, 8) for b in a[::4]
            ]
            tassel = self._tassel(np.array([side * 0.95, 0, 0]), np.array([side * 1.0, 0, 0]))
            solids += [Solid(p, "trim") for p in (*pleats, *tassel)]
        return solids

    def _yarn(self, builder: Builder) -> list[Solid]:
        """A ball wound from bundles of great circles."""
        rng = builder.rng("yarn")
        ball = 0.94 * self.size
        solids = [Solid(Manifold.sphere(ball - 0.01, 64), "yarn")]
        a = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        for bundle in range(self.count // 2 + 1):
            axis = rng.normal(size=3)
            axis /= np.linalg.norm(axis)
            x = np.cross(axis, [0.3, 0.2, 1.0])
            x /= np.linalg.norm(x)
            y = np.cross(axis, x)
            for k in range(-3, 4):
                lift = 0.105 * k
                radius = np.sqrt(ball**2 - lift**2) + 0.012 * bundle
                ring = np.cos(a)[:, None] * x * radius + np.sin(a)[:, None] * y * radius + axis * lift
                solids.append(Solid(builder.sweep(tube(ring, 0.055, closed=True), segments=10), "yarn"))
        t = np.linspace(0, 1, 40)
        tail = np.stack([0.1 + 1.0 * t, -0.2 + 0.25 * np.sin(5 * t) - 0.6 * t, 0.06 - ball - 0.09 * np.minimum(4 * t, 1)], 1)
        solids.append(Solid(builder.sweep(tube(tail, 0.055), segments=10), "yarn"))
        for side in (1, -1):
            solids.append(Solid(strut((-0.9 * side, -0.3, 1.1), (0.6 * side, 0.35, -0.6), 0.035, 12), "needles"))
            solids.append(Solid(Manifold.sphere(0.09, 24).translate([-0.9 * side, -0.3, 1.1]), "needles"))
        return solids

    def _rug(self, builder: Builder) -> list[Solid]:
        """A rug, rolled at the back."""
        w, long = self.size * 0.8, 0.9 + 1.6 * self.square
        flat = builder.plate(2 * w, long, 0.08, "pile", copies=2).rotate([-90, 0, 0])
        solids = [Solid(flat, "pile"), Solid(flat.rotate([0, 180, 0]), "pile")]
        for side in (1, -1):
            solids.append(
                Solid(
                    builder.sweep(
                        tube(np.array([[side * w, -long / 2, 0], [side * w, 0, 0], [side * w, long / 2, 0]]), 0.06), "trim"
                    ),
                    "trim",
                )
            )
        turn = np.linspace(0, 2 * np.pi * 2.5, 80)
        thick = 0.6 * self.fill + 0.02
        r = thick - 0.05 * thick * turn
        spiral = np.stack([long / 2 + r * np.sin(turn), thick - r * np.cos(turn) - 0.02], 1)
        rolls = [strut((-w, *p), (w, *p), 0.042, 8) for p in spiral[::2]]
        solids += [Solid(Manifold.batch_hull([a, b]), "pile") for a, b in itertools.pairwise(rolls)]
        # Cords across the roll, where the flat part has its pattern.
        solids += [Solid(strut((-w, *p), (w, *p), 0.056, 8), "pile") for p in spiral[::3]]
        count = 2 * self.count
        for k in range(count + 1):
            x = -w + 2 * w * k / count
            solids.append(
                Solid(strut((x, -long / 2 + 0.02, 0), (x + 0.02 * (-1) ** k, -long / 2 - 0.2, -0.01), 0.026, 8), "trim")
            )
            solids.append(Solid(Manifold.sphere(0.045, 12).translate([x, -long / 2 - 0.03, 0]), "trim"))
        return solids

    def _pouffe(self, builder: Builder) -> list[Solid]:
        s = np.linspace(0, 1, 40)
        rim, half = 0.88 - 0.3 * self.square, 0.06 + 0.75 * self.fill
        r = self.size * (rim + (1 - rim) * np.sin(np.pi * s) ** 0.6)
        z = half * (2 * s - 1)
        profile = [(0, -half), *zip(r, z, strict=True), (r[-1] * 0.6, half + 0.05), (0.12, half + 0.02), (0, half + 0.01)]
        solids = [Solid(builder.sweep(lathe(profile, (1, 40), lobed(self.count, 0.03, sharp=True)), "cloth"), "cloth")]
        a = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        for height in (0.01 - half, half):
            ring = np.stack([1.01 * r[0] * np.cos(a), 1.01 * r[0] * np.sin(a), 0 * a + height], 1)
            solids.append(Solid(builder.sweep(tube(ring, 0.06, closed=True), "trim"), "trim"))
        solids.append(
            Solid(
                subtract(
                    cylinder(0.12, 0.1, (0, 0, half + 0.05), segments=32),
                    [cylinder(0.02, 0.1, (x, y, half + 0.11), segments=10) for x in (0.03, -0.03) for y in (0.03, -0.03)],
                ),
                "trim",
            )
        )
        pleats = [
            strut(
                (0.08 * np.cos(b), 0.08 * np.sin(b), half + 0.025),
                (0.9 * r[0] * np.cos(b), 0.9 * r[0] * np.sin(b), half + 0.015),
                0.03,
                8,
            )
            for b in 2 * np.pi * np.arange(2 * self.count) / (2 * self.count)
        ]
        feet = [
            cylinder(0.07, 0.14, (0.55 * r[0] * sx, 0.55 * r[0] * sy, -half - 0.05), segments=20)
            for sx in (1, -1)
            for sy in (1, -1)
        ]
        return [*solids, *(Solid(p, "trim") for p in pleats), *(Solid(f, "feet") for f in feet)]
