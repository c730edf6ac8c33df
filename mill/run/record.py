"""What a run records about itself, during it and afterwards: one file in DIR/runs, and DIR/metrics.prom for Prometheus."""

import datetime
import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from versemill import __version__
from versemill.mill.folder import disk
from versemill.mill.folder.dataset import Dataset
from versemill.mill.run.progress import Tally
from versemill.mill.terminal import printable
from versemill.shards import storage

METRICS_FILE = "metrics.prom"
COUNTED = (
    "state", "wall", "made", "rejections", "failures", "stages", "fates", "shards_sealed", "cores", "busy", "in_flight", "left",
    "retries", "cpu", "row_bytes", "disk_free",
)  # fmt: skip
"""What the metrics need of a run's record."""


class Record:
    """The record of one run; `write` brings its files up to date.

    Runs are numbered: which came last must not depend on the clock, which may jump.
    """

    def __init__(self, dataset: Dataset, run: str, tally: Tally, cores: int, fingerprint: str) -> None:
        self._dataset, self._run, self._tally, self._cores, self._fingerprint = dataset, run, tally, cores, fingerprint
        self._started = time.monotonic()
        self._began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._number = 1 + max((record.get("number", 0) for record in dataset.runs()), default=0)
        self._sealed = len(dataset.sealed())

    @property
    def wall(self) -> float:
        """Seconds since the first task could start."""
        return time.monotonic() - self._started

    @property
    def busy(self) -> float:
        """Share of the cores' time that the workers used."""
        return self._tally.cpu / (self.wall * self._cores)

    def write(self, state: str, in_flight: int = 0) -> None:
        """Writes the record and the metrics; `state` is "running", "done" or "stopped"."""
        tally = self._tally
        facts: dict[str, Any] = {
            "number": self._number,
            "run": self._run,
            "state": state,
            "host": platform.node(),
            "pid": os.getpid(),
            "began": self._began,
            "wall": round(self.wall, 2),
            "cores": self._cores,
            "busy": round(self.busy, 4),
            "in_flight": in_flight,
            "made": tally.made,
            "left": tally.left,
            **{word: tally.fate(fate) for word, fate in (("rows", "row"), ("rejected", "rejected"), ("failed", "failed"))},
            **asdict(tally),
            "cpu": round(tally.cpu, 2),
            "stages": {k: [n, round(cpu, 3), round(wall, 3)] for k, (n, cpu, wall) in tally.stages.items()},
            "shards_sealed": self._sealed + tally.sealed,
            "disk_free": disk.free(self._dataset),
            "fingerprint": self._fingerprint,
        }
        self._dataset.write(f"runs/{self._number:06d}-{self._run}.json", facts)
        text = exposition(self._dataset, facts)
        storage.write_bytes(self._dataset.fs, self._dataset.path(METRICS_FILE), text.encode())


def exposition(dataset: Dataset, run: dict[str, Any] | None) -> str:
    """A dataset and its latest run in Prometheus' text format: for the textfile collector of its node exporter.

    Args:
        run: the run's record; None where there was none.
    """
    registry = CollectorRegistry()
    registry.register(_Families([*_of_dataset(dataset), *(_of_run(run) if run and set(COUNTED) <= set(run) else ())]))
    return generate_latest(registry).decode()


class _Families(Collector):
    """Figures that others have counted, as prometheus_client collects them."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """All of them."""
        return self._families


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    """One metric, `kind` "gauge" or "counter", and the (labels, value) of each sample."""
    family = Metric(f"versemill_{name}", text, kind)
    for labels, value in samples:
        shown = {label: printable(text) for label, text in labels.items()}
        family.add_sample(f"versemill_{name}" + ("_total" if kind == "counter" else ""), shown, value)
    return family


def _of_dataset(dataset: Dataset) -> list[Metric]:
    info = dataset.info
    about = {"pipeline": info["pipeline"], "seed": str(info["seed"]), "digest": info["digest"][:12], "version": __version__}
    return [
        _family("dataset_info", "gauge", "What the dataset is.", [(about, 1)]),
        _family("dataset_assets", "gauge", "Assets that the dataset has when it is complete.", [({}, dataset.assets)]),
        _family("dataset_shards", "gauge", "Shards that the dataset has when it is complete.", [({}, dataset.shards)]),
    ]


def _of_run(run: Mapping[str, Any]) -> list[Metric]:
    active = run["state"] == "running"
    rate = run["made"] / run["wall"] if run["wall"] else 0.0
    reasons = {key: [_split(reason, number) for reason, number in run[key].items()] for key in ("rejections", "failures")}
    stages = [[({"stage": name}, sums[k]) for name, sums in run["stages"].items()] for k in range(3)]
    fates = [({"source": s, "fate": fate}, n) for s, each in run["fates"].items() for fate, n in each.items()]
    families = [
        _family("dataset_shards_sealed", "gauge", "Shards that are complete.", [({}, run["shards_sealed"])]),
        _family("run_active", "gauge", "1 while the latest run is active.", [({}, int(active))]),
        _family("run_seconds", "gauge", "How long the latest run has been going on, or took.", [({}, run["wall"])]),
        _family("run_cores", "gauge", "CPU cores that the run uses.", [({}, run["cores"])]),
        _family("run_busy_ratio", "gauge", "Share of the cores' time that workers used.", [({}, run["busy"])]),
        _family("run_tasks_in_flight", "gauge", "Ray tasks that are waiting or running.", [({}, run["in_flight"])]),
        _family("run_assets_left", "gauge", "Assets that are still to be made.", [({}, run["left"])]),
        _family("run_assets_per_second", "gauge", "Mean rate of the run.", [({}, round(rate, 6))]),
        _family("run_assets", "counter", "Assets that the run finished, by source and what became of them.", fates),
        _family("run_rejections", "counter", "Assets that were rejected, by reason.", reasons["rejections"]),
        _family("run_failures", "counter", "Assets that failed, by reason.", reasons["failures"]),
        _family("run_retries", "counter", "Tries of assets that were repeated.", [({}, run["retries"])]),
        _family("run_cpu_seconds", "counter", "CPU time of all workers.", [({}, run["cpu"])]),
        _family("run_stage_assets", "counter", "Assets that entered a stage.", stages[0]),
        _family("run_stage_cpu_seconds", "counter", "CPU time of a stage.", stages[1]),
        _family("run_stage_seconds", "counter", "Wall time of a stage, summed over its assets.", stages[2]),
        _family("run_row_bytes", "counter", "Bytes of the rows that were made.", [({}, run["row_bytes"])]),
    ]
    if active and rate:
        left = round(run["left"] / rate, 1)
        families.append(_family("run_eta_seconds", "gauge", "Seconds until the run is done.", [({}, left)]))
    if run["disk_free"] is not None:
        families.append(
            _family("disk_free_bytes", "gauge", "Free bytes of the dataset's file system.", [({}, run["disk_free"])])
        )
    return families


def _split(reason: str, number: int) -> tuple[dict[str, str], float]:
    stage, _, why = reason.partition(": ")
    return {"stage": stage, "reason": why}, number
