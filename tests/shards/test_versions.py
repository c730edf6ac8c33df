"""Files of schema version 1 are read as they are, and can be rewritten in the present version without loss.

`data/schema-1.parquet` was written by the code of version 1: rows 0 and 1 of the striped ball, 2 views of 16 pixels.
"""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyarrow import fs as pafs

from versemill.errors import ShardError
from versemill.shards import (
    SCHEMA_VERSION,
    ShardDataset,
    decode_fields,
    decode_mesh,
    decode_views,
    migrate_shard,
    read_rows,
    verify_shard,
)
from versemill.shards.export import export
from versemill.shards.streaming import ShardStream

FS = pafs.LocalFileSystem()
OLD = Path(__file__).parent / "data" / "schema-1.parquet"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shards").mkdir()
    shutil.copy(OLD, tmp_path / "shards" / "shard-000000.parquet")
    return tmp_path


def test_the_file_is_of_version_1_and_lacks_the_new_columns():
    metadata = pq.read_schema(OLD)
    assert metadata.metadata[b"versemill.schema_version"] == b"1"
    assert not {"lighting", "covisibility"} & {field.name for field in metadata.field("views").type}


def test_every_reader_takes_version_1(folder, sphere):
    path = str(folder / "shards" / "shard-000000.parquet")
    assert verify_shard(FS, path, deep=True) == []
    rows = list(read_rows(path))
    assert [row["meta"]["index"] for row in rows] == [0, 1]
    for index, row in enumerate(rows):
        truth, views = sphere.views(2, 16, index=index), decode_views(row["views"])
        for name in ("rgb", "albedo", "mask", "part"):
            np.testing.assert_array_equal(views.passes[name], truth.passes[name])
        assert row["views"]["lighting"] is None
        assert views.lighting.tolist() == [0, 0]
        assert row["views"]["covisibility"] is None
    for data in (ShardDataset(folder), ShardStream(folder, shuffle=False)):
        samples = [data[i] for i in range(2)] if isinstance(data, ShardDataset) else list(data)
        for index, sample in enumerate(samples):
            truth = sphere.views(2, 16, index=index).passes["rgb"]
            np.testing.assert_allclose(sample["rgb"].numpy() * 255, truth.transpose(0, 3, 1, 2), atol=1e-4)
            assert sample["lighting"].tolist() == [0, 0]
    assert export(folder, "lgm", folder / "lgm").assets == 2


def test_both_versions_stand_in_one_dataset(folder, sphere):
    migrate_shard(FS, str(OLD), str(folder / "other.parquet"))
    rows = [sphere.row(i, views=2, size=16) for i in (2, 3)]
    from versemill.shards import seal

    seal(FS, str(folder / "shards" / "shard-000001.parquet"), rows, {})
    assert ShardDataset(folder).indices.tolist() == [0, 1, 2, 3]


def test_migration_keeps_every_bit_and_fills_the_new_columns(folder, sphere):
    done = migrate_shard(FS, str(OLD), str(folder / "new.parquet"))
    assert done == migrate_shard(FS, str(OLD), str(folder / "again.parquet"))
    assert verify_shard(FS, str(folder / "new.parquet"), done.sha256, deep=True) == []
    metadata = pq.read_schema(folder / "new.parquet").metadata
    assert metadata[b"versemill.schema_version"] == str(SCHEMA_VERSION).encode()
    assert metadata[b"versemill.shard"] == b"0"
    for a, b in zip(read_rows(str(OLD)), read_rows(str(folder / "new.parquet")), strict=True):
        one, two = decode_views(a["views"]), decode_views(b["views"])
        for name, images in one.passes.items():
            np.testing.assert_array_equal(images, two.passes[name])
        for x, y in zip(one.cameras, two.cameras, strict=True):
            np.testing.assert_array_equal(x.c2w, y.c2w)
            np.testing.assert_array_equal(x.K, y.K)
        for x, y in ((decode_fields(a["fields"]), decode_fields(b["fields"])),):
            assert x.near_sdf.tobytes() == y.near_sdf.tobytes()
        for x, y in zip(decode_mesh(a["mesh"]), decode_mesh(b["mesh"]), strict=True):
            assert x.tobytes() == y.tobytes()
        assert a["mesh"]["glb"] == b["mesh"]["glb"]
        own = {"id": f"{a['meta']['config_digest'][:8]}-{a['meta']['index']:08d}", "schema_version": SCHEMA_VERSION}
        assert {**a["meta"], **own} == b["meta"]
        assert b["views"]["lighting"] == [0, 0]
        fresh = sphere.row(a["meta"]["index"], views=2, size=16).to_pylist()[0]["views"]
        np.testing.assert_allclose(b["views"]["covisibility"], fresh["covisibility"], atol=0.02)
        assert fresh["rgb"] == b["views"]["rgb"]


def test_a_shard_is_not_migrated_onto_itself(folder):
    with pytest.raises(ShardError, match="name another file"):
        migrate_shard(FS, str(OLD), str(OLD))
