"""The union of datasets: the same bytes under one ledger, whatever is damaged, killed, repeated or contradicts itself."""

import json
import shutil
from pathlib import Path

import millstones
import pytest
from millstones import rewrite
from test_run import entries, hashes, leftovers, run

from versemill.errors import ConfigError, ShardError
from versemill.mill.folder.dataset import Dataset, differences, locked
from versemill.mill.pipeline import config
from versemill.mill.report import write as report
from versemill.mill.report.status import status
from versemill.mill.upkeep import maintenance
from versemill.mill.upkeep.dedup import dedup
from versemill.mill.upkeep.merge import merge, repeats
from versemill.mill.upkeep.verify import verify, verify_quick
from versemill.shards import ShardDataset, read_rows


def pipeline(seed, size=1.0, assets=24, name="t", extra=()):
    overrides = ["sources.zeroverse=null", f"sources.{name}.source=millstones:TRIVIAL", f"sources.{name}.reject_every=7"]
    overrides += [f"sources.{name}.size={size}", "shards.assets_per_shard=8", *extra]
    return config.load("base", overrides=overrides, assets=assets, seed=seed)


@pytest.fixture(scope="module")
def made(two_workers, tmp_path_factory):
    """Three datasets: a (24 assets, seed 1), b (10 assets, seed 2), and c (8 assets of a's seed), each of another config."""
    root = tmp_path_factory.mktemp("parts")
    run(pipeline(1), root / "a")
    run(pipeline(2, size=2.0, assets=10, name="u"), root / "b")
    run(pipeline(1, size=2.0, assets=8), root / "c")
    return root


def label(folder):
    """How source entries of this part are named in a union."""
    return f"base-{Dataset.open(folder).info['digest'][:8]}"


@pytest.fixture
def parts(made, tmp_path):
    return shutil.copytree(made, tmp_path / "parts")


def without(folder, *shards):
    """The dataset as a run that made only some of its shards leaves it."""
    for shard in shards:
        for path in folder.glob(f"*/shard-{shard:06d}.*"):
            path.unlink()
    return folder


def contents(folder):
    """Date and bytes of every file that a second merge should leave alone."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name not in ("lock", "README.md"))
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in files}


def bytes_of(folder):
    return {p.name: p.read_bytes() for p in sorted((folder / "shards").iterdir())}


def test_different_datasets_become_one_that_everything_works_on(parts, tmp_path):
    out = tmp_path / "out"
    summary = merge([parts / "a", parts / "b"], out)
    assert (summary.assets, summary.shards, summary.sealed, summary.complete) == (34, 5, 5, True)
    a, b = bytes_of(parts / "a"), bytes_of(parts / "b")
    assert list(bytes_of(out).values()) == [*a.values(), *b.values()]
    assert verify(out, deep=False) == verify_quick(out) == []
    facts = status(out)
    assert (facts["state"], facts["assets"], facts["seed"]) == ("complete", 34, [1, 2])
    one, two = status(parts / "a"), status(parts / "b")
    assert facts["counts"] == {k: one["counts"][k] + two["counts"][k] for k in facts["counts"]}
    assert facts["sources"] == {
        f"{label(parts / 'a')}/t": one["sources"]["t"],
        f"{label(parts / 'b')}/u": two["sources"]["u"],
    }
    for stage, numbers in facts["stages"].items():
        assert numbers["entered"] == one["stages"][stage]["entered"] + two["stages"][stage]["entered"]
    assert report(out).stat().st_size > 10_000
    assert "| train |" in (out / "README.md").read_text()
    config = Dataset.open(out).info["config"]
    assert {name: entry["share"] for name, entry in config["sources"].items()} == pytest.approx(
        {f"{label(parts / 'a')}/t": 24 / 34, f"{label(parts / 'b')}/u": 10 / 34}
    )
    assert leftovers(out) == [str(out / "report.html")]


def test_every_row_keeps_its_id_and_split_and_leads_to_its_part(parts, tmp_path):
    merge([parts / "a", parts / "b"], tmp_path / "out")
    merged = Dataset.open(tmp_path / "out")
    parts_by_seed = {part["seed"]: part["digest"] for part in merged.info["parts"]}
    merged_splits = {}
    for shard in merged.sealed():
        for row in read_rows(merged.path(merged.shard_file(shard)), ["meta"], fs=merged.fs):
            assert row["meta"]["config_digest"] == parts_by_seed[row["meta"]["seed"]]
            assert row["meta"]["index"] in merged.indices(shard)
            merged_splits[row["meta"]["id"]] = row["meta"]["split"]
    singly = {}
    for dataset in (Dataset.open(parts / name) for name in ("a", "b")):
        for shard in dataset.sealed():
            rows = read_rows(dataset.path(dataset.shard_file(shard)), ["meta"], fs=dataset.fs)
            singly |= {row["meta"]["id"]: row["meta"]["split"] for row in rows}
    assert merged_splits == singly
    for split in ("train", "val", "test"):
        count = sum(s == split for s in singly.values())
        if count:
            assert len(ShardDataset(tmp_path / "out", split, passes=())) == count


def test_datasets_of_one_seed_are_merged_under_ids_of_their_own(parts, tmp_path):
    out = tmp_path / "out"
    summary = merge([parts / "a", parts / "c"], out)
    assert summary.complete
    assert verify(out, deep=False) == []
    data = ShardDataset(out, passes=())
    ids = [data[k]["id"] for k in range(len(data))]
    assert len(set(ids)) == len(ids) == summary.rows
    heads = [Dataset.open(parts / name).info["digest"][:8] for name in ("a", "c")]
    assert {name.partition("-")[0] for name in ids} == set(heads)
    for name, head in zip(("a", "c"), heads, strict=True):
        alone = ShardDataset(parts / name, passes=())
        assert [alone[k]["id"] for k in range(len(alone))] == [each for each in ids if each.startswith(head)]


def test_a_union_of_the_same_shapes_says_so(parts, tmp_path):
    merge([parts / "a", parts / "c"], tmp_path / "other_sources")
    assert repeats(Dataset.open(tmp_path / "other_sources")) == []
    run(pipeline(1, assets=8, extra=["shards.zstd_level=3"]), tmp_path / "finer")
    merge([parts / "a", tmp_path / "finer"], tmp_path / "out")
    (sentence,) = repeats(Dataset.open(tmp_path / "out"))
    assert "same shapes twice" in sentence


def test_pieces_of_one_dataset_become_it_again_and_a_run_goes_on(parts, tmp_path):
    whole = hashes(parts / "a")
    low = without(shutil.copytree(parts / "a", tmp_path / "low"), 1, 2)
    middle = without(shutil.copytree(parts / "a", tmp_path / "middle"), 0, 2)
    summary = merge([low, middle], tmp_path / "out")
    assert (summary.sealed, summary.shards, summary.complete) == (2, 3, False)
    assert [problem.kind for problem in verify(tmp_path / "out")] == ["unsealed"]
    assert not Dataset.open(tmp_path / "out").merged
    # What both hold is taken once; the rest is made by a run, as if nothing had happened.
    summary = run(pipeline(1), tmp_path / "out")
    assert (summary.made, summary.complete) == (8, True)
    assert hashes(tmp_path / "out") == whole
    again = merge([parts / "a", low], tmp_path / "again")
    assert again.complete
    assert [e["sha256"] for e in entries(tmp_path / "again")] == list(whole.values())
    info, plain = (Dataset.open(d).info for d in (tmp_path / "again", parts / "a"))
    assert {k: v for k, v in info.items() if k != "from"} == plain
    assert info["from"] == [str(parts / "a"), str(low)]


def test_merging_again_changes_nothing_and_mends_what_was_damaged(parts, tmp_path):
    out = tmp_path / "out"
    merge([parts / "a", parts / "b"], out)
    before = contents(out)
    merge([parts / "a", parts / "b"], out)
    assert contents(out) == before
    damaged = out / "shards" / "shard-000003.parquet"
    damaged.unlink()
    damaged.write_bytes(b"nothing")
    (out / "ledger" / "shard-000001.json").write_text("{}")
    (out / "shards" / ".x.parquet.1-2.tmp").write_bytes(b"left by a killed writer")
    merge([parts / "a", parts / "b"], out)
    assert verify(out, deep=False) == []
    assert bytes_of(out)["shard-000003.parquet"] == bytes_of(parts / "b")["shard-000000.parquet"]
    assert leftovers(out) == []


@pytest.mark.parametrize("step", range(6))
def test_a_killed_merge_is_finished_by_the_next(parts, tmp_path, monkeypatch, step):
    """Dies at its n-th write of a JSON file; what is there then is either a whole shard or none."""
    out, writes = tmp_path / "out", []
    real = Dataset.write

    def dying(dataset, name, value):
        writes.append(name)
        if len(writes) > step:
            raise KeyboardInterrupt
        real(dataset, name, value)

    monkeypatch.setattr(Dataset, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        merge([parts / "a", parts / "b"], out)
    monkeypatch.undo()
    if step:
        problems = verify(out)
        assert {problem.kind for problem in problems} <= {"unsealed"}
    merge([parts / "a", parts / "b"], out)
    assert verify(out, deep=False) == []
    assert len(entries(out)) == 5


def test_files_are_linked_on_one_disk_and_copied_elsewhere(parts, tmp_path, monkeypatch):
    merge([parts / "a", parts / "b"], tmp_path / "linked")
    one, two = parts / "a" / "shards" / "shard-000000.parquet", tmp_path / "linked" / "shards" / "shard-000000.parquet"
    assert one.samefile(two)

    def refuse(*paths):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    merge([parts / "a", parts / "b"], tmp_path / "copied")
    two = tmp_path / "copied" / "shards" / "shard-000000.parquet"
    assert not one.samefile(two)
    assert one.read_bytes() == two.read_bytes()
    assert hashes(tmp_path / "copied") == hashes(tmp_path / "linked")


@pytest.mark.parametrize("links", [True, False])
def test_a_part_that_is_not_what_its_ledger_says_is_refused(parts, tmp_path, monkeypatch, links):
    if not links:  # as between object stores
        monkeypatch.setattr(Dataset, "local", False)
    path = parts / "b" / "shards" / "shard-000001.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ShardError, match="not what the ledger says"):
        merge([parts / "a", parts / "b"], tmp_path / "out")
    assert len(entries(tmp_path / "out")) == 4
    path.unlink()
    with pytest.raises(ShardError, match="missing"):
        merge([parts / "a", parts / "b"], tmp_path / "out")


def test_a_union_can_be_merged_further(parts, tmp_path):
    run(pipeline(3, assets=8), tmp_path / "c")
    merge([parts / "a", parts / "b"], tmp_path / "ab")
    merge([tmp_path / "ab", tmp_path / "c"], tmp_path / "nested")
    merge([parts / "a", parts / "b", tmp_path / "c"], tmp_path / "flat")
    assert bytes_of(tmp_path / "nested") == bytes_of(tmp_path / "flat")
    nested, flat = (Dataset.open(tmp_path / name).info for name in ("nested", "flat"))
    assert differences(nested, flat) == []
    assert entries(tmp_path / "nested") == entries(tmp_path / "flat")


def edited(folder, **changes):
    info = json.loads((folder / "dataset.json").read_text())
    for key, value in changes.items():
        info[key] = {**info[key], **value}
    rewrite(folder / "dataset.json", **info)
    return folder


def test_what_can_not_be_united_is_refused(parts, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="two datasets or more"):
        merge([parts / "a"], out)
    with pytest.raises(ConfigError, match="holds no dataset"):
        merge([parts / "a", tmp_path], out)
    with pytest.raises(ConfigError, match="folder of its own"):
        merge([parts / "a", parts / "b"], parts / "b")
    head = Dataset.open(parts / "a").info["digest"][:8]
    clash = shutil.copytree(parts / "b", tmp_path / "clash")
    rewrite(clash / "dataset.json", digest=head + "0" * 56)
    with pytest.raises(ConfigError, match=f"both begin with {head}, so their ids collide; .*another --seed"):
        merge([parts / "a", clash], out)
    unfinished = without(shutil.copytree(parts / "b", tmp_path / "unfinished"), 1)
    with pytest.raises(ConfigError, match="lacks 1 of 2 shards"):
        merge([parts / "a", unfinished], out)
    other = edited(shutil.copytree(parts / "b", tmp_path / "schema"), versions={"schema": 99})
    with pytest.raises(ConfigError, match="schema 99"):
        merge([parts / "a", other], out)
    other = edited(shutil.copytree(parts / "b", tmp_path / "conventions"), conventions={"version": 99})
    with pytest.raises(ConfigError, match="conventions 99"):
        merge([parts / "a", other], out)
    with locked(Dataset.open(parts / "b")), pytest.raises(ConfigError, match="a run is writing"):
        merge([parts / "a", parts / "b"], out)
    assert not out.exists()
    merge([parts / "a", parts / "b"], out)
    with pytest.raises(ConfigError, match="holds another dataset"):
        merge([parts / "b", parts / "a"], out)


def test_the_same_index_in_other_bytes_is_refused(parts, tmp_path):
    other = shutil.copytree(parts / "a", tmp_path / "other")
    path = other / "ledger" / "shard-000001.json"
    rewrite(path, sha256="0" * 64)
    with pytest.raises(ConfigError, match=r"both hold [0-9a-f]{8}-00000008, in shards of other bytes"):
        merge([parts / "a", other], tmp_path / "out")


def test_a_last_shard_that_another_piece_has_outgrown_is_refused(parts, tmp_path):
    run(pipeline(2, size=2.0, assets=20, name="u"), tmp_path / "long")
    long = without(tmp_path / "long", 1)
    with pytest.raises(ConfigError, match=r"holds 2 assets, the union's holds 8; `versemill extend .* --assets 20`"):
        merge([parts / "b", long], tmp_path / "out")


def test_assets_are_not_made_in_a_union(parts, tmp_path):
    out = tmp_path / "out"
    merge([parts / "a", parts / "b"], out)
    for refused in (
        lambda: maintenance.retry(out),
        lambda: maintenance.regenerate(out, [0]),
        lambda: maintenance.extend(out, 99),
        lambda: maintenance.repair(out),
        lambda: maintenance.debug(out, 0, maker=millstones.make),
        lambda: dedup(out),
    ):
        with pytest.raises(ConfigError, match="merged from several configs"):
            refused()
    with pytest.raises(ConfigError, match="holds another dataset"):
        run(pipeline(1), out)
    assert verify(out, deep=False) == []


def test_a_failure_is_made_alone_where_it_was_made(two_workers, tmp_path):
    faults = tmp_path / "faults.json"
    faults.write_text('{"3": "raise"}')
    for seed, name in ((1, "t"), (2, "u")):
        failing = config.load(
            "base",
            overrides=[
                "sources.zeroverse=null", f"sources.{name}.source=millstones:TRIVIAL", f"sources.{name}.faults={faults}",
                "shards.assets_per_shard=8", "run.retries=0",
            ],
            assets=10,
            seed=seed,
        )  # fmt: skip
        run(failing, tmp_path / name)
    merge([tmp_path / "t", tmp_path / "u"], tmp_path / "out")
    failures = [(f["index"], f["seed"], f["command"]) for f in status(tmp_path / "out")["failures"]]
    assert failures == [(3, 1, f"versemill debug {tmp_path / 't'} 3"), (3, 2, f"versemill debug {tmp_path / 'u'} 3")]
    split = Dataset.open(tmp_path / "out")
    info = split.info
    info["parts"][1]["from"].append("elsewhere")
    split.write("dataset.json", info)
    assert [f["command"] is None for f in status(tmp_path / "out")["failures"]] == [False, True]


def test_the_command(parts, tmp_path):
    from typer.testing import CliRunner

    from versemill.mill.cli import app

    done = CliRunner().invoke(app, ["merge", str(parts / "a"), str(parts / "b"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert len(entries(tmp_path / "out")) == 5
