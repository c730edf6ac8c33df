"""Exports of posed images, read as their consumers read them: cameras, colours, depth, units and names must fit the source.

The source is a striped ball: every view of an export is traced again through the exported camera, so that a wrong axis, a
transposed pose or a wrong unit shows as a wrong silhouette or colour. The readers here follow the documented formats.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from versemill.camera import Camera, from_opengl
from versemill.gltf import from_glb

SIZE, VIEWS, FOV = 32, 32, 50.0
IDS = ["cccccccc-00000000", "cccccccc-00000001", "cccccccc-00000002"]


def test_nerf_for_nerfstudio_and_instant_ngp(exported, sphere, look):
    out = exported("nerf")
    for name in IDS:
        meta = json.loads((out / name / "transforms.json").read_text())
        K = np.array([[meta["fl_x"], 0, meta["cx"]], [0, meta["fl_y"], meta["cy"]], [0, 0, 1]])
        assert (meta["w"], meta["h"], meta["camera_model"]) == (SIZE, SIZE, "OPENCV")
        assert len(meta["frames"]) == VIEWS
        for frame in meta["frames"]:
            rgba = look.image(out / name / frame["file_path"])
            depth = look.image(out / name / frame["depth_file_path"])
            assert depth.dtype == np.uint16
            mask = look.image(out / name / frame["mask_path"])
            pose = from_opengl(frame["transform_matrix"])
            look.check_view(pose, K, rgba, depth=depth * 1e-3, quantum=1e-3)
            np.testing.assert_array_equal(mask > 0, depth > 0)


NERFSTUDIO = (
    "nerfstudio pulls in CUDA; its parsers alone run after `pip install --no-deps nerfstudio` with the modules they name"
)


@pytest.mark.parametrize("split", ["train", "val"])
def test_nerf_with_nerfstudios_own_parser(exported, sphere, look, split):
    """Its cameras, as it gives them, must see the ball; orientation, centring and scaling are its options, and off here."""
    parser = pytest.importorskip("nerfstudio.data.dataparsers.nerfstudio_dataparser", reason=NERFSTUDIO)
    off = {"orientation_method": "none", "center_method": "none", "auto_scale_poses": False, "load_3D_points": False}
    out = exported("nerf") / IDS[0]
    data = parser.NerfstudioDataParserConfig(data=out, downscale_factor=1, **off).setup().get_dataparser_outputs(split)
    assert len(data.image_filenames) == len(data.mask_filenames) == len(data.metadata["depth_filenames"]) > 0
    unit = data.metadata["depth_unit_scale_factor"] / data.dataparser_scale
    for k, camera in enumerate(data.cameras.camera_to_worlds.numpy()):
        K = data.cameras.get_intrinsics_matrices()[k].numpy()
        pose = from_opengl(np.vstack([camera, [0, 0, 0, 1]]))
        depth = look.image(data.metadata["depth_filenames"][k]) * unit
        look.check_view(pose, K, look.image(data.image_filenames[k]), depth=depth, quantum=1e-3)


@pytest.mark.parametrize("split", ["train", "val"])
def test_nerf_synthetic_with_nerfstudios_own_parser(exported, look, split):
    parser = pytest.importorskip("nerfstudio.data.dataparsers.blender_dataparser", reason=NERFSTUDIO)
    data = parser.BlenderDataParserConfig(data=exported("nerf") / IDS[0]).setup().get_dataparser_outputs(split)
    assert len(data.image_filenames) > 0
    for k, camera in enumerate(data.cameras.camera_to_worlds.numpy()):
        pose = from_opengl(np.vstack([camera, [0, 0, 0, 1]]))
        look.check_view(pose, data.cameras.get_intrinsics_matrices()[k].numpy(), look.image(data.image_filenames[k]))


def test_nerf_synthetic(exported, sphere, look):
    out = exported("nerf") / IDS[1]
    seen = []
    for split in ("train", "val", "test"):
        meta = json.loads((out / f"transforms_{split}.json").read_text())
        for frame in meta["frames"]:
            assert not frame["file_path"].endswith(".png")
            seen.append(frame["file_path"])
            rgba = look.image(out / (frame["file_path"] + ".png"))
            look.check_view(from_opengl(frame["transform_matrix"]), look.pinhole(meta["camera_angle_x"], SIZE, SIZE), rgba)
    assert sorted(seen) == [f"./images/{k:03d}" for k in range(VIEWS)]


def test_lrm_cameras(exported, sphere, look):
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
            rgb = look.image(path.parent / frame["file_path"])
            assert rgb.shape == (frame["h"], frame["w"], 3)
            assert Path(frame["image_path"]).is_absolute()
            np.testing.assert_array_equal(look.image(frame["image_path"]), rgb)
            fx, fy, cx, cy = frame["fxfycxcy"]
            assert (fx, fy, cx, cy) == (frame["fx"], frame["fy"], frame["cx"], frame["cy"])
            pose = look.inverse(frame["w2c"])
            np.testing.assert_allclose(frame["blender_camera_location"], pose[:3, 3], atol=1e-9)
            look.check_view(pose, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], rgb)


def test_zero123(exported, sphere, look):
    out = exported("zero123")
    ids = json.loads((out / "valid_paths.json").read_text())
    assert ids == IDS
    for name in ids:
        for k in range(12):
            w2c = np.load(out / name / f"{k:03d}.npy")
            assert w2c.shape == (3, 4)
            pose = from_opengl(look.inverse(w2c))
            look.check_view(pose, look.pinhole(np.radians(FOV), SIZE, SIZE), look.image(out / name / f"{k:03d}.png"), scale=0.5)


def test_openlrm(exported, sphere, look):
    out = exported("openlrm")
    assert json.loads((out / "train.json").read_text()) == IDS[:1]
    for name in IDS:
        (fx, fy), (cx, cy), (width, height) = np.load(out / name / "intrinsics.npy")
        assert (width, height) == (SIZE, SIZE)
        for k in range(VIEWS):
            pose = from_opengl(np.vstack([np.load(out / name / "pose" / f"{k:03d}.npy"), [0, 0, 0, 1]]))
            look.check_view(pose, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], look.image(out / name / "rgba" / f"{k:03d}.png"))


def test_lgm(exported, sphere, look):
    out = exported("lgm")
    for name in (out / "list.txt").read_text().split():
        for k in range(0, VIEWS, 5):
            pose = np.array([float(x) for x in (out / name / "pose" / f"{k:03d}.txt").read_text().split()]).reshape(4, 4)
            look.check_view(pose, look.pinhole(np.radians(FOV), SIZE, SIZE), look.image(out / name / "rgb" / f"{k:03d}.png"))


def test_instantmesh(exported, sphere, look):
    out = exported("instantmesh")
    ids = json.loads((out / "valid_paths.json").read_text())["good_objs"]
    assert ids == IDS
    for name in ids:
        folder = out / "rendering_random_32views" / name
        poses = np.load(folder / "cameras.npz")["cam_poses"]
        assert poses.shape == (VIEWS, 3, 4)
        for k in range(0, VIEWS, 3):
            depth = look.image(folder / f"{k:03d}_depth.png") / 255.0 * 6.0
            pose = from_opengl(look.inverse(poses[k]))
            look.check_view(
                pose, look.pinhole(np.radians(50), SIZE, SIZE), look.image(folder / f"{k:03d}.png"), 1.0, depth, 6 / 255
            )
            normal = look.image(folder / f"{k:03d}_normal.png")
            truth = sphere.trace(Camera(pose, look.pinhole(np.radians(50), SIZE, SIZE), SIZE, SIZE))
            hit = normal[..., 3] > 0
            decoded = normal[hit][:, :3] / 255 * 2 - 1
            assert np.abs(decoded - truth["normal"][hit]).max() < 0.01


def read_ply(path):
    data = Path(path).read_bytes()
    head, body = data.split(b"end_header\n", 1)
    count = int(next(line for line in head.splitlines() if line.startswith(b"element vertex")).split()[2])
    return np.frombuffer(body[: 12 * count], "<f4").reshape(-1, 3), body[12 * count :]


def test_trellis(exported, sphere, look):
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
                    codes = look.image(folder / f"{k:03d}_depth.png")
                    span = frame["depth"]["max"] - frame["depth"]["min"]
                    rgba = look.image(folder / frame["file_path"])
                    depth = np.where(rgba[..., 3] > 0, codes / 65535 * span + frame["depth"]["min"], 0)
                K = look.pinhole(frame["camera_angle_x"], SIZE, SIZE)
                look.check_view(pose, K, look.image(folder / frame["file_path"]), 0.5, depth, 1 / 65535)
        mesh, _ = read_ply(out / "renders" / row["sha256"] / "mesh.ply")
        np.testing.assert_allclose(np.linalg.norm(mesh, axis=1), 0.5, atol=1e-6)
        voxels, rest = read_ply(out / "voxels" / f"{row['sha256']}.ply")
        assert rest == b""
        assert len(voxels) == int(row["num_voxels"])
        cells = ((voxels + 0.5) * 64).astype(int)
        np.testing.assert_array_equal(cells, sphere.fields(index=i).voxels)
        assert np.abs(np.linalg.norm(voxels, axis=1) - 0.5).max() < 1 / 64
