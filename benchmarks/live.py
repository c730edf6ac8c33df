"""Live data: samples per second next to reading shards; and with --minutes, a training on it.

The training is `versemill train gaussians --live tiny` for so many minutes. It prints the share of time that it waited for
assets, how busy the cores were, and how the memory of all processes went. Then the assets of its first epochs are milled into
shards, and the same steps are trained from them in the same order: the losses have to be equal.
"""

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.common import Benchmark, Table, measure
from versemill.mill.live import LiveDataset
from versemill.mill.live.draws import Draw, epoch_seed
from versemill.mill.live.record import DRAWS, read
from versemill.mill.live.training import lesson
from versemill.mill.pipeline import config
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.run import driver
from versemill.mill.run.cluster import cores
from versemill.reconstruction import GAUSSIANS
from versemill.shards import ShardDataset
from versemill.training.batches import Ordered
from versemill.training.loop import fit
from versemill.training.runs import RECORDS
from versemill.training.scenes import Scenes

PEER = "reading the same assets from sealed shards"
READING: dict[str, Any] = {"passes": ("rgb", "depth"), "resolution": 64}
PER_EPOCH = 96
COMPARED_EPOCHS = 2
SAMPLE_SECONDS = 1.0
WARM = 8
"""Samples before the clock of live data starts: workers load their kernels."""


def run(quick: bool, minutes: float | None = None) -> Benchmark:
    """Both parts; see the module."""
    return throughput(quick) if minutes is None else train_for(minutes, quick)


def throughput(quick: bool) -> Benchmark:
    """Samples per second of live data, of a cache, and of shards."""
    assets = 12 if quick else 96
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory(prefix="versemill-bench-") as name:
        folder = Path(name)
        pipeline = _pipeline(assets, f"live.cache={folder / 'cache'}")
        started = time.perf_counter()
        with LiveDataset(_pipeline(assets), split=None, **READING) as live:
            stream = iter(live)
            warm = sum(1 for _ in islice(stream, WARM))
            start, before = time.perf_counter() - started, live.cpu
            with measure() as milling:
                count = sum(1 for _ in stream)
            rows.append(["live, milled as they are drawn", count / milling.wall, (live.cpu - before) / count, start])
            lost = sum(live.tally.lost.values())
        with LiveDataset(pipeline, split=None, **READING) as live:
            kept = sum(1 for _ in live)
            live.set_epoch(0)
            with measure() as hitting:
                again = sum(1 for _ in live)
        rows.append(["live, from the cache", again / hitting.wall, hitting.cpu / again, ""])
        driver.run(pipeline, folder / "shards", progress=False)
        with measure() as opening:
            shards = ShardDataset(folder / "shards", **READING)
        with measure() as reading:
            for position in range(len(shards)):
                shards[position]
        rows.append(["shards", len(shards) / reading.wall, reading.cpu / len(shards), opening.wall])
    table = Table(
        f"{assets} assets of pipeline 'tiny', {cores()} workers, rgb and depth at 64²",
        ["how", "samples/s", "core-seconds per sample", "seconds to start"], rows,
    )  # fmt: skip
    figures = {
        "live_per_second": rows[0][1], "cached_per_second": rows[1][1], "shards_per_second": rows[2][1],
        "live_over_shards": rows[0][1] / rows[2][1], "start_seconds": start, "lost": lost, "warm": warm, "kept": kept,
    }  # fmt: skip
    return Benchmark([table], figures, PEER)


def _pipeline(assets: int, *more: str, seed: int = 0) -> Pipeline:
    return config.load("tiny", overrides=more, assets=assets, seed=seed)


class EnoughError(Exception):
    """The minutes are over."""


def train_for(minutes: float, quick: bool) -> Benchmark:
    """Trains live for so long, then compares with shards."""
    pipeline = _pipeline(12 if quick else PER_EPOCH)
    recipe = GAUSSIANS.preset("micro" if quick else "tiny")
    with tempfile.TemporaryDirectory(prefix="versemill-bench-") as name:
        folder = Path(name)
        end = time.monotonic() + 60 * minutes
        steps: list[int] = [0]

        def progress(step: int, total: int, record: Mapping[str, float]) -> None:
            steps[0] = step
            if time.monotonic() > end:
                raise EnoughError

        with lesson(GAUSSIANS, pipeline, recipe, folder / "live") as given, watched() as watch:
            started = time.monotonic()
            with suppress(EnoughError):
                fit(
                    given.family, given.items, given.recipe, folder / "live", 0, "cpu", progress, origin=given.origin,
                    watch=given.watch,
                )  # fmt: skip
            wall, tally = time.monotonic() - started, given.live.tally
        draws = read(folder / "live" / DRAWS)
        losses = _losses(folder / "live")
        other = _from_shards(folder, pipeline, draws, min(len(losses), steps[0]))
        differ = [abs(a - b) for a, b in zip(losses, other, strict=False)]
    share, busy = tally.waited / wall, watch.cpu / (wall * cores())
    rows: list[list[Any]] = [
        ["steps, samples drawn", f"{steps[0]}, {tally.drawn}"],
        ["share of the time spent waiting for assets", share],
        [f"share of {cores()} cores that all processes used", busy],
        ["assets lost, by reason", "; ".join(f"{reason} {n}" for reason, n in tally.lost.items()) or "none"],
        ["assets in the making or waiting, at most", tally.most],
        ["MB of rows waiting, at most", tally.bytes / 1e6],
        *([f"MiB of all processes at {share:.0%} of the time", value] for share, value in watch.quarters()),
        ["MiB per minute over the last half", watch.slope()],
        [f"largest difference of {len(differ)} losses from shards", max(differ, default=float("nan"))],
    ]
    figures = {
        "steps": float(steps[0]), "drawn": float(tally.drawn), "wait_share": share, "busy": busy,
        "memory_mib_per_minute": watch.slope(), "compared": float(len(differ)), "differ": max(differ, default=float("nan")),
    }  # fmt: skip
    what = f"{minutes:g} minutes of gaussians, preset {recipe.name}, on pipeline 'tiny', an asset per draw"
    return Benchmark([Table(what, ["", "value"], rows)], figures, PEER)


def _losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / RECORDS).read_text().splitlines()]


class Played(Ordered):
    """The rows of sealed datasets, one per epoch, in the order of a record of draws."""

    def __init__(self, draws: Mapping[int, Draw], epochs: Sequence[Scenes]) -> None:
        self._draws, self._epochs = draws, epochs
        self._place = [{index: k for k, index in enumerate(scenes.indices)} for scenes in epochs]
        self.indices = [draw.index for draw in draws.values()]

    def __len__(self) -> int:
        return len(self._draws)

    def __getitem__(self, position: int) -> Any:
        draw = self._draws[position]
        return self._epochs[draw.epoch][self._place[draw.epoch][draw.index]]


def _from_shards(folder: Path, pipeline: Pipeline, draws: Mapping[int, Draw], steps: int) -> list[float]:
    """Losses of the first epochs' steps, from shards of the same indices."""
    recipe = GAUSSIANS.preset("tiny" if pipeline.run.assets == PER_EPOCH else "micro")
    within = [draw for draw in draws.values() if draw.epoch < COMPARED_EPOCHS]
    steps = min(steps, len(within) // recipe.batch)
    epochs = []
    for number in range(1 + max((draw.epoch for draw in within), default=0)):
        seeded = config.restore(pipeline.name, pipeline.resolved, [f"run.seed={epoch_seed(pipeline.run.seed, number)}"])
        driver.run(seeded, folder / f"epoch-{number}", progress=False)
        epochs.append(Scenes(folder / f"epoch-{number}", ("train",), recipe.size, keep=False))

    def progress(step: int, total: int, record: Mapping[str, float]) -> None:
        if step == steps:
            raise EnoughError

    with suppress(EnoughError):
        fit(GAUSSIANS, Played(draws, epochs), recipe, folder / "shards", 0, "cpu", progress)
    return _losses(folder / "shards")[:steps]


@dataclass
class Watch:
    """Memory and CPU of this process and all that descend from it, sampled."""

    times: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    spent: dict[int, float] = field(default_factory=dict)
    before: float = 0.0

    @property
    def cpu(self) -> float:
        """Core-seconds since the beginning; a process that lived between two samples is not seen."""
        return sum(self.spent.values()) - self.before

    def look(self) -> None:
        """Takes a sample."""
        total = 0
        root = psutil.Process()
        for process in (root, *root.children(recursive=True)):
            try:
                memory, used = process.memory_info(), process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += memory.rss - memory.shared  # Ray's object store is everybody's
            self.spent[process.pid] = used.user + used.system
        self.times.append(time.monotonic())
        self.mib.append(total / 2**20)

    def quarters(self) -> list[tuple[float, float]]:
        """(share of the time, MiB) at each quarter of the samples."""
        last = len(self.mib) - 1
        return [(share, self.mib[round(share * last)]) for share in (0.25, 0.5, 0.75, 1.0)]

    def slope(self) -> float:
        """MiB per minute over the last half of the samples."""
        half = len(self.mib) // 2
        if len(self.mib) - half < 3:
            return float("nan")
        return float(60 * np.polyfit(self.times[half:], self.mib[half:], 1)[0])


@contextmanager
def watched() -> Iterator[Watch]:
    """Samples in a thread for the length of the block."""
    watch, over = Watch(), threading.Event()
    watch.look()
    watch.before = sum(watch.spent.values())

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            watch.look()

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
