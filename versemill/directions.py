"""Directions spread evenly over the sphere."""

import numpy as np
from numpy.typing import NDArray


def fibonacci(count: int) -> NDArray[np.float64]:
    """(count, 3) unit vectors on a Fibonacci spiral: equal steps of z, the golden ratio of a turn from each to the next."""
    i = np.arange(count) + 0.5
    z, turn = 1 - 2 * i / count, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], 1)
