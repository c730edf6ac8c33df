"""From an older row schema to the present one: what a newer version would have stored is worked out from what is there."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from versemill.covisibility import covisibility
from versemill.errors import ShardError
from versemill.shards.codecs import encode_colour
from versemill.shards.config import ShardsConfig
from versemill.shards.rows import decode_cameras, decode_pass, read_rows, row_id
from versemill.shards.schema import SCHEMA, SCHEMA_VERSION
from versemill.shards.writing import Sealed, seal
from versemill.views import passes_of


def migrate_shard(fs: pafs.FileSystem, path: str, other: str, config: ShardsConfig | None = None) -> Sealed:
    """Writes the rows of a shard of any readable version to `other`, in the present version; the same input, the same bytes.

    Cameras, passes, fields and meshes keep every bit; colour cells take the codec of `config`. The new file has a SHA-256 of
    its own, so it belongs outside the dataset whose ledger names the old one.

    Raises:
        ShardError: the shard is missing, damaged or of a version that can't be read, or `other` is the same file.
    """
    if path == other:
        raise ShardError(f"'{path}' can't be migrated onto itself: its ledger names its present bytes; name another file")
    config = config or ShardsConfig()
    rows = (pa.Table.from_pylist([migrate_row(row, config)], schema=SCHEMA) for row in read_rows(path, fs=fs))
    try:
        with pq.ParquetFile(path, filesystem=fs) as file:
            metadata = file.schema_arrow.metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"shard '{path}' can't be read ({error}); remake it") from error
    kept = {key.decode(): value.decode() for key, value in metadata.items() if key != b"versemill.schema_version"}
    return seal(fs, other, rows, kept, config)


def migrate_row(row: dict[str, Any], config: ShardsConfig) -> dict[str, Any]:
    """A row of any readable version (of `read_rows`, whole) with the columns and colour cells of the present one."""
    meta = row["meta"]
    row = {**row, "meta": {**meta, "id": row_id(meta["config_digest"], meta["index"]), "schema_version": SCHEMA_VERSION}}
    if row["views"] is None:
        return row
    views = dict(row["views"])
    for name in passes_of("colour"):
        if views[name] is not None:
            images = [np.moveaxis(decode_pass(name, [cell])[0], 0, -1) for cell in views[name]]
            views[name] = [encode_colour(i, config.image_codec, config.image_effort, config.zstd_level) for i in images]
    if views["lighting"] is None:
        views["lighting"] = [0] * views["count"]
    if views["covisibility"] is None and views["depth"] is not None:
        depth = decode_pass("depth", views["depth"], views["depth_range"])
        views["covisibility"] = covisibility(decode_cameras(views), depth).tolist()
    return {**row, "views": views}
