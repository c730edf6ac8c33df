"""The one place where families and operators are registered, and the two base classes that they extend.

A family or an operator is a pydantic model: its fields are its proportions, each with the range it may take.
The ranges are the grammar: sampling, validation of hand-written specifications and the property tests all
read them. Adding one is one class with one decorator, in any module of `families/` or `operators/`.
"""

import functools
import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray
from pydantic import Field

from versemill.config import Config
from versemill.detailverse.solids import Builder, Solid
from versemill.detailverse.surfaces import Patch

Floats = NDArray[np.float64]

STYLES: dict[str, tuple[str, ...]] = {
    "classical": ("fluting", "greek_key", "dentils", "beads", "rope", "guilloche", "egg_and_dart", "hammering"),
    "industrial": ("panels", "rivets", "knurling", "hex_grid", "ribs", "grooves"),
    "rustic": ("bricks", "hammering", "basket_weave", "cracks", "rope", "erosion", "planks"),
    "organic": ("scales", "voronoi", "reaction_diffusion", "ridges", "erosion", "cracks"),
    "ornate": ("beads", "scales", "guilloche", "quilting", "glyphs", "rope", "basket_weave", "greek_key", "arcade", "studs"),
    "alien": ("reaction_diffusion", "hex_grid", "voronoi", "glyphs", "panels", "ridges", "studs"),
    "plain": (),
}
"""Style -> the operators that it prefers, where its family allows them too; "plain" is what has no period."""


class Operator(Config):
    """A detail operator: a height over a patch of cells, in world units along the surface normal.

    Every operator has a `pitch` (width of a cell) and a `depth`. The sampling positions inside a cell are its own,
    so that its steps fall exactly between two samples and stay crisp with few faces.
    """

    phrase: ClassVar[str]
    """What a caption calls it."""
    role: ClassVar[Literal["field", "border", "skin"]] = "field"
    """"field" fills a band, "border" runs round in one row of cells, "skin" is a function of space that needs no cells."""
    aspect: ClassVar[float] = 1.0
    """Height of a cell over its width."""

    decorates: ClassVar[bool] = True
    """Whether it adorns, rather than serves, as the tread of a tyre does."""

    pitch: float
    depth: float

    def height(self, patch: Patch) -> Floats:
        """Heights (N,) of the patch's N points, within about [-depth, depth]."""
        raise NotImplementedError

    def columns(self) -> Floats:
        """Sampling positions across one cell: increasing, in [0, 1)."""
        return np.arange(n := 6) / n

    def rows(self) -> Floats:
        """Sampling positions along one cell: increasing, in [0, 1)."""
        return self.columns()


@dataclass(frozen=True)
class Slot:
    """A part of a family: which operators may decorate it and of what it may be made.

    Attributes:
        operators: names that may be drawn; empty for a plain part.
        materials: name of the group of substances (see `substances`) that it is made of, or of one substance.
        ornament: probability that it is decorated, relative to the config's share.
        bands: most bands that a decorated surface is divided into.
    """

    operators: tuple[str, ...] = ()
    materials: str = "stone"
    ornament: float = 1.0
    bands: int = 1


class Family(Config):
    """A family: its fields are its proportions, `slots` its parts, `build` its geometry."""

    slots: ClassVar[dict[str, Slot]]
    styles: ClassVar[tuple[str, ...]] = tuple(name for name in STYLES if name != "plain")
    title: ClassVar[str]
    """What people call the family."""
    labels: ClassVar[dict[str, str]] = {}
    """Part -> what captions call it, where that is another word."""
    renamed: ClassVar[dict[str, str]] = {}
    """Part, or member, of older specifications -> its name today."""
    grain: ClassVar[Literal["x", "y", "z"]] = "z"
    """The axis along which members may be longer or shorter: one that leaves round what has to be round."""

    stretch: float = Field(default=1.0, ge=0.86, le=1.18, description="length along the family's grain over the usual")

    def parts(self) -> tuple[str, ...]:
        """The slots that this member has; all of them unless a family says otherwise."""
        return tuple(self.slots)

    def name(self) -> str:
        """What a caption calls this member in a word or two: 'amphora'."""
        return str(getattr(self, "kind", None) or getattr(self, "shape", ""))

    def label(self, part: str) -> str:
        """What captions call a part."""
        return self.labels.get(part, part.replace("_", " "))

    def noun(self) -> str:
        """What a caption calls this member; "{}" stands for its material: 'tall {} amphora with two handles'."""
        return self.name()

    def build(self, builder: Builder) -> list[Solid]:
        """The solids; they overlap where they are joined. Z is up, the front faces -Y, the size is about 2.

        Unless a family says otherwise, a method named after the member makes them: `_battle_axe` makes a 'battle axe'.
        """
        solids: list[Solid] = getattr(self, "_" + re.sub("[ -]", "_", str(getattr(self, "kind", ""))))(builder)
        return solids


_FAMILIES: dict[str, type[Family]] = {}
_OPERATORS: dict[str, type[Operator]] = {}
F = TypeVar("F", bound=Family)
O = TypeVar("O", bound=Operator)  # noqa: E741


def family(name: str) -> Callable[[type[F]], type[F]]:
    """Registers a family."""
    return functools.partial(_register, _FAMILIES, name)


def operator(name: str) -> Callable[[type[O]], type[O]]:
    """Registers an operator."""
    return functools.partial(_register, _OPERATORS, name)


def _register(table: dict[str, Any], name: str, kind: Any) -> Any:
    if name in table:
        raise ValueError(f"'{name}' is registered twice, as {table[name].__name__} and {kind.__name__}")
    table[name] = kind
    return kind


@functools.cache
def families() -> dict[str, type[Family]]:
    """All families by name, sorted."""
    _import_all("versemill.detailverse.families")
    return dict(sorted(_FAMILIES.items()))


@functools.cache
def operators() -> dict[str, type[Operator]]:
    """All operators by name, sorted."""
    _import_all("versemill.detailverse.operators")
    return dict(sorted(_OPERATORS.items()))


def _import_all(package: str) -> None:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")


def bounds(model: type[Config], name: str) -> tuple[float, float]:
    """The range of a numeric field.

    Raises:
        TypeError: the field has no range, so that nothing can be drawn for it.
    """
    low = [m.ge for m in model.model_fields[name].metadata if isinstance(m, Ge)]
    high = [m.le for m in model.model_fields[name].metadata if isinstance(m, Le)]
    if not low or not high:
        raise TypeError(f"{model.__name__}.{name} needs Field(ge=..., le=...)")
    return float(low[0]), float(high[0])  # type: ignore[arg-type]


def draw(model: type[Config], rng: np.random.Generator) -> dict[str, Any]:
    """A value for every field of a model, uniform over its range or choices; numbers have four decimals."""
    drawn: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        kind = info.annotation
        if get_origin(kind) is Literal:
            choices = get_args(kind)
            drawn[name] = choices[int(rng.integers(len(choices)))]
        elif kind is bool:
            drawn[name] = bool(rng.integers(2))
        elif kind is int:
            low, high = bounds(model, name)
            drawn[name] = int(rng.integers(int(low), int(high) + 1))
        else:
            low, high = bounds(model, name)
            drawn[name] = round(float(rng.uniform(low, high)), 4)
    return drawn
