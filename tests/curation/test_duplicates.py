"""Near-duplicates: copies are found whatever was done to them, different shapes are not, and the index misses nothing."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import sph_harm_y

from versemill.curation import CurationConfig, curate
from versemill.curation.duplicates import NEAR, SIZE, _harmonics, descriptor, find_duplicates, spread_points


def lamp():
    """A shape without any symmetry."""
    arm = trimesh.creation.cylinder(0.1, 1.5, sections=24)
    arm.apply_transform(trimesh.transformations.rotation_matrix(0.7, (1, 2, 0)))
    foot, head = trimesh.creation.box((1.0, 0.7, 0.15)), trimesh.creation.icosphere(3, 0.35)
    foot.apply_translation((0.1, 0.2, -0.7))
    head.apply_translation((0.6, -0.2, 0.6))
    return trimesh.boolean.union([arm, foot, head], engine="manifold")


SHAPES = {
    "lamp": lamp(),
    "box": trimesh.creation.box((2, 1.2, 0.7)),
    "slab": trimesh.creation.box((2, 1.5, 0.7)),
    "ball": trimesh.creation.icosphere(3),
    "ring": trimesh.creation.torus(0.7, 0.3),
    "thin ring": trimesh.creation.torus(0.8, 0.2),
    "cylinder": trimesh.creation.cylinder(0.5, 2.0),
    "cone": trimesh.creation.cone(0.5, 2.0),
    "capsule": trimesh.creation.capsule(1.0, 0.5),
}


def of(mesh):
    return descriptor(np.asarray(mesh.vertices), np.asarray(mesh.faces))


def rotated(mesh, rng):
    copy = mesh.copy()
    copy.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    return copy


def mirrored(mesh, rng):
    copy = rotated(mesh, rng)
    copy.vertices[:, 0] *= -1
    copy.invert()
    return copy


def rescaled(mesh, rng):
    copy = rotated(mesh, rng)
    copy.apply_scale(37.5)
    copy.apply_translation((100, -20, 3))
    return copy


def finer(mesh, rng):
    vertices, faces = trimesh.remesh.subdivide_to_size(mesh.vertices, mesh.faces, 0.15)
    return trimesh.Trimesh(vertices, faces[rng.permutation(len(faces))], process=False)


@pytest.mark.parametrize("change", [rotated, mirrored, rescaled, finer], ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", SHAPES)
def test_a_copy_is_near_and_nothing_else_is(name, change):
    copy = of(change(SHAPES[name], np.random.default_rng(3)))
    distances = {other: float(np.linalg.norm(copy - of(mesh))) for other, mesh in SHAPES.items()}
    assert distances.pop(name) < NEAR / 2
    assert min(distances.values()) > 2 * NEAR


def test_a_copy_that_went_another_way_through_curation_is_near(of_trimesh):
    """Cut open, so that its surface is resampled on a grid, and turned, so that the grid lies otherwise."""
    source = SHAPES["lamp"]
    turned = rotated(source, np.random.default_rng(1)).subdivide()
    broken = trimesh.Trimesh(turned.vertices, turned.faces[np.random.default_rng(2).random(len(turned.faces)) > 0.003])
    whole = curate(of_trimesh(source), CurationConfig())
    other = curate(of_trimesh(broken), CurationConfig(resolution=128))
    assert whole.methods["watertight"] != other.methods["watertight"]
    apart = np.linalg.norm(
        descriptor(whole.watertight_vertices, whole.watertight_faces)
        - descriptor(other.watertight_vertices, other.watertight_faces)
    )
    assert apart < NEAR


def test_harmonics_are_those_of_scipy():
    toward = np.random.default_rng(0).normal(size=(500, 3))
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    theta, phi = np.arccos(toward[:, 2]), np.arctan2(toward[:, 1], toward[:, 0])
    for degree, ours in enumerate(_harmonics(toward, 6)):
        energy = sum(np.abs(sph_harm_y(degree, m, theta, phi)) ** 2 for m in range(-degree, degree + 1))
        np.testing.assert_allclose((ours**2).sum(0), 4 * np.pi * energy, rtol=1e-10)
        np.testing.assert_allclose((ours**2).sum(0), 2 * degree + 1, rtol=1e-10)  # the addition theorem
        np.testing.assert_allclose(np.abs(ours[degree]), np.sqrt(4 * np.pi) * np.abs(sph_harm_y(degree, 0, theta, phi).real))


def test_points_are_spread_by_area():
    mesh = trimesh.creation.box((2, 1, 0.5))
    points = spread_points(mesh.vertices, mesh.faces, 4096)
    assert np.abs(np.abs(points) - mesh.extents / 2).min(1).max() < 1e-12
    top = np.abs(points[:, 2]) > 0.25 - 1e-9
    assert top.mean() == pytest.approx(4 / mesh.area, abs=0.005)
    cells = np.histogram2d(*points[top & (points[:, 2] > 0)][:, :2].T, bins=8)[0]
    assert cells.min() > 0.6 * cells.mean()  # random points would leave holes of half that
    with pytest.raises(ValueError, match="area"):
        descriptor(np.zeros((3, 3)), np.array([[0, 1, 2]]))


def brute(indices, hashes, descriptors, radius):
    """The same rule, pair by pair."""
    order = np.argsort(indices)
    first, keeper = {}, {}
    for i in order:
        keeper[i] = i
        if hashes[i] in first:
            keeper[i] = keeper[first[hashes[i]]]
            continue
        first[hashes[i]] = i
        kept = [j for j in order[: np.flatnonzero(order == i)[0]] if keeper[j] == j]
        near = [j for j in kept if np.linalg.norm(descriptors[i] - descriptors[j]) <= radius]
        keeper[i] = near[0] if near else i
    return {int(indices[i]): int(indices[k]) for i, k in keeper.items() if i != k}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60), st.floats(0, 0.03), st.integers(1, 4))
def test_the_index_agrees_with_brute_force(seed, count, radius, clusters):
    rng = np.random.default_rng(seed)
    indices = rng.permutation(1000)[:count]
    hashes = rng.integers(0, max(count, 1) * 2, count).astype("S8")
    centres = rng.normal(size=(clusters, SIZE)) * 0.05
    descriptors = centres[rng.integers(0, clusters, count)] + rng.normal(size=(count, SIZE)) * 0.002
    duplicates = find_duplicates(indices, hashes, descriptors.astype(np.float32), radius)
    assert dict(zip(duplicates.index.tolist(), duplicates.kept.tolist(), strict=True)) == brute(
        indices, hashes, descriptors.astype(np.float32).astype(float), radius
    )
    assert (duplicates.kept < duplicates.index).all()
    assert (np.diff(duplicates.index.astype(int)) > 0).all()
    assert (duplicates.distance[duplicates.exact] == 0).all()


def test_rows_without_a_shape_are_compared_by_hash_alone():
    descriptors = np.full((4, SIZE), np.nan, np.float32)
    duplicates = find_duplicates(np.arange(4), np.array([b"a", b"b", b"a", b"c"]), descriptors)
    assert (duplicates.index.tolist(), duplicates.kept.tolist(), duplicates.exact.tolist()) == ([2], [0], [True])


def test_a_crowd_of_one_shape_is_one_group():
    rng = np.random.default_rng(0)
    descriptors = np.ones((3000, SIZE), np.float32) + rng.normal(size=(3000, SIZE)).astype(np.float32) * 1e-5
    duplicates = find_duplicates(np.arange(3000), np.arange(3000), descriptors)
    assert len(duplicates.index) == 2999
    assert not duplicates.kept.any()
    assert not duplicates.exact.any()
