"""A primitive's edges as struts: one closed surface, built directly.

Every edge becomes a bar with a diamond cross-section: its corners lie outside the surface, inside it, and within the
two faces next to the edge. Bars meet without a boolean, so the mesh is closed by construction and takes a millisecond.
"""

import numpy as np

from versemill.zeroverse import primitives
from versemill.zeroverse.config import Kind
from versemill.zeroverse.primitives import SECTORS
from versemill.zeroverse.shape import Float64, Ints, Shape

CELLS: dict[Kind, tuple[int, ...]] = {
    "cube": (1, 1, 1),
    "sphere": (3, 3, 3),
    "cylinder": (1, 1),
    "cone": (1, 0),
    "torus": (2 * SECTORS, 5),
}


def struts(kind: Kind, size: float, thickness: float, subdivision: str, tile: float, surface: int) -> Shape:
    """The wireframe of a primitive of half size `size`, centred at the origin, its bars `thickness` across.

    Args:
        subdivision: "none", "simple" (quads split) or "smooth" (Catmull-Clark); a cube is split twice.
        tile: length of one texture repeat; bars carry UVs along their length.
        surface: id given to every triangle.
    """
    vertices, quads = cage(kind, size)
    for _ in range(0 if subdivision == "none" else 2 if kind == "cube" else 1):
        vertices, quads = subdivide(vertices, quads, subdivision == "smooth")
    half = thickness / 2
    corners = vertices[quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    at = np.stack([np.bincount(quads.ravel(), np.repeat(normals[:, k], 4), len(vertices)) for k in range(3)], 1)
    share = np.linalg.norm(at, axis=1, keepdims=True) / np.bincount(quads.ravel(), minlength=len(vertices))[:, None]
    # Over a sharp corner the mean normal is short: the strut reaches as much further out.
    lift = half * at / np.linalg.norm(at, axis=1, keepdims=True) / np.maximum(share, 0.5)

    ahead, behind = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    length = np.linalg.norm(ahead, axis=2)
    ahead, behind = ahead / length[..., None], behind / np.roll(length, 1, 1)[..., None]
    sine = np.linalg.norm(np.cross(ahead, behind), axis=2, keepdims=True)
    inset = corners + (ahead + behind) * half / np.maximum(sine, 0.3)

    count = len(vertices)
    positions = np.concatenate([vertices + lift, vertices - lift, inset.reshape(-1, 3)])
    within = 2 * count + np.arange(quads.size).reshape(quads.shape)
    following, within_next = np.roll(quads, -1, 1), np.roll(within, -1, 1)
    outer = np.stack([quads, following, within_next, within], -1).reshape(-1, 4)
    inner = np.stack([following + count, quads + count, within, within_next], -1).reshape(-1, 4)
    bars = np.concatenate([outer, inner])
    along = np.tile(length.reshape(-1), 2) / tile
    across = thickness / tile
    zero = np.zeros_like(along)
    uvs = np.stack([zero, zero, along, zero, along, zero + across, zero, zero + across], 1).reshape(-1, 2)
    node = np.arange(bars.size).reshape(-1, 4)
    triangles = node[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    return Shape(positions, bars.ravel(), uvs, triangles, np.full(len(triangles), surface))


def cage(kind: Kind, size: float) -> tuple[Float64, Ints]:
    """Vertices (V, 3) and outward quads (Q, 4) of a coarse primitive."""
    made = primitives.primitive(kind, augment_axes(kind, size), CELLS[kind])
    quads = [np.stack([c.ids[:-1, :-1], c.ids[1:, :-1], c.ids[1:, 1:], c.ids[:-1, 1:]], -1).reshape(-1, 4) for c in made.charts]
    return made.vertices, np.concatenate(quads)


def augment_axes(kind: Kind, size: float) -> tuple[float, float, float]:
    """Semi-axes of a cutter or wireframe: `size` is a cube's half edge, a radius, or a torus's ring radius."""
    reach = size * (1 + primitives.TUBE) if kind == "torus" else size
    return reach, reach, reach


def subdivide(vertices: Float64, quads: Ints, smooth: bool) -> tuple[Float64, Ints]:
    """One subdivision of a closed quad mesh: each quad in four; `smooth` moves vertices by Catmull-Clark's rule."""
    count = len(vertices)
    ends = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), axis=1)
    edges, which = np.unique(ends, axis=0, return_inverse=True)
    which = which.reshape(quads.shape)
    middle, center = vertices[edges].mean(1), vertices[quads].mean(1)
    if smooth:
        beside = _mean_at(which.ravel(), np.repeat(center, 4, 0), len(edges))
        around = _mean_at(quads.ravel(), np.repeat(center, 4, 0), count)
        spokes = _mean_at(edges.ravel(), np.repeat(middle, 2, 0), count)
        valence = np.bincount(edges.ravel(), minlength=count)[:, None]
        vertices = (around + 2 * spokes + (valence - 3) * vertices) / valence
        middle = (middle + beside) / 2
    edge_point = count + which
    face_point = np.broadcast_to((count + len(edges) + np.arange(len(quads)))[:, None], quads.shape)
    split = np.stack([quads, edge_point, face_point, np.roll(edge_point, 1, 1)], -1)
    return np.concatenate([vertices, middle, center]), split.reshape(-1, 4)


def _mean_at(slots: Ints, values: Float64, count: int) -> Float64:
    total = np.stack([np.bincount(slots, values[:, k], count) for k in range(3)], 1)
    return total / np.bincount(slots, minlength=count)[:, None]
