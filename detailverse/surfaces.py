"""Decorated surfaces: closed grids swept along a spine, with rows and columns placed where the ornament needs them.

Rows may differ in their number of columns: a zipper of triangles joins them. So a band of ornament is sampled
finely and exactly while the plain stretches next to it stay coarse, and the mesh is watertight by construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from versemill.detailverse.spines import Contour, Spine, lerp

Floats = NDArray[np.float64]
CREASE = 0.004
"""Width of the step between a band and its plain neighbourhood, in world units: half a pixel of a 512² view."""

BEVEL = 0.012
"""Width of the steep sides of an ornament, in world units: three pixels, or most views would miss them."""

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
    def columns(self) -> Floats: ...  # noqa: D102
    def rows(self) -> Floats: ...  # noqa: D102


@dataclass(frozen=True)
class Finish:
    """The ornament of one part.

    Attributes:
        bands: (low, high, operator): disjoint stretches of the decorated length, as fractions, ascending.
        skins: operators over the whole decorated length, added on top.
        edge: sample spacing where only a skin asks for samples.
        facet: longest distance of two samples of a band; infinite where the operators' own samples are enough.
        samples: most samples of one band; a long band's cells grow rather than exceed it.
        seed: of the operators' hashes.
    """

    bands: tuple[tuple[float, float, Ornament], ...] = ()
    skins: tuple[Ornament, ...] = ()
    edge: float = 0.02
    facet: float = np.inf
    samples: int = 16_000
    seed: int = 0


PLAIN = Finish()


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
            rings.append(lerp(t, spine.t, spine.origin)[None])
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
    across, along = np.asarray(op.columns()), np.asarray(op.rows())
    samples = len(across) * len(along) * perimeter * length / (pitch * pitch * op.aspect)
    pitch *= max(1.0, np.sqrt(samples / finish.samples))
    nu = max(3, sides, round(perimeter / pitch / sides) * sides)
    cell = perimeter / nu
    # Where fewer cells don't go round, those along are stretched, up to twice their length.
    room = finish.samples / (nu * len(across) * len(along))
    whole = length / (cell * op.aspect)
    nv = 1 if narrow else max(1, round(min(whole, max(room, whole / 2))))
    across, along = dense(across, cell / finish.facet), dense(along, length / nv / (finish.facet * max(1.0, op.aspect**0.5)))
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


def dense(own: Floats, facets: float) -> Floats:
    """Sampling positions of a cell that is `facets` tessellation lengths long: an operator's own, and more evenly between them.

    Gaps narrower than most are the operator's steps, whose width is their bevel: they stay as they are.
    """
    gaps = np.diff(np.r_[own, own[0] + 1])
    parts = np.where(gaps < 0.9 * np.median(gaps), 1, np.maximum(np.ceil(gaps * facets), 1)).astype(np.int64)
    within = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
    return np.sort((np.repeat(own, parts) + np.repeat(gaps / parts, parts) * within) % 1)


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
        across, along = np.asarray(op.columns()), np.asarray(op.rows())
        samples = len(across) * len(along) * width * height / (op.pitch**2 * op.aspect)
        pitch = op.pitch * max(1.0, np.sqrt(samples / finish.samples))
        nu = max(1, round(width / pitch))
        nv = max(1, round(height / (width / nu * op.aspect)))
        us, vs = (
            np.unique(np.r_[(np.arange(n)[:, None] + dense(own, side / n / finish.facet)[None]).reshape(-1), n])
            for n, own, side in ((nu, across, width), (nv, along, height))
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
