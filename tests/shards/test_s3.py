"""Shards read from an S3 server: fewer bytes than the file, the same samples, and only once with a cache on disk."""

import pickle

import pytest
import torch
from pyarrow import fs as pafs

from versemill.errors import ShardError
from versemill.shards import DiskCache, ShardDataset, verify_shard
from versemill.shards.reading import Selection
from versemill.shards.storage import open_storage, write_bytes
from versemill.shards.streaming import ShardStream


@pytest.fixture
def store(s3_server, spheres, monkeypatch):
    """The balls' shards in a bucket; (URI, file system, its root)."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    uri = s3_server.bucket("balls") + "/deep/data"
    fs, root = open_storage(uri)
    for path in sorted((spheres.path / "shards").glob("*.parquet")):
        write_bytes(fs, f"{root}/shards/{path.name}", path.read_bytes())
    return uri, fs, root


def test_samples_from_s3_are_those_of_the_disk(store, spheres):
    uri, fs, root = store
    assert isinstance(fs, pafs.S3FileSystem)
    local = ShardDataset(spheres.path, passes=("rgb", "depth"), views=2)
    remote = ShardDataset(uri, passes=("rgb", "depth"), views=2)
    for i in range(len(local)):
        for name in ("rgb", "depth", "c2w", "views"):
            torch.testing.assert_close(remote[i][name], local[i][name], rtol=0, atol=0)
    selection = Selection(passes=("mask",), views=1)
    here, stored = ([s["index"] for s in ShardStream(d, selection=selection)] for d in (spheres.path, uri))
    assert here == stored
    for shard, sealed in enumerate(spheres.sealed):
        assert verify_shard(fs, f"{root}/shards/shard-{shard:06d}.parquet", sealed.sha256) == []


def test_a_stream_with_a_bounded_cache_outlives_the_store_and_faults_are_told(store, tmp_path):
    uri, fs, root = store
    cache = DiskCache(str(tmp_path / "cache"), 200_000)
    selection = Selection(passes=("depth",), views=1)
    stream = ShardStream(uri, selection=selection, disk_cache=cache)
    first = [sample["index"] for sample in stream]
    assert sorted(first) == list(range(10))
    assert 0 < sum(p.stat().st_size for p in (tmp_path / "cache").iterdir()) <= 200_000
    whole = ShardDataset(uri, passes=("depth",), views=1, disk_cache=DiskCache(str(tmp_path / "large"), 10**8))
    want = [whole[i]["depth"] for i in range(10)]
    fs.delete_file(f"{root}/shards/shard-000001.parquet")
    fresh = pickle.loads(pickle.dumps(whole))  # what a new worker starts from: no open files, nothing in memory
    assert all(torch.equal(fresh[i]["depth"], want[i]) for i in range(10))
    with pytest.raises(ShardError, match="no shards"):
        ShardDataset(uri + "/nothing")
    bare = ShardStream(uri, selection=selection)
    assert sorted(sample["index"] for sample in bare) == list(range(5))
