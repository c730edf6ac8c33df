"""What the parts of an asset enclose: the volume of its watertight surface, cut into one closed solid per part.

The parts of a joined asset are open patches of one closed surface. Each patch is closed by flat lids over its rims, and what
lies inside it is cut off the whole, the smallest first; the largest part keeps the rest. So the solids fill the whole exactly,
do not overlap, and keep its outer surface.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.mesh import adjacency, component_volumes, components, directed_edges, topology, volume
from versemill.queries import MeshQuery

Points = NDArray[np.float64]
Faces = NDArray[np.int32]

KERNELS = ("versemill.queries",)
"""Modules of Warp kernels that parts of another surface are looked up with."""

LEAST = 1e-5
"""Smallest share of the whole volume that a part may have; below it a patch is a cut or a graze, and has no solid."""

NEEDLE = 1e-5
"""Width in world units below which a triangle of a written solid is collapsed."""

APART, PASSES = 4e-6, 4
"""How far, and how often, vertices in one place are moved apart."""


@dataclass(frozen=True, eq=False)
class Solid:
    """One closed body: (n, 3) float64 vertices and (m, 3) int32 faces, counter-clockwise from outside, in world units."""

    vertices: Points
    faces: Faces


def part_solids(asset: Asset, vertices: NDArray[np.float32], faces: Faces) -> dict[int, Solid]:
    """Part id -> its solid, for the parts that have a volume; in the order of the ids.

    Args:
        asset: its `part_ids` label the surface.
        vertices: (n, 3) and faces (m, 3) of the watertight surface: the asset's own faces, or others that take the part of
            the nearest face.

    Raises:
        AssetError: "not_watertight": the surface is not closed, or manifold3d refuses it.
    """
    facts = topology(faces)
    if not facts.watertight or not volume(vertices, faces) > 0:
        raise AssetError(
            "not_watertight",
            f"the surface has {facts.boundary} boundary, {facts.non_manifold} non-manifold and {facts.inconsistent} unlike "
            f"edges and volume {volume(vertices, faces):.3g}, so it encloses no solid",
        )
    whole = _manifold(vertices.astype(np.float64), faces)
    part_of = _part_of_faces(asset, vertices, faces)
    patches = {int(part): _lidded(vertices, faces[part_of == part]) for part in np.unique(part_of)}
    order = sorted(patches, key=lambda part: (patches[part].volume(), part))
    rest, cut = whole, {}
    for part in order[:-1]:
        inside, remaining = rest.split(patches[part])
        if inside.volume() > LEAST * whole.volume():
            cut[part], rest = inside, remaining
    cut[order[-1]] = rest
    return {part: _solid(cut[part]) for part in sorted(cut)}


def tidied(solid: Solid, least: float) -> Solid:
    """The solid as a file should hold it, in float32: without needles, without bodies and cavities smaller than `least`, such
    as a cut along a rough surface leaves, and with no two vertices in one place, since many readers merge those, and where a
    solid touches itself that would join what is apart. Nothing moves by more than about 1e-5.
    """
    mesh = _manifold(solid.vertices, solid.faces).simplify(NEEDLE).to_mesh64()
    vertices, faces = np.array(mesh.vert_properties[:, :3], np.float32), np.array(mesh.tri_verts, np.int32)
    label = components(faces)
    sizes = np.abs(component_volumes(vertices, faces, label))
    kept = (sizes >= min(least, sizes.max()))[label]
    used, local = np.unique(faces[kept], return_inverse=True)
    vertices, faces = vertices[used], local.reshape(-1, 3).astype(np.int32)
    following, previous = faces[:, [1, 2, 0]], faces[:, [2, 0, 1]]
    for _ in range(PASSES):
        _, place, counts = np.unique(vertices.round(6) + 0, axis=0, return_inverse=True, return_counts=True)
        shared = (counts > 1)[place.reshape(-1)]
        if not shared.any():
            break
        # Each goes a little way towards its own neighbours, which differ from those of the vertex that it coincides with.
        points = vertices.astype(np.float64)
        pull = np.zeros_like(points)
        np.add.at(pull, faces, points[following] + points[previous] - 2 * points[faces])
        pull /= np.maximum(np.linalg.norm(pull, axis=1, keepdims=True), 1e-300)
        vertices = np.where(shared[:, None], points + APART * pull, points).astype(np.float32)
    return Solid(vertices.astype(np.float64), faces)


def _part_of_faces(asset: Asset, vertices: NDArray[np.float32], faces: Faces) -> NDArray[np.int32]:
    """(m,) the part of each face of the watertight surface."""
    if np.array_equal(asset.faces, faces) and np.array_equal(asset.vertices, vertices):
        return asset.part_ids
    _, nearest, _ = MeshQuery(asset.vertices, asset.faces).closest(vertices.astype(np.float64)[faces].mean(1))
    return asset.part_ids[nearest]


def _lidded(vertices: NDArray[np.float32], faces: Faces) -> manifold3d.Manifold:
    """A patch of a closed surface, made closed by a triangulated lid over each of its rims."""
    origin, own = _parted(faces)
    points = vertices[origin].astype(np.float64)
    lids = [_lid(points, rim) for rim in _rims(own)]
    return _manifold(points, np.concatenate([own, *lids]))


def _parted(faces: Faces) -> tuple[NDArray[np.int32], Faces]:
    """The vertex that each new vertex comes from, and the faces (m, 3) by new vertices: where two fans of the patch meet in
    one vertex, each gets its own, so that every vertex lies on one rim at most."""
    pairs, edges = adjacency(faces)
    links = []
    for end in (0, 1):
        corners = [3 * pairs[:, k] + (faces[pairs[:, k]] == edges[:, end, None]).argmax(1) for k in (0, 1)]
        links.append(np.stack(corners, 1))
    link, count = np.concatenate(links), 3 * len(faces)
    graph = coo_array((np.ones(len(link), bool), (link[:, 0], link[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return faces.reshape(-1)[first], inverse.reshape(-1, 3).astype(np.int32)


def _rims(faces: Faces) -> list[NDArray[np.int64]]:
    """The closed loops of boundary edges, each as its vertices in the direction of the faces' edges."""
    edges = directed_edges(faces)
    count = int(faces.max()) + 1
    rim = edges[~np.isin(edges[:, 1] * count + edges[:, 0], edges[:, 0] * count + edges[:, 1])]
    follow = dict(zip(rim[:, 0].tolist(), rim[:, 1].tolist(), strict=True))
    loops = []
    while follow:
        start = next(iter(follow))
        loop = [start]
        while (after := follow.pop(loop[-1])) != start:
            loop.append(after)
        loops.append(np.array(loop))
    return loops


def _lid(points: Points, rim: NDArray[np.int64]) -> Faces:
    """Triangles over a rim, facing away from the patch: those of its projection along its mean normal."""
    loop = rim[::-1]
    arms = points[loop] - points[loop].mean(0)
    normal = np.cross(arms, np.roll(arms, -1, axis=0)).sum(0)
    length = float(np.linalg.norm(normal))
    normal = normal / length if length > 0 else np.array([0.0, 0.0, 1.0])
    right = np.cross(np.eye(3)[np.abs(normal).argmin()], normal)
    right /= np.linalg.norm(right)
    flat = np.stack([arms @ right, arms @ np.cross(normal, right)], 1)
    return loop[np.asarray(manifold3d.triangulate([flat]))].astype(np.int32)


def _manifold(vertices: Points, faces: Faces) -> manifold3d.Manifold:
    body = manifold3d.Manifold(manifold3d.Mesh64(np.ascontiguousarray(vertices), faces.astype(np.uint64)))
    if body.status() != manifold3d.Error.NoError:
        raise AssetError("not_watertight", f"manifold3d refuses a surface of {len(faces)} faces: {body.status().name}")
    return body


def _solid(body: manifold3d.Manifold) -> Solid:
    mesh = body.to_mesh64()
    return Solid(np.array(mesh.vert_properties[:, :3]), np.array(mesh.tri_verts, np.int32))
