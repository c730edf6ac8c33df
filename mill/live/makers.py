"""Who mills: this process, one asset at a time; or the workers of a run on Ray, watched and killed as they are there."""

import heapq
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pyarrow as pa

from versemill.config import digest
from versemill.errors import ConfigError, MissingDependencyError
from versemill.mill.folder.fingerprint import fingerprint
from versemill.mill.pipeline import outside, stages
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.stages import Order, Recipe
from versemill.mill.run import cluster, crew
from versemill.mill.run.crew import Crew
from versemill.mill.run.flights import Fault, Flights, Landing, stopped
from versemill.mill.run.shipping import environment
from versemill.mill.run.worker import Maker, Work, make_asset
from versemill.shards import loose

POLL_SECONDS = 0.25

Result = tuple[Order, dict[str, Any]]
"""An order and its record: `status` "row" with the packed `row`, "rejected" or "failed" with why."""


@dataclass(frozen=True)
class Returned:
    """Rows go back with the answer, cut to the columns that are read (`mill.run.worker.Keep`)."""

    columns: tuple[str, ...]
    place: str = "this machine's disk"

    def put(self, index: int, row: pa.Table) -> dict[str, Any]:
        """The packed row, for the record."""
        return {"row": loose.pack(loose.cut(row, self.columns))}

    def write(self, record: dict[str, Any]) -> None:
        """The record goes back as it is."""


class Mill(Protocol):
    """Makes what is ordered.

    Attributes:
        fingerprint: digest of what decides the rows besides config and seed. cpu: core-seconds spent so far.
    """

    fingerprint: str
    cpu: float

    def start(self, order: Order, turn: int) -> None:
        """Orders an asset; those of an earlier turn come first."""
        ...

    def ready(self) -> list[Result]:
        """What is finished by now."""
        ...

    def wait(self) -> list[Result]:
        """At least one result; blocks until there is one."""
        ...

    def forget(self) -> None:
        """Drops the orders that no worker is on yet; results of others may still come."""
        ...

    def close(self) -> None:
        """Ends everything that it started."""
        ...


class Here:
    """This process: without Ray, and without limits of time and memory. An asset is made when it is waited for."""

    def __init__(self, pipeline: Pipeline, recipe: Recipe, columns: tuple[str, ...], maker: Maker = stages.make) -> None:
        facts = fingerprint(pipeline.render.device, outside.modules(pipeline))
        self.fingerprint, self.cpu = digest(facts), 0.0
        self._work = Work("", recipe, maker, partial(Returned, columns))
        self._queue: list[tuple[int, int, Order]] = []
        self._count = 0

    def start(self, order: Order, turn: int) -> None:
        """See `Mill`."""
        heapq.heappush(self._queue, (turn, self._count, order))
        self._count += 1

    def ready(self) -> list[Result]:
        """Nothing: see the class."""
        return []

    def wait(self) -> list[Result]:
        """The result of the order whose turn is first."""
        _, _, order = heapq.heappop(self._queue)
        stage, before = "", stages.cpu_seconds()

        def note(name: str) -> None:
            nonlocal stage
            stage = name

        try:
            record = make_asset(self._work, self._work.keep(), order, note)
        except (ConfigError, MissingDependencyError):
            raise
        except Exception as error:  # noqa: BLE001  any error of one asset is that asset's alone
            record = _failed(Fault(order, "exception", stage, f"{type(error).__name__}: {error}"[:500]))
        self.cpu += stages.cpu_seconds() - before
        return [(order, record)]

    def forget(self) -> None:
        """See `Mill`."""
        self._queue.clear()

    def close(self) -> None:
        """Nothing was started."""


class OnRay:
    """The workers of a run: on a Ray of our own on this machine, or on a cluster at an address.

    Only as many orders are at Ray's door as keep its slots busy until this process looks again; the others wait here, so
    that one which takes the place of another that failed comes in its turn.

    Raises:
        ConfigError, MissingDependencyError: it can't run here; see `mill.run.driver.run`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        recipe: Recipe,
        columns: tuple[str, ...],
        address: str | None,
        maker: Maker = stages.make,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        if maker is stages.make and address is None:
            crew.check(pipeline)
        limits = pipeline.run
        self._retries, self._tries = limits.retries, dict[Order, int]()
        self._queue: list[tuple[int, int, Order]] = []
        self._count = self._burst = 0
        self._turns: dict[Order, int] = {}
        self._results: deque[Result] = deque()
        self.cpu = 0.0
        with ExitStack() as stack:
            slots = None if limits.workers == "auto" else limits.workers
            store = crew.store_bytes(pipeline, slots or cluster.cores()) if address is None else None
            joined = stack.enter_context(cluster.joined(address, slots, environment(pipeline), store))
            hands = Crew(pipeline, recipe, lambda run, fingerprint: partial(Returned, columns), maker, say)
            stack.enter_context(hands.working(joined))
            self.fingerprint, self._width = hands.fingerprint, hands.width + 2 * hands.renderer_count
            self._flights = Flights(hands, limits, joined.processes, lambda index: None)
            stack.callback(self._flights.stop)
            self._stack = stack.pop_all()

    def start(self, order: Order, turn: int) -> None:
        """See `Mill`."""
        self._turns[order] = turn
        heapq.heappush(self._queue, (turn, self._count, order))
        self._count += 1
        self._fill()

    def _fill(self) -> None:
        while self._queue and len(self._flights) < self._width + 1 + self._burst:
            self._flights.work((heapq.heappop(self._queue)[2],))

    def ready(self) -> list[Result]:
        """See `Mill`."""
        self._flights.check()
        while (landing := self._flights.wait(0)) is not None:
            self._land(landing)
        # What ended while this process was busy left its slots idle, if no more than that was at Ray's door.
        self._burst = max(self._burst, len(self._results))
        self._fill()
        return self._taken()

    def wait(self) -> list[Result]:
        """See `Mill`."""
        while not self._results:
            self._flights.check()
            if (landing := self._flights.wait(POLL_SECONDS)) is not None:
                self._land(landing)
            self._fill()
        return self._taken()

    def _taken(self) -> list[Result]:
        results = list(self._results)
        self._results.clear()
        for order, _ in results:
            self._turns.pop(order, None)
            self._tries.pop(order, None)
        return results

    def _land(self, landing: Landing) -> None:
        self.cpu += landing.cpu
        if landing.fatal:
            raise stopped(landing.fatal)
        self._results += [(order, record) for order in landing.orders for record in landing.records]
        for order in landing.again:
            self.start(order, self._turns.get(order, 0))
        for fault in landing.faults:
            self._tries[fault.order] = self._tries.get(fault.order, 0) + 1
            if self._tries[fault.order] > self._retries:
                self._results.append((fault.order, _failed(fault)))
            else:
                self.start(fault.order, self._turns.get(fault.order, 0))

    def forget(self) -> None:
        """See `Mill`."""
        self._queue.clear()

    def close(self) -> None:
        """See `Mill`."""
        self._stack.close()


def _failed(fault: Fault) -> dict[str, Any]:
    failure = {"stage": fault.stage, "reason": fault.reason, "signal": fault.signal, "message": fault.message}
    return {"index": fault.order.index, "source": fault.order.entry, "status": "failed", "failure": failure}


def why(record: dict[str, Any]) -> str:
    """ "rejected at curate: open" of a record without a row."""
    facts = record["rejection" if record["status"] == "rejected" else "failure"]
    return f"{record['status']} at {facts['stage']}: {facts['reason']}"
