"""The run: keeps a bounded number of tasks on Ray, judges what comes back, seals shards, and survives its workers.

Ray retries nothing here. An asset that raises, crashes its worker, outlives its deadline or outgrows its memory is
tried again alone, a bounded number of times, and then goes into the ledger as failed. What is on disk is
always enough to resume: the same command continues a run that was killed.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from versemill.errors import ConfigError, VersemillError
from versemill.mill.folder import card, census, disk, strays
from versemill.mill.folder import dataset as layout
from versemill.mill.folder.dataset import Dataset
from versemill.mill.folder.ledger import Summary as Summary
from versemill.mill.folder.ledger import summarise
from versemill.mill.folder.staging import Staging
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.plan import Plan
from versemill.mill.run import cluster, crew, signals
from versemill.mill.run.cluster import Cluster
from versemill.mill.run.crew import Crew
from versemill.mill.run.flights import LOST_LIMIT, Fault, Flights, Landing, stopped
from versemill.mill.run.progress import Display, Log, LogFormat, Tally
from versemill.mill.run.record import Record
from versemill.mill.run.schedule import Schedule
from versemill.mill.run.shipping import environment
from versemill.mill.run.worker import Maker
from versemill.mill.terminal import Terminal
from versemill.shards import storage
from versemill.shards.storage import shown

POLL_SECONDS = 0.25
SNAPSHOT_SECONDS = 3.0


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
                keep = partial(_staging, dataset.location, only is not None)
                who = Crew(pipeline, plan.recipe(dataset.info["digest"], ""), keep, maker, display.say)
                display.log.run = who.id
                with ray() as ray_cluster, who.working(ray_cluster):
                    return _Run(plan, dataset, sealed, only, who, ray_cluster, guard, tally, display).go()
        except OSError as error:  # a disk or an object store that was there a moment ago
            raise VersemillError(
                f"the run on '{shown(out)}' stopped: {error}; fix it, then run the same command again"
            ) from error


def _staging(location: str, only: bool, run: str, fingerprint: str) -> Callable[[], Staging]:
    """What opens the folder for finished assets."""
    return partial(Staging.at, location, f"only/{run}" if only else f"staging/{fingerprint[:12]}")


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
        crew: Crew[Staging],
        ray_cluster: Cluster,
        guard: disk.Guard,
        tally: Tally,
        display: Display,
    ) -> None:
        self.plan, self.dataset, self.only, self.crew = plan, dataset, only, crew
        self.guard, self.tally, self.display = guard, tally, display
        self.limits = plan.pipeline.run
        self.staging = crew.keep()
        self.staging.clean(others=only is None)
        done = [] if only is not None else self.staging.finished()
        self.schedule = Schedule(dataset, sealed, done, self.limits.retries, self.limits.chunk, crew.width, only)
        tally.total, tally.earlier = self.schedule.total, len(done)
        # One task more than there are slots waits at Ray's door, and as many as the renderers can take in.
        self.in_flight = crew.width + (1 if ray_cluster.embedded else 0) + 2 * crew.renderer_count
        self.record = Record(dataset, crew.id, tally, crew.width, crew.fingerprint)
        self.flights = Flights(crew, self.limits, ray_cluster.processes, self.staging.read)
        self.seals: dict[int, int] = {}
        self.outcomes: dict[int, dict[str, Any]] = {}

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
            self.flights.stop()
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
        saved = time.monotonic()
        self.record.write("running")
        while True:
            self.flights.check()
            while len(self.flights) < self.in_flight and self._start():
                pass
            if not self.flights:
                return
            try:
                landing = self.flights.wait(POLL_SECONDS)
            except OSError as error:
                self._check_there()
                raise VersemillError(
                    f"can't write to '{shown(self.dataset.uri)}': {error}; fix it, then run the same command"
                ) from error
            if landing is not None:
                self._land(landing)
            now = time.monotonic()
            if now - saved >= SNAPSHOT_SECONDS:
                self._check_there()
                self.record.write("running", len(self.flights))
                if self.only is None:
                    self.guard.during(self.tally.made, self.tally.row_bytes, self.tally.left, self.in_flight)
                saved = now
            self.display.update()

    def _start(self) -> bool:
        """Starts one more task if there is anything to do."""
        if self.schedule.to_seal:
            shard = self.schedule.to_seal.popleft()
            self.flights.seal(shard, self.staging.rows(shard))
            return True
        indices = self.schedule.take()
        if not indices:
            return bool(self.schedule.to_seal) and self._start()  # taking may have found shards with nothing left to make
        self.flights.work(tuple(self.plan.order(index) for index in indices))
        return True

    def _land(self, landing: Landing) -> None:
        """Takes in what came of a task."""
        self.tally.cpu += landing.cpu
        if landing.results:
            self.schedule.took(landing.seconds / landing.results)
        for record in landing.records:
            self._finished(record)
        for fault in landing.faults:
            self._failed(fault)
        for order in landing.again:
            self.schedule.again(order.index)
        if landing.sealed:
            self._sealed(*landing.sealed)
        if landing.unsealed:
            self._reseal(*landing.unsealed)
        if landing.fatal:
            self._check_there()
            raise stopped(landing.fatal)

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

    def _failed(self, fault: Fault) -> None:
        index, stage, message = fault.order.index, fault.stage, fault.message
        if self.schedule.blame(index):
            self.tally.retries += 1
            self.display.detail(f"asset {index} is tried again; at {stage}: {message}")
            return
        failure: dict[str, Any] = {"stage": stage, "reason": fault.reason, "signal": fault.signal, "message": message}
        failure |= {"tries": self.schedule.tries(index), "log": list(fault.log)}
        record = {"index": index, "source": fault.order.entry, "status": "failed", "failure": failure}
        if fault.order.item:
            record["item"] = fault.order.item
        self.staging.write(record)
        self.display.say(f"asset {index} failed at {stage}: {message}")
        self._finished(record)

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
