"""Four-legged animals: horses, dogs, elephants, stags, cows, sheep, lions, giraffes; modelled, with manes, horns and hooves."""
# ruff: noqa: D102 - the base class documents its methods

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.noise import cells, fractal
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.sculpture import Sculpture
from versemill.detailverse.solids import Builder, Manifold, Solid, cylinder, hull, strut
from versemill.detailverse.spines import curve, tube


@dataclass(frozen=True)
class Build:
    """Measures of a species, in units of its length.

    Attributes:
        legs: height of the belly. girth: half height of the trunk. wide: half width of the trunk.
        neck: (forward, up) from the shoulder to the poll. skull: half length of the head. muzzle: radius of the muzzle.
        limb: radius of a leg above. ear: length of an ear. tail: length of the tail.
    """

    legs: float
    girth: float
    wide: float
    neck: tuple[float, float]
    skull: float
    muzzle: float
    limb: float
    ear: float
    tail: float


BUILDS = {
    "horse": Build(0.78, 0.27, 0.24, (0.42, 0.52), 0.3, 0.1, 0.085, 0.14, 0.8),
    "dog": Build(0.55, 0.21, 0.17, (0.25, 0.32), 0.22, 0.075, 0.075, 0.2, 0.5),
    "elephant": Build(0.6, 0.42, 0.36, (0.3, 0.2), 0.3, 0.2, 0.165, 0.42, 0.5),
    "stag": Build(0.75, 0.23, 0.19, (0.32, 0.55), 0.22, 0.07, 0.06, 0.18, 0.15),
    "cow": Build(0.55, 0.31, 0.29, (0.36, 0.12), 0.27, 0.13, 0.09, 0.18, 0.6),
    "sheep": Build(0.42, 0.31, 0.3, (0.3, 0.22), 0.19, 0.085, 0.065, 0.16, 0.15),
    "lion": Build(0.5, 0.25, 0.21, (0.34, 0.24), 0.24, 0.12, 0.1, 0.1, 0.75),
    "giraffe": Build(1.0, 0.26, 0.2, (0.42, 1.35), 0.24, 0.075, 0.07, 0.13, 0.5),
}


@family("quadruped")
class Quadruped(Family):
    """A four-legged animal that stands or walks, its head to the front."""

    title: ClassVar[str] = "four-legged animals"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    labels: ClassVar[dict[str, str]] = {
        "horse coat": "coat",
        "dog coat": "coat",
        "deer coat": "coat",
        "cow coat": "coat",
        "lion coat": "coat",
        "giraffe coat": "coat",
    }
    slots: ClassVar[dict[str, Slot]] = {
        "horse coat": Slot((), "horse coat"),
        "dog coat": Slot((), "dog coat"),
        "deer coat": Slot((), "deer coat"),
        "cow coat": Slot((), "cow coat"),
        "lion coat": Slot((), "lion coat"),
        "giraffe coat": Slot((), "giraffe coat"),
        "skin": Slot((), "hide"),
        "fleece": Slot((), "fleece"),
        "face": Slot((), "sheep face"),
        "mane": Slot((), "mane"),
        "horns": Slot((), "horn"),
        "tusks": Slot((), "bone"),
        "hooves": Slot((), "hoof"),
        "eyes": Slot((), "eye"),
    }

    kind: Literal["horse", "dog", "elephant", "stag", "cow", "sheep", "lion", "giraffe"] = Field(
        default="horse", description="which animal"
    )
    stout: float = Field(default=1.0, ge=0.88, le=1.18, description="girth of the trunk over the usual")
    leg: float = Field(default=1.0, ge=0.9, le=1.12, description="length of the legs over the usual")
    head: float = Field(default=1.0, ge=0.9, le=1.12, description="size of the head over the usual")
    raised: float = Field(default=0.5, ge=0.0, le=1.0, description="how high the head is held")
    stride: float = Field(default=0.4, ge=0.0, le=1.0, description="0 stands, 1 walks out")
    points: int = Field(default=4, ge=3, le=5, description="points of an antler")

    def noun(self) -> str:
        way = "walking" if self.stride > 0.55 else "standing"
        extra = {
            "stag": f" with antlers of {self.points} points",
            "elephant": " with its trunk down" if self.raised < 0.5 else " with its trunk raised",
            "lion": " with a full mane",
            "cow": " with short horns",
        }.get(self.kind, "")
        return f"{way} {{}} {self.kind}{extra}"

    def parts(self) -> tuple[str, ...]:
        return {
            "horse": ("horse coat", "mane", "hooves", "eyes"),
            "dog": ("dog coat", "eyes"),
            "elephant": ("skin", "tusks", "hooves", "eyes"),
            "stag": ("deer coat", "horns", "hooves", "eyes"),
            "cow": ("cow coat", "horns", "hooves", "eyes"),
            "sheep": ("fleece", "face", "hooves", "eyes"),
            "lion": ("lion coat", "mane", "eyes"),
            "giraffe": ("giraffe coat", "horns", "hooves", "eyes"),
        }[self.kind]

    def build(self, builder: Builder) -> list[Solid]:
        b, coat = BUILDS[self.kind], self.parts()[0]
        face = "face" if self.kind == "sheep" else coat
        girth, wide, legs = b.girth * self.stout, b.wide * self.stout, b.legs * self.leg
        body = Sculpture(0.085, self._hair(builder))
        back = legs + girth
        chest, rump = np.array([0.0, -0.42, back]), np.array([0.0, 0.45, back + 0.02])
        body.egg((0, -0.05, back), (wide, 0.62, girth))
        body.egg(chest, (0.92 * wide, 0.3, 1.05 * girth)).egg(rump, (0.95 * wide, 0.3, 1.0 * girth))
        feet = [foot for side in (1, -1) for foot in self._legs(body, side, legs, wide, back, b.limb)]
        up = b.neck[1] * (0.75 + 0.4 * self.raised) if self.kind != "elephant" else b.neck[1]
        poll = chest + np.array([0, -b.neck[0], up + 0.3 * girth])
        thick = {"giraffe": 0.1, "horse": 0.13, "stag": 0.1, "dog": 0.11}.get(self.kind, 0.17)
        body.bone(
            [chest + [0, -0.05, 0.1 * girth], (chest + poll) / 2 + [0, -0.02, 0.02], poll], 0.8 * girth, 1.2 * thick, thick
        )
        solids = self._head(builder, body if face == coat else Sculpture(0.06), b, poll, face)
        if self.kind not in ("horse", "lion"):
            self._tail(body, rump, b, girth)
        solids.append(Solid(body.cast(builder), coat))
        solids += self._hair_parts(builder, b, chest, poll, rump, thick, coat)
        if "hooves" in self.parts():
            for foot, r in feet:
                shoe = cylinder(1.25 * r, 0.1, foot + [0, -0.15 * r, 0.04], segments=20, top=1.0 * r)
                solids.append(Solid(shoe, "hooves"))
        return solids

    def _legs(
        self, body: Sculpture, side: int, legs: float, wide: float, back: float, limb: float
    ) -> list[tuple[Floats, float]]:
        """Two legs of one side; returns their feet and radii."""
        feet = []
        thin = 0.9 if self.kind == "elephant" else 0.55
        for y, fore in ((-0.42, True), (0.48, False)):
            swing = 0.22 * self.stride * side * (1 if fore else -1)
            x = side * 0.62 * wide
            bend = (0.03 if fore else 0.1) * (0.2 if self.kind == "elephant" else 1.0)
            path = np.array(
                [
                    (x, y, back - 0.05),
                    (x, y - bend + 0.3 * swing, 0.55 * legs),
                    (x, y + bend + 0.6 * swing, 0.28 * legs),
                    (x, y + swing, 0.06),
                ]
            )
            body.bone(path, 1.9 * limb, 1.15 * limb, thin * limb, thin * limb * 1.05)
            if "hooves" not in self.parts():
                body.egg(path[-1] + [0, -0.05, 0.0], (0.9 * limb, 1.35 * limb, 0.06))
            feet.append((path[-1], thin * limb))
        return feet

    def _hair(self, builder: Builder):  # type: ignore[no-untyped-def]
        """The relief of the coat: locks of a fleece, folds of an elephant's skin, strands of fur."""
        seed = int(builder.rng("coat").integers(1 << 20))
        if self.kind == "sheep":
            return lambda p: 0.05 * np.sqrt(np.clip(1 - (1 - np.clip(cells(p, 0.13, seed)[1] / 0.35, 0, 1)) ** 2, 0, 1))
        if self.kind == "elephant":
            return lambda p: 0.016 * (1 - np.abs(np.sin(22 * p[:, 2] + 3 * fractal(p, 3.0, seed, 2))) ** 0.5)
        if self.kind in ("dog", "lion"):
            return lambda p: 0.02 * fractal(p * [9, 3.5, 6], 1.0, seed, 2, ridged=True)
        return None

    def _tail(self, body: Sculpture, rump: Floats, b: Build, girth: float) -> None:
        root = rump + np.array([0, 0.24, 0.55 * girth])
        if self.kind == "dog":
            body.bone(curve([root, root + [0, 0.2, 0.2 * b.tail], root + [0.04, 0.26, 0.9 * b.tail]], 6), 0.05)
        else:
            body.bone(curve([root, root + [0, 0.12, -0.1], root + [0, 0.14, -b.tail]], 5), 0.05, 0.045, 0.04, 0.035, 0.04)

    def _head(self, builder: Builder, body: Sculpture, b: Build, poll: Floats, part: str) -> list[Solid]:
        """Skull, muzzle, ears, eyes and what grows on the head."""
        size = b.skull * self.head
        drop = {"horse": -0.75, "stag": -0.6, "giraffe": -0.5, "cow": -0.45, "sheep": -0.45, "elephant": -0.4}.get(
            self.kind, -0.25
        )
        way = np.array([0, -1, drop]) / np.hypot(1, drop)
        brow, muzzle = poll + way * 0.35 * size, poll + way * 1.75 * size
        broad = {"elephant": 0.26, "lion": 0.2, "cow": 0.15, "dog": 0.125, "sheep": 0.12}.get(self.kind, 0.12) * self.head
        body.egg(brow, (broad, 0.75 * size, 0.95 * broad), 0.0)
        if self.kind == "elephant":
            lift = self.raised - 0.5
            tip = poll + np.array([0, -0.62, -0.75 + 1.5 * max(lift, 0)])
            trunk = curve(
                [
                    brow + [0, -0.1, -0.02],
                    brow + [0, -0.3, -0.2],
                    poll + [0, -0.52, -0.55 + 0.7 * max(lift, 0)],
                    tip,
                    tip + [0, -0.14, 0.1],
                ],
                14,
            )
            body.bone(trunk, *np.linspace(0.15, 0.06, 14))
        else:
            body.bone([brow, muzzle], 0.7 * broad, 0.62 * b.muzzle * self.head)
            body.egg(muzzle - way * 0.03, (0.82 * b.muzzle, 0.78 * b.muzzle, 0.75 * b.muzzle))
        solids = [] if part != "face" else [Solid(body.cast(builder), part)]
        for side in (1, -1):
            eye = brow + way * 0.3 * size + np.array([side * 0.93 * broad, 0, 0.3 * broad])
            solids.append(Solid(Manifold.sphere(0.038, 20).translate(eye.tolist()), "eyes"))
            solids.append(Solid(self._ear(b, brow, broad, side), part))
            solids += [Solid(h, "horns") for h in self._horn(builder, poll, broad, side)]
            nostril = Manifold.sphere(0.02, 14).translate(
                (muzzle + way * 0.55 * b.muzzle + [side * 0.36 * b.muzzle, 0, 0.2 * b.muzzle]).tolist()
            )
            if self.kind != "elephant":
                solids.append(Solid(nostril, "eyes"))
            else:
                tusk = curve(
                    [brow + [side * 0.15, -0.12, -0.2], brow + [side * 0.2, -0.35, -0.36], brow + [side * 0.17, -0.58, -0.26]],
                    10,
                )
                solids.append(Solid(builder.sweep(tube(tusk, np.linspace(0.045, 0.012, 10))), "tusks"))
        return solids

    def _ear(self, b: Build, brow: Floats, broad: float, side: int) -> Manifold:
        root = brow + np.array([side * 0.75 * broad, 0.06, 0.6 * broad])
        if self.kind == "elephant":
            rim = [(-0.04, 0.1), (0.12, 0.26), (0.36, 0.24), (0.5, 0.02), (0.44, -0.26), (0.26, -0.46), (0.05, -0.3)]
            flap = [(side * x, 0.25 * x + y, z) for x, z in rim for y in (0.0, 0.03)]
            return hull(np.array(flap) * [1, 1, 1.0] + root + [0, 0.02, -0.02]).rotate([0, 0, 0])
        hang = self.kind in ("dog", "cow", "sheep")
        tip = root + np.array(
            [side * (0.8 if hang else 0.35) * b.ear, 0.02, (-0.55 if self.kind == "dog" else -0.1 if hang else 0.95) * b.ear]
        )
        middle = (root + tip) / 2 + [side * 0.03, -0.02, 0.02]
        return hull(
            np.concatenate(
                [
                    p + r * np.array([(1, 0, 0), (-1, 0, 0), (0, 0.4, 0), (0, -0.4, 0), (0, 0, 1), (0, 0, -1)])
                    for p, r in ((root, 0.03), (middle, 0.055), (tip, 0.012))
                ]
            )
        )

    def _horn(self, builder: Builder, poll: Floats, broad: float, side: int) -> list[Manifold]:
        root = poll + np.array([side * 0.5 * broad, -0.02, 0.6 * broad])
        if self.kind == "cow":
            path = curve([root, root + [side * 0.16, 0, 0.06], root + [side * 0.2, -0.06, 0.22]], 9)
            return [builder.sweep(tube(path, np.linspace(0.042, 0.01, 9)))]
        if self.kind == "giraffe":
            return [strut(root, root + [side * 0.02, 0.03, 0.13], 0.022, 12, 0.034)]
        if self.kind == "stag":
            beam = curve(
                [root, root + [side * 0.18, 0.1, 0.2], root + [side * 0.34, 0.06, 0.45], root + [side * 0.3, -0.05, 0.72]], 16
            )
            bars = [builder.sweep(tube(beam, np.linspace(0.034, 0.012, 16)))]
            for k, at in enumerate(np.linspace(2, 13, self.points - 1).astype(int)):
                bars.append(
                    strut(beam[at], beam[at] + [side * (0.03 + 0.04 * (k % 2)), -0.2 + 0.02 * k, 0.16], 0.022, 10, 0.008)
                )
            return bars
        return []

    def _hair_parts(
        self, builder: Builder, b: Build, chest: Floats, poll: Floats, rump: Floats, thick: float, coat: str
    ) -> list[Solid]:
        """Mane and tail of a horse, mane and tail of a lion: locks one over another."""
        rng = builder.rng("mane")
        solids: list[Solid] = []
        if self.kind == "horse":
            for f in np.linspace(0.0, 1.0, 22):
                root = poll * (1 - f) + (chest + [0, 0.12, 0.26]) * f + [0, 0.05 + 0.08 * np.sin(np.pi * f), 0.06]
                for side in (1, -1):
                    end = root + [side * (0.15 + 0.05 * f), 0.03 + 0.05 * rng.random(), -0.22 - 0.08 * rng.random()]
                    lock = curve([root, (root + end) / 2 + [side * 0.07, 0, 0.05], end], 7)
                    solids.append(Solid(builder.sweep(tube(lock, np.linspace(0.036, 0.012, 7)), segments=9), "mane"))
            root = rump + [0, 0.24, 0.12]
            for k in range(14):
                a = 2 * np.pi * k / 14
                off = np.array([np.cos(a), 0.6 * np.sin(a), 0]) * 0.055
                path = curve(
                    [
                        root,
                        root + off + [0, 0.16, -0.05],
                        root + 1.3 * off + [0, 0.2, -0.4],
                        root + 0.5 * off + [0, 0.16, -b.tail],
                    ],
                    10,
                )
                solids.append(Solid(builder.sweep(tube(path, np.linspace(0.035, 0.014, 10)), segments=8), "mane"))
        if self.kind == "lion":
            centre = poll + np.array([0, 0.02, -0.06])
            for ring, (r, long, back) in enumerate(
                (
                    (0.16, 0.1, -0.12),
                    (0.21, 0.13, -0.06),
                    (0.26, 0.16, 0.0),
                    (0.3, 0.18, 0.07),
                    (0.32, 0.18, 0.15),
                    (0.3, 0.16, 0.23),
                )
            ):
                for k in range(22):
                    a = 2 * np.pi * (k + 0.5 * (ring % 2)) / 22
                    out = np.array([np.cos(a), 0, np.sin(a)])
                    root = centre + out * 0.65 * r + [0, back, -0.1 * back]
                    end = centre + out * (r + 0.35 * long * rng.random()) + [0, back + 0.2, -0.1 * (1 - np.sin(a))]
                    solids.append(Solid(strut(root, end, 0.065, 8, 0.03), "mane"))
            path = curve([rump + [0, 0.24, 0.1], rump + [0, 0.45, -0.1], rump + [0, 0.5, -0.4], rump + [0, 0.66, -0.52]], 14)
            solids.append(Solid(builder.sweep(tube(path, np.linspace(0.045, 0.025, 14))), coat))
            solids += [
                Solid(strut(path[-1], path[-1] + [x, 0.14, z], 0.035, 8, 0.01), "mane")
                for x, z in ((0, 0), (0.05, 0.02), (-0.05, 0.02), (0, 0.06), (0, -0.05))
            ]
        return solids
