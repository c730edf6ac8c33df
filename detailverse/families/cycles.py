"""Two- and three-wheelers: bicycles, penny-farthings, tricycles, kick scooters, motorcycles; frames, spokes, chains."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.cycle_parts import Spot, basket, saddle
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, around, box, cut, cylinder, hull, strut, subtract, union
from versemill.detailverse.spines import curve, lathe, outline, tube


@family("cycle")
class Cycle(Family):
    """A cycle, its front wheel to the front."""

    title: ClassVar[str] = "cycles"
    grain: ClassVar[Literal["x", "y", "z"]] = "x"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    slots: ClassVar[dict[str, Slot]] = {
        "frame": Slot((), "frame paint"),
        "tyres": Slot((), "rubber"),
        "wheels": Slot((), "wheel metal"),
        "chain": Slot((), "dark metal"),
        "saddle": Slot((), "leather"),
        "grips": Slot((), "grip"),
        "engine": Slot((), "bare metal"),
        "lamp": Slot((), "lamp glass"),
        "basket": Slot((), "wicker"),
    }

    kind: Literal["bicycle", "penny-farthing", "tricycle", "kick scooter", "motorcycle"] = Field(
        default="bicycle", description="what it is"
    )
    wheel: float = Field(default=1.0, ge=0.92, le=1.1, description="radius of the wheels over the usual")
    spokes: int = Field(default=16, ge=12, le=22, description="spokes of a wheel")
    bar: Literal["straight", "swept", "dropped"] = Field(default="swept", description="form of the handlebar")
    thick: float = Field(default=1.0, ge=0.85, le=1.2, description="thickness of the frame's tubes over the usual")
    steer: float = Field(default=0.0, ge=-14.0, le=14.0, description="degrees that the front wheel is turned")
    basket: bool = Field(default=False, description="a basket hangs in front, where there is room")

    def noun(self) -> str:
        return {
            "bicycle": f"{{}} bicycle with a {self.bar} handlebar" + (" and a basket" if self.basket else ""),
            "penny-farthing": "{} penny-farthing",
            "tricycle": "{} child's tricycle",
            "kick scooter": "{} kick scooter",
            "motorcycle": "{} motorcycle with two cylinders",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        basket = ("basket",) if self.basket else ()
        return {
            "bicycle": ("frame", "tyres", "wheels", "chain", "saddle", "grips", "lamp", *basket),
            "penny-farthing": ("frame", "tyres", "wheels", "saddle", "grips"),
            "tricycle": ("frame", "tyres", "wheels", "saddle", "grips"),
            "kick scooter": ("frame", "tyres", "wheels", "grips"),
            "motorcycle": ("frame", "tyres", "wheels", "saddle", "grips", "engine", "lamp"),
        }[self.kind]

    def _pipes(self, builder: Builder, lines: list[list[Spot]], r: float, part: str = "frame") -> list[Solid]:
        return [
            Solid(strut(a, b, r * self.thick, 14 if builder.fine else 10), part) for line in lines for a, b in pairwise(line)
        ]

    def _wheel(self, builder: Builder, at: Spot, r: float, fat: float = 0.04, wide: float = 0.05) -> list[Solid]:
        """Tyre, rim, hub and crossed spokes about an axle along x."""
        a = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        ring = np.stack([0 * a, np.cos(a), np.sin(a)], 1)
        tyre = builder.sweep(tube(ring * (r - fat), fat, True))
        rim = builder.sweep(
            lathe(
                [
                    (r - 2.2 * fat, -0.6 * fat),
                    (r - 1.4 * fat, -0.8 * fat),
                    (r - 1.4 * fat, 0.8 * fat),
                    (r - 2.2 * fat, 0.6 * fat),
                ]
            ),
            segments=64,
        )
        rim = subtract(rim, [cylinder(r - 2.4 * fat, 1, segments=64)]).rotate([0, 90, 0])
        spokes = []
        for k in range(self.spokes):
            t = 2 * np.pi * k / self.spokes
            s = t + (0.3 if k % 2 else -0.3)
            side = 0.5 * wide * (1 if k % 4 < 2 else -1)
            spokes.append(
                strut(
                    (side, 0.03 * np.cos(s), 0.03 * np.sin(s)),
                    (0, (r - 2 * fat) * np.cos(t), (r - 2 * fat) * np.sin(t)),
                    0.011,
                    6,
                )
            )
        hub = union(
            [
                cylinder(0.028, 1.6 * wide, (0, 0, 0), "x", 20),
                *(cylinder(0.045, 0.014, (x, 0, 0), "x", 24) for x in (-0.5 * wide, 0.5 * wide)),
            ]
        )
        return [Solid(tyre.translate(at), "tyres"), *(Solid(b.translate(at), "wheels") for b in (rim, *spokes, hub))]

    def _turned(self, solids: list[Solid], pivot: Floats, axis: Floats) -> list[Solid]:
        """The steering assembly, turned about the steering axis."""
        t = np.radians(self.steer)
        k = axis / np.linalg.norm(axis)
        cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
        turn = np.eye(3) + np.sin(t) * cross + (1 - np.cos(t)) * cross @ cross
        matrix = np.concatenate([turn, (pivot - turn @ pivot).reshape(3, 1)], 1)
        return [Solid(s.body.transform(matrix), s.part) for s in solids]

    def _bars(self, builder: Builder, top: Spot, wide: float = 0.3) -> list[Solid]:
        """A handlebar across x with grips."""
        x, y, z = top
        ends = {
            "straight": [(0.5, 0, 0), (1.0, 0.02, 0.0)],
            "swept": [(0.4, -0.03, 0.08), (0.8, 0.06, 0.1), (1.0, 0.22, 0.06)],
            "dropped": [(0.7, -0.03, 0.02), (0.95, -0.18, 0.0), (1.0, -0.2, -0.14), (1.0, -0.04, -0.18)],
        }[self.bar]
        solids = []
        for side in (1, -1):
            path = curve([top, *((x + side * wide * px, y + py, z + pz) for px, py, pz in ends)], 18)
            solids.append(Solid(builder.sweep(tube(path, 0.02)), "frame"))
            for k in range(12, 17):
                solids.append(Solid(strut(path[k], path[k + 1], 0.034, 10), "grips"))
        return solids

    def _bicycle(self, builder: Builder) -> list[Solid]:
        r = 0.44 * self.wheel
        rear, front = (0.0, 0.6, 0.0), (0.0, -0.68, 0.0)
        crank, seat, head, low = (0.0, 0.14, -0.08), (0.0, 0.34, 0.62), (0.0, -0.42, 0.66), (0.0, -0.46, 0.5)
        stays = [[(x, 0.6, 0.0), (0.4 * x, 0.32, 0.52)] for x in (0.06, -0.06)] + [
            [(x, 0.6, 0.0), (0.4 * x, 0.16, -0.08)] for x in (0.06, -0.06)
        ]
        frame = self._pipes(builder, [[crank, seat], [(0, 0.31, 0.52), head], [crank, low], [head, low]], 0.034) + self._pipes(
            builder, stays, 0.02
        )
        solids = [*frame, *self._wheel(builder, rear, r)]
        fork = self._pipes(builder, [[(x, -0.68, 0.0), (x, -0.6, 0.2), (0.7 * x, -0.48, 0.46)] for x in (0.065, -0.065)], 0.02)
        crown = [
            Solid(box((0.16, 0.07, 0.05), (0, -0.475, 0.46), 0.012), "frame"),
            Solid(strut(low, (0.0, -0.39, 0.78), 0.028, 12), "frame"),
        ]
        steering = [*fork, *crown, *self._wheel(builder, front, r), *self._bars(builder, (0.0, -0.4, 0.78))]
        lamp = [
            cylinder(0.06, 0.09, (0, -0.52, 0.62), "y", 28, top=0.035),
            Manifold.sphere(0.05, 24).scale([1, 0.4, 1]).translate([0, -0.57, 0.62]),
        ]
        steering += [
            Solid(lamp[0], "wheels"),
            Solid(lamp[1], "lamp"),
            Solid(strut((0, -0.44, 0.6), (0, -0.5, 0.62), 0.02, 8), "frame"),
        ]
        if self.basket:
            steering += basket(-0.66, 0.78)
        solids += self._turned(steering, np.array(low), np.array(head) - np.array(low))
        post = self._pipes(builder, [[seat, (0.0, 0.37, 0.72)]], 0.026)
        solids += [*post, *saddle((0.0, 0.37, 0.76))]
        ring = subtract(
            cylinder(0.13, 0.03, (0.07, *crank[1:]), "x", 48),
            [
                cylinder(0.022, 0.2, (0.07, crank[1] + 0.075 * np.cos(t), crank[2] + 0.075 * np.sin(t)), "x", 14)
                for t in np.arange(5) * 1.2566
            ],
        )
        teeth = [b.translate([0.07, *crank[1:]]) for b in around(box((0.02, 0.018, 0.02), (0, 0, 0.135)), 26, "x")]
        solids += [
            Solid(b, "chain")
            for b in (ring, *teeth, cylinder(0.05, 0.03, (0.05, 0.6, 0), "x", 24), cylinder(0.04, 0.2, crank, "x", 20))
        ]
        for s in (1, -1):
            links = np.linspace((0.07, crank[1], crank[2] + 0.125 * s), (0.07, 0.6, 0.048 * s), 24)
            solids += [Solid(box((0.026, 0.02, 0.026), p, 0.004), "chain") for p in links]
            solids.append(Solid(strut(links[0], links[-1], 0.008, 6), "chain"))
            arm = (0.1 * s, crank[1] - 0.1 * s, crank[2] - 0.14 * s)
            solids += [
                Solid(strut((0.1 * s, *crank[1:]), arm, 0.02, 10), "chain"),
                Solid(box((0.13, 0.09, 0.03), (0.17 * s, *arm[1:]), 0.008), "grips"),
            ]
        guard = [
            strut(
                (0, 0.6 + 1.1 * r * np.cos(t), 1.1 * r * np.sin(t)),
                (0, 0.6 + 1.1 * r * np.cos(t + 0.2), 1.1 * r * np.sin(t + 0.2)),
                0.026,
                8,
            )
            for t in np.arange(0.1, 2.2, 0.2)
        ]
        return [
            *solids,
            *(Solid(g, "frame") for g in guard),
            *self._pipes(builder, [[(0.05, 0.6, 0), (0, 0.6 + 1.1 * r * np.cos(0.5), 1.1 * r * np.sin(0.5))]], 0.012),
        ]

    def _penny_farthing(self, builder: Builder) -> list[Solid]:
        r = 0.72 * self.wheel
        big, small = (0.0, -0.28, 0.0), (0.0, 0.82, 0.24 - r)
        arc = np.array([(0.0, -0.28 + 1.12 * r * np.cos(t), 1.12 * r * np.sin(t)) for t in np.linspace(1.55, 0.12, 20)])
        back = curve([*arc[::4], (0.0, 0.68, -0.2), (0.0, 0.82, 0.33 - r)], 30)
        solids = [
            Solid(builder.sweep(tube(back, 0.03 * self.thick)), "frame"),
            *self._wheel(builder, big, r, 0.03, 0.08),
            *self._wheel(builder, small, 0.24, 0.03, 0.05),
        ]
        top = 1.12 * r
        solids += self._pipes(
            builder,
            [[(x, -0.28, 0), (0.8 * x, -0.28, top - 0.02)] for x in (0.075, -0.075)]
            + [[(0, -0.28, top - 0.04), (0, -0.3, top + 0.16)]],
            0.024,
        )
        solids += self._pipes(builder, [[(x, 0.82, 0.24 - r), (0.6 * x, 0.8, 0.42 - r)] for x in (0.05, -0.05)], 0.02)
        solids += [
            Solid(box((0.16, 0.08, 0.05), (0, -0.28, top - 0.02), 0.012), "frame"),
            Solid(box((0.1, 0.06, 0.06), (0, 0.8, 0.42 - r), 0.01), "frame"),
        ]
        solids += self._bars(builder, (0.0, -0.3, top + 0.15), 0.28)
        solids += saddle((0.0, 0.02, top + 0.1))
        solids += self._pipes(builder, [[(0, 0.05, top + 0.06), tuple(arc[5])], [(0, 0.1, top + 0.06), tuple(arc[7])]], 0.016)
        for s in (1, -1):
            solids += [
                Solid(strut((0.11 * s, -0.28, 0), (0.11 * s, -0.28, -0.17 * s), 0.02, 10), "wheels"),
                Solid(box((0.12, 0.08, 0.03), (0.16 * s, -0.28, -0.17 * s), 0.008), "grips"),
            ]
        return [*solids, Solid(cylinder(0.02, 0.26, big, "x", 14), "wheels")]

    def _tricycle(self, builder: Builder) -> list[Solid]:
        r, s = 0.4 * self.wheel, 0.26
        z = s - r
        solids = self._wheel(builder, (0.0, -0.6, 0.0), r, 0.055, 0.08)
        for x in (0.4, -0.4):
            solids += self._wheel(builder, (x, 0.6, z), s, 0.055, 0.06)
        spine = curve([(0.0, -0.42, 0.5), (0.0, -0.1, 0.2), (0.0, 0.3, 0.06), (0.0, 0.6, z + 0.05)], 20)
        solids.append(Solid(builder.sweep(tube(spine, 0.055 * self.thick)), "frame"))
        solids += [
            Solid(cylinder(0.03, 0.9, (0, 0.6, z), "x", 16), "frame"),
            Solid(box((0.5, 0.26, 0.04), (0, 0.62, z + 0.09), 0.012), "frame"),
        ]
        solids += [Solid(box((0.02, 0.24, 0.02), (x, 0.62, z + 0.11)), "frame") for x in np.linspace(-0.2, 0.2, 7)]
        solids += self._pipes(
            builder, [[(x, -0.6, 0.0), (x, -0.5, 0.46)] for x in (0.1, -0.1)] + [[(0, -0.5, 0.44), (0, -0.4, 0.72)]], 0.03
        )
        solids += [Solid(box((0.26, 0.1, 0.07), (0, -0.5, 0.46), 0.02), "frame")]
        solids += self._bars(builder, (0.0, -0.4, 0.72), 0.36)
        solids += saddle((0.0, 0.24, 0.4), 1.3) + self._pipes(builder, [[(0, 0.26, 0.08), (0, 0.27, 0.4)]], 0.04)
        for k in (1, -1):
            solids += [
                Solid(strut((0.14 * k, -0.6, 0), (0.14 * k, -0.6 - 0.1 * k, 0.08 * k), 0.025, 10), "frame"),
                Solid(box((0.16, 0.11, 0.05), (0.22 * k, -0.6 - 0.1 * k, 0.08 * k), 0.012), "grips"),
            ]
        fringe = [
            strut((side * 0.37, -0.2 + 0.02 * j, 0.76), (side * (0.38 + 0.02 * j), -0.16 + 0.03 * j, 0.5), 0.014, 6)
            for side in (1, -1)
            for j in range(5)
        ]
        return [
            *solids,
            Solid(cylinder(0.025, 0.36, (0, -0.6, 0), "x", 14), "wheels"),
            *(Solid(f, "grips") for f in fringe if self.bar == "swept"),
        ]

    def _kick_scooter(self, builder: Builder) -> list[Solid]:
        r = 0.15 * self.wheel
        solids = []
        for y in (-0.62, 0.62):
            solids += self._wheel(builder, (0.0, y, 0.0), r, 0.045, 0.06)
        deck = (
            cut(
                outline([(-0.14, -0.4), (0.14, -0.4), (0.17, 0.1), (0.14, 0.42), (0.0, 0.46), (-0.14, 0.42), (-0.17, 0.1)], 40),
                0.05,
                0.015,
            )
            .rotate([-90, 0, 0])
            .translate([0, 0, 0.02])
        )
        solids.append(Solid(deck, "frame"))
        solids += [Solid(box((0.24, 0.03, 0.03), (0, y, 0.05), 0.006), "grips") for y in np.linspace(-0.26, 0.36, 10)]
        solids += self._pipes(builder, [[(x, 0.62, 0.0), (x, 0.3, 0.02)] for x in (0.06, -0.06)], 0.026)
        steer = self._pipes(
            builder,
            [[(x, -0.62, 0.0), (0.6 * x, -0.56, 0.24)] for x in (0.07, -0.07)] + [[(0, -0.57, 0.2), (0, -0.38, 1.2)]],
            0.028,
        )
        steer += [
            Solid(box((0.16, 0.08, 0.06), (0, -0.56, 0.24), 0.014), "frame"),
            *(Solid(cylinder(0.045, 0.06, (0, -0.5 + 0.19 * (z - 0.55), z)), "wheels") for z in (0.5, 0.9)),
        ]
        steer += [Solid(cylinder(0.022, 0.66, (0, -0.38, 1.19), "x", 16), "frame")]
        steer += [
            Solid(cylinder(0.036, 0.03, (x * 0.32 + k, -0.38, 1.19), "x", 20), "grips")
            for x in (1, -1)
            for k in np.linspace(-0.07, 0.07, 6)
        ]
        steer += [Solid(cylinder(0.03, 0.18, (x * 0.32, -0.38, 1.19), "x", 20), "grips") for x in (1, -1)]
        solids += self._turned(steer, np.array([0, -0.5, 0.4]), np.array([0, 0.19, 1.0]))
        solids += self._pipes(
            builder,
            [
                [(0, -0.53, 0.36), (0, -0.34, 0.04)],
                [(0.06, -0.5, 0.3), (0.1, -0.3, 0.03)],
                [(-0.06, -0.5, 0.3), (-0.1, -0.3, 0.03)],
            ],
            0.034,
        )
        guard = [
            strut(
                (0, 0.62 + 1.25 * r * np.cos(t), 1.25 * r * np.sin(t)),
                (0, 0.62 + 1.25 * r * np.cos(t + 0.25), 1.25 * r * np.sin(t + 0.25)),
                0.045,
                8,
            )
            for t in np.arange(0.5, 3.0, 0.25)
        ]
        return [*solids, *(Solid(g, "frame") for g in guard)]

    def _motorcycle(self, builder: Builder) -> list[Solid]:
        r = 0.36 * self.wheel
        solids = self._wheel(builder, (0.0, 0.62, 0.0), r, 0.085, 0.12)
        tank = hull(
            np.concatenate(
                [
                    Manifold.sphere(1.0, 20).scale(list(s)).translate(list(c)).to_mesh().vert_properties[:, :3]
                    for s, c in (((0.17, 0.2, 0.15), (0, -0.22, 0.44)), ((0.1, 0.12, 0.09), (0, 0.1, 0.4)))
                ]
            )
        )
        solids += [Solid(tank, "frame"), Solid(cylinder(0.05, 0.03, (0, -0.24, 0.6), segments=24), "wheels")]
        seat = hull(
            np.array(
                [
                    (s * x, y, z)
                    for x, y, z in (
                        (0.1, 0.12, 0.42),
                        (0.14, 0.3, 0.36),
                        (0.13, 0.62, 0.46),
                        (0.1, 0.74, 0.5),
                        (0.11, 0.7, 0.4),
                        (0.12, 0.3, 0.28),
                    )
                    for s in (1, -1)
                ]
            )
        )
        pleats = [box((0.5, 0.012, 0.06), (0, y, 0.46 + 0.0 * y)) for y in np.linspace(0.36, 0.66, 7)]
        solids += [Solid(subtract(seat, pleats), "saddle")]
        solids += self._pipes(
            builder,
            [[(x, -0.4, 0.5), (x, -0.34, -0.16), (x, 0.2, -0.2), (x, 0.62, 0.0)] for x in (0.09, -0.09)]
            + [[(x, 0.62, 0.0), (x, 0.5, 0.36), (x, -0.4, 0.46)] for x in (0.09, -0.09)]
            + [[(0.1, 0.62, 0), (-0.1, 0.62, 0)]],
            0.03,
        )
        solids.append(Solid(box((0.2, 0.36, 0.2), (0, -0.02, -0.1), 0.04), "engine"))
        for lean in (-28, 22):
            pot = union(
                [
                    cylinder(0.075, 0.34, (0, 0, 0.17), segments=28),
                    *(box((0.24, 0.22, 0.014), (0, 0, 0.06 + 0.036 * k), 0.004) for k in range(7)),
                    cylinder(0.06, 0.05, (0, 0, 0.34), segments=20),
                ]
            )
            solids.append(Solid(pot.rotate([lean, 0, 0]).translate([0, -0.02 - 0.05 * np.sign(-lean), -0.06]), "engine"))
        solids.append(Solid(cylinder(0.13, 0.24, (0, 0.12, -0.12), "x", 32), "engine"))
        for x in (0.13, -0.13):
            pipe = curve([(x, -0.2, 0.14), (x, -0.32, 0.0), (x, -0.16, -0.2), (x, 0.3, -0.16), (x, 0.9, -0.06)], 24)
            solids.append(Solid(builder.sweep(tube(pipe, np.r_[np.full(14, 0.032), np.full(8, 0.055), 0.05, 0.03])), "wheels"))
        fork = self._pipes(builder, [[(x, -0.74, 0.0), (x, -0.4, 0.62)] for x in (0.12, -0.12)], 0.034, "wheels")
        fork += [Solid(box((0.32, 0.1, 0.05), (0, -0.43 - 0.1 * k, 0.56 - 0.16 * k), 0.015), "wheels") for k in (0, 1)]
        fork += [
            Solid(cylinder(0.12, 0.16, (0, -0.56, 0.52), "y", 36, top=0.07), "wheels"),
            Solid(Manifold.sphere(0.105, 32).scale([1, 0.4, 1]).translate([0, -0.64, 0.52]), "lamp"),
        ]
        fork += self._wheel(builder, (0.0, -0.74, 0.0), r, 0.075, 0.12) + self._bars(builder, (0.0, -0.4, 0.64), 0.4)
        fork += self._pipes(builder, [[(0, -0.42, 0.56), (0, -0.39, 0.66)], [(0.13, -0.74, 0), (-0.13, -0.74, 0)]], 0.03)
        guard = [(0, c + 1.1 * r * np.cos(t), 1.1 * r * np.sin(t)) for c in (-0.74,) for t in np.arange(0.9, 2.8, 0.2)]
        fork += [
            Solid(Manifold.batch_hull([box((0.27, 0.03, 0.03), a, 0.01), box((0.27, 0.03, 0.03), b, 0.01)]), "frame")
            for a, b in pairwise(guard)
        ]
        solids += self._turned(fork, np.array([0, -0.43, 0.5]), np.array([0, 0.34, 0.62]))
        rear = [(0, 0.62 + 1.1 * r * np.cos(t), 1.1 * r * np.sin(t)) for t in np.arange(0.0, 2.1, 0.2)]
        solids += [
            Solid(Manifold.batch_hull([box((0.2, 0.03, 0.03), a, 0.01), box((0.2, 0.03, 0.03), b, 0.01)]), "frame")
            for a, b in pairwise(rear)
        ]
        return [
            *solids,
            Solid(box((0.12, 0.06, 0.06), (0, 1.0, 0.2), 0.015), "lamp"),
            Solid(cylinder(0.06, 0.2, (0, -0.42, 0.5), "x", 20), "frame"),
            *self._pipes(
                builder,
                [
                    [(0.1, -0.42, 0.48), (0, -0.2, 0.44)],
                    [(-0.1, -0.42, 0.48), (0, -0.2, 0.44)],
                    [(0.09, -0.02, -0.1), (0.09, -0.02, -0.22)],
                ],
                0.03,
            ),
        ]
