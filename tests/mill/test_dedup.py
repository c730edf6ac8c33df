"""`versemill dedup`: a side table beside sealed shards, and the readers that use it."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from versemill.asset import Asset
from versemill.curated import Curated
from versemill.errors import ConfigError
from versemill.materials import Material
from versemill.mill.cli import app
from versemill.mill.folder.dataset import CONVENTIONS, FORMAT, Dataset
from versemill.mill.upkeep.dedup import dedup
from versemill.shards import ShardDataset, ShardsConfig, encode_row, seal, storage
from versemill.shards.duplicates import read_duplicates
from versemill.shards.reading import Selection
from versemill.shards.streaming import ShardStream


def shape(k):
    return [
        trimesh.creation.box((2, 1.2, 0.7)),
        trimesh.creation.torus(0.7, 0.3),
        trimesh.creation.cylinder(0.5, 2.0),
        trimesh.creation.icosphere(3),
        trimesh.creation.cone(0.6, 2.0),
    ][k]


def turned(mesh, seed):
    copy = mesh.copy()
    copy.apply_transform(trimesh.transformations.random_rotation_matrix(np.random.default_rng(seed).random(3)))
    return copy


# Index -> mesh and split: 3 is 0 again, byte for byte; 4 is 1, turned; 7 is 2, turned and finer; 8 is 4 again.
MESHES = [shape(0), shape(1), shape(2), shape(0), turned(shape(1), 4), shape(3), shape(4), turned(shape(2), 7).subdivide()]
MESHES.append(MESHES[4])
SPLITS = ["train", "train", "test", "train", "val", "train", "train", "train", "train"]
EXPECTED = {3: (0, "exact", False), 4: (1, "near", True), 7: (2, "near", True), 8: (1, "near", False)}


def row(index, mesh, split):
    n = len(mesh.faces)
    asset = Asset(
        np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), np.zeros((n, 3, 2), np.float32),
        np.zeros(n, np.int32), np.zeros(n, np.int32), (Material(),), ("all",), index=index,
    ).normalized()  # fmt: skip
    curated = Curated(asset, asset.vertices, asset.faces)
    return encode_row(curated, None, None, config=ShardsConfig(), digest="d", fingerprint="f", split=split)


def sealed(folder, meshes, splits, per_shard=4):
    """A finished dataset of rows without views, made without a run."""
    dataset = Dataset.at(folder)
    config = {"shards": {"assets_per_shard": per_shard}}
    info = {"format": FORMAT, "pipeline": "p", "digest": "d", "seed": 0, "assets": len(meshes), "config": config, "files": {}}
    dataset.write("dataset.json", info | {"conventions": CONVENTIONS, "versions": {}})
    for shard in range(-(-len(meshes) // per_shard)):
        indices = range(shard * per_shard, min((shard + 1) * per_shard, len(meshes)))
        rows = [row(index, meshes[index], splits[index]) for index in indices]
        done = seal(dataset.fs, dataset.path(dataset.shard_file(shard)), rows, {})
        dataset.write(dataset.ledger_file(shard), {"sha256": done.sha256, "file": dataset.shard_file(shard)})
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return sealed(tmp_path_factory.mktemp("dedup") / "d", MESHES, SPLITS)


def digests(folder):
    files = (p for p in Path(folder).rglob("*") if p.is_file() and p.name != "lock")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_copies_are_found_no_sealed_byte_changes_and_a_second_pass_changes_nothing(finished):
    before = digests(finished)
    summary = dedup(finished)
    after = digests(finished)
    assert {k: v for k, v in after.items() if not k.startswith("duplicates/")} == before
    assert (summary.rows, summary.described, summary.exact, summary.near) == (9, 9, 1, 3)
    assert summary.straddling == ((4, 1, "val", "train"), (7, 2, "train", "test"))
    table, rows = read_duplicates(finished)
    assert rows == 9
    assert {r["index"]: (r["duplicate_of"], r["kind"], r["straddles"]) for r in table.to_pylist()} == EXPECTED
    assert (table["distance"].to_numpy() < 0.01).all()
    again = dedup(finished, workers=2)
    assert again.described == 0
    assert digests(finished) == after


def test_any_number_of_processes_writes_the_same_table(finished, tmp_path):
    dedup(finished)
    copy = shutil.copytree(finished, tmp_path / "copy")
    shutil.rmtree(copy / "duplicates")
    assert dedup(copy, workers=3).described == 9
    assert digests(copy) == digests(finished)


def test_readers_leave_duplicates_out_and_then_nothing_straddles(finished):
    dedup(finished)
    kept = sorted(set(range(9)) - set(EXPECTED))
    assert sorted(ShardDataset(finished, passes=(), drop_duplicates=True).indices.tolist()) == kept
    assert len(ShardDataset(finished, passes=())) == 9
    by_split = {s: set(ShardDataset(finished, s, passes=(), drop_duplicates=True).indices.tolist()) for s in ("train", "test")}
    assert by_split == {"train": {0, 1, 5, 6}, "test": {2}}
    stream = ShardStream(finished, selection=Selection(passes=()), drop_duplicates=True)
    assert sorted(sample["index"] for sample in stream) == kept
    assert len(stream) == len(kept)


def test_a_missing_or_an_outdated_table_is_said(tmp_path):
    folder = sealed(tmp_path / "d", MESHES[:4], SPLITS[:4])
    with pytest.raises(ConfigError, match=r"no table of duplicates .*versemill dedup"):
        ShardDataset(folder, passes=(), drop_duplicates=True)
    dedup(folder)
    assert len(ShardDataset(folder, passes=(), drop_duplicates=True)) == 3
    sealed(folder, MESHES, SPLITS)  # the same dataset, grown
    with pytest.raises(ConfigError, match=r"4 rows .* has 9"):
        ShardDataset(folder, passes=(), drop_duplicates=True)
    assert dedup(folder).described == 5  # the first shard's descriptors were kept


def test_unfinished_datasets_and_bad_arguments_are_refused(tmp_path):
    folder = sealed(tmp_path / "d", MESHES[:6], SPLITS[:6])
    dataset = Dataset.at(folder)
    dataset.remove(dataset.ledger_file(1))
    with pytest.raises(ConfigError, match="1 of 2 shards are not sealed"):
        dedup(folder)
    assert not storage.exists(dataset.fs, dataset.path("duplicates"))
    with pytest.raises(ConfigError, match="radius"):
        dedup(folder, radius=-1)
    with pytest.raises(ConfigError, match="no dataset"):
        dedup(tmp_path / "nothing")


def test_the_command_reports_what_straddles(finished):
    answer = CliRunner().invoke(app, ["dedup", str(finished), "--workers", "1"])
    assert answer.exit_code == 0, answer.output
    assert "4 of 9 assets duplicate one of a lower index: 1 exact, 3 near" in answer.output
    assert "asset 7 (train) repeats 2 (test)" in answer.output
    facts = json.loads(CliRunner().invoke(app, ["dedup", str(finished), "--workers", "1", "--json"]).stdout)
    assert facts["straddling"][0] == [4, 1, "val", "train"]
    exact = CliRunner().invoke(app, ["dedup", str(finished), "--workers", "1", "--radius", "0"])
    assert "2 exact, 0 near" in exact.output
    dedup(finished)
