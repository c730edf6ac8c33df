"""Filters: each looks at one property and answers keep or drop with its reason, value and threshold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from versemill.asset import Asset
from versemill.curation.config import FilterConfig
from versemill.plugins import Table

Features = dict[str, float]


@dataclass(frozen=True)
class Verdict:
    """One filter's answer.

    Attributes:
        reason: the filter's name, and the rejection's reason where `keep` is False.
        value, threshold: the numbers compared. message: one sentence, for people.
    """

    reason: str
    keep: bool
    value: float
    threshold: float
    message: str


def _at_least(reason: str, what: str, value: float, limit: float | None) -> Verdict | None:
    if limit is None:
        return None
    return Verdict(reason, value >= limit, value, limit, f"{what} is {value:.4g}; at least {limit:.4g} is asked for")


def _at_most(reason: str, what: str, value: float, limit: float | None) -> Verdict | None:
    if limit is None:
        return None
    return Verdict(reason, value <= limit, value, limit, f"{what} is {value:.4g}; at most {limit:.4g} is allowed")


def too_few_faces(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """A handful of triangles encloses nothing."""
    return _at_least("degenerate", "the number of triangles", len(asset.faces), limits.min_faces)


def flat(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """All in one plane."""
    return _at_least("degenerate", "the thinnest extent over the longest", features["thickness"], limits.min_thickness)


def broken(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """Nothing to see from four sides: collapsed, or an animation's rest pose gone wrong."""
    return _at_least("broken", "the mean silhouette", features["silhouette"], limits.min_silhouette)


def planar_base(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """The object stands on a large ground plane."""
    return _at_most("planar_base", "the lowest plane's share of the area", features["planar_base"], limits.max_planar_base)


def multi_object(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """Several things side by side: the silhouette falls apart."""
    return _at_least(
        "multi_object", "the largest region's share of the silhouette", features["main_object"], limits.min_main_object
    )


def scattered(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """A scene strewn over its convex hull."""
    return _at_least("multi_object", "the silhouette's solidity", features["solidity"], limits.min_solidity)


def single_surface(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """Mostly sheets without an inside."""
    return _at_most("single_surface", "the area share seen from both sides", features["both_sides"], limits.max_single_surface)


def thin_structure(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """Mostly walls so thin that a distance field flips its sign within a fraction of a voxel."""
    return _at_most("thin_structure", "the area share of thin walls", features["thin"], limits.max_thin)


def low_detail(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """Nothing on it that a detail model could learn from."""
    return _at_least("low_detail", "the entropy of the seen normals in bits", features["view_entropy"], limits.min_detail)


def transparent(asset: Asset, features: Features, limits: FilterConfig) -> Verdict | None:
    """Renders as next to nothing."""
    return _at_most("transparent", "the invisible share of the material", features["invisible"], limits.max_transparent)


OwnFilter = Callable[[Asset, Features, float], Verdict]
"""(asset, features, limit) -> verdict."""

FILTERS: tuple[Callable[[Asset, Features, FilterConfig], Verdict | None], ...] = (
    too_few_faces,
    flat,
    broken,
    planar_base,
    multi_object,
    scattered,
    single_surface,
    thin_structure,
    low_detail,
    transparent,
)
"""Asked in this order; the first that says drop gives the rejection's reason. Those of other packages come after them."""

OWN_FILTERS = Table("filter", "filters", cast(type[OwnFilter], Callable), {})
"""Filters of installed packages (`versemill.plugins`): `FilterConfig.own` names those that are asked, with their limits."""


def judge(asset: Asset, features: Features, limits: FilterConfig) -> list[Verdict]:
    """Every filter that is switched on, with its verdict."""
    answers = [ask(asset, features, limits) for ask in FILTERS]
    answers += [OWN_FILTERS.find(name)(asset, features, limit) for name, limit in limits.own.items()]
    return [verdict for verdict in answers if verdict is not None]
