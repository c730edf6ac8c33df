"""The stream gives every row once, in an order that can be repeated, split and resumed."""

import numpy as np
import pytest
from torch.utils.data import DataLoader

from versemill.errors import ConfigError
from versemill.shards.reading import Selection
from versemill.shards.streaming import ShardStream

SMALL = Selection(passes=("mask",), views=1)


@pytest.fixture(scope="module")
def folder(sphere, tmp_path_factory):
    """24 rows in 3 shards, row groups of 2 rows."""
    return sphere.write(tmp_path_factory.mktemp("stream"), shards=3, per_shard=8, size=16, views=2, passes=("mask", "rgb")).path


def indices(stream):
    return [sample["index"] for sample in stream]


def test_an_epoch_gives_every_row_once_and_epochs_differ(folder):
    stream = ShardStream(folder, selection=SMALL)
    first, second = indices(stream), indices(stream)
    assert sorted(first) == sorted(second) == list(range(24))
    assert first != second
    assert first != list(range(24))
    again = ShardStream(folder, selection=SMALL)
    assert indices(again) == first
    assert indices(ShardStream(folder, selection=SMALL, seed=1)) != first
    assert indices(ShardStream(folder, selection=SMALL, shuffle=False)) == list(range(24))


@pytest.mark.parametrize(("world", "workers"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_ranks_and_workers_share_the_rows(folder, world, workers):
    shares = [
        [
            int(shard.indices[row])
            for shard, row in ShardStream(folder, selection=SMALL, rank=r, world_size=world).order(w, workers)
        ]
        for r in range(world)
        for w in range(workers)
    ]
    assert sorted(i for share in shares for i in share) == list(range(24))


def test_even_gives_every_consumer_the_same_number(folder):
    streams = [ShardStream(folder, "train", SMALL, even=True, rank=r, world_size=3) for r in range(3)]
    lengths = {len(stream.order(w, 2)) for stream in streams for w in range(2)}
    assert len(lengths) == 1
    assert lengths.pop() > 0
    with pytest.raises(ConfigError, match="12 row groups can't feed 16 consumers"):
        ShardStream(folder, selection=SMALL, even=True, rank=0, world_size=4).order(0, 4)


def test_splits_partition_the_stream(folder):
    parts = [indices(ShardStream(folder, split, SMALL)) for split in ("train", "val", "test")]
    assert sorted(i for part in parts for i in part) == list(range(24))
    assert all(i % 3 == 0 for i in parts[0])


@pytest.mark.parametrize("stop", [0, 1, 7, 23])
def test_a_stream_goes_on_where_it_stood(folder, stop):
    whole = indices(ShardStream(folder, selection=SMALL))
    stream = ShardStream(folder, selection=SMALL)
    walk = iter(stream)
    head = [next(walk)["index"] for _ in range(stop)]
    other = ShardStream(folder, selection=SMALL)
    other.load_state_dict(stream.state_dict())
    assert head + indices(other) == whole


@pytest.mark.parametrize("batches", [0, 1, 4, 5])
def test_a_plain_loader_resumes_by_batches(folder, batches):
    def run(stream):
        return [batch["index"].tolist() for batch in DataLoader(stream, batch_size=3, num_workers=2)]

    whole = run(ShardStream(folder, selection=SMALL))
    assert sorted(np.concatenate(whole)) == list(range(24))
    stream = ShardStream(folder, selection=SMALL)
    stream.resume(0, batches, 3)
    tail = run(stream)
    if batches % 2 == 0:
        assert tail == whole[batches:]
    assert sorted(np.concatenate(tail)) == sorted(np.concatenate(whole[batches:]))
