"""The run: keeps a bounded number of tasks on Ray, judges what comes back, seals shards, and survives its workers.

Ray retries nothing here. An asset that raises, crashes its worker, outlives its deadline or outgrows its memory is
tried again alone, a bounded number of times, and then goes into the ledger as failed. What is on disk is
always enough to go on from: the same command continues a run that was killed.
"""

import contextlib
import datetime
import os
import platform
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mill import card, cluster, stages
from mill import dataset as layout
from mill.config import Pipeline
from mill.dataset import Dataset
from mill.fingerprint import fingerprint
from mill.ledger import Staging, summarise
from mill.ledger import Summary as Summary
from mill.plan import Plan
from mill.progress import Display, Tally
from mill.schedule import Schedule
from mill.stages import Order
from mill.watchdog import Sight
from mill.worker import Answer, Error, Fatal, Maker, Work, seal_shard, warm, work
from versemill.config import digest
from versemill.device import resolve
from versemill.errors import ConfigError, ShardError, VersemillError

POLL_SECONDS = 0.25
WATCH_SECONDS = 0.5
SNAPSHOT_SECONDS = 3.0
LOST_LIMIT = 3
"""How often an asset may be on a worker that vanished without a word before the asset is blamed for it."""


@dataclass
class Task:
    """A Ray task in flight: assets of a chunk, or the shard that is being sealed."""

    token: str
    orders: tuple[Order, ...] = ()
    shard: int | None = None
    verdict: tuple[str, int, str, str] | None = None
    """(reason, index, stage, message), when we killed it."""


def run(
    pipeline: Pipeline,
    out: str | Path,
    address: str | None = None,
    progress: bool = True,
    only: Sequence[int] | None = None,
    maker: Maker = stages.make,
) -> Summary:
    """Makes a dataset, or goes on with one that is not complete.

    Args:
        pipeline: from `mill.config.load`.
        out: the dataset's folder or URI.
        address: of a running Ray cluster; None starts one for this run.
        progress: show it on standard error.
        only: make just these indices afresh, beside the dataset, seal nothing, and return their records: how one
            failure is reproduced alone.
        maker: makes one asset; a function of a module that workers can import.

    Raises:
        ConfigError: the config can't be run here, the folder holds another dataset or can't be written.
        VersemillError: another run is writing there, the disk is full, or a shard can't be sealed.
        KeyboardInterrupt: on SIGINT and SIGTERM, after the workers are stopped; the same command goes on.
    """
    dataset = Dataset.at(out)
    if maker is stages.make:
        resolve(pipeline.render.device)
    with contextlib.ExitStack() as held:
        held.enter_context(cluster.terminable())
        # All that can be refused is refused before the lock, which leaves a folder and a file.
        plan = Plan.of(pipeline, (dataset.read("dataset.json") or {}).get("files", {}))
        try:
            if only is not None and (bad := [index for index in only if not 0 <= index < plan.assets]):
                raise ConfigError(f"index {bad[0]} is not in this dataset; it has 0..{plan.assets - 1}")
            wanted = layout.describe(pipeline, plan.assets, plan.files)
            layout.is_there(dataset, wanted)
            if address is not None:
                held.enter_context(cluster.joined(address, None))
            held.enter_context(layout.locked(dataset))
            layout.establish(dataset, wanted)
        except OSError as error:
            raise ConfigError(f"can't write to '{out}': {error.strerror or error}") from error
        sealed = dataset.sealed()
        if only is None and len(sealed) == dataset.shards:
            return summarise(dataset)
        return _Run(plan, dataset, sealed, progress, only, maker).go(address)


class _Run:
    """The state of one run. Everything that must survive it is on disk."""

    def __init__(
        self, plan: Plan, dataset: Dataset, sealed: list[int], progress: bool, only: Sequence[int] | None, maker: Maker
    ) -> None:
        self.plan, self.dataset, self.sealed, self.only = plan, dataset, sealed, only
        self.id = secrets.token_hex(6)
        self.real = maker is stages.make
        self.device = resolve(plan.pipeline.render.device) if self.real else "cpu"
        self.print = fingerprint(self.device)
        self.fingerprint = digest(self.print)
        self.staging = Staging(dataset, f"only/{self.id}" if only is not None else f"staging/{self.fingerprint[:12]}")
        self.limits = plan.pipeline.run
        self.maker = maker
        self.progress = progress
        self.tasks: dict[Any, Task] = {}
        self.since: dict[tuple[str, int], float] = {}
        self.lost: dict[int, int] = {}
        self.seals: dict[int, int] = {}
        self.outcomes: dict[int, dict[str, Any]] = {}
        self.stage_seconds: dict[str, float] = {}
        self.cpu = 0.0
        self.count = 0

    def go(self, address: str | None) -> Summary:
        """Runs until nothing is left to make or seal."""
        workers = None if self.limits.workers == "auto" else self.limits.workers
        self.staging.clean(others=self.only is None)
        done = [] if self.only is not None else self.staging.finished()
        self.tally = Tally(total=0)
        with Display(self.tally, self.progress) as self.display:
            kernels = self._kernels()
            with cluster.joined(address, workers) as self.cluster:
                self.width = min(workers or self.cluster.cpus, self.cluster.cpus)
                self.schedule = Schedule(
                    self.dataset, self.sealed, done, self.limits.retries, self.limits.chunk, self.width, self.only
                )
                self.tally.total, self.tally.earlier = self.schedule.total, len(done)
                self._submit_shared(kernels)
                self.wardens = cluster.Wardens(self.id)
                self.started = time.monotonic()
                self.began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
                state = "stopped"
                try:
                    self._loop()
                    state = "done"
                finally:
                    self._stop()
                    self._snapshot(state)
        if self.only is not None:
            self.dataset.remove_folder("only")
        else:
            self.dataset.remove_folder("staging")
            card.write(self.dataset)
        return self._summary()

    def _kernels(self) -> tuple[str, ...]:
        if not self.real:
            return ()
        from render import KERNELS

        kernels = (*KERNELS, "versemill.queries")
        started = time.monotonic()
        warm(kernels, self.device)
        if time.monotonic() - started > 5:
            self.display.say(f"compiled the render kernels in {time.monotonic() - started:.0f} s; they are cached from now on")
        return kernels

    def _submit_shared(self, kernels: tuple[str, ...]) -> None:
        import ray

        recipe = self.plan.recipe(self.dataset.info["digest"], self.fingerprint)
        uri = self.dataset.root if self.dataset.local else self.dataset.uri
        self.shared = ray.put(Work(uri, self.staging.folder, self.id, recipe, self.maker, kernels, self.device))
        gpus = min(1.0, self.cluster.gpus / self.width) if self.device.startswith("cuda") else 0.0
        self.work = ray.remote(work).options(num_cpus=1, num_gpus=int(gpus * 1000) / 1000, max_retries=0)
        self.seal = ray.remote(seal_shard).options(num_cpus=1, max_retries=0)

    def _loop(self) -> None:
        import ray

        limit = self.width + (1 if self.cluster.embedded else 0)
        watched = saved = time.monotonic()
        self._snapshot("running")
        while True:
            while len(self.tasks) < limit and self._start():
                pass
            if not self.tasks:
                return
            ready, _ = ray.wait(list(self.tasks), num_returns=1, timeout=POLL_SECONDS)
            for ref in ready:
                self._receive(ref, self.tasks.pop(ref))
            now = time.monotonic()
            if now - watched >= WATCH_SECONDS:
                self._watch(now)
                watched = now
            if now - saved >= SNAPSHOT_SECONDS:
                self._snapshot("running")
                saved = now
            self.display.update()

    def _start(self) -> bool:
        """Starts one more task if there is anything to do."""
        token = f"{self.count:09d}"
        if self.schedule.to_seal:
            shard = self.schedule.to_seal.popleft()
            rows = tuple(i for i, record in self.staging.records(shard).items() if record["status"] == "row")
            ref = self.seal.remote(self.shared, shard, rows)
            self.tasks[ref] = Task(token, shard=shard)
        else:
            indices = self.schedule.take()
            if not indices:
                if self.schedule.to_seal:  # taking may have found shards with nothing left to make
                    return self._start()
                return False
            orders = tuple(self.plan.order(index) for index in indices)
            self.tasks[self.work.remote(self.shared, token, orders)] = Task(token, orders)
        self.count += 1
        return True

    def _receive(self, ref: Any, task: Task) -> None:
        import ray

        try:
            answer = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            self._task_raised(task, error.cause)
        except ray.exceptions.RayError as error:
            if task.shard is not None:
                self._reseal(task.shard, f"the worker that sealed it died: {type(error).__name__}")
            else:
                self._crashed(task, error)
        else:
            if task.shard is not None:
                self._sealed(task.shard, answer)
            else:
                self._answered(answer)

    def _task_raised(self, task: Task, cause: BaseException) -> None:
        """An error outside any asset: a damaged staging file is mended, all else ends the run."""
        if task.shard is not None and isinstance(cause, ShardError):
            self._reseal(task.shard, str(cause))
        elif isinstance(cause, OSError):
            raise VersemillError(f"can't write to '{self.dataset.uri}': {cause}; mend it, then run the same command") from cause
        else:
            raise cause

    def _answered(self, answer: Answer) -> None:
        self.cpu += answer.cpu
        if answer.results:
            self.schedule.took(answer.seconds / len(answer.results))
        for index, result in answer.results:
            if isinstance(result, Error):
                self._failed(index, result.reason, result.stage, result.message, None, list(result.log))
            else:
                self._finished(result)
        if answer.fatal:
            raise _fatal(answer.fatal)

    def _finished(self, record: dict[str, Any]) -> None:
        index = record["index"]
        self.schedule.settle(index)
        self.tally.add(record["source"], record["status"])
        for stage, (_, cpu) in record.get("seconds", {}).items():
            self.stage_seconds[stage] = self.stage_seconds.get(stage, 0.0) + cpu
        if self.only is not None:
            self.outcomes[index] = record

    def _failed(self, index: int, reason: str, stage: str, message: str, sign: str | None, log: list[str]) -> None:
        if self.schedule.blame(index):
            return
        order = self.plan.order(index)
        failure: dict[str, Any] = {"stage": stage, "reason": reason, "signal": sign, "message": message}
        failure |= {"tries": self.schedule.tries(index), "log": log}
        record = {"index": index, "source": order.entry, "status": "failed", "failure": failure}
        if order.item:
            record["item"] = order.item
        self.staging.write(record)
        self.display.say(f"asset {index} failed at {stage}: {message}")
        self._finished(record)

    def _crashed(self, task: Task, error: Exception) -> None:
        """The worker died. What it had finished stands; the one it was on is blamed; the rest is made again, alone."""
        words = self.wardens.last_words(task.token)
        on, stage, sign, log = (words.index, words.stage, words.signal, words.lines) if words else (None, "start", None, [])
        reason, message = "crashed", f"its worker died of {sign}" if sign else "its worker died without a trace of why"
        if task.verdict:
            reason, on, stage, message = task.verdict
            sign = "SIGKILL"
        elif type(error).__name__ == "OutOfMemoryError":
            reason, message = "memory", "the machine ran out of memory, and Ray killed the largest worker"
        for order in task.orders:
            record = self.staging.read(order.index)
            if record is not None:
                self._finished(record)
            elif order.index == on:
                self._failed(order.index, reason, stage, message, sign, log)
            elif words is None and len(task.orders) == 1:
                self._vanished(order.index, type(error).__name__)
            else:
                self.schedule.again(order.index)

    def _vanished(self, index: int, what: str) -> None:
        """A worker was lost before it said a word: its node died, or it could not start. Not the asset's fault at first."""
        self.lost[index] = self.lost.get(index, 0) + 1
        if self.lost[index] < LOST_LIMIT:
            self.schedule.again(index)
        else:
            self._failed(index, "lost", "start", f"{self.lost[index]} workers vanished with it ({what})", None, [])

    def _watch(self, now: float) -> None:
        """Kills tasks whose asset is over its deadline or its memory. The clock starts when a worker starts the asset."""
        by_token = {task.token: (ref, task) for ref, task in self.tasks.items()}
        seen = set()
        for sight in self.wardens.look():
            if sight.token not in by_token:
                continue
            ref, task = by_token[sight.token]
            key = (sight.token, sight.index)
            seen.add(key)
            age = now - self.since.setdefault(key, now)
            if task.verdict is None and age > self.limits.deadline_s:
                self._kill(ref, task, sight, "timeout", f"took longer than run.deadline_s = {self.limits.deadline_s:g} s")
            elif task.verdict is None and sight.memory_mb > self.limits.memory_mb:
                text = f"held {sight.memory_mb:.0f} MiB, more than run.memory_mb = {self.limits.memory_mb}"
                self._kill(ref, task, sight, "memory", text)
        self.since = {key: start for key, start in self.since.items() if key in seen}

    def _kill(self, ref: Any, task: Task, sight: Sight, reason: str, message: str) -> None:
        import ray

        task.verdict = (reason, sight.index, sight.stage, message)
        self.wardens.kill_children(sight.pid)
        ray.cancel(ref, force=True)

    def _sealed(self, shard: int, answer: dict[str, Any]) -> None:
        self.cpu += answer["cpu"]
        self.stage_seconds["seal"] = self.stage_seconds.get("seal", 0.0) + answer["sealing"]
        self.staging.close(shard, answer["facts"], self.print)

    def _reseal(self, shard: int, why: str) -> None:
        """Has damaged rows made again, and the shard sealed once more."""
        self.seals[shard] = self.seals.get(shard, 0) + 1
        if self.seals[shard] > LOST_LIMIT:
            raise VersemillError(f"shard {shard} can't be sealed: {why}")
        damaged = self.staging.drop_damaged(shard)
        if damaged:
            self.schedule.unseal(shard, damaged)
        else:
            self.schedule.to_seal.append(shard)

    def _stop(self) -> None:
        import ray

        for ref in self.tasks:
            with contextlib.suppress(ray.exceptions.RayError, ValueError):
                ray.cancel(ref, force=True)
        self.wall = time.monotonic() - self.started
        self.wardens.sweep()

    def _snapshot(self, state: str) -> None:
        """Writes what `versemill status` shows of this run."""
        wall = time.monotonic() - self.started
        busy = self.cpu / (wall * self.width) if wall > 0 else 0.0
        self.dataset.write(
            f"runs/{self.began.replace(':', '')}-{self.id}.json",
            {
                "run": self.id,
                "state": state,
                "host": platform.node(),
                "pid": os.getpid(),
                "began": self.began,
                "wall": round(wall, 2),
                "cores": self.width,
                "cpu": round(self.cpu, 2),
                "busy": round(busy, 4),
                "in_flight": len(self.tasks) if state == "running" else 0,
                "made": self.tally.made,
                **{k: v for k, v in asdict(self.tally).items() if k != "by_source"},
                "by_source": self.tally.by_source,
                "stage_seconds": {k: round(v, 3) for k, v in self.stage_seconds.items()},
                "fingerprint": self.fingerprint,
            },
        )

    def _summary(self) -> Summary:
        made = max(self.tally.made, 1)
        return summarise(
            self.dataset,
            made=self.tally.made,
            wall=self.wall,
            cpu=self.cpu,
            cores=self.width,
            busy=self.cpu / (self.wall * self.width) if self.wall > 0 else 0.0,
            core_seconds={stage: seconds / made for stage, seconds in self.stage_seconds.items()},
            outcomes=tuple(self.outcomes[index] for index in self.only or ()),
        )


def _fatal(fatal: Fatal) -> Exception:
    return fatal.kind(fatal.message) if issubclass(fatal.kind, VersemillError) else VersemillError(fatal.message)


def try_task() -> str:
    """Starts Ray, runs one task on it and stops it; says what was found. For `versemill doctor`."""
    started = time.monotonic()
    with cluster.joined(None, 1) as found:
        import ray

        pid = ray.get(ray.remote(lambda: os.getpid()).remote())
        text = f"Ray {ray.__version__}: a task ran in process {pid}; {found.cpus} slot, {cluster.cores()} cores"
    return f"{text}; started and stopped in {time.monotonic() - started:.0f} s"
