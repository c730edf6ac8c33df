"""Household appliances: washing machines, fans, gramophones."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, around, box, cylinder, hull, strut, subtract, union
from versemill.detailverse.spines import curve, lathe, lobed, tube


@family("appliance")
class Appliance(Family):
    """A machine of the household, its front to -Y."""

    title: ClassVar[str] = "household appliances"
    grain: ClassVar[Literal["x", "y", "z"]] = "x"
    styles: ClassVar[tuple[str, ...]] = ("plain",)
    labels: ClassVar[dict[str, str]] = {"metal": "metal parts"}
    slots: ClassVar[dict[str, Slot]] = {
        "case": Slot((), "radio case"),
        "housing": Slot((), "device plastic"),
        "panel": Slot((), "device dark"),
        "keys": Slot((), "key plastic"),
        "knobs": Slot((), "knob metal"),
        "metal": Slot((), "bare metal"),
        "horn": Slot((), "hilt"),
        "record": Slot((), "vinyl"),
        "tank": Slot((), "tool paint"),
        "glass": Slot((), "lamp glass"),
        "wires": Slot((), "hilt"),
        "lens": Slot((), "dark glass"),
    }

    kind: Literal["washing machine", "fan", "gramophone", "lantern"] = Field(
        default="washing machine", description="what it is"
    )
    wide: float = Field(default=1.0, ge=0.88, le=1.14, description="width over the usual")
    tall: float = Field(default=1.0, ge=0.9, le=1.12, description="height over the usual")
    knobs: int = Field(default=3, ge=2, le=4, description="buttons in a row, blades of a fan but one")
    slats: int = Field(default=11, ge=8, le=16, description="bars of a guard, leaves of a horn")

    def noun(self) -> str:
        return {
            "washing machine": "{} washing machine with a round door",
            "fan": f"{{}} table fan with {self.knobs + 1} blades",
            "gramophone": "{} gramophone with a horn",
            "lantern": "{} oil lantern",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "washing machine": ("housing", "metal", "lens", "knobs", "panel"),
            "fan": ("housing", "metal", "keys"),
            "gramophone": ("case", "horn", "record", "knobs"),
            "lantern": ("tank", "glass", "wires"),
        }[self.kind]

    def _knob(self, builder: Builder, r: float, at: tuple[float, float, float]) -> Manifold:
        """A fluted knob on the front, with a pointer."""
        body = builder.sweep(
            lathe([(0, -0.02), (1.15 * r, -0.02), (1.15 * r, 0.02), (r, 0.025), (0.92 * r, 0.1), (0.8 * r, 0.115), (0, 0.115)]),
            segments=40,
        )
        flutes = [cylinder(0.12 * r, 0.3, (r, 0, 0.17), segments=10)]
        mark = box((0.1 * r, 0.7 * r, 0.02), (0, 0.4 * r, 0.118))
        return union([subtract(body, around(flutes[0], 14)), mark]).rotate([90, 0, 0]).translate(list(at))

    def _washing_machine(self, builder: Builder) -> list[Solid]:
        w, h = 0.72 * self.wide, 0.95 * self.tall
        body = box((2 * w, 1.3, 2 * h), (0, 0, 0), 0.04)
        seams = [box((2.2 * w, 0.03, 0.014), (0, -0.65, z)) for z in (0.62 * h, -0.78 * h)]
        sides = [box((0.03, 1.0, 1.4 * h), (s * w, 0.02, 0), 0.01) for s in (1, -1)]
        solids = [
            Solid(subtract(body, [*seams, *sides]), "housing"),
            Solid(box((2 * w + 0.03, 1.34, 0.06), (0, 0, h + 0.01), 0.02), "housing"),
        ]
        r = 0.46 * min(self.wide, 1.0)
        rim = builder.sweep(
            lathe([(r - 0.12, 0), (r, 0), (r + 0.02, 0.03), (r, 0.08), (r - 0.06, 0.1), (r - 0.12, 0.06)]), segments=80
        )
        rim = subtract(rim, [cylinder(r - 0.13, 1, segments=64)]).rotate([90, 0, 0]).translate([0, -0.63, -0.1 * h])
        bowl = Manifold.sphere(r - 0.1, 56).scale([1, 0.32, 1]).translate([0, -0.63, -0.1 * h])
        seal = [
            builder.sweep(
                tube(
                    np.array(
                        [
                            (q * np.cos(t), -0.655, -0.1 * h + q * np.sin(t))
                            for t in np.linspace(0, 2 * np.pi, 80, endpoint=False)
                        ]
                    ),
                    0.025,
                    True,
                )
            )
            for q in (r + 0.05, r - 0.13)
        ]
        handle = [
            box((0.08, 0.1, 0.24), (r - 0.04, -0.72, -0.1 * h), 0.025),
            box((0.08, 0.1, 0.09), (-r - 0.02, -0.68, -0.1 * h + 0.14), 0.02),
            box((0.08, 0.1, 0.09), (-r - 0.02, -0.68, -0.1 * h - 0.14), 0.02),
        ]
        solids += [
            Solid(rim, "metal"),
            Solid(bowl, "lens"),
            *(Solid(s, "panel") for s in seal),
            *(Solid(b, "metal") for b in handle),
        ]
        solids += [
            Solid(box((1.9 * w, 0.05, 0.3 * h), (0, -0.645, 0.8 * h), 0.015), "housing"),
            Solid(box((0.62 * w, 0.07, 0.2 * h), (-0.58 * w, -0.65, 0.8 * h), 0.02), "housing"),
            Solid(box((0.3 * w, 0.1, 0.04), (-0.58 * w, -0.665, 0.75 * h), 0.012), "metal"),
        ]
        solids.append(Solid(self._knob(builder, 0.13, (0.12 * w, -0.66, 0.8 * h)), "knobs"))
        ticks = [
            box((0.012, 0.02, 0.03), (0, 0, 0.18)).rotate([0, 24.0 * k, 0]).translate([0.12 * w, -0.672, 0.8 * h])
            for k in range(15)
        ]
        solids += [Solid(t, "panel") for t in ticks]
        solids.append(Solid(box((0.4 * w, 0.06, 0.13 * h), (0.62 * w, -0.65, 0.84 * h), 0.01), "panel"))
        solids += [
            Solid(cylinder(0.035, 0.06, (0.44 * w + 0.12 * k * w, -0.67, 0.72 * h), "y", 20), "knobs")
            for k in range(self.knobs)
        ]
        louvres = [box((0.3 * w, 0.05, 0.016), (0.6 * w, -0.65, z)) for z in np.linspace(-0.93, -0.84, 4) * h]
        solids[0] = Solid(subtract(solids[0].body, louvres), "housing")
        feet = [cylinder(0.08, 0.12, (s * 0.8 * w, y, -h - 0.03), segments=24) for s in (1, -1) for y in (-0.45, 0.45)]
        return solids + [Solid(f, "panel") for f in feet]

    def _fan(self, builder: Builder) -> list[Solid]:
        r = 0.62 * self.wide
        z0 = 0.32
        blade = hull(
            np.array(
                [
                    (x, y, z)
                    for x, y, z in (
                        (0.07, 0.03, 0.1),
                        (-0.07, -0.03, 0.1),
                        (0.24, 0.09, 0.62 * r),
                        (-0.12, -0.05, 0.66 * r),
                        (0.2, 0.08, 0.86 * r),
                        (-0.02, -0.02, 0.9 * r),
                    )
                ]
            )
        )
        blades = [
            hull(
                np.concatenate(
                    [
                        np.asarray(blade.to_mesh().vert_properties[:, :3]),
                        np.asarray(blade.to_mesh().vert_properties[:, :3]) + [0, 0.016, 0],
                    ]
                )
            )
        ]
        solids = [Solid(b.translate([0, -0.2, z0]), "keys") for b in around(blades[0], self.knobs + 1, "y")]
        solids += [
            Solid(cylinder(0.13, 0.14, (0, -0.2, z0), "y", 40), "keys"),
            Solid(cylinder(0.05, 0.5, (0, 0, z0), "y", 20), "metal"),
        ]
        motor = (
            builder.sweep(lathe([(0, 0), (0.2, 0), (0.24, 0.06), (0.24, 0.3), (0.16, 0.42), (0, 0.46)]), segments=48)
            .rotate([-90, 0, 0])
            .translate([0, 0.02, z0])
        )
        solids.append(Solid(motor, "housing"))
        for y in (-0.2, 0.0):
            for k in range(3 * self.slats):
                t = 2 * np.pi * k / (3 * self.slats)
                arc = [
                    (q * np.cos(t), -0.1 + (y + 0.1) * np.sqrt(max(1 - (q / r) ** 2, 0)) * 1.6, z0 + q * np.sin(t))
                    for q in np.linspace(0.12, r, 8)
                ]
                solids.append(Solid(builder.sweep(tube(np.array(arc), 0.012), segments=6), "metal"))
            for q in (0.12, 0.45 * r, 0.75 * r):
                ring = np.array(
                    [
                        (q * np.cos(t), -0.1 + (y + 0.1) * np.sqrt(1 - (q / r) ** 2) * 1.6, z0 + q * np.sin(t))
                        for t in np.linspace(0, 2 * np.pi, 56, endpoint=False)
                    ]
                )
                solids.append(Solid(builder.sweep(tube(ring, 0.014, True), segments=8), "metal"))
        rim = np.array([(r * np.cos(t), -0.1, z0 + r * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 80, endpoint=False)])
        solids.append(Solid(builder.sweep(tube(rim, 0.032, True)), "metal"))
        badge = cylinder(0.14, 0.04, (0, -0.27, z0), "y", 40)
        low = -0.62 * self.tall
        stem = builder.sweep(
            lathe(
                [
                    (0, low),
                    (0.42, low),
                    (0.44, low + 0.06),
                    (0.36, low + 0.13),
                    (0.12, low + 0.2),
                    (0.08, low + 0.3),
                    (0.07, z0 - 0.1),
                    (0, z0 - 0.1),
                ]
            ),
            segments=56,
        )
        yoke = [box((0.16, 0.18, 0.2), (0, 0.18, z0 - 0.2), 0.03), cylinder(0.08, 0.2, (0, 0.18, z0 - 0.15), "x", 28)]
        neck = strut((0, 0, z0 - 0.25), (0, 0.18, z0 - 0.18), 0.06, 14)
        solids += [Solid(badge, "keys"), Solid(stem, "housing"), *(Solid(b, "housing") for b in (*yoke, neck))]
        solids += [
            Solid(box((0.09, 0.1, 0.06), (-0.16 + 0.11 * k, -0.3, low + 0.13), 0.012).rotate([0, 0, 0]), "keys")
            for k in range(self.knobs)
        ]
        return solids

    def _gramophone(self, builder: Builder) -> list[Solid]:
        w = 0.62 * self.wide
        solids = [Solid(box((2 * w, 1.24, 0.36), (0, 0, -0.72), 0.03), "case")]
        for z, k in ((-0.92, 1.1), (-0.52, 1.06)):
            solids += [Solid(box((2 * w * k, 1.24 * k, 0.07), (0, 0, z), 0.025), "case")]
        panels = [subtract(box((1.5 * w, 0.05, 0.24), (0, -0.62, -0.72), 0.01), [box((1.3 * w, 0.2, 0.14), (0, -0.62, -0.72))])]
        solids += [Solid(p.rotate([0, 0, 90.0 * k]), "case") for k in (0, 2) for p in panels]
        disc = lathe([(0, -0.48), (0.52, -0.48), (0.54, -0.44), (0, -0.44)])
        solids += [Solid(builder.sweep(disc, segments=80), "knobs")]
        grooves = [
            subtract(cylinder(q, 0.03, (0, 0, -0.425), segments=72), [cylinder(q - 0.018, 0.1, (0, 0, -0.425), segments=72)])
            for q in np.linspace(0.2, 0.5, 9)
        ]
        solids += [Solid(g, "record") for g in (cylinder(0.51, 0.03, (0, 0, -0.435), segments=80), *grooves)]
        solids += [
            Solid(cylinder(0.14, 0.04, (0, 0, -0.41), segments=40), "knobs"),
            Solid(cylinder(0.02, 0.12, (0, 0, -0.4), segments=12), "knobs"),
        ]
        back = np.array([0.42, 0.46, -0.5])
        path = curve(
            [
                back,
                back + [0.02, 0.06, 0.45],
                back + [-0.05, 0.05, 0.85],
                back + [-0.25, -0.25, 1.15],
                back + [-0.45, -0.62, 1.28],
            ],
            40,
        )
        t = np.linspace(0, 1, 40)
        leaves = self.slats
        radius = 0.05 + 0.06 * t + 0.5 * self.tall * t**4
        horn = builder.sweep(tube(path, radius, contour=lobed(leaves, 0.07, sharp=True)), segments=8 * leaves)
        inside = builder.sweep(
            tube(
                np.r_[path[12:], [path[-1] + (path[-1] - path[-2]) * 2]],
                np.r_[radius[12:], radius[-1] * 1.1] * 0.93,
                contour=lobed(leaves, 0.07, sharp=True),
            ),
            segments=8 * leaves,
        )
        solids += [Solid(subtract(horn, [inside]), "horn")]
        arm = curve(np.array([back + [0, 0, 0.14], (0.44, 0.2, -0.28), (0.36, -0.1, -0.3), (0.25, -0.2, -0.36)]), 20)
        solids += [
            Solid(builder.sweep(tube(arm, 0.035)), "knobs"),
            Solid(cylinder(0.1, 0.07, (0.25, -0.2, -0.36), "x", 32), "knobs"),
            Solid(strut((0.25, -0.2, -0.36), (0.25, -0.22, -0.43), 0.014, 8), "knobs"),
            Solid(cylinder(0.09, 0.12, (back[0], back[1], -0.48), segments=28), "knobs"),
        ]
        crank = [
            strut((w, 0.1, -0.72), (w + 0.2, 0.1, -0.72), 0.03, 10),
            strut((w + 0.2, 0.1, -0.72), (w + 0.22, 0.1, -0.46), 0.026, 10),
            cylinder(0.05, 0.16, (w + 0.28, 0.1, -0.46), "x", 20),
        ]
        feet = [
            Manifold.sphere(0.1, 24).scale([1, 1, 0.7]).translate([x * w, y * 0.56, -0.98]) for x in (1, -1) for y in (1, -1)
        ]
        return solids + [Solid(c, "knobs") for c in crank] + [Solid(f, "case") for f in feet]

    def _lantern(self, builder: Builder) -> list[Solid]:
        t = self.wide
        tank = builder.sweep(
            lathe(
                [
                    (0, -0.85),
                    (0.42 * t, -0.85),
                    (0.45 * t, -0.8),
                    (0.45 * t, -0.62),
                    (0.4 * t, -0.54),
                    (0.2 * t, -0.48),
                    (0.18, -0.38),
                    (0, -0.38),
                ]
            ),
            segments=64,
        )
        globe = builder.sweep(
            lathe([(0, -0.4), (0.17, -0.4), (0.27, -0.22), (0.29, -0.05), (0.24, 0.12), (0.16, 0.24), (0, 0.24)]), segments=56
        )
        hood = builder.sweep(
            lathe(
                [
                    (0, 0.22),
                    (0.24, 0.22),
                    (0.26, 0.27),
                    (0.2, 0.36),
                    (0.13, 0.4),
                    (0.13, 0.46),
                    (0.28, 0.5),
                    (0.26, 0.54),
                    (0.1, 0.62),
                    (0, 0.63),
                ]
            ),
            segments=56,
        )
        slots = [box((1, 0.03, 0.035), (0, 0, 0.43)).rotate([0, 0, 22.5 * k]) for k in range(8)]
        solids = [
            Solid(tank, "tank"),
            Solid(globe, "glass"),
            Solid(subtract(hood, [subtract(s, [cylinder(0.09, 2)]) for s in slots]), "tank"),
        ]
        for s in (1, -1):
            pipe = curve(
                [(s * 0.36 * t, 0, -0.6), (s * 0.44, 0, -0.3), (s * 0.44, 0, 0.2), (s * 0.34, 0, 0.45), (s * 0.16, 0, 0.5)], 24
            )
            solids.append(Solid(builder.sweep(tube(pipe, 0.045)), "tank"))
        a = np.linspace(0.05, np.pi - 0.05, 30)
        bail = np.stack([0.45 * np.cos(a), 0 * a, 0.25 + 0.78 * np.sin(a)], 1)
        solids.append(Solid(builder.sweep(tube(bail, 0.016)), "wires"))
        solids += [Solid(cylinder(0.03, 0.2, (s * 0.44, 0, 0.27), "x", 14), "wires") for s in (1, -1)]
        count = 4 + self.slats % 3
        guard = [builder.sweep(tube(curve([(0.2, 0, -0.42), (0.33, 0, -0.08), (0.24, 0, 0.25)], 12), 0.014), segments=8)]
        solids += [Solid(b, "wires") for b in around(guard[0], count)]
        ring = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        solids += [
            Solid(builder.sweep(tube(np.stack([r * np.cos(ring), r * np.sin(ring), 0 * ring + z], 1), 0.014, True)), "wires")
            for r, z in ((0.315, -0.16), (0.305, 0.04))
        ]
        solids += [
            Solid(cylinder(0.07, 0.06, (0.28, -0.2, -0.54), segments=24), "wires"),
            Solid(cylinder(0.05, 0.1, (0, -0.22, -0.4), "y", 20), "wires"),
        ]
        return solids
