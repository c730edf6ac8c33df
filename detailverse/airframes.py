"""Parts of aircraft: fuselages through stations, wings with flaps, fins with rudders."""

from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator

from versemill.detailverse.solids import Builder, Manifold, Solid, around, box, cylinder, hull, mirrored, strut, subtract, union
from versemill.detailverse.spines import lathe

Station = tuple[float, float, float, float]
Point = tuple[float, float, float]


def fuselage(builder: Builder, stations: list[Station]) -> Manifold:
    """A fuselage through (y, z, half width, half height) stations, pointed at both ends."""
    knots = np.array(stations)
    y = np.linspace(knots[0, 0], knots[-1, 0], 60)
    z, w, h = (PchipInterpolator(knots[:, 0], knots[:, k])(y) for k in (1, 2, 3))
    a = np.linspace(0, 2 * np.pi, 56 if builder.fine else 36, endpoint=False)
    rings = [np.stack([w[k] * np.cos(a), 0 * a + y[k], z[k] + h[k] * np.sin(a)], 1) for k in range(len(y))]
    slices = [hull(np.concatenate(pair)) for pair in pairwise(rings)]
    return union(slices)


def wings(root: Point, tip: Point, chord: float, end: float, thick: float = 0.05) -> list[Manifold]:
    """Both wings: an aerofoil from root to tip, with gaps before its flaps and ailerons."""
    foil = np.array([(0, 0.0), (0.08, 0.5), (0.3, 0.9), (0.6, 0.7), (1.0, 0.06), (1.0, -0.06), (0.5, -0.3), (0.1, -0.35)])
    rings = []
    for place, c, t in ((root, chord, thick), (tip, end, 0.45 * thick)):
        rings.append([(place[0], place[1] + c * (f - 0.3), place[2] + t * h) for f, h in foil])
    wing = hull(np.array(rings[0] + rings[1]))
    a, b = np.array(root), np.array(tip)
    hinge = [(a + f * (b - a) + [0, 0.46 * (chord + f * (end - chord)), 0]) for f in (0.12, 0.92)]
    slit = Manifold.batch_hull([box((0.012, 0.012, 0.03), p + [0, 0, 0.5 * thick]) for p in hinge])
    cross = [
        box((0.012, 0.26 * chord, 0.05), a + f * (b - a) + [0, 0.6 * (chord + f * (end - chord)), 0.5 * thick])
        for f in (0.12, 0.52, 0.92)
    ]
    return mirrored([subtract(wing, [slit, *cross])])


def tail_fin(y: float, z: float, long: float, tall: float, lean: float, x: float = 0.0, out: float = 0.0) -> Manifold:
    """An upright fin with a rudder."""
    low = [(x, y, z), (x, y + long, z)]
    high = [(x + out, y + lean, z + tall), (x + out, y + lean + 0.5 * long, z + tall)]
    body = hull(
        np.array(
            [(px + s, py, pz) for px, py, pz in low + high for s in (0.022, -0.022)]
            + [(x + 0.03, y + 0.4 * long, z), (x - 0.03, y + 0.4 * long, z)]
        )
    )
    slit = strut((x, y + 0.72 * long, z + 0.05), (x + out, y + lean + 0.36 * long, z + tall), 0.008, 6)
    return subtract(body, [slit.translate([s, 0, 0]) for s in (0.026, -0.026)])


def gear(spots: list[tuple[float, float, float, float]], top: float) -> list[Solid]:
    """Wheels on struts; each spot is (x, y, z, radius)."""
    solids = []
    for x, y, z, r in spots:
        tyre = union([cylinder(r, 0.09, (x, y, z), "x", 32), cylinder(0.8 * r, 0.12, (x, y, z), "x", 32)])
        solids += [Solid(tyre, "wheels"), Solid(cylinder(0.4 * r, 0.14, (x, y, z), "x", 20), "struts")]
        solids.append(Solid(strut((x * 0.5, y, top), (x, y, z), 0.028, 10), "struts"))
    return solids


def jet_engine(builder: Builder) -> Manifold:
    """A pod with its fan to the front."""
    pod = lathe(
        [(0, -0.16), (0.045, -0.16), (0.078, -0.06), (0.088, 0.08), (0.084, 0.15), (0.072, 0.16), (0.066, 0.1), (0, 0.1)]
    )
    fan = union(
        [
            cylinder(0.07, 0.03, (0, 0, 0.1)),
            cylinder(0.02, 0.12, (0, 0, 0.12), top=0.004),
            *around(box((0.06, 0.02, 0.05), (0.035, 0, 0.11)).rotate([25, 0, 0]), 12),
        ]
    )
    return union([builder.sweep(pod, segments=40), fan]).rotate([90, 0, 0])


def propeller(builder: Builder, blades: int, y: float, z: float, long: float) -> list[Solid]:
    """A propeller with its spinner, turning about y."""
    blade = hull(
        np.array(
            [
                (w * x, t, f * long)
                for f, w in ((0.08, 0.03), (0.45, 0.075), (0.9, 0.06), (1.0, 0.02))
                for x, t in ((1, 0.02), (-1, -0.02), (0.3, -0.02), (-0.3, 0.02))
            ]
        )
    )
    cone = builder.sweep(lathe([(0, -0.06), (0.09, -0.06), (0.085, 0.02), (0.05, 0.1), (0, 0.14)]), segments=32).rotate(
        [90, 0, 0]
    )
    return [Solid(b.translate([0, y, z]), "propeller") for b in (*around(blade, blades, "y"), cone)]


def radial_engine(y: float, girth: float) -> list[Manifold]:
    """Seven finned cylinders round a crankcase, the shaft along y."""
    fins = (cylinder(0.06, 0.014, (0, 0, 0.11 * girth + 0.025 * k), segments=16) for k in range(5))
    pot = union([cylinder(0.045, 0.14, (0, 0, 0.16 * girth), segments=16), *fins])
    case = [cylinder(0.15 * girth, 0.12, (0, 0.02, 0), "y", 40), cylinder(0.06, 0.14, (0, -0.06, 0), "y", 24)]
    return [body.translate([0, y, 0]) for body in (*around(pot, 7, "y"), *case)]
