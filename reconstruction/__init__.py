"""LRM-Zero: posed images to 3D Gaussians, trained on the shards to prove the data.

train(dataset_dir, "micro", out)         writes a checkpoint that resumes exactly
evaluate(out, dataset_dir)               metrics beside their baselines, a picture grid, splats
validate(dataset_dir, ValidateConfig())  the gate: does a model learn something from this dataset?
"""

import importlib
from typing import TYPE_CHECKING, Any

from versemill.reconstruction.config import ValidateConfig
from versemill.reconstruction.presets import PRESETS, Preset

if TYPE_CHECKING:
    from versemill.reconstruction.evaluation import Evaluation, evaluate, evaluate_assets
    from versemill.reconstruction.gate import Verdict, validate
    from versemill.reconstruction.methods import MEAN, MODEL
    from versemill.reconstruction.training import train, try_step

__all__ = [
    "MEAN",
    "MODEL",
    "PRESETS",
    "Evaluation",
    "Preset",
    "ValidateConfig",
    "Verdict",
    "evaluate",
    "evaluate_assets",
    "train",
    "try_step",
    "validate",
]
_HOMES = {
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "evaluate_assets": "evaluation",
    "train": "training",
    "try_step": "training",
    "Verdict": "gate",
    "MODEL": "methods",
    "MEAN": "methods",
    "validate": "gate",
}


def __getattr__(name: str) -> Any:
    """Loads torch only when something is trained or evaluated; configuration and help don't wait for it."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"reconstruction.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'reconstruction' has no attribute '{name}'")
