"""MTL as exporters write it: names, options, opacity, emission, PBR maps; what can't be had, and what is refused."""

import numpy as np
import pytest
from foreign_files import OBJ_QUAD, halves, obj, png
from PIL import Image

from versemill.curation import LoadLimits, load
from versemill.curation.formats.mtl import parse_map
from versemill.errors import AssetError

PICTURE = png(halves((255, 0, 0), (0, 255, 0)))
LEAF = np.zeros((64, 64), np.uint8)
LEAF[:, :38] = 255
"""Covers 38 of 64 columns."""


def material(path):
    (read,) = load(path).materials
    return read


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("map_Kd tex.png", "tex.png"),
        ("map_Kd -clamp on tex.png", "tex.png"),
        ("map_Kd -s 1 1 1 -o 0 0 0 -mm 0 1 -texres 512 tex.png", "tex.png"),
        ("map_Kd -s 1 -o 0 0 my tex.png", "my tex.png"),
        ("map_Kd /home/me/chair/tex.png", "tex.png"),
        ("map_Kd C:\\Users\\me\\chair\\tex.png", "tex.png"),
        ('map_Kd "my tex.png"', "my tex.png"),
        ("map_Kd my tex.png", "my tex.png"),
        ("map_Kd tex.png", "TEX.PNG"),
        ("map_Kd Textures\\Tex.png", "textures/tex.png"),
        ("map_Kd C:\\work\\textures\\tex.png", "textures/tex.png"),
        ("map_Kd D:\\elsewhere\\tex.png", "deep/below/tex.png"),
        ("map_Kd ./tex.png", "tex.png"),
        ("map_Kd\ttex.png", "tex.png"),
        ("MAP_KD caf\xe9.png", "caf\xe9.png"),
    ],
)
def test_the_texture_is_found(tmp_path, written, name):
    path = obj(tmp_path, f"Kd 1 1 1\n{written}", textures=[(name, PICTURE)])
    assert material(path).base_color_texture.shape == (16, 16, 4)


def test_a_name_in_latin_1(tmp_path):
    path = obj(tmp_path, "map_Kd b\xfcro.png", material="mat\xe9riel", textures=[("b\xfcro.png", PICTURE)], encoding="latin-1")
    assert material(path).base_color_texture is not None
    assert material(path).name == "mat\xe9riel"


@pytest.mark.parametrize("library", ["my mtl file.mtl", '"quoted file.mtl"'])
def test_a_library_whose_name_holds_spaces(tmp_path, library):
    assert material(obj(tmp_path, "map_Kd tex.png", library=library, textures=[("tex.png", PICTURE)])).source == "file"


def test_options_move_the_map(tmp_path):
    path = obj(tmp_path, "map_Kd -s 2 2 1 -o 0.5 0 0 -clamp on tex.png", textures=[("tex.png", PICTURE)])
    asset = load(path)
    assert (asset.uvs.min((0, 1)).tolist(), asset.uvs.max((0, 1)).tolist()) == ([0.5, 0], [2.5, 2])
    assert asset.materials[0].base_color_sampler.wrap_s == asset.materials[0].base_color_sampler.wrap_t == "clamp"
    path = obj(tmp_path, "map_Kd tex.png\nmap_Ke -s 4 4 4 tex.png", textures=[("tex.png", PICTURE)])
    asset = load(path)
    assert (asset.uv_sets, asset.uvs.max((0, 1)).tolist()) == (2, [1, 1, 4, 4])


def test_options_in_any_order():
    made = parse_map("-bm 0.5 -s 2 3 -o 0.1 -clamp on a b.png")
    assert (made.name, made.scale, made.offset, made.clamp, made.strength) == ("a b.png", (2, 3), (0.1, 0), True, 0.5)
    assert parse_map("-imfchan l -type sphere x.png").name == "x.png"


@pytest.mark.parametrize(
    "written", ["map_Bump C:\\x\\bump.png", "map_Ke gone.png", "map_Pr http://example.com/r.png", "norm gone.png"]
)
def test_an_optional_map_costs_itself_alone(tmp_path, written):
    asset = load(obj(tmp_path, f"map_Kd tex.png\n{written}", textures=[("tex.png", PICTURE)]))
    assert asset.materials[0].base_color_texture is not None
    assert asset.provenance["textures_left_out"] == [written.split()[-1]]


def test_a_broken_optional_map_costs_itself_alone(tmp_path):
    textures = [("tex.png", PICTURE), ("bad.png", b"no picture")]
    asset = load(obj(tmp_path, "map_Kd tex.png\nmap_d bad.png", textures=textures))
    assert asset.provenance["textures_left_out"] == ["bad.png"]
    with pytest.raises(AssetError) as refusal:
        load(obj(tmp_path, "map_Kd bad.png", textures=textures))
    assert refusal.value.reason == "bad_image"


def test_a_missing_colour_map_is_said(tmp_path):
    asset = load(obj(tmp_path, "Kd 0.5 0.25 0.125\nmap_Kd gone.png"))
    assert asset.provenance["textures_left_out"] == ["gone.png"]
    assert asset.materials[0].base_color == (0.5, 0.25, 0.125, 1.0)


def test_textures_found_in_another_place_are_named(tmp_path):
    asset = load(obj(tmp_path, "map_Kd D:\\away\\tex.png", textures=[("deep/tex.png", PICTURE)]))
    assert asset.provenance["textures_elsewhere"] == {"D:\\away\\tex.png": "deep/tex.png"}
    # Of two of that name, neither is meant for sure.
    (tmp_path / "other").mkdir()
    (tmp_path / "other/tex.png").write_bytes(PICTURE)
    with pytest.raises(AssetError) as refusal:
        load(tmp_path / "m.obj")
    assert refusal.value.reason == "unsafe_path"


def test_opacity(tmp_path, front):
    alone, rgba = png(LEAF), np.zeros((64, 64, 4), np.uint8)
    rgba[..., 1], rgba[..., 3] = 200, LEAF
    plain = png(np.full((64, 64, 3), 90, np.uint8))
    for mtl, textures in {
        "map_Kd a.png\nmap_d b.png": [("a.png", plain), ("b.png", alone)],
        "map_Kd a.png": [("a.png", png(rgba))],
        "map_Kd a.png\nmap_d a.png": [("a.png", png(rgba))],
        "Kd 0.2 0.6 0.1\nmap_d b.png": [("b.png", alone)],
        "map_Kd a.png\nmap_Tr b.png": [("a.png", plain), ("b.png", png(255 - LEAF))],
    }.items():
        asset = load(obj(tmp_path, mtl, textures=textures))
        assert asset.materials[0].alpha_mode == "mask", mtl
        assert front(asset, "mask").mean() == pytest.approx(38 / 64, abs=0.02), mtl
    # A soft edge, or smoke, is blended; an alpha channel that hides everything is a leftover.
    rgba[..., 3] = np.linspace(0, 255, 64)
    assert material(obj(tmp_path, "map_Kd a.png", textures=[("a.png", png(rgba))])).alpha_mode == "blend"
    rgba[..., 3] = 0
    assert material(obj(tmp_path, "map_Kd a.png", textures=[("a.png", png(rgba))])).alpha_mode == "opaque"


@pytest.mark.parametrize(
    ("mtl", "alpha"), [("Tr 0.7", 0.3), ("d 0.3", 0.3), ("d 1\nTr 0.7", 1.0), ("d -halo 0.3", 0.3), ("Tr 0", 1.0)]
)
def test_dissolve_and_transparency(tmp_path, mtl, alpha):
    read = material(obj(tmp_path, f"Kd 0.2 0.6 0.1\n{mtl}"))
    assert read.base_color == pytest.approx((0.2, 0.6, 0.1, alpha))
    assert read.alpha_mode == ("blend" if alpha < 1 else "opaque")


def test_emission_and_pbr(tmp_path):
    rough, metal = np.full((8, 8), 51, np.uint8), np.full((16, 16), 204, np.uint8)
    bump = np.full((4, 4, 3), (128, 128, 255), np.uint8)
    textures = [("r.png", png(rough)), ("m.png", png(metal)), ("n.png", png(bump)), ("e.png", PICTURE), ("h.png", png(rough))]
    read = material(obj(tmp_path, "Ke 2 1 0\nPr 0.25\nPm 0.75"))
    assert (read.emissive, read.roughness, read.metallic) == ((2, 1, 0), 0.25, 0.75)
    read = material(obj(tmp_path, "map_Pr r.png\nmap_Pm m.png\nmap_Bump n.png\nKe 0 0 0\nmap_Ke e.png", textures=textures))
    assert read.metallic_roughness_texture.shape == (16, 16, 3)
    assert read.metallic_roughness_texture[3, 3].tolist() == [255, 51, 204]
    assert (read.roughness, read.metallic) == (1.0, 1.0)
    assert read.normal_texture is not None
    assert (read.emissive, read.emissive_texture.shape) == ((1, 1, 1), (16, 16, 3))
    read = material(obj(tmp_path, "Pm 0.5\nmap_Pr r.png", textures=textures))
    assert (read.metallic, read.metallic_roughness_texture[0, 0].tolist()) == (0.5, [255, 51, 255])
    asset = load(obj(tmp_path, "Kd 1 1 1\nbump h.png\nmap_Ks r.png", textures=textures))
    assert asset.materials[0].normal_texture is None
    assert asset.provenance["dropped"] == ["height map of material 'm'", "map_Ks of material 'm'"]


def test_an_exr_texture_is_linear(tmp_path):
    import OpenEXR

    channels = {name: np.full((4, 6), value, np.float32) for name, value in (("R", 0.5), ("G", 0.0), ("B", 4.0))}
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(
        str(tmp_path / "t.exr")
    )
    path = obj(tmp_path, "map_Kd t.exr")
    assert material(path).base_color_texture.shape == (4, 6, 4)
    assert material(path).base_color_texture[0, 0].tolist() == [188, 0, 255, 255]
    with pytest.raises(AssetError) as refusal:
        load(path, LoadLimits(max_texture_side=5))
    assert refusal.value.reason == "image_too_large"
    data = (tmp_path / "t.exr").read_bytes()
    (tmp_path / "t.exr").write_bytes(data[: len(data) // 2])
    with pytest.raises(AssetError) as refusal:
        load(path)
    assert refusal.value.reason == "bad_image"


@pytest.mark.parametrize("kind", ["I;16", "F"])
def test_deep_pictures(tmp_path, kind):
    steps = np.array([17, 61, 105, 149, 193, 237])
    if kind == "I;16":
        path = obj(tmp_path, "map_Kd t.png", textures=[("t.png", png((steps * 257).astype(np.uint16)[None]))])
    else:
        codes = steps / 255
        linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
        Image.fromarray(linear.astype(np.float32)[None]).save(tmp_path / "t.tif")
        path = obj(tmp_path, "map_Kd t.tif")
    assert material(path).base_color_texture[0, :, 0].tolist() == steps.tolist()


def test_several_materials_and_parts(tmp_path):
    first = "o first\nusemtl red\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    text = f"mtllib m.mtl\n{first}o second\nusemtl Green\nv 0 0 1\nf 1 2 4\nf 2 3 4\n"
    (tmp_path / "m.obj").write_text(text)
    (tmp_path / "m.mtl").write_text("newmtl red\nKd 1 0 0\nnewmtl green\nKd 0 1 0\n")
    asset = load(tmp_path / "m.obj")
    assert asset.part_names == ("first", "second")
    assert asset.part_ids.tolist() == [0, 1, 1]
    assert [m.base_color[:2] for m in asset.materials] == [(1, 0), (0, 1)]  # in other case, it is still meant


def test_files_of_textures_in_ply(tmp_path, front):
    head = (
        "ply\nformat ascii 1.0\ncomment TextureFile a.png\ncomment TextureFile b c.png\nelement vertex 4\nproperty float x\n"
        "property float y\nproperty float z\nelement face 3\nproperty list uchar int vertex_indices\n"
        "property list uchar float texcoord\nproperty int texnumber\nend_header\n"
    )
    body = "-1 0 -1\n1 0 -1\n1 0 1\n-1 0 1\n3 0 1 2 6 0 0 1 0 1 1 0\n3 0 2 3 6 0 0 1 1 0 1 1\n3 0 2 1 0 -1\n"
    (tmp_path / "m.ply").write_text(head + body)
    (tmp_path / "a.png").write_bytes(png(np.full((4, 4, 3), (255, 0, 0), np.uint8)))
    (tmp_path / "b c.png").write_bytes(png(np.full((4, 4, 3), (0, 0, 255), np.uint8)))
    asset = load(tmp_path / "m.ply")
    assert asset.material_ids.tolist() == [0, 1, 2]
    seen = [None if m.base_color_texture is None else m.base_color_texture[0, 0, :3].tolist() for m in asset.materials]
    assert seen == [[255, 0, 0], [0, 0, 255], None]
    assert front(asset, "albedo")[80, 70].tolist() == [255, 0, 0]


@pytest.mark.parametrize("names", ["red green blue", "diffuse_red diffuse_green diffuse_blue", "r g b"])
def test_names_of_colours_in_ply(tmp_path, names):
    properties = "".join(f"property uchar {name}\n" for name in names.split())
    head = f"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n{properties}"
    rest = "element face 1\nproperty list uchar int vertex_index\nend_header\n"
    (tmp_path / "m.ply").write_text(f"{head}{rest}0 0 0 255 0 0\n1 0 0 255 0 0\n0 1 0 255 0 0\n3 0 1 2\n")
    texture = material(tmp_path / "m.ply").base_color_texture
    assert (texture[..., 0] == 255).any()
    assert texture[..., 1:3].max() == 0


def test_an_obj_that_uses_no_library_is_clay(tmp_path):
    (tmp_path / "m.obj").write_text(OBJ_QUAD)
    assert material(tmp_path / "m.obj").source == "clay"
