"""Primitive compositions, after LRM-Zero's Zeroverse (arXiv 2406.09371, section 3), and rooms full of them, after MegaSynth.

`generate` draws a plan and builds its asset; `rebuild` builds it again from the asset's provenance alone.
"""

from typing import Any

from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.zeroverse import draws, layout, objects, rooms
from versemill.zeroverse.config import ZeroverseConfig, presets
from versemill.zeroverse.draws import VERSION, Plan

__all__ = ["ZeroverseConfig", "build", "draw", "generate", "presets", "rebuild"]


def generate(config: ZeroverseConfig | None = None, seed: int = 0, index: int = 0) -> Asset:
    """Asset `index` of dataset `seed`: normalised, textured, with its full provenance.

    Args:
        config: the default is `ZeroverseConfig()`.

    Raises:
        AssetError: the drawn values gave no valid mesh (see `build`).
    """
    return build(draw(config or ZeroverseConfig(), seed, index))


def draw(config: ZeroverseConfig, seed: int, index: int) -> Plan:
    """Every value of asset `index` of dataset `seed`, JSON-able."""
    return (layout if config.room is not None else draws).draw(config, seed, index)


def build(plan: Plan) -> Asset:
    """The asset that a plan describes: the same plan gives the same asset.

    Raises:
        AssetError: "plan_version" for a plan of another version; "not_manifold", "union_failed" or "difference_failed" when
            manifold3d refuses; "texture_changed" for a texture folder that changed.
    """
    if plan["version"] != VERSION:
        raise AssetError("plan_version", f"this is a plan of version {plan['version']}; this Zeroverse builds {VERSION}")
    return (rooms if "room" in plan else objects).build(plan)


def rebuild(provenance: dict[str, Any]) -> Asset:
    """The identical asset from its record alone; nothing is drawn.

    Raises:
        AssetError: see `build`; besides, "texture_changed" when a texture folder no longer holds what was drawn.
    """
    return build(provenance["plan"])
