"""Co-visibility: how much of what one view shows another view shows too, from depth maps and cameras alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.camera import Camera

TOLERANCE = 0.005
"""World units, next to one pixel's footprint, by which a point may miss the depths that a view sees around it."""

AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def covisibility(cameras: Sequence[Camera], depth: NDArray[np.floating], points: int = 1024) -> NDArray[np.float32]:
    """(V, V) float32: entry (i, j) is the share of view i's foreground pixels whose surface point view j sees as well.

    Up to `points` foreground pixels of view i, evenly picked, are unprojected and projected into view j. A point is seen
    there when it falls into the image and its depth lies within what the 3 x 3 pixels around it span, give or take
    `TOLERANCE` and one pixel's footprint: so slanted surfaces are seen, and what is hidden is not, but for a seam one
    pixel wide along occluding edges and horizons. Between opposite views of a ball the share is 0, between equal views 1.
    The matrix is not symmetric: a close-up is part of the overview, but not the other way round. A view without
    foreground has a row of zeros; the diagonal of the others is 1.

    Args:
        cameras: V cameras of one image size, perspective or orthographic.
        depth: (V, H, W) planar z in world units; 0 is background.
    """
    picked = [_pick(image, points) for image in depth]
    world = [_unproject(camera, image, *at) for camera, image, at in zip(cameras, depth, picked, strict=True)]
    counts = np.array([len(w) for w in world])
    everything, owner = np.concatenate(world), np.repeat(np.arange(len(cameras)), counts)
    shares = np.zeros((len(cameras), len(cameras)), np.float32)
    for j, camera in enumerate(cameras):
        seen = np.bincount(owner, weights=_seen(camera, depth[j], everything), minlength=len(cameras))
        shares[:, j] = seen / np.maximum(counts, 1)
    np.fill_diagonal(shares, counts > 0)
    return shares


def _pick(image: NDArray[np.floating], points: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = np.nonzero(image)
    chosen = np.linspace(0, len(rows) - 1, min(points, len(rows))).astype(np.int64)
    return rows[chosen], columns[chosen]


def _unproject(camera: Camera, image: NDArray[Any], y: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.float64]:
    z = image[y, x].astype(np.float64)
    plane = (np.stack([x, y], 1) + 0.5 - camera.K[:2, 2]) @ np.linalg.inv(camera.K[:2, :2]).T
    local = np.column_stack([plane if camera.orthographic else plane * z[:, None], z])
    return local @ camera.c2w[:3, :3].T + camera.c2w[:3, 3]


def _seen(camera: Camera, image: NDArray[Any], world: NDArray[np.float64]) -> NDArray[np.float64]:
    local = world @ camera.w2c[:3, :3].T + camera.w2c[:3, 3]
    z = local[:, 2]
    ahead = z > 0
    plane = local[:, :2] if camera.orthographic else local[:, :2] / np.where(ahead, z, 1.0)[:, None]
    x, y = np.floor(plane @ camera.K[:2, :2].T + camera.K[:2, 2]).T
    inside = ahead & (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
    x, y, z = x[inside].astype(np.int64), y[inside].astype(np.int64), z[inside]
    rows = [np.clip(y + dy, 0, camera.height - 1) for dy, _ in AROUND]
    columns = [np.clip(x + dx, 0, camera.width - 1) for _, dx in AROUND]
    around = image[np.stack(rows), np.stack(columns)].astype(np.float64)
    nearest = np.where(around > 0, around, np.inf).min(0)
    slack = TOLERANCE + (1.0 if camera.orthographic else z) / camera.K[0, 0]
    seen = np.zeros(len(world))
    seen[inside] = (z >= nearest - slack) & (z <= around.max(0) + slack)
    return seen
