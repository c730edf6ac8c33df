"""The documented recipe for meshes of another generator: the same checks, pose and quality filters as everybody's."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from versemill import gltf
from versemill.curated import Curated, Rejected
from versemill.curation import CurationConfig, curate
from versemill.curation.config import LoadLimits
from versemill.detailverse import Specification, build
from versemill.mesh import topology
from versemill.mill.pipeline import sources

RECIPE = """\
pipelines:
  generated:
    description: meshes of an image-to-3D model, each one object, stood up and held to DetailVerse's standard
    extends: files
    sources:
      files: {path: generated/, limits: {up: y}}
    curate:
      orient: rest
      min_part: 0.02
      close_holes: 200
      untextured: clay
      filters:
        min_main_object: 0.9
        min_solidity: 0.15
        max_planar_base: 0.4
        max_thin: 0.5
        min_detail: 2.0
"""
SIDEWAYS = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
CHEST = Specification(category="furniture", proportions={"kind": "chest"})


@pytest.fixture(scope="module")
def chest():
    return build(CHEST, detail="fast", texture_size=32)


def made(folder: Path, name: str) -> Curated | Rejected:
    """What the recipe makes of one file of a folder."""
    recipe = yaml.safe_load(RECIPE)["pipelines"]["generated"]
    files = sources.FilesConfig(path=str(folder), limits=LoadLimits(**recipe["sources"]["files"]["limits"]))
    assert name in sources.mesh_files(files)
    asset = sources.SOURCES.find("files").generate(files, 0, 0, name)
    return curate(asset, CurationConfig(**recipe["curate"], resolution=64))


def obj(path: Path, vertices, faces) -> None:
    path.write_text("".join(f"v {x} {y} {z}\n" for x, y, z in vertices) + "".join(f"f {a} {b} {c}\n" for a, b, c in faces + 1))


def test_the_recipe_is_the_documented_one():
    page = Path(__file__).parents[2] / "docs" / "detailverse.md"
    if not page.exists():
        pytest.skip("the documents are not beside the tests")
    assert RECIPE in page.read_text()


def test_a_generated_mesh_that_lies_on_its_side_is_stood_up_and_kept(tmp_path, chest):
    from dataclasses import replace

    lying = replace(chest, vertices=np.ascontiguousarray(chest.vertices @ SIDEWAYS.T))
    (tmp_path / "chest.glb").write_bytes(gltf.to_glb(lying))
    outcome = made(tmp_path, "chest.glb")
    assert isinstance(outcome, Curated), outcome
    sides = np.ptp(outcome.asset.vertices, 0)
    assert np.allclose(sides[2], np.ptp(chest.vertices[:, 2]), atol=0.02)
    assert topology(outcome.watertight_faces).watertight
    assert outcome.asset.source == "files"


def test_a_plain_box_is_turned_away_for_its_want_of_detail(tmp_path):
    from versemill.detailverse.solids import box

    mesh = box((2, 1, 1.5)).to_mesh()
    obj(tmp_path / "box.obj", mesh.vert_properties, np.asarray(mesh.tri_verts, np.int64))
    outcome = made(tmp_path, "box.obj")
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "low_detail"


def test_two_objects_in_one_file_are_turned_away(tmp_path, chest):
    vertices = np.concatenate([chest.vertices, chest.vertices + [6, 0, 0]])
    obj(tmp_path / "two.obj", vertices, np.concatenate([chest.faces, chest.faces + len(chest.vertices)]))
    outcome = made(tmp_path, "two.obj")
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "multi_object"
