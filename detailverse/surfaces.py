"""Decorated surfaces: closed grids swept along a spine, with rows and columns placed where the ornament needs them.

Rows may differ in their number of columns: a zipper of triangles joins them. So a band of ornament is sampled
finely and exactly while the plain stretches next to it stay coarse, and the mesh is watertight by construction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Contour = Callable[[Floats], tuple[Floats, Floats]]
"""Fractions (N,) round a cross-section -> points (N, 2) of mean radius 1 and outward unit normals (N, 2)."""

CREASE = 0.004
"""Width of the step between a band and its plain neighbourhood, in world units: half a pixel of a 512² view."""

MIN_CELLS = 6
"""Fewest cells round a surface: on a thin one the pattern shrinks, its depth with it."""


@dataclass(frozen=True, eq=False)
class Patch:
    """Where an operator is asked for heights.

    Attributes:
        u, v: (N,) cell coordinates, u in [0, nu) round the surface and v in [0, nv] along it.
        nu, nv: whole numbers of cells; u wraps at nu when `wrap`.
        points: (N, 3) positions of the plain surface.
        size: width and height of one cell in world units.
        seed: for the operator's own hashes.
    """

    u: Floats
    v: Floats
    nu: int
    nv: int
    points: Floats
    size: tuple[float, float]
    seed: int
    wrap: bool = True


class Ornament(Protocol):
    """What surfaces need of an operator; `registry.Operator` is the implementation."""

    role: ClassVar[Any]
    aspect: ClassVar[Any]
    pitch: float
    depth: float

    def height(self, patch: Patch) -> Floats: ...  # noqa: D102
    def columns(self, fine: bool) -> Floats: ...  # noqa: D102
    def rows(self, fine: bool) -> Floats: ...  # noqa: D102


@dataclass(frozen=True)
class Finish:
    """The ornament of one part.

    Attributes:
        bands: (low, high, operator): disjoint stretches of the decorated length, as fractions, ascending.
        skins: operators over the whole decorated length, added on top.
        fine: sampling density.
        edge: sample spacing where only a skin asks for samples.
        samples: most samples of one band; a long band's cells grow rather than exceed it.
        seed: of the operators' hashes.
    """

    bands: tuple[tuple[float, float, Ornament], ...] = ()
    skins: tuple[Ornament, ...] = ()
    fine: bool = False
    edge: float = 0.02
    samples: int = 16_000
    seed: int = 0


PLAIN = Finish()


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
        at = {n: _lerp(t, self.t, getattr(self, n)) for n in ("origin", "a", "b", "lean")}
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


def _lerp(t: float, stations: Floats, values: Floats) -> Floats:
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


def grid(spine: Spine, finish: Finish = PLAIN, segments: int = 48) -> tuple[Floats, NDArray[np.int64]]:
    """The closed mesh of a decorated spine.

    Args:
        segments: columns of plain rows; rounded up to the contour's number of sides.

    Returns:
        vertices (V, 3) and faces (F, 3), wound outwards, watertight.
    """
    sides = int(getattr(spine.contour, "sides", 1))
    segments = max(3, -(-segments // sides) * sides)
    plain = _fractions(spine.contour, segments)
    low, high = spine.field

    rows: list[tuple[float, Floats, Floats | float]] = []
    covered: list[tuple[float, float]] = []
    for lower, upper, op in finish.bands:
        span = (low + lower * (high - low), low + upper * (high - low))
        if span[1] - span[0] < 4 * CREASE:
            continue  # Too narrow to hold anything between its two steps.
        covered.append(span)
        rows += _band(spine, op, span, finish, sides, plain)
    for t in spine.t[:-1] if spine.closed else spine.t:
        if not any(a - 1e-9 < t < b + 1e-9 for a, b in covered):
            rows.append((float(t), plain, 0.0))
    if finish.skins:
        count = max(6, int((high - low) / finish.edge))
        spare = np.linspace(low, high, count + 1)[: count if spine.closed else None]
        around = max(segments, int(2 * np.pi * float(spine.radius.max()) / finish.edge))
        dense = _fractions(spine.contour, -(-around // sides) * sides)
        rows = [(t, dense if low <= t <= high and f is plain else f, h) for t, f, h in rows]
        rows += [(float(t), dense, 0.0) for t in spare if not any(a - 1e-9 < t < b + 1e-9 for a, b in covered)]
    rows.sort(key=lambda row: row[0])
    kept = [rows[0]]
    for row in rows[1:]:
        if row[0] - kept[-1][0] > 1e-7:
            kept.append(row)
    rings: list[Floats] = []
    for t, f, h in kept:
        if not spine.closed and float(np.interp(t, spine.t, spine.radius)) < 1e-6:
            rings.append(_lerp(t, spine.t, spine.origin)[None])
            continue
        if finish.skins and low - 1e-9 <= t <= high + 1e-9:
            points = spine.place(f, t)
            fade = np.clip(min(t - low, high - t) / (3 * finish.edge), 0, 1) if not spine.closed else 1.0
            h = h + fade * sum(op.height(_skin_patch(points, op, finish)) for op in finish.skins)
        rings.append(spine.place(f, t, h))
    fractions = [f for _, f, _ in kept]
    if not spine.closed:
        if len(rings[0]) > 1:
            rings.insert(0, spine.origin[:1])
            fractions.insert(0, plain)
        if len(rings[-1]) > 1:
            rings.append(spine.origin[-1:])
            fractions.append(plain)
    return np.concatenate(rings), _stitch(rings, fractions, spine.closed)


def _skin_patch(points: Floats, op: Ornament, finish: Finish) -> Patch:
    zero = np.zeros(len(points))
    return Patch(zero, zero, 1, 1, points, (op.pitch, op.pitch), finish.seed)


def _fractions(contour: Contour, count: int) -> Floats:
    """`count` fractions, with a rectangle's corners among them."""
    even = np.arange(count) / count
    corners = getattr(contour, "corners", None)
    return even if corners is None else np.unique(np.round(np.r_[even, corners], 9))


def _band(
    spine: Spine, op: Ornament, span: tuple[float, float], finish: Finish, sides: int, plain: Floats
) -> list[tuple[float, Floats, Floats | float]]:
    """Rows of one band: a plain row on each side of its cells' rows, with heights from the operator."""
    low, high = span
    inner = (low, high) if spine.closed and high - low > spine.t[-1] - 1e-9 else (low + CREASE, high - CREASE)
    middle = np.linspace(inner[0], inner[1], 9)
    radius = float(np.mean(np.interp(middle, spine.t, spine.radius)))
    section, _ = spine.contour(np.linspace(0, 1, 257))
    perimeter = radius * float(np.linalg.norm(np.diff(section, axis=0), axis=1).sum())
    length = inner[1] - inner[0]
    pitch = min(op.pitch, perimeter / MIN_CELLS)
    narrow = op.role == "border" and length < 2 * pitch * op.aspect
    pitch = max(length / op.aspect, 0.03) if narrow else pitch
    across, along = np.asarray(op.columns(finish.fine)), np.asarray(op.rows(finish.fine))
    samples = len(across) * len(along) * perimeter * length / (pitch * pitch * op.aspect)
    pitch *= max(1.0, np.sqrt(samples / finish.samples))
    nu = max(3, sides, round(perimeter / pitch / sides) * sides)
    cell = perimeter / nu
    # Where fewer cells don't go round, those along are stretched, up to twice their length.
    room = finish.samples / (nu * len(across) * len(along))
    whole = length / (cell * op.aspect)
    nv = 1 if narrow else max(1, round(min(whole, max(room, whole / 2))))
    f = ((np.arange(nu)[:, None] + across[None]) / nu).reshape(-1)
    u = (np.arange(nu)[:, None] + across[None]).reshape(-1)
    corners = getattr(spine.contour, "corners", None)
    if corners is not None:
        extra = np.unique(np.round(np.r_[f, corners], 9))
        f, u = extra, extra * nu
    v = (np.arange(nv)[:, None] + along[None]).reshape(-1)
    if inner[0] > low:
        v = np.unique(np.r_[v, nv])
    ts = inner[0] + v / nv * length
    points = np.stack([spine.place(f, float(t)) for t in ts])
    shrink = np.clip(np.interp(ts, spine.t, spine.radius) / max(radius, 1e-9), 0.15, 1.0)[:, None]
    shrink = shrink * min(1.0, cell / op.pitch)
    patch = Patch(
        np.broadcast_to(u, points.shape[:2]).reshape(-1),
        np.repeat(v, len(u)),
        nu,
        nv,
        points.reshape(-1, 3),
        (cell, length / nv),
        finish.seed,
    )
    heights = np.reshape(op.height(patch), points.shape[:2]) * shrink
    rows: list[tuple[float, Floats, Floats | float]] = [(float(t), f, h) for t, h in zip(ts, heights, strict=True)]
    if inner[0] > low:
        rows = [(low, f, 0.0), *rows, (high, f, 0.0)]
    return rows


def _stitch(rings: Sequence[Floats], fractions: Sequence[Floats], closed: bool) -> NDArray[np.int64]:
    """Faces between successive rings of points, whose positions round the section are `fractions`."""
    starts = np.r_[0, np.cumsum([len(r) for r in rings])]
    faces = []
    for k in range(len(rings) if closed else len(rings) - 1):
        n = (k + 1) % len(rings)
        below, above = starts[k], starts[n]
        faces.append(_zip(len(rings[k]), len(rings[n]), fractions[k], fractions[n], int(below), int(above)))
    return np.concatenate(faces)


def _zip(m: int, n: int, lower: Floats, upper: Floats, below: int, above: int) -> NDArray[np.int64]:
    """Triangles between two rings of m and n points; a ring of one point is a pole."""
    i, j = np.arange(m), np.arange(n)
    if m == 1:
        return np.stack([np.full(n, below), above + (j + 1) % n, above + j], 1)
    if n == 1:
        return np.stack([below + i, below + (i + 1) % m, np.full(m, above)], 1)
    mid_lower = (lower + np.r_[lower[1:], lower[0] + 1]) / 2
    mid_upper = (upper + np.r_[upper[1:], upper[0] + 1]) / 2
    apex = np.searchsorted(mid_upper, mid_lower, side="left") % n
    base = np.searchsorted(mid_lower, mid_upper, side="right") % m
    first = np.stack([below + i, below + (i + 1) % m, above + apex], 1)
    second = np.stack([below + base, above + (j + 1) % n, above + j], 1)
    return np.concatenate([first, second])


def slab(
    width: float, height: float, thickness: float, op: Ornament | None, finish: Finish
) -> tuple[Floats, NDArray[np.int64]]:
    """A closed plate whose front (-Y) carries one operator; its plain front lies at y = -thickness / 2.

    Returns:
        vertices (V, 3) and faces (F, 3), centred at the origin, width along x, height along z.
    """
    if op is None:
        nu = nv = 1
        us = vs = np.array([0.0, 1.0])
    else:
        samples = len(op.columns(finish.fine)) * len(op.rows(finish.fine)) * width * height / (op.pitch**2 * op.aspect)
        pitch = op.pitch * max(1.0, np.sqrt(samples / finish.samples))
        nu = max(1, round(width / pitch))
        nv = max(1, round(height / (width / nu * op.aspect)))
        us, vs = (
            np.unique(np.r_[(np.arange(n)[:, None] + np.asarray(c)[None]).reshape(-1), n])
            for n, c in ((nu, op.columns(finish.fine)), (nv, op.rows(finish.fine)))
        )
    inset = CREASE
    xs = -width / 2 + inset + us / nu * (width - 2 * inset)
    zs = -height / 2 + inset + vs / nv * (height - 2 * inset)
    x, z = np.meshgrid(xs, zs)
    u, v = np.meshgrid(us, vs)
    plain = np.stack([x, np.full_like(x, -thickness / 2), z], -1).reshape(-1, 3)
    size = (width / nu, height / nv)
    patch = Patch(u.reshape(-1), v.reshape(-1), nu, nv, plain, size, finish.seed, wrap=False)
    rise = (op.height(patch) if op is not None else 0.0) + sum(s.height(patch) for s in finish.skins)
    y = -thickness / 2 - np.broadcast_to(rise, len(plain)).reshape(x.shape)
    xs, zs = np.r_[-width / 2, xs, width / 2], np.r_[-height / 2, zs, height / 2]
    y = np.pad(y, 1, constant_values=-thickness / 2)
    x, z = np.meshgrid(xs, zs)
    front = np.stack([x, y, z], -1).reshape(-1, 3)
    rows, columns = x.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
    border = np.concatenate([index[0, :-1], index[:-1, -1], index[-1, :0:-1], index[:0:-1, 0]])
    back = front[border] * [1, 0, 1] + [0, thickness / 2, 0]
    behind = len(front) + np.arange(len(border))
    centre = len(front) + len(border)
    following, after = np.roll(border, -1), np.roll(behind, -1)
    faces = np.concatenate(
        [
            quads[:, [0, 1, 2]],
            quads[:, [0, 2, 3]],
            np.stack([border, behind, following], 1),
            np.stack([following, behind, after], 1),
            np.stack([np.full(len(border), centre), after, behind], 1),
        ]
    )
    return np.concatenate([front, back, [[0.0, thickness / 2, 0.0]]]), faces
