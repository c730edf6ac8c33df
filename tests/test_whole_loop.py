"""The showpiece from end to end, with untrained networks of the smallest kind: every step runs and stands on the sheet."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import trimesh
from PIL import Image

from versemill.generation import NORLD, NOVEL_VIEWS, SHAPE_VAE
from versemill.generation.normals.family import NORMALS
from versemill.reconstruction import GAUSSIANS
from versemill.training.loop import State

SCRIPT = Path(__file__).parents[1] / "examples" / "whole_loop.py"


def untrained(family, folder: Path, preset: str, **changes) -> Path:
    recipe = family.recipe(**{**family.preset(preset).model_dump(), "amp": "off", **changes})
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"family": family.name, "preset": recipe.model_dump()}))
    State(family, recipe, 0, torch.device("cpu")).save(folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("runs")
    vae = untrained(
        SHAPE_VAE, place / "vae", "tiny", width=32, heads=4, channels=4, encoder_layers=1, decoder_layers=1, octaves=4,
        tokens=(8,), input_points=256,
    )  # fmt: skip
    return {
        "normals": untrained(NORMALS, place / "normals", "micro", view=32, crop=32),
        "norld": untrained(
            NORLD, place / "norld", "tiny", vae=str(vae), width=32, heads=4, tokens=8, picture=32, encoder_width=32,
            encoder_layers=1,
        ),
        "views": untrained(NOVEL_VIEWS, place / "views", "micro", width=32),
        "lrm": untrained(GAUSSIANS, place / "lrm", "micro", size=16, patch=4, stride=2, width=32, layers=1, heads=2),
    }  # fmt: skip


def loop(out: Path, **given: object) -> str:
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(out), *words, "--device", "cpu"],
        capture_output=True, text=True, env=environment, timeout=550, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_every_step_runs_from_one_picture(runs, tmp_path):
    mesh = tmp_path / "box.ply"
    box = trimesh.creation.box((1, 2, 1.5))
    box.visual.face_colors = [[200, 60, 40, 255]] * 6 + [[40, 90, 200, 255]] * 6
    box.export(mesh)
    out = tmp_path / "out"
    said = loop(out, mesh=mesh, iterations=2, **runs)
    columns = said.strip().splitlines()[-1].split(": ", 1)[1].split(", ")
    shape = (out / "shape.glb").exists()
    assert shape or "left out: NoRLD's shape: " in said, "an untrained network may draw nothing, and that is said"
    expected = ["truth", "true normals", "normals", *["NoRLD's shape"][:shape], "Zero-to-Hero", "SDI", "LRM", "one view", "LRM"]
    assert columns == [*expected, "drawn views"], "two columns have a comma in their name"
    for file in ("picture.png", "picture_normals.png", "asset/splats.ply", "asset/turntable.gif", "sheet.png", "table.md"):
        assert (out / file).stat().st_size > 0, file
    assert Image.open(out / "sheet.png").width > (7 + shape) * 128
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in said.splitlines() if line.startswith("| ")}
    for step in ("Zero-to-Hero", "SDI", "LRM, one view", "LRM, drawn views"):
        assert 0 < float(rows[step]) < 60
    with Image.open(out / "picture.png") as picture:
        assert picture.mode == "RGBA"
        assert 0 < sum(picture.getchannel("A").histogram()[128:]) < 256 * 256


@pytest.mark.slow
def test_what_is_not_given_is_named(runs, tmp_path):
    said = loop(tmp_path / "out", lrm=runs["lrm"], norld=runs["norld"])
    for reason in ("normals: no --normals RUN", "Zero-to-Hero and SDI: no --views RUN", "NoRLD's shape: it sees normals"):
        assert f"left out: {reason}" in said
    assert said.strip().endswith("sheet.png: truth, LRM, one view")
