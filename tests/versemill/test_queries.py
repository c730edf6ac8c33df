"""BVH queries against Embree and against analytic distances."""

import numpy as np
import pytest
import trimesh
from trimesh.ray.ray_pyembree import RayMeshIntersector

from versemill.queries import MeshQuery, cut_needles


def _rays(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    origins = rng.normal(size=(count, 3))
    origins *= 3 / np.linalg.norm(origins, axis=1, keepdims=True)
    return origins, rng.uniform(-1, 1, (count, 3)) - origins


def test_rays_agree_with_embree(torus) -> None:
    origins, directions = _rays(4000, np.random.default_rng(0))
    hits = MeshQuery(*torus).ray_cast(origins, directions)
    shape = trimesh.Trimesh(*torus, process=False)
    spots, rays, faces = RayMeshIntersector(shape).intersects_location(origins, directions, multiple_hits=False)
    expected = np.full(4000, -1)
    expected[rays] = faces
    assert (hits.faces != expected).mean() < 1e-3
    same = (hits.faces == expected)[rays]
    ours = origins[rays] + hits.distances[rays, None] * directions[rays]
    np.testing.assert_allclose(ours[same], spots[same], atol=1e-4)
    assert 0.2 < (hits.faces >= 0).mean() < 0.95


def test_hits_have_barycentric_weights(torus) -> None:
    vertices, faces = torus
    origins, directions = _rays(2000, np.random.default_rng(1))
    hits = MeshQuery(*torus).ray_cast(origins, directions)
    hit = hits.faces >= 0
    spot = np.einsum("ij,ijk->ik", hits.weights[hit], vertices[faces[hits.faces[hit]]])
    np.testing.assert_allclose(spot, (origins + hits.distances[:, None] * directions)[hit], atol=1e-4)
    assert (hits.distances[~hit] == 0).all()


def test_rays_see_both_sides_and_stop_at_the_limit(cube) -> None:
    query = MeshQuery(*cube)
    inside = query.ray_cast([[0.1, 0.2, 0]], [[0, 0, 2]])
    assert inside.distances[0] == pytest.approx(0.5)
    assert query.ray_cast([[0.1, 0.2, 3]], [[0, 0, -1]], limit=1.9).faces[0] == -1
    assert query.ray_cast([[0.1, 0.2, 3]], [[0, 0, -1]], limit=2.1).faces[0] >= 0


def test_signed_distance_to_a_box(cube) -> None:
    points = np.random.default_rng(2).uniform(-2, 2, (5000, 3))
    outside = np.maximum(np.abs(points) - 1, 0)
    expected = np.linalg.norm(outside, axis=1) + np.minimum((np.abs(points) - 1).max(1), 0)
    np.testing.assert_allclose(MeshQuery(*cube, winding=True).signed_distance(points), expected, atol=2e-6)


def test_signed_distance_to_a_sphere_and_a_torus(sphere, torus) -> None:
    points = np.random.default_rng(3).uniform(-1.5, 1.5, (5000, 3))
    ball = np.linalg.norm(points, axis=1) - 1
    ring = np.hypot(np.hypot(points[:, 0], points[:, 1]) - 1, points[:, 2]) - 0.4
    # A chord lies within its sagitta of the arc.
    for mesh, expected, sagitta in ((sphere(5), ball, 1e-3), (torus, ring, 2e-3)):
        distances = MeshQuery(*mesh, winding=True).signed_distance(points)
        np.testing.assert_allclose(distances, expected, atol=sagitta)
        clear = np.abs(expected) > sagitta
        assert (np.sign(distances) == np.sign(expected))[clear].all()


def test_closest_points_lie_on_the_named_face(torus) -> None:
    vertices, faces = torus
    points = np.random.default_rng(4).uniform(-1.5, 1.5, (500, 3)).astype(np.float32)
    distance, face, spot = MeshQuery(*torus).closest(points)
    np.testing.assert_allclose(np.linalg.norm(points - spot, axis=1), distance, atol=1e-6)
    for k in range(20):
        every = trimesh.triangles.closest_point(vertices[faces].astype(float), np.tile(points[k], (len(faces), 1)))
        assert distance[k] == pytest.approx(np.linalg.norm(every - points[k], axis=1).min(), abs=1e-6)
    corners = vertices[faces[face]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    np.testing.assert_allclose(np.einsum("ij,ij->i", normal, spot - corners[:, 0]), 0, atol=1e-5)


def test_an_inverted_mesh_has_no_inside(cube) -> None:
    query = MeshQuery(cube[0], cube[1][:, ::-1], winding=True)
    assert query.signed_distance([[0, 0, 0]])[0] == pytest.approx(1)


def test_what_would_crash_native_code_is_refused(cube) -> None:
    vertices, faces = cube
    with pytest.raises(ValueError, match="face indices span"):
        MeshQuery(vertices, faces + 1)
    with pytest.raises(ValueError, match="at least one face"):
        MeshQuery(vertices, faces[:0])
    with pytest.raises(ValueError, match="finite"):
        MeshQuery(vertices * np.nan, faces)
    with pytest.raises(ValueError, match="winding=True"):
        MeshQuery(vertices, faces).signed_distance([[0, 0, 0]])
    assert MeshQuery(vertices, faces).closest([[np.nan, 0, 0]])[1][0] == -1
    assert len(MeshQuery(vertices, faces).ray_cast(np.zeros((0, 3)), np.zeros((0, 3))).faces) == 0


def _fan() -> tuple[np.ndarray, np.ndarray]:
    """A flat ring of needles around a fine circle, as a boolean leaves them on a box that a ball sits on."""
    turn = np.linspace(0, 2 * np.pi, 257)[:-1]
    inner = np.stack([0.05 * np.cos(turn), 0.05 * np.sin(turn), 0 * turn], 1)
    corners = np.array([[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0]], float)
    nearest = 256 + (np.arange(256) // 64)
    follow = (np.arange(256) + 1) % 256
    fans = np.stack([np.arange(256), nearest, follow], 1)[:, [0, 1, 2]]
    gaps = [[64 * (k + 1) % 256, 256 + k, 256 + (k + 1) % 4] for k in range(4)]
    return np.concatenate([inner, corners]), np.concatenate([fans, gaps])


def test_needles_give_exact_distances() -> None:
    vertices, faces = _fan()
    rng = np.random.default_rng(6)
    points = np.concatenate([rng.uniform(-0.9, 0.9, (4000, 2)), rng.choice([1e-5, 1e-3, 0.1], (4000, 1))], 1)
    points = points[np.linalg.norm(points[:, :2], axis=1) > 0.06].astype(np.float32)
    assert cut_needles(vertices.astype(np.float32), faces.astype(np.int32)) is not None
    distance, face, _ = MeshQuery(vertices, faces).closest(points)
    # The plane is the truth: without the cuts the error here is 1e-2.
    np.testing.assert_allclose(distance, points[:, 2], atol=1e-5)
    own = trimesh.triangles.closest_point(vertices[faces[face]], points.astype(float))
    np.testing.assert_allclose(np.linalg.norm(own - points, axis=1), points[:, 2], atol=2e-5)
    down = MeshQuery(vertices, faces).ray_cast(points, np.broadcast_to([0.0, 0.0, -1.0], points.shape))
    assert (down.faces >= 0).all()
    spot = np.einsum("ij,ijk->ik", down.weights, vertices[faces[down.faces]])
    np.testing.assert_allclose(spot[:, :2], points[:, :2], atol=1e-4)


def test_cut_needles_cover_what_they_were_cut_from(cube) -> None:
    assert cut_needles(cube[0].astype(np.float32), cube[1].astype(np.int32)) is None
    vertices, faces = _fan()
    positions, pieces, origin = cut_needles(vertices.astype(np.float32), faces.astype(np.int32))
    areas = trimesh.triangles.area(positions[pieces].astype(float))
    np.testing.assert_allclose(
        np.bincount(origin, weights=areas, minlength=len(faces)), trimesh.triangles.area(vertices[faces]), rtol=1e-4, atol=1e-8
    )


def test_answers_do_not_depend_on_the_order_of_the_questions(torus) -> None:
    points = np.random.default_rng(7).uniform(-2, 2, (5000, 3)).astype(np.float32)
    points[17] = np.nan
    shuffled = np.random.default_rng(8).permutation(len(points))
    query = MeshQuery(*torus, winding=True)
    for one, other in zip(query.closest(points), query.closest(points[shuffled]), strict=True):
        np.testing.assert_array_equal(one[shuffled], other)
    few = query.signed_distance(points[:100])
    np.testing.assert_array_equal(query.signed_distance(points)[:100], few)
