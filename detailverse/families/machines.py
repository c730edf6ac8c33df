"""Machine parts: gears, flanges, heat sinks, valves, bearings, pistons; real holes, teeth, bolts and chamfers."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.palette import STRIP
from versemill.detailverse.registry import Family, Floats, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, checked, cylinder, prism, section, subtract, union
from versemill.detailverse.spines import lathe, tube


def gear_outline(teeth: int, radius: float, depth: float, round_tip: float = 0.3) -> Floats:
    """A gear's outline (K, 2), counter-clockwise: trapezoid teeth with bowed flanks."""
    pitch = 2 * np.pi / teeth
    angle, r = [], []
    for k in range(teeth):
        for a, out in (
            (0.0, 0.0),
            (0.22, 0.0),
            (0.29, 0.45),
            (0.36, 0.82),
            (0.43, 1.0),
            (0.43 + round_tip * 0.46, 1.0),
            (0.64, 0.82),
            (0.71, 0.45),
            (0.78, 0.0),
        ):
            angle.append((k + a) * pitch)
            r.append(radius - depth + depth * out)
    return np.stack([np.array(r) * np.cos(angle), np.array(r) * np.sin(angle)], 1)


def bolt(radius: float, height: float = 0.06) -> Manifold:
    """A hexagonal bolt head on a washer, its foot at z = 0, pointing to +Z."""
    washer = cylinder(1.35 * radius, 0.03, (0, 0, 0.005), segments=24)
    head = Manifold.cylinder(height, radius, radius * 0.98, 6).translate([0, 0, 0.01])
    crown = Manifold.cylinder(0.35 * height, radius * 0.85, radius * 0.55, 24).translate([0, 0, 0.01 + height])
    return union([washer, head, crown])


def ring_of(body: Manifold, count: int, radius: float, z: float, phase: float = 0.0) -> list[Manifold]:
    """Copies of a body on a circle about the z axis."""
    return [body.translate([radius, 0, z]).rotate([0, 0, 360 * (k + phase) / count]) for k in range(count)]


def stand_up(body: Manifold) -> Manifold:
    """Turns +Z to the front, -Y."""
    return body.rotate([90, 0, 0])


@family("machine")
class Machine(Family):
    """One machined part."""

    title: ClassVar[str] = "machine parts"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("industrial", "alien")
    slots: ClassVar[dict[str, Slot]] = {
        "body": Slot((), "metal"),
        "hub": Slot(STRIP, "metal"),
        "bolts": Slot((), "metal"),
        "rim": Slot(("knurling", "ribs", "studs", "dentils", "hex_grid", "glyphs", "rivets"), "metal"),
        "grip": Slot(("knurling", "ribs", "grooves", "fluting", "studs"), "handle"),
    }

    kind: Literal["gear", "flange", "heat sink", "valve", "bearing", "piston"] = Field(default="gear", description="what it is")
    count: int = Field(default=24, ge=14, le=40, description="teeth, fins or balls")
    bolts: int = Field(default=8, ge=6, le=12, description="bolts or lightening holes")
    thick: float = Field(default=0.35, ge=0.22, le=0.5, description="thickness of the main body")
    bore: float = Field(default=0.2, ge=0.12, le=0.28, description="radius of the bore")
    helix: float = Field(default=0.0, ge=-18.0, le=18.0, description="helix angle of gear teeth in degrees")
    slender: float = Field(
        default=1.0,
        ge=0.75,
        le=1.3,
        description="length of fins, width of a valve, radius of the balls' circle, over the usual",
    )

    def noun(self) -> str:
        return {
            "gear": f"gear with {self.count} teeth",
            "flange": f"pipe flange with {self.bolts} bolts",
            "heat sink": f"heat sink with {self.count} fins",
            "valve": f"valve with a hand wheel and {self.bolts}-bolt flanges",
            "bearing": f"ball bearing with {self.count // 2} balls",
            "piston": "piston with its connecting rod",
        }[self.kind]

    def parts(self) -> tuple[str, ...]:
        return {
            "gear": ("body", "hub", "bolts", "rim"),
            "flange": ("body", "hub", "bolts", "rim"),
            "heat sink": ("body", "bolts"),
            "valve": ("body", "hub", "bolts", "grip", "rim"),
            "bearing": ("body", "bolts", "rim"),
            "piston": ("body", "hub", "bolts"),
        }[self.kind]

    def build(self, builder: Builder) -> list[Solid]:
        return {
            "gear": self._gear,
            "flange": self._flange,
            "heat sink": self._heat_sink,
            "valve": self._valve,
            "bearing": self._bearing,
            "piston": self._piston,
        }[self.kind](builder)

    def _sleeve(self, builder: Builder, radius: float, length: float, bore: float, part: str = "hub") -> Manifold:
        c = 0.02
        profile = [
            (0, -length / 2),
            (radius - c, -length / 2),
            (radius, -length / 2 + c),
            (radius, length / 2 - c),
            (radius - c, length / 2),
            (0, length / 2),
        ]
        body = builder.sweep(lathe(profile, (2, 3)), part)
        return subtract(body, [cylinder(bore, length * 2, segments=builder.segments(bore))]) if bore > 0 else body

    def _gear(self, builder: Builder) -> list[Solid]:
        depth = min(2.4 / self.count * 2, 0.2)
        slices = 8 if abs(self.helix) > 3 else 1
        outline = gear_outline(self.count, 1.0, depth)
        body = Manifold.extrude(section(outline), self.thick, slices, self.helix if slices > 1 else 0.0)
        body = body.translate([0, 0, -self.thick / 2])
        rim, hub = 1 - depth - 0.12, self.bore + 0.14
        web = subtract(cylinder(rim, self.thick, segments=96), [cylinder(hub, 2, segments=64)])
        cuts = [web.translate([0, 0, side * self.thick * 0.72]) for side in (1, -1)]
        size = min(0.42 * (rim - hub), 0.8 * np.pi * (rim + hub) / 2 / self.bolts * 0.8)
        cuts += ring_of(cylinder(size, 2, segments=40), self.bolts, (rim + hub) / 2, 0)
        body = subtract(body, [*cuts, cylinder(self.bore + 0.02, 2, segments=48)])
        sleeve = self._sleeve(builder, hub + 0.04, self.thick + 0.34, self.bore)
        small = max(12, self.count // 2)
        pinion = Manifold.extrude(section(gear_outline(small, hub + 0.24, 0.11)), 0.2, 1).translate(
            [0, 0, self.thick / 2 - 0.06]
        )
        pinion = subtract(pinion, [cylinder(hub, 4, segments=48)])
        ring = builder.sweep(lathe([(0, -0.05), (rim + 0.05, -0.05), (rim + 0.05, 0.05), (0, 0.05)], (1, 2)), "rim")
        ring = subtract(ring, [cylinder(rim - 0.06, 2, segments=96)]).translate([0, 0, self.thick / 2 + 0.02])
        key = box((0.1, self.bore * 1.4, 2), (0, self.bore * 0.75, 0))
        heads = ring_of(bolt(0.045), 2 * self.bolts, rim - 0.06, self.thick * 0.22 - 0.005, 0.5)
        return [
            Solid(stand_up(body), "body"),
            Solid(stand_up(pinion), "body"),
            Solid(stand_up(ring), "rim"),
            Solid(stand_up(subtract(sleeve, [key])), "hub"),
            *(Solid(stand_up(h), "bolts") for h in heads),
        ]

    def _disc(self, builder: Builder, radius: float, thick: float, bore: float, bolts: int) -> tuple[Manifold, list[Manifold]]:
        c = 0.025
        profile = [(0, 0), (radius - c, 0), (radius, c), (radius, thick - c), (radius - c, thick), (0, thick)]
        disc = builder.sweep(lathe(profile, (2, 3)), "rim", copies=2)
        face = subtract(cylinder(radius * 0.62, 0.05, (0, 0, thick), segments=64), [cylinder(bore, 1, segments=48)])
        rings = [
            subtract(
                cylinder(radius * f, 0.03, (0, 0, thick + 0.025), segments=64), [cylinder(radius * f - 0.025, 1, segments=64)]
            )
            for f in (0.46, 0.54, 0.6)
        ]
        body = subtract(union([disc, face]), [cylinder(bore, 4, segments=48), *rings])
        size = min(0.085, 0.16 * radius)
        heads = ring_of(bolt(size), bolts, radius * 0.8, thick - 0.005)
        # Raised webs between the bolts, and a rim of small screws inside them.
        webs = ring_of(box((radius * 0.3, 0.05, 0.07), (0, 0, 0), 0.02), bolts, radius * 0.8, thick, 0.5)
        heads += ring_of(bolt(0.3 * size, 0.03), 3 * bolts, radius * 0.5, thick + 0.02, 0.5)
        return union([body, *webs]), heads

    def _flange(self, builder: Builder) -> list[Solid]:
        disc, heads = self._disc(builder, 1.0, self.thick * 0.6, self.bore + 0.12, self.bolts)
        length = 0.9
        neck = [
            (0, 0.02),
            (0.66, 0.02),
            (0.46, -0.25),
            (0.46, -length),
            (0.5, -length - 0.04),
            (0.5, -length - 0.12),
            (0, -length - 0.12),
        ]
        pipe = subtract(builder.sweep(lathe(neck[::-1], (3, 4)), "hub"), [cylinder(self.bore + 0.12, 4, segments=48)])
        ribs = [prism([(0.4, 0), (0.8, 0), (0.47, -0.6), (0.4, -0.6)][::-1], 0.06).rotate([90, 0, 0]) for _ in range(1)]
        gussets = [ribs[0].rotate([0, 0, 360 * (k + 0.5) / self.bolts]) for k in range(self.bolts)]
        return [
            Solid(stand_up(disc), "body"),
            Solid(stand_up(pipe), "hub"),
            *(Solid(stand_up(subtract(g, [cylinder(0.43, 4)])), "body") for g in gussets),
            *(Solid(stand_up(h), "bolts") for h in heads),
        ]

    def _heat_sink(self, builder: Builder) -> list[Solid]:
        round_body = self.bolts % 2 == 0
        solids: list[Manifold] = []
        if round_body:
            high, core = 0.45 + 2.5 * self.thick, self.bore + 0.5 * self.slender - 0.26
            fin = box((1.1 - core, 0.035, high), (0.43 + core / 2, 0, 0), 0.01)
            tips = cylinder(0.035, high, (0.98, 0, 0), segments=12)
            solids = [cylinder(core, high + 0.1, segments=64)] + [
                b.rotate([0, 0, 360 * k / self.count]) for b in (fin, tips) for k in range(self.count)
            ]
            cuts = [
                subtract(cylinder(1.2, 0.05, (0, 0, z), segments=64), [cylinder(0.75, 1, segments=64)])
                for z in (-high / 4, 0, high / 4)
            ]
            body = subtract(union(solids), [*cuts, cylinder(self.bore, 3, segments=48)])
            top = 0.03 - (high + 0.1) / 2
            plate = box((0.7 + self.slender, 0.7 + self.slender, 0.16), (0, 0, top - 0.08), 0.03)
        else:
            n = self.count
            xs = np.linspace(-0.92, 0.92, n)
            high, cut, top, long = 2.2 * self.thick, 1.4 * self.bore, -0.33, 1.6 * self.slender
            fins = [box((1.84 / n * 0.42, long, high), (x, 0, high / 2 - 0.325), 0.008) for x in xs]
            cross = [box((3, 0.06, 2 * cut), (0, y, high - 0.325)) for y in np.linspace(-0.31, 0.31, self.bolts) * long]
            body = subtract(union([*fins, box((1.96, long + 0.02, 0.12), (0, 0, -0.32))]), cross)
            plate = box((2.0, long + 0.3, 0.14), (0, 0, -0.4), 0.03)
        x, y = (0.27 + 0.5 * self.slender,) * 2 if round_body else (0.9, long / 2 + 0.07)
        corner = [(sx * x, sy * y) for sx in (1, -1) for sy in (1, -1)]
        return [
            Solid(body, "body"),
            Solid(plate, "body"),
            *(Solid(bolt(0.05).translate([x, y, top - 0.005]), "bolts") for x, y in corner),
        ]

    def _valve(self, builder: Builder) -> list[Solid]:
        reach, grip = 0.78 * self.slender, 0.25 + 0.7 * self.thick
        pipe = self._sleeve(builder, 0.36, 2 * reach + 0.14, 0.24, "").rotate([0, 90, 0])
        ball = Manifold.sphere(0.42 + 0.0035 * self.count, 64)
        neck = builder.sweep(
            lathe(
                [(0, 0.2), (0.3, 0.2), (0.3, 0.62), (0.44, 0.66), (0.44, 0.78), (0.2, 0.8), (0.2, 1.0), (0, 1.0)], (2, 2 + 1)
            ),
            "hub",
        )
        solids = [Solid(subtract(union([pipe, ball]), [cylinder(0.24, 4, axis="x", segments=48)]), "body")]
        for side in (1, -1):
            disc, heads = self._disc(builder, 0.6, 0.14, 0.24, self.bolts)
            for b, part in [(disc, "body"), *((h, "bolts") for h in heads)]:
                solids.append(Solid(b.rotate([0, side * 90, 0]).translate([side * reach, 0, 0]), part))
        solids.append(Solid(neck, "hub"))
        solids += [Solid(h, "bolts") for h in ring_of(bolt(0.04, 0.04), 6, 0.36, 0.775)]
        solids.append(Solid(cylinder(0.06, 0.5, (0, 0, 1.15), segments=24), "bolts"))
        a = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        wheel = builder.sweep(tube(np.stack([grip * np.cos(a), grip * np.sin(a), 0 * a + 1.3], 1), 0.065, closed=True), "grip")
        solids.append(Solid(wheel, "grip"))
        for k in range(5):
            b = 2 * np.pi * k / 5
            solids.append(
                Solid(box((grip, 0.07, 0.05), (grip / 2, 0, 1.3), 0.015).rotate([0, 0, float(np.degrees(b))]), "grip")
            )
        solids.append(Solid(cylinder(0.12, 0.12, (0, 0, 1.3), segments=6), "grip"))
        return solids

    def _bearing(self, builder: Builder) -> list[Solid]:
        n = max(8, self.count // 2)
        t = self.thick * 0.9
        middle = 0.46 + 0.21 * self.slender
        ball = min(0.17, middle * np.pi / n * 0.86)

        def race(low: float, high: float) -> Manifold:
            c = 0.03
            lip = [
                (low, -t / 2 + c),
                (low + c, -t / 2),
                (high - c, -t / 2),
                (high, -t / 2 + c),
                (high, t / 2 - c),
                (high - c, t / 2),
                (low + c, t / 2),
                (low, t / 2 - c),
            ]
            return Manifold.revolve(section(np.array(lip)), 128)

        def channelled(body: Manifold, radius: float) -> Manifold:
            """Two turned channels in either face, about a circle."""
            rings = [
                subtract(
                    cylinder(radius + d + 0.014, 0.05, (0, 0, side * t / 2), segments=96),
                    [cylinder(radius + d - 0.014, 1, segments=96)],
                )
                for d in (-0.06, 0.06)
                for side in (1, -1)
            ]
            return subtract(body, rings)

        groove = Manifold.revolve(
            section(
                np.array([(middle + ball * np.cos(a), ball * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 24, endpoint=False)])
            ),
            128,
        )
        outer, inner = (
            subtract(race(middle + ball * 0.55, 1.0), [groove]),
            subtract(race(self.bore + 0.1, middle - ball * 0.55), [groove]),
        )
        cage = Manifold.revolve(
            section(
                np.array(
                    [
                        (middle - ball * 0.32, -0.03),
                        (middle + ball * 0.32, -0.03),
                        (middle + ball * 0.32, 0.03),
                        (middle - ball * 0.32, 0.03),
                    ]
                )
            ),
            128,
        )
        balls = ring_of(Manifold.sphere(ball * 1.03, 40), n, middle, 0)
        across = 0.5 * (1 + middle + ball * 0.55)
        outer = channelled(outer, across)
        inner = channelled(inner, 0.5 * (self.bore + 0.1 + middle - ball * 0.55))
        screws = [
            b.translate([0, 0, t / 2]).rotate([turn, 0, 0])
            for b in ring_of(bolt(0.035, 0.035), 3 * self.bolts, across, -0.005)
            for turn in (0, 180)
        ]
        tyre = builder.sweep(lathe([(0, -t * 0.42), (1.06, -t * 0.42), (1.06, t * 0.42), (0, t * 0.42)], (1, 2)), "rim")
        tyre = subtract(tyre, [cylinder(0.97, 2, segments=128)])
        return (
            [Solid(stand_up(b), "body") for b in (outer, inner)]
            + [Solid(stand_up(b), "bolts") for b in (*balls, cage, *screws)]
            + [Solid(stand_up(tyre), "rim")]
        )

    def _piston(self, builder: Builder) -> list[Solid]:
        c, r, h = 0.03, 0.32 + 0.006 * self.count, 0.35 + 1.2 * self.thick
        low = -0.4 - 0.06 * self.bolts  # the big end
        profile = [(0, 0.2), (r - c, 0.2), (r, 0.2 + c), (r, 0.2 + h - 0.36)]
        for k in range(3):
            z = 0.2 + h - 0.34 + 0.1 * k
            profile += [(r, z), (r - 0.05, z + 0.002), (r - 0.05, z + 0.045), (r, z + 0.047)]
        profile += [(r, 0.2 + h - c), (r - c, 0.2 + h), (r - 0.16, 0.2 + h), (r - 0.2, 0.2 + h - 0.05), (0, 0.2 + h - 0.05)]
        crown = builder.sweep(lathe(profile, (2, 3)), "hub")
        hollow = cylinder(r - 0.1, 0.6, (0, 0, 0.3), segments=48)
        crown = union(
            [
                subtract(crown, [hollow]),
                subtract(cylinder(0.2, 2 * r - 0.02, (0, 0, 0.45), "y", 40), [cylinder(0.12, 2, (0, 0, 0.45), "y", 40)]),
            ]
        )
        pin = cylinder(0.125, 2 * r - 0.1, (0, 0, 0.45), "y", 32)
        big = cylinder(0.36, 0.22, (0, 0, low), "y", 64)
        long, middle = 0.25 - low, (0.55 + low) / 2
        beam = box((0.22, 0.16, long), (0, 0, middle), 0.02)
        beam = subtract(beam, [box((0.12, 0.1, 0.72 * long), (0, side * 0.1, middle + 0.05), 0.01) for side in (1, -1)])
        small = cylinder(0.2, 0.2, (0, 0, 0.45), "y", 40)
        lugs = [box((0.16, 0.2, 0.3), (side * 0.4, 0, low), 0.02) for side in (1, -1)]
        rod = subtract(union([big, beam, small, *lugs]), [cylinder(self.bore + 0.03, 1, (0, 0, low), "y", 48)])
        heads = [bolt(0.055).translate([side * 0.4, 0, low + 0.145]) for side in (1, -1)]
        return [Solid(checked(crown), "hub"), Solid(rod, "body"), Solid(pin, "bolts"), *(Solid(b, "bolts") for b in heads)]
