"""Co-visibility against exact ray casting, and what must be true of any such matrix."""

import numpy as np
import pytest

from versemill.camera import Camera, intrinsics, look_at, orthographic_intrinsics
from versemill.covisibility import covisibility

SIZE = 160
BALLS = [((0.0, 0.0, 0.0), 0.55), ((0.7, 0.2, 0.1), 0.3), ((-0.4, 0.6, 0.4), 0.25)]
"""Centres and radii: balls hide parts of each other, and rays against them are exact."""


def first_hit(origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Smallest positive t of origin + t * direction on any ball; infinite where there is none."""
    best = np.full(origins.shape[:-1], np.inf)
    a = (directions**2).sum(-1)
    for centre, radius in BALLS:
        from_centre = origins - centre
        b, c = (from_centre * directions).sum(-1), (from_centre**2).sum(-1) - radius**2
        disc = b * b - a * c
        root = np.sqrt(np.maximum(disc, 0))
        t = np.where(-b - root > 0, -b - root, root - b) / a  # from within, the far side
        best = np.where((disc > 0) & (t > 0) & (t < best), t, best)
    return best


def trace(camera: Camera) -> np.ndarray:
    t = first_hit(*camera.rays())
    return np.where(np.isfinite(t), t, 0).astype(np.float32)


def cast(cameras, depth, i, j) -> float:
    """The share for (i, j) by a shadow ray from every foreground point of view i to camera j."""
    world = cameras[i].unproject(depth[i])[depth[i] > 0]
    pixels, z = cameras[j].project(world)
    inside = (z > 0) & (pixels >= 0).all(1) & (pixels < (cameras[j].width, cameras[j].height)).all(1)
    if cameras[j].orthographic:
        towards = np.broadcast_to(-cameras[j].c2w[:3, 2] * 10, world.shape)
    else:
        towards = cameras[j].center - world
    free = first_hit(world + 1e-4 * towards, towards) > 1
    return float((inside & free).mean())


def rig(count: int, seed: int, orthographic: bool = False) -> list[Camera]:
    rng = np.random.default_rng(seed)
    eyes = rng.normal(size=(count, 3))
    eyes *= rng.uniform(1.8, 3.5, (count, 1)) / np.linalg.norm(eyes, axis=1, keepdims=True)
    K = orthographic_intrinsics(2.4, SIZE, SIZE) if orthographic else intrinsics(45, SIZE, SIZE)
    return [Camera(look_at(eye), K, SIZE, SIZE, orthographic) for eye in eyes]


@pytest.mark.parametrize("orthographic", [False, True])
def test_shares_agree_with_ray_casting(orthographic):
    cameras = rig(8, 3, orthographic)
    depth = np.stack([trace(camera) for camera in cameras])
    shares = covisibility(cameras, depth)
    expected = np.array([[cast(cameras, depth, i, j) if i != j else 1 for j in range(8)] for i in range(8)])
    assert shares.dtype == np.float32
    assert np.abs(shares - expected).max() < 0.08
    assert np.abs(shares - expected).mean() < 0.02
    assert expected.min() < 0.2 < 0.6 < np.sort(expected[~np.eye(8, dtype=bool)])[-3]


def test_equal_views_see_all_and_opposite_views_nothing():
    global BALLS
    before, BALLS = BALLS, [((0.0, 0.0, 0.0), 1.0)]
    try:
        cameras = [Camera(look_at(eye), intrinsics(50, SIZE, SIZE), SIZE, SIZE) for eye in ((3, 0, 0), (3, 0, 0), (-3, 0, 0))]
        shares = covisibility(cameras, np.stack([trace(c) for c in cameras]))
    finally:
        BALLS = before
    np.testing.assert_allclose(shares, [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=0.06)


def test_a_close_up_lies_within_the_overview_but_not_the_other_way_round():
    K = intrinsics(40, SIZE, SIZE)
    cameras = [Camera(look_at((1.4, 0, 0)), K, SIZE, SIZE), Camera(look_at((4.0, 0, 0)), K, SIZE, SIZE)]
    shares = covisibility(cameras, np.stack([trace(c) for c in cameras]))
    assert shares[0, 1] > 0.95
    assert shares[1, 0] < 0.8


def test_order_of_views_is_the_order_of_rows_and_columns_and_empty_views_see_nothing():
    cameras = rig(5, 1)
    depth = np.stack([trace(camera) for camera in cameras])
    order = [3, 0, 4, 1, 2]
    shares = covisibility(cameras, depth)
    np.testing.assert_array_equal(covisibility([cameras[k] for k in order], depth[order]), shares[np.ix_(order, order)])
    depth[2] = 0
    shares = covisibility(cameras, depth)
    assert (shares[2] == 0).all()
    assert (shares[:, 2] == 0).all()
    assert (np.diag(shares)[[0, 1, 3, 4]] == 1).all()
    assert ((shares >= 0) & (shares <= 1)).all()
