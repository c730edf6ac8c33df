"""The first 50 losses of every preset are those of version 0.1, before the families came onto one floor.

`losses.json` was recorded with version 0.1 on the analytic balls of `conftest.py`, seed 0, two threads. Presets of GPU size
are recorded at a small size (`own`); their other settings are theirs. The last bits depend on the processor's instructions:
on those of the recording the losses are equal to the bit, on others nearly.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from versemill.mill.folder.fingerprint import _instructions
from versemill.mill.pipeline.models import FAMILIES
from versemill.training.loop import fit
from versemill.training.runs import describe, load

RECORD = json.loads((Path(__file__).parent / "losses.json").read_text())
STEPS = 50


class EnoughError(Exception):
    pass


def first_losses(run: dict[str, Any], make_ball: Any, out: Path) -> list[float]:
    family = FAMILIES.find(run["family"])
    recipe = family.presets[run["preset"]].model_copy(update=run["own"])
    losses: list[float] = []

    def progress(step: int, total: int, record: dict[str, float]) -> None:
        losses.append(record["loss"])
        if step == STEPS:
            raise EnoughError

    with pytest.raises(EnoughError):
        fit(family, [make_ball(seed, recipe.size, 8) for seed in range(5)], recipe, out, 0, "cpu", progress)
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("run", RECORD["runs"], ids=lambda run: f"{run['family']}-{run['preset']}")
def test_the_first_losses_are_those_of_before(run: dict[str, Any], make_ball, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    losses = first_losses(run, make_ball, tmp_path)
    here = {"torch": torch.__version__, "instructions": _instructions()}
    if here == RECORD["recorded with"]:
        assert losses == run["losses"]
    else:
        assert losses == pytest.approx(run["losses"], rel=0.05)
        assert losses[:3] == pytest.approx(run["losses"][:3], rel=1e-3)


def old_config(family: str, recipe: Any) -> dict[str, Any]:
    """config.json as version 0.1 wrote it: no family, and every preset had the fields of all."""
    everything = {"stride": 1, "plane": 32, "plane_channels": 16, "samples": 48, "heads": 1, "octaves": 4, "target_views": 4,
                  "perceptual": 0.2, "mask": 0.2, "masked": True, "scale_clip": -1.6, "max_angle": 180.0,
                  "checkpointing": False}  # fmt: skip
    new = ("optimizer", "matrix_lr")
    preset = {**everything, **recipe.model_dump(exclude=set(new)), "family": family}
    return {"preset": preset, "seed": 0, "processes": 1, "lpips": None}


@pytest.mark.parametrize("name", ["gaussians", "triplane", "monocular"])
def test_a_run_of_version_0_1_loads_and_resumes(name: str, make_ball, tmp_path: Path) -> None:
    family = FAMILIES.find(name)
    own = {"size": 16, "width": 16, "layers": 1, "batch": 1, "steps": 2, "input_views": 2, "amp": "off"}
    more = {"heads": 2, "target_views": 1} if name != "monocular" else {}
    recipe = family.preset(None).model_copy(update={**own, **more})
    balls = [make_ball(0, 16, 8)]
    fit(family, balls, recipe, tmp_path, 0, "cpu")
    (tmp_path / "config.json").write_text(json.dumps(old_config(name, recipe)))
    assert describe(tmp_path)["family"] == name
    _, restored = load(family, tmp_path, torch.device("cpu"))
    assert restored == recipe
    assert fit(family, balls, recipe, tmp_path, 0, "cpu")["steps"] == 2  # finished: nothing is refused, nothing trained
