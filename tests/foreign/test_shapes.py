"""Every row of the table at its right value; trimesh and Blender, where they are right, say that the value is."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh
from shapes import SHAPES, far_away

from versemill.curation import LoadLimits, load
from versemill.mesh import face_areas

BLENDER = Path(LoadLimits().blender)
Y_UP = (".glb", ".gltf", ".obj")


def agree(name, facts):
    shape = SHAPES[name]
    size = max(np.subtract(shape.high, shape.low))
    assert facts["faces"] == shape.faces
    assert facts["area"] == pytest.approx(shape.area, rel=1e-4)
    # Far from its origin, a box is known to about a float32's step there.
    slack = 1e-5 * size + 6e-8 * np.abs([shape.low, shape.high]).max()
    np.testing.assert_allclose([facts["low"], facts["high"]], [shape.low, shape.high], atol=slack)


@pytest.mark.parametrize("name", SHAPES)
def test_ours(name, tmp_path):
    asset = load(SHAPES[name].build(tmp_path))
    points = asset.vertices.astype(np.float64) * asset.scale + np.array(asset.center)
    area = face_areas(asset.vertices, asset.faces).sum() * asset.scale**2
    agree(name, {"faces": len(asset.faces), "area": area, "low": points.min(0), "high": points.max(0)})
    assert np.abs(asset.vertices).max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("offset", "scale"), [([5e5, 0, -5e5], 1.0), ([0, 0, 0], 1e-6), ([0, 0, 0], 1e6), ([5e5, 1e5, 0], 1e-2)]
)
def test_far_small_and_large_is_like_the_same_at_the_origin(tmp_path, offset, scale):
    for name, place in (("near", ([0, 0, 0], 1.0)), ("far", (offset, scale))):
        (tmp_path / f"{name}.glb").write_bytes(far_away(*place))
    near, far = load(tmp_path / "near.glb"), load(tmp_path / "far.glb")
    np.testing.assert_array_equal(far.faces, near.faces)
    # A float64 at 5e5 is known to 6e-11; scaled up again, that is far below a float32's step.
    np.testing.assert_allclose(far.vertices, near.vertices, atol=1e-6)
    assert far.scale == pytest.approx(scale * near.scale, rel=1e-6)


def test_an_obj_far_away_keeps_its_shape(tmp_path):
    ball = trimesh.creation.icosphere(2)
    for name, points in (("near", ball.vertices), ("far", ball.vertices + [5e5, 4e5, -1e5])):
        text = "".join("v {:.9f} {:.9f} {:.9f}\n".format(*p) for p in points)
        (tmp_path / f"{name}.obj").write_text(text + "".join("f {} {} {}\n".format(*f) for f in ball.faces + 1))
    np.testing.assert_allclose(load(tmp_path / "far.obj").vertices, load(tmp_path / "near.obj").vertices, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if "trimesh" in shape.readers])
def test_trimesh(name, tmp_path):
    path = SHAPES[name].build(tmp_path)
    shape = trimesh.load_scene(path, process=False).to_geometry()
    points = np.asarray(shape.vertices)[np.unique(shape.faces)]
    if path.suffix in Y_UP:
        points = np.column_stack([points[:, 0], -points[:, 2], points[:, 1]])
    agree(name, {"faces": len(shape.faces), "area": shape.area, "low": points.min(0), "high": points.max(0)})


@pytest.mark.slow
@pytest.mark.skipif(not BLENDER.exists(), reason="Blender is not here (make blender)")
def test_blender(tmp_path):
    names = [name for name, shape in SHAPES.items() if "blender" in shape.readers]
    paths = []
    for k, name in enumerate(names):
        (tmp_path / str(k)).mkdir()
        paths.append(str(SHAPES[name].build(tmp_path / str(k))))
    worker = Path(__file__).with_name("blender_reader.py")
    done = subprocess.run(
        [BLENDER, "-P", worker, *paths], capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)}
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(names), done.stderr[-2000:]
    wrong = {}
    for name, answer in zip(names, answers, strict=True):
        try:
            agree(name, answer)
        except (AssertionError, KeyError) as error:
            wrong[name] = f"{answer} {str(error)[:200]}"
    assert not wrong
