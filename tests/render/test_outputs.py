"""Files that the render command writes: cameras that unproject the written depth onto the surface, exact EXR, turntables."""

import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from versemill.camera import Camera
from versemill.errors import ConfigError
from versemill.gltf import to_glb
from versemill.render import RenderConfig, outputs, render
from versemill.views import PASSES

SIZE = {"device": "cpu", "width": 40, "height": 32}


def _decode_exr(data):
    """Reads what `outputs.write_exr` writes, by the published layout: attributes, offsets, ZIPS scan lines."""
    assert struct.unpack_from("<2i", data) == (20000630, 2)
    at, attributes = 8, {}
    while data[at]:
        name, kind = (data[at:].split(b"\0", 2)[k].decode() for k in (0, 1))
        at += len(name) + len(kind) + 2
        (size,) = struct.unpack_from("<i", data, at)
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    height, width = bottom - top + 1, right - left + 1
    channels = attributes["channels"].count(b"\0" + struct.pack("<i", 2))
    rows = []
    for offset in struct.unpack_from(f"<{height}Q", data, at + 1):
        y, size = struct.unpack_from("<2i", data, offset)
        assert y == len(rows)
        raw = data[offset + 8 : offset + 8 + size]
        if size < 4 * width * channels:
            delta = np.frombuffer(zlib.decompress(raw), np.uint8).astype(int)
            split = ((np.cumsum(delta) - 128 * np.arange(len(delta))) % 256).astype(np.uint8)
            both = np.empty_like(split)
            half = (len(split) + 1) // 2
            both[::2], both[1::2] = split[:half], split[half:]
            raw = both.tobytes()
        rows.append(np.frombuffer(raw, "<f4").reshape(channels, width).T)
    return np.stack(rows)


@pytest.mark.parametrize("shape", [(5, 7, 3), (4, 64, 1), (3, 1, 3)])
def test_exr_files_hold_every_bit(shape, tmp_path):
    rng = np.random.default_rng(0)
    for image in (rng.normal(size=shape).astype(np.float32), np.zeros(shape, np.float32)):
        outputs.write_exr(tmp_path / "image.exr", image, "XYZ" if shape[2] > 1 else "Y")
        assert np.array_equal(_decode_exr((tmp_path / "image.exr").read_bytes()), image)


@pytest.mark.parametrize("kind", ["png", "exr", "npz"])
def test_written_depth_unprojects_through_the_written_cameras(composition, tmp_path, kind):
    passes = tuple(PASSES) if kind != "png" else tuple(name for name in PASSES if name != "position")
    config = RenderConfig(**SIZE, passes=passes, cameras={"views": 2}, lighting={"preset": "area", "count": 2})
    views = render(composition, config)
    written = outputs.write_views(composition, views, tmp_path / "made", kind)
    assert sorted(written) == sorted(path for path in (tmp_path / "made").rglob("*") if path.is_file())
    about = json.loads((tmp_path / "made/cameras.json").read_text())
    assert [frame["lighting"] for frame in about["frames"]] == [0, 0, 1, 1]
    for k, frame in enumerate(about["frames"]):
        folder = tmp_path / "made"
        if kind == "npz":
            stored = np.load(folder / "views.npz")
            assert all(np.array_equal(stored[name], views.passes[name]) for name in passes)
            depth, normal = stored["depth"][k], stored["normal"][k]
        elif kind == "exr":
            depth = _decode_exr((folder / frame["files"]["depth"]).read_bytes())[..., 0]
            normal = _decode_exr((folder / frame["files"]["normal"]).read_bytes())
            assert np.array_equal(depth, views.passes["depth"][k])
        else:
            depth = np.asarray(Image.open(folder / frame["files"]["depth"])) * about["depth_step"]
            code = np.asarray(Image.open(folder / frame["files"]["normal"]))
            normal = (code / 127.5 - 1) * code.any(-1, keepdims=True)
            part = np.asarray(Image.open(folder / frame["files"]["part"])).astype(int) - 1
            assert np.array_equal(part, views.passes["part"][k])
            assert np.array_equal(np.asarray(Image.open(folder / frame["files"]["rgb"])), views.passes["rgb"][k])
        assert np.abs(normal - views.passes["normal"][k]).max() < 0.005
        camera = Camera(frame["c2w"], frame["K"], about["width"], about["height"], frame["orthographic"])
        hit = views.passes["mask"][k]
        assert np.array_equal(depth > 0, hit)
        assert np.abs(camera.unproject(depth) - views.cameras[k].unproject(views.passes["depth"][k]))[hit].max() < 1e-4


def test_png_refuses_positions(composition, tmp_path):
    views = render(composition, RenderConfig(**SIZE, passes=("position",)))
    with pytest.raises(ConfigError, match="exr or npz"):
        outputs.write_views(composition, views, tmp_path)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_turntables_have_all_frames_over_the_background(tmp_path, suffix):
    rgb = np.zeros((6, 16, 16, 4), np.uint8)
    for k in range(6):
        rgb[k, 4:12, 4:12] = (40 * k, 200, 30, 255)
    outputs.write_turntable(rgb, tmp_path / f"turn.{suffix}", background=240)
    with Image.open(tmp_path / f"turn.{suffix}") as made:
        assert made.n_frames == 6
        for k in range(6):
            made.seek(k)
            frame = np.asarray(made.convert("RGB")).astype(int)
            assert np.abs(frame[0, 0] - 240).max() <= 8
            assert np.abs(frame[8, 8] - (40 * k, 200, 30)).max() <= 16
    for name, said in (("turn.mp4", "ffmpeg"), ("a/turn.gif", "not a path")):
        with pytest.raises(ConfigError, match=said):
            outputs.check_turntable(name)


def test_the_command_renders_what_it_can_and_names_what_it_can_not(composition, tmp_path):
    (tmp_path / "good.glb").write_bytes(to_glb(composition))
    (tmp_path / "bad.glb").write_bytes(b"nothing")
    command = [sys.executable, "-m", "versemill", "render", *(str(tmp_path / f"{n}.glb") for n in ("bad", "good"))]
    command += [
        "--out",
        str(tmp_path / "out"),
        "--size",
        "24",
        "--views",
        "2",
        "--turntable",
        "turn.gif",
        "--set",
        "device=cpu",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "failed" in done.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good"]
    made = {p.relative_to(tmp_path / "out/good").as_posix() for p in (tmp_path / "out/good").rglob("*") if p.is_file()}
    assert {"cameras.json", "turn.gif", "rgb/001.png", "normal/000.png", "depth/001.png", "mask/001.png"} <= made
    twice = subprocess.run([*command, str(tmp_path / "other/good.obj")], capture_output=True, text=True, check=False)
    assert twice.returncode == 2
    assert "would both be written as good" in twice.stderr
