"""Views and passes added to a sealed dataset: what a run would have stored, joined by every reader; no sealed byte changes."""

import json
import shutil
from hashlib import sha256

import millstones
import numpy as np
import pytest
from pyarrow import fs as pafs
from typer.testing import CliRunner

from versemill.config import digest
from versemill.covisibility import covisibility
from versemill.errors import AssetError, ConfigError, ShardError
from versemill.gltf import from_glb
from versemill.mill.cli import app
from versemill.mill.folder import columns as folder
from versemill.mill.folder.dataset import Dataset, describe
from versemill.mill.folder.fingerprint import fingerprint
from versemill.mill.pipeline import config, outside
from versemill.mill.pipeline.plan import Plan
from versemill.mill.report.status import status, text
from versemill.mill.run.worker import shard_metadata
from versemill.mill.upkeep import columns, maintenance, merge
from versemill.mill.upkeep.verify import verify, verify_quick
from versemill.queries import MeshQuery
from versemill.shards import ShardDataset, ShardStream, decode_cameras, decode_views, export, migrate_shard, read_rows, seal

FIXED = ["sources.zeroverse=null", "sources.t.source=millstones:TRIVIAL", "shards.assets_per_shard=3", "render.device=cpu",
         "render.width=24", "render.height=24", "render.cameras.views=3"]  # fmt: skip
PASSES = "render.passes=[rgb,normal,depth,mask,albedo,position]"


def mill(out, *overrides, assets=5):
    """A finished dataset of tetrahedra, made here without Ray."""
    plan = Plan.of(config.load("base", overrides=[*FIXED, *overrides], assets=assets, seed=1), {})
    dataset, info = Dataset.at(out), describe(plan.pipeline, plan.assets, {})
    made_with = fingerprint("cpu", outside.modules(plan.pipeline))  # as a run has it
    dataset.write("dataset.json", info)
    recipe = plan.recipe(info["digest"], digest(made_with))
    for shard in range(dataset.shards):
        indices = list(dataset.indices(shard))
        rows = [millstones.make_drawn(recipe, plan.order(index), lambda stage: None).outcome for index in indices]
        sealed = seal(dataset.fs, dataset.path(dataset.shard_file(shard)), rows, shard_metadata(recipe, shard), recipe.shards)
        entry = {"shard": shard, "file": dataset.shard_file(shard), **vars(sealed), "indices": indices, "rejections": [],
                 "sources": {str(index): "t" for index in indices}, "failures": [], "digest": info["digest"],
                 "fingerprint": made_with}  # fmt: skip
        dataset.write(dataset.ledger_file(shard), entry)
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished dataset: 5 assets in 2 shards, 3 views of 24 pixels; tests copy it."""
    return mill(tmp_path_factory.mktemp("made") / "a")


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


@pytest.fixture(scope="module")
def extended(made, tmp_path_factory):
    """That dataset with two views more, then a pass more of all five, then one view more."""
    out = shutil.copytree(made, tmp_path_factory.mktemp("extended") / "a")
    before = hashes(out)
    for arguments in ({"views": 5}, {"passes": ["albedo"]}, {"views": 6}):
        added = columns.extend(out, **arguments, workers=1)
        assert (added.rows, added.written, added.failed) == (5, 2, 0)
    assert (added.views, added.passes) == (6, ("rgb", "normal", "depth", "mask", "albedo"))
    assert {name: value for name, value in hashes(out).items() if not name.startswith("columns")} == before
    return out


def hashes(out):
    """Every Parquet file below a dataset's folder -> SHA-256."""
    return {str(p.relative_to(out)): sha256(p.read_bytes()).hexdigest() for p in sorted(out.rglob("*.parquet"))}


def rows(out, columns=None, **options):
    return [row for path in sorted((out / "shards").iterdir()) for row in read_rows(path, columns, **options)]


@pytest.mark.parametrize("lightings", [1, 2])
def test_added_passes_are_what_the_run_would_have_stored(tmp_path, lightings):
    light = f"render.lighting.count={lightings}"
    out, whole = mill(tmp_path / "a", light), mill(tmp_path / "b", light, PASSES)
    added = columns.extend(out, passes=["albedo", "position", "albedo", "depth"], workers=1)
    assert (added.views, added.passes[-2:]) == (3 * lightings, ("albedo", "position"))
    for row, other in zip(rows(out), rows(whole), strict=True):
        assert row["views"] == other["views"]
        assert row["mesh"] == other["mesh"]
    assert verify(out, deep=True) == verify_quick(out) == []


def test_added_views_see_the_stored_mesh_and_leave_the_others_alone(made, extended):
    for row, old in zip(rows(extended), rows(made), strict=True):
        views, before = row["views"], old["views"]
        assert (views["count"], views["info"], len(views["lighting"])) == (6, before["info"], 6)
        for name in ("c2w", "K", "rgb", "normal", "depth", "mask", "depth_range"):
            assert views[name][:3] == before[name]
        cameras, decoded = decode_cameras(views), decode_views(views)
        places = np.array([camera.center for camera in cameras])
        assert np.linalg.norm(places[:, None] - places[None], axis=-1)[~np.eye(6, dtype=bool)].min() > 1e-3
        asset = from_glb(row["mesh"]["glb"])
        for camera, depth, mask, albedo in zip(cameras, *(decoded.passes[n] for n in ("depth", "mask", "albedo")), strict=True):
            origins, directions = camera.rays()
            hits = MeshQuery(asset.vertices, asset.faces).ray_cast(origins.reshape(-1, 3), directions.reshape(-1, 3))
            hit = (hits.faces >= 0).reshape(mask.shape)
            assert (hit == mask).mean() > 0.99
            along = hits.distances.reshape(mask.shape) * (directions @ camera.c2w[:3, 2])
            np.testing.assert_allclose(depth[hit & mask], along[hit & mask], atol=1e-3)
            assert (albedo[mask] == 255).all()
        expected = covisibility(cameras, decoded.passes["depth"])
        np.testing.assert_allclose(views["covisibility"], expected, atol=1e-6)
    assert verify(extended, deep=True) == []


def test_every_reader_sees_one_dataset(extended, tmp_path):
    expected = rows(extended)
    columns_of = ["views.count", "meta.id", "views.albedo"]
    assert [row["views"]["albedo"] for row in rows(extended, columns_of)] == [row["views"]["albedo"] for row in expected]
    names = ("rgb", "albedo", "depth", "mask")
    data = ShardDataset(extended, passes=names, covisibility=True)
    stream = {sample["id"]: sample for sample in ShardStream(extended, passes=names, shuffle=False, covisibility=True)}
    for sample, row in zip((data[k] for k in range(len(data))), expected, strict=True):
        passes = decode_views(row["views"]).passes
        for each in (sample, stream[row["meta"]["id"]]):
            assert each["rgb"].shape == (6, 4, 24, 24)
            assert each["covisibility"].shape == (6, 6)
            np.testing.assert_array_equal(
                (each["albedo"] * 255).round().numpy().astype(np.uint8).transpose(0, 2, 3, 1), passes["albedo"]
            )
            np.testing.assert_allclose(each["depth"][:, 0], passes["depth"], atol=1e-6)
    some = ShardDataset(extended, passes=names, views=[5, 0])[0]
    assert some["rgb"].equal(data[0]["rgb"][[5, 0]])
    assert some["c2w"].equal(data[0]["c2w"][[5, 0]])
    assert export(extended, "nerf", tmp_path / "nerf").assets == 5
    frames = json.loads(next((tmp_path / "nerf").rglob("transforms.json")).read_text())["frames"]
    assert len(frames) == 6
    path = str(extended / "shards" / "shard-000000.parquet")
    migrate_shard(pafs.LocalFileSystem(), path, str(tmp_path / "one.parquet"))
    for row, other in zip(read_rows(path), read_rows(tmp_path / "one.parquet"), strict=True):
        assert row["views"] == other["views"]
    alone = list(read_rows(path, extensions=()))
    assert [row["views"]["count"] for row in alone] == [3] * 3


def test_an_export_from_before_an_extension_is_brought_up_to_date(copy, tmp_path):
    assert export(copy, "lrm", tmp_path / "out").shards_written == 2
    columns.extend(copy, views=4, workers=1)
    assert export(copy, "lrm", tmp_path / "out").shards_written == 2
    assert export(copy, "lrm", tmp_path / "out").shards_written == 0


def test_what_was_stopped_is_resumed_to_the_same_bytes(copy, extended):
    dataset = Dataset.open(copy)

    def stop(done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        columns.extend(copy, views=5, workers=1, progress=stop)
    (extension,) = folder.extensions(dataset)
    assert not extension.complete
    assert [row["views"]["count"] for row in rows(copy)] == [3] * 5, "readers pass over what is unfinished"
    assert [problem.kind for problem in verify(copy)] == ["extension"]
    assert "unfinished" in str(text(status(copy)).renderables[1])
    for arguments in ({"views": 5}, {"passes": ["albedo"]}, {"views": 6}, {"views": 6, "passes": ["albedo"]}, {}):
        added = columns.extend(copy, **arguments, workers=1)
    assert added.written == 0
    assert hashes(copy) == hashes(extended)


@pytest.mark.slow
def test_any_number_of_processes_writes_the_same_bytes(copy, extended):
    columns.extend(copy, views=5, workers=2)
    mine, others = hashes(copy), hashes(extended)
    assert mine == {name: others[name] for name in mine}


def test_a_part_that_is_missing_or_of_other_rows_is_a_clear_error(extended, tmp_path):
    out = shutil.copytree(extended, tmp_path / "a")
    whole = hashes(out)
    part, other = (out / "columns" / "0002" / "shards" / f"shard-00000{k}.parquet" for k in (0, 1))
    part.unlink()
    for read in (lambda: rows(out), lambda: ShardDataset(out), lambda: export(out, "lrm", tmp_path / "x")):
        with pytest.raises(ShardError, match=r"lacks its part of extension 2 \(albedo\).*does not exist.*versemill extend"):
            read()
    assert ShardDataset(out, passes=())[0]["index"] == 0, "what needs no views is still read"
    assert [p.kind for p in verify_quick(out)] == ["extension"]
    shutil.copy(other, part)
    with pytest.raises(ShardError, match="holds other rows, 2 for 3"):
        rows(out)
    assert columns.extend(out, workers=1).written >= 1
    assert hashes(out) == whole
    data = bytearray(part.read_bytes())
    data[200] ^= 1
    part.write_bytes(data)
    assert [(p.kind, "columns/0002" in p.message) for p in verify(out)] == [("tampered", True)]
    folder.forget_damaged(Dataset.open(out))
    columns.extend(out, workers=1)
    assert hashes(out) == whole
    (out / "columns" / "0001" / "columns.json").write_text("{}")
    with pytest.raises(ShardError, match="is missing or damaged"):
        rows(out)
    assert [problem.kind for problem in verify(out)] == ["damaged"]


def test_a_row_that_can_not_be_rendered_stays_as_it_is(copy, monkeypatch):
    import versemill.render

    render = versemill.render.render

    def fails(asset, *rest, **options):
        if asset.index == 1:
            raise AssetError("blank_view", "deliberate")
        return render(asset, *rest, **options)

    monkeypatch.setattr(versemill.render, "render", fails)
    assert columns.extend(copy, views=4, passes=["albedo"], workers=1).failed == 2
    assert [row["views"]["count"] for row in rows(copy)] == [4, 3, 4, 4, 4]
    assert [row["views"]["albedo"] is None for row in rows(copy)] == [False, True, False, False, False]
    dataset = Dataset.open(copy)
    for extension in folder.extensions(dataset):
        assert folder.read(dataset, extension, 0)["failures"] == [{"index": 1, "reason": "blank_view", "message": "deliberate"}]
    assert verify(copy, deep=True) == []
    assert len(ShardDataset(copy, passes=("rgb",))[1]["rgb"]) == 3


def test_mistakes_are_refused(copy, made, tmp_path):
    for arguments, why in (({"views": 2}, "has 3 views per asset already"), ({"passes": ["nope"]}, "unknown pass 'nope'")):
        with pytest.raises(ConfigError, match=why):
            columns.extend(copy, **arguments)
    assert not (copy / "columns").exists()
    lit = mill(tmp_path / "lit", "render.lighting.count=2", assets=2)
    with pytest.raises(ConfigError, match="each camera gives 2 views, one per lighting"):
        columns.extend(lit, views=9)
    columns.extend(copy, views=4, workers=1)
    assert maintenance.diff(made, copy)
    other = mill(tmp_path / "other", "sources.t.size=2.0")
    with pytest.raises(ConfigError, match="was extended by views or passes"):
        merge.merge([copy, other], tmp_path / "union")
    (copy / "ledger" / "shard-000001.json").unlink()
    with pytest.raises(ConfigError, match=r"1 of 2 shards .* are not sealed"):
        columns.extend(copy, views=5)


def test_the_command(copy):
    runner = CliRunner()
    done = runner.invoke(app, ["extend", str(copy), "--passes", "albedo", "--views", "4", "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "5 rows, 4 views each with rgb, normal, depth, mask, albedo; 4 parts of shards written now" in done.output.replace(
        "\n", " "
    )
    facts = json.loads(runner.invoke(app, ["status", str(copy), "--json"]).stdout)
    assert [(each["views"], each["passes"][-1], each["complete"]) for each in facts["extensions"]] == [
        (0, "albedo", True), (1, "albedo", True),
    ]  # fmt: skip


@pytest.mark.slow
def test_more_assets_and_remade_shards_get_their_parts(two_workers, copy, tmp_path):
    columns.extend(copy, views=4, workers=1)
    options = {"maker": millstones.make_drawn, "progress": False}
    assert maintenance.extend(copy, 7, **options).complete
    whole = mill(tmp_path / "whole", assets=7)
    columns.extend(whole, views=4, workers=1)
    assert [row["views"]["count"] for row in rows(copy)] == [4] * 7
    for row, other in zip(rows(copy), rows(whole), strict=True):
        assert row["views"] == other["views"]
    before = hashes(copy)
    maintenance.regenerate(copy, [0], **options)
    assert hashes(copy) == before
    (copy / "columns" / "0001" / "shards" / "shard-000001.parquet").write_bytes(b"x")
    maintenance.repair(copy, **options)
    assert hashes(copy) == before
    assert verify(copy) == []
