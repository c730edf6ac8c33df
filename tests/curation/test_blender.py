"""FBX and USD through Blender: what survives, what is refused, and what is said where there is no Blender."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from versemill.curation import LoadLimits, load
from versemill.errors import AssetError
from versemill.mesh import face_areas, topology, volume

PYTHON = Path(__file__).parents[2] / ".venv-blender/bin/python"
needs_blender = pytest.mark.skipif(
    not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import bpy"], capture_output=True, check=False).returncode != 0,
    reason=f"no Blender: {PYTHON} is missing or can't import bpy; `make blender` installs it",
)
LIMITS = LoadLimits(blender=str(PYTHON))

# A textured box that moves (frame 0 is not where it is authored) and a ring, exported by Blender itself.
SCENE = """
import sys
from pathlib import Path
import bpy
out = Path(sys.argv[1])
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.mesh.primitive_cube_add(size=2)
box = bpy.context.object
box.scale = (1, 1, 1.5)
for frame, x in ((0, 3), (10, 8)):
    box.location = (x, 0, 0)
    box.keyframe_insert("location", frame=frame)
image = bpy.data.images.new("t", 8, 8)
image.pixels[:] = [0.2, 0.4, 0.8, 1] * 64
image.filepath_raw, image.file_format = str(out / "t.png"), "PNG"
image.save()
blue = bpy.data.materials.new("blue")
blue.use_nodes = True
texture = blue.node_tree.nodes.new("ShaderNodeTexImage")
texture.image = image
blue.node_tree.links.new(texture.outputs[0], blue.node_tree.nodes["Principled BSDF"].inputs["Base Color"])
box.data.materials.append(blue)
bpy.ops.mesh.primitive_torus_add(location=(0, 0, 0))
bpy.context.scene.frame_start = 0
bpy.context.scene.frame_set(10)
bpy.ops.export_scene.fbx(filepath=str(out / "a.fbx"))
for suffix in ("usda", "usdc", "usdz"):
    bpy.ops.wm.usd_export(filepath=str(out / f"a.{suffix}"), export_animation=suffix != "usda")
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    (folder / "make.py").write_text(SCENE)
    subprocess.run([PYTHON, folder / "make.py", folder], check=True, capture_output=True)
    return folder


@needs_blender
@pytest.mark.parametrize(("suffix", "x"), [("fbx", 3), ("usdc", 3), ("usdz", 3), ("usda", 8)])  # the last has no animation
def test_scenes_keep_parts_textures_axes_and_frame_0(scenes, suffix, x):
    asset = load(scenes / f"a.{suffix}", LIMITS)
    assert asset.part_names == ("Cube", "Torus")
    box = asset.part_ids == 0
    corners = asset.vertices[asset.faces[box]].reshape(-1, 3) * asset.scale + np.asarray(asset.center)
    np.testing.assert_allclose([corners.min(0), corners.max(0)], [[x - 1, -1, -1.5], [x + 1, 1, 1.5]], atol=1e-4)
    assert topology(asset.faces).watertight
    assert volume(asset.vertices, asset.faces[box]) * asset.scale**3 == pytest.approx(12, rel=1e-4)
    blue = asset.materials[asset.material_ids[box][0]]
    assert blue.base_color_texture[0, 0].tolist() == [51, 102, 204, 255]
    assert asset.provenance["blender"].startswith("4.")
    assert load(scenes / f"a.{suffix}", LIMITS).content_hash == asset.content_hash


@needs_blender
def test_textures_outside_the_folder_are_left_out(scenes, tmp_path):
    shutil.copy(scenes / "a.fbx", tmp_path / "a.fbx")  # its texture stayed behind
    shutil.copy(scenes / "t.png", tmp_path / "secret.png")
    (tmp_path / "sub").mkdir()
    text = (scenes / "a.usda").read_text()
    assert "./textures/t.png" in text
    (tmp_path / "sub/a.usda").write_text(text.replace("./textures/t.png", "../secret.png"))
    for name, texture in (("a.fbx", "t.png"), ("sub/a.usda", "secret.png")):
        asset = load(tmp_path / name, LIMITS)
        assert asset.provenance["textures_left_out"] == [texture]
        assert all(material.base_color_texture is None for material in asset.materials)


@needs_blender
def test_what_blender_cannot_do_is_a_reason(scenes, tmp_path):
    (tmp_path / "bad.fbx").write_bytes(b"Kaydara FBX Binary  \0" + bytes(range(256)))
    (tmp_path / "bad.usda").write_text("#usda 1.0\ndef Mesh {")
    (tmp_path / "empty.usda").write_text("#usda 1.0\n")
    shutil.copy(scenes / "a.fbx", tmp_path / "big.fbx")
    for name, reason, limits in (
        ("bad.fbx", "unreadable", {}),
        ("bad.usda", "unreadable", {}),
        ("empty.usda", "empty", {}),
        ("big.fbx", "too_large", {"max_faces": 100}),
        ("big.fbx", "blender_timeout", {"blender_seconds": 0.05}),
    ):
        with pytest.raises(AssetError, match=name.replace(".", r"\.")) as refusal:
            load(tmp_path / name, LoadLimits(blender=str(PYTHON), **limits))
        assert refusal.value.reason == reason


def test_without_blender_the_way_out_is_named(tmp_path):
    (tmp_path / "a.fbx").write_bytes(b"Kaydara")
    for python in (tmp_path / "python", Path("/bin/false")):
        with pytest.raises(AssetError, match=r"a\.fbx") as refusal:
            load(tmp_path / "a.fbx", LoadLimits(blender=str(python)))
    assert refusal.value.reason == "blender_crashed"
    with pytest.raises(AssetError, match=r"`make blender` installs it .* or export the model as GLB") as refusal:
        load(tmp_path / "a.fbx", LoadLimits(blender=str(tmp_path / "python")))
    assert refusal.value.reason == "needs_blender"


def test_archives_that_lie_are_refused_before_blender_starts(tmp_path):
    with zipfile.ZipFile(tmp_path / "up.usdz", "w") as archive:
        archive.writestr("../up.usda", "#usda 1.0")
    with zipfile.ZipFile(tmp_path / "bomb.usdz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.usda", b"0" * 10**6)
    for name, reason in (("up.usdz", "unsafe_path"), ("bomb.usdz", "too_large")):
        with pytest.raises(AssetError) as refusal:
            load(tmp_path / name, LoadLimits(max_bytes=10**5))
        assert refusal.value.reason == reason


# An L of one polygon, a quad that a shape key lifts, and a material whose transparency is 1 times black.
SHAPES = """
import sys
import bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
def add(name, points):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], [list(range(len(points)))])
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(thing)
    return thing
add("L", [(2, 0, 0), (2, 0, 1), (1, 0, 1), (1, 0, 2), (0, 0, 2), (0, 0, 0)])
quad = add("Quad", [(0, 1, 0), (1, 1, 0), (1, 2, 0), (0, 2, 0)])
quad.shape_key_add(name="Basis")
key = quad.shape_key_add(name="Up")
for point in key.data:
    point.co.z += 4
key.value = 0.5
glass = bpy.data.materials.new("glass")
glass.use_nodes = True
glass.node_tree.nodes["Principled BSDF"].inputs["Alpha"].default_value = 0
quad.data.materials.append(glass)
bpy.ops.export_scene.fbx(filepath=sys.argv[1])
"""


@needs_blender
def test_polygons_shape_keys_and_transparency_of_fbx(tmp_path):
    (tmp_path / "make.py").write_text(SHAPES)
    subprocess.run([PYTHON, tmp_path / "make.py", tmp_path / "a.fbx"], check=True, capture_output=True)
    asset = load(tmp_path / "a.fbx", LIMITS)
    points = asset.vertices.astype(np.float64) * asset.scale + np.asarray(asset.center)
    own = asset.part_ids == asset.part_names.index("L")
    assert face_areas(points, asset.faces[own]).sum() == pytest.approx(3, rel=1e-4)
    np.testing.assert_allclose(points[asset.faces[~own]][..., 2], 2, atol=1e-4)
    assert asset.provenance["made_opaque"] == ["glass"]
    assert all(material.base_color[3] == 1 for material in asset.materials)
