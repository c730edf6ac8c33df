"""A training run's folder: config.json says what it is, checkpoint.pt what it has learned, metrics.jsonl how it went."""

import json
from pathlib import Path
from typing import Any

import torch
from versemill.reconstruction.model import LRM
from versemill.reconstruction.monocular import Monocular
from versemill.reconstruction.presets import Preset, no_pictures
from versemill.reconstruction.triplane import TriplaneLRM

from versemill.errors import ConfigError, MissingDependencyError

CHECKPOINT, METRICS, CONFIG = "checkpoint.pt", "metrics.jsonl", "config.json"
Model = LRM | TriplaneLRM
"""A model of posed pictures: it draws what it predicts."""
Network = Model | Monocular
"""Whatever a preset describes and `training` trains."""
MODELS: dict[str, type[Network]] = {"gaussians": LRM, "triplane": TriplaneLRM, "monocular": Monocular}
"""A preset's `family` -> its network."""
WORDS = {"hardware", "time", "expected"}
"""What a preset only says of itself: it changes nothing in a run."""


def build(preset: Preset) -> Network:
    """The network of a preset, its weights drawn from torch's global generator."""
    return MODELS[preset.family](preset)


def fresh(preset: Preset, seed: int) -> Network:
    """An untrained network on the CPU: the weights are a function of preset and seed; no global generator moves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(preset)


def claim(out: Path, wanted: dict[str, Any]) -> None:
    """Writes the run's configuration, or refuses a folder that holds another run.

    Raises:
        ConfigError: it does.
    """
    path = out / CONFIG
    if path.exists():
        found, needed = _essence(json.loads(path.read_text())), _essence(wanted)
        if other := [key for key in needed if found.get(key) != needed[key]]:
            raise ConfigError(f"{out} holds a run of another {' and '.join(other)}: take another folder or remove it")
        return
    _put(path, json.dumps(wanted, indent=1) + "\n")


def _essence(basis: dict[str, Any]) -> dict[str, Any]:
    """A run's configuration without what its preset only says of itself."""
    return {**basis, "preset": {key: value for key, value in basis.get("preset", {}).items() if key not in WORDS}}


def _put(path: Path, text: str) -> None:
    """Writes aside and renames, so that a kill never leaves half a file."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.replace(path)


def cut_metrics(path: Path, step: int) -> list[dict[str, float]]:
    """The records up to a step; later ones, from a run that was killed after its checkpoint, are dropped from the file."""
    lines = path.read_text().splitlines() if path.exists() else []
    kept = lines[:step]
    _put(path, "".join(line + "\n" for line in kept))
    return [json.loads(line) for line in kept]


def load(run_dir: Path, device: torch.device) -> Network:
    """The averaged network of a run, ready to predict.

    Raises:
        ConfigError: the folder holds no trained model.
    """
    if not (run_dir / CHECKPOINT).exists() or not (run_dir / CONFIG).exists():
        raise ConfigError(f"{run_dir} holds no trained model ({CONFIG} and {CHECKPOINT}): train into it first")
    preset = Preset(**json.loads((run_dir / CONFIG).read_text())["preset"])
    network = build(preset).to(device).eval()
    network.load_state_dict(torch.load(run_dir / CHECKPOINT, map_location=device, weights_only=True)["average"])
    return network


def load_model(run_dir: Path, device: torch.device) -> tuple[Model, Preset]:
    """`load` for what judges pictures: the model and its preset.

    Raises:
        ConfigError: the folder holds no trained model, or one that draws no pictures.
    """
    model = drawing(load(run_dir, device))
    return model, model.preset


def drawing(network: Network) -> Model:
    """The network, known to draw pictures.

    Raises:
        ConfigError: it draws none.
    """
    if isinstance(network, Monocular):
        raise no_pictures(network.preset)
    return network


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
