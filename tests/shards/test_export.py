"""Exports in containers, read by their own packages where those install, and what holds for every exporter."""

import hashlib
import io
import json
import shutil
import tarfile

import numpy as np
import pytest
from pyarrow import fs as pafs

from versemill.camera import Camera
from versemill.errors import ConfigError
from versemill.gltf import from_glb
from versemill.shards import card, seal
from versemill.shards.export import FORMATS, export
from versemill.shards.schema import COLUMNS

SIZE, VIEWS, FOV = 32, 32, 50.0
IDS = ["cccccccc-00000000", "cccccccc-00000001", "cccccccc-00000002"]


def test_every_format_is_listed_and_reads_known_columns():
    assert list(FORMATS) == sorted(FORMATS)
    assert len(FORMATS) >= 15
    for format in FORMATS.values():
        assert format.summary
        for column in format.columns:
            group, _, leaf = column.partition(".")
            assert group in COLUMNS
            assert not leaf or leaf in COLUMNS[group]


def test_folders(exported, sphere, look):
    out = exported("folders")
    for i, name in enumerate(IDS):
        cameras = json.loads((out / name / "cameras.json").read_text())
        for k in range(0, VIEWS, 6):
            depth = np.load(out / name / "depth" / f"{k:03d}.npy")
            look.check_view(cameras[k]["c2w"], cameras[k]["K"], look.image(out / name / "rgb" / f"{k:03d}.png"), depth=depth)
            normal = np.load(out / name / "normal" / f"{k:03d}.npy")
            truth = sphere.trace(Camera(np.array(cameras[k]["c2w"]), np.array(cameras[k]["K"]), SIZE, SIZE))["normal"]
            assert np.abs(normal - truth).max() < 1e-4
        fields = np.load(out / name / "fields.npz")
        np.testing.assert_array_equal(fields["near_sdf"], sphere.fields(index=i).near_sdf)
        assert json.loads((out / name / "meta.json").read_text())["metrics"] == {"score": 0.5}
        assert len(from_glb((out / name / "mesh.glb").read_bytes()).faces) == 1280


def test_webdataset_tars(exported, sphere, look):
    out = exported("webdataset")
    tars = (out / "shards.txt").read_text().split()
    keys = []
    for name in tars:
        with tarfile.open(out / name) as tar:
            files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
            assert all(m.mtime == 0 and m.uid == 0 for m in tar.getmembers())
        order = [member.split(".", 1)[0] for member in files]
        assert order == sorted(order)
        keys += sorted(set(order))
        for key in set(order):
            cameras = json.loads(files[f"{key}.cameras.json"])
            for k in (0, 31):
                depth = np.load(io.BytesIO(files[f"{key}.{k:03d}.depth.npy"]))
                rgba = look.image(io.BytesIO(files[f"{key}.{k:03d}.rgb.png"]))
                look.check_view(cameras[k]["c2w"], cameras[k]["K"], rgba, depth=depth)
    assert keys == IDS


def test_webdataset_with_its_own_package(exported, look):
    wds = pytest.importorskip("webdataset")
    out = exported("webdataset")
    urls = [str(out / name) for name in (out / "shards.txt").read_text().split()]
    samples = list(wds.WebDataset(urls, shardshuffle=False).decode("rgba8"))
    assert [sample["__key__"] for sample in samples] == IDS
    for sample in samples:
        assert sample["meta.json"]["id"] == sample["__key__"]
        camera = sample["cameras.json"][4]
        look.check_view(camera["c2w"], camera["K"], sample["004.rgb.png"], depth=sample["004.depth.npy"])


def test_coco(exported, sphere, look):
    out = exported("coco")
    data = json.loads((out / "coco_annotations.json").read_text())
    assert len(data["images"]) == 3 * VIEWS
    assert len({a["id"] for a in data["annotations"]}) == len(data["annotations"])
    assert {c["id"] for c in data["categories"]} == {1, 2}
    for picture in data["images"][::9]:
        camera = Camera(np.array(picture["cam2world"]), np.reshape(picture["cam_K"], (3, 3)), SIZE, SIZE)
        truth = sphere.trace(camera)
        look.check_view(camera.c2w, camera.K, look.image(out / picture["file_name"]))
        for a in (a for a in data["annotations"] if a["image_id"] == picture["id"]):
            counts = a["segmentation"]["counts"]
            flat = np.repeat(np.arange(len(counts)) % 2, counts).astype(bool)
            mask = flat.reshape(a["segmentation"]["size"][::-1]).T
            np.testing.assert_array_equal(mask, truth["part"] == a["category_id"] - 1)
            x, y, w, h = a["bbox"]
            assert mask[y : y + h, x : x + w].sum() == mask.sum() == a["area"]


def test_hdf5_reads_as_blenderprocs(exported, sphere, look):
    h5py = pytest.importorskip("h5py")
    out = exported("hdf5")
    assert len(list(out.rglob("*.hdf5"))) == 3 * VIEWS
    for k in (0, 13):
        with h5py.File(out / IDS[1] / f"{k}.hdf5") as file:
            arrays = {name: np.array(file[name]) for name in ("colors", "depth", "normals", "instance_segmaps")}
            (pose,) = json.loads(np.array(file["campose"]).tobytes())
            parts = json.loads(np.array(file["instance_attribute_maps"]).tobytes())
        flip = np.diag([1.0, -1, -1, 1])
        seen = arrays["depth"] < 1e9
        assert (arrays["depth"][~seen] == np.float32(1e10)).all()
        c2w, K = np.array(pose["cam2world_matrix"]) @ flip, np.array(pose["cam_K"])
        depth = np.where(seen, arrays["depth"], 0)
        look.check_view(c2w, K, arrays["colors"], depth=depth, quantum=1e-4)
        assert pose["fov_x"] == pytest.approx(np.radians(FOV))
        camera = Camera(c2w, K, SIZE, SIZE)
        toward = (np.linalg.inv(np.array(pose["cam2world_matrix"]))[:3, :3] @ camera.unproject(depth)[seen].T).T / sphere.radius
        assert np.abs(arrays["normals"][seen] * 2 - 1 - toward).max() < 5e-3
        assert (arrays["normals"][seen][:, 2] >= 0.49).all(), "normals look at the camera, whose +z is behind it"
        assert (arrays["normals"][~seen] == 0.5).all()
        truth = sphere.trace(camera)
        np.testing.assert_array_equal(arrays["instance_segmaps"], truth["part"] + 1)
        assert [p["idx"] for p in parts] == sorted(set(np.unique(truth["part"] + 1).tolist()) - {0})


def test_hugging_face_parquet_with_plain_pyarrow(exported, sphere, look):
    import pyarrow.parquet as pq

    out = exported("huggingface")
    assert sorted(p.name for p in (out / "data").iterdir()) == [
        "test-shard-000001.parquet", "train-shard-000000.parquet", "val-shard-000000.parquet"]  # fmt: skip
    assert "path: data/train-*.parquet" in (out / "README.md").read_text()
    table = pq.read_table(out / "data" / "val-shard-000000.parquet")
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert set(features) == set(table.column_names)
    row = table.to_pylist()[0]
    rgba = look.image(io.BytesIO(row["images"][3]["bytes"]))
    look.check_view(np.reshape(row["c2w"][3], (4, 4)), np.reshape(row["K"][3], (3, 3)), rgba)


def test_hugging_face_with_its_own_package(exported, sphere, tmp_path, look):
    datasets = pytest.importorskip("datasets")
    out = exported("huggingface")
    data = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {split: len(part) for split, part in data.items()} == {"train": 1, "validation": 1, "test": 1}
    for part in data.values():
        assert part.features["mesh"] == datasets.features.Mesh()
        assert part.features["images"] == datasets.List(datasets.Image())
    row = data["test"][0]
    assert row["id"] == IDS[2]
    look.check_view(np.reshape(row["c2w"][5], (4, 4)), np.reshape(row["K"][5], (3, 3)), np.asarray(row["images"][5]))
    asset = sphere.asset(index=2)
    x, y, z = row["mesh"].to_geometry().triangles.transpose(2, 0, 1)
    np.testing.assert_array_equal(np.stack([x, -z, y], -1).astype(np.float32), asset.vertices[asset.faces])


def test_row_groups_of_hugging_face_end_at_a_number_of_rows_or_bytes(sphere, tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    from versemill.shards.export import huggingface

    parts = [sphere.row(i, views=2, size=16) for i in range(5)]
    seal(pafs.LocalFileSystem(), str(tmp_path / "source" / "shards" / "shard-000000.parquet"), parts, {})

    def groups(name):
        export(tmp_path / "source", "huggingface", tmp_path / name)
        file = pq.ParquetFile(tmp_path / name / "data" / "train-shard-000000.parquet")
        assert [row["id"] for row in file.read().to_pylist()] == [f"cccccccc-{i:08d}" for i in range(5)]
        return [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]

    assert groups("whole") == [5]
    monkeypatch.setattr(huggingface, "ROWS", 3)
    assert groups("rows") == [3, 2]
    monkeypatch.setattr(huggingface, "GROUP_BYTES", 1)
    assert groups("bytes") == [1] * 5


@pytest.mark.slow
@pytest.mark.parametrize("raw", [True, False])
def test_two_datasets_in_turn_through_one_cache_are_never_mixed_up(raw, sphere, tmp_path):
    """Once, the second load served the first one's rows: `datasets` keys its cache by the card, not by the files."""
    datasets = pytest.importorskip("datasets")
    place = tmp_path / "data"

    def loaded(rows: list[int]) -> dict[str, list[str]]:
        made, out = tmp_path / f"rows-{len(list(tmp_path.iterdir()))}", place
        parts = [sphere.row(i, views=2, size=16, split=("train", "val", "test")[i % 3]) for i in rows]
        seal(pafs.LocalFileSystem(), str(made / "shards" / "shard-000000.parquet"), parts, {})
        if raw:
            hashes = hashlib.sha256((made / "shards" / "shard-000000.parquet").read_bytes()).hexdigest()
            splits = {s: sum(i % 3 == k for i in rows) for k, s in enumerate(("train", "val", "test"))}
            text = card(name="balls", rows=splits, rejected={}, failed={}, config={"seed": 0}, digest="d", content=hashes,
                        fingerprint={}, licences={"CC0-1.0": len(rows)}, statistics={})  # fmt: skip
            (made / "README.md").write_text(text)
            shutil.move(made, out)
        else:
            export(made, "huggingface", out)
        data = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
        by_split = {name: [row["meta"]["id"] if raw else row["id"] for row in part] for name, part in data.items()}
        shutil.rmtree(out)
        return by_split

    first, second, longer = loaded([0, 1, 2]), loaded([3, 4, 5]), loaded([0, 1, 2, 6, 7, 8])
    names = {"mixed"} if raw else {"train", "validation", "test"}
    assert set(first) == set(second) == set(longer) == names
    indices = [sorted(int(i.rpartition("-")[2]) for ids in each.values() for i in ids) for each in (first, second, longer)]
    assert indices == [[0, 1, 2], [3, 4, 5], [0, 1, 2, 6, 7, 8]]


def read_mds(path, info):
    data = path.read_bytes()
    count = int(np.frombuffer(data, "<u4", 1)[0])
    offsets = np.frombuffer(data, "<u4", count + 1, 4)
    assert count == info["samples"]
    assert len(data) == info["raw_data"]["bytes"] == offsets[-1]
    for begin in offsets[:-1]:
        sizes = np.frombuffer(data, "<u4", len(info["column_names"]), begin)
        at, sample = int(begin) + 4 * len(sizes), {}
        for name, size in zip(info["column_names"], sizes.tolist(), strict=True):
            sample[name] = data[at : at + size]
            at += size
        yield sample


def test_mds_bytes(exported, sphere, look):
    out = exported("mds")
    index = json.loads((out / "index.json").read_text())
    assert index["version"] == 2
    samples = [s for info in index["shards"] for s in read_mds(out / info["raw_data"]["basename"], info)]
    assert [sample["id"].decode() for sample in samples] == IDS
    for sample in samples:
        cameras = json.loads(sample["cameras"])
        depth = np.load(io.BytesIO(sample["depth_007"]))
        look.check_view(cameras[7]["c2w"], cameras[7]["K"], look.image(io.BytesIO(sample["rgb_007"])), depth=depth)


def test_mds_with_its_own_package(exported, sphere, look):
    reason = "mosaicml-streaming needs numpy < 2.2, and this project 2.2 or later; test_mds_bytes reads the format"
    streaming = pytest.importorskip("streaming", reason=reason)
    out = exported("mds")
    data = streaming.StreamingDataset(local=str(out), shuffle=False, batch_size=1)
    assert [data[i]["id"] for i in range(3)] == IDS
    sample = data[1]
    look.check_view(sample["cameras"][2]["c2w"], sample["cameras"][2]["K"], np.asarray(sample["rgb_002"]))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in ("ovoxel512", "ovoxel1024") else n for n in sorted(FORMATS)]
)
def test_exports_are_the_same_bytes_for_any_number_of_workers_and_after_a_stop(source, tmp_path, name):
    whole = tmp_path / "a"
    assert export(source, name, whole).shards_written == 2
    assert export(source, name, whole).shards_written == 0
    stopped = tmp_path / "b"
    export(source, name, stopped)
    (stopped / ".export" / "shard-000001.json").unlink()
    assert export(source, name, stopped).shards_written == 1
    files = sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(stopped) for p in stopped.rglob("*") if p.is_file())
    for file in files:
        a, b = (folder / file for folder in (whole, stopped))
        if name == "lrm":
            assert a.read_bytes().replace(str(whole).encode(), b"") == b.read_bytes().replace(str(stopped).encode(), b"")
        else:
            assert a.read_bytes() == b.read_bytes(), file


def test_workers_and_splits(source, tmp_path):
    steps = []
    done = export(source, "lgm", tmp_path / "a", workers=2, progress=lambda k, n: steps.append((k, n)))
    assert (done.assets, done.shards_written) == (3, 2)
    assert steps == [(1, 2), (2, 2)]
    assert export(source, "lgm", tmp_path / "b", split="val").assets == 1
    assert (tmp_path / "b" / "list.txt").read_text().split() == IDS[1:2]


def test_mistakes_say_what_to_do(source, sphere, tmp_path):
    with pytest.raises(ConfigError, match=r"unknown exporter 'nope'; known: .*webdataset"):
        export(source, "nope", tmp_path / "x")
    export(source, "lgm", tmp_path / "y")
    with pytest.raises(ConfigError, match="holds another export"):
        export(source, "nerf", tmp_path / "y")
    few = sphere.write(tmp_path / "few", shards=1, per_shard=1, size=16, views=4)
    with pytest.raises(ConfigError, match="has 4 views, but Zero-1-to-3 reads 12"):
        export(few.path, "zero123", tmp_path / "z")
    rgb_only = sphere.write(tmp_path / "rgb", shards=1, per_shard=1, size=16, views=32, passes=("rgb",))
    with pytest.raises(ConfigError, match="InstantMesh assumes a field of view of 50"):
        export(rgb_only.path, "instantmesh", tmp_path / "w")
