"""Extraction against analytic distances; comparisons of meshes; what they are drawn with."""

import numpy as np
import pytest
import torch
import trimesh

from versemill import mesh as meshes
from versemill import seeds
from versemill.generation.shapes import baselines, extraction, looks, metrics

TAU = 0.03


def truncated(sdf):
    return lambda points: (sdf(points) / TAU).clamp(-1, 1)


def ball(points):
    return points.norm(dim=-1) - 0.7


def torus(points):
    ring = points[:, :2].norm(dim=-1) - 0.65
    return torch.stack([ring, points[:, 2]], -1).norm(dim=-1) - 0.2


def cube(points):
    q = points.abs() - 0.6
    return q.clamp_min(0).norm(dim=-1) + q.max(-1).values.clamp_max(0)


def plate(points):
    """A sheet 0.02 thick, a third of the coarsest cell."""
    q = points.abs() - torch.tensor([0.8, 0.8, 0.01])
    return q.clamp_min(0).norm(dim=-1) + q.max(-1).values.clamp_max(0)


@pytest.mark.parametrize(("sdf", "volume"), [(ball, 4 / 3 * np.pi * 0.343), (torus, 2 * np.pi**2 * 0.65 * 0.04), (cube, 1.728)])
def test_surfaces_are_where_distances_say(sdf, volume):
    vertices, faces = extraction.mesh(truncated(sdf), 128)
    assert meshes.topology(faces).watertight
    assert meshes.volume(vertices, faces) == pytest.approx(volume, rel=5e-3)
    assert sdf(torch.from_numpy(vertices)).abs().max() < 0.012  # two thirds of a cell, at the cube's edges
    if sdf is not cube:
        assert sdf(torch.from_numpy(vertices)).abs().max() < 5e-4


@pytest.mark.parametrize("sdf", [ball, torus, cube])
def test_coarse_to_fine_is_the_full_grid_at_a_fraction_of_its_cost(sdf):
    queries = [0, 0]

    def counting(which):
        def values(points):
            queries[which] += len(points)
            return truncated(sdf)(points)

        return values

    fine = extraction.mesh(counting(0), 128, coarsest=64)
    whole = extraction.mesh(counting(1), 128, coarsest=128)
    np.testing.assert_array_equal(fine[1], whole[1])
    np.testing.assert_allclose(fine[0], whole[0], atol=1e-5)
    assert queries[0] < queries[1] / 2


def test_a_thin_plate_is_not_lost_between_levels():
    vertices, faces = extraction.mesh(truncated(plate), 256)
    assert meshes.volume(vertices, faces) == pytest.approx(1.6 * 1.6 * 0.02, rel=0.05)
    assert np.ptp(vertices, axis=0) == pytest.approx([1.6, 1.6, 0.02], abs=0.01)


def test_what_leaves_the_box_is_closed_at_its_border():
    vertices, faces = extraction.mesh(lambda p: p[:, 2] - 0.1, 64)
    assert meshes.topology(faces).watertight
    assert meshes.volume(vertices, faces) == pytest.approx(2.1 * 2.1 * 1.15, rel=0.05)
    for nothing in (lambda p: torch.ones(len(p)), lambda p: torch.zeros(len(p))):
        vertices, faces = extraction.mesh(nothing, 64)
        assert vertices.shape == faces.shape == (0, 3)


def test_a_resolution_is_a_power_of_two_times_the_coarsest():
    with pytest.raises(ValueError, match="64 times a power of two, not 100"):
        extraction.grid(truncated(ball), 100)


def rng(purpose="test"):
    return seeds.stream(0, 0, purpose)


def surface(mesh):
    return metrics.surface_of(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), BOX, rng())


BOX = seeds.stream(0, 0, "box").uniform(-1, 1, (60_000, 3)).astype(np.float32)


def test_a_mesh_agrees_with_itself_at_every_threshold():
    cube = surface(trimesh.creation.box((1.2, 1.2, 1.2)))
    scores = metrics.compare(cube, cube)
    assert scores["iou"] == 1
    assert scores["chamfer"] < 1e-5
    assert all(scores[f"f@{limit}"] == 1 for limit in metrics.THRESHOLDS)
    assert scores["normal_consistency"] == pytest.approx(1, abs=1e-3)
    assert scores["sharp_normal_error"] < 2


def test_concentric_balls_differ_by_what_their_radii_say():
    one, other = (surface(trimesh.creation.icosphere(subdivisions=5, radius=r)) for r in (0.8, 0.785))
    scores = metrics.compare(one, other)
    assert scores["chamfer"] == pytest.approx(0.03, rel=0.02)
    assert (scores["f@0.01"], scores["f@0.02"]) == (0, 1)
    assert scores["iou"] == pytest.approx((0.785 / 0.8) ** 3, abs=0.01)
    assert scores["normal_consistency"] > 0.999
    assert "sharp_normal_error" not in scores  # a ball has no edge


def test_half_a_precision_is_two_thirds_of_an_f_score():
    one = trimesh.creation.icosphere(subdivisions=4, radius=0.4).apply_translation([-0.5, 0, 0])
    two = trimesh.util.concatenate([one, one.copy().apply_translation([1.0, 0, 0])])
    scores = metrics.compare(surface(two), surface(one))
    assert scores["f@0.05"] == pytest.approx(2 * 0.5 / 1.5, abs=0.01)
    assert scores["iou"] == pytest.approx(0.5, abs=0.02)


def test_sharp_normal_error_looks_at_edges_only():
    box = trimesh.creation.box((1.2, 1.2, 1.2))
    rounded = extraction.mesh(lambda p: (cube(p) - 0) / TAU, 64)  # marching cubes bevels the edges
    scores = metrics.compare(metrics.surface_of(*rounded, BOX, rng()), surface(box))
    assert scores["sharp_normal_error"] > 4
    assert scores["normal_consistency"] > 0.98
    sharp = surface(box)
    gap = np.sort(0.6 - np.abs(sharp.points), axis=1)[:, 1]  # the second smallest distance to a face is that to an edge
    assert sharp.sharp[gap < 0.015].all()
    assert not sharp.sharp[gap > 0.0201].any()


def test_coverage_and_matching_distance_by_hand():
    distances = np.array([[0.1, 0.9, 0.8], [0.2, 0.7, 0.9], [0.9, 0.3, 0.5]])
    assert metrics.coverage(distances) == pytest.approx(2 / 3)
    assert metrics.minimum_matching_distance(distances) == pytest.approx((0.1 + 0.3 + 0.5) / 3)


def test_chamfer_matrix_is_the_double_loop():
    first, second = rng("a").normal(size=(2, 30, 3)), rng("b").normal(size=(3, 30, 3))
    got = metrics.chamfer_matrix(first, second)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            gaps = np.linalg.norm(a[:, None] - b[None], axis=-1)
            assert got[i, j] == pytest.approx(gaps.min(1).mean() + gaps.min(0).mean(), rel=1e-4)


def test_frechet_distance_is_its_formula():
    from scipy.linalg import sqrtm

    one, two = rng("a").normal(size=(400, 5)), rng("b").normal(0.3, 1.4, (300, 5))
    a, b = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    shift = one.mean(0) - two.mean(0)
    expected = shift @ shift + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert metrics.frechet(one, two) == pytest.approx(expected, rel=1e-6)
    assert metrics.frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet(rng("c").normal(size=(20, 90)), rng("d").normal(size=(20, 90))) > 0


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_a_best_fitting_box_and_ellipsoid_are_the_thing_itself(turn):
    spin = trimesh.transformations.rotation_matrix(turn, [1, 2, 3])
    brick = trimesh.creation.box((1.4, 0.8, 0.5)).apply_transform(spin)
    egg = trimesh.creation.icosphere(subdivisions=4).apply_scale([0.8, 0.5, 0.3]).apply_transform(spin)
    for solid, fit, rest in ((brick, baselines.cuboid, baselines.ellipsoid), (egg, baselines.ellipsoid, baselines.cuboid)):
        vertices, faces = np.asarray(solid.vertices), np.asarray(solid.faces)
        truth = surface(solid)
        score = [metrics.compare(metrics.surface_of(*f(vertices, faces, BOX), BOX, rng()), truth)["iou"] for f in (fit, rest)]
        assert score[0] > 0.95
        assert 0.5 < score[1] < score[0]


def test_a_visual_hull_has_the_silhouette_it_was_made_from():
    solid = trimesh.creation.icosphere(subdivisions=3, radius=0.6)
    ball_mesh = solid.vertices.astype(np.float32), solid.faces.astype(np.int32)
    camera = looks.front(96)
    mask, normals = looks.seen(ball_mesh, camera)
    hull = baselines.visual_hull(mask.astype(float), camera)
    again, _ = looks.seen(hull, camera)
    assert metrics.iou(mask, again) > 0.95
    assert meshes.volume(*hull) > 1.5 * meshes.volume(*ball_mesh)
    # Normals of the visible side look at the camera, and are the ball's own.
    toward = -camera.c2w[:3, 2]
    assert (normals[mask] @ toward > -1e-3).all()
    assert normals[48, 48] @ toward == pytest.approx(1, abs=0.05)
    picture = looks.normal_picture(ball_mesh, camera)
    assert picture[:, 48, 48] == pytest.approx([0.5, 0.5, 1.0], abs=0.1)
    assert (picture[:, 0, 0] == 1).all()
