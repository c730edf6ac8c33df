"""The run: keeps a bounded number of tasks on Ray, judges what comes back, seals shards, and survives its workers.

Ray retries nothing here. An asset that raises, crashes its worker, outlives its deadline or outgrows its memory is
tried again alone, a bounded number of times, and then goes into the ledger as failed. What is on disk is
always enough to resume: the same command continues a run that was killed.
"""

import contextlib
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from versemill.errors import ConfigError, ShardError, VersemillError
from versemill.mill.folder import card, census, disk, strays
from versemill.mill.folder import dataset as layout
from versemill.mill.folder.dataset import Dataset
from versemill.mill.folder.ledger import Summary as Summary
from versemill.mill.folder.ledger import summarise
from versemill.mill.folder.staging import Staging
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.plan import Plan
from versemill.mill.pipeline.stages import Order
from versemill.mill.run import cluster, crew, signals
from versemill.mill.run.cluster import Cluster
from versemill.mill.run.crew import Crew
from versemill.mill.run.progress import Display, Log, LogFormat, Tally
from versemill.mill.run.record import Record
from versemill.mill.run.schedule import Schedule
from versemill.mill.run.shipping import environment
from versemill.mill.run.watchdog import RENDERER, Observation
from versemill.mill.run.worker import LOST, Answer, Error, Fatal, Maker
from versemill.mill.terminal import Terminal
from versemill.shards import storage
from versemill.shards.storage import shown

POLL_SECONDS = 0.25
WATCH_SECONDS = 0.5
SNAPSHOT_SECONDS = 3.0
LOST_LIMIT = 3
"""How often an asset may be on a worker that vanished without a word before the asset is blamed for it."""

BYSTANDER_LIMIT = 20
"""How often an asset may have waited for a renderer that died of another asset."""


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
    verbose: bool = False,
    log: LogFormat = "auto",
) -> Summary:
    """Makes a dataset, or resumes one that is not complete.

    Args:
        pipeline: from `mill.pipeline.config.load`.
        out: the dataset's folder or URI.
        address: of a running Ray cluster; None starts one for this run.
        progress: show it on standard error. verbose: also every asset, every retry, and what Ray has to say.
        log: "json" writes progress as JSON lines; see `mill.run.progress.Log`.
        only: make just these indices again, outside the dataset, seal nothing, and return their records: how one
            failure is reproduced alone.
        maker: makes one asset; a function of a module that workers can import.

    Raises:
        ConfigError: the config can't be run here, or the folder holds another dataset or can't be written.
        BusyError: another run is writing there.
        VersemillError: the disk is too small or full, the store out of reach, the folder gone, or a shard can't be sealed.
        KeyboardInterrupt: on SIGINT and SIGTERM, after the workers are stopped; the same call resumes.
    """
    dataset = Dataset.at(out)
    if maker is stages.make and address is None:
        crew.check(pipeline)
    with contextlib.ExitStack() as held:
        held.enter_context(signals.terminable())
        # All that can be refused is refused before the lock, which leaves a folder and a file.
        try:
            known = dataset.read("dataset.json")
            plan = Plan.of(pipeline, known.get("files", {}) if isinstance(known, dict) else {})
            if only is not None and (bad := [index for index in only if not 0 <= index < plan.assets]):
                raise ConfigError(f"index {bad[0]} is not in this dataset; it has 0..{plan.assets - 1}")
            description = layout.describe(pipeline, plan.assets, plan.files)
            exists = layout.is_there(dataset, description)
            guard = disk.Guard(dataset, disk.least(pipeline) if maker is stages.make else 0.0)
            if not exists and only is None:
                guard.before(plan.assets)
            slots = None if pipeline.run.workers == "auto" else pipeline.run.workers
            store = crew.store_bytes(pipeline, slots or cluster.cores()) if address is None and maker is stages.make else None
            ray = partial(cluster.joined, address, slots, environment(pipeline), store, verbose)
            if address is not None:
                held.enter_context(ray())
            held.enter_context(layout.locked(dataset))
            layout.establish(dataset, description)
        except OSError as error:
            raise _not_begun(str(out), error) from error
        tally = Tally(total=0)
        try:
            with Display(tally, Log(Terminal(stderr=True), dataset.uri, log), progress, verbose) as display:
                sealed = _sealed(dataset, only, display)
                if only is None and len(sealed) == dataset.shards:
                    return summarise(dataset)
                who = Crew(plan, dataset, maker, only is not None, display.say)
                display.log.run = who.id
                with ray() as ray_cluster, who.working(ray_cluster):
                    return _Run(plan, dataset, sealed, only, who, ray_cluster, guard, tally, display).go()
        except OSError as error:  # a disk or an object store that was there a moment ago
            raise VersemillError(
                f"the run on '{shown(out)}' stopped: {error}; fix it, then run the same command again"
            ) from error


def _not_begun(out: str, error: OSError) -> VersemillError:
    """What is said of an error before the first asset: of the user's path, or of a disk or a store, which may be well later."""
    if isinstance(error, storage.MISTAKES):
        return ConfigError(f"can't write to '{out}': {error.strerror or error}; choose another --out")
    return VersemillError(f"can't write to '{shown(out)}': {error.strerror or error}; fix it, then run the same command")


def _sealed(dataset: Dataset, only: Sequence[int] | None, display: Display) -> list[int]:
    """The shards that are finished. What is damaged or does not belong in the folder is set aside first, by name."""
    if only is not None:
        return dataset.sealed()
    names = strays.find(dataset)
    gone = census.absent(dataset, census.read(dataset))
    for shard in gone:
        file = dataset.shard_file(shard)
        exists = storage.exists(dataset.fs, dataset.path(file))
        display.say(f"'{file}' {'has another size than the ledger says' if exists else 'is missing'}: the shard is made again")
        names += [dataset.ledger_file(shard), *([file] if exists else [])]
    for name in names:
        display.say(f"'{name}' is damaged, or not of this dataset: it is set aside as '{dataset.set_aside(name)}'")
    return dataset.sealed()


class _Run:
    """The state of one run. Everything that must survive it is on disk."""

    def __init__(
        self,
        plan: Plan,
        dataset: Dataset,
        sealed: list[int],
        only: Sequence[int] | None,
        crew: Crew,
        ray_cluster: Cluster,
        guard: disk.Guard,
        tally: Tally,
        display: Display,
    ) -> None:
        self.plan, self.dataset, self.only, self.crew = plan, dataset, only, crew
        self.guard, self.tally, self.display = guard, tally, display
        self.limits = plan.pipeline.run
        self.staging = Staging(dataset, crew.staging)
        self.staging.clean(others=only is None)
        done = [] if only is not None else self.staging.finished()
        self.schedule = Schedule(dataset, sealed, done, self.limits.retries, self.limits.chunk, crew.width, only)
        tally.total, tally.earlier = self.schedule.total, len(done)
        # One task more than there are slots waits at Ray's door, and as many as the renderers can take in.
        self.in_flight = crew.width + (1 if ray_cluster.embedded else 0) + 2 * crew.renderer_count
        self.record = Record(dataset, crew.id, tally, crew.width, crew.fingerprint)
        self.tasks: dict[Any, Task] = {}
        self.done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.since: dict[tuple[str, int], float] = {}
        self.lost: dict[int, int] = {}
        self.seals: dict[int, int] = {}
        self.outcomes: dict[int, dict[str, Any]] = {}
        self.count = 0
        self.processes = ray_cluster.processes

    def go(self) -> Summary:
        """Runs until nothing is left to make or seal."""
        state = "stopped"
        try:
            self._loop()
            state = "done"
        except (VersemillError, OSError):
            self._check_there()  # where the dataset was removed, that is the reason for whatever failed
            raise
        finally:
            self._stop()
            wall, busy = self.record.wall, self.record.busy
            if self._there():
                self.record.write(state)
        if self.only is not None:
            self.dataset.remove_folder("only")
        else:
            self.dataset.remove_folder("staging")
            card.write(self.dataset)
        made = max(self.tally.made, 1)
        return summarise(
            self.dataset,
            made=self.tally.made,
            wall=wall,
            cpu=self.tally.cpu,
            cores=self.crew.width,
            busy=busy,
            core_seconds={stage: cpu / made for stage, (_, cpu, _) in self.tally.stages.items()},
            outcomes=tuple(self.outcomes[index] for index in self.only or ()),
        )

    def _loop(self) -> None:
        watched = saved = time.monotonic()
        self.record.write("running")
        while True:
            self._check()
            while len(self.tasks) < self.in_flight and self._start():
                pass
            if not self.tasks:
                return
            # Not `ray.wait`: it waits by the wall clock, and when that jumps it may wait for as long as the jump is.
            try:
                ref = self.done.get(timeout=POLL_SECONDS)
            except queue.Empty:
                ref = None
            self._check()  # before anything asks Ray
            if ref is not None:
                self._receive(ref, self.tasks.pop(ref))
            now = time.monotonic()
            if now - watched >= WATCH_SECONDS:
                self._watch(now, now - watched)
                watched = now
            if now - saved >= SNAPSHOT_SECONDS:
                self._check_there()
                self.record.write("running", len(self.tasks))
                if self.only is None:
                    self.guard.during(self.tally.made, self.tally.row_bytes, self.tally.left, self.in_flight)
                saved = now
            self.display.update()

    def _check(self) -> None:
        """Ends the run if Ray's own processes died, or a signal came: no asset is blamed for what that did to its worker."""
        self.processes.check()
        signals.check()

    def _start(self) -> bool:
        """Starts one more task if there is anything to do."""
        token = f"{self.count:09d}"
        if self.schedule.to_seal:
            shard = self.schedule.to_seal.popleft()
            self._follow(self.crew.seal(shard, self.staging.rows(shard)), Task(token, shard=shard))
        else:
            indices = self.schedule.take()
            if not indices:
                if self.schedule.to_seal:  # taking may have found shards with nothing left to make
                    return self._start()
                return False
            orders = tuple(self.plan.order(index) for index in indices)
            self._follow(self.crew.work(token, orders), Task(token, orders))
        self.count += 1
        return True

    def _follow(self, ref: Any, task: Task) -> None:
        self.tasks[ref] = task
        ref.future().add_done_callback(lambda _: self.done.put(ref))

    def _receive(self, ref: Any, task: Task) -> None:
        import ray

        try:
            answer = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            self._task_raised(task, error.cause)
        except ray.exceptions.RuntimeEnvSetupError as error:
            raise ConfigError(f"a node can't set up the runtime environment: {' '.join(str(error).split())[:500]}") from error
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
        """An error outside any asset: a damaged staging file is remade, all else ends the run."""
        if task.shard is not None and isinstance(cause, ShardError):
            self._reseal(task.shard, str(cause))
        elif isinstance(cause, OSError):
            self._check_there()
            raise VersemillError(
                f"can't write to '{shown(self.dataset.uri)}': {cause}; fix it, then run the same command"
            ) from cause
        elif "No module named" in str(cause):
            why = next(line for line in str(cause).splitlines() if "No module named" in line).strip()
            raise ConfigError(
                f"a worker can't import this run's code ({why}); install it on every node, or send it: --set run.ship=true"
            ) from cause
        else:
            raise cause

    def _answered(self, answer: Answer) -> None:
        self.tally.cpu += answer.cpu
        if answer.results:
            self.schedule.took(answer.seconds / len(answer.results))
        for index, result in answer.results:
            if not isinstance(result, Error):
                self._finished(result)
            elif result.reason == LOST:
                self._renderer_lost(index, result)
            else:
                self._failed(index, result.reason, result.stage, result.message, None, list(result.log))
        if answer.fatal:
            self._check_there()
            raise _fatal(answer.fatal)

    def _finished(self, record: dict[str, Any]) -> None:
        index = record["index"]
        self.schedule.settle(index)
        self.tally.add(record)
        if self.crew.renderer_count and "render" in record.get("seconds", {}):
            self.tally.cpu += record["seconds"]["render"][1]  # spent by the renderer, not by the worker
        if self.only is not None:
            self.outcomes[index] = record
        why = record.get("rejection") or record.get("failure")
        said = f"{record['status']} ({why['stage']}: {why['reason']})" if why else record["status"]
        self.display.detail(f"asset {index}: {said}, {record['source']}, {record.get('wall', 0.0):.1f} s")

    def _failed(self, index: int, reason: str, stage: str, message: str, sign: str | None, log: list[str]) -> None:
        if self.schedule.blame(index):
            self.tally.retries += 1
            self.display.detail(f"asset {index} is tried again; at {stage}: {message}")
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
        words = self.crew.monitors.exit_report(task.token)
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
                self._vanished(order.index, LOST_LIMIT, f"workers vanished with it ({type(error).__name__})")
            else:
                self.schedule.again(order.index)

    def _vanished(self, index: int, limit: int, what: str) -> None:
        """A worker was lost before it said a word: its node died, or it could not start. Not the asset's fault at first."""
        self.lost[index] = self.lost.get(index, 0) + 1
        if self.lost[index] < limit:
            self.schedule.again(index)
        else:
            self._failed(index, "lost", "start", f"{self.lost[index]} {what}", None, [])

    def _renderer_lost(self, index: int, error: Error) -> None:
        """The process that renders for all died: of this asset, which is blamed, or of another, which this one waited for."""
        verdict = self.crew.blame(index)
        if verdict is None:
            self._vanished(index, BYSTANDER_LIMIT, f"renderers died while it waited for them ({error.message})")
        else:
            reason, message, words = verdict
            self._failed(index, reason, "render", message, words.signal, words.lines)

    def _watch(self, now: float, elapsed: float) -> None:
        """Kills tasks whose asset is over its deadline or its memory. The clock starts when a worker starts the asset,
        and stands while the asset waits for a renderer, where another clock runs.
        """
        by_token = {task.token: task for task in self.tasks.values()}
        seen = set()
        for observation in self.crew.monitors.look():
            renders = observation.token.startswith(RENDERER)
            if not renders and observation.token not in by_token:
                continue
            key = (observation.token, observation.index)
            seen.add(key)
            self.since.setdefault(key, now)
            if self.crew.renderer_count and observation.stage == "render" and not renders:
                self.since[key] += elapsed
            if observation.memory_mb > self.limits.memory_mb:
                reason = "memory"
                message = f"held {observation.memory_mb:.0f} MiB, more than run.memory_mb = {self.limits.memory_mb}"
            elif now - self.since[key] > self.limits.deadline_s:
                reason, message = "timeout", f"took longer than run.deadline_s = {self.limits.deadline_s:g} s"
            else:
                continue
            if renders:
                self.crew.kill_renderer(observation, reason, message)
            else:
                self._kill(by_token[observation.token], observation, reason, message)
        self.since = {key: start for key, start in self.since.items() if key in seen}

    def _kill(self, task: Task, observation: Observation, reason: str, message: str) -> None:
        """Kills the worker, each time that it is still seen over its limits; the first reason stands."""
        if task.verdict is None or task.verdict[1] != observation.index:
            task.verdict = (reason, observation.index, observation.stage, message)
        self.crew.monitors.kill(observation)

    def _there(self) -> bool:
        return storage.exists(self.dataset.fs, self.dataset.path("dataset.json"))

    def _check_there(self) -> None:
        """Ends the run if somebody removed the dataset: what is written now would lie in a folder that is none."""
        if not self._there():
            raise VersemillError(
                f"'{shown(self.dataset.uri)}' was removed while the run wrote to it; run the same command to make it again"
            )

    def _sealed(self, shard: int, answer: dict[str, Any]) -> None:
        self._check_there()
        self.tally.cpu += answer["cpu"]
        self.tally.spent("seal", answer["sealing"], answer["wall"])
        self.tally.sealed += 1
        self.staging.close(shard, answer["facts"], self.crew.print)
        self.display.detail(f"shard {shard} is sealed: {answer['facts']['rows']} rows, {answer['facts']['bytes']} bytes")

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


def _fatal(fatal: Fatal) -> Exception:
    return fatal.kind(fatal.message) if issubclass(fatal.kind, VersemillError) else VersemillError(fatal.message)
