"""Training: exact resume after a kill, refusals, the stop before divergence, and an asset learned by heart."""

import json
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest
import torch

from versemill.errors import ConfigError, MissingDependencyError
from versemill.mill.pipeline import config as pipelines
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction.methods import predict
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training import train as public_train
from versemill.training.images import psnr
from versemill.training.loop import WINDOW, DivergenceError, fit, guard, schedule, try_step
from versemill.training.runs import CHECKPOINT, RECORDS, load, torch_device
from versemill.training.scenes import Scenes

MORTAL = """
import json, os, signal, sys, torch
from pathlib import Path
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training.loop import fit
scenes, out = torch.load(sys.argv[1], weights_only=False), Path(sys.argv[3])
if not out.exists():  # the first time: dead amid the writing of the second checkpoint
    save, written = torch.save, []
    def dying(content, path):
        written.append(path)
        save(content, path)
        if len(written) == 2:
            os.truncate(path, 1000)
            os.kill(os.getpid(), signal.SIGKILL)
    torch.save = dying
fit(GAUSSIANS, scenes, GaussiansRecipe(**json.loads(sys.argv[2])), out, 0, "cpu")
"""


def records(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / RECORDS).read_text().splitlines()]


def checkpoint(out: Path) -> dict[str, Any]:
    return torch.load(out / CHECKPOINT, weights_only=True)


def test_a_killed_training_goes_on_to_the_same_losses_and_weights(balls, toy_preset: GaussiansRecipe, tmp_path: Path) -> None:
    preset = toy_preset.model_copy(update={"steps": 8})
    fit(GAUSSIANS, balls, preset, tmp_path / "whole", 0, "cpu")
    torch.save(list(balls), tmp_path / "scenes.pt")
    command = [
        sys.executable, "-c", MORTAL, str(tmp_path / "scenes.pt"), json.dumps(preset.model_dump()), str(tmp_path / "broken"),
    ]  # fmt: skip
    assert subprocess.run(command, timeout=300).returncode == -signal.SIGKILL
    assert checkpoint(tmp_path / "broken")["step"] == 3
    assert len(records(tmp_path / "broken")) == 6
    assert subprocess.run(command, timeout=300).returncode == 0
    assert (tmp_path / "broken" / RECORDS).read_bytes() == (tmp_path / "whole" / RECORDS).read_bytes()
    # Weights, their average, the optimiser's moments: equal to the bit.
    torch.testing.assert_close(checkpoint(tmp_path / "broken"), checkpoint(tmp_path / "whole"), rtol=0, atol=0)


def test_a_finished_run_is_left_as_it_is(balls, toy_preset: GaussiansRecipe, tmp_path: Path) -> None:
    first = fit(GAUSSIANS, balls, toy_preset, tmp_path, 0, "cpu")
    before = (tmp_path / CHECKPOINT).read_bytes()
    again = fit(GAUSSIANS, balls, toy_preset, tmp_path, 0, "cpu")
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert again["loss"] == first["loss"]


def test_seeds_differ_and_the_global_generator_is_left_alone(balls, toy_preset: GaussiansRecipe, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(GAUSSIANS, balls, toy_preset, tmp_path / "a", 0, "cpu")
    assert torch.equal(torch.rand(3), expected)
    fit(GAUSSIANS, balls, toy_preset, tmp_path / "b", 1, "cpu")
    assert records(tmp_path / "a")[0]["loss"] != records(tmp_path / "b")[0]["loss"]


def test_the_loss_falls(balls, toy_preset: GaussiansRecipe, tmp_path: Path) -> None:
    fit(GAUSSIANS, balls, toy_preset.model_copy(update={"steps": 60, "lr": 3e-3, "warmup": 5}), tmp_path, 0, "cpu")
    losses = [r["loss"] for r in records(tmp_path)]
    assert sum(losses[-15:]) < 0.85 * sum(losses[:15])


def test_another_preset_in_the_same_folder_is_refused(balls, toy_preset: GaussiansRecipe, tmp_path: Path) -> None:
    fit(GAUSSIANS, balls, toy_preset, tmp_path, 0, "cpu")
    fit(
        GAUSSIANS, balls, toy_preset.model_copy(update={"expected": "much", "time": "hours"}), tmp_path, 0, "cpu"
    )  # words alone
    with pytest.raises(ConfigError, match="another preset"):
        fit(GAUSSIANS, balls, toy_preset.model_copy(update={"lr": 1.0}), tmp_path, 0, "cpu")
    with pytest.raises(ConfigError, match="another seed"):
        fit(GAUSSIANS, balls, toy_preset, tmp_path, 1, "cpu")
    with pytest.raises(ConfigError, match="no trained model"):
        load(GAUSSIANS, tmp_path / "nowhere", torch.device("cpu"))


def test_loader_processes_give_the_same_losses(box_dataset: Path, toy_preset: GaussiansRecipe, tmp_path: Path) -> None:
    runs = []
    for workers in (0, 2):
        preset = toy_preset.model_copy(update={"workers": workers, "steps": 3})
        public_train(GAUSSIANS, box_dataset, preset, tmp_path / str(workers), device="cpu")
        runs.append(records(tmp_path / str(workers)))
    assert runs[0] == runs[1]


def test_devices_that_are_not_here_are_named() -> None:
    with pytest.raises(ConfigError, match="'abacus'"):
        torch_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(MissingDependencyError, match="'cuda'"):
            torch_device("cuda")
    assert torch_device("auto").type in ("cpu", "cuda")
    assert "one step of preset micro on cpu" in try_step(GAUSSIANS, "cpu")


def test_the_guard_stops_a_run_that_diverges(toy_preset: GaussiansRecipe) -> None:
    calm, wild = (deque([value] * WINDOW, maxlen=WINDOW) for value in (0.5, 3.0))
    late = {"step": 1000, "loss": 0.1, "grad_norm": 3.0}
    guard(late, calm, toy_preset)
    guard({**late, "step": 20}, wild, toy_preset)  # the first steps are wild in health, too
    with pytest.raises(DivergenceError, match=r"median gradient norm .* 3\.00.*limit is 2"):
        guard(late, wild, toy_preset)
    with pytest.raises(DivergenceError, match="step 1000: loss nan"):
        guard({**late, "loss": float("nan")}, calm, toy_preset)


def test_the_learning_rate_warms_up_and_ends_at_zero(toy_preset: GaussiansRecipe) -> None:
    preset = toy_preset.model_copy(update={"steps": 100, "warmup": 10})
    rates = [schedule(preset, step) for step in range(101)]
    assert rates[9] == max(rates) == preset.lr
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert sorted(rates[:10]) == rates[:10]
    assert sorted(rates[10:], reverse=True) == rates[10:]


@pytest.mark.slow
def test_one_milled_asset_is_learned_by_heart(mill_here, tmp_path: Path) -> None:
    """Every stage of the pipeline, the shards, the loader, a small network: five views reach 28 dB."""
    fields = {"surface_points": 64, "sharp_points": 0, "near_points": 0, "sharp_near_points": 0, "volume_points": 0}
    cheap = {"curate.resolution": 32, "fields": fields | {"voxel_resolution": 8}, "shards.splits": [1, 0, 0]}
    small = {"render.width": 64, "render.height": 64, "render.cameras.views": 5}
    settings = [f"{key}={json.dumps(value)}" for key, value in {**cheap, **small}.items()]
    mill_here(pipelines.load("base", overrides=settings, assets=1, seed=0), tmp_path / "data")
    preset = GAUSSIANS.presets["micro"].model_copy(
        update={
            "patch": 8, "stride": 1, "layers": 2, "steps": 250, "warmup": 20, "lr": 3e-3, "batch": 1, "target_views": 5,
            "augment": False, "ema": 0.9, "weight_decay": 0.0, "perceptual": 0.0, "mask": 0.0, "depth": 0.0, "amp": "off",
        }
    )  # fmt: skip
    assert public_train(GAUSSIANS, tmp_path / "data", preset, tmp_path / "run", device="cpu")["objects"] == 1
    model, _ = load(GAUSSIANS, tmp_path / "run", torch.device("cpu"))
    scene = Scenes(tmp_path / "data", ("train",), preset.size, keep=False)[0]
    with torch.no_grad():
        gaussians = predict(model, scene, [0, 1, 2, 3], torch.device("cpu"))
        image = model.draw(gaussians, scene.c2w[None], scene.K[None], preset.size).over(1.0)[0]
    assert psnr(image, scene.over_white).mean() > 28
