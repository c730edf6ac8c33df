"""docs/shards.md says what the schema says, and its code works."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from versemill.shards import card
from versemill.shards.export import FORMATS
from versemill.shards.rows import decode_pass, decode_table
from versemill.shards.schema import COLUMNS, describe

DOCS = Path(__file__).parents[2] / "docs" / "shards.md"


def test_the_documented_columns_are_the_schema():
    assert describe() in DOCS.read_text()
    for name, column in ((f"{g}.{n}", c) for g, columns in COLUMNS.items() for n, c in columns.items()):
        assert column.meaning, name


def test_the_documented_reader_reads_every_cell(spheres):
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S) if "def read_cell" in block)
    scope: dict = {}
    exec(code, scope)
    row = pq.read_table(spheres.path / "shards" / "shard-000000.parquet").to_pylist()[0]
    np.testing.assert_array_equal(
        scope["read_cell"](row["fields"]["near_points"]).T, decode_table(row["fields"]["near_points"])
    )
    mask, depth = (scope["read_cell"](row["views"][name][0]) for name in ("mask", "depth"))
    assert mask.shape == depth.shape == (48, 48)
    np.testing.assert_array_equal(mask, depth > 0)
    assert scope["read_cell"](row["views"]["normal"][0]).shape == (3, 48, 48)
    for name in ("rgb", "albedo"):
        np.testing.assert_array_equal(scope["read_cell"](row["views"][name][1]), decode_pass(name, row["views"][name])[1])


def test_every_export_format_is_documented():
    for name, format in FORMATS.items():
        assert f"| `{name}` | {format.summary} |" in DOCS.read_text()


CARD = {
    "name": "balls",
    "rows": {"train": 8, "val": 1, "test": 1},
    "rejected": {"planar_base": 3},
    "failed": {},
    "config": {"seed": 1},
    "digest": "d" * 64,
    "content": "c" * 64,
    "fingerprint": {"python": "3.11"},
    "licences": {"CC0-1.0": 10},
    "statistics": {"faces": {"min": 12.0, "mean": 1000.5, "max": 5000.0}},
    "gaps": ("No thin sheets.",),
}


def test_the_card_tells_counts_licences_and_gaps():
    text = card(**CARD)
    assert text == card(**CARD)
    assert text.startswith("---\nlicense: cc0-1.0\n")
    for part in (
        "| train | 8 |",
        "| planar_base | 3 |",
        "| CC0-1.0 | 10 |",
        "- No thin sheets.",
        "d" * 64,
        "| faces | 12 | 1000 | 5000 |",
    ):
        assert part in text
    assert "license: other" in card(**{**CARD, "licences": {"CC0-1.0": 9, "CC-BY-4.0": 1}})


def test_the_card_opens_with_metadata_that_yaml_reads():
    yaml = pytest.importorskip("yaml")
    head = yaml.safe_load(card(**CARD).split("---")[1])
    assert head["size_categories"] == ["n<1K"]
    assert head["configs"] == [{"config_name": "default", "data_files": [{"split": "mixed", "path": "shards/*.parquet"}]}]
    assert head["dataset_info"]["splits"] == [{"name": "mixed", "num_examples": 10}]
    assert all(part in head["dataset_info"]["description"] for part in ("d" * 64, "seed 1", "c" * 64))
