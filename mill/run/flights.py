"""Tasks in flight on Ray: starts them, watches their workers, and judges what became of each asset.

Ray retries nothing here. An asset that raises, crashes its worker, outlives its deadline or outgrows its memory is blamed;
what shared its worker is not. Whether a blamed asset gets another try is for those to say who started the task.
"""

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from versemill.errors import ConfigError, ShardError, VersemillError
from versemill.mill.pipeline.config import RunConfig
from versemill.mill.pipeline.stages import Order
from versemill.mill.run import signals
from versemill.mill.run.crew import Crew
from versemill.mill.run.local import Processes
from versemill.mill.run.watchdog import RENDERER, Observation
from versemill.mill.run.worker import LOST, Answer, Error, Fatal, StagedRows

WATCH_SECONDS = 0.5
LOST_LIMIT = 3
"""How often an asset may be on a worker that vanished without a word before the asset is blamed for it."""

BYSTANDER_LIMIT = 20
"""How often an asset may have waited for a renderer that died of another asset."""

Record = dict[str, Any]


@dataclass
class Task:
    """A Ray task in flight: assets of a chunk, or the shard that is being sealed."""

    token: str
    orders: tuple[Order, ...] = ()
    shard: int | None = None
    verdict: tuple[str, int, str, str] | None = None
    """(reason, index, stage, message), when we killed it."""


@dataclass(frozen=True)
class Fault:
    """An asset that did not come out, by its own fault: the stage it was at, why, and its last lines."""

    order: Order
    reason: str
    stage: str
    message: str
    signal: str | None = None
    log: tuple[str, ...] = ()


@dataclass
class Landing:
    """What came of one task.

    Attributes:
        orders: of the task. records: of assets that are finished. faults: assets to blame.
        again: assets to make again, alone, without blame.
        results: how many assets the worker answered for. seconds, cpu: what it took; 0 where it died.
        fatal: why everything has to stop.
        sealed: shard and `worker.seal_shard`'s answer. unsealed: shard and why it could not be sealed.
    """

    orders: tuple[Order, ...] = ()
    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    again: list[Order] = field(default_factory=list)
    results: int = 0
    fatal: Fatal | None = None
    seconds: float = 0.0
    cpu: float = 0.0
    sealed: tuple[int, dict[str, Any]] | None = None
    unsealed: tuple[int, str] | None = None


class Flights:
    """All tasks of one crew.

    Args:
        limits: deadline and memory of an asset. processes: Ray's own, which must live.
        kept: the record of an asset that a worker had finished and kept before it died, or None.
    """

    def __init__(self, crew: Crew[Any], limits: RunConfig, processes: Processes, kept: Callable[[int], Record | None]) -> None:
        self._crew, self._limits, self._processes, self._kept = crew, limits, processes, kept
        self._tasks: dict[Any, Task] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._since: dict[tuple[str, int], float] = {}
        self._lost: dict[Order, int] = {}
        self._count = 0
        self._watched = time.monotonic()

    def __len__(self) -> int:
        return len(self._tasks)

    def work(self, orders: tuple[Order, ...]) -> None:
        """Starts the making of a chunk."""
        token = self._token()
        self._follow(self._crew.work(token, orders), Task(token, orders))

    def seal(self, shard: int, rows: StagedRows) -> None:
        """Starts the sealing of a shard."""
        self._follow(self._crew.seal(shard, rows), Task(self._token(), shard=shard))

    def _token(self) -> str:
        self._count += 1
        return f"{self._count - 1:09d}"

    def _follow(self, ref: Any, task: Task) -> None:
        self._tasks[ref] = task
        ref.future().add_done_callback(lambda _: self._done.put(ref))

    def check(self) -> None:
        """Raises if Ray's own processes died, or a signal came: no asset is blamed for what that did to its worker."""
        self._processes.check()
        signals.check()

    def wait(self, seconds: float) -> Landing | None:
        """What came of the next task that ends, or None if none ends in that time. Kills what is over its limits meanwhile.

        Raises:
            ConfigError: a worker can't import this run's code, or can't be set up. OSError: it was raised outside any asset.
        """
        # Not `ray.wait`: it waits by the wall clock, and when that jumps it may wait for as long as the jump is.
        try:
            ref = self._done.get(timeout=seconds)
        except queue.Empty:
            ref = None
        self.check()  # before anything asks Ray
        landing = None if ref is None else self._receive(ref, self._tasks.pop(ref))
        now = time.monotonic()
        if now - self._watched >= WATCH_SECONDS:
            self._watch(now, now - self._watched)
            self._watched = now
        return landing

    def stop(self) -> None:
        """Cancels what is in flight."""
        import ray

        for ref in self._tasks:
            with contextlib.suppress(ray.exceptions.RayError, ValueError):
                ray.cancel(ref, force=True)

    def _receive(self, ref: Any, task: Task) -> Landing:
        import ray

        try:
            answer = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            return self._task_raised(task, error.cause)
        except ray.exceptions.RuntimeEnvSetupError as error:
            raise ConfigError(f"a node can't set up the runtime environment: {' '.join(str(error).split())[:500]}") from error
        except ray.exceptions.RayError as error:
            if task.shard is not None:
                return Landing(unsealed=(task.shard, f"the worker that sealed it died: {type(error).__name__}"))
            return self._crashed(task, error)
        return Landing(sealed=(task.shard, answer)) if task.shard is not None else self._answered(task, answer)

    def _task_raised(self, task: Task, cause: BaseException) -> Landing:
        """An error outside any asset: a damaged staging file is remade, all else ends the run."""
        if task.shard is not None and isinstance(cause, ShardError):
            return Landing(unsealed=(task.shard, str(cause)))
        if not isinstance(cause, OSError) and "No module named" in str(cause):
            why = next(line for line in str(cause).splitlines() if "No module named" in line).strip()
            raise ConfigError(
                f"a worker can't import this run's code ({why}); install it on every node, or send it: --set run.ship=true"
            ) from cause
        raise cause

    def _answered(self, task: Task, answer: Answer) -> Landing:
        landing = Landing(task.orders, results=len(answer.results), fatal=answer.fatal, seconds=answer.seconds, cpu=answer.cpu)
        orders = {order.index: order for order in task.orders}
        for index, result in answer.results:
            if not isinstance(result, Error):
                landing.records.append(result)
            elif result.reason == LOST:
                self._renderer_lost(landing, orders[index], result)
            else:
                fault = Fault(orders[index], result.reason, result.stage, result.message, None, result.log)
                landing.faults.append(fault)
        return landing

    def _crashed(self, task: Task, error: Exception) -> Landing:
        """The worker died. What it had finished stands; the one it was on is blamed; the rest is made again, alone."""
        landing = Landing(task.orders)
        words = self._crew.monitors.exit_report(task.token)
        on, stage, sign, log = (words.index, words.stage, words.signal, words.lines) if words else (None, "start", None, [])
        reason, message = "crashed", f"its worker died of {sign}" if sign else "its worker died without a trace of why"
        if task.verdict:
            reason, on, stage, message = task.verdict
            sign = "SIGKILL"
        elif type(error).__name__ == "OutOfMemoryError":
            reason, message = "memory", "the machine ran out of memory, and Ray killed the largest worker"
        for order in task.orders:
            record = self._kept(order.index)
            if record is not None:
                landing.records.append(record)
            elif order.index == on:
                landing.faults.append(Fault(order, reason, stage, message, sign, tuple(log)))
            elif words is None and len(task.orders) == 1:
                self._vanished(landing, order, LOST_LIMIT, f"workers vanished with it ({type(error).__name__})")
            else:
                landing.again.append(order)
        return landing

    def _vanished(self, landing: Landing, order: Order, limit: int, what: str) -> None:
        """A worker was lost before it said a word: its node died, or it could not start. Not the asset's fault at first."""
        self._lost[order] = self._lost.get(order, 0) + 1
        if self._lost[order] < limit:
            landing.again.append(order)
        else:
            landing.faults.append(Fault(order, "lost", "start", f"{self._lost[order]} {what}"))

    def _renderer_lost(self, landing: Landing, order: Order, error: Error) -> None:
        """The process that renders for all died: of this asset, which is blamed, or of another, which this one waited for."""
        verdict = self._crew.blame(order.index)
        if verdict is None:
            what = f"renderers died while it waited for them ({error.message})"
            self._vanished(landing, order, BYSTANDER_LIMIT, what)
        else:
            reason, message, words = verdict
            landing.faults.append(Fault(order, reason, "render", message, words.signal, tuple(words.lines)))

    def _watch(self, now: float, elapsed: float) -> None:
        """Kills tasks whose asset is over its deadline or its memory. The clock starts when a worker starts the asset,
        and stands while the asset waits for a renderer, where another clock runs.
        """
        by_token = {task.token: task for task in self._tasks.values()}
        seen = set()
        for observation in self._crew.monitors.look():
            renders = observation.token.startswith(RENDERER)
            if not renders and observation.token not in by_token:
                continue
            key = (observation.token, observation.index)
            seen.add(key)
            self._since.setdefault(key, now)
            if self._crew.renderer_count and observation.stage == "render" and not renders:
                self._since[key] += elapsed
            if observation.memory_mb > self._limits.memory_mb:
                reason = "memory"
                message = f"held {observation.memory_mb:.0f} MiB, more than run.memory_mb = {self._limits.memory_mb}"
            elif now - self._since[key] > self._limits.deadline_s:
                reason, message = "timeout", f"took longer than run.deadline_s = {self._limits.deadline_s:g} s"
            else:
                continue
            if renders:
                self._crew.kill_renderer(observation, reason, message)
            else:
                self._kill(by_token, observation, reason, message)
        self._since = {key: start for key, start in self._since.items() if key in seen}

    def _kill(self, tasks: Mapping[str, Task], observation: Observation, reason: str, message: str) -> None:
        """Kills the worker, each time that it is still seen over its limits; the first reason stands."""
        task = tasks[observation.token]
        if task.verdict is None or task.verdict[1] != observation.index:
            task.verdict = (reason, observation.index, observation.stage, message)
        self._crew.monitors.kill(observation)


def stopped(fatal: Fatal) -> Exception:
    """The error that ends everything, as it was raised in the worker if it is one of ours."""
    return fatal.kind(fatal.message) if issubclass(fatal.kind, VersemillError) else VersemillError(fatal.message)
