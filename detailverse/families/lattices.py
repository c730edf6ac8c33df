"""Lattices: triply periodic minimal surfaces and Voronoi foams, cut to a ball, cube, cylinder or ring."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.spatial import cKDTree

from detailverse.fields import extract
from detailverse.palette import STRIP
from detailverse.registry import Family, Floats, Slot, family
from detailverse.solids import Manifold, Shop, Solid, box, checked, cylinder
from detailverse.surfaces import lathe, polygon


@family("lattice")
class Lattice(Family):
    """A porous body, on a stand."""

    title: ClassVar[str] = "lattices"
    styles: ClassVar[tuple[str, ...]] = ("alien", "organic", "industrial")
    slots: ClassVar[dict[str, Slot]] = {
        "lattice": Slot((), "paint"),
        "stand": Slot((*STRIP, "panels", "hex_grid", "greek_key"), "metal"),
    }

    kind: Literal["gyroid", "schwarz", "diamond", "voronoi", "neovius"] = Field(default="gyroid", description="the lattice")
    envelope: Literal["ball", "cube", "cylinder", "egg"] = Field(default="ball", description="what it is cut to")
    cells: float = Field(default=3.5, ge=2.5, le=4.5, description="periods across the body")
    wall: float = Field(default=0.28, ge=0.2, le=0.4, description="thickness of walls, relative")
    core: bool = Field(default=False, description="a solid core inside")

    def noun(self) -> str:
        name = {
            "gyroid": "gyroid lattice",
            "schwarz": "Schwarz P lattice",
            "diamond": "diamond lattice",
            "voronoi": "Voronoi foam",
            "neovius": "Neovius lattice",
        }
        return f"{self.envelope}-shaped {name[self.kind]} on a stand"

    def build(self, shop: Shop) -> list[Solid]:
        k = np.pi * self.cells / 0.8 * (0.7 if self.kind == "diamond" else 0.85 if self.kind == "neovius" else 1.0)
        seeds = _sites(shop, 0.8, 1.15 / self.cells + 0.08) if self.kind == "voronoi" else np.zeros((0, 3))
        tree = cKDTree(seeds) if len(seeds) else None

        def field(p: Floats) -> Floats:
            if tree is not None:
                d = tree.query(p, k=3)[0]
                sheet = (d[:, 2] - d[:, 0]) / 2 - 0.13 * self.wall
            else:
                x, y, z = (p * k).T
                sx, sy, sz, cx, cy, cz = np.sin(x), np.sin(y), np.sin(z), np.cos(x), np.cos(y), np.cos(z)
                value = {
                    "gyroid": lambda: sx * cy + sy * cz + sz * cx,
                    "schwarz": lambda: cx + cy + cz,
                    "diamond": lambda: sx * sy * sz + sx * cy * cz + cx * sy * cz + cx * cy * sz,
                    "neovius": lambda: (3 * (cx + cy + cz) + 4 * cx * cy * cz) / 3,
                }[self.kind]()
                sheet = (np.abs(value) - 1.6 * self.wall) / (1.5 * k)
            if self.core:
                sheet = np.minimum(sheet, np.linalg.norm(p, axis=1) - 0.36)
            return sheet

        step = 0.016 if shop.fine else 0.029
        body = extract(field, (0.86, 0.86, 0.86), step, 1.4) ^ self._envelope(shop)
        # What the envelope cuts off from the rest would float.
        body = max(checked(body).decompose(), key=lambda piece: piece.volume()).translate([0, 0, 0.2])
        low = self._low()
        profile = [(0, -1), (0.55, -1), (0.55, -0.93), (0.42, -0.9), (0.42, -0.76), (0.5, -0.73), (0.5, -0.68), (0.36, -0.62),
                   (0.3, low + 0.26), (0, low + 0.26)]  # fmt: skip
        # Whatever the lattice leaves open at its foot, a rod to its middle holds it.
        rod = cylinder(0.05, 0.96, (0, 0, -0.28), segments=24)
        contour = polygon(4) if self.envelope == "cube" else polygon(8)
        return [Solid(body, "lattice"), Solid(shop.sweep(lathe(profile, (3, 4), contour), "stand") + rod, "stand")]

    def _low(self) -> float:
        return {"ball": -0.8, "cube": -0.68, "cylinder": -0.8, "egg": -0.84}[self.envelope]

    def _envelope(self, shop: Shop) -> Manifold:
        if self.envelope == "cube":
            return box((1.36, 1.36, 1.36))
        if self.envelope == "cylinder":
            return cylinder(0.6, 1.6, segments=96)
        ball = Manifold.sphere(0.8, 128 if shop.fine else 80)
        return ball if self.envelope == "ball" else ball.scale([0.78, 0.78, 1.05])


def _sites(shop: Shop, half: float, pitch: float) -> Floats:
    """Jittered lattice sites that reach past the body."""
    n = int(np.ceil(half / pitch)) + 1
    axis = np.arange(-n, n + 1) * pitch
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    return grid + shop.rng("sites").uniform(-0.38, 0.38, grid.shape) * pitch
