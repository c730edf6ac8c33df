"""Complexity: levels mixed by a pipeline's shares come out in them, and what is measured rises with the level."""

from collections import Counter
from statistics import median

from versemill import zeroverse
from versemill.mill.pipeline import config as pipelines
from versemill.mill.pipeline.plan import Plan


def test_levels_come_out_in_the_shares_of_a_pipeline():
    """The recipe of docs/zeroverse.md: a curriculum as entries with shares, exact to within a few assets."""
    weights = {"easy": ("level-3", 1.0), "middle": ("level-8", 2.0), "hard": ("level-13", 1.0)}
    overrides = ["sources.zeroverse=null"]
    for name, (preset, share) in weights.items():
        overrides.append(f"sources.{name}={{source: zeroverse, preset: {preset}, share: {share}, textures: none}}")
    pipeline = pipelines.load("base", overrides=overrides, assets=400)
    plan = Plan.of(pipeline, {})
    orders = [plan.order(index) for index in range(400)]
    counted = Counter(order.entry for order in orders)
    assert all(abs(counted[name] - 100 * share) <= 3 for name, (_, share) in weights.items())
    outcomes = {name: [] for name in weights}
    for order in orders[:60]:
        asset = zeroverse.generate(pipeline.sources[order.entry].config, 0, order.index)
        assert asset.provenance["plan"]["preset"] == weights[order.entry][0]
        outcomes[order.entry].append(asset.provenance["outcome"]["bend"])
    easy, middle, hard = (median(bends) for bends in outcomes.values())
    assert easy < middle < hard
