"""Vessels: vases, amphorae, urns, bowls, jugs, teapots; hollow, with a foot, a lip, handles, a spout or a lid."""
# ruff: noqa: D102 - the base class documents its methods

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.interpolate import CubicSpline, PchipInterpolator

from versemill.detailverse.palette import ROUND, STRIP
from versemill.detailverse.registry import Family, Slot, family
from versemill.detailverse.solids import Builder, Solid
from versemill.detailverse.spines import circle, lathe, lobed, polygon, tube

SHAPES: dict[str, tuple[tuple[float, float], ...]] = {
    "vase": ((0, 0.5), (0.25, 0.85), (0.5, 1.0), (0.75, 0.62), (0.88, 0.5), (1, 0.68)),
    "amphora": ((0, 0.3), (0.25, 0.68), (0.55, 1.0), (0.75, 0.68), (0.86, 0.34), (1, 0.42)),
    "bowl": ((0, 0.42), (0.2, 0.68), (0.5, 0.9), (0.8, 0.99), (1, 1.04)),
    "jug": ((0, 0.62), (0.2, 0.92), (0.42, 1.0), (0.7, 0.66), (0.84, 0.54), (1, 0.66)),
    "teapot": ((0, 0.6), (0.2, 0.88), (0.5, 1.0), (0.8, 0.8), (1, 0.46)),
    "urn": ((0, 0.34), (0.15, 0.6), (0.45, 0.94), (0.72, 1.0), (0.9, 0.74), (1, 0.8)),
    "goblet": ((0, 0.26), (0.1, 0.6), (0.35, 0.9), (0.7, 0.98), (1, 0.9)),
    "bottle": ((0, 0.86), (0.2, 1.0), (0.5, 0.92), (0.66, 0.45), (0.8, 0.25), (1, 0.3)),
}
"""(height, radius) of the outline, both relative."""

WIDTHS = {"vase": 0.5, "amphora": 0.52, "bowl": 1.0, "jug": 0.58, "teapot": 0.72, "urn": 0.6, "goblet": 0.5, "bottle": 0.42}


@family("vessel")
class Vessel(Family):
    """A thrown or cast hollow vessel."""

    title: ClassVar[str] = "vessels"
    slots: ClassVar[dict[str, Slot]] = {
        "body": Slot(ROUND, "vessel", bands=3),
        "foot": Slot(STRIP, "vessel"),
        "handles": Slot(("rope", "ribs", "knurling", "beads"), "vessel", ornament=0.9),
        "lid": Slot(("ribs", "scales", "fluting", "beads"), "vessel"),
    }

    shape: Literal["vase", "amphora", "bowl", "jug", "teapot", "urn", "goblet", "bottle"] = Field(
        default="vase", description="outline"
    )
    slender: float = Field(default=1.0, ge=0.8, le=1.25, description="height over width, relative to the outline's own")
    swell: float = Field(default=1.0, ge=0.75, le=1.2, description="exponent of the outline's radius: fuller or waspish")
    section: Literal["round", "lobed", "octagonal"] = Field(default="round", description="cross-section")
    foot: float = Field(default=0.1, ge=0.04, le=0.2, description="height of the foot")
    lip: float = Field(default=0.04, ge=0.02, le=0.07, description="how far the lip turns out")
    handle: float = Field(default=0.5, ge=0.2, le=0.8, description="reach of the handles")

    def parts(self) -> tuple[str, ...]:
        extra = {"amphora": ("handles",), "jug": ("handles",), "teapot": ("handles", "lid"), "urn": ("lid",)}
        return ("body", "foot", *extra.get(self.shape, ()))

    def noun(self) -> str:
        proportion = "tall " if self.slender > 1.12 else "squat " if self.slender < 0.9 else ""
        extra = {"amphora": " with two handles", "jug": " with a handle and a spout", "teapot": " with a spout and a lid",
                 "urn": " with a lid"}.get(self.shape, "")  # fmt: skip
        faceted = {"lobed": "lobed ", "octagonal": "octagonal "}.get(self.section, "")
        return f"{proportion}{faceted}{{}} {self.shape}{extra}"

    def build(self, builder: Builder) -> list[Solid]:
        wide = WIDTHS[self.shape]
        height = 1.7 * self.slender if self.shape != "bowl" else 0.85 * self.slender
        height = {"teapot": 1.1, "goblet": 1.0}.get(self.shape, height)
        knots = np.array(SHAPES[self.shape])
        z = np.linspace(0, 1, 60)
        r = wide * np.maximum(PchipInterpolator(knots[:, 0], knots[:, 1])(z), 0.05) ** self.swell
        z = z * height
        wall = 0.06
        inner_r, inner_z = np.maximum(r - wall, 0.02)[::-3], z[::-3]
        keep = inner_z > 0.12 * height
        outline = [(0, 0), (r[0], 0), *zip(r, z, strict=True)]
        lip = [(r[-1] + self.lip, height + 0.02), (r[-1] + self.lip, height + 0.06), (r[-1] - wall / 2, height + 0.07)]
        profile = [*outline, *lip, *zip(inner_r[keep], inner_z[keep], strict=True), (0, 0.1 * height)]
        contour = {"lobed": lobed(8, 0.05), "octagonal": polygon(8)}.get(self.section, circle)
        solids = [Solid(builder.sweep(lathe(profile, (2 + 2, 2 + 57), contour), "body"), "body")]
        solids += self._foot(builder, float(r[0]))
        top = r[int(np.argmin(np.abs(z - 0.78 * height)))]
        if self.shape in ("amphora", "jug"):
            for side in (1, -1) if self.shape == "amphora" else (1,):
                solids.append(self._handle(builder, side, float(top), height, r, z))
        if self.shape == "jug":
            solids.append(self._spout(builder, 0.80 * height, height, float(r[-8])))
        if self.shape == "teapot":
            solids += [self._handle(builder, 1, float(r[30]), height, r, z), self._teapot_spout(builder, height, r)]
        if self.shape in ("teapot", "urn"):
            solids.append(self._lid(builder, float(r[-1]), height))
        return solids

    def _foot(self, builder: Builder, radius: float) -> list[Solid]:
        stem = self.shape == "goblet"
        height = 0.7 if stem else self.foot
        base = radius * (2.2 if stem else 1.25)
        if stem:
            profile = [(0, -height), (base, -height), (base, -height + 0.06), (base * 0.8, -height + 0.1), (0.12, -0.5),
                       (0.08, -0.4), (0.14, -0.32), (0.08, -0.24), (0.09, -0.1), (radius * 0.95, 0.02), (0, 0.02)]  # fmt: skip
            return [Solid(builder.sweep(lathe(profile, (1, 2)), "foot"), "foot")]
        profile = [(0, -height), (base, -height), (base, -0.3 * height), (radius * 0.98, 0.02), (0, 0.02)]
        return [Solid(builder.sweep(lathe(profile, (1, 2)), "foot"), "foot")]

    def _handle(self, builder: Builder, side: int, top: float, height: float, r: np.ndarray, z: np.ndarray) -> Solid:
        high, low = (0.9, 0.5) if self.shape == "amphora" else (0.86, 0.25)
        ends = [float(np.interp(f * height, z, r)) - 0.02 for f in (low, high)]
        reach = max(ends) + 0.25 + 0.35 * self.handle
        control = np.array([[ends[0], low], [reach * 0.85, low + 0.14 * (high - low)], [reach, high - 0.3 * (high - low)],
                            [reach * 0.72, high + 0.03], [ends[1], high]])  # fmt: skip
        fine = np.linspace(0, 1, 40)
        x, y = CubicSpline(np.linspace(0, 1, 5), control)(fine).T
        path = np.stack([side * x, 0 * x, y * height], 1)
        return Solid(builder.sweep(tube(path, 0.055 + 0.015 * np.cos(2 * np.pi * fine), up=(0, 1, 0)), "handles"), "handles")

    def _spout(self, builder: Builder, low: float, high: float, radius: float) -> Solid:
        fine = np.linspace(0, 1, 16)
        path = np.stack([-(radius * 0.6 + 0.32 * fine**1.5), 0 * fine, low + (high + 0.08 - low) * fine], 1)
        body = builder.sweep(tube(path, 0.1 + 0.05 * fine, up=(0, 1, 0)))
        return Solid(body, "body")

    def _teapot_spout(self, builder: Builder, height: float, r: np.ndarray) -> Solid:
        fine = np.linspace(0, 1, 24)
        reach = float(r[30])
        path = np.stack([-(reach * 0.8 + 0.55 * fine), 0 * fine, height * (0.35 + 0.7 * fine**2.2)], 1)
        return Solid(builder.sweep(tube(path, 0.17 - 0.1 * fine**0.7, up=(0, 1, 0))), "body")

    def _lid(self, builder: Builder, radius: float, height: float) -> Solid:
        base = height + 0.03
        r = radius + 0.05
        profile = [(0, base - 0.06), (r * 0.8, base - 0.06), (r, base), (r, base + 0.05), (r * 0.9, base + 0.1),
                   (r * 0.6, base + 0.22), (r * 0.22, base + 0.3), (0.05, base + 0.34), (0.05, base + 0.38),
                   (0.1, base + 0.43), (0.09, base + 0.5), (0.0, base + 0.54)]  # fmt: skip
        return Solid(builder.sweep(lathe(profile, (4, 6)), "lid"), "lid")
