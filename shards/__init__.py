"""The row schema, and how shards are written, read and checked."""
