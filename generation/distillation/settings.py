"""Settings of distillation. Defaults are SDI's paper (Lukoianov et al. 2024, arXiv 2405.15891); its released code differs in
places, and each of these is a setting."""

from typing import Literal

from pydantic import Field as Setting
from pydantic import model_validator

from versemill.config import Config
from versemill.errors import ConfigError

MethodName = Literal["sdi", "sds", "ism", "fixed", "fixed-point", "vsd"]


class Inversion(Config):
    """DDIM inversion, from which SDI takes its noise."""

    guidance: float | None = Setting(default=None, description="guidance of inversion; null: minus that of denoising")
    steps: int = Setting(default=10, description="n: the grid's times are multiples of 1 / n", ge=1, le=1000)
    tau: float = Setting(
        default=1 / 30, description="inversion goes up to t + u, u uniform in [0, this] (released code: 0.1)", ge=0, le=1
    )
    first: float = Setting(
        default=1e-3,
        description="time at which a clean picture is taken to be; later for networks that predict data, whose noise is their "
        "error over sigma",
        gt=0,
        lt=0.2,
    )
    extra_step: bool = Setting(
        default=False,
        description="one more step at the grid's start, which makes the number of calls that of the released code",
    )
    mislabelled: bool = Setting(
        default=False, description="the inverted picture of time t + u is denoised as one of time t, as the released code does"
    )
    entropy: float = Setting(default=0.3, description="deviation of noise added against mode seeking", ge=0)
    entropy_every_step: bool = Setting(
        default=False, description="that noise is added in each inversion step by DDIM's variance, as the released code does"
    )


class Scoring(Config):
    """How a picture is judged by a 2D model."""

    method: MethodName = Setting(default="sdi", description="where the noise comes from")
    guidance: float = Setting(default=7.5, description="gamma: classifier-free guidance of denoising")
    plus_one: bool = Setting(
        default=False, description="guidance as c + s (c - u), which is gamma = s + 1, in the plain branch of the released code"
    )
    highest: float = Setting(default=1.0, description="first time (the code's readme: 0.98)", gt=0, le=1)
    lowest: float = Setting(default=0.2, description="last time (the code's settings: 0.25)", gt=0, le=1)
    annealed: bool = Setting(default=True, description="times fall evenly from highest to lowest; else they are drawn between")
    inversion: Inversion = Inversion()
    rounds: int = Setting(default=10, description="fixed-point: iterations of equation 8", ge=1, le=1000)

    @property
    def denoising(self) -> float:
        """Guidance of denoising."""
        return self.guidance + self.plus_one

    @property
    def inverting(self) -> float:
        """Guidance of inversion."""
        given = self.inversion.guidance
        return (-self.guidance if given is None else given) + self.plus_one


class Cameras(Config):
    """Cameras around the object; they must be such as the 2D model knows. Defaults: those of the pipeline `views`."""

    distance: float = Setting(default=3.0, description="from the origin; an asset's longest side is 2", gt=1.5, le=20)
    fov: float = Setting(default=49.13434, description="field of view in degrees", gt=5, lt=120)
    picture_elevation: float = Setting(default=25.0, description="degrees above the horizon of the picture", ge=-89, le=89)
    elevation: tuple[float, float] = Setting(default=(25.0, 25.0), description="degrees above the horizon, least and most")

    @model_validator(mode="after")
    def _rises(self) -> "Cameras":
        low, high = self.elevation
        if not -89 <= low <= high <= 89:
            raise ConfigError(f"elevation {low} to {high}: name the lower one first, both between -89 and 89 degrees")
        return self


class Distillation(Config):
    """A 2D model turned into a 3D asset."""

    scoring: Scoring = Scoring()
    cameras: Cameras = Cameras()
    iterations: int = Setting(default=10_000, description="steps of Adam", ge=1)
    views: int = Setting(default=1, description="cameras of an iteration", ge=1, le=64)
    field: Literal["gaussians", "voxels"] = Setting(default="voxels", description="what is optimised")
    gaussians: int = Setting(default=4000, description="how many", ge=10, le=1_000_000)
    resolution: int = Setting(default=64, description="side of the grid of voxels", ge=8, le=256)
    samples: int = Setting(default=96, description="samples along a ray through the grid", ge=8, le=1024)
    start_radius: float = Setting(default=0.5, description="of the ball that everything starts from", gt=0, le=1)
    rate: float = Setting(default=0.01, description="Adam's learning rate, multiplied for some parameters", gt=0)
    score: float = Setting(default=1.0, description="weight of the 2D model's judgement", ge=0)
    reference: float = Setting(default=2.0, description="weight of squared error to the picture, from its camera", ge=0)
    mask: float = Setting(default=1.0, description="weight of squared error to the picture's silhouette", ge=0)
    sparsity: float = Setting(default=0.01, description="weight of the mean opacity of a view", ge=0)
    opaque: float = Setting(default=0.01, description="weight of 4 a (1 - a) of a view's opacity a", ge=0)
    mesh_resolution: int = Setting(default=96, description="side of the grid that the mesh is taken from", ge=16, le=512)
    save_every: int = Setting(default=100, description="iterations between checkpoints and previews", ge=1)


PRESETS: dict[str, Distillation] = {
    "tiny": Distillation(
        scoring=Scoring(guidance=3.0, highest=0.98, inversion=Inversion(first=0.1)),
        iterations=300, views=2, field="gaussians", gaussians=1500, resolution=40, samples=48, rate=0.02,
    ),
    "paper": Distillation(cameras=Cameras(elevation=(-10.0, 45.0))),
}  # fmt: skip
"""`tiny`: a 2D model of 32 x 32 pixels on two cores. `paper`: SDI's iterations, times, guidance and elevations."""
