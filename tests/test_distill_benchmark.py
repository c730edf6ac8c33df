"""The quick form of `python -m benchmarks distill`'s comparisons, with untrained networks: every arm stands in the table."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from versemill.generation import NOVEL_VIEWS
from versemill.generation.distillation.arms import ABLATIONS
from versemill.generation.distillation.baselines import FUSED, HULL
from versemill.generation.distillation.settings import PRESETS
from versemill.reconstruction import GAUSSIANS
from versemill.training.loop import State

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, box_dataset) -> Path:
    """A folder with the benchmarks and nothing else of the checkout, and what a comparison needs."""
    place = tmp_path_factory.mktemp("distill")
    shutil.copytree(ROOT / "benchmarks", place / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    given = place / "given"
    given.mkdir()
    (given / "data").symlink_to(box_dataset)
    lrm = {"size": 16, "patch": 4, "stride": 2, "width": 32, "layers": 1, "heads": 2, "amp": "off"}
    for name, family, changes in (("run", NOVEL_VIEWS, {"width": 32, "amp": "off"}), ("lrm", GAUSSIANS, lrm)):
        recipe = family.recipe(**{**family.preset("micro").model_dump(), **changes})
        (given / name).mkdir()
        (given / name / "config.json").write_text(json.dumps({"family": family.name, "preset": recipe.model_dump()}))
        State(family, recipe, 0, torch.device("cpu")).save(given / name)
    return place


def benchmark(elsewhere: Path, *words: str) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([str(elsewhere), *(path for path in sys.path if path)])
    command = [sys.executable, "-m", "benchmarks", "distill", "--quick", "--json", *words]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, cwd=elsewhere, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("part", ["sdi", "sdi-kappa"])
def test_every_arm_stands_in_the_table(elsewhere, part):
    words = ("--part", part, "--folder", str(elsewhere / "given"), "--set", "iterations=2")
    done = benchmark(elsewhere, *words)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    arms = list(ABLATIONS[part].arms(PRESETS["tiny"]))
    baselines = [HULL, FUSED, "LRM from one view"] if ABLATIONS[part].baselines else []
    for arm in (*arms, *baselines):
        assert figures[f"{arm}: psnr"] > 0
        assert 0 <= figures[f"{arm}: chamfer"] <= 2
        assert (f"{arm}: gradient_variance" in figures) == (arm in arms)
    out = elsewhere / "given" / "compared-quick"
    assert (out / f"{part}.md").exists()
    assert (out / f"{part}.png").exists()
    if ABLATIONS[part].residuals:
        assert {f"residual {arm} 0.3" for arm in ("random", "0", "+gamma", "-gamma")} <= set(figures)
        assert (out / "residuals.md").exists()
    records = sorted((out / "objects" / "000").glob("*.json"))
    again = benchmark(elsewhere, *words)
    assert json.loads(again.stdout.splitlines()[-1]) == figures
    assert sorted((out / "objects" / "000").glob("*.json")) == records, "nothing is done twice"


def test_what_a_part_does_not_take_is_refused(elsewhere):
    done = benchmark(elsewhere, "--part", "methods", "--objects", "3")
    assert done.returncode == 2
    assert "objects" in done.stderr
    assert benchmark(elsewhere, "--part", "sdi").returncode == 2, "--folder is needed"
