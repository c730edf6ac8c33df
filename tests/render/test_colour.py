"""The colour pass: energy, light's direction and units, alpha, and sameness from run to run."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from versemill.camera import Camera, intrinsics, look_at, orthographic_intrinsics
from versemill.colour import decode_srgb
from versemill.errors import ConfigError, MissingDependencyError
from versemill.materials.material import Material
from versemill.panoramas import read, read_hdr
from versemill.render import Lighting, Rectangle, RenderConfig, lighting, outputs, panoramas, render, render_views
from versemill.render.config import LightingConfig
from versemill.render.scene import alias_table, mip_levels


def _camera(eye=(0.0, -3.2, 0.8), size=48, fov=45.0):
    return Camera(look_at(eye), intrinsics(fov, size, size), size, size)


def _linear(rgb):
    return decode_srgb(rgb[..., :3] / 255)


@pytest.mark.parametrize("quality", ["fast", "fine"])
@pytest.mark.parametrize(("metallic", "roughness"), [(0.0, 1.0), (0.0, 0.3), (1.0, 0.2), (1.0, 0.9)])
def test_a_white_convex_surface_vanishes_in_a_white_furnace(assemble, quality, metallic, roughness):
    white = Material(base_color=(1.0, 1.0, 1.0, 1.0), metallic=metallic, roughness=roughness)
    asset = assemble(trimesh.creation.icosphere(4, 1.0), materials=(white,))
    view = render_views(
        asset, (_camera(),), lighting.uniform(0.5), passes=("rgb",), quality=quality, samples=64, denoise=False, device="cpu"
    )
    seen = _linear(view.passes["rgb"][0])[view.passes["rgb"][0, ..., 3] == 255]
    assert abs(seen.mean() - 0.5) < 0.012
    # No surface sends out more than it gets, beyond noise.
    assert np.percentile(seen, 95) < 0.56


def test_a_matt_surface_under_a_rectangle_has_its_analytic_radiance(make_quad):
    quad = make_quad(Material(base_color=(1.0, 1.0, 1.0, 1.0), roughness=1.0))
    light = Rectangle((0.0, 0.0, 2.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (1.0, 1.0, 1.0))
    dark = Lighting(np.zeros((4, 8, 3), np.float32), (light,))
    # Form factor of a parallel square of half side 1 at height 2 over its centre (four quarter rectangles).
    x = y = 0.5
    quarter = (
        x / np.sqrt(1 + x * x) * np.arctan(y / np.sqrt(1 + x * x)) + y / np.sqrt(1 + y * y) * np.arctan(x / np.sqrt(1 + y * y))
    ) / (2 * np.pi)
    pose = look_at((0.0, 0.0, 3.0))
    camera = Camera(pose, orthographic_intrinsics(0.05, 8, 8), 8, 8, orthographic=True)
    for quality in ("fast", "fine"):
        image = render_views(quad, (camera,), dark, passes=("rgb",), quality=quality, samples=1024, device="cpu").passes["rgb"]
        # The dielectric layer moves some percent between the lobes.
        assert abs(_linear(image).mean() / (4 * quarter) - 1) < 0.06
    flipped = Lighting(dark.environment, (Rectangle(light.center, light.x, (0.0, 1.0, 0.0), light.radiance),))
    black = render_views(quad, (camera,), flipped, passes=("rgb",), device="cpu").passes["rgb"]
    assert (black[..., :3] == 0).all()
    assert (black[..., 3] == 255).all()


def test_the_environment_shines_from_where_it_says(ball):
    image = np.zeros((32, 64, 3), np.float32)
    image[14:18, 15:17] = 60.0  # around azimuth 90 degrees, which is +Y
    light = Lighting(image)
    eyes = {"lit": (0.0, 3.2, 0.0), "dark": (0.0, -3.2, 0.0), "side": (3.2, 0.0, 0.0)}
    cameras = tuple(_camera(eye) for eye in eyes.values())
    for quality in ("fast", "fine"):
        rgb = render_views(ball, cameras, light, passes=("rgb",), quality=quality, samples=16, device="cpu").passes["rgb"]
        lit, dark, side = (_linear(view)[view[..., 3] == 255].mean() for view in rgb)
        assert lit > 3 * side > 10 * dark
        # Seen from +X with Z up, +Y is to the right.
        assert _linear(rgb[2])[:, 24:].mean() > 5 * _linear(rgb[2])[:, :24].mean()


def test_fast_and_fine_agree_on_the_whole(composition):
    cameras = (_camera(fov=50.0), _camera((2.0, 2.0, 2.0), fov=50.0))
    for preset in ("white", "studio", "sky"):
        light = lighting.draw(LightingConfig(preset=preset), 1, 0)
        quick, exact = (
            render_views(composition, cameras, light, passes=("rgb",), quality=q, samples=n, device="cpu").passes["rgb"]
            for q, n in (("fast", 4), ("fine", 64))
        )
        full = (quick[..., 3] == 255) & (exact[..., 3] == 255)
        error = (quick[full][:, :3].astype(float) - exact[full][:, :3]) / 255
        assert np.sqrt((error**2).mean()) < 0.07, preset
        assert abs(error.mean()) < 0.03, preset


def test_one_sample_of_a_calm_pixel_does_for_many(composition):
    """`fast` shades a smooth surface once per pixel; sampling every pixel 64 times must look the same."""
    light = lighting.draw(LightingConfig(preset="studio"), 1, 0)
    few, many = (
        render_views(composition, (_camera(size=96, fov=50.0),), light, passes=("rgb",), samples=n, device="cpu").passes["rgb"]
        for n in (4, 64)
    )
    assert np.abs(few[..., 3].astype(int) - many[..., 3]).mean() < 4
    full = (few[..., 3] == 255) & (many[..., 3] == 255)
    error = (few[full][:, :3].astype(float) - many[full][:, :3]) / 255
    assert np.sqrt((error**2).mean()) < 0.045
    assert abs(error.mean()) < 0.006


def test_samples_converge(composition):
    light = lighting.draw(LightingConfig(preset="studio"), 1, 0)
    images = [
        render_views(
            composition, (_camera(),), light, passes=("rgb",), quality="fine", samples=n, denoise=False, seed=s, device="cpu"
        ).passes["rgb"][0]
        for n, s in ((4, 1), (64, 2), (512, 3))
    ]
    full = (images[0][..., 3] == 255) & (images[2][..., 3] == 255)
    coarse, fine = (((i[full][:, :3] - images[2][full][:, :3].astype(float)) ** 2).mean() for i in images[:2])
    assert fine < coarse / 6


def test_alpha_is_straight_and_is_coverage(composition):
    camera = _camera(size=32, fov=50.0)
    views = render_views(composition, (camera,), passes=("rgb", "mask"), samples=256, device="cpu").passes
    rgb = views["rgb"][0]
    assert (rgb[rgb[..., 3] == 0] == 0).all()
    edge = (rgb[..., 3] > 8) & (rgb[..., 3] < 247)
    assert edge.sum() > 20
    # Coverage against the share of pixel centres that an eight times finer mask hits.
    fine = Camera(camera.c2w, intrinsics(50.0, 256, 256), 256, 256)
    mask = render_views(composition, (fine,), passes=("mask",), device="cpu").passes["mask"][0]
    share = mask.reshape(32, 8, 32, 8).mean((1, 3))
    assert np.abs(share - rgb[..., 3] / 255).max() < 0.12
    # Straight, not premultiplied: an edge pixel is as bright as its covered part, however little that is.
    thin = (rgb[..., 3] > 8) & (rgb[..., 3] < 80)
    assert rgb[thin][:, :3].max(1).mean() > 100


def test_two_processes_write_the_same_bytes(composition):
    code = (
        "import hashlib, numpy as np, trimesh\n"
        "from versemill.asset import Asset\nfrom versemill.materials.material import Material\nfrom versemill import render\n"
        "m = trimesh.creation.torus(0.7, 0.3, major_sections=24, minor_sections=12)\n"
        "f = m.faces.astype(np.int32); z = np.zeros(len(f), np.int32)\n"
        "a = Asset(m.vertices.astype(np.float32), f, np.zeros((len(f), 3, 2), np.float32), z, z, (Material(),), ('t',))\n"
        "c = render.RenderConfig(device='cpu', width=40, height=32, cameras={'views': 3}, lighting={'preset': 'mixed'})\n"
        "v = render.render(a.normalized(), c)\n"
        "print(hashlib.sha256(b''.join(v.passes[k].tobytes() for k in sorted(v.passes))).hexdigest())\n"
    )
    answers = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert len(answers[0].split()[-1]) == 64


def test_streams_are_apart(composition):
    config = RenderConfig(device="cpu", width=32, height=32, cameras={"views": 3}, lighting={"preset": "area"})
    base = render(composition, config)
    other_light = render(composition, config.model_copy(update={"lighting": LightingConfig(preset="white")}))
    assert all(np.array_equal(a.c2w, b.c2w) for a, b in zip(base.cameras, other_light.cameras, strict=True))
    assert np.array_equal(base.passes["depth"], other_light.passes["depth"])
    assert not np.array_equal(base.passes["rgb"], other_light.passes["rgb"])
    moved = config.model_copy(update={"cameras": config.cameras.model_copy(update={"preset": "ring"})})
    assert render(composition, moved).info["lighting"] == base.info["lighting"]


def test_chunks_do_not_show(composition, monkeypatch):
    cameras = tuple(_camera((np.cos(a) * 3, np.sin(a) * 3, 0.5)) for a in range(4))
    whole = render_views(composition, cameras, passes=("rgb",), device="cpu").passes["rgb"]
    monkeypatch.setitem(sys.modules["versemill.render.engine"].CHUNK, "cpu", 1)
    parts = render_views(composition, cameras, passes=("rgb",), device="cpu").passes["rgb"]
    assert hashlib.sha256(whole.tobytes()).digest() == hashlib.sha256(parts.tobytes()).digest()


def test_alias_table_keeps_the_distribution():
    rng = np.random.default_rng(0)
    for weights in (rng.random(37) ** 4, np.ones(8), np.eye(9)[4], rng.random(5000) ** 12, np.array([1.0])):
        share = weights / weights.sum()
        keep, alias = alias_table(share)
        assert ((keep >= -1e-9) & (keep <= 1)).all()
        rebuilt = keep / len(share)
        np.add.at(rebuilt, alias, (1 - keep) / len(share))
        assert np.allclose(rebuilt, share, atol=1e-12)


def test_mip_levels_keep_the_mean_of_light():
    image = np.random.default_rng(1).integers(0, 256, (24, 17, 4), np.uint8)
    chain = mip_levels(image, srgb=True)
    assert [c.shape[:2] for c in chain] == [(24, 17), (12, 9), (6, 5), (3, 3), (2, 2), (1, 1)]
    assert abs(decode_srgb(chain[1][..., :3] / 255).mean() - decode_srgb(image[..., :3] / 255).mean()) < 0.02


def test_panoramas_of_a_folder_light_the_scene_whatever_their_size(ball, tmp_path):
    """A bright spot on the horizon, in a file of 1,200 rows: a drawn turn moves it, and the panorama's left is our left."""
    image = np.full((1200, 2400, 3), 0.05, np.float32)
    image[590:610, 590:610] = 900.0
    outputs.write_exr(tmp_path / "spot.exr", image[..., [2, 1, 0]], "BGR")
    config = LightingConfig(preset="hdri", folder=str(tmp_path))
    light = lighting.draw(config, 3, 1)
    assert light.info["file"] == "spot.exr"
    assert light.environment.shape == (400, 800, 3)
    solid = np.sin((np.arange(400) + 0.5) / 400 * np.pi)[:, None, None]
    assert (light.environment * solid).sum() / (solid.sum() * 800 * 3) == pytest.approx(0.6, rel=1e-4)
    bright = lighting.directions(400, 800)[np.unravel_index(light.environment[..., 0].argmax(), (400, 800))]
    # The spot is a quarter of a turn left of the middle column, which faces -X before the turn.
    expected = 180 + 90 + 360 * light.info["turn"] / 800
    assert abs((np.degrees(np.arctan2(bright[1], bright[0])) - expected + 180) % 360 - 180) < 2
    cameras = tuple(_camera(sign * 3.2 * bright) for sign in (1, -1))
    rgb = render_views(ball, cameras, light, passes=("rgb",), quality="fine", device="cpu").passes["rgb"]
    lit, dark = (_linear(view)[view[..., 3] == 255].mean() for view in rgb)
    assert lit > 5 * dark
    (tmp_path / "broken.exr").write_bytes(b"v/1\x01 nothing")
    with pytest.raises(ConfigError, match=r"broken\.exr"):
        read(tmp_path / "broken.exr")
    with pytest.raises(ConfigError, match=r"no \.hdr or \.exr"):
        panoramas.files(str(tmp_path / "nowhere"))


def test_without_a_folder_the_panoramas_are_those_of_blender(tmp_path, monkeypatch):
    home = Path(__file__).parents[2]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingDependencyError, match="make blender"):
        lighting.draw(LightingConfig(preset="hdri"), 0, 0)
    monkeypatch.chdir(home)
    if not (home / ".venv-blender").exists():
        pytest.skip("no Blender: `make blender` installs it")
    drawn = [lighting.draw(LightingConfig(preset="hdri"), 0, k) for k in range(12)]
    assert len({light.info["file"] for light in drawn}) > 4
    assert all(light.environment.shape == (512, 1024, 3) for light in drawn)


def test_radiance_files_are_read_both_ways(tmp_path):
    rng = np.random.default_rng(2)
    rgbe = rng.integers(1, 255, (4, 16, 4), np.uint8)
    rgbe[..., 3] = 128
    rgbe[0, 0, :2] = (200, 7)
    head = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 16\n"
    (tmp_path / "flat.hdr").write_bytes(head + rgbe.tobytes())
    coded = b"".join(
        b"\x02\x02\x00\x10" + b"".join(b"\x10" + row[:, c].tobytes() for c in range(3)) + bytes([144, 128]) for row in rgbe
    )
    (tmp_path / "coded.hdr").write_bytes(head + coded)
    flat, run = (read_hdr(tmp_path / name) for name in ("flat.hdr", "coded.hdr"))
    assert np.array_equal(flat, run)
    assert np.allclose(flat, rgbe[..., :3] / 256)
