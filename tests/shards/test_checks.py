"""Every kind of damage is found and named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs as pafs

from versemill.camera import OPENGL, Camera
from versemill.curated import Curated
from versemill.errors import ConfigError, ShardError
from versemill.shards import ShardDataset, ShardsConfig, encode_row, read_rows, seal, verify_shard
from versemill.shards.checks import check_views, stray_share
from versemill.shards.folder import open_shard
from versemill.views import Views

FS = pafs.LocalFileSystem()


def kinds(path, expected=None, deep=True):
    return sorted({problem.kind for problem in verify_shard(FS, str(path), expected, deep)})


@pytest.fixture
def shard(sphere, tmp_path):
    path = tmp_path / "shard.parquet"
    return path, seal(FS, str(path), [sphere.row(i, views=3, size=32) for i in range(2)], {})


def test_a_good_shard_has_no_problems(shard):
    path, sealed = shard
    assert verify_shard(FS, str(path), sealed.sha256, deep=True) == []


def test_missing(tmp_path):
    assert kinds(tmp_path / "none.parquet") == ["missing"]


@pytest.mark.parametrize("keep", [0, 3, 1000, -1, -9])
def test_truncated(shard, keep):
    path, sealed = shard
    path.write_bytes(path.read_bytes()[:keep])
    assert kinds(path, sealed.sha256) == ["truncated"]


def test_one_flipped_bit_is_tampering(shard):
    path, sealed = shard
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    assert "tampered" in kinds(path, sealed.sha256, deep=False)


def test_a_damaged_cell_is_found_without_a_ledger(shard):
    path, _ = shard
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[1]["views"]["depth"][0] = rows[1]["views"]["depth"][0][:40]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    (problem,) = verify_shard(FS, str(path), deep=True)
    assert (problem.kind, problem.row) == ("unreadable", "cccccccc-00000001")


def test_another_schema_version(shard):
    path, _ = shard
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"versemill.schema_version": "999"}), path)
    (problem,) = verify_shard(FS, str(path))
    assert problem.kind == "schema_version"
    assert "999" in problem.message
    pq.write_table(pa.table({"a": [1]}), path)
    assert kinds(path) == ["schema_version"]


@pytest.mark.parametrize(("version", "way"), [("0", "mill the dataset again"), ("999", "upgrade versemill")])
def test_every_reader_refuses_another_version_and_says_what_to_do(shard, version, way):
    path, _ = shard
    pq.write_table(pq.read_table(path).replace_schema_metadata({"versemill.schema_version": version}), path)
    for read in (lambda: list(read_rows(str(path))), lambda: open_shard(FS, str(path)), lambda: ShardDataset(path.parent)):
        with pytest.raises(ShardError, match=rf"schema version {version}, this versemill reads 1, 2, 3; .*{way}"):
            read()


def test_a_file_without_a_column_that_came_later_reads_as_null(shard):
    """What a shard looks like to a versemill that has since got new columns, and to one that is older."""
    path, _ = shard
    table = pq.read_table(path)
    rows = table.to_pylist()
    for row in rows:
        del row["views"]["position"], row["views"]["position_range"]
    views = [f for f in table.schema.field("views").type if not f.name.startswith("position")] + [pa.field("novel", pa.int32())]
    schema = table.schema.set(table.schema.get_field_index("views"), pa.field("views", pa.struct(views)))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    assert verify_shard(FS, str(path), deep=True) == []
    assert all(row["views"]["position"] is None for row in read_rows(str(path)))
    assert next(read_rows(str(path), ["views.position"]))["views"] in (None, {"position": None})
    assert ShardDataset(path.parent, passes=("depth",))[0]["depth"].any()
    with pytest.raises(ConfigError, match="no pass 'position'"):
        ShardDataset(path.parent, passes=("depth", "position"))[0]


def test_columns_that_differ_from_the_schema(shard):
    path, _ = shard
    table = pq.read_table(path)
    metadata = table.schema.metadata
    pq.write_table(table.drop_columns(["mesh"]).replace_schema_metadata(metadata), path)
    assert kinds(path, deep=False) == ["schema"]


def test_nan_in_a_field(sphere, shard):
    path, _ = shard
    from versemill.shards.codecs import encode_array

    table = pq.read_table(path)
    rows = table.to_pylist()
    bad = sphere.fields().near_sdf.copy()
    bad[3] = np.nan
    rows[0]["fields"]["near_sdf"] = encode_array(bad)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    assert kinds(path) == ["not_finite"]


def test_normals_that_face_away(sphere, shard):
    path, _ = shard
    from versemill.shards.codecs import encode_array

    table = pq.read_table(path)
    rows = table.to_pylist()
    surface = sphere.fields().surface.copy()
    surface[:, 3:] *= -1
    rows[0]["fields"]["surface"] = encode_array(np.ascontiguousarray(surface.T))
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    assert kinds(path) == ["normals"]
    views = sphere.views()
    turned = Views(views.cameras, views.passes | {"normal": -views.passes["normal"]})
    assert [kind for kind, _ in check_views(turned)] == ["normals"]
    assert check_views(views) == []


def test_a_row_twice(sphere, tmp_path):
    row = sphere.row(0, views=2, size=16)
    pq.write_table(pa.concat_tables([row, row]), tmp_path / "a.parquet")
    assert "inconsistent" in kinds(tmp_path / "a.parquet")


def moved(camera: Camera, how: str) -> Camera:
    c2w, K = camera.c2w.copy(), camera.K.copy()
    if how == "opengl axes":
        c2w = c2w @ OPENGL
    elif how == "w2c for c2w":
        c2w = camera.w2c
    elif how == "half the focal length":
        K[:2, :2] /= 2
    elif how == "shifted centre":
        c2w[:3, 3] += 0.3
    return Camera(c2w, K, camera.width, camera.height)


@pytest.mark.parametrize("how", ["opengl axes", "w2c for c2w", "half the focal length", "shifted centre"])
def test_cameras_that_do_not_reproject(sphere, how):
    views = sphere.views(4, 48)
    assert stray_share(views.cameras, views.passes["depth"]).max() == 0
    wrong = Views(tuple(moved(c, how) for c in views.cameras), views.passes)
    assert [kind for kind, _ in check_views(wrong)] == ["reprojection"]


def test_swapped_cameras_do_not_reproject(sphere):
    """Views of a ball look alike from everywhere; cut a bite out of its images first."""
    views = sphere.views(4, 48)
    bitten = views.passes["position"][..., 0] > 0.2
    passes = {"depth": np.where(bitten, 0, views.passes["depth"]).astype(np.float32), "mask": views.passes["mask"] & ~bitten}
    swapped = Views(views.cameras[::-1], passes)
    assert [kind for kind, _ in check_views(swapped)] == ["reprojection"]


def test_mask_and_alpha_that_contradict_depth(sphere):
    views = sphere.views(2, 32)
    mask = views.passes["mask"].copy()
    mask[0, 0, 0] = True
    problems = check_views(Views(views.cameras, {**views.passes, "mask": mask}))
    assert problems[0] == ("inconsistent", "depth and mask disagree on 1 pixels")
    rgb = views.passes["rgb"].copy()
    rgb[..., 3] = 0
    assert check_views(Views(views.cameras, {**views.passes, "rgb": rgb}))[0][0] == "inconsistent"


def test_problems_name_the_shard_and_the_row(sphere, tmp_path):
    asset, views = sphere.asset(0, 7), sphere.views(3, 32)
    wrong = Views(tuple(moved(c, "opengl axes") for c in views.cameras), views.passes)
    row = encode_row(Curated(asset, asset.vertices, asset.faces), wrong, None,
                     config=ShardsConfig(), digest="c" * 64, fingerprint="", split="val")  # fmt: skip
    path = Path(tmp_path / "a.parquet")
    sealed = seal(FS, str(path), [row], {})
    (problem,) = verify_shard(FS, str(path), sealed.sha256, deep=True)
    assert (problem.kind, problem.row, problem.path) == ("reprojection", "cccccccc-00000007", str(path))
