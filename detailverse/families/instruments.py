"""Musical instruments: guitars, violins, drums, grand pianos, trumpets, harps, xylophones, accordions."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import (
    Manifold,
    Shop,
    Solid,
    box,
    cut,
    cylinder,
    hull,
    mirrored,
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


@family("instrument")
class Instrument(Family):
    """A musical instrument, its playing side to the front."""

    title: ClassVar[str] = "musical instruments"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("classical", "plain")
    slots: ClassVar[dict[str, Slot]] = {
        "body": Slot((), "instrument wood"),
        "top": Slot((), "tone wood"),
        "neck": Slot((), "fine wood"),
        "fingerboard": Slot((), "ebony"),
        "strings": Slot((), "bare metal"),
        "fittings": Slot((), "brass"),
        "shell": Slot((), "drum paint"),
        "skins": Slot((), "drum skin"),
        "hoops": Slot((), "bare metal"),
        "case": Slot((), "piano wood"),
        "white keys": Slot((), "bone"),
        "black keys": Slot((), "ebony"),
        "tubing": Slot((), "horn brass"),
        "frame": Slot(("beads", "rope"), "harp wood", ornament=0.6),
        "bars": Slot((), "bar wood"),
        "bellows": Slot((), "grip"),
    }

    kind: Literal["guitar", "violin", "drum", "grand piano", "trumpet", "harp", "xylophone", "accordion"] = Field(
        default="guitar", description="which instrument"
    )
    bulk: float = Field(default=1.0, ge=0.9, le=1.12, description="width or depth of the body over the usual")
    waist: float = Field(
        default=1.0, ge=0.85, le=1.1, description="width of a waist, height of a drum, of a case over the usual"
    )
    count: int = Field(default=14, ge=11, le=19, description="frets, strings of a harp, keys, bars or folds")
    lugs: int = Field(default=8, ge=6, le=10, description="lugs of a drum, buttons or sound holes")
    lid: float = Field(default=0.5, ge=0.2, le=0.8, description="how far a lid is raised, a bell flares, a pillar curves")

    def noun(self) -> str:
        return {
            "guitar": "acoustic {} guitar",
            "violin": "{} violin",
            "drum": "{} snare drum on a stand" if self.waist < 0.97 else "{} drum",
            "grand piano": "{} grand piano with a raised lid",
            "trumpet": "{} trumpet with three valves",
            "harp": f"{{}} harp with {self.count} strings",
            "xylophone": f"{{}} xylophone with {self.count} bars",
            "accordion": "{} accordion",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "guitar": ("top", "body", "neck", "fingerboard", "strings", "fittings"),
            "violin": ("body", "fingerboard", "strings"),
            "drum": ("shell", "skins", "hoops"),
            "grand piano": ("case", "white keys", "black keys", "fittings"),
            "trumpet": ("tubing",),
            "harp": ("frame", "strings"),
            "xylophone": ("bars", "neck", "fittings"),
            "accordion": ("shell", "bellows", "white keys", "black keys", "fittings"),
        }[self.kind]

    def build(self, shop: Shop) -> list[Solid]:
        return {"guitar": self._guitar, "violin": self._violin, "drum": self._drum, "grand piano": self._piano, "trumpet": self._trumpet,
                "harp": self._harp, "xylophone": self._xylophone, "accordion": self._accordion}[self.kind](shop)  # fmt: skip

    def _strings(self, xs: Floats, y: float, low: float, high: float, squeeze: float = 0.8) -> list[Solid]:
        return [Solid(strut((x, y, low), (x * squeeze, y + 0.03, high), 0.008, 6), "strings") for x in xs]

    def _guitar(self, shop: Shop) -> list[Solid]:
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
                    shop.sweep(
                        tube(np.stack([r * np.cos(a), 0 * a + face + 0.004, r * np.sin(a) - 0.24], 1), 0.008, True), segments=10
                    ),
                    "fingerboard",
                )
            )
        rims = [np.c_[shape[:, 0], np.full(len(shape), y), shape[:, 1]] for y in (face + 0.012, -face - 0.024)]
        solids += [Solid(shop.sweep(tube(r, 0.013, True), segments=10), "fingerboard") for r in rims]
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

    def _violin(self, shop: Shop) -> list[Solid]:
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

    def _drum(self, shop: Shop) -> list[Solid]:
        r, h = 0.72 * self.bulk, 0.42 * self.waist
        solids = [
            Solid(shop.sweep(lathe([(0, -h), (r, -h), (r, h), (0, h)]), segments=80), "shell"),
            Solid(cylinder(0.97 * r, 2 * h + 0.05, segments=80), "skins"),
        ]
        for z in (-h, h):
            ring = subtract(cylinder(1.05 * r, 0.09, (0, 0, z), segments=80), [cylinder(0.96 * r, 0.3, (0, 0, z), segments=80)])
            bead = shop.sweep(
                tube(
                    np.array(
                        [
                            (1.05 * r * np.cos(a), 1.05 * r * np.sin(a), z + 0.04 * np.sign(z))
                            for a in np.linspace(0, 2 * np.pi, 80, endpoint=False)
                        ]
                    ),
                    0.022,
                    True,
                )
            )
            solids += [Solid(ring, "hoops"), Solid(bead, "hoops")]
        for k in range(self.lugs):
            a = 360 * (k + 0.5) / self.lugs
            lug = union(
                [
                    box((0.09, 0.08, 0.22), (0, -r - 0.02, 0), 0.02),
                    cylinder(0.02, 2 * h + 0.1, (0, -1.03 * r - 0.025, 0), segments=12),
                    *(box((0.07, 0.09, 0.06), (0, -1.03 * r - 0.01, s * (h - 0.0)), 0.012) for s in (1, -1)),
                ]
            )
            solids.append(Solid(lug.rotate([0, 0, a]), "hoops"))
        if self.waist < 0.97:
            solids.append(Solid(cylinder(0.04, 0.9, (0, 0, -h - 0.45), segments=20), "hoops"))
            for k in range(3):
                a = 2 * np.pi * k / 3 + 0.5
                way = np.array([np.cos(a), np.sin(a), 0])
                solids += [Solid(strut((0, 0, -h - 0.5), way * 0.6 + [0, 0, -h - 1.0], 0.026, 10), "hoops"), Solid(Manifold.sphere(0.05, 16).translate((way * 0.6 + [0, 0, -h - 1.0]).tolist()), "hoops"),
                           Solid(strut((0, 0, -h - 0.08), way * 0.9 * r + [0, 0, -h - 0.01], 0.026, 10), "hoops")]  # fmt: skip
        sticks = [
            union(
                [
                    strut((x, -0.5, h + 0.05), (x * 0.4 + 0.05, 0.5, h + 0.07), 0.024, 10),
                    Manifold.sphere(0.042, 16).scale([1, 1.4, 1]).translate([x * 0.4 + 0.05, 0.5, h + 0.07]),
                ]
            )
            for x in (-0.25, 0.3)
        ]
        return [*solids, *(Solid(s, "hoops") for s in sticks)]

    def _piano(self, shop: Shop) -> list[Solid]:
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
            leg = shop.sweep(
                lathe([(0, -0.72), (0.04, -0.72), (0.05, -0.6), (0.045, -0.4), (0.075, -0.24), (0.085, -0.15), (0, -0.13)]),
                segments=28,
            )
            solids += [Solid(leg.translate([x, y, 0]), "case"), Solid(cylinder(0.04, 0.04, (x, y, -0.74), "x", 16), "fittings")]
        lyre = [strut((x, -0.2, -0.14), (x * 0.7, -0.2, -0.6), 0.022, 10) for x in (-0.1, 0.1)]
        solids += [Solid(b, "case") for b in (*lyre, box((0.26, 0.1, 0.07), (0, -0.2, -0.62), 0.02))]
        return solids + [Solid(box((0.05, 0.14, 0.02), (x, -0.3, -0.64), 0.006), "fittings") for x in (-0.07, 0, 0.07)]

    def _trumpet(self, shop: Shop) -> list[Solid]:
        """Its bell to the front."""
        r = 0.036
        y = np.linspace(0, 1, 40)
        flare = 0.045 + (0.24 + 0.08 * self.lid) * y**5 + 0.04 * y
        line = [
            (0, 0),
            *zip(flare, 0.95 * y, strict=True),
            (flare[-1] + 0.014, 0.955),
            (flare[-1] + 0.004, 0.975),
            *zip(flare[:8:-1] * 0.86, 0.95 * y[:8:-1] + 0.01, strict=True),
            (0, 0.3),
        ]
        bell = shop.sweep(lathe(line), segments=64).rotate([90, 0, 0]).translate([0, 0.1, 0.16])
        bow = curve(
            [
                (0, 0.1, 0.16),
                (0, 0.55, 0.16),
                (0, 0.75, 0.1),
                (0, 0.82, 0.0),
                (0, 0.75, -0.1),
                (0, 0.55, -0.16),
                (0, -0.1, -0.16),
            ],
            40,
        )
        front = curve(
            [
                (0.1, 0.35, -0.16),
                (0.1, -0.25, -0.16),
                (0.1, -0.42, -0.12),
                (0.1, -0.5, 0.0),
                (0.1, -0.42, 0.12),
                (0.1, -0.25, 0.16),
                (0.1, 0.9, 0.16),
                (0.1, 1.0, 0.16),
            ],
            50,
        )
        solids = [
            Solid(bell, "tubing"),
            Solid(shop.sweep(tube(bow, r * 1.1)), "tubing"),
            Solid(shop.sweep(tube(front, r)), "tubing"),
        ]
        cup = (
            shop.sweep(
                lathe([(0, 0), (0.03, 0), (0.035, 0.08), (0.05, 0.14), (0.085, 0.2), (0.095, 0.23), (0.06, 0.23), (0, 0.16)]),
                segments=32,
            )
            .rotate([-90, 0, 0])
            .translate([0.1, 0.98, 0.16])
        )
        solids.append(Solid(cup, "tubing"))
        for k in range(3):
            at = 0.02 + 0.14 * k
            valve = [
                cylinder(0.065, 0.5, (0.05, at, 0.02), segments=28),
                cylinder(0.073, 0.04, (0.05, at, 0.26), segments=28),
                cylinder(0.073, 0.04, (0.05, at, -0.22), segments=28),
                cylinder(0.02, 0.14, (0.05, at, 0.34), segments=12),
                cylinder(0.045, 0.025, (0.05, at, 0.41), segments=24),
                cylinder(0.04, 0.05, (0.05, at, -0.26), segments=20, top=0.03),
            ]
            solids += [Solid(b, "tubing") for b in valve]
            slide = curve(
                [
                    (0.05, at, 0.02 - 0.1 * k),
                    (0.2 + 0.03 * k, at, 0.02 - 0.1 * k),
                    (0.24 + 0.03 * k, at + 0.04, -0.02 - 0.1 * k),
                    (0.2 + 0.03 * k, at + 0.06, -0.06 - 0.1 * k),
                    (0.05, at, -0.06 - 0.1 * k),
                ],
                20,
            )
            solids.append(Solid(shop.sweep(tube(slide, 0.026)), "tubing"))
        braces = [
            strut((0.0, -0.2, 0.16), (0.1, -0.2, 0.16), 0.018, 8),
            strut((0.0, 0.5, 0.16), (0.1, 0.5, 0.16), 0.018, 8),
            strut((0.0, 0.3, -0.16), (0.1, 0.3, -0.16), 0.018, 8),
        ]
        rings = [
            cylinder(0.05, 0.03, (x, y0, z), "y", 20)
            for x, y0, z in (
                (0, 0.5, 0.16),
                (0.1, 0.5, 0.16),
                (0.1, -0.25, 0.16),
                (0.1, -0.25, -0.16),
                (0.1, 0.85, 0.16),
                (0, 0.5, -0.16),
            )
        ]
        return [*solids, *(Solid(b, "tubing") for b in (*braces, *rings))]

    def _harp(self, shop: Shop) -> list[Solid]:
        bow = 0.06 + 0.12 * self.lid
        pillar = curve([(-0.55, 0, -0.85), (-0.55 - bow, 0, -0.2), (-0.5, 0, 0.9)], 30)
        neck = curve([(-0.5, 0, 0.9), (-0.3, 0, 0.98), (-0.05, 0, 0.78), (0.25, 0, 0.62), (0.52, 0, 0.72)], 40)
        chest = np.linspace((-0.5, 0.0, -0.88), (0.55, 0.0, 0.62), 20)
        solids = [Solid(shop.sweep(tube(pillar, 0.06), "frame"), "frame"), Solid(shop.sweep(tube(neck, 0.062)), "frame")]
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

    def _xylophone(self, shop: Shop) -> list[Solid]:
        n = self.count
        solids = []
        for k, x in enumerate(np.linspace(-0.92, 0.92, n)):
            long = (0.92 - 0.5 * k / n) * self.bulk
            bar = subtract(
                box((1.5 / n, long, 0.07), (x, 0, 0.12), 0.018), [cylinder(0.12, 0.3, (x, 0, 0.02), "x", 24).scale([1, 1.6, 1])]
            )
            pins = [cylinder(0.022, 0.08, (x, s * 0.3 * long, 0.16), segments=14) for s in (1, -1)]
            solids += [Solid(bar, "bars"), *(Solid(p, "fittings") for p in pins)]
            solids.append(
                Solid(cylinder(0.55 / n, 0.5 - 0.3 * k / n, (x, 0.0, -0.16 + 0.15 * k / n - 0.0), segments=24), "fittings")
            )
        for s in (1, -1):
            rail = hull(
                np.array(
                    [
                        (x, s * y + t, z)
                        for x, y in ((-1.02, 0.3 * 0.92 * self.bulk), (1.02, 0.3 * 0.44 * self.bulk))
                        for t in (0.03, -0.03)
                        for z in (-0.02, 0.09)
                    ]
                )
            )
            solids.append(Solid(rail, "neck"))
        solids += [
            Solid(box((0.06, wide, 0.09), (x, 0, 0.035), 0.015), "neck")
            for x, wide in ((-1.0, 0.72 * self.bulk), (1.0, 0.42 * self.bulk))
        ]
        for x, wide in ((-0.98, 0.28), (0.98, 0.14)):
            solids += [
                Solid(
                    strut((x, s * wide * self.bulk, 0.0), (x * 1.02, s * (wide * self.bulk + 0.06), -0.72), 0.035, 12, 0.028),
                    "neck",
                )
                for s in (1, -1)
            ]
        solids.append(Solid(strut((-0.98, 0, -0.5), (0.98, 0, -0.5), 0.026, 10), "neck"))
        solids += [Solid(strut((x, w, -0.5), (x, -w, -0.5), 0.026, 10), "neck") for x, w in ((-0.99, 0.34), (0.99, 0.2))]
        beaters = [
            union([strut((a, -0.4, 0.21), (b, 0.3, 0.2), 0.016, 8), Manifold.sphere(0.06, 20).translate([b, 0.3, 0.2])])
            for a, b in ((-0.2, -0.45), (0.25, 0.1))
        ]
        solids.append(Solid(Manifold.batch_hull([box((0.02, 0.02, 0.02), (x, 0, 0.0)) for x in (-1, 1)]), "neck"))
        return [*solids, *(Solid(b, "fittings") for b in beaters)]

    def _accordion(self, shop: Shop) -> list[Solid]:
        h, d = 0.62 * self.waist, 0.3 * self.bulk
        folds = self.count
        step = 0.9 / folds
        pleat = [(0.0, 0.0), (step / 2, 0.055), (step, 0.0)]
        section = [(-0.45 + k * step + x, h - 0.08 + z) for k in range(folds) for x, z in pleat[:-1]] + [(0.45, h - 0.08)]
        ring = section + [(x, -z) for x, z in section[::-1]]
        solids = [Solid(cut(ring, 2 * d - 0.06), "bellows")]
        for k in range(folds):
            x = -0.45 + (k + 0.5) * step
            solids.append(Solid(box((0.3 * step, 2 * d + 0.03, 2 * h - 0.12), (x, 0, 0), 0.01), "bellows"))
        for s in (1, -1):
            solids.append(Solid(box((0.34, 2 * d + 0.04, 2 * h), (s * 0.6, 0, 0), 0.06), "shell"))
        grille = [
            box((0.03, 0.06, 0.16), (-0.7 + 0.07 * i, -d - 0.02, z), 0.01)
            for i in range(4)
            for z in np.linspace(-0.4, 0.4, 5) * h * 1.6
        ]
        solids += [Solid(g, "fittings") for g in grille]
        solids += [
            Solid(Manifold.sphere(0.034, 14).translate([0.6 + x, -d - 0.02, z]), "white keys")
            for x in np.linspace(-0.1, 0.12, 4)
            for z in np.linspace(-0.8, 0.8, 2 * self.lugs) * h
        ]
        board = box((0.18, 0.14, 2 * h - 0.06), (-0.82, -d + 0.08, 0), 0.02)
        solids.append(Solid(board, "shell"))
        for k, z in enumerate(np.linspace(-0.92, 0.92, 20) * h):
            solids.append(Solid(box((0.24, 0.05, 1.62 * h / 20), (-0.86, -d - 0.01, z), 0.006), "white keys"))
            if k % 7 not in (2, 6) and k < 19:
                solids.append(Solid(box((0.13, 0.05, 0.05), (-0.8, -d - 0.045, z + 0.92 * h / 19), 0.006), "black keys"))
        straps = [
            curve([(x, d - 0.02, 0.85 * h), (x, d + 0.2, 0.3 * h), (x, d + 0.2, -0.3 * h), (x, d - 0.02, -0.85 * h)], 20)
            for x in (-0.6, 0.62)
        ]
        return [
            *solids,
            *(Solid(shop.sweep(tube(p, 0.04)), "bellows") for p in straps),
            *(
                Solid(b, "fittings")
                for b in mirrored([box((0.36, 0.06, 0.05), (0.6, -d, s * (h - 0.05)), 0.01) for s in (1, -1)])
            ),
        ]
