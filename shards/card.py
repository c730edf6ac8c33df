"""The dataset card: a Markdown page with Hugging Face metadata, from what the run already counted."""

import json
from collections.abc import Mapping
from typing import Any

from versemill import CONVENTION_VERSION, __version__
from versemill.markdown import inert, table
from versemill.shards.schema import COLUMNS, SCHEMA_VERSION

MOST_WORDS = 100
"""Licences, reasons and splits that are listed."""

MIXED = "mixed"
"""The one split that a folder of shards has for `datasets`, which takes splits to be files."""


def card(
    *,
    name: str,
    rows: Mapping[str, int],
    rejected: Mapping[str, int],
    failed: Mapping[str, int],
    config: Mapping[str, Any],
    digest: str,
    content: str,
    fingerprint: Mapping[str, Any],
    licences: Mapping[str, int],
    statistics: Mapping[str, Mapping[str, float]],
    gaps: tuple[str, ...] = (),
) -> str:
    """The text of a dataset's README.md. Equal arguments give equal text.

    Args:
        name: the dataset's name.
        rows: split -> rows.
        rejected, failed: reason -> assets, as in the ledger.
        config: the resolved configuration, with its `seed`; digest: its SHA-256.
        content: SHA-256 of what the shards hold.
        fingerprint: package versions, processor, device.
        licences: licence of a material -> assets that use it.
        statistics: measured quantity -> {"min": ..., "mean": ..., "max": ...} or other named numbers.
        gaps: sentences on what the data does not cover.
    """
    total = sum(rows.values())
    licence = "cc0-1.0" if set(licences) == {"CC0-1.0"} else "other"
    header = ["---", f"license: {licence}", f"pretty_name: {json.dumps(name)}",
              "task_categories: [image-to-3d, text-to-3d]", "tags: [3d, multi-view, synthetic, versemill]",
              f"size_categories: [{_size(total)}]", "configs:", "- config_name: default",
              "  data_files:", f"  - split: {MIXED}", "    path: shards/*.parquet",
              *dataset_info(f"configuration {digest}, seed {config.get('seed')}, content {content}", {MIXED: total}),
              "---"]  # fmt: skip
    body = [
        f"# {inert(name)}",
        "",
        f"{total} assets, made by versemill {__version__}. One row is one asset: its textured mesh, posed images, and",
        f"signed-distance samples. Conventions version {CONVENTION_VERSION}, row schema version {SCHEMA_VERSION}.",
        "",
        "## Contents",
        "",
        _table(("split", "rows"), _named(rows)),
        f"`datasets.load_dataset` gives all rows as one split, `{MIXED}`, because a shard holds rows of every split:",
        "`meta.split` says which. `versemill export --format huggingface` writes a file per split.",
        "",
        _table(("group", "columns"), [(group, ", ".join(f"`{c}`" for c in columns)) for group, columns in COLUMNS.items()]),
        "## Licences of the materials",
        "",
        _table(("licence", "assets"), _named(licences)),
        "## What was turned away",
        "",
        _table(("rejected because", "assets"), _named(rejected)),
        _table(("failed because", "assets"), _named(failed)),
        "## Statistics",
        "",
        _statistics(statistics),
        "## How it was made",
        "",
        f"Configuration `{digest}`:",
        "",
        "```json",
        json.dumps(config, indent=2, sort_keys=True),
        "```",
        "",
        "Made on:",
        "",
        "```json",
        json.dumps(fingerprint, indent=2, sort_keys=True),
        "```",
        "",
        "## Known gaps",
        "",
        "\n".join(f"- {gap}" for gap in gaps) or "None were stated.",
        "",
    ]
    return "\n".join(header + body)


def dataset_info(identity: str, splits: Mapping[str, int]) -> list[str]:
    """Lines of a card's header that tell one dataset from another: `datasets` keys its cache by them, not by the files' bytes.

    Args:
        identity: what differs whenever the rows do. splits: split as `datasets` names it -> rows.
    """
    counts = [line for name, rows in splits.items() for line in (f"  - name: {name}", f"    num_examples: {rows}")]
    return ["dataset_info:", f"  description: {json.dumps(identity)}", "  splits:", *counts]


def _named(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Words, which may be somebody else's, and how often; the most frequent ones in the order of their names."""
    kept = sorted(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_WORDS])
    return [(inert(word), count) for word, count in kept]


def _size(rows: int) -> str:
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    return next((name for bound, name in bounds if rows < bound), "1M<n<10M")


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return f"{columns[0].capitalize()}: none.\n"
    return table(columns, rows) + "\n"


def _statistics(statistics: Mapping[str, Mapping[str, float]]) -> str:
    names = list(dict.fromkeys(name for numbers in statistics.values() for name in numbers))
    rows = [(quantity, *(f"{numbers[n]:.4g}" if n in numbers else "" for n in names))
            for quantity, numbers in sorted(statistics.items())]  # fmt: skip
    return _table(("quantity", *names), rows)
