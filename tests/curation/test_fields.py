"""Field data against analytic shapes; agreement of depth and surface."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from versemill.camera import Camera, intrinsics, look_at
from versemill.curated import Curated, Rejected
from versemill.curation import CurationConfig, FieldsConfig, check_agreement, curate, depth_to_surface, sample
from versemill.curation.fields import voxels
from versemill.fields import FIELD_ARRAYS
from versemill.queries import MeshQuery
from versemill.views import Views

CONFIG = FieldsConfig(surface_points=4000, sharp_points=800, near_points=3000, sharp_near_points=1200, volume_points=3000)


def sphere(p):
    return np.linalg.norm(p, axis=1) - 1


def box(p, half=(1.0, 0.75, 0.5)):
    q = np.abs(p) - half
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)


def torus(p, major=0.7, minor=0.3):
    return np.hypot(np.hypot(p[:, 0], p[:, 1]) - major, p[:, 2]) - minor


SHAPES = {
    "sphere": (trimesh.creation.icosphere(6), sphere, 3e-4),
    "box": (trimesh.creation.box((2.0, 1.5, 1.0)), box, 1e-6),
    "torus": (trimesh.creation.torus(0.7, 0.3, 400, 200), torus, 2e-4),
}


@pytest.fixture(scope="module", params=SHAPES)
def sampled(request, of_trimesh):
    mesh, exact, error = SHAPES[request.param]
    curated = curate(of_trimesh(mesh), CurationConfig())
    assert curated.asset.scale == pytest.approx(1.0)
    return curated, sample(curated, CONFIG), exact, error


def test_signed_distances_are_the_analytic_ones(sampled):
    _, fields, exact, error = sampled
    for name in ("near", "sharp_near", "vol"):
        points, sdf = getattr(fields, f"{name}_points"), getattr(fields, f"{name}_sdf")
        if not len(points):
            continue
        truth = exact(points.astype(float))
        assert np.abs(sdf - truth).max() < error
        off = np.abs(truth) > error
        assert (np.sign(sdf[off]) == np.sign(truth[off])).all()
        assert (sdf < 0).any()
        assert (sdf > 0).any()


def test_surface_points_lie_on_it_with_outward_normals(sampled):
    _, fields, exact, error = sampled
    points, normals = fields.surface[:, :3].astype(float), fields.surface[:, 3:].astype(float)
    assert np.abs(exact(points)).max() < error
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert (exact(points + 0.01 * normals) > 0.005).all()
    assert fields.surface.shape == (4000, 6)


def test_half_of_the_near_points_are_inside(sampled):
    _, fields, _, _ = sampled
    assert (fields.near_sdf < 0).mean() == pytest.approx(0.5, abs=0.06)
    # A third each within reach of its own sigma.
    for i, sigma in enumerate(CONFIG.near_sigmas):
        assert np.abs(fields.near_sdf[i::3]).std() < 1.1 * sigma


def test_shapes_and_types_are_those_of_the_contract(sampled):
    _, fields, _, _ = sampled
    for name, columns in FIELD_ARRAYS.items():
        array = getattr(fields, name)
        assert array.shape[1:] == ((columns,) if columns else ())
        assert array.dtype == (np.uint8 if name == "voxels" else np.float32)
    assert np.abs(fields.vol_points).max() <= 1.05
    assert np.abs(fields.vol_points).max() > 1.0


def test_a_box_has_sharp_points_on_its_twelve_edges(of_trimesh):
    fields = sample(curate(of_trimesh(SHAPES["box"][0]), CurationConfig()), CONFIG)
    points, normals = fields.sharp_surface[:, :3], fields.sharp_surface[:, 3:]
    on_face = np.isclose(np.abs(points), (1.0, 0.75, 0.5), atol=1e-6)
    assert (on_face.sum(1) >= 2).all()
    signs = (points > 0) @ [1, 2, 4] + 8 * on_face.argmin(1)
    assert len(np.unique(signs[on_face.sum(1) == 2])) > 12 - 1
    np.testing.assert_allclose(np.sort(np.abs(normals), axis=1)[:, 1:], 0.5**0.5, atol=1e-5)
    assert fields.stats["sharp_length"] == pytest.approx(4 * (2 + 1.5 + 1))


def test_a_sphere_has_no_sharp_points_and_still_gives_fields(of_trimesh):
    fields = sample(curate(of_trimesh(trimesh.creation.icosphere(4)), CurationConfig()), CONFIG)
    assert fields.sharp_surface.shape == (0, 6)
    assert fields.sharp_near_points.shape == (0, 3)
    assert fields.sharp_near_sdf.shape == (0,)
    assert len(fields.surface) == 4000


def test_sampling_is_a_pure_function_and_counts_move_no_other_draw(of_trimesh):
    curated = curate(of_trimesh(trimesh.creation.box()), CurationConfig())
    first, second = sample(curated, CONFIG), sample(curated, CONFIG)
    assert all(getattr(first, n).tobytes() == getattr(second, n).tobytes() for n in FIELD_ARRAYS)
    other = sample(curated, CONFIG.model_copy(update={"surface_points": 10}))
    np.testing.assert_array_equal(first.near_points, other.near_points)
    np.testing.assert_array_equal(first.vol_sdf, other.vol_sdf)


def test_voxels_are_the_cells_that_the_surface_passes():
    mesh = trimesh.creation.torus(0.7, 0.29, 48, 24)
    occupied = voxels(mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32), 32)
    assert len(np.unique(occupied, axis=0)) == len(occupied)
    codes = np.ravel_multi_index(tuple(occupied.T.astype(int)), (32,) * 3)
    assert (np.diff(codes) > 0).all()
    points = trimesh.sample.sample_surface(mesh, 200_000, seed=1)[0]
    cells, hits = np.unique(np.ravel_multi_index(tuple(((points + 1) * 16).astype(int).T), (32,) * 3), return_counts=True)
    missed = ~np.isin(cells, codes)
    assert hits[missed].sum() / len(points) < 1e-3  # only grazed cells are missed
    centres = (occupied + 0.5) / 16 - 1
    assert MeshQuery(mesh.vertices, mesh.faces).closest(centres)[0].max() <= np.sqrt(3) / 32 + 1e-6


@settings(max_examples=6, deadline=None)
@given(st.floats(0.2, 1.0), st.floats(0.05, 1.0), st.integers(0, 1000))
def test_any_box_any_seed(of_trimesh, y, z, seed):
    curated = curate(of_trimesh(trimesh.creation.box((2, 2 * y, 2 * z)), seed), CurationConfig())
    fields = sample(curated, CONFIG.model_copy(update={"volume_points": 500, "near_points": 300}))
    assert np.abs(fields.vol_sdf - box(fields.vol_points.astype(float), (1, y, z))).max() < 2e-6


def depth_views(query, shift=0.0):
    """Two views whose depth is ray cast here, from the mesh itself."""
    cameras, depths = [], []
    for eye in ((0.0, -4.0, 1.0), (3.0, 2.0, 2.0)):
        camera = Camera(look_at(eye), intrinsics(40, 48, 48), 48, 48)
        origins, directions = camera.rays()
        hits = query.ray_cast(origins.reshape(-1, 3), directions.reshape(-1, 3))
        depths.append(np.where(hits.faces >= 0, hits.distances + shift, 0).reshape(48, 48).astype(np.float32))
        cameras.append(camera)
    return Views(tuple(cameras), {"depth": np.stack(depths)})


def test_depth_of_the_same_surface_agrees(of_trimesh):
    mesh = trimesh.creation.icosphere(4)
    curated = curate(of_trimesh(mesh), CurationConfig())
    views = depth_views(MeshQuery(curated.asset.vertices, curated.asset.faces))
    assert depth_to_surface(curated, views) < 1e-5
    assert check_agreement(curated, views, FieldsConfig()) == depth_to_surface(curated, views)


def test_depth_of_another_surface_is_rejected(of_trimesh):
    curated = curate(of_trimesh(trimesh.creation.icosphere(4)), CurationConfig())
    query = MeshQuery(curated.asset.vertices, curated.asset.faces)
    smaller = Curated(curated.asset, 0.9 * curated.watertight_vertices, curated.watertight_faces)
    answer = check_agreement(smaller, depth_views(query), FieldsConfig())
    assert isinstance(answer, Rejected)
    assert (answer.stage, answer.reason) == ("fields", "depth_disagrees")
    assert answer.value == pytest.approx(0.1, abs=0.002)
    assert answer.threshold == pytest.approx(1.5 * 2 / 256)


def test_depth_to_surface_names_what_is_missing(of_trimesh):
    curated = curate(of_trimesh(trimesh.creation.box()), CurationConfig())
    camera = Camera(look_at((0, -4, 0)), intrinsics(40, 4, 4), 4, 4)
    with pytest.raises(ValueError, match="depth pass"):
        depth_to_surface(curated, Views((camera,), {"mask": np.zeros((1, 4, 4), bool)}))
    with pytest.raises(ValueError, match="no pixel"):
        depth_to_surface(curated, Views((camera,), {"depth": np.zeros((1, 4, 4), np.float32)}))
