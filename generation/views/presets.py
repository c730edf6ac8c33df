"""Presets of the novel-view models. Each says its hardware, its time and what it should reach."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field as Setting
from pydantic import model_validator

from versemill.errors import ConfigError
from versemill.training.family import Needs
from versemill.training.recipe import Recipe, table

if TYPE_CHECKING:
    from versemill.generation.paths import DDPM


class ViewsRecipe(Recipe):
    """Diffusion of a view, given another view and the pose between them."""

    size: int = Setting(description="side of the views in pixels", ge=8, le=1024)
    network: Literal["transformer", "unet"] = Setting(
        default="transformer",
        description="transformer: tokens of both views with rays; unet: Zero-1-to-3's, from diffusers (extra `generation`)",
    )
    prediction: Literal["noise", "v", "data"] = Setting(default="data", description="what the network is asked for")
    width: int = Setting(description="transformer: channels of a token; unet: of the finest level", ge=16, le=4096)
    heads: int = Setting(description="attention heads", ge=1, le=64)
    layers: int = Setting(description="transformer: blocks; unet: residual blocks of a level", ge=1, le=64)
    patch: int = Setting(default=4, description="transformer: side of a token's patch in pixels", ge=1, le=32)
    levels: tuple[int, ...] = Setting(default=(1, 2, 4, 4), description="unet: widths of the levels over `width`", min_length=2)
    attended: int = Setting(default=3, description="unet: of the levels, how many, the coarsest, attend", ge=1)
    context: int = Setting(default=768, description="unet: channels of the token of picture and pose", ge=16)
    shown: Literal["view", "map"] = Setting(
        default="view", description="what is given: another view, or a part map of the view itself (map-views)"
    )
    vae: str = Setting(
        default="", description="unet: folder of an AutoencoderKL, as diffusers saves it, in whose latents views are drawn"
    )
    vae_config: dict[str, Any] = Setting(default={}, description="its config.json; read from it")
    targets: int = Setting(default=1, description="target views of a source view in an example", ge=1, le=64)
    together: bool = Setting(
        default=False, description="transformer: all targets of a source are drawn at once and see each other (multi-views)"
    )
    warm: int = Setting(default=0, description="first steps, in which targets are regressed at the highest noise", ge=0)
    regress: float = Setting(default=0.0, description="share of targets that are regressed after that", ge=0, le=1)
    high_noise: float = Setting(
        default=1.0, description="times are u^(1 / this) of uniform u: above 1, high noise is drawn more often", ge=1, le=16
    )
    drop: float = Setting(
        default=0.05, description="share of examples without picture, without pose, without both", ge=0, le=0.3
    )
    identity: float = Setting(default=0.05, description="share of targets that are the source itself", ge=0, le=1)
    permute: bool = Setting(default=False, description="permute colour channels, for small datasets")
    assets: int | None = Setting(default=None, description="train on so many assets only; null: all", ge=1)

    @model_validator(mode="before")
    @classmethod
    def _reads_the_vae(cls, values: Any) -> Any:
        """A run keeps what it needs to know of the autoencoder, so that the folder is read once."""
        if isinstance(values, dict) and values.get("vae") and not values.get("vae_config"):
            from versemill.generation.views.latents import read_config

            values = {**values, "vae_config": read_config(Path(values["vae"]))}
        return values

    @model_validator(mode="after")
    def _fits(self) -> "ViewsRecipe":
        cell = self.patch if self.network == "transformer" else self.factor * 2 ** (len(self.levels) - 1)
        if self.size % cell:
            raise ConfigError(f"size {self.size} is not a multiple of {cell}, which the network divides it by")
        if self.together and self.network == "unet":
            raise ConfigError("together: the U-Net draws each view alone; take network: transformer")
        if self.shown == "map" and (self.targets > 1 or self.together):
            raise ConfigError("shown: a map is of one view: take targets: 1, and together: false")
        if self.vae and self.network == "transformer":
            raise ConfigError("vae: the transformer's tokens are pixels with their rays; take network: unet")
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not a multiple of {self.heads} heads")
        return self

    @property
    def factor(self) -> int:
        """Pixels along a side of what is drawn, per cell: 1, or the autoencoder's."""
        return 2 ** (len(self.vae_config["block_out_channels"]) - 1) if self.vae_config else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of what is drawn: a picture, or its latents."""
        side = self.size // self.factor
        return (int(self.vae_config["latent_channels"]) if self.vae_config else 3, side, side)

    @property
    def path(self) -> "DDPM":
        """Between data and noise; a time of 1 stands for step 1,000 of the papers."""
        from versemill.generation.paths import DDPM

        return DDPM(prediction=self.prediction)


TINY = ViewsRecipe(
    name="tiny",
    hardware="2 CPU cores",
    time="40 minutes",
    expected="not measured at its full budget; see docs/views.md",
    size=32,
    width=192,
    heads=6,
    layers=6,
    targets=3,
    warm=4200,
    regress=0.25,
    high_noise=2.0,
    permute=True,
    steps=6000,
    batch=12,
    optimizer="muon",
    lr=1e-3,
    matrix_lr=0.02,
    warmup=100,
    weight_decay=0.01,
    ema=0.995,
    divergence=50.0,
    save_every=200,
)
PRESETS = table(
    TINY.model_copy(
        update={
            "name": "micro",
            "time": "2 minutes",
            "expected": "not measured; for tests and the gate",
            "size": 16,
            "width": 64,
            "heads": 4,
            "layers": 2,
            "warm": 200,
            "steps": 400,
            "warmup": 20,
            "save_every": 100,
        }
    ),
    TINY.model_copy(
        update={
            "name": "overfit",
            "time": "5 minutes",
            "expected": "30 dB on the four objects that it sees, and 10 dB less where another pose is asked for",
            "permute": False,
            "assets": 4,
            "drop": 0.0,
            "warm": 700,
            "steps": 1200,
            "batch": 4,
            "ema": 0.98,
        }
    ),
    TINY,
    TINY.model_copy(update={"name": "night", "time": "2 hours", "warm": 15_000, "steps": 22_000, "ema": 0.999}),
    ViewsRecipe(
        name="small",
        hardware="one GPU of 24 GB",
        time="1 day",
        expected="not measured yet",
        size=64,
        network="unet",
        prediction="v",
        width=128,
        heads=8,
        layers=2,
        levels=(1, 2, 3, 4),
        warm=5000,
        high_noise=1.5,
        targets=1,
        steps=200_000,
        batch=96,
        lr=1e-4,
        warmup=1000,
        weight_decay=0.01,
        ema=0.9999,
        divergence=50.0,
        amp="bfloat16",
        workers=8,
        save_every=2000,
    ),
    ViewsRecipe(
        name="paper",
        hardware="64 A100 of 80 GB",
        time="4 days",
        expected="not measured here; Zero-1-to-3 starts from Stable Diffusion, on its latents: PSNR 17.3 on hard GSO",
        size=256,
        network="unet",
        prediction="noise",
        width=320,
        heads=8,
        layers=2,
        levels=(1, 2, 4, 4),
        steps=105_000,
        batch=24,
        lr=1e-4,
        warmup=1000,
        weight_decay=0.01,
        ema=0.9999,
        divergence=50.0,
        amp="bfloat16",
        workers=12,
        save_every=5000,
    ),
)


MULTI_PRESETS = table(
    *(
        PRESETS[name].model_copy(update={"together": True, "targets": 4, "batch": batch, "expected": "not measured yet"})
        for name, batch in (("micro", 8), ("tiny", 8), ("night", 8))
    )
)


MAP_PRESETS = table(
    *(
        PRESETS[name].model_copy(
            update={
                "shown": "map", "targets": 1, "identity": 0.0, "expected": "not measured yet", "time": time, "batch": batch,
                "steps": steps, "warm": warm, "high_noise": 1.0,
            }
        )
        for name, time, batch, steps, warm in (("micro", "2 minutes", 12, 400, 50), ("tiny", "20 minutes", 24, 5000, 300))
    )
)  # fmt: skip


def needs(recipe: ViewsRecipe) -> Needs:
    """Views alone, or with part maps; by Zero-1-to-3's cameras where a dataset is made for its network, else by those of the
    pipeline."""
    settings: dict[str, Any] = {}
    if recipe.network == "unet":
        settings["render.cameras"] = {"preset": "zero123", "views": 12}
    if recipe.shown == "map":
        settings["render.passes"] = ["rgb", "normal", "depth", "mask", "part"]
    passes = ("rgb", "part") if recipe.shown == "map" else ("rgb",)
    return Needs(passes=passes, resolution=recipe.size, views=1 + recipe.targets, settings=settings)
