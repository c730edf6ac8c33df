"""The run against a loop over its stages: the same assets and the same shards, each in a process of its own, on equal terms.

The peer is what one would write without `mill`: a loop that calls the stages and seals a shard whenever its rows are in. It
is held as a worker is: the same thread settings in its environment, and by `mill.run.worker.pin` the same one core. Both find
kernels compiled and files read by a first small loop. A shared machine gets faster and slower by a few per cent within
minutes, so the loop makes one half of the shards before the run and the other after it.

Run as a program (`python -m benchmarks.overhead first|second|1|2 ASSETS DIR`), it is one of those processes.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common import Benchmark, Table
from versemill.mill.pipeline import config

PEER = "a loop over the stages that seals the same shards, in one process with a worker's thread settings, on one core"
HALVES = ("first", "second")
SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Cost:
    """What one process and its descendants took, from its start to its end.

    Attributes:
        wall, cpu: seconds in all; core-seconds of all processes: driver, workers and Ray's own.
        working: wall seconds from when the first asset could start to when the last shard was sealed.
        facts: what the process says of itself.
    """

    wall: float
    cpu: float
    working: float
    facts: dict[str, Any]

    @property
    def starting(self) -> float:
        """Wall seconds before and after the work: Python, imports, Ray's start and stop; for the loop, kernels too."""
        return self.wall - self.working

    def joined(self, other: "Cost") -> "Cost":
        """Both as if they had been one process: the other's start and end, on one core, don't count."""
        return Cost(self.wall + other.working, self.cpu + other.cpu - other.starting, self.working + other.working, self.facts)


def against_loop(assets: int) -> Benchmark:
    """Half of the loop, one worker, the other half."""
    with tempfile.TemporaryDirectory(prefix="versemill-bench-") as name:
        folder = Path(name)
        _cost("second", 2, folder / "warm")
        first, one, second = (
            _cost(how, assets, folder / to) for how, to in [("first", "loop"), ("1", "one"), ("second", "loop")]
        )
        loop = first.joined(second)
        differ = _differ(folder / "loop", folder / "one")
    table = _table(assets, {"loop over the stages (peer)": loop, "run, one worker": one})
    table.rows.append(["shards whose bytes differ", differ, "", "", "", ""])
    stages = Table("one worker's core-seconds per asset", ["stage", "core-seconds"])
    stages.rows = [[stage, seconds] for stage, seconds in one.facts["core_seconds"].items()]
    figures = {
        "loop_seconds": loop.wall,
        "one_worker_seconds": one.wall,
        "overhead": one.wall / loop.wall - 1,
        "overhead_cpu": one.cpu / loop.cpu - 1,
        "overhead_without_start": one.working / loop.working - 1,
        "start_seconds": one.starting,
        "shards_differ": differ,
    }
    return Benchmark([table, stages], figures, PEER)


def two_workers(assets: int) -> Benchmark:
    """One worker and two."""
    with tempfile.TemporaryDirectory(prefix="versemill-bench-") as name:
        folder = Path(name)
        _cost("second", 2, folder / "warm")
        one, two = _cost("1", assets, folder / "one"), _cost("2", assets, folder / "two")
        differ = _differ(folder / "one", folder / "two")
    table = _table(assets, {"run, one worker": one, "run, two workers": two})
    table.rows.append(["shards whose bytes differ", differ, "", "", "", ""])
    figures = {
        "speedup": one.wall / two.wall,
        "speedup_without_start": one.working / two.working,
        "busy": two.facts["busy"],
        "two_workers_differ": differ,
    }
    return Benchmark([table], figures, "the run with one worker")


def _table(assets: int, costs: dict[str, Cost]) -> Table:
    first = next(iter(costs.values()))
    columns = ["how", "seconds in all", "of them start and end", "core-seconds", "times the first", "without start and end"]
    table = Table(f"{assets} quickstart assets", columns)
    table.rows = [
        [how, cost.wall, cost.starting, cost.cpu, cost.wall / first.wall, cost.working / first.working]
        for how, cost in costs.items()
    ]
    return table


def _cost(how: str, assets: int, folder: Path) -> Cost:
    """Starts one of the processes and watches it and its descendants until they end."""
    from versemill.mill.run.cluster import WORKER_ENVIRONMENT

    environment = {**os.environ, **(WORKER_ENVIRONMENT if how in HALVES else {})}
    command = [sys.executable, "-m", "benchmarks.overhead", how, str(assets), str(folder)]
    started = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        watched = psutil.Process(process.pid)
        spent: dict[int, float] = {}
        while process.poll() is None:
            spent |= _spent(watched)
            time.sleep(SAMPLE_SECONDS)
        wall = time.monotonic() - started
        said = process.stdout.read().splitlines() if process.stdout else []
    if process.returncode:
        raise RuntimeError(f"'{' '.join(command)}' ended with exit code {process.returncode}")
    facts = json.loads(said[-1])
    return Cost(wall, sum(spent.values()), facts["working"], facts)


def _spent(root: psutil.Process) -> dict[int, float]:
    """Process id -> core-seconds so far, of a process and all that descend from it."""
    spent = {}
    try:
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            spent[process.pid] = times.user + times.system
    except psutil.NoSuchProcess:
        pass  # it ended while we looked: what was seen before stands
    return spent


def _differ(a: Path, b: Path) -> int:
    """Shards that are not the same bytes in both folders."""
    first, second = (
        {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (folder / "shards").glob("*.parquet")} for folder in (a, b)
    )
    return sum(first.get(name) != second.get(name) for name in first.keys() | second.keys())


def _pipeline(assets: int, workers: int) -> config.Pipeline:
    return config.load("quickstart", overrides=[f"run.workers={workers}"], assets=assets, seed=1)


def loop(half: str, assets: int, folder: Path) -> dict[str, Any]:
    """The peer: makes the assets of one half of the shards one after another and seals these."""
    from versemill.config import digest
    from versemill.mill.folder.dataset import Dataset
    from versemill.mill.folder.fingerprint import fingerprint
    from versemill.mill.pipeline import stages
    from versemill.mill.pipeline.plan import Plan
    from versemill.mill.run.worker import load_kernels, pin, shard_metadata
    from versemill.render import KERNELS
    from versemill.shards.writing import seal

    pin()
    pipeline = _pipeline(assets, 1)
    made_with = fingerprint(pipeline.render.device)
    load_kernels(tuple((name, "cpu") for name in (*KERNELS, "versemill.queries")))
    plan = Plan.of(pipeline, {})
    recipe = plan.recipe(pipeline.digest, digest(made_with))
    dataset = Dataset.at(folder)
    per_shard = pipeline.shards.assets_per_shard
    started = time.monotonic()
    shards = -(-assets // per_shard)
    for shard in range(shards // 2) if half == "first" else range(shards // 2, shards):
        indices = range(shard * per_shard, min(assets, (shard + 1) * per_shard))
        made = (stages.make(recipe, plan.order(index)) for index in indices)
        rows = [each.outcome for each in made if each.record["status"] == "row"]
        seal(dataset.fs, dataset.path(dataset.shard_file(shard)), rows, shard_metadata(recipe, shard), recipe.shards)
    return {"working": time.monotonic() - started}


def run(assets: int, workers: int, folder: Path) -> dict[str, Any]:
    """The run itself."""
    from versemill.mill.run import driver

    summary = driver.run(_pipeline(assets, workers), folder, progress=False)
    return {"working": summary.wall, "busy": summary.busy, "core_seconds": summary.core_seconds}


if __name__ == "__main__":
    how, count, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    sys.stdout.write(json.dumps(loop(how, count, out) if how in HALVES else run(count, int(how), out)) + "\n")
