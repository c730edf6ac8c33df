"""Weapons: swords, battle axes, maces, cannons, crossbows."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import (
    Builder,
    Manifold,
    Solid,
    around,
    box,
    cut,
    cylinder,
    hull,
    mirrored,
    strut,
    subtract,
    union,
)
from versemill.detailverse.spines import curve, lathe, outline, rectangle, tube


@family("weapon")
class Weapon(Family):
    """A weapon, upright or on its carriage."""

    title: ClassVar[str] = "weapons"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("rustic", "ornate", "classical")
    slots: ClassVar[dict[str, Slot]] = {
        "blade": Slot((), "blade"),
        "hilt": Slot(("beads", "rope"), "hilt", ornament=0.6),
        "grip": Slot(("rope", "ribs", "grooves"), "leather", ornament=1.4),
        "shaft": Slot((), "fine wood"),
        "head": Slot((), "blade"),
        "fittings": Slot((), "hilt"),
        "barrel": Slot(("rope", "beads"), "barrel", ornament=0.6, bands=2),
        "carriage": Slot((), "wood"),
        "iron": Slot((), "wrought iron"),
        "bow": Slot((), "blade"),
        "string": Slot((), "rope"),
    }

    kind: Literal["sword", "battle axe", "mace", "cannon", "crossbow"] = Field(default="sword", description="what it is")
    long: float = Field(default=1.0, ge=0.88, le=1.12, description="length of a blade, shaft or barrel over the usual")
    wide: float = Field(default=1.0, ge=0.85, le=1.2, description="width of a blade or guard over the usual")
    curved: float = Field(default=0.5, ge=0.0, le=1.0, description="curve of a guard, an edge or a bow")
    count: int = Field(default=6, ge=5, le=9, description="flanges, spokes or inlays")
    crest: bool = Field(default=True, description="an axe has a second blade")

    def noun(self) -> str:
        return {
            "sword": "{} sword with a cross guard",
            "battle axe": "{} battle axe with two blades" if self.crest else "{} battle axe with a spike",
            "mace": f"{{}} mace with {self.count} flanges",
            "cannon": "{} cannon on a wheeled carriage",
            "crossbow": "{} crossbow",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "sword": ("blade", "hilt", "grip"),
            "battle axe": ("head", "shaft", "fittings", "grip"),
            "mace": ("head", "shaft", "fittings", "grip"),
            "cannon": ("barrel", "carriage", "iron"),
            "crossbow": ("shaft", "bow", "fittings", "string"),
        }[self.kind]

    def _grip(self, builder: Builder, low: float, high: float, r: float) -> Manifold:
        z = np.linspace(low, high, 12)
        swell = r * (1 + 0.18 * np.sin(np.pi * (z - low) / (high - low)))
        return builder.sweep(lathe([(0, low), *zip(swell, z, strict=True), (0, high)], (1, 12)), "grip")

    def _sword(self, builder: Builder) -> list[Solid]:
        w, low, high = 0.09 * self.wide, -0.45, 1.0 * self.long
        rows = [(w, low), (0.86 * w, 0.6 * high), (0.72 * w, high - 0.16), (0.02, high)]
        edge = [(s * x, 0, z) for x, z in rows for s in (1, -1)]
        ridge = [(s * 0.38 * x, t, z) for x, z in rows[:3] for s in (1, -1) for t in (0.03, -0.03)]
        blade = hull(np.array(edge + ridge))
        fuller = [strut((0, s * 0.042, low), (0, s * 0.036, 0.55 * high), 0.024, 12) for s in (1, -1)]
        guard = curve(
            [
                (-0.42 * self.wide, 0, low + 0.12 * self.curved),
                (-0.2, 0, low - 0.01),
                (0, 0, low - 0.02),
                (0.2, 0, low - 0.01),
                (0.42 * self.wide, 0, low + 0.12 * self.curved),
            ],
            30,
        )
        solids = [
            Solid(subtract(blade, fuller), "blade"),
            Solid(builder.sweep(tube(guard, 0.042 + 0.02 * np.abs(np.linspace(-1, 1, 30)), up=(0, 1, 0)), "hilt"), "hilt"),
        ]
        for s in (1, -1):
            solids.append(
                Solid(Manifold.sphere(0.075, 28).translate([s * 0.42 * self.wide, 0, low + 0.12 * self.curved]), "hilt")
            )
        solids += [
            Solid(self._grip(builder, low - 0.44, low - 0.02, 0.05), "grip"),
            Solid(box((0.16, 0.1, 0.1), (0, 0, low), 0.025), "hilt"),
        ]
        wheel = builder.sweep(
            lathe([(0, -0.05), (0.08, -0.05), (0.115, -0.02), (0.115, 0.02), (0.08, 0.05), (0.045, 0.035), (0, 0.035)]),
            segments=40,
        ).rotate([90, 0, 0])
        knob = [wheel, wheel.rotate([0, 0, 180]), cylinder(0.03, 0.06, (0, 0, -0.13), segments=16)]
        return (
            solids
            + [Solid(k.translate([0, 0, low - 0.52]), "hilt") for k in knob]
            + [Solid(cylinder(0.062, 0.04, (0, 0, low - 0.42)), "hilt")]
        )

    def _haft(self, builder: Builder) -> list[Solid]:
        solids = [
            Solid(cylinder(0.042, 1.9 * self.long, (0, 0, 0), segments=24), "shaft"),
            Solid(self._grip(builder, -0.88 * self.long, -0.4, 0.055), "grip"),
        ]
        rings = [cylinder(0.066, 0.035, (0, 0, z), segments=28) for z in (-0.4, -0.88 * self.long, 0.1)]
        return [
            *solids,
            *(Solid(r, "fittings") for r in rings),
            Solid(Manifold.sphere(0.075, 24).translate([0, 0, -0.95 * self.long]), "fittings"),
        ]

    def _battle_axe(self, builder: Builder) -> list[Solid]:
        top = 0.66 * self.long
        w = 0.46 * self.wide
        c = 0.12 + 0.12 * self.curved
        shape = [
            (0.04, -0.1),
            (0.16, -0.12),
            (0.7 * w, -0.26 - c),
            (w + 0.02, -0.34 - c),
            (w + 0.1, -0.14),
            (w + 0.12, 0.0),
            (w + 0.1, 0.14),
            (w + 0.02, 0.32 + c),
            (0.7 * w, 0.24),
            (0.16, 0.12),
            (0.04, 0.1),
        ]
        pts = outline(shape, 60)
        flat = cut(pts, 0.09, 0.0)
        bevel = hull(
            np.array(
                [(x, y, z) for x, z in ((w - 0.1, -0.5 - c), (w - 0.1, 0.5 + c)) for y in (0.05, -0.05)]
                + [(w + 0.13, 0, -0.5 - c), (w + 0.13, 0, 0.5 + c)]
            )
        )
        core = box((w - 0.02, 1, 2), (w / 2 - 0.07, 0, 0))
        blade = union([flat ^ bevel, flat ^ core])
        holes = [cylinder(0.035, 0.4, (0.26, 0, z), "y", 20) for z in (-0.11, 0.0, 0.11)]
        blade = subtract(blade, holes)
        solids = [Solid(blade.translate([0, 0, top]), "head")]
        if self.crest:
            solids.append(Solid(blade.mirror([1, 0, 0]).translate([0, 0, top]), "head"))
        else:
            solids.append(
                Solid(
                    hull(
                        np.array(
                            [(-0.03, s * 0.04, z) for s in (1, -1) for z in (top + 0.08, top - 0.08)] + [(-0.42, 0, top - 0.04)]
                        )
                    ),
                    "head",
                )
            )
        solids += [
            Solid(box((0.14, 0.15, 0.3), (0, 0, top), 0.03), "head"),
            Solid(cylinder(0.055, 0.26, (0, 0, top + 0.36), top=0.004), "head"),
        ]
        return solids + self._haft(builder)

    def _mace(self, builder: Builder) -> list[Solid]:
        top = 0.7 * self.long
        shape = [(0.0, -0.26), (0.1, -0.26), (0.2, -0.12), (0.3 * self.wide, 0.02), (0.24, 0.14), (0.12, 0.24), (0.0, 0.26)]
        flange = cut(shape, 0.05, 0.012)
        hole = cylinder(0.03, 0.3, (0.15, 0, 0.02), "y", 16)
        solids = [Solid(f.translate([0, 0, top]), "head") for f in around(subtract(flange, [hole]), self.count)]
        core = [
            cylinder(0.09, 0.56, (0, 0, top), segments=32),
            cylinder(0.12, 0.05, (0, 0, top + 0.26), segments=32),
            cylinder(0.12, 0.05, (0, 0, top - 0.26), segments=32),
            cylinder(0.07, 0.16, (0, 0, top + 0.34), segments=24, top=0.01),
        ]
        return [*solids, *(Solid(b, "head") for b in core), *self._haft(builder)]

    def _cannon(self, builder: Builder) -> list[Solid]:
        n = self.long
        line = [
            (0, -0.62),
            (0.05, -0.62),
            (0.09, -0.56),
            (0.05, -0.5),
            (0.05, -0.47),
            (0.2, -0.44),
            (0.25, -0.4),
            (0.25, -0.34),
            (0.22, -0.32),
            (0.21, 0.0),
            (0.23, 0.01),
            (0.23, 0.06),
            (0.19, 0.08),
            (0.15, 0.85 * n),
            (0.16, 0.87 * n),
            (0.16, 0.9 * n),
            (0.2, 0.98 * n),
            (0.2, 1.02 * n),
            (0.11, 1.03 * n),
            (0.1, 0.6 * n),
            (0, 0.6 * n),
        ]
        barrel = builder.sweep(lathe(line, (12, 13)), "barrel").rotate([90 - 8, 0, 0]).translate([0, 0.0, 0.1])
        solids = [Solid(barrel, "barrel"), Solid(cylinder(0.06, 0.6, (0, -0.02, 0.08), "x", 24), "barrel")]
        cheek = cut(
            [
                (-0.55, -0.12),
                (-0.1, -0.14),
                (0.7, -0.42),
                (1.0, -0.52),
                (1.02, -0.42),
                (0.3, -0.06),
                (0.1, 0.12),
                (-0.12, 0.16),
                (-0.5, 0.02),
            ],
            0.09,
            0.015,
        ).rotate([0, 0, 90])
        solids += [Solid(b, "carriage") for b in mirrored([cheek.translate([0.27, 0.0, 0])])]
        solids += [
            Solid(box((0.6, 0.12, 0.1), (0, y, z), 0.015), "carriage") for y, z in ((-0.4, -0.08), (0.45, -0.24), (0.92, -0.45))
        ]
        r = 0.46
        rim = subtract(cylinder(r, 0.1, (0, 0, 0), "x", 64), [cylinder(r - 0.1, 0.3, (0, 0, 0), "x", 64)])
        spoke = hull(
            np.array(
                [(x, y, z) for x, y in ((0.03, 0.04), (-0.03, 0.04), (0.03, -0.04), (-0.03, -0.04)) for z in (0.05, r - 0.06)]
            )
        )
        tyre = subtract(cylinder(r + 0.025, 0.12, (0, 0, 0), "x", 64), [cylinder(r - 0.005, 0.3, (0, 0, 0), "x", 64)])
        hub = union([cylinder(0.1, 0.24, (0, 0, 0), "x", 28), cylinder(0.06, 0.34, (0, 0, 0), "x", 20)])
        nails = [
            Manifold.sphere(0.022, 10).translate([0.06, (r - 0.05) * np.cos(t), (r - 0.05) * np.sin(t)])
            for t in np.arange(12) * np.pi / 6
        ]
        for s in (1, -1):
            at = [s * 0.46, -0.08, -0.14]
            solids += [Solid(b.translate(at), "carriage") for b in (rim, *around(spoke, 2 * self.count, "x"))]
            solids += [Solid(b.translate(at), "iron") for b in (tyre, hub, *nails)]
        solids.append(Solid(cylinder(0.05, 1.1, (0, -0.08, -0.14), "x", 20), "iron"))
        straps = [box((0.02, 0.08, 0.3), (0.32, y, 0.0 - 0.2 * max(y, 0)), 0.004) for y in (-0.3, 0.2, 0.45)]
        return (
            solids
            + [Solid(b, "iron") for b in mirrored(straps)]
            + [
                Solid(Manifold.sphere(0.03, 12).translate([s * 0.33, y, 0.05 - 0.2 * max(y, 0)]), "iron")
                for s in (1, -1)
                for y in (-0.3, 0.2, 0.45)
            ]
        )

    def _crossbow(self, builder: Builder) -> list[Solid]:
        n = self.long
        stock = hull(
            np.array(
                [
                    (s * 0.06, y, z)
                    for s in (1, -1)
                    for y, z in ((-0.85 * n, 0.05), (-0.85 * n, -0.05), (0.2, 0.06), (0.2, -0.08))
                ]
            )
        )
        butt = cut(
            outline(
                [
                    (0.1, 0.05),
                    (0.5, 0.02),
                    (1.0 * n, 0.0),
                    (1.04 * n, -0.16),
                    (1.0 * n, -0.3),
                    (0.7, -0.2),
                    (0.4, -0.14),
                    (0.1, -0.08),
                ],
                48,
            ),
            0.12,
            0.015,
        ).rotate([0, 0, 90])
        groove = strut((0, -1.2, 0.065), (0, 0.1, 0.065), 0.03, 12)
        solids = [Solid(subtract(stock, [groove]), "shaft"), Solid(butt, "shaft")]
        w = 0.78 * self.wide
        path = curve(
            [
                (-w, -0.3 - 0.25 * (1 - self.curved), 0.03),
                (-0.55 * w, -0.66, 0.02),
                (0, -0.78, 0.0),
                (0.55 * w, -0.66, 0.02),
                (w, -0.3 - 0.25 * (1 - self.curved), 0.03),
            ],
            40,
        )
        thick = 0.03 + 0.035 * (1 - np.abs(np.linspace(-1, 1, 40)))
        solids.append(Solid(builder.sweep(tube(path, thick, contour=rectangle(0.6, 1.2))), "bow"))
        for tip in ((-w, path[0][1], 0.03), (w, path[-1][1], 0.03)):
            solids += [
                Solid(strut(tip, (0, 0.12, 0.06), 0.014, 8), "string"),
                Solid(Manifold.sphere(0.04, 14).translate(list(tip)), "bow"),
            ]
        lash = [box((0.3, 0.05, 0.17), (0, 0, 0), 0.02).rotate([0, 0, t]).translate([0, -0.78, 0]) for t in (35, -35)]
        nut = [
            cylinder(0.06, 0.09, (0, 0.12, 0.03), "x", 24),
            box((0.15, 0.2, 0.03), (0, 0.12, -0.02), 0.008),
            strut((0, 0.2, -0.1), (0, 0.32, -0.26), 0.02, 10),
            strut((0, 0.32, -0.26), (0, 0.5, -0.28), 0.018, 10),
        ]
        a = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        stirrup = builder.sweep(tube(np.stack([0.12 * np.cos(a), -0.97 * n + 0.14 * np.sin(a), 0 * a], 1), 0.024, True))
        bolt = [
            strut((0, -1.0, 0.09), (0, 0.08, 0.085), 0.016, 8),
            hull(np.array([(0.045, -0.98, 0.09), (-0.045, -0.98, 0.09), (0, -0.98, 0.13), (0, -0.98, 0.05), (0, -1.16, 0.09)])),
        ]
        inlay = [box((0.135, 0.05, 0.03), (0, y, 0.0), 0.006) for y in np.linspace(-0.6, -0.05, self.count)]
        trim = [box((0.135, 0.08, 0.32), (0, 1.02 * n, -0.15), 0.015)]
        return (
            solids
            + [Solid(b, "fittings") for b in (*lash, *nut, stirrup, *inlay, *trim)]
            + [Solid(b, "shaft") for b in bolt[:1]]
            + [Solid(bolt[1], "fittings")]
        )
