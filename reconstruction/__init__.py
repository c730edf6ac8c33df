"""LRM-Zero: posed images to 3D Gaussians, trained on the shards to prove the data.

train(dataset_dir, "micro", out)         writes a checkpoint that resumes exactly
evaluate(out, dataset_dir)               metrics beside their baselines, a picture grid, splats
validate(dataset_dir, ValidateConfig())  the gate: does a model learn something from this dataset?
"""

from reconstruction.config import ValidateConfig
from reconstruction.evaluate import Evaluation, evaluate, evaluate_assets
from reconstruction.presets import PRESETS, Preset
from reconstruction.train import train, try_step
from reconstruction.validate import Verdict, validate

__all__ = [
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
