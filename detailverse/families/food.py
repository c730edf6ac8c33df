"""Food: burgers, layer cakes, doughnuts, ice cream cones, pies, cupcakes, croissants, pumpkins."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.noise import fractal
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cylinder, facing, move, section, strut, subtract
from versemill.detailverse.spines import curve, lathe, lobed, tube


@family("food")
class Food(Family):
    """Something to eat, some on a plate."""

    title: ClassVar[str] = "food"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    labels: ClassVar[dict[str, str]] = {"bread": "bun", "salad": "lettuce"}
    slots: ClassVar[dict[str, Slot]] = {
        "bread": Slot((), "bread"),
        "crust": Slot((), "bread"),
        "seeds": Slot((), "seed white"),
        "meat": Slot((), "meat"),
        "cheese": Slot((), "cheese"),
        "salad": Slot((), "lettuce"),
        "tomato": Slot((), "jam"),
        "sponge": Slot((), "cake"),
        "icing": Slot((), "icing"),
        "filling": Slot((), "jam"),
        "cherries": Slot((), "jam"),
        "sprinkles": Slot((), "sprinkle"),
        "scoops": Slot((), "ice cream"),
        "cone": Slot((), "bread"),
        "paper": Slot((), "paper"),
        "skin": Slot((), "pumpkin skin"),
        "stalk": Slot((), "stalk"),
        "plate": Slot((), "plate"),
    }

    kind: Literal["burger", "layer cake", "doughnut", "ice cream cone", "pie", "cupcake", "croissant", "pumpkin"] = Field(
        default="burger", description="what it is"
    )
    tall: float = Field(default=1.0, ge=0.85, le=1.2, description="height over the usual")
    layers: int = Field(default=2, ge=1, le=3, description="layers, scoops or patties")
    count: int = Field(default=10, ge=7, le=14, description="swirls, cherries, strips, segments or ribs")
    puff: float = Field(default=0.5, ge=0.0, le=1.0, description="how high it has risen, how much it has curled")
    cut: bool = Field(default=True, description="a cake or a pie lacks a slice")

    def noun(self) -> str:
        scoops = {1: "one scoop", 2: "two scoops", 3: "three scoops"}[self.layers]
        sliced = " with a slice cut out" if self.cut else ""
        return {
            "burger": "burger with cheese, lettuce and tomato",
            "layer cake": f"layer cake with {{}} icing on a plate{sliced}",
            "doughnut": "doughnut with {} icing and sprinkles",
            "ice cream cone": f"ice cream cone with {scoops}",
            "pie": f"{{}} pie with a lattice crust{sliced}",
            "cupcake": "cupcake with swirled {} icing and a cherry",
            "croissant": "{} croissant on a plate",
            "pumpkin": "{} pumpkin",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "burger": ("bread", "seeds", "meat", "cheese", "salad", "tomato"),
            "layer cake": ("icing", "sponge", "cherries", "plate"),
            "doughnut": ("icing", "bread", "sprinkles"),
            "ice cream cone": ("scoops", "cone"),
            "pie": ("crust", "filling", "plate"),
            "cupcake": ("icing", "cherries", "paper"),
            "croissant": ("crust", "plate"),
            "pumpkin": ("skin", "stalk"),
        }[self.kind]

    def _wavy(self, builder: Builder, r: float, z: float, thick: float, waves: int, lift: float, seed: int) -> Manifold:
        """A frilled disc: a leaf of lettuce."""
        disc = cylinder(r, thick, (0, 0, z), segments=160)

        def frill(points: Floats) -> Floats:
            a, rho = np.arctan2(points[:, 1], points[:, 0]), np.hypot(points[:, 0], points[:, 1]) / r
            points[:, 2] += lift * rho**3 * np.sin(waves * a + 2 * np.sin(3 * a + seed)) - 0.05 * rho**4
            return points

        return disc.refine_to_length(0.09).warp_batch(frill)

    def _rough(self, body: Manifold, seed: int, pitch: float, depth: float) -> Manifold:
        """An uneven crust."""

        def lumps(points: Floats) -> Floats:
            away = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6)
            return points + away * depth * fractal(points, 1 / pitch, seed, 3, ridged=True)[:, None]

        return body.refine_to_length(0.05).warp_batch(lumps)

    def _burger(self, builder: Builder) -> list[Solid]:
        seed = int(builder.rng("crust").integers(1000))
        t = self.tall
        low = builder.sweep(
            lathe([(0, -0.7), (0.7, -0.7), (0.82, -0.6), (0.84, -0.46), (0.76, -0.38), (0, -0.38)]), segments=72
        )
        solids = [Solid(low, "bread")]
        z = -0.36
        for k in range(min(self.layers, 2)):
            patty = builder.sweep(
                lathe([(0, z), (0.78, z), (0.86, z + 0.07), (0.84, z + 0.16), (0.76, z + 0.2), (0, z + 0.2)]), segments=72
            )
            solids.append(Solid(self._rough(patty, seed + k, 0.09, 0.035), "meat"))
            slab = box((1.32, 1.32, 0.05), (0, 0, z + 0.22)).refine_to_length(0.1)

            def droop(points: Floats) -> Floats:
                rho = np.hypot(points[:, 0], points[:, 1])
                points[:, 2] -= 0.9 * np.clip(rho - 0.72, 0, 1) ** 1.3
                return points

            solids.append(Solid(slab.warp_batch(droop).rotate([0, 0, 20.0 + 45 * k]), "cheese"))
            z += 0.24
        slices = [
            cylinder(0.36, 0.2, (0.38 * np.cos(a), 0.38 * np.sin(a), z + 0.06), segments=40)
            for a in np.arange(4) * np.pi / 2 + 0.4
        ]
        solids += [Solid(s, "tomato") for s in slices]
        solids += [
            Solid(self._wavy(builder, 0.96, z + 0.1 + 0.035 * k, 0.03, self.count + 2 * k, 0.075, k), "salad") for k in range(2)
        ]
        high = 0.42 * t + 0.12 * self.puff
        a = np.linspace(0, np.pi / 2, 18)
        dome = [(0.86 * np.cos(v) ** 0.8, z + 0.22 + high * np.sin(v)) for v in a[:-1]]
        top = builder.sweep(
            lathe([(0, z + 0.12), (0.78, z + 0.12), (0.86, z + 0.17), *dome, (0, z + 0.22 + high)]), segments=72
        )
        solids.append(Solid(top, "bread"))
        grain = Manifold.sphere(0.045, 12).scale([0.7, 1.15, 0.5])
        for k in range(60):
            f, turn = np.sqrt((k + 0.5) / 60) * 0.82, 2.39996 * k
            v = np.arccos(np.clip(f, 0, 1) ** 1.25)
            at = np.array(
                [0.86 * np.cos(v) ** 0.8 * np.cos(turn), 0.86 * np.cos(v) ** 0.8 * np.sin(turn), z + 0.22 + high * np.sin(v)]
            )
            solids.append(
                Solid(move(grain, facing(at - [0, 0, z - 0.1], (np.cos(3 * turn), np.sin(3 * turn), 0)), at), "seeds")
            )
        return solids

    def _slice(self) -> Manifold:
        return box((3, 3, 6), (1.5, -1.5, 0)).rotate([0, 0, -20]) ^ box((3, 3, 6), (1.5, -1.5, 0)).rotate([0, 0, -55])

    def _plate(self, builder: Builder, z: float, r: float = 1.0) -> Solid:
        line = [
            (0, z - 0.1),
            (0.5 * r, z - 0.1),
            (0.55 * r, z - 0.07),
            (0.8 * r, z - 0.04),
            (r, z + 0.04),
            (0.99 * r, z + 0.06),
            (0.78 * r, z),
            (0, z),
        ]
        return Solid(builder.sweep(lathe(line), segments=80), "plate")

    def _layer_cake(self, builder: Builder) -> list[Solid]:
        n = self.layers + 1
        h = 0.28 * self.tall
        r = 0.76
        solids = []
        for k in range(n):
            z = -0.6 + k * h
            solids.append(Solid(cylinder(r - 0.03, h - 0.05, (0, 0, z + (h - 0.05) / 2), segments=72), "sponge"))
            solids.append(Solid(cylinder(r - 0.015, 0.07, (0, 0, z + h - 0.03), segments=72), "icing"))
        top = -0.6 + n * h
        coat = subtract(
            cylinder(r + 0.02, top + 0.62, (0, 0, (top - 0.58) / 2), segments=80), [cylinder(r - 0.04, 4, segments=72)]
        )
        solids += [Solid(coat, "icing"), Solid(cylinder(r + 0.02, 0.06, (0, 0, top + 0.0), segments=80), "icing")]
        swirl = builder.sweep(
            lathe(
                [(0, 0), (0.1, 0), (0.12, 0.05), (0.07, 0.1), (0.075, 0.12), (0.03, 0.17), (0, 0.19)],
                None,
                lobed(6, 0.12, sharp=True),
                0.4,
            ),
            segments=36,
        )
        for k in range(self.count):
            a = 2 * np.pi * (k + 0.5) / self.count
            spot = [0.62 * np.cos(a), 0.62 * np.sin(a), top + 0.02]
            solids += [
                Solid(swirl.translate(spot), "icing"),
                Solid(Manifold.sphere(0.065, 20).translate([spot[0], spot[1], top + 0.22]), "cherries"),
            ]
        beads = [
            Manifold.sphere(0.06, 16).translate([(r + 0.02) * np.cos(a), (r + 0.02) * np.sin(a), -0.58])
            for a in np.linspace(0, 2 * np.pi, 40, endpoint=False)
        ]
        drip = [
            strut(
                ((r + 0.02) * np.cos(a), (r + 0.02) * np.sin(a), top),
                ((r + 0.025) * np.cos(a), (r + 0.025) * np.sin(a), top - 0.1 - 0.1 * ((k * 7) % 5) / 5),
                0.045,
                12,
            )
            for k, a in enumerate(np.linspace(0, 2 * np.pi, 26, endpoint=False))
        ]
        solids += [Solid(b, "icing") for b in beads] + [Solid(d, "cherries") for d in drip]
        if self.cut:
            wedge = self._slice()
            solids = [Solid(c, s.part) for s in solids for c in [s.body - wedge] if not c.is_empty()]
        return [*solids, self._plate(builder, -0.6)]

    def _doughnut(self, builder: Builder) -> list[Solid]:
        a = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        fat = 0.3 + 0.06 * self.puff
        ring = np.stack([0.66 * np.cos(a), 0.66 * np.sin(a), 0 * a], 1)
        dough = builder.sweep(tube(ring, fat, True), segments=48).scale([1, 1, 0.85 * self.tall])
        glaze = builder.sweep(tube(ring, fat + 0.03, True), segments=48).scale([1, 1, 0.85 * self.tall])

        def edge(sign: float) -> Manifold:
            points = np.stack([np.cos(a), np.sin(a)], 1)
            wave = 0.66 + sign * (fat - 0.02 + 0.03 * np.sin(self.count * a) + 0.02 * np.sin(2 * self.count * a + 1))
            return section(points * wave[:, None]).extrude(2)

        glaze = (glaze ^ edge(1.0)) - edge(-1.0).translate([0, 0, -0.5])
        solids = [Solid(dough, "bread"), Solid(glaze, "icing")]
        grain = strut((0, 0, -0.045), (0, 0, 0.045), 0.019, 10)
        rng = builder.rng("sprinkles")
        for k in range(90):
            t, v = 2.39996 * k, rng.uniform(-0.9, 0.9)
            out = np.array([np.cos(t) * np.sin(v), np.sin(t) * np.sin(v), np.cos(v)])
            at = np.array([0.66 * np.cos(t), 0.66 * np.sin(t), 0]) + out * (fat + 0.035) * [1, 1, 0.85 * self.tall]
            spin = rng.uniform(0, 2 * np.pi)
            side = np.cross(out, [np.cos(spin), np.sin(spin), 0.3])
            solids.append(Solid(move(grain, facing(side), at), "sprinkles"))
        return [Solid(s.body.rotate([28, 0, 0]), s.part) for s in solids]

    def _ice_cream_cone(self, builder: Builder) -> list[Solid]:
        cone = builder.sweep(lathe([(0, -1.0), (0.04, -1.0), (0.36, 0.05), (0.42, 0.07), (0.42, 0.16), (0, 0.16)]), segments=64)
        solids = [Solid(cone, "cone")]
        for turn in (1, -1):
            for k in range(12):
                path = [
                    (
                        np.interp(z, [-1, 0.05], [0.045, 0.365]) * np.cos(turn * 2.2 * z + 0.5236 * k),
                        np.interp(z, [-1, 0.05], [0.045, 0.365]) * np.sin(turn * 2.2 * z + 0.5236 * k),
                        z,
                    )
                    for z in np.linspace(-0.97, 0.04, 18)
                ]
                solids.append(Solid(builder.sweep(tube(np.array(path), 0.014), segments=8), "cone"))
        rng = builder.rng("scoops")
        stacks: dict[int, list[tuple[float, float, float]]] = {
            1: [(0, 0, 0.38)],
            2: [(0, 0, 0.36), (0, 0, 0.86)],
            3: [(-0.21, 0, 0.36), (0.21, 0, 0.36), (0, 0, 0.78)],
        }
        spots = stacks[self.layers]
        for x, y, z in spots:
            ball = Manifold.sphere(0.4, 64)
            solids.append(Solid(self._rough(ball, int(rng.integers(1000)), 0.16, 0.035).translate([x, y, z]), "scoops"))
            frill = [
                Manifold.sphere(0.075 + 0.03 * rng.random(), 16).translate(
                    [x + 0.38 * np.cos(a), y + 0.38 * np.sin(a), z - 0.14 + 0.04 * rng.random()]
                )
                for a in np.linspace(0, 2 * np.pi, 18, endpoint=False)
            ]
            solids += [Solid(f, "scoops") for f in frill]
        wafer = box((0.16, 0.05, 0.6), (0.14, 0.12, spots[-1][2] + 0.35), 0.01).rotate([0, 12, 0])
        return [*solids, Solid(wafer, "cone")]

    def _pie(self, builder: Builder) -> list[Solid]:
        dish = builder.sweep(lathe([(0, -0.4), (0.62, -0.4), (0.8, -0.06), (0, -0.06)]), segments=72)
        jam = cylinder(0.8, 0.08, (0, 0, -0.05), segments=72)
        berries = [
            Manifold.sphere(0.07, 14).translate(
                [
                    0.74 * np.sqrt((k + 0.5) / 90) * np.cos(2.39996 * k),
                    0.74 * np.sqrt((k + 0.5) / 90) * np.sin(2.39996 * k),
                    -0.02,
                ]
            )
            for k in range(90)
        ]
        solids = [Solid(dish, "crust"), Solid(jam, "filling"), *(Solid(b, "filling") for b in berries)]
        strips = self.count // 2 + 3
        for turn in (0, 90):
            for i, x in enumerate(np.linspace(-0.68, 0.68, strips)):
                half = np.sqrt(0.84**2 - x**2)
                y = np.linspace(-half, half, 60)
                over = np.cos(np.pi * (y + 0.68) / (1.36 / (strips - 1))) * (1 if (i + (turn > 0)) % 2 == 0 else -1)
                path = [box((0.11, 0.05, 0.045), (x, v, 0.05 + 0.024 * o), 0.012) for v, o in zip(y, over, strict=True)]
                solids += [Solid(Manifold.batch_hull([a, b]).rotate([0, 0, turn]), "crust") for a, b in pairwise(path[::2])]
        for k in range(4 * self.count):
            a = 2 * np.pi * k / (4 * self.count)
            pinch = (
                Manifold.sphere(0.075, 16)
                .scale([1.3, 0.75, 0.9])
                .rotate([0, 0, float(np.degrees(a)) + 25])
                .translate([0.86 * np.cos(a), 0.86 * np.sin(a), 0.0])
            )
            solids.append(Solid(pinch, "crust"))
        if self.cut:
            wedge = self._slice()
            solids = [Solid(c, s.part) for s in solids for c in [s.body - wedge] if not c.is_empty()]
        return [*solids, self._plate(builder, -0.38)]

    def _cupcake(self, builder: Builder) -> list[Solid]:
        paper = builder.sweep(
            lathe([(0, -0.8), (0.44, -0.8), (0.64, -0.12), (0.6, -0.1), (0, -0.1)], None, lobed(22, 0.035, sharp=True)),
            segments=88,
        )
        solids = [Solid(paper, "paper")]
        high = (0.85 + 0.3 * self.puff) * self.tall
        turns = 3.5
        t = np.linspace(0, 1, 150)
        r = 0.5 * (1 - t) ** 0.85 + 0.02
        spiral = np.stack([r * np.cos(2 * np.pi * turns * t), r * np.sin(2 * np.pi * turns * t), -0.06 + high * t], 1)
        rope = tube(spiral, 0.24 * (1 - t) ** 0.6 + 0.03, contour=lobed(7, 0.14, sharp=True), twist=2.0)
        solids += [
            Solid(builder.sweep(rope, segments=42), "icing"),
            Solid(
                builder.sweep(
                    lathe([(0, -0.2), (0.6, -0.2), (0.62, -0.08), (0.4, 0.3 * high), (0.16, 0.7 * high), (0, 0.85 * high)]),
                    segments=56,
                ),
                "icing",
            ),
        ]
        top = -0.06 + high + 0.06
        solids += [
            Solid(Manifold.sphere(0.15, 32).translate([0, 0, top]), "cherries"),
            Solid(
                builder.sweep(tube(curve([(0, 0, top + 0.1), (0.04, 0, top + 0.25), (0.14, 0, top + 0.36)], 10), 0.018)),
                "cherries",
            ),
        ]
        return solids

    def _croissant(self, builder: Builder) -> list[Solid]:
        a = np.linspace(-0.35, np.pi + 0.35, 2 * self.count + 1)
        s = np.linspace(-1, 1, len(a))
        curl = 0.7 + 0.2 * (1 - self.puff)
        path = np.stack([0.74 * np.cos(a), -0.45 + curl * np.sin(a), 0 * a], 1)
        solids = []
        for k in range(len(a) - 1):
            mid = 0.5 * (path[k] + path[k + 1])
            size = 0.33 * (1 - 0.8 * abs(0.5 * (s[k] + s[k + 1])) ** 1.5) * self.tall
            way = path[k + 1] - path[k]
            inward = 1.0 if s[k] < 0 else -1.0
            fold = (
                Manifold.cylinder(0.2, size * 0.84, size, 40, True)
                if inward > 0
                else Manifold.cylinder(0.2, size, size * 0.84, 40, True)
            )
            solids.append(Solid(move(fold.scale([1, 1, 1.15]), facing(way), mid), "crust"))
        solids += [
            Solid(strut(path[k], path[k + (1 if k == 0 else -1)] * 0.7 + path[k] * 0.3, 0.09, 16), "crust") for k in (0, -1)
        ]
        solids.append(Solid(builder.sweep(tube(path, 0.1)), "crust"))
        return [Solid(s2.body.translate([0, 0.0, 0.2]), s2.part) for s2 in solids] + [self._plate(builder, -0.08, 1.12)]

    def _pumpkin(self, builder: Builder) -> list[Solid]:
        v = np.linspace(0, np.pi, 40)
        high = 0.62 * self.tall
        profile = np.stack([0.86 * np.sin(v) ** 0.9, -high * np.cos(v) * (1 - 0.28 * np.exp(-((np.sin(v) / 0.3) ** 2)))], 1)
        profile[[0, -1], 0] = 0
        ribs = self.count + 2
        body = builder.sweep(lathe(profile, None, lobed(ribs, 0.1, sharp=True)), segments=12 * ribs)
        stem = curve([(0, 0, 0.3 * high), (0, 0, 0.85 * high), (0.06 + 0.1 * self.puff, 0, 1.25 * high)], 14)
        solids = [
            Solid(body, "skin"),
            Solid(
                builder.sweep(
                    tube(stem, np.r_[0.2, 0.16, np.linspace(0.11, 0.08, 11), 0.1], contour=lobed(5, 0.16, sharp=True)),
                    segments=40,
                ),
                "stalk",
            ),
        ]
        root = np.array([0, 0, 0.72 * high])
        tendril = np.linspace(0, 1, 60)
        coil = np.stack(
            [
                0.1 + 0.5 * tendril,
                -0.1 - 0.35 * tendril + 0.06 * np.cos(26 * tendril),
                root[2] + 0.25 * np.sin(2.4 * tendril) + 0.06 * np.sin(26 * tendril),
            ],
            1,
        )
        return [
            *solids,
            Solid(builder.sweep(tube(coil, 0.02)), "stalk"),
            *(
                Solid(strut((0, 0, 0.75 * high), (0.22 * np.cos(t), 0.22 * np.sin(t), 0.72 * high), 0.05, 10, 0.03), "stalk")
                for t in np.arange(5) * 1.2566
            ),
        ]
