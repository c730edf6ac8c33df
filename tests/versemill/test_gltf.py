"""GLB: what goes out comes back, other people's readers agree, broken files have a reason."""

import contextlib
import dataclasses
import io
import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image

from versemill import mesh
from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.gltf import from_glb, to_glb

FIELDS = ("part_names", "seed", "index", "source", "caption", "tags", "center", "scale", "provenance")


def _document(data: bytes) -> dict:
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size])


def _glb(document: dict, binary: bytes = b"") -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(binary))
    return head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


def _foreign(node: dict | None = None, material: dict | None = None, **primitive) -> bytes:
    """One triangle in the glTF x-y plane, split into unshared vertices, as a stranger would write it."""
    positions = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    uvs = positions[:, :2].copy()
    binary = positions.tobytes() + uvs.tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "thing", **(node or {})}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, **primitive}]}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": [
            {"buffer": 0, "byteLength": positions.nbytes},
            {"buffer": 0, "byteOffset": positions.nbytes, "byteLength": uvs.nbytes},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 6, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5126, "count": 6, "type": "VEC2"},
        ],
    }
    if material is not None:
        document["materials"] = [material]
        document["meshes"][0]["primitives"][0]["material"] = 0
    return _glb(document, binary)


def _assert_same(a: Asset, b: Asset) -> None:
    for name in ("vertices", "faces", "material_ids", "part_ids", "normals"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    np.testing.assert_allclose(a.uvs, b.uvs, atol=2e-7)
    for name in FIELDS:
        assert getattr(a, name) == getattr(b, name), name
    assert len(a.materials) == len(b.materials)
    for left, right in zip(a.materials, b.materials, strict=True):
        assert left.content_hash == right.content_hash
        assert (left.name, left.source, left.licence) == (right.name, right.source, right.licence)


@pytest.mark.parametrize("with_normals", [False, True])
def test_everything_comes_back(textured, with_normals) -> None:
    asset = textured
    if with_normals:
        asset = dataclasses.replace(textured, normals=mesh.corner_normals(textured.vertices, textured.faces))
    back = from_glb(to_glb(asset))
    _assert_same(asset, back)
    if not with_normals:
        assert back.normals is None


def test_bytes_are_a_function_of_the_asset(textured) -> None:
    data = to_glb(textured)
    assert to_glb(textured) == data
    once = from_glb(data)
    assert to_glb(once) == to_glb(from_glb(to_glb(once)))
    assert from_glb(to_glb(once)).content_hash == once.content_hash


def test_watertight_stays_watertight(textured) -> None:
    assert mesh.topology(textured.faces).watertight
    assert mesh.topology(from_glb(to_glb(textured)).faces).watertight
    # Merging by position instead would join the two cubes along an edge that coincides.
    assert len(np.unique(textured.vertices, axis=0)) < len(textured.vertices)


def test_structure_is_valid_gltf(textured) -> None:
    data = to_glb(textured)
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    document = _document(data)
    assert document["asset"]["version"] == "2.0"
    (buffer,) = document["buffers"]
    ends = 0
    for view in document["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] >= ends
        ends = view["byteOffset"] + view["byteLength"]
    assert ends <= buffer["byteLength"]
    binary = data[-buffer["byteLength"] :]
    widths = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}
    for entry in document["accessors"]:
        view = document["bufferViews"][entry["bufferView"]]
        assert view["byteLength"] == 4 * widths[entry["type"]] * entry["count"]
    for shape in document["meshes"]:
        for primitive in shape["primitives"]:
            kinds = {k: document["accessors"][i] for k, i in primitive["attributes"].items()}
            # Only indices may be 32-bit integers.
            assert {entry["componentType"] for entry in kinds.values()} == {5126}
            assert len({entry["count"] for entry in kinds.values()}) == 1
            place = document["bufferViews"][kinds["POSITION"]["bufferView"]]["byteOffset"]
            points = np.frombuffer(binary, np.float32, 3 * kinds["POSITION"]["count"], place).reshape(-1, 3)
            assert kinds["POSITION"]["min"] == points.min(0).tolist()
            assert kinds["POSITION"]["max"] == points.max(0).tolist()
            place = document["bufferViews"][kinds["NORMAL"]["bufferView"]]["byteOffset"]
            normals = np.frombuffer(binary, np.float32, 3 * kinds["NORMAL"]["count"], place).reshape(-1, 3)
            np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    for image in document["images"]:
        view = document["bufferViews"][image["bufferView"]]
        with Image.open(io.BytesIO(binary[view["byteOffset"] :][: view["byteLength"]])) as picture:
            assert picture.get_format_mimetype() == image["mimeType"]
    # The texture that two materials share is stored once.
    assert len(document["images"]) == 3


def test_another_reader_sees_the_same(textured) -> None:
    scene = trimesh.load(io.BytesIO(to_glb(textured)), file_type="glb", process=False)
    shape = scene.to_geometry()
    assert len(shape.faces) == len(textured.faces)
    # Y is up there: (x, y, z) of ours is (x, z, -y).
    low, high = textured.vertices.min(0), textured.vertices.max(0)
    np.testing.assert_allclose(shape.bounds, [[low[0], low[2], -high[1]], [high[0], high[2], -low[1]]], atol=1e-6)
    assert shape.volume == pytest.approx(mesh.volume(textured.vertices, textured.faces), rel=1e-5)
    assert any("cubes" in name for name in scene.graph.nodes_geometry)
    # A corner's UV, v up, at that corner's position.
    piece = next(iter(scene.geometry.values()))
    points, uv = np.asarray(piece.vertices), np.asarray(piece.visual.uv)
    ours = textured.vertices[textured.faces].reshape(-1, 3)
    ours = np.column_stack([ours[:, 0], ours[:, 2], -ours[:, 1], textured.uvs.reshape(-1, 2)])
    for row in np.column_stack([points, uv])[:50]:
        assert np.abs(ours - row).max(1).min() < 1e-5


def test_faces_without_area_are_kept(textured) -> None:
    faces = textured.faces.copy()
    faces[5] = faces[5, 0]
    back = from_glb(to_glb(dataclasses.replace(textured, faces=faces)))
    np.testing.assert_array_equal(back.faces, faces)


def test_jpeg_is_smaller_and_close() -> None:
    u, v = np.meshgrid(np.linspace(0, 255, 128), np.linspace(0, 255, 128))
    rng = np.random.default_rng(0)
    noisy = np.stack([u, v, 255 - u, np.full_like(u, 255)], -1) + rng.normal(0, 4, (128, 128, 1)) * [1, 1, 1, 0]
    texels = noisy.clip(0, 255).astype(np.uint8)
    asset = from_glb(_foreign(material={}))
    asset = dataclasses.replace(asset, materials=(dataclasses.replace(asset.materials[0], base_color_texture=texels),))
    png, jpeg = to_glb(asset), to_glb(asset, textures="jpeg")
    assert len(jpeg) < 0.6 * len(png)
    texture = from_glb(jpeg).materials[0].base_color_texture
    assert np.abs(texture.astype(int) - texels).mean() < 4


def test_foreign_positions_are_merged_and_turned() -> None:
    asset = from_glb(_foreign())
    assert len(asset.vertices) == 4
    assert mesh.topology(asset.faces).boundary == 4
    corners = asset.vertices[asset.faces]
    # The triangle faced +z there, which is -y here; v is up.
    assert (mesh.face_normals(asset.vertices, asset.faces) @ [0, -1, 0] > 0.99).all()
    np.testing.assert_allclose(asset.uvs[..., 0], corners[..., 0])
    np.testing.assert_allclose(asset.uvs[..., 1], 1 - corners[..., 2])
    assert asset.part_names == ("thing",)
    assert asset.normals is None
    assert asset.source == "files"


def test_node_transforms_are_baked_and_mirrors_keep_the_outside() -> None:
    half = np.sqrt(0.5)
    asset = from_glb(_foreign({"translation": [1, 2, 3], "rotation": [0, half, 0, half], "scale": [2, 1, 1]}))
    # (1, 0, 0) -> scaled (2, 0, 0) -> a quarter turn about y (0, 0, -2) -> (1, 2, 1), which is (1, -1, 2) Z up.
    assert np.abs(asset.vertices - [1, -1, 2]).max(1).min() < 1e-6
    mirrored = from_glb(_foreign({"scale": [-1, 1, 1]}))
    assert (mesh.face_normals(mirrored.vertices, mirrored.faces) @ [0, -1, 0] > 0.99).all()


def test_instances_children_and_strips() -> None:
    document = _document(_foreign(mode=5))
    binary = _foreign(mode=5)[-120:]
    document["nodes"] = [{"children": [1, 2], "translation": [0, 0, 5]}, {"mesh": 0}, {"mesh": 0, "translation": [3, 0, 0]}]
    asset = from_glb(_glb(document, binary))
    assert len(asset.part_names) == 2
    assert len(asset.faces) == 2 * 4
    np.testing.assert_allclose(asset.vertices[:, 1], -5)
    assert asset.vertices[:, 0].max() == 4


def test_foreign_materials() -> None:
    material = {
        "name": "glass",
        "pbrMetallicRoughness": {"baseColorFactor": [0.1, 0.2, 0.3, 0.4], "metallicFactor": 0.25},
        "alphaMode": "BLEND",
        "doubleSided": True,
        "emissiveTexture": {"index": 0},
        "extensions": {"KHR_materials_transmission": {"transmissionFactor": 1}},
    }
    asset = from_glb(_foreign(material=material))
    (read,) = asset.materials
    assert read.base_color == (0.1, 0.2, 0.3, 0.4)
    assert (read.metallic, read.roughness, read.alpha_mode, read.double_sided) == (0.25, 1.0, "blend", True)
    assert asset.provenance["dropped"] == ["KHR_materials_transmission"]


def test_specular_glossiness_in_metallic_roughness_terms() -> None:
    def surface(**content):
        (material,) = from_glb(_foreign(material={"extensions": {"KHR_materials_pbrSpecularGlossiness": content}})).materials
        return material

    plastic = surface(diffuseFactor=[1, 0, 0, 0.5], specularFactor=[0.04] * 3, glossinessFactor=0.75)
    assert plastic.base_color == pytest.approx((1, 0, 0, 0.5))
    assert (plastic.metallic, plastic.roughness) == (0, 0.25)
    gold = surface(diffuseFactor=[0, 0, 0, 1], specularFactor=[1, 0.77, 0.34])
    assert gold.base_color == pytest.approx((1, 0.77, 0.34, 1), abs=0.01)
    assert gold.metallic == pytest.approx(1, abs=0.01)


def test_texture_transforms_move_the_uvs() -> None:
    moved = {"offset": [0.5, 0], "scale": [2, 3]}
    info = {"index": 0, "extensions": {"KHR_texture_transform": moved}}
    document = _document(_foreign(material={"pbrMetallicRoughness": {"baseColorTexture": info}}))
    picture = io.BytesIO()
    Image.new("L", (2, 2), 77).save(picture, "PNG")
    document["bufferViews"].append({"buffer": 0, "byteOffset": 120, "byteLength": len(picture.getvalue())})
    document |= {"images": [{"bufferView": 2, "mimeType": "image/png"}], "textures": [{"source": 0}]}
    asset = from_glb(_glb(document, _foreign()[-120:] + picture.getvalue()))
    corners = asset.vertices[asset.faces]
    np.testing.assert_allclose(asset.uvs[..., 0], 2 * corners[..., 0] + 0.5)
    np.testing.assert_allclose(1 - asset.uvs[..., 1], 3 * corners[..., 2])
    assert (asset.materials[0].base_color_texture == [77, 77, 77, 255]).all()


def test_quantised_and_sparse_accessors() -> None:
    document = _document(_foreign())
    quantised = np.array([[0, 0], [65535, 0], [0, 65535], [65535, 0], [65535, 65535], [0, 65535]], "<u2")
    replaced = np.array([4], "<u2").tobytes() + b"\0\0" + np.float32([1, 1, 9]).tobytes()
    document["bufferViews"] += [
        {"buffer": 0, "byteOffset": 120, "byteLength": 24},
        {"buffer": 0, "byteOffset": 144, "byteLength": 2},
        {"buffer": 0, "byteOffset": 148, "byteLength": 12},
    ]
    document["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": 3, "componentType": 5123},
        "values": {"bufferView": 4},
    }
    document["accessors"][1] |= {"bufferView": 2, "componentType": 5123, "normalized": True}
    asset, plain = from_glb(_glb(document, _foreign()[-120:] + quantised.tobytes() + replaced)), from_glb(_foreign())
    np.testing.assert_allclose(asset.uvs, plain.uvs, atol=1e-6)
    moved = asset.vertices[asset.faces] - plain.vertices[plain.faces]
    assert sorted(np.abs(moved).sum((0, 1))) == [0, 0, 9]


def test_a_file_of_trimesh_is_read_like_trimesh_reads_it(torus, cube) -> None:
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(1.0, (1, 2, 3), (0.3, 0, 0))
    scene.add_geometry(trimesh.Trimesh(*torus, process=False), "ring", transform=turn)
    scene.add_geometry(trimesh.Trimesh(*cube, process=False), "box")
    asset = from_glb(scene.export(file_type="glb", include_normals=True))
    oracle = scene.to_geometry()
    assert mesh.volume(asset.vertices, asset.faces) == pytest.approx(oracle.volume, rel=1e-5)
    assert mesh.topology(asset.faces).watertight
    turned = np.column_stack([oracle.vertices[:, 0], -oracle.vertices[:, 2], oracle.vertices[:, 1]])
    np.testing.assert_allclose(np.sort(asset.vertices, axis=0), np.sort(turned, axis=0), atol=1e-5)
    flat = mesh.face_normals(asset.vertices, asset.faces)
    assert (np.einsum("ijk,ik->ij", asset.normals, flat) > 0.5).all()


def test_truncation_has_a_reason_wherever_it_falls(textured) -> None:
    data = to_glb(textured)
    for end in np.linspace(0, len(data) - 1, 60).astype(int):
        with pytest.raises(AssetError) as caught:
            from_glb(data[:end])
        assert caught.value.reason == "broken_file"


def test_damage_is_an_asset_error_or_nothing(textured) -> None:
    rng = np.random.default_rng(0)
    data = np.frombuffer(to_glb(textured), np.uint8)
    head = 20 + struct.unpack_from("<I", data.tobytes(), 12)[0]
    for _ in range(150):
        bad = data.copy()
        bad[rng.integers(0, head, 4)] = rng.integers(0, 256, 4)
        # Anything but an AssetError fails the test.
        with contextlib.suppress(AssetError):
            from_glb(bad.tobytes()).check()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "broken_file"),
        (b"v 0 0 0\nf 1 1 1\n", "broken_file"),
        (b"{}", "broken_file"),
        (_glb({"asset": {"version": "1.0"}}), "broken_file"),
        (_glb({"asset": {"version": "2.0"}}), "empty"),
        (_glb({"asset": {"version": "2.0"}, "extensionsRequired": ["EXT_unheard_of"]}), "unsupported_extension"),
        (_foreign({"translation": [float("nan"), 0, 0]}), "not_finite"),
        (_foreign({"children": [0]}), "broken_file"),
        (_foreign(mode=1), "empty"),
        (_foreign(indices=7), "broken_file"),
    ],
)
def test_unusable_files_say_why(data, reason) -> None:
    with pytest.raises(AssetError) as caught:
        from_glb(data)
    assert caught.value.reason == reason


def test_a_gltf_beside_its_buffer(tmp_path) -> None:
    data = _foreign()
    document = _document(data)
    document["buffers"][0]["uri"] = "my%20points.bin"
    (tmp_path / "my points.bin").write_bytes(data[-120:])
    asset = from_glb(json.dumps(document).encode(), lambda uri: (tmp_path / uri).read_bytes())
    np.testing.assert_array_equal(asset.vertices, from_glb(data).vertices)
    with pytest.raises(AssetError, match=r"next to it"):
        from_glb(json.dumps(document).encode())
