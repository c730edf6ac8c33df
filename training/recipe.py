"""Recipes: what every preset of every model says. A family's own preset extends `Recipe` with the fields of its network."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field

from versemill.config import Config
from versemill.errors import ConfigError

if TYPE_CHECKING:
    import torch

WORDS = ("name", "hardware", "time", "expected")
"""What a recipe only says of itself: it changes nothing in a run."""


class Recipe(Config):
    """How a network is trained. A field that is named after a paper's setting keeps the paper's value in the preset `paper`."""

    name: str = Field(description="name in the family's table of presets")
    hardware: str = Field(description="what it is meant to run on")
    time: str = Field(description="wall-clock time there, training and evaluation")
    expected: str = Field(description="the metric it should reach, and on what")

    steps: int = Field(description="optimiser steps", ge=1)
    batch: int = Field(description="examples per step and process", ge=1)
    optimizer: Literal["adamw", "muon"] = Field(
        default="adamw", description="muon: the network's hidden matrices are updated by Muon, everything else by AdamW"
    )
    lr: float = Field(default=4e-4, description="peak learning rate of AdamW, after a linear warm-up, then a cosine to 0", gt=0)
    matrix_lr: float = Field(default=0.02, description="muon: peak learning rate of the hidden matrices", gt=0)
    warmup: int = Field(default=100, description="steps of warm-up", ge=0)
    weight_decay: float = Field(default=0.05, description="of matrices; biases and norms have none", ge=0)
    clip: float = Field(default=1.0, description="gradient norm is clipped to this", gt=0)
    ema: float = Field(default=0.999, description="decay of the averaged weights that evaluation uses", ge=0, lt=1)
    divergence: float = Field(
        default=2.0,
        description="training stops when the median gradient norm of 100 steps exceeds this (LRM-Zero: 2-5 precedes)",
        gt=0,
    )
    amp: Literal["auto", "off", "bfloat16"] = Field(
        default="auto", description="mixed precision; auto: bfloat16 where the hardware has it"
    )
    workers: int = Field(default=0, description="loader processes; 0 holds the scaled dataset in memory", ge=0)
    save_every: int = Field(default=200, description="steps between checkpoints", ge=1)


R = TypeVar("R", bound=Recipe)


def table(*recipes: R) -> dict[str, R]:
    """Name -> recipe, in this order: from the smallest to the paper's."""
    return {recipe.name: recipe for recipe in recipes}


def get(presets: Mapping[str, R], preset: str | R) -> R:
    """The named preset; a recipe passes through.

    Raises:
        ConfigError: no such preset.
    """
    if isinstance(preset, Recipe):
        return preset
    if preset not in presets:
        raise ConfigError(f"no preset '{preset}'; the presets are: {', '.join(presets)}")
    return presets[preset]


def schedule(recipe: Recipe, step: int) -> float:
    """Learning rate of a step, counted from 0: linear warm-up, then a cosine to 0."""
    if step < recipe.warmup:
        return recipe.lr * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))


def mixed_precision(recipe: Recipe, device: "torch.device") -> bool:
    """Whether a network runs in bfloat16: as the recipe says, or, if it leaves it open, where the hardware has it."""
    import torch  # a table of presets needs none of it

    if recipe.amp != "auto":
        return recipe.amp == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
