"""The specification: a structured description from which the asset, its caption and its tags all come.

It is sampled from (config, seed, index), or written by hand (in YAML, say) and validated: every value is checked
against the range that its family or operator declares.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from versemill import seeds
from versemill.config import Config
from versemill.detailverse import registry, substances
from versemill.detailverse.config import DetailverseConfig
from versemill.detailverse.registry import STYLES, Family, Operator, Slot


class OperatorSpec(Config):
    """One detail operator on one part: a band of the part, as fractions of its length, and the parameters."""

    name: str
    band: tuple[float, float] = (0.0, 1.0)
    params: dict[str, Any] = Field(default={})

    def operator(self) -> Operator:
        """The operator itself, with defaults for what is not given."""
        return registry.operators()[self.name](**self.params)

    @model_validator(mode="after")
    def _valid(self) -> "OperatorSpec":
        if self.name not in registry.operators():
            raise ValueError(f"unknown operator '{self.name}'; known: {', '.join(registry.operators())}")
        low, high = self.band
        if not 0 <= low < high <= 1:
            raise ValueError(f"band of '{self.name}' must be ascending within [0, 1], got {self.band}")
        self.operator()
        return self


class PartSpec(Config):
    """One part: the key of its material, and its operators from bottom to top; bands may not overlap."""

    material: str
    operators: tuple[OperatorSpec, ...] = ()

    @model_validator(mode="after")
    def _disjoint(self) -> "PartSpec":
        bands = [o.band for o in self.operators if o.operator().role != "skin"]
        for before, after in pairwise(bands):
            if after[0] < before[1] - 1e-9:
                raise ValueError(f"bands of one part must ascend without overlap, got {before} then {after}")
        return self


class Specification(Config):
    """One asset, described.

    Attributes:
        category: name of the family. style: one of `STYLES`; it chose operators and colours the caption.
        proportions: values of the family's own fields; what is missing takes its default.
        parts: part name -> material key and operators. Parts that are missing are plain.
        materials: material key -> recipe of `versemill.materials.procedural`, or {material: a substance, shade: a colour}.
        variation: key of what is scattered rather than described.
    """

    category: str
    style: str = "ornate"
    proportions: dict[str, Any] = Field(default={})
    parts: dict[str, PartSpec] = Field(default={})
    materials: dict[str, dict[str, Any]] = Field(default={})
    variation: int = Field(default=0, ge=0, lt=2**53)

    def recipe(self, key: str) -> dict[str, Any]:
        """The complete recipe of a material."""
        known = self.materials[key]
        if "family" in known:
            return known
        rng = seeds.stream(self.variation, 0, f"detailverse/material/{key}")
        return substances.recipe(rng, str(known.get("material", "")), str(known.get("shade", "")))

    def family(self) -> Family:
        """The family with this specification's proportions."""
        return registry.families()[self.category](**self.proportions)

    @model_validator(mode="after")
    def _valid(self) -> "Specification":
        known = registry.families()
        if self.category not in known:
            raise ValueError(f"unknown category '{self.category}'; known: {', '.join(known)}")
        if self.style not in STYLES:
            raise ValueError(f"unknown style '{self.style}'; known: {', '.join(STYLES)}")
        for key in self.materials:
            self.recipe(key)
        family = self.family()
        slots = family.parts()
        for name, part in self.parts.items():
            if name not in slots and name in family.renamed:
                raise ValueError(f"part '{name}' of a {self.category} is now called '{family.renamed[name]}'")
            if name not in slots:
                raise ValueError(f"this {self.category} has no part '{name}'; it has {', '.join(slots)}")
            if part.material not in self.materials:
                raise ValueError(f"part '{name}' asks for material '{part.material}', which is not among the materials")
        return self


def sample_spec(config: DetailverseConfig, seed: int, index: int) -> Specification:
    """Draws the specification of an asset. Each choice has a stream of its own.

    A surface that none of the config's operators suits stays plain.
    """

    def stream(purpose: str) -> np.random.Generator:
        return seeds.stream(seed, index, f"detailverse/{purpose}")

    shares = config.shares
    category = list(shares)[int(seeds.choose(list(shares.values()), stream("category").random()))]
    family = registry.families()[category]
    styles = family.styles
    style = styles[int(stream("style").integers(len(styles)))]
    wild = bool(stream("wild").random() < config.wild)
    proportions = registry.draw(family, stream("proportions"))
    slots = {name: family.slots[name] for name in family(**proportions).parts()}
    groups = sorted({slot.materials for slot in slots.values()})
    return Specification(
        category=category,
        style=style,
        proportions=proportions,
        parts={
            name: PartSpec(material=slot.materials, operators=_ornament(slot, style, config, stream(f"ornament/{name}")))
            for name, slot in slots.items()
        },
        materials={group: substances.draw(stream(f"material/{group}"), group, style, wild) for group in groups},
        variation=int(stream("variation").integers(2**53)),
    )


def _ornament(slot: Slot, style: str, config: DetailverseConfig, rng: np.random.Generator) -> tuple[OperatorSpec, ...]:
    """Operators for one part: one to `slot.bands` fields, with borders next to them and plain stretches between."""
    kinds = registry.operators()
    allowed = [name for name in slot.operators if not config.operators or name in config.operators]
    plain, field_count = rng.random() >= slot.ornament * config.ornament, int(rng.integers(1, slot.bands + 1))
    if plain or not allowed:
        return ()
    borders = [name for name in allowed if kinds[name].role == "border"]
    fields = [name for name in allowed if kinds[name].role != "border" or slot.bands == 1] or borders

    def pick(names: list[str]) -> str:
        weights = np.array([4.0 if name in STYLES[style] else 1.0 for name in names])
        return names[int(rng.choice(len(names), p=weights / weights.sum()))]

    if slot.bands == 1:
        name = pick(fields)
        return (OperatorSpec(name=name, params=registry.draw(kinds[name], rng)),)
    chosen: list[tuple[str, float]] = []
    for _ in range(field_count):
        if borders and rng.random() < 0.7:
            chosen.append((pick(borders), float(rng.uniform(0.07, 0.11))))
        chosen.append((pick(fields), float(rng.uniform(0.18, 0.34)) / field_count**0.5))
    if borders and rng.random() < 0.5:
        chosen.append((pick(borders), float(rng.uniform(0.07, 0.11))))
    covered = sum(width for _, width in chosen)
    shrink = min(1.0, 0.7 / covered)
    spaces = rng.uniform(0.3, 1.0, len(chosen) + 1)
    spaces *= (1 - covered * shrink) / spaces.sum()
    cursor, result = 0.0, []
    for (name, width), space in zip(chosen, spaces[:-1], strict=True):
        cursor += float(space)
        params = registry.draw(kinds[name], rng)
        if kinds[name].role == "skin":
            result.append(OperatorSpec(name=name, params=params))
        else:
            result.append(
                OperatorSpec(name=name, band=(round(cursor, 4), round(min(cursor + width * shrink, 1.0), 4)), params=params)
            )
        cursor += width * shrink
    return tuple(result)
