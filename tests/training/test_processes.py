"""Training by two processes under torchrun equals training by one with a batch twice as large."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from versemill.errors import MissingDependencyError
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training.loop import fit
from versemill.training.runs import RECORDS, load

SCRIPT = """
import json, sys, torch
from pathlib import Path
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training.loop import fit
scenes = torch.load(sys.argv[1], weights_only=False)
summary = fit(GAUSSIANS, scenes, GaussiansRecipe(**json.loads(sys.argv[2])), Path(sys.argv[3]), 0, "cpu")
print(json.dumps(summary))
"""


def records(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / RECORDS).read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(balls, toy_preset: GaussiansRecipe, tmp_path: Path) -> None:
    # Without the depth term: each process takes its own mean over its known pixels, so that alone agrees only nearly.
    half = toy_preset.model_copy(update={"batch": 1, "steps": 4, "save_every": 2, "depth": 0.0})
    fit(GAUSSIANS, balls, half.model_copy(update={"batch": 2}), tmp_path / "one", 0, "cpu")
    torch.save(list(balls), tmp_path / "scenes.pt")
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = [str(tmp_path / "scenes.pt"), json.dumps(half.model_dump()), str(tmp_path / "two")]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "script.py"]
    done = subprocess.run(
        [*launch, *arguments], cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = records(tmp_path / "one"), records(tmp_path / "two")
    assert [r["step"] for r in two] == [1, 2, 3, 4]  # one process writes
    for a, b in zip(one, two, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-2)
    first, second = (dict(load(GAUSSIANS, tmp_path / n, torch.device("cpu"))[0].named_parameters()) for n in ("one", "two"))
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], atol=2e-3, rtol=0, msg=lambda m, n=name: f"{n}: {m}")


def test_tensorboard_is_written_or_missed_by_name(balls, toy_preset: GaussiansRecipe, tmp_path: Path, monkeypatch) -> None:
    preset = toy_preset.model_copy(update={"steps": 2})
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"versemill\[tensorboard\]"):
        fit(GAUSSIANS, balls, preset, tmp_path / "without", 0, "cpu", tensorboard=True)
    monkeypatch.undo()
    pytest.importorskip("tensorboard")
    fit(GAUSSIANS, balls, preset, tmp_path / "with", 0, "cpu", tensorboard=True)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "with" / "tensorboard")).Reload()
    losses = [scalar.value for scalar in events.Scalars("train/loss")]
    assert losses == pytest.approx([r["loss"] for r in records(tmp_path / "with")])
