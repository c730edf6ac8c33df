"""Lattices: triply periodic minimal surfaces, trusses and Voronoi foams, cut to a ball, cube, cylinder or egg and hooped."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.spatial import Voronoi, cKDTree

from versemill.detailverse.fields import extract
from versemill.detailverse.palette import STRIP
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, checked, cylinder, facing, move, union
from versemill.detailverse.spines import lathe, polygon, tube


@family("lattice")
class Lattice(Family):
    """A porous body in a frame, on a stand."""

    title: ClassVar[str] = "lattices"
    styles: ClassVar[tuple[str, ...]] = ("alien", "organic", "industrial")
    slots: ClassVar[dict[str, Slot]] = {
        "lattice": Slot((), "lattice"),
        "hoops": Slot(("rope", "knurling", "grooves"), "bare metal", ornament=0.5),
        "stand": Slot((*STRIP, "panels", "greek_key"), "bare metal", ornament=0.8),
    }

    kind: Literal["gyroid", "schwarz", "diamond", "voronoi", "octet", "truss"] = Field(
        default="gyroid", description="the lattice"
    )
    envelope: Literal["ball", "cube", "cylinder", "egg"] = Field(default="ball", description="what it is cut to")
    cells: float = Field(default=4.0, ge=3.2, le=5.0, description="periods across the body")
    wall: float = Field(default=0.26, ge=0.2, le=0.34, description="thickness of walls and bars, relative")
    core: bool = Field(default=False, description="a solid core inside")

    def noun(self) -> str:
        name = {
            "gyroid": "gyroid sculpture",
            "schwarz": "lattice of tubes",
            "diamond": "diamond lattice sculpture",
            "voronoi": "open foam sculpture",
            "octet": "truss sculpture",
            "truss": "braced truss sculpture",
        }
        return f"{self.envelope}-shaped {{}} {name[self.kind]} on a stand"

    def name(self) -> str:
        return "lattice sculpture"

    def build(self, builder: Builder) -> list[Solid]:
        open_body = self._bars(builder) if self.kind in ("voronoi", "octet", "truss") else self._sheet(builder)
        body = open_body ^ self._envelope(builder)
        # What the envelope cuts off from the rest would float.
        body = max(checked(body).decompose(), key=lambda piece: piece.volume())
        low = self._low()
        foot = [(0, 0), (0.62, 0), (0.62, 0.08), (0.5, 0.1), (0.5, 0.28), (0.57, 0.31), (0.57, 0.38), (0.4, 0.44)]
        profile = [*((r, low - 0.46 + z) for r, z in foot), (0.3, low + 0.06), (0, low + 0.06)]
        # Whatever the lattice leaves open at its foot, a rod to its middle holds it.
        rod = cylinder(0.05, -low, (0, 0, low / 2), segments=24)
        contour = polygon(4) if self.envelope == "cube" else polygon(8)
        stand = builder.sweep(lathe(profile, (3, 4), contour), "stand") + rod
        hoops = [Solid(b, "hoops") for b in self._hoops(builder)]
        return [Solid(body, "lattice"), Solid(stand, "stand"), *hoops]

    def _sheet(self, builder: Builder) -> Manifold:
        """A minimal surface, thickened."""
        k = np.pi * self.cells / 0.8 * (0.7 if self.kind == "diamond" else 1.0)

        def field(p: Floats) -> Floats:
            x, y, z = (p * k).T
            sx, sy, sz, cx, cy, cz = np.sin(x), np.sin(y), np.sin(z), np.cos(x), np.cos(y), np.cos(z)
            value = {
                "gyroid": lambda: sx * cy + sy * cz + sz * cx,
                "schwarz": lambda: cx + cy + cz,
                "diamond": lambda: sx * sy * sz + sx * cy * cz + cx * sy * cz + cx * cy * sz,
            }[self.kind]()
            sheet = (np.abs(value) - 1.6 * self.wall) / (1.5 * k)
            return np.minimum(sheet, np.linalg.norm(p, axis=1) - 0.36) if self.core else sheet

        return extract(field, (0.86, 0.86, 0.86), 2.2 * builder.edge if builder.fine else 0.029, 1.4)

    def _bars(self, builder: Builder) -> Manifold:
        """Six-sided bars along the edges of a packing, with a knot where they meet."""
        ends = self._foam(builder) if self.kind == "voronoi" else self._truss()
        inside = np.abs(ends).max((1, 2)) < 1.0
        ends = ends[inside & (np.linalg.norm(ends.mean(1), axis=1) < 1.1)]
        radius = 0.55 * self.wall / self.cells * (1.25 if self.kind == "voronoi" else 1.0)
        bar = Manifold.cylinder(1.0, radius, radius, 6)
        bars = []
        for start, end in ends:
            long = float(np.linalg.norm(end - start))
            if long > 0.3 * radius:
                bars.append(move(bar.scale([1, 1, long]), facing(end - start), start))
        knot = Manifold.sphere(1.75 * radius, 8)
        knots = [knot.translate(p.tolist()) for p in np.unique(np.round(ends.reshape(-1, 3), 5), axis=0)]
        core = [Manifold.sphere(0.36, 48)] if self.core else []
        return union([*bars, *knots, *core])

    def _truss(self) -> Floats:
        """(N, 2, 3) edges: of the face-centred cubic packing (octet), or of cubes with all their space diagonals."""
        pitch = 2.0 / self.cells
        n = int(np.ceil(1.2 / pitch))
        corner = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3, indexing="ij"), -1).reshape(-1, 3).astype(np.float64)
        if self.kind == "truss":
            nodes = np.concatenate([corner, corner + 0.5])
            reach = 1.001
        else:
            nodes = np.concatenate([corner, *(corner + s for s in ([0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]))])
            reach = float(np.sqrt(0.5)) + 0.001
        pairs = cKDTree(nodes).query_pairs(reach, output_type="ndarray")
        whole = (nodes == np.round(nodes)).all(1)
        if self.kind == "truss":  # Of the steps of length 1 only the cubes' own edges, not those between their middles.
            pairs = pairs[whole[pairs].any(1)]
        return nodes[pairs] * pitch

    def _foam(self, builder: Builder) -> Floats:
        """(N, 2, 3) edges of a Voronoi partition of jittered sites."""
        cells = Voronoi(_sites(builder, 0.95, 1.5 / self.cells))
        edges = {
            (min(a, b), max(a, b))
            for ridge in cells.ridge_vertices
            if -1 not in ridge
            for a, b in itertools.pairwise([*ridge, ridge[0]])
        }
        return cells.vertices[np.array(sorted(edges))]

    def _hoops(self, builder: Builder) -> list[Manifold]:
        """The frame: rings round a round body, beams along the edges of a cube. It stands by itself: where the lattice is open
        it may touch nothing."""
        thick = 0.055
        a = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        ring = np.stack([np.cos(a), np.sin(a), 0 * a], 1)

        def hoop(path: Floats, copies: int) -> Manifold:
            return builder.sweep(tube(path, thick, closed=True), "hoops", copies=copies)

        if self.envelope == "cylinder":
            posts = [cylinder(0.035, 1.56, (0.6, 0, 0), segments=16).rotate([0, 0, 60.0 * k]) for k in range(6)]
            feet = [cylinder(0.035, 1.2, (0, 0, -0.78), axis, 16) for axis in ("x", "y")]
            return [*posts, *feet, *(hoop(ring * 0.6 + [0, 0, z], 3) for z in (-0.78, 0.0, 0.78))]
        if self.envelope == "cube":
            h = 0.66
            beam = builder.sweep(tube(np.linspace([-h, 0, 0], [h, 0, 0], 5), 0.06, contour=polygon(4)), "hoops", copies=12)
            turns = ([0.0, 0, 0], [0.0, 90, 0], [0.0, 0, 90])
            beams = [
                beam.rotate(turn).translate([h * v for v in np.insert([p, q], axis, 0.0).tolist()])
                for turn, axis in zip(turns, (0, 2, 1), strict=True)
                for p in (1.0, -1.0)
                for q in (1.0, -1.0)
            ]
            beams += [box((2 * h, 0.08, 0.08), (0, 0, -h)).rotate([0, 0, turn]) for turn in (0.0, 90.0)]
            return beams + [box((0.2, 0.2, 0.2), c, 0.03) for c in itertools.product((-h, h), repeat=3)]
        half = np.array([0.78, 0.78, 1.05] if self.envelope == "egg" else [1.0, 1, 1]) * 0.8
        return [hoop(np.roll(ring, k, axis=1) * half, 3) for k in range(3)]

    def _low(self) -> float:
        return {"ball": -0.8, "cube": -0.68, "cylinder": -0.8, "egg": -0.84}[self.envelope]

    def _envelope(self, builder: Builder) -> Manifold:
        if self.envelope == "cube":
            return box((1.36, 1.36, 1.36))
        if self.envelope == "cylinder":
            return cylinder(0.6, 1.6, segments=96)
        ball = Manifold.sphere(0.8, 128 if builder.fine else 80)
        return ball if self.envelope == "ball" else ball.scale([0.78, 0.78, 1.05])


def _sites(builder: Builder, half: float, pitch: float) -> Floats:
    """Jittered lattice sites that reach past the body."""
    n = int(np.ceil(half / pitch)) + 1
    axis = np.arange(-n, n + 1) * pitch
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    return grid + builder.rng("sites").uniform(-0.38, 0.38, grid.shape) * pitch
