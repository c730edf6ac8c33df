"""How much of each view is blown out or lost in black.

A pixel is white where all three sRGB codes are at least `WHITE`, black where none is above `BLACK`: there is nothing left to
see of the surface. Only pixels that are covered by half or more count, so that the background does not.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from versemill.errors import AssetError
from versemill.render.config import ExposureConfig

WHITE = 250
"""0.957 of full light; a grey above it is within half a percent of the clipped code to the eye."""
BLACK = 8
"""0.0024 of full light, eight and a half stops below white."""


class Exposure(NamedTuple):
    """Shares (N,) in [0, 1] of the covered pixels of each view; 0 where none is covered."""

    white: NDArray[np.float64]
    black: NDArray[np.float64]


def shares(rgb: NDArray[np.uint8]) -> Exposure:
    """The shares of (N, H, W, 4) sRGB views with straight alpha."""
    covered = rgb[..., 3] >= 128
    count = np.maximum(covered.sum((1, 2)), 1)
    white = (rgb[..., :3].min(-1) >= WHITE) & covered
    black = (rgb[..., :3].max(-1) <= BLACK) & covered
    return Exposure(white.sum((1, 2)) / count, black.sum((1, 2)) / count)


def judged(rgb: NDArray[np.uint8], config: ExposureConfig) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record of an asset's views, JSON-able, and the tags that it earns.

    Returns:
        {"white", "black": the shares of each view, "overexposed", "underexposed": the views beyond a limit}, and the names of
        those of the last two that are not empty.

    Raises:
        AssetError: "overexposed" or "underexposed" where `config.action` is "reject": a view is beyond its limit.
    """
    measured = shares(rgb)
    record: dict[str, Any] = {name: values.round(4).tolist() for name, values in measured._asdict().items()}
    tags = []
    for name, colour, values, limit in (
        ("overexposed", "white", measured.white, config.overexposed),
        ("underexposed", "black", measured.black, config.underexposed),
    ):
        beyond = np.flatnonzero(values > limit)
        record[name] = beyond.tolist()
        if len(beyond):
            tags.append(name)
            if config.action == "reject":
                worst = int(values.argmax())
                raise AssetError(
                    name,
                    f"{len(beyond)} of {len(values)} views are {name}; of view {worst}, {values[worst]:.0%} of what it shows "
                    f"is {colour}, and the limit render.exposure.{name} is {limit:.0%}",
                )
    return record, tuple(tags)
