"""What a Zeroverse object is drawn from: `ZeroverseConfig`, and the named presets of presets.yaml."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, field_validator, model_validator

from versemill.config import Config

Kind = Literal["cube", "sphere", "cylinder", "cone", "torus"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Weight = Annotated[float, Field(ge=0)]
Weights = dict[Kind, Weight]
Interval = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
ALL: Weights = dict.fromkeys(KINDS, 1.0)


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Name -> the fields it sets; `extends` is resolved and the `source` line left out. See docs/zeroverse.md."""
    raw: dict[str, dict[str, Any]] = yaml.safe_load((files("zeroverse") / "presets.yaml").read_text())

    def resolve(name: str) -> dict[str, Any]:
        own = dict(raw[name])
        own.pop("source")
        base = own.pop("extends", None)
        return {**(resolve(base) if base else {}), **own}

    return {name: resolve(name) for name in raw}


class ZeroverseConfig(Config):
    """One distribution of objects: a preset, and whatever is set beside it overrides the preset.

    Lengths called "composition units" are those of the paper's composition cube [-1, 1]^3; all others are
    lengths of the normalised object, whose longest side is 2.
    """

    preset: str = Field(default="paper", description="name of a preset in zeroverse/presets.yaml; other fields override it")
    composition: Literal["raw", "solid"] = Field(
        default="raw",
        description="raw: closed primitives that interpenetrate, as in the paper; solid: their exact union, watertight",
    )
    primitives: Weights = Field(default=ALL, description="relative weight of each primitive type")
    count_weights: tuple[Weight, ...] = Field(
        default=(5, 5, 5, 5, 5, 4, 3, 2, 1),
        description="relative weight of 1, 2, 3, ... primitives",
        min_length=1,
        max_length=32,
    )
    semi_axes: Interval = Field(
        default=(0.25, 2.0), description="range of each of a primitive's three semi-axes, composition units"
    )
    placement: Literal["cube", "sequential"] = Field(
        default="cube",
        description="cube: centres uniform in [-1, 1]^3, uniform rotations (paper); sequential: Euler angles in [0, 180) "
        "degrees and octant offsets, the grown shape moved before each addition (released code)",
    )
    height_field: float = Field(default=0.5, description="probability that a surface is displaced (never a torus)", ge=0, le=1)
    height_amplitude: float = Field(
        default=0.4, description="largest displacement, as a share of the primitive's smallest semi-axis", gt=0, le=1.5
    )
    boolean: float = Field(default=0.4, description="share of objects with a boolean difference", ge=0, le=1)
    wireframe: float = Field(default=0.2, description="share of objects with a wireframe primitive", ge=0, le=1)
    disjoint: bool = Field(
        default=True, description="an object gets a boolean or a wireframe or neither; False: drawn independently"
    )
    cutters: Weights = Field(
        default={"cube": 1, "sphere": 1, "cylinder": 1, "cone": 1}, description="relative weight of each boolean cutter type"
    )
    wires: Weights = Field(default=ALL, description="relative weight of each wireframe type")
    augment_size: Interval = Field(default=(0.3, 0.6), description="range of the cutter's or wireframe's half size")
    wire_thickness: Interval = Field(default=(0.01, 0.03), description="range of a strut's thickness")
    min_removed: float = Field(default=0.01, description="least share of the volume that a boolean must remove", ge=0, lt=1)
    max_removed: float = Field(default=0.7, description="largest share of the volume that a boolean may remove", gt=0, lt=1)
    attempts: int = Field(default=12, description="how often a boolean's or wireframe's place may be drawn", ge=1, le=64)
    triangles: int = Field(default=10_000, description="triangles of a composition before augmentation", ge=2_000, le=200_000)
    texture_per: Literal["surface", "object"] = Field(
        default="surface",
        description="surface: each surface draws its own material (paper); object: one for all (released code)",
    )
    textures: Literal["procedural", "none"] | Path = Field(
        default="procedural", description="procedural; none: plain colours; or the path of a folder of PBR texture sets"
    )
    licences: tuple[str, ...] | None = Field(
        default=None, description="of a texture folder, only sets whose licence starts with one of these; null: all sets"
    )
    families: tuple[str, ...] | None = Field(default=None, description="procedural families to draw from; null: all of them")
    pool: int = Field(
        default=128,
        description="procedural textures of a dataset, shared by its objects, tinted per surface; 0: a fresh one per surface",
        ge=0,
        le=100_000,
    )
    tint: float = Field(
        default=0.5, description="strength of the random colour that multiplies each surface's texture", ge=0, le=1
    )
    texture_size: int = Field(default=512, description="texture side in texels", ge=16, le=4096)
    tile: float = Field(
        default=1.0, description="length that one repeat of a texture covers: the same on every surface", gt=0, le=10
    )

    @model_validator(mode="before")
    @classmethod
    def _merge_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        name = data.get("preset", "paper")
        if name not in presets():
            raise ValueError(f"there is no Zeroverse preset '{name}'; choose one of {', '.join(presets())}")
        return {**presets()[name], **data}

    @field_validator("count_weights", "primitives", "cutters", "wires")
    @classmethod
    def _some_weight(cls, value: Any) -> Any:
        if sum(value.values() if isinstance(value, dict) else value) <= 0:
            raise ValueError(f"weights must have a positive sum, got {value}")
        return value

    @field_validator("semi_axes", "augment_size", "wire_thickness")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError(f"a range goes from low to high, got {value}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "ZeroverseConfig":
        if self.disjoint and self.boolean + self.wireframe > 1 + 1e-9:
            raise ValueError(
                f"disjoint shares exceed 1: boolean {self.boolean} + wireframe {self.wireframe}; "
                "lower one or set disjoint: false"
            )
        if self.min_removed >= self.max_removed:
            raise ValueError(f"min_removed {self.min_removed} must be below max_removed {self.max_removed}")
        return self
