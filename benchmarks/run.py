"""What the run costs over the work itself, what a second worker gains, how many assets it moves, and what faults do to it."""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psutil

from benchmarks import faults, overhead, trivial
from benchmarks.common import Benchmark, Table
from versemill.mill.pipeline import config
from versemill.mill.run import driver


def against_loop(quick: bool) -> Benchmark:
    """One worker against a loop over the stages; see `benchmarks.overhead`."""
    return overhead.against_loop(8 if quick else 200)


def against_loop40(quick: bool) -> Benchmark:
    """The same on a fifth of the assets."""
    return overhead.against_loop(8 if quick else 40)


def workers(quick: bool) -> Benchmark:
    """Two workers against one."""
    return overhead.two_workers(8 if quick else 80)


def scale(quick: bool) -> Benchmark:
    """Trivial assets: rate, and the driver's memory while their number grows."""
    return _scale(500 if quick else 100_000)


def scale20k(quick: bool) -> Benchmark:
    """The same on a fifth of the assets."""
    return _scale(500 if quick else 20_000)


def _scale(assets: int) -> Benchmark:
    overrides = ["sources.zeroverse=null", "sources.trivial.source=benchmarks.trivial:TRIVIAL", "shards.assets_per_shard=1000"]
    pipeline = config.load("base", overrides=[*overrides, "run.workers=2"], assets=assets)
    memory: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            memory.append(psutil.Process(os.getpid()).memory_info().rss / 2**20)

    thread = threading.Thread(target=watch)
    before = faults._litter()
    with tempfile.TemporaryDirectory(prefix="versemill-bench-") as folder:
        thread.start()
        started, own = time.monotonic(), time.process_time()
        try:
            summary = driver.run(pipeline, Path(folder) / "a", progress=False, maker=trivial.make)
        finally:
            over.set()
            thread.join()
        whole, own = time.monotonic() - started, time.process_time() - own
    left = sorted(faults._litter() - before)
    # Past its first quarter the run is in full swing: what is added after it would go on being added.
    early, late = max(memory[: len(memory) // 4 + 1]), max(memory)
    columns = ["assets", "assets/s", "workers' core-ms each", "driver's", "driver MiB, first quarter", "at most", "left behind"]
    each = [1000 * seconds / summary.made for seconds in (summary.cpu, own)]
    moved = Table("trivial assets, two workers", columns)
    moved.rows = [[summary.made, summary.made / summary.wall, *each, early, late, len(left)]]
    figures = {
        "trivial_assets": summary.made,
        "trivial_per_second": summary.made / summary.wall,
        "trivial_seconds_in_all": whole,
        "trivial_worker_core_ms": each[0],
        "trivial_driver_core_ms": each[1],
        "driver_mb": late,
        "driver_growth_mb": late - early,
        "left_behind": len(left),
    }
    return Benchmark([moved], figures)


def thirty(quick: bool) -> Benchmark:
    """Thirty faults in 500 assets, among them four that strike the driver; see `benchmarks.faults`."""
    figures = faults.suffer(60 if quick else 500, quick)
    table = Table(f"{figures.faults} faults in {figures.assets} assets, {figures.shards} shards", ["what", "count"])
    table.rows = [
        ["assets wrongly marked, or not marked", len(figures.wrongly)],
        ["other rows whose content hash differs from the undisturbed run's", figures.rows_differ],
        ["shards without a faulty asset whose bytes differ", figures.shards_differ],
        ["shards whose bytes differ after `retry` without the faults", figures.after_retry],
        ["left behind: processes, temporary files, shared memory", len(figures.left)],
        ["times that the driver was started again", len(figures.stops)],
    ]
    for stop in figures.stops:
        table.rows.append([f"    {stop[:100]}", ""])
    table.rows += [[f"    {line}", ""] for line in (*figures.wrongly, *(f"left: {name}" for name in figures.left))]
    return Benchmark([table], {k: float(len(v) if isinstance(v, list) else v) for k, v in asdict(figures).items()})


PARTS: dict[str, Callable[[bool], Benchmark]] = {
    "scale": scale,
    "scale20k": scale20k,
    "overhead": against_loop,
    "overhead40": against_loop40,
    "workers": workers,
    "faults": thirty,
}


def run(quick: bool) -> Benchmark:
    """All parts but the small ones, one after another; the scale comes first, for the driver's own memory."""
    parts = [part(quick) for part in (scale, against_loop, workers, thirty)]
    return Benchmark([t for b in parts for t in b.tables], {k: v for b in parts for k, v in b.figures.items()}, overhead.PEER)
