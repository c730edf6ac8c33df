"""Triangulation against the shoelace formula: whatever the polygon and its plane, the area and the winding are its own."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from versemill.curation.formats.polygons import triangulate
from versemill.mesh import face_cross


def star(rng, corners):
    """A star-shaped, mostly concave polygon (n, 2), counter-clockwise."""
    # No gap of half a turn, which would leave the centre outside.
    angles = (np.arange(corners) + rng.uniform(0, 0.45, corners)) * 2 * np.pi / corners
    return np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.2, 1, corners)[:, None]


def shoelace(points):
    x, y = points.T
    return (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_area_winding_and_corners(seed):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0][:, :2]
    flat = [star(rng, corners) for corners in rng.integers(3, 12, 6)]
    origin, scale = rng.normal(0, 1e3, 3), 10.0 ** rng.uniform(-6, 6)
    points = np.concatenate(flat) @ basis.T * scale + origin * scale
    sizes = np.array([len(polygon) for polygon in flat])
    shuffled = rng.permutation(len(points))
    vertices = np.empty_like(points)
    vertices[shuffled] = points
    local, owner = triangulate(vertices, sizes, shuffled)
    assert np.bincount(owner, minlength=6).tolist() == (sizes - 2).tolist()
    assert (np.diff(owner) >= 0).all()
    cross = face_cross(vertices, shuffled[local])
    outward = cross @ np.cross(*basis.T)
    for k, polygon in enumerate(flat):
        own = outward[owner == k] / 2
        assert (own > -1e-6 * scale**2).all()
        np.testing.assert_allclose(own.sum(), shoelace(polygon) * scale**2, rtol=1e-6)
        # Each edge of the polygon is an edge of exactly one triangle, so that neighbours still meet.
        ends = np.sort(local[owner == k][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
        start = int(sizes[:k].sum())
        ring = {tuple(sorted((start + i, start + (i + 1) % sizes[k]))) for i in range(sizes[k])}
        edges, counts = np.unique(ends, axis=0, return_counts=True)
        assert {tuple(edge) for edge, count in zip(edges.tolist(), counts, strict=True) if count == 1} == ring


def test_a_quad_is_cut_along_its_shorter_diagonal():
    lozenge = np.array([[0, -2, 0], [1, 0, 0], [0, 2, 0], [-1, 0, 0]], float)
    local, _ = triangulate(lozenge, np.array([4]), np.arange(4))
    assert all({1, 3} <= set(triangle) for triangle in local.tolist())
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    local, _ = triangulate(square, np.array([4]), np.arange(4))
    assert local.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_polygons_of_fewer_than_three_corners_give_nothing():
    local, owner = triangulate(np.eye(3), np.array([2, 1, 0]), np.arange(3))
    assert len(local) == len(owner) == 0
