"""Phyllotaxis: pine cones, artichokes, succulents, pineapples, cacti, flowers; leaves set by the golden angle."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.palette import STRIP
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, cylinder, facing, hull, move, strut, union
from versemill.detailverse.spines import lathe, lobed, tube

GOLDEN = np.pi * (3 - np.sqrt(5))


@family("plant")
class Plant(Family):
    """A plant whose parts follow the golden angle, some in a pot."""

    title: ClassVar[str] = "plants and phyllotaxis"
    styles: ClassVar[tuple[str, ...]] = ("organic", "rustic")
    slots: ClassVar[dict[str, Slot]] = {
        "scales": Slot((), "cone scale"),
        "bracts": Slot((), "artichoke leaf"),
        "petals": Slot((), "sunflower petal"),
        "seeds": Slot((), "seed"),
        "fruit": Slot((), "pineapple rind"),
        "flesh": Slot((), "succulent leaf"),
        "spines": Slot((), "bone"),
        "leaves": Slot((), "leaf"),
        "stalk": Slot((), "stalk"),
        "soil": Slot((), "soil"),
        "pot": Slot((*STRIP, "basket_weave", "hammering", "panels", "greek_key"), "pottery", bands=2),
    }

    labels: ClassVar[dict[str, str]] = {"bracts": "leaves", "flesh": "flesh"}
    renamed: ClassVar[dict[str, str]] = {"stem": "stalk, fruit, seeds or soil", "leaves": "scales, bracts, petals or flesh"}

    kind: Literal["pine cone", "artichoke", "succulent", "pineapple", "cactus", "sunflower"] = Field(
        default="succulent", description="what it is"
    )
    count: int = Field(default=120, ge=90, le=160, description="number of leaves, scales or petals")
    open: float = Field(default=0.5, ge=0.2, le=0.8, description="how far the leaves open")
    width: float = Field(default=1.0, ge=0.8, le=1.25, description="relative width of a leaf")
    ribs: int = Field(default=12, ge=8, le=18, description="ribs of a cactus, petals' rows of a flower")
    pot: float = Field(
        default=0.45, ge=0.36, le=0.6, description="radius of the pot, half girth of a cone or a fruit, length of a stalk"
    )

    def noun(self) -> str:
        potted = " in a pot" if self.kind in ("succulent", "cactus") else ""
        return {"succulent": "rosette succulent", "cactus": f"cactus with {self.ribs} ribs and two arms"}.get(
            self.kind, self.kind
        ) + potted

    def parts(self) -> tuple[str, ...]:
        return {
            "pine cone": ("scales",),
            "artichoke": ("bracts", "stalk"),
            "succulent": ("flesh", "soil", "pot"),
            "pineapple": ("fruit", "leaves"),
            "cactus": ("flesh", "spines", "soil", "pot"),
            "sunflower": ("petals", "seeds", "stalk", "leaves"),
        }[self.kind]

    def build(self, builder: Builder) -> list[Solid]:
        return {"pine cone": self._cone, "artichoke": self._cone, "pineapple": self._pineapple, "succulent": self._succulent,
                "cactus": self._cactus, "sunflower": self._sunflower}[self.kind](builder)  # fmt: skip

    def _leaf(self, builder: Builder, length: float, width: float, thick: float, curl: float, tip: float) -> Manifold:
        """A leaf along +Z, its upper side towards +Y: bowed by `curl`, narrowing by `tip`, pleated along its veins."""
        n = 25 if builder.fine else 13
        s = np.linspace(0, 1, n)
        path = np.stack([0 * s, curl * length * s**2, length * s], 1)
        half = width / 2 * np.maximum(np.sin(np.pi * np.clip(0.12 + 0.88 * s**tip, 0, 1)), 0.03)

        def blade(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            a = 2 * np.pi * f
            x, y = np.cos(a), np.sin(a)
            rib = 0.16 * np.clip(1 - np.abs(x) / 0.27, 0, 1) * np.sign(y)
            keel = np.stack([x, thick / width * 2 * (0.5 * y - 0.7 * (1 - np.abs(x))) + rib], 1)
            return keel, np.stack([x, y], 1)

        def pleat(points: np.ndarray) -> np.ndarray:
            # A vein every two or four stations; both sides move alike, so that the leaf keeps its thickness.
            out = np.abs(points[:, 0]) / (width / 2)
            wave = np.abs((points[:, 2] / length - 0.45 * out * width / length) * 6 % 1 - 0.5) * 2
            points[:, 1] += 0.1 * width * wave * np.clip(4 * out, 0, 1)
            return points

        return builder.sweep(tube(path, half, contour=blade, up=(0, 1, 0)), segments=24).warp_batch(pleat)

    def _scale(self, length: float, width: float) -> Manifold:
        """A pine cone's scale along +Z: a thin wedge whose tip is a faceted shield with a spike, outwards (-Y)."""
        w = width / 2
        wedge = [(x, y, 0.0) for x in (0.3 * w, -0.3 * w) for y in (0.012, -0.012)]
        shield = [(w, 0, 0.72), (-w, 0, 0.72), (0, -0.32 * w, 0.5), (0, 0.3 * w, 0.8), (0.55 * w, 0.1 * w, 0.92),
                  (-0.55 * w, 0.1 * w, 0.92), (0, -0.62 * w, 0.76), (0, -0.1 * w, 1.0)]  # fmt: skip
        spike = [(x, y, z) for x, y, z in ((0.16, -0.5, 0.72), (-0.16, -0.5, 0.72), (0, -0.5, 0.86), (0, -1.15, 0.84))]
        shape = [np.array([(x, y, z * length) for x, y, z in shield])]
        return hull(np.concatenate([np.array(wedge), *shape])) + hull(
            np.array([(x * w, y * w, z * length) for x, y, z in spike])
        )

    def _set(self, leaf: Manifold, base: np.ndarray, way: np.ndarray, up: np.ndarray, size: float) -> Manifold:
        return move(leaf.scale([size, size, size]), facing(way, up), base)

    def _cone(self, builder: Builder) -> list[Solid]:
        artichoke = self.kind == "artichoke"
        solids: list[Solid] = []
        outline = np.array([(0, -0.9), (0.2, -0.78), (0.36, -0.45), (0.3, 0.1), (0.14, 0.55), (0, 0.8)])
        if artichoke:
            outline = np.array([(0, -0.9), (0.4, -0.8), (0.58, -0.45), (0.55, -0.1), (0.38, 0.25), (0, 0.5)])
        outline = outline * [self.pot / 0.45, 1]
        core = builder.sweep(lathe(outline))
        leaves, stem = ("bracts", "stalk") if artichoke else ("scales", "scales")
        solids.append(Solid(core, stem))
        leaf = (
            self._leaf(builder, 0.5, 0.5 * self.width, 0.08, 0.12, 1.2) if artichoke else self._scale(0.34, 0.24 * self.width)
        )
        count = 2 * self.count // 3 if artichoke else self.count
        for k in range(count):
            f = (k + 0.5) / count
            z = -0.85 + (1.3 if artichoke else 1.6) * f
            r = 0.88 * float(np.interp(z, outline[:, 1], outline[:, 0]))
            a = GOLDEN * k
            out = np.array([np.cos(a), np.sin(a), 0.0])
            lean = (0.25 + 0.5 * self.open) * (1 - f) + (0.3 if artichoke else 0.45)
            way = out * np.sin(lean) + np.array([0, 0, np.cos(lean)])
            up = np.cross(way, np.cross([0, 0, 1], out))
            up = up if up @ out < 0 else -up
            solids.append(Solid(self._set(leaf, out * r + [0, 0, z], way, up, 1.1 - 0.55 * f), leaves))
        if artichoke:
            solids.append(Solid(strut((0, 0, -1.2), (0, 0, -0.7), 0.12, 20), stem))
        else:
            solids.append(Solid(cylinder(0.1, 0.3, (0, 0, -0.95), segments=16), stem))
        return solids

    def _succulent(self, builder: Builder) -> list[Solid]:
        solids = self._pot(builder, -0.15)
        solids.append(Solid(Manifold.sphere(0.22, 32).translate([0, 0, -0.1]), "flesh"))
        leaf = self._leaf(builder, 0.62, 0.24 * self.width, 0.1, 0.12, 1.5)
        count = int(self.count * 0.8)
        for k in range(count):
            f = (k + 0.5) / count
            a = GOLDEN * k
            out = np.array([np.cos(a), np.sin(a), 0.0])
            lean = 0.1 + (0.95 + 0.5 * self.open) * f**0.8
            way = out * np.sin(lean) + np.array([0, 0, np.cos(lean)])
            up = np.cross(way, np.cross([0, 0, 1], out))
            up = up if up @ out < 0 else -up
            solids.append(
                Solid(self._set(leaf, out * 0.16 * f + [0, 0, 0.02 - 0.1 * f], way, up, 0.35 + 0.85 * f**0.8), "flesh")
            )
        return solids

    def _pot(self, builder: Builder, top: float) -> list[Solid]:
        r = self.pot
        profile = [
            (0, top - 0.7),
            (r * 0.68, top - 0.7),
            (r * 0.95, top - 0.12),
            (r * 1.08, top - 0.12),
            (r * 1.08, top),
            (r * 0.92, top),
            (r * 0.9, top - 0.08),
            (0, top - 0.08),
        ]
        soil = cylinder(0.92 * r, 0.06, (0, 0, top - 0.07), segments=48)
        return [Solid(builder.sweep(lathe(profile, (1, 2)), "pot"), "pot"), Solid(soil, "soil")]

    def _pineapple(self, builder: Builder) -> list[Solid]:
        outline = np.array([(0, -1), (0.2, -0.97), (0.38, -0.75), (0.42, -0.4), (0.36, 0.0), (0.13, 0.2), (0, 0.22)])
        outline *= [self.pot / 0.45, 1]
        solids = [Solid(builder.sweep(lathe(outline)), "fruit")]
        a = np.linspace(0, 2 * np.pi, 6, endpoint=False)
        ring = np.stack([np.cos(a), np.sin(a)], 1)
        stud = hull(np.concatenate([np.c_[ring * 1.0, 0 * a - 0.6], np.c_[ring * 0.8, 0 * a + 0.15], [[0.1, 0, 0.75]]])).scale(
            [0.085, 0.085, 0.085]
        )
        for k in range(self.count + 40):
            f = (k + 0.5) / (self.count + 40)
            z = -0.97 + 1.14 * f
            r = float(np.interp(z, outline[:, 1], outline[:, 0]))
            t = GOLDEN * k
            out = np.array([np.cos(t), np.sin(t), 0.55 * (z + 0.4) / 0.6])
            place = np.array([np.cos(t) * r, np.sin(t) * r, z])
            solids.append(Solid(move(stud, facing(out), place), "fruit"))
        leaf = self._leaf(builder, 0.5 + 0.5 * self.open, 0.16 * self.width, 0.05, -0.35, 0.7)
        for k in range(30):
            f = (k + 0.5) / 30
            t = GOLDEN * k
            out = np.array([np.cos(t), np.sin(t), 0.0])
            lean = 0.9 * (1 - f) * (0.5 + self.open)
            way = out * np.sin(lean) + np.array([0, 0, np.cos(lean)])
            up = np.cross(way, np.cross([0, 0, 1], out))
            up = up if up @ out < 0 else -up
            solids.append(
                Solid(self._set(leaf, out * 0.1 * (1 - f) + [0, 0, 0.12 + 0.12 * f], way, up, 0.7 + 0.4 * f), "leaves")
            )
        return solids

    def _cactus(self, builder: Builder) -> list[Solid]:
        solids = self._pot(builder, -0.45)
        contour = lobed(self.ribs, 0.1, sharp=True)
        stems = [(np.array([0, 0, -0.6]), np.array([0, 0, 0.9]), 0.3)]
        for side, height in ((1, 0.0), (-1, 0.2)):
            stems.append((np.array([side * 0.52, 0, height]), np.array([side * 0.55, 0, height + 0.5]), 0.16))
            elbow = np.array([[side * 0.2, 0, height - 0.08], [side * 0.42, 0, height - 0.1], [side * 0.52, 0, height + 0.02]])
            solids += [Solid(strut(p, q, 0.13, 24), "flesh") for p, q in itertools.pairwise(elbow)]
        spine = [
            strut((0, 0, 0), (t * 0.05, s * 0.05, 0.06), 0.011, 6, 0.004) for t, s in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        needle = union(spine)
        for low, high, r in stems:
            length = float(high[2] - low[2])
            # Ribs are notched between the tufts: the outline goes in and out.
            z = np.linspace(0, 1, 2 * round(length / 0.14) + 1)
            bulge = (
                r
                * np.sqrt(np.clip(1 - np.clip((z - 0.75) / 0.25, 0, 1) ** 2, 0.0, 1))
                * (0.88 + 0.12 * np.sin(np.pi * z))
                * (1 - 0.14 * (np.arange(len(z)) % 2))
            )
            profile = [(0, 0.0), *zip(bulge, z * length, strict=True)]
            profile[-1] = (0.0, length)
            body = builder.sweep(lathe(profile, contour=contour)).translate([float(low[0]), float(low[1]), float(low[2])])
            solids.append(Solid(body, "flesh"))
            for k in range(self.ribs):
                for f in np.arange(0.1, 0.92, 0.16 / length):
                    t = 2 * np.pi * k / self.ribs - np.pi / 2
                    reach = float(np.interp(f, z, bulge)) * 1.1 - 0.005
                    out = np.array([np.cos(t), np.sin(t), 0.15])
                    place = low + [reach * np.cos(t), reach * np.sin(t), f * length]
                    solids.append(Solid(move(needle, facing(out), place), "spines"))
        return solids

    def _sunflower(self, builder: Builder) -> list[Solid]:
        """Face to the front, on a stalk with two leaves."""
        solids = [Solid(cylinder(0.42, 0.12, segments=48) + Manifold.sphere(0.42, 48).scale([1, 1, 0.32]), "seeds")]
        seed_body = hull(
            np.array(
                [
                    (x, y, z)
                    for x, y, z in ((0.03, 0, 0), (-0.03, 0, 0), (0, 0.022, 0), (0, -0.022, 0), (0, 0, 0.1), (0, 0, -0.03))
                ]
            )
        )
        for k in range(2 * self.count):
            r = 0.4 * np.sqrt((k + 0.5) / (2 * self.count))
            t = GOLDEN * k
            solids.append(
                Solid(
                    seed_body.rotate([0, 0, float(np.degrees(t))]).translate(
                        [r * np.cos(t), r * np.sin(t), 0.055 + 0.05 * np.cos(r * 4)]
                    ),
                    "seeds",
                )
            )
        petal = self._leaf(builder, 0.3 + 0.5 * self.open, 0.2 * self.width, 0.04, 0.18, 1.0)
        petals = 22 + self.ribs
        for row in (0, 1):
            for k in range(petals // 2):
                t = 2 * np.pi * (k + 0.5 * row) / (petals // 2)
                out = np.array([np.cos(t), np.sin(t), 0.25 * self.open + 0.12 * row])
                solids.append(
                    Solid(
                        self._set(
                            petal,
                            np.array([0.36 * np.cos(t), 0.36 * np.sin(t), -0.03 + 0.03 * row]),
                            out,
                            np.array([0, 0, 1.0]),
                            1.0,
                        ),
                        "petals",
                    )
                )
        for k in range(26):
            # Bracts cover the back of the head.
            t, tier = GOLDEN * k, 0.5 + 0.5 * (k % 2)
            way = np.array([np.cos(t), np.sin(t), -0.3 * tier])
            at = np.array([0.2 * tier * np.cos(t), 0.2 * tier * np.sin(t), -0.08 * tier - 0.05])
            solids.append(Solid(self._set(petal, at, way, np.array([0, 0, -1.0]), 0.55), "stalk"))
        solids = [Solid(s.body.rotate([90, 0, 0]).translate([0, 0, 0.5]), s.part) for s in solids]
        low = 0.2 - 2.6 * self.pot  # the foot
        stalk = np.array([(0, 0.0, 0.3), (0, 0.09, 0.1), (0, 0.08, 0.3 + 0.54 * (low - 0.3)), (0, 0.0, low)])
        solids += [Solid(strut(a, b, 0.055, 16), "stalk") for a, b in itertools.pairwise(stalk)]
        leaf = self._leaf(builder, 0.7, 0.4, 0.05, -0.15, 1.3)
        for side, z in ((1, 0.3 + 0.65 * (low - 0.3)), (-1, 0.3 + 0.5 * (low - 0.3))):
            solids.append(
                Solid(
                    self._set(leaf, np.array([0, 0.05, z]), np.array([side * 1.0, -0.3, 0.45]), np.array([0, -0.3, 1.0]), 1.0),
                    "leaves",
                )
            )
        return solids
