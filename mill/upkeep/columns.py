"""Views or passes added to a sealed dataset: its meshes are rendered again, nothing is generated again, no sealed byte changes.

An added pass is what the run would have stored, had it been asked for; an added view is seen under the asset's own light, by a
camera from a stream of its own. Parts are written shard by shard, each by one process, and are the same bytes on any number of
processes; the same command resumes what was stopped.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from versemill.config import digest
from versemill.covisibility import covisibility
from versemill.errors import AssetError, ConfigError
from versemill.gltf import from_glb
from versemill.mill.folder import card, columns, entries
from versemill.mill.folder.dataset import Dataset, locked
from versemill.mill.folder.fingerprint import fingerprint
from versemill.mill.pipeline import outside
from versemill.mill.pipeline.config import restore
from versemill.mill.run.worker import load_kernels
from versemill.render.config import RenderConfig
from versemill.shards.config import ShardsConfig
from versemill.shards.extensions import Extension
from versemill.shards.rows import decode_cameras, decode_pass, encode_views, read_rows
from versemill.shards.schema import SCHEMA
from versemill.shards.writing import seal
from versemill.views import PASSES

META = ("id", "seed", "index", "split", "content_hash", "convention_version", "schema_version", "config_digest")
"""What a part repeats of a row's `meta`."""

CAMERAS = [f"views.{name}" for name in ("count", "width", "height", "c2w", "K", "orthographic")]


@dataclass(frozen=True)
class Added:
    """How a dataset stands after its extension.

    Attributes:
        uri, rows: the dataset. views: per asset. passes: of every view.
        written: parts of shards that this call wrote. failed: their rows that could not be rendered and lack the addition.
    """

    uri: str
    rows: int
    views: int
    passes: tuple[str, ...]
    written: int
    failed: int


def extend(
    directory: str | Path,
    views: int | None = None,
    passes: Sequence[str] = (),
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Added:
    """Adds views or passes to every row of a finished dataset, and writes what earlier extensions lack.

    Args:
        views: the new number of views per asset; what is missing is added, with all passes.
        passes: passes that every view is to have; those that are there are left as they are.
        workers: processes; each takes whole shards. None is one per core, or one where a GPU renders.
        progress: called with (parts written, parts to write).

    Raises:
        ConfigError: there is no dataset, it is not finished or was merged, or it has more views already; an unknown pass.
        ShardError: a shard can't be read.
    """
    dataset = Dataset.open(directory)
    if dataset.merged:
        raise ConfigError(
            f"'{dataset.uri}' was merged from several configs, and can't be extended; extend the datasets themselves"
        )
    if unsealed := dataset.shards - len(dataset.sealed()):
        raise ConfigError(f"{unsealed} of {dataset.shards} shards of '{dataset.uri}' are not sealed; finish the run first")
    pipeline = restore(dataset.info["pipeline"], dataset.info["config"], [f"run.assets={dataset.assets}"])
    with locked(dataset):
        known = columns.extensions(dataset)
        for extension in _wanted(dataset, pipeline.render, known, views, tuple(passes)):
            columns.describe(dataset, extension)
            known.append(extension)
        jobs = [job for extension in known for job in _jobs(dataset, known, extension, pipeline.render, pipeline.shards)]
        made_with = fingerprint(pipeline.render.device, outside.modules(pipeline))
        failed = _work(dataset, known, jobs, made_with, workers or _workers(pipeline.render.device), progress)
        if jobs:
            card.write(dataset)
    rows = sum((entries.read(dataset, shard) or {"rows": 0})["rows"] for shard in dataset.sealed())
    return Added(dataset.uri, rows, *_there(pipeline.render, known), len(jobs), failed)


def _there(render: RenderConfig, known: Sequence[Extension]) -> tuple[int, tuple[str, ...]]:
    """How many views a row has, and which passes."""
    from versemill.render.cameras import resolved

    views = resolved(render).views * render.lighting.count + sum(extension.views for extension in known)
    return views, tuple(dict.fromkeys((*render.passes, *(name for extension in known for name in extension.passes))))


def _wanted(
    dataset: Dataset, render: RenderConfig, known: Sequence[Extension], views: int | None, passes: tuple[str, ...]
) -> Iterator[Extension]:
    """The extensions that lead from what is there to what is asked for: passes first, so that new views have them."""
    there, names = _there(render, known)
    number, lights = len(known) + 1, render.lighting.count
    for name in passes:
        if name not in PASSES:
            raise ConfigError(f"unknown pass '{name}'; known: {', '.join(PASSES)}")
    if views is not None and views < there:
        raise ConfigError(f"'{dataset.uri}' has {there} views per asset already; extend it to more, not to {views}")
    if views is not None and (views - there) % lights:
        raise ConfigError(
            f"each camera gives {lights} views, one per lighting: {there} and a multiple of {lights}, not {views}"
        )
    if new := tuple(name for name in dict.fromkeys(passes) if name not in names):
        yield Extension(number, dataset.path(columns.folder(number)), 0, new, False)
        number, names = number + 1, (*names, *new)
    if views is not None and views > there:
        yield Extension(number, dataset.path(columns.folder(number)), views - there, names, False)


def _workers(device: str) -> int:
    from versemill.device import resolve

    return len(os.sched_getaffinity(0)) if resolve(device) == "cpu" else 1


@dataclass(frozen=True)
class _Job:
    """One part to write: of `extension`, for `shard`, after the extensions `earlier`, and how it is rendered and stored."""

    location: str
    extension: Extension
    earlier: tuple[Extension, ...]
    shard: int
    render: RenderConfig
    shards: ShardsConfig


def _jobs(
    dataset: Dataset, known: list[Extension], extension: Extension, render: RenderConfig, shards: ShardsConfig
) -> list[_Job]:
    earlier = tuple(each for each in known if each.number < extension.number)
    changes: dict[str, Any] = {"passes": extension.passes}
    if extension.views:
        changes["cameras"] = render.cameras.model_copy(update={"views": extension.views // render.lighting.count})
    own = render.model_copy(update=changes)
    return [
        _Job(dataset.location, extension, earlier, shard, own, shards) for shard in columns.lacking(dataset, known, extension)
    ]


def _work(
    dataset: Dataset,
    known: list[Extension],
    jobs: Sequence[_Job],
    made_with: dict[str, Any],
    workers: int,
    progress: Callable[[int, int], None],
) -> int:
    """Writes all parts, extension by extension; returns how many rows could not be rendered."""
    failed = done = 0
    for extension in known:
        own = [job for job in jobs if job.extension == extension]
        for job, facts in zip(own, _written(own, workers), strict=True):
            sources = columns.made_from(dataset, list(job.earlier), job.shard)
            entry = {"shard": job.shard, **facts, "made_from": sources, "fingerprint": made_with}
            dataset.write(columns.ledger_file(extension, job.shard), entry)
            failed += len(facts["failures"])
            done += 1
            progress(done, len(jobs))
        if not extension.complete:
            columns.describe(dataset, dataclasses.replace(extension, complete=True))
    return failed


def _written(jobs: Sequence[_Job], workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1 or len(jobs) <= 1:
        yield from map(write_part, jobs)
        return
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(write_part, jobs)


def write_part(job: _Job) -> dict[str, Any]:
    """Renders and seals the part of one shard; returns its file's facts for the ledger."""
    from versemill.device import resolve
    from versemill.render import KERNELS

    dataset = Dataset.at(job.location)
    if job.render.engine == "warp":
        load_kernels(tuple((module, resolve(job.render.device)) for module in KERNELS))
    failures: list[dict[str, Any]] = []
    groups = (_more_views if job.extension.views else _more_passes)(job, dataset, failures)
    rows = (
        pa.Table.from_pylist(
            [{"meta": {name: meta[name] for name in META}, "mesh": None, "views": group, "fields": None}], schema=SCHEMA
        )
        for meta, group in groups
    )
    footer = {
        "versemill.extension": str(job.extension.number),
        "versemill.shard": str(job.shard),
        "versemill.render_digest": digest(job.render.model_dump(mode="json", exclude={"device"})),
    }
    sealed = seal(dataset.fs, dataset.path(columns.part_file(job.extension, job.shard)), rows, footer, job.shards)
    return {"sha256": sealed.sha256, "bytes": sealed.bytes, "rows": sealed.rows, "failures": failures}


Group = dict[str, Any] | None
"""The `views` of a part's row; None for a row that has no views or could not be rendered."""


def _more_views(job: _Job, dataset: Dataset, failures: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Group]]:
    """The `meta` of each row, and its further views with the co-visibility of all."""
    from versemill.render import render

    path = dataset.path(dataset.shard_file(job.shard))
    depth = ["views.depth", "views.depth_range"] if "depth" in job.extension.passes else []
    names = [*(f"meta.{name}" for name in META), "mesh.glb", *CAMERAS, *depth]
    for row in read_rows(path, names, dataset.fs, job.earlier):
        group: Group = None
        try:
            views = render(from_glb(row["mesh"]["glb"]), job.render, series=job.extension.number)
            group = encode_views(views, job.shards)
        except AssetError as error:
            failures.append(_failure(row, error))
        if group and row["views"] and row["views"].get("depth"):
            there = decode_pass("depth", row["views"]["depth"], row["views"]["depth_range"])
            all_depth = np.concatenate([there, decode_pass("depth", group["depth"], group["depth_range"])])
            cameras = decode_cameras(row["views"]) + views.cameras
            group["covisibility"] = covisibility(cameras, all_depth).tolist()
        yield row["meta"], group


def _more_passes(job: _Job, dataset: Dataset, failures: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Group]]:
    """The `meta` of each row, and the new passes of its views: of the run's, then of each series that was added."""
    from versemill.render import render

    path = dataset.path(dataset.shard_file(job.shard))
    names, lights = [f"meta.{name}" for name in META], job.render.lighting.count
    later = [extension for extension in job.earlier if extension.views]
    first = read_rows(path, [*names, "mesh.glb", *CAMERAS], dataset.fs, ())
    others = [read_rows(each.file(path), CAMERAS, dataset.fs, ()) for each in later]
    for row, *more in zip(first, *others, strict=True):
        series = [(0, row["views"]), *((each.number, other["views"]) for each, other in zip(later, more, strict=True))]
        encoded: list[dict[str, Any]] = []
        try:
            asset = from_glb(row["mesh"]["glb"])
            for number, there in ((number, there) for number, there in series if there):
                cameras = decode_cameras(there)[: there["count"] // lights]
                encoded.append(encode_views(render(asset, job.render, cameras, number), job.shards))
        except AssetError as error:
            failures.append(_failure(row, error))
            encoded = []
        group: Group = None
        if encoded:
            leaves = [name for each in job.extension.passes for name in (each, f"{each}_range") if name in encoded[0]]
            group = {name: [cell for part in encoded for cell in part[name]] for name in leaves}
            group["count"] = sum(part["count"] for part in encoded)
        yield row["meta"], group


def _failure(row: dict[str, Any], error: AssetError) -> dict[str, Any]:
    return {"index": row["meta"]["index"], "reason": error.reason, "message": str(error)}
