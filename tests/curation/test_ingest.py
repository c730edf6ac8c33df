"""Reading other people's files: what must survive, and what must be refused with which reason."""

import base64
import io
import json
import struct
import zlib

import numpy as np
import pytest
import trimesh
from PIL import Image

from versemill.curation import LoadLimits, load
from versemill.errors import AssetError
from versemill.gltf import to_glb
from versemill.mesh import topology, volume


def png(width, height, color=(255, 0, 0)):
    out = io.BytesIO()
    Image.new("RGB", (width, height), color).save(out, "PNG")
    return out.getvalue()


def bomb(width, height):
    """A PNG whose header promises far more pixels than its few bytes hold."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


QUAD_OBJ = """mtllib a.mtl
v 0 0 0
v 1 0 0
v 1 2 0
v 0 2 0
v 0 0 1
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl red
f 1/1 2/2 3/3 4/4
f 1/1 2/2 5/3
"""


@pytest.fixture
def obj(tmp_path):
    """Writes QUAD_OBJ with a given MTL and texture."""

    def write(mtl="newmtl red\nKd 0.5 0.25 0.125\n", texture=None, text=QUAD_OBJ):
        (tmp_path / "a.obj").write_text(text)
        (tmp_path / "a.mtl").write_text(mtl)
        if texture is not None:
            (tmp_path / "t.png").write_bytes(texture)
        return tmp_path / "a.obj"

    return write


def refused(path, **limits):
    with pytest.raises(AssetError) as caught:
        load(path, LoadLimits(**limits))
    return caught.value.reason


@pytest.mark.parametrize("suffix", ["ply", "stl", "off", "obj", "glb"])
def test_every_format_gives_the_same_closed_solid(tmp_path, suffix):
    source = trimesh.creation.torus(1.0, 0.3, 24, 12)
    source.apply_translation((5.0, -3.0, 100.0))
    path = tmp_path / f"torus.{suffix}"
    source.export(path)
    asset = load(path)
    facts = topology(asset.faces)
    assert facts.watertight
    assert np.ptp(asset.vertices, axis=0).max() == pytest.approx(2.0, abs=1e-6)
    half = np.ptp(source.vertices, axis=0).max() / 2
    assert volume(asset.vertices, asset.faces) * half**3 == pytest.approx(source.volume, rel=1e-4)
    # The way back, in the file's own axes: Y-up formats were turned by (x, y, z) -> (x, -z, y).
    back = np.asarray(asset.center) + asset.scale * asset.vertices.astype(np.float64)
    if suffix in ("obj", "glb"):
        back = back[:, [0, 2, 1]] * [1, 1, -1]
    np.testing.assert_allclose(back.min(0), source.bounds[0], atol=1e-4)
    np.testing.assert_allclose(back.max(0), source.bounds[1], atol=1e-4)
    assert len(asset.provenance["sha256"]) == 64


def test_up_axis_is_a_choice(tmp_path):
    trimesh.creation.box((1, 1, 3)).export(tmp_path / "a.ply")
    assert np.ptp(load(tmp_path / "a.ply").vertices, axis=0).argmax() == 2
    assert np.ptp(load(tmp_path / "a.ply", LoadLimits(up="y")).vertices, axis=0).argmax() == 1


def test_obj_keeps_uvs_materials_and_shared_positions(obj):
    asset = load(obj("newmtl red\nmap_Kd t.png\nNs 98\nd 0.5\n", png(4, 4)))
    assert len(asset.vertices) == 5
    assert len(asset.faces) == 3  # the quad became two triangles
    assert set(map(tuple, asset.uvs.reshape(-1, 2).tolist())) == {(0, 0), (1, 0), (1, 1), (0, 1)}
    material = asset.materials[0]
    assert material.base_color_texture.shape == (4, 4, 4)
    assert material.base_color == (1, 1, 1, 0.5)
    assert material.alpha_mode == "blend"
    assert load(obj()).materials[0].base_color == (0.5, 0.25, 0.125, 1.0)


def test_an_obj_without_a_material_takes_the_image_of_its_name(tmp_path):
    (tmp_path / "cow.obj").write_text("\n".join(line for line in QUAD_OBJ.splitlines() if "mtl" not in line))
    assert load(tmp_path / "cow.obj").materials[0].base_color_texture is None
    (tmp_path / "cow_texture.png").write_bytes(png(8, 8, (1, 2, 3)))
    assert load(tmp_path / "cow.obj").materials[0].base_color_texture[0, 0].tolist() == [1, 2, 3, 255]


@pytest.mark.parametrize("suffix", ["ply", "obj"])
def test_vertex_colours_become_a_texture(tmp_path, suffix):
    ball = trimesh.creation.icosphere(2)
    codes = np.column_stack([(ball.vertices * 0.5 + 0.5) * 255, np.full(len(ball.vertices), 255)]).astype(np.uint8)
    ball.visual = trimesh.visual.ColorVisuals(ball, vertex_colors=codes)
    ball.export(tmp_path / f"a.{suffix}")
    asset = load(tmp_path / f"a.{suffix}", LoadLimits(up="z"))
    texture = asset.materials[0].base_color_texture
    rows = ((1 - asset.uvs[..., 1]) * texture.shape[0]).astype(int)
    columns = (asset.uvs[..., 0] * texture.shape[1]).astype(int)
    np.testing.assert_allclose(texture[rows, columns, :3], (asset.vertices[asset.faces] * 0.5 + 0.5) * 255, atol=1.1)
    assert asset.materials[0].source == "file"
    plain = trimesh.creation.icosphere(1)
    plain.export(tmp_path / f"plain.{suffix}")
    assert load(tmp_path / f"plain.{suffix}").materials[0].base_color_texture is None


def test_authored_normals_stay(tmp_path):
    ball = trimesh.creation.icosphere(2)
    smooth = trimesh.Trimesh(ball.vertices, ball.faces, vertex_normals=ball.vertices, process=False)
    smooth.export(tmp_path / "a.obj", include_normals=True)
    asset = load(tmp_path / "a.obj")
    np.testing.assert_allclose(asset.normals, asset.vertices[asset.faces], atol=2e-3)


def test_instances_are_baked(tmp_path):
    scene = trimesh.Scene()
    box = trimesh.creation.box()
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = 5.0
    scene.add_geometry(box, node_name="one", geom_name="box")
    scene.graph.update("two", "world", matrix=mirror, geometry="box")
    scene.export(tmp_path / "a.glb")
    asset = load(tmp_path / "a.glb")
    assert len(asset.faces) == 24
    assert len(asset.part_names) == 2
    # Both are wound outwards although one was mirrored.
    assert all(volume(asset.vertices, asset.faces[asset.part_ids == k]) > 0 for k in (0, 1))


def test_our_own_glb_comes_back_as_it_was(tmp_path, of_trimesh):
    asset = of_trimesh(trimesh.creation.icosphere(2)).normalized()
    (tmp_path / "a.glb").write_bytes(to_glb(asset))
    assert load(tmp_path / "a.glb").content_hash == asset.content_hash


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.obj", b"this is a letter, not a mesh\n" * 5, "empty"),
        ("a.obj", b"", "empty"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "empty"),
        ("a.obj", b"v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not_finite"),
        ("a.obj", b"v 0 0 inf\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not_finite"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "unreadable"),
        ("a.obj", b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "no_extent"),
        ("a.obj", bytes(range(256)) * 20, "empty"),
        ("a.off", b"OFF\n3 1 0\n0 0 0\n", "unreadable"),
        ("a.off", b"OFF\n4000000 4000000 0\n0 0 0\n", "truncated"),
        ("a.ply", b"not a ply", "unreadable"),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 99999999999\nend_header\n", "too_large"),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 3000000\nend_header\n", "truncated"),
        ("a.stl", b"\0" * 80 + struct.pack("<I", 1_000_000) + b"\0" * 50, "truncated"),
        ("a.stl", b"\0" * 80 + struct.pack("<I", 4_000_000_000), "truncated"),
        ("a.glb", b"glTF", "truncated"),
        ("a.glb", b"PK\x03\x04 zip", "unreadable"),
        ("a.gltf", b"{", "unreadable"),
        ("a.gltf", b"[1, 2]", "unreadable"),
        ("a.blend", b"BLENDER", "unsupported_format"),
        ("a.usdz", b"no archive", "unreadable"),
    ],
)
def test_broken_files_are_refused(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    answer = refused(tmp_path / name)
    # Where a header's count is checked first, "too_large" is as good an answer as "truncated".
    assert answer == reason or (reason == "truncated" and answer == "too_large")


def test_limits_are_kept(tmp_path):
    trimesh.creation.icosphere(3).export(tmp_path / "a.ply")
    assert refused(tmp_path / "a.ply", max_bytes=100) == "too_large"
    assert refused(tmp_path / "a.ply", max_faces=1000) == "too_large"
    assert refused(tmp_path / "a.ply", max_vertices=100) == "too_large"
    assert refused(tmp_path / "missing.ply") == "missing_file"


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_glb_is_refused(tmp_path, share):
    data = trimesh.creation.icosphere(2).export(file_type="glb")
    (tmp_path / "a.glb").write_bytes(data[: int(len(data) * share)])
    assert refused(tmp_path / "a.glb") == "truncated"


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "..\\secret.png", "sub/../../secret.png", "http://example.com/a.png", "C:/a.png"]
)
def test_textures_outside_the_folder_are_refused(obj, tmp_path, name):
    (tmp_path.parent / "secret.png").write_bytes(png(2, 2))
    assert refused(obj(f"newmtl red\nmap_Kd {name}\n")) == "unsafe_path"
    assert refused(obj(text=QUAD_OBJ.replace("a.mtl", name))) == "unsafe_path"


def test_decompression_bombs_are_refused(obj):
    mtl = "newmtl red\nmap_Kd t.png\n"
    assert refused(obj(mtl, bomb(60_000, 60_000))) == "image_too_large"
    assert refused(obj(mtl, png(64, 64)), max_texture_side=32) == "image_too_large"
    assert refused(obj(mtl, b"no image")) == "bad_image"
    assert refused(obj(mtl, bomb(100, 100))) == "bad_image"  # the header fits, the pixels are not there


@pytest.fixture
def gltf(tmp_path):
    """Writes a minimal .gltf of one triangle, changed by a function."""

    def write(change):
        body = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]]).tobytes()
        document = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
            "buffers": [{"byteLength": 36, "uri": "data:application/octet-stream;base64," + base64.b64encode(body).decode()}],
            "bufferViews": [{"buffer": 0, "byteLength": 36}],
            "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        }
        change(document)
        (tmp_path / "a.gltf").write_text(json.dumps(document))
        return tmp_path / "a.gltf"

    return write


def textured(document, uri):
    """Gives the triangle a material whose image lies at a URI."""
    document["meshes"][0]["primitives"][0]["material"] = 0
    document["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    document |= {"textures": [{"source": 0}], "images": [{"uri": uri}]}


def test_a_minimal_gltf_is_read(gltf):
    assert len(load(gltf(lambda d: None)).faces) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["nodes"].__setitem__(0, {"mesh": 0, "children": [0]}), "node_cycle"),
        (lambda d: d.update(nodes=[{"children": [1]}, {"children": [0], "mesh": 0}]), "node_cycle"),
        (lambda d: d["accessors"][0].update(count=4_000_000_000), "too_large"),
        (lambda d: d["accessors"][0].update(count=30), "bad_accessor"),
        (lambda d: d["bufferViews"][0].update(byteLength=99), "bad_accessor"),
        (lambda d: d["buffers"][0].update(byteLength=99), "truncated"),
        (lambda d: d["buffers"][0].update(uri="missing.bin"), "missing_buffer"),
        (lambda d: d["buffers"][0].update(uri="../up.bin"), "unsafe_path"),
        (lambda d: d["buffers"][0].pop("uri"), "missing_buffer"),
        (lambda d: d.update(extensionsRequired=["EXT_unheard_of"]), "unsupported_extension"),
        (lambda d: textured(d, "../../x.png"), "unsafe_path"),
        (lambda d: textured(d, "missing.png"), "bad_image"),
        (lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(POSITION=7), "unreadable"),
        (lambda d: d["nodes"][0].update(mesh=5), "unreadable"),
        (lambda d: d.update(nodes="x"), "unreadable"),
    ],
)
def test_lying_gltf_is_refused(gltf, change, reason):
    assert refused(gltf(change)) == reason


def test_instancing_beyond_the_limit_is_refused(gltf):
    def many(document):
        document["nodes"] = [{"mesh": 0} for _ in range(50)]
        document["scenes"] = [{"nodes": list(range(50))}]

    assert refused(gltf(many), max_faces=49) == "too_large"
    assert refused(gltf(many), max_geometries=49) == "too_large"


def test_a_name_or_a_file_that_cannot_be_read_is_refused(tmp_path):
    box = tmp_path / "box.stl"
    trimesh.creation.box().export(box)
    odd = box.rename(tmp_path / "box \udcff.stl")
    with pytest.raises(AssetError, match=r"box \\xff\.stl is not UTF-8") as refusal:
        load(odd)
    assert refusal.value.reason == "bad_name"
    (tmp_path / "mem.stl").symlink_to("/proc/self/mem")  # opens, and then fails to be read, for root too
    with pytest.raises(AssetError, match=r"mem\.stl can't be read") as refusal:
        load(tmp_path / "mem.stl")
    assert refusal.value.reason == "unreadable"
