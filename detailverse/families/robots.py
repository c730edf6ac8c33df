"""Kit-bashed robots and vehicles: panelled bodies, jointed limbs, tracks, wheels, antennae, lamps."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.palette import ARMOUR
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cylinder, hull, strut, subtract, union
from versemill.detailverse.spines import lathe, rectangle, tube


@family("robot")
class Robot(Family):
    """A machine that stands or rolls, put together from a kit."""

    title: ClassVar[str] = "robots and vehicles"
    grain: ClassVar[Literal["x", "y", "z"]] = "x"
    styles: ClassVar[tuple[str, ...]] = ("industrial", "alien")
    labels: ClassVar[dict[str, str]] = {"limbs": "joints and fittings"}
    slots: ClassVar[dict[str, Slot]] = {
        "body": Slot(ARMOUR, "hull", ornament=0.7),
        "limbs": Slot(("grooves", "ribs", "knurling"), "bare metal"),
        "wheels": Slot(("tread",), "rubber", ornament=1.8),
        "lamps": Slot((), "lamp"),
    }

    kind: Literal["biped", "tracked", "walker", "rover", "tank", "truck"] = Field(default="biped", description="what it is")
    width: float = Field(default=0.36, ge=0.3, le=0.44, description="half width of the trunk")
    trunk: float = Field(default=0.3, ge=0.24, le=0.38, description="half height of the trunk")
    head: Literal["dome", "box", "drum"] = Field(default="dome", description="form of the head")
    limb: float = Field(default=0.09, ge=0.07, le=0.12, description="radius of limbs")
    count: int = Field(default=3, ge=2, le=4, description="wheels per side, eyes, pairs of legs")
    pose: float = Field(default=0.5, ge=0.0, le=1.0, description="how far arms and barrels are raised")

    def noun(self) -> str:
        return {
            "biped": f"two-legged robot with a {self.head} head",
            "tracked": f"tracked robot with a {self.head} head",
            "walker": f"{2 * self.count}-legged walker",
            "rover": f"{2 * self.count}-wheeled rover",
            "tank": "tank",
            "truck": f"{2 * self.count}-wheeled armoured truck",
        }[self.kind]

    def name(self) -> str:
        return {"biped": "robot", "tracked": "tracked robot", "walker": "walking robot", "truck": "armoured truck"}.get(
            self.kind, self.kind
        )

    def parts(self) -> tuple[str, ...]:
        return ("body", "limbs", "lamps") if self.kind in ("biped", "walker") else ("body", "wheels", "limbs", "lamps")

    def build(self, builder: Builder) -> list[Solid]:
        return {
            "biped": self._biped,
            "tracked": self._tracked,
            "walker": self._walker,
            "rover": self._rover,
            "tank": self._tank,
            "truck": self._truck,
        }[self.kind](builder)

    def _block(self, builder: Builder, x: float, y: float, low: float, high: float, inset: float = 0.88) -> Manifold:
        """A panelled body with bevelled ends."""
        rise = 0.06
        profile = [(0, low), (inset, low), (1, low + rise), (1, high - rise), (inset, high), (0, high)]
        return builder.sweep(lathe(profile, (2, 3), rectangle(x, y)), "body")

    def _limb(self, builder: Builder, a: np.ndarray, b: np.ndarray, r: float) -> list[Manifold]:
        """A piston between two joints."""
        path = np.stack([a + (b - a) * f for f in (0.0, 0.12, 0.6, 0.62, 1.0)])
        rod = builder.sweep(tube(path, [r, r, r, 0.6 * r, 0.6 * r]), "limbs", copies=6)
        return [rod, Manifold.sphere(1.45 * r, 28).translate(a.tolist()), Manifold.sphere(1.25 * r, 28).translate(b.tolist())]

    def _head(self, builder: Builder, z: float) -> list[Solid]:
        r = 0.62 * self.width
        if self.head == "box":
            skull: Manifold = box((2 * r, 1.7 * r, 1.5 * r), (0, 0, z + 0.75 * r), 0.04)
        elif self.head == "drum":
            skull = builder.sweep(
                lathe([(0, z), (r * 0.9, z), (r, z + 0.05), (r, z + 1.2 * r), (0.8 * r, z + 1.4 * r), (0, z + 1.4 * r)])
            )
        else:
            angle = np.linspace(0, np.pi / 2, 16)
            skull = builder.sweep(
                lathe([(0, z), (r, z), *((r * np.cos(t), z + 0.4 * r + r * np.sin(t)) for t in angle[:-1]), (0.0, z + 1.4 * r)])
            )
        front = -0.85 * r if self.head == "box" else -0.93 * r
        visor = box((1.4 * r, 0.16, 0.42 * r), (0, front, z + 0.7 * r), 0.03)
        solids = [Solid(skull, "body"), Solid(visor, "limbs")]
        for x in np.linspace(-0.42, 0.42, self.count) * r:
            ring = subtract(
                cylinder(0.15 * r, 0.1, (x, front - 0.08, z + 0.7 * r), "y", 24),
                [cylinder(0.1 * r, 0.3, (x, front - 0.15, z + 0.7 * r), "y", 24)],
            )
            solids += [
                Solid(ring, "limbs"),
                Solid(Manifold.sphere(0.11 * r, 20).translate([float(x), front - 0.09, z + 0.7 * r]), "lamps"),
            ]
        for side in (1, -1):
            solids.append(Solid(cylinder(0.3 * r, 0.12, (side * r, 0, z + 0.7 * r), "x", 24), "limbs"))
            solids.append(Solid(strut((side * r, 0, z + 0.7 * r), (side * 1.15 * r, 0, z + 2.1 * r), 0.02, 8), "limbs"))
            solids.append(Solid(Manifold.sphere(0.04, 16).translate([side * 1.15 * r, 0, z + 2.1 * r]), "lamps"))
        return solids

    def _arms(self, builder: Builder, z: float) -> list[Solid]:
        solids: list[Solid] = []
        for side in (1, -1):
            shoulder = np.array([side * (self.width + 0.09), 0, z])
            elbow = shoulder + [side * 0.1, 0.02, -0.36]
            lift = self.pose if side == 1 else 0.35
            hand = elbow + np.array([0, -0.3 * np.cos(0.5 * lift), -0.25 + 0.55 * lift])
            for a, b in ((shoulder, elbow), (elbow, hand)):
                solids += [Solid(m, "limbs") for m in self._limb(builder, a, b, self.limb * 0.8)]
            solids.append(Solid(box((0.2, 0.24, 0.2), shoulder + [0, 0, 0.03], 0.05), "body"))
            for k in range(3):
                t = 2 * np.pi * k / 3
                way = np.array([0.07 * np.cos(t), -0.04, 0.07 * np.sin(t)])
                solids.append(Solid(strut(hand, hand + way + [0, -0.06, 0], 0.035, 10), "limbs"))
                solids.append(
                    Solid(strut(hand + way + [0, -0.06, 0], hand + 0.7 * way + [0, -0.18, 0], 0.028, 10, 0.015), "limbs")
                )
        return solids

    def _chest(self, z: float, y: float) -> list[Solid]:
        plate = box((self.width * 1.1, 0.07, 0.2), (0, -y, z), 0.02)
        dials = [cylinder(0.045, 0.1, (x, -y - 0.02, z), "y", 20) for x in np.linspace(-0.32, 0.32, 4) * self.width]
        return [Solid(plate, "limbs"), *(Solid(d, "lamps") for d in dials)]

    def _biped(self, builder: Builder) -> list[Solid]:
        low, high = -0.15, -0.15 + 2 * self.trunk + 0.1
        depth = 0.27
        solids = [Solid(self._block(builder, self.width, depth, low, high), "body"), *self._chest(high - 0.25, depth)]
        solids.append(Solid(cylinder(0.15, 0.14, (0, 0, high + 0.03), segments=32), "limbs"))
        solids.append(Solid(box((self.width * 1.3, 0.36, 0.18), (0, 0, low - 0.06), 0.05), "limbs"))
        for side in (1, -1):
            hip = np.array([side * self.width * 0.55, 0, low - 0.1])
            knee, ankle = hip + [side * 0.06, -0.1, -0.34], hip + [side * 0.06, 0.02, -0.68]
            for a, b in ((hip, knee), (knee, ankle)):
                solids += [Solid(m, "limbs") for m in self._limb(builder, a, b, self.limb)]
            foot = hull(
                np.array(
                    [
                        (x, y, z)
                        for x in (0.13, -0.13)
                        for y, z in ((-0.28, -0.1), (0.17, -0.1), (-0.26, -0.04), (0.12, 0.08), (-0.04, 0.09))
                    ]
                )
            )
            toes = [box((0.05, 0.14, 0.06), (x, -0.3, -0.07), 0.015) for x in (-0.08, 0, 0.08)]
            solids.append(Solid(union([foot, *toes]).translate((ankle + [0, 0, -0.03]).tolist()), "body"))
            solids.append(Solid(box((0.16, 0.1, 0.18), knee + [0, -0.08, 0], 0.03), "body"))
        pack = [
            box((self.width * 1.2, 0.16, self.trunk * 1.3), (0, depth + 0.05, 0.15), 0.04),
            *(cylinder(0.09, 0.45, (x, depth + 0.16, 0.15), segments=24) for x in (-0.14, 0.14)),
        ]
        solids += [Solid(p, "limbs") for p in pack]
        return [*solids, *self._arms(builder, high - 0.14), *self._head(builder, high + 0.06)]

    def _track(self, x: float, long: float, high: float, wide: float, z: float) -> list[Solid]:
        """A caterpillar track on its wheels, along y."""
        r = high / 2
        turn = np.pi * r
        total = 2 * (long - 2 * r) + 2 * turn
        belt = hull(
            np.array(
                [
                    (w, y + r * np.cos(t) * s, r * np.sin(t))
                    for w in (wide / 2, -wide / 2)
                    for s, y in ((1, long / 2 - r), (-1, r - long / 2))
                    for t in np.linspace(-np.pi / 2, np.pi / 2, 17)
                ]
            )
        )
        inner = belt.scale([0.7, 1 - 0.12 * high / long * 4, 0.72])
        hollow = subtract(belt, [inner.translate([side * wide * 0.62, 0, 0]) for side in (1, -1)])
        shoes = []
        count = int(total / 0.085)
        for k in range(count):
            s = total * k / count
            straight = long - 2 * r
            if s < straight:
                y, h, tilt = s - straight / 2, r, 0.0
            elif s < straight + turn:
                t = (s - straight) / r
                y, h, tilt = straight / 2 + r * np.sin(t), r * np.cos(t), -np.degrees(t)
            elif s < 2 * straight + turn:
                y, h, tilt = straight / 2 - (s - straight - turn), -r, 180.0
            else:
                t = (s - 2 * straight - turn) / r
                y, h, tilt = -straight / 2 - r * np.sin(t), -r * np.cos(t), 180 - np.degrees(t)
            shoes.append(
                box((wide * 1.06, 0.055, 0.05), bevel=0.008).rotate([float(tilt), 0, 0]).translate([0, float(y), float(h)])
            )
        wheels = []
        for y in np.linspace(-(long / 2 - r), long / 2 - r, self.count + 2):
            wheel = cylinder(r * 0.72, wide * 0.9, (0, y, 0), "x", 32)
            holes = [
                cylinder(r * 0.12, wide * 2, (0, y + 0.42 * r * np.cos(t), 0.42 * r * np.sin(t)), "x", 12)
                for t in np.arange(6) * np.pi / 3
            ]
            wheels += [subtract(wheel, holes), cylinder(r * 0.2, wide * 1.05, (0, y, 0), "x", 16)]
        move = [x, 0, z]
        return [
            Solid(hollow.translate(move), "wheels"),
            *(Solid(s.translate(move), "wheels") for s in shoes),
            *(Solid(w.translate(move), "limbs") for w in wheels),
        ]

    def _wheel(self, builder: Builder, r: float, wide: float) -> Manifold:
        """A tyre with a hub, axis along x, its ornament the tread."""
        profile = [
            (0, -wide / 2),
            (0.5 * r, -wide / 2),
            (0.55 * r, -wide * 0.4),
            (0.62 * r, -wide / 2),
            (0.88 * r, -wide / 2),
            (r, -wide * 0.36),
            (r, wide * 0.36),
            (0.88 * r, wide / 2),
            (0.62 * r, wide / 2),
            (0.55 * r, wide * 0.4),
            (0.5 * r, wide / 2),
            (0, wide / 2),
        ]
        tyre = builder.sweep(lathe(profile, (5, 6)), "wheels", copies=4)
        bolts = [
            cylinder(0.06 * r, wide + 0.05, (0.33 * r * np.cos(t), 0.33 * r * np.sin(t), 0), segments=6)
            for t in np.arange(6) * np.pi / 3
        ]
        return union([tyre, *bolts, cylinder(0.14 * r, wide + 0.08, segments=20)]).rotate([0, 90, 0])

    def _tracked(self, builder: Builder) -> list[Solid]:
        low, high = -0.45, -0.4 + 2 * self.trunk
        solids = [Solid(self._block(builder, self.width, 0.26, low, high), "body"), *self._chest(high - 0.22, 0.26)]
        solids.append(Solid(box((self.width * 2, 0.6, 0.2), (0, 0, -0.55), 0.04), "limbs"))
        solids.append(Solid(cylinder(0.14, 0.14, (0, 0, high + 0.03), segments=32), "limbs"))
        for side in (1, -1):
            solids += self._track(side * (self.width + 0.1), 1.1, 0.42, 0.22, -0.62)
        return [*solids, *self._arms(builder, high - 0.14), *self._head(builder, high + 0.06)]

    def _walker(self, builder: Builder) -> list[Solid]:
        solids = [Solid(self._block(builder, self.width, 0.55, 0.0, 0.06 + 1.2 * self.trunk), "body")]
        solids.append(Solid(cylinder(0.18, 0.3, (0, -0.35, 0.06 + 1.2 * self.trunk), segments=40), "limbs"))
        n = self.count
        for side in (1, -1):
            for y in np.linspace(-0.45, 0.45, n):
                hip = np.array([side * self.width, y, 0.16])
                knee, foot = hip + [side * 0.3, 0.25 * y, 0.24], hip + [side * 0.55, 0.5 * y, -0.62]
                for a, b in ((hip, knee), (knee, foot)):
                    solids += [Solid(m, "limbs") for m in self._limb(builder, a, b, self.limb * 0.75)]
                solids.append(Solid(cylinder(0.13, 0.07, foot + [0, 0, -0.03], segments=24, top=0.08), "body"))
        return solids + [Solid(s.body.translate([0, -0.35, 0]), s.part) for s in self._head(builder, 0.12 + 1.2 * self.trunk)]

    def _rover(self, builder: Builder) -> list[Solid]:
        solids = [Solid(self._block(builder, self.width, 0.6, -0.3, 0.05), "body")]
        panel = subtract(
            box((1.2, 0.9, 0.04), (0, 0.25, 0.2), 0.01),
            [
                box((0.1, 0.1, 0.04), (x, 0.25 + y, 0.225))
                for x in np.linspace(-0.52, 0.52, 10)
                for y in np.linspace(-0.36, 0.36, 7)
            ],
        )
        mast = [
            cylinder(0.035, 0.75, (0.2, -0.45, 0.35), segments=16),
            box((0.34, 0.16, 0.14), (0.2, -0.45, 0.75), 0.03),
            cylinder(0.02, 0.2, (0, 0.25, 0.1), segments=12),
        ]
        dish = (
            builder.sweep(lathe([(0, 0), (0.05, 0), (0.24, 0.1), (0.23, 0.12), (0.05, 0.03), (0, 0.03)]))
            .rotate([40, 0, 0])
            .translate([-0.28, 0.5, 0.42])
        )
        post = strut((-0.28, 0.5, 0.1), (-0.28, 0.5, 0.44), 0.025, 10)
        solids += [Solid(panel, "lamps"), *(Solid(m, "limbs") for m in (*mast, dish, post))]
        for x in (0.12, 0.28):
            solids.append(Solid(cylinder(0.05, 0.1, (x, -0.54, 0.75), "y", 24), "lamps"))
        wheel = self._wheel(builder, 0.24, 0.22)
        for side in (1, -1):
            for y in np.linspace(-0.62, 0.62, self.count):
                at = np.array([side * (self.width + 0.25), y, -0.52])
                solids.append(Solid(wheel.translate(at.tolist()), "wheels"))
                solids += [
                    Solid(strut((side * self.width * 0.9, y * 0.7, -0.18), at + [-side * 0.16, 0, 0.16], 0.04, 12), "limbs"),
                    Solid(strut(at + [-side * 0.16, 0, 0.16], at, 0.045, 12), "limbs"),
                ]
        arm = np.array([(-0.2, -0.55, -0.1), (-0.25, -0.85, 0.1 + 0.2 * self.pose), (-0.25, -1.05, -0.1)])
        for a, b in itertools.pairwise(arm):
            solids += [Solid(m, "limbs") for m in self._limb(builder, a, b, 0.045)]
        return solids

    def _tank(self, builder: Builder) -> list[Solid]:
        body = hull(
            np.array(
                [
                    (x * self.width * 1.15, y, z)
                    for x in (1, -1)
                    for y, z in ((-0.92, -0.28), (-0.7, -0.12), (0.8, -0.1), (0.9, -0.3), (0.8, -0.5), (-0.75, -0.5))
                ]
            )
        )
        solids = [Solid(body, "limbs")]
        for side in (1, -1):
            solids += self._track(side * (self.width + 0.16), 1.8, 0.42, 0.26, -0.45)
            fender = box((0.3, 1.7, 0.04), (side * (self.width + 0.16), 0, -0.2), 0.012)
            crates = [box((0.2, 0.28, 0.12), (side * (self.width + 0.16), y, -0.13), 0.02) for y in (0.2, 0.55)]
            skirts = [box((0.05, 0.19, 0.2), (side * (self.width + 0.31), y, -0.3), 0.02) for y in np.linspace(-0.72, 0.72, 8)]
            bricks = [
                box((0.12, 0.13, 0.06), (side * (self.width + x), y, -0.16), 0.02)
                for x in (0.09, 0.23)
                for y in np.linspace(-0.75, 0.0, 6)
            ]
            solids += [Solid(b, "body") for b in (fender, *crates, *skirts, *bricks)]
        slats = [box((1.5 * self.width, 0.035, 0.05), (0, y, -0.1), 0.012) for y in np.linspace(0.45, 0.85, 7)]
        glacis = [
            box((0.15, 0.11, 0.05), (x, 0, 0), 0.018).rotate([36, 0, 0]).translate([0, y, z])
            for x in np.linspace(-0.85, 0.85, 5) * self.width
            for y, z in ((-0.87, -0.24), (-0.76, -0.16))
        ]
        solids += [Solid(b, "body") for b in (*slats, *glacis)]
        ring = lathe([(0, -0.16), (1.0, -0.14), (1.0, 0.12), (0.78, 0.2), (0, 0.2)], (1, 2), rectangle(self.width * 1.0, 0.45))
        solids.append(Solid(builder.sweep(ring, "body"), "body"))
        gun = np.array([0.0, -0.4, 0.03])
        way = np.array([0, -np.cos(0.3 * self.pose), np.sin(0.3 * self.pose)])
        solids += [
            Solid(m, "limbs")
            for m in (
                strut(gun, gun + 0.95 * way, 0.055, 24),
                strut(gun + 0.85 * way, gun + 1.0 * way, 0.085, 24),
                strut(gun, gun + 0.2 * way, 0.12, 20),
            )
        ]
        hatch = [
            cylinder(0.14, 0.08, (0.15, 0.1, 0.22), segments=32),
            cylinder(0.11, 0.04, (0.15, 0.1, 0.27), segments=8),
            box((0.14, 0.2, 0.1), (-0.18, 0.1, 0.22), 0.02),
        ]
        masts = [strut((x, 0.35, 0.18), (x * 1.2, 0.45, 0.75), 0.012, 6) for x in (-0.2, 0.2)]
        lamps = [cylinder(0.06, 0.08, (side * self.width * 0.8, -0.82, -0.2), "y", 20) for side in (1, -1)]
        return solids + [Solid(b, "limbs") for b in (*hatch, *masts)] + [Solid(b, "lamps") for b in lamps]

    def _truck(self, builder: Builder) -> list[Solid]:
        w = self.width
        solids = [Solid(self._block(builder, w, 0.6, -0.32, 0.3).translate([0, 0.35, 0]), "body")]
        cab = hull(
            np.array(
                [
                    (x * w * k, y, z)
                    for x in (1, -1)
                    for y, z, k in (
                        (-0.92, -0.34, 0.95),
                        (-0.95, -0.1, 0.95),
                        (-0.55, 0.2, 0.8),
                        (-0.2, 0.22, 0.8),
                        (-0.18, -0.34, 0.95),
                    )
                ]
            )
        )
        windows = [
            box((w * 1.2, 0.2, 0.16), (0, -0.78, 0.06)).rotate([0, 0, 0]),
            *(box((0.2, 0.22, 0.15), (side * w, -0.42, 0.06)) for side in (1, -1)),
        ]
        solids.append(Solid(subtract(cab, windows), "body"))
        grille = [box((0.03, 0.06, 0.16), (x, -0.95, -0.2), 0.006) for x in np.linspace(-0.5, 0.5, 9) * w]
        frame = [box((2 * w * 0.8, 1.85, 0.12), (0, 0, -0.38), 0.02), box((2.1 * w, 0.1, 0.12), (0, -0.97, -0.36), 0.02)]
        pipes = [
            union(
                [
                    cylinder(0.04, 0.75, (side * (w - 0.02), -0.2, 0.2), segments=16),
                    *(cylinder(0.05, 0.03, (side * (w - 0.02), -0.2, z), segments=16) for z in (0.0, 0.2, 0.4)),
                ]
            )
            for side in (1, -1)
        ]
        rack = [strut((x, y, 0.27), (x, y, 0.42), 0.022, 8) for x in (-0.8 * w, 0.8 * w) for y in (-0.1, 0.35, 0.8)] + [
            strut((x, -0.1, 0.42), (x, 0.8, 0.42), 0.022, 8) for x in (-0.8 * w, 0.8 * w)
        ]
        solids += [Solid(b, "limbs") for b in (*grille, *frame, *pipes, *rack)]
        wheel = self._wheel(builder, 0.26, 0.2)
        spots = [-0.65, *np.linspace(0.75, 0.75 - 0.55 * (self.count - 2), self.count - 1)]
        for side in (1, -1):
            for y in spots:
                solids.append(Solid(wheel.translate([side * (w + 0.02), float(y), -0.5]), "wheels"))
            solids.append(Solid(cylinder(0.07, 0.08, (side * 0.75 * w, -0.96, -0.2), "y", 24), "lamps"))
        axles = [cylinder(0.05, 2 * w, (0, float(y), -0.45), "x", 16) for y in spots] + [
            box((0.2, 0.16, 0.2), (0, float(y), -0.42), 0.03) for y in spots
        ]
        return solids + [Solid(a, "limbs") for a in axles]
