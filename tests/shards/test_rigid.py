"""Mass, centre and inertia: against textbook formulas, trimesh, and what rotation and translation must do."""

import manifold3d
import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from versemill import seeds
from versemill.errors import AssetError
from versemill.shards.export.simulators.rigid import Rigid, joined, of_solid

DENSITY = 720.0


def test_a_box_is_exact():
    a, b, c = 0.4, 0.7, 1.1
    mesh = trimesh.creation.box((a, b, c))
    rigid = of_solid(mesh.vertices + [3.0, -2.0, 5.0], mesh.faces, DENSITY)
    mass = DENSITY * a * b * c
    assert rigid.mass == pytest.approx(mass, rel=1e-12)
    np.testing.assert_allclose(rigid.center, [3, -2, 5], rtol=1e-12)
    expected = np.diag([b * b + c * c, a * a + c * c, a * a + b * b]) * mass / 12
    np.testing.assert_allclose(rigid.inertia, expected, rtol=1e-11, atol=1e-12)


def test_a_sphere_and_a_cylinder_come_to_their_formulas_as_they_get_finer():
    radius, height = 0.3, 0.9
    errors = []
    for level in (3, 4, 5):
        ball = trimesh.creation.icosphere(level, radius)
        rigid = of_solid(ball.vertices, ball.faces, DENSITY)
        mass = DENSITY * 4 / 3 * np.pi * radius**3
        moments = np.diag(rigid.inertia)
        errors.append([abs(rigid.mass / mass - 1), *abs(moments / (0.4 * mass * radius**2) - 1)])
    errors = np.array(errors)
    assert (errors[-1] < 1.2e-3).all()
    np.testing.assert_allclose(errors[:-1] / errors[1:], 4, rtol=0.05)  # the error of facets goes with their size squared

    can = trimesh.creation.cylinder(radius, height, sections=2000)
    rigid = of_solid(can.vertices, can.faces, DENSITY)
    mass = DENSITY * np.pi * radius**2 * height
    across = mass * (3 * radius**2 + height**2) / 12
    assert rigid.mass == pytest.approx(mass, rel=1e-5)
    np.testing.assert_allclose(rigid.inertia, np.diag([across, across, mass * radius**2 / 2]), rtol=1e-5, atol=1e-9)


def test_it_agrees_with_trimesh():
    mesh = trimesh.creation.annulus(0.2, 0.5, 0.3)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(0.7, (1, 2, 3), (0.1, 0.2, 0.3)))
    mesh.density = DENSITY
    rigid = of_solid(mesh.vertices, mesh.faces, DENSITY)
    assert rigid.mass == pytest.approx(mesh.mass, rel=1e-9)
    np.testing.assert_allclose(rigid.center, mesh.center_mass, atol=1e-12)
    np.testing.assert_allclose(rigid.inertia, mesh.moment_inertia, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_inertia_turns_with_the_body_and_ignores_where_it_is(seed):
    rng = seeds.stream(seed, 0, "tests/rigid")
    mesh = trimesh.creation.capsule(0.4, 0.2, count=[8, 8])
    mesh.apply_scale(rng.uniform(0.5, 2, 3))
    turn, shift = Rotation.random(rng=rng).as_matrix(), rng.uniform(-3, 3, 3)
    before = of_solid(mesh.vertices, mesh.faces, DENSITY)
    after = of_solid(mesh.vertices @ turn.T + shift, mesh.faces, DENSITY)
    assert after.mass == pytest.approx(before.mass, rel=1e-9)
    np.testing.assert_allclose(after.center, turn @ before.center + shift, atol=1e-9)
    np.testing.assert_allclose(after.inertia, turn @ before.inertia @ turn.T, rtol=1e-8, atol=1e-8)


def test_bodies_joined_are_one_body():
    """A box cut in two at a slant, each half weighed alone."""
    box = manifold3d.Manifold.cube((1.0, 2.0, 0.5))
    whole, *halves = (body.to_mesh64() for body in (box, *box.split_by_plane((1.0, 0.4, 0.2), 0.6)))
    whole = of_solid(whole.vert_properties, whole.tri_verts, DENSITY)
    both = joined([of_solid(half.vert_properties, half.tri_verts, DENSITY) for half in halves])
    assert len(halves) == 2
    assert both.mass == pytest.approx(whole.mass, rel=1e-9)
    np.testing.assert_allclose(both.center, whole.center, atol=1e-9)
    np.testing.assert_allclose(both.inertia, whole.inertia, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_principal_axes_rebuild_the_tensor(seed):
    rng = seeds.stream(seed, 1, "tests/rigid")
    turn = Rotation.random(rng=rng).as_matrix()
    low, high = sorted(rng.uniform(0.1, 1, 2))
    inertia = turn @ np.diag([low, high, rng.uniform(high - low, high + low)]) @ turn.T
    moments, axes = Rigid(1.0, np.zeros(3), inertia).principal()
    np.testing.assert_allclose(axes @ np.diag(moments) @ axes.T, inertia, atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)
    assert moments[0] + moments[1] >= moments[2] - 1e-12


def test_a_solid_inside_out_has_no_mass():
    mesh = trimesh.creation.box()
    with pytest.raises(AssetError, match="volume -1") as caught:
        of_solid(mesh.vertices, mesh.faces[:, ::-1], DENSITY)
    assert caught.value.reason == "no_volume"
