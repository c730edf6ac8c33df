"""A triangle mesh under construction: positions, and UV nodes that share them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from versemill import mesh

Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shape:
    """Closed surfaces. A node is a vertex with a UV: seams are where one vertex has several nodes.

    Attributes:
        vertices: (V, 3) float64.
        nodes: (N,) vertex of each node.
        uvs: (N, 2) float64, in lengths until `scaled`, then in texture repeats.
        triangles: (F, 3) into nodes, counter-clockwise from outside.
        surfaces: (F,) which drawn surface each triangle belongs to.
    """

    vertices: Float64
    nodes: Ints
    uvs: Float64
    triangles: Ints
    surfaces: Ints

    @property
    def faces(self) -> Ints:
        """(F, 3) triangles into vertices."""
        return self.nodes[self.triangles]

    @property
    def volume(self) -> float:
        """Signed volume; where solids interpenetrate, shared space counts once for each."""
        return mesh.volume(self.vertices, self.faces)

    def moved(self, matrix: Float64, offset: Float64) -> "Shape":
        """Vertices mapped by `matrix @ v + offset`; the determinant must be positive."""
        return replace(self, vertices=self.vertices @ matrix.T + offset)


def join(shapes: Sequence[Shape]) -> Shape:
    """All shapes side by side in one; nothing is welded."""
    vertex = np.cumsum([0] + [len(s.vertices) for s in shapes])
    node = np.cumsum([0] + [len(s.nodes) for s in shapes])
    return Shape(
        vertices=np.concatenate([s.vertices for s in shapes]),
        nodes=np.concatenate([s.nodes + k for s, k in zip(shapes, vertex, strict=False)]),
        uvs=np.concatenate([s.uvs for s in shapes]),
        triangles=np.concatenate([s.triangles + k for s, k in zip(shapes, node, strict=False)]),
        surfaces=np.concatenate([s.surfaces for s in shapes]),
    )


def quaternion_matrix(q: Sequence[float]) -> Float64:
    """(3, 3) rotation of a unit quaternion (w, x, y, z)."""
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def euler_matrix(degrees: Sequence[float]) -> Float64:
    """(3, 3) rotation about x, then y, then z, in degrees."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def winding_numbers(points: Float64, shape: Shape) -> Float64:
    """(P,) how many of the shape's closed solids hold each point (P, 3): summed solid angles over 4 pi, exact."""
    corners = shape.vertices[shape.faces][None] - points[:, None, None]
    a, b, c = corners[:, :, 0], corners[:, :, 1], corners[:, :, 2]
    la, lb, lc = (np.sqrt(np.einsum("pfk,pfk->pf", v, v)) for v in (a, b, c))
    ab, bc, ca = (np.einsum("pfk,pfk->pf", v, w) for v, w in ((a, b), (b, c), (c, a)))
    triple = np.einsum("pfk,pfk->pf", a, np.cross(b, c))
    return np.arctan2(triple, la * lb * lc + ab * lc + bc * la + ca * lb).sum(1) / (2 * np.pi)
