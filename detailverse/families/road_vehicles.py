"""Road vehicles: cars, vans, buses, pickups, lorries, tractors, vintage cars."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.coachwork import Outline, side_view
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, around, box, cut, cylinder, mirrored, strut, subtract, union
from versemill.detailverse.spines import curve, lathe, outline, tube


@family("road vehicle")
class RoadVehicle(Family):
    """A vehicle on wheels, its radiator to the front."""

    title: ClassVar[str] = "road vehicles"
    grain: ClassVar[Literal["x", "y", "z"]] = "x"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    slots: ClassVar[dict[str, Slot]] = {
        "body": Slot((), "car paint"),
        "bed": Slot((), "load bed"),
        "roof": Slot((), "hood cloth"),
        "windows": Slot((), "dark glass"),
        "tyres": Slot(("tread",), "rubber", ornament=1.6),
        "wheels": Slot((), "wheel metal"),
        "trim": Slot((), "chrome"),
        "headlamps": Slot((), "lamp glass"),
        "tail lamps": Slot((), "red glass"),
        "seats": Slot((), "leather"),
    }

    kind: Literal["car", "van", "bus", "pickup", "lorry", "tractor", "vintage car"] = Field(
        default="car", description="what it is"
    )
    long: float = Field(default=1.0, ge=0.94, le=1.08, description="half length over the usual")
    tall: float = Field(default=1.0, ge=0.92, le=1.1, description="height of the cabin over the usual")
    wheel: float = Field(default=1.0, ge=0.92, le=1.1, description="radius of the wheels over the usual")
    spokes: int = Field(default=5, ge=5, le=10, description="spokes of a wheel")
    slant: float = Field(default=0.5, ge=0.0, le=1.0, description="slope of the bonnet, the windscreen and the back")
    bars: int = Field(default=7, ge=5, le=11, description="bars of the grille, windows of a bus")

    def noun(self) -> str:
        return {
            "car": "{} saloon car" if self.slant > 0.5 else "{} hatchback car",
            "van": "{} delivery van",
            "bus": "{} bus",
            "pickup": "{} pickup truck",
            "lorry": "{} lorry with a load bed",
            "tractor": "{} farm tractor",
            "vintage car": "open {} vintage car with running boards",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        common = ("body", "windows", "tyres", "wheels", "trim", "headlamps", "tail lamps")
        return {
            "lorry": ("body", "bed", *common[1:]),
            "tractor": ("body", "roof", "tyres", "wheels", "trim", "headlamps", "seats"),
            "vintage car": ("body", "roof", "tyres", "wheels", "trim", "headlamps", "seats"),
        }.get(self.kind, common)

    def build(self, builder: Builder) -> list[Solid]:
        return {"tractor": self._tractor, "vintage car": self._vintage}.get(self.kind, self._closed)(builder)

    def _wheel(self, builder: Builder, r: float, wide: float, copies: int = 4) -> tuple[Manifold, Manifold]:
        """Tyre and wheel, axis along x, outside to +x."""
        side = [(0.6 * r, -0.5), (0.9 * r, -0.5), (r, -0.34), (r, 0.34), (0.9 * r, 0.5), (0.6 * r, 0.5)]
        profile = [(0, -0.4 * wide), *((x, y * wide) for x, y in side), (0, 0.3 * wide)]
        tyre = builder.sweep(lathe(profile, (3, 4)), "tyres", copies=copies)
        spoke = box((0.46 * r, 0.12 * r, 0.12 * wide), (0.33 * r, 0, 0.42 * wide), 0.01)
        hub = cylinder(0.15 * r, 0.3 * wide, (0, 0, 0.44 * wide), segments=24)
        bolts = [cylinder(0.03 * r, 0.1, (0.2 * r, 0, 0.42 * wide), segments=6)]
        disc = builder.sweep(lathe([(0, 0.1 * wide), (0.6 * r, 0.1 * wide), (0.6 * r, 0.34 * wide), (0, 0.34 * wide)]))
        ring = builder.sweep(
            lathe(
                [
                    (0, 0.3 * wide),
                    (0.66 * r, 0.3 * wide),
                    (0.68 * r, 0.56 * wide),
                    (0.58 * r, 0.56 * wide),
                    (0.56 * r, 0.36 * wide),
                    (0, 0.36 * wide),
                ]
            )
        )
        wheel = union([disc, ring, hub, *around(spoke, self.spokes), *around(bolts[0], 5)])
        return tyre.rotate([0, 90, 0]), wheel.rotate([0, 90, 0])

    def _wheels(self, builder: Builder, x: float, ys: tuple[float, ...], z: float, r: float, wide: float) -> list[Solid]:
        tyre, wheel = self._wheel(builder, r, wide, 2 * len(ys))
        solids = []
        for y in ys:
            for turn, side in ((0, 1), (180, -1)):
                for body, part in ((tyre, "tyres"), (wheel, "wheels")):
                    solids.append(Solid(body.rotate([0, 0, turn]).translate([side * x, y, z]), part))
            solids.append(Solid(cylinder(0.05, 2 * x, (0, y, z), "x", 16), "wheels"))
        return solids

    def _closed(self, builder: Builder) -> list[Solid]:
        """A body cut to its side view, narrower above the belt, with wheel arches, doors, glass, grille, lamps and bumpers."""
        shell, glass, half, axles, r = side_view(self.kind, self.slant, self.tall, self.bars)
        r *= self.wheel
        axle = -0.3 if self.kind in ("car", "van") else -0.34

        def side(points: Outline, thick: float, edge: float = 0.0) -> Manifold:
            # (y, z) outlines are cut in the plane of x and z, then turned so that x runs along y.
            return cut([(y, z) for y, z in points], thick, edge).rotate([0, 0, 90])

        body = side(shell, 2 * half, 0.04)
        lean = 0.12 * half

        def tumble(points: np.ndarray) -> np.ndarray:
            # Above the belt the sides lean in.
            points[:, 0] *= 1 - lean * np.clip((points[:, 2] - 0.1) / 0.3, 0, 1) / half
            return points

        arches = [cylinder(1.22 * r, 0.34, (x * half, y, axle), "x", 48) for y in axles for x in (1, -1)]
        seams = []
        low = min(z for _, z in shell) + 0.05
        for pane in glass if self.kind != "bus" else []:
            y0, y1 = min(p[0] for p in pane) - 0.03, max(p[0] for p in pane) + 0.03
            seams += [box((3, 0.014, abs(low) + 0.1), (0, y, low / 2 + 0.05)) for y in (y0, y1)]
        seams = [subtract(s, [box((2 * half - 0.03, 4, 4))]) for s in seams]
        hoods = [subtract(box((3, 4, 0.014), (0, 0, -0.06)), [box((2 * half - 0.03, 4, 4))])]
        body = subtract(body.warp_batch(tumble), [*arches, *seams, *hoods])
        panes = [subtract(side(p, 2 * half + 0.012).warp_batch(tumble), [box((2 * half - 0.4, 4, 4))]) for p in glass]
        panes += self._screens(shell, half, lean)
        solids = [Solid(body, "body"), *(Solid(p, "windows") for p in panes)]
        solids += self._wheels(builder, half - 0.08, axles, axle, r, 0.19)
        solids += self._front(shell, half) + self._doors(glass, half)
        for y in axles if self.kind != "lorry" else axles[:1]:
            for x in (1, -1):
                lip = builder.sweep(
                    tube(
                        np.array(
                            [
                                (0.0, y + 1.24 * r * np.cos(a), axle + 1.24 * r * np.sin(a))
                                for a in np.linspace(0.15, np.pi - 0.15, 20)
                            ]
                        ),
                        0.022,
                    )
                ).translate([x * half, 0, 0])
                solids.append(Solid(lip, "body"))
        if self.kind == "lorry":
            solids += self._load(half)
        if self.kind == "pickup":
            hollow = box((2 * half - 0.1, 0.78, 0.3), (0, 0.62, 0.06))
            solids = [Solid(subtract(s.body, [hollow]) if s.part == "body" else s.body, s.part) for s in solids]
            ribs = [box((2 * half - 0.12, 0.04, 0.02), (0, y, -0.09)) for y in np.linspace(0.3, 0.95, 8)]
            solids += [Solid(b, "body") for b in ribs]
        if self.kind == "bus":
            solids += [Solid(box((0.55, 0.5, 0.07), (0, y, 0.5 * self.tall + 0.02), 0.02), "trim") for y in (-0.45, 0.55)]
        return solids

    def _screens(self, shell: Outline, half: float, lean: float) -> list[Manifold]:
        """Windscreen and rear window, set on the slopes of the side view."""
        roof = max(z for _, z in shell)
        spots = [k for k in range(len(shell)) if abs(shell[k][1] - roof) < 1e-6]
        panes = []
        for at, step in ((spots[-1], 1), (spots[0], -1)):
            top, foot = np.array(shell[at]), np.array(shell[(at + step) % len(shell)])
            if self.kind == "van" and step == 1:
                foot = np.array(shell[(at + 2) % len(shell)])
            if self.kind in ("lorry", "pickup") and step == -1:
                continue
            a, b = top + 0.14 * (foot - top), top + 0.86 * (foot - top)
            wide = half - lean - 0.07
            panes.append(Manifold.batch_hull([box((2 * wide, 0.04, 0.02), (0, p[0], p[1])) for p in (a, b)]))
        return panes

    def _front(self, shell: Outline, half: float) -> list[Solid]:
        """Grille, lamps, bumpers and plate."""
        nose, tail = min(y for y, _ in shell), max(y for y, _ in shell)
        low = min(z for _, z in shell)
        height = -0.05 if self.kind != "lorry" else -0.02
        solids = []
        width = 0.5 * half
        frame = subtract(
            box((2 * width, 0.06, 0.17), (0, nose, height - 0.06), 0.012),
            [box((2 * width - 0.05, 0.3, 0.12), (0, nose - 0.13, height - 0.06))],
        )
        bars = [box((0.018, 0.05, 0.13), (x, nose - 0.005, height - 0.06)) for x in np.linspace(-0.85, 0.85, self.bars) * width]
        solids += [Solid(b, "trim") for b in (frame, *bars)]
        for x in (1, -1):
            at = (x * 0.76 * half, nose + 0.01, height - 0.04)
            solids.append(Solid(cylinder(0.085, 0.09, at, "y", 32), "trim"))
            solids.append(
                Solid(Manifold.sphere(0.066, 28).scale([1, 0.5, 1]).translate([at[0], nose - 0.03, at[2]]), "headlamps")
            )
            solids.append(
                Solid(
                    box((0.07, 0.05, 0.14), (x * 0.84 * half, tail, 0.0), 0.01)
                    if self.kind != "lorry"
                    else box((0.12, 0.05, 0.07), (x * 0.7 * half, nose + 0.02, low + 0.06), 0.01),
                    "tail lamps",
                )
            )
        for y in (nose, tail) if self.kind != "lorry" else (nose,):
            solids.append(Solid(box((2 * half + 0.02, 0.12, 0.085), (0, y, low + 0.05), 0.025), "trim"))
            solids.append(Solid(box((0.26, 0.15, 0.07), (0, y, low + 0.06), 0.008), "headlamps"))
        return solids

    def _doors(self, glass: list[Outline], half: float) -> list[Solid]:
        """Handles, mirrors and sills."""
        solids = []
        for pane in glass if self.kind != "bus" else glass[:1]:
            y = max(p[0] for p in pane) - 0.06
            solids += [Solid(b, "trim") for b in mirrored([box((0.05, 0.1, 0.025), (half, y, 0.03), 0.008)])]
        y = min(p[0] for p in glass[0]) + 0.03
        mirror = union([box((0.1, 0.05, 0.09), (half + 0.07, y, 0.15), 0.02), box((0.12, 0.03, 0.03), (half + 0.01, y, 0.12))])
        return solids + [Solid(b, "body") for b in mirrored([mirror])]

    def _load(self, half: float) -> list[Solid]:
        """The bed of a lorry: planks, stakes and a frame below."""
        solids = [
            Solid(box((2 * half, 1.32, 0.06), (0, 0.42, -0.1), 0.01), "bed"),
            Solid(box((0.36, 1.5, 0.22), (0, 0.3, -0.23)), "trim"),
        ]
        for z in (0.0, 0.12, 0.24):
            solids += [Solid(b, "bed") for b in mirrored([box((0.04, 1.32, 0.09), (half - 0.02, 0.42, z - 0.02), 0.012)])]
            solids += [Solid(box((2 * half, 0.04, 0.09), (0, y, z - 0.02), 0.012), "bed") for y in (-0.22, 1.06)]
        posts = [box((0.05, 0.06, 0.42), (half + 0.005, y, 0.06), 0.01) for y in np.linspace(-0.2, 1.04, 6)]
        return solids + [Solid(p, "bed") for p in mirrored(posts)]

    def _tractor(self, builder: Builder) -> list[Solid]:
        big, small = 0.52 * self.wheel, 0.28 * self.wheel
        hood = union([box((0.36, 0.95, 0.4), (0, -0.42, 0.02), 0.05), box((0.3, 0.6, 0.3), (0, 0.3, -0.1), 0.03)])
        vents = [box((0.5, 0.024, 0.2), (0, y, 0.04)) for y in np.linspace(-0.78, -0.3, self.bars + 2)]
        hood = subtract(hood, [subtract(v, [box((0.33, 3, 3))]) for v in vents])
        grille = [box((0.28, 0.03, 0.018), (0, -0.9, z)) for z in np.linspace(-0.12, 0.16, self.bars)]
        solids = [Solid(hood, "body"), *(Solid(g, "trim") for g in grille)]
        for x in (1, -1):
            a = np.linspace(0.2, np.pi - 0.1, 16)
            guard = [
                strut(
                    (x * 0.34, 0.5 + 1.1 * big * np.cos(t), -0.46 + big + 1.1 * big * np.sin(t)),
                    (x * 0.56, 0.5 + 1.1 * big * np.cos(t), -0.46 + big + 1.1 * big * np.sin(t)),
                    0.03,
                    8,
                )
                for t in a
            ]
            solids += [Solid(Manifold.batch_hull([p, q]), "body") for p, q in itertools.pairwise(guard)]
            solids.append(Solid(cylinder(0.07, 0.1, (x * 0.13, -0.92, 0.16), "y", 24), "headlamps"))
            for y in (0.12, 0.72):
                solids.append(Solid(strut((x * 0.34, y, 0.1), (x * 0.3, y + 0.02, 0.95 * self.tall), 0.03, 10), "trim"))
            solids.append(Solid(box((0.3, 0.06, 0.1), (x * 0.25, 0.42, 0.0), 0.01), "body"))
        solids += self._wheels(builder, 0.44, (0.5,), -0.46 + big - 0.12, big, 0.3) + self._wheels(
            builder, 0.34, (-0.68,), -0.58 + small, small, 0.16
        )
        solids.append(Solid(box((0.14, 0.12, 0.34), (0, -0.68, -0.2)), "trim"))
        lugs = [box((0.3, 0.07, 0.07), (0, 0, 1.0 * big), 0.015).rotate([0, 0, 0])]
        for x in (1, -1):
            for lug in around(lugs[0].rotate([0, 0, 25.0 * x]), 18, "x"):
                solids.append(Solid(lug.translate([x * 0.44, 0.5, -0.58 + big]), "tyres"))
        solids.append(Solid(strut((0.1, -0.5, 0.15), (0.1, -0.5, 0.75 * self.tall), 0.035, 14), "trim"))
        solids.append(Solid(box((0.74, 0.8, 0.07), (0, 0.42, 0.97 * self.tall), 0.03), "roof"))
        solids.append(Solid(box((0.76, 0.8, 0.1), (0, 0.42, 0.08), 0.015), "body"))
        seat = [box((0.3, 0.28, 0.08), (0, 0.5, 0.14), 0.03), box((0.3, 0.07, 0.34), (0, 0.65, 0.3), 0.03)]
        solids += [Solid(s, "seats") for s in seat]
        a = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        ring = (
            builder.sweep(tube(np.stack([0.13 * np.cos(a), 0.13 * np.sin(a), 0 * a], 1), 0.02, True))
            .rotate([35, 0, 0])
            .translate([0, 0.22, 0.36])
        )
        return [
            *solids,
            Solid(ring, "trim"),
            Solid(strut((0, 0.08, 0.1), (0, 0.22, 0.36), 0.02, 10), "trim"),
            Solid(box((0.26, 0.02, 0.02), (0, 0.22, 0.36)).rotate([0, 0, 0]), "trim"),
        ]

    def _vintage(self, builder: Builder) -> list[Solid]:
        """Radiator, bonnet with louvres, flowing wings, spoked wheels, folded hood."""
        r = 0.29 * self.wheel
        bonnet = Manifold.batch_hull(
            [box((0.26, 0.04, 0.34), (0, -0.85, 0.0), 0.05), box((0.42, 0.04, 0.44), (0, -0.12, 0.02), 0.06)]
        )
        louvres = [
            subtract(box((1, 0.022, 0.18), (0, y, 0.0)), [box((0.28 + 0.2 * (y + 0.85), 3, 3))])
            for y in np.linspace(-0.7, -0.2, 9)
        ]
        tub = subtract(
            outline_body(
                [(-0.14, -0.22), (0.85, -0.22), (0.93, 0.2), (0.8, 0.26), (0.3, 0.2), (0.0, 0.2), (-0.14, 0.24)], 0.56
            ),
            [box((0.46, 0.78, 0.6), (0, 0.36, 0.22), 0.05)],
        )
        solids = [Solid(subtract(bonnet, louvres), "body"), Solid(tub, "body")]
        grille = subtract(box((0.34, 0.08, 0.44), (0, -0.88, 0.02), 0.03), [box((0.26, 0.1, 0.34), (0, -0.94, 0.0))])
        solids += [
            Solid(grille, "trim"),
            *(Solid(box((0.016, 0.05, 0.36), (x, -0.89, 0.0)), "trim") for x in np.linspace(-0.12, 0.12, self.bars)),
        ]
        solids += [
            Solid(Manifold.sphere(0.04, 20).translate([0, -0.88, 0.27]), "trim"),
            Solid(box((0.5, 1.5, 0.09), (0, 0.05, -0.24), 0.01), "body"),
        ]
        for x in (1, -1):
            fender = curve(
                [
                    (x * 0.44, -1.08, -0.18),
                    (x * 0.44, -0.86, 0.06),
                    (x * 0.44, -0.62, 0.08),
                    (x * 0.44, -0.36, -0.14),
                    (x * 0.44, -0.1, -0.28),
                    (x * 0.44, 0.3, -0.28),
                    (x * 0.44, 0.52, -0.02),
                    (x * 0.44, 0.74, 0.07),
                    (x * 0.44, 0.98, -0.06),
                    (x * 0.44, 1.06, -0.24),
                ],
                40,
            )
            slabs = [box((0.26, 0.05, 0.03), p, 0.008) for p in fender]
            solids += [Solid(Manifold.batch_hull([p, q]), "body") for p, q in itertools.pairwise(slabs)]
            solids.append(Solid(box((0.16, 0.9, 0.05), (x * 0.32, 0.1, -0.27)), "trim"))
            solids.append(Solid(cylinder(0.095, 0.14, (x * 0.24, -0.92, 0.1), "y", 32, top=0.06), "trim"))
            solids.append(Solid(Manifold.sphere(0.08, 28).scale([1, 0.5, 1]).translate([x * 0.24, -0.99, 0.1]), "headlamps"))
            solids.append(Solid(strut((x * 0.24, -0.9, 0.1), (0, -0.84, 0.05), 0.025, 10), "trim"))
            solids.append(Solid(strut((x * 0.26, -0.12, 0.2), (x * 0.25, -0.06, 0.52 * self.tall), 0.018, 10), "trim"))
        tyre = builder.sweep(
            tube(
                np.array(
                    [(0, r * 0.88 * np.cos(t), r * 0.88 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 48, endpoint=False)]
                ),
                0.13 * r,
                True,
            )
        )
        spoke = strut((0, 0, 0.12 * r), (0, 0, 0.85 * r), 0.018, 8)
        hub = union([cylinder(0.14 * r, 0.16, (0, 0, 0), "x", 24), *around(spoke, 2 * self.spokes, "x")])
        for x in (1, -1):
            for y in (-0.74, 0.72):
                solids += [
                    Solid(tyre.translate([x * 0.46, y, -0.32]), "tyres"),
                    Solid(hub.translate([x * 0.46, y, -0.32]), "wheels"),
                ]
        solids += [Solid(cylinder(0.035, 0.9, (0, y, -0.32), "x", 12), "wheels") for y in (-0.74, 0.72)]
        solids += [Solid(box((0.08, 0.1, 0.16), (x, y, -0.27)), "wheels") for x in (0.12, -0.12) for y in (-0.74, 0.72)]
        screen = subtract(
            box((0.54, 0.02, 0.32 * self.tall), (0, -0.08, 0.36 * self.tall), 0.005),
            [box((0.46, 0.2, 0.24 * self.tall), (0, -0.08, 0.37 * self.tall))],
        )
        solids += [Solid(screen, "trim"), Solid(box((0.5, 0.06, 0.2), (0, -0.1, 0.2)), "body")]
        for y in (0.22, 0.66):
            solids += [
                Solid(box((0.46, 0.24, 0.12), (0, y - 0.08, 0.06), 0.04), "seats"),
                Solid(box((0.46, 0.09, 0.34), (0, y + 0.06, 0.16), 0.04), "seats"),
            ]
        folds = [
            strut((-0.27, 0.86 + 0.05 * k, 0.28 + 0.035 * k), (0.27, 0.86 + 0.05 * k, 0.28 + 0.035 * k), 0.05, 12)
            for k in range(4)
        ]
        a = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        wheel = (
            builder.sweep(tube(np.stack([0.1 * np.cos(a), 0.1 * np.sin(a), 0 * a], 1), 0.014, True))
            .rotate([60, 0, 0])
            .translate([0.12, 0.08, 0.3])
        )
        return [
            *solids,
            *(Solid(f, "roof") for f in folds),
            Solid(wheel, "trim"),
            Solid(strut((0.12, -0.1, 0.18), (0.12, 0.08, 0.3), 0.016, 8), "trim"),
            Solid(box((0.19, 0.016, 0.02), (0.12, 0.08, 0.3)), "trim"),
        ]


def outline_body(side: Outline, wide: float) -> Manifold:
    """A body of a smooth side view (y, z), `wide` across x, its edges stepped."""
    return cut(outline(side, 48), wide, 0.03).rotate([0, 0, 90])
