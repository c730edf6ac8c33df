"""What a run tells of itself, while it goes on and afterwards: one file in DIR/runs, and DIR/metrics.prom for Prometheus."""

import datetime
import os
import platform
import time
from dataclasses import asdict
from typing import Any

from versemill.mill.folder import disk
from versemill.mill.folder.dataset import Dataset
from versemill.mill.run.progress import Tally
from versemill.mill.terminal import printable
from versemill.shards import storage

from versemill import __version__

METRICS = "metrics.prom"

Metric = tuple[str, str, str, list[tuple[dict[str, Any], float]]]
"""Name, type, help, and (labels, value) of each sample."""


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
        storage.write_bytes(self._dataset.fs, self._dataset.path(METRICS), text.encode())


def exposition(dataset: Dataset, run: dict[str, Any] | None) -> str:
    """A dataset and its latest run in Prometheus' text format: for the textfile collector of its node exporter.

    Args:
        run: the run's record; None where there was none.
    """
    info = dataset.info
    about = {"pipeline": info["pipeline"], "seed": info["seed"], "digest": info["digest"][:12], "version": __version__}
    metrics: list[Metric] = [
        ("dataset_info", "gauge", "What the dataset is.", [(about, 1)]),
        ("dataset_assets", "gauge", "Assets that the dataset has when it is complete.", [({}, dataset.assets)]),
        ("dataset_shards", "gauge", "Shards that the dataset has when it is complete.", [({}, dataset.shards)]),
    ]
    metrics += _of_run(run) if run and "fates" in run else []
    lines = []
    for name, kind, text, samples in metrics:
        lines += [f"# HELP versemill_{name} {text}", f"# TYPE versemill_{name} {kind}"]
        for labels, value in samples:
            inner = ",".join(f'{key}="{_escaped(str(label))}"' for key, label in labels.items())
            lines.append(f"versemill_{name}{{{inner}}} {value}" if inner else f"versemill_{name} {value}")
    return "\n".join(lines) + "\n"


def _of_run(run: dict[str, Any]) -> list[Metric]:
    active = run["state"] == "running"
    rate = run["made"] / run["wall"] if run["wall"] else 0.0
    reasons = {key: [_split(reason, number) for reason, number in run[key].items()] for key in ("rejections", "failures")}
    stages = [[({"stage": name}, sums[k]) for name, sums in run["stages"].items()] for k in range(3)]
    fates = [({"source": s, "fate": fate}, n) for s, each in run["fates"].items() for fate, n in each.items()]
    found: list[Metric] = [
        ("dataset_shards_sealed", "gauge", "Shards that are complete.", [({}, run["shards_sealed"])]),
        ("run_active", "gauge", "1 while the latest run goes on.", [({}, int(active))]),
        ("run_seconds", "gauge", "How long the latest run has been going on, or took.", [({}, run["wall"])]),
        ("run_cores", "gauge", "CPU cores that the run uses.", [({}, run["cores"])]),
        ("run_busy_ratio", "gauge", "Share of the cores' time that workers used.", [({}, run["busy"])]),
        ("run_tasks_in_flight", "gauge", "Ray tasks that are waiting or running.", [({}, run["in_flight"])]),
        ("run_assets_left", "gauge", "Assets that are still to be made.", [({}, run["left"])]),
        ("run_assets_per_second", "gauge", "Mean rate of the run.", [({}, round(rate, 6))]),
        ("run_assets_total", "counter", "Assets that the run finished, by source and what became of them.", fates),
        ("run_rejections_total", "counter", "Assets that were rejected, by reason.", reasons["rejections"]),
        ("run_failures_total", "counter", "Assets that failed, by reason.", reasons["failures"]),
        ("run_retries_total", "counter", "Tries of assets that were repeated.", [({}, run["retries"])]),
        ("run_cpu_seconds_total", "counter", "CPU time of all workers.", [({}, run["cpu"])]),
        ("run_stage_assets_total", "counter", "Assets that entered a stage.", stages[0]),
        ("run_stage_cpu_seconds_total", "counter", "CPU time of a stage.", stages[1]),
        ("run_stage_seconds_total", "counter", "Wall time of a stage, summed over its assets.", stages[2]),
        ("run_row_bytes_total", "counter", "Bytes of the rows that were made.", [({}, run["row_bytes"])]),
    ]
    if active and rate:
        found.append(("run_eta_seconds", "gauge", "Seconds until the run is done.", [({}, round(run["left"] / rate, 1))]))
    if run["disk_free"] is not None:
        found.append(("disk_free_bytes", "gauge", "Free bytes of the dataset's file system.", [({}, run["disk_free"])]))
    return found


def _split(reason: str, number: int) -> tuple[dict[str, Any], float]:
    stage, _, why = reason.partition(": ")
    return {"stage": stage, "reason": why}, number


def _escaped(label: str) -> str:
    return printable(label).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
