"""Settings of a renderer: engine, image size, cameras, lights, passes, quality."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from versemill.config import Config
from versemill.render.presets import CAMERAS, LIGHTINGS
from versemill.views import PASSES


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"a range is (low, high), got {pair}")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]


def _known(name: str, known: Iterable[str], what: str) -> str:
    if name not in known:
        raise ValueError(f"unknown {what} '{name}'; known: {', '.join(known)}")
    return name


class CameraConfig(Config):
    """Where cameras stand. A preset holds every value; a field that is not None overrides it.

    Angles are in degrees; azimuth 0 is +X, counter-clockwise seen from above; elevation 90 is +Z. Distances are in the
    preset's own units, for an object whose longest side is the preset's `object_size`; they are scaled to ours (2).
    """

    preset: str = Field(default="sphere", description=f"one of {', '.join(CAMERAS)}")
    views: int | None = Field(default=None, gt=0, le=4096, description="number of views")
    fov: Range | None = Field(default=None, description="horizontal field of view, drawn per view")
    radius: Range | None = Field(default=None, description="distance to the origin, drawn per view; only with framing 'preset'")
    elevation: Range | None = Field(default=None, description="allowed elevations")
    azimuth: Range | None = Field(default=None, description="allowed azimuths")
    roll: float | None = Field(default=None, ge=0, le=180, description="roll is drawn in [-roll, roll]")
    orthographic: bool | None = Field(default=None, description="parallel rays")
    framing: Literal["preset", "sphere", "tight"] | None = Field(
        default=None,
        description="'preset' keeps the preset's distance and tags what is cut; 'sphere' chooses the one at which the "
        "bounding sphere fits; 'tight' the one at which, per view, the object's own points fit",
    )
    fill: float = Field(default=0.95, gt=0.05, le=1, description="share of the image that 'sphere' and 'tight' may use")
    clipped: Literal["tag", "reject"] = Field(default="tag", description="what to do with an asset that leaves an image")

    @model_validator(mode="after")
    def _check(self) -> Self:
        preset = CAMERAS[_known(self.preset, CAMERAS, "camera preset")]
        if self.radius is not None:
            if self.radius[0] <= 0:
                raise ValueError(f"radius must be positive, got {self.radius}")
            if (self.framing or preset.framing) != "preset":
                raise ValueError("radius is used only with framing 'preset'; set framing: preset or drop radius")
        if self.fov is not None and not 0 < self.fov[0] <= self.fov[1] < 180:
            raise ValueError(f"fov must lie in (0, 180) degrees, got {self.fov}")
        if self.elevation is not None and not -90 <= self.elevation[0] <= self.elevation[1] <= 90:
            raise ValueError(f"elevation must lie in [-90, 90] degrees, got {self.elevation}")
        return self


class LightingConfig(Config):
    """The light, drawn per asset from a random stream of its own."""

    preset: str = Field(default="studio", description=f"one of {', '.join(LIGHTINGS)}, or 'mixed' for a draw among them")
    strength: float = Field(default=1.0, gt=0, le=100, description="multiplies all light")
    count: int = Field(
        default=1, gt=0, le=64, description="lightings per asset, for relighting: every camera is used once in each"
    )
    folder: str | None = Field(
        default=None,
        description="folder of .hdr or .exr panoramas, for preset 'hdri'; if None, the eight that ship with Blender",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        _known(self.preset, (*LIGHTINGS, "mixed"), "lighting preset")
        if self.count > 1 and self.preset == "white":
            raise ValueError(f"lighting preset 'white' never varies, so {self.count} lightings would all be the same")
        if self.folder is not None and self.preset != "hdri":
            raise ValueError(f"lighting.folder is for preset 'hdri', not for '{self.preset}'")
        return self


class ExposureConfig(Config):
    """When a view counts as over- or underexposed, and what becomes of its asset; see `render.exposure` for white and black."""

    overexposed: float = Field(default=0.4, ge=0, le=1, description="largest share of what a view shows that may be white")
    underexposed: float = Field(default=0.4, ge=0, le=1, description="largest share of what a view shows that may be black")
    action: Literal["tag", "reject"] = Field(default="tag", description="what to do with an asset that has such a view")


class CyclesConfig(Config):
    """The Cycles engine, which runs in an interpreter of its own."""

    python: str = Field(
        default=".venv-blender/bin/python", description="Python interpreter that has bpy; `make blender` creates the default"
    )
    compute: Literal["cpu", "cuda", "optix", "hip"] = Field(
        default="cpu", description="Cycles' own device; never switched silently"
    )
    bounces: int = Field(default=1, ge=0, le=32, description="indirect bounces")
    timeout: float = Field(default=600.0, gt=0, description="seconds one asset may take before its process is killed")
    restart_after: int = Field(default=100, gt=0, description="assets after which the process is replaced")


class RenderConfig(Config):
    """Everything about the images of an asset."""

    engine: Literal["warp", "cycles"] = Field(default="warp", description="'warp' runs on CPU and CUDA; 'cycles' is Blender's")
    device: str = Field(default="auto", description="'auto', 'cpu', 'cuda' or 'cuda:N' for the Warp engine")
    width: int = Field(default=128, gt=0, le=8192, description="pixels")
    height: int = Field(default=128, gt=0, le=8192, description="pixels")
    cameras: CameraConfig = CameraConfig()
    lighting: LightingConfig = LightingConfig()
    exposure: ExposureConfig = ExposureConfig()
    passes: tuple[str, ...] = Field(
        default=("rgb", "normal", "depth", "mask"), min_length=1, description=f"of {', '.join(PASSES)}"
    )
    quality: Literal["fast", "fine"] = Field(
        default="fast", description="'fast': shadows and occluded environment light; 'fine': path traced, one indirect bounce"
    )
    samples: int | None = Field(
        default=None,
        gt=0,
        le=65536,
        description="samples per pixel of RGB: 4 for fast, where up to 4 a smooth surface gets one; 6 for fine, which from 16 "
        "on stops at half where they agree",
    )
    denoise: bool = Field(default=True, description="smooth the noise of the colour pass, guided by the geometry")
    cycles: CyclesConfig = CyclesConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in self.passes:
            _known(name, PASSES, "pass")
            for need in PASSES[name].needs:
                if need not in PASSES or PASSES[need].derived:
                    raise ValueError(f"pass '{name}' is computed from '{need}', which is not a pass that an engine fills")
        if len(set(self.passes)) != len(self.passes):
            raise ValueError(f"each pass may be named only once, got {self.passes}")
        return self

    @property
    def spp(self) -> int:
        """Samples per pixel of the RGB pass."""
        return self.samples or {"fast": 4, "fine": 6}[self.quality]
