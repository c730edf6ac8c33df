"""Birds: owls, ducks, penguins, eagles, flamingos, cockerels; bodies modelled, feathers laid in rows."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.sculpture import Sculpture
from versemill.detailverse.solids import Builder, Manifold, Solid, cylinder, facing, hull, mirrored, move, strut
from versemill.detailverse.spines import curve, tube


@family("bird")
class Bird(Family):
    """A bird, facing the front."""

    title: ClassVar[str] = "birds"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    labels: ClassVar[dict[str, str]] = {
        "owl feathers": "feathers",
        "duck feathers": "feathers",
        "dark feathers": "feathers",
        "pink feathers": "feathers",
        "belly": "breast",
    }
    slots: ClassVar[dict[str, Slot]] = {
        "owl feathers": Slot((), "owl feathers"),
        "duck feathers": Slot((), "feathers"),
        "dark feathers": Slot((), "dark feathers"),
        "pink feathers": Slot((), "pink feathers"),
        "wings": Slot((), "wing feathers"),
        "belly": Slot((), "pale feathers"),
        "tail": Slot((), "tail feathers"),
        "comb": Slot((), "comb"),
        "beak": Slot((), "beak"),
        "feet": Slot((), "beak"),
        "branch": Slot((), "bark"),
        "eyes": Slot((), "eye"),
    }

    kind: Literal["owl", "duck", "penguin", "eagle", "flamingo", "cockerel"] = Field(default="owl", description="which bird")
    stout: float = Field(default=1.0, ge=0.88, le=1.15, description="girth of the body over the usual")
    head: float = Field(default=1.0, ge=0.9, le=1.12, description="size of the head over the usual")
    turn: float = Field(default=0.0, ge=-1.0, le=1.0, description="how far the head is turned, and the wings are lifted")
    beak: float = Field(default=1.0, ge=0.85, le=1.2, description="length of the beak over the usual")
    rows: int = Field(default=6, ge=5, le=8, description="rows of feathers on a wing")

    def noun(self) -> str:
        return {
            "owl": "{} owl on a branch",
            "duck": "swimming {} duck",
            "penguin": "standing {} penguin",
            "eagle": "{} eagle with spread wings on a branch",
            "flamingo": "{} flamingo on one leg" if self.turn > 0 else "standing {} flamingo",
            "cockerel": "{} cockerel with a sweeping tail",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "owl": ("owl feathers", "wings", "beak", "feet", "branch", "eyes"),
            "duck": ("duck feathers", "wings", "beak", "eyes"),
            "penguin": ("dark feathers", "belly", "beak", "feet", "eyes"),
            "eagle": ("dark feathers", "wings", "belly", "beak", "feet", "branch", "eyes"),
            "flamingo": ("pink feathers", "beak", "feet", "eyes"),
            "cockerel": ("dark feathers", "wings", "tail", "comb", "beak", "feet", "eyes"),
        }[self.kind]

    def _feather(self, long: float, wide: float, thick: float = 0.02) -> Manifold:
        """A feather along +Z from the origin, its upper side to +Y: two planes that meet along its shaft."""
        rim = [(0.35, 0.0), (1.0, 0.35), (0.95, 0.72), (0.5, 0.95), (0.0, 1.0)]
        edge = [(s * x * wide / 2, 0.0, z * long) for x, z in rim for s in (1, -1)]
        shaft = [(0.0, thick, 0.04 * long), (0.0, thick, 0.88 * long), (0.0, -thick, 0.0), (0.0, -thick, 0.9 * long)]
        return hull(np.array(edge + shaft))

    def _coat(
        self, center: Floats, radii: Floats, part: str, low: float, high: float, size: float, lean: float = 0.0
    ) -> list[Solid]:
        """Rows of feathers that hang down over an egg between two heights (-1..1 of its upright radius)."""
        feather = self._feather(size, 0.8 * size, 0.16 * size)
        solids = []
        turn = np.radians(lean)
        tilt = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
        for k, v in enumerate(np.arange(high, low, -0.5 * size / radii[2])):
            ring = np.sqrt(max(1 - v * v, 0.02))
            count = max(5, int(2 * np.pi * ring * (radii[0] + radii[1]) / 2 / (0.62 * size)))
            for j in range(count):
                a = 2 * np.pi * (j + 0.5 * (k % 2)) / count
                unit = np.array([ring * np.cos(a), ring * np.sin(a), v])
                normal = unit / radii
                normal /= np.linalg.norm(normal)
                down = np.array([0, 0, -1.0]) - normal * -normal[2]
                down = down / max(np.linalg.norm(down), 1e-6) + 0.16 * normal
                place = tilt @ (unit * radii * 0.99) + center
                solids.append(Solid(move(feather, facing(tilt @ down, tilt @ normal), place), part))
        return solids

    def _wing(
        self, root: Floats, tip: Floats, chord: Floats, part: str, long: float = 0.3, thick: float = 0.03
    ) -> list[Manifold]:
        """A wing from root to tip: a bar with rows of feathers that trail along `chord`."""
        up = np.cross(tip - root, chord)
        bodies = [strut(root, tip, 0.07, 14, 0.035)]
        for row in range(3):
            count = 9 + 3 * row
            for k in range(count):
                f = (k + 0.3) / count
                size = long * (0.45, 0.72, 1.0)[row] * (1.0 + 0.25 * np.sin(np.pi * f))
                way = chord / np.linalg.norm(chord) + (tip - root) / np.linalg.norm(tip - root) * (0.9 * f**2)
                feather = self._feather(size, 0.36 * long, thick)
                bodies.append(move(feather, facing(way, up), root + (tip - root) * f - up / np.linalg.norm(up) * 0.016 * row))
        return bodies

    def _eyes(self, center: Floats, x: float, y: float, z: float, r: float = 0.045) -> list[Solid]:
        return [Solid(Manifold.sphere(r, 24).translate((center + [side * x, y, z]).tolist()), "eyes") for side in (1, -1)]

    def _perch(self) -> list[Solid]:
        knots = [strut((x, 0.05, -1.0), (x + 0.05, -0.08, -0.84), 0.05, 10, 0.03) for x in (-0.55, 0.5)]
        return [Solid(b, "branch") for b in (strut((-0.8, 0.04, -0.98), (0.8, -0.02, -0.9), 0.09, 9, 0.07), *knots)]

    def _claws(self, x: float, y: float, z: float, reach: float = 0.12) -> list[Solid]:
        toes = [strut((x, y, z), (x + dx, y - reach, z - 0.04), 0.035, 10, 0.018) for dx in (-0.07, 0, 0.07)]
        toes.append(strut((x, y, z), (x, y + 0.8 * reach, z - 0.03), 0.035, 10, 0.018))
        return [Solid(t, "feet") for t in toes]

    def _owl(self, builder: Builder) -> list[Solid]:
        w = 0.46 * self.stout
        body_at, body = np.array([0, 0.02, -0.25]), np.array([w, 0.4 * self.stout, 0.62])
        clay = Sculpture(0.12).egg(body_at, body).egg((0, 0, 0.48), (0.42 * self.head, 0.36, 0.36))
        coat = "owl feathers"
        solids = [Solid(clay.cast(builder), coat), *self._perch()]
        solids += self._coat(body_at, body, coat, -0.85, 0.62, 0.18)
        solids += self._coat(np.array([0, 0.06, 0.48]), np.array([0.42 * self.head, 0.35, 0.36]), coat, -0.2, 0.85, 0.13)
        for side in (1, -1):
            disc = cylinder(0.19 * self.head, 0.07, (side * 0.175 * self.head, -0.33, 0.5), "y", 40)
            solids.append(Solid(disc, "wings"))
            rays = [
                strut(
                    (side * 0.175 * self.head, -0.365, 0.5),
                    (side * 0.175 * self.head + 0.18 * np.cos(a), -0.35, 0.5 + 0.18 * np.sin(a)),
                    0.02,
                    6,
                )
                for a in np.arange(18) * np.pi / 9
            ]
            solids += [Solid(r, "wings") for r in rays]
            solids.append(Solid(cylinder(0.1, 0.05, (side * 0.175 * self.head, -0.375, 0.5), "y", 32), "beak"))
            tuft = [
                strut((side * 0.26, -0.1, 0.72), (side * (0.36 + 0.03 * k), -0.08, 1.0 - 0.05 * k), 0.07, 8, 0.015)
                for k in range(3)
            ]
            solids += [Solid(t, coat) for t in tuft]
            root, tip = np.array([side * 0.98 * w, -0.1, 0.08]), np.array([side * 0.8 * w, 0.22, -0.75])
            solids += [Solid(b, "wings") for b in self._wing(root, tip, np.array([-0.02 * side, 0.5, -0.7]), "wings", 0.34)]
            solids += self._claws(side * 0.17, -0.06, -0.84)
        hook = hull(
            np.array(
                [
                    (0.06, -0.34, 0.45),
                    (-0.06, -0.34, 0.45),
                    (0, -0.42, 0.44),
                    (0, -0.4 - 0.06 * self.beak, 0.3),
                    (0, -0.33, 0.34),
                ]
            )
        )
        tail = [
            move(self._feather(0.42, 0.16, 0.03), facing((x, 0.35, -1.0), (0, 1, 0.3)), (0.5 * x, 0.26, -0.62))
            for x in (-0.3, -0.1, 0.1, 0.3)
        ]
        solids += [Solid(hook, "beak"), *(Solid(t, "wings") for t in tail)]
        return solids + self._eyes(np.array([0, -0.4, 0.5]), 0.175 * self.head, 0, 0, 0.062)

    def _duck(self, builder: Builder) -> list[Solid]:
        clay = (
            Sculpture(0.14)
            .egg((0, 0.1, -0.3), (0.42 * self.stout, 0.78, 0.36))
            .egg((0, -0.35, -0.28), (0.36 * self.stout, 0.4, 0.34))
        )
        neck = curve([(0, -0.5, -0.1), (0, -0.6, 0.2), (0, -0.55, 0.45)], 6)
        clay.bone(neck, 0.2, 0.17, 0.15, 0.14, 0.14, 0.15)
        turn = 0.15 * self.turn
        head = np.array([turn, -0.6, 0.55])
        clay.egg(head, (0.19 * self.head, 0.25 * self.head, 0.19 * self.head))
        coat = "duck feathers"
        solids = [Solid(clay.cast(builder), coat)]
        bill = hull(
            np.array(
                [
                    (s * x * 0.13 + turn, -0.8 - y * self.beak, 0.5 + z)
                    for x, y, z in (
                        (0.7, 0, 0.05),
                        (0.7, 0, -0.03),
                        (0.9, 0.2, 0.0),
                        (1, 0.27, -0.02),
                        (0.8, 0.3, -0.01),
                        (0.3, 0, 0.09),
                    )
                    for s in (1, -1)
                ]
            )
        )
        solids.append(Solid(bill, "beak"))
        solids += self._coat(np.array([0, 0.1, -0.3]), np.array([0.42 * self.stout, 0.78, 0.36]), coat, -0.2, 0.1, 0.16)
        for side in (1, -1):
            root, tip = np.array([side * 0.36 * self.stout, -0.3, -0.08]), np.array([side * 0.3 * self.stout, 0.55, 0.06])
            solids += [Solid(b, "wings") for b in self._wing(root, tip, np.array([side * 0.12, 0.55, -0.45]), "wings", 0.4)]
        tail = [
            move(self._feather(0.4, 0.2, 0.03), facing((x, 1.0, 0.55), (0, -0.5, 1)), (0.4 * x, 0.7, -0.16))
            for x in (-0.4, -0.2, 0, 0.2, 0.4)
        ]
        return [*solids, *(Solid(t, coat) for t in tail), *self._eyes(head, 0.175 * self.head, -0.08, 0.06)]

    def _penguin(self, builder: Builder) -> list[Solid]:
        w = 0.4 * self.stout
        turn = 0.12 * self.turn
        back = (
            Sculpture(0.12)
            .egg((0, 0.04, -0.2), (w, 0.34 * self.stout, 0.68))
            .egg((turn, -0.02, 0.62), (0.25 * self.head, 0.27, 0.26))
        )
        back.bone([(0, 0.02, 0.2), (turn, 0, 0.55)], 0.3 * self.stout, 0.24).bone(
            [(0, 0.25, -0.75), (0, 0.42, -0.9)], 0.13, 0.05
        )
        front = (
            Sculpture(0.12).egg((0, -0.07, -0.24), (0.86 * w, 0.29 * self.stout, 0.6)).egg((turn, -0.08, 0.5), (0.2, 0.2, 0.16))
        )
        solids = [Solid(back.cast(builder), "dark feathers"), Solid(front.cast(builder), "belly")]
        bill = strut((turn, -0.24, 0.64), (turn, -0.28 - 0.2 * self.beak, 0.6), 0.065, 16, 0.018)
        solids.append(Solid(bill, "beak"))
        for side in (1, -1):
            lift = 0.16 + 0.16 * abs(self.turn)
            root, tip = np.array([side * 0.92 * w, 0.02, 0.22]), np.array([side * (w + lift), 0.06, -0.45])
            flipper = hull(
                np.concatenate(
                    [
                        p + r * np.array([(0.25, 0, 0), (-0.25, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 0.6), (0, 0, -0.6)])
                        for p, r in ((root, 0.13), ((root + tip) / 2, 0.16), (tip, 0.06))
                    ]
                )
            )
            solids.append(Solid(flipper, "dark feathers"))
            foot = [strut((side * 0.14, 0.0, -0.7), (side * 0.17 + dx, -0.38, -0.92), 0.08, 12, 0.04) for dx in (-0.1, 0, 0.1)]
            web = hull(
                np.array(
                    [
                        (side * 0.17 + dx, y, z)
                        for dx, y in ((-0.03, -0.05), (0.03, -0.05), (0.1, -0.36), (-0.1, -0.36))
                        for z in (-0.97, -0.9)
                    ]
                )
            )
            solids += [Solid(b, "feet") for b in (*foot, web)]
        return solids + self._eyes(np.array([turn, 0, 0.68]), 0.215 * self.head, -0.13, 0.02, 0.035)

    def _eagle(self, builder: Builder) -> list[Solid]:
        at, r = np.array([0, 0.0, -0.2]), np.array([0.26 * self.stout, 0.26, 0.5])
        clay = (
            Sculpture(0.1)
            .egg(at, r)
            .egg((0, -0.06, 0.42), (0.17 * self.head, 0.2, 0.18))
            .bone([(0, 0, 0.1), (0, -0.04, 0.4)], 0.2, 0.15)
        )
        for side in (1, -1):
            clay.bone([(side * 0.13, -0.02, -0.55), (side * 0.15, -0.04, -0.82)], 0.13, 0.06)
        coat = "dark feathers"
        solids = [Solid(clay.cast(builder), coat), *self._perch(), *self._coat(at, r, coat, -0.85, 0.7, 0.14)]
        solids += self._coat(np.array([0, -0.05, 0.38]), np.array([0.18, 0.2, 0.22]), "belly", -0.5, 0.9, 0.1)
        hook = curve([(0, -0.22, 0.46), (0, -0.36, 0.46), (0, -0.4 - 0.05 * self.beak, 0.34)], 8)
        solids.append(Solid(builder.sweep(tube(hook, np.linspace(0.065, 0.015, 8))), "beak"))
        lift = 0.35 + 0.2 * self.turn
        for side in (1, -1):
            root, wrist = np.array([side * 0.2, 0.02, 0.16]), np.array([side * 0.62, 0.02, 0.3 + lift])
            tip = np.array([side * 1.15, 0.06, 0.2 + lift])
            down = np.array([0.0, 0.12, -1.0])
            bodies = self._wing(root, wrist, down, "wings", 0.5) + self._wing(
                wrist, tip, np.array([side * 0.35, 0.1, -1.0]), "wings", 0.6
            )
            solids += [Solid(b, "wings") for b in bodies]
            solids += self._claws(side * 0.15, -0.05, -0.84)
        tail = [
            move(self._feather(0.5, 0.17, 0.03), facing((x, 0.4, -0.8), (0, 1, 0.3)), (0.3 * x, 0.16, -0.5))
            for x in (-0.5, -0.25, 0, 0.25, 0.5)
        ]
        return [
            *solids,
            *(Solid(t, "belly") for t in tail),
            *self._eyes(np.array([0, -0.06, 0.46]), 0.15 * self.head, -0.1, 0.02, 0.035),
        ]

    def _flamingo(self, builder: Builder) -> list[Solid]:
        at, r = np.array([0, 0.05, 0.1]), np.array([0.22 * self.stout, 0.36, 0.22])
        clay = Sculpture(0.06).egg(at, r)
        neck = curve(
            [(0, -0.2, 0.15), (0, -0.46, 0.3), (0, -0.42, 0.62), (0, -0.26, 0.82), (0, -0.36, 1.02), (0, -0.48, 0.98)], 20
        )
        clay.bone(neck, *np.linspace(0.1, 0.05, 20)).egg((0, -0.48, 0.97), (0.075 * self.head, 0.12, 0.085))
        coat = "pink feathers"
        solids = [Solid(clay.cast(builder), coat), *self._coat(at, r, coat, -0.9, 0.8, 0.14)]
        bill = curve([(0, -0.57, 0.97), (0, -0.67, 0.92), (0, -0.68 - 0.03 * self.beak, 0.8)], 8)
        solids.append(Solid(builder.sweep(tube(bill, np.linspace(0.055, 0.02, 8))), "beak"))
        for side in (1, -1):
            root, tip = np.array([side * 0.2, -0.2, 0.22]), np.array([side * 0.14, 0.42, 0.1])
            solids += [Solid(b, coat) for b in self._wing(root, tip, np.array([side * 0.1, 0.4, -0.4]), coat, 0.3)]
            hip = (side * 0.08, 0.05, -0.08)
            if self.turn > 0 and side > 0:
                legs = [strut(hip, (0.1, -0.12, -0.4), 0.035, 12), strut((0.1, -0.12, -0.4), (0.02, 0.3, -0.42), 0.026, 12)]
            else:
                legs = [
                    strut(hip, (side * 0.07, 0.08, -0.52), 0.035, 12, 0.028),
                    strut((side * 0.07, 0.08, -0.52), (side * 0.06, 0.02, -1.0), 0.026, 12),
                    Manifold.sphere(0.045, 16).translate([side * 0.07, 0.08, -0.52]),
                ]
                solids += self._claws(side * 0.06, 0.02, -0.99, 0.16)
            solids += [Solid(b, "feet") for b in legs]
        return solids + self._eyes(np.array([0, -0.5, 0.99]), 0.066 * self.head, 0, 0.01, 0.02)

    def _cockerel(self, builder: Builder) -> list[Solid]:
        at, r = np.array([0, 0.02, -0.15]), np.array([0.28 * self.stout, 0.46, 0.33])
        clay = (
            Sculpture(0.1)
            .egg(at, r, 20)
            .bone(curve([(0, -0.28, -0.05), (0, -0.4, 0.25), (0, -0.4, 0.52)], 6), 0.27, 0.22, 0.18, 0.15, 0.13, 0.12)
        )
        clay.egg((0, -0.43, 0.56), (0.12 * self.head, 0.15, 0.13))
        coat = "dark feathers"
        solids = [Solid(clay.cast(builder), coat)]
        solids += self._coat(np.array([0, -0.35, 0.2]), np.array([0.24, 0.26, 0.36]), coat, -0.5, 0.75, 0.15)
        solids += self._coat(at, r, coat, -0.6, 0.5, 0.15, 20)
        solids.append(Solid(strut((0, -0.55, 0.55), (0, -0.6 - 0.1 * self.beak, 0.51), 0.05, 14, 0.012), "beak"))
        comb = [
            Manifold.sphere(0.085, 20)
            .scale([0.35, 1, 1.1])
            .translate([0, -0.52 + 0.09 * k, 0.72 + 0.03 * np.sin(np.pi * k / 3)])
            for k in range(4)
        ]
        wattle = mirrored([Manifold.sphere(0.07, 20).scale([0.5, 0.7, 1.3]).translate([0.035, -0.56, 0.4])])
        solids += [Solid(b, "comb") for b in (*comb, *wattle)]
        for side in (1, -1):
            root, tip = np.array([side * 0.27, -0.2, 0.02]), np.array([side * 0.24, 0.42, -0.02])
            solids += [Solid(b, "wings") for b in self._wing(root, tip, np.array([side * 0.08, 0.4, -0.4]), "wings", 0.3)]
            solids += [
                Solid(b, "feet")
                for b in (
                    strut((side * 0.13, 0.0, -0.4), (side * 0.14, 0.02, -0.95), 0.04, 12),
                    strut((side * 0.14, 0.06, -0.75), (side * 0.14, 0.16, -0.7), 0.025, 8, 0.008),
                )
            ]
            solids += self._claws(side * 0.14, 0.02, -0.95, 0.18)
        for k in range(13):
            lean = (k - 6) / 6
            path = curve(
                [
                    (0.05 * lean, 0.36, 0.05),
                    (0.16 * lean, 0.6, 0.5 - 0.12 * abs(lean)),
                    (0.24 * lean, 0.88, 0.6 - 0.3 * abs(lean)),
                    (0.28 * lean, 1.05, 0.3 - 0.55 * abs(lean)),
                ],
                14,
            )
            solids.append(Solid(builder.sweep(tube(path, 0.055 * np.r_[0.6, np.ones(11), 0.7, 0.3])), "tail"))
        return solids + self._eyes(np.array([0, -0.46, 0.59]), 0.11 * self.head, -0.02, 0.02, 0.028)
