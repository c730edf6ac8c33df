"""The row schema, and how shards are written, read, checked and exported."""

from typing import TYPE_CHECKING

import lazy_loader

from versemill.shards.cache import DiskCache
from versemill.shards.card import card
from versemill.shards.checks import Problem, verify_shard
from versemill.shards.config import ShardsConfig
from versemill.shards.export import FORMATS, export
from versemill.shards.migration import migrate_shard
from versemill.shards.rows import decode_cameras, decode_fields, decode_mesh, decode_views, encode_row, read_rows
from versemill.shards.schema import SCHEMA, SCHEMA_VERSION, schema
from versemill.shards.writing import Sealed, read_row, seal, write_row

if TYPE_CHECKING:
    from versemill.shards.dataset import ShardDataset
    from versemill.shards.reading import Selection
    from versemill.shards.streaming import ShardStream

__all__ = [
    "FORMATS",
    "SCHEMA",
    "SCHEMA_VERSION",
    "DiskCache",
    "Problem",
    "Sealed",
    "Selection",
    "ShardDataset",
    "ShardStream",
    "ShardsConfig",
    "card",
    "decode_cameras",
    "decode_fields",
    "decode_mesh",
    "decode_views",
    "encode_row",
    "export",
    "migrate_shard",
    "read_row",
    "read_rows",
    "schema",
    "seal",
    "verify_shard",
    "write_row",
]


# Torch is loaded only for those who read with it: the workers of a run never do.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"dataset": ["ShardDataset"], "reading": ["Selection"], "streaming": ["ShardStream"]}
)
