"""Watertight surfaces: the right method per mesh, exterior parts kept, interior walls gone, measured independently."""

import numpy as np
import pytest
import trimesh

from versemill.curated import Curated, Rejected
from versemill.curation import CurationConfig, FilterConfig, curate
from versemill.curation.clean import split_non_manifold
from versemill.curation.volumes import band, winding_surface
from versemill.curation.watertight import cap
from versemill.mesh import sharp_edges, topology, volume
from versemill.queries import MeshQuery

SMALL = CurationConfig(resolution=64)


def surface(curated):
    assert isinstance(curated, Curated), curated
    mesh = trimesh.Trimesh(curated.watertight_vertices, curated.watertight_faces, process=False)
    assert mesh.is_volume  # trimesh's own opinion
    return mesh


def test_a_closed_mesh_comes_back_exactly(of_trimesh):
    source = trimesh.creation.torus(1.0, 0.3, 48, 24)
    curated = curate(of_trimesh(source), CurationConfig())
    mesh = surface(curated)
    assert curated.methods["watertight"] == "as_is"
    half = np.ptp(source.vertices, axis=0).max() / 2
    assert mesh.volume == pytest.approx(source.volume / half**3, rel=1e-5)
    np.testing.assert_array_equal(np.sort(mesh.vertices, axis=0), np.sort(curated.asset.vertices, axis=0))


def test_nested_spheres_become_one_wall(of_trimesh, joined):
    outer, inner = trimesh.creation.icosphere(3, 1.0), trimesh.creation.icosphere(2, 0.5)
    for order in ((outer, inner), (inner, outer)):
        curated = curate(of_trimesh(joined(*order)), CurationConfig())
        assert curated.methods["watertight"] == "as_is"
        assert surface(curated).volume == pytest.approx(outer.volume, rel=1e-5)


def test_a_cavity_is_filled_in_the_fields_but_stays_in_the_asset(of_trimesh, joined):
    hollow = joined(trimesh.creation.icosphere(3, 1.0), trimesh.creation.icosphere(2, 0.5))
    hollow.faces[1280:] = hollow.faces[1280:, ::-1]
    curated = curate(of_trimesh(hollow), CurationConfig())
    assert len(curated.asset.faces) == len(hollow.faces)
    assert surface(curated).body_count == 1
    # The cavity's walls in the asset still face the cavity.
    assert volume(curated.asset.vertices, curated.asset.faces[1280:]) < 0


def test_a_car_keeps_its_wheels(of_trimesh, joined, placed):
    body = trimesh.creation.box((2.0, 1.0, 0.5))
    wheels = [
        placed(trimesh.creation.icosphere(2, 0.2), x, y, -0.5) for x in (-0.7, 0.7) for y in (-0.4, 0.4)
    ]  # below the body: nothing touches
    mesh = surface(curate(of_trimesh(joined(body, *wheels)), CurationConfig()))
    assert mesh.body_count == 5
    assert mesh.volume == pytest.approx(body.volume + sum(w.volume for w in wheels), rel=1e-4)


def test_overlapping_bodies_are_joined_exactly_with_sharp_edges(of_trimesh, joined, placed):
    a, b = trimesh.creation.box((1, 1, 1)), placed(trimesh.creation.box((1, 1, 1)), 0.5, 0.5, 0.5)
    curated = curate(of_trimesh(joined(a, b)), CurationConfig())
    mesh = surface(curated)
    assert curated.methods["watertight"] == "union"
    scale = 1.5 / 2
    assert mesh.volume == pytest.approx((2 - 0.125) / scale**3, rel=1e-5)
    edges = sharp_edges(curated.watertight_vertices, curated.watertight_faces)
    ends = curated.watertight_vertices[edges]
    length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum()
    # Two cubes' 24 edges, less half an edge on each of the six that end inside the other, and six new of one half.
    assert length == pytest.approx((24 - 6 * 0.5 + 6 * 0.5) / scale, rel=1e-4)


def test_many_bodies_agree_with_a_voxel_oracle(of_trimesh, joined, placed):
    rng = np.random.default_rng(3)
    parts = [
        placed(trimesh.creation.icosphere(2, r), *c)
        for r, c in zip(rng.uniform(0.2, 0.5, 8), rng.uniform(-0.6, 0.6, (8, 3)), strict=True)
    ]
    curated = curate(of_trimesh(joined(*parts)), CurationConfig())
    mesh = surface(curated)
    points = rng.uniform(-1, 1, (4000, 3))
    source = np.asarray(curated.asset.center) + curated.asset.scale * points
    inside = np.any([p.contains(source) for p in parts], axis=0)
    assert (mesh.contains(points) == inside).mean() > 0.999


def test_small_holes_are_capped_flat(of_trimesh):
    box = trimesh.creation.box((2, 2, 2)).subdivide().subdivide().subdivide()
    gone = (np.abs(box.triangles_center[:, :2]) < 0.25).all(1) & (box.triangles_center[:, 2] > 0.9)
    assert gone.sum() == 8
    curated = curate(of_trimesh(trimesh.Trimesh(box.vertices, box.faces[~gone], process=False)), CurationConfig())
    assert curated.methods["watertight"] == "capped_union"
    assert surface(curated).volume == pytest.approx(8.0, rel=1e-5)
    assert 0 < curated.metrics["watertight"]["blocked"] < 0.02


def test_a_box_without_a_lid_is_not_given_one(of_trimesh):
    box = trimesh.creation.box((2, 2, 2))
    opened = trimesh.Trimesh(box.vertices, box.faces[box.face_normals[:, 2] < 0.9], process=False)
    curated = curate(of_trimesh(opened), SMALL)
    assert curated.methods["watertight"] == "shell"
    assert any("blocked" in tried["reason"] for tried in curated.methods["tried"])
    assert not surface(curated).contains([[0.0, 0.0, 0.0]])[0]


def test_an_open_cup_becomes_a_shell_that_stays_open(of_trimesh):
    cup = trimesh.creation.cylinder(0.5, 2.0, sections=48)
    wall = np.abs(cup.face_normals[:, 2]) < 0.5
    tube = trimesh.Trimesh(cup.vertices, cup.faces[wall], process=False)
    curated = curate(of_trimesh(tube), SMALL)
    mesh = surface(curated)
    assert curated.methods["watertight"] == "shell"
    assert mesh.body_count == 1
    assert mesh.euler_number == 0  # a tube with thick walls is a torus
    assert not mesh.contains([[0.0, 0.0, 0.0]])[0]
    voxel = 2 / 64
    assert curated.metrics["watertight"]["chamfer"] < 1.2 * voxel
    distance = np.abs(np.linalg.norm(mesh.vertices[:, :2], axis=1) - 0.5)
    assert distance.max() < 1.2 * voxel  # pulled back to the sheet


def test_a_plane_becomes_one_thin_closed_skin(of_trimesh):
    plane = trimesh.Trimesh([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    filters = FilterConfig(min_faces=None, min_thickness=None)
    curated = curate(of_trimesh(plane), SMALL.model_copy(update={"filters": filters}))
    mesh = surface(curated)
    assert (mesh.body_count, mesh.euler_number) == (1, 2)
    assert np.abs(mesh.vertices[:, 2]).max() < 1.0 * 2 / 64


def test_a_flat_mesh_is_turned_away_by_default(as_asset):
    answer = curate(as_asset([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], [[0, 1, 2], [0, 2, 3]]), CurationConfig())
    assert isinstance(answer, Rejected)
    assert (answer.stage, answer.reason) == ("filter", "degenerate")


@pytest.mark.parametrize("shape", ["sphere", "torus", "box"])
def test_the_winding_surface_follows_the_analytic_one(shape, of_trimesh):
    meshes = {
        "sphere": trimesh.creation.icosphere(4),
        "torus": trimesh.creation.torus(0.7, 0.25, 96, 48),
        "box": trimesh.creation.box((1.2, 1.0, 0.8)),
    }
    source = meshes[shape]
    query = MeshQuery(source.vertices, source.faces, winding=True)
    spacing = 2 / 64
    vertices, faces = winding_surface(query, source.vertices.min(0), source.vertices.max(0), spacing)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_volume
    assert mesh.euler_number == source.euler_number
    assert mesh.volume == pytest.approx(source.volume, rel=0.02)
    distance = query.closest(vertices)[0]
    assert distance.max() < 0.6 * spacing  # marching cubes chops edges by less than that
    assert distance.mean() < 0.1 * spacing


def test_the_band_holds_exactly_the_grid_points_near_the_surface():
    source = trimesh.creation.torus(0.7, 0.2, 32, 16)
    query = MeshQuery(source.vertices, source.faces)
    low, high = source.vertices.min(0), source.vertices.max(0)
    near = band(query, low, high, 0.05, 0.08)
    every = near.positions(np.arange(np.prod(near.shape)))
    distance = query.closest(every)[0]
    np.testing.assert_array_equal(near.index, np.flatnonzero(distance <= 0.08))
    np.testing.assert_allclose(near.distance, distance[near.index], atol=1e-6)
    # The border is outside by more than the width on all sides.
    assert np.all(np.asarray(every.min(0)) < low - 0.08)
    assert np.all(np.asarray(every.max(0)) > high + 0.08)


def test_caps_close_every_loop_and_face_outwards():
    sphere = trimesh.creation.icosphere(3)
    rng = np.random.default_rng(0)
    kept = rng.random(len(sphere.faces)) > 0.02
    # Holes that touch in a vertex are taken apart first, as cleaning does.
    vertices, faces = cap(*split_non_manifold(sphere.vertices.astype(np.float32), sphere.faces[kept]))
    facts = topology(faces)
    assert facts.boundary == 0
    assert facts.inconsistent == 0
    assert volume(vertices, faces) == pytest.approx(sphere.volume, rel=0.01)


def test_generated_solids_keep_what_merging_would_break(as_asset, joined, placed):
    # Two boxes that touch along an edge, as separate indexed bodies: closed as they are, non-manifold once merged.
    mesh = joined(trimesh.creation.box((1, 1, 1)), placed(trimesh.creation.box((1, 1, 1)), 1, 1, 0))
    curated = curate(as_asset(mesh.vertices, mesh.faces), CurationConfig())
    assert surface(curated).volume == pytest.approx(2.0, rel=1e-5)
    merged = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    assert topology(merged.faces).non_manifold == 1
    curated = curate(as_asset(merged.vertices, merged.faces), CurationConfig())
    assert curated.metrics["repairs"]["split_vertices"] == 2
    assert surface(curated).volume == pytest.approx(2.0, rel=1e-5)


def test_curation_is_a_pure_function(of_trimesh, joined, placed):
    mesh = joined(trimesh.creation.icosphere(3), placed(trimesh.creation.box(), 0.8))
    first, second = (curate(of_trimesh(mesh), CurationConfig()) for _ in range(2))
    assert first.asset.content_hash == second.asset.content_hash
    assert first.watertight_vertices.tobytes() == second.watertight_vertices.tobytes()
    assert first.metrics == second.metrics
