"""What a training loop gets: decoded tensors whose cameras, frames and draws can be trusted."""

import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pyarrow import fs as pafs
from torch.utils.data import DataLoader

from versemill.camera import Camera
from versemill.errors import ConfigError, ShardError
from versemill.shards import SCHEMA, ShardDataset, decode_views, read_rows, schema, seal, verify_shard
from versemill.shards.schema import blob_leaves

FS = pafs.LocalFileSystem()


def unproject(sample, view, opengl=False):
    """World points (n, 3) and colour-plane positions of the foreground of one view, by hand from the sample's tensors."""
    depth, K, c2w = sample["depth"][view, 0].double(), sample["K"][view].double(), sample["c2w"][view].double()
    if opengl:
        c2w = c2w @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
    y, x = torch.nonzero(depth > 0, as_tuple=True)
    z = depth[y, x]
    pixels = torch.stack([(x + 0.5) * z, (y + 0.5) * z, z], 1)
    return pixels @ torch.linalg.inv(K).T @ c2w[:3, :3].T + c2w[:3, 3], y, x


def test_splits_cover_all_rows_once(spheres):
    parts = [ShardDataset(spheres.path, split) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [4, 3, 3]
    assert sorted(np.concatenate([part.indices for part in parts])) == list(range(10))
    assert len(ShardDataset(spheres.path)) == spheres.rows
    for part in parts:
        assert [part[i]["index"] for i in range(len(part))] == part.indices.tolist()


def test_a_sample_is_the_row(spheres):
    sample = ShardDataset(spheres.path)[6]
    path = str(spheres.path / "shards" / "shard-000001.parquet")
    row = list(read_rows(path))[1]
    views = decode_views(row["views"])
    assert sample["id"] == row["meta"]["id"]
    assert sample["caption"] == "A painted ball."
    np.testing.assert_allclose(sample["rgb"].numpy() * 255, views.passes["rgb"].transpose(0, 3, 1, 2), atol=1e-4)
    np.testing.assert_array_equal(sample["normal"].numpy(), views.passes["normal"].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(sample["depth"].numpy()[:, 0], views.passes["depth"])
    np.testing.assert_array_equal(sample["mask"].numpy()[:, 0], views.passes["mask"])
    assert sample["mask"].dtype == torch.bool
    np.testing.assert_allclose(sample["c2w"].numpy(), np.stack([c.c2w for c in views.cameras]), atol=1e-6)


@pytest.mark.parametrize("pose", ["opencv", "opengl"])
@pytest.mark.parametrize("frame", ["world", "camera"])
def test_depth_unprojects_onto_the_sphere_and_normals_point_out(spheres, pose, frame):
    sample = ShardDataset(spheres.path, pose=pose, normal_frame=frame)[2]
    for view in range(4):
        points, y, x = unproject(sample, view, pose == "opengl")
        assert len(points) > 100
        assert (points.norm(dim=1) - 1).abs().max() < 1e-3
        normals = sample["normal"][view, :, y, x].T.double()
        if frame == "camera":
            facing = normals[:, 2] if pose == "opencv" else -normals[:, 2]
            assert (facing < 0.35).all()
            assert facing.mean() < -0.3
            normals = normals @ sample["c2w"][view, :3, :3].double().T
        assert (normals - points).norm(dim=1).max() < 2e-3


@pytest.mark.parametrize("size", [16, 24, 20])
def test_downscaling_keeps_geometry_and_cameras_together(spheres, size):
    full, small = ShardDataset(spheres.path)[1], ShardDataset(spheres.path, resolution=size)[1]
    assert small["rgb"].shape == (4, 4, size, size)
    assert small["depth"].shape == (4, 1, size, size)
    for view in range(4):
        points, y, x = unproject(small, view)
        assert (points.norm(dim=1) - 1).abs().mean() < 0.02
        assert (small["normal"][view, :, y, x].T - points).norm(dim=1).mean() < 0.05
    foreground = small["mask"].expand_as(small["normal"])
    assert (small["normal"][~foreground] == 0).all()
    np.testing.assert_allclose(small["normal"].norm(dim=1)[small["mask"][:, 0]], 1, atol=1e-4)
    np.testing.assert_allclose(small["rgb"][:, 3].mean(), full["rgb"][:, 3].mean(), atol=1e-5)


def test_no_background_bleeds_into_colours(spheres):
    """Straight colours of the small image stay within the colours that are there; black background adds none."""
    full, small = (ShardDataset(spheres.path, passes=("rgb",), resolution=r)[0]["rgb"] for r in (None, 12))
    covered, edge = full[:, 3] > 0, small[:, 3] > 0
    least = torch.stack([full[v, :3][:, covered[v]].amin(1) for v in range(4)])
    for v in range(4):
        assert (small[v, :3][:, edge[v]].amin(1) >= least[v] - 1e-5).all()
    assert (small[:, 3] < 1).any()


def test_background_is_laid_under_premultiplied_colour(spheres):
    straight = ShardDataset(spheres.path, passes=("rgb",), resolution=16)[0]["rgb"]
    laid = ShardDataset(spheres.path, passes=("rgb",), resolution=16, background=(1.0, 0.5, 0.0))[0]
    colour, alpha = straight[:, :3], straight[:, 3:]
    behind = torch.tensor([1.0, 0.5, 0.0])[:, None, None]
    torch.testing.assert_close(laid["rgb"], colour * alpha + behind * (1 - alpha), atol=1e-5, rtol=0)
    torch.testing.assert_close(laid["alpha"], alpha)


def test_crops_move_the_principal_point(spheres):
    dataset = ShardDataset(spheres.path, crop=20, seed=4)
    boxes = set()
    for i in range(4):
        sample = dataset[i]
        assert sample["rgb"].shape[-2:] == (20, 20)
        boxes.add(tuple(sample["K"][0, :2, 2].tolist()))
        for view in range(4):
            points, _, _ = unproject(sample, view)
            assert len(points) == 0 or (points.norm(dim=1) - 1).abs().max() < 1e-3
    assert len(boxes) > 1


def test_view_draws_depend_on_seed_row_and_epoch_only(spheres):
    def drawn(seed, epoch):
        dataset = ShardDataset(spheres.path, passes=("mask",), views=2, seed=seed)
        dataset.set_epoch(epoch)
        return [tuple(dataset[i]["views"].tolist()) for i in range(10)]

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)
    assert all(len(set(v)) == 2 for v in drawn(1, 0))
    assert {v for pair in drawn(1, 0) + drawn(1, 1) for v in pair} == {0, 1, 2, 3}


def test_chosen_views_come_in_the_asked_order(spheres):
    every, some = ShardDataset(spheres.path)[3], ShardDataset(spheres.path, views=(2, 0))[3]
    torch.testing.assert_close(some["depth"], every["depth"][[2, 0]])
    torch.testing.assert_close(some["c2w"], every["c2w"][[2, 0]])
    with pytest.raises(ConfigError, match=r"view 9 asked for, but the row has 0\.\.3"):
        ShardDataset(spheres.path, views=(9,))[0]
    with pytest.raises(ConfigError, match="5 views asked for, but the row has 4"):
        ShardDataset(spheres.path, views=5)[0]


def test_fields_and_mesh_on_request(spheres, sphere):
    dataset = ShardDataset(
        spheres.path, passes=(), fields=("near_points", "near_sdf", "surface", "voxels"), points=64, mesh=True
    )
    sample = dataset[0]
    assert "c2w" not in sample
    assert sample["near_points"].shape == (64, 3)
    torch.testing.assert_close(sample["near_points"].norm(dim=1) - 1, sample["near_sdf"], atol=1e-5, rtol=0)
    assert sample["surface"].shape == (64, 6)
    assert len(sample["voxels"]) > 1000
    assert len(sample["watertight_vertices"]) == 642
    whole = ShardDataset(spheres.path, passes=(), fields=("vol_points",))[0]["vol_points"]
    np.testing.assert_array_equal(whole.numpy(), sphere.fields(index=0).vol_points)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_decode_the_same_samples(spheres, context):
    dataset = ShardDataset(spheres.path, views=2, resolution=16, cache_bytes=1)
    alone = [dataset[i] for i in range(len(dataset))]
    loader = DataLoader(dataset, batch_size=2, num_workers=2, multiprocessing_context=context)
    batches = list(loader)
    assert [int(i) for batch in batches for i in batch["index"]] == list(range(10))
    for k, batch in enumerate(batches):
        torch.testing.assert_close(batch["rgb"], torch.stack([alone[2 * k]["rgb"], alone[2 * k + 1]["rgb"]]))


def test_a_pickled_dataset_carries_no_open_file_and_no_cache(spheres):
    dataset = ShardDataset(spheres.path)
    before = len(pickle.dumps(dataset))
    dataset[0]
    assert len(pickle.dumps(dataset)) == before
    torch.testing.assert_close(pickle.loads(pickle.dumps(dataset))[0]["rgb"], dataset[0]["rgb"])


def counted(path, columns):
    """Bytes that reading `columns` of a Parquet file fetches, and the compressed bytes of those columns."""

    class File:
        def __init__(self):
            self.file, self.read_bytes = path.open("rb"), 0
            self.closed = False

        def read(self, size=-1):
            data = self.file.read(size)
            self.read_bytes += len(data)
            return data

        def seek(self, *args):
            return self.file.seek(*args)

        def tell(self):
            return self.file.tell()

        def close(self):
            self.closed = True

        def readable(self):
            return True

        def writable(self):
            return False

        def seekable(self):
            return True

    file = File()
    with pq.ParquetFile(file) as parquet:
        parquet.read(columns=columns)
        groups = [parquet.metadata.row_group(g) for g in range(parquet.metadata.num_row_groups)]
    chunks = [g.column(c) for g in groups for c in range(g.num_columns)]
    chosen = [c for c in chunks if any(c.path_in_schema == k or c.path_in_schema.startswith(k + ".") for k in columns)]
    assert chosen
    return file.read_bytes, sum(c.total_compressed_size for c in chosen)


@pytest.mark.parametrize(
    "columns", [["views.rgb"], ["views.depth", "views.depth_range", "views.c2w", "views.K"], ["fields"], ["mesh.glb"]]
)
def test_reading_some_columns_costs_at_most_a_tenth_more(sphere, tmp_path, columns):
    seal(FS, str(tmp_path / "a.parquet"), [sphere.row(i, size=96, views=6) for i in range(4)], {})
    read, least = counted(tmp_path / "a.parquet", columns)
    footer = pq.read_metadata(tmp_path / "a.parquet").serialized_size
    assert least <= read <= 1.1 * least + footer + 70_000
    assert read < 0.7 * (tmp_path / "a.parquet").stat().st_size


def test_a_selection_reads_only_its_leaves(spheres):
    columns = ShardDataset(spheres.path, passes=("depth",)).selection.columns()
    assert "views.depth" in columns
    assert not {"views.rgb", "views.mask", "views.normal", "mesh.glb"} & set(columns)
    assert "views.mask" in ShardDataset(spheres.path, passes=("depth",), resolution=8).selection.columns()


def test_mistakes_say_what_to_do(spheres, tmp_path):
    with pytest.raises(ShardError, match="no shards in"):
        ShardDataset(tmp_path)
    with pytest.raises(ConfigError, match="unknown split 'dev'; there are train, val, test"):
        ShardDataset(spheres.path, "dev")
    with pytest.raises(ShardError, match=r"unknown column 'views\.colour'"):
        ShardDataset(spheres.path, passes=("colour",))
    with pytest.raises(ConfigError, match="does not fit"):
        ShardDataset(spheres.path, crop=64)[0]
    with pytest.raises(ConfigError, match="ids can't be averaged"):
        ShardDataset(spheres.path, passes=("part",), resolution=8)
    (tmp_path / "shard-000000.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(ShardError, match="can't be read"):
        ShardDataset(tmp_path)


def test_cameras_of_a_sample_are_valid_cameras(spheres):
    sample = ShardDataset(spheres.path, resolution=16)[0]
    for c2w, K in zip(sample["c2w"].double().numpy(), sample["K"].double().numpy(), strict=True):
        camera = Camera(c2w, K, 16, 16)
        pixels, depth = camera.project(np.zeros((1, 3)))
        np.testing.assert_allclose(pixels, 8, atol=1e-4)
        np.testing.assert_allclose(depth, 3.2, atol=1e-5)


def test_plain_pyarrow_sees_the_documented_types(spheres):
    table = pq.read_table(spheres.path / "shards" / "shard-000000.parquet")
    assert table.schema.equals(SCHEMA)
    assert table.schema.equals(schema())
    assert any(path.startswith("views.rgb") for path in blob_leaves())


def test_a_shard_without_rows_is_whole_and_empty(sphere, tmp_path):
    """All of its assets were rejected."""
    empty = seal(FS, str(tmp_path / "shards" / "shard-000000.parquet"), [], {})
    assert empty.rows == 0
    assert verify_shard(FS, str(tmp_path / "shards" / "shard-000000.parquet"), empty.sha256, deep=True) == []
    assert len(ShardDataset(tmp_path)) == 0
    seal(FS, str(tmp_path / "shards" / "shard-000001.parquet"), [sphere.row(7, views=2, size=16)], {})
    dataset = ShardDataset(tmp_path)
    assert [dataset[0]["index"], len(dataset)] == [7, 1]
