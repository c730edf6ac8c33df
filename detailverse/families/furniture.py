"""Furniture: chairs, stools, tables, chests, lamps, clocks; turned legs, carved rails, upholstery."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cylinder, section, strut, subtract
from versemill.detailverse.spines import Contour, circle, lathe, polygon, rectangle, tube

BACKS = {"spindles": "spindle", "slats": "slatted", "panel": "panelled"}
LEGS = {"baluster": "baluster", "bobbin": "bobbin", "taper": "tapering", "cabriole": "cabriole"}
TURNED = ("rope", "beads", "fluting", "ribs", "grooves", "knurling", "scales")


@family("furniture")
class Furniture(Family):
    """One piece of furniture."""

    title: ClassVar[str] = "furniture"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("classical", "ornate", "rustic")
    slots: ClassVar[dict[str, Slot]] = {
        "frame": Slot((), "wood"),
        "legs": Slot(TURNED, "wood"),
        "rails": Slot(("panels", "greek_key", "dentils", "beads", "egg_and_dart", "arcade", "rope", "planks"), "wood"),
        "seat": Slot(("quilting", "quilting", "knit", "ribs"), "fabric"),
        "fittings": Slot((), "iron"),
    }

    kind: Literal["chair", "stool", "table", "chest", "lamp", "clock"] = Field(default="chair", description="what it is")
    width: float = Field(default=0.5, ge=0.42, le=0.62, description="half width")
    leg: float = Field(default=0.075, ge=0.06, le=0.095, description="radius of a leg")
    turning: Literal["baluster", "bobbin", "taper", "cabriole"] = Field(default="baluster", description="form of the legs")
    back: Literal["spindles", "slats", "panel"] = Field(default="spindles", description="back of a chair")
    count: int = Field(default=5, ge=4, le=7, description="spindles, slats or drawers")
    height: float = Field(default=0.9, ge=0.75, le=1.0, description="height of the legs")

    def noun(self) -> str:
        legs = f"with {LEGS[self.turning]} legs"
        return {
            "chair": f"chair with a {BACKS[self.back]} back",
            "stool": f"upholstered {{}} stool {legs}",
            "table": f"round {{}} table {legs}" if self.count % 2 else f"table {legs}",
            "chest": "chest with a domed lid and iron bands",
            "lamp": "table lamp with a cloth shade",
            "clock": "long-case clock with a pendulum",
        }[self.kind]

    def label(self, part: str) -> str:
        lamp = {"legs": "base", "seat": "shade"} if self.kind == "lamp" else {}
        return lamp.get(part, part)

    def parts(self) -> tuple[str, ...]:
        return {
            "chair": ("frame", "legs", "rails", "seat"),
            "stool": ("frame", "legs", "rails", "seat"),
            "table": ("frame", "legs", "rails"),
            "chest": ("frame", "rails", "fittings"),
            "lamp": ("legs", "seat", "fittings"),
            "clock": ("frame", "legs", "rails", "fittings"),
        }[self.kind]

    def build(self, builder: Builder) -> list[Solid]:
        return {
            "chair": self._chair,
            "stool": self._stool,
            "table": self._table,
            "chest": self._chest,
            "lamp": self._lamp,
            "clock": self._clock,
        }[self.kind](builder)

    def _leg(self, builder: Builder, height: float, radius: float, part: str = "legs") -> Manifold:
        """A leg on z from 0 to `height`: a square block at the top, turned below."""
        s = np.linspace(0, 1, 60)
        block = min(0.2, 0.3 * height)
        long = height - block + 0.01
        if self.turning == "cabriole":
            path = np.stack([0 * s, -0.1 * np.sin(2.2 * np.pi * s + 2.6) * (1 - s) ** 0.5, s * height], 1)
            r = radius * (0.62 + 0.65 * s**2 + 0.5 * np.exp(-((s / 0.07) ** 2)))
            return builder.sweep(tube(path, r, contour=polygon(8, 0.6), up=(0, 1, 0)), part, copies=4)
        shape: Floats = {
            "baluster": 0.5
            + 0.6 * np.exp(-(((s - 0.62) / 0.16) ** 2))
            + 0.45 * np.exp(-(((s - 0.05) / 0.05) ** 2))
            + 0.3 * np.exp(-(((s - 0.95) / 0.03) ** 2)),
            "bobbin": 0.55 + 0.5 * np.abs(np.sin(6 * np.pi * s)) ** 0.7,
            "taper": 0.5 + 0.55 * s + 0.4 * np.exp(-(((s - 0.93) / 0.025) ** 2)) + 0.35 * np.exp(-(((s - 0.03) / 0.04) ** 2)),
        }[self.turning]
        profile = [(0, 0), *zip(radius * shape, s * long, strict=True), (0, long)]
        turned = builder.sweep(lathe(profile, (12, 40)), part, copies=4)
        head = box((2.1 * radius, 2.1 * radius, block), (0, 0, height - block / 2), 0.012)
        return turned + head

    def _legs(self, builder: Builder, x: float, y: float, height: float, foot: float = -1.0) -> list[Solid]:
        leg = self._leg(builder, height, self.leg)
        return [
            Solid(
                leg.rotate([0, 0, 45.0 * (2 * k + 1) + 90 if self.turning == "cabriole" else 0]).translate(
                    [sx * x, sy * y, foot]
                ),
                "legs",
            )
            for k, (sx, sy) in enumerate(((-1, -1), (1, -1), (1, 1), (-1, 1)))
        ]

    def _rail(self, builder: Builder, long: float, tall: float, thick: float = 0.06) -> Manifold:
        return builder.plate(long, tall, thick, "rails")

    def _rails(self, builder: Builder, x: float, y: float, z: float, tall: float = 0.17) -> list[Solid]:
        return [
            Solid(
                self._rail(builder, 2 * (x if turn % 180 == 0 else y), tall)
                .translate([0, -(y if turn % 180 == 0 else x), z])
                .rotate([0, 0, float(turn)]),
                "rails",
            )
            for turn in (0, 90, 180, 270)
        ]

    def _cushion(self, builder: Builder, x: float, y: float, z: float, thick: float) -> Manifold:
        """A padded seat: a plate's ornament turned upward, with rounded sides."""
        top = builder.plate(2 * x, 2 * y, thick, "seat").rotate([-90, 0, 0])
        return top.translate([0, 0, z + thick / 2])

    def _chair(self, builder: Builder) -> list[Solid]:
        w, d, seat = self.width, 0.46, -1 + self.height
        solids = self._legs(builder, w - 0.09, d - 0.09, self.height)
        solids += self._rails(builder, w - 0.09, d - 0.09, seat - 0.09)
        solids.append(Solid(box((2 * w, 2 * d, 0.06), (0, 0, seat), 0.02), "frame"))
        solids.append(Solid(self._cushion(builder, w - 0.06, d - 0.06, seat + 0.02, 0.08), "seat"))
        top = 1.0
        for side in (1, -1):
            post = np.array(
                [
                    (side * (w - 0.08), d - 0.08, seat),
                    (side * (w - 0.07), d + 0.0, (seat + top) / 2),
                    (side * (w - 0.06), d + 0.1, top),
                ]
            )
            solids += [Solid(strut(a, b, 0.05, 20), "frame") for a, b in itertools.pairwise(post)]
            solids.append(Solid(Manifold.sphere(0.075, 32).translate(post[2].tolist()), "frame"))
        crest = self._rail(builder, 2 * w - 0.1, 0.22, 0.07).rotate([-8, 0, 0]).translate([0, d + 0.08, top - 0.12])
        solids.append(Solid(crest, "rails"))
        low = self._rail(builder, 2 * w - 0.12, 0.1, 0.06).translate([0, d - 0.05, seat + 0.16])
        solids.append(Solid(low, "rails"))
        span, tall = 2 * w - 0.3, top - 0.18 - (seat + 0.16)
        if self.back == "panel":
            panel = builder.plate(span * 0.7, tall, 0.06, "seat").rotate([-6, 0, 0])
            solids.append(Solid(panel.translate([0, d + 0.015, seat + 0.16 + tall / 2]), "seat"))
        elif self.back == "spindles":
            spindle = self._leg(builder, tall + 0.06, 0.038)
            for x in np.linspace(-span / 2, span / 2, self.count):
                solids.append(Solid(spindle.rotate([-6, 0, 0]).translate([float(x), d - 0.05, seat + 0.14]), "legs"))
        else:
            for z in np.linspace(0.12, tall - 0.1, 3):
                lean = d - 0.05 + 0.13 * z / tall
                solids.append(
                    Solid(self._rail(builder, 2 * w - 0.1, 0.13, 0.05).translate([0, lean, seat + 0.16 + float(z)]), "rails")
                )
        if self.turning != "cabriole":  # Bowed legs have no stretchers.
            for side in (1, -1):
                solids.append(Solid(cylinder(0.03, 2 * d - 0.2, (side * (w - 0.09), 0, -0.72), "y", 16), "frame"))
            solids.append(Solid(cylinder(0.03, 2 * w - 0.2, (0, 0, -0.72), "x", 16), "frame"))
        return solids

    def _stool(self, builder: Builder) -> list[Solid]:
        w = self.width
        solids = self._legs(builder, w - 0.1, w - 0.1, self.height, -self.height)
        solids += self._rails(builder, w - 0.1, w - 0.1, -0.1)
        solids.append(Solid(box((2 * w, 2 * w, 0.06), (0, 0, 0), 0.02), "frame"))
        solids.append(Solid(self._cushion(builder, w - 0.04, w - 0.04, 0.02, 0.16), "seat"))
        for turn in (0, 90, 180, 270) if self.turning != "cabriole" else ():
            solids.append(
                Solid(
                    cylinder(0.03, 2 * w - 0.2, (0, -(w - 0.1), -0.68 * self.height), "x", 16).rotate([0, 0, float(turn)]),
                    "frame",
                )
            )
        return solids

    def _table(self, builder: Builder) -> list[Solid]:
        high = self.height - 1.0 + 0.25
        if self.count % 2:
            profile = [
                (0, high - 0.02),
                (0.9, high - 0.02),
                (0.98, high + 0.03),
                (1.0, high + 0.06),
                (0.96, high + 0.09),
                (0, high + 0.09),
            ]
            top = builder.sweep(lathe(profile))
            apron = builder.sweep(lathe([(0, high - 0.2), (0.8, high - 0.2), (0.8, high), (0, high)], (1, 2)), "rails")
            solids = [Solid(top, "frame"), Solid(apron, "rails")]
            return solids + self._legs(builder, 0.54, 0.54, high + 1.0)
        w, d = 1.0, 0.62
        top = box((2 * w, 2 * d, 0.09), (0, 0, high + 0.04), 0.03)
        return [
            Solid(top, "frame"),
            *self._rails(builder, w - 0.14, d - 0.12, high - 0.1, 0.2),
            *self._legs(builder, w - 0.14, d - 0.12, high + 0.95, -0.95),
        ]

    def _chest(self, builder: Builder) -> list[Solid]:
        w, d, h = 0.9, self.width, 0.55
        plan: Contour = rectangle(w, d)
        walls = builder.sweep(lathe([(0, -0.5), (1, -0.5), (1, -0.5 + h), (0, -0.5 + h)], (1, 2), plan), "rails")
        angle = np.linspace(0, np.pi, 25)
        arch = np.stack([d * np.cos(angle), 0.55 * d * np.sin(angle)], 1)
        lid = _extrude(arch, 2 * w + 0.04).translate([0, 0, 0.06])
        lid = subtract(lid, [box((0.02, 4, 4), (x, 0, 2.0 + 0.06 + 0.55 * d - 0.02)) for x in np.linspace(-0.75, 0.75, 8)])
        slats = [
            subtract(_extrude(arch * [1.03, 1.06], 0.1), [_extrude(arch * 0.9, 0.2)]).translate([x, 0, 0.06])
            for x in (-0.62, 0.0, 0.62)
        ]
        straps = [box((0.1, 2 * d + 0.07, 0.07), (x, 0, -0.5 + 0.03)) for x in (-0.62, 0.62)]
        solids = [
            Solid(walls, "rails"),
            Solid(lid, "frame"),
            Solid(box((2 * w + 0.08, 2 * d + 0.08, 0.08), (0, 0, 0.055), 0.02), "frame"),
        ]
        solids.append(Solid(box((2 * w + 0.1, 2 * d + 0.1, 0.1), (0, 0, -0.52), 0.025), "frame"))
        solids += [Solid(b, "fittings") for b in (*slats, *straps)]
        for x in (-0.62, 0.0, 0.62):
            for y in (-1, 1):
                solids.append(Solid(box((0.1, 0.05, 0.5), (x, y * (d + 0.01), -0.2), 0.012), "fittings"))
                solids += [
                    Solid(Manifold.sphere(0.03, 16).translate([x, y * (d + 0.035), z]), "fittings")
                    for z in (-0.4, -0.28, -0.12, 0.0)
                ]
            for a in np.linspace(0.25, np.pi - 0.25, 7):
                solids.append(
                    Solid(
                        Manifold.sphere(0.03, 16).translate([x, 1.03 * d * np.cos(a), 0.06 + 1.06 * 0.55 * d * np.sin(a)]),
                        "fittings",
                    )
                )
        for sx in (1, -1):
            for sy in (1, -1):
                solids.append(Solid(box((0.14, 0.14, 0.3), (sx * (w - 0.03), sy * (d - 0.03), -0.42), 0.02), "fittings"))
            a = np.linspace(0, np.pi, 16)
            grip = np.stack([sx * (w + 0.01 + 0.12 * np.sin(a)), 0.16 * np.cos(a), 0 * a - 0.15], 1)
            solids.append(Solid(builder.sweep(tube(grip, 0.028)), "fittings"))
        lock = subtract(
            box((0.2, 0.09, 0.24), (0, -d - 0.03, 0.02), 0.02),
            [cylinder(0.03, 0.2, (0, -d - 0.1, 0.03), "y", 20), box((0.024, 0.2, 0.09), (0, -d - 0.1, -0.02))],
        )
        return [*solids, Solid(lock, "fittings")]

    def _lamp(self, builder: Builder) -> list[Solid]:
        s = np.linspace(0, 1, 50)
        shape = (
            0.1
            + self.leg * 2.4 * np.exp(-(((s - 0.42) / 0.2) ** 2))
            + 0.1 * np.exp(-(((s - 0.12) / 0.04) ** 2))
            + 0.06 * np.exp(-(((s - 0.85) / 0.03) ** 2))
        )
        body = builder.sweep(lathe([(0, -0.94), *zip(shape, -0.94 + 1.0 * s, strict=True), (0, 0.06)], (14, 38)), "legs")
        base = builder.sweep(lathe([(0, -1), (0.36, -1), (0.36, -0.95), (0.3, -0.92), (0.14, -0.88), (0, -0.88)]))
        low, high = 0.02, 0.78
        outer = [(0.62, low), (0.64, low + 0.02), (0.36, high), (0.33, high)]
        shade = builder.sweep(lathe([(0, low), *outer, (0, high)], (2, 3), circle), "seat")
        inner = builder.sweep(lathe([(0, low - 0.1), (0.62, low - 0.1), (0.285, high + 0.1), (0, high + 0.1)]))
        spokes = [cylinder(0.014, 0.78, (0, 0, high - 0.08), "x", 10).rotate([0, 0, 60.0 * k]) for k in range(3)]
        stem = [cylinder(0.03, 0.75, (0, 0, 0.4), segments=16), Manifold.sphere(0.06, 24).translate([0, 0, high + 0.02])]
        bulb = [cylinder(0.05, 0.14, (0, 0, 0.16), segments=24), Manifold.sphere(0.1, 32).translate([0, 0, 0.3])]
        return [
            Solid(body, "legs"),
            Solid(base, "fittings"),
            Solid(subtract(shade, [inner]), "seat"),
            *(Solid(b, "fittings") for b in (*spokes, *stem, *bulb)),
        ]

    def _clock(self, builder: Builder) -> list[Solid]:
        w, d = 0.24, 0.16

        def case(x: float, y: float, low: float, high: float) -> Manifold:
            return builder.sweep(lathe([(0, low), (1, low), (1, high), (0, high)], (1, 2), rectangle(x, y)), "rails")

        solids = [Solid(case(w * 1.3, d * 1.25, -0.9, -0.5), "rails"), Solid(case(w, d, -0.52, 0.35), "rails")]
        solids.append(Solid(box((2.6 * w, 2.5 * d, 0.5), (0, 0, 0.56), 0.015), "frame"))
        mouldings = ((-0.94, 1.45, 0.1), (-0.5, 1.4, 0.06), (0.32, 1.4, 0.06), (0.82, 1.5, 0.07))
        solids += [Solid(box((2 * w * k, 2 * d * k, t), (0, 0, z), 0.02), "frame") for z, k, t in mouldings]
        pediment = [(-w * 1.4, 0), (w * 1.4, 0), (w * 1.2, 0.1), (w * 0.4, 0.16), (0, 0.1), (-w * 0.4, 0.16), (-w * 1.2, 0.1)]
        solids.append(Solid(_extrude_y(np.array(pediment), 0.1).translate([0, -0.05, 0.84]), "frame"))
        solids += [
            Solid(
                builder.sweep(
                    lathe([(0, 0), (0.05, 0.0), (0.03, 0.04), (0.055, 0.09), (0.03, 0.14), (0.012, 0.2), (0, 0.21)])
                ).translate([x, -0.05, 0.85 + z]),
                "fittings",
            )
            for x, z in ((0, 0.05), (-w * 1.1, 0.0), (w * 1.1, 0.0))
        ]
        y = -1.25 * d
        dial = [subtract(cylinder(0.24, 0.05, (0, y, 0.57), "y", 64), [cylinder(0.21, 0.03, (0, y - 0.02, 0.57), "y", 64)])]
        for k in range(12):
            mark = box((0.018 if k % 3 else 0.03, 0.04, 0.05), (0, y, 0.17), 0.004).rotate([0, 30.0 * k, 0])
            dial.append(mark.translate([0, y * (1 - 1), 0.57]))
        hands = [
            box((0.022, 0.03, long), (0, y - 0.02, long / 2 - 0.02)).rotate([0, turn, 0]).translate([0, 0, 0.57])
            for long, turn in ((0.17, 30.0 * self.count), (0.12, 100.0))
        ]
        solids += [Solid(b, "fittings") for b in (*dial, *hands, cylinder(0.025, 0.07, (0, y, 0.57), "y", 20))]
        window = subtract(box((0.26, 0.06, 0.56), (0, -d, -0.08), 0.02), [box((0.19, 0.1, 0.48), (0, -d - 0.06, -0.08))])
        bob = [cylinder(0.012, 0.4, (0, -d - 0.01, 0.0), segments=10), cylinder(0.08, 0.04, (0, -d - 0.01, -0.2), "y", 40)]
        solids += [Solid(window, "frame"), *(Solid(b, "fittings") for b in bob)]
        column = self._leg(builder, 0.46, 0.032).translate([0, 0, 0.33])
        return solids + [Solid(column.translate([side * w * 1.24, -1.25 * d - 0.0, 0]), "legs") for side in (1, -1)]


def _extrude(outline: Floats, long: float) -> Manifold:
    """A (y, z) outline drawn out along x, centred."""
    return section(outline).extrude(long).translate([0, 0, -long / 2]).rotate([90, 0, 90])


def _extrude_y(outline: Floats, long: float) -> Manifold:
    """An (x, z) outline drawn out along y, centred."""
    return section(outline).extrude(long).translate([0, 0, -long / 2]).rotate([90, 0, 0])
