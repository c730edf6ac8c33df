"""Exports for shape models, read as their consumers read them: points, normals, signs of distances, renders."""

import io
import json

import numpy as np
import pytest

from versemill.camera import from_opengl

SIZE, VIEWS, FOV = 32, 32, 50.0
IDS = ["cccccccc-00000000", "cccccccc-00000001", "cccccccc-00000002"]


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


def test_hunyuan(exported, sphere, look):
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
        rgba = look.image(folder / "render_cond" / frame["file_path"])
        look.check_view(from_opengl(frame["transform_matrix"]), look.pinhole(frame["camera_angle_x"], SIZE, SIZE), rgba)
