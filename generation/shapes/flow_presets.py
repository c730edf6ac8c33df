"""Presets of `shape-flow`. Each says its hardware, its time and what it should reach."""

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field as Setting
from pydantic import model_validator

from versemill.errors import ConfigError
from versemill.generation.shapes.vae_presets import TINY, ShapeVaeRecipe, vae_needs
from versemill.training.family import Needs
from versemill.training.recipe import Recipe, table
from versemill.training.runs import describe

if TYPE_CHECKING:
    from versemill.generation.paths import Path


class ShapeFlowRecipe(Recipe):
    """A transformer that generates the latents of a trained `shape-vae`, from a picture or from none."""

    vae: str = Setting(default="", description="run of shape-vae whose latents are generated: --set vae=RUN")
    vae_preset: dict[str, Any] = Setting(default={}, description="that run's preset; read from it")
    tokens: int = Setting(description="latents of a shape", ge=1)
    width: int = Setting(description="channels of a token", ge=16, le=4096)
    heads: int = Setting(description="attention heads", ge=1, le=64)
    pairs: int = Setting(description="N of the 2 N + 1 blocks", ge=1, le=32)
    skips: bool = Setting(default=True, description="long skips from each of the first N blocks to its partner in the last N")
    feed: int = Setting(default=4, description="inner width of a feed-forward layer over its outer one", ge=1, le=16)
    moe_blocks: int = Setting(default=0, description="of the last blocks, how many have a mixture of experts", ge=0)
    experts: int = Setting(
        default=8,
        description="experts of a mixture, of which two and a shared one see a token; 0: a dense layer as wide as those three",
        ge=0,
        le=64,
    )
    balance: float = Setting(default=0.01, description="weight of the load-balancing loss", ge=0)
    dense: str = Setting(default="", description="run of a dense shape-flow that a mixture starts from")
    objective: Literal["flow", "ddpm", "edm"] = Setting(default="flow", description="path between data and noise")
    time_mean: float = Setting(default=0.0, description="flow: mean of the logit of the times, as a share of noise")
    time_deviation: float = Setting(default=1.0, description="flow: deviation of the logit of the times", gt=0)
    order: Literal["none", "noise", "sphere"] = Setting(
        default="none",
        description="which latent a token becomes; none: any, as the paper has it; noise: the one nearest to its noise, by "
        "least squared distance over the set; sphere: the one nearest to its point of a sphere; it learns which token it is",
    )
    shift: float = Setting(default=1.0, description="flow: resolution shift k of the share of noise", gt=0)
    condition: Literal["rgb", "normal", "predicted"] = Setting(
        default="rgb", description="what a view is shown as: its picture, its true normal map, or `estimator`'s"
    )
    estimator: str = Setting(default="", description="predicted: run of family normals")
    encoder: Literal["vit", "dino", "lite0"] = Setting(
        default="vit",
        description="sees the picture: a small ViT trained here, DINOv2 from `encoder_folder`, EfficientNet-Lite0",
    )
    encoder_folder: str = Setting(default="", description="dino: folder of a model that transformers wrote")
    picture: int = Setting(description="side of the picture in pixels", ge=16, le=1024)
    patch: int = Setting(default=8, description="vit: side of a token's patch in pixels", ge=2, le=64)
    encoder_width: int = Setting(default=128, description="vit: channels", ge=16, le=2048)
    encoder_heads: int = Setting(default=4, description="vit: heads", ge=1, le=64)
    encoder_layers: int = Setting(default=4, description="vit: blocks", ge=1, le=64)
    fill: float = Setting(
        default=0.9, description="share of the frame that the object fills (paper 0.9, release 0.83)", gt=0, le=1
    )
    drop: float = Setting(default=0.1, description="share of examples without a picture, for guidance", ge=0, le=1)
    frame: Literal["asset", "camera"] = Setting(
        default="asset",
        description="asset: shapes stand as in the dataset (paper); camera: turned about Z so that the picture is their front",
    )
    aligned: bool = Setting(
        default=False,
        description="every block guesses where its latents will lie and looks there at the picture, in frame camera with an "
        "anchored autoencoder",
    )
    guess: float = Setting(default=0.3, description="aligned: weight of the guesses' squared error", ge=0)
    assets: int | None = Setting(default=None, description="train on so many assets only; null: all", ge=1)

    @model_validator(mode="after")
    def _has_places(self) -> Self:
        if self.order == "sphere" and self.vae and not self.vae_recipe.anchored:
            raise ValueError(
                f"order sphere needs latents that lie somewhere, and {self.vae} has none: take an anchored autoencoder"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _reads_the_vae(cls, values: Any) -> Any:
        """A run says in its own config.json which network its latents are of."""
        if isinstance(values, dict) and values.get("vae") and not values.get("vae_preset"):
            config = describe(values["vae"])
            if config["family"] != "shape-vae":
                raise ConfigError(f"vae: {values['vae']} is a run of family '{config['family']}', not of 'shape-vae'")
            values = {**values, "vae_preset": config["preset"]}
        return values

    @property
    def vae_recipe(self) -> ShapeVaeRecipe:
        """The autoencoder's; that of preset `tiny` where none is named."""
        return ShapeVaeRecipe(**self.vae_preset) if self.vae_preset else TINY

    @property
    def sees_normals(self) -> bool:
        """Whether training reads the true normals of views."""
        return self.condition == "normal"

    @property
    def path(self) -> "Path":
        """The path that `objective` names."""
        from versemill.generation import paths

        match self.objective:
            case "flow":
                return paths.Flow(self.time_mean, self.time_deviation, self.shift)
            case "ddpm":
                return paths.DDPM()
            case "edm":
                return paths.EDM()


FLOW_TINY = ShapeFlowRecipe(
    name="tiny",
    hardware="2 CPU cores",
    time="25 minutes after shape-vae's tiny-latents",
    expected="silhouette IoU .73 on 50 held-out assets (.45 with shuffled pictures, nearest training picture .70)",
    tokens=64,
    width=192,
    heads=6,
    pairs=3,
    order="sphere",
    time_mean=0.5,
    picture=64,
    frame="camera",
    aligned=True,
    steps=5000,
    batch=16,
    optimizer="muon",
    lr=1e-3,
    matrix_lr=0.02,
    warmup=100,
    weight_decay=0.01,
    ema=0.995,
    divergence=20.0,
    save_every=500,
)
FLOW_PRESETS = table(
    FLOW_TINY.model_copy(
        update={
            "name": "micro",
            "time": "4 minutes after shape-vae's micro-latents",
            "expected": "not measured yet; for ablations and the gate",
            "tokens": 32,
            "width": 128,
            "heads": 4,
            "pairs": 2,
            "encoder_layers": 2,
            "steps": 800,
            "save_every": 200,
        }
    ),
    FLOW_TINY,
    ShapeFlowRecipe(
        name="small",
        hardware="one GPU of 24 GB",
        time="1 hour after shape-vae's small",
        expected="not measured yet",
        tokens=256,
        width=512,
        heads=8,
        pairs=6,
        order="sphere",
        time_mean=0.5,
        picture=128,
        encoder_width=384,
        encoder_heads=6,
        encoder_layers=8,
        frame="camera",
        aligned=True,
        steps=40_000,
        batch=64,
        optimizer="muon",
        lr=5e-4,
        warmup=500,
        weight_decay=0.01,
        ema=0.9995,
        divergence=20.0,
        amp="bfloat16",
        workers=8,
        save_every=2000,
    ),
    ShapeFlowRecipe(
        name="paper",
        hardware="160 A100",
        time="3 weeks",
        expected="not measured here; the paper: Normal-FID (Inception) 3.36 with 2M objects and 4,096 tokens",
        tokens=2048,
        width=2048,
        heads=16,
        pairs=10,
        moe_blocks=6,
        shift=2.0,
        encoder="dino",
        picture=224,
        steps=1_000_000,
        batch=10,
        lr=1e-4,
        warmup=2000,
        ema=0.9999,
        divergence=20.0,
        amp="bfloat16",
        workers=12,
        save_every=10_000,
    ),
)


def upgrade(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a preset that an older version wrote: `order` was `coupling`."""
    if "coupling" in settings:
        settings["order"] = {"independent": "none", "assigned": "noise"}[settings.pop("coupling")]
    return settings


def flow_needs(recipe: ShapeFlowRecipe) -> Needs:
    """The autoencoder's field points, and views by TripoSG's cameras."""
    needs = vae_needs(recipe.vae_recipe)
    return Needs(
        passes=("rgb", "normal", "mask"),
        resolution=recipe.picture,
        views=1,
        fields=needs.fields,
        settings={**needs.settings, "render.cameras": {"preset": "triposg", "views": 8}},
    )
