"""Greebled hulls: star ships, stations, engine blocks; plating, pipes, vents, turrets, antennae, engines."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.palette import ARMOUR
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cylinder, strut, subtract, union
from versemill.detailverse.spines import lathe, rectangle, tube


@family("hull")
class Hull(Family):
    """A machine world in one body, long along y, its bow to the front."""

    title: ClassVar[str] = "greebled hulls"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("industrial", "alien")
    renamed: ClassVar[dict[str, str]] = {"greebles": "machinery", "turret": "turrets"}
    slots: ClassVar[dict[str, Slot]] = {
        "hull": Slot((), "hull"),
        "machinery": Slot((), "bare metal"),
        "engines": Slot(("ribs", "grooves", "knurling", "panels", "fluting"), "bare metal"),
        "turrets": Slot(ARMOUR, "hull", ornament=0.8),
    }

    kind: Literal["cruiser", "freighter", "station", "block"] = Field(default="cruiser", description="overall form")
    width: float = Field(default=0.45, ge=0.35, le=0.6, description="half width over half length")
    height: float = Field(default=0.25, ge=0.18, le=0.34, description="half height over half length")
    bow: float = Field(default=0.35, ge=0.15, le=0.6, description="width of the bow over the width amidships")
    density: float = Field(default=0.6, ge=0.4, le=1.0, description="how thickly it is covered")
    engines: int = Field(default=3, ge=2, le=5, description="number of engines, rings or turrets")

    def noun(self) -> str:
        return {
            "cruiser": f"star cruiser with {self.engines} engines",
            "freighter": f"space freighter with containers and {self.engines} engines",
            "station": f"space station with {self.engines} docking arms",
            "block": "engine block covered in pipes and vents",
        }[self.kind]

    def name(self) -> str:
        return {"cruiser": "starship", "freighter": "space freighter", "station": "space station", "block": "engine block"}[
            self.kind
        ]

    def parts(self) -> tuple[str, ...]:
        return ("hull", "machinery", "engines", "turrets")

    def build(self, builder: Builder) -> list[Solid]:
        return {"cruiser": self._ship, "freighter": self._freighter, "station": self._station, "block": self._block}[self.kind](
            builder
        )

    def _ship(self, builder: Builder) -> list[Solid]:
        w, h = self.width, self.height
        b = self.bow
        outline = [
            (-w * b, -1, 0.35),
            (w * b, -1, 0.35),
            (w * 0.8, -0.2, 0.9),
            (-w * 0.8, -0.2, 0.9),
            (w, 0.5, 1.0),
            (-w, 0.5, 1.0),
            (w * 0.75, 0.85, 0.8),
            (-w * 0.75, 0.85, 0.8),
        ]
        points = [(x, y, s * h * k) for x, y, k in outline for s in (0.3, -0.3)]
        points += [(x * 0.62, y * 0.9 + 0.04, s * h * k) for x, y, k in outline for s in (1, -0.8)]
        hull = Manifold.hull_points(np.array(points))
        notch = [box((w * 3, 0.05, 0.05), (0, y, 0)) for y in np.linspace(-0.7, 0.7, 6)]
        trench = box((w * 3, 3, 0.035), (0, 0, 0))
        hull = subtract(hull, [*(n for n in notch), subtract(trench, [box((w * 1.9 * 0.8, 3, 1))])])
        greebles = self._cover(builder, hull, "top", (0, 0, 1), w, 0.95) + self._cover(builder, hull, "side", (1, 0, 0), h, 0.9)
        greebles += self._cover(builder, hull, "bottom", (0, 0, -1), w, 0.95)
        bridge = [
            box((w * 0.5, 0.3, 0.2), (0, 0.45, h + 0.05), 0.03),
            box((w * 0.32, 0.2, 0.16), (0, 0.47, h + 0.2), 0.02),
            box((w * 0.7, 0.09, 0.07), (0, 0.46, h + 0.3), 0.02),
        ]
        masts = [strut((x, 0.5, h + 0.25), (x, 0.5, h + 0.3 + t), 0.012, 6) for x, t in ((-0.08, 0.2), (0.1, 0.12))]
        spread = np.linspace(-0.62, 0.62, self.engines) * w if self.engines > 1 else np.zeros(1)
        radius = min(0.19, 0.55 * h + 0.05, 0.55 * w * 1.24 / max(self.engines - 1, 1))
        bells = [self._engine(builder, radius).translate([float(x), 0.8, 0]) for x in spread]
        turret = [Solid(self._turret(builder).translate([side * w * 0.35, -0.2, h * 0.8]), "turrets") for side in (1, -1)]
        return [
            Solid(hull, "hull"),
            *(Solid(b, "hull") for b in bridge),
            *(Solid(m, "machinery") for m in (*greebles, *masts)),
            *(Solid(e, "engines") for e in bells),
            *turret,
        ]

    def _engine(self, builder: Builder, r: float) -> Manifold:
        profile = [
            (0, -0.15),
            (r * 0.8, -0.15),
            (r, -0.08),
            (r, 0.12),
            (r * 0.8, 0.16),
            (r * 0.95, 0.3),
            (r * 0.85, 0.3),
            (r * 0.55, 0.14),
            (0, 0.12),
        ]
        return builder.sweep(lathe(profile, (2, 3)), "engines").rotate([-90, 0, 0])

    def _turret(self, builder: Builder) -> Manifold:
        base = builder.sweep(lathe([(0, -0.06), (0.13, -0.06), (0.13, 0.06), (0.1, 0.1), (0, 0.1)], (1, 2)), "turrets")
        head = box((0.14, 0.17, 0.08), (0, 0, 0.12), 0.02)
        barrels = [cylinder(0.018, 0.3, (x, -0.2, 0.13), "y", 12) for x in (-0.035, 0.035)]
        return union([base, head, *barrels])

    def _cover(
        self, builder: Builder, body: Manifold, name: str, axis: tuple[int, int, int], wide: float, long: float
    ) -> list[Manifold]:
        """Greebles dropped on a body from outside, where rays meet it, facing the axis."""
        rng = builder.rng(f"greebles/{name}")
        greebles: list[Manifold] = []
        count = int(110 * self.density)
        side = axis[0] != 0
        for _ in range(count):
            u, v = rng.uniform(-1, 1) ** 3 * wide * 0.9, rng.uniform(-1, 1) * long
            sign = float(axis[2]) if not side else 1.0 if rng.random() < 0.5 else -1.0
            start, end = ((sign * 3, v, u * 0.8), (0, v, u * 0.8)) if side else ((u, v, 3.0 * sign), (u, v, 0.0))
            sizes = rng.uniform(0.045, 0.125, 3) * [1, 1.5, 0.7]
            kind = int(rng.integers(6))
            hits = body.ray_cast(start, end)
            if not hits:
                continue
            spot = np.array(hits[0].position)
            greebles.append(
                _greeble(kind, sizes)
                .rotate([0, 90.0 * sign if side else 90 - 90 * sign, 0])
                .translate([float(x) for x in spot])
            )
        return greebles

    def _freighter(self, builder: Builder) -> list[Solid]:
        rng = builder.rng("containers")
        spine_body = box((0.16, 1.5, 0.16), (0, 0, 0), 0.02)
        ribs = [
            subtract(
                box((0.34, 0.05, 0.34), (0, y, 0), 0.01),
                [cylinder(0.05, 1, (x, y, z), "y", 12) for x in (-0.12, 0.12) for z in (-0.12, 0.12)],
            )
            for y in np.linspace(-0.6, 0.6, 7)
        ]
        boxes = []
        for y in np.linspace(-0.5, 0.5, 6):
            for sx in (1, -1):
                for sz in (1, -1):
                    if rng.random() < 0.12:
                        continue
                    size = np.array([self.width * 0.75, 0.15, self.height * 1.1])
                    at = (sx * (0.06 + size[0] / 2), y, sz * (0.06 + size[2] / 2))
                    grooves = [
                        box((0.018, 0.3, 2), (at[0] + x, y + side * 0.163, 0))
                        for x in np.linspace(-0.4, 0.4, 9) * size[0]
                        for side in (1, -1)
                    ]
                    across = [
                        box((0.02, 1, 0.02), (at[0] + x, y, at[2] + sz * size[2] / 2))
                        for x in np.linspace(-0.4, 0.4, 9) * size[0]
                    ]
                    boxes.append(subtract(box(size, at, 0.012), [*grooves, *across]))
        head = Manifold.hull_points(
            np.array(
                [
                    (x * self.width * k, y, z * self.height * k)
                    for x in (1, -1)
                    for z in (1, -0.7)
                    for y, k in ((-1, 0.4), (-0.85, 0.85), (-0.62, 0.9))
                ]
            )
        )
        window = [box((0.07, 0.2, 0.05), (x, -0.93, self.height * 0.3)) for x in np.linspace(-0.2, 0.2, 4)]
        stern = box((self.width * 1.7, 0.34, self.height * 1.7), (0, 0.72, 0), 0.05)
        spread = np.linspace(-0.6, 0.6, self.engines) * self.width
        bells = [
            self._engine(builder, min(0.17, 0.6 * self.width * 1.2 / self.engines + 0.03)).translate([float(x), 0.88, 0])
            for x in spread
        ]
        extra = self._cover(builder, stern, "stern", (0, 0, 1), self.width * 0.9, 1.0) + self._cover(
            builder, head, "head", (0, 0, 1), self.width * 0.9, 1.0
        )
        return [
            Solid(subtract(head, window), "hull"),
            Solid(stern, "hull"),
            *(Solid(b, "machinery") for b in (spine_body, *ribs, *extra)),
            *(Solid(b, "turrets") for b in boxes),
            *(Solid(e, "engines") for e in bells),
        ]

    def _station(self, builder: Builder) -> list[Solid]:
        core = builder.sweep(
            lathe(
                [
                    (0, -0.8),
                    (0.12, -0.8),
                    (0.3, -0.6),
                    (0.3, -0.2),
                    (0.2, -0.15),
                    (0.2, 0.15),
                    (0.34, 0.25),
                    (0.34, 0.55),
                    (0.12, 0.75),
                    (0.05, 0.8),
                    (0.02, 1.0),
                    (0, 1.0),
                ],
                (6, 7),
            ),
            "engines",
        )
        low = builder.sweep(lathe([(0, -0.6), (0.31, -0.58), (0.31, -0.22), (0, -0.2)], (1, 2)), "turrets")
        a = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        ring = builder.sweep(tube(np.stack([0.85 * np.cos(a), 0.85 * np.sin(a), 0 * a], 1), 1.0, True, rectangle(0.11, 0.075)))
        modules = [
            box((0.12, 0.2, 0.2), (0.88, 0, 0), 0.03).rotate([0, 0, 360 * k / (4 * self.engines)])
            for k in range(4 * self.engines)
        ]
        arms = [
            union(
                [
                    box((0.75, 0.09, 0.09), (0.5, 0, 0), 0.015),
                    *(box((0.04, 0.14, 0.14), (x, 0, 0), 0.01) for x in np.linspace(0.25, 0.75, 6)),
                ]
            ).rotate([0, 0, 360 * (k + 0.25) / self.engines])
            for k in range(self.engines)
        ]
        panels = []
        for side in (1, -1):
            wing = subtract(
                box((0.5, 0.02, 0.26), (side * 0.5, 0, 0.42)),
                [
                    box((0.07, 0.012, 0.1), (side * (0.3 + 0.09 * i), y, 0.36 + 0.12 * j))
                    for i in range(5)
                    for j in range(2)
                    for y in (-0.012, 0.012)
                ],
            )
            panels += [wing, cylinder(0.02, 0.8, (side * 0.4, 0, 0.42), "x", 10)]
        extra = self._cover(builder, ring, "ring", (0, 0, 1), 1.0, 0.95)
        return [
            Solid(core, "engines"),
            Solid(low, "turrets"),
            Solid(ring, "hull"),
            *(Solid(b, "hull") for b in (*arms, *modules)),
            *(Solid(b, "machinery") for b in (*extra, *panels)),
        ]

    def _block(self, builder: Builder) -> list[Solid]:
        w, h = self.width + 0.15, self.height + 0.15
        body = box((2 * w, 1.7, 2 * h), (0, 0, 0), 0.06)
        rng = builder.rng("pipes")
        pipes = []
        for k in range(6):
            x, y0, y1 = rng.uniform(-0.9, 0.9) * w, *np.sort(rng.uniform(-0.75, 0.75, 2))
            lift = h + 0.08 + 0.05 * (k % 2)
            path = np.array([(x, y0, h - 0.05), (x, y0, lift), (x, y1 + 0.15, lift), (x, y1 + 0.15, h - 0.05)])
            radius = float(rng.uniform(0.02, 0.04))
            pipes += [strut(a, b, radius, 14) for a, b in itertools.pairwise(path)]
            pipes += [cylinder(radius * 1.5, 0.04, (x, y, lift), "y", 16) for y in np.linspace(y0 + 0.05, y1 + 0.1, 3)]
        banks = [
            self._engine(builder, 0.11).rotate([90, 0, 0]).translate([side * w * 0.6, float(y), h])
            for side in (1, -1)
            for y in np.linspace(-0.6, 0.6, self.engines)
        ]
        vents = [box((2 * w + 1, 0.02, 0.12), (0, y, -h * 0.3)) for y in np.linspace(-0.6, 0.6, 19)]
        body = subtract(body, [subtract(v, [box((1.9 * w, 2, 2))]) for v in vents])
        extra = self._cover(builder, body, "top", (0, 0, 1), w, 0.8) + self._cover(builder, body, "side", (1, 0, 0), h, 0.8)
        fan = [(0, -0.06), (0.3, -0.06), (0.3, 0.08), (0.26, 0.08), (0.22, 0.03), (0.1, 0.03), (0.05, 0.1), (0, 0.12)]
        blades = [box((0.2, 0.05, 0.05), (0.15, 0, 0.05), 0.01).rotate([30, 0, 0]).rotate([0, 0, 40.0 * k]) for k in range(9)]
        front = union([builder.sweep(lathe(fan, (1, 2)), "turrets"), *blades]).rotate([90, 0, 0]).translate([0, -0.84, 0])
        return [
            Solid(body, "hull"),
            Solid(front, "turrets"),
            *(Solid(b, "machinery") for b in (*pipes, *extra)),
            *(Solid(b, "engines") for b in banks),
        ]


def _greeble(kind: int, sizes: np.ndarray) -> Manifold:
    """A small technical detail on the plane z = 0, sunk a little into it."""
    x, y, z = (float(s) for s in sizes)
    if kind == 0:
        return union([box((x, y, z), (0, 0, z / 2 - 0.01), 0.008), box((x * 0.6, y * 0.6, z * 0.6), (0, 0, z), 0.006)])
    if kind == 1:
        return union(
            [
                box((x, y, 0.04), (0, 0, 0.008), 0.006),
                *(box((x * 0.8, y * 0.08, z * 0.5), (0, y * t, z * 0.2)) for t in (-0.36, -0.18, 0, 0.18, 0.36)),
            ]
        )
    if kind == 2:
        return union([cylinder(x * 0.6, 0.05, (0, 0, 0.01), segments=20), cylinder(x * 0.4, z, (0, 0, z / 2), segments=20)])
    if kind == 3:
        return union(
            [cylinder(0.018, y * 1.5, (t, 0, 0.015), "y", 12) for t in (-0.025, 0.025)]
            + [box((0.1, 0.03, 0.05), (0, t * y, 0.01)) for t in (-0.5, 0, 0.5)]
        )
    if kind == 4:
        return box((x * 1.3, y * 1.3, 0.05), (0, 0, 0.0), 0.012)
    return union([box((x, x, 0.05), (0, 0, 0.0), 0.006), Manifold.sphere(x * 0.4, 20).translate([0, 0, 0.02])])
