"""A pass computed from others. Schemas are built from the table of passes, so its module imports `versemill.views` alone."""

from collections.abc import Mapping

import numpy as np

from versemill.views import Pass


def elevation(passes: Mapping[str, np.ndarray], c2w: np.ndarray) -> np.ndarray:
    """How high above the ground plane of the world box a pixel's surface lies."""
    height = passes["position"][..., 2] + 1
    return np.where(passes["mask"], height, 0).astype(np.float32)


PASS = Pass("float32", 0, "distance", "height above z = -1; 0 is background", 0.001, unit="world units",
            derived=elevation, needs=("position", "mask"))  # fmt: skip
