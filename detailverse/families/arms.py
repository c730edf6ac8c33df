"""Weapons and armour: swords, axes, maces, shields, helmets, breastplates, cannons, crossbows."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import (
    Manifold,
    Shop,
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


@family("arms")
class Arms(Family):
    """A weapon upright, or a piece of armour, its front to -Y."""

    title: ClassVar[str] = "weapons and armour"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("rustic", "ornate", "classical")
    slots: ClassVar[dict[str, Slot]] = {
        "blade": Slot((), "blade"),
        "hilt": Slot(("beads", "rope"), "hilt", ornament=0.6),
        "grip": Slot(("rope", "ribs", "grooves"), "leather", ornament=1.4),
        "shaft": Slot((), "fine wood"),
        "head": Slot((), "blade"),
        "field": Slot((), "shield paint"),
        "boss": Slot((), "hilt"),
        "bowl": Slot((), "blade"),
        "fittings": Slot((), "hilt"),
        "plume": Slot((), "plume"),
        "barrel": Slot(("rope", "beads"), "barrel", ornament=0.6, bands=2),
        "carriage": Slot((), "wood"),
        "iron": Slot((), "wrought iron"),
        "bow": Slot((), "blade"),
        "string": Slot((), "rope"),
    }

    kind: Literal["sword", "battle axe", "mace", "shield", "helmet", "breastplate", "cannon", "crossbow"] = Field(
        default="sword", description="what it is"
    )
    long: float = Field(default=1.0, ge=0.88, le=1.12, description="length of a blade, shaft or barrel over the usual")
    wide: float = Field(default=1.0, ge=0.85, le=1.2, description="width of a blade, guard or brim over the usual")
    curved: float = Field(default=0.5, ge=0.0, le=1.0, description="curve of a guard, an edge or a ridge")
    count: int = Field(default=6, ge=5, le=9, description="flanges, rivets to a side, breaths of a visor, spokes")
    form: Literal["round", "heater", "kite"] = Field(default="round", description="outline of a shield")
    crest: bool = Field(default=True, description="a helmet has a plume, an axe a second blade")

    def noun(self) -> str:
        return {
            "sword": "{} sword with a cross guard",
            "battle axe": "{} battle axe with two blades" if self.crest else "{} battle axe with a spike",
            "mace": f"{{}} mace with {self.count} flanges",
            "shield": {
                "round": "round {} shield with a metal boss",
                "heater": "{} knight's shield",
                "kite": "tall {} kite shield",
            }[self.form],
            "helmet": "{} knight's helmet with a plume" if self.crest else "{} knight's helmet with a visor",
            "breastplate": "{} breastplate with shoulder guards",
            "cannon": "{} cannon on a wheeled carriage",
            "crossbow": "{} crossbow",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "sword": ("blade", "hilt", "grip"),
            "battle axe": ("head", "shaft", "fittings", "grip"),
            "mace": ("head", "shaft", "fittings", "grip"),
            "shield": ("field", "boss"),
            "helmet": ("bowl", "fittings", "plume") if self.crest else ("bowl", "fittings"),
            "breastplate": ("bowl", "fittings"),
            "cannon": ("barrel", "carriage", "iron"),
            "crossbow": ("shaft", "bow", "fittings", "string"),
        }[self.kind]

    def build(self, shop: Shop) -> list[Solid]:
        return {"sword": self._sword, "battle axe": self._axe, "mace": self._mace, "shield": self._shield, "helmet": self._helmet,
                "breastplate": self._breastplate, "cannon": self._cannon, "crossbow": self._crossbow}[self.kind](shop)  # fmt: skip

    def _grip(self, shop: Shop, low: float, high: float, r: float) -> Manifold:
        z = np.linspace(low, high, 12)
        swell = r * (1 + 0.18 * np.sin(np.pi * (z - low) / (high - low)))
        return shop.sweep(lathe([(0, low), *zip(swell, z, strict=True), (0, high)], (1, 12)), "grip")

    def _sword(self, shop: Shop) -> list[Solid]:
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
            Solid(shop.sweep(tube(guard, 0.042 + 0.02 * np.abs(np.linspace(-1, 1, 30)), up=(0, 1, 0)), "hilt"), "hilt"),
        ]
        for s in (1, -1):
            solids.append(
                Solid(Manifold.sphere(0.075, 28).translate([s * 0.42 * self.wide, 0, low + 0.12 * self.curved]), "hilt")
            )
        solids += [
            Solid(self._grip(shop, low - 0.44, low - 0.02, 0.05), "grip"),
            Solid(box((0.16, 0.1, 0.1), (0, 0, low), 0.025), "hilt"),
        ]
        wheel = shop.sweep(
            lathe([(0, -0.05), (0.08, -0.05), (0.115, -0.02), (0.115, 0.02), (0.08, 0.05), (0.045, 0.035), (0, 0.035)]),
            segments=40,
        ).rotate([90, 0, 0])
        knob = [wheel, wheel.rotate([0, 0, 180]), cylinder(0.03, 0.06, (0, 0, -0.13), segments=16)]
        return (
            solids
            + [Solid(k.translate([0, 0, low - 0.52]), "hilt") for k in knob]
            + [Solid(cylinder(0.062, 0.04, (0, 0, low - 0.42)), "hilt")]
        )

    def _haft(self, shop: Shop) -> list[Solid]:
        solids = [
            Solid(cylinder(0.042, 1.9 * self.long, (0, 0, 0), segments=24), "shaft"),
            Solid(self._grip(shop, -0.88 * self.long, -0.4, 0.055), "grip"),
        ]
        rings = [cylinder(0.066, 0.035, (0, 0, z), segments=28) for z in (-0.4, -0.88 * self.long, 0.1)]
        return [
            *solids,
            *(Solid(r, "fittings") for r in rings),
            Solid(Manifold.sphere(0.075, 24).translate([0, 0, -0.95 * self.long]), "fittings"),
        ]

    def _axe(self, shop: Shop) -> list[Solid]:
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
        return solids + self._haft(shop)

    def _mace(self, shop: Shop) -> list[Solid]:
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
        return [*solids, *(Solid(b, "head") for b in core), *self._haft(shop)]

    def _shield(self, shop: Shop) -> list[Solid]:
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
                shop.sweep(
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

    def _helmet(self, shop: Shop) -> list[Solid]:
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
        skull = shop.sweep(lathe([(r * w / 0.5, z) for r, z in line]), segments=72).scale([0.92, 1.12, 1])
        inner = shop.sweep(lathe([(max(r * 0.9, 0), z - 0.05) for r, z in line][:-1] + [(0, 0.68)]), segments=48).scale(
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
                    shop.sweep(
                        tube(np.stack([0.92 * r * np.cos(a) * 0.97, 1.12 * r * np.sin(a) * 0.97, 0 * a + z], 1), 0.03, True)
                    ),
                    "fittings",
                )
            )
        collar = shop.sweep(
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
                a = -np.pi / 2 + s * (k + 0.5) * np.pi / (2 * self.count)
                solids.append(
                    Solid(
                        Manifold.sphere(0.024, 12).translate(
                            [0.92 * 0.5 * np.cos(a) * 0.98, 1.12 * 0.5 * np.sin(a) * 0.98, -0.55]
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
                    solids.append(Solid(shop.sweep(tube(path, np.linspace(0.05, 0.02, 8)), segments=9), "plume"))
        return solids

    def _breastplate(self, shop: Shop) -> list[Solid]:
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
        rings = [hull(np.concatenate(pair)) for pair in zip(from_rows[:-1], from_rows[1:], strict=True)]
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

    def _cannon(self, shop: Shop) -> list[Solid]:
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
        barrel = shop.sweep(lathe(line, (12, 13)), "barrel").rotate([90 - 8, 0, 0]).translate([0, 0.0, 0.1])
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

    def _crossbow(self, shop: Shop) -> list[Solid]:
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
        solids.append(Solid(shop.sweep(tube(path, thick, contour=rectangle(0.6, 1.2))), "bow"))
        for a in ((-w, path[0][1], 0.03), (w, path[-1][1], 0.03)):
            solids += [
                Solid(strut(a, (0, 0.12, 0.06), 0.014, 8), "string"),
                Solid(Manifold.sphere(0.04, 14).translate(list(a)), "bow"),
            ]
        lash = [box((0.3, 0.05, 0.17), (0, 0, 0), 0.02).rotate([0, 0, t]).translate([0, -0.78, 0]) for t in (35, -35)]
        nut = [
            cylinder(0.06, 0.09, (0, 0.12, 0.03), "x", 24),
            box((0.15, 0.2, 0.03), (0, 0.12, -0.02), 0.008),
            strut((0, 0.2, -0.1), (0, 0.32, -0.26), 0.02, 10),
            strut((0, 0.32, -0.26), (0, 0.5, -0.28), 0.018, 10),
        ]
        a = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        stirrup = shop.sweep(tube(np.stack([0.12 * np.cos(a), -0.97 * n + 0.14 * np.sin(a), 0 * a], 1), 0.024, True))
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
