"""Cells read straight from the file are those that Arrow reads, and any other layout falls back to Arrow."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pyarrow import fs as pafs
from torch.utils.data import DataLoader

from versemill.errors import ShardError
from versemill.shards import ShardDataset, read_rows, seal
from versemill.shards import lending as lending_module
from versemill.shards.cells import LocalShard
from versemill.shards.dataset import RowReader
from versemill.shards.folder import open_shard
from versemill.shards.reading import Selection
from versemill.shards.schema import COLUMNS, is_blob
from versemill.shards.streaming import ShardStream

FS = pafs.LocalFileSystem()
BLOBS = [f"{group}.{name}" for group, columns in COLUMNS.items() for name in columns if is_blob(f"{group}.{name}")]


@pytest.fixture(scope="module")
def sealed(sphere, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("cells") / "a.parquet")
    seal(FS, path, [sphere.row(i, views=2 + i % 3, size=24) for i in range(11)], {})
    return path


def test_every_binary_column_is_found_without_arrow(sealed):
    rows, file, start = list(read_rows(sealed, BLOBS)), LocalShard(sealed), 0
    for number in range(file.parquet.num_row_groups):
        count = file.parquet.metadata.row_group(number).num_rows
        for column in BLOBS:
            group, leaf = column.split(".")
            values = [row[group][leaf] for row in rows[start : start + count]]
            flat = [cell for value in values for cell in (value if isinstance(value, list) else [value])]
            cells = file.cells(number, column)
            assert cells is not None, column
            assert list(cells) == flat
        start += count
    assert start == 11
    assert file.cells(0, "meta.id") is None
    assert file.cells(0, "views.nothing") is None


def read_all(path, columns):
    shard = open_shard(FS, path)
    reader = RowReader(FS, columns, 1)
    rows = [reader.row(shard, k) for k in range(len(shard.splits))]
    return [{g: {n: _bytes(v) for n, v in (row[g] or {}).items()} for g in row} for row in rows]


def _bytes(value):
    if isinstance(value, (list, tuple)) or hasattr(value, "_places"):
        return [_bytes(v) for v in value]
    return bytes(value) if hasattr(value, "__len__") and not isinstance(value, str) else value


LAYOUTS = {
    "several pages": {"compression": "none", "use_dictionary": False, "data_page_size": 2000, "write_batch_size": 1},
    "compressed": {"compression": "zstd", "use_dictionary": False},
    "dictionaries": {"compression": "none", "use_dictionary": True},
    "pages of version 2": {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_layouts_read_the_same(sealed, tmp_path, layout):
    other = str(tmp_path / "b.parquet")
    pq.write_table(pq.read_table(sealed), other, row_group_size=8, **LAYOUTS[layout])
    assert LocalShard(other).cells(0, "views.rgb") is None
    columns = ["meta.id", "views.count", "views.c2w", "views.rgb", "views.depth", "fields.surface", "mesh.glb"]
    assert read_all(other, columns) == read_all(sealed, columns)
    alone = read_all(sealed, ["views.rgb"])
    assert [row["views"]["rgb"] for row in alone] == [row["views"]["rgb"] for row in read_all(sealed, columns)]


def test_rows_without_views_or_a_pass_fall_back(sphere, tmp_path):
    rows = [sphere.row(0, views=2, size=16), sphere.row(1, views=2, size=16, passes=("rgb",))]
    seal(FS, str(tmp_path / "a.parquet"), rows, {})
    assert LocalShard(str(tmp_path / "a.parquet")).cells(0, "views.rgb") is not None
    assert LocalShard(str(tmp_path / "a.parquet")).cells(0, "views.depth") is None
    tables = read_all(str(tmp_path / "a.parquet"), ["views.count", "views.rgb", "views.depth"])
    assert len(tables[0]["views"]["depth"]) == 2
    assert tables[1]["views"]["depth"] is None
    assert len(tables[1]["views"]["rgb"]) == 2


def test_a_file_that_shrinks_is_reported(sealed, tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(Path(sealed).read_bytes())
    file = LocalShard(str(path))
    cells = file.cells(0, "views.rgb")
    with path.open("r+b") as short:
        short.truncate(100)
    with pytest.raises(ShardError, match="ends within a cell"):
        cells[3]


@pytest.fixture(scope="module")
def folder(sphere, tmp_path_factory):
    return sphere.write(
        tmp_path_factory.mktemp("lent"), shards=2, per_shard=12, size=32, views=3, passes=("rgb", "depth", "mask")
    ).path


@pytest.mark.parametrize(("context", "kind"), [("fork", ShardStream), ("spawn", ShardDataset)])
def test_samples_that_are_kept_stay_what_they_were(folder, context, kind):
    """Blocks go back to the worker only once a sample and everything made of its memory are gone."""
    passes = ("rgb", "depth", "mask")
    truth = {s["index"]: s for s in (d[i] for d in [ShardDataset(folder, passes=passes)] for i in range(24))}
    data = (
        ShardDataset(folder, passes=passes) if kind is ShardDataset else ShardStream(folder, selection=Selection(passes=passes))
    )
    kept, views = [], []
    for number, sample in enumerate(DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=context)):
        assert type(sample) is dict
        assert list(sample) == list(truth[0])
        torch.testing.assert_close(sample["rgb"], truth[sample["index"]]["rgb"], rtol=0, atol=0)
        if number % 3 == 0:
            kept.append(sample)
        elif number % 3 == 1:
            views.append((sample["index"], sample["depth"][1:, :, 4:9]))
    assert len(kept) + len(views) == 16
    for sample in kept:
        for name in passes:
            torch.testing.assert_close(sample[name], truth[sample["index"]][name], rtol=0, atol=0)
    for index, view in views:
        torch.testing.assert_close(view, truth[index]["depth"][1:, :, 4:9], rtol=0, atol=0)


class Counting(ShardDataset):
    """Says with each sample how many blocks its worker has."""

    def __getitem__(self, item):
        sample = super().__getitem__(item)
        sample["blocks"] = len(lending_module._blocks)
        return sample


def test_blocks_are_used_again(folder):
    loader = DataLoader(Counting(folder, passes=("rgb",)), batch_size=None, num_workers=1, prefetch_factor=2)
    assert max(sample["blocks"] for sample in loader) < 8
    assert not lending_module._blocks


def test_batches_and_samples_made_anew_are_not_lent(folder):
    small = ShardDataset(folder, passes=("rgb", "depth"), resolution=8)
    alone = [small[i] for i in range(24)]
    (batch,) = DataLoader(small, batch_size=24, num_workers=1)
    torch.testing.assert_close(batch["rgb"], torch.stack([s["rgb"] for s in alone]))
    one = [s["depth"] for s in DataLoader(small, batch_size=None, num_workers=1)]
    np.testing.assert_array_equal(torch.stack(one), torch.stack([s["depth"] for s in alone]))
