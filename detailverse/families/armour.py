"""Armour: shields, helmets, breastplates."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
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
from versemill.detailverse.spines import curve, lathe, tube


@family("armour")
class Armour(Family):
    """A piece of armour, its front to -Y."""

    title: ClassVar[str] = "armour"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("rustic", "ornate", "classical")
    slots: ClassVar[dict[str, Slot]] = {
        "field": Slot((), "shield paint"),
        "boss": Slot((), "hilt"),
        "bowl": Slot((), "blade"),
        "fittings": Slot((), "hilt"),
        "plume": Slot((), "plume"),
    }

    kind: Literal["shield", "helmet", "breastplate"] = Field(default="shield", description="what it is")
    wide: float = Field(default=1.0, ge=0.85, le=1.2, description="width of a shield or brim over the usual")
    curved: float = Field(
        default=0.5, ge=0.0, le=1.0, description="bulge of a shield, ridge of a breastplate, point of a visor"
    )
    count: int = Field(default=6, ge=5, le=9, description="rivets to a side, breaths of a visor")
    form: Literal["round", "heater", "kite"] = Field(default="round", description="outline of a shield")
    crest: bool = Field(default=True, description="a helmet has a plume")

    def noun(self) -> str:
        return {
            "shield": {
                "round": "round {} shield with a metal boss",
                "heater": "{} knight's shield",
                "kite": "tall {} kite shield",
            }[self.form],
            "helmet": "{} knight's helmet with a plume" if self.crest else "{} knight's helmet with a visor",
            "breastplate": "{} breastplate with shoulder guards",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "shield": ("field", "boss"),
            "helmet": ("bowl", "fittings", "plume") if self.crest else ("bowl", "fittings"),
            "breastplate": ("bowl", "fittings"),
        }[self.kind]

    def _shield(self, builder: Builder) -> list[Solid]:
        if self.form == "round":
            angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
            rim = np.stack([0.9 * np.cos(angle), 0.9 * np.sin(angle)], 1)
        else:
            foot = -1.0 if self.form == "heater" else -1.25
            half = [
                (0.0, foot),
                (0.3, 0.62 * foot),
                (0.62 * self.wide, 0.1 * foot),
                (0.7 * self.wide, 0.45),
                (0.68 * self.wide, 0.8),
            ]
            top = [(0.35, 0.86), (0.0, 0.9)] if self.form == "heater" else [(0.5, 1.02), (0.0, 1.15)]
            right = half + top
            rim = np.array(right + [(-x, z) for x, z in right[-2:0:-1]])
            rim = np.concatenate([np.linspace(a, b, 6, endpoint=False) for a, b in zip(rim, np.roll(rim, -1, 0), strict=True)])
        depth = 0.16 + 0.12 * self.curved

        def bend(points: np.ndarray) -> np.ndarray:
            away = points[:, 0] ** 2 + (points[:, 2] ** 2 if self.form == "round" else 0)
            points[:, 1] += depth * away
            return points

        def bent(body: Manifold) -> Manifold:
            return body.refine_to_length(0.06).warp_batch(bend)

        plate = cut(rim, 0.07)
        solids = [Solid(bent(plate), "field")]
        border = cut(rim, 0.11, 0.0, [rim * 0.9])
        solids.append(Solid(bent(border), "boss"))
        for p in rim[:: max(1, len(rim) // (4 * self.count))] * 0.95:
            solids.append(
                Solid(
                    Manifold.sphere(0.03, 16).translate(
                        [p[0], -0.055 + depth * (p[0] ** 2 + (p[1] ** 2 if self.form == "round" else 0)), p[1]]
                    ),
                    "boss",
                )
            )
        if self.form == "round":
            cup = (
                builder.sweep(
                    lathe([(0, 0), (0.3, 0), (0.3, 0.03), (0.22, 0.05), (0.19, 0.12), (0.1, 0.19), (0, 0.21)]), segments=64
                )
                .rotate([90, 0, 0])
                .translate([0, -0.02, 0])
            )
            bars = [box((0.09, 0.09, 0.62), (0, -0.01, 0.56), 0.015)]
            solids += [Solid(cup, "boss"), *(Solid(bent(b), "boss") for b in around(bars[0], 4 + self.count % 3, "y"))]
            planks = [box((0.016, 0.03, 2.2), (x, -0.05, 0)) for x in np.linspace(-0.75, 0.75, 7)]
            solids[0] = Solid(bent(subtract(plate, planks)), "field")
        else:
            high = rim[:, 1].max()
            cross = cut([(x * 0.999, z) for x, z in rim], 0.12) ^ union(
                [box((0.16, 1, 4), (0, 0, 0)), box((4, 1, 0.16), (0, 0, 0.25 * high + 0.1))]
            )
            star = union(
                around(
                    hull(
                        np.array(
                            [(0.05, s, 0.0) for s in (0.02, -0.1)]
                            + [(-0.05, s, 0.0) for s in (0.02, -0.1)]
                            + [(0, -0.04, 0.32)]
                        )
                    ),
                    5,
                    "y",
                )
            ).translate([0, -0.02, 0.25 * high + 0.1])
            solids += [Solid(bent(cross), "boss"), Solid(star, "boss")]
        return solids

    def _helmet(self, builder: Builder) -> list[Solid]:
        w = 0.5
        line = [
            (0, -0.62),
            (0.46, -0.62),
            (0.44, -0.4),
            (0.5, -0.1),
            (0.52, 0.15),
            (0.46, 0.42),
            (0.3, 0.64),
            (0.1, 0.74),
            (0, 0.75),
        ]
        skull = builder.sweep(lathe([(r * w / 0.5, z) for r, z in line]), segments=72).scale([0.92, 1.12, 1])
        inner = builder.sweep(lathe([(max(r * 0.9, 0), z - 0.05) for r, z in line][:-1] + [(0, 0.68)]), segments=48).scale(
            [0.92, 1.12, 1]
        )
        skull = subtract(skull, [inner.trim_by_plane((0, 0, -1), -0.4)])
        ridge = [
            strut(
                (0, 0.58 * np.cos(t), 0.12 + 0.64 * np.sin(t)),
                (0, 0.58 * np.cos(t + 0.16), 0.12 + 0.64 * np.sin(t + 0.16)),
                0.045,
                8,
                0.045,
            )
            for t in np.arange(0.0, 3.0, 0.16)
        ]
        nose = 0.26 + 0.2 * self.curved
        visor = hull(
            np.array(
                [(s * 0.5, -0.1, z) for s in (1, -1) for z in (0.24, -0.38)]
                + [(s * 0.38, -0.45, z) for s in (1, -1) for z in (0.22, -0.4)]
                + [(0, -0.5 - nose, -0.08), (0, -0.52, 0.2), (0, -0.54, -0.36)]
            )
        )
        slit = [box((0.36, 1.2, 0.045), (s * 0.24, -0.5, 0.13)) for s in (1, -1)]
        breaths = [
            cylinder(0.022, 1.2, (s * (0.1 + 0.055 * j), -0.6, -0.1 - 0.075 * k), "y", 12)
            for s in (1, -1)
            for j in range(self.count - 2)
            for k in range(3)
        ]
        hollow = inner
        solids = [
            Solid(skull, "bowl"),
            *(Solid(r, "bowl") for r in ridge),
            Solid(subtract(visor, [*slit, *breaths, hollow]), "bowl"),
        ]
        for z, r in ((-0.6, 0.5), (-0.5, 0.5)):
            a = np.linspace(0, 2 * np.pi, 72, endpoint=False)
            solids.append(
                Solid(
                    builder.sweep(
                        tube(np.stack([0.92 * r * np.cos(a) * 0.97, 1.12 * r * np.sin(a) * 0.97, 0 * a + z], 1), 0.03, True)
                    ),
                    "fittings",
                )
            )
        collar = builder.sweep(
            lathe([(0.42, -0.58), (0.6 * self.wide, -0.8), (0.64 * self.wide, -0.79), (0.47, -0.54)]), segments=64
        )
        collar = subtract(collar, [cylinder(0.42, 1, (0, 0, -0.7), segments=64)])
        solids.append(Solid(collar.scale([1, 1.1, 1]), "bowl"))
        for s in (1, -1):
            solids += [
                Solid(cylinder(0.1, 0.08, (s * 0.49, -0.06, 0.1), "x", 28), "fittings"),
                Solid(Manifold.sphere(0.045, 16).translate([s * 0.54, -0.06, 0.1]), "fittings"),
            ]
            for k in range(2 * self.count):
                turn = -np.pi / 2 + s * (k + 0.5) * np.pi / (2 * self.count)
                solids.append(
                    Solid(
                        Manifold.sphere(0.024, 12).translate(
                            [0.92 * 0.5 * np.cos(turn) * 0.98, 1.12 * 0.5 * np.sin(turn) * 0.98, -0.55]
                        ),
                        "fittings",
                    )
                )
        if self.crest:
            for k in range(16):
                f = k / 15
                root = np.array([0, -0.15 + 0.5 * f, 0.76 - 0.3 * f**2])
                for side in (-1, 0, 1):
                    path = curve(
                        [root, root + [0.1 * side, 0.2, 0.3 - 0.1 * f], root + [0.16 * side, 0.5 + 0.1 * f, 0.12 - 0.3 * f]], 8
                    )
                    solids.append(Solid(builder.sweep(tube(path, np.linspace(0.05, 0.02, 8)), segments=9), "plume"))
        return solids

    def _breastplate(self, builder: Builder) -> list[Solid]:
        z = np.linspace(-0.75, 0.62, 18)
        w = 0.5 + 0.14 * np.sin(2.2 * (z + 0.5)) + 0.05 * z
        d = 0.3 + 0.08 * np.sin(2.4 * (z + 0.45))
        from_rows = []
        for k in range(len(z)):
            a = np.linspace(0, 2 * np.pi, 56, endpoint=False)
            keel = 0.1 * np.clip(1 - np.abs(np.cos(a)) / 0.25, 0, 1) * (np.sin(a) < 0) * (0.4 + 0.6 * self.curved)
            from_rows.append(
                np.stack(
                    [w[k] * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** 0.85, d[k] * np.sin(a) * (1 + keel / 0.3), 0 * a + z[k]],
                    1,
                )
            )
        rings = [hull(np.concatenate(pair)) for pair in itertools.pairwise(from_rows)]
        body = union(rings)
        inside = body.scale([0.88, 0.84, 1.0])
        arms = mirrored([cylinder(0.27, 0.5, (0.62, 0, 0.42), "x", 40)])
        neck = [Manifold.sphere(0.36, 40).scale([0.95, 1, 0.8]).translate([0, 0, 0.66])]
        bowl = subtract(body, [inside.trim_by_plane((0, 0, -1), -0.5), *neck, *arms, box((3, 3, 0.3), (0, 0, -0.84))])
        solids = [Solid(bowl, "bowl")]
        for s in (1, -1):
            for k in range(4):
                cap = Manifold.sphere(0.32 - 0.02 * k, 40).scale([0.85, 1.05, 0.75])
                shell = subtract(cap, [cap.scale([0.85] * 3), box((2, 2, 1), (0, 0, -0.5 + 0.05))])
                solids.append(
                    Solid(
                        shell.rotate([0, s * (12.0 + 24 * k), 0]).translate([s * (0.46 + 0.05 * k), 0, 0.5 - 0.1 * k]), "bowl"
                    )
                )
        for k in range(3):
            ring = [
                strut(
                    (w[0] * (1 + 0.1 * k) * np.cos(t), d[0] * 1.06 * (1 + 0.16 * k) * np.sin(t), -0.7 - 0.11 * k),
                    (w[0] * (1.06 + 0.1 * k) * np.cos(t), d[0] * 1.12 * (1 + 0.16 * k) * np.sin(t), -0.84 - 0.11 * k),
                    0.025,
                    8,
                )
                for t in np.linspace(0, 2 * np.pi, 48, endpoint=False)
            ]
            solids += [Solid(Manifold.batch_hull([p, q]), "bowl") for p, q in zip(ring, ring[1:] + ring[:1], strict=True)]
        line = [(0.0, -0.55)] + [(x * 0.26, zz) for x, zz in ((1, -0.3), (1.3, 0.0), (1.1, 0.28))]
        for s in (1, -1):
            spots = [(s * x, zz) for x, zz in line]
            for x, zz in spots[1:]:
                hit = bowl.ray_cast((x, -3.0, zz), (x, 0.0, zz))
                if hit:
                    solids.append(Solid(Manifold.sphere(0.035, 16).translate([float(v) for v in hit[0].position]), "fittings"))
            solids.append(Solid(box((0.14, 0.07, 0.09), (s * 0.3, -0.2, 0.5), 0.02), "fittings"))
        return solids
