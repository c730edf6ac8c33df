"""Sealed shards open in the readers that people have: pyarrow's dataset, pandas, DuckDB, Ray Data, Hugging Face datasets."""

import numpy as np
import pyarrow.dataset as pads
import pytest

from versemill.shards.rows import decode_table


def paths(spheres):
    return sorted(str(p) for p in (spheres.path / "shards").glob("*.parquet"))


def check(ids, splits, cell):
    assert list(ids) == [f"cccccccc-{i:08d}" for i in range(10)]
    assert list(splits) == [("train", "val", "test")[i % 3] for i in range(10)]
    np.testing.assert_allclose(np.abs(np.linalg.norm(decode_table(cell)[:, :3], axis=1) - 1).max(), 0, atol=1e-6)


def test_pyarrow_dataset_filters_by_a_nested_column(spheres):
    data = pads.dataset(paths(spheres), format="parquet")
    table = data.to_table(columns={"id": pads.field("meta", "id")}, filter=pads.field("meta", "split") == "val")
    assert table["id"].to_pylist() == ["cccccccc-00000001", "cccccccc-00000004", "cccccccc-00000007"]


def test_pandas(spheres):
    pandas = pytest.importorskip("pandas")
    frame = pandas.concat([pandas.read_parquet(p, columns=["meta", "fields"]) for p in paths(spheres)])
    rows = frame["meta"]
    check([r["id"] for r in rows], [r["split"] for r in rows], frame["fields"].iloc[0]["surface"])


def test_duckdb(spheres):
    duckdb = pytest.importorskip("duckdb")
    query = "select meta.id, meta.split, fields.surface, views.c2w[1][12] from read_parquet(?) order by meta.index"
    rows = duckdb.execute(query, [paths(spheres)]).fetchall()
    check([r[0] for r in rows], [r[1] for r in rows], rows[0][2])
    assert abs(rows[0][3]) <= 3.2


def test_hugging_face_datasets(spheres, tmp_path):
    datasets = pytest.importorskip("datasets")
    data = datasets.load_dataset("parquet", data_files=paths(spheres), split="train", cache_dir=str(tmp_path))
    check([r["id"] for r in data["meta"]], [r["split"] for r in data["meta"]], data[0]["fields"]["surface"])


@pytest.mark.slow
def test_ray_data(spheres):
    ray = pytest.importorskip("ray")
    # Ray resolves paths in threads that all try to import fsspec.http; where aiohttp is missing, they trip over each other.
    pytest.importorskip("aiohttp")
    pytest.importorskip("pandas")
    ray.init(num_cpus=1, include_dashboard=False, logging_level="error")
    try:
        rows = ray.data.read_parquet(paths(spheres)).select_columns(["meta", "fields"]).take_all()
    finally:
        ray.shutdown()
    rows.sort(key=lambda row: row["meta"]["index"])
    check([r["meta"]["id"] for r in rows], [r["meta"]["split"] for r in rows], rows[0]["fields"]["surface"])
