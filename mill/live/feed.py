"""The milling ahead: a bounded number of assets is made, or waits, before its turn; they come in the order of positions."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from versemill.config import canonical_json
from versemill.errors import VersemillError
from versemill.mill.live.draws import Draw, Drawing
from versemill.mill.live.makers import Mill, Result, why
from versemill.mill.pipeline.drawing import LiveConfig
from versemill.mill.pipeline.stages import Order
from versemill.shards import DiskCache, loose

LEAST = 20
"""Assets before the share of lost ones is judged."""

REJECTED = b"versemill.rejected"
"""Key of a cached rejection, in its table's metadata."""

Row = tuple[Draw, dict[str, Any]]
Decode = Callable[[Draw, pa.Table], Any]


@dataclass
class Tally:
    """What a feed has given so far.

    Attributes:
        drawn: positions given. milled: assets that were made, with or without a row. cached: rows that came from the cache.
        lost: why assets did not come out -> how many, in the order of positions.
        waited: seconds in which who draws waited for the next one.
        most: assets that were in the making or waited, at most. bytes: of packed rows that waited, at most.
    """

    drawn: int = 0
    milled: int = 0
    cached: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    waited: float = 0.0
    most: int = 0
    bytes: int = 0


@dataclass
class _Slot:
    """One position of the window: what is tried for it, and what came of it."""

    position: int
    attempt: int = 0
    draw: Draw | None = None
    bytes: int = 0
    sample: "Future[Any] | None" = None
    lost: list[str] = field(default_factory=list)
    error: VersemillError | None = None

    @property
    def done(self) -> bool:
        return self.sample is not None or self.error is not None


class Feed:
    """Samples of an order of draws.

    Args:
        drawing: which asset each position is. mill: who makes them.
        decode: (draw, row) -> sample; it runs in a thread, so that a step of training covers it.
        live: how many ahead, and how many may be lost.
        cache: where rows are kept. key: (draw) -> text that with the draw's seed and index decides its row.
    """

    def __init__(
        self,
        drawing: Drawing,
        mill: Mill,
        decode: Decode,
        live: LiveConfig,
        cache: DiskCache | None = None,
        key: Callable[[Draw], str] = lambda draw: "",
    ) -> None:
        self._drawing, self._mill, self._decode, self._live = drawing, mill, decode, live
        self._cache, self._key = cache, key
        self._window: deque[_Slot] = deque()
        self._waiting: dict[Order, list[_Slot]] = {}
        self._threads = ThreadPoolExecutor(2, "versemill-decode")
        self.tally = Tally()

    def samples(self, positions: Iterator[int]) -> Iterator[tuple[Draw, Any]]:
        """The draw and the sample of each position, as they come; `live.ahead` positions are taken before their turn.

        Raises:
            VersemillError: too many assets were rejected or failed.
        """
        self._extend(positions)
        while self._window:
            since = time.perf_counter()
            self._settle_all(self._mill.ready())
            while not self._window[0].done:
                self._settle_all(self._mill.wait())
            self.tally.waited += time.perf_counter() - since
            slot = self._window.popleft()
            self._count(slot)
            self._extend(positions)
            assert slot.draw is not None
            assert slot.sample is not None
            yield slot.draw, slot.sample.result()

    def close(self) -> None:
        """Ends its threads, and drops what it ordered ahead."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._mill.forget()

    def _extend(self, positions: Iterator[int]) -> None:
        while len(self._window) < self._live.ahead and (position := next(positions, None)) is not None:
            slot = _Slot(position)
            self._window.append(slot)
            self._try(slot)
        self.tally.most = max(self.tally.most, len(self._window))

    def _try(self, slot: _Slot) -> None:
        """Looks for the slot's next candidate in the cache, or orders it."""
        try:
            slot.draw = self._drawing.draw(slot.position, slot.attempt)
        except VersemillError as error:
            slot.error = error
            return
        order, kept = slot.draw.order, self._kept(slot.draw)
        if kept is not None:
            self._take(slot, kept, cached=True)
        elif order in self._waiting:
            self._waiting[order].append(slot)
        else:
            self._waiting[order] = [slot]
            self._mill.start(order, slot.position)

    def _settle_all(self, results: list[Result]) -> None:
        for order, record in results:
            self.tally.milled += 1
            slots = self._waiting.pop(order, [])
            if not slots:  # it was ordered for a place that is no longer drawn from
                continue
            row = loose.unpack(record["row"]) if record["status"] == "row" else _rejection(record)
            if self._cache is not None and record["status"] != "failed" and slots[0].draw is not None:
                self._cache.put(self._name(slots[0].draw), row)
            for slot in slots:
                self._take(slot, row)

    def _take(self, slot: _Slot, row: pa.Table, cached: bool = False) -> None:
        """Gives a slot what came of its candidate: a row, or the next candidate."""
        reason = (row.schema.metadata or {}).get(REJECTED)
        if reason is not None:
            slot.lost.append(reason.decode())
            slot.attempt += 1
            self._try(slot)
            return
        assert slot.draw is not None
        self.tally.cached += cached
        slot.bytes = row.nbytes
        slot.sample = self._threads.submit(self._decode, slot.draw, row)
        self.tally.bytes = max(self.tally.bytes, sum(each.bytes for each in self._window))

    def _count(self, slot: _Slot) -> None:
        """Counts what a position cost, in the order of positions, so that a run stops at the same one whoever mills."""
        tally = self.tally
        for reason in slot.lost:
            tally.lost[reason] = tally.lost.get(reason, 0) + 1
        if slot.error is not None:
            raise slot.error
        tally.drawn += 1
        lost = sum(tally.lost.values())
        if lost + tally.drawn >= LEAST and lost > self._live.lost * (lost + tally.drawn):
            reasons = ", ".join(f"{reason} ({number})" for reason, number in Counter(tally.lost).most_common(3))
            raise VersemillError(
                f"{lost} of {lost + tally.drawn} assets did not come out, more than the share live.lost = {self._live.lost:g}: "
                f"{reasons}; change the pipeline until `versemill run` keeps more of them, or set live.lost higher"
            )

    def _name(self, draw: Draw) -> str:
        return canonical_json([self._key(draw), draw.seed, draw.index, draw.part, draw.item])

    def _kept(self, draw: Draw) -> pa.Table | None:
        return None if self._cache is None else self._cache.get(self._name(draw))


def _rejection(record: dict[str, Any]) -> pa.Table:
    """An empty table that says why there is no row."""
    return pa.table({"none": pa.array([], pa.int8())}).replace_schema_metadata({REJECTED: why(record).encode()})
