"""Parts of a pipeline's generators: the entries of its mix, each whole, or split by what its source can tell apart.

The parts of an entry, drawn by their shares, make the same mix as the entry itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from versemill.detailverse.config import DetailverseConfig
from versemill.zeroverse.config import ZeroverseConfig

if TYPE_CHECKING:
    from versemill.mill.pipeline.config import Pipeline

Split = Mapping[str, tuple[float, Any]]
"""Label -> share within the entry, and the settings of that part."""


@dataclass(frozen=True)
class Part:
    """One part of the mix.

    Attributes:
        name: "ENTRY", or "ENTRY: LABEL". entry: of the pipeline's sources. share: of all assets, all shares sum to 1.
        source, config: what makes its assets.
    """

    name: str
    entry: str
    share: float
    source: str
    config: Any


def whole(pipeline: "Pipeline") -> tuple[Part, ...]:
    """A part per entry."""
    total = sum(entry.share for entry in pipeline.sources.values())
    return tuple(Part(name, name, e.share / total, e.source, e.config) for name, e in pipeline.sources.items())


def split(pipeline: "Pipeline") -> tuple[Part, ...]:
    """The parts of all entries whose source can be split, in the order of the entries; the others stay whole."""
    from versemill.mill.pipeline.sources import SOURCES

    parts: list[Part] = []
    for each in whole(pipeline):
        divide = SOURCES.find(each.source).parts
        pieces = divide(each.config) if divide else {}
        if len(pieces) < 2:
            parts.append(each)
        for label, (share, config) in pieces.items() if len(pieces) > 1 else ():
            parts.append(Part(f"{each.name}: {label}", each.entry, each.share * share, each.source, config))
    return tuple(parts)


def zeroverse(config: ZeroverseConfig) -> Split:
    """By augmentation, and by complexity: fewer and more primitives, about half of the objects each. A room is one part."""
    if config.room is not None:
        return {}
    pieces: dict[str, tuple[float, ZeroverseConfig]] = {}
    for word, share, settings in _augmentations(config):
        for count, weight, weights in _counts(config.count_weights):
            if share * weight > 0:
                label = ", ".join(text for text in (word, count) if text)
                pieces[label] = (share * weight, config.model_copy(update={**settings, "count_weights": weights}))
    return pieces


def _augmentations(config: ZeroverseConfig) -> list[tuple[str, float, dict[str, float]]]:
    """Word, share and settings of each outcome of the draw of augmentations."""
    cut, wired = config.boolean, config.wireframe
    if config.disjoint:
        shares = {(1, 0): cut, (0, 1): wired, (0, 0): max(0.0, 1 - cut - wired)}
    else:
        shares = {(b, w): (cut if b else 1 - cut) * (wired if w else 1 - wired) for b in (1, 0) for w in (1, 0)}
    words = {(1, 0): "boolean", (0, 1): "wireframe", (0, 0): "no augmentation", (1, 1): "boolean and wireframe"}
    return [(words[key], share, {"boolean": float(key[0]), "wireframe": float(key[1])}) for key, share in shares.items()]


def _counts(weights: tuple[float, ...]) -> list[tuple[str, float, tuple[float, ...]]]:
    """Words, share and weights of fewer and of more primitives, cut where the halves are most alike; all where there is one."""
    total = sum(weights)
    below = [sum(weights[:k]) / total for k in range(1, len(weights))]
    cut = 1 + min(range(len(below)), key=lambda k: abs(below[k] - 0.5)) if below else 0
    low, high = weights[:cut], (0.0,) * cut + weights[cut:]
    if not sum(low) or not sum(high):
        return [("", 1.0, weights)]
    return [
        (_span(low), sum(low) / total, low),
        (_span(high), sum(high) / total, high),
    ]


def _span(weights: tuple[float, ...]) -> str:
    """ "1 primitive", "5-9 primitives"."""
    counts = [k + 1 for k, weight in enumerate(weights) if weight > 0]
    if counts[0] == counts[-1]:
        return f"{counts[0]} primitive{'s' * (counts[0] > 1)}"
    return f"{counts[0]}-{counts[-1]} primitives"


def detailverse(config: DetailverseConfig) -> Split:
    """By family."""
    total = sum(config.shares.values())
    return {
        family: (share / total, config.model_copy(update={"categories": {family: 1.0}}))
        for family, share in config.shares.items()
    }
