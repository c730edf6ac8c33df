"""How near one mesh is to another, and one set of shapes to another.

Distances are measured from dense samples of one mesh to the *surface* of the other, never between two samples: between
points, F-scores are capped (8,192 points a side give a shape 0.7 against itself at 0.02).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from versemill.mesh import face_normals, sample_surface, sharp_edges
from versemill.queries import MeshQuery

Floats = NDArray[np.floating]
THRESHOLDS = (0.005, 0.01, 0.02, 0.05)
"""Of the F-score, in world units; an asset's longest side is 2."""
POINTS = 16_384
"""Samples per mesh."""
SHARP_REACH = 0.02
"""A sample counts for the sharp normal error within this of a sharp edge."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh with what comparisons need of it.

    Attributes:
        query: closest points and signed distances. normals: (F, 3) of its faces.
        points: (POINTS, 3) uniform samples, point_normals (POINTS, 3). sharp: (POINTS,) bool, near a sharp edge.
        inside: (Q,) bool, which points of the box lie inside.
    """

    query: MeshQuery
    normals: Floats
    points: Floats
    point_normals: Floats
    sharp: NDArray[np.bool_]
    inside: NDArray[np.bool_]


def surface_of(vertices: Floats, faces: NDArray[np.integer], box: Floats, rng: np.random.Generator) -> Surface:
    """Samples of a mesh, (V, 3) and (F, 3); sharp edges are those over 30 degrees.

    Args:
        box: (Q, 3) points of uniform density at whose places volumes are compared.

    Raises:
        ValueError: the mesh has no area.
    """
    points, chosen, _ = sample_surface(vertices, faces, POINTS, rng)
    normals = face_normals(vertices, faces)
    ends = vertices[sharp_edges(vertices, faces)].astype(np.float64)
    query = MeshQuery(vertices, faces, winding=True)
    sharp = _near_edges(points, ends, SHARP_REACH)
    return Surface(query, normals, points, normals[chosen], sharp, query.signed_distance(box) < 0)


def _near_edges(points: Floats, ends: Floats, reach: float) -> NDArray[np.bool_]:
    """(N,) whether points (N, 3) lie within `reach` of edges (E, 2, 3), to a quarter of it."""
    if not len(ends):
        return np.zeros(len(points), bool)
    from scipy.spatial import cKDTree

    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    pieces = np.maximum(1, np.ceil(lengths / (reach / 2)).astype(int))
    owner = np.repeat(np.arange(len(ends)), pieces)
    place = (np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + 0.5) / pieces[owner]
    along = ends[owner, 0] * (1 - place[:, None]) + ends[owner, 1] * place[:, None]
    return cKDTree(along).query(points, distance_upper_bound=reach)[0] < reach


def compare(mesh: Surface, truth: Surface) -> dict[str, float]:
    """How near a mesh is to the true one; both know the same box.

    Returns:
        iou: of volumes. chamfer: sum of the two mean distances. f@T: F-score at each threshold.
        normal_consistency: mean cosine between normals at nearest places, both ways; -1 to 1.
        sharp_normal_error: mean angle in degrees of the true samples near sharp edges; absent where there are none.
    """
    out, out_face, _ = mesh.query.closest(truth.points)
    back, back_face, _ = truth.query.closest(mesh.points)
    cosine = (truth.point_normals * mesh.normals[out_face]).sum(1)
    cosine_back = (mesh.point_normals * truth.normals[back_face]).sum(1)
    scores = {"iou": iou(mesh.inside, truth.inside)}
    scores["chamfer"] = float(out.mean() + back.mean())
    for limit in THRESHOLDS:
        recall, precision = float((out < limit).mean()), float((back < limit).mean())
        scores[f"f@{limit}"] = 2 * precision * recall / max(precision + recall, 1e-12)
    scores["normal_consistency"] = float((cosine.mean() + cosine_back.mean()) / 2)
    if truth.sharp.any():
        scores["sharp_normal_error"] = float(np.degrees(np.arccos(np.clip(cosine[truth.sharp], -1, 1))).mean())
    return scores


EMPTY = {"iou": 0.0, "chamfer": 2.0, **{f"f@{limit}": 0.0 for limit in THRESHOLDS}, "normal_consistency": 0.0,
         "sharp_normal_error": 90.0}  # fmt: skip
"""What a mesh without a face gets: nothing shared, as far off as the box is wide, normals of no direction."""


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union; 1 where both are empty."""
    union = float((first | second).sum())
    return float((first & second).sum()) / union if union else 1.0


def coverage(distances: Floats) -> float:
    """Share of the reference shapes that are the nearest one of some sample; distances (samples, references).

    Achlioptas et al. 2018, section 4.
    """
    return len(np.unique(distances.argmin(1))) / distances.shape[1]


def minimum_matching_distance(distances: Floats) -> float:
    """Mean over the references of the distance to their nearest sample; distances (samples, references)."""
    return float(distances.min(0).mean())


def chamfer_matrix(first: Sequence[Floats], second: Sequence[Floats]) -> NDArray[np.float64]:
    """(A, B) Chamfer distances between point sets (N, 3) of one size: the sum of both mean nearest distances.

    Between samples, so not 0 for two samples of one shape: good for ranking, see the module.
    """
    import torch

    every = torch.from_numpy(np.stack(second)).float()
    matrix = np.zeros((len(first), len(every)))
    for row, points in enumerate(first):
        cloud = torch.from_numpy(points).float()
        for start in range(0, len(every), 64):  # of all at once the distances would fill the memory
            some = every[start : start + 64]
            distances = torch.cdist(cloud.expand(len(some), -1, -1), some)
            both = distances.min(2).values.mean(1) + distances.min(1).values.mean(1)
            matrix[row, start : start + 64] = both.double().numpy()
    return matrix


def frechet(first: Floats, second: Floats) -> float:
    """Fréchet distance of two sets of features, (N, D) and (M, D), as Gaussians (Heusel et al. 2017): FID's formula.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). With C1 = A'A and C2 = B'B the last trace is the sum of the singular values of
    A B', which needs no root of a matrix that fewer samples than dimensions make singular. The value is biased upwards by few
    samples: compare only what has equal counts.
    """
    difference = first.mean(0) - second.mean(0)
    a, b = ((f - f.mean(0)).astype(np.float64) / np.sqrt(len(f) - 1) for f in (first, second))
    shared = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(difference @ difference + (a * a).sum() + (b * b).sum() - 2 * shared)
