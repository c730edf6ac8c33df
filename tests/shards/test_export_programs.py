"""Program pairs: each asset is rebuilt from its line alone, through the public API, and is the stored mesh."""

import dataclasses
import json

import numpy as np
import pytest
from pyarrow import fs as pafs

from versemill import detailverse, zeroverse
from versemill.curation import curate
from versemill.curation.config import CurationConfig
from versemill.gltf import from_glb
from versemill.shards import ShardsConfig, encode_row, seal
from versemill.shards.export import export

GENERATORS = {"zeroverse": zeroverse, "detailverse": detailverse}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, sphere):
    """The export of two zeroverse assets, two of detailverse and a ball of source "files", in one shard; and their rows."""
    config = zeroverse.ZeroverseConfig(composition="solid", triangles=2000, texture_size=32)
    raw = zeroverse.ZeroverseConfig(composition="raw", triangles=2000, texture_size=32)
    fast = detailverse.DetailverseConfig(detail="fast", texture_size=32, face_budget=12_000, categories=["vessel"])
    assets = [zeroverse.generate(config, 3, 0), zeroverse.generate(raw, 3, 1)]
    assets += [detailverse.generate(fast, 3, index) for index in (2, 3)]
    assets.append(dataclasses.replace(sphere.asset(3, 4), source="files"))
    curated = [curate(asset, CurationConfig(resolution=32, max_chamfer=10, max_uncovered=1)) for asset in assets]
    folder = tmp_path_factory.mktemp("pairs")
    encode = {"config": ShardsConfig(), "digest": "c" * 64, "fingerprint": "f" * 64, "split": "train"}
    rows = [encode_row(made, sphere.views(2, 16, ("rgb",)), None, **encode) for made in curated]
    seal(pafs.LocalFileSystem(), str(folder / "made" / "shards" / "shard-000000.parquet"), rows, {})
    done = export(folder / "made", "programs", folder / "out")
    assert (done.assets, len(done.left_out)) == (4, 1)
    return folder / "out", [row.to_pylist()[0] for row in rows]


def lines(out):
    return [json.loads(line) for line in (out / "data" / "train-shard-000000.jsonl").read_text().splitlines()]


def test_an_asset_rebuilt_from_its_line_is_the_stored_one(pairs):
    out, rows = pairs
    assert [line["source"] for line in lines(out)] == ["zeroverse"] * 2 + ["detailverse"] * 2
    for line, row in zip(lines(out), rows, strict=False):
        stored = from_glb((out / line["mesh"]).read_bytes())
        assert (out / line["mesh"]).read_bytes() == row["mesh"]["glb"]
        built = GENERATORS[line["source"]].rebuild(line["program"])
        again = curate(built, CurationConfig(resolution=32, max_chamfer=10, max_uncovered=1)).asset
        assert again.content_hash == line["content_hash"] == row["meta"]["content_hash"]
        assert (again.seed, again.index, again.caption) == (3, row["meta"]["index"], line["caption"])
        np.testing.assert_array_equal(again.vertices[again.faces], stored.vertices[stored.faces])
        if not line["curation"]:
            np.testing.assert_array_equal(built.faces, stored.faces)
            np.testing.assert_allclose(built.vertices, stored.vertices, atol=1e-6)
    assert sum(not line["curation"] for line in lines(out)) >= 2


def test_lines_name_their_views(pairs, look):
    out, rows = pairs
    for line, row in zip(lines(out), rows, strict=False):
        assert line["caption"] == row["meta"]["caption"]
        assert len(line["views"]) == 2
        for view in line["views"]:
            look.check_view(view["c2w"], view["K"], look.image(out / view["image"]))


def test_what_has_no_program_is_left_out_with_its_reason(pairs):
    out, rows = pairs
    (reason,) = [json.loads(line) for line in (out / "left_out.jsonl").read_text().splitlines()]
    assert reason["id"] == rows[4]["meta"]["id"]
    assert "'files' builds from no program" in reason["left_out"]


def test_a_record_that_is_not_enough_is_left_out(tmp_path, sphere):
    asset = dataclasses.replace(sphere.asset(), source="detailverse", provenance={"specification": {}, "detail": "fast"})
    curated = curate(asset, CurationConfig(raw=True))
    row = encode_row(curated, None, None, config=ShardsConfig(), digest="c" * 64, fingerprint="f" * 64, split="train")
    seal(pafs.LocalFileSystem(), str(tmp_path / "made" / "shards" / "shard-000000.parquet"), [row], {})
    assert len(export(tmp_path / "made", "programs", tmp_path / "out").left_out) == 1
    assert "lacks texture_size, face_budget" in (tmp_path / "out" / "left_out.jsonl").read_text()
