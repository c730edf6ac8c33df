"""Cleaning, filters, MeshLab's worker, poses, scores and the stand-alone outputs."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from versemill.curated import Curated, Rejected
from versemill.curation import CurationConfig, FilterConfig, curate, curate_file, meshlab
from versemill.curation.clean import clean, coherent, inward, split_non_manifold
from versemill.curation.features import features
from versemill.curation.filters import FILTERS, judge
from versemill.curation.orient import poses, rest_pose
from versemill.curation.scores import DEFAULT_HEAD, NAMES, LinearHead, fit, fit_labels
from versemill.errors import AssetError, ConfigError
from versemill.gltf import from_glb
from versemill.materials.material import Material
from versemill.mesh import topology, volume

needs_meshlab = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import pymeshlab"], capture_output=True, check=False).returncode != 0,
    reason="pymeshlab can't be imported here (pip install 'versemill[meshlab]')",
)


def textured(asset):
    """The asset with planar UVs, two materials and two parts."""
    corners = asset.vertices[asset.faces]
    ids = (corners.mean(1)[:, 2] > 0).astype(np.int32)
    texture = np.random.default_rng(0).integers(0, 256, (16, 16, 4)).astype(np.uint8)
    return dataclasses.replace(
        asset,
        uvs=np.ascontiguousarray(corners[..., :2] * 0.5 + 0.5),
        material_ids=ids,
        part_ids=1 - ids,
        materials=(Material(name="a", base_color_texture=texture, source="file"), Material(name="b", base_color=(1, 0, 0, 1))),
        part_names=("top", "bottom"),
    )


# --- clean ---------------------------------------------------------------------------------------------------------------


def test_counts_say_what_was_done(of_trimesh, as_asset):
    ball = trimesh.creation.icosphere(2)
    faces = np.concatenate([ball.faces, ball.faces[:7], [[0, 0, 1], [5, 6, 6]]])
    faces[100:110] = faces[100:110, ::-1]
    vertices = np.concatenate([ball.vertices, [[9.0, 9.0, 9.0]] * 3])
    asset, counts = clean(as_asset(vertices, faces), 1e-6, 0.005)
    assert topology(asset.faces).watertight
    assert counts["degenerate_faces"] == 2
    assert counts["duplicate_faces"] == 7
    assert counts["flipped_faces"] == 10
    assert counts["unreferenced_vertices"] == 3
    assert counts["tiny_parts"] == 0


def test_corner_attributes_follow_their_faces(of_trimesh):
    asset = textured(of_trimesh(trimesh.creation.icosphere(2)))
    normals = asset.vertices[asset.faces]
    turned = np.random.default_rng(0).random(len(asset.faces)) < 0.4
    order = np.where(turned[:, None], [2, 1, 0], [0, 1, 2])
    rows = np.arange(len(asset.faces))[:, None]
    broken = dataclasses.replace(
        asset,
        faces=asset.faces[rows, order],
        uvs=asset.uvs[rows, order],
        normals=(normals[rows, order] * np.where(turned, -1, 1)[:, None, None]).astype(np.float32),
    )
    mended, counts = clean(broken, 1e-6, 0.005)
    assert counts["flipped_faces"] == turned.sum()
    corners = mended.vertices[mended.faces]
    np.testing.assert_array_equal(mended.uvs, corners[..., :2] * np.float32(0.5) + np.float32(0.5))
    np.testing.assert_allclose(mended.normals, corners, atol=1e-6)
    np.testing.assert_array_equal(mended.material_ids, corners.mean(1)[:, 2] > 0)


def test_coherent_winding_and_the_mobius_strip():
    ball = trimesh.creation.icosphere(2)
    turned = np.random.default_rng(1).random(len(ball.faces)) < 0.3
    faces = np.where(turned[:, None], ball.faces[:, ::-1], ball.faces)
    flip, impossible = coherent(faces)
    assert impossible == 0
    np.testing.assert_array_equal(flip, turned)
    strip = np.array([[0, 1, 2], [2, 1, 3], [2, 3, 4], [4, 3, 5], [4, 5, 1], [1, 5, 0]])
    assert coherent(strip)[1] == 1


def test_open_patches_turn_towards_the_outside():
    cup = trimesh.creation.icosphere(3)
    cup = cup.faces[cup.vertices[cup.faces].mean(1)[:, 2] < 0.3]
    vertices = trimesh.creation.icosphere(3).vertices.astype(np.float32)
    assert not inward(vertices, cup).any()
    assert inward(vertices, cup[:, ::-1]).all()


def test_bodies_that_share_an_edge_come_apart_as_bodies(joined, placed):
    mesh = trimesh.Trimesh(*_merged(joined(trimesh.creation.box(), placed(trimesh.creation.box(), 1, 1, 0))), process=False)
    vertices, faces = split_non_manifold(mesh.vertices.astype(np.float32), mesh.faces)
    assert topology(mesh.faces).non_manifold == 1
    assert topology(faces).watertight
    assert len(vertices) == 16
    parts = trimesh.Trimesh(vertices, faces, process=False).split(only_watertight=True)
    assert sorted(round(p.volume, 6) for p in parts) == [1, 1]


def _merged(mesh):
    merged = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    return merged.vertices, merged.faces


# --- filters and features ------------------------------------------------------------------------------------------------


def plane(size):
    return trimesh.creation.box((size, size, 0.02))


CASES = {
    "planar_base": ([plane(2), (trimesh.creation.icosphere(2, 0.2), 0, 0, 0.2)], FilterConfig(max_planar_base=0.3)),
    "multi_object": (
        [(trimesh.creation.icosphere(1, 0.1), x, y, 0) for x in (-0.9, 0, 0.9) for y in (-0.9, 0, 0.9)],
        FilterConfig(),
    ),
    "thin_structure": ([trimesh.creation.box((2, 0.004, 1.5))], FilterConfig(max_thin=0.5)),
    "low_detail": ([trimesh.creation.box()], FilterConfig(min_detail=3.0)),
    "degenerate": ([plane(2)], FilterConfig(min_thickness=0.1)),
    "broken": ([trimesh.creation.cylinder(0.001, 2)], FilterConfig(min_thickness=None)),
}


@pytest.mark.parametrize("reason", CASES)
def test_each_filter_turns_its_case_away_and_says_why(reason, of_trimesh, joined, placed):
    parts, limits = CASES[reason]
    mesh = joined(*(placed(p[0], *p[1:]) if isinstance(p, tuple) else p for p in parts))
    answer = curate(of_trimesh(mesh), CurationConfig(filters=limits))
    assert isinstance(answer, Rejected)
    assert (answer.stage, answer.reason) == ("filter", reason)
    assert f"{answer.value:.4g}" in answer.message
    assert f"{answer.threshold:.4g}" in answer.message
    off = FilterConfig(**dict.fromkeys(set(FilterConfig.model_fields) - {"own"}))
    assert isinstance(curate(of_trimesh(mesh), CurationConfig(filters=off, resolution=64)), Curated)


def test_single_surfaces_and_invisible_materials(of_trimesh):
    ball = trimesh.creation.icosphere(3)
    bowl = of_trimesh(trimesh.Trimesh(ball.vertices, ball.faces[ball.triangles_center[:, 2] < 0], process=False))
    answer = curate(bowl, CurationConfig(filters=FilterConfig(max_single_surface=0.5)))
    assert answer.reason == "single_surface"
    glass = dataclasses.replace(of_trimesh(ball), materials=(Material(base_color=(1, 1, 1, 0.02), alpha_mode="blend"),))
    assert curate(glass, CurationConfig()).reason == "transparent"


def test_features_are_the_known_ones(of_trimesh, joined):
    ball = features(of_trimesh(trimesh.creation.icosphere(4)).normalized())
    assert ball["area"] == pytest.approx(4 * np.pi, rel=0.01)
    assert ball["silhouette"] == pytest.approx(np.pi / 2.6**2, rel=0.02)
    assert ball["genus"] == 0
    assert ball["both_sides"] == ball["thin"] == ball["hidden"] == 0
    assert ball["asymmetry"] < 0.01
    assert ball["solidity"] > 0.95
    assert features(of_trimesh(trimesh.creation.torus(0.7, 0.3)).normalized())["genus"] == 1
    nested = features(of_trimesh(joined(trimesh.creation.icosphere(3), trimesh.creation.icosphere(3, 0.5))).normalized())
    assert nested["hidden"] == pytest.approx(0.2, abs=0.04)
    assert all(np.isfinite(v) for v in ball.values())


def test_every_filter_answers_or_is_off(of_trimesh):
    asset = of_trimesh(trimesh.creation.box()).normalized()
    measured = features(asset)
    on = FilterConfig(max_single_surface=1, max_thin=1, min_detail=0)
    assert len(judge(asset, measured, on)) == len(FILTERS)
    assert judge(asset, measured, FilterConfig(**dict.fromkeys(set(FilterConfig.model_fields) - {"own"}))) == []


# --- MeshLab -------------------------------------------------------------------------------------------------------------


@needs_meshlab
def test_decimation_keeps_textures_materials_and_parts(of_trimesh):
    asset = textured(of_trimesh(trimesh.creation.icosphere(4)).normalized())
    small, how = meshlab.reduce(asset, 1000)
    assert how == "kept_uvs"
    assert 900 <= len(small.faces) <= 1000
    assert topology(small.faces).watertight
    corners = small.vertices[small.faces]
    assert np.abs(small.uvs - (corners[..., :2] * 0.5 + 0.5)).max() < 0.05
    away = np.abs(corners.mean(1)[:, 2]) > 0.2
    np.testing.assert_array_equal(small.material_ids[away], (corners.mean(1)[:, 2] > 0)[away])
    np.testing.assert_array_equal(small.part_ids, 1 - small.material_ids)


@needs_meshlab
def test_curation_decimates_and_closes_holes_where_asked(of_trimesh):
    ball = trimesh.creation.icosphere(4)
    opened = of_trimesh(trimesh.Trimesh(ball.vertices, ball.faces[ball.triangles_center[:, 2] < 0.97], process=False))
    curated = curate(opened, CurationConfig(close_holes=100, face_budget=800))
    assert curated.methods["cap_faces"] > 0
    assert curated.methods["reduced_from"] > 5000
    assert curated.methods["reduced_by"] == "untextured"
    assert curated.methods["watertight"] == "as_is"
    assert len(curated.asset.faces) <= 800
    assert volume(curated.watertight_vertices, curated.watertight_faces) == pytest.approx(ball.volume, rel=0.03)


@needs_meshlab
def test_the_worker_is_stopped_at_its_deadline():
    bunny = trimesh.creation.icosphere(6)
    with pytest.raises(AssetError, match=r"longer than 0\.05 s") as caught:
        meshlab.run({"name": "remesh", "length": 0.001, "crease": 30.0}, bunny.vertices, bunny.faces, 0.05)
    assert caught.value.reason == "meshlab_timeout"


@needs_meshlab
def test_what_meshlab_refuses_comes_back_as_a_reason():
    with pytest.raises(AssetError) as caught:
        meshlab.run({"name": "no such job"}, np.eye(3), [[0, 1, 2]], 60)
    assert caught.value.reason == "meshlab_failed"
    assert "no such job" in str(caught.value)


def test_meshlab_is_never_sent_what_it_hangs_on():
    with pytest.raises(AssetError, match="NaN") as caught:
        meshlab.decimate([[np.nan, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], 1)
    assert caught.value.reason == "not_finite"
    with pytest.raises(AssetError) as caught:
        meshlab.decimate(np.eye(3), [[0, 1, 3]], 1)
    assert caught.value.reason == "bad_index"


# --- poses, scores, outputs ----------------------------------------------------------------------------------------------


def test_there_are_24_poses():
    turns = poses()
    assert len(turns) == 24
    np.testing.assert_array_equal(turns[0], np.eye(3))
    assert len(np.unique(turns.reshape(24, 9), axis=0)) == 24
    np.testing.assert_allclose(np.linalg.det(turns), 1)


def test_a_cone_on_its_tip_is_set_on_its_base(of_trimesh):
    cone = trimesh.creation.cone(0.8, 1.5, sections=64)
    upright, pose = rest_pose(of_trimesh(cone).normalized(), np.random.default_rng(0))
    assert pose == 0
    cone.apply_transform(trimesh.transformations.rotation_matrix(np.pi, (1, 0, 0)))
    turned, pose = rest_pose(of_trimesh(cone).normalized(), np.random.default_rng(0))
    assert pose > 0
    assert np.sort(turned.vertices[:, 2]) == pytest.approx(np.sort(upright.vertices[:, 2]), abs=1e-5)
    assert volume(turned.vertices, turned.faces) > 0


def test_a_fitted_head_recovers_a_linear_opinion(tmp_path):
    rng = np.random.default_rng(0)
    rows = [dict(zip(NAMES, rng.random(len(NAMES)), strict=True)) for _ in range(300)]
    marks = [3 + 1.5 * (r["view_entropy"] - 0.5) - 1.0 * (r["thin"] - 0.5) for r in rows]
    head = fit(rows, marks)
    error = [head(r) - m for r, m in zip(rows, marks, strict=True)]
    assert np.abs(error).max() < 0.05
    head.save(tmp_path / "head.json")
    assert LinearHead.load(tmp_path / "head.json") == head
    with pytest.raises(ConfigError, match=r"1\.\.5"):
        fit(rows, [9.0] * 300)
    with pytest.raises(ConfigError, match="not a score head"):
        LinearHead.load(tmp_path / "none.json")


def test_labels_refit_the_head_from_reports(tmp_path, of_trimesh):
    good, bad = trimesh.creation.icosphere(4), trimesh.creation.box((2, 0.01, 2))
    for name, mesh in (("good", good), ("bad", bad)):
        mesh.export(tmp_path / f"{name}.ply")
        curate_file(tmp_path / f"{name}.ply", tmp_path)
    (tmp_path / "labels.csv").write_text("metrics,score\ngood.json,5\nbad.json,1\n")
    head = fit_labels(tmp_path / "labels.csv")
    measured = {n: json.loads((tmp_path / f"{n}.json").read_text())["metrics"]["features"] for n in ("good", "bad")}
    assert head(measured["good"]) > 4 > 2 > head(measured["bad"])
    assert DEFAULT_HEAD(measured["good"]) > DEFAULT_HEAD(measured["bad"])
    (tmp_path / "labels.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="columns"):
        fit_labels(tmp_path / "labels.csv")


def test_outputs_read_back(tmp_path):
    trimesh.creation.torus(0.7, 0.3, 32, 16).export(tmp_path / "ring.ply")
    answer = curate_file(tmp_path / "ring.ply", tmp_path / "out", CurationConfig(untextured="clay"))
    out = tmp_path / "out"
    report = json.loads((out / "ring.json").read_text())
    assert report["kept"]
    assert report["methods"]["watertight"] == "as_is"
    assert 1 <= report["metrics"]["score"] <= 5
    surface = trimesh.load(out / "ring.watertight.ply", process=False)
    assert surface.is_volume
    np.testing.assert_array_equal(surface.vertices.astype(np.float32), answer.watertight_vertices)
    asset = from_glb((out / "ring.glb").read_bytes())
    assert asset.content_hash == answer.asset.content_hash
    assert asset.materials[0].source == "clay"
    with np.load(out / "ring.fields.npz") as fields:
        assert fields["surface"].shape == (20_480, 6)
    (tmp_path / "bad.obj").write_text("nothing")
    assert curate_file(tmp_path / "bad.obj", out).reason == "empty"
    assert json.loads((out / "bad.json").read_text())["rejected"]["stage"] == "ingest"
    assert not (out / "bad.glb").exists()
