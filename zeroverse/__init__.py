"""Primitive compositions, after LRM-Zero's Zeroverse (arXiv 2406.09371, section 3).

`generate` draws a plan and builds its asset; `rebuild` builds it again from the asset's provenance alone.
"""

from typing import Any

from versemill.asset import Asset
from zeroverse.build import build
from zeroverse.config import ZeroverseConfig, presets
from zeroverse.draws import draw

__all__ = ["ZeroverseConfig", "build", "draw", "generate", "presets", "rebuild"]


def generate(config: ZeroverseConfig, seed: int, index: int) -> Asset:
    """Object `index` of dataset `seed`: normalised, textured, with its whole history in `provenance`.

    Raises:
        AssetError: no sound mesh came of the drawn values (see `build`).
    """
    return build(draw(config, seed, index))


def rebuild(provenance: dict[str, Any]) -> Asset:
    """The identical asset from its record alone; nothing is drawn.

    Raises:
        AssetError: see `build`; besides, "texture_changed" when a texture folder no longer holds what was drawn.
    """
    return build(provenance["plan"])
