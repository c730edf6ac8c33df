"""Presets of `normals`. Each says its hardware, its time and what it should reach."""

from typing import Literal, Self

from pydantic import Field as Setting
from pydantic import model_validator

from versemill.shards.backgrounds import Background
from versemill.training.family import Needs
from versemill.training.recipe import Recipe, table


class NormalsRecipe(Recipe):
    """A regressor of normals with one or two streams."""

    view: int = Setting(default=256, description="side in pixels of the views that it is trained and judged on", ge=16, le=2048)
    crop: int = Setting(default=128, description="side in pixels of the training crops", ge=16, le=2048)
    patch: int = Setting(default=2, description="side in pixels of a cell of the finest level", ge=1, le=16)
    widths: tuple[int, ...] = Setting(
        description="channels of each level of an encoder, finest first, multiples of 8", min_length=2, max_length=6
    )
    decoder: tuple[int, ...] = Setting(
        description="channels of each level of the decoder, finest first, a level less than `widths`",
        min_length=1,
        max_length=5,
    )
    encoder: Literal["plain", "lite0"] = Setting(
        default="plain", description="clean stream: convolutions from scratch, or EfficientNet-Lite0 with ImageNet weights"
    )
    dino: str = Setting(
        default="", description="folder of a DINOv2 written by transformers; its features join the clean stream"
    )
    streams: Literal[1, 2] = Setting(default=2, description="2: a clean and a noise-injected stream; 1: the clean one alone")
    sigma: float = Setting(
        default=0.5,
        description="share of noise, sqrt(1 - alpha), in the noisy stream's picture; with one stream, in its picture",
        ge=0,
        lt=1,
    )
    cosine: float = Setting(default=1.0, description="weight of 1 - cosine", ge=0)
    l2: float = Setting(default=1.0, description="weight of the squared distance of the raw answer to the unit normal", ge=0)
    clean: float = Setting(default=0.3, description="share of steps on clean labels of `clean_source`", ge=0, le=1)
    clean_source: str = Setting(default="detailverse", description="source of the assets with clean labels; '': all")
    staged: bool = Setting(
        default=True,
        description="domain-specific training: clean labels come last, with the clean stream frozen; else they are mixed in",
    )
    augment: bool = Setting(default=True, description="mirror pictures and permute colour channels")
    background: Background | None = Setting(
        default=None, description="what is laid behind photograph-like pictures in training; null: clouds"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.crop > self.view:
            raise ValueError(f"crop {self.crop} must not exceed view {self.view}")
        if len(self.decoder) != len(self.widths) - 1:
            raise ValueError(f"decoder needs {len(self.widths) - 1} levels, one less than widths; it has {len(self.decoder)}")
        if any(width % 8 for width in (*self.widths, *self.decoder)):
            raise ValueError(f"widths {self.widths} and decoder {self.decoder} must be multiples of 8")
        if self.crop % self.stride or self.view % self.stride:
            raise ValueError(f"crop {self.crop} and view {self.view} must be multiples of the coarsest cell, {self.stride}")
        if self.encoder == "lite0" and (self.patch != 2 or len(self.widths) > 5):
            raise ValueError("encoder lite0 needs patch 2 and at most 5 levels")
        return self

    @property
    def stride(self) -> int:
        """Side in pixels of a cell of the coarsest level."""
        return self.patch * 2 ** (len(self.widths) - 1)

    @property
    def clean_from(self) -> int:
        """The first step of the second stage; `steps` where there is no second stage."""
        return self.steps - round(self.clean * self.steps) if self.staged else self.steps


def needs(recipe: NormalsRecipe) -> Needs:
    """Views with normals at the preset's size."""
    return Needs(passes=("rgb", "normal"), resolution=recipe.view, views=1)


TINY = NormalsRecipe(
    name="tiny",
    hardware="2 CPU cores",
    time="15 minutes",
    expected="not measured yet",
    widths=(32, 48, 64, 96),
    decoder=(32, 48, 64),
    steps=1500,
    batch=16,
    optimizer="muon",
    lr=1e-3,
    matrix_lr=0.02,
    warmup=50,
    weight_decay=0.01,
    ema=0.99,
    divergence=20.0,
    save_every=250,
)
PRESETS = table(
    TINY.model_copy(
        update={
            "name": "micro",
            "time": "1 minute",
            "expected": "not measured yet",
            "view": 64,
            "crop": 48,
            "widths": (16, 24, 32),
            "decoder": (16, 24),
            "steps": 200,
            "batch": 8,
            "save_every": 100,
        }
    ),
    TINY.model_copy(
        update={
            "name": "mini",
            "time": "4 minutes",
            "expected": "not measured yet; for ablations",
            "view": 128,
            "crop": 64,
            "steps": 1500,
            "save_every": 500,
        }
    ),
    TINY,
    TINY.model_copy(
        update={
            "name": "tiny-lite0",
            "expected": "not measured yet; needs versemill[lite0]",
            "encoder": "lite0",
            "widths": (32, 48, 64, 96, 128),
            "decoder": (32, 48, 64, 96),
            "steps": 1200,
            "lr": 5e-4,
        }
    ),
    TINY.model_copy(
        update={
            "name": "small",
            "hardware": "one GPU of 24 GB",
            "time": "4 hours",
            "expected": "not measured yet",
            "view": 512,
            "crop": 256,
            "widths": (64, 128, 192, 256, 384),
            "decoder": (64, 128, 192, 256),
            "steps": 60_000,
            "warmup": 500,
            "ema": 0.999,
            "amp": "bfloat16",
            "workers": 8,
            "save_every": 2000,
        }
    ),
    TINY.model_copy(
        update={
            "name": "paper",
            "hardware": "8 A100",
            "time": "3 days",
            "expected": "not measured here; the paper's, which starts from Stable Diffusion: NE 21.8, SNE 26.6 on LUCES-MV",
            "view": 768,
            "crop": 768,
            "widths": (128, 256, 384, 512, 768),
            "decoder": (128, 256, 384, 512),
            "steps": 400_000,
            "batch": 8,
            "warmup": 2000,
            "ema": 0.9995,
            "amp": "bfloat16",
            "workers": 8,
            "save_every": 5000,
        }
    ),
)
