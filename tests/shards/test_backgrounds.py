"""Backgrounds: mixed as the renderer would, drawn the same again, true to their cameras, and read from a folder with care."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from torch.utils.data import DataLoader

from versemill import seeds
from versemill.asset import Asset
from versemill.camera import Camera, intrinsics, look_at
from versemill.errors import ConfigError
from versemill.materials.material import Material
from versemill.panoramas import look
from versemill.render import outputs, render_views
from versemill.shards import ShardDataset, ShardStream, backgrounds
from versemill.shards.backgrounds import KINDS, Background

PAINTED = ("constant", "noise", "checker", "clouds", "clutter")


def rng(index=0):
    return seeds.stream(0, index, "tests/backgrounds")


def srgb(light):
    """IEC 61966-2-1, written out."""
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def light(code):
    return code / 12.92 if code <= 0.04045 else ((code + 0.055) / 1.055) ** 2.4


@settings(max_examples=50)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_mixed_pixel_follows_the_formula(colour, behind, alpha):
    pixels = [np.full((1, n, 1, 1), value, np.float32) for n, value in ((3, colour), (1, alpha), (3, behind))]
    expected = srgb(pixels[1].item() * light(pixels[0][0, 0].item()) + (1 - pixels[1].item()) * light(pixels[2][0, 0].item()))
    mixed = backgrounds.over(*pixels)
    assert mixed.shape == (1, 3, 1, 1)
    assert mixed.dtype == np.float32
    assert np.allclose(mixed, expected, atol=2e-6)


def test_what_is_covered_or_bare_keeps_its_bits():
    colour, behind = rng().random((2, 3, 4, 5), np.float32)
    for alpha, expected in ((np.ones((1, 4, 5), np.float32), colour), (np.zeros((1, 4, 5), np.float32), behind)):
        assert np.array_equal(backgrounds.over(colour, alpha, behind), expected)


def plain(points, faces, colour):
    """A mesh whose colour no light changes."""
    vertices, faces = np.asarray(points, np.float32), np.asarray(faces, np.int32)
    zeros = np.zeros(len(faces), np.int32)
    material = Material(base_color=(*colour, 1.0), unlit=True)
    return Asset(vertices, faces, np.zeros((len(faces), 3, 2), np.float32), zeros, zeros, (material,), ("part",))


def test_a_mixed_picture_is_what_the_renderer_gives_when_the_background_stands_there():
    """Oracle: the renderer itself, on a triangle in front of a wall, both of colours that no light changes."""
    front, back = (0.9, 0.05, 0.2), (0.02, 0.6, 0.9)
    triangle = plain([(-0.7, 0, -0.6), (0.8, 0, -0.3), (0.1, 0, 0.75)], [(0, 1, 2)], front)
    wall = [(-9, 4, -9), (9, 4, -9), (9, 4, 9), (-9, 4, 9)]
    both = Asset(
        np.concatenate([triangle.vertices, np.array(wall, np.float32)]), np.array([(0, 1, 2), (3, 4, 5), (3, 5, 6)], np.int32),
        np.zeros((3, 3, 2), np.float32), np.array([0, 1, 1], np.int32), np.array([0, 1, 1], np.int32),
        (*triangle.materials, *plain(wall, [(0, 1, 2)], back).materials), ("triangle", "wall"),
    )  # fmt: skip
    camera = (Camera(look_at((0, -3.0, 0)), intrinsics(40, 48, 48), 48, 48),)
    settings = {"passes": ("rgb",), "quality": "fine", "samples": 8, "denoise": False, "device": "cpu"}
    alone, whole = (render_views(a, camera, **settings).passes["rgb"][0].transpose(2, 0, 1) for a in (triangle, both))
    assert (whole[3] == 255).all()
    colour, alpha = alone[:3] / np.float32(255), alone[3:] / np.float32(255)
    edge = (alpha[0] > 0.1) & (alpha[0] < 0.9)
    assert edge.sum() > 60
    behind = np.array([srgb(c) for c in back], np.float32)[:, None, None]
    as_light = np.abs(backgrounds.over(colour, alpha, behind) * 255 - whole[:3])[:, edge]
    as_codes = np.abs((colour * alpha + behind * (1 - alpha)) * 255 - whole[:3])[:, edge]
    assert as_light.max() <= 2, "coverage is known to 1/255"
    assert as_codes.mean() > 10, "mixing codes is wrong by far"


@pytest.mark.parametrize("kind", PAINTED)
@settings(max_examples=12)
@given(height=st.integers(1, 70), width=st.integers(1, 70), index=st.integers(0, 10**6))
def test_painted_backgrounds_are_pictures_of_any_size(kind, height, width, index):
    drawn = backgrounds.draw(Background(kinds=(kind,)), rng(index), [rng(index + 1), rng(index + 2)], height, width)
    assert drawn.shape == (2, 3, height, width)
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min() <= drawn.max() <= 1
    colours = len(np.unique(drawn[0].reshape(3, -1).T, axis=0))
    if kind == "constant":
        assert colours == 1
        assert np.array_equal(drawn[0], drawn[1]), "an object's views share it"
    if kind == "checker":
        assert colours <= 2


def test_a_colour_of_ones_own_is_kept():
    drawn = backgrounds.draw(Background(colour=(0.25, 0.5, 1.0)), rng(), [rng(1)], 2, 3)
    assert (drawn[0].reshape(3, -1).T == (0.25, 0.5, 1.0)).all()


def test_kinds_are_drawn_evenly():
    background = Background(kinds=("constant", "checker"))
    constant = sum(
        len(np.unique(backgrounds.draw(background, rng(k), [rng(k + 1000)], 16, 16)[0].reshape(3, -1).T, axis=0)) == 1
        for k in range(200)
    )
    assert abs(constant / 200 - 0.5) < 4 * 0.5 / 200**0.5


def world(height=256):
    """(H, 2H, 3) in [0.25, 0.75]: the direction of each texel, as a colour."""
    elevation = np.pi / 2 - (np.arange(height) + 0.5) / height * np.pi
    azimuth = -(np.arange(2 * height) + 0.5) / (2 * height) * 2 * np.pi  # clockwise seen from above
    cosine = np.cos(elevation)[:, None]
    z = np.broadcast_to(np.sin(elevation)[:, None], (height, 2 * height))
    way = np.stack([cosine * np.cos(azimuth), cosine * np.sin(azimuth), z], -1)
    return (0.5 + way / 4).astype(np.float32)


def test_a_panorama_is_seen_where_its_directions_are():
    ways = rng().normal(size=(500, 3))
    unit = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    assert np.abs(look(world(), ways) - (0.5 + unit / 4)).max() < 2e-3
    turned = look(world(), ways, turn=90.0)  # what was at +X is now at +Y
    assert np.abs(turned - (0.5 + unit @ np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]) / 4)).max() < 2e-3
    assert np.array_equal(look(np.full((4, 8, 3), 0.5, np.float32), ways), np.full((500, 3), 0.5, np.float32))


def test_views_see_one_panorama_around_the_asset(tmp_path):
    """A direction has one colour, whichever camera looks there."""
    outputs.write_exr(tmp_path / "world.exr", world(128)[..., ::-1], "BGR")
    size, K = 64, intrinsics(60, 64, 64)
    poses = [look_at(eye) for eye in ((3.0, 0, 0), (2.5, 1.2, 0.3), (2.4, -0.9, 0.8))]
    ways = [backgrounds.directions_of(pose, K, size, size) for pose in poses]
    for pose, way in zip(poses, ways, strict=True):
        expected = Camera(pose, K, size, size).rays()[1]
        assert np.allclose(way, expected)
    drawn = backgrounds.draw(Background(kinds=("panorama",), panoramas=str(tmp_path)), rng(3), [rng(4)] * 3, size, size, ways)
    unit = ways[0] / np.linalg.norm(ways[0], axis=-1, keepdims=True)
    camera = Camera(poses[1], K, size, size)
    pixels, depth = camera.project(camera.center + unit.reshape(-1, 3))
    column, row = np.round(pixels - 0.5).astype(int).T
    seen = (depth > 0) & (column >= 0) & (column < size) & (row >= 0) & (row < size)
    assert seen.sum() > 500
    there = drawn[1][:, row[seen], column[seen]]
    assert np.abs(drawn[0].reshape(3, -1)[:, seen] - there).max() < 0.02
    assert np.ptp(drawn[0]) > 0.05
    loose = backgrounds.draw(Background(kinds=("panorama",), panoramas=str(tmp_path)), rng(3), [rng(4), rng(5)], 32, 32)
    assert not np.array_equal(loose[0], loose[1]), "without cameras each view has a direction of its own"


def save(path, pixels):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def ramp(height, width):
    """Red grows with x and green with y, by one code per pixel."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], -1)


def test_photographs_are_cut_without_stretching(tmp_path):
    save(tmp_path / "ramp.png", ramp(200, 250))
    (tmp_path / "README.txt").write_text("not a picture, and not read")
    background = Background(kinds=("photographs",), photographs=str(tmp_path))
    spots = set()
    for k in range(12):
        cut = backgrounds.draw(background, rng(k), [rng(k + 50)], 20, 30)[0] * 255
        across, down = np.diff(cut[0, 10, 5:-5]).mean(), np.diff(cut[1, 5:-5, 10]).mean()
        assert across == pytest.approx(down, rel=0.1)
        assert 0.5 * 250 / 30 * 0.9 <= across <= 250 / 30 * 1.1
        spots.add((int(cut[0].min()), int(cut[1].min())))
    assert len(spots) > 6


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_photographs_of_any_known_kind_and_any_size(tmp_path, kind):
    suffix = {"JPEG": "jpg", "TIFF": "tif"}.get(kind, kind.lower())
    Image.new("RGB", (3000, 1500), (200, 100, 50)).save(tmp_path / f"large.{suffix}", kind)
    background = Background(kinds=("photographs",), photographs=str(tmp_path))
    cut = backgrounds.draw(background, rng(), [rng(1)], 24, 24)[0]
    assert np.abs(cut.reshape(3, -1).T * 255 - (200, 100, 50)).max() <= 3
    save(tmp_path / f"large.{suffix}", np.full((2, 3, 3), 90))
    backgrounds._picture.cache_clear()
    assert np.abs(backgrounds.draw(background, rng(), [rng(1)], 24, 24) * 255 - 90).max() <= 3, "a small one is enlarged"


def claims(width, height):
    """A PNG whose header says more than the file holds."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    body = b"IDAT" + zlib.compress(bytes(100))
    parts = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (chunk, body))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def truncated():
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()[:3000]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.symlink_to("/etc/hostname"), "ends outside"),
        (lambda path: os.mkfifo(path), "not a regular file"),
        (lambda path: path.mkdir(), "not a file"),
        (lambda path: path.write_bytes(b"#!/bin/sh\nexit 1\n"), "not a whole picture"),
        (lambda path: path.write_bytes(claims(10_000, 10_000)), "10000 x 10000 pixels; the limit is 64,000,000"),
        (lambda path: path.write_bytes(b""), "not a whole picture"),
    ],
)  # fmt: skip
def test_a_folder_with_something_else_in_it_is_refused_before_anything_is_read(tmp_path, make, words):
    save(tmp_path / "good.png", ramp(20, 20))
    make(tmp_path / "odd.jpg")
    with pytest.raises(ConfigError, match=words) as caught:
        ShardDataset(tmp_path, background=Background(kinds=("photographs",), photographs=str(tmp_path)))
    assert "odd.jpg" in str(caught.value)


def test_a_picture_that_breaks_off_is_named_when_it_is_drawn(tmp_path):
    (tmp_path / "cut.png").write_bytes(truncated())
    background = Background(kinds=("photographs",), photographs=str(tmp_path))
    backgrounds.check(background)
    with pytest.raises(ConfigError, match=r"cut\.png' is not a whole picture"):
        backgrounds.draw(background, rng(), [rng(1)], 8, 8)


def test_empty_missing_and_overfull_folders_say_so(tmp_path, monkeypatch):
    for folder, words in ((tmp_path, "has no picture"), (tmp_path / "nowhere", "No such file")):
        with pytest.raises(ConfigError, match=words):
            backgrounds.check(Background(kinds=("photographs",), photographs=str(folder)))
    with pytest.raises(ConfigError, match=r"no \.hdr or \.exr"):
        backgrounds.check(Background(kinds=("panorama",), panoramas=str(tmp_path)))
    for k in range(4):
        save(tmp_path / f"{k}.png", ramp(4, 4))
    monkeypatch.setattr(backgrounds, "MAX_FILES", 3)
    with pytest.raises(ConfigError, match="more than 3 entries"):
        backgrounds.check(Background(kinds=("photographs",), photographs=str(tmp_path)))
    monkeypatch.setattr(backgrounds, "MAX_FILES", 4)
    monkeypatch.setattr(backgrounds, "MAX_BYTES", 10)
    with pytest.raises(ConfigError, match="the limit is 10"):
        backgrounds.check(Background(kinds=("photographs",), photographs=str(tmp_path)))


@pytest.mark.parametrize(
    "options",
    [
        {"kinds": ()},
        {"kinds": ("sky",)},
        {"kinds": ("noise", "noise")},
        {"kinds": ("photographs",)},
        {"kinds": ("noise",), "photographs": "there"},
        {"kinds": ("panorama",), "photographs": "there"},
        {"kinds": ("noise",), "colour": (1, 1, 1)},
        {"colour": (1, 1, 2)},
    ],
)
def test_impossible_backgrounds_are_refused(options):
    with pytest.raises(ValidationError):
        Background(**options)
    assert set(PAINTED) < set(KINDS)


def test_readers_lay_views_over_what_is_drawn(spheres):
    background = Background(kinds=("clouds", "checker", "noise"))
    bare, laid = ShardDataset(spheres.path), ShardDataset(spheres.path, background=background)
    for index in (0, 7):
        a, b = bare[index], laid[index]
        assert b["rgb"].shape == (4, 3, 48, 48)
        alpha = a["rgb"][:, 3:]
        assert np.array_equal(b["alpha"], alpha)
        full = (alpha == 1).expand(-1, 3, -1, -1)
        assert np.allclose(b["rgb"][full], a["rgb"][:, :3][full], atol=1e-6)
        for name in ("depth", "normal", "c2w", "K", "views"):
            assert np.array_equal(a[name], b[name])
        empty = (alpha == 0)[:, 0]
        assert all(np.ptp(b["rgb"][v][:, empty[v]].numpy()) > 0 for v in range(4)), "the background shows"


def test_draws_are_keyed_by_asset_epoch_and_view(spheres):
    background = Background(kinds=("noise",))
    data = ShardDataset(spheres.path, passes=("rgb",), background=background, seed=5)
    first, other = data[3]["rgb"], data[4]["rgb"]
    assert np.array_equal(first, data[3]["rgb"])
    corner = (slice(None), slice(None), slice(0, 4), slice(0, 4))  # there is no ball in the corners
    assert not np.array_equal(first[corner], other[corner])
    assert not np.array_equal(first[0][corner[1:]], first[1][corner[1:]])
    alone = ShardDataset(spheres.path, passes=("rgb",), background=background, seed=5, views=(2,))[3]["rgb"]
    assert np.array_equal(alone[0], first[2]), "the background of a view does not depend on which others are drawn"
    again = ShardDataset(spheres.path, passes=("rgb",), background=background, seed=6)[3]["rgb"]
    assert not np.array_equal(first[corner], again[corner])
    data.set_epoch(1)
    assert not np.array_equal(first[corner], data[3]["rgb"][corner])
    data.set_epoch(0)
    loaded = next(iter(DataLoader(data, batch_size=None, num_workers=1, sampler=[3])))
    assert np.array_equal(loaded["rgb"], first), "workers draw the same"
    stream = ShardStream(spheres.path, passes=("rgb",), background=background, seed=5, shuffle=False)
    assert np.array_equal(list(stream)[3]["rgb"], first), "and so does the stream"


def test_a_background_moves_no_other_draw(spheres):
    drawn = {"views": 2, "crop": 40, "resolution": 20, "passes": ("rgb", "depth", "mask")}
    bare = ShardDataset(spheres.path, **drawn)[5]
    laid = ShardDataset(spheres.path, background=Background(kinds=("clutter",)), **drawn)[5]
    assert laid["rgb"].shape == (2, 3, 20, 20)
    for name in ("views", "K", "depth", "mask", "c2w"):
        assert np.array_equal(bare[name], laid[name])


def test_a_plain_colour_is_mixed_as_codes_as_before(spheres):
    over = ShardDataset(spheres.path, background=(1.0, 0.5, 0.0), resolution=24)[0]
    bare = ShardDataset(spheres.path, resolution=24)[0]["rgb"]
    alpha = bare[:, 3:]
    expected = bare[:, :3] * alpha + (1 - alpha) * torch.tensor([1.0, 0.5, 0.0])[:, None, None]
    assert np.allclose(over["rgb"], expected, atol=1e-6)
    listed = ShardDataset(spheres.path, background=[1.0, 0.5, 0.0], resolution=24)[0]
    assert np.array_equal(listed["rgb"], over["rgb"])
