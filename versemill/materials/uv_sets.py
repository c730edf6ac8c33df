"""Placing textures: each place that a material's textures ask for becomes a UV set of the asset.

A file gives coordinates, and each texture says which of them it reads and how they are moved. An asset holds only the
results, side by side, so that renderers, baking and the GLB know no transforms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Placement:
    """Where a texture lies: the file's coordinates `channel`, (u, v) with v up, then matrix * uv + offset."""

    channel: int = 0
    matrix: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (0.0, 1.0))
    offset: tuple[float, float] = (0.0, 0.0)

    def of(self, uv: NDArray[Any]) -> NDArray[Any]:
        """The placed (..., 2) coordinates."""
        if self.matrix == ((1.0, 0.0), (0.0, 1.0)) and self.offset == (0.0, 0.0):
            return uv
        return uv @ np.array(self.matrix).T + np.array(self.offset)


def ordered(placements: Mapping[str, Placement]) -> tuple[tuple[Placement, ...], dict[str, int]]:
    """Distinct placements of one material's textures by slot, in order, and each slot's number among them."""
    distinct = tuple(dict.fromkeys(placements.values()))
    return distinct, {slot: distinct.index(place) for slot, place in placements.items()}


def lay_out(
    channels: Mapping[int, NDArray[Any]], material_ids: NDArray[Any], sets: Sequence[tuple[Placement, ...]], count: int
) -> NDArray[np.float32]:
    """(F, 3, 2 S) UV sets side by side, of at least one set.

    Args:
        channels: the file's coordinates (F, 3, 2) by number; a channel that is missing is 0.
        material_ids: (F,). sets: per material, its distinct placements. count: F.
    """
    widest = max([1, *(len(places) for places in sets)])
    uvs = np.zeros((count, 3, 2 * widest), np.float32)
    for material, places in enumerate(sets):
        own = np.flatnonzero(material_ids == material)
        # A material without textures keeps the first coordinates as they are.
        for k, place in enumerate(places or (Placement(),)):
            if place.channel in channels:
                uvs[own, :, 2 * k : 2 * k + 2] = place.of(channels[place.channel][own])
    return uvs
