"""Columns, balusters, candlesticks, obelisks, portals, balustrades: turned and tapering shafts, alone and in rows."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.palette import BORDERS, STRIP, WALL
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, move, prism, strut, subtract
from versemill.detailverse.spines import Contour, circle, lathe, lobed, polygon, rectangle, tube

SHAFT = (
    *BORDERS,
    "fluting",
    "ribs",
    "scales",
    "knurling",
    "basket_weave",
    "reaction_diffusion",
    "hex_grid",
    "glyphs",
    "voronoi",
    "bricks",
    "panels",
)


def torus_rows(z: float, radius: float, tube_radius: float) -> list[tuple[float, float]]:
    """Profile points of a half-round moulding whose middle is at (radius, z + tube_radius)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 9)
    return [(radius + tube_radius * np.cos(a), z + tube_radius + tube_radius * np.sin(a)) for a in angle]


@family("column")
class Column(Family):
    """A free-standing shaft, or several under one beam."""

    title: ClassVar[str] = "columns and balusters"
    styles: ClassVar[tuple[str, ...]] = ("classical", "ornate", "rustic", "alien", "organic")
    slots: ClassVar[dict[str, Slot]] = {
        "shaft": Slot(SHAFT, "stone", bands=2),
        "capital": Slot(("egg_and_dart", "dentils", "scales", "ribs", "fluting", "beads"), "stone"),
        "base": Slot(STRIP, "stone"),
        "pedestal": Slot(WALL, "stone"),
        "frieze": Slot((*BORDERS, "arcade", "panels", "glyphs", "studs", "scales"), "stone"),
    }

    kind: Literal["column", "baluster", "obelisk", "candlestick", "portal", "balustrade"] = Field(
        default="column", description="what it is"
    )
    order: Literal["doric", "ionic", "corinthian"] = Field(default="doric", description="form of the capital")
    section: Literal["round", "octagonal", "square"] = Field(default="round", description="cross-section of the shaft")
    radius: float = Field(default=0.3, ge=0.25, le=0.36, description="radius of the shaft at its foot")
    taper: float = Field(default=0.85, ge=0.7, le=1.0, description="radius at the top over radius at the foot")
    swell: float = Field(default=0.3, ge=0.0, le=1.0, description="entasis of a column, belly of a baluster")
    twist: float = Field(default=0.0, ge=-0.8, le=0.8, description="turns of a column's shaft; under 0.3 it is straight")
    count: int = Field(default=5, ge=4, le=7, description="balusters of a balustrade")
    pedestal: float = Field(default=0.2, ge=0.1, le=0.45, description="height of the pedestal")

    def noun(self) -> str:
        if self.kind == "balustrade":
            return f"balustrade of {self.count} balusters"
        if self.kind == "portal":
            return f"portal of two {self.order.capitalize()} columns under a pediment"
        name = f"{self.order.capitalize()} column" if self.kind == "column" else self.kind
        twisted = "twisted " if self._twisted() else ""
        section = "" if self.section == "round" else f"{self.section} "
        return f"{twisted}{section}{{}} {name} on a pedestal"

    def _twisted(self) -> bool:
        return self.kind in ("column", "portal") and abs(self.twist) >= 0.3

    def parts(self) -> tuple[str, ...]:
        return {
            "obelisk": ("shaft", "base", "pedestal"),
            "portal": tuple(self.slots),
            "balustrade": ("shaft", "base", "pedestal", "frieze"),
        }.get(self.kind, ("shaft", "capital", "base", "pedestal"))

    def build(self, builder: Builder) -> list[Solid]:
        if self.kind == "balustrade":
            return self._balustrade(builder)
        return self._portal(builder) if self.kind == "portal" else self._single(builder)

    def _portal(self, builder: Builder) -> list[Solid]:
        """Two columns that carry a frieze and a pediment, on a step."""
        column = self._single(builder, copies=2)
        solids = [Solid(s.body.translate([side * 0.85, 0, 0]), s.part) for s in column for side in (1, -1)]
        wide, deep = 1.5, 0.55
        solids.append(Solid(_beam(builder, wide, deep, 0.96, 1.34, "frieze"), "frieze"))
        solids.append(Solid(_beam(builder, wide + 0.12, deep + 0.12, 1.33, 1.44, "base"), "frieze"))
        gable = [(-wide - 0.1, 0), (wide + 0.1, 0), (0, 0.62)]
        inner = [(-wide + 0.35, 0.1), (wide - 0.35, 0.1), (0, 0.47)]
        tympanum = prism(gable, 2 * deep).rotate([90, 0, 0])
        recess = prism(inner, 0.3).rotate([90, 0, 0])
        pediment = subtract(tympanum, [recess.translate([0, side * (deep + 0.06), 0]) for side in (1, -1)])
        solids.append(Solid(pediment.translate([0, 0, 1.41]), "capital"))
        boss = [Manifold.sphere(0.13, 32).translate([0, side * (deep - 0.1), 1.65]) for side in (1, -1)]
        solids += [Solid(b, "capital") for b in boss]
        for k in range(23):
            x = -wide + 2 * wide * k / 22
            solids.append(Solid(box((0.07, 2 * deep + 0.2, 0.09), (x, 0, 1.3), 0.01), "capital"))
        # Coffers with bosses under the beam and rows of modillions up the slopes of the gable.
        for x in np.linspace(-1.35, 1.35, 16):
            for y in (-0.33, -0.11, 0.11, 0.33):
                solids.append(Solid(box((0.12, 0.15, 0.06), (x, y, 0.96), 0.025), "frieze"))
        slope = np.array([wide + 0.1, 0.62]) / np.hypot(wide + 0.1, 0.62)
        for s in np.linspace(0.12, 0.93, 15):
            for side in (1, -1):
                block = box((0.07, 2 * deep + 0.16, 0.1), (0, 0, 0), 0.012).rotate(
                    [0, side * float(np.degrees(np.arcsin(slope[1]))), 0]
                )
                solids.append(Solid(block.translate([side * (1 - s) * (wide + 0.1), 0, 1.41 + 0.62 * s]), "capital"))
        return [*solids, Solid(_beam(builder, wide + 0.1, deep + 0.15, -1.15, -0.98, "pedestal"), "pedestal")]

    def _balustrade(self, builder: Builder) -> list[Solid]:
        """A row of balusters between piers, under a rail."""
        n = self.count
        half, deep, low, high = 0.26 * n + 0.1, 0.24, -0.62, 0.42
        solids = [Solid(_beam(builder, half, deep, low - 0.34, low, "pedestal"), "pedestal")]
        solids.append(Solid(_beam(builder, half, deep, high, high + 0.2, "frieze"), "frieze"))
        solids.append(Solid(_beam(builder, half, deep + 0.06, high + 0.19, high + 0.26), "frieze"))
        s = np.linspace(0, 1, 40)
        shape = 0.4 + 0.65 * np.exp(-(((s - 0.3) / (0.16 + 0.1 * self.swell)) ** 2)) + 0.2 * s**3
        shape += 0.2 * np.exp(-(((s - 0.74) / 0.04) ** 2))
        profile = [(0, low - 0.02), *zip(0.22 * shape, low - 0.02 + s * (high - low + 0.04), strict=True), (0, high + 0.02)]
        turned = builder.sweep(lathe(profile, (3, 38)), "shaft", copies=n)
        for k in range(n):
            at = [0.46 * (k - (n - 1) / 2), 0.0, 0.0]
            solids.append(Solid(turned.translate(at), "shaft"))
            solids += [Solid(box((0.3, 0.3, 0.08), (at[0], 0, z), 0.015), "shaft") for z in (low + 0.03, high - 0.03)]
        for side in (1, -1):
            pier = builder.sweep(
                lathe([(0, -1), (1, -1), (1, 0.72), (0, 0.72)], (1, 2), rectangle(0.27, 0.3)), "base", copies=2
            )
            cap = [box((0.68, 0.74, 0.1), (0, 0, z), 0.03) for z in (-1.0, 0.74)]
            ball = builder.sweep(lathe([(0, 0.7), (0.12, 0.78), *torus_rows(0.84, 0.08, 0.16), (0, 1.18)]))
            post = [pier, *cap, ball]
            solids += [Solid(b.translate([side * (half + 0.15), 0, 0]), "base") for b in post]
        return solids

    def _single(self, builder: Builder, copies: int = 1) -> list[Solid]:
        # A twist shows only where the section isn't a circle: a round twisted shaft is a rope of four strands.
        plain = lobed(4, 0.13) if self._twisted() else circle
        contour: Contour = {"octagonal": polygon(8), "square": polygon(4)}.get(self.section, plain)
        foot = self.pedestal - 1.0
        r = self.radius
        wide = 1.6 * r
        square = polygon(4)
        plinth = [
            (0, -1),
            (wide * 1.2, -1),
            (wide * 1.2, -0.94),
            (wide * 1.08, -0.92),
            (wide * 1.08, foot - 0.06),
            (wide * 1.2, foot - 0.04),
            (wide * 1.2, foot),
            (0, foot),
        ]
        solids = [Solid(builder.sweep(lathe(plinth, (3, 4), square), "pedestal", copies=copies), "pedestal")]
        base = [(0, foot - 0.01), *torus_rows(foot - 0.01, r * 1.15, 0.05)]
        field = (len(base) - 1, len(base))
        base += [(r * 1.15, foot + 0.17), *torus_rows(foot + 0.17, r * 1.05, 0.03), (0, foot + 0.23)]
        solids.append(Solid(builder.sweep(lathe(base, field), "base", copies=copies), "base"))
        low = foot + 0.22
        if self.kind == "obelisk":
            tip = [(r * 1.45, low - 0.02), (r * 1.45 * self.taper * 0.62, 0.72), (0.0, 1.0)]
            solids.append(Solid(builder.sweep(lathe([(0, low - 0.02), *tip], (1, 2), square), "shaft"), "shaft"))
            return solids
        top = 0.68
        s = np.linspace(0, 1, 40)
        if self.kind == "baluster":
            shape = 0.45 + 0.75 * np.exp(-(((s - 0.3) / (0.16 + 0.1 * self.swell)) ** 2)) + 0.3 * s**3
            shape += 0.22 * np.exp(-(((s - 0.72) / 0.035) ** 2))
        elif self.kind == "candlestick":
            knops = sum(np.exp(-(((s - c) / 0.05) ** 2)) for c in (0.12, 0.5, 0.86))
            shape = 0.4 + 0.45 * knops + 0.25 * self.swell * np.sin(np.pi * s)
        else:
            shape = (1 + (self.taper - 1) * s) * (1 + 0.1 * self.swell * np.sin(np.pi * s))
        profile = [(0, low), *zip(r * shape, low + s * (top - low), strict=True), (0, top)]
        twist = 2 * self.twist if self._twisted() else 0.0
        solids.append(Solid(builder.sweep(lathe(profile, (1, 40), contour, twist), "shaft", copies=copies), "shaft"))
        return solids + self._capital(builder, top - 0.01, float(r * shape[-1]))

    def _capital(self, builder: Builder, z: float, r: float) -> list[Solid]:
        if self.kind == "candlestick":
            cup = [
                (0, z),
                (r, z),
                (r * 2.4, z + 0.06),
                (r * 2.4, z + 0.1),
                (r * 1.2, z + 0.12),
                (r * 1.2, z + 0.3),
                (r * 0.8, z + 0.3),
                (r * 0.8, z + 0.18),
                (0, z + 0.18),
            ]
            return [Solid(builder.sweep(lathe(cup, (4, 5)), "capital"), "capital")]
        ring = [(0, z), *torus_rows(z, r, 0.025)]
        wide = 1.55 * r if self.order == "corinthian" else 1.4 * r
        neck = len(ring) - 1
        ring += [(r, z + 0.1), (wide, z + 0.2), (wide, z + 0.22), (0, z + 0.22)]
        solids = [Solid(builder.sweep(lathe(ring, (neck + 1, neck + 2)), "capital"), "capital")]
        half = wide * 1.1
        solids.append(Solid(box((2 * half, 2 * half, 0.1), (0, 0, z + 0.265), 0.015), "capital"))
        if self.order == "ionic":
            for side in (1, -1):
                for front in (1, -1):
                    turn = np.linspace(0, 2.4 * 2 * np.pi, 70)
                    spiral = 0.14 * np.exp(-0.13 * turn)
                    x, h = side * (half * 0.8 + spiral * np.sin(turn)), z + 0.1 + spiral * np.cos(turn)
                    path = np.stack([x, np.full_like(x, -front * half * 0.86), h], 1)
                    solids.append(Solid(builder.sweep(tube(path, 0.03 * np.exp(-0.05 * turn), up=(0, 1, 0))), "capital"))
                    solids.append(
                        Solid(
                            strut((side * half * 0.8, -front * half * 0.86, z + 0.1), (side * half * 0.8, 0, z + 0.1), 0.075),
                            "capital",
                        )
                    )
        if self.order == "corinthian":
            leaf = leaf_solid(builder)
            for tier, (count, height, out) in enumerate(((10, 0.02, 0.9), (10, 0.1, 1.12))):
                for k in range(count):
                    a = 2 * np.pi * (k + 0.5 * tier) / count
                    way = np.array([np.cos(a), np.sin(a), 0])
                    turned = move(
                        leaf, np.stack([np.cross([0, 0, 1], way), way, [0, 0, 1]], 1), way * r * out + [0, 0, z + height]
                    )
                    solids.append(Solid(turned, "capital"))
        return solids


def _beam(builder: Builder, x: float, y: float, low: float, high: float, part: str = "") -> Manifold:
    """A block of half-sides x and y whose four sides carry the ornament of `part`."""
    return builder.sweep(lathe([(0, low), (1, low), (1, high), (0, high)], (1, 2), rectangle(x, y)), part)


def leaf_solid(builder: Builder) -> Manifold:
    """A curling leaf: rises along +Z and leans over to +Y."""
    s = np.linspace(0, 1, 12)
    path = np.stack([0 * s, 0.1 * s**2.5 - 0.01, 0.15 * np.sin(s * 2.2) / np.sin(1.6)], 1)
    width = 0.055 * np.sin(np.pi * (0.15 + 0.8 * s)) + 0.008

    def flat(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, normals = circle(f)
        return points * [1.0, 0.35], normals * [0.35, 1.0] / np.linalg.norm(normals * [0.35, 1.0], axis=1, keepdims=True)

    return builder.sweep(tube(path, width, contour=flat, up=(0, 1, 0)))
