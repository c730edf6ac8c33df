"""What a dataset will cost: shards, core-hours, GPU-hours and bytes, extrapolated from assets that were made."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from scipy.special import stdtrit

from versemill.errors import ConfigError
from versemill.mill.folder import disk, entries
from versemill.mill.folder.dataset import Dataset, comparable, describe, differences
from versemill.mill.pipeline.config import Pipeline, restore
from versemill.mill.pipeline.plan import Plan
from versemill.mill.pipeline.stages import STAGES
from versemill.mill.run import cluster, driver
from versemill.mill.run.progress import duration
from versemill.shards.folder import shard_name

CONFIDENCE = 0.9
"""Of the interval about each estimate; it covers the luck of the sample, not a machine of another speed."""

LEVERS = {
    "source": "; a smaller texture_size, or detail=fast for DetailVerse, makes it cheaper",
    "curate": "; a smaller curate.resolution makes it cheaper",
    "render": "; fewer or smaller views (render.cameras.views, render.width, render.height), render.quality=fast, or a GPU "
    "(render.device=cuda) make it cheaper",
    "fields": "; fewer points (fields.near_points, fields.volume_points, ...) make it cheaper",
    "encode": "; smaller images, or a lower shards.zstd_level, make it cheaper",
}
"""Which settings make a stage cheaper."""

FEWEST = 2
"""Assets that a source needs in the sample for figures of its own; those of rarer ones are the whole sample's."""


@dataclass(frozen=True)
class Sample:
    """Assets that were made, in one array per figure.

    Attributes:
        sources: (N,) str, the source entry of each.
        cpu: stage -> (N,) CPU seconds, 0 where the asset did not get there; "seal" is shared out evenly.
        gpu: (N,) seconds on a GPU; 0 where rendered on a CPU.
        bytes: (N,) bytes in the shard; 0 for an asset without a row.
        rows: (N,) 1.0 for a row, else 0.0.
        origin: where the sample is from, for people.
    """

    sources: NDArray[np.str_]
    cpu: dict[str, NDArray[np.float64]]
    gpu: NDArray[np.float64]
    bytes: NDArray[np.float64]
    rows: NDArray[np.float64]
    origin: str


def estimate(pipeline: Pipeline, sample: int = 16, like: str | Path | None = None, progress: bool = True) -> dict[str, Any]:
    """The cost of a pipeline, JSON-able.

    Args:
        sample: how many assets are made in a temporary folder to measure them: the first ones of the dataset.
        like: a dataset of the same config to take the figures from instead; its seed, its size and its mix may differ.
        progress: show the sample's on standard error.

    Returns:
        `pipeline`, `seed`, `assets`, `sources` name -> assets; `shards` {count, assets_per_shard, last, first_file,
        last_file}; `sample` {assets, origin}; `core_seconds` stage -> mean per asset; and, each {value, low, high} with the
        90 % interval of the mean: `rows`, `core_hours`, `gpu_hours`, `bytes`; `disk_bytes` (the most that lies on the disk
        at once), `cores` and `hours` (on the cores of this machine).

    Raises:
        ConfigError: `like` is another dataset, or has no sealed shard.
    """
    plan = Plan.of(pipeline, {})
    measured = _measured(pipeline, min(sample, plan.assets), progress) if like is None else _taken(pipeline, plan, like)
    names = list(plan.items)
    counts = dict(zip(names, np.bincount(plan.assigned, minlength=len(names)).tolist(), strict=True))
    core_seconds = _total(measured, np.sum(list(measured.cpu.values()), 0), counts)
    size, rows = _total(measured, measured.bytes, counts), _total(measured, measured.rows, counts)
    cores = cluster.cores() if pipeline.run.workers == "auto" else pipeline.run.workers
    per_shard = pipeline.shards.assets_per_shard
    shards = -(-plan.assets // per_shard)
    in_one = min(per_shard, plan.assets) * size["value"] / plan.assets
    return {
        "pipeline": pipeline.name,
        "seed": pipeline.run.seed,
        "assets": plan.assets,
        "sources": counts,
        "shards": {
            "count": shards,
            "assets_per_shard": per_shard,
            "last": plan.assets - (shards - 1) * per_shard,
            "first_file": f"shards/{shard_name(0)}.parquet",
            "last_file": f"shards/{shard_name(shards - 1)}.parquet",
        },
        "sample": {"assets": len(measured.rows), "origin": measured.origin},
        "core_seconds": {stage: round(float(each.mean()), 4) for stage, each in measured.cpu.items()},
        "rows": rows,
        "core_hours": {key: value / 3600 for key, value in core_seconds.items()},
        "gpu_hours": {key: value / 3600 for key, value in _total(measured, measured.gpu, counts).items()},
        "bytes": size,
        "disk_bytes": size["value"] + 2 * in_one,
        "cores": cores,
        "hours": core_seconds["value"] / 3600 / cores,
    }


def _measured(pipeline: Pipeline, count: int, progress: bool) -> Sample:
    small = restore(pipeline.name, pipeline.resolved, [f"run.assets={count}"])
    with tempfile.TemporaryDirectory(prefix="versemill-plan-") as folder:
        driver.run(small, folder, progress=progress)
        return _of(Dataset.open(folder), f"the first {count} assets, made on this machine")


def _taken(pipeline: Pipeline, plan: Plan, like: str | Path) -> Sample:
    dataset = Dataset.open(like)
    old, new = (_config(info) for info in (dataset.info, describe(pipeline, plan.assets, plan.files)))
    if differing := differences(old, new):
        raise ConfigError(
            f"'{like}' was made by another config: {'; '.join(differing[:3])}; leave --from out, and a sample is made "
            "and measured"
        )
    if not dataset.sealed():
        raise ConfigError(f"'{like}' has no sealed shard yet, so nothing of it is known; leave --from out")
    return _of(dataset, f"the sealed shards of {like}")


def _config(info: dict[str, Any]) -> dict[str, Any]:
    """What decides how much an asset costs: all that `comparable` names but seed, size, files and the mix."""
    rest = {k: v for k, v in comparable(info).items() if k not in ("seed", "assets", "files")}
    return {
        **rest,
        "sources": {name: {k: v for k, v in entry.items() if k != "share"} for name, entry in rest["sources"].items()},
    }


def _of(dataset: Dataset, origin: str) -> Sample:
    sources: list[str] = []
    cpu: dict[str, list[float]] = {stage: [] for stage in (*STAGES, "seal")}
    gpu: list[float] = []
    size: list[float] = []
    rows: list[float] = []
    runs = dataset.runs()
    sealing = sum(run.get("stages", {}).get("seal", (0, 0.0))[1] for run in runs) / max(sum(run["made"] for run in runs), 1)
    for shard in dataset.sealed():
        entry, timings = entries.read(dataset, shard), entries.timings(dataset, shard)
        if not entry or not timings:
            continue
        on_gpu = entry["fingerprint"]["device"]["name"] != "cpu"
        made = {i: each for i, each in timings.items() if "seconds" in each}
        row_bytes = sum(each.get("bytes", 0) for each in made.values())
        for each in made.values():
            is_row = each["status"] == "row"
            part = each.get("bytes", 0) / row_bytes if row_bytes else is_row / max(entry["rows"], 1)
            sources.append(each["source"])
            size.append(part * entry["bytes"])
            rows.append(float(is_row))
            gpu.append(each["seconds"].get("render", (0.0, 0.0))[0] * on_gpu)
            for stage in STAGES:
                cpu[stage].append(each["seconds"].get(stage, (0.0, 0.0))[1])
            cpu["seal"].append(sealing)
    return Sample(
        np.array(sources), {k: np.array(v) for k, v in cpu.items()}, np.array(gpu), np.array(size), np.array(rows), origin
    )


def text(facts: dict[str, Any]) -> RenderableType:
    """The facts of `estimate` as a page for a terminal."""
    shards, measured, spread = facts["shards"], facts["sample"], f"{CONFIDENCE:.0%} interval"
    sources = ", ".join(f"{name} {count}" for name, count in facts["sources"].items())
    last = f", {shards['last']} in the last" if shards["last"] != shards["assets_per_shard"] else ""
    head = Text.assemble(
        (facts["pipeline"], "bold"),
        f", seed {facts['seed']}: {facts['assets']} assets ({sources})\n"
        f"{shards['count']} shards of {shards['assets_per_shard']} assets{last}: "
        f"{shards['first_file']} .. {shards['last_file']}\n"
        f"measured on {measured['assets']} assets: {measured['origin']}\n",
    )
    costs = Table("", "estimate", spread, box=None)
    for column in costs.columns[1:]:
        column.justify = "right"
    for name, word, shown in (
        ("rows", "rows", lambda x: f"{x:.0f}"),
        ("core_hours", "core-hours", _number),
        ("gpu_hours", "GPU-hours", _number),
        ("bytes", "bytes", disk.size),
    ):
        value = facts[name]
        costs.add_row(word, shown(value["value"]), f"{shown(value['low'])} .. {shown(value['high'])}")
    stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in facts["core_seconds"].items())
    total = sum(facts["core_seconds"].values())
    largest, most = max(facts["core_seconds"].items(), key=lambda item: item[1])
    tail = Text(
        f"\ncore-seconds per asset: {stages}; all {total:.2f}\n"
        f"on {facts['cores']} cores like these: {duration(facts['hours'] * 3600)}; "
        f"at most {disk.size(facts['disk_bytes'])} on the disk at once\n"
        f"{largest} takes {most / max(total, 1e-9):.0%} of the time{LEVERS.get(largest, '')}"
    )
    return Group(head, costs, tail)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def _total(sample: Sample, each: NDArray[np.float64], counts: dict[str, int]) -> dict[str, float]:
    """The sum over the planned assets, each source by its own mean, with the interval of a stratified sample."""
    total = variance = 0.0
    freedom = max(len(each) - 1, 1)
    for name, count in counts.items():
        own = each[sample.sources == name]
        own = own if len(own) >= FEWEST else each
        total += count * float(own.mean())
        if len(own) > 1:
            variance += count**2 * float(own.var(ddof=1)) / len(own)
            freedom = min(freedom, len(own) - 1)
    half = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(variance)
    return {"value": total, "low": max(total - half, 0.0), "high": total + half}
