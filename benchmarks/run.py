"""What the run costs over the work itself, what a second worker gains, how many assets it moves, and what faults do to it.

Peer: the stages called in a loop in one process, on the same indices.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psutil

from benchmarks import faults, trivial
from benchmarks.common import Benchmark, Table, measure
from mill import config, driver, stages
from mill.dataset import Dataset
from mill.fingerprint import fingerprint
from mill.ledger import Summary
from mill.plan import Plan
from mill.worker import load_kernels
from shards import write_row
from versemill.config import digest

PEER = "the stages in a loop, in one process, rows written to files"


def overhead(quick: bool) -> Benchmark:
    """A loop, one worker, two workers, on the same quickstart assets."""
    return _overhead(8 if quick else 200)


def overhead40(quick: bool) -> Benchmark:
    """The same on a fifth of the assets."""
    return _overhead(8 if quick else 40)


def _overhead(assets: int) -> Benchmark:
    with tempfile.TemporaryDirectory(prefix="versemill-bench-") as folder:
        loop, loop_cpu = _loop(assets, Path(folder) / "loop")
        one = _run(assets, 1, Path(folder) / "one")
        two = _run(assets, 2, Path(folder) / "two")
    stage_cpu = sum(seconds for stage, seconds in one.core_seconds.items() if stage != "seal") * assets
    work = Table(f"{assets} quickstart assets", ["how", "seconds", "core-seconds", "seconds / loop"])
    work.rows = [
        ["loop over the stages (peer)", loop, loop_cpu, 1.0],
        ["run, one worker", one.wall, one.cpu, one.wall / loop],
        ["run, two workers", two.wall, two.cpu, two.wall / loop],
    ]
    figures = {
        "loop_seconds": loop,
        "one_worker_seconds": one.wall,
        "two_worker_seconds": two.wall,
        "overhead": one.wall / loop - 1,
        "overhead_cpu": one.cpu / loop_cpu - 1,
        "stage_cpu_ratio": stage_cpu / loop_cpu,
        "speedup": one.wall / two.wall,
        "busy": two.busy,
    }
    return Benchmark([work], figures, PEER)


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
        started = time.monotonic()
        try:
            summary = driver.run(pipeline, Path(folder) / "a", progress=False, maker=trivial.make)
        finally:
            over.set()
            thread.join()
        whole = time.monotonic() - started
    left = sorted(faults._litter() - before)
    # Past its first quarter the run is in full swing: what is added after it would go on being added.
    early, late = max(memory[: len(memory) // 4 + 1]), max(memory)
    moved = Table("trivial assets, two workers", ["assets", "assets/s", "driver MiB, first quarter", "at most", "left behind"])
    moved.rows = [[summary.made, summary.made / summary.wall, early, late, len(left)]]
    figures = {
        "trivial_assets": summary.made,
        "trivial_per_second": summary.made / summary.wall,
        "trivial_seconds_in_all": whole,
        "driver_mb": late,
        "driver_growth_mb": late - early,
        "left_behind": len(left),
    }
    return Benchmark([moved], figures, PEER)


def thirty(quick: bool) -> Benchmark:
    """Thirty faults in 500 assets, among them four that strike the driver; see `benchmarks.faults`."""
    found = faults.suffer(60 if quick else 500, quick)
    table = Table(f"{found.faults} faults in {found.assets} assets, {found.shards} shards", ["what", "count"])
    table.rows = [
        ["assets wrongly marked, or not marked", len(found.wrongly)],
        ["other rows whose content hash differs from the undisturbed run's", found.rows_differ],
        ["shards without a faulty asset whose bytes differ", found.shards_differ],
        ["shards whose bytes differ after `retry` without the faults", found.after_retry],
        ["left behind: processes, temporary files, shared memory", len(found.left)],
        ["times that the driver was started again", len(found.stops)],
    ]
    for stop in found.stops:
        table.rows.append([f"    {stop[:100]}", ""])
    table.rows += [[f"    {line}", ""] for line in (*found.wrongly, *(f"left: {name}" for name in found.left))]
    return Benchmark([table], {k: float(len(v) if isinstance(v, list) else v) for k, v in asdict(found).items()}, PEER)


PARTS: dict[str, Callable[[bool], Benchmark]] = {
    "scale": scale,
    "scale20k": scale20k,
    "overhead": overhead,
    "overhead40": overhead40,
    "faults": thirty,
}


def run(quick: bool) -> Benchmark:
    """All parts but the small ones, one after another; the scale comes first, for the driver's own memory."""
    found = [part(quick) for part in (scale, overhead, thirty)]
    return Benchmark([t for b in found for t in b.tables], {k: v for b in found for k, v in b.figures.items()}, PEER)


def _pipeline(assets: int, workers: int) -> config.Pipeline:
    return config.load("quickstart", overrides=[f"run.workers={workers}"], assets=assets, seed=1)


def _loop(assets: int, folder: Path) -> tuple[float, float]:
    from render import KERNELS

    pipeline = _pipeline(assets, 1)
    made_with = fingerprint(pipeline.render.device)
    load_kernels(tuple((name, "cpu") for name in (*KERNELS, "versemill.queries")))
    plan = Plan.of(pipeline, {})
    recipe = plan.recipe(pipeline.digest, digest(made_with))
    dataset = Dataset.at(folder)
    with measure() as span:
        for index in range(assets):
            outcome = stages.make(recipe, plan.order(index)).outcome
            if not hasattr(outcome, "reason"):
                write_row(dataset.fs, dataset.path(f"{index}.arrow"), outcome)
    return span.wall, span.cpu


def _run(assets: int, workers: int, folder: Path) -> Summary:
    return driver.run(_pipeline(assets, workers), folder, progress=False)
