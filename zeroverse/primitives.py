"""The five primitives as closed triangle meshes with charts of uniform texel density.

A primitive is a few grids of vertices (charts). Grids share vertex indices along their borders, so every
mesh is closed by construction, and each grid has UVs of its own, so seams cost no vertices. Discs are square
grids bent round (no pole, no sliver), the sphere is a bent cube (no pinched pole), the cone's side is
unrolled. UVs are lengths on the undisplaced surface: exact on cube, cylinder and cone, near on sphere and torus.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from versemill.zeroverse.config import Kind
from versemill.zeroverse.shape import Float64, Ints, Shape

SURFACES: dict[Kind, tuple[str, ...]] = {
    "cube": ("right", "left", "back", "front", "top", "bottom"),
    "sphere": ("surface",),
    "cylinder": ("side", "top", "bottom"),
    "cone": ("side", "bottom"),
    "torus": ("surface",),
}
FIELDS = 6
"""Height fields drawn per primitive: as many as the kind with the most surfaces has."""
TUBE = 0.3
"""Torus: radius of the tube over radius of the ring, as the paper's cutter has it."""
SPREAD = 0.25
"""How far charts of an ellipsoid adapt to its axes: 0 not at all (they fold over on a needle), 1 by normals (they stretch)."""
SECTORS = 6
"""Charts around a torus: more would shear less and cut oftener."""


@dataclass(frozen=True, eq=False)
class Chart:
    """A grid of vertices: `ids` (m+1, n+1), u to the right along axis 0, v up along axis 1, seen from outside.

    `uvs` (m+1, n+1, 2) are lengths, `closed` the full length around which u wraps (0: it does not). `split`
    (m, n), where given, is true in the cells whose diagonal runs the other way.
    """

    surface: int
    ids: Ints
    uvs: Float64
    closed: float = 0.0
    split: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Domain:
    """Where a surface's height field acts: vertices (K,), field coordinates (K, 2) in [0, 1], unit normals (K, 3)."""

    ids: Ints
    coordinates: Float64
    normals: Float64


@dataclass(frozen=True, eq=False)
class Primitive:
    """A primitive in its own frame, centred at the origin, scaled by its semi-axes (a torus is lower: it scales as a whole)."""

    vertices: Float64
    charts: Sequence[Chart]
    domains: dict[int, Domain] = field(default_factory=dict)

    def displaced(self, heights: dict[int, tuple[float, Float64]]) -> Float64:
        """(V, 3) vertices moved along their normals: `heights` maps a surface to (amplitude, 5x5 grid in [-1, 1])."""
        vertices = self.vertices.copy()
        for surface, (amplitude, grid) in heights.items():
            domain = self.domains[surface]
            vertices[domain.ids] += (amplitude * bicubic(grid, domain.coordinates))[:, None] * domain.normals
        return vertices

    def shape(self, vertices: Float64, tile: float, first_surface: int = 0) -> Shape:
        """The mesh, its UVs in repeats of a texture that is `tile` long (in the primitive's own unit)."""
        nodes, uvs, triangles, surfaces = [], [], [], []
        start = 0
        for chart in self.charts:
            m, n = chart.ids.shape[0] - 1, chart.ids.shape[1] - 1
            node = start + np.arange((m + 1) * (n + 1)).reshape(m + 1, n + 1)
            a, b, c, d = (x.ravel() for x in (node[:-1, :-1], node[1:, :-1], node[1:, 1:], node[:-1, 1:]))
            if chart.split is None:
                cells = np.stack([a, b, c, a, c, d], 1)
            else:
                cells = np.where(chart.split.reshape(-1, 1), np.stack([a, b, d, b, c, d], 1), np.stack([a, b, c, a, c, d], 1))
            nodes.append(chart.ids.ravel())
            uvs.append(chart.uvs.reshape(-1, 2) * repeats(chart.closed, tile))
            triangles.append(cells.reshape(-1, 3))
            surfaces.append(np.full(2 * m * n, first_surface + chart.surface))
            start += node.size
        return Shape(vertices, np.concatenate(nodes), np.concatenate(uvs), np.concatenate(triangles), np.concatenate(surfaces))


def repeats(closed: float, tile: float) -> float:
    """Texture repeats per length. Around a closed length of 2.5 tiles and more it is rounded so that no seam shows.

    That changes the texel density by a fifth at most; a shorter way round keeps the density, and the seam.
    """
    return round(closed / tile) / closed if closed >= 2.5 * tile else 1 / tile


def bicubic(grid: Float64, coordinates: Float64) -> Float64:
    """(K,) heights: a 5x5 grid with a border of zeros, cubic convolution (Keys, a = -1/2); zero on the border."""
    padded = np.zeros((9, 9))
    padded[2:-2, 2:-2] = grid
    where = np.clip(coordinates, 0, 1) * 6
    cell = np.minimum(where.astype(int), 5)
    t = (where - cell)[..., None]
    distance = np.abs(np.concatenate([t + 1, t, 1 - t, 2 - t], -1))
    near, far = 1 + distance**2 * (1.5 * distance - 2.5), 2 + distance * (-4 + distance * (2.5 - 0.5 * distance))
    weights = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    taps = cell[..., None] + np.arange(4)
    return np.einsum("ki,kj,kij->k", weights[:, 0], weights[:, 1], padded[taps[:, 0, :, None], taps[:, 1, None, :]])


def resolution(kind: Kind, axes: Sequence[float], step: float, displaced: bool) -> tuple[int, ...]:
    """Cells of the primitive's grids for edges about `step` long; flat directions get by with a third as many."""
    a, b, c = axes
    flat = step if displaced else 3 * step
    if kind == "cube":
        return tuple(_cells(2 * x / flat, 2) for x in axes)
    if kind == "sphere":
        return tuple(_cells(math.pi / 2 * x / step, 6) for x in axes)
    if kind == "torus":
        ring, tube = _perimeter(a, b) / (1 + TUBE), _perimeter((a + b) / 2, c) * TUBE / (1 + TUBE)
        return SECTORS * _cells(ring / SECTORS / step, 4), _cells(tube / step, 12)
    columns = _cells(_perimeter(a, b) / 8 / step, 3)
    if kind == "cylinder":
        return columns, _cells(2 * c / flat, 2)
    return columns, max(0, _cells(math.hypot(2 * c, (a + b) / 2) / flat, 2) - columns)


def triangle_count(kind: Kind, cells: Sequence[int]) -> int:
    """Triangles of a primitive of this resolution."""
    if kind in ("cube", "sphere"):
        x, y, z = cells
        return 4 * (x * y + y * z + z * x)
    if kind == "torus":
        return 2 * cells[0] * cells[1]
    return 16 * cells[0] * (cells[0] + cells[1])


def primitive(kind: Kind, axes: Sequence[float], cells: Sequence[int]) -> Primitive:
    """Builds one primitive with semi-axes (a, b, c) and the grid cells that `resolution` gave."""
    return {"cube": _cube, "sphere": _sphere, "cylinder": _cylinder, "cone": _cone, "torus": _torus}[kind](
        np.asarray(axes, np.float64), cells
    )


def _cells(count: float, least: int) -> int:
    return min(max(round(count), least), 128)


def _perimeter(a: float, b: float) -> float:
    """Ramanujan's first approximation of an ellipse's perimeter."""
    return math.pi * (3 * (a + b) - math.sqrt((3 * a + b) * (a + 3 * b)))


def _lattice(cells: Sequence[int]) -> tuple[Float64, list[tuple[int, int, Ints]]]:
    """The surface of a box of cells: points (V, 3) in [-1, 1] and its six (axis, side, ids) grids, outward."""
    shape = tuple(n + 1 for n in cells)
    inner = np.ones(shape, bool)
    inner[1:-1, 1:-1, 1:-1] = False
    number = np.cumsum(inner).reshape(shape) - 1
    points = np.argwhere(inner) * 2.0 / np.asarray(cells) - 1
    sides = []
    for axis in range(3):
        for side in (-1, 0):
            grid = np.moveaxis(number, axis, 0)[side]
            outward = (axis == 1) == (side == 0)
            sides.append((axis, side, grid if outward else grid.T))
    return points, sides


def _cube(axes: Float64, cells: Sequence[int]) -> Primitive:
    points, sides = _lattice(cells)
    vertices = points * axes
    charts, domains = [], {}
    for surface, (axis, side, ids) in enumerate(sides):
        uvs = _arc_lengths(vertices[ids])
        charts.append(Chart(surface, ids, uvs))
        across = np.stack(np.meshgrid(*(np.linspace(0, 1, n) for n in ids.shape), indexing="ij"), -1)
        normal = np.zeros((ids.size, 3))
        normal[:, axis] = 1 if side else -1
        domains[surface] = Domain(ids.ravel(), across.reshape(-1, 2), normal)
    return Primitive(vertices, charts, domains)


def _sphere(axes: Float64, cells: Sequence[int]) -> Primitive:
    points, sides = _lattice(cells)
    unit = _unit(np.stack([_bend(points[:, k], axes, k) for k in range(3)], 1))
    vertices = unit * axes
    charts = [Chart(0, ids, _arc_lengths(vertices[ids])) for _, _, ids in sides]
    longitude = np.arctan2(unit[:, 1], unit[:, 0]) / (2 * np.pi) % 1
    latitude = np.arccos(np.clip(unit[:, 2], -1, 1)) / np.pi
    domain = Domain(np.arange(len(vertices)), np.stack([longitude, latitude], 1), _unit(unit / axes))
    return Primitive(vertices, charts, {0: domain})


def _bend(t: Float64, axes: Float64, k: int) -> Float64:
    """Box coordinates [-1, 1] along axis k, bent so that grid lines on the ellipsoid lie evenly along its arcs.

    Charts meet where the direction, weighted by a power of the semi-axes, is diagonal: on a needle
    the chart around the tip is then small enough to be nearly flat.
    """
    aspect = axes[k] / np.sqrt(np.delete(axes, k).prod())
    weight = axes[k] ** SPREAD
    angle = np.linspace(0, np.arctan(aspect**SPREAD), 65)
    arc = np.r_[0.0, np.cumsum(np.hypot(np.diff(np.cos(angle)), aspect * np.diff(np.sin(angle))))]
    return np.sign(t) * np.tan(np.interp(np.abs(t) * arc[-1], arc, angle)) / aspect**SPREAD * weight


def _torus(axes: Float64, cells: Sequence[int]) -> Primitive:
    nu, nv = cells
    around, across = np.arange(nu) * (2 * np.pi / nu), np.arange(nv) * (2 * np.pi / nv)
    reach = 1 + TUBE * np.cos(across)
    unit = np.stack(
        [
            np.cos(around)[:, None] * reach,
            np.sin(around)[:, None] * reach,
            np.broadcast_to(TUBE * np.sin(across), (nu, nv)),
        ],
        -1,
    )
    vertices = unit.reshape(-1, 3) * (axes / (1 + TUBE))
    ids = np.arange(nu * nv).reshape(nu, nv)
    wrapped = np.concatenate([ids, ids[:, :1]], 1)
    step = nu // SECTORS
    charts = []
    for k in range(SECTORS):
        sector = wrapped[np.arange(k * step, (k + 1) * step + 1) % nu]
        charts.append(Chart(0, sector, _arc_lengths(vertices[sector])))
    return Primitive(vertices, charts)


def _cylinder(axes: Float64, cells: Sequence[int]) -> Primitive:
    m, rows = cells
    ring, angle = _ring(axes, m)
    height = np.linspace(-axes[2], axes[2], rows + 1)
    wall = np.concatenate(
        [np.repeat(ring[None], rows + 1, 0), np.broadcast_to(height[:, None, None], (rows + 1, 8 * m, 1))], -1
    )
    vertices = [wall.reshape(-1, 3)]
    ids = np.arange(wall[..., 0].size).reshape(rows + 1, 8 * m)
    side = np.concatenate([ids, ids[:, :1]], 1).T
    around = np.r_[0.0, np.cumsum(np.linalg.norm(np.roll(ring, -1, 0) - ring, axis=1))]
    uvs = np.stack(np.broadcast_arrays(around[:, None], height[None]), -1)
    charts = [Chart(0, side, uvs, closed=float(around[-1]))]
    across = np.stack(np.broadcast_arrays(np.linspace(0, 1, 8 * m, endpoint=False), np.linspace(0, 1, rows + 1)[:, None]), -1)
    radial = _unit(np.stack([np.cos(angle) / axes[0], np.sin(angle) / axes[1], np.zeros_like(angle)], 1))
    domains = {0: Domain(ids.ravel(), across.reshape(-1, 2), np.tile(radial, (rows + 1, 1)))}
    count = ids.size
    for surface, sign, rim in ((1, 1.0, ids[-1]), (2, -1.0, ids[0])):
        extra, chart, domain = _cap(axes, m, sign, rim, count, surface)
        vertices.append(extra)
        charts.append(chart)
        domains[surface] = domain
        count += len(extra)
    return Primitive(np.concatenate(vertices), charts, domains)


def _cone(axes: Float64, cells: Sequence[int]) -> Primitive:
    """Apex at +c, base at -c. The side is a bent square around the apex, and rows below it where the cone is long."""
    m, rows = cells
    share = m / (m + rows)
    lattice, slots = _disc(m)
    angle, reach = np.arctan2(lattice[:, 1], lattice[:, 0]) % (2 * np.pi), np.hypot(*lattice.T) * share
    ring_angle = np.arange(8 * m) * (np.pi / (4 * m))
    below = share + (1 - share) * np.arange(1, rows + 1) / max(rows, 1)
    angles = np.r_[angle, np.tile(ring_angle, rows)]
    reaches = np.r_[reach, np.repeat(below, 8 * m)]
    vertices = np.stack([np.cos(angles) * reaches, np.sin(angles) * reaches, 1 - 2 * reaches], 1) * axes

    # The unrolled side: slant length and turned angle of the generatrix at each angle.
    fine = np.linspace(0, 2 * np.pi, 721)
    line = np.stack([np.cos(fine) * axes[0], np.sin(fine) * axes[1], np.full(721, -2 * axes[2])], 1)
    slant = np.linalg.norm(line, axis=1)
    turn = np.r_[0.0, np.cumsum(2 * np.arcsin(np.linalg.norm(np.diff(line / slant[:, None], axis=0), axis=1) / 2))]

    def unrolled(theta: Float64, rho: Float64) -> Float64:
        length, turned = rho * np.interp(theta, fine, slant), np.interp(theta, fine, turn) - turn[-1] / 2
        return np.stack([length * np.sin(turned), -length * np.cos(turned)], -1)

    charts = []
    for quarter in range(4):
        # The last quarter ends where the first begins: there its angle is a full turn, which makes the seam.
        corner = [slots[m:, m:], slots[m::-1, m:].T, slots[m::-1, m::-1], slots[m:, m::-1].T][quarter]
        theta = angle[corner].copy()
        if quarter == 3:
            theta[0] = 2 * np.pi
        charts.append(Chart(0, corner, unrolled(theta, reach[corner])))
    last = _border(slots)
    if rows:
        ids = np.concatenate([last[None], len(lattice) + np.arange(rows * 8 * m).reshape(rows, 8 * m)])
        side = np.concatenate([ids, ids[:, :1]], 1)[::-1].T
        theta, rho = np.r_[ring_angle, 2 * np.pi], np.r_[share, below][::-1]
        charts.append(Chart(0, side, unrolled(theta[:, None], np.broadcast_to(rho, side.shape))))
        last = ids[-1]
    normal = _unit(np.stack([np.cos(angles) / axes[0], np.sin(angles) / axes[1], np.full_like(angles, 0.5 / axes[2])], 1))
    domains = {0: Domain(np.arange(len(vertices)), np.stack([angles / (2 * np.pi), 1 - reaches], 1), normal)}
    extra, chart, domain = _cap(axes, m, -1.0, last, len(vertices), 1)
    return Primitive(np.concatenate([vertices, extra]), [*charts, chart], {**domains, 1: domain})


def _ring(axes: Float64, m: int) -> tuple[Float64, Float64]:
    """8m points (8m, 2) on the ellipse of the first two semi-axes, and their angles."""
    angle = np.linspace(0, 2 * np.pi, 8 * m, endpoint=False)
    return np.stack([np.cos(angle) * axes[0], np.sin(angle) * axes[1]], 1), angle


def _disc(m: int) -> tuple[Float64, Ints]:
    """A (2m+1)^2 square grid bent to the unit disc (concentric map): points (P, 2), and their grid of slots."""
    x, y = np.meshgrid(np.arange(-m, m + 1) / m, np.arange(-m, m + 1) / m, indexing="ij")
    wide = np.abs(x) >= np.abs(y)
    radius = np.where(wide, x, y)
    turned = np.pi / 4 * np.divide(np.where(wide, y, x), radius, out=np.zeros_like(x), where=radius != 0)
    angle = np.where(wide, turned, np.pi / 2 - turned)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    return points.reshape(-1, 2), np.arange(x.size).reshape(x.shape)


def _border(slots: Ints) -> Ints:
    """The outline of a disc's grid, counter-clockwise from angle 0: (8m,)."""
    m = slots.shape[0] // 2
    border = np.concatenate([slots[-1, :-1], slots[:0:-1, -1], slots[0, :0:-1], slots[:-1, 0]])
    return np.roll(border, -m)


def _cap(axes: Float64, m: int, sign: float, rim: Ints, start: int, surface: int) -> tuple[Float64, Chart, Domain]:
    """A disc at z = sign * c that shares the `rim` vertices; its inner vertices are numbered from `start`."""
    points, slots = _disc(m)
    border = _border(slots)
    inner = np.ones(len(points), bool)
    inner[border] = False
    ids = np.empty(len(points), np.int64)
    ids[inner] = start + np.arange(inner.sum())
    ids[border] = rim
    flat = points * axes[:2]
    extra = np.concatenate([flat[inner], np.full((int(inner.sum()), 1), sign * axes[2])], 1)
    cell = np.arange(2 * m) >= m
    split = cell[:, None] != cell[None]
    grid, uvs = ids[slots], (flat * (1.0, sign))[slots]
    if sign < 0:
        grid, uvs = grid.T, uvs.transpose(1, 0, 2)
    coordinates = np.stack(np.meshgrid(*[np.linspace(0, 1, 2 * m + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
    normals = np.zeros((len(points), 3))
    normals[:, 2] = sign
    return extra, Chart(surface, grid, uvs, split=split), Domain(ids[inner], coordinates[inner], normals[inner])


def _arc_lengths(grid: Float64) -> Float64:
    """(m+1, n+1, 2) lengths along the grid lines of positions (m+1, n+1, 3), from the middle line outwards."""
    lengths = []
    for axis in (0, 1):
        step = np.linalg.norm(np.diff(grid, axis=axis), axis=-1)
        total = np.concatenate([np.zeros_like(step.take([0], axis)), np.cumsum(step, axis)], axis)
        lengths.append(total - total.take([total.shape[axis] // 2], axis))
    return np.stack(lengths, -1)


def _unit(vectors: Float64) -> Float64:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
