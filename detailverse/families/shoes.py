"""Shoes: boots, trainers, high heels."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cylinder, hull, strut, subtract, union
from versemill.detailverse.spines import curve, outline, tube

SOLE = [(0.0, -1.0), (0.2, -0.94), (0.3, -0.7), (0.29, -0.4), (0.2, -0.05), (0.2, 0.3), (0.24, 0.6), (0.2, 0.86), (0.0, 0.93)]
"""Right half of a sole (x, y), toe first."""


@family("shoe")
class Shoe(Family):
    """A shoe, its toe to the front."""

    title: ClassVar[str] = "shoes"
    grain: ClassVar[Literal["x", "y", "z"]] = "z"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    labels: ClassVar[dict[str, str]] = {"straw": "crown and brim", "cloth": "crown and peak", "felt": "crown and brim"}
    slots: ClassVar[dict[str, Slot]] = {
        "upper": Slot((), "shoe leather"),
        "shoe": Slot((), "trainer cloth"),
        "patent": Slot((), "patent leather"),
        "sole": Slot((), "sole rubber"),
        "heel": Slot((), "sole leather"),
        "laces": Slot((), "lace"),
    }

    kind: Literal["boot", "trainer", "high heel"] = Field(default="boot", description="what it is")
    tall: float = Field(default=1.0, ge=0.88, le=1.15, description="height of a shaft or heel over the usual")
    wide: float = Field(default=1.0, ge=0.9, le=1.12, description="width over the usual")
    toe: float = Field(default=0.5, ge=0.2, le=0.9, description="height of the toe")
    eyelets: int = Field(default=6, ge=5, le=8, description="pairs of eyelets")
    cuff: bool = Field(default=True, description="a boot has a padded cuff")

    def noun(self) -> str:
        return {
            "boot": "laced {} boot",
            "trainer": "{} trainer shoe with laces",
            "high heel": "{} high-heeled shoe",
        }[self.kind]

    def name(self) -> str:
        return {"high heel": "high-heeled shoe"}.get(self.kind, self.kind)

    def parts(self) -> tuple[str, ...]:
        return {
            "boot": ("upper", "sole", "laces"),
            "trainer": ("shoe", "sole", "laces"),
            "high heel": ("patent", "heel"),
        }[self.kind]

    def _loft(self, rings: list[Floats]) -> Manifold:
        """Slices between successive convex rings of points."""
        return union([hull(np.concatenate(pair)) for pair in pairwise(rings)])

    def _ring(self, plan: Floats, scale: tuple[float, float], center: tuple[float, float], z: ArrayLike) -> Floats:
        return np.c_[plan[:, 0] * scale[0] + center[0], plan[:, 1] * scale[1] + center[1], np.broadcast_to(z, len(plan))]

    def _plan(self) -> Floats:
        return outline(SOLE + [(-x, y) for x, y in SOLE[-2:0:-1]], 56) * [self.wide, 1.0]

    def _laces(self, builder: Builder, spots: Floats, half: float) -> list[Solid]:
        """Crossed laces over a row of (y, z) spots, with a bow at the last."""
        solids = []
        for k, (y, z) in enumerate(spots):
            for s in (1, -1):
                solids.append(Solid(cylinder(0.035, 0.03, (s * half, y, z - 0.02), segments=16), "laces"))
            if k + 1 < len(spots):
                for s in (1, -1):
                    solids.append(Solid(strut((s * half, y, z), (-s * half, *spots[k + 1]), 0.026, 8), "laces"))
        y, z = spots[-1]
        solids.append(Solid(strut((half, y, z), (-half, y, z), 0.026, 8), "laces"))
        for s in (1, -1):
            loop = curve(
                [
                    (0, y - 0.02, z + 0.02),
                    (s * 0.16, y - 0.1, z + 0.1),
                    (s * 0.26, y - 0.12, z),
                    (s * 0.12, y - 0.1, z - 0.04),
                    (0, y - 0.03, z),
                ],
                20,
            )
            end = curve([(0, y - 0.03, z), (s * 0.1, y - 0.14, z - 0.04), (s * 0.2, y - 0.2, z - 0.14)], 10)
            solids += [Solid(builder.sweep(tube(p, 0.022), segments=10), "laces") for p in (loop, end)]
        return [*solids, Solid(Manifold.sphere(0.05, 14).translate([0, y - 0.03, z + 0.01]), "laces")]

    def _tread(self, plan: Floats, low: float, high: float, part: str = "sole") -> list[Solid]:
        """A sole with a welt and cleats."""
        body = self._loft(
            [self._ring(plan, (1.06, 1.03), (0, 0), z) for z in (low, high - 0.04)]
            + [self._ring(plan, (1.12, 1.05), (0, 0), high - 0.03), self._ring(plan, (1.12, 1.05), (0, 0), high)]
        )
        cuts = [box((2, 0.05, 0.06), (0, y, low)) for y in np.linspace(-0.85, 0.8, 13)]
        stitches = [box((0.02, 0.035, 0.02), (1.08 * x, 1.03 * y, high), 0.004) for x, y in plan]
        return [Solid(subtract(body, cuts), part), *(Solid(s, "laces") for s in stitches)]

    def _boot(self, builder: Builder) -> list[Solid]:
        plan = self._plan()
        top = 0.85 * self.tall
        toe = 0.32 + 0.08 * self.toe
        rings = []
        for wide, long, back, z in ((1.0, 1.0, 0.0, -0.62), (1.03, 1.0, 0.0, -0.5), (0.95, 0.95, 0.03, -0.35)):
            rings.append(self._ring(plan, (wide, long), (0, back), z))
        vamp = self._loft(
            [
                *rings,
                self._ring(plan, (0.72, 0.7), (0, 0.14), -0.62 + toe + 0.14),
                self._ring(plan, (0.55, 0.52), (0, 0.26), -0.05),
            ]
        )
        a = np.linspace(0, 2 * np.pi, 56, endpoint=False)
        shaft_rings = [
            np.c_[0.27 * self.wide * w * np.cos(a), 0.46 + c + 0.34 * w * np.sin(a), 0 * a + z]
            for z, w, c in ((-0.62, 1.05, 0.02), (-0.3, 1.0, 0.03), (0.0, 0.98, 0.0), (0.35, 1.04, 0.0), (top, 1.16, 0.0))
        ]
        shaft = subtract(self._loft(shaft_rings), [cylinder(0.24, 0.8, (0, 0.46, top), segments=40).scale([self.wide, 1.0, 1])])
        solids = [Solid(vamp, "upper"), Solid(shaft, "upper"), *self._tread(plan, -0.82, -0.6)]
        solids.append(
            Solid(
                hull(
                    np.array(
                        [
                            (s * x * self.wide, y, z)
                            for s in (1, -1)
                            for x, y in ((0.2, 0.3), (0.26, 0.6), (0.2, 0.92))
                            for z in (-1.0, -0.78)
                        ]
                    )
                ),
                "sole",
            )
        )
        tongue = hull(
            np.array(
                [
                    (s * 0.13, y, z)
                    for s in (1, -1)
                    for y, z in ((0.12, top + 0.1), (0.16, top + 0.1), (0.1, 0.0), (-0.08, -0.16), (0.3, -0.1))
                ]
            )
        )
        solids.append(Solid(tongue, "upper"))
        n = self.eyelets
        low = [(-0.28 + 0.34 * f, -0.2 + 0.26 * f) for f in np.linspace(0, 1, 3)]
        high = [(0.12 - 0.06 * f, 0.16 + (top - 0.2) * f) for f in np.linspace(0.05, 1, n - 2)]
        solids += self._laces(builder, np.array(low + high) + [0, 0.03], 0.12)
        if self.cuff:
            ring = np.c_[0.27 * 1.16 * self.wide * np.cos(a), 0.46 + 0.34 * 1.16 * np.sin(a), 0 * a + top]
            solids.append(Solid(builder.sweep(tube(ring, 0.06, True)), "upper"))
        loop = curve([(0, 0.82, top - 0.12), (0, 0.96, top + 0.02), (0, 0.86, top + 0.14), (0, 0.8, top)], 14)
        seam = [
            np.c_[0.275 * self.wide * w * np.cos(a), 0.465 + c + 0.345 * w * np.sin(a), 0 * a + z]
            for z, w, c in ((-0.3, 1.0, 0.03), (0.35, 1.04, 0.0))
        ]
        return [
            *solids,
            Solid(builder.sweep(tube(loop, 0.035)), "upper"),
            *(Solid(builder.sweep(tube(s, 0.016, True)), "upper") for s in seam),
        ]

    def _trainer(self, builder: Builder) -> list[Solid]:
        plan = self._plan()
        body = self._loft(
            [
                self._ring(plan, (1.0, 1.0), (0, 0), -0.42),
                self._ring(plan, (1.05, 1.0), (0, 0), -0.25),
                self._ring(plan, (0.92, 0.88), (0, 0.06), -0.06),
                self._ring(plan, (0.7, 0.62), (0, 0.3), 0.16),
            ]
        )
        a = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        collar = self._loft(
            [
                np.c_[0.24 * self.wide * w * np.cos(a), 0.42 + c + 0.42 * w * np.sin(a), z + 0.12 * np.sin(a) * (z > 0)]
                for z, w, c in ((-0.3, 1.1, 0.0), (0.1, 1.0, 0.02), (0.36 * self.tall, 0.98, 0.05))
            ]
        )
        mouth = cylinder(0.32, 0.7, (0, 0.46, 0.42 * self.tall), segments=44).scale([0.58 * self.wide, 1.0, 1])
        solids = [Solid(subtract(union([body, collar]), [mouth]), "shoe")]
        waves = self._loft(
            [
                self._ring(plan, (1.1, 1.05), (0, 0), -0.62),
                self._ring(plan, (1.14, 1.07), (0, 0), -0.45),
                self._ring(plan, (1.08, 1.04), (0, 0), -0.34),
            ]
        )
        slots = [box((2.4, 0.03, 0.09), (0, y, -0.56)) for y in np.linspace(-0.9, 0.85, 15)]
        solids.append(Solid(subtract(waves, [subtract(s, [box((0.3, 3, 3))]) for s in slots]), "sole"))
        toe = self._loft([self._ring(plan, (1.08, 1.03), (0, 0), -0.45), self._ring(plan, (1.06, 1.03), (0, 0), -0.18)]) ^ box(
            (2, 0.5, 2), (0, -0.95, 0)
        )
        solids += [Solid(toe, "sole")]
        for s in (1, -1):
            for k in range(3):
                line = curve(
                    [
                        (s * 0.31 * self.wide, -0.2 + 0.16 * k, -0.36),
                        (s * 0.27 * self.wide, -0.06 + 0.16 * k, -0.14),
                        (s * 0.2 * self.wide, 0.05 + 0.16 * k, 0.06),
                    ],
                    10,
                )
                solids += [
                    Solid(Manifold.batch_hull([box((0.07, 0.07, 0.05), p, 0.01), box((0.07, 0.07, 0.05), q, 0.01)]), "sole")
                    for p, q in pairwise(line)
                ]
        spots = [(-0.45 + 0.5 * f, -0.02 + 0.3 * f) for f in np.linspace(0, 1, self.eyelets)]
        tongue = hull(
            np.array(
                [
                    (s * 0.14, y, z)
                    for s in (1, -1)
                    for y, z in ((-0.5, -0.08), (0.12, 0.42 * self.tall), (0.2, 0.4 * self.tall), (0.1, -0.1))
                ]
            )
        )
        rim = np.c_[0.235 * self.wide * np.cos(a), 0.47 + 0.41 * np.sin(a), 0.36 * self.tall + 0.12 * np.sin(a)]
        tab = box((0.14, 0.06, 0.3), (0, 0.88, 0.34), 0.02)
        return [
            *solids,
            Solid(tongue, "shoe"),
            Solid(builder.sweep(tube(rim, 0.045, True)), "shoe"),
            Solid(tab, "sole"),
            *self._laces(builder, np.array(spots), 0.13),
        ]

    def _high_heel(self, builder: Builder) -> list[Solid]:
        y = np.linspace(-1.0, 0.85, 30)
        arch = 0.62 * self.tall * (1 / (1 + np.exp(-6.5 * (y - 0.1))))
        half = self.wide * np.interp(
            y, [-1, -0.9, -0.65, -0.3, 0.1, 0.5, 0.75, 0.85], [0.03, 0.15, 0.24, 0.23, 0.15, 0.17, 0.16, 0.1]
        )
        slabs = [box((2 * w, 0.05, 0.05), (0, v, z), 0.012) for w, v, z in zip(half, y, arch, strict=True)]
        solids = [Solid(Manifold.batch_hull([p, q]), "heel") for p, q in pairwise(slabs)]
        rise = np.interp(y, [-1, -0.85, -0.55, -0.35, 0.1, 0.5, 0.85], [0.06, 0.2, 0.26, 0.2, 0.14, 0.3, 0.36])
        for p, q in pairwise(range(30)):
            wall = []
            for k in (p, q):
                t = np.linspace(0, np.pi, 9)
                wall.append(np.stack([half[k] * np.cos(t), 0 * t + y[k], arch[k] + rise[k] * np.sin(t) ** 0.8], 1))
            if y[q] < -0.42:
                solids.append(Solid(hull(np.concatenate(wall)), "patent"))
        for s in (1, -1):
            for p, q in pairwise(range(8, 30)):
                quad = [
                    (s * half[k] * f, y[k], arch[k] + dz)
                    for k in (p, q)
                    for f, dz in ((1.0, -0.02), (0.86, -0.02), (0.92, rise[k]), (0.84, rise[k]))
                ]
                solids.append(Solid(hull(np.array(quad)), "patent"))
        back = [(half[k] * c, y[k], arch[k] + dz) for k in (-1, -3) for c in (1, -1) for dz in (-0.02, rise[k])]
        solids.append(Solid(hull(np.array(back)), "patent"))
        foot = hull(
            np.concatenate(
                [
                    np.array([(0.13 * np.cos(t), 0.72 + 0.13 * np.sin(t), arch[-4]) for t in np.linspace(0, 2 * np.pi, 20)]),
                    np.array(
                        [(0.05 * np.cos(t), 0.8 + 0.05 * np.sin(t), 0.3 * arch[-1]) for t in np.linspace(0, 2 * np.pi, 16)]
                    ),
                ]
            )
        )
        pin = cylinder(0.05, 0.36 * arch[-1] + 0.02, (0, 0.8, 0.15 * arch[-1] - 0.02), segments=20, top=0.05)
        tip = cylinder(0.06, 0.05, (0, 0.8, -0.02), segments=20)
        solids += [Solid(foot, "patent"), Solid(pin, "patent"), Solid(tip, "heel")]
        strap = curve(
            [
                (-half[24], y[24], arch[24] + 0.26),
                (-0.15, 0.34, arch[24] + 0.42),
                (0.0, 0.22, arch[24] + 0.46),
                (0.15, 0.34, arch[24] + 0.42),
                (half[24], y[24], arch[24] + 0.26),
            ],
            30,
        )
        bands = [box((0.03, 0.07, 0.03), p, 0.008) for p in strap]
        bow = [
            hull(
                np.array(
                    [
                        (0, -0.5, 0.26 + arch[8]),
                        (0, -0.5, 0.22 + arch[8]),
                        (s * 0.2, -0.52, 0.36 + arch[8]),
                        (s * 0.2, -0.46, 0.2 + arch[8]),
                        (s * 0.2, -0.58, 0.24 + arch[8]),
                    ]
                )
            )
            for s in (1, -1)
        ]
        solids += [Solid(Manifold.batch_hull([p, q]), "patent") for p, q in pairwise(bands)] + [
            Solid(b, "patent") for b in (*bow, Manifold.sphere(0.06, 16).translate([0, -0.5, 0.24 + arch[8]]))
        ]
        buckle = box((0.06, 0.1, 0.1), (half[24] + 0.0, y[24] - 0.06, arch[24] + 0.32), 0.015)
        return [*solids, Solid(buckle, "heel")]
