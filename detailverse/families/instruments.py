"""Wind and percussion: drums, trumpets, xylophones, accordions."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import (
    Builder,
    Manifold,
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
from versemill.detailverse.spines import curve, lathe, tube


@family("instrument")
class Instrument(Family):
    """A musical instrument that is blown, struck or pressed, its playing side to the front."""

    title: ClassVar[str] = "wind and percussion instruments"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("classical", "plain")
    slots: ClassVar[dict[str, Slot]] = {
        "neck": Slot((), "fine wood"),
        "fittings": Slot((), "brass"),
        "shell": Slot((), "drum paint"),
        "skins": Slot((), "drum skin"),
        "hoops": Slot((), "bare metal"),
        "white keys": Slot((), "bone"),
        "black keys": Slot((), "ebony"),
        "tubing": Slot((), "horn brass"),
        "bars": Slot((), "bar wood"),
        "bellows": Slot((), "grip"),
    }

    kind: Literal["drum", "trumpet", "xylophone", "accordion"] = Field(default="drum", description="what it is")
    bulk: float = Field(default=1.0, ge=0.9, le=1.12, description="width or depth of the body over the usual")
    waist: float = Field(default=1.0, ge=0.85, le=1.1, description="height of a drum or a case over the usual")
    count: int = Field(default=14, ge=11, le=19, description="bars or folds")
    lugs: int = Field(default=8, ge=6, le=10, description="lugs of a drum, buttons")
    lid: float = Field(default=0.5, ge=0.2, le=0.8, description="flare of a bell")

    def noun(self) -> str:
        return {
            "drum": "{} snare drum on a stand" if self.waist < 0.97 else "{} drum",
            "trumpet": "{} trumpet with three valves",
            "xylophone": f"{{}} xylophone with {self.count} bars",
            "accordion": "{} accordion",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "drum": ("shell", "skins", "hoops"),
            "trumpet": ("tubing",),
            "xylophone": ("bars", "neck", "fittings"),
            "accordion": ("shell", "bellows", "white keys", "black keys", "fittings"),
        }[self.kind]

    def _drum(self, builder: Builder) -> list[Solid]:
        r, h = 0.72 * self.bulk, 0.42 * self.waist
        solids = [
            Solid(builder.sweep(lathe([(0, -h), (r, -h), (r, h), (0, h)]), segments=80), "shell"),
            Solid(cylinder(0.97 * r, 2 * h + 0.05, segments=80), "skins"),
        ]
        for z in (-h, h):
            ring = subtract(cylinder(1.05 * r, 0.09, (0, 0, z), segments=80), [cylinder(0.96 * r, 0.3, (0, 0, z), segments=80)])
            bead = builder.sweep(
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
                solids += [
                    Solid(strut((0, 0, -h - 0.5), way * 0.6 + [0, 0, -h - 1.0], 0.026, 10), "hoops"),
                    Solid(Manifold.sphere(0.05, 16).translate((way * 0.6 + [0, 0, -h - 1.0]).tolist()), "hoops"),
                    Solid(strut((0, 0, -h - 0.08), way * 0.9 * r + [0, 0, -h - 0.01], 0.026, 10), "hoops"),
                ]
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

    def _trumpet(self, builder: Builder) -> list[Solid]:
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
        bell = builder.sweep(lathe(line), segments=64).rotate([90, 0, 0]).translate([0, 0.1, 0.16])
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
            Solid(builder.sweep(tube(bow, r * 1.1)), "tubing"),
            Solid(builder.sweep(tube(front, r)), "tubing"),
        ]
        cup = (
            builder.sweep(
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
            solids.append(Solid(builder.sweep(tube(slide, 0.026)), "tubing"))
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

    def _xylophone(self, builder: Builder) -> list[Solid]:
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

    def _accordion(self, builder: Builder) -> list[Solid]:
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
            *(Solid(builder.sweep(tube(p, 0.04)), "bellows") for p in straps),
            *(
                Solid(b, "fittings")
                for b in mirrored([box((0.36, 0.06, 0.05), (0.6, -d, s * (h - 0.05)), 0.01) for s in (1, -1)])
            ),
        ]
