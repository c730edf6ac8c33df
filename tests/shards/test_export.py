"""Each export, read as its consumer reads it: cameras, colours, depth, signs and names must fit the source.

The source is a striped ball: every view of an export is traced again through the exported camera, so that a wrong axis, a
transposed pose or a wrong unit shows as a wrong silhouette or colour. The readers here follow the documented formats.
"""

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import fs as pafs

from shards import ShardsConfig, seal
from shards.export import export, formats
from shards.schema import COLUMNS
from versemill.camera import Camera, from_opengl
from versemill.errors import ConfigError
from versemill.gltf import from_glb

FS = pafs.LocalFileSystem()
SIZE, VIEWS, FOV = 32, 32, 50.0
IDS = ["0-00000000", "0-00000001", "0-00000002"]


@pytest.fixture(scope="module")
def source(sphere, tmp_path_factory):
    """3 balls in 2 shards, one of each split; 32 views of 32 pixels at 50 degrees."""
    folder = tmp_path_factory.mktemp("source")
    rows = [sphere.row(i, views=VIEWS, size=SIZE, split=s, fov=FOV) for i, s in enumerate(("train", "val", "test"))]
    for k, part in enumerate((rows[:2], rows[2:])):
        seal(FS, str(folder / "shards" / f"shard-{k:06d}.parquet"), part, {}, ShardsConfig(row_group_rows=1))
    return folder


@pytest.fixture
def exported(source, tmp_path):
    def run(name):
        assert export(source, name, tmp_path / name).assets == 3
        return tmp_path / name

    return run


def image(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def check_view(sphere, pose_cv, K, rgba, scale=1.0, depth=None, quantum=0.0):
    """The image must be that of the ball (of radius `scale`) seen by this OpenCV camera-to-world pose."""
    height, width = rgba.shape[:2]
    unscaled = np.array(pose_cv, np.float64)
    if unscaled.shape == (3, 4):
        unscaled = np.vstack([unscaled, [0, 0, 0, 1]])
    unscaled[:3, 3] /= scale
    camera = Camera(unscaled, np.asarray(K), width, height)
    truth = sphere.trace(camera)
    mask = rgba[..., 3] > 0 if rgba.shape[2] == 4 else (rgba != 255).any(-1)
    union = (mask | truth["mask"]).sum()
    assert (mask & truth["mask"]).sum() / union >= 0.99
    both = mask & truth["mask"]
    assert np.abs(rgba[..., :3].astype(int) - truth["rgb"][..., :3])[both].max() <= 1
    if depth is not None:
        hit = depth > 0
        points = camera.unproject(depth / scale)[hit]
        error = np.abs(np.linalg.norm(points, axis=1) - sphere.radius) * scale
        assert error.mean() < 1e-3 + quantum / 2
        assert (hit & mask).sum() / (hit | mask).sum() >= 0.99


def pinhole(angle, width, height):
    focal = width / 2 / np.tan(angle / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def inverse(pose):
    return np.linalg.inv(np.vstack([np.asarray(pose)[:3], [0, 0, 0, 1]]))


def test_every_format_is_listed_and_reads_known_columns():
    known = formats()
    assert list(known) == sorted(known)
    assert len(known) >= 15
    for name, format in known.items():
        assert format.name == name
        assert format.summary
        for column in format.columns:
            group, _, leaf = column.partition(".")
            assert group in COLUMNS
            assert not leaf or leaf in COLUMNS[group]


def test_nerf_for_nerfstudio_and_instant_ngp(exported, sphere):
    out = exported("nerf")
    for name in IDS:
        meta = json.loads((out / name / "transforms.json").read_text())
        K = np.array([[meta["fl_x"], 0, meta["cx"]], [0, meta["fl_y"], meta["cy"]], [0, 0, 1]])
        assert (meta["w"], meta["h"], meta["camera_model"]) == (SIZE, SIZE, "OPENCV")
        assert len(meta["frames"]) == VIEWS
        for frame in meta["frames"]:
            rgba = image(out / name / frame["file_path"])
            depth = image(out / name / frame["depth_file_path"])
            assert depth.dtype == np.uint16
            mask = image(out / name / frame["mask_path"])
            pose = from_opengl(frame["transform_matrix"])
            check_view(sphere, pose, K, rgba, depth=depth * 1e-3, quantum=1e-3)
            np.testing.assert_array_equal(mask > 0, depth > 0)


def test_nerf_synthetic(exported, sphere):
    out = exported("nerf") / IDS[1]
    seen = []
    for split in ("train", "val", "test"):
        meta = json.loads((out / f"transforms_{split}.json").read_text())
        for frame in meta["frames"]:
            assert not frame["file_path"].endswith(".png")
            seen.append(frame["file_path"])
            rgba = image(out / (frame["file_path"] + ".png"))
            check_view(sphere, from_opengl(frame["transform_matrix"]), pinhole(meta["camera_angle_x"], SIZE, SIZE), rgba)
    assert sorted(seen) == [f"./images/{k:03d}" for k in range(VIEWS)]


def test_lrm_cameras(exported, sphere):
    out = exported("lrm")
    scenes = (out / "full_list.txt").read_text().split()
    assert scenes == [str(out / name / "opencv_cameras.json") for name in IDS]
    assert (out / "data_list.txt").read_text().split() == [f"{name}/opencv_cameras.json" for name in IDS]
    assert (out / "val_list.txt").read_text().split() == scenes[1:2]
    for path in map(Path, scenes):
        meta = json.loads(path.read_text())
        assert meta["scene_name"] == path.parent.name
        assert len(meta["frames"]) > 26
        for frame in meta["frames"]:
            rgb = image(path.parent / frame["file_path"])
            assert rgb.shape == (frame["h"], frame["w"], 3)
            assert Path(frame["image_path"]).is_absolute()
            np.testing.assert_array_equal(image(frame["image_path"]), rgb)
            fx, fy, cx, cy = frame["fxfycxcy"]
            assert (fx, fy, cx, cy) == (frame["fx"], frame["fy"], frame["cx"], frame["cy"])
            pose = inverse(frame["w2c"])
            np.testing.assert_allclose(frame["blender_camera_location"], pose[:3, 3], atol=1e-9)
            check_view(sphere, pose, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], rgb)


def test_zero123(exported, sphere):
    out = exported("zero123")
    ids = json.loads((out / "valid_paths.json").read_text())
    assert ids == IDS
    for name in ids:
        for k in range(12):
            w2c = np.load(out / name / f"{k:03d}.npy")
            assert w2c.shape == (3, 4)
            pose = from_opengl(inverse(w2c))
            check_view(sphere, pose, pinhole(np.radians(FOV), SIZE, SIZE), image(out / name / f"{k:03d}.png"), scale=0.5)


def test_openlrm(exported, sphere):
    out = exported("openlrm")
    assert json.loads((out / "train.json").read_text()) == IDS[:1]
    for name in IDS:
        (fx, fy), (cx, cy), (width, height) = np.load(out / name / "intrinsics.npy")
        assert (width, height) == (SIZE, SIZE)
        for k in range(VIEWS):
            pose = from_opengl(np.vstack([np.load(out / name / "pose" / f"{k:03d}.npy"), [0, 0, 0, 1]]))
            check_view(sphere, pose, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], image(out / name / "rgba" / f"{k:03d}.png"))


def test_lgm(exported, sphere):
    out = exported("lgm")
    for name in (out / "list.txt").read_text().split():
        for k in range(0, VIEWS, 5):
            pose = np.array([float(x) for x in (out / name / "pose" / f"{k:03d}.txt").read_text().split()]).reshape(4, 4)
            check_view(sphere, pose, pinhole(np.radians(FOV), SIZE, SIZE), image(out / name / "rgb" / f"{k:03d}.png"))


def test_instantmesh(exported, sphere):
    out = exported("instantmesh")
    ids = json.loads((out / "valid_paths.json").read_text())["good_objs"]
    assert ids == IDS
    for name in ids:
        folder = out / "rendering_random_32views" / name
        poses = np.load(folder / "cameras.npz")["cam_poses"]
        assert poses.shape == (VIEWS, 3, 4)
        for k in range(0, VIEWS, 3):
            depth = image(folder / f"{k:03d}_depth.png") / 255.0 * 6.0
            pose = from_opengl(inverse(poses[k]))
            check_view(sphere, pose, pinhole(np.radians(50), SIZE, SIZE), image(folder / f"{k:03d}.png"), 1.0, depth, 6 / 255)
            normal = image(folder / f"{k:03d}_normal.png")
            truth = sphere.trace(Camera(pose, pinhole(np.radians(50), SIZE, SIZE), SIZE, SIZE))
            hit = normal[..., 3] > 0
            decoded = normal[hit][:, :3] / 255 * 2 - 1
            assert np.abs(decoded - truth["normal"][hit]).max() < 0.01


def read_ply(path):
    data = Path(path).read_bytes()
    head, body = data.split(b"end_header\n", 1)
    count = int(next(line for line in head.splitlines() if line.startswith(b"element vertex")).split()[2])
    return np.frombuffer(body[: 12 * count], "<f4").reshape(-1, 3), body[12 * count :]


def test_trellis(exported, sphere):
    out = exported("trellis")
    rows = list(csv.DictReader((out / "metadata.csv").open()))
    assert [row["sha256"] for row in rows] == [sphere.asset(0, i).content_hash for i in range(3)]
    for i, row in enumerate(rows):
        assert json.loads(row["captions"]) == ["A painted ball."]
        assert {row[k] for k in ("rendered", "voxelized", "cond_rendered")} == {"True"}
        float(row["aesthetic_score"])
        assert from_glb((out / row["local_path"]).read_bytes()).faces.shape == (1280, 3)
        for kind in ("renders", "renders_cond"):
            folder = out / kind / row["sha256"]
            meta = json.loads((folder / "transforms.json").read_text())
            for k in range(0, VIEWS, 7):
                frame = meta["frames"][k]
                pose = np.array(frame["transform_matrix"])
                pose[:3, 1:3] *= -1
                depth = None
                if kind == "renders":
                    codes = image(folder / f"{k:03d}_depth.png")
                    span = frame["depth"]["max"] - frame["depth"]["min"]
                    rgba = image(folder / frame["file_path"])
                    depth = np.where(rgba[..., 3] > 0, codes / 65535 * span + frame["depth"]["min"], 0)
                K = pinhole(frame["camera_angle_x"], SIZE, SIZE)
                check_view(sphere, pose, K, image(folder / frame["file_path"]), 0.5, depth, 1 / 65535)
        mesh, _ = read_ply(out / "renders" / row["sha256"] / "mesh.ply")
        np.testing.assert_allclose(np.linalg.norm(mesh, axis=1), 0.5, atol=1e-6)
        voxels, rest = read_ply(out / "voxels" / f"{row['sha256']}.ply")
        assert rest == b""
        assert len(voxels) == int(row["num_voxels"])
        cells = ((voxels + 0.5) * 64).astype(int)
        np.testing.assert_array_equal(cells, sphere.fields(index=i).voxels)
        assert np.abs(np.linalg.norm(voxels, axis=1) - 0.5).max() < 1 / 64


def y_up(points):
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], 1)


def test_y_up_is_the_frame_of_the_glb(sphere):
    """The point cloud formats share the axes of the mesh file: checked in the GLB's own buffer, not through our reader."""
    import trimesh

    asset = sphere.asset()
    from versemill.gltf import to_glb

    scene = trimesh.load(io.BytesIO(to_glb(asset)), file_type="glb", process=False)
    positions = np.concatenate([g.vertices for g in scene.geometry.values()])
    np.testing.assert_allclose(
        np.unique(positions.round(5), axis=0), np.unique(y_up(asset.vertices).round(5), axis=0), atol=1e-5
    )


def test_triposg(exported, sphere):
    out = exported("triposg")
    fields = sphere.fields(index=1)
    data = np.load(out / f"{IDS[1]}.npy", allow_pickle=True).tolist()
    np.testing.assert_array_equal(data["surface_points"], y_up(fields.surface[:, :3]))
    np.testing.assert_array_equal(data["surface_normals"], y_up(fields.surface[:, 3:]))


def test_craftsman(exported, sphere):
    out = exported("craftsman")
    assert [json.loads((out / f"{s}.json").read_text()) for s in ("train", "val", "test")] == [[i] for i in IDS]
    fields = sphere.fields(index=2)
    data = np.load(out / f"{IDS[2]}.npz")
    assert data["surface"].shape == (500, 6)
    np.testing.assert_array_equal(data["rand_points"], y_up(np.concatenate([fields.near_points, fields.vol_points])))
    inside = np.linalg.norm(data["rand_points"], axis=1) < 0.999
    assert (data["sdfs"][inside] > 0).all()
    centre = np.linalg.norm(data["rand_points"], axis=1).argmin()
    assert data["sdfs"][centre] == pytest.approx(1.0, abs=1e-5)


def test_dora(exported):
    data = np.load(exported("dora") / f"{IDS[0]}.npz")
    near, vol = data["rand_points"][:400_000], data["rand_points"][400_000:]
    assert len(near) == 400_000
    assert len(vol) == 500
    for points in (near[:1000], vol, data["sharp_near_surface"]):
        np.testing.assert_allclose(points[:, 3], 1 - np.linalg.norm(points[:, :3], axis=1), atol=1e-5)
    for name in ("fps_coarse_surface", "fps_sharp_surface"):
        np.testing.assert_allclose(data[name][:, :3], data[name][:, 3:], atol=1e-6)
        assert np.abs(data[name]).max() <= 1
    assert all(data[name].dtype == np.float32 for name in data.files)


def test_hunyuan(exported, sphere):
    folder = exported("hunyuan") / IDS[0]
    surface = np.load(folder / "geo_data" / f"{IDS[0]}_surface.npz")
    for name in ("random_surface", "sharp_surface"):
        assert surface[name].dtype == np.float16
        np.testing.assert_allclose(surface[name][:, :3], surface[name][:, 3:], atol=1e-3)
    sdf = np.load(folder / "geo_data" / f"{IDS[0]}_sdf.npz")
    for name in ("vol", "random_near", "sharp_near"):
        points, label = sdf[f"{name}_points"].astype(np.float64), sdf[f"{name}_label"].astype(np.float64)
        np.testing.assert_allclose(label, 1 - np.linalg.norm(points, axis=1), atol=2e-3)
    lines = (folder / "geo_data" / f"{IDS[0]}_watertight.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], np.float32)
    np.testing.assert_array_equal(vertices, y_up(sphere.asset().vertices))
    assert sum(line.startswith("f ") for line in lines) == 1280
    frames = json.loads((folder / "render_cond" / "transforms.json").read_text())["frames"]
    assert len(frames) == 24
    for frame in frames:
        rgba = image(folder / "render_cond" / frame["file_path"])
        check_view(sphere, from_opengl(frame["transform_matrix"]), pinhole(frame["camera_angle_x"], SIZE, SIZE), rgba)


def test_folders(exported, sphere):
    out = exported("folders")
    for i, name in enumerate(IDS):
        cameras = json.loads((out / name / "cameras.json").read_text())
        for k in range(0, VIEWS, 6):
            depth = np.load(out / name / "depth" / f"{k:03d}.npy")
            check_view(sphere, cameras[k]["c2w"], cameras[k]["K"], image(out / name / "rgb" / f"{k:03d}.png"), depth=depth)
            normal = np.load(out / name / "normal" / f"{k:03d}.npy")
            truth = sphere.trace(Camera(np.array(cameras[k]["c2w"]), np.array(cameras[k]["K"]), SIZE, SIZE))["normal"]
            assert np.abs(normal - truth).max() < 1e-4
        fields = np.load(out / name / "fields.npz")
        np.testing.assert_array_equal(fields["near_sdf"], sphere.fields(index=i).near_sdf)
        assert json.loads((out / name / "meta.json").read_text())["metrics"] == {"score": 0.5}
        assert len(from_glb((out / name / "mesh.glb").read_bytes()).faces) == 1280


def check_wds_sample(sphere, cameras, k, rgba, depth):
    check_view(sphere, cameras[k]["c2w"], cameras[k]["K"], rgba, depth=depth)


def test_webdataset_tars(exported, sphere):
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
                check_wds_sample(sphere, cameras, k, image(io.BytesIO(files[f"{key}.{k:03d}.rgb.png"])), depth)
    assert keys == IDS


def test_webdataset_with_its_own_package(exported, sphere):
    wds = pytest.importorskip("webdataset")
    out = exported("webdataset")
    urls = [str(out / name) for name in (out / "shards.txt").read_text().split()]
    samples = list(wds.WebDataset(urls, shardshuffle=False).decode("rgba8"))
    assert [sample["__key__"] for sample in samples] == IDS
    for sample in samples:
        assert sample["meta.json"]["id"] == sample["__key__"]
        check_wds_sample(sphere, sample["cameras.json"], 4, sample["004.rgb.png"], sample["004.depth.npy"])


def test_coco(exported, sphere):
    out = exported("coco")
    data = json.loads((out / "coco_annotations.json").read_text())
    assert len(data["images"]) == 3 * VIEWS
    assert len({a["id"] for a in data["annotations"]}) == len(data["annotations"])
    assert {c["id"] for c in data["categories"]} == {1, 2}
    for picture in data["images"][::9]:
        camera = Camera(np.array(picture["cam2world"]), np.reshape(picture["cam_K"], (3, 3)), SIZE, SIZE)
        truth = sphere.trace(camera)
        check_view(sphere, camera.c2w, camera.K, image(out / picture["file_name"]))
        for a in (a for a in data["annotations"] if a["image_id"] == picture["id"]):
            counts = a["segmentation"]["counts"]
            flat = np.repeat(np.arange(len(counts)) % 2, counts).astype(bool)
            mask = flat.reshape(a["segmentation"]["size"][::-1]).T
            np.testing.assert_array_equal(mask, truth["part"] == a["category_id"] - 1)
            x, y, w, h = a["bbox"]
            assert mask[y : y + h, x : x + w].sum() == mask.sum() == a["area"]


def test_hdf5_reads_as_blenderprocs(exported, sphere):
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
        check_view(sphere, c2w, K, arrays["colors"], depth=depth, quantum=1e-4)
        assert pose["fov_x"] == pytest.approx(np.radians(FOV))
        camera = Camera(c2w, K, SIZE, SIZE)
        toward = (np.linalg.inv(np.array(pose["cam2world_matrix"]))[:3, :3] @ camera.unproject(depth)[seen].T).T / sphere.radius
        assert np.abs(arrays["normals"][seen] * 2 - 1 - toward).max() < 5e-3
        assert (arrays["normals"][seen][:, 2] >= 0.49).all(), "normals look at the camera, whose +z is behind it"
        assert (arrays["normals"][~seen] == 0.5).all()
        truth = sphere.trace(camera)
        np.testing.assert_array_equal(arrays["instance_segmaps"], truth["part"] + 1)
        assert [p["idx"] for p in parts] == sorted(set(np.unique(truth["part"] + 1).tolist()) - {0})


def test_hugging_face_parquet_with_plain_pyarrow(exported, sphere):
    import pyarrow.parquet as pq

    out = exported("huggingface")
    assert sorted(p.name for p in (out / "data").iterdir()) == [
        "test-shard-000001.parquet", "train-shard-000000.parquet", "val-shard-000000.parquet"]  # fmt: skip
    assert "path: data/train-*.parquet" in (out / "README.md").read_text()
    table = pq.read_table(out / "data" / "val-shard-000000.parquet")
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert set(features) == set(table.column_names)
    row = table.to_pylist()[0]
    rgba = image(io.BytesIO(row["images"][3]["bytes"]))
    check_view(sphere, np.reshape(row["c2w"][3], (4, 4)), np.reshape(row["K"][3], (3, 3)), rgba)


def test_hugging_face_with_its_own_package(exported, sphere, tmp_path):
    datasets = pytest.importorskip("datasets")
    out = exported("huggingface")
    data = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {split: len(part) for split, part in data.items()} == {"train": 1, "validation": 1, "test": 1}
    row = data["test"][0]
    assert row["id"] == IDS[2]
    check_view(sphere, np.reshape(row["c2w"][5], (4, 4)), np.reshape(row["K"][5], (3, 3)), np.asarray(row["images"][5]))


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


def test_mds_bytes(exported, sphere):
    out = exported("mds")
    index = json.loads((out / "index.json").read_text())
    assert index["version"] == 2
    samples = [s for info in index["shards"] for s in read_mds(out / info["raw_data"]["basename"], info)]
    assert [sample["id"].decode() for sample in samples] == IDS
    for sample in samples:
        cameras = json.loads(sample["cameras"])
        depth = np.load(io.BytesIO(sample["depth_007"]))
        check_view(sphere, cameras[7]["c2w"], cameras[7]["K"], image(io.BytesIO(sample["rgb_007"])), depth=depth)


def test_mds_with_its_own_package(exported, sphere):
    reason = "mosaicml-streaming needs numpy < 2.2, and this project 2.2 or later; test_mds_bytes reads the format"
    streaming = pytest.importorskip("streaming", reason=reason)
    out = exported("mds")
    data = streaming.StreamingDataset(local=str(out), shuffle=False, batch_size=1)
    assert [data[i]["id"] for i in range(3)] == IDS
    sample = data[1]
    check_view(sphere, sample["cameras"][2]["c2w"], sample["cameras"][2]["K"], np.asarray(sample["rgb_002"]))


@pytest.mark.parametrize("name", sorted(formats()))
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
    with pytest.raises(ConfigError, match=r"unknown export format 'nope'; there are .*webdataset"):
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
