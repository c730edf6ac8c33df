"""Towers, keeps, pagodas, lighthouses, chapels: walls of masonry, windows, battlements, stepped roofs."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.palette import ROOF
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cylinder, prism, section, subtract, union
from versemill.detailverse.spines import Contour, Spine, circle, lathe, polygon, rectangle

MASONRY = ("bricks", "bricks", "cracks", "panels")


@family("building")
class Building(Family):
    """A small building that stands alone."""

    title: ClassVar[str] = "buildings and towers"
    styles: ClassVar[tuple[str, ...]] = ("classical", "rustic", "ornate", "industrial")
    slots: ClassVar[dict[str, Slot]] = {
        "walls": Slot(MASONRY, "masonry", ornament=1.7),
        "cornices": Slot(("dentils", "beads", "egg_and_dart", "greek_key", "rope"), "trim stone"),
        "roof": Slot(ROOF, "roof", ornament=1.7),
        "openings": Slot((), "joinery"),
    }

    kind: Literal["tower", "keep", "pagoda", "lighthouse", "chapel", "ziggurat"] = Field(
        default="tower", description="what it is"
    )
    storeys: int = Field(default=3, ge=2, le=5, description="number of storeys")
    sides: Literal[4, 6, 8, 32] = Field(default=8, description="sides of the ground plan; 32 is round")
    slender: float = Field(default=0.48, ge=0.4, le=0.6, description="half width over half height")
    taper: float = Field(default=0.88, ge=0.78, le=0.97, description="width of a storey over the one below")
    windows: int = Field(default=2, ge=1, le=3, description="windows per side and storey")
    roof: float = Field(default=0.5, ge=0.35, le=0.8, description="height of the roof")

    def noun(self) -> str:
        plan = {4: "square", 6: "hexagonal", 8: "octagonal", 32: "round"}[self._sides()]
        if self.kind == "chapel":
            return f"chapel of {self.storeys + 1} bays with a bell tower"
        return f"{plan} {{}} {self.kind} of {self.storeys} storeys"

    def _sides(self) -> int:
        if self.kind == "lighthouse":
            return 32
        return 4 if self.kind == "ziggurat" else self.sides

    def parts(self) -> tuple[str, ...]:
        return ("walls", "cornices", "openings") if self.kind in ("ziggurat", "keep") else tuple(self.slots)

    def build(self, builder: Builder) -> list[Solid]:
        return self._chapel(builder) if self.kind == "chapel" else self._tower(builder)

    def _plan(self) -> Contour:
        return circle if self._sides() == 32 else polygon(self._sides())

    def _walls(self, builder: Builder, profile: list[tuple[float, float]], part: str, rows: tuple[int, int]) -> Manifold:
        return builder.sweep(lathe(profile, rows, self._plan()), part)

    def _tower(self, builder: Builder) -> list[Solid]:
        pagoda, ziggurat = self.kind == "pagoda", self.kind == "ziggurat"
        wide = 0.35 + self.slender if ziggurat else self.slender * (1.2 if pagoda else 1.0)
        inward = 0.55 * self.taper + 0.24 if ziggurat else self.taper
        top = 1.0 - (0.0 if ziggurat or self.kind == "keep" else self.roof)
        heights = np.linspace(-0.95, top, self.storeys + 1)
        solids = [
            Solid(self._walls(builder, [(0, -1), (wide * 1.15, -1), (wide * 1.15, -0.94), (0, -0.94)], "", (1, 2)), "cornices")
        ]
        r = wide
        for k, (low, high) in enumerate(itertools.pairwise(heights)):
            after = r * inward
            leaning = after if self.kind == "lighthouse" else r
            wall = self._walls(builder, [(0, low - 0.02), (r, low - 0.02), (leaning, high), (0, high)], "walls", (1, 2))
            cuts, fittings = self._openings(builder, r, leaning, float(low), float(high), k == 0)
            solids += [Solid(subtract(wall, cuts), "walls"), *(Solid(f, "openings") for f in fittings)]
            edge = leaning * 1.1
            if pagoda:
                eave = [
                    (0, high - 0.04),
                    (r * 1.5, high - 0.01),
                    (r * 1.55, high + 0.04),
                    (r * 1.25, high + 0.07),
                    (after * 1.02, high + 0.17),
                    (0, high + 0.17),
                ]
                solids.append(Solid(self._walls(builder, eave, "roof", (3, 4)), "roof"))
            else:
                rim = [
                    (0, high - 0.06),
                    (leaning * 0.98, high - 0.06),
                    (edge, high - 0.035),
                    (edge, high + 0.05),
                    (0, high + 0.05),
                ]
                solids.append(Solid(self._walls(builder, rim, "cornices", (2, 3)), "cornices"))
            if ziggurat:
                solids += [Solid(s, "openings") for s in _stairs(r, float(low), float(high), after)]
            r = after
        last = float(heights[-1])
        r /= inward
        if self.kind == "keep" or ziggurat:
            solids += self._battlements(builder, r * 1.1, last)
        elif self.kind == "lighthouse":
            solids += self._lantern(builder, r, last)
        else:
            solids.append(Solid(self._roof(builder, r * 1.25, last), "roof"))
        return solids

    def _openings(
        self, builder: Builder, r: float, upper: float, low: float, high: float, ground: bool
    ) -> tuple[list[Manifold], list[Manifold]]:
        """Arched windows (and a door to the front) as cutters, and the frames and leaves set into them."""
        sides = self._sides() if self._sides() < 32 else 6
        height = high - low
        tall = 0.42 * height
        flat = r * (1 + np.cos(np.pi / sides)) / 2 if self._sides() < 32 else r
        face = 2 * flat * np.tan(np.pi / sides)
        width = min(0.24 * face / self.windows * 1.6, 0.55 * tall, 0.18)
        cuts: list[Manifold] = []
        fittings: list[Manifold] = []
        for side in range(sides):
            for k in range(self.windows):
                door = ground and side == 0
                if door and k:
                    continue
                x = 0.0 if door else (k - (self.windows - 1) / 2) * face / self.windows * 0.9
                w, h = (width * 1.5, 0.66 * height) if door else (width, tall)
                base = low + 0.02 if door else low + 0.28 * height
                hole, frame, leaf = _window(w, h, 0.09)
                lean = (base + h / 2 - low) / height * (r - upper)
                for body, into in ((hole, cuts), (frame, fittings), (leaf, fittings)):
                    into.append(body.translate([x, -(flat - lean) + 0.03, base]).rotate([0, 0, 360 * side / sides]))
        return cuts, fittings

    def _roof(self, builder: Builder, r: float, z: float) -> Manifold:
        flare = [(0, z - 0.02), (r, z - 0.02), (r, z + 0.03), (r * 0.62, z + 0.3 * self.roof), (r * 0.25, z + 0.68 * self.roof),
                 (0.03, z + 0.9 * self.roof)]  # fmt: skip
        ball = [(0.03 + 0.035 * np.sin(a), z + self.roof * 0.9 + 0.035 - 0.035 * np.cos(a)) for a in np.linspace(0.5, np.pi, 8)]
        return self._walls(builder, [*flare, *ball[:-1], (0.0, ball[-1][1])], "roof", (2, 5))

    def _battlements(self, builder: Builder, r: float, z: float) -> list[Solid]:
        wall = self._walls(builder, [(0, z), (r, z), (r, z + 0.2), (0, z + 0.2)], "", (1, 2))
        inner = self._walls(builder, [(0, z + 0.06), (r * 0.84, z + 0.06), (r * 0.84, z + 1), (0, z + 1)], "", (1, 2))
        count = 12 if self._sides() == 32 else self._sides() * 3
        gap = 0.4 * 2 * np.pi * r / count
        cuts = [box((gap, 3 * r, 0.2), (0, 0, z + 0.2)).rotate([0, 0, 360 * (k + 0.5) / count]) for k in range(count // 2)]
        corbel = box((0.05, 0.16, 0.09), (0, -r + 0.02, z - 0.06), 0.012)
        return [Solid(subtract(wall, [inner, *cuts]), "cornices")] + [
            Solid(corbel.rotate([0, 0, 360 * k / count]), "cornices") for k in range(count)
        ]

    def _lantern(self, builder: Builder, r: float, z: float) -> list[Solid]:
        deck = builder.sweep(lathe([(0, z), (r * 1.4, z), (r * 1.45, z + 0.06), (0, z + 0.06)]))
        posts = [cylinder(0.018, 0.16, (r * 1.35, 0, z + 0.12), segments=8).rotate([0, 0, 360 * k / 20]) for k in range(20)]
        rail = _hoop(r * 1.35, z + 0.19, 0.022)
        lamp = cylinder(r * 0.7, 0.34, (0, 0, z + 0.2), segments=8)
        bars = [cylinder(0.03, 0.36, (r * 0.72, 0, z + 0.2), segments=8).rotate([0, 0, 360 * k / 8]) for k in range(8)]
        return [
            *(Solid(b, "cornices") for b in (deck, *posts, rail)),
            Solid(lamp, "openings"),
            *(Solid(b, "cornices") for b in bars),
            Solid(self._cap(builder, r, z + 0.36), "roof"),
        ]

    def _cap(self, builder: Builder, r: float, z: float) -> Manifold:
        angle = np.linspace(0, np.pi / 2, 12)
        dome = [(r * np.cos(a), z + 0.03 + 0.8 * r * np.sin(a)) for a in angle[:-1]]
        return builder.sweep(lathe([(0, z - 0.02), (r * 1.05, z - 0.02), *dome, (0.0, z + 0.05 + 0.8 * r)], (3, 10)), "roof")

    def _chapel(self, builder: Builder) -> list[Solid]:
        long, half, wall = 0.5 + 0.09 * self.storeys, 0.66 * self.slender + 0.08, 0.4 + 0.09 * self.windows
        low, high = -0.95, 0.1 + 1.8 * (self.taper - 0.78)
        bays = self.storeys + 1

        def block(x: float, y: float, z0: float, z1: float, at: tuple[float, float], part: str = "walls") -> Manifold:
            spine: Spine = lathe([(0, z0), (1, z0), (1, z1), (0, z1)], (1, 2), rectangle(x, y))
            return builder.sweep(spine, part).translate([at[0], at[1], 0])

        nave = block(half, long, low, low + wall, (0, 0.2))
        frames: list[Manifold] = []
        cuts: list[Manifold] = []
        for side in (1, -1):
            for k in range(bays):
                y = 0.2 + (k - (bays - 1) / 2) * 1.7 * long / bays
                for body, into in zip(_window(0.16, 0.34, 0.09), (cuts, frames, frames), strict=True):
                    into.append(body.rotate([0, 0, 90.0 * side]).translate([side * (half - 0.03), y, low + 0.14]))
        gable = prism([(-half - 0.07, 0), (half + 0.07, 0), (0, self.roof)], 2 * long + 0.1).rotate([90, 0, 0])
        pitch = float(np.arctan2(self.roof, half + 0.07))
        slope = float(np.hypot(self.roof, half + 0.07))
        roofs = []
        for side in (1, -1):
            plate = builder.plate(2 * long + 0.12, slope + 0.06, 0.05, "roof")
            plate = plate.rotate([float(np.degrees(pitch)) - 90, 0, 0]).rotate([0, 0, 90.0 * side])
            roofs.append(plate.translate([side * (half + 0.07) / 2, 0.2, low + wall + self.roof / 2]))
        body = union([nave, gable.translate([0, 0.2, low + wall - 0.02])])
        tower_y = 0.2 - long - 0.12
        tower = block(0.27, 0.27, low, high, (0, tower_y))
        for z, w, h in ((low + 0.01, 0.22, 0.5), (high - 0.55, 0.14, 0.22), (high - 0.32, 0.2, 0.26)):
            for turn in (0, 90, 180, 270) if z > low + 0.1 else (0,):
                for piece, into in zip(_window(w, h, 0.09), (cuts, frames, frames), strict=True):
                    into.append(piece.translate([0, -0.24, z]).rotate([0, 0, float(turn)]).translate([0, tower_y, 0]))
        square = polygon(4)
        tip = high + 0.25 + 0.8 * self.roof
        eaves = [(0, high + 0.03), (0.42, high + 0.03), (0.42, high + 0.07), (0.2, high + 0.25), (0.0, tip)]
        spire = lathe(eaves, (2, 3), square)
        cornice = block(0.31, 0.31, high - 0.02, high + 0.05, (0, tower_y), "cornices")
        steps = [box((0.5 + 0.1 * k, 0.5 + 0.12 * k, 0.05), (0, tower_y - 0.1, low - 0.025 * k), 0.01) for k in range(3)]
        base = block(half + 0.05, long + 0.05, low - 0.02, low + 0.05, (0, 0.2), "")
        return [
            Solid(subtract(union([body, tower]), cuts), "walls"),
            *(Solid(r, "roof") for r in roofs),
            Solid(builder.sweep(spire).translate([0, tower_y, 0]), "roof"),
            *(Solid(s, "cornices") for s in (cornice, base, *steps)),
            *(Solid(f, "openings") for f in frames),
        ]


def _window(width: float, height: float, depth: float) -> tuple[Manifold, Manifold, Manifold]:
    """An arched hole, its raised frame and its mullioned leaf; the sill's middle is at the origin, the wall at y = -0.03."""

    def arch(w: float, h: float, low: float = 0.0) -> list[tuple[float, float]]:
        angle = np.linspace(0, np.pi, 13)
        return [(-w / 2, low), (w / 2, low), *((w / 2 * np.cos(a), h - w / 2 + w / 2 * np.sin(a)) for a in angle)]

    hole = prism(arch(width, height), 4 * depth).rotate([90, 0, 0]).translate([0, -depth, 0])
    outline = arch(width + 0.05, height + 0.025, -0.025)
    frame = prism(outline, 0.1, holes=[arch(width, height)]).rotate([90, 0, 0]).translate([0, -0.02, 0])
    leaf = prism(arch(width + 0.02, height + 0.01, -0.01), 0.04).rotate([90, 0, 0]).translate([0, 0.06, 0])
    bars = [box((0.022, 0.06, height * 0.96), (0, 0.03, height * 0.48)), box((width, 0.06, 0.022), (0, 0.03, height * 0.45))]
    return hole, frame, union([leaf, *bars])


def _stairs(r: float, low: float, high: float, after: float) -> list[Manifold]:
    """A flight of steps up the front of a terrace."""
    flat = r * (1 + np.cos(np.pi / 4)) / 2
    count, rise = 7, (high - low + 0.05) / 7
    tread = min(0.05, 0.9 * (r - after + 0.1) / count)
    return [
        box((0.34, tread * (count - k) + 0.05, rise), (0, -flat - tread * (count - k) / 2 + 0.02, low + rise * (k + 0.5)))
        for k in range(count)
    ] + [
        box(
            (0.07, tread * count + 0.05, (high - low) * 0.75),
            (side * 0.2, -flat - tread * count / 2, low + (high - low) * 0.37),
            0.01,
        )
        for side in (1, -1)
    ]


def _hoop(radius: float, z: float, thick: float) -> Manifold:
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = section(np.stack([radius + thick * np.cos(angle), z + thick * np.sin(angle)], 1))
    return Manifold.revolve(ring, 64)
