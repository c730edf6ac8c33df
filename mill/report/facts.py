"""Everything that the page shows, ready to print: from the census, the ledger, and a sample of rows and timings."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from versemill.mill.folder import census, entries
from versemill.mill.folder.census import Facts
from versemill.mill.folder.dataset import Dataset
from versemill.mill.report import distributions, gallery, rejected
from versemill.mill.report.gallery import Whole
from versemill.mill.report.status import status
from versemill.mill.run.progress import duration
from versemill.shards import read_rows
from versemill.training.family import Metric
from versemill.training.tables import heading

SAMPLED_SHARDS = 100
"""Shards whose rows are counted for the distributions and whose timings are ranked."""

EXAMPLES = 3
"""Rejections of one reason that are quoted."""

FAILURES, RUNS, FILES, LICENCES = 50, 10, 200, 50
"""Entries listed of each; the rest is counted."""

COLUMNS = ("meta.index", "meta.source", "meta.split", "meta.licences", "meta.metrics", "meta.provenance",
           "meta.depth_to_surface", "mesh.face_count", "views.info")  # fmt: skip

CONFIG_CHARACTERS = 60_000
GRID_BYTES = 300_000


def facts(dataset: Dataset, assets: int = gallery.THUMBNAILS) -> dict[str, Any]:
    """What the template prints; see there for each. `assets`: see `gallery.thumbnails`."""
    state = status(dataset.location)
    by_shard = census.read(dataset)
    gone = census.absent(dataset, by_shard)
    sealed = census.whole({shard: fact for shard, fact in by_shard.items() if shard not in gone})
    sample = [sealed[int(k)] for k in np.unique(np.linspace(0, len(sealed) - 1, min(SAMPLED_SHARDS, len(sealed))).astype(int))]
    rows = [row for fact in sample if fact["rows"] for row in read_rows(dataset.path(fact["file"]), COLUMNS, fs=dataset.fs)]
    tried = {name: sum(counts.values()) for name, counts in state["sources"].items()}
    comparisons = distributions.comparisons(dataset.info["config"], tried, rows)
    tests = [each["p"] for each in comparisons if each["p"] is not None]
    examples = _examples(dataset, sealed, state["rejections"])
    return {
        "info": dataset.info,
        "place": dataset.uri,
        "state": state,
        "gallery": [*gallery.cards(dataset, sealed), *gallery.thumbnails(dataset, sealed, assets)],
        "comparisons": comparisons,
        "tested": len(tests),
        "doubtful": sum(p < 0.05 for p in tests),
        "unlikely": sum(p < 0.001 for p in tests),
        "histograms": distributions.histograms(rows),
        "row_sources": distributions.sources(rows),
        "counted": len(rows),
        "splits": census.count(row["meta"]["split"] for row in rows),
        "licences": _licences(rows),
        "rejections": examples,
        "pictures_of_rejected": rejected.pictures(
            dataset.location, [e["index"] for r in examples for e in r["examples"] if r["drawable"]]
        ),
        "stages": _stages(state),
        "spread": _spread(dataset, sample),
        "validation": _validation(dataset),
        "config": _cut(yaml.safe_dump(_public(dataset.info["config"]), sort_keys=False, allow_unicode=True)),
        "files": {name: (len(record), list(record.items())[:FILES]) for name, record in dataset.info["files"].items()},
        "fingerprints": _fingerprints(dataset, sealed),
        "runs": state["runs"][: -RUNS - 1 : -1],
        "most_failures": FAILURES,
        "duration": duration,
    }


def _public(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without Ray's `runtime_env`, whose variables may be secrets."""
    run = {name: value for name, value in config.get("run", {}).items() if name != "runtime_env"}
    return {**config, "run": run} if run else config


def _cut(text: str) -> str:
    return Whole(text if len(text) <= CONFIG_CHARACTERS else text[:CONFIG_CHARACTERS] + "\n... the rest is in dataset.json")


def _licences(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many rows have a licence; those of the most rows, in the order of their names."""
    counted = Counter(licence[: gallery.WORD] for row in rows for licence in row["meta"]["licences"])
    return dict(sorted(counted.most_common(LICENCES)))


def _examples(dataset: Dataset, sealed: Sequence[Facts], reasons: dict[str, int]) -> list[dict[str, Any]]:
    """Each reason of rejection with how often it was given, and the first few assets that it was given for."""
    total = sum(reasons.values())
    result = []
    for reason, count in reasons.items():
        examples: list[dict[str, Any]] = []
        for fact in sealed:
            if reason in fact["rejections"] and len(examples) < EXAMPLES:
                entry = entries.read(dataset, int(fact["file"][-14:-8])) or {"rejections": []}
                examples += [r for r in entry["rejections"] if f"{r['stage']}: {r['reason']}" == reason]
        drawable = not reason.startswith(("source:", "ingest:"))  # those never became an asset
        result.append({"reason": reason, "count": count, "share": count / total, "examples": examples[:EXAMPLES],
                       "drawable": drawable})  # fmt: skip
    return result


def _stages(state: dict[str, Any]) -> list[dict[str, Any]]:
    most = max((stage["cpu"] for stage in state["stages"].values()), default=0) or 1
    total = sum(stage["cpu"] for stage in state["stages"].values()) or 1
    return [
        {"name": name, **stage, "bar": stage["cpu"] / most, "share": stage["cpu"] / total}
        for name, stage in state["stages"].items()
    ]


def _spread(dataset: Dataset, sample: Iterable[Facts]) -> dict[str, Any] | None:
    """Seconds of whole assets in the sampled shards: median, 95th percentile, most, and the slowest ones by stage."""
    walls: list[tuple[float, int, str, str]] = []
    for fact in sample:
        for index, record in entries.timings(dataset, int(fact["file"][-14:-8])).items():
            stages = {name: wall for name, (wall, _) in record.get("seconds", {}).items()}
            if stages:
                slowest = max(stages, key=lambda name: stages[name])
                walls.append((float(record.get("wall", sum(stages.values()))), int(index), str(record.get("source")), slowest))
    if not walls:
        return None
    seconds = np.array([wall for wall, *_ in walls])
    median, high = np.percentile(seconds, [50, 95])
    keys = ("wall", "index", "source", "stage")
    worst = [dict(zip(keys, each, strict=True)) for each in sorted(walls, reverse=True)[:5]]
    return {"count": len(walls), "median": float(median), "p95": float(high), "most": float(seconds.max()), "slowest": worst}


def _fingerprints(dataset: Dataset, sealed: Sequence[Facts]) -> list[dict[str, Any]]:
    """The environments that shards were made in, each with how many; read from one shard of each."""
    shards: dict[str, list[int]] = {}
    for fact in sealed:
        shards.setdefault(fact["fingerprint"], []).append(int(fact["file"][-14:-8]))
    result = []
    for digest, made in shards.items():
        entry = entries.read(dataset, made[0]) or {}
        text = yaml.safe_dump(entry.get("fingerprint"), sort_keys=False, width=100)
        result.append({"digest": digest, "count": len(made), "text": _cut(text)})
    return result


def _validation(dataset: Dataset) -> dict[str, Any] | None:
    """The verdict of `versemill validate`, if there is one: its sentence, a table, the picture grid."""
    content = dataset.read("validation.json")
    if not content:
        return None
    evaluation = content["metrics"].get("evaluation", {})
    summary = evaluation.get("summary", {})
    metrics = [Metric(**each) for each in evaluation.get("metrics", ())]
    table = [{"method": method, "cells": [_cell(m, means) for m in metrics]} for method, means in summary.items()]
    pictures = evaluation.get("files", {}).get("grid", [])
    grid = _grid(Path(dataset.root) / "validation", pictures[0]) if pictures and dataset.local else None
    return {
        "passed": content["passed"],
        "sentence": content["sentence"],
        "names": [heading(metric) for metric in metrics],
        "table": table if metrics else [],
        "grid": grid,
    }


def _cell(metric: Metric, means: dict[str, float]) -> str:
    return metric.text(means[metric.key]) if metric.key in means else ""


def _grid(folder: Path, name: str) -> str | None:
    places = [folder / name, folder / "evaluation" / Path(name).name, Path(name)]
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        return None
    shown = Image.open(path, formats=("PNG", "JPEG", "WEBP")).convert("RGB")
    shown.thumbnail((1400, 2000), Image.Resampling.LANCZOS)
    return gallery.webp(shown, GRID_BYTES)
