"""Side views of road vehicles."""

import itertools

import numpy as np

Outline = list[tuple[float, float]]


def side_view(
    kind: str, slant: float, tall: float, bars: int
) -> tuple[Outline, list[Outline], float, tuple[float, ...], float]:
    """Side view (y, z) from the nose at -1, windows, half width, axles, wheel radius."""
    s, t = slant, tall
    if kind == "van":
        top = 0.52 * t
        shell = [
            (-1, -0.3),
            (1, -0.3),
            (1, top - 0.06),
            (0.95, top),
            (-0.45, top),
            (-0.55, top - 0.02),
            (-0.78, 0.12),
            (-0.97, 0.04),
            (-1, -0.05),
        ]
        glass = [[(-0.72, 0.14), (-0.4, 0.14), (-0.4, top - 0.12), (-0.56, top - 0.12)]]
        return shell, glass, 0.42, (-0.62, 0.62), 0.2
    if kind == "bus":
        top = 0.5 * t
        shell = [
            (-1.2, -0.36),
            (1.2, -0.36),
            (1.2, top - 0.08),
            (1.14, top),
            (-1.12, top),
            (-1.18, top - 0.06),
            (-1.22, 0.0),
        ]
        count = bars
        span = np.linspace(-1.08, 1.1, count + 1)
        glass = [
            [(a + 0.03, 0.02), (b - 0.03, 0.02), (b - 0.03, top - 0.14), (a + 0.03, top - 0.14)]
            for a, b in itertools.pairwise(span)
        ]
        return shell, glass, 0.38, (-0.72, 0.72), 0.2
    if kind in ("pickup", "lorry"):
        top = (0.36 if kind == "pickup" else 0.5) * t
        back = 0.16 if kind == "pickup" else -0.3
        bonnet = 0.1 - 0.05 * s
        if kind == "pickup":
            shell = [
                (-1.05, -0.28),
                (1.05, -0.28),
                (1.05, 0.06),
                (back + 0.04, 0.06),
                (back, top),
                (-0.26, top),
                (-0.45, bonnet),
                (-0.98, bonnet - 0.06),
                (-1.05, -0.02),
            ]
            glass = [
                [(-0.38, 0.1), (-0.12, 0.1), (-0.12, top - 0.06), (-0.24, top - 0.06)],
                [(-0.08, 0.1), (back - 0.02, 0.1), (back - 0.03, top - 0.06), (-0.08, top - 0.06)],
            ]
            return shell, glass, 0.42, (-0.64, 0.62), 0.23
        shell = [(-1.1, -0.32), (back, -0.32), (back, top), (-0.84, top), (-0.98, 0.12), (-1.08, 0.06), (-1.1, -0.1)]
        glass = [[(-0.92, 0.12), (-0.62, 0.12), (-0.62, top - 0.1), (-0.82, top - 0.1)]]
        return shell, glass, 0.42, (-0.72, 0.34, 0.78), 0.24
    top = 0.34 * t
    tail = 0.1 if s > 0.5 else 0.08
    boot = 0.62 if s > 0.5 else 0.86
    shell = [
        (-1, -0.28),
        (1, -0.28),
        (1, -0.02),
        (0.97, tail),
        (boot, tail + 0.02),
        (0.34 + 0.2 * (s < 0.5), top),
        (-0.12, top),
        (-0.42, 0.1),
        (-0.9, 0.03),
        (-1, -0.06),
    ]
    glass = [[(-0.32, 0.1), (0.06, 0.1), (0.06, top - 0.06), (-0.1, top - 0.06)],
             [(0.1, 0.1), (boot - 0.14, 0.1), (0.32 + 0.2 * (s < 0.5), top - 0.06), (0.1, top - 0.06)]]  # fmt: skip
    return shell, glass, 0.42, (-0.62, 0.6), 0.2
