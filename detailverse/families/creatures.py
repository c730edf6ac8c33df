"""Creatures: snakes, fish, turtles, octopuses, beetles, caterpillars; scaled tubes, shells, fins, feelers."""
# ruff: noqa: D102 - the base class documents its methods

import itertools
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.interpolate import CubicSpline

from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, hull, strut, union
from versemill.detailverse.spines import Contour, circle, lathe, tube


def oval(width: float, height: float) -> Contour:
    """An elliptic section."""

    def contour(f: Floats) -> tuple[Floats, Floats]:
        points, _ = circle(f)
        normals = points * [1 / width, 1 / height]
        return points * [width, height], normals / np.linalg.norm(normals, axis=1, keepdims=True)

    return contour


@family("creature")
class Creature(Family):
    """An animal, facing the front."""

    title: ClassVar[str] = "creatures"
    styles: ClassVar[tuple[str, ...]] = ("organic",)
    renamed: ClassVar[dict[str, str]] = {
        "body": "scales, flanks, skin, head and arms or segments",
        "limbs": "skin, fins, arms or legs",
        "shell": "wing cases",
    }
    slots: ClassVar[dict[str, Slot]] = {
        "scales": Slot(("scales",), "scaly skin", ornament=1.6),
        "flanks": Slot(("scales",), "fish skin", ornament=1.6),
        "fins": Slot((), "fish skin"),
        "shell": Slot(("hex_grid", "voronoi", "hex_grid"), "turtle shell", ornament=2.0),
        "skin": Slot(("voronoi",), "scaly skin", ornament=0.3),
        "head and arms": Slot((), "smooth skin"),
        "suckers": Slot((), "shell"),
        "wing cases": Slot(("ribs", "grooves"), "beetle shell", ornament=0.8),
        "body": Slot((), "beetle shell"),
        "legs": Slot((), "hoof"),
        "segments": Slot((), "caterpillar skin"),
        "hairs": Slot((), "hair"),
        "head": Slot((), "caterpillar skin"),
        "eyes": Slot((), "eye"),
    }

    kind: Literal["snake", "fish", "turtle", "octopus", "beetle", "caterpillar"] = Field(
        default="snake", description="what it is"
    )
    stout: float = Field(default=1.0, ge=0.85, le=1.2, description="thickness of the body")
    curl: float = Field(default=0.5, ge=0.0, le=1.0, description="how much it bends, how tall fins are")
    count: int = Field(default=8, ge=6, le=11, description="coils, arms, segments, spines")
    head: float = Field(default=1.0, ge=0.85, le=1.2, description="size of the head")

    def noun(self) -> str:
        return {
            "snake": "coiled snake",
            "octopus": f"octopus with {self.count} arms",
            "caterpillar": f"caterpillar of {self.count} segments",
        }.get(self.kind, self.kind)

    def parts(self) -> tuple[str, ...]:
        return {
            "snake": ("scales", "eyes"),
            "fish": ("flanks", "fins", "eyes"),
            "turtle": ("shell", "skin", "eyes"),
            "octopus": ("head and arms", "suckers", "eyes"),
            "beetle": ("wing cases", "body", "legs", "eyes"),
            "caterpillar": ("segments", "head", "hairs", "eyes"),
        }[self.kind]

    def build(self, builder: Builder) -> list[Solid]:
        return {
            "snake": self._snake,
            "fish": self._fish,
            "turtle": self._turtle,
            "octopus": self._octopus,
            "beetle": self._beetle,
            "caterpillar": self._caterpillar,
        }[self.kind](builder)

    def _eyes(self, x: float, y: float, z: float, r: float) -> list[Solid]:
        return [Solid(Manifold.sphere(r, 24).translate([side * x, y, z]), "eyes") for side in (1, -1)]

    def _snake(self, builder: Builder) -> list[Solid]:
        t = np.linspace(0, 1, 160)
        long = (self.count - 6) / 5
        coils = 1.9 + 0.7 * long + 0.6 * self.curl
        a = 2 * np.pi * coils * t
        thick = 0.15 * self.stout
        r = 0.86 - 0.16 * long - 0.42 * t
        z = -0.85 + 1.15 * t**1.2 * (0.8 + 0.3 * self.curl)
        end = -np.pi / 2 + np.pi / 2
        a = a - a[-1] + end
        coil = np.stack([r * np.cos(a), r * np.sin(a), z], 1)
        last = coil[-1]
        neck = np.array(
            [last + [-0.02, 0.16, 0.16], last + [-0.2, 0.2, 0.4], [0.0, 0.05, last[2] + 0.6], [0.0, -0.25, last[2] + 0.66]]
        )
        points = np.concatenate([coil[::4], coil[-1:], neck])
        u = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
        keep = np.r_[True, np.diff(u) > 1e-6]
        path = CubicSpline(u[keep], points[keep])(np.linspace(0, u[-1], 260))
        s = np.linspace(0, 1, 260)
        radius = thick * np.clip(np.minimum(0.08 + 3.5 * s, 1.15 - 0.35 * s), 0.05, 1)
        body = builder.sweep(tube(path, radius), "scales")
        tip = path[-1]
        k = self.head
        head = hull(
            np.array(
                [
                    (x * k * w, y * k, z * k * h)
                    for y, w, h in ((0.12, 0.1, 0.09), (-0.02, 0.17, 0.11), (-0.2, 0.13, 0.08), (-0.3, 0.07, 0.05))
                    for x in (1, -1, 0.6, -0.6)
                    for z in (1, -1, 0.6)
                ]
            )
        )
        tongue = [
            strut((0, -0.28, 0), (0, -0.42, 0), 0.016, 8),
            strut((0, -0.42, 0), (0.05, -0.52, 0.02), 0.012, 8),
            strut((0, -0.42, 0), (-0.05, -0.52, 0.02), 0.012, 8),
        ]
        at = tip.tolist()
        ridge = [strut((side * 0.13 * k, 0.02, 0.09 * k), (side * 0.1 * k, -0.2 * k, 0.08 * k), 0.025, 10) for side in (1, -1)]
        solids = [Solid(body, "scales"), Solid(union([head, *tongue, *ridge]).translate(at), "scales")]
        return solids + [Solid(e.body.translate(at), "eyes") for e in self._eyes(0.125 * k, -0.1 * k, 0.05 * k, 0.045)]

    def _fish(self, builder: Builder) -> list[Solid]:
        """Long along x, its flank to the front."""
        s = np.linspace(0, 1, 60)
        r = self.stout * (0.5 * np.sin(np.pi * np.clip(s, 0, 1) ** 0.75) ** 0.8 * (1 - 0.25 * s) + 0.06)
        r[0], r[-1] = 0.03, 0.08
        path = np.stack([-0.95 + 1.55 * s, 0.1 * self.curl * np.sin(2.5 * s), 0 * s], 1)
        body = builder.sweep(tube(path, r, contour=oval(0.5, 1.0), up=(0, 0, 1)), "flanks")
        solids = [Solid(body, "flanks")]
        tail_at = path[-1]

        def fin(rays: list[tuple[np.ndarray, np.ndarray]], thick: float = 0.021) -> list[Manifold]:
            bars = [strut(a, b, thick, 8, thick * 0.6) for a, b in rays]
            webs = [
                hull(np.array([p + [0, e, 0] for p in (*r1, *r2) for e in (0.008, -0.008)]))
                for r1, r2 in itertools.pairwise(rays)
            ]
            return [*bars, *webs]

        n, tall = self.count + 13, 0.7 + 0.6 * self.curl
        spread = np.linspace(-1, 1, n)
        tail = [(tail_at + [-0.06, 0, 0.04 * q], tail_at + [0.36 + 0.16 * abs(q), 0.02, 0.62 * tall * q]) for q in spread]
        top = [
            (
                np.array([x, 0.04, float(np.interp(x, path[:, 0], r)) * 0.9]),
                np.array([x + 0.22, 0.04, float(np.interp(x, path[:, 0], r)) + tall * (0.42 - 0.22 * f)]),
            )
            for f, x in zip(np.linspace(0, 1, n), np.linspace(-0.45, 0.3, n), strict=True)
        ]
        low = [(p * [1, 1, -1] + [0.2, 0, 0], q * [1, 1, -0.75] + [0.2, 0, 0]) for p, q in top[: n // 2]]
        for rays in (tail, top, low):
            solids += [Solid(b, "fins") for b in fin(rays)]
        flank = 0.52 * float(np.interp(-0.72, path[:, 0], r))
        for side in (1, -1):
            root = np.array([-0.42, side * 0.2, -0.08])
            rays = [(root + [0.01 * k, 0, 0], root + [0.3 - 0.02 * k, side * 0.14, -0.06 - 0.05 * k]) for k in range(6)]
            solids += [Solid(b, "fins") for b in fin(rays, 0.016)]
            solids.append(Solid(Manifold.sphere(0.075, 28).translate([-0.72, side * flank, 0.1]), "eyes"))
        lips = [strut((-0.96, -0.03, z), (-0.96, 0.04, z), 0.035, 12) for z in (0.025, -0.03)]
        return solids + [Solid(b, "flanks") for b in lips]

    def _turtle(self, builder: Builder) -> list[Solid]:
        angle = np.linspace(0, np.pi / 2, 40)
        dome = np.stack([0.78 * np.cos(angle), 0.52 * self.stout * np.sin(angle) ** 0.9], 1)
        dome[-1, 0] = 0
        profile = [(0, -0.14), (0.7, -0.14), (0.86, -0.05), (0.86, 0.0), *dome.tolist()]
        shell = builder.sweep(lathe(profile, (4, 40), oval(0.88, 1.08)), "shell")
        solids = [Solid(shell, "shell")]
        for sx in (1, -1):
            for y, lean in ((-0.5, -0.25), (0.55, 0.2)):
                path = np.array(
                    [
                        (sx * 0.4, y, -0.08),
                        (sx * 0.66, y + lean * 0.5, -0.1),
                        (sx * 0.82, y + lean, -0.28),
                        (sx * 0.84, y + lean, -0.46),
                    ]
                )
                solids.append(Solid(builder.sweep(tube(path, [0.16, 0.17, 0.14, 0.16]), "skin", copies=4), "skin"))
                claws = [
                    strut(path[-1] + [0.05 * k, -0.12, 0.03], path[-1] + [0.06 * k, -0.2, 0.01], 0.03, 8, 0.01)
                    for k in (-1, 0, 1)
                ]
                solids += [Solid(c, "eyes") for c in claws]
        lift = 0.05 + 0.25 * self.curl
        neck = np.array([(0, -0.6, -0.02), (0, -0.85, 0.02), (0, -1.02, lift), (0, -1.2, lift + 0.06)])
        solids.append(Solid(builder.sweep(tube(neck, [0.15, 0.13, 0.14, 0.15 * self.head]), "skin"), "skin"))
        k = self.head
        head = Manifold.sphere(0.19 * k, 40).scale([0.9, 1.25, 0.85]).translate([0, -1.25, lift + 0.08])
        beak = hull(
            np.array(
                [
                    (0, -1.56, lift + 0.02),
                    (0.1, -1.36, lift + 0.1),
                    (-0.1, -1.36, lift + 0.1),
                    (0.1, -1.36, lift),
                    (-0.1, -1.36, lift),
                ]
            )
        )
        tail = strut((0, 0.75, -0.08), (0.05 * self.curl, 1.08, -0.16), 0.09, 14, 0.02)
        solids += [Solid(b, "skin") for b in (head, beak, tail)]
        return solids + self._eyes(0.13 * k, -1.36, lift + 0.14, 0.045)

    def _octopus(self, builder: Builder) -> list[Solid]:
        s = np.linspace(0, 1, 50)
        r = 0.4 * self.stout * np.sin(np.pi * (0.12 + 0.88 * s)) ** 0.6 * (0.75 + 0.35 * s) + 0.02
        r[-1] = 0
        path_z = -0.25 + 1.2 * s
        head = builder.sweep(lathe([(0, -0.25), *zip(r, path_z, strict=True)], (18, 50)), "head and arms")
        solids = [Solid(head, "head and arms")]
        t = np.linspace(0, 1, 60)
        n = self.count
        for k in range(n):
            a = 2 * np.pi * (k + 0.5) / n
            wave = 0.35 * self.curl * np.sin(2 * np.pi * t + 2.4 * k) * t
            out = 0.12 + 0.85 * t**0.9
            x, y = out * np.cos(a + wave), out * np.sin(a + wave)
            z = (
                -0.2
                - 0.45 * np.sin(np.pi * np.clip(t * 1.3, 0, 1) / 2)
                + 0.28 * np.clip(t - 0.65, 0, 1) ** 1.2 * (1 + np.sin(1.7 * k)) * 1.6
            )
            radius = 0.165 * (1 - t) ** 0.8 + 0.025
            path = np.stack([x, y, z], 1)
            solids.append(Solid(builder.sweep(tube(path, radius), "head and arms", copies=n), "head and arms"))
            for j in range(4, 56, 4):
                side = np.array([-np.sin(a), np.cos(a), 0]) * radius[j] * 0.55
                for sign in (1, -1):
                    at = path[j] + sign * side - [0, 0, radius[j] * 0.72]
                    solids.append(
                        Solid(Manifold.sphere(float(radius[j] * 0.42), 12).scale([1, 1, 0.7]).translate(at.tolist()), "suckers")
                    )
        return (
            solids
            + self._eyes(0.22 * self.stout, -0.3, 0.1, 0.11 * self.head)
            + [
                Solid(Manifold.sphere(0.14 * self.head, 24).translate([side * 0.2 * self.stout, -0.23, 0.11]), "head and arms")
                for side in (1, -1)
            ]
        )

    def _beetle(self, builder: Builder) -> list[Solid]:
        angle = np.linspace(0, np.pi / 2, 36)
        dome = np.stack([0.6 * np.cos(angle), 0.42 * self.stout * np.sin(angle)], 1)
        dome[-1, 0] = 0
        shell = builder.sweep(lathe([(0, -0.08), (0.58, -0.08), *dome.tolist()], (3, 36), oval(0.85, 1.25)), "wing cases")
        seam = strut((0, -0.7, 0.25), (0, 0.75, 0.05), 0.02, 8)
        solids = [Solid(shell, "wing cases"), Solid(seam.translate([0, 0, 0.18]), "body")]
        bulge = np.linspace(-np.pi / 2, np.pi / 2, 24)
        egg = lathe(np.stack([np.cos(bulge), np.sin(bulge)], 1) * 0.36, (3, 21))
        thorax = builder.sweep(egg, "body", copies=2).scale([1.25, 0.8, 0.8 * self.stout]).translate([0, -0.72, 0.06])
        k = 0.7 * self.head
        head = builder.sweep(egg, "body", copies=2).scale([k, k, 0.8 * k]).translate([0, -1.04, 0.04])
        belly = Manifold.sphere(0.5, 48).scale([0.9, 1.3, 0.35]).translate([0, 0, -0.1])
        solids += [Solid(b, "body") for b in (thorax, head, belly)]
        for side in (1, -1):
            for y, way in ((-0.7, -0.45), (-0.1, 0.05), (0.4, 0.5)):
                joints = np.array(
                    [
                        (side * 0.25, y, -0.08),
                        (side * 0.68, y + way * 0.6, 0.2),
                        (side * 0.88, y + way, -0.3),
                        (side * 0.96, y + way * 1.15, -0.45),
                    ]
                )
                widths = ((0.1, 0.075), (0.08, 0.05), (0.05, 0.03))
                bars = [
                    builder.sweep(tube(np.linspace(a, b, 5), np.linspace(*wide, 5)), "legs", copies=18)
                    for (a, b), wide in zip(itertools.pairwise(joints), widths, strict=True)
                ]
                bars += [
                    Manifold.sphere(1.15 * w, 16).translate(p.tolist())
                    for p, w in zip(joints, (0.1, 0.08, 0.05, 0.035), strict=True)
                ]
                spikes = [
                    strut(
                        joints[1] * (1 - f) + joints[2] * f,
                        joints[1] * (1 - f) + joints[2] * f + [side * 0.06, 0, -0.05],
                        0.022,
                        6,
                        0.008,
                    )
                    for f in np.linspace(0.2, 0.9, 5)
                ]
                solids += [Solid(b, "legs") for b in (*bars, *spikes)]
            horn = np.array([(side * 0.08, -1.15, 0.02), (side * 0.2, -1.35, 0.06), (side * 0.14, -1.55, 0.14)])
            solids += [Solid(strut(a, b, 0.05, 12, 0.03), "legs") for a, b in itertools.pairwise(horn)]
            feeler = np.array([(side * 0.16, -1.12, 0.1), (side * 0.4, -1.3, 0.3), (side * 0.6, -1.3, 0.42)])
            solids += [Solid(strut(a, b, 0.02, 8), "legs") for a, b in itertools.pairwise(feeler)]
            solids += [
                Solid(Manifold.sphere(0.04, 12).translate((feeler[-1] + [side * 0.05 * j, 0, 0.02 * j]).tolist()), "legs")
                for j in range(3)
            ]
        return solids + self._eyes(0.19 * self.head, -1.1, 0.08, 0.07)

    def _caterpillar(self, builder: Builder) -> list[Solid]:
        """Along y, head to the front, arched."""
        n = self.count
        t = (np.arange(n) + 0.5) / n
        y = -0.85 + 1.75 * t
        z = 0.35 * self.curl * np.sin(np.pi * t) - 0.2
        solids: list[Solid] = []
        ring = lathe(
            [(0, -0.16), *[(0.27 * self.stout * np.cos(a), 0.17 * np.sin(a)) for a in np.linspace(-1.2, 1.2, 20)], (0, 0.16)],
            (4, 17),
        )
        body = builder.sweep(ring, "segments", copies=n).rotate([90, 0, 0])
        for k in range(n):
            size = 1.0 - 0.35 * t[k] ** 3
            solids.append(Solid(body.scale([size, 1.0, size]).translate([0, float(y[k]), float(z[k])]), "segments"))
            for side in (1, -1):
                foot = [side * 0.24, float(y[k]), float(z[k]) - 0.27 * size]
                solids.append(Solid(strut((side * 0.12, float(y[k]), float(z[k]) - 0.1), foot, 0.07, 14, 0.05), "head"))
                hair = [
                    strut(
                        (side * 0.15 * c, float(y[k]), float(z[k]) + 0.2 * size),
                        (side * 0.4 * c, float(y[k]) + 0.04, float(z[k]) + 0.48 * size),
                        0.018,
                        6,
                        0.006,
                    )
                    for c in (0.25, 0.7, 1.1)
                ]
                solids += [Solid(h, "hairs") for h in hair]
        solids.append(Solid(strut((0, float(y[0]), float(z[0])), (0, float(y[-1]), float(z[-1])), 0.12, 16), "segments"))
        head = Manifold.sphere(0.3 * self.head, 48).translate([0, -1.08, float(z[0]) + 0.05])
        solids.append(Solid(head, "head"))
        for side in (1, -1):
            feeler = np.array([(side * 0.1, -1.2, float(z[0]) + 0.25), (side * 0.2, -1.3, float(z[0]) + 0.5)])
            solids += [
                Solid(strut(feeler[0], feeler[1], 0.025, 10), "head"),
                Solid(Manifold.sphere(0.06, 20).translate(feeler[1].tolist()), "head"),
            ]
        return solids + self._eyes(0.14, -1.3 * (0.94 + 0.06 * self.head), float(z[0]) + 0.12, 0.08)
