"""The order of work, without Ray: nothing is lost, nothing is made twice, suspects are tried alone."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from versemill.mill.run.schedule import Schedule


def layout(assets, per_shard):
    """What `Schedule` asks of a dataset."""
    shards = -(-assets // per_shard)
    return SimpleNamespace(
        shards=shards,
        per_shard=per_shard,
        indices=lambda s: range(s * per_shard, min((s + 1) * per_shard, assets)),
    )


@given(data=st.data(), assets=st.integers(1, 80), per_shard=st.integers(1, 20), retries=st.integers(0, 3))
def test_every_asset_settles_once_and_every_shard_is_sealed_once(data, assets, per_shard, retries):
    places = layout(assets, per_shard)
    sealed = data.draw(st.sets(st.integers(0, places.shards - 1)))
    candidates = [i for i in range(assets) if i // per_shard not in sealed]
    staged = data.draw(st.sets(st.sampled_from(candidates))) if candidates else set()
    schedule = Schedule(places, sealed, staged, retries, "auto", 2)
    settled, shards, failures = [], [], {}
    while taken := schedule.take():
        for index in taken:
            if data.draw(st.booleans()) and not data.draw(st.booleans()):
                failures[index] = failures.get(index, 0) + 1
                if schedule.blame(index):
                    continue
            settled.append(index)
            schedule.settle(index)
            schedule.took(0.1)
        while schedule.to_seal:
            shards.append(schedule.to_seal.popleft())
    shards += schedule.to_seal
    assert sorted(settled) == sorted(set(candidates) - staged)
    assert sorted(shards) == sorted(set(range(places.shards)) - sealed)
    assert max(failures.values(), default=0) <= retries + 1


def test_a_suspect_comes_next_and_alone():
    schedule = Schedule(layout(100, 100), [], [], 1, 8, 2)
    first = schedule.take()
    assert len(first) == 8
    assert schedule.blame(3)
    schedule.again(5)
    assert [schedule.take(), schedule.take()] == [(3,), (5,)]
    assert schedule.take() == tuple(range(8, 16))
    assert not schedule.blame(3)


def test_chunks_follow_the_cost_and_shrink_at_the_end():
    schedule = Schedule(layout(1000, 100), [], [], 1, "auto", 2)
    assert len(schedule.take()) == 1
    schedule.took(0.02)
    assert schedule.size() == 50
    while schedule.fresh > 40:
        schedule.take()
    assert schedule.size() <= 10
    for _ in range(100):
        schedule.took(5.0)
    assert schedule.size() == 1


def test_only_makes_just_these_and_seals_nothing():
    schedule = Schedule(layout(10, 5), [0, 1], [], 0, 1, 2, only=[7, 2])
    assert [schedule.take(), schedule.take(), schedule.take()] == [(7,), (2,), ()]
    schedule.settle(7)
    schedule.settle(2)
    assert not schedule.to_seal
