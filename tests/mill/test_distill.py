"""The command `distill`: a family that offers a 2D model, and every way to ask for what does not exist."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from versemill.errors import ConfigError
from versemill.generation.paths import DDPM
from versemill.mill import cli
from versemill.mill.pipeline import models
from versemill.reconstruction import GAUSSIANS
from versemill.training.loop import State

SETTINGS = ("iterations=3", "views=1", "gaussians=50", "save_every=2", "mesh_resolution=16")
SMALL = [word for setting in SETTINGS for word in ("--set", setting)]


class Grey:
    """Thinks that everything looks like the mean of the picture, from any side."""

    path, size = DDPM(), 12

    def __init__(self, network, picture, c2w, K):
        assert picture.shape[0] == 3
        assert c2w.shape == (4, 4)
        self.mean = 2 * picture.mean((1, 2)).view(1, 3, 1, 1) - 1

    def encode(self, pictures):
        return 2 * pictures - 1

    def decode(self, data):
        return (data + 1) / 2

    def estimators(self, c2w, K):
        def estimate(x, t):
            alpha, sigma = self.path.level(t)
            return self.mean.expand_as(x), (x - alpha * self.mean) / sigma

        return estimate, estimate


@pytest.fixture
def run_of(monkeypatch, tmp_path):
    """A trained run of a family with, or without, a 2D model."""

    def make(offers: bool) -> Path:
        family = dataclasses.replace(GAUSSIANS, view_model=Grey if offers else None)
        monkeypatch.setattr(models.FAMILIES, "find", lambda name: family)
        folder = tmp_path / "run"
        folder.mkdir()
        recipe = family.preset("micro")
        (folder / "config.json").write_text(json.dumps({"family": family.name, "preset": recipe.model_dump()}))
        State(family, recipe, 0, torch.device("cpu")).save(folder)
        return folder

    return make


def picture(path: Path, width: int = 24, height: int = 24) -> Path:
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[4:-4, 4:-4] = (200, 40, 30, 255)
    Image.fromarray(pixels).save(path)
    return path


def call(*words: object) -> str:
    """Standard output of the command, in this process; its own errors are raised."""
    answer = CliRunner().invoke(cli.app, ["distill", *map(str, words)])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_a_picture_becomes_an_asset_and_the_command_resumes(run_of, tmp_path):
    run, image, out = run_of(True), picture(tmp_path / "a.png"), tmp_path / "out"
    call(run, "--image", image, "--out", out, "--method", "sds", *SMALL)
    record = json.loads((out / "run.json").read_text())
    assert record["settings"]["scoring"]["method"] == "sds"
    assert record["iterations"] == 3
    assert len(record["picture"]) == len(record["model"]) == 64
    before = (out / "splats.ply").read_bytes()
    call(run, "--image", image, "--out", out, "--method", "sds", *SMALL)
    assert (out / "splats.ply").read_bytes() == before
    with pytest.raises(ConfigError, match="another settings"):
        call(run, "--image", image, "--out", out, "--method", "sdi", *SMALL)
    with pytest.raises(ConfigError, match="another picture"):
        call(run, "--image", picture(tmp_path / "b.png", 32, 32), "--out", out, "--method", "sds", *SMALL)


def test_what_can_not_be_done_is_said_in_a_line(run_of, tmp_path):
    run, image, out = run_of(False), picture(tmp_path / "a.png"), tmp_path / "out"
    with pytest.raises(ConfigError, match="has no 2D model"):
        call(run, "--image", image, "--out", out)
    with pytest.raises(ConfigError, match="--image"):
        call(run, "--out", out)
    with pytest.raises(ConfigError, match="square"):
        call(run, "--image", picture(tmp_path / "wide.png", 30, 20), "--out", out)
    with pytest.raises(ConfigError, match="can't read"):
        call(run, "--image", tmp_path / "none.png", "--out", out)
    with pytest.raises(ConfigError, match="no preset 'huge'; there are tiny, paper"):
        call(run, "--image", image, "--out", out, "--preset", "huge")
    with pytest.raises(ConfigError, match="vds"):
        call(run, "--image", image, "--out", out, "--method", "vds")
    with pytest.raises(ConfigError, match="iteration"):
        call(run, "--image", image, "--out", out, "--set", "iteration=3")
    with pytest.raises(ConfigError, match="not a Stable Diffusion folder"):
        call(run, "--prompt", "a chair", "--out", out)
    with pytest.raises(ConfigError, match="not a training run"):
        call(tmp_path, "--image", image, "--out", out)
    assert not out.exists()


def test_a_picture_that_is_too_small_is_refused(run_of, tmp_path):
    with pytest.raises(ConfigError, match="has 10 x 10 pixels and the model needs 12"):
        call(run_of(True), "--image", picture(tmp_path / "a.png", 10, 10), "--out", tmp_path / "out")
