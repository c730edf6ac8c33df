"""What the run costs over the work itself, what a second worker gains, and how many trivial assets it moves.

Peer: the stages called in a loop in one process, on the same indices.
"""

import tempfile
from pathlib import Path

import numpy as np
import psutil

from benchmarks.common import Benchmark, Table, measure
from mill import config, driver, stages
from mill.dataset import Dataset
from mill.fingerprint import fingerprint
from mill.plan import Plan
from mill.sources import Source
from mill.stages import Made, Note, Order, Recipe
from mill.worker import load_kernels
from shards import encode_row, write_row
from versemill import seeds
from versemill.asset import Asset
from versemill.config import Config, digest
from versemill.curated import Curated
from versemill.materials import Material

CORNERS = np.array([[-1, -1, -1], [1, -1, -1], [0, 1, -1], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], np.int32)


class TrivialConfig(Config):
    """A source of tetrahedra has nothing to set."""


def tetrahedron(settings: TrivialConfig, seed: int, index: int, item: str | None = None) -> Asset:
    """The same tetrahedron for every index."""
    zeros = np.zeros(4, np.int32)
    uvs = np.zeros((4, 3, 2), np.float32)
    return Asset(CORNERS, FACES, uvs, zeros, zeros, (Material(),), ("all",), seed=seed, index=index, source="trivial")


TRIVIAL = Source(TrivialConfig, tetrahedron)


def make_trivial(recipe: Recipe, order: Order, note: Note) -> Made:
    """A row without views and fields: what is left is the run's own cost."""
    asset = tetrahedron(TrivialConfig(), recipe.seed, order.index)
    curated = Curated(asset, asset.vertices, asset.faces)
    split = seeds.split(recipe.seed, order.index, recipe.shards.splits)
    settings, made_with = recipe.shards, recipe.fingerprint
    return Made(encode_row(curated, None, None, config=settings, digest=recipe.digest, fingerprint=made_with, split=split))


def run(quick: bool) -> Benchmark:
    """Measures a loop, one worker, two workers, and trivial assets."""
    assets = 8 if quick else 200
    with tempfile.TemporaryDirectory(prefix="versemill-bench-") as folder:
        trivial, memory = _trivial(500 if quick else 100_000, Path(folder) / "trivial")  # first, for the driver's own memory
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
    rate = trivial.made / trivial.wall
    moved = Table("trivial assets, two workers", ["assets", "assets/s", "driver MiB"])
    moved.rows = [[trivial.made, rate, memory]]
    figures = {
        "loop_seconds": loop,
        "one_worker_seconds": one.wall,
        "two_worker_seconds": two.wall,
        "overhead": one.wall / loop - 1,
        "overhead_cpu": one.cpu / loop_cpu - 1,
        "stage_cpu_ratio": stage_cpu / loop_cpu,
        "speedup": one.wall / two.wall,
        "busy": two.busy,
        "trivial_per_second": rate,
        "driver_mb": memory,
    }
    return Benchmark([work, moved], figures, "the stages in a loop, in one process, rows written to files")


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


def _run(assets: int, workers: int, folder: Path) -> driver.Summary:
    return driver.run(_pipeline(assets, workers), folder, progress=False)


def _trivial(assets: int, folder: Path) -> tuple[driver.Summary, float]:
    overrides = ["sources.zeroverse=null", "sources.trivial.source=benchmarks.run:TRIVIAL", "shards.assets_per_shard=1000"]
    pipeline = config.load("base", overrides=[*overrides, "run.workers=2"], assets=assets)
    summary = driver.run(pipeline, folder, progress=False, maker=make_trivial)
    return summary, psutil.Process().memory_info().rss / 2**20
