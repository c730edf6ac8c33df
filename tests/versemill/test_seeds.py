"""Streams: fixed values for ever, no purpose disturbs another, the same in any process."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from versemill import seeds

natural = st.integers(0, 2**64 - 1)


def test_golden_values() -> None:
    assert seeds.key(0, 0, "a") == GOLDEN_KEY
    assert seeds.stream(1, 2, "zeroverse/boolean").integers(0, 1000, 8).tolist() == GOLDEN_DRAWS
    assert "".join(seeds.split(0, i)[0:2] for i in range(16)) == GOLDEN_SPLITS


def test_another_process_draws_the_same() -> None:
    code = "from versemill import seeds; print(seeds.stream(3, 4, 'x').random(4).tolist(), seeds.key(5, 6, 'y'))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == f"{seeds.stream(3, 4, 'x').random(4).tolist()} {seeds.key(5, 6, 'y')}"


@given(a=st.tuples(natural, natural, st.text(min_size=1)), b=st.tuples(natural, natural, st.text(min_size=1)))
def test_keys_differ_unless_all_three_agree(a, b) -> None:
    assert (seeds.key(*a) == seeds.key(*b)) == (a == b)


def test_purposes_are_independent() -> None:
    draws = np.stack([seeds.stream(0, 0, f"p{k}").standard_normal(4000) for k in range(8)])
    correlation = np.corrcoef(draws) - np.eye(8)
    assert np.abs(correlation).max() < 0.07


def test_neighbouring_indices_are_independent() -> None:
    first = np.array([seeds.stream(0, k, "p").random() for k in range(4000)])
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.06
    assert np.abs(np.histogram(first, 10, (0, 1))[0] - 400).max() < 90


def test_split_shares() -> None:
    names = [seeds.split(11, k, (0.7, 0.2, 0.1)) for k in range(5000)]
    shares = [names.count(name) / 5000 for name in seeds.SPLITS]
    np.testing.assert_allclose(shares, (0.7, 0.2, 0.1), atol=0.025)


def test_split_grows_without_moving_the_rest() -> None:
    small = {k for k in range(2000) if seeds.split(1, k, (0.5, 0.3, 0.2)) == "train"}
    large = {k for k in range(2000) if seeds.split(1, k, (0.6, 0.2, 0.2)) == "train"}
    assert small < large


@pytest.mark.parametrize("fractions", [(1.0, 0.1, -0.1), (0.5, 0.5), (0.5, 0.2, 0.2)])
def test_bad_fractions_are_refused(fractions) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        seeds.split(0, 0, fractions)


@pytest.mark.parametrize("arguments", [(-1, 0, "a"), (0, 2**64, "a"), (0, 0, "")])
def test_bad_keys_are_refused(arguments) -> None:
    with pytest.raises(ValueError, match=r"must both lie|needs a purpose"):
        seeds.key(*arguments)


GOLDEN_KEY = 240926738811656160664156124918741702029
GOLDEN_DRAWS = [977, 169, 318, 868, 443, 764, 612, 830]
GOLDEN_SPLITS = "trtrtrtetetrtrtrtrtrtrtrtrtevatr"
