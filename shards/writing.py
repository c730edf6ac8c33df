"""Writing: one small file per finished asset, then one sealed Parquet file per shard."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from versemill.errors import ShardError
from versemill.shards.config import ShardsConfig
from versemill.shards.schema import SCHEMA, blob_leaves, leaves, schema
from versemill.shards.storage import write_atomic

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Sealed:
    """A finished shard: SHA-256 (hex) of its bytes, its rows and its size in bytes."""

    sha256: str
    rows: int
    bytes: int


def write_row(fs: pafs.FileSystem, path: str, table: pa.Table) -> str:
    """Writes the row of one asset to its staging file (Arrow IPC), atomically; returns the SHA-256 (hex) of its bytes.

    Raises:
        ShardError: the table is not one row of the shard schema.
    """
    _check(table, path)
    with write_atomic(fs, path) as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_table(table)
    return sink.sha256


def read_row(fs: pafs.FileSystem, path: str, expected: str | None = None) -> pa.Table:
    """The row of a staging file.

    Args:
        expected: SHA-256 (hex) of its bytes; None skips the comparison.

    Raises:
        ShardError: the file is missing, damaged, or of another schema.
    """
    try:
        with fs.open_input_file(path) as file:
            data = file.read()
        if expected is not None and hashlib.sha256(data).hexdigest() != expected:
            raise ShardError(f"row file '{path}' is not the one that was written; delete it and run again")
        with pa.ipc.open_file(data) as reader:
            table = reader.read_all()
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"row file '{path}' can't be read ({error}); delete it and run again") from error
    _check(table, path)
    return table


def _check(table: pa.Table, name: str) -> None:
    if table.num_rows != 1 or not table.schema.equals(SCHEMA):
        raise ShardError(
            f"'{name}' must hold one row of the shard schema, got {table.num_rows} rows of {table.schema.names}; "
            "rows of another version have to be made again"
        )


def seal(
    fs: pafs.FileSystem,
    path: str,
    rows: Iterable[str | pa.Table],
    metadata: dict[str, str],
    config: ShardsConfig | None = None,
) -> Sealed:
    """Writes one shard from rows in rising order of index, holding at most one row group in memory.

    The file appears under its name only when it is whole and on disk. The same rows and metadata give the
    same bytes under one version of pyarrow.

    Args:
        rows: staging paths (of `write_row`) or one-row tables.
        metadata: text that goes into the file's footer; nothing that depends on the clock.
        config: row group limits.

    Raises:
        ShardError: a row can't be read, or indices do not rise.
        OSError: the disk is full or the path is not writable; nothing is left under `path`.
    """
    config = config or ShardsConfig()
    group: list[pa.Table] = []
    last, count, size = -1, 0, 0
    with write_atomic(fs, path) as sink, pq.ParquetWriter(pa.PythonFile(sink, "w"), schema(metadata), **_options()) as writer:
        for item in rows:
            table = read_row(fs, item) if isinstance(item, str) else item
            _check(table, item if isinstance(item, str) else "row")
            index = table["meta"].combine_chunks().field("index")[0].as_py()
            if index <= last:
                raise ShardError(f"rows of '{path}' must rise by index, but {index} follows {last}; sort them, each once")
            if group and (len(group) == config.row_group_rows or size + table.nbytes > config.row_group_mb * MEGABYTE):
                writer.write_table(pa.concat_tables(group).cast(writer.schema))
                group, size = [], 0
            group.append(table)
            last, count, size = index, count + 1, size + table.nbytes
        if group:
            writer.write_table(pa.concat_tables(group).cast(writer.schema))
    return Sealed(sink.sha256, count, sink.bytes)


def _options() -> dict[str, object]:
    """Parquet settings: blobs raw, in one page, without statistics or dictionary (`shards.cells`); the rest Zstandard."""
    blobs = set(blob_leaves())
    small = [path for path in leaves() if path not in blobs]
    return {
        "compression": {path: "none" if path in blobs else "zstd" for path in leaves()},
        "use_dictionary": False,
        "write_statistics": [path for path in small if path.startswith("meta.")],
        "data_page_size": 1 << 30,
        "store_schema": True,
    }
