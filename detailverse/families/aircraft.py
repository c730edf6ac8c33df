"""Aircraft: airliners, propeller planes, biplanes, helicopters, jets, rockets; fuselages, wings, engines."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.airframes import fuselage, gear, jet_engine, propeller, radial_engine, tail_fin, wings
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, around, box, cylinder, hull, mirrored, strut, subtract, union
from versemill.detailverse.spines import lathe, tube


@family("aircraft")
class Aircraft(Family):
    """Something that flies, its nose to the front."""

    title: ClassVar[str] = "aircraft"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    slots: ClassVar[dict[str, Slot]] = {
        "fuselage": Slot((), "aircraft paint"),
        "wings": Slot((), "aircraft paint"),
        "tail": Slot((), "tail paint"),
        "engines": Slot((), "bare metal"),
        "propeller": Slot((), "bare metal"),
        "rotor": Slot((), "dark metal"),
        "windows": Slot((), "dark glass"),
        "wheels": Slot((), "rubber"),
        "struts": Slot((), "bare metal"),
        "fins": Slot((), "tail paint"),
    }

    kind: Literal["airliner", "propeller plane", "biplane", "helicopter", "fighter jet", "rocket"] = Field(
        default="airliner", description="what it is"
    )
    span: float = Field(default=1.0, ge=0.88, le=1.12, description="span of the wings, or length of the rotor, over the usual")
    girth: float = Field(default=1.0, ge=0.9, le=1.12, description="radius of the fuselage over the usual")
    sweep: float = Field(default=0.5, ge=0.2, le=0.9, description="how far the wings are swept back")
    blades: int = Field(default=3, ge=2, le=4, description="blades of a propeller or rotor, engines, or fins")
    windows: int = Field(default=13, ge=9, le=18, description="windows in a row, cylinders of an engine")

    def noun(self) -> str:
        return {
            "airliner": f"{{}} airliner with {2 * (self.blades // 2)} jet engines",
            "propeller plane": f"{{}} propeller plane with a {self.blades}-bladed propeller",
            "biplane": "{} biplane with a radial engine",
            "helicopter": f"{{}} helicopter with a {self.blades}-bladed rotor",
            "fighter jet": "{} fighter jet with twin tail fins",
            "rocket": f"{{}} rocket with {self.blades + 1} fins",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "airliner": ("fuselage", "wings", "tail", "engines", "windows"),
            "propeller plane": ("fuselage", "wings", "tail", "propeller", "windows", "wheels", "struts"),
            "biplane": ("fuselage", "wings", "tail", "engines", "propeller", "wheels", "struts"),
            "helicopter": ("fuselage", "rotor", "windows", "struts"),
            "fighter jet": ("fuselage", "wings", "tail", "engines", "windows"),
            "rocket": ("fuselage", "fins", "engines", "windows"),
        }[self.kind]

    def _airliner(self, builder: Builder) -> list[Solid]:
        g = 0.15 * self.girth
        body = fuselage(
            builder,
            [
                (-1.0, -0.04, 0.01, 0.01),
                (-0.94, -0.03, 0.5 * g, 0.5 * g),
                (-0.78, 0, 0.92 * g, 0.92 * g),
                (-0.6, 0, g, g),
                (0.45, 0, g, g),
                (0.75, 0.05, 0.6 * g, 0.62 * g),
                (1.0, 0.1, 0.1 * g, 0.14 * g),
            ],
        )
        doors = [subtract(box((1, 0.1, 0.17), (0, y, 0.02)), [box((2, 0.084, 0.154), (0, y, 0.02))]) for y in (-0.68, 0.5)]
        body = subtract(
            body, [subtract(d, [Manifold.cylinder(3, 0.97 * g, 0.97 * g, 48, True).rotate([90, 0, 0])]) for d in doors]
        )
        solids = [Solid(body, "fuselage")]
        dots = [box((2.02 * g, 0.034, 0.046), (0, y, 0.045), 0.01) for y in np.linspace(-0.56, 0.4, 2 * self.windows)]
        cockpit = [box((0.1, 0.1, 0.05), (x, -0.8, 0.1), 0.01).rotate([0, 0, 0]) for x in (-0.065, 0.065)]
        solids += [Solid(d, "windows") for d in (*dots, *cockpit)]
        tip = (0.98 * self.span, 0.05 + 0.55 * self.sweep, 0.1)
        solids += [Solid(b, "wings") for b in wings((0.08, -0.05, -0.07), tip, 0.46, 0.13, 0.07)]
        solids += [
            Solid(b, "wings")
            for b in mirrored(
                [
                    hull(
                        np.array(
                            [
                                tip,
                                (tip[0], tip[1] + 0.12, tip[2]),
                                (tip[0] + 0.05, tip[1] + 0.12, tip[2] + 0.12),
                                (tip[0] + 0.03, tip[1] + 0.02, tip[2]),
                            ]
                        )
                    )
                ]
            )
        ]
        solids += [Solid(b, "tail") for b in wings((0.02, 0.8, 0.09), (0.36, 0.95, 0.14), 0.24, 0.1, 0.035)]
        solids.append(Solid(tail_fin(0.62, 0.1, 0.34, 0.4, 0.26), "tail"))
        engine = jet_engine(builder)
        for f in (0.36, 0.62)[: max(1, self.blades // 2)]:
            at = np.array([0.08, -0.05, -0.07]) * (1 - f) + np.array(tip) * f
            pylon = [box((0.03, 0.22, 0.1), (at[0], at[1] - 0.1, at[2] - 0.04), 0.008)]
            solids += [Solid(b, "engines") for b in mirrored([engine.translate([at[0], at[1] - 0.2, at[2] - 0.12])])]
            solids += [Solid(b, "wings") for b in mirrored(pylon)]
        return solids

    def _propeller_plane(self, builder: Builder) -> list[Solid]:
        g = self.girth
        body = fuselage(
            builder,
            [
                (-0.82, -0.02, 0.02, 0.02),
                (-0.78, -0.02, 0.12 * g, 0.12 * g),
                (-0.6, 0, 0.15 * g, 0.16 * g),
                (-0.2, 0.03, 0.16 * g, 0.2 * g),
                (0.2, 0.02, 0.13 * g, 0.16 * g),
                (0.9, 0.08, 0.03, 0.05),
            ],
        )
        vents = [box((0.5, 0.02, 0.07), (0, y, -0.02)) for y in np.linspace(-0.7, -0.52, 5)]
        body = subtract(body, [subtract(v, [box((0.25 * g, 3, 3))]) for v in vents])
        solids = [Solid(body, "fuselage")]
        glass = hull(
            np.array(
                [
                    (s * x, y, z)
                    for x, y, z in (
                        (0.13, -0.44, 0.14),
                        (0.11, -0.3, 0.33),
                        (0.11, 0.02, 0.33),
                        (0.1, 0.22, 0.15),
                        (0.14, -0.1, 0.14),
                    )
                    for s in (1, -1)
                ]
            )
        )
        frames = [box((0.31, 0.025, 0.5), (0, y, 0.2)) for y in (-0.28, -0.06, 0.08)]
        solids += [Solid(glass, "windows"), *(Solid(f ^ glass.scale([1.06, 1.02, 1.03]), "fuselage") for f in frames)]
        solids += [
            Solid(b, "wings")
            for b in wings((0.0, -0.18, 0.33), (0.98 * self.span, -0.16 + 0.1 * self.sweep, 0.4), 0.34, 0.22, 0.055)
        ]
        solids += [
            Solid(b, "struts")
            for b in mirrored(
                [
                    strut((0.12, -0.14, -0.1), (0.55, -0.14, 0.36), 0.022, 10),
                    strut((0.12, -0.04, -0.1), (0.55, -0.06, 0.36), 0.018, 10),
                ]
            )
        ]
        solids += [Solid(b, "tail") for b in wings((0.0, 0.78, 0.1), (0.36, 0.84, 0.1), 0.22, 0.15, 0.03)]
        solids.append(Solid(tail_fin(0.66, 0.1, 0.26, 0.3, 0.16), "tail"))
        return (
            solids
            + propeller(builder, self.blades, -0.84, -0.02, 0.3)
            + gear([(0.26, -0.3, -0.36, 0.1), (-0.26, -0.3, -0.36, 0.1), (0.0, -0.68, -0.34, 0.08)], -0.08)
        )

    def _biplane(self, builder: Builder) -> list[Solid]:
        g = self.girth
        body = fuselage(
            builder,
            [
                (-0.62, 0, 0.15 * g, 0.16 * g),
                (-0.3, 0, 0.16 * g, 0.18 * g),
                (0.2, 0.01, 0.13 * g, 0.16 * g),
                (0.9, 0.06, 0.03, 0.05),
            ],
        )
        pits = [cylinder(0.1, 0.3, (0, y, 0.2), segments=32) for y in (-0.1, 0.16)]
        body = subtract(body, pits)
        solids = [Solid(body, "fuselage")]
        a = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        for y in (-0.1, 0.16):
            rim = np.stack([0.1 * np.cos(a), y + 0.1 * np.sin(a), 0 * a + 0.16], 1)
            solids.append(Solid(builder.sweep(tube(rim, 0.022, True)), "struts"))
            solids.append(
                Solid(
                    hull(
                        np.array(
                            [(s * 0.09, y - 0.12, 0.15) for s in (1, -1)]
                            + [(s * 0.06, y - 0.1, 0.25) for s in (1, -1)]
                            + [(0, y - 0.14, 0.15)]
                        )
                    ),
                    "struts",
                )
            )
        solids += [Solid(body, "engines") for body in radial_engine(-0.66, g)]
        wide = 0.95 * self.span
        for z, back in ((0.4, -0.06), (-0.12, 0.04)):
            solids += [Solid(b, "wings") for b in wings((0.0, -0.2 + back, z), (wide, -0.2 + back, z + 0.03), 0.3, 0.28, 0.05)]
            ribs = [
                box((0.014, 0.29, 0.055), (x, -0.145 + back, z + 0.01 + 0.03 * x)) for x in np.linspace(0.15, 0.92 * wide, 9)
            ]
            solids += [Solid(b, "wings") for b in mirrored(ribs)]
        for x in (0.2, 0.72 * wide):
            for y in (-0.26, -0.1):
                solids += [Solid(b, "struts") for b in mirrored([strut((x, y + 0.06, -0.12), (x, y - 0.02, 0.42), 0.017, 8)])]
        wires = [
            strut((0.2, -0.18, -0.1), (0.72 * wide, -0.2, 0.4), 0.008, 6),
            strut((0.2, -0.2, 0.4), (0.72 * wide, -0.16, -0.1), 0.008, 6),
        ]
        solids += [Solid(b, "struts") for b in mirrored(wires)]
        solids += [Solid(b, "tail") for b in wings((0.0, 0.78, 0.08), (0.32, 0.82, 0.08), 0.24, 0.16, 0.03)]
        solids.append(Solid(tail_fin(0.7, 0.06, 0.24, 0.26, 0.12), "tail"))
        return (
            solids
            + propeller(builder, self.blades, -0.82, 0, 0.36)
            + gear([(0.24, -0.42, -0.4, 0.12), (-0.24, -0.42, -0.4, 0.12), (0.0, 0.8, -0.06, 0.05)], -0.08)
        )

    def _helicopter(self, builder: Builder) -> list[Solid]:
        g = self.girth
        body = fuselage(
            builder,
            [
                (-0.72, -0.08, 0.03, 0.03),
                (-0.64, -0.06, 0.14 * g, 0.16 * g),
                (-0.4, 0, 0.23 * g, 0.26 * g),
                (0.0, 0.02, 0.24 * g, 0.27 * g),
                (0.3, 0.1, 0.12 * g, 0.15 * g),
                (0.45, 0.14, 0.06, 0.07),
                (1.1, 0.2, 0.035, 0.045),
            ],
        )
        door = subtract(
            box((1, 0.26, 0.3), (0, -0.1, -0.02)), [box((2, 0.244, 0.284), (0, -0.1, -0.02)), box((0.42 * g, 3, 3))]
        )
        solids = [Solid(subtract(body, [door]), "fuselage")]
        ball = fuselage(
            builder,
            [
                (-0.73, -0.07, 0.02, 0.02),
                (-0.64, -0.05, 0.142 * g, 0.15 * g),
                (-0.42, 0.02, 0.236 * g, 0.24 * g),
                (-0.3, 0.03, 0.246 * g, 0.25 * g),
            ],
        )
        panes = subtract(
            ball, [box((1, 1, 0.4), (0, 0, -0.26)), box((0.03, 2, 0.9), (0, 0, 0)), box((1, 0.03, 1), (0, -0.46, 0))]
        )
        windows = [box((0.5 * g, 0.16, 0.13), (0, y, 0.09), 0.02) for y in (-0.1, 0.1)]
        solids += [Solid(b, "windows") for b in (panes, *windows)]
        deck = [
            box((0.24, 0.4, 0.13), (0, 0.02, 0.3), 0.04),
            cylinder(0.05, 0.24, (0, -0.02, 0.42), segments=20),
            cylinder(0.09, 0.06, (0, -0.02, 0.5), segments=24),
            cylinder(0.05, 0.2, (0.1, 0.22, 0.3), "y", 20),
            cylinder(0.05, 0.2, (-0.1, 0.22, 0.3), "y", 20),
        ]
        solids += [Solid(deck[0], "fuselage"), *(Solid(b, "rotor") for b in deck[1:])]
        blade = union(
            [box((0.9 * self.span, 0.08, 0.02), (0.5 * self.span, 0, 0), 0.008), box((0.16, 0.05, 0.05), (0.1, 0, 0), 0.01)]
        )
        solids += [
            Solid(b.rotate([0, 0, 20 + 60 * self.sweep]).translate([0, -0.02, 0.51]), "rotor")
            for b in around(blade, self.blades)
        ]
        small = box((0.02, 0.05, 0.2), (0.07, 0, 0.11), 0.005)
        solids += [Solid(b.translate([0, 1.08, 0.24]), "rotor") for b in around(small, 4, "x")]
        solids += [
            Solid(cylinder(0.03, 0.12, (0.05, 1.08, 0.24), "x", 16), "rotor"),
            Solid(tail_fin(0.98, 0.16, 0.18, 0.26, 0.12), "fuselage"),
        ]
        solids += [Solid(b, "fuselage") for b in wings((0.0, 0.85, 0.18), (0.2, 0.88, 0.18), 0.14, 0.1, 0.03)]
        for x in (1, -1):
            skid = np.array(
                [
                    (x * 0.26, y, z)
                    for y, z in ((-0.68, -0.36), (-0.62, -0.42), (-0.52, -0.46), (-0.3, -0.46), (0.1, -0.46), (0.4, -0.46))
                ]
            )
            solids.append(Solid(builder.sweep(tube(skid, 0.026)), "struts"))
            solids += [Solid(strut((x * 0.26, y, -0.46), (x * 0.14, y, -0.18), 0.022, 10), "struts") for y in (-0.32, 0.16)]
        return solids

    def _fighter_jet(self, builder: Builder) -> list[Solid]:
        g = self.girth
        body = fuselage(
            builder,
            [
                (-1.0, -0.03, 0.008, 0.008),
                (-0.78, -0.02, 0.06 * g, 0.07 * g),
                (-0.4, 0, 0.11 * g, 0.12 * g),
                (0.1, 0, 0.16 * g, 0.12 * g),
                (0.8, 0, 0.14 * g, 0.09 * g),
            ],
        )
        solids = [Solid(body, "fuselage")]
        canopy = fuselage(
            builder, [(-0.62, 0.07, 0.02, 0.02), (-0.45, 0.1, 0.07, 0.09), (-0.28, 0.11, 0.07, 0.08), (0.0, 0.1, 0.02, 0.02)]
        )
        bows = [box((0.3, 0.02, 0.3), (0, y, 0.16)) ^ canopy.scale([1.08, 1, 1.06]) for y in (-0.46, -0.26)]
        solids += [Solid(canopy, "windows"), *(Solid(b, "fuselage") for b in bows)]
        intake = subtract(
            box((0.14, 0.7, 0.2), (0.17 * g, 0.02, -0.02), 0.03), [box((0.09, 0.3, 0.14), (0.17 * g, -0.36, -0.02))]
        )
        solids += [Solid(b, "fuselage") for b in mirrored([intake])]
        back = 0.35 + 0.35 * self.sweep
        wing = hull(
            np.array(
                [
                    (x, y, z)
                    for x, y in ((0.1, -0.28), (0.1, 0.55), (0.72 * self.span, back + 0.16), (0.72 * self.span, back))
                    for z in ((0.025, -0.02) if x < 0.2 else (0.008, -0.006))
                ]
            )
        )
        flap = [box((0.5, 0.012, 0.05), (0.35, 0.4, 0.02)).rotate([0, 0, 0]), box((0.012, 0.2, 0.05), (0.36, 0.46, 0.02))]
        solids += [Solid(b, "wings") for b in mirrored([subtract(wing, flap)])]
        rail = [
            cylinder(0.022, 0.42, (0.72 * self.span, back + 0.06, 0), "y", 14),
            cylinder(0.03, 0.36, (0.42, 0.3, -0.08), "y", 16),
            cylinder(0.03, 0.1, (0.42, 0.07, -0.08), "y", 16, top=0.03),
            box((0.02, 0.16, 0.08), (0.42, 0.3, -0.04)),
        ]
        solids += [Solid(b, "engines") for b in mirrored(rail)]
        solids += [Solid(b, "tail") for b in mirrored([tail_fin(0.45, 0.05, 0.32, 0.32, 0.24, 0.11 * g, 0.09)])]
        solids += [
            Solid(b, "tail")
            for b in mirrored(
                [
                    hull(
                        np.array(
                            [
                                (x, y, z)
                                for x, y in ((0.08, 0.6), (0.08, 0.9), (0.42, 0.98), (0.42, 0.86))
                                for z in (0.012, -0.012)
                            ]
                        )
                    )
                ]
            )
        ]
        nozzle = lathe(
            [(0, -0.1), (0.075 * g, -0.1), (0.085 * g, 0.0), (0.068 * g, 0.12), (0.058 * g, 0.12), (0.06 * g, 0.0), (0, 0.0)]
        )
        bell = builder.sweep(nozzle, segments=36).rotate([-90, 0, 0])
        petals = [box((0.012, 0.12, 0.012), (0.078 * g, 0.05, 0)).rotate([0, 360 * k / 16, 0]) for k in range(16)]
        solids += [Solid(b, "engines") for b in mirrored([union([bell, *petals]).translate([0.075 * g, 0.82, 0])])]
        return solids

    def _rocket(self, builder: Builder) -> list[Solid]:
        g = 0.24 * self.girth
        hull_line = [
            (0, -0.72),
            (0.62 * g, -0.72),
            (0.85 * g, -0.5),
            (1.0 * g, -0.1),
            (0.98 * g, 0.2),
            (0.98 * g, 0.21),
            (1.04 * g, 0.22),
            (1.04 * g, 0.26),
            (0.95 * g, 0.28),
            (0.72 * g, 0.6),
            (0.36 * g, 0.86),
            (0.05, 1.0),
            (0, 1.02),
        ]
        line = [(r, z * 1.0) for r, z in hull_line]
        solids = [Solid(builder.sweep(lathe(line), segments=64), "fuselage")]
        for z, r in ((-0.5, 0.86), (-0.3, 0.95), (0.62, 0.7)):
            solids.append(Solid(cylinder(r * g + 0.012, 0.035, (0, 0, z), segments=64), "fins"))
        solids.append(
            Solid(builder.sweep(lathe([(0, 0.9), (0.075, 0.9), (0.02, 1.0), (0.012, 1.12), (0, 1.12)]), segments=24), "fins")
        )
        for k, z in enumerate((0.42, 0.1, -0.12)[: 2 + self.blades % 2]):
            ring = subtract(
                cylinder(0.1 - 0.015 * k, 0.12, (0, -0.93 * g + 0.02 - 0.06 * (z < 0.3), z), "y", 40),
                [cylinder(0.07 - 0.012 * k, 0.4, (0, -g, z), "y", 40)],
            )
            solids += [
                Solid(ring, "engines"),
                Solid(
                    Manifold.sphere(0.078 - 0.012 * k, 32)
                    .scale([1, 0.5, 1])
                    .translate([0, -0.93 * g + 0.02 - 0.05 * (z < 0.3), z]),
                    "windows",
                ),
            ]
        count = self.blades + 1
        fin = hull(
            np.array(
                [
                    (x, y, z)
                    for x, z in ((0.7 * g, -0.25), (0.75 * g, -0.68), (2.0 * g, -1.0), (2.05 * g, -0.86), (1.6 * g, -0.5))
                    for y in (0.028, -0.028)
                ]
            )
        )
        solids += [Solid(f.rotate([0, 0, 45]), "fins") for f in around(fin, count)]
        solids.append(
            Solid(
                builder.sweep(
                    lathe([(0, -0.82), (0.1, -0.82), (0.19, -0.96), (0.22, -0.95), (0.12, -0.78), (0.16, -0.7), (0, -0.68)]),
                    segments=48,
                ),
                "engines",
            )
        )
        return solids
