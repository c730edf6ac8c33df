"""The shared words of the house: assets, cameras, views, fields, seeds, errors, materials, queries."""

__version__ = "0.1.0"

CONVENTION_VERSION = 1
"""Version of the frames, units and signs of docs/architecture.md; written into every shard."""
