"""Exports: a dataset in the file formats that other training code reads.

A format is a `Format` in a module of this package, named in `FORMATS`. Shards are exported one by one, in parallel; a
shard that is done leaves a marker in OUT/.export, so an export that was stopped can be resumed.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from versemill.config import Config, digest
from versemill.device import compile_kernels
from versemill.errors import AssetError, ConfigError, MissingDependencyError
from versemill.plugins import Table
from versemill.shards.duplicates import duplicate_indices
from versemill.shards.export.item import Item, save, text
from versemill.shards.folder import check_split, find_shards, open_shard
from versemill.shards.rows import read_rows
from versemill.shards.storage import open_storage

Entry = dict[str, Any]
"""What is remembered of an exported asset: {"id": ..., "split": ..., ...}; JSON-able."""

LEFT_OUT = "left_out"
"""Key of the reason in the entry of an asset that the format can't hold; OUT/left_out.jsonl lists them."""


@dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        summary: one line: who reads it, axes, units, sign.
        columns: groups or leaves that it reads.
        write: (items of one shard, output folder, shard name) -> one entry per asset.
        finish: (output folder, all entries in order): index files; called once, after all shards. Assets that were left out
            are not among them.
        kernels: modules of Warp kernels that `write` runs on the CPU: compiled before several processes start.
        settings: the model of what a user may set; then `write` gets an instance of it as a fourth argument.
    """

    summary: str
    columns: tuple[str, ...]
    write: Callable[..., list[Entry]]
    finish: Callable[[Path, list[Entry]], None] | None = None
    kernels: tuple[str, ...] = ()
    settings: type[Config] | None = None


_MODULES = ("coco", "folders", "hdf5", "huggingface", "instantmesh", "lgm", "lrm", "mds", "nerf", "openlrm", "parts",
            "programs", "trellis", "webdataset", "zero123")  # fmt: skip
_OWN = {name: f"{__name__}.{name}:FORMAT" for name in _MODULES}
_OWN |= {name: f"{__name__}.shapes:{name.upper()}" for name in ("craftsman", "dora", "hunyuan", "triposg")}
_OWN |= {name: f"{__name__}.ovoxel:{name.upper()}" for name in ("ovoxel256", "ovoxel512", "ovoxel1024")}
_OWN |= {name: f"{__name__}.simulators.{name}:FORMAT" for name in ("mjcf", "urdf", "usd")}
FORMATS = Table("exporter", "exporters", Format, dict(sorted(_OWN.items())))
"""All formats by name; an installed package adds its own (`versemill.plugins`)."""


def per_asset(write: Callable[..., Entry]) -> Callable[..., list[Entry]]:
    """A shard writer for formats whose files belong to one asset each: `write` gets an item, the output folder and, where the
    format has some, its settings. An AssetError leaves the asset out; its entry says why."""

    def write_shard(items: Iterator[Item], out: Path, _shard: str, *settings: Config) -> list[Entry]:
        entries = []
        for item in items:
            try:
                entry = write(item, out, *settings)
            except AssetError as error:
                entry = {LEFT_OUT: f"{error.reason}: {error}"}
            entries.append({"id": item.id, "split": item.row["meta"]["split"], **entry})
        return entries

    return write_shard


@dataclass(frozen=True)
class Exported:
    """What lies in the output.

    Attributes:
        assets: how many were exported.
        shards_written: how many of its shards this call wrote.
        left_out: id -> why the format can't hold that asset.
    """

    assets: int
    shards_written: int
    left_out: dict[str, str]


def export(
    directory: str | Path,
    format: str,
    out: str | Path,
    split: str | None = None,
    *,
    drop_duplicates: bool = False,
    settings: Config | Mapping[str, Any] | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Writes a dataset in another format into the folder `out`.

    Args:
        split: only this split; None is all.
        drop_duplicates: leave out what DIR/duplicates/table.parquet lists, which `versemill dedup` writes.
        settings: what the format lets its user set (`Format.settings`), such as {"size": 0.5} of "urdf".
        workers: processes; each takes whole shards.
        progress: called with (shards done, shards in all).

    Raises:
        ConfigError: unknown format, split or setting; a format can't be loaded; `out` holds another export; no (or an
            outdated) table of duplicates; or the data lacks what the format needs.
        MissingDependencyError: a package that the format needs is not installed.
        ShardError: a shard is missing or damaged.
    """
    check_split(split)
    chosen = FORMATS.find(format)
    options = _settings(format, chosen, settings)
    target = Path(out).absolute()
    fs, paths = find_shards(directory)
    gone = duplicate_indices(directory, [open_shard(fs, path, ()) for path in paths]) if drop_duplicates else frozenset[int]()
    name = json.dumps(
        {"format": format, "split": split}
        | ({"drop_duplicates": digest(sorted(gone))} if drop_duplicates else {})
        | ({"settings": changed} if options and (changed := options.model_dump(mode="json", exclude_defaults=True)) else {})
    )
    marker = target / ".export" / "format.json"
    if marker.exists() and marker.read_text() != name:
        raise ConfigError(f"'{target}' holds another export ({marker.read_text()}); choose an empty folder")
    fresh = not target.exists()
    save(marker, name.encode())
    jobs = [_Job(str(directory), path, format, split, gone, str(target), options) for path in paths]
    if chosen.kernels:
        compile_kernels(list(chosen.kernels), "cpu")
    entries: list[Entry] = []
    written = 0
    try:
        for number, (some, new) in enumerate(_run(jobs, workers), 1):
            entries += some
            written += new
            if progress:
                progress(number, len(jobs))
    except (ConfigError, MissingDependencyError):  # what the format needs is missing, and will be missing next time
        if fresh:
            shutil.rmtree(target, ignore_errors=True)
        raise
    done = [entry for entry in entries if LEFT_OUT not in entry]
    left_out = {entry["id"]: entry[LEFT_OUT] for entry in entries if LEFT_OUT in entry}
    if left_out:
        lines = [json.dumps({"id": name, LEFT_OUT: reason}) + "\n" for name, reason in left_out.items()]
        save(target / "left_out.jsonl", "".join(lines).encode())
    if chosen.finish:
        chosen.finish(target, done)
    return Exported(len(done), written, left_out)


def _settings(name: str, format: Format, given: Config | Mapping[str, Any] | None) -> Config | None:
    """The format's settings, checked.

    Raises:
        ConfigError: the format has none, or one is unknown or out of its bounds.
    """
    if format.settings is None:
        if given:
            raise ConfigError(f"format '{name}' has no settings; leave them out")
        return None
    if isinstance(given, format.settings):
        return given
    try:
        return format.settings.model_validate({} if given is None else given)
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ConfigError(f"settings of format '{name}': {lines}") from error


@dataclass(frozen=True)
class _Job:
    """One shard to export; `gone` are the indices of duplicates to leave out."""

    directory: str
    path: str
    format: str
    split: str | None
    gone: frozenset[int]
    out: str
    settings: Config | None


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
    options = () if job.settings is None else (job.settings,)
    entries = chosen.write((Item(row) for row in kept), Path(job.out), stem, *options)
    save(marker, text({"source": source, "entries": entries}))
    return entries, True


__all__ = ["FORMATS", "Exported", "Format", "export", "per_asset"]
