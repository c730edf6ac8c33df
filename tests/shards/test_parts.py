"""The export of parts, read back with trimesh: one closed mesh per part, in the asset's frame, with a caption."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from versemill.mesh import volume
from versemill.queries import MeshQuery
from versemill.shards import export
from versemill.shards.export.item import Item
from versemill.shards.export.parts import caption


@pytest.fixture(scope="module")
def out(furniture, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("parts") / "out"
    done = export(furniture.path, "parts", folder)
    assert done.assets == 2
    assert list(done.left_out) == furniture.ids[2:]
    assert done.left_out[furniture.ids[2]].startswith("not_watertight: the surface has 5 boundary")
    return folder


@pytest.mark.parametrize("process", [True, False])
def test_each_part_is_closed_whether_or_not_a_reader_merges_vertices(furniture, out, process):
    for name in furniture.ids[:2]:
        scene = trimesh.load(out / "objects" / f"{name}.glb", process=process)
        for mesh in scene.geometry.values():
            assert mesh.is_watertight
            assert mesh.is_winding_consistent
            assert mesh.volume > 0


def test_parts_fill_the_asset_in_its_own_frame(furniture, out):
    records = [json.loads(line) for line in (out / "parts.jsonl").read_text().splitlines()]
    table = [record for record in records if record["id"] == furniture.ids[0]]
    assert [record["name"] for record in table] == ["plate", "legs 1", "ball"]
    scene = trimesh.load(out / "objects" / f"{furniture.ids[0]}.glb", process=False)
    assert {record["node"] for record in table} == set(scene.geometry)
    whole = volume(furniture.table.vertices, furniture.table.faces)
    assert sum(mesh.volume for mesh in scene.geometry.values()) == pytest.approx(whole, rel=1e-4)
    for record in table:
        matrix, geometry = scene.graph[record["node"]]
        np.testing.assert_array_equal(matrix, np.eye(4))
        x, y, z = scene.geometry[geometry].vertices.T
        z_up = np.stack([x, -z, y], 1)
        np.testing.assert_allclose(z_up.min(0), record["low"], atol=1e-6)
        np.testing.assert_allclose(z_up.max(0), record["high"], atol=1e-6)
        assert scene.geometry[geometry].volume == pytest.approx(record["volume"], rel=1e-4)
    # Whatever is seen of a part is on its solid.
    seen = furniture.table.vertices[furniture.table.faces[furniture.table.part_ids == 1]].mean(1)
    legs = scene.geometry["part001"]
    distance, _, _ = MeshQuery(legs.vertices[:, [0, 2, 1]] * [1, -1, 1], legs.faces).closest(seen)
    assert distance.max() < 2e-5


def test_an_asset_of_one_part_is_that_part(furniture, out, sphere):
    scene = trimesh.load(out / "objects" / f"{furniture.ids[1]}.glb", process=False)
    (mesh,) = scene.geometry.values()
    asset = sphere.asset(index=1)
    assert mesh.volume == pytest.approx(volume(asset.vertices, asset.faces), rel=1e-5)
    assert len(mesh.faces) == len(asset.faces)


def test_captions_name_the_part_and_the_whole(furniture, out):
    lines = [json.loads(line) for line in (out / "parts.jsonl").read_text().splitlines()]
    assert [line["caption"] for line in lines] == [
        "The plate of a table with a ball on it.", "The legs of a table with a ball on it.",
        "The ball of a table with a ball on it.", "The ball of a painted ball.",
    ]  # fmt: skip


def test_the_words_of_detailverse_are_kept():
    words = {"part": "lid", "name": "lid", "material": "bronze", "ornament": ["fluting", "a rope border"]}
    meta = {"id": "x", "caption": "An ornate marble urn, decorated with fluting.", "source": "detailverse",
            "provenance": json.dumps({"captions": {"short": "A marble urn.", "parts": [words]}}), "metrics": "{}",
            "methods": "{}"}  # fmt: skip
    assert caption(Item({"meta": meta}), "lid") == "The bronze lid of a marble urn, with fluting and a rope border."
    assert caption(Item({"meta": meta}), "foot") == "The foot of an ornate marble urn, decorated with fluting."
    assert caption(Item({"meta": {**meta, "caption": "", "source": "files"}}), "Mesh_012") == "Mesh."


def test_partcrafters_preprocessing_finds_its_parts(furniture, out):
    """What its script does with a file: a scene is normalised and dumped, and each part is sampled."""
    scene = trimesh.load(out / "objects" / f"{furniture.ids[0]}.glb")
    assert isinstance(scene, trimesh.Scene)
    meshes = scene.dump()
    assert len(meshes) == 3
    points, faces = meshes[1].sample(500, return_index=True, seed=0)
    assert points.shape == (500, 3)
    np.testing.assert_allclose(np.linalg.norm(meshes[1].face_normals[faces], axis=1), 1, atol=1e-6)
