"""Hands, feet and clothes of human figures."""

import numpy as np

from versemill.detailverse.fields import Floats
from versemill.detailverse.solids import Builder, Manifold, Solid, box, strut
from versemill.detailverse.spines import lathe, lobed, tube


def fingers(at: Floats, way: Floats, part: str = "skin") -> list[Solid]:
    """A hand at a wrist, its fingers along `way`."""
    way = way / np.linalg.norm(way)
    side = np.cross(way, [0.0, 1.0, 0.0])
    side = side / max(np.linalg.norm(side), 1e-6)
    fingers = [strut(at + 0.03 * k * side, at + 0.1 * way + 0.032 * k * side, 0.018, 8, 0.013) for k in (-1, -0.33, 0.33, 1)]
    thumb = strut(at, at + 0.05 * way - 0.075 * side, 0.02, 8, 0.015)
    return [Solid(b, part) for b in (Manifold.sphere(0.052, 16).scale([1, 0.7, 1]).translate(at.tolist()), *fingers, thumb)]


def shoe(ankle: Floats, turn: float = 0.0) -> list[Solid]:
    """A laced shoe below an ankle, turned by degrees."""
    shoe = Manifold.batch_hull(
        [
            Manifold.sphere(0.062, 20).scale([1, 1.1, 0.9]),
            Manifold.sphere(0.055, 20).scale([1.05, 1.2, 0.62]).translate([0, -0.15, -0.02]),
            box((0.11, 0.26, 0.03), (0, -0.07, -0.05), 0.01),
        ]
    )
    sole = box((0.13, 0.33, 0.03), (0, -0.08, -0.06), 0.012)
    laces = [
        strut((-0.035, -0.05 - 0.035 * k, 0.04 - 0.012 * k), (0.035, -0.05 - 0.035 * k, 0.04 - 0.012 * k), 0.011, 6)
        for k in range(3)
    ]
    return [
        Solid(b.rotate([0, 0, turn]).translate(ankle.tolist()), part)
        for b, part in ((shoe, "shoes"), (sole, "shoes"), *((x, "eyes") for x in laces))
    ]


def clothes(builder: Builder, hip: float, lean: float, w: float) -> list[Solid]:
    """Collar, buttons, hem and belt of a shirt."""
    a = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    hem = np.stack([0.185 * w * np.cos(a), 0.13 * np.sin(a), 0 * a + hip - 0.0], 1)
    collar = np.stack([0.095 * np.cos(a), lean + 0.015 + 0.09 * np.sin(a), hip + 0.6 + 0.02 * np.sin(a)], 1)
    buttons = [Manifold.sphere(0.015, 10).translate([0, lean * 0.4 - 0.128, hip + 0.15 + 0.085 * k]) for k in range(5)]
    buckle = box((0.06, 0.03, 0.045), (0, -0.135, hip), 0.008)
    return [
        Solid(builder.sweep(tube(hem, 0.03, True)), "shoes"),
        Solid(builder.sweep(tube(collar, 0.03, True)), "shirt"),
        *(Solid(b, "eyes") for b in buttons),
        Solid(buckle, "eyes"),
    ]


def skirt(builder: Builder, low: float, high: float, wide: float, narrow: float, folds: int) -> Manifold:
    """Deep folds from a waist to a hem."""
    z = np.linspace(low, high, 24)
    f = (high - z) / (high - low)
    r = narrow + (wide - narrow) * f**0.8
    folded = lathe(
        [(0, low), (r[0] * 0.96, low), *zip(r, z, strict=True), (0, high)], None, lobed(folds, 0.13, sharp=True), 0.05
    )
    return builder.sweep(folded, segments=6 * folds).scale([1, 0.82, 1])
