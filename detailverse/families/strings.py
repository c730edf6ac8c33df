"""Stringed instruments: guitars, violins, harps, grand pianos."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import (
    Builder,
    Manifold,
    Solid,
    box,
    cut,
    cylinder,
    hull,
    strut,
    subtract,
    union,
)
from versemill.detailverse.spines import curve, lathe, outline, tube

GUITAR = [(0.0, -0.95), (0.3, -0.92), (0.5, -0.66), (0.46, -0.36), (0.3, -0.12), (0.36, 0.14), (0.27, 0.34), (0.0, 0.38)]
VIOLIN = [
    (0.0, -0.9),
    (0.3, -0.86),
    (0.43, -0.62),
    (0.36, -0.38),
    (0.24, -0.22),
    (0.26, -0.02),
    (0.34, 0.1),
    (0.3, 0.34),
    (0.0, 0.42),
]


def both(half: list[tuple[float, float]]) -> Floats:
    """A smooth outline from its right half, listed from bottom to top."""
    return outline(half + [(-x, z) for x, z in half[-2:0:-1]], 96)


@family("stringed instrument")
class StringedInstrument(Family):
    """An instrument with strings, its playing side to the front."""

    title: ClassVar[str] = "stringed instruments"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("classical", "plain")
    slots: ClassVar[dict[str, Slot]] = {
        "body": Slot((), "instrument wood"),
        "top": Slot((), "tone wood"),
        "neck": Slot((), "fine wood"),
        "fingerboard": Slot((), "ebony"),
        "strings": Slot((), "bare metal"),
        "fittings": Slot((), "brass"),
        "case": Slot((), "piano wood"),
        "white keys": Slot((), "bone"),
        "black keys": Slot((), "ebony"),
        "frame": Slot(("beads", "rope"), "harp wood", ornament=0.6),
    }

    kind: Literal["guitar", "violin", "harp", "grand piano"] = Field(default="guitar", description="what it is")
    bulk: float = Field(default=1.0, ge=0.9, le=1.12, description="width or depth of the body over the usual")
    waist: float = Field(default=1.0, ge=0.85, le=1.1, description="width of a waist over the usual")
    count: int = Field(default=14, ge=11, le=19, description="frets, or strings of a harp or a piano")
    lid: float = Field(default=0.5, ge=0.2, le=0.8, description="how far a lid is raised, or a pillar curves")

    def noun(self) -> str:
        return {
            "guitar": "acoustic {} guitar",
            "violin": "{} violin",
            "grand piano": "{} grand piano with a raised lid",
            "harp": f"{{}} harp with {self.count} strings",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "guitar": ("top", "body", "neck", "fingerboard", "strings", "fittings"),
            "violin": ("body", "fingerboard", "strings"),
            "grand piano": ("case", "white keys", "black keys", "fittings"),
            "harp": ("frame", "strings"),
        }[self.kind]

    def _guitar(self, builder: Builder) -> list[Solid]:
        shape = both([(x * self.bulk * (self.waist if abs(z + 0.12) < 0.1 else 1), z) for x, z in GUITAR]) * [0.8, 0.8]
        shape = shape - [0, 0.24]
        body = cut(shape, 0.24 * self.bulk, 0.012)
        top = cut(shape * [0.985, 0.985] - [0, 0.003], 0.02).translate([0, -0.125 * self.bulk, 0])
        face = -0.14 * self.bulk
        hole = cylinder(0.12, 0.2, (0, face, -0.24), "y", 40)
        solids = [Solid(subtract(body, [hole]), "body"), Solid(subtract(top, [hole]), "top")]
        for r in (0.135, 0.155):
            a = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            solids.append(
                Solid(
                    builder.sweep(
                        tube(np.stack([r * np.cos(a), 0 * a + face + 0.004, r * np.sin(a) - 0.24], 1), 0.008, True), segments=10
                    ),
                    "fingerboard",
                )
            )
        rims = [np.c_[shape[:, 0], np.full(len(shape), y), shape[:, 1]] for y in (face + 0.012, -face - 0.024)]
        solids += [Solid(builder.sweep(tube(r, 0.013, True), segments=10), "fingerboard") for r in rims]
        solids += [
            Solid(box((0.13, 0.1, 0.86), (0, -0.05 * self.bulk, 0.46), 0.02), "neck"),
            Solid(box((0.12, 0.035, 1.02), (0, face + 0.0, 0.36), 0.006), "fingerboard"),
        ]
        for k in range(self.count):
            z = 0.84 - 0.9 * (1 - 2 ** (-k / 9))
            solids.append(Solid(box((0.122, 0.02, 0.012), (0, face - 0.016, z)), "strings"))
        head = cut(
            [(-0.08, 0.86), (0.08, 0.86), (0.12, 1.2), (0.06, 1.22), (0.0, 1.19), (-0.06, 1.22), (-0.12, 1.2)], 0.07, 0.01
        ).translate([0, -0.1, 0])
        solids.append(Solid(head, "neck"))
        for s in (1, -1):
            for k in range(3):
                z = 0.93 + 0.1 * k
                solids += [
                    Solid(cylinder(0.016, 0.16, (s * 0.1, -0.1, z), "x", 10), "fittings"),
                    Solid(Manifold.sphere(0.036, 14).scale([1, 0.6, 1]).translate([s * 0.18, -0.1, z]), "fittings"),
                ]
        xs = np.linspace(-0.05, 0.05, 6)
        solids += [Solid(strut((x, face - 0.03, -0.72), (x * 0.8, face - 0.025, 0.9), 0.006, 6), "strings") for x in xs]
        return [
            *solids,
            Solid(box((0.34, 0.05, 0.06), (0, face - 0.01, -0.72), 0.012), "fingerboard"),
            Solid(box((0.12, 0.03, 0.02), (0, face - 0.02, 0.86)), "fingerboard"),
        ]

    def _violin(self, builder: Builder) -> list[Solid]:
        shape = both([(x * self.bulk * (self.waist if abs(z + 0.2) < 0.1 else 1), z) for x, z in VIOLIN]) * [0.78, 0.86] - [
            0,
            0.3,
        ]
        rim = cut(shape * [0.94, 0.96] + [0, -0.02], 0.18)
        arch = []
        for y, f in ((-0.085, 1.0), (-0.11, 0.9), (-0.13, 0.7), (-0.145, 0.42)):
            arch.append(cut((shape - [0, -0.52]) * f + [0, -0.52], 0.03).translate([0, y, 0]))
        plates = [union(arch), union(arch).mirror([0, 1, 0])]
        holes = []
        for s in (1, -1):
            path = curve(
                [(s * 0.1, 0, -0.34), (s * 0.13, 0, -0.4), (s * 0.15, 0, -0.52), (s * 0.18, 0, -0.62), (s * 0.2, 0, -0.66)], 12
            )
            holes += [strut(p - [0, 0.2, 0], p - [0, 0.08, 0], 0.014, 8) for p in path]
        body = subtract(union([rim, *plates]), holes)
        solids = [
            Solid(body, "body"),
            Solid(
                hull(
                    np.array(
                        [
                            (s * 0.045, y, z)
                            for s in (1, -1)
                            for y, z in ((-0.17, -0.28), (-0.15, 0.62), (-0.13, -0.28), (-0.11, 0.62))
                        ]
                    )
                ),
                "fingerboard",
            ),
        ]
        solids += [
            Solid(box((0.08, 0.08, 0.68), (0, -0.09, 0.36), 0.02), "body"),
            Solid(box((0.1, 0.09, 0.26), (0, -0.1, 0.72), 0.02), "body"),
        ]
        t = np.linspace(0, 4.2 * np.pi, 44)
        r = 0.085 * np.exp(-0.11 * t)
        scroll = np.stack([0 * t, -0.1 + r * np.cos(t) - 0.02, 0.9 + r * np.sin(t)], 1)
        solids.append(Solid(union([strut(a, b, 0.024, 8) for a, b in pairwise(scroll)]), "body"))
        solids += [
            Solid(cylinder(0.075, 0.11, (0, -0.12, 0.9), "x", 28), "body"),
            Solid(cylinder(0.05, 0.14, (0, -0.12, 0.9), "x", 24), "body"),
            Solid(cylinder(0.025, 0.18, (0, -0.12, 0.9), "x", 18), "body"),
        ]
        for k in range(4):
            s = 1 if k % 2 else -1
            solids += [
                Solid(cylinder(0.015, 0.2, (s * 0.06, -0.1, 0.64 + 0.05 * k), "x", 10), "fingerboard"),
                Solid(
                    Manifold.sphere(0.036, 14).scale([1, 0.5, 1.1]).translate([s * 0.17, -0.1, 0.64 + 0.05 * k]), "fingerboard"
                ),
            ]
        bridge = (
            subtract(
                cut([(-0.09, 0), (0.09, 0), (0.07, 0.1), (0.0, 0.12), (-0.07, 0.1)], 0.03),
                [cylinder(0.025, 0.2, (x, 0, 0.05), "y", 14) for x in (-0.04, 0.04)],
            )
            .rotate([90, 0, 0])
            .translate([0, -0.14, -0.52])
        )
        tail = hull(
            np.array([(s * w, y, z) for s in (1, -1) for w, z in ((0.05, -0.66), (0.03, -0.98)) for y in (-0.2, -0.16)])
        )
        solids += [
            Solid(bridge, "fingerboard"),
            Solid(tail, "fingerboard"),
            Solid(cylinder(0.02, 0.1, (0, -0.1, -1.03), "y", 12), "fingerboard"),
            Solid(strut((0, -0.16, -0.95), (0, -0.1, -1.05), 0.02, 8), "fingerboard"),
        ]
        solids += [
            Solid(strut((x, -0.19, -0.66), (x * 1.2, -0.265, -0.52), 0.006, 6), "strings") for x in np.linspace(-0.03, 0.03, 4)
        ]
        solids += [
            Solid(strut((x * 1.2, -0.265, -0.52), (x * 0.8, -0.165, 0.62), 0.006, 6), "strings")
            for x in np.linspace(-0.03, 0.03, 4)
        ]
        chin = Manifold.sphere(0.12, 28).scale([1.1, 0.35, 0.8]).translate([-0.2, -0.14, -0.98])
        return [*solids, Solid(chin, "fingerboard")]

    def _harp(self, builder: Builder) -> list[Solid]:
        bow = 0.06 + 0.12 * self.lid
        pillar = curve([(-0.55, 0, -0.85), (-0.55 - bow, 0, -0.2), (-0.5, 0, 0.9)], 30)
        neck = curve([(-0.5, 0, 0.9), (-0.3, 0, 0.98), (-0.05, 0, 0.78), (0.25, 0, 0.62), (0.52, 0, 0.72)], 40)
        chest = np.linspace((-0.5, 0.0, -0.88), (0.55, 0.0, 0.62), 20)
        solids = [Solid(builder.sweep(tube(pillar, 0.06), "frame"), "frame"), Solid(builder.sweep(tube(neck, 0.062)), "frame")]
        width = np.linspace(0.17, 0.08, 20) * self.bulk
        slabs = [box((0.06, 2 * w, 0.06), p, 0.01) for p, w in zip(chest, width, strict=True)]
        solids += [Solid(Manifold.batch_hull([a, b]), "frame") for a, b in pairwise(slabs)]
        back = [cylinder(w, 0.06, p + [0.08, 0, -0.06], "x", 24) for p, w in zip(chest, width, strict=True)]
        solids += [Solid(Manifold.batch_hull([a, b]), "frame") for a, b in pairwise(back)]
        for k in range(self.count):
            f = (k + 0.7) / (self.count + 0.6)
            low = chest[0] + (chest[-1] - chest[0]) * f
            high = neck[int(f * 39)]
            solids += [
                Solid(strut(low, high, 0.009, 6), "strings"),
                Solid(cylinder(0.018, 0.16, high, "y", 10), "strings"),
                Solid(Manifold.sphere(0.02, 10).translate((low + [0, 0, 0.03]).tolist()), "strings"),
            ]
        base = [
            box((0.5, 0.46 * self.bulk, 0.12), (-0.42, 0, -0.92), 0.03),
            box((0.4, 0.36 * self.bulk, 0.08), (-0.44, 0, -0.84), 0.02),
        ]
        t = np.linspace(0, 3.4 * np.pi, 40)
        curl = np.stack(
            [-0.5 - 0.13 * np.exp(-0.13 * t) * np.cos(t) + 0.02, 0 * t, 0.93 + 0.13 * np.exp(-0.13 * t) * np.sin(t)], 1
        )
        crown = [strut(a, b, 0.035, 8) for a, b in pairwise(curl)]
        feet = [
            Manifold.sphere(0.06, 20).scale([1.2, 1, 0.6]).translate([-0.42 + 0.19 * sx, 0.17 * sy, -0.98])
            for sx in (1, -1)
            for sy in (1, -1)
        ]
        return [*solids, *(Solid(b, "frame") for b in (*base, *crown, *feet))]

    def _grand_piano(self, builder: Builder) -> list[Solid]:
        plan = [
            (-0.75, -0.55),
            (0.75, -0.55),
            (0.75, 0.1),
            (0.62, 0.45),
            (0.3, 0.66),
            (0.1, 0.95),
            (-0.2, 1.15),
            (-0.5, 1.16),
            (-0.72, 0.98),
            (-0.75, 0.6),
        ]
        case = cut(plan, 0.3, 0.0).rotate([-90, 0, 0])
        inner = [(x * 0.92, -0.3 + (z + 0.3) * 0.93 if z > -0.3 else -0.28) for x, z in plan]
        well = cut(inner, 0.3).rotate([-90, 0, 0]).translate([0, 0, 0.1])
        notch = box((1.36, 0.36, 0.3), (0, -0.5, 0.12))
        solids = [Solid(subtract(case, [well, notch]), "case")]
        lip = [np.array([x, z, 0.15]) for x, z in plan]
        solids += [Solid(strut(a, b, 0.03, 8), "case") for a, b in pairwise([*lip[2:], lip[2 - len(lip)]])][:-1]
        tilt = 20 + 40 * self.lid
        lid = cut(
            [
                (0.75, -0.22),
                (0.75, 0.1),
                (0.62, 0.45),
                (0.3, 0.66),
                (0.1, 0.95),
                (-0.2, 1.15),
                (-0.5, 1.16),
                (-0.72, 0.98),
                (-0.75, 0.6),
                (-0.75, -0.22),
            ],
            0.035,
        ).rotate([-90, 0, 0])
        raised = lid.translate([0.75, 0, 0]).rotate([0, -tilt, 0]).translate([-0.75, 0, 0.17])
        solids += [
            Solid(raised, "case"),
            Solid(
                strut(
                    (0.66, 0.1, 0.12),
                    (-0.75 + 1.3 * np.cos(np.radians(tilt)), 0.1, 0.17 + 1.3 * np.sin(np.radians(tilt))),
                    0.02,
                    8,
                ),
                "case",
            ),
        ]
        keys = np.linspace(-0.64, 0.64, 36)
        for k, x in enumerate(keys):
            solids.append(Solid(box((0.034, 0.3, 0.05), (x, -0.5, -0.01), 0.004), "white keys"))
            if k % 7 not in (2, 6) and k < 35:
                solids.append(Solid(box((0.02, 0.18, 0.05), (x + 0.018, -0.42, 0.03), 0.004), "black keys"))
        solids.append(Solid(box((1.4, 0.36, 0.06), (0, -0.5, -0.06)), "case"))
        plate = cut(
            [
                (0.68, -0.24),
                (0.66, 0.1),
                (0.55, 0.4),
                (0.25, 0.6),
                (0.05, 0.88),
                (-0.2, 1.06),
                (-0.48, 1.07),
                (-0.66, 0.9),
                (-0.68, -0.24),
            ],
            0.03,
        )
        solids.append(Solid(plate.rotate([-90, 0, 0]).translate([0, 0, -0.03]), "fittings"))
        solids += [
            Solid(strut((x, -0.22, 0.01), (x * 0.8 - 0.1, 0.95 - 0.6 * (x + 0.65) / 1.3, 0.01), 0.008, 6), "fittings")
            for x in np.linspace(-0.62, 0.6, 2 * self.count)
        ]
        stand = [box((0.8, 0.03, 0.26), (0, -0.3, 0.24), 0.01)]
        solids += [Solid(s, "case") for s in stand]
        for x, y in ((-0.64, -0.42), (0.64, -0.42), (-0.4, 0.92)):
            leg = builder.sweep(
                lathe([(0, -0.72), (0.04, -0.72), (0.05, -0.6), (0.045, -0.4), (0.075, -0.24), (0.085, -0.15), (0, -0.13)]),
                segments=28,
            )
            solids += [Solid(leg.translate([x, y, 0]), "case"), Solid(cylinder(0.04, 0.04, (x, y, -0.74), "x", 16), "fittings")]
        lyre = [strut((x, -0.2, -0.14), (x * 0.7, -0.2, -0.6), 0.022, 10) for x in (-0.1, 0.1)]
        solids += [Solid(b, "case") for b in (*lyre, box((0.26, 0.1, 0.07), (0, -0.2, -0.62), 0.02))]
        return solids + [Solid(box((0.05, 0.14, 0.02), (x, -0.3, -0.64), 0.006), "fittings") for x in (-0.07, 0, 0.07)]
