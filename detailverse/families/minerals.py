"""Rocks, crystal clusters and geodes."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from detailverse.noise import fractal
from detailverse.registry import Family, Floats, Slot, family
from detailverse.solids import Manifold, Shop, Solid, facing, hull, move, solid, subtract
from detailverse.surfaces import Patch

ROCK = ("ridges", "erosion", "pebbles")


def ball(shop: Shop, radius: float = 1.0) -> tuple[Floats, np.ndarray]:
    """Vertices and faces of a fine sphere whose edges are about `shop.edge` long."""
    count = int(np.clip(np.pi * radius / 2 / shop.edge, 12, 140))
    mesh = Manifold.sphere(radius, 4 * count).to_mesh()
    return np.asarray(mesh.vert_properties[:, :3], np.float64), np.asarray(mesh.tri_verts, np.int64)


@family("mineral")
class Mineral(Family):
    """A boulder, a cluster of crystals on their matrix, or an opened geode."""

    title: ClassVar[str] = "rocks and crystals"
    styles: ClassVar[tuple[str, ...]] = ("organic", "rustic", "alien")
    slots: ClassVar[dict[str, Slot]] = {
        "rock": Slot(ROCK, "mineral"),
        "crystals": Slot((), "gem"),
    }

    kind: Literal["boulder", "crystal cluster", "geode", "cairn", "crystal cluster2"] = Field(
        default="boulder", description="what it is"
    )
    facets: int = Field(default=14, ge=7, le=26, description="planes that cut the rock")
    count: int = Field(default=14, ge=7, le=26, description="crystals or stones")
    sides: Literal[4, 6, 8] = Field(default=6, description="sides of a crystal")
    flat: float = Field(default=0.75, ge=0.55, le=1.0, description="height over width of the rock")
    sharp: float = Field(default=0.35, ge=0.15, le=0.6, description="length of a crystal's tip over its width, and spread")
    rough: float = Field(default=0.16, ge=0.06, le=0.26, description="large-scale unevenness")

    def noun(self) -> str:
        return {
            "boulder": "weathered boulder",
            "geode": "split geode lined with crystals",
            "cairn": "cairn of balanced stones",
        }.get(self.kind, f"cluster of {self.count} crystals")

    def parts(self) -> tuple[str, ...]:
        return ("rock",) if self.kind in ("boulder", "cairn") else ("rock", "crystals")

    def build(self, shop: Shop) -> list[Solid]:
        if self.kind == "boulder":
            return [Solid(self._rock(shop, 1.0, self.flat, "rock/0"), "rock")]
        if self.kind == "cairn":
            return self._cairn(shop)
        if self.kind == "geode":
            return self._geode(shop)
        base = self._rock(shop, 0.6, 0.45, "rock/0")
        rng = shop.rng("crystals")
        solids = [Solid(base, "rock")]
        for k in range(self.count):
            lean = 0.12 + 0.9 * np.sqrt(k / self.count)
            a = 2.39996 * k + rng.uniform(-0.3, 0.3)
            way = np.array([np.sin(lean) * np.cos(a), np.sin(lean) * np.sin(a), np.cos(lean)])
            size = (1.0 - 0.65 * k / self.count) * rng.uniform(0.75, 1.15)
            body = self._crystal(0.17 * size + 0.02, 1.45 * size, rng)
            solids.append(Solid(move(body, facing(way), way * [0.35, 0.35, 0.02]), "crystals"))
        return solids

    def _rock(self, shop: Shop, radius: float, flat: float, name: str) -> Manifold:
        """A sphere cut by random planes, uneven, with the rock's own ornament in space."""
        rng = shop.rng(name)
        points, faces = ball(shop, radius)
        points /= radius
        normals = rng.normal(size=(self.facets, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        offsets = rng.uniform(0.62, 0.92, self.facets)
        seed = int(rng.integers(2**31))
        reach = np.ones(len(points))
        for normal, offset in zip(normals, offsets, strict=True):
            along = points @ normal
            reach = np.where(along > 1e-6, np.minimum(reach, offset / np.maximum(along, 1e-6)), reach)
        reach *= 1 + self.rough * fractal(points, 1.3, seed, 2)
        place = points * reach[:, None]
        finish = shop.finish("rock")
        rise = np.zeros(len(points))
        zero = np.zeros(len(points))
        for op in finish.skins:
            rise += op.height(Patch(zero, zero, 1, 1, place * radius, (op.pitch, op.pitch), seed % 1000 + 1))
        place = place * (radius + rise * (0.4 + 1.2 * radius**2))[:, None]
        return solid(place * [1.0, 1.0, flat], faces)

    def _crystal(self, r: float, length: float, rng: np.random.Generator) -> Manifold:
        n = self.sides
        a = 2 * np.pi * (np.arange(n) + rng.uniform(0, 0.3)) / n
        squash = rng.uniform(0.8, 1.1, n)
        ring = np.stack([np.cos(a), np.sin(a)], 1) * squash[:, None]
        shoulder = length - r * (1 + 3 * self.sharp) * rng.uniform(0.85, 1.15, n)
        low = np.c_[ring * r * 0.85, np.full(n, -0.1)]
        high = np.c_[ring * r, shoulder]
        tip = np.array([[rng.uniform(-0.15, 0.15) * r, rng.uniform(-0.15, 0.15) * r, length]])
        return hull(np.concatenate([low, high, tip]))

    def _cairn(self, shop: Shop) -> list[Solid]:
        rng = shop.rng("cairn")
        solids, z = [], -1.0
        count = 3 + self.count // 8
        for k in range(count):
            r = 0.62 * (1 - 0.55 * k / count)
            height = 0.58 * r * rng.uniform(0.9, 1.15)
            body = self._rock(shop, r, height / r, f"rock/{k}").rotate([0, 0, float(rng.uniform(0, 360))])
            low = body.bounding_box()[2]
            solids.append(Solid(body.translate([*rng.uniform(-0.06, 0.06, 2).tolist(), z - low - 0.05]), "rock"))
            z += body.bounding_box()[5] - low - 0.1
        return solids

    def _geode(self, shop: Shop) -> list[Solid]:
        shell = self._rock(shop, 1.0, 1.0, "rock/0")
        cut = Manifold.cube([4, 4, 4], True).translate([0, -2.15, 0]).rotate([-12, 0, 0])
        hollow = Manifold.sphere(0.62, 64).scale([1.0, 0.9, 1.0])
        shell = subtract(shell, [cut, hollow])
        rng = shop.rng("crystals")
        solids = [Solid(shell, "rock")]
        for k in range(6 * self.count):
            z = 1 - 2 * (k + 0.5) / (6 * self.count)
            a = 2.39996 * k
            way = np.array([np.sqrt(1 - z * z) * np.cos(a), np.sqrt(1 - z * z) * np.sin(a), z])
            if way[1] < -0.2:
                continue
            size = rng.uniform(0.6, 1.2)
            body = self._crystal(0.075 * size, 0.26 * size, rng)
            solids.append(Solid(move(body, facing(-way), way * [0.62, 0.56, 0.62]), "crystals"))
        return solids
