"""Which asset each position of a training's order is: a function of pipeline, seed and position, whoever mills it and when.

An epoch is a dataset of its own: the pipeline with the epoch's seed, `run.assets` indices, of which one split is drawn, in an
order that the seed decides, `live.repeats` times. The first epoch's seed is the pipeline's: its assets are the rows of
`versemill run` with the same seed. An asset that is rejected or fails gives its place to the next index of the split.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from versemill import seeds
from versemill.errors import ConfigError, VersemillError
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.parts import Part
from versemill.mill.pipeline.plan import Plan
from versemill.mill.pipeline.stages import Order

TRIES = 16
"""Assets that are tried for one position; then training stops."""

KEPT = 3
"""Epochs whose plans are kept: what is milled ahead may be of the next one, or the one after it."""

Shares = Callable[[int], NDArray[np.float64]]
"""Position -> the share of each part there."""


@dataclass(frozen=True)
class Draw:
    """The asset of one position.

    Attributes:
        position: in the order, counted from 0. epoch, seed: whose dataset it is of. index: its index there.
        lap: how often assets were drawn before, epoch after epoch: each time views and points are drawn otherwise.
        part: of the pipeline's generators (`pipeline.parts`). item: its file, where its source has files.
    """

    position: int
    epoch: int
    lap: int
    seed: int
    index: int
    part: str
    item: str | None = None

    @property
    def order(self) -> Order:
        """What a worker is asked for."""
        return Order(self.index, self.part, self.item, self.seed)


class Drawing(Protocol):
    """An order of draws."""

    def draw(self, position: int, attempt: int) -> Draw:
        """The asset that is tried for a position after `attempt` others did not come out.

        Raises:
            VersemillError: there is no further one.
        """
        ...


@dataclass(frozen=True, eq=False)
class Epoch:
    """One epoch: its seed, its plan, the indices of its split (rising), and the position of its first draw."""

    number: int
    seed: int
    plan: Plan
    slots: NDArray[np.int64]
    first: int
    draws: int


class Epochs:
    """The order of draws of a pipeline; see the module.

    Args:
        split: "train", "val", "test", or None for all indices.
        parts: what `shares` gives shares to; with None each index is of the entry that `versemill run` gives it.

    Raises:
        ConfigError: no asset is of the split, or the pipeline does not say how many there are.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        split: str | None = "train",
        parts: tuple[Part, ...] | None = None,
        shares: Shares | None = None,
    ) -> None:
        self._pipeline, self._split, self._parts, self._shares = pipeline, split, parts, shares
        self._firsts = [0]
        self._recent: dict[int, Epoch] = {}
        self.plan = self.epoch(0).plan

    @property
    def slots(self) -> list[int]:
        """The indices of the first epoch."""
        return [int(index) for index in self.epoch(0).slots]

    def epoch(self, number: int) -> Epoch:
        """An epoch by its number."""
        while number not in self._recent:
            # Epochs differ by a few draws, since each has its own splits: those before say where this one begins.
            self._add(min(len(self._firsts) - 1, number))
        return self._recent[number]

    def _add(self, number: int) -> None:
        pipeline = self._pipeline
        seed = epoch_seed(pipeline.run.seed, number)
        seeded = replace(pipeline, run=pipeline.run.model_copy(update={"seed": seed}))
        plan = Plan.of(seeded, {} if number == 0 else self.plan.files)
        slots = np.arange(plan.assets)
        if self._split is not None:
            chosen = seeds.choose(pipeline.shards.splits, seeds.spread(seed, slots, "split"))
            slots = slots[chosen == seeds.SPLITS.index(self._split)]
        if not len(slots):
            raise ConfigError(
                f"none of {plan.assets} assets is of split '{self._split}': set run.assets higher, or shards.splits otherwise"
            )
        draws = len(slots) * pipeline.live.repeats
        self._recent[number] = Epoch(number, seed, plan, slots, self._firsts[number], draws)
        if number == len(self._firsts) - 1:
            self._firsts.append(self._firsts[number] + draws)
        while len(self._recent) > KEPT:
            del self._recent[next(iter(self._recent))]

    def at(self, position: int) -> Epoch:
        """The epoch of a position."""
        while self._firsts[-1] <= position:
            self.epoch(len(self._firsts) - 1)
        return self.epoch(bisect_right(self._firsts, position) - 1)

    def draw(self, position: int, attempt: int) -> Draw:
        """See `Drawing`."""
        epoch = self.at(position)
        count = len(epoch.slots)
        if attempt >= min(TRIES, count):
            raise exhausted(position, attempt)
        repeat, place = divmod(position - epoch.first, count)
        slot = int(_permutation(epoch.seed, repeat, count)[place])
        index = int(epoch.slots[(slot + attempt) % count])
        part, item = self._part(epoch, position, index)
        lap = epoch.number * self._pipeline.live.repeats + repeat
        return Draw(position, epoch.number, lap, epoch.seed, index, part, item)

    def _part(self, epoch: Epoch, position: int, index: int) -> tuple[str, str | None]:
        if self._shares is None or self._parts is None:
            order = epoch.plan.order(index)
            return order.entry, order.item
        where = seeds.spread(epoch.seed, index, "mill/sources")
        return self._parts[int(seeds.choose(self._shares(position), where))].name, None


class HeldOut:
    """Assets to measure errors on, `each` of every part, part after part; of a seed that no epoch has."""

    def __init__(self, seed: int, parts: tuple[Part, ...], each: int) -> None:
        self._seed = derived(seed, 0, "mill/live/held-out")
        self._parts, self._each = parts, each

    def draw(self, position: int, attempt: int) -> Draw:
        """See `Drawing`."""
        if attempt >= TRIES:
            raise exhausted(position, attempt)
        index = position + attempt * len(self._parts) * self._each
        return Draw(position, -1, 0, self._seed, index, self._parts[position // self._each].name)


class Recorded:
    """The draws of a record, and after them, or between them, another order's.

    Args:
        draws: by position. rest: None: there is nothing else to draw.
        name: of the record, for errors.
    """

    def __init__(self, draws: Mapping[int, Draw], name: str, rest: Drawing | None = None) -> None:
        self._draws, self._name, self._rest = draws, name, rest

    def draw(self, position: int, attempt: int) -> Draw:
        """See `Drawing`."""
        known = self._draws.get(position)
        if known is None and self._rest is not None:
            return self._rest.draw(position, attempt)
        if known is None:
            raise VersemillError(f"{self._name} holds no draw for position {position}: train fewer steps")
        if attempt:
            raise VersemillError(
                f"asset {known.index} of seed {known.seed} ({known.part}), which {self._name} gives position {position}, is "
                "rejected or fails now: versemill or a package has changed, or a limit of time or memory was reached; run the "
                "same command again, or raise run.deadline_s and run.memory_mb"
            )
        return known


def epoch_seed(seed: int, epoch: int) -> int:
    """The dataset seed of an epoch: the pipeline's own for the first."""
    return derived(seed, epoch, "mill/live/epoch") if epoch else seed


def derived(seed: int, index: int, purpose: str) -> int:
    """A dataset seed of its own, below 2**63."""
    return seeds.key(seed, index, purpose) % 2**63


def exhausted(position: int, attempts: int) -> VersemillError:
    """What is said when all that may be tried for a position was."""
    return VersemillError(
        f"{attempts} assets in a row were rejected or failed for position {position} of the training's order; "
        "`versemill run` of the same pipeline shows why"
    )


@lru_cache(maxsize=4)
def _permutation(seed: int, repeat: int, count: int) -> NDArray[Any]:
    return seeds.stream(seed, repeat, "mill/live/order").permutation(count)
