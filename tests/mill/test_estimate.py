"""`versemill plan`: exact about shards, right about costs within its own interval."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from test_run import run

from versemill.errors import ConfigError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline import config
from versemill.mill.upkeep import estimate
from versemill.mill.upkeep.estimate import Sample, _total


def two_sources(assets, **entries):
    fixed = [f"sources.{name}.source=millstones:TRIVIAL" for name in ("quick", "slow")]
    shares = ["sources.zeroverse=null", "sources.quick.share=3", "sources.slow.share=1", "sources.slow.milliseconds=40"]
    own = [f"{key.replace('__', '.')}={value}" for key, value in entries.items()]
    return config.load("base", overrides=[*fixed, *shares, "shards.assets_per_shard=16", *own], assets=assets, seed=1)


def test_figures_of_a_dataset_are_stratified_by_source(two_workers, tmp_path):
    run(two_sources(64), tmp_path / "a")
    facts = estimate.estimate(two_sources(6400), like=tmp_path / "a")
    json.dumps(facts, allow_nan=False)
    assert facts["assets"] == sum(facts["sources"].values()) == 6400
    assert facts["shards"] == {
        "count": 400, "assets_per_shard": 16, "last": 16,
        "first_file": "shards/shard-000000.parquet", "last_file": "shards/shard-000399.parquet",
    }  # fmt: skip
    assert facts["sample"]["assets"] == 64
    slow = estimate.estimate(two_sources(6400, sources__quick__share=0.0001), like=tmp_path / "a")
    # 40 ms of source in every asset instead of every fourth
    source = (slow["core_hours"]["value"] - facts["core_hours"]["value"]) * 3600
    assert source == pytest.approx(6400 * 0.75 * 0.04, rel=0.15)
    held = sum(Dataset.open(tmp_path / "a").read(f"ledger/shard-00000{k}.json")["bytes"] for k in range(4))
    assert facts["bytes"]["value"] == pytest.approx(100 * held, rel=0.02)
    assert facts["rows"] == {"value": 6400, "low": 6400, "high": 6400}
    assert facts["gpu_hours"]["value"] == 0
    shown = io.StringIO()
    Console(width=120, file=shown).print(estimate.text(facts))
    assert "400 shards of 16 assets: shards/shard-000000.parquet .. shards/shard-000399.parquet" in shown.getvalue()


def test_another_config_is_no_basis(two_workers, tmp_path):
    run(two_sources(16), tmp_path / "a")
    with pytest.raises(ConfigError, match=r"made by another config: sources\.slow\.milliseconds: 40.* -> 80"):
        estimate.estimate(two_sources(100, sources__slow__milliseconds=80), like=tmp_path / "a")
    with pytest.raises(ConfigError, match="holds no dataset"):
        estimate.estimate(two_sources(100), like=tmp_path / "none")


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Skewed costs of two sources, known means: 90 % intervals from 32 assets each time."""
    rng = np.random.default_rng(0)
    counts, trials, hits = {"a": 700, "b": 300}, 400, 0
    for _ in range(trials):
        sources = np.array(["a"] * 22 + ["b"] * 10)
        each = np.where(sources == "a", rng.gamma(4, 0.25, 32), rng.gamma(4, 2.5, 32))
        sample = Sample(sources, {}, each, each, each, "")
        interval = _total(sample, each, counts)
        hits += interval["low"] <= 700 * 1.0 + 300 * 10.0 <= interval["high"]
    assert 0.84 < hits / trials < 0.97


@pytest.mark.slow
def test_a_sample_is_measured_and_nothing_is_kept(two_workers, tmp_path, monkeypatch):
    import tempfile

    from test_real import SMALL

    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    pipeline = config.load("quickstart", overrides=[*SMALL, "run.workers=1"], assets=1000)
    facts = estimate.estimate(pipeline, sample=4, progress=False)
    assert facts["sample"]["assets"] == 4
    assert facts["core_hours"]["low"] < facts["core_hours"]["value"] < facts["core_hours"]["high"]
    assert facts["core_seconds"]["render"] > 0
    assert facts["disk_bytes"] > facts["bytes"]["value"] > 1000 * 1000
    assert list((tmp_path / "scratch").iterdir()) == []
