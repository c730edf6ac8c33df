"""A pass over a finished dataset that finds its duplicates and writes a side table; sealed bytes stay as they are.

    DIR/duplicates/shard-000000.parquet  hash, split and shape descriptor of a shard's rows; kept, so that a pass that was
                                         killed goes on, and one over a dataset that grew looks at the new shards alone
    DIR/duplicates/table.parquet         `shards.duplicates`: what repeats what

Each shard is one job of a process pool: a descriptor takes some 10 ms of one core.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from versemill.curation.duplicates import NEAR, SIZE, VERSION, descriptor, find_duplicates
from versemill.errors import ConfigError
from versemill.mill.folder import entries
from versemill.mill.folder.dataset import Dataset, locked
from versemill.shards import read_rows, storage
from versemill.shards.duplicates import write_duplicates
from versemill.shards.folder import shard_name
from versemill.shards.rows import decode_table

STAMP = b"versemill.descriptors"
COLUMNS = ["meta.index", "meta.split", "meta.content_hash", "mesh.watertight_vertices", "mesh.watertight_faces"]


@dataclass(frozen=True)
class Found:
    """What a pass found.

    Attributes:
        rows: assets compared; described: how many of them were described in this pass.
        exact, near: duplicates of either kind.
        straddling: (index, index that it repeats, its split, the other's) of duplicates across splits, ascending.
    """

    rows: int
    described: int
    exact: int
    near: int
    straddling: tuple[tuple[int, int, str, str], ...]


def dedup(
    directory: str | Path,
    radius: float = NEAR,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """Finds exact copies by content hash and near ones by shape; the lowest index of each group is kept.

    Args:
        radius: greatest distance between the descriptors of near copies; 0 finds exact ones alone.
        workers: processes. progress: called with (shards done, shards).

    Raises:
        ConfigError: there is no dataset, it is not finished or was merged from several configs, or the radius is negative.
        ShardError: a shard can't be read.
    """
    if not 0 <= radius < np.inf:
        raise ConfigError(f"the radius must be 0 or more, got {radius:g}")
    dataset = Dataset.open(directory)
    if dataset.merged:  # the table names rows by index alone
        raise ConfigError(
            f"'{dataset.uri}' was merged from several configs, where one index may name several rows; dedup its parts"
        )
    sealed = dataset.sealed()
    if len(sealed) < dataset.shards:
        raise ConfigError(
            f"'{dataset.uri}' is not finished: {dataset.shards - len(sealed)} of {dataset.shards} shards are not sealed; "
            "run the command that made it again, then look for duplicates"
        )
    with locked(dataset):
        stamps = {shard: _stamp(dataset, shard) for shard in sealed}
        todo = [shard for shard in sealed if _kept_stamp(dataset, shard) != stamps[shard]]
        progress(len(sealed) - len(todo), len(sealed))
        jobs = [(dataset.location, shard, stamps[shard]) for shard in todo]
        described = 0
        if workers == 1 or len(jobs) < 2:
            for k, job in enumerate(jobs):
                described += _describe(job)
                progress(len(sealed) - len(todo) + k + 1, len(sealed))
        else:
            with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
                for k, rows in enumerate(pool.map(_describe, jobs)):
                    described += rows
                    progress(len(sealed) - len(todo) + k + 1, len(sealed))
        tables = [pq.read_table(dataset.path(_file(shard)), filesystem=dataset.fs) for shard in sealed]
        everything = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
        duplicates = _table(everything, radius)
        write_duplicates(dataset.fs, dataset.root, duplicates, len(everything))
    kinds = duplicates["kind"].to_pylist()
    across = duplicates.filter(duplicates["straddles"])
    pairs = zip(*(across[n].to_pylist() for n in ("index", "duplicate_of", "split", "split_of_kept")), strict=True)
    return Found(len(everything), described, kinds.count("exact"), kinds.count("near"), tuple(pairs))


def _file(shard: int) -> str:
    return f"duplicates/{shard_name(shard)}.parquet"


def _stamp(dataset: Dataset, shard: int) -> bytes:
    """What a shard's descriptors were made of: its bytes, and the kind of descriptor."""
    entry = entries.read(dataset, shard) or {}
    return f"{VERSION} {entry.get('sha256', 'unknown')}".encode()


def _kept_stamp(dataset: Dataset, shard: int) -> bytes | None:
    path = dataset.path(_file(shard))
    try:
        return (pq.read_schema(path, filesystem=dataset.fs).metadata or {}).get(STAMP)
    except (OSError, pa.ArrowException):
        return None


def _describe(job: tuple[str, int, bytes]) -> int:
    """Writes the hashes and descriptors of one shard's rows; says how many."""
    uri, shard, stamp = job
    dataset = Dataset.open(uri)
    rows: dict[str, list[Any]] = {"index": [], "split": [], "content_hash": []}
    shapes = []
    for row in read_rows(dataset.path(dataset.shard_file(shard)), COLUMNS, fs=dataset.fs):
        for name in rows:
            rows[name].append(row["meta"][name])
        shapes.append(_shape(row["mesh"]))
    values = np.stack(shapes) if shapes else np.zeros((0, SIZE), np.float32)
    flat = pa.array(values.reshape(-1), pa.float32())
    table = pa.table(
        {
            "index": pa.array(rows["index"], pa.uint64()),
            "split": pa.array(rows["split"], pa.string()),
            "content_hash": pa.array(rows["content_hash"], pa.string()),
            "descriptor": pa.FixedSizeListArray.from_arrays(flat, SIZE),
        }
    ).replace_schema_metadata({STAMP: stamp})
    with storage.write_atomic(dataset.fs, dataset.path(_file(shard))) as sink:
        pq.write_table(table, pa.PythonFile(sink, mode="w"), compression="zstd")
    return len(table)


def _shape(mesh: dict[str, Any] | None) -> NDArray[np.float32]:
    """A row's descriptor; NaN where it has no surface to describe."""
    if mesh is None or mesh["watertight_vertices"] is None or mesh["watertight_faces"] is None:
        return np.full(SIZE, np.nan, np.float32)
    try:
        return descriptor(decode_table(mesh["watertight_vertices"]), decode_table(mesh["watertight_faces"]))
    except ValueError:
        return np.full(SIZE, np.nan, np.float32)


def _table(everything: pa.Table, radius: float) -> pa.Table:
    indices = everything["index"].to_numpy()
    splits = np.asarray(everything["split"].to_pylist(), object)
    values = np.concatenate([chunk.flatten().to_numpy() for chunk in everything["descriptor"].chunks] or [np.zeros(0)])
    # Fixed-size strings sort a hundred times as fast as objects.
    hashes = np.asarray(everything["content_hash"].to_pylist(), "S64")
    duplicates = find_duplicates(indices, hashes, values.reshape(-1, SIZE), radius)
    place = np.argsort(indices)
    at = [place[np.searchsorted(indices[place], column)] for column in (duplicates.index, duplicates.kept)]
    own, kept = (splits[rows] for rows in at)
    return pa.table(
        {
            "index": duplicates.index,
            "duplicate_of": duplicates.kept,
            "kind": pa.array(np.where(duplicates.exact, "exact", "near").tolist(), pa.string()),
            "distance": duplicates.distance,
            "split": pa.array(own.tolist(), pa.string()),
            "split_of_kept": pa.array(kept.tolist(), pa.string()),
            "straddles": pa.array((own != kept).tolist(), pa.bool_()),
        }
    )
