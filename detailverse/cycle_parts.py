"""Parts of cycles: saddles on springs, baskets of rods."""

from itertools import pairwise

import numpy as np

from versemill.detailverse.solids import Solid, box, cylinder, hull, strut

Spot = tuple[float, float, float]


def saddle(at: Spot, size: float = 1.0) -> list[Solid]:
    """A saddle on its springs, its nose to the front."""
    plan = [
        (-0.11, 0.14),
        (-0.12, 0.06),
        (-0.04, -0.08),
        (-0.03, -0.2),
        (0.0, -0.22),
        (0.03, -0.2),
        (0.04, -0.08),
        (0.12, 0.06),
        (0.11, 0.14),
        (0.0, 0.17),
    ]
    top = hull(np.array([(x * size, y * size, z) for x, y in plan for z in (0.0, 0.05 + 0.05 * (y > 0.05))]))
    springs = [cylinder(0.03, 0.02, (x, 0.08, -0.02 - 0.028 * k), segments=16) for x in (-0.06, 0.06) for k in range(3)]
    rail = [strut((x, -0.12, -0.01), (x, 0.1, -0.05), 0.014, 8) for x in (-0.05, 0.05)]
    return [
        Solid(top.translate(at), "saddle"),
        *(Solid(b.translate(at), "wheels") for b in (*springs, *rail, box((0.16, 0.05, 0.03), (0, 0.05, -0.05)))),
    ]


def basket(y: float, z: float) -> list[Solid]:
    """An open basket of rods."""
    solids = []
    for k in range(6):
        w, d, h = 0.17 + 0.012 * k, 0.12 + 0.01 * k, z - 0.26 + 0.05 * k
        corners = [(w, y - d, h), (-w, y - d, h), (-w, y + d, h), (w, y + d, h)]
        solids += [Solid(strut(a, b, 0.018, 6), "basket") for a, b in pairwise([*corners, corners[0]])]
    for f in np.linspace(-1, 1, 6):
        for s in (1, -1):
            solids.append(
                Solid(strut((0.17 * f, y + 0.12 * s, z - 0.26), (0.23 * f, y + 0.17 * s, z - 0.01), 0.014, 6), "basket")
            )
            solids.append(
                Solid(strut((0.17 * s, y + 0.12 * f, z - 0.26), (0.23 * s, y + 0.17 * f, z - 0.01), 0.014, 6), "basket")
            )
    floor = [strut((x, y - 0.12, z - 0.26), (x, y + 0.12, z - 0.26), 0.014, 6) for x in np.linspace(-0.15, 0.15, 6)]
    return [
        *solids,
        *(Solid(b, "basket") for b in floor),
        Solid(strut((0, y + 0.12, z - 0.02), (0, y + 0.28, z - 0.02), 0.02, 8), "frame"),
        Solid(strut((0, y + 0.1, z - 0.25), (0, y + 0.2, z - 0.3), 0.02, 8), "frame"),
    ]
