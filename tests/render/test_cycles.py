"""The Cycles engine against the Warp engine, and how its process fails. Needs Blender's Python for most."""

import dataclasses
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh

from versemill.asset import Asset
from versemill.camera import Camera, intrinsics, look_at
from versemill.errors import AssetError, MissingDependencyError
from versemill.materials.material import Material
from versemill.materials.sampler import Sampler
from versemill.render import CyclesConfig, RenderConfig, cycles, lighting, render
from versemill.render.engine import render_views
from versemill.views import PASSES

PYTHON = Path(__file__).parents[2] / ".venv-blender/bin/python"
blender = pytest.mark.skipif(
    not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import bpy"], capture_output=True, check=False).returncode != 0,
    reason=f"no Blender: {PYTHON} is missing or can't import bpy; `make blender` installs it",
)
SETTINGS = CyclesConfig(python=str(PYTHON))


@pytest.fixture(autouse=True)
def _no_process_left():
    yield
    cycles.stop()


def test_a_missing_interpreter_says_how_to_get_it(composition, tmp_path):
    with pytest.raises(MissingDependencyError, match="make blender"):
        render(composition, RenderConfig(engine="cycles", cycles={"python": str(tmp_path / "python")}))
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    with pytest.raises(MissingDependencyError, match="make blender"):
        render(composition, RenderConfig(engine="cycles", cycles={"python": str(other)}))


@blender
@pytest.mark.slow
@pytest.mark.parametrize("orthographic", [False, True])
def test_both_engines_give_the_same_passes_and_colour(composition, orthographic):
    config = RenderConfig(
        device="cpu",
        width=72,
        height=56,
        passes=tuple(PASSES),
        quality="fine",
        samples=64,
        denoise=False,
        cameras={"views": 3, "roll": 20.0, "orthographic": orthographic},
        cycles=SETTINGS,
    )
    ours = render(composition, config)
    theirs = render(composition, config.model_copy(update={"engine": "cycles"}))
    assert all(camera.orthographic == orthographic for camera in theirs.cameras)
    assert theirs.info["device"] == "cycles CPU"
    both = ours.passes["mask"] & theirs.passes["mask"]
    assert both.sum() >= 0.998 * (ours.passes["mask"] | theirs.passes["mask"]).sum()
    near = both & (np.abs(ours.passes["depth"] - theirs.passes["depth"]) < 1e-2)
    assert near.sum() > 0.995 * both.sum()
    for name, limit in (("depth", 1e-4), ("position", 1e-4), ("normal", 1e-3), ("geometric_normal", 1e-3)):
        assert np.abs(ours.passes[name] - theirs.passes[name])[near].mean() < limit, name
    for name in ("part", "material"):
        assert (ours.passes[name] == theirs.passes[name])[near].mean() > 0.998, name
    for name in ("albedo", "metallic_roughness"):
        assert np.abs(ours.passes[name].astype(int) - theirs.passes[name])[near].mean() < 1.0, name
    full = (ours.passes["rgb"][..., 3] == 255) & (theirs.passes["rgb"][..., 3] == 255)
    difference = (ours.passes["rgb"][full].astype(float) - theirs.passes["rgb"][full])[:, :3] / 255
    assert abs(difference.mean()) < 0.012
    assert -10 * np.log10((difference**2).mean()) > 28


@blender
@pytest.mark.slow
def test_several_lightings_share_cameras_and_geometry_and_are_those_of_warp(composition):
    config = RenderConfig(
        device="cpu",
        width=40,
        height=32,
        passes=("rgb", "depth", "part"),
        quality="fine",
        cameras={"views": 2},
        lighting={"preset": "area", "count": 2},
        cycles=SETTINGS,
    )
    ours = render(composition, config)
    theirs = render(composition, config.model_copy(update={"engine": "cycles"}))
    assert theirs.lighting.tolist() == [0, 0, 1, 1]
    assert theirs.info["lightings"] == ours.info["lightings"]
    for name in ("depth", "part"):
        assert np.array_equal(theirs.passes[name][:2], theirs.passes[name][2:]), name
    full = (ours.passes["rgb"][..., 3] == 255) & (theirs.passes["rgb"][..., 3] == 255)
    image = {"ours": ours.passes["rgb"][..., :3] / 255.0, "theirs": theirs.passes["rgb"][..., :3] / 255.0}
    same, swapped = (
        ((image["ours"] - np.roll(image["theirs"], shift, 0))[full & np.roll(full, shift, 0)] ** 2).mean() for shift in (0, 2)
    )
    # Each lighting looks like the same one of the other engine, and unlike the other one.
    assert same < 0.004
    assert swapped > 4 * same


@blender
@pytest.mark.slow
def test_a_killed_process_costs_one_asset(composition):
    config = RenderConfig(engine="cycles", width=16, height=16, samples=1, cameras={"views": 1}, cycles=SETTINGS)
    first = render(composition, config)
    process = cycles._running[SETTINGS].process
    os.kill(process.pid, signal.SIGSTOP)
    hurried = config.model_copy(update={"cycles": SETTINGS})
    cycles._running[SETTINGS].config = SETTINGS.model_copy(update={"timeout": 0.5})
    with pytest.raises(AssetError) as caught:
        render(composition, hurried)
    assert caught.value.reason == "cycles_timeout"
    assert process.poll() is not None
    again = render(composition, config)
    assert np.array_equal(again.passes["depth"], first.passes["depth"])
    assert np.array_equal(again.passes["rgb"], first.passes["rgb"])


@blender
@pytest.mark.slow
def test_an_absent_compute_device_is_no_silent_fallback(composition):
    settings = SETTINGS.model_copy(update={"compute": "hip"})
    with pytest.raises(MissingDependencyError, match="hip"):
        render(composition, RenderConfig(engine="cycles", width=16, height=16, cycles=settings))


NEAREST = {"magnify": "nearest", "minify": "nearest"}
"""Between texels, Cycles mixes sRGB codes, and Warp light."""


def patterned(**sampler):
    """A quad facing -Y whose colours, surface and emission lie at different places."""
    corners = np.float32([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]])
    faces = np.int32([[0, 1, 2], [0, 2, 3]])
    once = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])[faces]
    rng = np.random.default_rng(0)
    base = np.concatenate([rng.integers(0, 256, (4, 4, 3)), np.full((4, 4, 1), 255)], -1).astype(np.uint8)
    rough = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
    material = Material(
        base_color_texture=base,
        metallic_roughness_texture=rough,
        metallic=1.0,
        roughness=1.0,
        base_color_sampler=Sampler(**sampler, **NEAREST),
        metallic_roughness_sampler=Sampler(uv_set=1, **NEAREST),
    )
    ids = np.zeros(2, np.int32)
    return Asset(corners, faces, np.concatenate([once * 3 - 1, once], -1), ids, ids, (material,), ("quad",))


def in_both(asset, passes, size=96):
    c2w = np.eye(4)
    c2w[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    c2w[:3, 3] = (0, -3, 0)
    K = np.array([[size / 2, 0, size / 2], [0, size / 2, size / 2], [0, 0, 1]])
    camera = Camera(c2w=c2w, K=K, width=size, height=size, orthographic=True)
    config = RenderConfig(passes=passes, width=size, height=size, samples=16, denoise=False, cycles=SETTINGS)
    theirs, _ = cycles.render_cycles(asset, [camera], [lighting.uniform()], config, 0)
    ours = render_views(asset, (camera,), passes=passes, samples=16, denoise=False, quality="fine", device="cpu").passes
    return ours, theirs


@blender
@pytest.mark.slow
def test_samplers_and_uv_sets_are_the_same_in_both_engines():
    for sampler in (
        {"wrap_s": "mirror", "wrap_t": "mirror"},
        {"wrap_s": "clamp", "wrap_t": "mirror"},
        {"wrap_s": "repeat", "wrap_t": "clamp"},
        {"wrap_s": "mirror", "wrap_t": "repeat"},
    ):
        ours, theirs = in_both(patterned(**sampler), ("albedo", "metallic_roughness"))
        for name in ours:
            apart = np.abs(ours[name].astype(int) - theirs[name]).max(-1)
            # Where the engines round differently, a texel's edge falls into another pixel.
            assert (apart > 2).mean() < 0.03, (sampler, name)


@blender
@pytest.mark.slow
def test_what_a_ray_passes_leaves_nothing_in_the_passes(assemble):
    """A block behind two panes: a clear one is not seen in any pass, one that is more there than not hides the block."""
    pane = trimesh.creation.box((1.6, 0.05, 0.7))
    low, high = (pane.copy().apply_translation((0, -0.8, z)) for z in (-0.5, 0.5))
    block = trimesh.creation.box((1.8, 0.6, 1.8))
    colours = ((0.2, 0.6, 0.9, 0.25), (0.9, 0.3, 0.1, 0.8), (0.3, 0.8, 0.2, 1.0))
    modes = ("blend", "blend", "opaque")
    materials = tuple(Material(base_color=c, alpha_mode=m) for c, m in zip(colours, modes, strict=True))
    asset = assemble(low, high, block, materials=materials)
    names = ("mask", "depth", "normal", "position", "albedo", "metallic_roughness", "part", "material")
    camera = Camera(look_at((0.3, -3.2, 0.2)), intrinsics(40, 48, 48), 48, 48)
    config = RenderConfig(passes=names, width=48, height=48, samples=1, cycles=SETTINGS)
    theirs, _ = cycles.render_cycles(asset, [camera], [lighting.uniform()], config, 0)
    ours = render_views(asset, (camera,), passes=names, samples=1, device="cpu").passes
    assert set(np.unique(ours["part"])) == {-1, 1, 2}
    for name in names:
        apart = np.abs(ours[name].astype(float) - theirs[name])
        assert (apart.reshape(48, 48, -1).max(-1) > 1e-2 + PASSES[name].tolerance).mean() < 0.01, name


@blender
@pytest.mark.slow
def test_emission_unlit_and_blending_are_the_same_in_both_engines():
    plain = patterned()
    (material,) = plain.materials
    texture = np.ascontiguousarray(material.base_color_texture[..., :3])
    black = {"base_color": (0, 0, 0, 1), "base_color_texture": None, "metallic_roughness_texture": None, "metallic": 0.0}
    for change in (
        black | {"emissive": (1.0, 1.0, 1.0), "emissive_texture": texture, "emissive_sampler": Sampler(uv_set=1, **NEAREST)},
        {"unlit": True},
        black | {"base_color": (0.5, 0.2, 0.1, 0.3), "alpha_mode": "blend"},
    ):
        asset = dataclasses.replace(plain, materials=(dataclasses.replace(material, **change),))
        ours, theirs = in_both(asset, ("rgb", "mask"))
        np.testing.assert_array_equal(ours["mask"], theirs["mask"])
        apart = ours["rgb"].astype(float) - theirs["rgb"]
        # Sixteen samples of a blended surface are noisy from pixel to pixel, but not on the whole.
        assert np.abs(apart.mean((0, 1, 2)) if "alpha_mode" in change else apart).mean() < 2
