"""The detail measure: what it rewards and what it must not."""

import numpy as np
import pytest
import trimesh

from versemill import detail

Mesh = tuple[np.ndarray, np.ndarray]


def _fluted(teeth: int, depth: float = 0.08) -> Mesh:
    """A cylinder of height 2.5 with square grooves along it."""
    turn = np.arange(2 * teeth) * np.pi / teeth
    angle = np.roll(np.repeat(turn, 2), -1)
    radius = np.repeat(1 - depth * (np.arange(2 * teeth) % 2), 2)
    ring, n = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), 4 * teeth
    levels = [np.column_stack([ring, np.full(n, z)]) for z in (-1.25, 1.25)]
    vertices = np.concatenate([*levels, [[0, 0, -1.25], [0, 0, 1.25]]])
    a = np.arange(n)
    b = (a + 1) % n
    low, high = np.full(n, 2 * n), np.full(n, 2 * n + 1)
    quads = [(a, b, b + n), (a, b + n, a + n), (b, a, low), (a + n, b + n, high)]
    return vertices, np.concatenate([np.stack(quad, 1) for quad in quads])


def test_tessellation_earns_nothing(cube, subdivided) -> None:
    coarse, fine = detail.measure(*cube), detail.measure(*subdivided(cube, 5))
    assert fine.sharp_edges == 32 * coarse.sharp_edges
    for name in ("crease_length", "curvature_energy", "normal_entropy"):
        assert getattr(fine, name) == pytest.approx(getattr(coarse, name), rel=0.02)


def test_a_cube_shows_its_edges(cube) -> None:
    # Nine of twelve edges are seen, six of them as outlines; an edge is 1 / sqrt(3) of the diagonal.
    assert detail.measure(*cube).crease_length == pytest.approx(3 / np.sqrt(3), rel=0.12)


def test_smooth_shapes_have_no_creases(sphere, torus) -> None:
    assert detail.measure(*sphere(5)).crease_length < 0.01
    assert detail.measure(*torus).crease_length < 0.01


def test_noise_below_the_blur_does_not_count(sphere) -> None:
    vertices, faces = sphere(6)
    rough = vertices * (1 + np.random.default_rng(0).normal(0, 0.002, (len(vertices), 1)))
    noisy = detail.measure(rough, faces)
    assert noisy.crease_length < 0.05
    assert noisy.curvature_energy < 0.3 * detail.measure(*_fluted(8)).curvature_energy


def test_grooves_count_in_proportion() -> None:
    plain = trimesh.creation.cylinder(1, 2.5, sections=128)
    smooth = detail.measure(np.asarray(plain.vertices), np.asarray(plain.faces))
    few, many = detail.measure(*_fluted(8)), detail.measure(*_fluted(16))
    assert smooth.crease_length < 0.3 * few.crease_length
    gained = [d.crease_length - smooth.crease_length for d in (few, many)]
    assert 1.5 < gained[1] / gained[0] < 2.1
    assert smooth.curvature_energy < few.curvature_energy < many.curvature_energy
    assert smooth.normal_entropy < many.normal_entropy


def test_size_and_place_do_not_matter() -> None:
    vertices, faces = _fluted(8)
    base, moved = detail.measure(vertices, faces), detail.measure(vertices * 1e-3 + 70, faces)
    assert moved.crease_length == pytest.approx(base.crease_length, rel=0.01)
    assert moved.curvature_energy == pytest.approx(base.curvature_energy, rel=0.01)


def test_pose_hardly_matters() -> None:
    vertices, faces = _fluted(8)
    rng = np.random.default_rng(0)
    turns = [trimesh.transformations.random_rotation_matrix(rng.random(3))[:3, :3] for _ in range(5)]
    lengths = [detail.measure(vertices @ turn.T, faces).crease_length for turn in turns]
    assert np.std(lengths) < 0.12 * np.mean(lengths)


def test_an_outline_is_not_a_crease(sphere) -> None:
    # One ball before another: the normals jump at the outline, the surface does not crease.
    vertices, faces = sphere(5)
    two = np.concatenate([vertices, vertices + np.float32([0, 3, 0])])
    assert detail.measure(two, np.concatenate([faces, faces + len(vertices)])).crease_length < 0.05


def test_it_is_deterministic_and_refuses_nothing_to_measure(cube) -> None:
    assert detail.measure(*cube) == detail.measure(*cube)
    with pytest.raises(ValueError, match="extent"):
        detail.measure(cube[0] * 0, cube[1])
    with pytest.raises(ValueError, match="extent"):
        detail.measure(cube[0], cube[1][:0])
