"""Mesh facts against shapes whose numbers are known."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from versemill import mesh


def test_cube_by_hand(cube) -> None:
    vertices, faces = cube
    assert mesh.volume(vertices, faces) == pytest.approx(8)
    assert mesh.face_areas(vertices, faces).sum() == pytest.approx(24)
    assert mesh.topology(faces) == mesh.Topology(edges=18, boundary=0, non_manifold=0, inconsistent=0)
    assert len(mesh.sharp_edges(vertices, faces)) == 12
    assert len(mesh.sharp_edges(vertices, faces, angle=91)) == 0
    assert len(mesh.adjacency(faces)[0]) == 18


def test_sphere_and_torus_volumes(sphere, torus) -> None:
    assert mesh.volume(*sphere(5)) == pytest.approx(4 / 3 * np.pi, rel=2e-3)
    assert mesh.volume(*torus) == pytest.approx(2 * np.pi**2 * 0.4**2, rel=5e-3)
    assert len(mesh.sharp_edges(*sphere(3))) == 0


@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_volume_of_a_moved_mesh(torus, scale, shift) -> None:
    vertices, faces = torus
    moved = vertices.astype(np.float64) * scale + shift
    assert mesh.volume(moved, faces) == pytest.approx(mesh.volume(vertices, faces) * scale**3, rel=1e-4)
    assert mesh.volume(moved, faces[:, ::-1]) == pytest.approx(-mesh.volume(moved, faces))


def test_topology_tells_defects_apart(torus) -> None:
    _, faces = torus
    assert mesh.topology(faces).watertight
    opened = mesh.topology(faces[1:])
    assert (opened.boundary, opened.non_manifold, opened.inconsistent) == (3, 0, 0)
    flipped = faces.copy()
    flipped[0] = flipped[0, ::-1]
    assert mesh.topology(flipped).inconsistent == 3
    finned = np.concatenate([faces, [[faces[0, 0], faces[0, 1], faces.max() + 1]]])
    assert (mesh.topology(finned).non_manifold, mesh.topology(finned).boundary) == (1, 2)
    assert not any(mesh.topology(f).watertight for f in (faces[1:], flipped, finned, faces[:0]))


def test_adjacency_agrees_with_trimesh(torus) -> None:
    shape = trimesh.Trimesh(*torus, process=False)
    pairs, edges = mesh.adjacency(torus[1])
    ours = {(*sorted(pair), *edge) for pair, edge in zip(pairs.tolist(), edges.tolist(), strict=True)}
    theirs = zip(shape.face_adjacency.tolist(), shape.face_adjacency_edges.tolist(), strict=True)
    assert ours == {(*sorted(pair), *sorted(edge)) for pair, edge in theirs}


def test_nothing_has_no_edges(cube) -> None:
    vertices, faces = cube[0], cube[1][:0]
    assert len(mesh.adjacency(faces)[0]) == len(mesh.sharp_edges(vertices, faces)) == 0
    assert mesh.corner_normals(vertices, faces).shape == (0, 3, 3)


def test_components_count_in_face_order(cube, torus) -> None:
    faces = np.concatenate([torus[1] + 100, cube[1]])
    label = mesh.components(faces)
    assert label.tolist() == [0] * len(torus[1]) + [1] * 12
    assert len(mesh.components(faces[:0])) == 0


def test_corner_normals_keep_a_cube_hard_and_a_sphere_smooth(cube, sphere) -> None:
    flat = np.repeat(mesh.face_normals(*cube)[:, None], 3, axis=1)
    np.testing.assert_allclose(mesh.corner_normals(*cube), flat, atol=1e-6)
    vertices, faces = sphere(4)
    np.testing.assert_allclose(mesh.corner_normals(vertices, faces), vertices[faces], atol=5e-3)
    smooth_cube = mesh.corner_normals(*cube, crease=100)
    np.testing.assert_allclose(smooth_cube, cube[0][cube[1]] / np.sqrt(3), atol=1e-5)


def test_corner_normals_do_not_smooth_across_a_crease_that_ends() -> None:
    # A cone's tip: each pair of neighbours is smooth, the ring as a whole is not flat.
    cone = trimesh.creation.cone(1, 1, sections=64)
    normals = mesh.corner_normals(np.asarray(cone.vertices), np.asarray(cone.faces))
    side = np.asarray(cone.face_normals)[:, 2] > 0.1
    np.testing.assert_allclose(normals[side][..., 2], np.sqrt(0.5), atol=0.3)
    np.testing.assert_allclose(normals[~side][..., 2], -1, atol=1e-6)


def test_a_face_without_area_is_neither_sharp_nor_nan(cube) -> None:
    vertices, faces = cube
    # A sliver with zero area fills the slit between two copies of one edge.
    a, b = faces[0, 0], faces[0, 1]
    vertices = np.concatenate([vertices, (vertices[[a]] + vertices[[b]]) / 2])
    faces = np.concatenate([faces, [[b, a, 8], [a, b, 8]]]).astype(np.int32)
    assert len(mesh.sharp_edges(vertices, faces)) <= 12
    normals = mesh.corner_normals(vertices, faces)
    assert np.isfinite(normals).all()
    assert (mesh.face_normals(vertices, faces)[-1] == 0).all()


def test_sample_surface_is_uniform_and_on_the_surface(cube) -> None:
    vertices, faces = cube[0] * np.float32([1, 2, 3]), cube[1]
    points, chosen, weights = mesh.sample_surface(vertices, faces, 60_000, np.random.default_rng(0))
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)
    assert weights.min() >= 0
    np.testing.assert_allclose((np.abs(points) / (1, 2, 3)).max(1), 1, atol=1e-6)
    areas = mesh.face_areas(vertices, faces)
    expected = areas / areas.sum() * len(points)
    counts = np.bincount(chosen, minlength=12)
    assert ((counts - expected) ** 2 / expected).sum() < 32  # chi-square, 11 degrees, p = 0.0008
    top = points[np.abs(points[:, 2] - 3) < 1e-6]
    boxes = np.histogram2d(top[:, 0], top[:, 1], bins=(4, 8), range=((-1, 1), (-2, 2)))[0]
    assert ((boxes - boxes.mean()) ** 2 / boxes.mean()).sum() < 65  # 31 degrees, p = 0.0003


def test_sample_surface_needs_area(cube) -> None:
    with pytest.raises(ValueError, match="without area"):
        mesh.sample_surface(cube[0] * 0, cube[1], 5, np.random.default_rng(0))
