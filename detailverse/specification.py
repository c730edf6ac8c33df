"""The specification: a structured description from which the asset, its caption and its tags all come.

It is sampled from (config, seed, index), or written by hand (in YAML, say) and validated: every value is checked
against the range that its family or operator declares.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import Field, model_validator
from versemill.detailverse import registry
from versemill.detailverse.config import DetailverseConfig
from versemill.detailverse.palette import MATERIALS
from versemill.detailverse.registry import STYLES, Family, Operator, Slot

from versemill import seeds
from versemill.config import Config
from versemill.materials import procedural


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
        materials: material key -> recipe of `versemill.materials.procedural`.
        variation: key of what is scattered rather than described.
    """

    category: str
    style: str = "ornate"
    proportions: dict[str, Any] = Field(default={})
    parts: dict[str, PartSpec] = Field(default={})
    materials: dict[str, dict[str, Any]] = Field(default={})
    variation: int = Field(default=0, ge=0, lt=2**53)

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
        slots = self.family().parts()
        for name, part in self.parts.items():
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

    known = registry.families()
    shares = {name: config.categories.get(name, 0.0) if config.categories else 1.0 for name in known}
    names = [name for name, share in shares.items() if share > 0]
    weights = np.cumsum([shares[name] for name in names])
    category = names[
        min(int(np.searchsorted(weights, stream("category").random() * weights[-1], side="right")), len(names) - 1)
    ]
    family = known[category]
    styles = family.styles
    style = styles[int(stream("style").integers(len(styles)))]
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
        materials={group: procedural.draw(stream(f"material/{group}"), MATERIALS[group]) for group in groups},
        variation=int(stream("variation").integers(2**53)),
    )


def _ornament(slot: Slot, style: str, config: DetailverseConfig, rng: np.random.Generator) -> tuple[OperatorSpec, ...]:
    """Operators for one part: one to `slot.bands` fields, with borders between and beside them."""
    kinds = registry.operators()
    allowed = [name for name in slot.operators if not config.operators or name in config.operators]
    plain, wanted = rng.random() >= slot.ornament, int(rng.integers(1, slot.bands + 1))
    if plain or not allowed:
        return ()
    borders = [name for name in allowed if kinds[name].role == "border"]
    fields = [name for name in allowed if kinds[name].role != "border" or slot.bands == 1] or borders

    def pick(names: list[str]) -> str:
        weights = np.array([4.0 if name in STYLES[style] else 1.0 for name in names])
        return names[int(rng.choice(len(names), p=weights / weights.sum()))]

    chosen: list[tuple[str, float]] = []
    edged = slot.bands > 1 and bool(borders)
    for k in range(wanted):
        if edged and rng.random() < (0.6 if k == 0 else 0.8):
            chosen.append((pick(borders), float(rng.uniform(0.1, 0.16)) * wanted))
        chosen.append((pick(fields), float(rng.uniform(0.7, 1.5))))
    if edged and rng.random() < 0.6:
        chosen.append((pick(borders), float(rng.uniform(0.1, 0.16)) * wanted))
    total = sum(width for _, width in chosen)
    gap = 0.02 if len(chosen) > 1 else 0.0
    cursor, result = 0.0, []
    for name, width in chosen:
        step = width / total
        params = registry.draw(kinds[name], rng)
        if kinds[name].role == "skin":
            result.append(OperatorSpec(name=name, params=params))
        else:
            band = (round(cursor + gap / 2, 4), round(min(cursor + step - gap / 2, 1.0), 4))
            result.append(OperatorSpec(name=name, band=band, params=params))
        cursor += step
    return tuple(result)
