"""Random numbers: one counter-based stream per (dataset seed, asset index, purpose).

Every draw in versemill comes from here. Two purposes never share a stream, so switching one augmentation
off moves no other draw, and any asset can be remade alone, on any worker, in any order.
"""

import hashlib
import struct
from collections.abc import Sequence

import numpy as np

SPLITS = ("train", "val", "test")


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


def split(seed: int, index: int, fractions: Sequence[float] = (0.8, 0.1, 0.1)) -> str:
    """The split of an asset, "train", "val" or "test": a hash of (seed, index), the same in every run.

    Args:
        fractions: shares of train, val and test; they sum to 1.

    Raises:
        ValueError: the fractions are not three non-negative numbers that sum to 1.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1.0) > 1e-9:
        raise ValueError(f"split fractions must be three shares that sum to 1, got {tuple(fractions)}")
    u = (key(seed, index, "split") >> 75) / float(1 << 53)
    return SPLITS[int(u >= fractions[0]) + int(u >= fractions[0] + fractions[1])]
