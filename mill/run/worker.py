"""What runs inside a Ray worker: a chunk of assets, one after another, or the sealing of a shard.

A worker is the killable process. It answers for what it can (rows, rejections, Python errors); for what kills it,
its note and log speak (see `mill.run.watchdog`).
"""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Protocol

import pyarrow as pa

from versemill.curated import Rejected
from versemill.errors import ConfigError, MissingDependencyError
from versemill.mill.folder.staging import Staging
from versemill.mill.pipeline.stages import Made, Note, Order, Recipe, RendererLost, cpu_seconds
from versemill.mill.run.watchdog import LOG_LINES, StageNote
from versemill.shards.writing import seal

Maker = Callable[[Recipe, Order, Note], Made]

Kernels = tuple[tuple[str, str], ...]
"""Modules of Warp kernels, each with the device that it is loaded for."""

StagedRows = tuple[tuple[int, str | None], ...]
"""Index and SHA-256 of each staged row of a shard, rising; None where an older version staged it."""

LOST = "renderer lost"
"""Reason of an error that only the driver can judge: the process that renders for all died, of this asset or of another."""

PR_SET_PDEATHSIG = 1
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Keep(Protocol):
    """Where finished assets go: a dataset's staging folder (`mill.folder.staging.Staging`), or back with the answer."""

    @property
    def place(self) -> str:
        """Its name, for errors about writing to it."""
        ...

    def put(self, index: int, row: pa.Table) -> dict[str, Any]:
        """Keeps a row; what the asset's record says of it."""
        ...

    def write(self, record: dict[str, Any]) -> None:
        """Keeps an asset's record, last of all."""
        ...


@dataclass(frozen=True)
class Work:
    """What all tasks of a run share.

    Attributes:
        run: id of the run; names the scratch folder.
        recipe, maker: how an asset is made.
        keep: opens the place for finished assets.
        kernels: Warp kernels to load before the first asset.
        pin: keep to one core.
    """

    run: str
    recipe: Recipe
    maker: Maker
    keep: Callable[[], Keep]
    kernels: Kernels = ()
    pin: bool = True


@dataclass(frozen=True)
class Error:
    """A Python error of one asset."""

    reason: str
    stage: str
    message: str
    log: tuple[str, ...]


@dataclass(frozen=True)
class Fatal:
    """An error that is not the asset's: a full disk, a store out of reach, a missing dependency. The run stops."""

    kind: type[Exception]
    message: str


@dataclass(frozen=True)
class Answer:
    """A chunk's outcome: the record or the error of each asset, in order; or why the run has to stop."""

    results: tuple[tuple[int, dict[str, Any] | Error], ...] = ()
    fatal: Fatal | None = None
    seconds: float = 0.0
    cpu: float = 0.0


def work(job: Work, token: str, orders: tuple[Order, ...]) -> Answer:
    """Makes and keeps a chunk of assets; each asset's error is its own."""
    started = time.perf_counter()
    die_with_parent()
    if job.pin:
        pin()
    load_kernels(job.kernels)
    keep = job.keep()
    results: list[tuple[int, dict[str, Any] | Error]] = []
    fatal = None
    with StageNote(job.run, token) as stage_note:
        for order in orders:
            stage = ["start"]

            def note(name: str, index: int = order.index, stage: list[str] = stage) -> None:
                stage[0] = name
                stage_note.write(index, name)

            note("start")
            try:
                results.append((order.index, make_asset(job, keep, order, note)))
            except (ConfigError, MissingDependencyError) as error:
                fatal = Fatal(type(error), f"asset {order.index}: {error}")
            except Exception as error:  # noqa: BLE001  any error of one asset is that asset's alone
                if isinstance(error, OSError) and (error.errno in DISK_ERRORS or stage[0] == "staging"):
                    way = "make room" if error.errno in DISK_ERRORS else "fix it"
                    fatal = Fatal(OSError, f"can't write to '{keep.place}': {error}; {way}, then run the same command")
                else:
                    results.append((order.index, _error(error, stage[0], stage_note)))
            if fatal:
                break
    return Answer(tuple(results), fatal, time.perf_counter() - started, spent())


def make_asset(job: Work, keep: Keep, order: Order, note: Note) -> dict[str, Any]:
    """Makes one asset and keeps its row and record; returns the record."""
    wall = time.perf_counter()
    made = job.maker(job.recipe, order, note)
    note("staging")
    record: dict[str, Any] = {"index": order.index, "source": order.entry}
    if order.item:
        record["item"] = order.item
    if isinstance(made.outcome, Rejected):
        record |= {"status": "rejected", "rejection": asdict(made.outcome)}
    else:
        record |= {"status": "row", "bytes": made.outcome.nbytes, **keep.put(order.index, made.outcome)}
    record |= {"seconds": {k: [round(x, 4) for x in v] for k, v in made.seconds.items()}}
    record["wall"] = round(time.perf_counter() - wall, 4)
    keep.write(record)
    return record


def seal_shard(job: Work, shard: int, rows: StagedRows) -> dict[str, Any]:
    """Writes one shard from its staged rows; returns its file's facts for the ledger.

    Raises:
        ShardError: a row is not the one that was staged.
    """
    die_with_parent()
    if job.pin:
        pin()
    before, wall = spent(), time.perf_counter()
    staging, recipe = job.keep(), job.recipe
    assert isinstance(staging, Staging)
    dataset = staging.dataset
    tables = (staging.row(index, sha256) for index, sha256 in rows)
    sealed = seal(dataset.fs, dataset.path(dataset.shard_file(shard)), tables, shard_metadata(recipe, shard), recipe.shards)
    facts = {"sha256": sealed.sha256, "bytes": sealed.bytes, "rows": sealed.rows}
    sealing = spent()
    return {"facts": facts, "sealing": sealing, "cpu": before + sealing, "wall": time.perf_counter() - wall}


def shard_metadata(recipe: Recipe, shard: int) -> dict[str, str]:
    """What the footer of a shard's file says of it."""
    return {
        "versemill.seed": str(recipe.seed),
        "versemill.shard": str(shard),
        "versemill.config_digest": recipe.digest,
        "versemill.fingerprint_digest": recipe.fingerprint,
    }


def spent() -> float:
    """CPU seconds of this process since it was last asked: its start-up and imports count too."""
    now = cpu_seconds()
    since, _reported[0] = _reported[0], now
    return now - since


_reported = [0.0]


def _error(error: Exception, stage: str, stage_note: StageNote) -> Error:
    frames = [line for text in traceback.format_exception(error) for line in text.splitlines()]
    log = stage_note.tail()[-LOG_LINES // 2 :] + frames[-LOG_LINES:]
    reason = "memory" if isinstance(error, MemoryError) else LOST if isinstance(error, RendererLost) else "exception"
    return Error(reason, stage, f"{type(error).__name__}: {error}"[:500], tuple(log))


@cache
def die_with_parent() -> None:
    """Has the kernel kill this process when its raylet dies: one that hangs in native code would outlive a killed driver."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@cache
def pin() -> None:
    """Keeps this process on a core that no other worker of ours holds: TBB and Embree ask the kernel, not OMP_NUM_THREADS.

    A core is held by an abstract socket of its name, which the kernel lets go when the process dies and which leaves no
    file. With more workers than cores the rest stay unpinned.
    """
    for core in sorted(os.sched_getaffinity(0)):
        handle = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            handle.bind(f"\0versemill-{os.getuid()}-core-{core}")
        except OSError:
            handle.close()
            continue
        _held.append(handle)
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208  names, not paths
            try:
                os.sched_setaffinity(int(thread), {core})
            except OSError:
                continue
        return


_held: list[socket.socket] = []


@cache
def load_kernels(kernels: Kernels) -> None:
    """Loads Warp kernels; the first process on a machine with a cold cache compiles, the others wait for it."""
    if not kernels:
        return
    from versemill.device import compile_kernels, usable_cache

    with (usable_cache() / "compile.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for module, device in kernels:
            compile_kernels([module], device)
