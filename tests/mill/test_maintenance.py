"""A finished dataset's later life, and what status and verify say of it."""

import json
import re
import shutil

import millstones
import pyarrow.parquet as pq
import pytest
from millstones import rewrite
from test_run import entries, hashes, leftovers, run

from versemill.curated import Rejected
from versemill.errors import ConfigError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.report.status import status, text
from versemill.mill.upkeep import maintenance
from versemill.mill.upkeep.verify import verify, verify_quick

OPTIONS = {"maker": millstones.make, "progress": False}


@pytest.fixture(scope="module")
def whole(two_workers, tmp_path_factory):
    """A finished dataset of 40 assets; tests copy it."""
    from versemill.mill.pipeline import config

    root = tmp_path_factory.mktemp("whole")
    overrides = ["sources.zeroverse=null", "sources.t.source=millstones:TRIVIAL", "sources.t.reject_every=7"]
    pipeline = config.load("base", overrides=[*overrides, "shards.assets_per_shard=16"], assets=40, seed=1)
    run(pipeline, root / "a")
    return root / "a"


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


def test_retry_mends_the_failed_and_ends_in_the_undisturbed_bytes(two_workers, trivial, tmp_path):
    run(trivial(), tmp_path / "undisturbed")
    pipeline = trivial(faults={3: "raise", 4: "raise", 20: "abort"}, overrides=["run.retries=0"])
    assert run(pipeline, tmp_path / "a").failed == 3
    trivial()  # takes the faults away
    summary = maintenance.retry(tmp_path / "a", **OPTIONS)
    assert (summary.made, summary.failed, summary.complete) == (3, 0, True)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "undisturbed")
    assert [e["rejections"] for e in entries(tmp_path / "a")] == [e["rejections"] for e in entries(tmp_path / "undisturbed")]
    assert leftovers(tmp_path / "a") == []


def test_regenerate_gives_the_same_bytes(copy, whole):
    (copy / "shards" / "shard-000001.parquet").unlink()
    summary = maintenance.regenerate(copy, [1], **OPTIONS)
    assert (summary.made, summary.complete) == (16, True)
    assert hashes(copy) == hashes(whole)
    assert verify(copy) == []
    with pytest.raises(ConfigError, match=r"it has 0\.\.2"):
        maintenance.regenerate(copy, [3], **OPTIONS)


def test_extend_makes_what_a_larger_run_makes(copy, trivial, tmp_path, two_workers):
    summary = maintenance.extend(copy, 55, **OPTIONS)
    assert (summary.made, summary.assets, summary.complete) == (15, 55, True)
    pipeline = maintenance.pipeline_of(Dataset.open(copy))
    run(pipeline, tmp_path / "large")
    assert hashes(copy) == hashes(tmp_path / "large")
    with pytest.raises(ConfigError, match="55 assets already"):
        maintenance.extend(copy, 40, **OPTIONS)


def test_debug_makes_one_asset_here(whole):
    made = maintenance.debug(whole, 9, maker=millstones.make)
    assert made.outcome.num_rows == 1
    assert isinstance(maintenance.debug(whole, 7, maker=millstones.make).outcome, Rejected)


def test_the_config_of_a_dataset_is_not_changed(whole):
    with pytest.raises(ConfigError, match="can't be changed"):
        maintenance.retry(whole, overrides=["render.width=9"], **OPTIONS)


def test_diff_says_what_differs(copy, whole, trivial, tmp_path, two_workers):
    info = json.loads((copy / "dataset.json").read_text())
    info["config"]["validate"]["seed"], info["config"]["run"]["workers"] = 9, 1
    rewrite(copy / "dataset.json", config=info["config"])
    assert maintenance.diff(copy, whole) == [], "what decides no byte makes no difference"
    pipeline = maintenance.pipeline_of(Dataset.open(copy))
    other = maintenance.restore(pipeline.name, pipeline.resolved, ["sources.t.size=2", "run.assets=16"])
    run(other, tmp_path / "other")
    lines = maintenance.diff(whole, tmp_path / "other")
    assert any(line.startswith("sources.t.size: 1.0 -> 2") for line in lines)
    assert any(line.startswith("shard 0: ") for line in lines)
    assert any(line.startswith("shard 2: only in") for line in lines)


def test_verify_finds_each_kind_of_damage(copy):
    assert verify(copy, deep=True) == []
    shards = copy / "shards"
    data = (shards / "shard-000000.parquet").read_bytes()
    (shards / "shard-000000.parquet").write_bytes(data[:-100])
    flipped = bytearray((shards / "shard-000001.parquet").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (shards / "shard-000001.parquet").write_bytes(flipped)
    (shards / "shard-000002.parquet").unlink()
    (shards / "shard-000009.parquet").write_bytes(data)
    problems = {(p.kind, p.shard) for p in verify(copy)}
    assert problems == {("truncated", 0), ("tampered", 1), ("missing", 2), ("extra", None)}


def test_verify_finds_a_ledger_that_lies(copy):
    path = copy / "ledger" / "shard-000000.json"
    entry = json.loads(path.read_text())
    rewrite(path, indices=entry["indices"][1:])
    (copy / "ledger" / "shard-000001.json").write_text("{")
    (copy / "ledger" / "shard-000002.json").unlink()
    problems = {(p.kind, p.shard) for p in verify(copy, deep=True)}
    assert problems == {("ledger", 0), ("ledger", 1), ("unsealed", None)}


def test_repair_mends_what_verify_finds(copy, whole):
    (copy / "shards" / "shard-000000.parquet").write_bytes(b"PAR1")
    (copy / "ledger" / "shard-000002.json").unlink()
    done = maintenance.repair(copy, **OPTIONS)
    assert done.summary.complete
    assert [(r.shard, r.verdict) for r in done.remade] == [(0, "equal")]
    assert verify(copy) == []
    assert hashes(copy) == hashes(whole)
    assert leftovers(copy) == []


def test_repair_under_another_fingerprint_says_equivalent_never_equal(copy):
    """The ledger says that another numpy made the shards; their files hold the same rows under another footer or none."""
    for shard in range(3):
        path = copy / "ledger" / f"shard-{shard:06d}.json"
        entry = json.loads(path.read_text())
        entry["fingerprint"]["packages"]["numpy"] = "1.0"
        rewrite(path, fingerprint=entry["fingerprint"], sha256="0" * 64)
    file = copy / "shards" / "shard-000000.parquet"
    pq.write_table(pq.read_table(file), file)
    (copy / "shards" / "shard-000002.parquet").unlink()
    done = maintenance.repair(copy, **OPTIONS)
    assert [r.verdict for r in done.remade] == ["equivalent", "equal", "unknown"]
    assert "numpy: 1.0 -> " in str(done.remade[0])
    assert verify(copy, deep=True) == []
    assert leftovers(copy) == []


def test_repair_tells_when_the_bytes_are_not_reproduced(copy):
    path = copy / "ledger" / "shard-000001.json"
    rewrite(path, sha256="0" * 64)
    (remade,) = maintenance.repair(copy, **OPTIONS).remade
    assert (remade.shard, remade.verdict) == (1, "differs")
    assert "the ledger held 000000000000; the fingerprint is the same" in remade.message


def test_status_counts_what_the_ledger_holds(whole, capsys):
    facts = status(whole)
    json.dumps(facts, allow_nan=False)
    assert facts["state"] == "complete"
    assert facts["counts"] == {"rows": 34, "rejected": 6, "failed": 0, "staged": 0, "left": 0}
    assert facts["rejections"] == {"filter: unwanted": 6}
    assert facts["sources"] == {"t": {"rows": 34, "rejected": 6, "failed": 0}}
    assert facts["stages"]["source"]["entered"] == 34
    assert facts["run"]["made"] == 40
    from rich.console import Console

    Console(width=120).print(text(facts))
    shown = capsys.readouterr().out
    for words in ("complete", "3 of 3 shards", "34 rows, 6 rejected", "filter: unwanted"):
        assert words in shown


def test_status_of_nothing_is_a_clear_line(tmp_path):
    with pytest.raises(ConfigError, match="holds no dataset"):
        status(tmp_path)


def test_the_census_follows_the_ledger_and_may_go(copy, whole):
    want = status(whole)
    for key in ("counts", "sources", "stages", "rejections"):
        assert status(copy)[key] == want[key]
    path = copy / "ledger" / "shard-000001.json"
    entry = json.loads(path.read_text())
    lost = {"index": entry["indices"].pop(), "source": "t", "stage": "render", "reason": "blank_view", "message": ""}
    rewrite(path, indices=entry["indices"], rows=entry["rows"] - 1, rejections=[*entry["rejections"], lost])
    facts = status(copy)
    assert facts["counts"]["rejected"] == want["counts"]["rejected"] + 1
    assert facts["rejections"]["render: blank_view"] == 1
    (copy / "census.json").write_text("{")
    assert status(copy)["counts"] == facts["counts"]
    (copy / "ledger" / "shard-000001.json").unlink()
    assert status(copy)["shards"]["sealed"] == 2


def test_quick_verification_sees_sizes_and_presence(copy):
    assert verify_quick(copy) == []
    shards = copy / "shards"
    data = (shards / "shard-000000.parquet").read_bytes()
    (shards / "shard-000000.parquet").write_bytes(data[:-1])
    (shards / "shard-000001.parquet").write_bytes((shards / "shard-000001.parquet").read_bytes() + b"x")
    (shards / "shard-000002.parquet").unlink()
    (shards / "shard-000007.parquet").write_bytes(data)
    problems = {(p.kind, p.shard) for p in verify_quick(copy)}
    assert problems == {("truncated", 0), ("tampered", 1), ("missing", 2), ("extra", None)}
    (copy / "ledger" / "shard-000001.json").write_text("{")
    (copy / "ledger" / "shard-000002.json").unlink()
    problems = {(p.kind, p.shard) for p in verify_quick(copy)}
    assert problems == {("truncated", 0), ("ledger", 1), ("unsealed", None), ("extra", None)}


def test_the_card_is_written_with_the_dataset(whole, copy):
    text = (whole / "README.md").read_text()
    assert text.startswith("---\nlicense: ")
    counts = status(whole)["counts"]
    splits = [re.search(rf"\| {name} \| (\d+) \|", text) for name in ("train", "val", "test")]
    assert sum(int(match[1]) for match in splits if match) == counts["rows"]
    assert f"{counts['rejected']} assets were rejected" in text
    assert json.loads((whole / "dataset.json").read_text())["digest"] in text
    assert "| faces | 4 | 4 | 4 |" in text
    path = copy / "shards" / "shard-000002.parquet"
    path.write_bytes(bytes(path.stat().st_size))
    maintenance.regenerate(copy, [0], **OPTIONS)
    assert "can't be read: shards/shard-000002.parquet" in (copy / "README.md").read_text()
    maintenance.repair(copy, **OPTIONS)
    assert (copy / "README.md").read_text() == text
