"""The row schema, and how shards are written, read, checked and exported."""

from typing import TYPE_CHECKING, Any

from versemill.shards.cache import DiskCache
from versemill.shards.card import card
from versemill.shards.checks import Problem, verify_shard
from versemill.shards.config import ShardsConfig
from versemill.shards.migration import migrate_shard
from versemill.shards.rows import decode_cameras, decode_fields, decode_mesh, decode_views, encode_row, read_rows
from versemill.shards.schema import SCHEMA, SCHEMA_VERSION, schema
from versemill.shards.writing import Sealed, read_row, seal, write_row

if TYPE_CHECKING:
    from versemill.shards.dataset import ShardDataset

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "DiskCache",
    "Problem",
    "Sealed",
    "ShardDataset",
    "ShardsConfig",
    "card",
    "decode_cameras",
    "decode_fields",
    "decode_mesh",
    "decode_views",
    "encode_row",
    "migrate_shard",
    "read_row",
    "read_rows",
    "schema",
    "seal",
    "verify_shard",
    "write_row",
]


def __getattr__(name: str) -> Any:
    """Loads torch only for those who read with it: the workers of a run never do."""
    if name == "ShardDataset":
        from versemill.shards.dataset import ShardDataset

        return ShardDataset
    raise AttributeError(f"module 'shards' has no attribute '{name}'")
