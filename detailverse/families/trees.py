"""Trees: broadleaved trees, conifers, palms, bare winter trees, bonsai in a pot, weeping willows, birches in autumn."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, cylinder, facing, hull, move, strut, union
from versemill.detailverse.spines import curve, lathe, lobed, rectangle, tube

GOLDEN = np.pi * (3 - np.sqrt(5))


@family("tree")
class Tree(Family):
    """A tree on a patch of ground or in a pot."""

    title: ClassVar[str] = "trees"
    styles: ClassVar[tuple[str, ...]] = ("organic",)
    labels: ClassVar[dict[str, str]] = {"autumn leaves": "leaves", "fronds": "leaves", "needles": "needles"}
    slots: ClassVar[dict[str, Slot]] = {
        "leaves": Slot((), "leaf"),
        "autumn leaves": Slot((), "autumn leaf"),
        "blossom": Slot((), "blossom"),
        "needles": Slot((), "needle"),
        "fronds": Slot((), "leaf"),
        "coconuts": Slot((), "seed"),
        "trunk": Slot((), "bark"),
        "grey trunk": Slot((), "grey bark"),
        "ground": Slot((), "turf"),
        "moss": Slot((), "moss"),
        "pot": Slot(("greek_key", "panels", "rope"), "pottery", ornament=0.6, bands=2),
    }

    kind: Literal["broadleaf", "autumn", "blossoming", "conifer", "palm", "bare", "bonsai"] = Field(
        default="broadleaf", description="which tree"
    )
    tall: float = Field(default=1.0, ge=0.88, le=1.15, description="height of the trunk over the usual")
    spread: float = Field(default=1.0, ge=0.86, le=1.16, description="width of the crown over the usual")
    thick: float = Field(default=1.0, ge=0.8, le=1.3, description="thickness of the trunk over the usual")
    count: int = Field(default=7, ge=5, le=9, description="boughs, tiers or fronds")
    lean: float = Field(default=0.2, ge=-0.5, le=0.5, description="how far the trunk leans and twists")

    def noun(self) -> str:
        return {
            "broadleaf": "broad-leaved tree with {} leaves",
            "autumn": "tree with {} autumn leaves",
            "blossoming": "blossoming tree with {} flowers",
            "conifer": "conifer with {} needles",
            "palm": "palm tree with {} fronds",
            "bare": "bare winter tree without leaves",
            "bonsai": "bonsai tree with {} leaves in a pot",
        }[self.kind]

    def name(self) -> str:
        return {
            "broadleaf": "tree",
            "autumn": "autumn tree",
            "blossoming": "blossoming tree",
            "palm": "palm tree",
            "bare": "bare tree",
            "bonsai": "bonsai tree",
        }.get(self.kind, self.kind)

    def parts(self) -> tuple[str, ...]:
        return {
            "broadleaf": ("leaves", "trunk", "ground"),
            "autumn": ("autumn leaves", "grey trunk", "ground"),
            "blossoming": ("blossom", "trunk", "ground"),
            "conifer": ("needles", "trunk", "ground"),
            "palm": ("fronds", "trunk", "coconuts", "ground"),
            "bare": ("grey trunk", "ground"),
            "bonsai": ("leaves", "trunk", "moss", "pot"),
        }[self.kind]

    def build(self, builder: Builder) -> list[Solid]:
        return {"conifer": self._conifer, "palm": self._palm}.get(self.kind, self._boughs)(builder)

    def _ground(self, builder: Builder, r: float = 0.5) -> list[Solid]:
        mound = builder.sweep(
            lathe([(0, -1.06), (r, -1.06), (1.02 * r, -1.0), (0.6 * r, -0.95), (0, -0.93)], None, lobed(5, 0.06)), segments=48
        )
        rng = builder.rng("grass")
        blades = []
        for k in range(46):
            a, q = GOLDEN * k, r * 0.95 * np.sqrt((k + 2) / 48)
            foot = np.array([q * np.cos(a), q * np.sin(a), -0.98])
            blades.append(strut(foot, foot + [*rng.uniform(-0.04, 0.04, 2), rng.uniform(0.07, 0.13)], 0.022, 6, 0.006))
        return [Solid(mound, "ground"), *(Solid(b, "ground") for b in blades)]

    def _limb(self, builder: Builder, path: Floats, radii: Floats, part: str) -> Solid:
        """A trunk or bough with furrowed bark."""
        contour = lobed(max(6, int(70 * float(np.max(radii)))), 0.1, sharp=True)
        return Solid(
            builder.sweep(tube(path, radii, contour=contour, twist=self.lean), segments=40 if radii.max() > 0.07 else 16), part
        )

    def _boughs(self, builder: Builder) -> list[Solid]:
        """A trunk that forks into boughs and twigs, and tufts of leaves at their ends."""
        rng = builder.rng("boughs")
        bonsai = self.kind == "bonsai"
        bark = "grey trunk" if self.kind in ("autumn", "bare") else "trunk"
        low = -0.62 if bonsai else -1.0
        thick = (0.16 if bonsai else 0.13) * self.thick
        high = (0.55 if bonsai else 0.85) * self.tall
        sway = (0.5 if bonsai else 0.16) * self.lean * 2
        trunk = curve(
            [
                (0, 0, low),
                (0.5 * sway, 0.1 * sway, low + 0.35 * high),
                (-0.4 * sway, 0, low + 0.7 * high),
                (0.2 * sway, 0, low + high),
            ],
            24,
        )
        flare = np.exp(-np.linspace(0, 6, 24)) * 0.9
        solids = [self._limb(builder, trunk, thick * (np.linspace(1, 0.62, 24) + flare), bark)]
        roots = [
            strut(
                (0.7 * thick * np.cos(a), 0.7 * thick * np.sin(a), low + 0.12),
                (2.1 * thick * np.cos(a), 2.1 * thick * np.sin(a), low - 0.01),
                0.4 * thick,
                8,
                0.1 * thick,
            )
            for a in np.arange(6) * np.pi / 3 + 0.3
        ]
        solids += [Solid(r, bark) for r in roots]
        tips: list[tuple[Floats, Floats]] = []
        levels = [(trunk[-1], np.array([0.1 * sway, 0, 1.0]), 0.5 * self.spread, 0.62 * thick)]
        for k in range(self.count - 3):
            at = trunk[10 + 12 * k // max(self.count - 3, 1)]
            a = GOLDEN * k + 1
            levels.append((at, np.array([np.cos(a), np.sin(a), 0.55]), 0.46 * self.spread, 0.45 * thick))
        depth = 3 if self.kind == "bare" else 2
        for level in range(depth + 1):
            following = []
            for start, way, long, r in levels:
                way = way / np.linalg.norm(way)
                end = start + way * long
                bow = np.array([*rng.uniform(-0.06, 0.06, 2), 0.05 * long])
                path = curve([start - 0.05 * way, (start + end) / 2 + bow, end], 9)
                solids.append(
                    self._limb(builder, path, np.linspace(r, 0.6 * r, 9), bark)
                    if level == 0
                    else Solid(builder.sweep(tube(path, np.linspace(r, 0.55 * r, 9)), segments=10 if level < 2 else 7), bark)
                )
                if level > 0:
                    tips.append((end, way))
                if level == depth:
                    continue
                frame = facing(way)
                forks = 3 if level < 2 else 2
                spin = rng.uniform(0, 6.28)
                for j in range(forks):
                    a = spin + 2 * np.pi * j / forks
                    side = frame[:, 0] * np.cos(a) + frame[:, 1] * np.sin(a)
                    turned = way + side * rng.uniform(0.6, 0.95) + [0, 0, 0.1 if not bonsai else -0.1]
                    following.append((end, turned, long * rng.uniform(0.6, 0.78), 0.6 * r))
            levels = following
        if self.kind != "bare":
            solids += self._tufts(builder, tips, rng)
        return solids + (self._bowl(builder) if bonsai else self._ground(builder))

    def _leaf(self) -> Manifold:
        """A leaf along +Z, folded along its rib."""
        if self.kind == "blossoming":
            petal = [
                (0.4 * np.cos(a) * (1 if k % 2 else 0.45), 0.06 * (k % 2), 0.4 * np.sin(a) * (1 if k % 2 else 0.45))
                for k, a in enumerate(np.arange(10) * np.pi / 5)
            ]
            bodies = [
                hull(np.array([petal[k], petal[(k + 1) % 10], petal[k - 1], (0, 0.1, 0), (0, -0.08, 0)]))
                for k in range(1, 10, 2)
            ]
            return union(bodies)
        return hull(
            np.array(
                [
                    (0, 0.0, 0),
                    (0.26, 0.1, 0.35),
                    (-0.26, 0.1, 0.35),
                    (0.2, 0.1, 0.65),
                    (-0.2, 0.1, 0.65),
                    (0, 0.03, 1.0),
                    (0, -0.06, 0.5),
                ]
            )
        )

    def _tufts(self, builder: Builder, tips: list[tuple[Floats, Floats]], rng: np.random.Generator) -> list[Solid]:
        """A clump of leaves round every tip."""
        part = {"autumn": "autumn leaves", "blossoming": "blossom"}.get(self.kind, "leaves")
        leaf = self._leaf()
        size = {"bonsai": 0.11, "blossoming": 0.2}.get(self.kind, 0.155)
        solids = []
        most = 1300 if builder.fine else 850
        per = int(np.clip(most / len(tips), 8, 34))
        for end, _ in tips:
            clump = 0.17 * self.spread * rng.uniform(0.8, 1.15)
            flat = 0.5 if self.kind == "bonsai" else 0.8
            core = Manifold.sphere(0.58 * clump, 12).scale([1, 1, flat]).translate(end.tolist())
            solids.append(Solid(core, part))
            for k in range(per):
                z = 1 - 1.75 * (k + 0.5) / per
                a = GOLDEN * k + rng.uniform(0, 0.5)
                out = np.array([np.sqrt(1 - z * z) * np.cos(a), np.sqrt(1 - z * z) * np.sin(a), z])
                place = end + out * clump * [0.72, 0.72, 0.72 * flat]
                way = out + rng.uniform(-0.5, 0.5, 3) + [0, 0, -0.25]
                grown = size * rng.uniform(0.85, 1.25)
                solids.append(Solid(move(leaf.scale([grown] * 3), facing(way, out), place), part))
        return solids

    def _bowl(self, builder: Builder) -> list[Solid]:
        line = [(0, -0.95), (0.78, -0.95), (0.86, -0.72), (0.96, -0.7), (0.96, -0.6), (0.84, -0.6), (0.82, -0.66), (0, -0.66)]
        bowl = builder.sweep(lathe(line, (1, 2), rectangle(0.72, 0.5)), "pot")
        moss = [
            Manifold.sphere(0.16, 20)
            .scale([1.3, 1.1, 0.4])
            .translate([0.44 * np.cos(GOLDEN * k) * np.sqrt(k / 14), 0.3 * np.sin(GOLDEN * k) * np.sqrt(k / 14), -0.65])
            for k in range(14)
        ]
        feet = [
            strut((sx * 0.42, sy * 0.26, -0.94), (sx * 0.46, sy * 0.3, -1.02), 0.07, 12) for sx in (1, -1) for sy in (1, -1)
        ]
        return [Solid(bowl, "pot"), *(Solid(m, "moss") for m in moss), *(Solid(f, "pot") for f in feet)]

    def _conifer(self, builder: Builder) -> list[Solid]:
        """Tiers of drooping branches, each a row of needles."""
        high = 1.9 * self.tall
        trunk = np.array([(0, 0, -1.0), (0, 0, -0.5), (0, 0, -1.0 + high)])
        solids = [
            self._limb(builder, curve(trunk, 12), np.linspace(0.1 * self.thick, 0.02, 12), "trunk"),
            *self._ground(builder),
        ]
        spray = [strut((0, 0, 0), (0, 0, 1.0), 0.035, 6, 0.012)]
        for f in np.linspace(0.12, 0.95, 7):
            for s in (1, -1):
                spray.append(
                    hull(
                        np.array(
                            [
                                (0, 0.05, f - 0.06),
                                (0, -0.05, f - 0.06),
                                (0, 0, f + 0.06),
                                (s * 0.3 * (1.15 - f), 0.0, f + 0.2),
                                (s * 0.05, -0.05, f),
                            ]
                        )
                    )
                )
        branch = union(spray)
        tiers = self.count + 5
        for k in range(tiers):
            f = k / tiers
            z = -0.72 + (high - 0.34) * f
            long = (0.72 * self.spread) * (1 - f) ** 0.85 + 0.07
            count = max(5, int(11 * (1 - 0.6 * f)))
            for j in range(count):
                a = 2 * np.pi * (j + 0.5 * (k % 2)) / count
                way = np.array([np.cos(a), np.sin(a), -0.25 + 0.55 * f])
                solids.append(Solid(move(branch.scale([long * 1.15, long * 1.3, long]), facing(way), (0, 0, z)), "needles"))
        return [*solids, Solid(strut((0, 0, high - 1.25), (0, 0, high - 0.92), 0.05, 8, 0.01), "needles")]

    def _palm(self, builder: Builder) -> list[Solid]:
        high = 1.5 * self.tall
        sway = 0.9 * self.lean
        path = curve(
            [
                (0, 0, -1.0),
                (0.12 * sway, 0, -1.0 + 0.35 * high),
                (0.5 * sway, 0, -1.0 + 0.75 * high),
                (0.8 * sway, 0, -1.0 + high),
            ],
            46,
        )
        rings = 0.085 * self.thick * (1.35 - 0.5 * np.linspace(0, 1, 46)) * (1 + 0.13 * (np.arange(46) % 2))
        solids = [Solid(builder.sweep(tube(path, rings), segments=32), "trunk"), *self._ground(builder)]
        crown = path[-1]
        for k in range(2 * self.count + 3):
            a = GOLDEN * k
            lift = 0.75 - 0.9 * k / (2 * self.count + 3)
            out = np.array([np.cos(a), np.sin(a), 0.0])
            long = 0.85 * self.spread
            rib = curve(
                [
                    crown,
                    crown + 0.35 * long * out + [0, 0, 0.28 * lift + 0.12],
                    crown + 0.75 * long * out + [0, 0, 0.2 * lift - 0.02],
                    crown + long * out + [0, 0, -0.35 + 0.3 * lift],
                ],
                15,
            )
            solids.append(Solid(builder.sweep(tube(rib, np.linspace(0.022, 0.01, 15)), segments=6), "fronds"))
            side = np.cross(out, [0, 0, 1.0])
            for (p, q), f in zip(pairwise(rib), np.linspace(0, 1, 14), strict=True):
                wide = 0.26 * self.spread * np.sin(np.pi * (0.12 + 0.86 * f)) ** 0.7
                for s in (1, -1):
                    tip = p + s * side * wide + (q - p) * 1.6 + [0, 0, -0.35 * wide]
                    solids.append(
                        Solid(
                            hull(
                                np.array(
                                    [
                                        p,
                                        q + 0.2 * (q - p),
                                        p + [0, 0, 0.024],
                                        q + [0, 0, 0.024],
                                        tip,
                                        tip + [0, 0, 0.008],
                                        tip + 0.2 * (q - p),
                                    ]
                                )
                            ),
                            "fronds",
                        )
                    )
        nuts = [
            Manifold.sphere(0.085, 20)
            .scale([1, 1, 1.15])
            .translate((crown + [0.12 * np.cos(t), 0.12 * np.sin(t), -0.08]).tolist())
            for t in np.arange(5) * 1.2566
        ]
        return [
            *solids,
            *(Solid(n, "coconuts") for n in nuts),
            Solid(cylinder(0.09, 0.16, crown.tolist(), segments=20), "trunk"),
        ]
