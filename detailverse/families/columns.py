"""Columns, balusters, candlesticks, obelisks: turned and tapering shafts between a base and a capital."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from detailverse.palette import BORDERS, STRIP, WALL
from detailverse.registry import Family, Slot, family
from detailverse.solids import Manifold, Shop, Solid, box, move, strut
from detailverse.surfaces import Contour, circle, lathe, lobed, polygon, tube

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
    """A free-standing shaft."""

    title: ClassVar[str] = "columns and balusters"
    styles: ClassVar[tuple[str, ...]] = ("classical", "ornate", "rustic", "alien", "organic")
    slots: ClassVar[dict[str, Slot]] = {
        "shaft": Slot(SHAFT, "stone", bands=2),
        "capital": Slot(("egg_and_dart", "dentils", "scales", "ribs", "fluting", "beads"), "stone"),
        "base": Slot(STRIP, "stone"),
        "pedestal": Slot(WALL, "stone"),
    }

    kind: Literal["column", "baluster", "obelisk", "candlestick"] = Field(default="column", description="what it is")
    order: Literal["doric", "ionic", "corinthian"] = Field(default="doric", description="form of the capital")
    section: Literal["round", "octagonal", "square"] = Field(default="round", description="cross-section of the shaft")
    radius: float = Field(default=0.24, ge=0.2, le=0.32, description="radius of the shaft at its foot")
    taper: float = Field(default=0.85, ge=0.7, le=1.0, description="radius at the top over radius at the foot")
    swell: float = Field(default=0.3, ge=0.0, le=1.0, description="entasis of a column, belly of a baluster")
    twist: float = Field(default=0.0, ge=-0.8, le=0.8, description="turns of a column's shaft; under 0.3 it is straight")
    pedestal: float = Field(default=0.2, ge=0.1, le=0.45, description="height of the pedestal")

    def noun(self) -> str:
        name = f"{self.order} column" if self.kind == "column" else self.kind
        twisted = "twisted " if self._twisted() else ""
        section = "" if self.section == "round" else f"{self.section} "
        return f"{twisted}{section}{name} on a pedestal"

    def _twisted(self) -> bool:
        return self.kind == "column" and abs(self.twist) >= 0.3

    def parts(self) -> tuple[str, ...]:
        return ("shaft", "base", "pedestal") if self.kind == "obelisk" else tuple(self.slots)

    def build(self, shop: Shop) -> list[Solid]:
        # A twist shows only where the section isn't a circle: a round twisted shaft is a rope of four strands.
        plain = lobed(4, 0.13) if self._twisted() else circle
        contour: Contour = {"octagonal": polygon(8), "square": polygon(4)}.get(self.section, plain)
        foot = self.pedestal - 1.0
        r = self.radius
        wide = 1.75 * r
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
        solids = [Solid(shop.sweep(lathe(plinth, (3, 4), square), "pedestal"), "pedestal")]
        base = [(0, foot - 0.01), *torus_rows(foot - 0.01, r * 1.15, 0.05)]
        field = (len(base) - 1, len(base))
        base += [(r * 1.15, foot + 0.17), *torus_rows(foot + 0.17, r * 1.05, 0.03), (0, foot + 0.23)]
        solids.append(Solid(shop.sweep(lathe(base, field), "base"), "base"))
        low = foot + 0.22
        if self.kind == "obelisk":
            tip = [(r * 1.1, low - 0.02), (r * 1.1 * self.taper * 0.62, 0.72), (0.0, 1.0)]
            solids.append(Solid(shop.sweep(lathe([(0, low - 0.02), *tip], (1, 2), square), "shaft"), "shaft"))
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
        solids.append(Solid(shop.sweep(lathe(profile, (1, 40), contour, twist), "shaft"), "shaft"))
        return solids + self._capital(shop, top - 0.01, float(r * shape[-1]))

    def _capital(self, shop: Shop, z: float, r: float) -> list[Solid]:
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
            return [Solid(shop.sweep(lathe(cup, (4, 5)), "capital"), "capital")]
        ring = [(0, z), *torus_rows(z, r, 0.025)]
        wide = 1.55 * r if self.order == "corinthian" else 1.4 * r
        neck = len(ring) - 1
        ring += [(r, z + 0.1), (wide, z + 0.2), (wide, z + 0.22), (0, z + 0.22)]
        solids = [Solid(shop.sweep(lathe(ring, (neck + 1, neck + 2)), "capital"), "capital")]
        half = wide * 1.1
        solids.append(Solid(box((2 * half, 2 * half, 0.1), (0, 0, z + 0.265), 0.015), "capital"))
        if self.order == "ionic":
            for side in (1, -1):
                for front in (1, -1):
                    turn = np.linspace(0, 2.4 * 2 * np.pi, 70)
                    spiral = 0.14 * np.exp(-0.13 * turn)
                    x, h = side * (half * 0.8 + spiral * np.sin(turn)), z + 0.1 + spiral * np.cos(turn)
                    path = np.stack([x, np.full_like(x, -front * half * 0.86), h], 1)
                    solids.append(Solid(shop.sweep(tube(path, 0.03 * np.exp(-0.05 * turn), up=(0, 1, 0))), "capital"))
                    solids.append(
                        Solid(
                            strut((side * half * 0.8, -front * half * 0.86, z + 0.1), (side * half * 0.8, 0, z + 0.1), 0.075),
                            "capital",
                        )
                    )
        if self.order == "corinthian":
            leaf = leaf_solid(shop)
            for tier, (count, height, out) in enumerate(((10, 0.02, 0.9), (10, 0.1, 1.12))):
                for k in range(count):
                    a = 2 * np.pi * (k + 0.5 * tier) / count
                    way = np.array([np.cos(a), np.sin(a), 0])
                    turned = move(
                        leaf, np.stack([np.cross([0, 0, 1], way), way, [0, 0, 1]], 1), way * r * out + [0, 0, z + height]
                    )
                    solids.append(Solid(turned, "capital"))
        return solids


def leaf_solid(shop: Shop) -> Manifold:
    """A curling leaf: rises along +Z and leans over to +Y."""
    s = np.linspace(0, 1, 12)
    path = np.stack([0 * s, 0.1 * s**2.5 - 0.01, 0.15 * np.sin(s * 2.2) / np.sin(1.6)], 1)
    width = 0.055 * np.sin(np.pi * (0.15 + 0.8 * s)) + 0.008

    def flat(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, normals = circle(f)
        return points * [1.0, 0.35], normals * [0.35, 1.0] / np.linalg.norm(normals * [0.35, 1.0], axis=1, keepdims=True)

    return shop.sweep(tube(path, width, contour=flat, up=(0, 1, 0)))
