"""glTF's samplers, UV sets, emission, extensions and compression: what the asset shows."""

import base64
import dataclasses
import io
import json
import struct
import sys
import zlib

import numpy as np
import pytest
from foreign_files import QUAD, QUAD_FACES, QUAD_UV, Gltf, box, halves, png
from PIL import Image

from versemill.curation import LoadLimits, load
from versemill.curation.bake import bake
from versemill.errors import AssetError
from versemill.gltf import from_glb, to_glb
from versemill.materials.sampler import Sampler

RED, GREEN = (255, 0, 0), (0, 255, 0)
CHECKS = np.kron([[0, 255], [255, 0]], np.ones((2, 2))).astype(np.uint8)


def colour_map(picture, uv=QUAD_UV, texture=(), **sampler):
    """A GLB of a quad with a base colour texture under a sampler."""
    made = Gltf(samplers=[sampler])
    index = made.image(png(picture), sampler=0, **dict(texture))
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": index}, "metallicFactor": 0}}
    mesh = made.quad(material, uv)
    return made.nodes({"mesh": mesh}).glb()


def letters(row):
    """The dominant channel at six places along a row."""
    return "".join("RGB"[pixel.argmax()] for pixel in row[8::16])


WRAPS = {10497: ("repeat", "RGRGRG"), 33648: ("mirror", "RGGRRG"), 33071: ("clamp", "RGGGGG")}


@pytest.mark.parametrize("code", WRAPS)
@pytest.mark.parametrize("along", ["s", "t"])
def test_wraps(tmp_path, front, code, along):
    name, right = WRAPS[code]
    picture, uv = halves(RED, GREEN), QUAD_UV * 3
    if along == "t":
        picture, uv = np.swapaxes(picture, 0, 1), QUAD_UV * 3
    (tmp_path / "a.glb").write_bytes(colour_map(picture, uv, **{"wrapS" if along == "s" else "wrapT": code}))
    asset = load(tmp_path / "a.glb")
    sampler = asset.materials[0].base_color_sampler
    assert sampler == Sampler(**{f"wrap_{along}": name})
    image = front(asset, "albedo")
    assert letters(image[10] if along == "s" else image[:, 10]) == right
    # Baked into an atlas, and through a GLB of ours, it looks the same.
    again = from_glb(to_glb(asset))
    assert again.content_hash == asset.content_hash
    square = np.repeat(np.float32([[[0, 0]]]), 3, 1) + (asset.vertices[asset.faces][..., [0, 2]] + 1) / 2
    baked = bake(asset, asset.vertices, asset.faces, square.astype(np.float32), 96)
    image = front(baked, "albedo")
    assert letters(image[10] if along == "s" else image[:, 10]) == right


def test_a_negative_coordinate_is_mirrored_too(tmp_path, front):
    (tmp_path / "a.glb").write_bytes(colour_map(halves(RED, GREEN), QUAD_UV * 3 - 2, wrapS=33648))
    assert letters(front(load(tmp_path / "a.glb"), "albedo")[10]) == "RGGRRG"


@pytest.mark.parametrize("code", [9728, 9729])
def test_filters(tmp_path, front, code):
    (tmp_path / "a.glb").write_bytes(colour_map(CHECKS, magFilter=code, minFilter=code))
    asset = load(tmp_path / "a.glb")
    kinds = len(np.unique(front(asset, "albedo").reshape(-1, 3), axis=0))
    assert kinds == 2 if code == 9728 else kinds > 20
    assert from_glb(to_glb(asset)).materials[0].base_color_sampler == asset.materials[0].base_color_sampler


def two_places(how):
    """A colour that repeats four times, and a surface map that lies once across the quad: halves of different metal."""
    made = Gltf(extensionsUsed=["KHR_texture_transform"] if how == "transform" else [])
    first, second = made.image(png(halves(RED, GREEN))), made.image(png(halves((0, 64, 0), (0, 230, 255), 32)))
    place = {"index": second, "texCoord": 1}
    attributes = {"TEXCOORD_1": QUAD_UV}
    if how == "transform":
        # The offset first, then the turn, then the scale: a quarter turn of the picture's coordinates and back.
        place = {"index": second, "extensions": {"KHR_texture_transform": {"scale": [0.25, 0.25]}}}
        attributes = {}
    surface = {"baseColorTexture": {"index": first}, "metallicRoughnessTexture": place}
    return made.nodes({"mesh": made.quad({"pbrMetallicRoughness": surface}, QUAD_UV * 4, **attributes)}).glb()


@pytest.mark.parametrize("how", ["channel", "transform"])
def test_each_texture_has_its_own_place(tmp_path, front, how):
    (tmp_path / "a.glb").write_bytes(two_places(how))
    asset = load(tmp_path / "a.glb")
    albedo, surface = front(asset, "albedo", "metallic_roughness")
    assert surface[48, 20].tolist() == [0, 64]
    assert surface[48, 75].tolist() == [255, 230]
    assert [int(pixel.argmax()) for pixel in albedo[48, 6::12]] == [0, 1] * 4
    assert asset.uv_sets == 2
    again = from_glb(to_glb(asset))
    assert again.content_hash == asset.content_hash
    np.testing.assert_array_equal(front(again, "metallic_roughness"), surface)


def test_a_rotated_transform_is_khronos_own(tmp_path):
    """offset + R(angle) * scale * uv, in coordinates whose v points down (KHR_texture_transform, "Overview")."""
    moved = {"offset": [0.1, 0.2], "rotation": 0.7, "scale": [2, 3]}
    made = Gltf()
    texture = {"index": made.image(png(halves(RED, GREEN))), "extensions": {"KHR_texture_transform": moved}}
    mesh = made.quad({"pbrMetallicRoughness": {"baseColorTexture": texture}})
    asset = from_glb(made.nodes({"mesh": mesh}).glb())
    cos, sin = np.cos(0.7), np.sin(0.7)
    right = QUAD_UV @ np.diag([2, 3]) @ np.array([[cos, sin], [-sin, cos]]).T + [0.1, 0.2]
    uvs = asset.uvs.reshape(-1, 2) * [1, -1] + [0, 1]
    np.testing.assert_allclose(uvs, right[QUAD_FACES], atol=1e-6)


@pytest.mark.parametrize("how", ["texture", "factor", "strength", "unlit"])
def test_what_shines_by_itself(tmp_path, front, how):
    made = Gltf()
    black = {"baseColorFactor": [0, 0, 0, 1], "metallicFactor": 0, "roughnessFactor": 1}
    if how == "texture":
        index = made.image(png(halves(RED, GREEN)))
        material = {"pbrMetallicRoughness": black, "emissiveTexture": {"index": index}, "emissiveFactor": [1, 1, 1]}
    elif how == "unlit":
        index = made.image(png(halves(RED, GREEN)))
        material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": index}}, "extensions": {"KHR_materials_unlit": {}}}
    else:
        factor, strength = ([1, 0.5, 0], 1) if how == "factor" else ([0.1, 0.05, 0], 10)
        material = {"pbrMetallicRoughness": black, "emissiveFactor": factor}
        material["extensions"] = {"KHR_materials_emissive_strength": {"emissiveStrength": strength}}
    (tmp_path / "a.glb").write_bytes(made.nodes({"mesh": made.quad(material)}).glb())
    asset = load(tmp_path / "a.glb")
    image = front(asset, "rgb")[..., :3].astype(int)
    # A black dielectric still reflects a 25th of the white surroundings: 32 in sRGB.
    slack = 1 if how == "unlit" else 34
    left, right = ((255, 0, 0), (0, 255, 0)) if how in ("texture", "unlit") else ((255, 188, 0),) * 2
    assert np.abs(image[48, 20] - left).max() <= slack
    assert np.abs(image[48, 75] - right).max() <= slack
    assert asset.materials[0].unlit == (how == "unlit")
    again = from_glb(to_glb(asset))
    assert again.content_hash == asset.content_hash
    flat = (asset.vertices[asset.faces][..., [0, 2]] + 1) / 2
    baked = front(bake(asset, asset.vertices, asset.faces, flat.astype(np.float32), 96), "rgb")[..., :3].astype(int)
    assert np.abs(baked - image).max(-1).mean() < 6


def test_emission_lights_what_is_beside_it(front):
    made = Gltf()
    wall = {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0}, "doubleSided": True}
    lamp = {"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 0, 1]}, "emissiveFactor": [1, 0, 0]}
    floor = made.quad(wall)
    side = made.mesh(QUAD[:, [2, 1, 0]] + np.float32([0, 0, 0]), QUAD_FACES, lamp)
    glb = made.nodes({"mesh": floor}, {"mesh": side, "translation": [0.2, 0, 0.8]}).glb()
    asset = from_glb(glb)
    dark = dataclasses.replace(asset, materials=tuple(dataclasses.replace(m, emissive=(0, 0, 0)) for m in asset.materials))
    lit, unlit = (front(a.normalized(), "rgb").astype(int) for a in (asset, dark))
    assert (lit[..., 0] - unlit[..., 0]).max() > 20
    assert (lit[..., 0] >= unlit[..., 0] - 2).all()


def test_images_that_nothing_uses_cost_nothing(tmp_path):
    made = Gltf()
    made.image(b"no picture at all")
    made.document["images"].append({"uri": "https://example.com/nowhere.png"})
    used = made.image(png(halves(RED, GREEN)))
    # A material that no triangle wears, and a KTX2 picture with a fallback.
    made.document["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    made.document["textures"][used]["extensions"] = {"KHR_texture_basisu": {"source": 0}}
    made.document["extensionsUsed"] = ["KHR_texture_basisu"]
    mesh = made.quad({"pbrMetallicRoughness": {"baseColorTexture": {"index": used}}})
    (tmp_path / "a.glb").write_bytes(made.nodes({"mesh": mesh}).glb())
    asset = load(tmp_path / "a.glb")
    assert len(asset.faces) == 2
    assert [m.base_color_texture.shape for m in asset.materials] == [(16, 16, 4)]


def test_json_with_a_mark_or_padded_with_zeros(tmp_path):
    made = Gltf()
    data = made.nodes({"mesh": made.quad()}).glb()
    size = struct.unpack_from("<I", data, 12)[0]
    padded = data[20 : 20 + size] + b"\0" * 4
    whole = struct.pack("<4sIII", b"glTF", 2, len(data) + 4, size + 4) + b"JSON" + padded + data[20 + size :]
    (tmp_path / "a.glb").write_bytes(whole)
    assert len(load(tmp_path / "a.glb").faces) == 2
    uri = "data:application/octet-stream;base64," + base64.b64encode(bytes(made.binary)).decode()
    made.document["buffers"][0]["uri"] = uri
    (tmp_path / "a.gltf").write_bytes(b"\xef\xbb\xbf" + json.dumps(made.document).encode())
    assert len(load(tmp_path / "a.gltf").faces) == 2


def test_required_extensions_that_are_not_read_are_refused_by_name(tmp_path):
    for name in ("EXT_unheard_of", "KHR_materials_transmission", "KHR_gaussian_splatting"):
        made = Gltf(extensionsUsed=[name], extensionsRequired=[name, "KHR_mesh_quantization", "KHR_lights_punctual"])
        (tmp_path / "a.glb").write_bytes(made.nodes({"mesh": made.quad()}).glb())
        with pytest.raises(AssetError, match=name) as refusal:
            load(tmp_path / "a.glb")
        assert refusal.value.reason == "unsupported_extension"


def test_what_a_material_can_not_hold_is_named(tmp_path):
    extensions = {
        "KHR_materials_transmission": {"transmissionFactor": 0.9},
        "KHR_materials_volume": {"thicknessFactor": 0.1},
        "KHR_materials_clearcoat": {"clearcoatFactor": 1},
        "KHR_materials_sheen": {"sheenColorFactor": [1, 0, 0]},
        "KHR_materials_ior": {"ior": 1.2},
        "KHR_materials_specular": {"specularFactor": 0.5},
        "KHR_materials_iridescence": {"iridescenceFactor": 0},  # does nothing: nothing is lost
        "KHR_materials_anisotropy": {"anisotropyStrength": 0.4},
        "VENDOR_own": {},
    }
    made = Gltf(extensionsUsed=list(extensions))
    mesh = made.quad({"extensions": extensions, "occlusionTexture": {"index": 0}})
    (tmp_path / "a.glb").write_bytes(made.nodes({"mesh": mesh}).glb())
    lost = set(extensions) - {"KHR_materials_iridescence"} | {"occlusionTexture"}
    assert load(tmp_path / "a.glb").provenance["dropped"] == sorted(lost)


def packed_draco():
    draco = pytest.importorskip("DracoPy", reason="pip install 'versemill[compressed]'")
    corners, faces = box()
    data = draco.encode(corners, faces, preserve_order=True, quantization_bits=14)
    made = Gltf(extensionsUsed=["KHR_draco_mesh_compression"])
    view = made.view(data)
    made.document["accessors"] = [
        {"componentType": 5126, "count": 8, "type": "VEC3"},
        {"componentType": 5125, "count": 36, "type": "SCALAR"},
    ]
    extension = {"KHR_draco_mesh_compression": {"bufferView": view, "attributes": {"POSITION": 0}}}
    made.document["meshes"] = [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "extensions": extension}]}]
    return made.nodes({"mesh": 0})


def packed_meshopt():
    meshopt = pytest.importorskip("meshoptimizer", reason="pip install 'versemill[compressed]'")
    corners, faces = box()
    made = Gltf(extensionsUsed=["EXT_meshopt_compression"], buffers=[])
    packed = [meshopt.encode_vertex_buffer(corners), meshopt.encode_index_buffer(faces.reshape(-1), 36, 8)]
    shapes = [(8, 12, "ATTRIBUTES", 5126, "VEC3"), (36, 4, "TRIANGLES", 5125, "SCALAR")]
    offset = 0
    for data, (count, stride, mode, component, kind) in zip(packed, shapes, strict=True):
        view = made.document["bufferViews"][made.view(data)]
        extension = {**view, "count": count, "byteStride": stride, "mode": mode}
        view.clear()
        # The uncompressed place lies in a buffer that has no data.
        view |= {"buffer": 1, "byteOffset": offset, "byteLength": count * stride}
        view["extensions"] = {"EXT_meshopt_compression": extension}
        made.document["accessors"].append(
            {"bufferView": len(made.document["bufferViews"]) - 1, "componentType": component, "count": count, "type": kind}
        )
        offset += count * stride
    fallback = {"byteLength": offset, "extensions": {"EXT_meshopt_compression": {"fallback": True}}}
    made.document["buffers"].append(fallback)
    made.document["meshes"] = [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}]
    return made.nodes({"mesh": 0})


@pytest.mark.parametrize(("pack", "module"), [(packed_draco, "DracoPy"), (packed_meshopt, "meshoptimizer")])
def test_compressed_geometry(tmp_path, monkeypatch, pack, module):
    made = pack()
    name = made.document["extensionsUsed"][0]
    (tmp_path / "a.glb").write_bytes(made.glb())
    asset = load(tmp_path / "a.glb")
    assert len(asset.faces) == 12
    assert len(asset.vertices) == 8
    np.testing.assert_allclose(np.abs(asset.vertices), 1, atol=1e-3)
    # Where the decoder is missing, though nothing says that it is required, the refusal names the extension.
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(AssetError, match=name) as refusal:
        load(tmp_path / "a.glb")
    assert refusal.value.reason == "unsupported_extension"


@pytest.mark.parametrize("module", ["DracoPy", "meshoptimizer"])
def test_broken_compressed_data_is_refused(tmp_path, module):
    made = {"DracoPy": packed_draco, "meshoptimizer": packed_meshopt}[module]()
    made.binary[: len(made.binary)] = bytes(len(made.binary))
    (tmp_path / "a.glb").write_bytes(made.glb())
    with pytest.raises(AssetError) as refusal:
        load(tmp_path / "a.glb")
    assert refusal.value.reason == "broken_file"


KTX2 = (
    "c${199TK5nWU!l;ONxsD2pEA_0E%IN5sE<|1Bi8icnXw82M3TfA<;0kObi+f%NUs$n3<97sE4!u1A#n{20E*}D6=HB"
    "h`}kbII~zGG%vF(wWv5TN5M$X(13w~1*8k8?Ylg~1Nkb1{pfu02l5Z(nfP(?hq`_M*-Sg_"
)
"""A UASTC texture, red beside green, 16 x 16, as the encoder of Basis Universal wrote it (base 85 of zlib's)."""


def basis(data):
    """A GLB of a quad whose only picture is a KTX2 file, without a fallback."""
    made = Gltf(extensionsUsed=["KHR_texture_basisu"], extensionsRequired=["KHR_texture_basisu"])
    index = made.image(data)
    source = made.document["textures"][index].pop("source")
    made.document["textures"][index]["extensions"] = {"KHR_texture_basisu": {"source": source}}
    return made.nodes({"mesh": made.quad({"pbrMetallicRoughness": {"baseColorTexture": {"index": index}}})}).glb()


def test_basis_textures(tmp_path, front, monkeypatch):
    pytest.importorskip("opengl_basisu", reason="pip install 'versemill[compressed]'")
    data = zlib.decompress(base64.b85decode(KTX2))
    (tmp_path / "a.glb").write_bytes(basis(data))
    image = front(load(tmp_path / "a.glb"), "albedo").astype(int)
    assert np.abs(image[48, [20, 75]] - [RED, GREEN]).max() < 8
    with pytest.raises(AssetError) as refusal:
        load(tmp_path / "a.glb", LoadLimits(max_texture_side=8))
    assert refusal.value.reason == "image_too_large"
    (tmp_path / "broken.glb").write_bytes(basis(data[:80] + bytes(len(data) - 80)))
    with pytest.raises(AssetError, match="KHR_texture_basisu") as refusal:
        load(tmp_path / "broken.glb")
    assert refusal.value.reason == "broken_file"
    monkeypatch.setitem(sys.modules, "opengl_basisu", None)
    with pytest.raises(AssetError, match="KHR_texture_basisu") as refusal:
        load(tmp_path / "a.glb")
    assert refusal.value.reason == "unsupported_extension"


def test_sixteen_bit_pictures_keep_their_upper_byte(tmp_path, front):
    steps = np.array([17, 61, 105, 149, 193, 237])
    deep = np.repeat(np.repeat(steps * 257, 16)[None], 96, 0).astype(np.uint16)
    (tmp_path / "a.glb").write_bytes(colour_map(deep, magFilter=9728))
    assert front(load(tmp_path / "a.glb"), "albedo")[48, 8::16, 0].tolist() == steps.tolist()


def test_floating_point_pictures_are_linear():
    from versemill.materials import images

    out = io.BytesIO()
    Image.fromarray(np.full((2, 2), 0.5, np.float32)).save(out, "TIFF")
    assert (images.decode(out.getvalue(), "RGB", colour=True) == 188).all()
    assert (images.decode(out.getvalue(), "RGB") == 128).all()
