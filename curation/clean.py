"""Cleaning: what is wrong with the indexed mesh is repaired and counted; what is already closed is left alone."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from versemill.asset import Asset
from versemill.curation.visibility import escapes
from versemill.mesh import (
    boundary_edges,
    component_volumes,
    components,
    directed_edges,
    face_areas,
    face_cross,
    facing_normals,
    topology,
)
from versemill.queries import MeshQuery

Ints = NDArray[np.integer[Any]]
MAX_FANS = 50_000  # non-manifold edges that are paired by angle; beyond it they are cut


def clean(asset: Asset, merge_distance: float, min_part: float, device: str = "cpu") -> tuple[Asset, dict[str, int]]:
    """A mesh that later stages can trust, and what was done to it.

    A closed, consistently wound mesh only loses tiny parts, has bodies that touch in a vertex taken apart and inside-out
    components turned: merging or dropping faces would open it. Any other mesh loses degenerate and duplicate faces, has
    near-duplicate boundary vertices merged, non-manifold edges and vertices taken apart, and its winding made consistent
    and outward.

    Args:
        merge_distance: boundary vertices closer than this are one. min_part: bounding-box diagonal below which a loose
            part goes; both in world units.

    Returns:
        the asset, and counts by repair: "degenerate_faces", "duplicate_faces", "merged_vertices", "split_vertices",
        "flipped_faces", "non_orientable_parts", "tiny_parts", "unreferenced_vertices", and where there are any,
        "turned_normals": faces whose shading normals contradicted their winding.
    """
    counts: dict[str, int] = {}
    if not topology(asset.faces).watertight:
        asset = _drop(asset, _repeated(asset.faces), "degenerate_faces", counts)
        asset = _drop(asset, _duplicated(asset.faces), "duplicate_faces", counts)
        if not topology(asset.faces).watertight:
            asset = _drop(asset, face_areas(asset.vertices, asset.faces) <= 1e-14, "degenerate_faces", counts)
            asset = _weld(asset, merge_distance, counts)
            asset = _drop(asset, _duplicated(asset.faces), "duplicate_faces", counts)
        asset = _split(asset, counts)
        flip, non_orientable = coherent(asset.faces)
        counts["non_orientable_parts"] = non_orientable
        asset = _flip(asset, flip, counts)
    else:
        asset = _split(asset, counts)
    asset = _tiny_parts(asset, min_part, counts)
    if len(asset.faces):
        asset = _flip(asset, inward(asset.vertices, asset.faces, device), counts)
        asset = _facing(asset, counts)
    return _unreferenced(asset, counts), counts


def _drop(asset: Asset, gone: NDArray[np.bool_], name: str, counts: dict[str, int]) -> Asset:
    counts[name] = counts.get(name, 0) + int(gone.sum())
    return take_faces(asset, ~gone) if gone.any() else asset


def take_faces(asset: Asset, keep: NDArray[Any]) -> Asset:
    """The asset with only the faces that a mask or index array selects; vertices stay."""
    return dataclasses.replace(
        asset,
        faces=asset.faces[keep],
        uvs=asset.uvs[keep],
        material_ids=asset.material_ids[keep],
        part_ids=asset.part_ids[keep],
        normals=None if asset.normals is None else asset.normals[keep],
    )


def _repeated(faces: Ints) -> NDArray[np.bool_]:
    return (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])


def _duplicated(faces: Ints) -> NDArray[np.bool_]:
    """True for every face whose three vertices an earlier face has too, in whatever order."""
    gone = np.zeros(len(faces), bool)
    if len(faces):
        key = np.sort(faces, axis=1)
        order = np.lexsort(key.T[::-1])
        same = (key[order][1:] == key[order][:-1]).all(1)
        gone[order[1:][same]] = True  # lexsort is stable: the first of each run is the lowest index
    return gone


def _weld(asset: Asset, distance: float, counts: dict[str, int]) -> Asset:
    """Merges vertices on boundary edges that lie within `distance` of each other."""
    counts["merged_vertices"] = 0
    rim = boundary_vertices(asset.faces)
    if len(rim) < 2:
        return asset
    tree = cKDTree(asset.vertices[rim].astype(np.float64))
    pairs = tree.query_pairs(distance, output_type="ndarray")
    if not len(pairs):
        return asset
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(rim), len(rim)))
    _, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)
    target = np.arange(len(asset.vertices), dtype=np.int32)
    target[rim] = rim[first[label]]
    counts["merged_vertices"] = int((target[rim] != rim).sum())
    merged = dataclasses.replace(asset, faces=target[asset.faces])
    return _drop(merged, _repeated(merged.faces), "degenerate_faces", counts)


def _split(asset: Asset, counts: dict[str, int]) -> Asset:
    vertices, faces = split_non_manifold(asset.vertices, asset.faces)
    counts["split_vertices"] = max(len(vertices) - len(asset.vertices), 0)
    return dataclasses.replace(asset, vertices=vertices, faces=faces)


def boundary_vertices(faces: Ints) -> NDArray[np.int64]:
    """Sorted indices of the vertices on edges with one face."""
    return np.unique(boundary_edges(faces))


def _edge_runs(faces: Ints) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Half edges grouped by the undirected edge they lie on.

    Returns:
        the directed edges (3F, 2), an order that puts equal edges side by side, and each run's start and size in it.
    """
    directed = directed_edges(faces)
    code = directed.min(1) * (int(faces.max()) + 1) + directed.max(1)
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(code[order]) > 0])
    return directed, order, starts, np.diff(np.r_[starts, len(order)])


def split_non_manifold(vertices: NDArray[np.float32], faces: Ints) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Takes fans apart, so that every edge has at most two faces and every vertex one fan.

    Around an edge with four or more faces that run along it equally often in both directions, faces are paired across
    the solid between them: two closed bodies that touch along an edge come apart as two closed bodies. At other
    non-manifold edges the faces are cut from each other.
    """
    if len(faces) == 0:
        return vertices, faces.astype(np.int32)
    directed, order, starts, sizes = _edge_runs(faces)
    two = starts[sizes == 2]
    pairs = [np.stack([order[two], order[two + 1]], 1)]
    fans = starts[(sizes > 2) & (sizes % 2 == 0)]
    spans = sizes[(sizes > 2) & (sizes % 2 == 0)]
    for start, size in zip(fans[:MAX_FANS], spans[:MAX_FANS], strict=True):
        pairs.append(_pair_fan(vertices, faces, directed, order[start : start + size]))
    joined = np.concatenate(pairs)
    # Half edge h is edge h % 3 of face h // 3; it starts at corner h and ends at the next corner of the same face.
    head, tail = joined, 3 * (joined // 3) + (joined + 1) % 3
    same_way = directed[joined[:, 0], 0] == directed[joined[:, 1], 0]
    links = np.concatenate(
        [
            np.stack([head[:, 0], np.where(same_way, head[:, 1], tail[:, 1])], 1),
            np.stack([tail[:, 0], np.where(same_way, tail[:, 1], head[:, 1])], 1),
        ]
    )
    corners = 3 * len(faces)
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(corners, corners))
    groups, label = connected_components(graph, directed=False)
    flat = faces.reshape(-1)
    if groups == len(np.unique(flat)):
        return vertices, faces.astype(np.int32)
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return vertices[flat[first]], inverse.reshape(-1, 3).astype(np.int32)


def _pair_fan(vertices: NDArray[np.float32], faces: Ints, directed: Ints, half_edges: Ints) -> NDArray[np.int64]:
    """Pairs of half edges around one edge, each spanning a wedge of solid; none where they can't be told."""
    a, b = directed[half_edges[0]]
    forward = directed[half_edges, 0] == a
    if forward.sum() * 2 != len(half_edges):
        return np.zeros((0, 2), np.int64)
    points = vertices.astype(np.float64)
    axis = points[b] - points[a]
    axis /= max(float(np.linalg.norm(axis)), 1e-300)
    apex = faces[half_edges // 3, (half_edges + 2) % 3]
    arms = points[apex] - points[a]
    arms -= (arms @ axis)[:, None] * axis
    start = arms[0] / max(float(np.linalg.norm(arms[0])), 1e-300)
    angle = np.arctan2(arms @ np.cross(axis, start), arms @ start)
    # Solid lies clockwise of a forward face: its partner is the face before it, which must run backward.
    around = np.argsort(angle, kind="stable")
    before = np.roll(around, 1)
    chosen = forward[around]
    if forward[before[chosen]].any():
        return np.zeros((0, 2), np.int64)
    return np.stack([half_edges[around[chosen]], half_edges[before[chosen]]], 1)


def coherent(faces: Ints) -> tuple[NDArray[np.bool_], int]:
    """Which faces to flip so that neighbours agree (the smaller part of each patch flips), and the patches where none can."""
    count = len(faces)
    if count == 0:
        return np.zeros(0, bool), 0
    directed, order, starts, sizes = _edge_runs(faces)
    two = starts[sizes == 2]
    first, second = order[two], order[two + 1]
    f, g = first // 3, second // 3
    disagree = directed[first, 0] == directed[second, 0]
    # Each face stands twice, as it is and flipped; a patch that reaches itself flipped has no consistent winding.
    rows = np.concatenate([f, f + count])
    columns = np.concatenate([np.where(disagree, g + count, g), np.where(disagree, g, g + count)])
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(2 * count, 2 * count))
    _, label = connected_components(graph, directed=False)
    as_is, flipped = label[:count], label[count:]
    bad = as_is == flipped
    flip = as_is > flipped
    _, patch = np.unique(np.minimum(as_is, flipped), return_inverse=True)
    mostly = np.bincount(patch, weights=flip) * 2 > np.bincount(patch)
    flip ^= mostly[patch]
    flip[bad] = False
    return flip, len(np.unique(patch[bad]))


def closed_components(faces: Ints, label: Ints) -> NDArray[np.bool_]:
    """(components,) bool: which components have no boundary, no non-manifold and no inconsistent edge."""
    directed, order, starts, sizes = _edge_runs(faces)
    owner = np.repeat(label, 3)
    along = np.add.reduceat((directed[order, 0] < directed[order, 1]).astype(np.int64), starts)
    bad = (sizes != 2) | (along != 1)
    closed = np.ones(int(label.max()) + 1, bool)
    closed[owner[order[starts[bad]]]] = False
    return closed


def inward(vertices: NDArray[np.float32], faces: Ints, device: str = "cpu") -> NDArray[np.bool_]:
    """Faces of components that face the wrong way.

    A closed component is wrong where its signed volume is negative, unless the whole mesh is closed with a positive
    volume and the component is a cavity, enclosed by another. An open one is wrong where its back sees more of the outside.
    """
    label = components(faces)
    count = int(label.max()) + 1
    closed = closed_components(faces, label)
    wrong = np.zeros(count, bool)
    volumes = component_volumes(vertices, faces, label)
    wrong[closed] = volumes[closed] < 0
    if closed.all() and count > 1 and wrong.any() and volumes.sum() > 0:
        wrong &= ~enclosed(vertices, faces, label, wrong)
    if not closed.all():
        wrong[~closed] = _back_sees_more(vertices, faces, label, ~closed, device)[~closed]
    return wrong[label]


def enclosed(vertices: NDArray[np.float32], faces: Ints, label: Ints, selected: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(components,) bool: the selected components of a closed mesh whose first vertex lies inside the components not asked."""
    inside = np.zeros(len(selected), bool)
    others = faces[~selected[label]]
    if len(others):
        _, first = np.unique(label, return_index=True)
        points = vertices[faces[first[selected], 0]]
        inside[selected] = MeshQuery(vertices, others, winding=True).signed_distance(points) < 0
    return inside


def _back_sees_more(
    vertices: NDArray[np.float32], faces: Ints, label: Ints, selected: NDArray[np.bool_], device: str
) -> NDArray[np.bool_]:
    """(components,) bool, by rays from up to 16 of each component's largest faces, to either side."""
    cross = face_cross(vertices, faces)
    area = np.linalg.norm(cross, axis=1)
    order = np.lexsort((-area, label))
    rank = np.arange(len(faces)) - np.searchsorted(label[order], label[order])
    chosen = order[(rank < 16) & selected[label[order]] & (area[order] > 0)]
    normals = cross[chosen] / area[chosen, None]
    front, back = escapes(vertices, faces, vertices[faces[chosen]].astype(np.float64).mean(1), normals, 16, device)
    score = np.bincount(label[chosen], weights=back.sum(1) - front.sum(1), minlength=len(selected))
    return score > 0


def _flip(asset: Asset, flip: NDArray[np.bool_], counts: dict[str, int]) -> Asset:
    """Reverses faces with their corner attributes; authored normals follow their face."""
    counts["flipped_faces"] = counts.get("flipped_faces", 0) + int(flip.sum())
    if not flip.any():
        return asset
    order = np.where(flip[:, None], [0, 2, 1], [0, 1, 2])
    rows = np.arange(len(asset.faces))[:, None]
    normals = asset.normals
    if normals is not None:
        normals = normals[rows, order] * np.where(flip, -1, 1).astype(np.float32)[:, None, None]
    return dataclasses.replace(asset, faces=asset.faces[rows, order], uvs=asset.uvs[rows, order], normals=normals)


def _facing(asset: Asset, counts: dict[str, int]) -> Asset:
    """Makes authored normals agree with the winding, which by now is right."""
    if asset.normals is None:
        return asset
    normals, turned = facing_normals(asset.vertices, asset.faces, asset.normals)
    if turned:
        counts["turned_normals"] = turned
    return dataclasses.replace(asset, normals=normals)


def _tiny_parts(asset: Asset, minimum: float, counts: dict[str, int]) -> Asset:
    """Removes loose parts below `minimum`, but never all."""
    counts["tiny_parts"] = 0
    if len(asset.faces) == 0:
        return asset
    label = components(asset.faces)
    total = int(label.max()) + 1
    low, high = np.full((total, 3), np.inf), np.full((total, 3), -np.inf)
    corners = asset.vertices[asset.faces]
    np.minimum.at(low, label, corners.min(1))
    np.maximum.at(high, label, corners.max(1))
    tiny = np.linalg.norm(high - low, axis=1) < minimum
    if tiny.all():
        return asset
    counts["tiny_parts"] = int(tiny.sum())
    return take_faces(asset, ~tiny[label]) if tiny.any() else asset


def _unreferenced(asset: Asset, counts: dict[str, int]) -> Asset:
    used = np.unique(asset.faces)
    counts["unreferenced_vertices"] = len(asset.vertices) - len(used)
    if len(used) == len(asset.vertices):
        return asset
    target = np.zeros(len(asset.vertices), np.int32)
    target[used] = np.arange(len(used), dtype=np.int32)
    return dataclasses.replace(asset, vertices=asset.vertices[used], faces=target[asset.faces])
