"""Presets: model and training sizes as data. Each says its hardware, its time and what it should reach."""

from typing import Literal

from pydantic import Field

from versemill.config import Config
from versemill.errors import ConfigError


class Preset(Config):
    """One recipe. What is named after a paper setting keeps the paper's value in the preset `paper`."""

    name: str = Field(description="name in `PRESETS`")
    hardware: str = Field(description="what it is meant to run on")
    time: str = Field(description="wall-clock time there, training and evaluation")
    expected: str = Field(description="the metric it should reach, and on what")

    family: Literal["gaussians", "triplane", "monocular"] = Field(
        default="gaussians",
        description="what is predicted: pixel-aligned 3D Gaussians (GS-LRM), a triplane field (NeRF-LRM), or the normals and "
        "depth of each picture by itself",
    )
    size: int = Field(description="image side in pixels that the model sees and renders", ge=16, le=1024)
    patch: int = Field(description="side of a token's patch in pixels; monocular: of a cell of the finest level", ge=2, le=32)
    stride: int = Field(default=1, description="pixels per Gaussian along a side; the paper has one per pixel", ge=1, le=4)
    plane: int = Field(default=32, description="triplane: cells along a plane's side", ge=8, le=512)
    plane_channels: int = Field(default=16, description="triplane: feature channels of a plane", ge=4, le=256)
    samples: int = Field(default=48, description="triplane: points per ray", ge=8, le=512)
    width: int = Field(description="channels of a token; monocular: of the finest level, a multiple of 8", ge=16, le=4096)
    layers: int = Field(description="transformer blocks; monocular: levels of the U-Net", ge=1, le=64)
    heads: int = Field(description="attention heads; monocular has none", ge=1, le=64)

    octaves: int = Field(
        default=4,
        description="frequencies of sines of each ray's position that the model also sees; 0: as in GS-LRM",
        ge=0,
        le=8,
    )

    steps: int = Field(description="optimiser steps", ge=1)
    batch: int = Field(description="objects per step and process", ge=1)
    input_views: int = Field(default=4, description="views the model sees; monocular: one by one", ge=1, le=32)
    target_views: int = Field(
        default=4, description="views the loss looks at, drawn from all; monocular: none of them", ge=1, le=64
    )
    lr: float = Field(default=4e-4, description="peak learning rate of AdamW, after a linear warm-up, then a cosine to 0", gt=0)
    warmup: int = Field(default=100, description="steps of warm-up", ge=0)
    weight_decay: float = Field(default=0.05, description="of matrices; biases and norms have none", ge=0)
    clip: float = Field(default=1.0, description="gradient norm is clipped to this", gt=0)
    ema: float = Field(default=0.999, description="decay of the averaged weights that evaluation uses", ge=0, lt=1)
    perceptual: float = Field(default=0.2, description="weight of the perceptual loss (LRM-Zero 0.2, GS-LRM 0.5)", ge=0)
    mask: float = Field(default=0.2, description="weight of the squared error of coverage", ge=0)
    depth: float = Field(
        default=0.05,
        description="weight of the smooth L1 error of the Gaussians' depth (MegaSynth's geometry loss); monocular: plain L1",
        ge=0,
    )
    normal: float = Field(
        default=0.0,
        description="weight of 1 - cosine between the pass `normal` and the depth map's normals; monocular: and what it says",
        ge=0,
    )
    masked: bool = Field(
        default=True,
        description="the model also sees coverage, and background pixels get no Gaussian; GS-LRM has to infer it from white",
    )
    scale_clip: float = Field(default=-1.6, description="largest log scale of a Gaussian (stability study)", le=0)
    max_angle: float = Field(
        default=180.0,
        description="targets further than this from every input, in degrees, are not drawn (stability study: 40)",
        gt=0,
    )
    divergence: float = Field(
        default=2.0,
        description="training stops when the median gradient norm of 100 steps exceeds this (paper: 2-5 precedes)",
        gt=0,
    )
    augment: bool = Field(default=True, description="turn scenes about Z and permute colour channels, for small datasets")
    amp: Literal["auto", "off", "bfloat16"] = Field(
        default="auto", description="mixed precision of the transformer; auto: bfloat16 where the hardware has it"
    )
    checkpointing: bool = Field(default=False, description="recompute blocks in the backward pass to save memory")
    workers: int = Field(default=0, description="loader processes; 0 holds the scaled dataset in memory", ge=0)
    save_every: int = Field(default=200, description="steps between checkpoints", ge=1)

    @property
    def reads_normals(self) -> bool:
        """Whether training needs the pass `normal`."""
        return self.normal > 0 or self.family == "monocular"


_ALL = (
    Preset(
        name="monocular",
        hardware="2 CPU cores",
        time="2 minutes",
        expected="normals 4.7 degrees better than facing the camera on DetailVerse (37.6), trained on 160 Zeroverse assets",
        family="monocular",
        size=64,
        patch=2,
        width=32,
        layers=3,
        heads=1,
        steps=500,
        batch=16,
        input_views=2,
        target_views=1,
        lr=2e-3,
        warmup=50,
        weight_decay=0.01,
        ema=0.99,
        depth=1.0,
        normal=1.0,
        divergence=5.0,
    ),
    Preset(
        name="micro",
        hardware="2 CPU cores",
        time="3 minutes",
        expected="3.2 dB above the mean image on the quickstart's 31 held-out assets (17.8 dB)",
        size=32,
        patch=4,
        stride=2,
        width=128,
        layers=4,
        heads=4,
        steps=1000,
        batch=4,
        target_views=4,
        lr=1e-3,
        ema=0.99,
    ),
    Preset(
        name="tiny",
        hardware="2 CPU cores",
        time="15 minutes at most",
        expected="4.4 dB above the mean image on 20 held-out assets of its dataset (17.2 dB)",
        size=64,
        patch=8,
        stride=2,
        width=192,
        layers=6,
        heads=6,
        steps=2600,
        batch=4,
        target_views=4,
        lr=1e-3,
        ema=0.995,
    ),
    Preset(
        name="micro-triplane",
        hardware="2 CPU cores",
        time="6 minutes",
        expected="not measured yet; the paper's NeRF-LRM stays 1.5 dB below its Gaussians on GSO",
        family="triplane",
        size=32,
        patch=4,
        plane=24,
        plane_channels=12,
        samples=32,
        width=128,
        layers=4,
        heads=4,
        steps=1000,
        batch=4,
        target_views=2,
        lr=1e-3,
        ema=0.99,
        divergence=5.0,
    ),
    Preset(
        name="small",
        hardware="one GPU of 24 GB",
        time="1 hour",
        expected="not measured yet",
        size=128,
        patch=8,
        width=512,
        layers=12,
        heads=8,
        steps=20_000,
        batch=8,
        ema=0.999,
        warmup=1000,
        amp="bfloat16",
        augment=False,
        workers=8,
        save_every=1000,
    ),
    Preset(
        name="small-triplane",
        hardware="one GPU of 24 GB",
        time="1 hour",
        expected="not measured yet",
        family="triplane",
        size=64,
        patch=8,
        plane=48,
        plane_channels=32,
        samples=96,
        width=512,
        layers=10,
        heads=8,
        steps=20_000,
        batch=8,
        target_views=2,
        ema=0.999,
        warmup=1000,
        amp="bfloat16",
        augment=False,
        workers=8,
        save_every=1000,
        divergence=5.0,
    ),
    Preset(
        name="base",
        hardware="8 GPUs of 80 GB",
        time="1 day",
        expected="not measured yet",
        size=256,
        patch=8,
        width=768,
        layers=12,
        heads=12,
        steps=60_000,
        batch=8,
        warmup=2000,
        amp="bfloat16",
        checkpointing=True,
        augment=False,
        workers=8,
        save_every=2000,
    ),
    Preset(
        name="paper",
        hardware="64 A100",
        time="3 days",
        expected="not measured here; the paper: 30.78 dB on GSO, 8 views at 256",
        size=256,
        patch=8,
        width=1024,
        layers=24,
        heads=16,
        steps=80_000,
        batch=8,
        warmup=2000,
        amp="bfloat16",
        checkpointing=True,
        masked=False,
        octaves=0,
        mask=0.0,
        depth=0.0,
        scale_clip=-1.2,
        augment=False,
        workers=12,
        save_every=2000,
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""Name -> preset, from the smallest to the paper's."""


def get(preset: str | Preset) -> Preset:
    """The named preset; a `Preset` passes through.

    Raises:
        ConfigError: no such preset.
    """
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise ConfigError(f"no preset '{preset}'; there are {', '.join(PRESETS)}")
    return PRESETS[preset]


def no_pictures(preset: Preset) -> ConfigError:
    """The refusal of a preset whose model draws no pictures, where it would be judged by them."""
    return ConfigError(f"preset {preset.name} predicts depth and normals of one picture; `versemill ablate` judges it")
