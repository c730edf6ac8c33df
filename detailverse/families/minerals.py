"""Rocks, basalt, geodes and crystals: clusters, pyrite cubes, stepped bismuth."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.noise import fractal, hashed
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, checked, facing, hull, move, subtract, union
from versemill.detailverse.surfaces import Patch

ROCK = ("ridges", "erosion", "pebbles")


def ball(builder: Builder, radius: float = 1.0) -> tuple[Floats, np.ndarray]:
    """Vertices and faces of a fine sphere whose edges are about `builder.edge` long."""
    count = int(np.clip(np.pi * radius / 2 / builder.edge, 12, 140))
    mesh = Manifold.sphere(radius, 4 * count).to_mesh()
    return np.asarray(mesh.vert_properties[:, :3], np.float64), np.asarray(mesh.tri_verts, np.int64)


@family("mineral")
class Mineral(Family):
    """A boulder, an outcrop, crystals on their matrix or in an opened geode."""

    title: ClassVar[str] = "rocks and crystals"
    styles: ClassVar[tuple[str, ...]] = ("organic",)
    renamed: ClassVar[dict[str, str]] = {"crystals": "cubes or steps", "rock": "columns"}
    slots: ClassVar[dict[str, Slot]] = {
        "rock": Slot(ROCK, "mineral", ornament=1.0),
        "crystals": Slot((), "crystal"),
        "cubes": Slot((), "pyrite"),
        "steps": Slot((), "bismuth"),
        "columns": Slot(("ridges",), "basalt"),
    }

    kind: Literal["boulder", "crystal cluster", "geode", "pyrite", "basalt columns", "bismuth"] = Field(
        default="boulder", description="what it is"
    )
    facets: int = Field(default=14, ge=7, le=26, description="planes that cut the rock")
    count: int = Field(default=18, ge=11, le=28, description="crystals or columns")
    sides: Literal[4, 6, 8] = Field(default=6, description="sides of a crystal")
    flat: float = Field(default=0.75, ge=0.55, le=1.0, description="height over width of the rock")
    sharp: float = Field(default=0.35, ge=0.15, le=0.6, description="length of a crystal's tip over its width, and spread")
    rough: float = Field(default=0.16, ge=0.06, le=0.26, description="large-scale unevenness")

    def noun(self) -> str:
        return {
            "boulder": "weathered {} boulder",
            "geode": "split {} geode lined with crystals",
            "pyrite": "cluster of intergrown cubes",
            "bismuth": "stepped {} crystal",
            "basalt columns": "outcrop of columns",
        }.get(self.kind, f"cluster of {self.count} crystals")

    def parts(self) -> tuple[str, ...]:
        return {
            "boulder": ("rock",),
            "basalt columns": ("columns",),
            "pyrite": ("cubes", "rock"),
            "bismuth": ("steps", "rock"),
        }.get(self.kind, ("crystals", "rock"))

    def name(self) -> str:
        return {"pyrite": "crystal cluster", "bismuth": "crystal", "basalt columns": "rock outcrop"}.get(self.kind, self.kind)

    def build(self, builder: Builder) -> list[Solid]:
        return {
            "boulder": self._boulder,
            "basalt columns": self._basalt,
            "geode": self._geode,
            "pyrite": self._pyrite,
            "bismuth": self._bismuth,
        }.get(self.kind, self._cluster)(builder)

    def _cluster(self, builder: Builder) -> list[Solid]:
        """Great crystals that fan out of their matrix, with small ones round their feet."""
        base = self._rock(builder, 0.62, 0.45, "rock/0")
        rng = builder.rng("crystals")
        solids = [Solid(base, "rock")]
        for k in range(3 * self.count):
            great = k < self.count
            lean = 0.1 + 0.9 * np.sqrt(k / self.count) if great else rng.uniform(0.5, 1.25)
            a = 2.39996 * k + rng.uniform(-0.3, 0.3)
            way = np.array([np.sin(lean) * np.cos(a), np.sin(lean) * np.sin(a), np.cos(lean)])
            size = (1.0 - 0.6 * k / self.count) * rng.uniform(0.75, 1.15) if great else rng.uniform(0.3, 0.5)
            body = self._crystal(0.16 * size + 0.025, 1.4 * size if great else 0.75 * size, rng)
            root = [0.32, 0.32, 0.02] if great else [0.5, 0.5, 0.16]
            solids.append(Solid(move(body, facing(way), way * root), "crystals"))
        return solids

    def _rock(self, builder: Builder, radius: float, flat: float, name: str) -> Manifold:
        """A block broken by planes and chipped along its edges, then roughened along its rays from the middle."""
        rng = builder.rng(name)
        planes = rng.normal(size=(self.facets, 3))
        planes /= np.linalg.norm(planes, axis=1, keepdims=True)
        body = Manifold.sphere(1.0, 24)
        for plane, offset in zip(planes, rng.uniform(0.6, 0.9, self.facets), strict=True):
            body = body.trim_by_plane((-plane).tolist(), -float(offset))
        for _ in range(7 * self.facets):
            corner = np.asarray(body.to_mesh().vert_properties)[:, :3]
            plane = corner[int(rng.integers(len(corner)))] + rng.normal(size=3) * 0.3
            plane /= np.linalg.norm(plane)
            body = body.trim_by_plane((-plane).tolist(), -float((corner @ plane).max() - rng.uniform(0.02, 0.11)))
        seed = int(rng.integers(2**31))
        skins = (builder.finish("columns") if self.kind == "basalt columns" else builder.finish("rock")).skins

        def roughen(points: Floats) -> Floats:
            zero = np.zeros(len(points))
            rise = self.rough * fractal(points, 1.3, seed, 2) + 0.012 * fractal(points, 9.0, seed + 9, 2)
            for op in skins:
                patch = Patch(zero, zero, 1, 1, points * radius, (op.pitch, op.pitch), seed % 1000 + 1)
                rise += op.height(patch) * (0.4 / radius + 1.2 * radius)
            return points * (1 + rise)[:, None] * [radius, radius, radius * flat]

        return checked(body.refine_to_length(max(1.4 * builder.edge / radius, 0.01)).warp_batch(roughen))

    def _boulder(self, builder: Builder) -> list[Solid]:
        """A great rock with the pieces that broke off it at its foot."""
        rng = builder.rng("boulder")
        rock = self._rock(builder, 0.95, self.flat, "rock/0")
        ground = 0.6 * rock.bounding_box()[2]
        bodies = [rock]
        for k in range(1 + self.count // 6):
            size, a = rng.uniform(0.22, 0.42), 2.39996 * k + rng.uniform(0, 1)
            piece = self._rock(builder, size, 0.9, f"rock/{k + 1}").rotate([0, 0, float(rng.uniform(0, 360))])
            for away in (0.68, 0.58, 0.48, 0.38):  # until it touches the rock, which may be broken off there
                placed = piece.translate([away * np.cos(a), away * np.sin(a), ground + 0.35 * size])
                if not (rock ^ placed).trim_by_plane((0, 0, 1), ground).is_empty():
                    break
            bodies.append(placed)
        return [Solid(union(bodies).trim_by_plane((0, 0, 1), ground), "rock")]

    def _basalt(self, builder: Builder) -> list[Solid]:
        """Six-sided columns side by side, broken across into drums, on a common bed."""
        rng = builder.rng("basalt")
        pitch = 0.38 - 0.006 * self.count
        solids = [Solid(self._rock(builder, 0.95, 0.3, "rock/0").translate([0, 0, -0.75]), "columns")]
        angle = np.pi / 6 + np.pi / 3 * np.arange(6)
        reach = int(np.ceil(0.95 / pitch))
        lean = rng.uniform(-0.4, 0.4, 2)
        feet: list[Floats] = []
        for i in range(-reach, reach + 1):
            for j in range(-reach, reach + 1):
                x, y = pitch * (i + 0.5 * j), pitch * np.sqrt(0.75) * j
                away = float(np.hypot(x, y))
                if away > 0.85:
                    continue
                top = 1.4 * self.flat - 0.3 - (0.4 + 1.5 * self.sharp) * away**1.5 + lean @ [x, y] + rng.uniform(-0.14, 0.14)
                # Corners are shifted by where they are, alike for all columns that meet there.
                corner = np.stack([np.cos(angle), np.sin(angle)], 1) * pitch / np.sqrt(3) + [x, y]
                key = np.round(corner * 1000).astype(np.int64)
                shift = np.stack([hashed(key[:, 0] // 8, key[:, 1] // 8, builder.variation, axis) - 0.5 for axis in (0, 1)], 1)
                outline = corner + 0.4 * pitch * shift
                middle, z = outline.mean(0), -0.85
                feet.append(outline)
                while z < top:
                    tall = min(rng.uniform(0.07, 0.17), top - z + 0.05)
                    ring = middle + (outline - middle) * rng.uniform(0.86, 0.97)
                    rows = [(0.84, z - 0.004), (1.0, z + 0.02), (1.0, z + tall - 0.02), (0.84, z + tall + 0.004)]
                    points = [np.c_[middle + (ring - middle) * k, np.full(6, h)] for k, h in rows]
                    solids.append(Solid(hull(np.concatenate(points)), "columns"))
                    z += tall
        # The rock may be chipped away under the outer columns; a slab under all of them holds them together.
        slab = np.concatenate(feet) * 0.99
        solids.append(Solid(hull(np.concatenate([np.c_[slab, np.full(len(slab), h)] for h in (-0.9, -0.76)])), "columns"))
        return solids

    def _crystal(self, r: float, length: float, rng: np.random.Generator) -> Manifold:
        """A prism with a tip, a raised growth layer on each face."""
        n = self.sides
        a = 2 * np.pi * (np.arange(n) + rng.uniform(0, 0.3)) / n
        squash = rng.uniform(0.8, 1.1, n)
        ring = np.stack([np.cos(a), np.sin(a)], 1) * squash[:, None]
        shoulder = length - r * (1 + 3 * self.sharp) * rng.uniform(0.85, 1.15, n)
        low = np.c_[ring * r * 0.85, np.full(n, -0.1)]
        high = np.c_[ring * r, shoulder]
        tip = np.array([[rng.uniform(-0.15, 0.15) * r, rng.uniform(-0.15, 0.15) * r, length]])
        body = hull(np.concatenate([low, high, tip]))
        if length < 0.5:
            return body
        layers = []
        for k in range(n):
            p, q = ring[k] * r, ring[(k + 1) % n] * r
            out = (p + q) / np.linalg.norm(p + q) * 0.16 * r
            foot, top = rng.uniform(0.1, 0.3) * length, rng.uniform(0.6, 0.95) * float(min(shoulder[k], shoulder[(k + 1) % n]))
            edges = [p + (q - p) * f for f in (0.16, 0.84)], [p + (q - p) * f + out for f in (0.3, 0.7)]
            rows = [
                (edge[0], edge[1], z)
                for edge, ends in zip(edges, ((foot, top), (foot + 0.2 * r, top - 0.2 * r)), strict=True)
                for z in ends
            ]
            if top - foot > 0.6 * r:
                inner = [(p * 0.5, q * 0.5, z) for z in (foot, top)]
                layers.append(hull(np.array([(*e, z) for e0, e1, z in (*rows, *inner) for e in (e0, e1)])))
        return union([body, *layers])

    def _pyrite(self, builder: Builder) -> list[Solid]:
        """Cubes grown through each other, their faces stepped."""
        rng = builder.rng("pyrite")
        solids = [Solid(self._rock(builder, 0.72, 0.42, "rock/0").translate([0, 0, -0.42]), "rock")]
        for k in range(self.count):
            f = k / self.count
            side = (0.74 - 0.5 * f) * rng.uniform(0.85, 1.1)
            a, r = 2.39996 * k + rng.uniform(-0.4, 0.4), 0.72 * np.sqrt(f)
            cube = box((side, side, side), bevel=0.02 * side)
            for axis in range(3):
                # Terraces off the middle of both faces, each narrower than the one below it.
                shift = rng.uniform(-0.12, 0.12, 2) * side
                for wide, tall in ((0.74, 1.09), (0.46, 1.17)):
                    size, at = np.full(3, wide * side), np.zeros(3)
                    size[axis] = tall * side
                    at[np.arange(3) != axis] = shift
                    cube += box(size, at, 0.012 * side)
            turned = cube.rotate(rng.uniform(-25 - 40 * f, 25 + 40 * f, 3).tolist())
            solids.append(Solid(turned.translate([r * np.cos(a), r * np.sin(a), 0.32 - 0.55 * f]), "cubes"))
        return solids

    def _bismuth(self, builder: Builder) -> list[Solid]:
        """Hopper crystals: cubes whose faces sink towards their middles in square steps."""
        rng = builder.rng("bismuth")
        solids = [Solid(self._rock(builder, 0.7, 0.4, "rock/0").translate([0, 0, -0.6]), "rock")]
        for k in range(self.count // 2 + 3):
            f = k / (self.count // 2 + 3)
            side = (0.95 - 0.55 * f) * rng.uniform(0.85, 1.1)
            tall = side * rng.uniform(0.8, 1.3)
            steps = max(3, round(side / 0.13))
            cuts = []
            for axis in range(3):
                for sign in (1, -1):
                    for j in range(1, steps + 1):
                        wide = 1 - j / (steps + 0.6)
                        size, at = np.array([side, side, tall]) * wide, np.zeros(3)
                        size[axis] = 0.5
                        deep = 0.3 * j / steps
                        at[axis] = sign * ((side, side, tall)[axis] * (0.5 - 0.5 * deep) + 0.25)
                        cuts.append(box(size, at))
            body = subtract(box((side, side, tall)), cuts)
            a, r = 2.39996 * k + rng.uniform(-0.3, 0.3), 0.7 * np.sqrt(f)
            turn = [*rng.uniform(-12, 12, 2).tolist(), float(rng.uniform(0, 90))]
            solids.append(Solid(body.rotate(turn).translate([r * np.cos(a), r * np.sin(a), 0.25 - 0.6 * f]), "steps"))
        return solids

    def _geode(self, builder: Builder) -> list[Solid]:
        shell = self._rock(builder, 1.0, 1.0, "rock/0") + Manifold.sphere(0.72, 48)
        cut = Manifold.cube([4, 4, 4], True).translate([0, -2.15, 0]).rotate([-12, 0, 0])
        hollow = Manifold.sphere(0.58, 64).scale([1.0, 0.9, 1.0])
        shell = subtract(shell, [cut, hollow])
        rng = builder.rng("crystals")
        solids = [Solid(shell, "rock")]
        for k in range(9 * self.count):
            z = 1 - 2 * (k + 0.5) / (9 * self.count)
            a = 2.39996 * k
            way = np.array([np.sqrt(1 - z * z) * np.cos(a), np.sqrt(1 - z * z) * np.sin(a), z])
            if way[1] < -0.2:
                continue
            size = rng.uniform(0.6, 1.2)
            body = self._crystal(0.068 * size, 0.26 * size, rng)
            solids.append(Solid(move(body, facing(-way), way * [0.57, 0.51, 0.57]), "crystals"))
        return solids
