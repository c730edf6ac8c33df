"""The families of models: the one table that commands, pipelines, ablations, the gate and the doctor read.

A family of your own is named as `package.module:NAME`, or added by an installed package's entry point `versemill.families`.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from versemill.config import Config
from versemill.errors import ConfigError
from versemill.plugins import Table
from versemill.training.family import Family
from versemill.training.recipe import Recipe

FAMILIES = Table(
    "family",
    "families",
    Family,
    {
        "gaussians": "versemill.reconstruction.families:GAUSSIANS",
        "triplane": "versemill.reconstruction.families:TRIPLANE",
        "monocular": "versemill.reconstruction.monocular:MONOCULAR",
        "shape-vae": "versemill.generation.shapes.families:SHAPE_VAE",
        "shape-flow": "versemill.generation.shapes.families:SHAPE_FLOW",
        "normals": "versemill.generation.normals.family:NORMALS",
        "norld": "versemill.generation.shapes.families:NORLD",
        "novel-views": "versemill.generation.views.families:NOVEL_VIEWS",
        "multi-views": "versemill.generation.views.families:MULTI_VIEWS",
        "map-views": "versemill.generation.views.families:MAP_VIEWS",
    },
)


def judging(family: Family, settings: Mapping[str, Any]) -> Config:
    """A family's settings of judgement.

    Raises:
        ConfigError: an unknown setting or an invalid value.
    """
    try:
        return family.judging(**settings)
    except ValidationError as error:
        known = ", ".join(family.judging.model_fields) or "none"
        raise ConfigError(f"judging of family '{family.name}': {_wrong(error)}; its settings: {known}") from error


def recipe(family: Family, preset: str | None, settings: Mapping[str, Any]) -> Recipe:
    """A family's preset, the default for None, with some of its settings changed.

    Raises:
        ConfigError: no such preset, an unknown setting or an invalid value.
    """
    chosen: Recipe = family.preset(preset)
    if not settings:
        return chosen
    try:
        return type(chosen)(**{**chosen.model_dump(), **settings})
    except ValidationError as error:
        raise ConfigError(f"preset {chosen.name} of family '{family.name}': {_wrong(error)}") from error


def _wrong(error: ValidationError) -> str:
    """Every mistake: where, what, and the value."""
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors())


class ValidateConfig(Config):
    """Section `validate` of a pipeline: what the gate trains, on what and how it judges."""

    family: str = Field(default="gaussians", description="family of models, or package.module:NAME")
    preset: str | None = Field(default=None, description="preset of the family that is trained; null: its default")
    train: dict[str, Any] = Field(
        default={}, description="settings of the preset, such as the run of shape-vae that shape-flow generates the latents of"
    )
    seed: int = Field(default=0, description="training seed", ge=0, lt=2**63)
    judging: dict[str, Any] = Field(default={}, description="the family's settings of judgement, such as input views")
    objects: int = Field(default=32, description="held-out assets at most that are judged (val, then test)", ge=1)
    max_drop: float | None = Field(
        default=1.0,
        description="how far the gain, in the unit of the family's metric, may lie below the last that passed; null: any",
        gt=0,
    )
    device: str = Field(default="auto", description="torch device: auto, cpu, cuda, cuda:1")

    @model_validator(mode="before")
    @classmethod
    def _of_version_0_1(cls, values: Any) -> Any:
        """Datasets of version 0.1 hold `views`, and name a family by its preset."""
        if isinstance(values, dict) and "views" in values:
            values = {**values, "judging": {"views": values["views"]}}
            del values["views"]
        return values

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        """Refused here, before anything is milled for a gate that can't judge. The defaults need no look at the table."""
        if self.model_fields_set & {"family", "preset", "train", "judging"}:
            family = FAMILIES.find(self.family)
            recipe(family, self.preset, self.train)
            judging(family, self.judging)
        return self
