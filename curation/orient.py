"""Orientation: of the 24 axis-aligned poses, the most stable rest pose, with a symmetric asset's front towards -Y."""

import dataclasses
import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from versemill.asset import Asset
from versemill.mesh import sample_surface
from versemill.queries import MeshQuery

MARGIN = 0.3  # how much steadier another pose must be than the authored one
SYMMETRY_MARGIN = 0.02  # how much smaller, in world units, the mean distance to the mirror image must be


def poses() -> NDArray[np.float64]:
    """(24, 3, 3) the rotations that map axes to axes; the first is the identity. Their products with vectors are exact."""
    rotations = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[np.arange(3), order] = signs
            if np.linalg.det(matrix) > 0:
                rotations.append(matrix)
    return np.stack(rotations)


def stability(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """(6,) how well the asset rests on its -x, +x, -y, +y, -z, +z side, in [0, 1].

    The share of the footprint that the convex hull touches the ground with, less how high the hull's centre lies.
    """
    points = vertices[np.unique(faces)].astype(np.float64)
    try:
        hull = ConvexHull(points)
    except QhullError:
        return np.zeros(6)
    corners = hull.points[hull.simplices]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    middle = np.average(corners.mean(1), axis=0, weights=area)
    scores = []
    for axis, sign in itertools.product(range(3), (-1.0, 1.0)):
        facing = sign * hull.equations[:, axis]
        low, high = points[:, axis].min(), points[:, axis].max()
        ground = high if sign > 0 else low
        touching = (facing > np.cos(np.radians(5))) & (np.abs(corners[..., axis] - ground).max(1) < 0.02)
        footprint = (area * np.clip(facing, 0, None)).sum()
        height = abs(middle[axis] - ground) / max(high - low, 1e-12)
        scores.append(area[touching].sum() / max(footprint, 1e-12) * (1 - 0.5 * height))
    return np.array(scores)


def rest_pose(asset: Asset, rng: np.random.Generator) -> tuple[Asset, int]:
    """Turns the asset onto its most stable side and its mirror plane, if it has one, to x = 0.

    The authored pose stays unless another is clearly better. A mirrored shape has two fronts; the one nearer to the
    authored pose is taken.

    Returns:
        the asset and the index of the pose in `poses()`; 0 is as authored.
    """
    turns = poses()
    scores = stability(asset.vertices, asset.faces)
    # Row 2 of a pose says which side of the asset comes to lie up; the opposite one is the ground.
    axis = np.abs(turns[:, 2]).argmax(1)
    ground = 2 * axis + (turns[np.arange(24), 2, axis] < 0)
    stable = scores[ground]
    points, _, _ = sample_surface(asset.vertices, asset.faces, 1024, rng)
    query = MeshQuery(asset.vertices, asset.faces)
    asymmetry = []
    for k in range(3):
        mirrored = points.copy()
        mirrored[:, k] *= -1
        asymmetry.append(float(query.closest(mirrored, limit=1.0)[0].mean()))
    lopsided = np.array(asymmetry)[np.abs(turns[:, 0]).argmax(1)]
    turning = -np.trace(turns, axis1=1, axis2=2)  # the smaller, the nearer to the authored pose
    better = stable.max() > stable[0] + MARGIN
    candidates = np.flatnonzero(stable >= stable.max() - 1e-9) if better else np.flatnonzero(ground == 4)
    start = candidates[turning[candidates].argmin()]
    fronts = candidates[lopsided[candidates] < lopsided[start] - SYMMETRY_MARGIN]
    kept = int(fronts[np.lexsort((turning[fronts], lopsided[fronts].round(3)))[0]] if len(fronts) else start)
    if kept == 0:
        return asset, 0
    turn = turns[kept].astype(np.float32)
    normals = None if asset.normals is None else asset.normals @ turn.T
    return dataclasses.replace(asset, vertices=asset.vertices @ turn.T, normals=normals), kept
