"""A 2D model's answer to a picture, or to a text, as a 3D asset in a folder."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from versemill.errors import ConfigError
from versemill.files import written_aside
from versemill.generation.conditions import read_picture
from versemill.generation.distillation import cameras, export
from versemill.generation.distillation.models import ViewModel
from versemill.generation.distillation.optimisation import Picture, Progress, optimise
from versemill.generation.distillation.settings import Distillation
from versemill.training.family import Family
from versemill.training.runs import load

RECORD = "run.json"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came out.

    Attributes:
        files: kind -> file; without "mesh" where there is not a surface. calls: evaluations of the network.
        record: the file that says how it was made.
    """

    files: dict[str, str]
    calls: int
    record: str


def distill(
    model: ViewModel, picture: Picture | None, settings: Distillation, seed: int, out: Path, basis: dict[str, Any],
    device: torch.device, progress: Progress | None = None,
) -> Answer:  # fmt: skip
    """Optimises, then writes asset.glb, splats.ply, turntable.gif and run.json; the same call resumes a run that was stopped.

    Args:
        basis: what the record says of model, picture and prompt; a folder of another basis is refused.

    Raises:
        ConfigError, DivergenceError: see `optimisation.optimise`.
    """
    state = optimise(
        settings, model, picture, seed, out, basis, progress, lambda state: export.preview(state, out), device
    )  # fmt: skip
    files = export.write(state, out)
    names = {kind: Path(path).name for kind, path in files.items()}
    record = {
        **basis, "seed": seed, "iterations": state.step, "calls": state.calls, "files": names,
        "settings": settings.model_dump(mode="json"),
    }  # fmt: skip
    with written_aside(out / RECORD) as aside:
        aside.write_text(json.dumps(record, indent=1) + "\n")
    return Answer(files, state.calls, str(out / RECORD))


def picture_model(
    family: Family, run_dir: Path, rgba: Tensor, settings: Distillation, device: torch.device
) -> tuple[ViewModel, Picture]:
    """A trained family's 2D model, conditioned on a picture (4, N, N), and the picture at its size.

    Raises:
        ConfigError: the family offers no 2D model, the folder holds no trained network, or the picture is too small.
    """
    if family.view_model is None:
        raise ConfigError(f"{run_dir} is a run of family '{family.name}', which has no 2D model of views to distil")
    network, _ = load(family, run_dir, device)
    side = rgba.shape[-1]
    c2w, K = (m[0].to(device) for m in cameras.reference(settings.cameras, side))
    model: ViewModel = family.view_model(network, over_white(rgba).to(device), c2w, K)
    if side < model.size:
        raise ConfigError(f"the picture has {side} x {side} pixels and the model needs {model.size}: take a larger one")
    return model, picture_of(rgba, model.size)


def read_square(path: Path) -> Tensor:
    """(4, N, N) in [0, 1], straight alpha, of a square picture, framed as the model's training views: nothing is cropped.

    Raises:
        ConfigError: no picture, not a square one, or one whose background can't be removed.
    """
    rgba = read_picture(path)
    height, width = rgba.shape[1:]
    if width != height:
        raise ConfigError(
            f"{path} has {width} x {height} pixels; a square picture is needed: crop it, the object in the middle"
        )
    return rgba


def picture_of(rgba: Tensor, size: int) -> Picture:
    """A picture (4, N, N) at a model's size, averaged over its pixels."""
    return Picture(F.adaptive_avg_pool2d(over_white(rgba), size), F.adaptive_avg_pool2d(rgba[3:], size)[0])


def over_white(rgba: Tensor) -> Tensor:
    """(3, N, N) of (4, N, N) with straight alpha."""
    return rgba[:3] * rgba[3:] + 1 - rgba[3:]


def digest(path: Path) -> str:
    """SHA-256 of a file: which picture or checkpoint a run is of."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
