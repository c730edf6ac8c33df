"""The cache on disk: the same samples without the store, never more bytes than it may hold, shared and safe to lose."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from versemill.shards import DiskCache, ShardDataset
from versemill.shards.storage import open_storage


@pytest.fixture
def store(spheres):
    """The shards in fsspec's memory store: (URI, function that empties it)."""
    uri = "memory://cache-test/balls"
    fs, root = open_storage(uri)
    for path in (spheres.path / "shards").glob("*.parquet"):
        fs.create_dir(f"{root}/shards")
        with fs.open_output_stream(f"{root}/shards/{path.name}") as out:
            out.write(path.read_bytes())

    def empty():
        for info in fs.get_file_info(pa.fs.FileSelector(f"{root}/shards")):
            fs.delete_file(info.path)

    return uri, empty


def samples(data):
    return [data[i]["depth"] for i in range(len(data))]


def test_a_second_pass_needs_no_store(store, spheres, tmp_path):
    uri, empty = store
    want = samples(ShardDataset(spheres.path, passes=("depth",)))
    options = {"passes": ("depth",), "cache_bytes": 0, "disk_cache": DiskCache(str(tmp_path), 10**9)}
    first, second = ShardDataset(uri, **options), ShardDataset(uri, **options)
    assert all(torch.equal(a, b) for a, b in zip(want, samples(first), strict=True))
    empty()
    assert all(torch.equal(a, b) for a, b in zip(want, samples(second), strict=True))


def test_files_of_others_in_its_folder_stay(tmp_path):
    (tmp_path / "thesis.arrow").write_bytes(b"x" * 200_000)
    cache = DiskCache(str(tmp_path), 100_000)
    for key in range(6):
        cache.put(str(key), pa.table({"x": np.full(3000, key)}))
    assert (tmp_path / "thesis.arrow").exists()
    assert cache.get("5")["x"][0].as_py() == 5
    assert cache.get("0") is None


def test_it_keeps_its_bound_and_what_was_used_last(tmp_path):
    cache = DiskCache(str(tmp_path), 100_000)
    made = []

    def table(key):
        def make():
            made.append(key)
            return pa.table({"x": np.full(3000, key)})

        return cache.table(str(key), make)["x"][0].as_py()

    for key in (0, 1, 2, 0, 3, 0, 4, 0, 5):
        assert table(key) == key
        assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 100_000
    assert made == [0, 1, 2, 3, 4, 5]
    table(1)
    assert made[-1] == 1, "the one used longest ago had gone"
    big = pa.table({"x": np.zeros(100_000)})
    assert cache.table("big", lambda: big).equals(big)
    assert len(list(tmp_path.iterdir())) <= 4


def test_a_damaged_or_vanished_file_is_made_again(tmp_path):
    cache = DiskCache(str(tmp_path), 10**6)
    table = pa.table({"x": [1, 2]})
    cache.table("k", lambda: table)
    (file,) = tmp_path.iterdir()
    Path(file).write_bytes(b"ARROW1")
    assert cache.table("k", lambda: table).equals(table)
    held = cache.table("k", lambda: pa.table({"x": [0]}))
    file.unlink()
    assert held.equals(table)
