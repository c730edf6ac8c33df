"""Streams: fixed values for ever, no purpose disturbs another, the same in any process."""

import itertools
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


@given(seed=natural, purpose=st.sampled_from(sorted(seeds.STEPS)), count=st.integers(1, 2000))
def test_stratified_draws_are_even_at_any_number(seed, purpose, count) -> None:
    draws = seeds.spread(seed, np.arange(count), purpose)
    assert draws.min() >= 0
    assert draws.max() < 1
    for parts in (2, 10, 33):
        drawn = np.bincount((draws * parts).astype(int), minlength=parts)
        assert np.abs(drawn - count / parts).max() <= 3


def test_a_stratified_draw_does_not_depend_on_what_else_is_drawn() -> None:
    many = seeds.spread(5, np.arange(100), "split")
    assert [float(seeds.spread(5, k, "split")) for k in range(100)] == many.tolist()
    # exact to the last index, where float64 would have lost the fraction
    step = seeds.STEPS["split"] % 2**64
    turn = (seeds.key(5, 0, "split") + (2**64 - 1) * step) % 2**64
    assert seeds.spread(5, 2**64 - 1, "split") == (turn >> 11) / 2**53
    with pytest.raises(KeyError):
        seeds.spread(0, 0, "unheard of")


def test_stratified_draws_are_uniform_over_seeds() -> None:
    first = np.array([float(seeds.spread(seed, 7, "split")) for seed in range(4000)])
    assert np.abs(np.histogram(first, 10, (0, 1))[0] - 400).max() < 90


def test_stratified_draws_of_two_purposes_are_jointly_even() -> None:
    """Each cell of a 10 x 10 grid of two purposes holds its share: a split holds each source, a family each split."""
    draws = {purpose: (seeds.spread(3, np.arange(5000), purpose) * 10).astype(int) for purpose in seeds.STEPS}
    for one, other in itertools.combinations(draws.values(), 2):
        cells = np.bincount(one * 10 + other, minlength=100)
        assert np.abs(cells - 50).max() <= 8  # independent draws: 7 standard deviations of sqrt(50) lie beyond


@given(
    seed=natural, count=st.integers(30, 300), shares=st.sampled_from([(0.8, 0.1, 0.1), (0.7, 0.15, 0.15), (0.5, 0.25, 0.25)])
)
def test_every_split_has_its_share_at_any_number(seed, count, shares) -> None:
    names = [seeds.split(seed, k, shares) for k in range(count)]
    for name, share in zip(seeds.SPLITS, shares, strict=True):
        # 3.3 at most over all offsets of the sequence (a sweep of 20,000); independent draws stray by 16.
        assert abs(names.count(name) - share * count) < 3.4


def test_thirty_assets_hold_every_split() -> None:
    for seed in range(3000):
        names = [seeds.split(seed, k) for k in range(30)]
        assert max(abs(names.count(name) - 30 * share) for name, share in zip(seeds.SPLITS, (0.8, 0.1, 0.1), strict=True)) <= 1


@given(
    weights=st.lists(st.floats(0, 10), min_size=1, max_size=6).filter(lambda w: sum(w) > 0.1), where=st.floats(0, 1 - 2**-53)
)
def test_choose_takes_the_share_that_holds_the_draw(weights, where) -> None:
    chosen = int(seeds.choose(weights, where))
    assert weights[chosen] > 0
    total, before = sum(weights), sum(weights[:chosen])
    assert before / total - 1e-12 <= where <= (before + weights[chosen]) / total + 1e-12


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
GOLDEN_SPLITS = "trtetrtrtrtrtrtrvatrtrtrtrtetrtr"
