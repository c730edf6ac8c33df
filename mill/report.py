"""The report: one self-contained HTML page about a dataset, for people who were not there."""

import base64
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml
from PIL import Image

from mill.dataset import Dataset
from mill.preview import colour
from mill.progress import duration
from mill.status import status
from shards import read_rows, storage
from shards.rows import decode_pass
from shards.schema import QUANTISED
from versemill.views import PASSES

GALLERY = 24
"""Assets shown with pictures, spread evenly over the dataset."""

STATISTICS_SHARDS = 200
"""Shards whose rows are counted for the distributions; more would only take longer."""

HISTOGRAMS = 20

SIDE = 160
"""Pixels of a picture's side."""

SHOWN_PASSES = ("rgb", "normal", "depth", "mask", "geometric_normal", "albedo", "metallic_roughness", "part", "material")


def write(directory: str | Path) -> Path | str:
    """Writes DIR/report.html and returns where it is.

    Raises:
        ConfigError: there is no dataset.
        ShardError: a shard can't be read; `versemill verify` says which.
    """
    dataset = Dataset.open(directory)
    page = _template().render(**facts(dataset))
    storage.write_bytes(dataset.fs, dataset.path("report.html"), page.encode())
    return Path(dataset.root) / "report.html" if dataset.local else f"{dataset.uri.rstrip('/')}/report.html"


def facts(dataset: Dataset) -> dict[str, Any]:
    """Everything that the page shows, ready to print."""
    state = status(dataset.root if dataset.local else dataset.uri)
    entries = [entry for shard in dataset.sealed() if (entry := dataset.read(dataset.ledger_file(shard)))]
    rows = _statistics_rows(dataset, entries)
    return {
        "info": dataset.info,
        "state": state,
        "gallery": [_card(row) for row in _spread(dataset, entries)],
        "shares": _shares(dataset, state["sources"]),
        "splits": _tally(row["meta"]["split"] for row in rows),
        "licences": _tally(licence for row in rows for licence in row["meta"]["licences"]),
        "counted": len(rows),
        "histograms": _histograms(rows),
        "rejections": _examples(entries, state["rejections"]),
        "stages": _stages(state),
        "validation": _validation(dataset),
        "config": yaml.safe_dump(dataset.info["config"], sort_keys=False, allow_unicode=True),
        "fingerprints": _fingerprints(entries),
        "duration": duration,
    }


def _template() -> jinja2.Template:
    source = (resources.files("mill") / "templates" / "report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(source)


def _spread(dataset: Dataset, entries: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of up to `GALLERY` assets, evenly spread over all indices that have one."""
    there = [(entry, index) for entry in entries for index in entry["indices"]]
    chosen = [there[k] for k in np.linspace(0, len(there) - 1, min(GALLERY, len(there))).astype(int)]
    for entry in entries:
        wanted = {index for owner, index in chosen if owner is entry}
        if wanted:
            found = read_rows(dataset.fs, dataset.path(entry["file"]), ["meta", "views", "mesh.face_count"])
            yield from (row for row in found if row["meta"]["index"] in wanted)


def _card(row: dict[str, Any]) -> dict[str, Any]:
    meta, views = row["meta"], row["views"] or {}
    pictures = []
    for name in SHOWN_PASSES:
        if views.get(name):
            ranges = views[f"{name}_range"][:1] if name in QUANTISED else None
            planar = decode_pass(name, views[name][:1], ranges)
            images = np.moveaxis(planar, 1, -1) if PASSES[name].channels else planar
            pictures.append({"name": name.replace("_", " "), "data": picture(colour(name, images)[0])})
    more = []
    if views.get("rgb"):
        count = len(views["rgb"])
        for k in sorted({int(v) for v in np.linspace(0, count - 1, min(6, count))} - {0}):
            image = np.moveaxis(decode_pass("rgb", views["rgb"][k : k + 1]), 1, -1)
            more.append({"name": f"view {k}", "data": picture(colour("rgb", image)[0])})
    return {
        "meta": meta,
        "faces": row["mesh"]["face_count"],
        "pictures": pictures,
        "more": more,
        "provenance": json.dumps(json.loads(meta["provenance"]), indent=1)[:6000],
    }


def picture(image: Any) -> str:
    """An image (H, W, 3) uint8 as a data URI, at most `SIDE` pixels wide."""
    shown = Image.fromarray(np.asarray(image))
    shown.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=85, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _statistics_rows(dataset: Dataset, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    chosen = sorted({int(k) for k in np.linspace(0, len(entries) - 1, min(STATISTICS_SHARDS, len(entries)))})
    columns = ["meta.index", "meta.split", "meta.licences", "meta.metrics", "meta.depth_to_surface", "mesh.face_count"]
    return [row for k in chosen for row in read_rows(dataset.fs, dataset.path(entries[k]["file"]), columns)]


def _shares(dataset: Dataset, sources: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    configured = {name: entry["share"] for name, entry in dataset.info["config"]["sources"].items()}
    total = sum(configured.values())
    tried = max(sum(sum(counts.values()) for counts in sources.values()), 1)
    kept = max(sum(counts["rows"] for counts in sources.values()), 1)
    return [
        {
            "name": name,
            "configured": share / total,
            "tried": sum(sources[name].values()) / tried,
            "kept": sources[name]["rows"] / kept,
            **sources[name],
        }
        for name, share in configured.items()
    ]


def _tally(words: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items()))


def _histograms(rows: Sequence[dict[str, Any]], bins: int = 24) -> list[dict[str, Any]]:
    """Bars of the numbers that most rows have: what was made, and curation's own metrics."""
    columns: dict[str, list[float]] = {
        "triangles": [row["mesh"]["face_count"] for row in rows],
        "depth to surface": [d for row in rows if (d := row["meta"]["depth_to_surface"]) is not None],
    }
    for row in rows:
        for name, value in _numbers(json.loads(row["meta"]["metrics"])):
            columns.setdefault(name.replace("_", " "), []).append(value)
    result = []
    for name, values in columns.items():
        if len(values) < max(2, len(rows) // 2) or min(values) == max(values):
            continue
        counts, edges = np.histogram(values, bins)
        bars = [{"height": float(c) / int(counts.max()), "count": int(c)} for c in counts]
        shown = {"name": name, "bars": bars, "low": f"{edges[0]:.3g}", "high": f"{edges[-1]:.3g}"}
        result.append({**shown, "median": f"{float(np.median(values)):.3g}"})
    return result[:HISTOGRAMS]


def _numbers(metrics: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """(name, value) of every number in nested dictionaries, as "group name"."""
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name} ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def _examples(entries: Sequence[dict[str, Any]], reasons: dict[str, int]) -> list[dict[str, Any]]:
    examples: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        for rejection in entry["rejections"]:
            shown = examples.setdefault(f"{rejection['stage']}: {rejection['reason']}", [])
            if len(shown) < 3:
                shown.append(rejection)
    return [{"reason": reason, "count": count, "examples": examples.get(reason, [])} for reason, count in reasons.items()]


def _stages(state: dict[str, Any]) -> list[dict[str, Any]]:
    most = max((stage["cpu"] for stage in state["stages"].values()), default=0) or 1
    return [{"name": name, **stage, "share": stage["cpu"] / most} for name, stage in state["stages"].items()]


def _fingerprints(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        text = yaml.safe_dump(entry["fingerprint"], sort_keys=False, width=110)
        found.setdefault(text, {"text": text, "shards": []})["shards"].append(entry["shard"])
    return list(found.values())


def _validation(dataset: Dataset) -> dict[str, Any] | None:
    """The verdict of `versemill validate`, if there is one: its sentence, a table, the picture grid."""
    content = dataset.read("validation.json")
    if not content:
        return None
    evaluation = content["metrics"].get("evaluation", {})
    summary = evaluation.get("summary", {})
    names = sorted({metric for metrics in summary.values() for metric in metrics}, key=lambda m: (m != "psnr", m))
    table = [{"method": method, "cells": [_cell(metrics.get(name)) for name in names]} for method, metrics in summary.items()]
    grid = _grid(Path(dataset.root) / "validation", evaluation.get("grid")) if dataset.local else None
    return {**content, "names": names, "table": table, "grid": grid}


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _grid(folder: Path, name: str | None) -> str | None:
    places = [Path(name), folder / name, folder / "evaluation" / name] if name else []
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        return None
    shown = Image.open(path).convert("RGB")
    shown.thumbnail((1400, 2000), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=88, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
