"""Exports: a dataset in the file formats that other training code reads.

A format is a `Format` in a module of this package, named in `FORMATS`. Shards are exported one by one, in parallel; a
shard that is done leaves a marker in OUT/.export, so an export that was stopped can be resumed.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from versemill.config import digest
from versemill.device import compile_kernels
from versemill.errors import ConfigError
from versemill.plugins import Table
from versemill.shards.duplicates import duplicate_indices
from versemill.shards.export.item import Item, save, text
from versemill.shards.folder import check_split, find_shards, open_shard
from versemill.shards.rows import read_rows
from versemill.shards.storage import open_storage

Entry = dict[str, Any]
"""What is remembered of an exported asset: {"id": ..., "split": ..., ...}; JSON-able. One that the format can't hold has a
reason under "left_out", and is listed in OUT/left_out.jsonl."""


@dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        summary: one line: who reads it, axes, units, sign.
        columns: groups or leaves that it reads.
        write: (items of one shard, output folder, shard name) -> one entry per asset.
        finish: (output folder, all entries in order): index files; called once, after all shards.
        kernels: modules of Warp kernels that `write` runs on the CPU: compiled before several processes start.
    """

    summary: str
    columns: tuple[str, ...]
    write: Callable[[Iterator[Item], Path, str], list[Entry]]
    finish: Callable[[Path, list[Entry]], None] | None = None
    kernels: tuple[str, ...] = ()


_MODULES = ("coco", "folders", "hdf5", "huggingface", "instantmesh", "lgm", "lrm", "mds", "nerf", "openlrm",
            "programs", "trellis", "webdataset", "zero123")  # fmt: skip
_OWN = {name: f"{__name__}.{name}:FORMAT" for name in _MODULES}
_OWN |= {name: f"{__name__}.shapes:{name.upper()}" for name in ("craftsman", "dora", "hunyuan", "triposg")}
_OWN |= {name: f"{__name__}.ovoxel:{name.upper()}" for name in ("ovoxel256", "ovoxel512", "ovoxel1024")}
FORMATS = Table("exporter", "exporters", Format, dict(sorted(_OWN.items())))
"""All formats by name; an installed package adds its own (`versemill.plugins`)."""


def per_asset(write: Callable[[Item, Path], Entry]) -> Callable[[Iterator[Item], Path, str], list[Entry]]:
    """A shard writer for formats whose files belong to one asset each."""

    def write_shard(items: Iterator[Item], out: Path, _shard: str) -> list[Entry]:
        return [{"id": item.id, "split": item.row["meta"]["split"], **write(item, out)} for item in items]

    return write_shard


@dataclass(frozen=True)
class Exported:
    """How many assets lie in the output, how many of its shards this call wrote, and how many assets were left out."""

    assets: int
    shards_written: int
    left_out: int = 0


def export(
    directory: str | Path,
    format: str,
    out: str | Path,
    split: str | None = None,
    *,
    drop_duplicates: bool = False,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Writes a dataset in another format into the folder `out`.

    Args:
        split: only this split; None is all.
        drop_duplicates: leave out what DIR/duplicates/table.parquet lists, which `versemill dedup` writes.
        workers: processes; each takes whole shards.
        progress: called with (shards done, shards in all).

    Raises:
        ConfigError: unknown format or split; a format can't be loaded; `out` holds another export; no (or an outdated)
            table of duplicates; or the data lacks what the format needs.
        ShardError: a shard is missing or damaged.
    """
    check_split(split)
    chosen = FORMATS.find(format)
    target = Path(out).absolute()
    fs, paths = find_shards(directory)
    gone = duplicate_indices(directory, [open_shard(fs, path, ()) for path in paths]) if drop_duplicates else frozenset[int]()
    name = json.dumps(
        {"format": format, "split": split} | ({"drop_duplicates": digest(sorted(gone))} if drop_duplicates else {})
    )
    marker = target / ".export" / "format.json"
    if marker.exists() and marker.read_text() != name:
        raise ConfigError(f"'{target}' holds another export ({marker.read_text()}); choose an empty folder")
    fresh = not target.exists()
    save(marker, name.encode())
    jobs = [_Job(str(directory), path, format, split, gone, str(target)) for path in paths]
    if chosen.kernels:
        compile_kernels(list(chosen.kernels), "cpu")
    done, written = [], 0
    try:
        for number, (entries, new) in enumerate(_run(jobs, workers), 1):
            done += entries
            written += new
            if progress:
                progress(number, len(jobs))
    except ConfigError:  # the data lacks what the format needs, and will lack it next time
        if fresh:
            shutil.rmtree(target, ignore_errors=True)
        raise
    kept = [entry for entry in done if "left_out" not in entry]
    if len(kept) < len(done):
        reasons = [{name: entry[name] for name in ("id", "left_out")} for entry in done if "left_out" in entry]
        save(target / "left_out.jsonl", "".join(json.dumps(reason) + "\n" for reason in reasons).encode())
    if chosen.finish:
        chosen.finish(target, kept)
    return Exported(len(kept), written, len(done) - len(kept))


@dataclass(frozen=True)
class _Job:
    """One shard to export; `gone` are the indices of duplicates to leave out."""

    directory: str
    path: str
    format: str
    split: str | None
    gone: frozenset[int]
    out: str


def _run(jobs: Sequence[_Job], workers: int) -> Iterator[tuple[list[Entry], bool]]:
    if workers <= 1:
        yield from map(_export_shard, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_export_shard, jobs)


def _export_shard(job: _Job) -> tuple[list[Entry], bool]:
    """The entries of one shard, and whether it was written now; a marker of the same bytes spares the work."""
    fs, _ = open_storage(job.directory)
    stem = Path(job.path).stem
    shard = open_shard(fs, job.path)
    stamps = [shard.stamp, *(part.stamp for _, part in shard.extensions)]
    source = hashlib.sha256(" ".join([stem, *stamps]).encode()).hexdigest()
    marker = Path(job.out) / ".export" / f"{stem}.json"
    if marker.exists() and (record := json.loads(marker.read_text()))["source"] == source:
        return record["entries"], False
    chosen = FORMATS.find(job.format)
    columns = ["meta", *(c for c in chosen.columns if c != "meta")]
    rows = read_rows(job.path, columns, fs=fs)
    kept = (r for r in rows if job.split in (None, r["meta"]["split"]) and r["meta"]["index"] not in job.gone)
    entries = chosen.write((Item(row) for row in kept), Path(job.out), stem)
    save(marker, text({"source": source, "entries": entries}))
    return entries, True


__all__ = ["FORMATS", "Exported", "Format", "export", "per_asset"]
