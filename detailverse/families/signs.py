"""Signs with lettering: street signs, hanging shop signs, fingerposts, road signs, gravestones, house numbers, milestones."""
# ruff: noqa: D102 - the base class documents its methods

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from versemill.detailverse.lettering import Face, write
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Manifold, Solid, box, cut, cylinder, strut, subtract
from versemill.detailverse.spines import curve, lathe, outline, tube

Word = Literal[
    "OPEN", "BAKERY", "CAFE", "BOOKS", "HOTEL", "STATION", "MUSEUM", "MARKET", "PARK", "HARBOUR", "LIBRARY", "SCHOOL"
]
Name = Literal["MILL LANE", "HIGH STREET", "OAK ROAD", "RIVER WALK", "CHURCH HILL", "KING STREET", "STATION ROAD", "ROSE COURT"]


@family("sign")
class Sign(Family):
    """A sign that can be read from the front."""

    title: ClassVar[str] = "signs with lettering"
    grain: ClassVar[Literal["x", "y", "z"]] = "y"
    styles: ClassVar[tuple[str, ...]] = ("classical", "rustic", "plain")
    slots: ClassVar[dict[str, Slot]] = {
        "board": Slot((), "sign paint"),
        "letters": Slot((), "letter paint"),
        "frame": Slot((), "iron"),
        "post": Slot((), "post"),
        "arms": Slot((), "post"),
        "stone": Slot((), "grave stone"),
        "turf": Slot((), "turf"),
        "plate": Slot((), "warning paint"),
        "border": Slot((), "drum skin"),
        "bolts": Slot((), "bare metal"),
    }

    kind: Literal["street sign", "shop sign", "fingerpost", "stop sign", "gravestone", "number plaque"] = Field(
        default="street sign", description="what it is"
    )
    word: Word = Field(default="OPEN", description="what a shop sign or a fingerpost says")
    street: Name = Field(default="MILL LANE", description="what a street sign says")
    number: int = Field(default=7, ge=2, le=98, description="house number, or year on a gravestone beyond 1800")
    face: Face = Field(default="sans", description="typeface")
    form: Literal["plain", "arched", "shaped"] = Field(default="plain", description="outline of a board or stone")
    size: float = Field(default=1.0, ge=0.88, le=1.12, description="size of the board over the usual")
    scrolls: int = Field(default=2, ge=1, le=3, description="scrolls of a bracket, arms of a fingerpost, lines on a stone")

    def noun(self) -> str:
        return {
            "street sign": f"{{}} street sign that says {self.street}",
            "shop sign": f"hanging {{}} shop sign that says {self.word}",
            "fingerpost": f"{{}} signpost whose arm says {self.word}",
            "stop sign": "{} road sign that says STOP",
            "gravestone": f"{{}} gravestone with the year {1800 + self.number}",
            "number plaque": f"{{}} house number plaque with the number {self.number}",
        }[self.kind]

    def name(self) -> str:
        return {"fingerpost": "signpost", "stop sign": "stop sign", "number plaque": "house number"}.get(self.kind, self.kind)

    def parts(self) -> tuple[str, ...]:
        return {
            "street sign": ("board", "letters", "post", "bolts"),
            "shop sign": ("board", "letters", "frame"),
            "fingerpost": ("arms", "letters", "post", "turf"),
            "stop sign": ("plate", "border", "bolts"),
            "gravestone": ("stone", "turf"),
            "number plaque": ("board", "letters", "bolts"),
        }[self.kind]

    def _board(self, w: float, h: float) -> list[tuple[float, float]]:
        """Outline of a board (w, h half sizes)."""
        if self.form == "arched":
            a = np.linspace(0, np.pi, 25)
            return [(-w, -h), (w, -h), *((w * np.cos(t), 0.75 * h + 0.45 * h * np.sin(t)) for t in a)]
        if self.form == "shaped":
            c = 0.16 * min(w, h) + 0.05
            corner = [(w - c, -h), (w - c, -h + c * 0.5), (w - 0.5 * c, -h + c), (w, -h + c)]
            right = corner + [(x, -z) for x, z in corner[::-1]]
            return right + [(-x, z) for x, z in right[::-1]]
        return [(-w, -h), (w, -h), (w, h), (-w, h)]

    def _plate(self, outline_points: list[tuple[float, float]], thick: float, rim: float) -> list[Manifold]:
        """A board and its raised rim on both faces."""
        points = np.array(outline_points)
        middle = (points.max(0) + points.min(0)) / 2
        half = (points.max(0) - points.min(0)) / 2
        inner = (points - middle) * (1 - rim / half) + middle
        return [cut(points, thick), cut(points, thick + 0.05, 0.0, [inner])]

    def _post(self, builder: Builder, r: float, low: float, high: float, x: float = 0.0, y: float = 0.0) -> list[Manifold]:
        line = [
            (0, low),
            (1.9 * r, low),
            (1.9 * r, low + 0.06),
            (1.3 * r, low + 0.1),
            (1.2 * r, low + 0.2),
            (r, low + 0.22),
            (r, high - 0.08),
            (1.3 * r, high - 0.06),
            (1.3 * r, high - 0.02),
        ]
        cap = [
            (1.1 * r, high + 0.02),
            (0.5 * r, high + 0.03),
            (0.9 * r, high + 0.08),
            (0.6 * r, high + 0.15),
            (0.08 * r, high + 0.2),
            (0, high + 0.2),
        ]
        return [builder.sweep(lathe([*line, *cap]), segments=36).translate([x, y, 0])]

    def _street_sign(self, builder: Builder) -> list[Solid]:
        w, h = 0.98 * self.size, 0.26 * self.size
        plates = self._plate(self._board(w, h), 0.07, 0.045)
        lift = 0.45
        solids = [Solid(p.translate([0, 0, lift]), "board") for p in plates]
        for turn in (0, 180):
            text = write(self.street, 0.24 * self.size, 1.7 * w, 0.07, self.face).translate(
                [0, -0.05, lift + (0.04 if self.form == "arched" else 0)]
            )
            solids.append(Solid(text.rotate([0, 0, float(turn)]), "letters"))
        for s in (1, -1):
            x = s * 0.8 * w
            solids += [Solid(b, "post") for b in self._post(builder, 0.045, -0.95, lift + h + 0.1, x, 0.09)]
            for z in (lift + 0.15, lift - 0.15):
                solids += [
                    Solid(cylinder(0.03, 0.2, (x, 0.03, z), "y", 16), "bolts"),
                    Solid(Manifold.sphere(0.034, 14).translate([x, -0.06, z]), "bolts"),
                ]
            solids += [Solid(strut((x, 0.09, lift - 0.26), (x - s * 0.25, 0.05, lift - 0.2), 0.024, 8), "post")]
        return [*solids, Solid(cylinder(0.03, 1.6 * w, (0, 0.09, lift - 0.48), "x", 14), "post")]

    def _shop_sign(self, builder: Builder) -> list[Solid]:
        w, h = 0.72 * self.size, 0.44 * self.size
        solids = [Solid(p.translate([0, 0, -0.3]), "board") for p in self._plate(self._board(w, h), 0.09, 0.06)]
        for turn in (0, 180):
            text = write(self.word, 0.36 * self.size, 1.6 * w, 0.09, self.face).translate([0, -0.055, -0.3])
            line = box((1.1 * w, 0.09, 0.022), (0, -0.04, -0.3 - 0.62 * h), 0.005)
            solids += [Solid(b.rotate([0, 0, float(turn)]), "letters") for b in (text, line)]
        bar = 0.52
        solids += [
            Solid(strut((-0.9, 0, bar), (0.95, 0, bar), 0.035, 14), "frame"),
            Solid(Manifold.sphere(0.07, 20).translate([0.97, 0, bar]), "frame"),
        ]
        wall = [
            box((0.06, 0.24, 1.1), (-0.95, 0, 0.45), 0.02),
            *(Manifold.sphere(0.035, 14).translate([-0.91, y, z]) for y in (-0.07, 0.07) for z in (0.0, 0.9)),
        ]
        solids += [Solid(b, "frame") for b in wall]
        for k in range(self.scrolls):
            t = np.linspace(0, 3.4 * np.pi, 60)
            r = 0.2 * np.exp(-0.13 * t) * (1 - 0.18 * k)
            centre = np.array([-0.62 + 0.42 * k, 0, bar + 0.24 - 0.03 * k])
            path = np.stack(
                [centre[0] + r * np.cos(t + np.pi / 2 + 2.5), 0 * t, centre[2] + r * np.sin(t + np.pi / 2 + 2.5)], 1
            )
            solids += [
                Solid(builder.sweep(tube(path, 0.026)), "frame"),
                Solid(strut(path[0], (path[0][0], 0, bar), 0.026, 10), "frame"),
            ]
        brace = curve([(-0.93, 0, 0.95), (-0.4, 0, 0.88), (0.3, 0, 0.72), (0.8, 0, bar)], 20)
        solids.append(Solid(builder.sweep(tube(brace, 0.028)), "frame"))
        for x in (-0.45 * w, 0.45 * w):
            foot = -0.3 + h - 0.02 if self.form != "arched" else -0.3 + 0.75 * h + 0.45 * h * np.sqrt(1 - 0.45**2) - 0.03
            links = max(2, int((bar - foot) / 0.085))
            for k in range(links):
                z = foot + (bar - foot) * (k + 0.5) / links
                a = np.linspace(0, 2 * np.pi, 20, endpoint=False)
                ring = np.stack([0.032 * np.cos(a), 0 * a, 0.68 * (bar - foot) / links * np.sin(a)], 1)
                solids.append(
                    Solid(
                        builder.sweep(tube(ring, 0.016, True), segments=8).rotate([0, 0, 90.0 * (k % 2)]).translate([x, 0, z]),
                        "frame",
                    )
                )
        return solids

    def _fingerpost(self, builder: Builder) -> list[Solid]:
        words = [self.word, "MILL", "TOWN HALL"]
        solids = [Solid(b, "post") for b in self._post(builder, 0.07, -1.0, 0.95)]
        for k in range(self.scrolls):
            z, side = 0.68 - 0.34 * k, 1 if k % 2 == 0 else -1
            long = 1.05 * self.size - 0.08 * k
            arm = cut([(-0.14, -0.12), (long - 0.14, -0.12), (long, 0.0), (long - 0.14, 0.12), (-0.14, 0.12)], 0.1, 0.012)
            rim = [box((long - 0.2, 0.13, 0.02), ((long - 0.3) / 2, 0, s * 0.1)) for s in (1, -1)]
            solids += [Solid(b.rotate([0, 0, 0.0 if side > 0 else 180.0]).translate([0, 0, z]), "arms") for b in (arm, *rim)]
            for front in (-1, 1):
                text = write(words[k], 0.13, 0.7 * long, 0.06, self.face)
                body = text if front < 0 else text.rotate([0, 0, 180])
                solids.append(Solid(body.translate([side * (0.07 + 0.45 * long), front * 0.062, z]), "letters"))
            ring = subtract(cylinder(0.1, 0.3, (0, 0, z), segments=32), [cylinder(0.05, 1, (0, 0, z), segments=20)])
            solids.append(Solid(ring, "post"))
        mound = builder.sweep(lathe([(0, -1.08), (0.42, -1.08), (0.4, -1.0), (0.2, -0.94), (0, -0.93)]), segments=36)
        rng = builder.rng("grass")
        blades = []
        for k in range(40):
            a, q = 2.39996 * k, 0.38 * np.sqrt((k + 3) / 43)
            foot = np.array([q * np.cos(a), q * np.sin(a), -1.02])
            blades.append(strut(foot, foot + [*rng.uniform(-0.05, 0.05, 2), rng.uniform(0.12, 0.24)], 0.02, 6, 0.006))
        return [*solids, Solid(mound, "turf"), *(Solid(b, "turf") for b in blades)]

    def _stop_sign(self, builder: Builder) -> list[Solid]:
        r = 0.58 * self.size
        a = np.pi / 8 + np.arange(8) * np.pi / 4
        shape = np.stack([r * np.cos(a), r * np.sin(a)], 1)
        lift = 0.42
        plate = cut(shape, 0.06).translate([0, 0, lift])
        rim = [cut(shape * f, 0.1, 0.0, [shape * g]).translate([0, 0.0, lift]) for f, g in ((0.96, 0.89),)]
        text = write("STOP", 0.36 * self.size, 1.45 * r, 0.06, self.face if self.face != "serif" else "sans").translate(
            [0, -0.04, lift]
        )
        solids = [Solid(plate, "plate"), *(Solid(b, "border") for b in (*rim, text))]
        edge = np.c_[shape[:, 0], np.zeros(8), shape[:, 1] + lift]
        solids += [Solid(strut(p, q, 0.04, 8), "plate") for p, q in pairwise([*edge, edge[0]])]
        solids += [Solid(b, "bolts") for b in self._post(builder, 0.05, -1.0, lift + r - 0.1, 0.0, 0.09)]
        for z in (lift + 0.4 * r + 0.14, lift - 0.4 * r - 0.14):
            solids += [
                Solid(Manifold.sphere(0.034, 16).scale([1, 0.7, 1]).translate([0, -0.035, z]), "bolts"),
                Solid(box((0.2, 0.1, 0.07), (0, 0.06, z), 0.012), "bolts"),
            ]
        holes = [cylinder(0.018, 0.3, (0, 0.09, z), "x", 8) for z in np.linspace(-0.7, -0.2, 8)]
        return [
            Solid(subtract(s.body, holes) if s.part == "bolts" and k == len(solids) - 5 else s.body, s.part)
            for k, s in enumerate(solids)
        ]

    def _gravestone(self, builder: Builder) -> list[Solid]:
        w, h = 0.56 * self.size, 0.92
        if self.form == "plain":
            a = np.linspace(0, np.pi, 33)
            line = [(-w, -h), (w, -h), *((w * np.cos(t), 0.42 + w * 0.9 * np.sin(t)) for t in a)]
        elif self.form == "arched":
            line = [
                (-w, -h),
                (w, -h),
                (w, 0.4),
                (0.62 * w, 0.55),
                (0.42 * w, 0.75),
                (0.0, 0.98),
                (-0.42 * w, 0.75),
                (-0.62 * w, 0.55),
                (-w, 0.4),
            ]
        else:
            line = [
                (-w, -h),
                (w, -h),
                (w, 0.3),
                (0.86 * w, 0.42),
                (0.62 * w, 0.42),
                (0.55 * w, 0.62),
                (0.3 * w, 0.85),
                (0.0, 0.92),
                (-0.3 * w, 0.85),
                (-0.55 * w, 0.62),
                (-0.62 * w, 0.42),
                (-0.86 * w, 0.42),
                (-w, 0.3),
            ]
        points = np.array(line)
        inner = points * [0.86, 0.9] + [0, -0.01]
        stone = subtract(cut(points, 0.26, 0.03), [cut(inner, 0.1).translate([0, -0.16, 0])])
        year = str(1800 + self.number)
        lines = [("REST", 0.15, 0.36), ("IN PEACE", 0.11, 0.16), (year, 0.17, -0.12)]
        solids = [Solid(stone, "stone")]
        for text, tall, z in lines:
            solids.append(
                Solid(
                    write(text, tall, 1.35 * w, 0.09, self.face if self.face != "mono" else "serif").translate([0, -0.1, z]),
                    "stone",
                )
            )
        solids += [
            Solid(box(((1.1 - 0.2 * k) * w, 0.09, 0.02), (0, -0.1, -0.3 - 0.09 * k), 0.005), "stone")
            for k in range(self.scrolls + 1)
        ]
        cross = [box((0.05, 0.09, 0.24), (0, -0.1, 0.62), 0.008), box((0.16, 0.09, 0.05), (0, -0.1, 0.66), 0.008)]
        steps = [box((2 * w + 0.24, 0.5, 0.14), (0, 0, -0.92), 0.025), box((2 * w + 0.1, 0.38, 0.12), (0, 0, -0.8), 0.02)]
        solids += [Solid(b, "stone") for b in (*(cross if self.form != "shaped" else []), *steps)]
        turf = (
            cut(outline([(-0.9, -0.62), (0, -0.75), (0.9, -0.6), (0.95, 0.2), (0.4, 0.42), (-0.5, 0.4), (-0.95, 0.1)], 40), 0.1)
            .rotate([-90, 0, 0])
            .translate([0, 0, -1.0])
        )
        rng = builder.rng("grass")
        blades = []
        for _ in range(90):
            x, y = rng.uniform(-0.85, 0.85), rng.uniform(-0.58, 0.34)
            foot = np.array([x, y, -0.98])
            blades.append(strut(foot, foot + [*rng.uniform(-0.05, 0.05, 2), rng.uniform(0.1, 0.22)], 0.022, 6, 0.006))
        return [*solids, Solid(turf, "turf"), *(Solid(b, "turf") for b in blades)]

    def _number_plaque(self, builder: Builder) -> list[Solid]:
        r = 0.9 * self.size
        if self.form == "plain":
            a = np.linspace(0, 2 * np.pi, 72, endpoint=False)
            shape = np.stack([r * np.cos(a), 0.78 * r * np.sin(a)], 1)
        else:
            shape = np.array(self._board(r, 0.62 * r))
            shape = shape - (shape.max(0) + shape.min(0)) / 2
        body = cut(shape, 0.12, 0.02)
        rims = [cut(shape * f, 0.2, 0.0, [shape * g]) for f, g in ((0.95, 0.88), (0.83, 0.81))]
        text = write(str(self.number), 0.72 * r, 1.2 * r, 0.12, self.face).translate([0, -0.08, 0])
        solids = [
            Solid(body, "board"),
            *(Solid(b ^ box((4, 2, 4), (0, -1.0, 0)), "letters") for b in rims),
            Solid(text, "letters"),
        ]
        foot = [
            box((0.9 * r, 0.5, 0.1), (0, 0.1, -0.78 * r - 0.02 if self.form == "plain" else shape[:, 1].min() - 0.02), 0.02)
        ]
        bolts = [Manifold.sphere(0.05, 18).scale([1, 0.7, 1]).translate([s * 0.72 * r, -0.07, 0]) for s in (1, -1)]
        slots = [box((0.07, 0.05, 0.014), (s * 0.72 * r, -0.11, 0)) for s in (1, -1)]
        return [
            *solids,
            *(Solid(f, "board") for f in foot),
            *(Solid(subtract(b, [t]), "bolts") for b, t in zip(bolts, slots, strict=True)),
        ]
