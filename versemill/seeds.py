"""Random numbers: one counter-based stream per (dataset seed, asset index, purpose).

Every draw in versemill comes from here. Two purposes never share a stream, so switching one augmentation
off moves no other draw, and any asset can be remade alone, on any worker, in any order.

Draws whose shares must hold in a small dataset too (source, family, split) are stratified: see `spread`.
"""

import hashlib
import struct
from collections.abc import Sequence
from math import isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

SPLITS = ("train", "val", "test")

STEPS = {"mill/sources": (isqrt(5 << 128) - (1 << 64)) // 2, "split": isqrt(2 << 128), "mill/families": isqrt(3 << 128)}
"""Purpose of a stratified draw -> its step in units of 2**-64: the golden ratio, the roots of 2 and of 3, modulo 1.

Consecutive multiples of each cover [0, 1) with low discrepancy (their continued fractions have small terms), and the three
are rationally independent, so that the draws are jointly even: each split holds each source's and each family's share.
"""


def key(seed: int, index: int, purpose: str) -> int:
    """128-bit key of a stream: BLAKE2b over (seed, index, purpose).

    Args:
        seed: dataset seed, 0 <= seed < 2**64.
        index: asset index, 0 <= index < 2**64.
        purpose: what is drawn, as a path: "zeroverse/boolean".

    Raises:
        ValueError: seed or index is out of range, or the purpose is empty.
    """
    if not 0 <= seed < 2**64 or not 0 <= index < 2**64:
        raise ValueError(f"seed {seed} and index {index} must both lie in [0, 2**64)")
    if not purpose:
        raise ValueError("a stream needs a purpose, such as 'zeroverse/boolean'")
    packed = struct.pack("<QQ", seed, index) + purpose.encode()
    return int.from_bytes(hashlib.blake2b(packed, digest_size=16, person=b"versemill/1").digest(), "little")


def stream(seed: int, index: int, purpose: str) -> np.random.Generator:
    """An independent generator (Philox 4x64) for one purpose of one asset; see `key` for the arguments."""
    return np.random.Generator(np.random.Philox(key=key(seed, index, purpose)))


def aside(rng: np.random.Generator) -> np.random.Generator:
    """An independent generator, 2**128 draws further along the same stream: what it draws moves nothing of `rng`'s.

    It depends on what `rng` has drawn so far, so it is taken before the first draw.
    """
    return np.random.Generator(rng.bit_generator.jumped())  # type: ignore[attr-defined]


def spread(seed: int, index: ArrayLike, purpose: str) -> NDArray[np.float64]:
    """A stratified draw: uniform on [0, 1) over seeds, and evenly spread over consecutive indices of one seed.

    A Kronecker sequence (Kuipers and Niederreiter, Uniform Distribution of Sequences, 1974, ch. 2.3) from an offset of the
    seed's own: after any number of assets, the number of draws in an interval is its length's share to within a few.

    Args:
        index: (...) indices, 0 <= index < 2**64.
        purpose: a key of `STEPS`.

    Returns:
        (...) float64.

    Raises:
        KeyError: no step is set aside for the purpose.
    """
    offset = np.uint64(key(seed, 0, purpose) % 2**64)
    with np.errstate(over="ignore"):
        turns = np.asarray(index, np.uint64) * np.uint64(STEPS[purpose] % 2**64) + offset
    return np.asarray((turns >> np.uint64(11)) * 2.0**-53, np.float64)


def choose(weights: ArrayLike, where: ArrayLike) -> NDArray[np.intp]:
    """Which of several shares, laid end to end, draws fall into.

    Args:
        weights: (K,) shares, not negative, of any positive sum. where: (...) draws in [0, 1).

    Returns:
        (...) positions in `weights`; never one of weight 0.
    """
    edges = np.cumsum(np.asarray(weights, np.float64))
    chosen = np.searchsorted(edges, np.asarray(where) * edges[-1], side="right")
    return np.asarray(np.minimum(chosen, np.flatnonzero(weights).max()), np.intp)


def split(seed: int, index: int, fractions: Sequence[float] = (0.8, 0.1, 0.1)) -> str:
    """The split of an asset, "train", "val" or "test": a stratified draw (`spread`), the same in every run.

    Args:
        fractions: shares of train, val and test; they sum to 1. A larger share of train takes assets from val, and
            moves none out of train.

    Raises:
        ValueError: the fractions are not three non-negative numbers that sum to 1.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1.0) > 1e-9:
        raise ValueError(f"split fractions must be three shares that sum to 1, got {tuple(fractions)}")
    return SPLITS[int(choose(fractions, spread(seed, index, "split")))]
