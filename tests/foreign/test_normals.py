"""Normals face the visible side whatever the file says; a GLB of ours that was edited is read like any GLB."""

import dataclasses
import io
import json
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh
from foreign_files import Gltf
from hypothesis import given, settings
from hypothesis import strategies as st

from versemill.camera import Camera, intrinsics, look_at
from versemill.curation import CurationConfig, LoadLimits, curate, load, sample
from versemill.curation.clean import clean
from versemill.curation.config import FieldsConfig
from versemill.gltf import from_glb, to_glb
from versemill.mesh import corner_normals, face_normals, facing_normals, volume
from versemill.render.engine import render_views
from versemill.shards.checks import check_surface, check_views


def ball(normals=1.0, inside_out=False):
    """A GLB of a ball whose shading normals are scaled by a factor, -1 points them inwards, and whose faces may be turned."""
    shape = trimesh.creation.icosphere(3)
    faces = shape.faces[:, ::-1] if inside_out else shape.faces
    made = Gltf()
    mesh = made.mesh(shape.vertices, faces, NORMAL=np.float32(shape.vertices * normals))
    return made.nodes({"mesh": mesh}).glb()


def cameras():
    eyes = ((0, -4, 0.5), (4, 1, 1), (-2, 2, 3))
    return tuple(Camera(c2w=look_at(eye), K=intrinsics(40.0, 64, 64), width=64, height=64) for eye in eyes)


def seen(asset):
    """Views of an asset, all of whose normals face their camera."""
    views = render_views(asset, cameras(), passes=("normal", "depth", "mask"), device="cpu")
    assert check_views(views) == []
    return views


@pytest.mark.parametrize("normals", [1.0, -1.0])
@pytest.mark.parametrize("inside_out", [False, True])
def test_normals_that_contradict_the_winding(tmp_path, normals, inside_out):
    (tmp_path / "a.glb").write_bytes(ball(normals, inside_out))
    asset = load(tmp_path / "a.glb")
    seen(asset)
    cleaned, repairs = clean(asset, 1e-6, 0.0)
    assert repairs.get("turned_normals", 0) == (1280 if (normals < 0) != inside_out else 0)
    assert volume(cleaned.vertices, cleaned.faces) > 0
    # What comes out is smooth and points outwards, whichever of the two was wrong.
    np.testing.assert_allclose(cleaned.normals, cleaned.vertices[cleaned.faces], atol=2e-3)
    curated = curate(asset, CurationConfig(resolution=64))
    assert curated.metrics["repairs"].get("turned_normals", 0) == repairs.get("turned_normals", 0)
    seen(curated.asset)
    fields = sample(curated, FieldsConfig(surface_points=512))
    assert check_surface(curated.watertight_vertices, curated.watertight_faces, fields) == []
    assert (np.einsum("ij,ij->i", fields.surface[:, :3], fields.surface[:, 3:]) > 0).all()


def test_verify_finds_normals_that_face_away():
    asset = from_glb(ball()).normalized()
    views = seen(asset)
    wrong = dataclasses.replace(views, passes=views.passes | {"normal": -views.passes["normal"]})
    ((kind, message),) = check_views(wrong)
    assert kind == "normals"
    assert "'normal' point away from the camera; limit 5%" in message
    curated = curate(asset, CurationConfig(resolution=64))
    fields = sample(curated, FieldsConfig(surface_points=512))
    turned = dataclasses.replace(fields, surface=fields.surface * np.float32([1, 1, 1, -1, -1, -1]))
    vertices, faces = curated.watertight_vertices, curated.watertight_faces
    assert [kind for kind, _ in check_surface(vertices, faces, turned)] == ["normals"]
    assert [kind for kind, _ in check_surface(vertices, faces[:, ::-1], fields)] == ["normals"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_corrected_normals_never_oppose_their_face(seed):
    rng = np.random.default_rng(seed)
    shape = trimesh.creation.icosphere(1)
    vertices, faces = shape.vertices + rng.normal(0, 0.1, shape.vertices.shape), shape.faces
    wild = rng.normal(size=(len(faces), 3, 3))
    wild = (wild / np.linalg.norm(wild, axis=-1, keepdims=True)).astype(np.float32)
    right, _ = facing_normals(vertices, faces, wild)
    assert (np.einsum("ijk,ik->ij", right, face_normals(vertices, faces)) > -1e-6).all()
    np.testing.assert_allclose(np.linalg.norm(right, axis=-1), 1, atol=1e-5)
    again, turned = facing_normals(vertices, faces, right)
    np.testing.assert_allclose(again, right, atol=1e-6)
    smooth = corner_normals(vertices, faces, 180.0)
    kept, turned = facing_normals(vertices, faces, smooth)
    if (np.einsum("ijk,ik->ij", smooth, face_normals(vertices, faces)) >= 0).all():
        assert turned == 0
        assert kept is smooth


def own():
    """A GLB of ours, and its asset."""
    asset = from_glb(ball()).normalized()
    asset = dataclasses.replace(asset, caption="A ball.", provenance={"made": "here"})
    return to_glb(asset), asset


def edited(data, change):
    """A GLB whose JSON a function changed."""
    size = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + size])
    change(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


def test_a_glb_of_ours_that_trimesh_wrote_again(tmp_path):
    data, asset = own()
    scene = trimesh.load(io.BytesIO(data), file_type="glb", process=False)
    for shape in scene.geometry.values():
        shape.apply_scale([1, 1, 2])
    (tmp_path / "a.glb").write_bytes(scene.export(file_type="glb"))
    back = load(tmp_path / "a.glb")
    assert len(back.faces) == len(asset.faces)
    assert np.ptp(back.vertices, axis=0) == pytest.approx([1, 2, 1], abs=0.02)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["nodes"][0].update(scale=[1, 1, 2]),
        lambda d: d["asset"].update(generator="another program"),
        lambda d: d["scenes"][0]["extras"]["versemill"].update(face_order=0),
        lambda d: d["scenes"][0]["extras"]["versemill"].pop("center"),
        lambda d: d["scenes"][0]["extras"].update(versemill="nonsense"),
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].pop("_VERTEX_INDEX"),
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(_VERTEX_INDEX=2),
    ],
)
def test_a_glb_of_ours_whose_words_no_longer_fit(tmp_path, change):
    data, asset = own()
    assert from_glb(data).content_hash == asset.content_hash
    (tmp_path / "a.glb").write_bytes(edited(data, change))
    back = load(tmp_path / "a.glb")
    assert len(back.faces) == len(asset.faces)
    assert len(back.vertices) == len(asset.vertices)


BLENDER = Path(LoadLimits().blender)
EDIT = """
import sys
import bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=sys.argv[1])
for thing in bpy.context.scene.objects:
    thing.scale.z *= 2
options = dict(filepath=sys.argv[2], export_format="GLB", export_extras=True, export_attributes=True)
bpy.ops.export_scene.gltf(**options)
"""


@pytest.mark.slow
@pytest.mark.skipif(not BLENDER.exists(), reason="Blender is not here (make blender)")
def test_a_glb_of_ours_that_blender_wrote_again(tmp_path):
    data, asset = own()
    (tmp_path / "a.glb").write_bytes(data)
    (tmp_path / "edit.py").write_text(EDIT)
    command = [BLENDER, "-P", tmp_path / "edit.py", tmp_path / "a.glb", tmp_path / "b.glb"]
    subprocess.run(command, check=True, capture_output=True)
    back = load(tmp_path / "b.glb")
    assert len(back.faces) == len(asset.faces)
    assert np.ptp(back.vertices, axis=0) == pytest.approx([1, 1, 2], abs=0.02)
    assert back.caption == "A model named b."
