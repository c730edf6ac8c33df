"""Hats and bags: top hats, straw hats, caps, handbags, backpacks."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cylinder, hull, mirrored, strut, subtract, union
from versemill.detailverse.spines import curve, lathe, tube


@family("hat or bag")
class HatOrBag(Family):
    """A hat or a bag, its front to -Y."""

    title: ClassVar[str] = "hats and bags"
    grain: ClassVar[Literal["x", "y", "z"]] = "z"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    labels: ClassVar[dict[str, str]] = {"straw": "crown and brim", "cloth": "crown and peak", "felt": "crown and brim"}
    slots: ClassVar[dict[str, Slot]] = {
        "felt": Slot((), "hat felt"),
        "straw": Slot(("basket_weave",), "straw", ornament=1.6),
        "cloth": Slot((), "canvas"),
        "bag": Slot(("quilting",), "bag leather", ornament=0.6),
        "pack": Slot((), "canvas"),
        "ribbon": Slot((), "velvet"),
        "straps": Slot((), "leather"),
        "buckles": Slot((), "hilt"),
    }

    kind: Literal["top hat", "straw hat", "cap", "handbag", "backpack"] = Field(default="top hat", description="what it is")
    tall: float = Field(default=1.0, ge=0.88, le=1.15, description="height of a crown or bag over the usual")
    wide: float = Field(default=1.0, ge=0.9, le=1.12, description="width over the usual")
    brim: float = Field(default=0.5, ge=0.2, le=0.9, description="width of a brim, slouch of a bag")
    pleats: int = Field(default=6, ge=5, le=8, description="pleats of a pocket, and two")
    band: bool = Field(default=True, description="a hat has a feather, a bag a flap")

    def noun(self) -> str:
        return {
            "top hat": "{} top hat",
            "straw hat": "wide {} hat with a ribbon" if self.brim > 0.55 else "{} hat with a ribbon",
            "cap": "{} baseball cap",
            "handbag": "{} handbag with two handles",
            "backpack": "{} backpack with leather straps",
        }[self.kind]

    def name(self) -> str:
        return {"straw hat": "hat"}.get(self.kind, self.kind)

    def parts(self) -> tuple[str, ...]:
        return {
            "top hat": ("felt", "ribbon"),
            "straw hat": ("straw", "ribbon"),
            "cap": ("cloth",),
            "handbag": ("bag", "buckles"),
            "backpack": ("pack", "straps", "buckles"),
        }[self.kind]

    def _loft(self, rings: list[Floats]) -> Manifold:
        """Slices between successive convex rings of points."""
        return union([hull(np.concatenate(pair)) for pair in pairwise(rings)])

    def _brim(self, builder: Builder, inner: float, outer: float, z: float, curl: float, part: str) -> Manifold:
        line = [
            (0, z - 0.02),
            (inner, z - 0.02),
            (outer, z - 0.02),
            (outer + 0.02, z),
            (outer, z + 0.025),
            (inner, z + 0.03),
            (0, z + 0.03),
        ]

        def roll(points: Floats) -> Floats:
            a, rho = np.arctan2(points[:, 1], points[:, 0]), np.hypot(points[:, 0], points[:, 1])
            points[:, 2] += curl * np.clip((rho - inner) / (outer - inner), 0, 1.1) ** 2 * (0.3 + np.cos(a) ** 2)
            return points

        return builder.sweep(lathe(line, (4, 5)), part, segments=96, copies=2).refine_to_length(0.08).warp_batch(roll)

    def _top_hat(self, builder: Builder) -> list[Solid]:
        h = 1.25 * self.tall
        outer = 0.78 + 0.24 * self.brim
        crown = builder.sweep(
            lathe([(0, -0.55), (0.56, -0.55), (0.52, 0.1), (0.58, h - 0.6), (0.56, h - 0.55), (0, h - 0.55)]), segments=80
        )
        crown = subtract(crown, [cylinder(0.5, 0.6, (0, 0, -0.55), segments=64)]).scale([0.92, 1.06, 1])
        solids = [
            Solid(crown, "felt"),
            Solid(
                subtract(self._brim(builder, 0.55, outer, -0.55, 0.2, "felt"), [cylinder(0.5, 1, (0, 0, -0.55), segments=64)]),
                "felt",
            ),
        ]
        band = subtract(cylinder(0.575, 0.22, (0, 0, -0.4), segments=80), [cylinder(0.5, 1, segments=64)]).scale(
            [0.92, 1.06, 1]
        )
        pleats = [
            subtract(cylinder(0.585, 0.022, (0, 0, z), segments=80), [cylinder(0.5, 1, segments=64)]).scale([0.92, 1.06, 1])
            for z in (-0.5, -0.4, -0.3)
        ]
        bow = [
            hull(
                np.array(
                    [
                        (0.52, s * 0.0, -0.36),
                        (0.52, 0.0, -0.46),
                        (0.56, s * 0.16, -0.31),
                        (0.54, s * 0.16, -0.5),
                        (0.6, s * 0.12, -0.4),
                    ]
                )
            )
            for s in (1, -1)
        ]
        solids += [Solid(b, "ribbon") for b in (band, *pleats, *bow)]
        if self.band:
            quill = curve([(0.5, 0.05, -0.4), (0.58, 0.15, 0.1), (0.5, 0.4, 0.55)], 16)
            solids.append(Solid(builder.sweep(tube(quill, 0.02)), "ribbon"))
            barbs = [
                strut(quill[k], quill[k] + [0.03, s * 0.14, 0.14], 0.024, 6, 0.008) for k in range(3, 16) for s in (1, -0.6)
            ]
            solids += [Solid(b, "ribbon") for b in barbs]
        return solids

    def _straw_hat(self, builder: Builder) -> list[Solid]:
        outer = 0.85 + 0.28 * self.brim
        a = np.linspace(0.0, np.pi / 2, 10)
        dome = [(0.5 * np.cos(t) ** 0.7, -0.2 + 0.5 * self.tall * np.sin(t)) for t in a[:-1]]
        crown = builder.sweep(lathe([(0, -0.42), (0.52, -0.42), *dome, (0, -0.2 + 0.5 * self.tall)], (1, 9)), "straw", copies=2)
        crown = subtract(crown, [Manifold.sphere(0.46, 48).scale([1, 1, 0.9 * self.tall]).translate([0, 0, -0.3])])
        brim = subtract(self._brim(builder, 0.5, outer, -0.4, -0.12, "straw"), [cylinder(0.44, 1, (0, 0, -0.4), segments=64)])
        rim = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        edge = np.stack([outer * np.cos(rim), outer * np.sin(rim), -0.39 - 0.12 * (0.3 + np.cos(rim) ** 2)], 1)
        band = subtract(cylinder(0.54, 0.16, (0, 0, -0.28), segments=80), [cylinder(0.46, 1, segments=64)])
        solids = [
            Solid(crown, "straw"),
            Solid(brim, "straw"),
            Solid(builder.sweep(tube(edge, 0.028, True)), "straw"),
            Solid(band, "ribbon"),
        ]
        for s in (1, -1):
            loop = [
                hull(
                    np.array(
                        [
                            (0.5, 0.0, -0.26),
                            (0.5, 0.0, -0.33),
                            (0.56, s * 0.2, -0.2),
                            (0.54, s * 0.2, -0.38),
                            (0.62, s * 0.15, -0.29),
                        ]
                    )
                )
            ]
            tail = Manifold.batch_hull(
                [box((0.03, 0.08, 0.03), (0.54, s * 0.03, -0.3)), box((0.03, 0.12, 0.03), (0.72, s * 0.16, -0.37))]
            )
            solids += [Solid(b, "ribbon") for b in (*loop, tail)]
        return [*solids, Solid(Manifold.sphere(0.06, 16).translate([0.55, 0, -0.29]), "ribbon")]

    def _cap(self, builder: Builder) -> list[Solid]:
        high = 0.78 * self.tall
        dome = Manifold.sphere(0.7, 80).scale([0.95, 1.08, high / 0.7]) ^ box((3, 3, 2), (0, 0, 1))
        hollow = Manifold.sphere(0.62, 64).scale([0.95, 1.08, high / 0.7])
        solids = [Solid(subtract(dome, [hollow]), "cloth")]
        for k in range(6):
            t = np.linspace(0.0, np.pi / 2, 20)
            turn = np.pi * k / 3 + np.pi / 6
            seam = np.stack([0.95 * 0.7 * np.cos(t) * np.cos(turn), 1.08 * 0.7 * np.cos(t) * np.sin(turn), high * np.sin(t)], 1)
            for s in (0.025, -0.025):
                off = np.array([-np.sin(turn), np.cos(turn), 0]) * s
                solids.append(Solid(builder.sweep(tube(seam + off * np.cos(t)[:, None], 0.014), segments=8), "cloth"))
            hole = [0.95 * 0.7 * 0.55 * np.cos(turn + np.pi / 6), 1.08 * 0.7 * 0.55 * np.sin(turn + np.pi / 6), high * 0.835]
            solids.append(Solid(Manifold.sphere(0.035, 14).translate(hole), "cloth"))
        solids.append(Solid(Manifold.sphere(0.06, 20).scale([1, 1, 0.6]).translate([0, 0, high]), "cloth"))
        long = 0.55 + 0.35 * self.brim

        def bent(points: Floats) -> Floats:
            points[:, 2] -= 0.32 * points[:, 0] ** 2 + 0.1 * np.clip(-points[:, 1] - 0.6, 0, 2)
            return points

        a = np.linspace(np.pi, 2 * np.pi, 32)
        peak = np.stack([0.6 * np.cos(a), -0.45 + long * np.sin(a)], 1)
        from_plan = union([hull(np.concatenate([np.c_[peak, np.full(32, z)] for z in (0.02, 0.08)]))])
        peak_body = subtract(from_plan.refine_to_length(0.07).warp_batch(bent), [hollow.scale([1.02, 1.02, 1.0])])
        solids.append(Solid(peak_body, "cloth"))
        for f in (0.72, 0.82, 0.92):
            line = np.stack([0.6 * f * np.cos(a[2:-2]), -0.45 + long * f * np.sin(a[2:-2]), np.full(28, 0.085)], 1)
            solids.append(Solid(builder.sweep(tube(bent(line), 0.012), segments=8), "cloth"))
        ring = np.linspace(0, 2 * np.pi, 80, endpoint=False)
        solids.append(
            Solid(
                builder.sweep(tube(np.stack([0.66 * np.cos(ring), 0.75 * np.sin(ring), 0 * ring + 0.03], 1), 0.035, True)),
                "cloth",
            )
        )
        badge = hull(
            np.concatenate(
                [
                    np.array([(0.17 * np.cos(t), -0.71 + y, 0.3 + 0.13 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 24)])
                    for y in (0.0, 0.2)
                ]
            )
        )
        return [*solids, Solid(badge, "cloth")]

    def _handbag(self, builder: Builder) -> list[Solid]:
        w, h = 0.85 * self.wide, 0.62 * self.tall
        rings = []
        for z in np.linspace(-1, 1, 10):
            f = 1 - 0.1 * z - 0.06 * self.brim * z**2
            a = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            rings.append(
                np.stack(
                    [
                        w * f * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** 0.55,
                        (0.36 - 0.14 * (z + 1) / 2) * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** 0.7,
                        0 * a - 0.3 + h * z,
                    ],
                    1,
                )
            )
        solids = [Solid(self._loft(rings), "bag")]
        front = builder.plate(1.2 * w, 1.3 * h, 0.1, "bag").translate([0, -0.25, -0.34])
        solids.append(Solid(front, "bag"))
        for ring in (rings[0], rings[-1]):
            solids.append(Solid(builder.sweep(tube(ring, 0.035, True)), "bag"))
        top = -0.3 + h
        for s in (1, -1):
            t = np.linspace(0, np.pi, 30)
            handle = np.stack(
                [0.42 * w * np.cos(t), s * (0.2 - 0.06 * np.sin(t)), top - 0.1 + (0.62 * np.sin(t) ** 0.8) * self.tall], 1
            )
            solids.append(Solid(builder.sweep(tube(handle, 0.045)), "bag"))
            for x in (1, -1):
                solids += [
                    Solid(box((0.12, 0.06, 0.2), (x * 0.42 * w, s * 0.2, top - 0.14), 0.02), "bag"),
                    Solid(cylinder(0.05, 0.08, (x * 0.42 * w, s * 0.225, top - 0.14), "y", 20), "buckles"),
                ]
        if self.band:
            flap = hull(
                np.array(
                    [
                        (x * k, y, z)
                        for x in (1, -1)
                        for k, y, z in (
                            (0.3, -0.2, top + 0.03),
                            (0.3, 0.1, top + 0.04),
                            (0.3, -0.31, top - 0.3),
                            (0.18, -0.32, top - 0.45),
                            (0.3, -0.26, top - 0.3),
                        )
                    ]
                )
            )
            solids.append(Solid(flap, "bag"))
        clasp = [box((0.2, 0.1, 0.16), (0, -0.3, top - 0.36), 0.03), cylinder(0.05, 0.14, (0, -0.3, top - 0.36), "y", 24)]
        feet = [Manifold.sphere(0.06, 16).translate([x * 0.6 * w, y, -0.3 - h]) for x in (1, -1) for y in (0.2, -0.2)]
        return [*solids, *(Solid(b, "buckles") for b in (*clasp, *feet))]

    def _backpack(self, builder: Builder) -> list[Solid]:
        w, h = 0.52 * self.wide, 0.8 * self.tall
        a = np.linspace(0, 2 * np.pi, 44, endpoint=False)

        def pillow(x: float, y: float, z: float, at: tuple[float, float, float]) -> Manifold:
            rings = []
            for v in np.linspace(-1, 1, 9):
                f = (1 - abs(v) ** 4) ** 0.3 * 0.25 + 0.75 if abs(v) < 1 else 0.75
                rings.append(
                    np.stack(
                        [
                            at[0] + x * f * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** 0.6,
                            at[1] + y * f * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** 0.6,
                            0 * a + at[2] + z * v,
                        ],
                        1,
                    )
                )
            return self._loft(rings)

        solids = [
            Solid(pillow(w, 0.33, h, (0, 0, 0)), "pack"),
            Solid(pillow(0.7 * w, 0.14, 0.36 * h, (0, -0.36, -0.45 * h)), "pack"),
        ]
        solids += [Solid(b, "pack") for b in mirrored([pillow(0.13, 0.2, 0.32 * h, (w + 0.05, 0.0, -0.5 * h))])]
        flap = hull(
            np.array(
                [
                    (s * x, y, z)
                    for s in (1, -1)
                    for x, y, z in (
                        (w, 0.3, h - 0.02),
                        (w * 0.95, 0.3, h + 0.08),
                        (w * 1.02, -0.38, h - 0.02),
                        (w, -0.44, 0.42 * h),
                        (w, -0.36, 0.42 * h),
                        (0.8 * w, -0.34, h + 0.08),
                    )
                ]
            )
        )
        solids.append(Solid(flap, "pack"))
        roll = [
            cylinder(0.16, 2.3 * w, (0, 0.0, h + 0.2), "x", 40),
            *(cylinder(0.17, 0.03, (x * w, 0, h + 0.2), "x", 40) for x in (-1.12, 1.12)),
        ]
        solids += [Solid(r, "pack") for r in roll]
        for x in (-0.5, 0.5):
            ring = np.stack([0 * a + x * w, 0.18 * np.cos(a), h + 0.2 + 0.18 * np.sin(a)], 1)
            solids.append(Solid(builder.sweep(tube(ring, 0.03, True)), "straps"))
            solids.append(Solid(box((0.09, 0.06, 0.75 * h), (x * w, -0.47, 0.28 * h), 0.015), "straps"))
            buckle = subtract(
                box((0.17, 0.07, 0.15), (x * w, -0.5, 0.18 * h), 0.015), [box((0.1, 0.3, 0.08), (x * w, -0.5, 0.18 * h))]
            )
            solids += [Solid(buckle, "buckles"), Solid(box((0.02, 0.06, 0.12), (x * w, -0.52, 0.18 * h)), "buckles")]
            strap = curve(
                [
                    (x * w, 0.3, h - 0.1),
                    (x * w * 1.1, 0.58, 0.4 * h),
                    (x * w * 1.3, 0.5, -0.4 * h),
                    (x * w * 1.5, 0.26, -h + 0.1),
                ],
                26,
            )
            bands = [box((0.13, 0.06, 0.05), p, 0.015) for p in strap]
            solids += [Solid(Manifold.batch_hull([p, q]), "straps") for p, q in pairwise(bands)]
        t = np.linspace(0, np.pi, 20)
        grab = np.stack([0.16 * np.cos(t), 0 * t + 0.3, h - 0.05 + 0.2 * np.sin(t)], 1)
        zips = np.stack([0.6 * w * np.cos(t), 0 * t - 0.47, -0.5 * h + 0.3 * h * np.sin(t)], 1)
        pleats = [box((0.02, 0.1, 0.5 * h), (x, -0.47, -0.5 * h), 0.005) for x in np.linspace(-0.4, 0.4, self.pleats - 2) * w]
        return [
            *solids,
            Solid(builder.sweep(tube(grab, 0.035)), "straps"),
            Solid(builder.sweep(tube(zips, 0.03)), "straps"),
            *(Solid(p, "pack") for p in pleats),
        ]
