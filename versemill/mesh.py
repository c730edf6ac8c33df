"""Triangle-mesh facts as pure functions over (V, 3) float vertices and (F, 3) int faces."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from versemill.errors import AssetError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


def face_cross(vertices: Floats, faces: Ints) -> NDArray[np.float64]:
    """(F, 3) float64 cross products of two edges: direction is the normal, length is twice the area."""
    corners = vertices.astype(np.float64)[faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def face_areas(vertices: Floats, faces: Ints) -> NDArray[np.float64]:
    """(F,) float64 triangle areas."""
    return np.linalg.norm(face_cross(vertices, faces), axis=1) / 2


def face_normals(vertices: Floats, faces: Ints) -> NDArray[np.float64]:
    """(F, 3) float64 unit normals; zero where the triangle has no area."""
    cross = face_cross(vertices, faces)
    length = np.linalg.norm(cross, axis=1, keepdims=True)
    return np.divide(cross, length, out=np.zeros_like(cross), where=length > 0)


def volume(vertices: Floats, faces: Ints) -> float:
    """Signed volume by the divergence theorem; positive when a closed mesh is wound outwards."""
    corners = vertices.astype(np.float64)[faces]
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def component_volumes(vertices: Floats, faces: Ints, label: Ints) -> NDArray[np.float64]:
    """(components,) signed volume of each component by `label` (F,), as `volume`; its size if the component is closed."""
    corners = vertices.astype(np.float64)[faces]
    six = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return np.bincount(label, weights=six) / 6


@dataclass(frozen=True)
class Topology:
    """Edge counts of a mesh; an edge is an unordered pair of vertex indices.

    Attributes:
        edges: distinct edges.
        boundary: edges with one face.
        non_manifold: edges with three or more faces.
        inconsistent: edges with two faces that run along it in the same direction.
    """

    edges: int
    boundary: int
    non_manifold: int
    inconsistent: int

    @property
    def watertight(self) -> bool:
        """Closed, edge-manifold and consistently wound."""
        return self.edges > 0 and self.boundary == self.non_manifold == self.inconsistent == 0


def directed_edges(faces: Ints) -> NDArray[np.int64]:
    """(3F, 2) int64 directed edges, in the order (0,1), (1,2), (2,0) of each face."""
    return faces.astype(np.int64)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)


def boundary_edges(faces: Ints) -> NDArray[np.int64]:
    """(E, 2) int64 vertex pairs, the lower first, of the edges with one face."""
    if len(faces) == 0:
        return np.zeros((0, 2), np.int64)
    directed, span = directed_edges(faces), int(faces.max()) + 1
    codes, counts = np.unique(directed.min(1) * span + directed.max(1), return_counts=True)
    return np.stack(np.divmod(codes[counts == 1], span), 1)


def topology(faces: Ints) -> Topology:
    """Counts of the edges of an indexed mesh; see `Topology`."""
    if len(faces) == 0:
        return Topology(0, 0, 0, 0)
    directed = directed_edges(faces)
    low, high = directed.min(1), directed.max(1)
    code = low * (int(faces.max()) + 1) + high
    forward = (directed[:, 0] == low).astype(np.int64)
    _, inverse, counts = np.unique(code, return_inverse=True, return_counts=True)
    along = np.bincount(inverse, weights=forward)
    return Topology(
        edges=len(counts),
        boundary=int((counts == 1).sum()),
        non_manifold=int((counts > 2).sum()),
        inconsistent=int(((counts == 2) & (along != 1)).sum()),
    )


def adjacency(faces: Ints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of faces that share an edge with exactly two faces.

    Returns:
        pairs (E, 2) of face indices and the vertex ends (E, 2) of the shared edges.
    """
    if len(faces) == 0:
        return np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64)
    directed = directed_edges(faces)
    span = int(faces.max()) + 1
    code = directed.min(1) * span + directed.max(1)
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    first = first[np.diff(np.r_[first, len(ordered)]) == 2]
    owner = order // 3
    return np.stack([owner[first], owner[first + 1]], 1), np.stack(np.divmod(ordered[first], span), 1)


def components(faces: Ints) -> NDArray[np.int32]:
    """(F,) int32 component label of each face, connected through shared vertices; labels from 0, in face order."""
    if len(faces) == 0:
        return np.zeros(0, np.int32)
    n = int(faces.max()) + 1
    pairs = directed_edges(faces)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    _, first, inverse = np.unique(label[faces[:, 0]], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]


def sharp_edges(vertices: Floats, faces: Ints, angle: float = 30.0) -> NDArray[np.int64]:
    """(E, 2) int64 vertex pairs of manifold edges whose two faces' normals differ by more than `angle` degrees.

    A face without area has no normal, so that its edges are not sharp.
    """
    pairs, edges = adjacency(faces)
    normals = face_normals(vertices, faces)
    first, second = normals[pairs[:, 0]], normals[pairs[:, 1]]
    sharp = np.einsum("ij,ij->i", first, second) < np.cos(np.radians(angle))
    return edges[sharp & first.any(1) & second.any(1)]


def corner_normals(vertices: Floats, faces: Ints, crease: float = 30.0) -> NDArray[np.float32]:
    """Shading normals per corner, (F, 3, 3) float32: smooth across edges below `crease` degrees, hard above.

    Faces around a vertex are grouped by walking over its smooth edges; a corner's normal is the
    angle-weighted mean of its group. A face without area stands alone, with zeros.
    """
    normals = face_normals(vertices, faces)
    corners = vertices.astype(np.float64)[faces]
    arms = np.stack([np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners])
    arms /= np.maximum(np.linalg.norm(arms, axis=-1, keepdims=True), 1e-300)
    angles = np.arccos(np.clip((arms[0] * arms[1]).sum(-1), -1, 1))

    pairs, edges = adjacency(faces)
    smooth = np.einsum("ij,ij->i", normals[pairs[:, 0]], normals[pairs[:, 1]]) >= np.cos(np.radians(crease))
    pairs, edges = pairs[smooth], edges[smooth]
    count = 3 * len(faces)
    links = []
    for end in (0, 1):
        here = [3 * pairs[:, k] + (faces[pairs[:, k]] == edges[:, end, None]).argmax(1) for k in (0, 1)]
        links.append(np.stack(here, 1))
    link = np.concatenate(links) if links else np.zeros((0, 2), np.int64)
    graph = coo_array((np.ones(len(link), bool), (link[:, 0], link[:, 1])), shape=(count, count))
    groups, label = connected_components(graph, directed=False)
    weighted = (normals[:, None] * angles[..., None]).reshape(count, 3)
    total = np.stack([np.bincount(label, weights=weighted[:, axis], minlength=groups) for axis in range(3)], 1)[label]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    own = np.repeat(normals, 3, axis=0)
    return np.where(length > 1e-12, total / np.maximum(length, 1e-300), own).reshape(-1, 3, 3).astype(np.float32)


def normalized(vertices: Floats, faces: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Vertices moved and scaled so that the box of those in use is centred at the origin with its longest side 2.

    Returns:
        the vertices, the box's old centre (3,) and half its longest side: old = centre + half * new.

    Raises:
        AssetError: "no_extent".
    """
    used = vertices[np.unique(faces)].astype(np.float64)
    low, high = used.min(0), used.max(0)
    half = float((high - low).max()) / 2
    if not np.isfinite(half) or not half > 1e-12:
        raise AssetError("no_extent", f"the bounding box has no size: {low.tolist()} to {high.tolist()}")
    middle = (low + high) / 2
    return (vertices.astype(np.float64) - middle) / half, middle, half


def facing_normals(vertices: Floats, faces: Ints, normals: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Corner normals that no longer contradict their face, (F, 3, 3) float32, and how many faces were corrected.

    A face whose normals mostly point to its back has all three turned round. A corner that still points to the back is bent
    into the face's plane. Faces without area, which have no side, keep theirs.
    """
    own = face_normals(vertices, faces)
    if (np.einsum("ijk,ik->ij", normals, own) >= 0).all():
        return normals, 0
    turned = normals.astype(np.float64)
    turned[np.einsum("ijk,ik->i", turned, own) < 0] *= -1
    below = np.einsum("ijk,ik->ij", turned, own)
    # A hundredth above the plane: interpolation must not end on the wrong side by rounding.
    bent = turned + (0.01 - below)[..., None] * own[:, None]
    bent /= np.maximum(np.linalg.norm(bent, axis=-1, keepdims=True), 1e-300)
    result = np.where((below < 0)[..., None], bent, turned).astype(np.float32)
    return result, int((result != normals).any((1, 2)).sum())


def sample_surface(
    vertices: Floats, faces: Ints, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Uniform points on the surface.

    Returns:
        points (count, 3), face indices (count,) and barycentric weights (count, 3).

    Raises:
        ValueError: the mesh has no area.
    """
    cumulative = np.cumsum(face_areas(vertices, faces))
    if not len(cumulative) or not cumulative[-1] > 0:
        raise ValueError("can't sample a surface without area")
    chosen = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
    chosen = np.minimum(chosen, len(faces) - 1)
    root, v = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - v), root * v], 1)
    return np.einsum("ij,ijk->ik", weights, vertices.astype(np.float64)[faces[chosen]]), chosen, weights


def morton_order(points: Floats) -> NDArray[np.int64]:
    """(N,) an order of points (N, 3) along Morton's curve, 1024 cells a side; points that are not finite lie in the corner."""
    finite = np.nan_to_num(points, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float64)
    low = finite.min(0, initial=np.inf)
    extent = float((finite.max(0, initial=-np.inf) - low).max())
    cell = ((finite - low) * (1023 / max(extent, 1e-30))).astype(np.uint32)
    return np.argsort(morton_codes(cell), kind="stable")


def morton_codes(cells: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """(N,) the bits of cells (N, 3), each below 1024, interleaved: the first column gives the lowest bit of three."""
    spread = cells
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        spread = (spread | (spread << np.uint32(shift))) & np.uint32(mask)
    return spread[:, 0] | (spread[:, 1] << np.uint32(1)) | (spread[:, 2] << np.uint32(2))
