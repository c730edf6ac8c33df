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
Counts = tuple[Weight, ...]
Share = Annotated[float, Field(ge=0, le=1)]
Side = Literal["right", "left", "back", "front", "ceiling", "floor"]
SIDES: tuple[Side, ...] = get_args(Side)
"""A room's sides: +X, -X, +Y, -Y, +Z, -Z, the order of a cube's surfaces."""


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Name -> the fields it sets; `extends` is resolved and the `source` line left out. See docs/zeroverse.md."""
    raw: dict[str, dict[str, Any]] = yaml.safe_load((files("versemill.zeroverse") / "presets.yaml").read_text())

    def resolve(name: str) -> dict[str, Any]:
        own = dict(raw[name])
        own.pop("source")
        base = own.pop("extends", None)
        return {**(resolve(base) if base else {}), **own}

    return {name: resolve(name) for name in raw}


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"a range goes from low to high, got {value}")
    return value


def _weighed(value: Any) -> Any:
    if sum(value.values() if isinstance(value, dict) else value) <= 0:
        raise ValueError(f"weights must have a positive sum, got {value}")
    return value


class Group(Config):
    """Things of one sort in a room: with probability `chance` there are `count` of them."""

    chance: Share = Field(default=1.0, description="probability that the room has any")
    count: tuple[int, int] = Field(default=(1, 1), description="minimum and maximum; all numbers are equally likely")

    @field_validator("count")
    @classmethod
    def _counted(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= value[0] <= value[1] <= 64:
            raise ValueError(f"a count goes from low to high within 0 to 64, got {value}")
        return value


class Boxes(Group):
    """Boxes that do not overlap, each filled by a composition that is squeezed into it."""

    place: Literal["floor", "ceiling", "wall"] = Field(default="floor", description="what they stand on or hang from")
    size: Interval = Field(default=(2.0, 4.0), description="range of each side")
    primitives: Counts = Field(default=(0, 2, 3, 2, 1), description="relative weight of 1, 2, 3, ... primitives in a box")

    _check_size = field_validator("size")(_rising)
    _check_weights = field_validator("primitives")(_weighed)


class Frames(Boxes):
    """Wireframes that stand on the floor; a share of them holds a composition."""

    thickness: Interval = Field(default=(0.1, 0.3), description="range of a strut's thickness")
    filled: Share = Field(default=0.5, description="share that holds a composition")

    _check_thickness = field_validator("thickness")(_rising)


class Rods(Group):
    """Thin cylinders."""

    length: Interval = Field(default=(2.0, 7.0), description="range of the length")
    radius: Interval = Field(default=(0.05, 0.2), description="range of the radius")

    _check_ranges = field_validator("length", "radius")(_rising)


class Plates(Group):
    """Thin boxes along the axes."""

    size: Interval = Field(default=(2.0, 6.0), description="range of the two long sides")
    thickness: Interval = Field(default=(0.1, 0.3), description="range of the short side")
    glass: Share = Field(default=0.8, description="share made of glass")

    _check_ranges = field_validator("size", "thickness")(_rising)


class Window(Config):
    """A hole in one wall."""

    chance: Share = Field(default=0.8, description="probability that the room has one")
    size: Interval = Field(default=(3.0, 6.0), description="range of its width and height")
    glass: Share = Field(default=0.5, description="share of windows with a pane")
    fence: Share = Field(default=0.5, description="share of windows with bars")
    sun: Share = Field(default=0.6, description="share of windows that the sun shines through (recorded with the lights)")

    _check_size = field_validator("size")(_rising)


class Gloss(Config):
    """Surfaces whose roughness and metallic maps give way to one drawn value each."""

    chance: Share = Field(default=0.5, description="share of rooms that have such surfaces")
    surfaces: Share = Field(default=0.4, description="share of the surfaces in these rooms")
    specular: Share = Field(default=0.2, description="share of these rooms in which such surfaces are mirrors")


class RoomConfig(Config):
    """What a room is drawn from, after MegaSynth (arXiv 2412.14166); lengths in its units, of which a room is 17 to 30 wide.

    The whole is scaled to longest side 2 at the end, as every asset.
    """

    size: Interval = Field(default=(17.0, 30.0), description="range of the room's width and depth")
    height: Interval = Field(default=(10.0, 15.0), description="range of the room's height")
    wall: float = Field(default=0.4, description="thickness of floor, ceiling and walls", gt=0, le=2)
    open: tuple[Side, ...] = Field(
        default=("ceiling", "front"),
        description="sides left out so that cameras outside can see in, with everything fixed to them",
    )
    boxes: dict[str, Boxes] = Field(
        default={
            "large": Boxes(count=(2, 5), size=(4, 8), primitives=(0, 0, 0, 5, 7, 10, 7, 5)),
            "small": Boxes(count=(4, 8), size=(1.5, 3.5)),
            "hanging": Boxes(count=(2, 4), place="ceiling", size=(1.5, 4)),
            "wall": Boxes(count=(3, 6), place="wall", size=(1.5, 4)),
        },
        description="categories of boxes by name",
    )
    frames: Frames = Field(
        default=Frames(chance=0.8, count=(1, 3), size=(2, 5), primitives=(1, 1, 1)), description="wireframes on the floor"
    )
    wall_rods: Rods = Field(default=Rods(count=(5, 16)), description="rods on one wall")
    space_rods: Rods = Field(default=Rods(chance=0.5, count=(2, 6), length=(4, 10)), description="rods in the air")
    plates: Plates = Field(default=Plates(chance=0.7, count=(1, 2)), description="thin boxes in the air")
    window: Window = Field(default=Window(), description="a hole in one wall")
    lamps: Group = Field(default=Group(count=(2, 2)), description="area lights at the ceiling")
    bulbs: Group = Field(default=Group(chance=0.1, count=(1, 3)), description="coloured bulbs in the air")
    gloss: Gloss = Field(default=Gloss(), description="constant roughness and metallic")

    _check_ranges = field_validator("size", "height")(_rising)

    @model_validator(mode="after")
    def _fits(self) -> "RoomConfig":
        if set(self.open) == set(SIDES):
            raise ValueError("a room needs at least one closed side; leave one of them out of `open`")
        if self.size[0] < 4 or self.height[0] < 4:
            raise ValueError(f"a room is at least 4 wide and high, got size {self.size} and height {self.height}")
        return self


class ZeroverseConfig(Config):
    """One distribution of objects: a preset, and any other field that is set overrides it.

    Lengths called "composition units" are those of the paper's composition cube [-1, 1]^3; all others are
    lengths of the normalised object, whose longest side is 2.
    """

    preset: str = Field(default="paper", description="name of a preset in zeroverse/presets.yaml; other fields override it")
    room: RoomConfig | None = Field(
        default=None, description="null: an object; otherwise a room full of objects: walls, boxes, frames, rods, a window"
    )
    composition: Literal["raw", "solid"] = Field(
        default="raw",
        description="raw: closed primitives that interpenetrate, as in the paper; solid: their exact union, watertight",
    )
    primitives: Weights = Field(default=ALL, description="relative weight of each primitive type")
    count_weights: Counts = Field(
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
    min_removed: float = Field(default=0.01, description="smallest share of the volume that a boolean must remove", ge=0, lt=1)
    max_removed: float = Field(default=0.7, description="largest share of the volume that a boolean may remove", gt=0, lt=1)
    attempts: int = Field(default=12, description="maximum number of places drawn for a boolean or wireframe", ge=1, le=64)
    triangles: int = Field(default=10_000, description="triangles of a composition before augmentation", ge=2_000, le=200_000)
    texture_per: Literal["surface", "part", "object"] = Field(
        default="surface",
        description="surface: each surface draws its own texture and colour (paper); part: surfaces of a part share a texture; "
        "object: one texture and colour for all (released code)",
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
        preset = presets()[name]
        merged = {**preset, **data}
        if isinstance(preset.get("room"), dict) and isinstance(data.get("room"), dict):
            merged["room"] = {**preset["room"], **data["room"]}
        return merged

    _check_weights = field_validator("count_weights", "primitives", "cutters", "wires")(_weighed)
    _check_ranges = field_validator("semi_axes", "augment_size", "wire_thickness")(_rising)

    @model_validator(mode="after")
    def _consistent(self) -> "ZeroverseConfig":
        if self.disjoint and self.boolean + self.wireframe > 1 + 1e-9:
            raise ValueError(
                f"disjoint shares exceed 1: boolean {self.boolean} + wireframe {self.wireframe}; "
                "lower one or set disjoint: false"
            )
        if self.min_removed >= self.max_removed:
            raise ValueError(f"min_removed {self.min_removed} must be below max_removed {self.max_removed}")
        if self.room is not None and (self.boolean or self.wireframe):
            raise ValueError("a room has frames instead of augmentations: set boolean and wireframe to 0, or room to null")
        return self
