"""What is swept: cross-sections, and the spines that carry them along an axis (a lathe) or a path (a tube)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

Floats = NDArray[np.float64]
Contour = Callable[[Floats], tuple[Floats, Floats]]
"""Fractions (N,) round a cross-section -> points (N, 2) of mean radius 1 and outward unit normals (N, 2)."""


def circle(f: Floats) -> tuple[Floats, Floats]:
    """The round cross-section; fraction 0 is the front, -Y."""
    angle = 2 * np.pi * f - np.pi / 2
    points = np.stack([np.cos(angle), np.sin(angle)], 1)
    return points, points


def polygon(sides: int, rounding: float = 0.0) -> Contour:
    """A regular polygon with an edge to the front; `rounding` in [0, 1] blends towards the circle."""

    def contour(f: Floats) -> tuple[Floats, Floats]:
        k = np.floor(f * sides + 0.5)
        within = f * sides + 0.5 - k
        angles = (2 * np.pi * (k + np.array([[-0.5], [0.5]])) / sides) - np.pi / 2
        ends = np.stack([np.cos(angles), np.sin(angles)], -1)
        flat = ends[0] * (1 - within[:, None]) + ends[1] * within[:, None]
        flat = flat / np.cos(np.pi / sides) * (1 + np.cos(np.pi / sides)) / 2
        middle = 2 * np.pi * k / sides - np.pi / 2
        normal = np.stack([np.cos(middle), np.sin(middle)], 1)
        corner = np.minimum(within, 1 - within) < 1e-9
        normal[corner] = ends[0][corner]
        round_points, round_normals = circle(f)
        points = (1 - rounding) * flat + rounding * round_points
        normals = (1 - rounding) * normal + rounding * round_normals
        return points, normals / np.linalg.norm(normals, axis=1, keepdims=True)

    contour.sides = sides  # type: ignore[attr-defined]
    return contour


def lobed(lobes: int, depth: float, sharp: bool = False) -> Contour:
    """A circle with `lobes` outward lobes (or inward-cut gadroons, when sharp) of relative `depth`."""

    def radius(f: Floats) -> Floats:
        wave = np.cos(2 * np.pi * lobes * f)
        return 1 + depth * (2 * np.sqrt((1 + wave) / 2) - 1 if sharp else wave)

    def contour(f: Floats) -> tuple[Floats, Floats]:
        points, normals = circle(f)
        step = 1e-4
        slope = (radius(f + step) - radius(f - step)) / (4 * np.pi * step)
        tangent = np.stack([-normals[:, 1], normals[:, 0]], 1)
        r = radius(f)[:, None]
        normal = normals * r - tangent * slope[:, None]
        return points * r, normal / np.linalg.norm(normal, axis=1, keepdims=True)

    if sharp:
        contour.sides = 2 * lobes  # type: ignore[attr-defined]
    return contour


def rectangle(width: float, height: float) -> Contour:
    """A rectangle of half-sides `width`, `height` for a radius of 1, with the front edge to -Y."""

    def contour(f: Floats) -> tuple[Floats, Floats]:
        total = 4 * (width + height)
        s = np.mod(f, 1.0) * total + width
        s = np.mod(s, total)
        lengths = np.array([2 * width, 2 * height, 2 * width, 2 * height])
        starts = np.r_[0, np.cumsum(lengths)]
        side = np.clip(np.searchsorted(starts, s, side="right") - 1, 0, 3)
        within = s - starts[side]
        corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]])
        along = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
        normal = np.stack([along[side, 1], -along[side, 0]], 1)
        at_corner = within < 1e-9
        mitre = normal + np.roll(np.stack([along[:, 1], -along[:, 0]], 1), 1, axis=0)[side]
        normal[at_corner] = mitre[at_corner] / np.sqrt(2)
        return corners[side] + along[side] * within[:, None], normal

    half = width / (4 * (width + height))
    quarter = height / (2 * (width + height))
    contour.corners = np.array([half, half + quarter, 1 - half - quarter, 1 - half])  # type: ignore[attr-defined]
    return contour


@dataclass(frozen=True, eq=False)
class Spine:
    """What is swept: per station an origin, two axes of the section, a radius and the lean of the normal.

    Attributes:
        t: (K,) arc length, ascending from 0.
        origin, a, b: (K, 3); a and b are unit vectors of the section's plane.
        radius: (K,).
        lean: (K, 2): the surface normal is lean[0] * (section normal) + lean[1] * (along the axis a x b).
        closed: the last station joins the first (and is not repeated).
        field: (low, high) arc lengths of the stretch that is decorated.
    """

    t: Floats
    origin: Floats
    a: Floats
    b: Floats
    radius: Floats
    lean: Floats
    field: tuple[float, float]
    closed: bool = False
    contour: Contour = circle
    twist: float = 0.0

    def place(self, f: Floats, t: float, heights: Floats | float = 0.0) -> Floats:
        """(N, 3) surface points at fractions f round the section at arc length t, raised by `heights`."""
        at = {n: lerp(t, self.t, getattr(self, n)) for n in ("origin", "a", "b", "lean")}
        radius = float(np.interp(t, self.t, self.radius))
        span = self.t[-1] or 1.0
        section, normal = self.contour(f)
        angle = 2 * np.pi * self.twist * t / span
        if angle:
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            section, normal = section @ turn, normal @ turn
        a, b = at["a"] / np.linalg.norm(at["a"]), at["b"] / np.linalg.norm(at["b"])
        lean = at["lean"] / max(float(np.linalg.norm(at["lean"])), 1e-9)
        base = at["origin"] + radius * (section[:, :1] * a + section[:, 1:] * b)
        outward = lean[0] * (normal[:, :1] * a + normal[:, 1:] * b) + lean[1] * np.cross(a, b)
        return base + np.reshape(heights, (-1, 1)) * outward


def lerp(t: float, stations: Floats, values: Floats) -> Floats:
    """Values (K, ...) of stations (K,), ascending, interpolated at t."""
    k = int(np.clip(np.searchsorted(stations, t) - 1, 0, len(stations) - 2))
    w = (t - stations[k]) / max(stations[k + 1] - stations[k], 1e-12)
    return (1 - w) * values[k] + w * values[k + 1]


def lathe(
    profile: ArrayLike, field_rows: tuple[int, int] | None = None, contour: Contour = circle, twist: float = 0.0
) -> Spine:
    """A spine from a profile (K, 2) of (radius, z), walked so that the outside is on its right: bottom, outside, top.

    Args:
        profile: where it starts or ends off the axis, a flat cap is added.
        field_rows: indices of the profile points between which it is decorated; all of it by default.
        twist: turns of the section over the whole length.
    """
    line = np.asarray(profile, np.float64)
    line = line[np.r_[True, np.linalg.norm(np.diff(line, axis=0), axis=1) > 1e-6]] if field_rows is None else line
    steps = np.diff(line, axis=0)
    length = np.maximum(np.linalg.norm(steps, axis=1), 1e-9)
    t = np.r_[0, np.cumsum(length)]
    sides = np.stack([steps[:, 1], -steps[:, 0]], 1) / length[:, None]
    lean = np.concatenate([sides[:1], sides[:-1] + sides[1:], sides[-1:]])
    count = len(line)
    low, high = field_rows or (0, count - 1)
    return Spine(
        t=t,
        origin=np.stack([np.zeros(count), np.zeros(count), line[:, 1]], 1),
        a=np.tile([1.0, 0, 0], (count, 1)),
        b=np.tile([0.0, 1, 0], (count, 1)),
        radius=line[:, 0],
        lean=lean,
        field=(float(t[low]), float(t[high])),
        contour=contour,
        twist=twist,
    )


def tube(
    path: ArrayLike,
    radius: ArrayLike,
    closed: bool = False,
    contour: Contour = circle,
    up: ArrayLike = (0, 0, 1),
    twist: float = 0.0,
) -> Spine:
    """A spine along a path (K, 3) with a radius (scalar or (K,)); frames turn as little as possible.

    The section's first axis starts out perpendicular to `up`. A closed path does not repeat its first point; the
    frame's mismatch after one round is spread over it.
    """
    points = np.asarray(path, np.float64)
    ring = np.concatenate([points, points[:1]]) if closed else points
    t = np.r_[0, np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))]
    tangent = np.roll(points, -1, 0) - np.roll(points, 1, 0) if closed else np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    if closed:
        tangent = np.concatenate([tangent, tangent[:1]])
    a = np.empty_like(ring)
    start = np.cross(np.asarray(up, np.float64), tangent[0])
    a[0] = start if np.linalg.norm(start) > 1e-3 else np.cross((0.0, 1.0, 0.0), tangent[0])
    a[0] /= np.linalg.norm(a[0])
    for k in range(1, len(ring)):
        a[k] = a[k - 1] - tangent[k] * (a[k - 1] @ tangent[k])
        a[k] /= np.linalg.norm(a[k])
    b = np.cross(tangent, a)
    if closed:
        miss = np.arctan2(a[-1] @ b[0], a[-1] @ a[0])
        angle = (-miss * t / t[-1])[:, None]
        a, b = np.cos(angle) * a + np.sin(angle) * b, np.cos(angle) * b - np.sin(angle) * a
    radii = np.broadcast_to(np.asarray(radius, np.float64), len(points)).astype(np.float64)
    radii = np.r_[radii, radii[0]] if closed else radii
    return Spine(t, ring, a, b, radii, np.tile([1.0, 0.0], (len(ring), 1)), (0.0, float(t[-1])), closed, contour, float(twist))


def curve(points: ArrayLike, count: int = 32, closed: bool = False) -> Floats:
    """(count, 3) points of a smooth curve through the given ones (K, 3), at even steps of their chord length."""
    knots = np.asarray(points, np.float64)
    if closed:
        knots = np.concatenate([knots, knots[:1]])
    t = np.r_[0, np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))]
    at = np.linspace(0, t[-1], count + 1)[:-1] if closed else np.linspace(0, t[-1], count)
    return np.asarray(CubicSpline(t, knots, bc_type="periodic" if closed else "natural")(at))


def outline(points: ArrayLike, count: int = 64) -> Floats:
    """(count, 2) points of a smooth closed outline through the given ones (K, 2)."""
    flat = np.asarray(points, np.float64)
    return curve(np.c_[flat, np.zeros(len(flat))], count, closed=True)[:, :2]
