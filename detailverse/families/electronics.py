"""Electronics: radios, televisions, telephones, cameras, laptops."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, around, box, cylinder, hull, strut, subtract, union
from versemill.detailverse.spines import curve, lathe, tube


@family("electronic device")
class Electronics(Family):
    """An electronic device, its front to -Y."""

    title: ClassVar[str] = "electronics"
    grain: ClassVar[Literal["x", "y", "z"]] = "x"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    labels: ClassVar[dict[str, str]] = {"metal": "metal parts"}
    slots: ClassVar[dict[str, Slot]] = {
        "case": Slot((), "radio case"),
        "shell": Slot((), "telephone plastic"),
        "panel": Slot((), "device dark"),
        "screen": Slot((), "dark glass"),
        "keys": Slot((), "key plastic"),
        "knobs": Slot((), "knob metal"),
        "grille": Slot((), "grille"),
        "metal": Slot((), "bare metal"),
        "lid": Slot((), "laptop"),
        "lens": Slot((), "dark glass"),
        "cord": Slot((), "device dark"),
    }

    kind: Literal["radio", "television", "telephone", "camera", "laptop"] = Field(default="radio", description="what it is")
    wide: float = Field(default=1.0, ge=0.88, le=1.14, description="width over the usual")
    tall: float = Field(default=1.0, ge=0.9, le=1.12, description="height over the usual")
    knobs: int = Field(default=3, ge=2, le=4, description="knobs or buttons in a row")
    slats: int = Field(default=11, ge=8, le=16, description="slats of a grille")
    open: float = Field(default=0.5, ge=0.0, le=1.0, description="how far a lid is open, where a pointer stands")
    legs: bool = Field(default=True, description="it has legs, an aerial or a strap")

    def noun(self) -> str:
        return {
            "radio": "{} radio" + (" with an aerial" if self.legs else ""),
            "television": "old {} television" + (" on four legs" if self.legs else ""),
            "telephone": "{} telephone with a dial",
            "camera": "{} camera with a large lens",
            "laptop": "open {} laptop",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "radio": ("case", "grille", "knobs", "screen"),
            "television": ("case", "screen", "knobs", "grille"),
            "telephone": ("shell", "keys", "metal", "cord"),
            "camera": ("panel", "metal", "lens"),
            "laptop": ("lid", "screen", "panel"),
        }[self.kind]

    def _knob(self, builder: Builder, r: float, at: tuple[float, float, float]) -> Manifold:
        """A fluted knob on the front, with a pointer."""
        body = builder.sweep(
            lathe([(0, -0.02), (1.15 * r, -0.02), (1.15 * r, 0.02), (r, 0.025), (0.92 * r, 0.1), (0.8 * r, 0.115), (0, 0.115)]),
            segments=40,
        )
        flutes = [cylinder(0.12 * r, 0.3, (r, 0, 0.17), segments=10)]
        mark = box((0.1 * r, 0.7 * r, 0.02), (0, 0.4 * r, 0.118))
        return union([subtract(body, around(flutes[0], 14)), mark]).rotate([90, 0, 0]).translate(list(at))

    def _frame(
        self, w: float, h: float, thick: float, deep: float, at: tuple[float, float, float], bevel: float = 0.015
    ) -> Manifold:
        """A frame (w, h) of bars on the front."""
        return subtract(box((w, deep, h), at, bevel), [box((w - 2 * thick, 3 * deep, h - 2 * thick), at)])

    def _radio(self, builder: Builder) -> list[Solid]:
        w, h = 0.95 * self.wide, 0.55 * self.tall
        case = box((2 * w, 0.62, 2 * h), (0, 0, 0), 0.09)
        well = box((1.05 * w, 0.12, 1.5 * h), (-0.42 * w, -0.31, 0), 0.03)
        solids = [Solid(subtract(case, [well, box((0.66 * w, 0.1, 0.62 * h), (0.55 * w, -0.31, 0.38 * h), 0.02)]), "case")]
        slats = [
            box((1.05 * w, 0.05, 0.9 * h / self.slats), (-0.42 * w, -0.275, z), 0.008)
            for z in np.linspace(-0.66, 0.66, self.slats) * h
        ]
        posts = [box((0.03, 0.08, 1.5 * h), (x, -0.27, 0)) for x in np.linspace(-0.9, 0.06, 4) * w]
        solids += [Solid(b, "grille") for b in (*slats, *posts)]
        solids.append(Solid(box((0.64 * w, 0.05, 0.6 * h), (0.55 * w, -0.27, 0.38 * h), 0.01), "screen"))
        solids.append(Solid(self._frame(0.72 * w, 0.68 * h, 0.03, 0.05, (0.55 * w, -0.315, 0.38 * h)), "knobs"))
        marks = [
            box((0.012, 0.02, (0.16 if k % 4 == 0 else 0.09) * h), (x, -0.298, 0.3 * h))
            for k, x in enumerate(np.linspace(0.28, 0.82, 17) * w)
        ]
        solids += [
            Solid(m, "knobs") for m in (*marks, box((0.02, 0.03, 0.4 * h), ((0.35 + 0.4 * self.open) * w, -0.3, 0.4 * h)))
        ]
        for k in range(self.knobs):
            solids.append(
                Solid(
                    self._knob(
                        builder,
                        0.13 if self.knobs < 4 else 0.1,
                        ((0.55 + 0.6 * (k / (self.knobs - 1) - 0.5)) * w, -0.31, -0.5 * h),
                    ),
                    "knobs",
                )
            )
        solids += [Solid(self._frame(2 * w + 0.01, 2 * h + 0.01, 0.05, 0.05, (0, -0.29, 0), 0.02), "case")]
        feet = [
            cylinder(0.07, 0.08, (x * 0.8 * w, y, -h - 0.02), segments=24, top=0.09) for x in (1, -1) for y in (0.18, -0.18)
        ]
        grip = curve(
            [
                (-0.5 * w, 0, h - 0.02),
                (-0.48 * w, 0, h + 0.14),
                (0, 0, h + 0.2),
                (0.48 * w, 0, h + 0.14),
                (0.5 * w, 0, h - 0.02),
            ],
            30,
        )
        solids += [Solid(f, "knobs") for f in feet] + [Solid(builder.sweep(tube(grip, 0.04)), "case")]
        if self.legs:
            rod = [
                strut((0.8 * w, 0.2, h), (0.8 * w + 0.25, 0.2, h + 0.35), 0.024, 10),
                strut((0.8 * w + 0.2, 0.2, h + 0.28), (0.8 * w + 0.42, 0.2, h + 0.6), 0.016, 8),
            ]
            solids += [
                Solid(b, "knobs")
                for b in (
                    *rod,
                    Manifold.sphere(0.03, 14).translate([0.8 * w + 0.42, 0.2, h + 0.6]),
                    cylinder(0.05, 0.06, (0.8 * w, 0.2, h), segments=20),
                )
            ]
        return solids

    def _television(self, builder: Builder) -> list[Solid]:
        w, h = 0.85 * self.wide, 0.62 * self.tall
        front = box((2 * w, 0.5, 2 * h), (0, 0, 0), 0.06)
        back = hull(
            np.array(
                [
                    (s * x * w, y, z * h)
                    for s in (1, -1)
                    for x, y, z in ((0.9, 0.2, 0.9), (0.9, 0.2, -0.95), (0.45, 0.75, 0.4), (0.45, 0.75, -0.7))
                ]
            )
        )
        sw, sh, sx = 0.68 * w, 0.76 * h, -0.24 * w
        solids = [Solid(subtract(front, [box((2 * sw, 0.2, 2 * sh), (sx, -0.25, 0.0), 0.05)]), "case"), Solid(back, "case")]
        tube_face = Manifold.sphere(1.0, 64).scale([1.9 * sw, 0.16, 1.9 * sh]) ^ box(
            (2 * sw - 0.02, 1, 2 * sh - 0.02), (0, 0, 0), 0.06
        )
        solids.append(Solid(tube_face.translate([sx, -0.14, 0]), "screen"))
        solids.append(Solid(self._frame(2 * sw + 0.08, 2 * sh + 0.08, 0.06, 0.08, (sx, -0.26, 0), 0.025), "knobs"))
        for k in range(2):
            solids.append(Solid(self._knob(builder, 0.11, (0.75 * w, -0.25, (0.55 - 0.42 * k) * h)), "knobs"))
        solids += [
            Solid(box((0.3 * w, 0.05, 0.028), (0.75 * w, -0.25, z), 0.006), "grille")
            for z in np.linspace(-0.8, -0.15, self.slats) * h
        ]
        solids += [
            Solid(box((0.05, 0.06, 0.05), (0.66 * w + 0.07 * k, -0.25, -0.05 * h), 0.008), "knobs") for k in range(self.knobs)
        ]
        vents = [box((1.2 * w, 0.3, 0.02), (0, 0.62, z)) for z in np.linspace(-0.4, 0.2, 8) * h]
        solids[1] = Solid(subtract(solids[1].body, vents), "case")
        rods = [strut((0, 0.1, h), (s * 0.5, 0.15, h + 0.62), 0.016, 8) for s in (1, -1)]
        solids += [
            Solid(b, "knobs")
            for b in (
                *rods,
                Manifold.sphere(0.1, 24).scale([1.4, 1, 0.8]).translate([0, 0.1, h]),
                *(Manifold.sphere(0.026, 12).translate([s * 0.5, 0.15, h + 0.62]) for s in (1, -1)),
            )
        ]
        if self.legs:
            for s in (1, -1):
                for y in (-0.12, 0.3):
                    solids.append(
                        Solid(strut((s * 0.7 * w, y, -0.95 * h), (s * 0.85 * w, y * 1.5, -h - 0.55), 0.05, 16, 0.028), "case")
                    )
        return solids

    def _telephone(self, builder: Builder) -> list[Solid]:
        w = 0.62 * self.wide
        base = hull(
            np.array(
                [
                    (s * x * w, y, z)
                    for s in (1, -1)
                    for x, y, z in (
                        (1.0, -0.55, -0.5),
                        (1.0, 0.5, -0.5),
                        (1.0, -0.55, -0.42),
                        (1.0, 0.5, -0.4),
                        (0.75, 0.1, 0.12),
                        (0.72, 0.4, 0.12),
                        (0.86, -0.45, -0.3),
                    )
                ]
            )
        )
        skirt = box((2.08 * w, 1.12, 0.08), (0, -0.02, -0.5), 0.025)
        solids = [Solid(base, "shell"), Solid(skirt, "shell")]
        disc = union([cylinder(0.36, 0.07, (0, 0, 0.02), segments=64), cylinder(0.4, 0.03, (0, 0, -0.01), segments=64)])
        holes = [
            cylinder(0.062, 0.3, (0.255 * np.cos(t), 0.255 * np.sin(t), 0.1), segments=24)
            for t in np.radians(np.arange(10) * 30 + 60)
        ]
        dial = union(
            [
                subtract(disc, holes),
                cylinder(0.13, 0.04, (0, 0, 0.06), segments=40),
                strut((0.3, -0.26, 0.04), (0.22, -0.22, 0.1), 0.02, 8),
            ]
        )
        numbers = [
            cylinder(0.045, 0.03, (0.255 * np.cos(t), 0.255 * np.sin(t), 0.0), segments=16)
            for t in np.radians(np.arange(10) * 30 + 60)
        ]
        tilt = [45.0, 0, 0]
        solids.append(Solid(dial.rotate(tilt).translate([0, -0.24, -0.12]), "metal"))
        solids += [Solid(n.rotate(tilt).translate([0, -0.24, -0.12]), "keys") for n in numbers]
        for s in (1, -1):
            fork = [
                box((0.09, 0.34, 0.16), (s * 0.3, 0.26, 0.18), 0.02),
                box((0.09, 0.07, 0.14), (s * 0.3, 0.1, 0.28), 0.02),
                box((0.09, 0.07, 0.14), (s * 0.3, 0.42, 0.28), 0.02),
            ]
            solids += [Solid(b, "shell") for b in fork]
            solids.append(Solid(cylinder(0.03, 0.1, (s * 0.3, 0.26, 0.28), segments=14), "metal"))
        bar = curve([(-0.62, 0.26, 0.3), (-0.35, 0.26, 0.42), (0, 0.26, 0.46), (0.35, 0.26, 0.42), (0.62, 0.26, 0.3)], 24)
        handset = [builder.sweep(tube(bar, 0.085 * self.tall))]
        for s in (1, -1):
            cup = (
                builder.sweep(
                    lathe([(0, -0.16), (0.15, -0.16), (0.17, -0.1), (0.15, 0.0), (0.09, 0.06), (0, 0.08)]), segments=40
                )
                .rotate([0, s * -12, 0])
                .translate([s * 0.64, 0.26, 0.24])
            )
            dots = [
                cylinder(0.018, 0.3, (0.07 * np.cos(t), 0.07 * np.sin(t), 0), segments=8)
                .rotate([0, s * -12, 0])
                .translate([s * 0.64, 0.26, -0.0])
                for t in np.arange(6) * np.pi / 3
            ]
            ring = cylinder(0.176, 0.035, (0, 0, -0.08), segments=40).rotate([0, s * -12, 0]).translate([s * 0.64, 0.26, 0.24])
            handset += [subtract(cup, [d.translate([0, 0, -0.02]) for d in dots]), ring]
        solids += [Solid(b, "shell") for b in handset]
        t = np.linspace(0, 1, 180)
        line = curve([(-0.66, 0.26, 0.1), (-0.9, 0.3, -0.3), (-0.7, 0.55, -0.45), (-0.3, 0.48, -0.45)], 180)
        coil = line + 0.045 * np.stack([np.cos(90 * t), np.sin(90 * t), 0.6 * np.cos(90 * t)], 1)
        solids.append(Solid(builder.sweep(tube(coil, 0.022), segments=8), "cord"))
        feet = [cylinder(0.06, 0.07, (x * 0.8 * w, y, -0.56), segments=16) for x in (1, -1) for y in (-0.42, 0.4)]
        return solids + [Solid(f, "cord") for f in feet]

    def _camera(self, builder: Builder) -> list[Solid]:
        w, h = 0.85 * self.wide, 0.5 * self.tall
        solids = [
            Solid(box((2 * w, 0.5, 1.5 * h), (0, 0, -0.12 * h), 0.05), "panel"),
            Solid(box((2 * w + 0.02, 0.52, 0.3 * h), (0, 0, 0.72 * h), 0.04), "metal"),
            Solid(box((2 * w + 0.02, 0.52, 0.12), (0, 0, -0.92 * h), 0.02), "metal"),
        ]
        prism = hull(
            np.array(
                [
                    (s * x, y, z)
                    for s in (1, -1)
                    for x, y, z in ((0.34, -0.3, 0.72 * h), (0.34, 0.25, 0.72 * h), (0.2, -0.3, 1.25 * h), (0.2, 0.2, 1.25 * h))
                ]
            )
        )
        grip = box((0.26, 0.2, 1.5 * h), (-0.8 * w, -0.3, -0.12 * h), 0.06)
        studs = [box((0.2, 0.02, 0.022), (-0.8 * w, -0.4, z)) for z in np.linspace(-0.75, 0.5, 12) * h]
        solids += [Solid(prism, "metal"), Solid(grip, "panel"), *(Solid(s, "panel") for s in studs)]
        line = [
            (0, -0.2),
            (0.46, -0.2),
            (0.46, -0.28),
            (0.42, -0.3),
            (0.42, -0.36),
            (0.44, -0.37),
            (0.44, -0.58),
            (0.42, -0.6),
            (0.41, -0.66),
            (0.43, -0.67),
            (0.43, -0.84),
            (0.38, -0.86),
            (0.34, -0.76),
            (0, -0.76),
        ]
        barrel = builder.sweep(lathe([(r, -y) for r, y in line]), segments=80).rotate([90, 0, 0]).translate([0.06, 0, -0.1 * h])
        ridges = [
            around(box((0.02, 0.18, 0.03), (0.44, -0.47, 0)), 36, "y"),
            around(box((0.02, 0.13, 0.03), (0.43, -0.755, 0)), 44, "y"),
        ]
        solids += [
            Solid(barrel, "panel"),
            *(Solid(r.translate([0.06, 0, -0.1 * h]), "panel") for group in ridges for r in group),
        ]
        glass = [Manifold.sphere(0.33, 48).scale([1, 0.3, 1]).translate([0.06, -0.74, -0.1 * h])]
        rings = [
            subtract(
                cylinder(0.47, 0.05, (0.06, -0.26, -0.1 * h), "y", 72), [cylinder(0.4, 1, (0.06, -0.2, -0.1 * h), "y", 48)]
            ),
            subtract(
                cylinder(0.36, 0.03, (0.06, -0.8, -0.1 * h), "y", 64), [cylinder(0.3, 1, (0.06, -0.8, -0.1 * h), "y", 48)]
            ),
        ]
        solids += [Solid(glass[0], "lens"), *(Solid(r, "metal") for r in rings)]
        top = 0.88 * h
        dials = [(-0.72 * w, 0.12, 0.1), (0.66 * w, 0.15, 0.09), (0.4 * w + 0.04, 0.09, 0.07)]
        for x, r, tall in dials:
            knob = union(
                [
                    cylinder(r, tall, (0, 0, tall / 2), segments=40),
                    *around(box((0.018, 0.022, tall), (r, 0, tall / 2)), 24),
                    cylinder(0.5 * r, 0.03, (0, 0, tall + 0.01), segments=24),
                ]
            )
            solids.append(Solid(knob.translate([x, 0.02, top - 0.03]), "metal"))
        extras = [
            cylinder(0.05, 0.12, (-0.72 * w, -0.16, top), segments=20),
            box((0.2, 0.24, 0.05), (0, 0.0, 1.27 * h), 0.012),
            box((0.14, 0.03, 0.1), (0.55 * w, -0.27, 0.62 * h), 0.01),
            cylinder(0.05, 0.06, (-0.5 * w, -0.27, 0.6 * h), "y", 24),
        ]
        solids += [Solid(e, "metal") for e in extras[:2]] + [Solid(e, "lens") for e in extras[2:]]
        if self.legs:
            for s in (1, -1):
                strap = curve(
                    [
                        (s * w, 0, 0.6 * h),
                        (s * (w + 0.14), 0.1, 0.2 * h),
                        (s * (w + 0.1), 0.35, -0.6 * h),
                        (s * 0.4 * w, 0.5, -1.05 * h),
                        (0, 0.52, -1.06 * h),
                    ],
                    26,
                )
                bands = [box((0.03, 0.08, 0.05), p, 0.008) for p in strap]
                solids += [Solid(Manifold.batch_hull([p, q]), "panel") for p, q in pairwise(bands)]
        return solids

    def _laptop(self, builder: Builder) -> list[Solid]:
        w, d = 1.0 * self.wide, 0.68 * self.tall
        base = box((2 * w, 2 * d, 0.09), (0, 0, 0), 0.03)
        tray = box((1.76 * w, 0.88 * d, 0.05), (0, 0.28 * d, 0.05), 0.01)
        pad = box((0.6 * w, 0.5 * d, 0.03), (0, -0.62 * d, 0.045))
        solids = [
            Solid(subtract(base, [tray, pad]), "lid"),
            Solid(box((0.57 * w, 0.47 * d, 0.03), (0, -0.62 * d, 0.032), 0.006), "lid"),
        ]
        for row in range(5):
            columns = 12 if row else 3
            y = (0.28 + 0.36 * (row - 2) / 2) * d
            for k in range(columns):
                x = (k - (columns - 1) / 2) * 0.144 * w
                long = 0.126 * w if row else (0.62 * w if k == 1 else 0.4 * w)
                x = x if row else (k - 1) * 0.54 * w
                solids.append(Solid(box((long, 0.145 * d, 0.05), (x, y, 0.035), 0.012), "panel"))
        lean = 8 + 25 * self.open
        lid = subtract(
            box((2 * w, 0.05, 1.3 * d * 1.5), (0, 0, 0.65 * d * 1.5), 0.02),
            [box((1.84 * w, 0.06, 1.78 * d), (0, -0.035, 0.98 * d))],
        )
        screen = box((1.83 * w, 0.02, 1.77 * d), (0, -0.008, 0.98 * d))
        hinge = [cylinder(0.04, 0.3 * w, (s * 0.6 * w, d - 0.02, 0.05), "x", 20) for s in (1, -1)]
        solids += [
            Solid(b.rotate([-lean, 0, 0]).translate([0, d - 0.02, 0.05]), part)
            for b, part in ((lid, "lid"), (screen, "screen"))
        ]
        ports = [box((0.05, 0.1, 0.03), (s * w, y, 0.0)) for s in (1, -1) for y in np.linspace(-0.1, 0.6, self.knobs + 1) * d]
        solids[0] = Solid(subtract(solids[0].body, ports), "lid")
        speakers = [
            cylinder(0.012, 0.1, (s * 0.93 * w, y, 0.05), segments=8) for s in (1, -1) for y in np.linspace(-0.1, 0.66, 14) * d
        ]
        solids[0] = Solid(subtract(solids[0].body, speakers), "lid")
        feet = [box((0.3, 0.06, 0.04), (s * 0.7 * w, y * d, -0.055), 0.01) for s in (1, -1) for y in (-0.8, 0.8)]
        return solids + [Solid(b, "panel") for b in (*hinge, *feet)]
