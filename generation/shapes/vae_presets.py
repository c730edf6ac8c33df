"""Presets of `shape-vae`. Each says its hardware, its time and what it should reach."""

from typing import Literal

from pydantic import Field as Setting

from versemill.training.family import Needs
from versemill.training.recipe import Recipe, table


class ShapeVaeRecipe(Recipe):
    """A vector-set autoencoder of signed distances."""

    width: int = Setting(description="channels of a token", ge=16, le=4096)
    heads: int = Setting(description="attention heads", ge=1, le=64)
    channels: int = Setting(description="channels of a latent", ge=1, le=256)
    encoder_layers: int = Setting(description="self-attention blocks after the look at the surface", ge=0, le=64)
    decoder_layers: int = Setting(description="self-attention blocks before the questions", ge=1, le=64)
    octaves: int = Setting(default=8, description="frequencies of a coordinate's sines", ge=0, le=12)
    anchored: bool = Setting(default=False, description="latents hold places, and coordinates look at the near ones first")
    tokens: tuple[int, ...] = Setting(
        description="numbers of latents that training draws from, ascending; the last is judged", min_length=1
    )
    input_points: int = Setting(description="surface points that the encoder sees", ge=64)
    sharp_input: float = Setting(
        default=0.0, description="share of input points, and half of the near ones, from sharp edges (Dora)", ge=0, le=1
    )
    near_queries: int = Setting(description="points near the surface per example", ge=2)
    volume_queries: int = Setting(description="points anywhere in the box per example", ge=2)
    surface_queries: int = Setting(description="points on the surface per example, for the gradient terms", ge=1)
    field: Literal["sdf", "occupancy"] = Setting(default="sdf", description="what is learned: truncated distances, or inside")
    tau: float = Setting(default=0.03, description="truncation width of the distance, world units (longest side 2)", gt=0, le=2)
    normal: float = Setting(default=0.0, description="weight of 1 - cosine of gradient and normal on the surface", ge=0)
    eikonal: float = Setting(default=0.0, description="weight of (|tau gradient| - 1)^2 on the surface", ge=0)
    ramp: tuple[float, float] = Setting(
        default=(0.0, 0.0),
        description="shares of the training at which the two gradient terms begin and have their whole weight (paper: at once)",
    )
    kl: float = Setting(default=1e-6, description="weight of the KL divergence, mean over tokens and channels", ge=0)
    latent_noise: float = Setting(
        default=0.0,
        description="half of the examples are decoded with noise of up to so many of the latents' deviations, and the decoder "
        "is shown how much: a generator's latents are never exact",
        ge=0,
        le=2,
    )
    augment: bool = Setting(default=True, description="turn shapes about Z and mirror them")
    assets: int | None = Setting(default=None, description="train on so many assets only; null: all", ge=1)


TINY = ShapeVaeRecipe(
    name="tiny",
    hardware="2 CPU cores",
    time="20 minutes",
    expected="IoU .82 on 50 held-out assets (nearest training shape .46, best ellipsoid .52)",
    width=128,
    heads=4,
    channels=16,
    encoder_layers=2,
    decoder_layers=3,
    anchored=True,
    tokens=(64, 128),
    input_points=2048,
    near_queries=512,
    volume_queries=256,
    surface_queries=128,
    normal=0.3,
    eikonal=0.03,
    steps=5000,
    batch=4,
    optimizer="muon",
    lr=1e-3,
    matrix_lr=0.02,
    warmup=50,
    weight_decay=0.01,
    ema=0.99,
    divergence=100.0,
    save_every=500,
)
MICRO = TINY.model_copy(
    update={
        "name": "micro",
        "time": "4 minutes",
        "expected": "not measured yet; for ablations and the gate",
        "width": 96,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "tokens": (32,),
        "near_queries": 384,
        "volume_queries": 192,
        "surface_queries": 96,
        "normal": 1.0,
        "ramp": (0.4, 0.8),
        "steps": 1000,
        "save_every": 250,
    }
)
LATENTS = {"kl": 1e-4, "latent_noise": 0.3}
"""What makes latents that a generator can draw: the decoder tolerates noise, and is less sharp."""
VAE_PRESETS = table(
    MICRO,
    MICRO.model_copy(
        update={
            "name": "micro-latents",
            "expected": "IoU .57 on 32 held-out assets, and latents for shape-flow's micro",
            **LATENTS,
        }
    ),
    TINY.model_copy(
        update={
            "name": "overfit",
            "time": "3 minutes",
            "expected": "F-score at 0.02 above 0.95 on the one asset that it sees",
            "tokens": (64,),
            "augment": False,
            "assets": 1,
            "steps": 400,
            "batch": 2,
        }
    ),
    TINY,
    TINY.model_copy(
        update={
            "name": "tiny-latents",
            "time": "20 minutes",
            "expected": "IoU .73 on 50 held-out assets, and latents that shape-flow's tiny learns",
            "tokens": (32, 64),
            **LATENTS,
        }
    ),
    ShapeVaeRecipe(
        name="small",
        hardware="one GPU of 24 GB",
        time="1 hour",
        expected="not measured yet",
        width=384,
        heads=6,
        channels=32,
        encoder_layers=6,
        decoder_layers=10,
        anchored=True,
        tokens=(128, 256),
        input_points=8192,
        near_queries=4096,
        volume_queries=2048,
        surface_queries=1024,
        normal=0.3,
        eikonal=0.03,
        kl=LATENTS["kl"],
        latent_noise=LATENTS["latent_noise"],
        steps=40_000,
        batch=16,
        optimizer="muon",
        lr=1e-3,
        warmup=500,
        weight_decay=0.01,
        ema=0.999,
        divergence=100.0,
        amp="bfloat16",
        workers=8,
        save_every=2000,
    ),
    ShapeVaeRecipe(
        name="paper",
        hardware="32 A100",
        time="12 days",
        expected="not measured here; the paper: Chamfer 4.51, F-score at 0.02 .999, normal consistency .958",
        width=1024,
        heads=8,
        channels=64,
        encoder_layers=8,
        decoder_layers=16,
        tokens=(512, 2048),
        input_points=20_480,
        near_queries=8192,
        volume_queries=8192,
        surface_queries=8192,
        normal=10.0,
        eikonal=0.1,
        kl=1e-3,
        augment=False,
        steps=2_500_000,
        batch=6,
        lr=5e-5,
        warmup=2000,
        ema=0.9999,
        divergence=20.0,
        amp="bfloat16",
        workers=12,
        save_every=10_000,
    ),
)


def vae_needs(recipe: ShapeVaeRecipe) -> Needs:
    """Field points, no views. A dataset that is made for a preset has many times as many as one example draws."""
    least = {
        "surface_points": recipe.input_points,
        "near_points": recipe.near_queries,
        "volume_points": recipe.volume_queries,
    }
    if recipe.sharp_input:
        least |= {"sharp_points": 512, "sharp_near_points": 512}
    plenty = {"surface_points": 8, "near_points": 16, "volume_points": 16}
    ample = {f"fields.{name}": factor * least[name] for name, factor in plenty.items()}
    sharp = {"fields.sharp_points": 4096, "fields.sharp_near_points": 4096}
    return Needs(fields=least, settings={**ample, **sharp})
