"""Shells and corals: logarithmic spirals with ribs and spines, urchins, scallops, brain and tube corals."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.families.minerals import ball
from versemill.detailverse.noise import fractal
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, cylinder, facing, move, solid, strut, subtract, union
from versemill.detailverse.spines import lathe, lobed, tube
from versemill.detailverse.surfaces import Patch


@family("shell")
class Shell(Family):
    """Something that grew in the sea."""

    title: ClassVar[str] = "shells and corals"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("organic",)
    labels: ClassVar[dict[str, str]] = {"base": "rock"}
    renamed: ClassVar[dict[str, str]] = {"shell": "spines"}
    slots: ClassVar[dict[str, Slot]] = {
        "shell": Slot(("grooves", "ribs"), "seashell", ornament=1.0),
        "spines": Slot((), "sea urchin"),
        "coral": Slot(("pebbles",), "coral", ornament=0.8),
        "base": Slot(("erosion",), "mineral", ornament=1.2),
    }

    kind: Literal["whelk", "nautilus", "urchin", "brain coral", "tube coral", "branch coral"] = Field(
        default="whelk", description="what it is"
    )
    turns: float = Field(
        default=5.0, ge=4.0, le=6.0, description="whorls of a whelk; how loose a nautilus is, how long spines are"
    )
    growth: float = Field(
        default=0.1,
        ge=0.085,
        le=0.12,
        description="logarithmic growth per radian of a whelk; size of knobs and of a coral's rock",
    )
    spire: float = Field(
        default=0.75, ge=0.6, le=0.9, description="height of the spire, of an urchin, of a dome; bulk of a nautilus"
    )
    ribs: int = Field(default=10, ge=7, le=16, description="ribs of a whorl, meridians of an urchin")
    count: int = Field(default=26, ge=16, le=38, description="tubes or branches")

    def noun(self) -> str:
        return {
            "whelk": f"spiral sea shell of {self.turns:.0f} whorls",
            "nautilus": "nautilus shell",
            "urchin": "sea urchin covered in spines" if self.turns > 4.4 else "sea urchin shell covered in knobs",
        }.get(self.kind, f"{self.kind} on a rock")

    def name(self) -> str:
        return {"whelk": "sea shell", "nautilus": "nautilus shell", "urchin": "sea urchin"}.get(self.kind, "coral")

    def parts(self) -> tuple[str, ...]:
        if self.kind in ("whelk", "nautilus"):
            return ("shell",)
        return ("spines",) if self.kind == "urchin" else ("coral", "base")

    def build(self, builder: Builder) -> list[Solid]:
        return {
            "whelk": self._spiral,
            "nautilus": self._spiral,
            "urchin": self._urchin,
            "brain coral": self._brain,
            "tube coral": self._tubes,
            "branch coral": self._branches,
        }[self.kind](builder)

    def _spiral(self, builder: Builder) -> list[Solid]:
        flat = self.kind == "nautilus"
        loose = (self.turns - 4) / 2
        turns, growth = (2.3 + 0.7 * loose, 2 * self.growth - 0.02) if flat else (self.turns, self.growth)
        a = np.linspace(0, 2 * np.pi * turns, int(40 * turns))
        size = np.exp(growth * (a - a[-1]))
        mouth = 0.9 if flat else 0.5
        spire = 0.0 if flat else self.spire
        r = mouth * size
        path = np.stack([r * np.cos(a), r * np.sin(a), -spire * (size - 1)], 1)
        thick = 0.1 + 0.53 * self.spire if flat else 0.66
        flare = 1 + 0.15 * np.exp(-(((a - a[-1]) / 0.25) ** 2))
        radius = thick * r * flare + 0.008
        contour = lobed(2, 0.02 + 0.012 * (self.ribs - 7)) if flat else lobed(self.ribs, 0.06, sharp=True)
        # Whorls touch: each three quarters of a turn is a solid of its own, or the tube would run through itself.
        starts = range(0, len(path) - 4, 30)
        whorls = [builder.sweep(tube(path[k : k + 32], radius[k : k + 32], contour=contour), "shell") for k in starts]
        body = union(whorls)
        way = path[-1] - path[-4]
        way /= np.linalg.norm(way)
        hollow = Manifold.sphere(thick * mouth * 0.9, 40).translate((path[-1] + 0.02 * way).tolist())
        body = subtract(body, [hollow])
        body = body.rotate([90, 0, 0]).rotate([0, 0, 25]) if flat else body.rotate([0, 0, 200 - float(np.degrees(a[-1]))])
        return [Solid(body, "shell")]

    def _urchin(self, builder: Builder) -> list[Solid]:
        high, bulk = 0.3 + 1.25 * (self.spire - 0.6), 24 * (self.growth - 0.085)
        angle = np.linspace(0, np.pi, 40)
        profile = np.stack([0.72 * np.sin(angle), -high * np.cos(angle)], 1)
        profile[[0, -1], 0] = 0
        body = builder.sweep(lathe(profile, contour=lobed(5, 0.03)))
        solids = [Solid(body, "spines")]
        knob = Manifold.sphere(1.0, 20)
        spine = Manifold.cylinder(1.0, 0.5, 0.12, 8)
        for k in range(2 * self.ribs):
            a = 2 * np.pi * k / (2 * self.ribs)
            for j, lat in enumerate(np.linspace(0.25, np.pi - 0.3, 11)):
                place = np.array([0.72 * np.sin(lat) * np.cos(a), 0.72 * np.sin(lat) * np.sin(a), -high * np.cos(lat)])
                size = (0.045 + 0.025 * bulk) * np.sin(lat) + 0.012
                if k % 2:
                    size *= 0.55
                out = place / np.array([0.72, 0.72, high]) ** 2
                solids.append(Solid(knob.scale([size] * 3).translate(place.tolist()), "spines"))
                if k % 2 == 0 and j % 2 == 0 and self.turns > 4.4:
                    long = 0.1 + 0.4 * (self.turns - 4.4) + 0.1 * np.sin(3 * k + j)
                    solids.append(Solid(move(spine.scale([size * 0.8, size * 0.8, long]), facing(out), place), "spines"))
        return solids

    def _base(self, builder: Builder) -> Solid:
        points, faces = ball(builder, 0.5)
        points /= 0.5
        rise = 1 + 0.18 * fractal(points, 1.6, int(builder.rng("base").integers(1000)), 3)
        zero = np.zeros(len(points))
        for op in builder.finish("base").skins:
            rise += op.height(Patch(zero, zero, 1, 1, points * 0.6, (op.pitch, op.pitch), 5))
        wide = (7 * self.growth - 0.14) * (0.75 if self.kind == "branch coral" else 1.0)
        return Solid(solid(points * rise[:, None] * [wide, wide, 0.32] + [0, 0, -0.72], faces), "base")

    def _brain(self, builder: Builder) -> list[Solid]:
        """A dome grooved by a warped wave: meanders."""
        points, faces = ball(builder, 0.8)
        points /= 0.8
        seed = int(builder.rng("brain").integers(1000))
        warp = np.stack([fractal(points, 1.5, seed + 10 * k, 2) for k in range(3)], 1)
        phase = (points + 0.45 * warp) @ np.array([1.0, 0.6, 0.8]) * (9 + self.ribs)
        ridge = np.sqrt(np.abs(np.sin(phase)))
        rise = 0.8 * (1 + 0.1 * fractal(points, 1.2, seed, 2)) + 0.075 * ridge
        zero = np.zeros(len(points))
        for op in builder.finish("coral").skins:
            rise += 0.3 * op.height(Patch(zero, zero, 1, 1, points * 0.8, (op.pitch, op.pitch), seed))
        dome = solid(points * rise[:, None] * [1.0, 1.0, 0.2 + 0.77 * self.spire], faces)
        return [Solid(dome, "coral"), self._base(builder)]

    def _tubes(self, builder: Builder) -> list[Solid]:
        solids = [self._base(builder)]
        rng = builder.rng("tubes")
        for k in range(self.count):
            f = np.sqrt((k + 0.5) / self.count)
            a = 2.39996 * k
            way = np.array([0.75 * f * np.cos(a), 0.75 * f * np.sin(a), 1.0])
            way /= np.linalg.norm(way)
            foot = np.array([0.35 * f * np.cos(a), 0.35 * f * np.sin(a), -0.65])
            long, r = (1.5 - 0.8 * f) * rng.uniform(0.8, 1.1), rng.uniform(0.085, 0.125)
            z = np.linspace(0, 1, 14)
            shape = r * (0.75 + 0.3 * z**2 + 0.06 * np.sin(9 * np.pi * z))
            profile = [
                (0, 0),
                *zip(shape, long * z, strict=True),
                (shape[-1] * 0.72, long + 0.01),
                (shape[-1] * 0.55, long * 0.8),
                (0, long * 0.78),
            ]
            body = builder.sweep(lathe(profile, contour=lobed(9, 0.05)), segments=36)
            solids.append(Solid(move(body, facing(way), foot), "coral"))
        return solids

    def _branches(self, builder: Builder) -> list[Solid]:
        """A tree of forking bars, with cups along them."""
        solids = [self._base(builder)]
        rng = builder.rng("branches")
        tips = [(np.array([0.0, 0.0, -0.6]), np.array([0.0, 0.0, 1.0]), 0.42, 0.12)]
        cup = subtract(cylinder(0.034, 0.06, (0, 0, 0.02), segments=12), [cylinder(0.018, 0.04, (0, 0, 0.05), segments=12)])
        for level in range(4):
            grown = []
            for start, way, long, r in tips:
                end = start + way * long
                solids.append(Solid(strut(start, end, r, 18, r * 0.8), "coral"))
                side = facing(way)
                for k in range(int(long / 0.055)):
                    a = 2.39996 * k + level
                    out = side[:, 0] * np.cos(a) + side[:, 1] * np.sin(a)
                    place = start + way * (0.05 + 0.055 * k) + out * r * 0.88
                    solids.append(Solid(move(cup, facing(out), place), "coral"))
                forks = 3 if level < 2 else 2
                phase = rng.uniform(0, 2 * np.pi)
                for k in range(forks):
                    a = phase + 2 * np.pi * k / forks
                    lean = rng.uniform(0.45, 0.8)
                    turned = way * np.cos(lean) + (side[:, 0] * np.cos(a) + side[:, 1] * np.sin(a)) * np.sin(lean)
                    turned[2] = abs(turned[2]) * 0.8 + 0.25
                    grown.append((end, turned / np.linalg.norm(turned), long * rng.uniform(0.68, 0.85), r * 0.74))
            tips = grown if level < 2 else []
            if not tips:
                break
        return solids
