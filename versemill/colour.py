"""The transfer function of sRGB (IEC 61966-2-1) between codes and linear light. Kernels hold a copy of their own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def decode_srgb(values: NDArray[Any]) -> NDArray[np.float64]:
    """sRGB in [0, 1] to linear."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encode_srgb(values: NDArray[Any]) -> NDArray[np.float64]:
    """Linear in [0, 1] to sRGB."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0.0031308) ** (1 / 2.4) - 0.055)
