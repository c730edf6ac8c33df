"""Damaged disks, edited files and another dataset's files: each is found, named, and made again where it can be."""

import json
import random
import shutil

import millstones
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from millstones import rewrite
from test_run import hashes, run

from versemill.errors import ConfigError, ShardError, VersemillError
from versemill.mill.folder import checked, strays
from versemill.mill.folder.dataset import Dataset
from versemill.mill.report import rejected
from versemill.mill.report import write as report
from versemill.mill.report.facts import facts as facts_of
from versemill.mill.report.status import status, text
from versemill.mill.run import driver
from versemill.mill.upkeep import maintenance
from versemill.mill.upkeep.verify import notes, verify, verify_quick
from versemill.shards import storage

OPTIONS = {"maker": millstones.make, "progress": False}


@pytest.fixture(scope="module")
def whole(two_workers, tmp_path_factory):
    """A complete dataset of three shards."""
    from versemill.mill.pipeline import config

    folder = tmp_path_factory.mktemp("damage")
    (folder / "faults.json").write_text("{}")
    overrides = ["sources.zeroverse=null", "sources.t.source=millstones:TRIVIAL", "sources.t.reject_every=7"]
    faults = f"sources.t.faults={folder / 'faults.json'}"
    run(config.load("base", overrides=[*overrides, faults, "shards.assets_per_shard=8"], assets=20), folder / "a")
    return folder / "a"


@pytest.fixture
def copy(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(rejected, "pictures", lambda *_: {})  # a program of its own, which takes seconds
    return shutil.copytree(whole, tmp_path / "copy")


def go_on(folder):
    """The same command once more."""
    return driver.run(maintenance.pipeline_of(Dataset.open(folder)), folder, **OPTIONS)


def kinds(folder, **options):
    return {(problem.kind, problem.shard) for problem in verify(folder, **options)}


# What a file says of its own bytes.

VALUES = st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.floats(allow_nan=False, allow_infinity=False)))


@given(VALUES, st.sampled_from([None, 1]))
def test_what_is_written_is_read(value, indent):
    value.pop(checked.KEY, None)
    assert checked.decode(checked.encode(value, indent)) == value


@given(VALUES.filter(len), st.data())
def test_a_flipped_bit_is_noticed(value, data):
    value.pop(checked.KEY, None)
    written = bytearray(checked.encode(value or {"a": 1}))
    bit = data.draw(st.integers(0, 8 * len(written) - 1))
    written[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError):  # noqa: PT011  whichever
        checked.decode(bytes(written))


def test_files_of_older_versions_are_read():
    assert checked.decode(b'{"format": 1, "digest": "ab"}') == {"format": 1, "digest": "ab"}
    assert not checked.has_digest(b'{"format": 1}')
    assert checked.has_digest(checked.encode({"a": 1}))


# Staging.


def test_a_flipped_bit_in_staging_is_made_again(whole, trivial, tmp_path, two_workers):
    """Stopped before the last asset, one staged row damaged without a trace in its structure, then the same command."""
    pipeline = trivial(assets=16, faults={15: "disk"})
    with pytest.raises(VersemillError):
        run(pipeline, tmp_path / "a")
    dataset = Dataset.open(tmp_path / "a")
    (name,) = dataset.folders("staging")
    path = sorted((tmp_path / "a" / "staging" / name).glob("*.arrow"))[0]
    data = bytearray(path.read_bytes())
    place = data.index(b"glTF") + 200  # within the mesh: Arrow has no checksum of it
    data[place] ^= 4
    path.write_bytes(data)
    trivial()
    again = run(pipeline, tmp_path / "a")
    run(pipeline, tmp_path / "calm")
    assert again.complete
    assert hashes(tmp_path / "a") == hashes(tmp_path / "calm")
    assert verify(tmp_path / "a", deep=True) == []


def test_rows_of_a_damaged_shard_are_not_kept(copy):
    path = copy / "shards" / "shard-000002.parquet"
    data = bytearray(path.read_bytes())
    data[data.index(b"glTF") + 200] ^= 4
    path.write_bytes(data)
    with pytest.raises(ShardError, match=r"not what the ledger says.*--repair"):
        maintenance.extend(copy, 30, **OPTIONS)


# Identity.


def test_an_edited_config_is_noticed(copy):
    info = json.loads((copy / "dataset.json").read_text())
    info["config"]["render"]["width"] = 40
    (copy / "dataset.json").write_text(json.dumps(info, indent=1))
    assert kinds(copy) == {("damaged", None)}
    with pytest.raises(ConfigError, match="changed by hand"):
        status(copy)
    del info["check"]  # as an older version would have written it
    (copy / "dataset.json").write_text(json.dumps(info, indent=1))
    assert kinds(copy) == kinds(copy, deep=True) == {("config", None)}
    info["config"]["render"]["width"] = Dataset.open(copy).info["config"]["render"]["height"] * 2
    rewrite(copy / "dataset.json", config=info["config"])  # as somebody would who knows of the digest
    assert ("config", None) in kinds(copy)


@pytest.mark.parametrize("changes", [
    {"sha256": None}, {"sha256": "x"}, {"rows": 3}, {"indices": [0]}, {"indices": None}, {"sources": {}}, {"shard": 1},
    {"file": "shards/shard-000001.parquet"}, {"file": "../elsewhere"}, {"rejections": [1]}, {"failures": [{"index": 0}]},
    {"fingerprint": None}, {"bytes": True},
])  # fmt: skip
def test_an_entry_that_lies_is_damaged(copy, changes):
    rewrite(copy / "ledger" / "shard-000000.json", **changes)
    assert kinds(copy) == {("ledger", 0)}
    assert ("ledger", 0) in {(p.kind, p.shard) for p in verify_quick(copy)}
    assert status(copy)["state"] == "damaged"
    report(copy)


def test_a_shard_of_another_seed_is_noticed(copy, whole, tmp_path, two_workers):
    """Its bytes put in place, and the ledger's hash and size adjusted."""
    pipeline = maintenance.pipeline_of(Dataset.open(whole), ["run.seed=5"])
    run(pipeline, tmp_path / "other")
    shutil.copy(tmp_path / "other" / "shards" / "shard-000001.parquet", copy / "shards")
    path = copy / "shards" / "shard-000001.parquet"
    theirs = json.loads((tmp_path / "other" / "ledger" / "shard-000001.json").read_text())
    rewrite(copy / "ledger" / "shard-000001.json", sha256=theirs["sha256"], bytes=theirs["bytes"])
    assert kinds(copy) == {("identity", 1)}
    table = pq.read_table(path)  # with the right footer, too
    ours = pq.read_schema(whole / "shards" / "shard-000001.parquet").metadata
    pq.write_table(table.replace_schema_metadata(ours), path)
    local = storage.open_storage(str(path))
    rewrite(copy / "ledger" / "shard-000001.json", sha256=storage.sha256(*local), bytes=path.stat().st_size)
    assert kinds(copy) == set()
    assert kinds(copy, deep=True) == {("rows", 1)}


def test_a_shard_of_another_place_is_noticed(copy):
    first, second = (copy / "shards" / f"shard-00000{n}.parquet" for n in (0, 1))
    shutil.copy(first, second)
    theirs = json.loads((copy / "ledger" / "shard-000000.json").read_text())
    rewrite(copy / "ledger" / "shard-000001.json", sha256=theirs["sha256"], bytes=theirs["bytes"])
    assert kinds(copy) == {("identity", 1)}


def test_a_stray_entry_completes_nothing(copy, whole):
    (copy / "ledger" / "shard-000001.json").rename(copy / "ledger" / "shard-000099.json")
    assert Dataset.open(copy).sealed() == [0, 2]
    assert kinds(copy) == {("unsealed", None), ("stray", None)}
    assert status(copy)["state"] == "damaged"
    assert go_on(copy).complete
    assert hashes(copy) == hashes(whole)
    assert (copy / "damaged" / "ledger-shard-000099.json").exists()
    assert verify(copy) == []


# Strays.

BROKEN = ["", "{", "[]", "null", "3", '{"a": 1}', "\udcff", "[" * 100_000, '{"number": "x"}']


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("name", [
    "ledger/notes.json", "ledger/shard-000000.json", "ledger/shard-x.json", "staging/x/000000001.json", "staging/x/a.json",
    "runs/x.json", "timings/shard-000000.json", "census.json",
])  # fmt: skip
def test_a_broken_file_is_named_and_nothing_crashes(copy, name, content):
    path = copy / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(errors="surrogateescape"))
    facts = status(copy)
    text(facts)
    if content in ("[]", '{"a": 1}'):
        facts_of(Dataset.open(copy))
    problems = [str(problem) for problem in verify(copy)] + notes(copy)
    assert name == "census.json" or any(path.name in problem for problem in problems)
    assert (facts["state"] == "damaged") == (not name.startswith(("timings", "census")))


def test_the_next_run_sets_strays_aside(copy, whole, capsys):
    (copy / "staging" / "x").mkdir(parents=True)
    for name in ("ledger/shard-000001.json", "ledger/a.json", "runs/b.json", "staging/x/c.json"):
        (copy / name).write_text("{")
    assert len(strays.find(Dataset.open(copy))) == 4
    driver.run(maintenance.pipeline_of(Dataset.open(copy)), copy, maker=millstones.make)
    said = capsys.readouterr().err
    assert said.count("it is set aside as 'damaged/") == 4
    assert sorted(path.name for path in (copy / "damaged").iterdir()) == [
        "ledger-a.json", "ledger-shard-000001.json", "runs-b.json", "staging-x-c.json"
    ]  # fmt: skip
    assert hashes(copy) == hashes(whole)
    assert status(copy)["state"] == "complete"


# What status says.


def test_a_lost_shard_is_said_and_made_again(copy, whole):
    (copy / "shards" / "shard-000001.parquet").unlink()
    facts = status(copy)
    assert (facts["state"], facts["damaged"]) == ("damaged", ["'shards/shard-000001.parquet' is missing or of another size"])
    report(copy)
    assert go_on(copy).complete
    assert hashes(copy) == hashes(whole)


def test_nothing_but_failures_is_not_complete(trivial, tmp_path, two_workers):
    run(trivial(assets=6, faults=dict.fromkeys(range(6), "raise"), overrides=["run.retries=0"]), tmp_path / "none")
    assert status(tmp_path / "none")["state"] == "failed"
    run(trivial(assets=6, faults={3: "raise"}, overrides=["run.retries=0"]), tmp_path / "some")
    assert status(tmp_path / "some")["state"] == "incomplete"
    assert "1 of 6 assets failed" in report(tmp_path / "some").read_text()


def test_the_folder_vanishes(trivial, tmp_path, two_workers, monkeypatch):
    """The advice is to run the same command, which then works."""
    monkeypatch.setattr(driver, "SNAPSHOT_SECONDS", 0.2)
    pipeline = trivial(assets=200, overrides=["sources.t.milliseconds=30"])
    seal = driver._Run._sealed

    def vanish(self, shard, answer):
        seal(self, shard, answer)
        shutil.rmtree(tmp_path / "a", ignore_errors=True)

    monkeypatch.setattr(driver._Run, "_sealed", vanish)
    with pytest.raises(VersemillError, match="was removed while the run wrote to it; run the same command"):
        run(pipeline, tmp_path / "a")
    monkeypatch.setattr(driver._Run, "_sealed", seal)
    assert run(trivial(assets=40), tmp_path / "a").complete


# Bits.


@pytest.mark.parametrize("seed", range(4))
def test_flips_are_found_or_do_not_matter(copy, whole, seed):
    rng = random.Random(seed)
    files = sorted(path for path in whole.rglob("*") if path.is_file() and path.name != "lock")
    for _ in range(10):
        original = rng.choice(files)
        data = bytearray(original.read_bytes())
        bit = rng.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        path = copy / original.relative_to(whole)
        path.write_bytes(data)
        said = [str(problem) for problem in verify(copy)] + notes(copy)
        assert any(path.name in each or (path.suffix == ".parquet" and "tampered" in each) for each in said) or verify(copy), (
            path
        )
        path.write_bytes(original.read_bytes())
    assert verify(copy) == []
