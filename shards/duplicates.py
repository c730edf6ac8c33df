"""The side table of duplicates: DIR/duplicates/table.parquet, one row per asset that repeats one of a lower index.

`versemill dedup` writes it; readers leave out what it lists. No sealed byte changes.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from versemill.errors import ConfigError, ShardError
from versemill.shards.folder import Shard
from versemill.shards.storage import exists, join, open_storage, shown, write_atomic

TABLE = "duplicates/table.parquet"
ROWS = b"versemill.rows"
"""Key of the number of rows that were looked at."""

SCHEMA = pa.schema(
    [
        pa.field("index", pa.uint64(), nullable=False),
        pa.field("duplicate_of", pa.uint64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # "exact": the same content hash; "near": the same shape
        pa.field("distance", pa.float32(), nullable=False),  # between descriptors; 0 where exact
        pa.field("split", pa.string(), nullable=False),
        pa.field("split_of_kept", pa.string(), nullable=False),
        pa.field("straddles", pa.bool_(), nullable=False),  # the two lie in different splits
    ]
)


def write_duplicates(fs: pafs.FileSystem, root: str, table: pa.Table, rows: int) -> None:
    """Writes the table, of schema `SCHEMA`, of a dataset of `rows` rows; atomically, equal bytes for equal content."""
    stamped = table.cast(SCHEMA).replace_schema_metadata({ROWS: str(rows).encode()})
    with write_atomic(fs, join(root, TABLE)) as sink:
        pq.write_table(stamped, pa.PythonFile(sink, mode="w"), compression="zstd")


def read_duplicates(directory: str | Path) -> tuple[pa.Table, int]:
    """The table, and how many rows were looked at.

    Raises:
        ConfigError: there is no table. ShardError: it is damaged.
    """
    fs, root = open_storage(directory)
    path = join(root, TABLE)
    if not exists(fs, path):
        raise ConfigError(
            f"'{shown(directory)}' has no table of duplicates ({TABLE}); `versemill dedup {shown(directory)}` writes it"
        )
    try:
        table = pq.read_table(path, filesystem=fs)
        return table, int((table.schema.metadata or {})[ROWS])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise ShardError(f"'{path}' can't be read ({error}); `versemill dedup {shown(directory)}` rewrites it") from error


def duplicate_indices(directory: str | Path, shards: Iterable[Shard]) -> frozenset[int]:
    """Indices of the rows that readers leave out.

    Raises:
        ConfigError: there is no table, or it was made of another number of rows. ShardError: it is damaged.
    """
    table, looked_at = read_duplicates(directory)
    rows = sum(len(shard.indices) for shard in shards)
    if rows != looked_at:
        raise ConfigError(
            f"the table of duplicates was made of {looked_at} rows and '{shown(directory)}' has {rows}; "
            f"run `versemill dedup {shown(directory)}` again"
        )
    return frozenset(table["index"].to_pylist())
