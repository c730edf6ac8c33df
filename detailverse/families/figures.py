"""Human figures: busts, standing, walking and seated people, robed statues, dancers."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.limbs import clothes, fingers, shoe, skirt
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.sculpture import Sculpture
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cylinder, strut, subtract
from versemill.detailverse.spines import curve, lathe, lobed, tube

GOLDEN = np.pi * (3 - np.sqrt(5))


@family("figure")
class Figure(Family):
    """A person, or the likeness of one, facing the front."""

    title: ClassVar[str] = "human figures and busts"
    grain: ClassVar[Literal["x", "y", "z"]] = "z"
    styles: ClassVar[tuple[str, ...]] = ("classical", "plain", "ornate")
    labels: ClassVar[dict[str, str]] = {"statue": "figure", "shirt": "top"}
    slots: ClassVar[dict[str, Slot]] = {
        "statue": Slot((), "statue"),
        "socle": Slot(("egg_and_dart", "beads", "fluting"), "socle", ornament=0.6),
        "skin": Slot((), "skin"),
        "hair": Slot((), "hair"),
        "shirt": Slot((), "clothing"),
        "trousers": Slot((), "trousers"),
        "robe": Slot((), "robe"),
        "shoes": Slot((), "shoe leather"),
        "eyes": Slot((), "eye"),
        "base": Slot((), "socle"),
        "chair": Slot((), "wood"),
    }

    kind: Literal["bust", "standing figure", "walking figure", "seated figure", "robed statue", "dancer"] = Field(
        default="bust", description="what it shows"
    )
    hair: Literal["curls", "bun", "cropped", "long"] = Field(default="curls", description="hair")
    head: float = Field(default=1.0, ge=0.94, le=1.08, description="size of the head over the usual")
    pose: float = Field(default=0.5, ge=0.0, le=1.0, description="how far the arms are raised and the feet are apart")
    folds: int = Field(default=15, ge=11, le=21, description="folds of a robe or skirt")
    beard: bool = Field(default=False, description="the face has a beard")
    breadth: float = Field(default=1.0, ge=0.9, le=1.14, description="breadth of the body over the usual")

    def noun(self) -> str:
        beard = " with a beard" if self.beard else ""
        return {
            "bust": f"{{}} bust of a person{beard} on a socle",
            "standing figure": f"standing person{beard} in a {{}} top",
            "walking figure": f"walking person{beard} in a {{}} top",
            "seated figure": f"person{beard} in a {{}} top, sitting on a stool",
            "robed statue": f"{{}} statue of a robed person{beard}",
            "dancer": "dancer in a {} dress",
        }[self.kind]

    def name(self) -> str:
        return {"bust": "bust", "robed statue": "statue", "dancer": "dancer in a {} dress"}.get(self.kind, "person in a {} top")

    def parts(self) -> tuple[str, ...]:
        dressed = ("shirt", "trousers", "skin", "hair", "shoes", "eyes")
        return {
            "bust": ("statue", "socle"),
            "robed statue": ("statue", "base"),
            "dancer": ("robe", "skin", "hair", "shoes", "eyes"),
            "seated figure": (*dressed, "chair"),
        }.get(self.kind, dressed)

    def build(self, builder: Builder) -> list[Solid]:
        return {"bust": self._bust, "robed statue": self._robed, "dancer": self._dancer, "seated figure": self._seated}.get(
            self.kind, self._person
        )(builder)

    def _head(self, builder: Builder, at: Floats, size: float, skin: str, hair: str, eyes: str) -> list[Solid]:
        """A head of half height `size`, its centre at `at`: skull, brow, nose, lips, ears, eyes and hair."""
        s = size * self.head

        def p(x: float, y: float, z: float) -> Floats:
            return at + s * np.array([x, y, z])

        clay = Sculpture(0.14 * s)
        clay.egg(p(0, 0.08, 0.2), (0.68 * s, 0.82 * s, 0.78 * s)).egg(p(0, -0.22, -0.3), (0.5 * s, 0.52 * s, 0.62 * s))
        clay.egg(p(0, -0.5, -0.76), (0.24 * s, 0.2 * s, 0.18 * s))
        clay.bone([p(0, 0.15, -0.4), p(0, 0.28, -1.35)], 0.36 * s, 0.4 * s)
        clay.bone([p(0, -0.7, 0.12), p(0, -0.92, -0.24)], 0.075 * s, 0.12 * s)
        clay.bone([p(-0.36, -0.6, 0.2), p(0, -0.7, 0.17), p(0.36, -0.6, 0.2)], 0.09 * s)
        clay.bone([p(-0.17, -0.7, -0.5), p(0, -0.76, -0.48), p(0.17, -0.7, -0.5)], 0.06 * s).bone(
            [p(-0.14, -0.68, -0.6), p(0, -0.73, -0.61), p(0.14, -0.68, -0.6)], 0.06 * s
        )
        for side in (1, -1):
            clay.egg(p(side * 0.68, 0.12, 0.0), (0.09 * s, 0.17 * s, 0.24 * s)).egg(
                p(side * 0.34, -0.5, -0.2), (0.17 * s, 0.14 * s, 0.14 * s)
            )
            clay.egg(p(side * 0.11, -0.8, -0.27), (0.08 * s, 0.09 * s, 0.07 * s))
        solids = [Solid(clay.cast(builder), skin)]
        for side in (1, -1):
            solids.append(Solid(Manifold.sphere(0.13 * s, 20).translate(p(side * 0.27, -0.6, 0.02).tolist()), eyes))
            lid = [
                strut(
                    p(side * (0.27 + 0.14 * np.cos(t)), -0.68, 0.02 + 0.1 * np.sin(t)),
                    p(side * (0.27 + 0.14 * np.cos(t + 0.5)), -0.68, 0.02 + 0.1 * np.sin(t + 0.5)),
                    0.045 * s,
                    6,
                )
                for t in np.arange(0, 3.0, 0.5)
            ]
            solids += [Solid(b, skin) for b in lid]
        return solids + self._hair(builder, p, s, hair)

    def _hair(self, builder: Builder, p, s: float, part: str) -> list[Solid]:  # type: ignore[no-untyped-def]
        solids = []
        cap = Sculpture(0.1 * s).egg(p(0, 0.16, 0.32), (0.74 * s, 0.84 * s, 0.76 * s)).cast(builder)
        face = box((1.1 * s, 1.0 * s, 1.5 * s), p(0, -0.85, -0.25).tolist(), 0.1 * s)
        below = box((3 * s, 3 * s, 2 * s), p(0, -0.2, -1.1).tolist())
        solids.append(Solid(subtract(cap, [face, below]), part))
        if self.hair == "curls":
            for k in range(110):
                z = 1 - 1.55 * (k + 0.5) / 110
                a = GOLDEN * k
                ring = np.sqrt(1 - z * z)
                spot = np.array([0.74 * ring * np.cos(a), 0.16 + 0.84 * ring * np.sin(a), 0.32 + 0.76 * z])
                if spot[1] < -0.35 and spot[2] < 0.55:
                    continue
                solids.append(Solid(Manifold.sphere(0.125 * s, 12).scale([1, 1, 0.85]).translate(p(*spot).tolist()), part))
        else:
            long = {"cropped": 0.15, "bun": 0.55, "long": 1.25}[self.hair]
            for k in range(34):
                a = np.pi * (k + 0.5) / 34 * 1.36 - 0.18 * np.pi
                side, back = np.cos(a), np.sin(a)
                path = [
                    p(0.06 * side, -0.5 + 0.35 * max(back, 0), 1.05),
                    p(0.5 * side, -0.2 + 0.8 * back, 0.86),
                    p(0.76 * side, 0.1 + 0.9 * back, 0.3),
                    p(0.78 * side, 0.16 + 0.92 * back, 0.1 - 0.5 * long),
                ]
                if self.hair == "bun":
                    path[-1] = p(0.25 * side, 0.95, 0.2)
                if self.hair == "long":
                    path.append(p(0.72 * side, 0.3 + 0.72 * back, -long))
                strand = curve(path, 16)
                solids.append(
                    Solid(builder.sweep(tube(strand, 0.085 * s * np.r_[np.ones(13), 0.8, 0.55, 0.3]), segments=8), part)
                )
            if self.hair == "bun":
                t = np.linspace(0, 5.2 * np.pi, 60)
                coil = np.stack([0.26 * (1 - t / 22) * np.cos(t), 0.98 + 0.008 * t, 0.24 + 0.26 * (1 - t / 22) * np.sin(t)], 1)
                solids.append(Solid(builder.sweep(tube(np.array([p(*c) for c in coil]), 0.1 * s), segments=10), part))
        if self.beard:
            for k in range(30):
                f = (k % 10) / 9 - 0.5
                row = k // 10
                root = p(0.95 * f, -0.5 + 0.55 * abs(f) - 0.02 * row, -0.5 - 0.14 * row - 0.2 * (0.25 - f * f))
                tip = root + s * np.array([0.1 * f, -0.14, -0.3])
                solids.append(Solid(strut(root, tip, 0.1 * s, 8, 0.03 * s), part))
        return solids

    def _bust(self, builder: Builder) -> list[Solid]:
        w = self.breadth
        at = np.array([0, 0.0, 0.42])
        size = 0.4
        clay = Sculpture(0.12)
        clay.bone([(0, 0.1, 0.1), (0, 0.08, -0.25)], 0.17, 0.2).egg((0, 0.06, -0.42), (0.5 * w, 0.26, 0.3))
        for side in (1, -1):
            clay.egg((side * 0.46 * w, 0.06, -0.38), (0.19, 0.2, 0.2)).egg((side * 0.2 * w, -0.1, -0.48), (0.2, 0.13, 0.16))
            clay.bone([(0, -0.08, -0.19), (side * 0.36 * w, -0.03, -0.22)], 0.045)
        cut_off = [box((3, 3, 1), (0, 0, -1.16)), *(cylinder(0.4, 3, (s * 0.98 * w, 0, -0.75), "y", 48) for s in (1, -1))]
        solids = [
            Solid(subtract(clay.cast(builder), cut_off), "statue"),
            *self._head(builder, at, size, "statue", "statue", "statue"),
        ]
        for k in range(5):
            fall = curve(
                [
                    (-0.44 * w, 0.02, -0.16 - 0.05 * k),
                    (-0.22 * w, -0.2 - 0.01 * k, -0.34 - 0.06 * k),
                    (0.08, -0.24 - 0.01 * k, -0.46 - 0.045 * k),
                    (0.36 * w, -0.16, -0.36 - 0.06 * k),
                    (0.5 * w, 0.02, -0.22 - 0.06 * k),
                ],
                24,
            )
            solids.append(Solid(builder.sweep(tube(fall, 0.035 + 0.01 * np.sin(np.linspace(0, np.pi, 24)))), "statue"))
        line = [
            (0, -1.05),
            (0.42, -1.05),
            (0.42, -0.98),
            (0.36, -0.94),
            (0.24, -0.88),
            (0.2, -0.8),
            (0.2, -0.76),
            (0.26, -0.72),
            (0.3, -0.66),
            (0.22, -0.6),
            (0, -0.6),
        ]
        socle = builder.sweep(lathe(line, (1, 2)), "socle")
        return [*solids, Solid(socle, "socle"), Solid(box((0.98, 0.98, 0.14), (0, 0, -1.1), 0.03), "socle")]

    def _arm(self, clay: Sculpture, shoulder: Floats, elbow: Floats, hand: Floats, r: float = 0.065) -> None:
        clay.bone([shoulder, elbow, hand], 1.15 * r, 0.9 * r, 0.62 * r)

    def _torso(self, builder: Builder, hip: float, lean: float = 0.0) -> tuple[Sculpture, Floats]:
        w = self.breadth
        clay = Sculpture(0.07)
        clay.egg((0, lean * 0.5, hip + 0.36), (0.2 * w, 0.125, 0.26)).egg((0, lean * 0.2, hip + 0.12), (0.165 * w, 0.115, 0.16))
        clay.bone([(-0.19 * w, lean, hip + 0.52), (0.19 * w, lean, hip + 0.52)], 0.075)
        return clay, np.array([0, lean, hip + 0.55])

    def _person(self, builder: Builder) -> list[Solid]:
        walking = self.kind == "walking figure"
        w, hip = self.breadth, 0.02
        stride = 0.2 + 0.16 * self.pose if walking else 0.0
        torso, neck = self._torso(builder, hip, -0.03 if walking else 0.0)
        legs = Sculpture(0.06).egg((0, 0, hip - 0.02), (0.175 * w, 0.12, 0.13))
        arms = Sculpture(0.04)
        solids: list[Solid] = []
        for side in (1, -1):
            step = side * stride
            foot = np.array(
                [side * (0.1 + (0.0 if walking else 0.07 * self.pose)) * w, -step, -0.98 + 0.04 * (walking and side < 0)]
            )
            knee = np.array([side * 0.1 * w, -0.55 * step - 0.05, -0.48])
            legs.bone(np.array([(side * 0.09 * w, 0, hip - 0.05), knee, foot + [0, 0, 0.07]]), 0.115 * w, 0.085, 0.06)
            solids += shoe(foot + [0, 0, 0.02], -8.0 * side)
            swing = -step * 0.9
            lift = self.pose if (side > 0 and not walking) else 0.0
            shoulder = neck + [side * 0.22 * w, 0, -0.03]
            elbow = shoulder + [side * (0.07 + 0.16 * lift), 0.05 - 0.5 * swing, -0.27 + 0.2 * lift]
            hand = elbow + [side * 0.05 * (1 - lift), -0.1 - 0.6 * swing, -0.23 + 0.5 * lift]
            torso.bone([shoulder, elbow], 0.08, 0.062)
            self._arm(arms, shoulder, elbow, hand, 0.055)
            solids += fingers(hand + 0.12 * (hand - elbow), hand - elbow)
            cuff = [cylinder(0.066, 0.04, (0, 0, 0))]
            solids += [Solid(c.translate(foot.tolist()).translate([0, 0, 0.11]), "trousers") for c in cuff]
        folds = [
            strut((s * (0.05 + 0.03 * k), -0.09, hip - 0.06 - 0.03 * k), (s * 0.15, -0.1, hip - 0.02 - 0.05 * k), 0.014, 6)
            for s in (1, -1)
            for k in range(3)
        ]
        solids += [Solid(f, "trousers") for f in folds]
        solids += [
            Solid(torso.cast(builder), "shirt"),
            Solid(legs.cast(builder), "trousers"),
            Solid(arms.cast(builder), "skin"),
            *clothes(builder, hip, neck[1], w),
        ]
        return solids + self._head(builder, neck + [0, -0.01, 0.3], 0.165, "skin", "hair", "eyes")

    def _seated(self, builder: Builder) -> list[Solid]:
        w, hip = self.breadth, -0.22
        torso, neck = self._torso(builder, hip)
        legs = Sculpture(0.06).egg((0, 0, hip - 0.0), (0.185 * w, 0.14, 0.12))
        arms = Sculpture(0.04)
        solids: list[Solid] = []
        for side in (1, -1):
            knee = np.array([side * (0.13 + 0.06 * self.pose) * w, -0.46, hip - 0.0])
            foot = np.array([side * (0.13 + 0.08 * self.pose) * w, -0.46 + 0.1 * side * self.pose, -0.74])
            legs.bone(np.array([(side * 0.1 * w, -0.02, hip - 0.02), knee, foot + [0, 0, 0.08]]), 0.115 * w, 0.09, 0.06)
            solids += shoe(foot, -10.0 * side)
            shoulder = neck + [side * 0.22 * w, 0, -0.03]
            elbow = shoulder + [side * 0.1, 0.0, -0.28]
            hand = knee + [-side * 0.02, 0.1, 0.11]
            torso.bone([shoulder, elbow], 0.08, 0.062)
            self._arm(arms, shoulder, elbow, hand, 0.055)
            solids += fingers(hand, np.array([0, -1.0, -0.15]))
        solids += [
            Solid(torso.cast(builder), "shirt"),
            Solid(legs.cast(builder), "trousers"),
            Solid(arms.cast(builder), "skin"),
            *clothes(builder, hip, neck[1], w),
        ]
        seat = [
            box((0.56, 0.46, 0.07), (0, 0.02, hip - 0.15), 0.02),
            box((0.5, 0.05, 0.08), (0, -0.16, hip - 0.2), 0.01),
            box((0.5, 0.05, 0.08), (0, 0.2, hip - 0.2), 0.01),
        ]
        posts = [
            strut((sx * 0.22, sy * 0.18 + 0.02, hip - 0.15), (sx * 0.27, sy * 0.22 + 0.02, -0.8), 0.035, 12, 0.026)
            for sx in (1, -1)
            for sy in (1, -1)
        ]
        rails = [strut((-0.25, y, -0.58), (0.25, y, -0.58), 0.022, 10) for y in (-0.18, 0.22)]
        solids += [Solid(b, "chair") for b in (*seat, *posts, *rails)]
        return solids + self._head(builder, neck + [0, -0.01, 0.3], 0.165, "skin", "hair", "eyes")

    def _robed(self, builder: Builder) -> list[Solid]:
        w = self.breadth
        hip = 0.06
        torso, neck = self._torso(builder, hip)
        solids = [Solid(skirt(builder, -0.88, hip + 0.16, 0.32 * w, 0.16 * w, self.folds), "statue")]
        for side in (1, -1):
            lift = self.pose if side > 0 else 0.15
            shoulder = neck + [side * 0.21 * w, 0, -0.03]
            elbow = shoulder + [side * 0.1, -0.06, -0.26 + 0.06 * lift]
            hand = elbow + [-side * 0.04, -0.22, -0.02 + 0.3 * lift]
            torso.bone([shoulder, elbow], 0.1, 0.09)
            self._arm(torso, shoulder, elbow, hand, 0.06)
            solids += fingers(hand, hand - elbow, "statue")
            for k in range(5):
                x = side * (0.03 + 0.045 * k) * w
                drop = curve(
                    np.array(
                        [shoulder + [0.25 * x - 0.1 * side, -0.08, 0.03], (x, -0.155, hip + 0.35), (1.1 * x, -0.14, hip + 0.16)]
                    ),
                    12,
                )
                solids.append(Solid(builder.sweep(tube(drop, 0.026), segments=8), "statue"))
            for k in range(4):
                fall = curve(
                    [
                        elbow + [0, 0.02 * k, 0.0],
                        elbow + [side * 0.02 * k, -0.06 + 0.05 * k, -0.25],
                        elbow + [side * 0.015 * k, -0.04 + 0.06 * k, -0.5],
                    ],
                    10,
                )
                solids.append(Solid(builder.sweep(tube(fall, np.linspace(0.045, 0.03, 10)), segments=9), "statue"))
        for k in range(4):
            sash = curve(
                [
                    (-0.2 * w, -0.02, hip + 0.5 - 0.03 * k),
                    (-0.02, -0.18, hip + 0.33 - 0.045 * k),
                    (0.19 * w, -0.1, hip + 0.12 - 0.04 * k),
                    (0.26 * w, 0.05, hip - 0.05 - 0.05 * k),
                ],
                18,
            )
            solids.append(Solid(builder.sweep(tube(sash, 0.03)), "statue"))
        a = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        solids.append(
            Solid(
                builder.sweep(tube(np.stack([0.19 * w * np.cos(a), 0.15 * np.sin(a), 0 * a + hip + 0.15], 1), 0.03, True)),
                "statue",
            )
        )
        solids += [Solid(torso.cast(builder), "statue")]
        solids += [
            Solid(b, "statue")
            for side in (1, -1)
            for b in (Manifold.sphere(0.075, 20).scale([1, 1.7, 0.7]).translate([side * 0.1, -0.24, -0.87]),)
        ]
        steps = [(0.46, -0.98, 0.14), (0.4, -0.88, 0.06)]
        solids += [Solid(cylinder(r, t, (0, 0, z), segments=8), "base") for r, z, t in steps]
        return solids + self._head(builder, neck + [0, -0.01, 0.3], 0.165, "statue", "statue", "statue")

    def _dancer(self, builder: Builder) -> list[Solid]:
        w, hip = self.breadth, 0.12
        torso, neck = self._torso(builder, hip)
        solids: list[Solid] = []
        z = np.linspace(0, 1, 12)
        frill = lathe(
            [
                (0, hip - 0.03),
                *((0.15 * w + 0.42 * f, hip + 0.02 - 0.16 * f**1.5) for f in z),
                *((0.15 * w + 0.42 * f, hip + 0.06 - 0.15 * f**1.5) for f in z[::-1]),
                (0, hip + 0.08),
            ],
            None,
            lobed(self.folds, 0.09, sharp=True),
        )
        tutu = builder.sweep(frill, segments=6 * self.folds)
        solids += [
            Solid(tutu.translate([0, 0, 0.045 * k]).rotate([0, 0, 9.0 * k]).scale([1 - 0.1 * k, 1 - 0.1 * k, 1]), "robe")
            for k in range(3)
        ]
        limbs = Sculpture(0.05)
        limbs.bone([(0.07, 0, hip - 0.02), (0.05, -0.02, -0.42), (0.02, 0.0, -0.92)], 0.1, 0.075, 0.045)
        knee = np.array([-0.3, -0.16 - 0.1 * self.pose, -0.3])
        limbs.bone(np.array([(-0.08, 0, hip - 0.02), knee, (0.0, -0.04, -0.48)]), 0.1, 0.075, 0.045)
        tip = strut((0.02, 0, -0.9), (0.02, -0.02, -1.06), 0.05, 14, 0.03)
        toe = strut((0.0, -0.04, -0.46), (0.07, -0.02, -0.58), 0.05, 14, 0.028)
        for side in (1, -1):
            shoulder = neck + [side * 0.19 * w, 0, -0.03]
            elbow = shoulder + [side * 0.2, -0.05, 0.16 + 0.1 * self.pose]
            hand = np.array([side * (0.26 - 0.16 * self.pose), -0.08, neck[2] + 0.56 + 0.08 * self.pose])
            self._arm(limbs, shoulder, elbow, hand, 0.05)
            solids += fingers(hand, np.array([-side * 0.6, 0, 0.4]))
        solids += [
            Solid(limbs.cast(builder), "skin"),
            Solid(torso.cast(builder), "robe"),
            Solid(tip, "shoes"),
            Solid(toe, "shoes"),
        ]
        for t in np.arange(6):
            ribbon = [
                strut(
                    (0.02 + 0.05 * np.cos(2.2 * t), 0.05 * np.sin(2.2 * t), -0.88 + 0.06 * t),
                    (0.02 + 0.055 * np.cos(2.2 * t + 1.6), 0.055 * np.sin(2.2 * t + 1.6), -0.86 + 0.06 * t),
                    0.014,
                    6,
                )
            ]
            solids += [Solid(r, "shoes") for r in ribbon]
        base = cylinder(0.34, 0.07, (0.02, 0, -1.09), segments=48)
        solids += [Solid(base, "shoes"), Solid(cylinder(0.3, 0.05, (0.02, 0, -1.04), segments=48), "shoes")]
        return solids + self._head(builder, neck + [0, -0.01, 0.28], 0.15, "skin", "hair", "eyes")
