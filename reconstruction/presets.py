"""Presets of the models of posed pictures: sizes as data. Each says its hardware, its time and what it should reach."""

from typing import Any

from pydantic import Field

from versemill.shards.backgrounds import Background
from versemill.training.family import Needs
from versemill.training.recipe import Recipe, table


class PosedRecipe(Recipe):
    """What the models of posed pictures share: a transformer over image patches, and a loss on rendered views."""

    size: int = Field(description="image side in pixels that the model sees and renders", ge=16, le=1024)
    patch: int = Field(description="side of a token's patch in pixels", ge=2, le=32)
    width: int = Field(description="channels of a token", ge=16, le=4096)
    layers: int = Field(description="transformer blocks", ge=1, le=64)
    heads: int = Field(description="attention heads", ge=1, le=64)
    octaves: int = Field(
        default=4,
        description="frequencies of sines of each ray's position that the model also sees; 0: as in GS-LRM",
        ge=0,
        le=8,
    )
    masked: bool = Field(
        default=True,
        description="the model also sees coverage, and background pixels get no Gaussian; GS-LRM has to infer it from white",
    )
    input_views: int = Field(default=4, description="views the model sees", ge=1, le=32)
    target_views: int = Field(default=4, description="views the loss looks at, drawn from all", ge=1, le=64)
    perceptual: float = Field(default=0.2, description="weight of the perceptual loss (LRM-Zero 0.2, GS-LRM 0.5)", ge=0)
    mask: float = Field(default=0.2, description="weight of the squared error of coverage", ge=0)
    depth: float = Field(default=0.05, description="weight of the smooth L1 error of depth (MegaSynth's geometry loss)", ge=0)
    normal: float = Field(
        default=0.0, description="weight of 1 - cosine between the pass `normal` and the depth map's normals", ge=0
    )
    max_angle: float = Field(
        default=180.0,
        description="targets further than this from every input, in degrees, are not drawn (stability study: 40)",
        gt=0,
    )
    augment: bool = Field(default=True, description="turn scenes about Z and permute colour channels, for small datasets")
    background: Background | None = Field(
        default=None, description="what is laid behind the input pictures in training; null: white, as in judging"
    )
    checkpointing: bool = Field(default=False, description="recompute blocks in the backward pass to save memory")

    @property
    def reads_normals(self) -> bool:
        """Whether training needs the pass `normal`."""
        return self.normal > 0


class GaussiansRecipe(PosedRecipe):
    """Pixel-aligned 3D Gaussians (GS-LRM)."""

    stride: int = Field(default=1, description="pixels per Gaussian along a side; the paper has one per pixel", ge=1, le=4)
    scale_clip: float = Field(default=-1.6, description="largest log scale of a Gaussian (stability study)", le=0)


class TriplaneRecipe(PosedRecipe):
    """A triplane radiance field (NeRF-LRM)."""

    plane: int = Field(default=32, description="cells along a plane's side", ge=8, le=512)
    plane_channels: int = Field(default=16, description="feature channels of a plane", ge=4, le=256)
    samples: int = Field(default=48, description="points per ray", ge=8, le=512)

    @property
    def stride(self) -> int:
        """Pixels per ray along a side."""
        return 1


def needs(recipe: PosedRecipe) -> Needs:
    """What training and judging ask of a pipeline."""
    passes = ("rgb", "depth", *(("normal",) if recipe.reads_normals else ()))
    return Needs(passes=passes, resolution=recipe.size, views=recipe.input_views + 1)


SHARED_ONCE = {
    "stride", "plane", "plane_channels", "samples", "heads", "octaves", "target_views", "perceptual", "mask", "masked",
    "scale_clip", "max_angle", "checkpointing",
}  # fmt: skip
"""Fields that presets of version 0.1 had in every family, used or not."""


def upgrade(recipe: type[Recipe]) -> Any:
    """(settings of a preset) -> the same without the fields that version 0.1 gave to every family."""
    return lambda settings: {k: v for k, v in settings.items() if k in recipe.model_fields or k not in SHARED_ONCE}


GAUSSIANS = table(
    GaussiansRecipe(
        name="micro",
        hardware="2 CPU cores",
        time="3 minutes",
        expected="2.9 dB above the mean image on the quickstart's 20 held-out assets (16.8 dB)",
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
    GaussiansRecipe(
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
    GaussiansRecipe(
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
    GaussiansRecipe(
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
    GaussiansRecipe(
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

TRIPLANE = table(
    TriplaneRecipe(
        name="micro",
        hardware="2 CPU cores",
        time="6 minutes",
        expected="not measured yet; the paper's NeRF-LRM stays 1.5 dB below its Gaussians on GSO",
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
    TriplaneRecipe(
        name="small",
        hardware="one GPU of 24 GB",
        time="1 hour",
        expected="not measured yet",
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
)
