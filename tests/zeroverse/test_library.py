"""Folders of PBR sets in the three common namings."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from versemill.errors import AssetError, ConfigError
from versemill.materials import library
from versemill.zeroverse import ZeroverseConfig, generate, rebuild, surfaces


def paint(path, colour, mode="RGB", side=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (side, side), colour).save(path)


@pytest.fixture
def folder(tmp_path):
    for name, colour in (
        ("basecolor", (200, 10, 20)),
        ("roughness", (40,) * 3),
        ("metallic", (255,) * 3),
        ("normal", (128, 90, 255)),
    ):
        paint(tmp_path / "matsynth" / "acg_rust_01" / f"{name}.png", colour)
    (tmp_path / "matsynth" / "acg_rust_01" / "metadata.json").write_text(json.dumps({"license": "CC0"}))
    for name, colour in (
        ("Color", (1, 2, 3)),
        ("Roughness", (50,) * 3),
        ("NormalGL", (128, 128, 255)),
        ("NormalDX", (0, 0, 0)),
    ):
        paint(tmp_path / "Wood049_2K-JPG" / f"Wood049_2K-JPG_{name}.png", colour)
    for name, colour in (("diff", (9, 9, 9)), ("nor_dx", (128, 100, 255)), ("rough", (77,) * 3)):
        paint(tmp_path / "textures" / f"brick_wall_{name}_2k.png", colour)
    paint(tmp_path / "textures" / "preview.png", (0, 0, 0))
    (tmp_path / "LICENSE").write_text("CC0-1.0\n")
    library.index.cache_clear()
    return tmp_path


def test_the_three_namings_are_understood(folder):
    sets = {s.name: s for s in library.index(folder)}
    assert list(sets) == ["Wood049_2K-JPG", "matsynth/acg_rust_01", "textures/brick_wall"]
    assert [s.licence for s in sets.values()] == ["CC0-1.0", "CC0", "CC0-1.0"]
    rust = library.load(sets["matsynth/acg_rust_01"], 16)
    assert rust.base_color_texture.shape == (16, 16, 4)
    assert tuple(rust.base_color_texture[0, 0]) == (200, 10, 20, 255)
    assert tuple(rust.metallic_roughness_texture[0, 0]) == (0, 40, 255)
    assert tuple(rust.normal_texture[0, 0]) == (128, 90, 255)
    wood = library.load(sets["Wood049_2K-JPG"], 16)
    assert tuple(wood.normal_texture[0, 0]) == (128, 128, 255)
    brick = library.load(sets["textures/brick_wall"], 16)
    assert tuple(brick.normal_texture[0, 0]) == (128, 155, 255)
    assert brick.licence == "CC0-1.0"


def test_the_index_is_kept_and_notices_changes(folder, monkeypatch):
    first = library.index(folder)
    library.index.cache_clear()
    monkeypatch.setattr(library, "_scan", lambda *_: pytest.fail("hashed again though nothing changed"))
    assert library.index(folder) == first
    monkeypatch.undo()
    library.index.cache_clear()
    changed = folder / "textures" / "brick_wall_diff_2k.png"
    paint(changed, (10, 9, 9))
    os.utime(changed, ns=(1, 1))
    again = library.index(folder)
    assert again[:2] == first[:2]
    assert again[2].sha256 != first[2].sha256


def test_sixteen_bit_maps_are_scaled(folder):
    path = folder / "deep" / "gray_roughness.png"
    paint(folder / "deep" / "gray_basecolor.png", (5, 5, 5))
    Image.fromarray(np.full((8, 8), 32896, np.uint16)).save(path)
    library.index.cache_clear()
    texture_set = next(s for s in library.index(folder) if s.name == "deep/gray")
    assert library.load(texture_set, 16).metallic_roughness_texture[0, 0, 1] == 128


def test_nothing_to_find_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        library.index(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no texture set"):
        library.index(tmp_path)


def test_objects_take_textures_from_a_folder(folder):
    config = ZeroverseConfig(textures=folder, texture_size=16)
    asset = generate(config, 0, 0)
    assert {m.licence for m in asset.materials} <= {"CC0", "CC0-1.0"}
    assert all(m.source.startswith("library/") for m in asset.materials)
    assert rebuild(json.loads(json.dumps(asset.provenance))).content_hash == asset.content_hash
    paint(folder / "matsynth" / "acg_rust_01" / "basecolor.png", (1, 1, 1))
    os.utime(folder / "matsynth" / "acg_rust_01" / "basecolor.png", ns=(1, 1))
    library.index.cache_clear()
    surfaces._cache.clear()
    with pytest.raises(AssetError, match="no longer holds"):
        rebuild(asset.provenance)


def test_licences_are_respected(folder):
    config = {"textures": folder, "texture_size": 16}
    asset = generate(ZeroverseConfig(**config, licences=("CC0-1.0",)), 0, 0)
    assert {m.licence for m in asset.materials} == {"CC0-1.0"}
    with pytest.raises(ConfigError, match="holds no set under licences"):
        generate(ZeroverseConfig(**config, licences=("MIT",)), 0, 0)
