"""Live data without Ray: the order of draws, the bound, what replaces an asset that does not come out, the cache, resuming."""

import itertools
import json
from dataclasses import replace

import millstones
import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from versemill import seeds
from versemill.errors import ConfigError, ShardError, VersemillError
from versemill.mill.live import LiveDataset
from versemill.mill.live.draws import TRIES, Draw, Epochs, HeldOut, Recorded, epoch_seed
from versemill.mill.live.feed import Feed
from versemill.mill.live.record import Record, read
from versemill.mill.pipeline import config, parts, stages
from versemill.mill.pipeline.drawing import LiveConfig
from versemill.mill.pipeline.plan import Plan
from versemill.shards import ShardDataset, loose
from versemill.zeroverse.config import ZeroverseConfig
from versemill.zeroverse.draws import draw as zeroverse_plan


def tetrahedra(assets=12, seed=1, faults=None, overrides=(), reject_every=0):
    """A pipeline whose assets cost nothing."""
    fixed = [
        "sources.zeroverse=null",
        "sources.t.source=millstones:TRIVIAL",
        f"sources.t.reject_every={reject_every}",
        *([f"sources.t.faults={faults}"] if faults else []),
        "shards.splits=[1,0,0]",
    ]
    return config.load("base", overrides=[*fixed, *overrides], assets=assets, seed=seed)


def live(pipeline, **options):
    return LiveDataset(pipeline, passes=(), here=True, maker=millstones.make, **options)


def drawn(dataset, count):
    """(epoch, index) of the next samples, epoch after epoch."""
    found = []
    while len(found) < count:
        epoch = dataset.epoch
        for sample in dataset:
            found.append((epoch, sample["index"]))
            if len(found) == count:
                break
    return found


@settings(max_examples=25)
@given(assets=st.integers(1, 60), seed=st.integers(0, 2**62), repeats=st.integers(1, 3), epochs=st.integers(1, 4))
def test_an_epoch_draws_each_index_of_the_split_as_often_as_it_says(assets, seed, repeats, epochs):
    own = ["shards.splits=[0.5,0.3,0.2]", f"live.repeats={repeats}", "live.cache=anywhere"]
    pipeline = tetrahedra(assets, seed, overrides=own)
    try:
        order = Epochs(pipeline, "train")
    except ConfigError:
        assert all(seeds.split(seed, index, (0.5, 0.3, 0.2)) != "train" for index in range(assets))
        return
    position = 0
    for number in range(epochs):
        own_seed = epoch_seed(seed, number)
        expected = [index for index in range(assets) if seeds.split(own_seed, index, (0.5, 0.3, 0.2)) == "train"]
        if not expected:
            return
        for lap in range(repeats):
            draws = [order.draw(position + k, 0) for k in range(len(expected))]
            assert sorted(draw.index for draw in draws) == expected
            assert {(d.epoch, d.seed, d.lap) for d in draws} == {(number, own_seed, number * repeats + lap)}
            position += len(expected)
    assert order.draw(0, 0).epoch == 0  # whatever was asked for before


def test_the_first_epoch_has_the_pipelines_seed_and_the_others_seeds_of_their_own():
    assert epoch_seed(7, 0) == 7
    assert len({epoch_seed(seed, number) for seed in (7, 8) for number in range(100)}) == 200
    assert all(0 <= epoch_seed(7, number) < 2**63 for number in range(100))


def test_the_sources_of_the_first_epoch_are_those_of_a_run():
    pipeline = config.load("quickstart", assets=40, seed=5)
    order, plan = Epochs(pipeline, None), Plan.of(pipeline, {})
    for position in range(40):
        draw = order.draw(position, 0)
        assert draw.part == plan.order(draw.index).entry


def test_samples_are_a_function_of_the_seed_whatever_the_bound():
    alone = drawn(live(tetrahedra(overrides=["live.ahead=1"])), 40)
    assert alone == drawn(live(tetrahedra(overrides=["live.ahead=50"])), 40)
    assert alone != drawn(live(tetrahedra(seed=2)), 40)
    assert [index for _, index in alone[:12]] != list(range(12))
    assert sorted(index for _, index in alone[:12]) == list(range(12))
    assert alone[:12] != alone[12:24]


def test_a_position_is_resumed_and_a_loader_gives_batches():
    whole = drawn(live(tetrahedra()), 30)
    first, second = live(tetrahedra()), live(tetrahedra())
    assert drawn(first, 17) == whole[:17]
    state = json.loads(json.dumps(first.state_dict()))
    assert state == {"epoch": 1, "position": 5}
    second.load_state_dict(state)
    assert drawn(second, 13) == whole[17:]
    loader = DataLoader(live(tetrahedra()), batch_size=4, num_workers=0)
    batches = [batch["index"].tolist() for batch in loader]
    assert list(itertools.chain(*batches)) == [index for _, index in whole[:12]]
    with pytest.raises(ConfigError, match="num_workers=0"):
        next(iter(DataLoader(live(tetrahedra()), num_workers=1)))


def test_another_epoch_leaves_what_was_milled_ahead():
    dataset = live(tetrahedra())
    first = drawn(dataset, 3)
    dataset.set_epoch(5)
    fifth = drawn(dataset, 12)
    assert {epoch for epoch, _ in fifth} == {5}
    assert sorted(index for _, index in fifth) == list(range(12))
    dataset.set_epoch(0)
    assert drawn(dataset, 3) == first


def test_ranks_share_an_epoch_between_them():
    whole = [index for _, index in drawn(live(tetrahedra(assets=13)), 13)]
    shares = [[s["index"] for s in live(tetrahedra(assets=13), rank=rank, world_size=3)] for rank in range(3)]
    assert shares == [whole[rank:12:3] for rank in range(3)]
    with pytest.raises(ConfigError, match="rank 3"):
        live(tetrahedra(), rank=3, world_size=3)


def test_a_sample_is_that_of_the_same_row_in_a_shard(tmp_path, mill_here):
    pipeline = small_boxes()
    mill_here(pipeline, tmp_path)
    options = {"passes": ("rgb", "depth", "normal"), "views": 2, "resolution": 8}
    shards = {s["index"]: s for s in ShardDataset(tmp_path, "train", **options, seed=pipeline.run.seed)}
    samples = list(LiveDataset(pipeline, here=True, **options))
    assert sorted(sample["index"] for sample in samples) == sorted(shards)
    for sample in samples:
        other = shards[sample["index"]]
        assert sample.keys() == other.keys()
        assert sample["caption"] == other["caption"]
        for name in set(sample) - {"id", "index", "caption"}:
            torch.testing.assert_close(sample[name], other[name], rtol=0, atol=0)


def small_boxes(*more, assets=3, seed=4):
    """A pipeline of real assets, as cheap as they get."""
    none = dict.fromkeys(("sharp_points", "near_points", "sharp_near_points", "volume_points"), 0)
    fields = json.dumps({"surface_points": 64, **none, "voxel_resolution": 8})
    own = [
        "sources.zeroverse.preset=level-1", "sources.zeroverse.texture_size=16", "curate.resolution=32", f"fields={fields}",
        "render.width=16", "render.height=16", "render.quality=fast", "render.cameras.views=4", "shards.splits=[1,0,0]",
    ]  # fmt: skip
    return config.load("base", overrides=[*own, *more], assets=assets, seed=seed)


# What does not come out.


def faulty(tmp_path, faults):
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({str(k): v for k, v in faults.items()}))
    return path


def test_a_rejected_or_failed_asset_gives_its_place_to_the_next_index_and_is_counted(tmp_path):
    pipeline = tetrahedra(faults=faulty(tmp_path, {3: "raise"}), reject_every=4)
    dataset = live(pipeline)
    lost = {0, 4, 8, 3}
    clean = [index for _, index in drawn(live(tetrahedra()), 12)]

    def replaced(index):
        while index in lost:
            index = (index + 1) % 12
        return index

    assert [index for _, index in drawn(dataset, 12)] == [replaced(index) for index in clean]
    # 3 gives its place to 4, which gives it to 5: 4 is lost twice.
    assert dataset.tally.lost == {"rejected at filter: unwanted": 4, "failed at curate: exception": 1}
    assert dataset.tally.drawn == 12


def test_too_many_lost_assets_stop_it_with_their_reasons(tmp_path):
    pipeline = tetrahedra(assets=60, reject_every=2, overrides=["live.lost=0.2"])
    dataset = live(pipeline)
    with pytest.raises(VersemillError, match=r"of \d\d assets did not come out.*live.lost = 0.2.*rejected at filter: unwanted"):
        drawn(dataset, 60)
    stopped = dataset.tally.drawn
    again = live(replace(pipeline, live=pipeline.live.model_copy(update={"ahead": 3})))
    with pytest.raises(VersemillError, match="did not come out"):
        drawn(again, 60)
    assert again.tally.drawn == stopped  # the same position, whatever was milled ahead
    with pytest.raises(VersemillError, match=f"{TRIES} assets in a row"):
        drawn(live(tetrahedra(assets=100, reject_every=1, overrides=["live.lost=1"])), 1)


def test_nothing_of_the_split_is_refused_at_once():
    with pytest.raises(ConfigError, match="none of 12 assets is of split 'val'"):
        live(tetrahedra(), split="val")
    with pytest.raises(ConfigError, match="unknown split"):
        live(tetrahedra(), split="training")


# The bound.


class Counting:
    """A mill that makes orders in an order of its own, and knows how many are out."""

    fingerprint, cpu = "f", 0.0

    def __init__(self, choose):
        self.waiting, self.choose, self.most, self.made = {}, choose, 0, []

    def start(self, order, turn):
        assert order not in self.waiting
        self.waiting[order] = turn
        self.most = max(self.most, len(self.waiting))

    def ready(self):
        return []

    def forget(self):
        self.waiting.clear()

    def wait(self):
        order = self.choose(sorted(self.waiting, key=lambda o: self.waiting[o]))
        del self.waiting[order]
        self.made.append(order.index)
        if order.index % 5 == 0:
            why = {"stage": "filter", "reason": "unwanted", "message": ""}
            return [(order, {"status": "rejected", "rejection": why})]
        row = loose.pack(pa.table({"meta": [{"index": order.index}]}))
        return [(order, {"status": "row", "row": row})]


@settings(max_examples=30)
@given(data=st.data(), ahead=st.integers(1, 9), count=st.integers(1, 60))
def test_no_more_than_the_bound_is_out_and_the_order_is_the_same_however_they_finish(data, ahead, count):
    order = Epochs(tetrahedra(assets=20), "train")
    mill = Counting(lambda orders: data.draw(st.sampled_from(orders)))
    feed = Feed(order, mill, lambda draw, row: draw.index, LiveConfig(ahead=ahead, lost=1.0))
    taken = iter(range(count))
    indices = [index for _, index in feed.samples(taken)]
    feed.close()
    expected = []
    for position in range(count):
        draws = (order.draw(position, attempt) for attempt in itertools.count())
        expected.append(next(draw.index for draw in draws if draw.index % 5))
    assert indices == expected
    assert mill.most <= ahead
    assert feed.tally.most <= ahead
    assert feed.tally.drawn == count


# The cache.


def test_hits_of_the_cache_equal_misses_and_repeats_mill_nothing(tmp_path):
    plain = list(live(tetrahedra(reject_every=5)))
    kept = [f"live.cache={tmp_path / 'cache'}", "live.repeats=2"]
    first = live(tetrahedra(reject_every=5, overrides=kept))
    samples = list(first)
    assert len(first) == len(samples) == 24
    assert samples[:12] == plain
    assert sorted(s["index"] for s in samples[12:]) == sorted(s["index"] for s in plain)
    # An asset that takes the place of a rejected one may be milled before it is in the cache; never after.
    assert first.tally.milled <= 15
    second = live(tetrahedra(reject_every=5, overrides=kept))
    assert list(second) == samples
    assert second.tally.milled == 0
    assert second.tally.cached == 24
    assert second.tally.lost == first.tally.lost
    other = live(tetrahedra(reject_every=5, overrides=[*kept, "sources.t.size=2.0"]))
    next(iter(other))
    assert other.tally.milled > 0


def test_the_cache_keeps_its_bound(tmp_path):
    kept = [f"live.cache={tmp_path}", "live.cache_mb=1"]
    size = sum(1 for _ in live(tetrahedra(assets=30, overrides=kept)))
    assert size == 30
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 1_000_000


def test_repeats_need_a_cache():
    with pytest.raises(ConfigError, match=r"repeats is 2, and without a cache"):
        tetrahedra(overrides=["live.repeats=2"])


# Parts.


@settings(max_examples=30)
@given(
    cut=st.floats(0, 1), wired=st.floats(0, 1), disjoint=st.booleans(),
    counts=st.lists(st.sampled_from([0.0, 1.0, 3.0]), min_size=1, max_size=9).filter(any),
)  # fmt: skip
def test_parts_of_zeroverse_make_the_whole(cut, wired, disjoint, counts):
    if disjoint:
        cut, wired = cut / 2, wired / 2
    whole = ZeroverseConfig(boolean=cut, wireframe=wired, disjoint=disjoint, count_weights=tuple(counts))
    pieces = parts.zeroverse(whole)
    shares = np.array([share for share, _ in pieces.values()])
    assert shares.sum() == pytest.approx(1)
    assert sum(s * c.boolean for s, c in pieces.values()) == pytest.approx(cut)
    assert sum(s * c.wireframe for s, c in pieces.values()) == pytest.approx(wired)
    mixed = np.zeros(len(counts))
    for share, piece in pieces.values():
        own = np.array([*piece.count_weights, *[0.0] * (len(counts) - len(piece.count_weights))])
        mixed += share * own / own.sum()
        ZeroverseConfig.model_validate(piece.model_dump())
    np.testing.assert_allclose(mixed, np.array(counts) / sum(counts), atol=1e-9)


def test_parts_of_a_pipeline_keep_its_shares_and_its_order():
    pipeline = config.load("quickstart")
    whole, pieces = parts.whole(pipeline), parts.split(pipeline)
    assert [part.name for part in whole] == ["zeroverse", "detailverse"]
    for part in whole:
        assert sum(p.share for p in pieces if p.entry == part.entry) == pytest.approx(part.share)
    assert [p.entry for p in pieces] == sorted((p.entry for p in pieces), key=["zeroverse", "detailverse"].index)
    assert len({p.name for p in pieces}) == len(pieces)
    families = [p.name for p in pieces if p.entry == "detailverse"]
    assert len(families) > 20
    assert "detailverse: bird" in families


def test_an_asset_of_a_part_is_of_that_part():
    pipeline = config.load("base", assets=4)
    for part in parts.split(pipeline):
        for index in range(6):
            plan = zeroverse_plan(part.config, 1, index)
            assert (plan["boolean"] is not None) == ("boolean" in part.name)
            assert (plan["wireframe"] is not None) == ("wireframe" in part.name)
            low, _, high = part.name.rpartition(", ")[2].split()[0].partition("-")
            assert int(low) <= len(plan["primitives"]) <= int(high or low)


# Records.


def test_a_record_is_drawn_again_and_an_asset_that_is_gone_is_named(tmp_path):
    order = Epochs(tetrahedra(), "train")
    draws = {p: order.draw(p, 1) for p in range(5)}
    recorded = Recorded(draws, "the record", order)
    assert [recorded.draw(p, 0) for p in range(5)] == list(draws.values())
    assert recorded.draw(5, 0) == order.draw(5, 0)
    with pytest.raises(VersemillError, match="which the record gives position 2, is rejected or fails now"):
        recorded.draw(2, 1)
    with pytest.raises(VersemillError, match="no draw for position 9"):
        Recorded(draws, "the record").draw(9, 0)


def test_a_record_survives_a_kill_and_bad_lines_are_named(tmp_path):
    path, draw = tmp_path / "draws.jsonl", Draw(0, 0, 0, 5, 7, "t")
    first = Record(path)
    first.open()
    for position in range(3):
        first.write(replace(draw, position=position))
    first.close()
    path.write_text(path.read_text() + '{"position": 3, "ep')
    assert list(read(path)) == [0, 1, 2]
    second = Record(path)
    second.open()
    for position in range(1, 5):
        second.write(replace(draw, position=position, index=9))
    second.close()
    assert [(d.position, d.index) for d in read(path).values()] == [(0, 7), (1, 7), (2, 7), (3, 9), (4, 9)]
    assert list(read(path, 1, 3)) == [1, 2]
    path.write_text('{"position": -1}\n')
    with pytest.raises(ConfigError, match=r"line 1 of .*draws.jsonl' is not a draw"):
        read(path)
    with pytest.raises(ConfigError, match="can't read the record"):
        read(tmp_path / "nowhere")


def test_held_out_assets_are_of_no_epoch():
    pipeline = config.load("base", assets=4)
    pieces = parts.split(pipeline)
    order = HeldOut(pipeline.run.seed, pieces, 3)
    draws = [order.draw(p, a) for p in range(3 * len(pieces)) for a in range(4)]
    assert len({(d.seed, d.index) for d in draws}) == len(draws)
    assert draws[0].seed not in [epoch_seed(pipeline.run.seed, number) for number in range(1000)]
    assert [order.draw(3 * k, 0).part for k in range(len(pieces))] == [piece.name for piece in pieces]


def test_a_row_that_is_cut_and_packed_has_the_same_cells(tmp_path):
    pipeline = small_boxes(assets=1)
    plan = Plan.of(pipeline, {})
    row = stages.make(plan.recipe("d", "f"), plan.order(0)).outcome
    columns = ["meta.index", "views.rgb", "views.c2w", "fields.surface"]
    packed = loose.pack(loose.cut(row, columns))
    assert len(packed) < row.nbytes / 2
    values, whole = loose.values(loose.unpack(packed), columns), row.to_pylist()[0]
    assert values.keys() == {"meta", "views", "fields"}
    assert [bytes(cell) for cell in values["views"]["rgb"]] == whole["views"]["rgb"]
    assert bytes(values["fields"]["surface"]) == whole["fields"]["surface"]
    assert values["views"]["c2w"] == whole["views"]["c2w"]
    assert values["meta"] == {"index": 0}
    with pytest.raises(ShardError, match="can't be read"):
        loose.unpack(packed[: len(packed) // 2])
    with pytest.raises(ShardError, match="unknown column"):
        loose.cut(row, ["views.smell"])


def test_workers_on_ray_give_the_same_order_and_a_dead_one_costs_its_own_asset(two_workers, tmp_path):
    limits = ["run.deadline_s=6", "live.ahead=5"]
    (tmp_path / "ray").mkdir()
    deadly = faulty(tmp_path / "ray", {2: "abort", 5: "hang", 9: "once exit", 10: "raise"})
    plain = faulty(tmp_path, dict.fromkeys((2, 5, 10), "raise"))
    expected = live(tetrahedra(faults=plain, reject_every=7))
    samples = drawn(expected, 12)
    for workers in (1, 2):
        pipeline = tetrahedra(faults=deadly, reject_every=7, overrides=[*limits, f"run.workers={workers}"])
        with LiveDataset(pipeline, passes=(), maker=millstones.make) as dataset:
            assert drawn(dataset, 12) == samples
            tally = dataset.tally
        assert tally.most <= 5
        assert sum(tally.lost.values()) == sum(expected.tally.lost.values())
        assert tally.lost["failed at curate: crashed"] > 0
        assert tally.lost["failed at curate: timeout"] > 0
        assert tally.lost["failed at curate: exception"] > 0
