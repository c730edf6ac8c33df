"""Intervals over objects."""

import numpy as np
import pytest

from versemill.training import statistics


def test_an_interval_needs_twenty_objects_and_covers_the_mean() -> None:
    values = np.random.default_rng(0).normal(5.0, 1.0, 40).tolist()
    assert statistics.interval(values[:19]) is None
    low, high = statistics.interval(values)
    assert low < np.mean(values) < high
    assert high - low == pytest.approx(2 * 1.96 * np.std(values) / 40**0.5, rel=0.2)
