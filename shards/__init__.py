"""The row schema, and how shards are written, read, checked and exported."""

from typing import TYPE_CHECKING, Any

from shards.cache import DiskCache
from shards.card import card
from shards.checks import Problem, verify_shard
from shards.config import ShardsConfig
from shards.migration import migrate_shard
from shards.rows import decode_cameras, decode_fields, decode_mesh, decode_views, encode_row, read_rows
from shards.schema import SCHEMA, SCHEMA_VERSION, schema
from shards.writing import Sealed, read_row, seal, write_row

if TYPE_CHECKING:
    from shards.dataset import ShardDataset

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
        from shards.dataset import ShardDataset

        return ShardDataset
    raise AttributeError(f"module 'shards' has no attribute '{name}'")
