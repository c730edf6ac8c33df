"""Thirty faults in one dataset, for `python -m benchmarks run --part faults`: what they do, and who does them.

Run as a program (`python -m benchmarks.faults CONFIG.json DIR`), it is the driver that is killed, whose disk fills and whose
clock jumps.
"""

import contextlib
import ctypes
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from benchmarks.trivial import tetrahedron
from versemill import seeds
from versemill.asset import Asset
from versemill.config import Config
from versemill.curated import Curated
from versemill.errors import VersemillError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline import config
from versemill.mill.pipeline.sources import Source
from versemill.mill.pipeline.stages import Made, Note, Order, Recipe
from versemill.mill.run import driver
from versemill.mill.upkeep.maintenance import retry
from versemill.shards import encode_row, read_rows

MARK = "VERSEMILL_BENCHMARK"
"""Environment variable by which all processes of a run are known."""

EXPECTED = {"raise": "exception", "abort": "crashed", "kill": "crashed", "loop": "timeout", "allocate": "memory"}
"""Lasting fault -> the reason that the ledger should give."""

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static volatile long none, *jump;
static long offset(void) {
  if (!jump) {
    const char *path = getenv("VERSEMILL_JUMP");
    int file = path ? open(path, O_RDONLY) : -1;
    void *there = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    jump = there == MAP_FAILED ? &none : (volatile long *)there;
  }
  return *jump;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int answer = real(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += offset();
  return answer;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  now->tv_sec = t.tv_sec;
  now->tv_usec = t.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *now) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  if (now) *now = t.tv_sec;
  return t.tv_sec;
}
"""
"""A wall clock that is off by the seconds in a file, for a process and its children (LD_PRELOAD)."""


class FaultyConfig(Config):
    """Where the faults are written."""

    faults: str = Field(default="", description="JSON file: index -> fault; 'once FAULT' strikes the first time only")


def generate(settings: FaultyConfig, seed: int, index: int, item: str | None = None) -> Asset:
    """A tetrahedron of its own for every index."""
    return tetrahedron(seed, index)


FAULTY = Source(FaultyConfig, generate)


def make(recipe: Recipe, order: Order, note: Note) -> Made:
    """A row without views and fields, after its fault."""
    settings = recipe.sources[order.entry][1]
    note("source")
    asset = generate(settings, recipe.seed, order.index)
    strike(Path(settings.faults), order.index)
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    split = seeds.split(recipe.seed, order.index, recipe.shards.splits)
    made_with = recipe.fingerprint
    row = encode_row(
        Curated(asset, asset.vertices, asset.faces), None, None, config=recipe.shards, digest=recipe.digest,
        fingerprint=made_with, split=split,
    )  # fmt: skip
    return Made(row)


def strike(file: Path, index: int) -> None:
    """Does to this process what the file says of the index."""
    kind = json.loads(file.read_text()).get(str(index), "")
    if kind.startswith("once "):
        kind = kind.removeprefix("once ")
        try:
            (file.parent / f"struck-{index}").touch(exist_ok=False)
        except FileExistsError:
            return
    if kind == "raise":
        raise RuntimeError("a deliberate error")
    if kind == "abort":
        os.abort()
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "loop":  # native code that keeps the interpreter lock: no Python signal handler runs
        ctypes.PyDLL(None).usleep(ctypes.c_uint(4_000_000_000))
    if kind == "allocate":
        hoard = []
        for _ in range(64):
            hoard.append(bytearray(b"x" * 2**26))  # 4 GB, touched
            time.sleep(0.02)
        time.sleep(60)


@dataclass
class Outcome:
    """What the faults did.

    Attributes:
        faults: how many struck. assets, shards: of the dataset.
        wrongly: assets that are marked and should not be, or should be and are not, or for another reason.
        rows_differ: rows whose content hash is not that of the undisturbed run.
        shards_differ: shards without a faulty asset whose bytes differ. after_retry: shards that differ after `retry`.
        left: what is left behind: processes, temporary files, shared memory.
        stops: why the driver had to be started again.
    """

    faults: int
    assets: int
    shards: int
    wrongly: list[str] = field(default_factory=list)
    rows_differ: int = 0
    shards_differ: int = 0
    after_retry: int = 0
    left: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    seconds: float = 0.0


def faults(assets: int, quick: bool) -> dict[int, str]:
    """Index -> fault; with the four that strike the driver they are thirty. With `quick`, one of each kind."""
    kinds = {"raise": 6, "abort": 5, "kill": 5, "loop": 3, "allocate": 3, "once abort": 2, "once kill": 2}
    listed = [kind for kind, count in kinds.items() for _ in range(1 if quick else count)]
    return dict(zip(sorted(random.Random(8).sample(range(assets), len(listed))), _shuffled(listed), strict=True))


def _shuffled(kinds: list[str]) -> list[str]:
    random.Random(9).shuffle(kinds)
    return kinds


def suffer(assets: int, quick: bool) -> Outcome:
    """Makes a dataset twice, undisturbed and under faults, and compares them."""
    before = _litter()
    struck = faults(assets, quick)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="versemill-faults-") as name, _disk(Path(name) / "disk") as disk:
        folder = Path(name)
        (folder / "faults.json").write_text("{}")
        pipeline = config.load(
            "base",
            overrides=[
                "sources.zeroverse=null", "sources.faulty.source=benchmarks.faults:FAULTY",
                f"sources.faulty.faults={folder / 'faults.json'}", "shards.assets_per_shard=10", "run.workers=2",
                "run.deadline_s=15", "run.memory_mb=640", "run.chunk=4",
            ],
            assets=assets,
        )  # fmt: skip
        (folder / "config.json").write_text(json.dumps(pipeline.resolved))
        driver.run(pipeline, folder / "calm", progress=False, maker=make)
        (folder / "faults.json").write_text(json.dumps({str(k): v for k, v in struck.items()}))
        outcome = Outcome(len(struck) + (1 if quick else 4), assets, Dataset.open(folder / "calm").shards)
        outcome.stops = _drive(folder, disk, quick)
        _compare(folder / "calm", disk / "faulty", struck, outcome)
        (folder / "faults.json").write_text("{}")
        retry(disk / "faulty", maker=make, progress=False)
        calm, mended = _hashes(folder / "calm"), _hashes(disk / "faulty")
        outcome.after_retry = sum(calm[shard] != mended.get(shard) for shard in calm)
        temporary = [p.name for p in (disk / "faulty").rglob("*") if ".tmp" in p.name or p.name in ("staging", "only")]
    outcome.left = [*temporary, *sorted(_litter() - before), *_processes()]
    outcome.seconds = time.monotonic() - started
    return outcome


def _drive(folder: Path, disk: Path, quick: bool) -> list[str]:
    """Starts the driver until the dataset is complete; kills it twice, fills its disk, makes its clock jump; or kills it."""
    jump = folder / "jump"
    jump.write_bytes(struct.pack("q", 0))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {MARK: str(os.getpid())}
    environment |= {"VERSEMILL_JUMP": str(jump), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    if (shim := _clock(folder)) is not None:
        environment["LD_PRELOAD"] = str(shim)
    stops: list[str] = []

    def kill(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)

    def fill(process: subprocess.Popen[bytes]) -> None:
        with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(2**16))

    def leap(process: subprocess.Popen[bytes]) -> None:
        for seconds in (86_400, -30 * 86_400):
            with jump.open("r+b") as file:  # in place: it is mapped into the memory of all
                file.write(struct.pack("q", seconds))
            time.sleep(3)

    events: list[tuple[float, Callable[[subprocess.Popen[bytes]], None]]] = [(0.2, kill), (0.4, fill), (0.6, leap), (0.8, kill)]
    del events[1 if quick else 4 :]
    total = json.loads((folder / "config.json").read_text())["run"]["assets"]
    while True:
        command = [sys.executable, "-m", "benchmarks.faults", str(folder / "config.json"), str(disk / "faulty")]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        while process.poll() is None:
            if events and _done(disk / "faulty") >= events[0][0] * total:
                _, event = events.pop(0)
                event(process)
            time.sleep(0.05)
        said = (process.stderr.read() if process.stderr else b"").decode(errors="replace").strip().splitlines()
        (disk / "filler").unlink(missing_ok=True)
        if process.returncode == 0:
            return stops
        stops.append(f"signal {-process.returncode}" if process.returncode < 0 else said[-1] if said else "without a word")
        if len(stops) > 6:
            raise RuntimeError(f"the driver does not get through: {stops}")


def _done(out: Path) -> int:
    """Assets that are finished."""
    sealed = len(list(out.glob("ledger/*.json")))
    return 10 * sealed + sum(1 for _ in out.glob("staging/*/*.json"))


def _clock(folder: Path) -> Path | None:
    """The compiled `CLOCK`; None without a C compiler: the clock does not jump then."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    (folder / "clock.c").write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "clock.so", folder / "clock.c", "-ldl"], check=True)
    return folder / "clock.so"


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """A small file system of its own, which can be filled; an ordinary folder where this user may not mount one."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192m", "none", str(folder)], capture_output=True, check=False)
    try:
        if mounted.returncode != 0:
            raise VersemillError("the faults need root, to mount a small disk and fill it")
        yield folder
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)


def _compare(calm: Path, faulty: Path, struck: dict[int, str], outcome: Outcome) -> None:
    lasting = {index: EXPECTED[kind] for index, kind in struck.items() if not kind.startswith("once")}
    dataset = Dataset.open(faulty)
    marked = {f["index"]: f["reason"] for s in dataset.sealed() for f in dataset.read(dataset.ledger_file(s))["failures"]}
    outcome.wrongly = [
        f"asset {i}, fault '{struck.get(i)}': marked {marked.get(i)}, expected {lasting.get(i)}"
        for i in sorted({*marked, *lasting})
        if marked.get(i) != lasting.get(i)
    ]
    before, after = _rows(calm), _rows(faulty)
    outcome.rows_differ = sum(before[i] != after.get(i) for i in before if i not in lasting)
    untouched = {shard for shard in range(dataset.shards) if not set(dataset.indices(shard)) & set(lasting)}
    whole, hurt = _hashes(calm), _hashes(faulty)
    outcome.shards_differ = sum(whole[shard] != hurt.get(shard) for shard in untouched)


def _rows(out: Path) -> dict[int, str]:
    """Index -> content hash."""
    dataset = Dataset.open(out)
    columns = ["meta.index", "meta.content_hash"]
    rows = (
        row["meta"] for s in dataset.sealed() for row in read_rows(dataset.path(dataset.shard_file(s)), columns, fs=dataset.fs)
    )
    return {meta["index"]: meta["content_hash"] for meta in rows}


def _hashes(out: Path) -> dict[int, str]:
    dataset = Dataset.open(out)
    return {shard: dataset.read(dataset.ledger_file(shard))["sha256"] for shard in dataset.sealed()}


def _litter() -> set[str]:
    """Files of Ray and ours in the places for temporary files and shared memory."""
    places = {"/tmp": ("versemill-ray-*", "versemill-run-*", "ray"), "/dev/shm": ("*",)}
    paths = {path for place, patterns in places.items() for pattern in patterns for path in Path(place).glob(pattern)}
    return {str(path) for path in paths if not _is_used(path)}


def _is_used(path: Path) -> bool:
    """Whether it is named after a process that lives, which may be somebody else's run."""
    owner = re.match(r"versemill-(?:ray|run)-(\d+)-", path.name)
    return bool(owner and psutil.pid_exists(int(owner[1])))


def _processes(patience: float = 120.0) -> list[str]:
    """Processes of the runs that do not end; Ray's agents ask a dead server for up to a minute."""
    end = time.monotonic() + patience
    while True:
        names = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get(MARK) == str(os.getpid()):
                    names.append(" ".join(process.cmdline())[:80])
        if not names or time.monotonic() > end:
            return names
        time.sleep(1)


def _main() -> Any:
    resolved, out = sys.argv[1:]
    pipeline = config.restore("faulty", json.loads(Path(resolved).read_text()))
    try:
        driver.run(pipeline, out, progress=False, maker=make)
    except VersemillError as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
