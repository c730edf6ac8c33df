"""Hand tools: hammers, saws, spanners, anvils, spades, planes, screwdrivers."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cut, cylinder, hull, strut, subtract, union
from versemill.detailverse.spines import curve, lathe, outline, polygon


@family("tool")
class Tool(Family):
    """A hand tool, upright or on its sole."""

    title: ClassVar[str] = "hand tools"
    styles: ClassVar[tuple[str, ...]] = ("plain", "rustic", "industrial")
    slots: ClassVar[dict[str, Slot]] = {
        "head": Slot((), "tool steel"),
        "blade": Slot((), "tool steel"),
        "handle": Slot(("grooves", "knurling", "ribs"), "handle", ornament=0.6),
        "sole": Slot((), "tool wood"),
        "fittings": Slot((), "hilt"),
        "block": Slot((), "bark"),
    }

    kind: Literal["hammer", "saw", "spanner", "anvil", "spade", "plane", "screwdriver"] = Field(
        default="hammer", description="which tool"
    )
    long: float = Field(default=1.0, ge=0.88, le=1.12, description="length of the handle or blade over the usual")
    thick: float = Field(default=1.0, ge=0.85, le=1.2, description="thickness of the handle or head over the usual")
    form: float = Field(default=0.5, ge=0.0, le=1.0, description="curve of a claw, a back, a horn, an edge")
    teeth: int = Field(default=22, ge=16, le=30, description="teeth of a saw, flutes of a grip")
    claw: bool = Field(default=True, description="a hammer has a claw, a spade a T-shaped grip, a spanner a ring")

    def noun(self) -> str:
        return {
            "hammer": "{} claw hammer" if self.claw else "{} ball-peen hammer",
            "saw": "{} hand saw",
            "spanner": "{} combination spanner" if self.claw else "{} double-ended spanner",
            "anvil": "{} anvil on a wooden block",
            "spade": "{} garden spade",
            "plane": "{} carpenter's plane",
            "screwdriver": "{} screwdriver",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "saw": ("blade", "handle", "fittings"),
            "spanner": ("head",),
            "anvil": ("head", "block"),
            "spade": ("blade", "handle"),
            "plane": ("sole", "blade", "fittings"),
            "screwdriver": ("handle", "blade"),
        }.get(self.kind, ("head", "handle"))

    def _hammer(self, builder: Builder) -> list[Solid]:
        t = self.thick
        z = np.linspace(-1.0, 0.7, 30) * self.long
        s = np.linspace(0, 1, 30)
        r = 0.062 * t * (1 + 0.35 * np.exp(-(((s - 0.12) / 0.16) ** 2)) - 0.2 * np.exp(-(((s - 0.55) / 0.2) ** 2)))
        shaft = builder.sweep(
            lathe([(0, z[0]), *zip(r, z, strict=True), (0, z[-1])], (2, 13), polygon(8, 0.7)), "handle"
        ).scale([1.25, 0.85, 1])
        top = 0.62 * self.long
        solids = [Solid(shaft, "handle"), Solid(box((0.22, 0.2, 0.24), (0, 0, top), 0.04), "head")]
        face = lathe([(0, 0), (0.075, 0), (0.075, 0.14), (0.12, 0.2), (0.125, 0.3), (0.115, 0.32), (0, 0.325)])
        solids.append(Solid(builder.sweep(face, segments=40).rotate([0, 90, 0]).translate([0.08, 0, top]), "head"))
        if self.claw:
            bend = 0.14 + 0.2 * self.form
            path = curve([(-0.05, 0, top), (-0.25, 0, top + 0.04), (-0.46, 0, top - 0.04), (-0.6, 0, top - bend)], 14)
            for side in (1, -1):
                slabs = [
                    box((0.05, 0.07 + 0.0 * k, 0.12 - 0.006 * k), p + [0, side * (0.045 + 0.006 * k), 0], 0.012)
                    for k, p in enumerate(path)
                ]
                solids += [Solid(Manifold.batch_hull([a, b]), "head") for a, b in itertools.pairwise(slabs)]
        else:
            peen = [
                cylinder(0.08, 0.3, (-0.2, 0, top), "x", 32),
                cylinder(0.1, 0.05, (-0.3, 0, top), "x", 32),
                Manifold.sphere(0.11, 32).translate([-0.38, 0, top]),
            ]
            solids += [Solid(p, "head") for p in peen]
        return [*solids, Solid(box((0.12, 0.05, 0.05), (0, 0, 0.72 * self.long), 0.01), "head")]

    def _saw(self, builder: Builder) -> list[Solid]:
        n, count = self.long, 2 * self.teeth
        x = np.linspace(-0.35, 1.15 * n, 2 * count + 1)
        teeth = [(a, -0.3 - (0.045 if k % 2 else 0.0)) for k, a in enumerate(x)]
        blade = cut([*teeth, (1.15 * n, -0.12 + 0.06 * self.form), (-0.35, 0.22)], 0.025)
        frame = outline(
            [
                (-0.3, 0.26),
                (-0.24, -0.05),
                (-0.32, -0.32),
                (-0.42, -0.36),
                (-0.5, -0.24),
                (-0.8, -0.3),
                (-0.86, -0.18),
                (-0.76, 0.05),
                (-0.84, 0.26),
                (-0.76, 0.33),
                (-0.5, 0.24),
            ],
            90,
        )
        hole = outline(
            [(-0.42, 0.1), (-0.4, -0.06), (-0.48, -0.16), (-0.66, -0.14), (-0.64, 0.04), (-0.7, 0.15), (-0.6, 0.18)], 50
        )
        grip = cut(frame, 0.11 * self.thick, 0.02, [hole])
        solids = [Solid(blade, "blade"), Solid(grip, "handle")]
        for px, pz in ((-0.34, 0.16), (-0.3, 0.0), (-0.36, -0.2)):
            solids.append(Solid(cylinder(0.034, 0.13 * self.thick, (px, 0, pz), "y", 20), "fittings"))
        return solids

    def _spanner(self, builder: Builder) -> list[Solid]:
        t, n = self.thick, 0.9 * self.long
        bar = cut([(-0.085 * t, -0.78 * n), (0.085 * t, -0.78 * n), (0.1 * t, 0.7 * n), (-0.1 * t, 0.7 * n)], 0.09, 0.02)
        panel = cut([(-0.05 * t, -0.5 * n), (0.05 * t, -0.5 * n), (0.06 * t, 0.42 * n), (-0.06 * t, 0.42 * n)], 0.04)
        bar = subtract(bar, [panel.translate([0, s * 0.045, 0]) for s in (1, -1)])

        def jaw(z: float, size: float, up: int) -> Manifold:
            angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            disc = cut(np.stack([size * np.cos(angle), size * 0.95 * np.sin(angle)], 1), 0.13, 0.02)
            gap = box((0.92 * size, 1, 1.4 * size), (0, 0, up * 0.78 * size)).rotate([0, 15, 0])
            hexagon = cylinder(0.53 * size, 1, (0, 0, 0), "y", 6).rotate([0, 15, 0])
            return subtract(disc, [gap, hexagon.translate([0, 0, up * 0.06])]).translate([0, 0, z])

        solids = [Solid(bar, "head"), Solid(jaw(0.82 * n, 0.3 * t, 1), "head")]
        if self.claw:
            ring = subtract(
                cylinder(0.24 * t, 0.14, (0, 0, 0), "y", 56),
                [
                    union(
                        [
                            cylinder(0.165 * t, 1, (0, 0, 0), "y", 6),
                            cylinder(0.165 * t, 1, (0, 0, 0), "y", 6).rotate([0, 30, 0]),
                        ]
                    )
                ],
            )
            solids.append(Solid(ring.translate([0, 0, -0.88 * n]), "head"))
        else:
            solids.append(Solid(jaw(-0.86 * n, 0.24 * t, -1), "head"))
        return solids

    def _anvil(self, builder: Builder) -> list[Solid]:
        t = self.thick
        waist = [
            (0, 0.0),
            (0.42, 0.0),
            (0.42, 0.1),
            (0.24, 0.2),
            (0.2, 0.3),
            (0.28, 0.4),
            (0.34, 0.44),
            (0.34, 0.62),
            (0, 0.62),
        ]
        parts = []
        for (r0, z0), (r1, z1) in itertools.pairwise(waist):
            parts.append(
                hull(
                    np.array(
                        [
                            (sx * r * 1.15, sy * r * 0.62 * t, z)
                            for r, z in ((r0, z0), (r1, z1 + 1e-4))
                            for sx in (1, -1)
                            for sy in (1, -1)
                        ]
                    )
                )
            )
        table = box((0.95, 0.42 * t, 0.2), (0.05, 0, 0.56), 0.02)
        reach = 0.75 + 0.25 * self.form
        horn = hull(
            np.concatenate(
                [
                    np.array([(-0.35, 0.19 * t * np.cos(a), 0.54 + 0.12 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 20)]),
                    [(-0.35 - 0.6 * reach, 0, 0.62)],
                    [(-0.35 - 0.35 * reach, y, z) for y, z in ((0.11, 0.6), (-0.11, 0.6), (0, 0.66), (0, 0.5))],
                ]
            )
        )
        heel = hull(
            np.array(
                [(x, s * 0.2 * t, z) for s in (1, -1) for x, z in ((0.45, 0.66), (0.45, 0.44), (0.85, 0.66), (0.85, 0.56))]
            )
        )
        holes = [box((0.08, 0.08, 0.4), (0.66, 0, 0.62)), cylinder(0.03, 0.4, (0.78, 0.08, 0.62), segments=16)]
        step = box((0.14, 0.4 * t, 0.1), (-0.4, 0, 0.57), 0.01)
        body = subtract(union([*parts, table, horn, heel, step]), holes)
        log = builder.sweep(lathe([(0, -0.75), (0.56, -0.75), (0.53, -0.4), (0.52, 0.0), (0, 0.0)]), segments=64)
        seed = builder.rng("log")
        bark = [
            strut((0.545 * np.cos(a), 0.545 * np.sin(a), -0.74), (0.52 * np.cos(a + d), 0.52 * np.sin(a + d), -0.02), 0.03, 6)
            for a, d in zip(np.linspace(0, 2 * np.pi, 34, endpoint=False), seed.uniform(-0.06, 0.06, 34), strict=True)
        ]
        hoops = [
            subtract(cylinder(0.575, 0.07, (0, 0, z), segments=64), [cylinder(0.5, 0.3, (0, 0, z), segments=48)])
            for z in (-0.15, -0.6)
        ]
        nails = [
            Manifold.sphere(0.03, 12).translate([0.58 * np.cos(a), 0.58 * np.sin(a), z])
            for z in (-0.15, -0.6)
            for a in np.arange(8) * np.pi / 4
        ]
        return [
            Solid(body, "head"),
            Solid(log, "block"),
            *(Solid(b, "block") for b in bark),
            *(Solid(b, "head") for b in (*hoops, *nails)),
        ]

    def _spade(self, builder: Builder) -> list[Solid]:
        n = self.long
        w = 0.27 * self.thick
        shape = outline(
            [
                (-w, -0.35),
                (-w, -0.62),
                (-0.8 * w, -0.95),
                (0.0, -1.05 - 0.08 * self.form),
                (0.8 * w, -0.95),
                (w, -0.62),
                (w, -0.35),
                (0.5 * w, -0.33),
                (-0.5 * w, -0.33),
            ],
            60,
        )

        def dish(points: np.ndarray) -> np.ndarray:
            points[:, 1] += (
                0.7 * points[:, 0] ** 2 * np.clip((points[:, 2] + 1.1) / 0.6, 0, 1)
                - 0.12 * np.clip(-0.4 - points[:, 2], 0, 1) ** 2
            )
            return points

        blade = cut(shape, 0.03).refine_to_length(0.05).warp_batch(dish)
        socket = [
            hull(
                np.array(
                    [
                        (s * x, y, z)
                        for s in (1, -1)
                        for x, y, z in ((0.05, -0.05, -0.2), (0.05, 0.05, -0.2), (0.03, -0.04, -0.6), (0.01, -0.01, -0.8))
                    ]
                )
            ),
            cylinder(0.06, 0.26, (0, 0, -0.12), segments=24),
        ]
        treads = [box((0.5 * w, 0.08, 0.03), (s * 0.72 * w, 0.03, -0.34), 0.008) for s in (1, -1)]
        rivets = [Manifold.sphere(0.022, 12).translate([0, -0.06, z]) for z in (-0.04, -0.18)]
        top = 0.98 * n
        z = np.linspace(-0.1, top - 0.18, 20)
        shaft = builder.sweep(lathe([(0, z[0]), *((0.048, v) for v in z), (0, z[-1])], (4, 10)), "handle")
        fork = [strut((0, 0, top - 0.26), (s * 0.15, 0, top - 0.06), 0.034, 14) for s in (1, -1)] + [
            strut((s * 0.15, 0, top - 0.08), (s * 0.15, 0, top + 0.02), 0.034, 14) for s in (1, -1)
        ]
        bar = (
            [cylinder(0.042, 0.34, (0, 0, top), "x", 24)]
            if self.claw
            else [strut((s * 0.15, 0, top), (0, 0, top + 0.06), 0.04, 16) for s in (1, -1)]
        )
        return [
            Solid(blade, "blade"),
            *(Solid(b, "blade") for b in (*socket, *treads, *rivets)),
            Solid(shaft, "handle"),
            *(Solid(b, "handle") for b in (*fork, *bar)),
        ]

    def _plane(self, builder: Builder) -> list[Solid]:
        """Its toe to the front."""
        t, n = self.thick, self.long
        body = box((0.36 * t, 1.9 * n, 0.24), (0, 0, 0), 0.02)
        mouth = hull(
            np.array(
                [(s * 0.13 * t, y, z) for s in (1, -1) for y, z in ((-0.2, 0.2), (0.22, 0.2), (-0.05, -0.14), (-0.01, -0.14))]
            )
        )
        iron = box((0.33 * t, 0.05, 0.72), (0, 0, 0.1), 0.006).rotate([-42, 0, 0]).translate([0, 0.12, 0.06])
        cap = box((0.22 * t, 0.03, 0.4), (0, -0.035, 0.14), 0.006).rotate([-42, 0, 0]).translate([0, 0.12, 0.06])
        wedge = [
            cylinder(0.05, 0.05, (0, -0.06, 0.16), "y", 20).rotate([-42, 0, 0]).translate([0, 0.12, 0.06]),
            box((0.3 * t, 0.03, 0.03), (0, -0.02, 0.13)),
        ]
        knob = builder.sweep(
            lathe([(0, 0.1), (0.06, 0.1), (0.05, 0.18), (0.045, 0.22), (0.1, 0.3), (0.115, 0.36), (0.09, 0.42), (0, 0.44)]),
            segments=36,
        ).translate([0, -0.62 * n, 0])
        tote = cut(
            outline(
                [
                    (0.4, 0.1),
                    (0.72, 0.1),
                    (0.66, 0.2),
                    (0.64, 0.36),
                    (0.7, 0.5),
                    (0.66, 0.62),
                    (0.54, 0.6),
                    (0.44, 0.44),
                    (0.46, 0.28),
                ],
                60,
            ),
            0.11 * t,
            0.02,
        ).rotate([0, 0, 90])
        plate = subtract(box((0.37 * t, 1.92 * n, 0.04), (0, 0, -0.125), 0.006), [box((0.24, 0.05, 1), (0, -0.03, 0))])
        screws = [cylinder(0.03, 0.3, (0, y, 0.0), segments=16) for y in (-0.86 * n, 0.84 * n)]
        bead = [box((0.012, 1.7 * n, 0.02), (s * 0.182 * t, 0, 0.06)) for s in (1, -1)]
        return [
            Solid(subtract(body, [mouth, *bead]), "sole"),
            Solid(iron, "blade"),
            Solid(cap, "blade"),
            Solid(knob, "sole"),
            Solid(tote, "sole"),
            Solid(plate, "fittings"),
            *(Solid(b, "fittings") for b in (*wedge, *screws)),
        ]

    def _screwdriver(self, builder: Builder) -> list[Solid]:
        t, n = self.thick, self.long
        z = np.linspace(0, 0.72, 24)
        s = z / 0.72
        r = (
            0.17
            * t
            * (0.72 + 0.28 * np.sin(np.pi * np.clip(1.25 * s - 0.1, 0, 1)) - 0.25 * np.exp(-(((s - 0.06) / 0.06) ** 2)))
        )
        grip = builder.sweep(lathe([(0, 0), *zip(r, z, strict=True), (0.07, 0.79), (0, 0.8)], (9, 20)), "handle")
        flutes = [
            strut((0.2 * t * np.cos(a), 0.2 * t * np.sin(a), 0.18), (0.2 * t * np.cos(a), 0.2 * t * np.sin(a), 0.68), 0.045, 12)
            for a in np.arange(8) * np.pi / 4
        ]
        blade = [
            cylinder(0.042 * t, 1.0 * n, (0, 0, -0.46 * n), segments=28),
            cylinder(0.075 * t, 0.08, (0, 0, 0.0), segments=28),
            cylinder(0.055, 0.12, (0, 0, -0.1), segments=6),
        ]
        low = -0.94 * n
        tip = hull(
            np.array(
                [
                    (s2 * x, y, zz)
                    for s2 in (1, -1)
                    for x, y, zz in (
                        (0.04 * t, 0.04, low + 0.14),
                        (0.04 * t, -0.04, low + 0.14),
                        (0.075 * t, 0.03, low + 0.02),
                        (0.075 * t, -0.03, low + 0.02),
                        (0.06 * t, 0.012, low - 0.12),
                        (0.06 * t, -0.012, low - 0.12),
                    )
                ]
            )
        )
        return [Solid(subtract(grip, flutes), "handle"), *(Solid(b, "blade") for b in (*blade, tip))]
