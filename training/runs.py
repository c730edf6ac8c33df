"""A training run's folder: config.json says what it is, checkpoint.pt what it has learned, metrics.jsonl how it went."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from versemill.errors import ConfigError, MissingDependencyError
from versemill.files import written_aside
from versemill.training.family import Family
from versemill.training.recipe import WORDS, Recipe

CHECKPOINT, RECORDS, CONFIG = "checkpoint.pt", "metrics.jsonl", "config.json"


def describe(run_dir: str | Path) -> dict[str, Any]:
    """What config.json says of a run: family (its name), preset (settings), seed, processes, lpips.

    Raises:
        ConfigError: the folder holds no run.
    """
    path = Path(run_dir) / CONFIG
    try:
        config = json.loads(path.read_text())
        preset = dict(config["preset"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{run_dir} is not a training run ({CONFIG} is missing or unreadable): train into it first"
        ) from error
    if "family" not in config:  # before families, the preset named the kind of network
        config["family"] = preset.pop("family", "gaussians")
    return {**config, "preset": preset}


def claim(out: Path, family: Family, recipe: Recipe, basis: dict[str, Any]) -> None:
    """Writes the run's configuration, or refuses a folder that holds another run.

    Args:
        basis: what besides family and recipe decides the run: seed, processes, lpips.

    Raises:
        ConfigError: the folder holds another run.
    """
    if not (out / CONFIG).exists():
        config = {"family": family.name, "preset": recipe.model_dump(), **basis}
        _write(out / CONFIG, json.dumps(config, indent=1) + "\n")
        return
    config = describe(out)
    if config["family"] != family.name:
        raise ConfigError(f"{out} holds a run of family '{config['family']}': take another folder or remove it")
    before = {**config, "preset": _essence(family.restore(config["preset"]))}
    now = {"preset": _essence(recipe), **basis}
    if other := [key for key in now if before.get(key) != now[key]]:
        raise ConfigError(f"{out} holds a run of another {' and '.join(other)}: take another folder or remove it")


def _essence(recipe: Recipe) -> dict[str, Any]:
    """A recipe without what it only says of itself."""
    return recipe.model_dump(exclude=set(WORDS))


def _write(path: Path, text: str) -> None:
    with written_aside(path) as aside:
        aside.write_text(text)


def cut_records(path: Path, step: int) -> list[dict[str, float]]:
    """The records up to a step; later ones, from a run that was killed after its checkpoint, are dropped from the file."""
    lines = path.read_text().splitlines() if path.exists() else []
    kept = lines[:step]
    _write(path, "".join(line + "\n" for line in kept))
    return [json.loads(line) for line in kept]


def load(family: Family, run_dir: str | Path, device: torch.device) -> tuple[nn.Module, Any]:
    """The averaged network of a run in evaluation mode, and its recipe.

    Raises:
        ConfigError: the folder holds no trained network, or one of another family.
    """
    folder = Path(run_dir)
    if not (folder / CHECKPOINT).exists() or not (folder / CONFIG).exists():
        raise ConfigError(f"{run_dir} holds no trained model ({CONFIG} and {CHECKPOINT}): train into it first")
    config = describe(folder)
    if config["family"] != family.name:
        raise ConfigError(f"{run_dir} is a run of family '{config['family']}', not of '{family.name}'")
    recipe = family.restore(config["preset"])
    network = family.network(recipe).to(device).eval()
    network.load_state_dict(torch.load(folder / CHECKPOINT, map_location=device, weights_only=True)["average"])
    return network, recipe


def torch_device(name: str) -> torch.device:
    """A torch device; "auto" is CUDA where there is one.

    Raises:
        MissingDependencyError: CUDA is asked for and not here.
        ConfigError: no device has this name.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no torch device '{name}'; take auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingDependencyError(f"device '{name}' is not here: torch {torch.__version__} sees no CUDA device; take cpu")
    return device
