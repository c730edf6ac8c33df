"""The row schema, and how shards are written, read, checked and exported."""

from shards.card import card
from shards.checks import Problem, verify_shard
from shards.config import ShardsConfig
from shards.dataset import ShardDataset
from shards.rows import decode_cameras, decode_fields, decode_mesh, decode_views, encode_row, read_rows
from shards.schema import SCHEMA, SCHEMA_VERSION, schema
from shards.writing import Sealed, read_row, seal, write_row

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
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
    "read_row",
    "read_rows",
    "schema",
    "seal",
    "verify_shard",
    "write_row",
]
