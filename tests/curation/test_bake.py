"""Baked textures show what the source shows, on whatever mesh took its place."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from versemill.curation import CurationConfig, curate, meshlab
from versemill.curation.bake import LINEAR, appearance, bake
from versemill.materials.material import Material
from versemill.materials.vertex_colors import paint
from versemill.mesh import corner_normals, sample_surface, topology
from versemill.queries import MeshQuery

needs_meshlab = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import pymeshlab, xatlas"], capture_output=True, check=False).returncode != 0,
    reason="pymeshlab and xatlas can't be imported here (pip install 'versemill[meshlab]')",
)


@pytest.fixture
def ripples(of_trimesh):
    """A ball with gentle dents, painted by vertex colours that follow the position, on top of a half that is metal."""
    ball = trimesh.creation.icosphere(5)
    ball.vertices *= 1 + 0.015 * np.prod(np.sin(9 * ball.vertices), axis=1, keepdims=True)
    asset = of_trimesh(ball).normalized()
    corners = asset.vertices[asset.faces]
    ids = (corners.mean(1)[:, 2] > 0).astype(np.int32)
    colors = np.concatenate([(corners * 0.4 + 0.5) * 255, np.full((*corners.shape[:2], 1), 255)], -1).astype(np.uint8)
    materials = (Material("a", roughness=0.3), Material("b", metallic=1.0, roughness=0.8))
    all_colored = np.ones(len(asset.faces), bool)
    uvs, materials, whole = paint(asset.vertices, asset.faces, asset.uvs, ids, materials, colors, all_colored)
    assert whole
    return dataclasses.replace(asset, uvs=uvs, material_ids=ids, materials=materials)


def compared(source, result, count=4000):
    """Both assets' colour (linear RGBA), surface and normals at the same places."""
    points, face, weights = sample_surface(result.vertices, result.faces, count, np.random.default_rng(0))
    _, near, spots = MeshQuery(source.vertices, source.faces).closest(points)
    corners = source.vertices[source.faces[near]].astype(float)
    at = trimesh.triangles.points_to_barycentric(corners, spots.astype(float))
    return appearance(result, face, weights), appearance(source, near, np.clip(at, 0, 1))


def degrees(a, b):
    return np.degrees(np.arccos(np.clip((a * b).sum(1), -1, 1)))


@needs_meshlab
@pytest.mark.parametrize("how", ["auto", "remesh"])
def test_a_reduced_mesh_looks_like_its_source(ripples, how):
    small, done = meshlab.reduce(ripples, 1500, how, 512)
    assert done == {"auto": "baked", "remesh": "remeshed"}[how]  # a chart per face: there are no UVs to keep
    assert 1000 <= len(small.faces) <= 1500
    assert topology(small.faces).watertight
    assert small.uvs.min() >= 0
    assert small.uvs.max() <= 1
    (color, surface, normal, _), (color2, surface2, normal2, _) = compared(ripples, small)
    assert np.abs(color - color2).mean() < 0.01
    sides = np.abs(small.vertices[small.faces].mean(1)[:, 2]).max()
    assert sides > 0.9
    assert (np.abs(surface - surface2).max(1) < 0.02).mean() > 0.97  # all but the line between the two materials
    off = degrees(normal, normal2)
    plain = dataclasses.replace(small, materials=(dataclasses.replace(small.materials[0], normal_texture=None),))
    lost = degrees(compared(ripples, plain)[0][2], normal2)
    assert off.mean() < 2.5
    assert off.mean() < 0.4 * lost.mean()
    assert small.materials[0].source == "baked"
    assert small.materials[0].licence == "unknown"  # that of the painted ones


def test_baking_onto_the_same_mesh_changes_nothing_that_is_seen(of_trimesh):
    """A cube with one chart per side, all materials and normal maps of its own."""
    box = trimesh.creation.box((2, 2, 2))
    asset = of_trimesh(box).normalized()
    side = np.repeat(np.arange(6), 2)
    normal = np.abs(box.face_normals).argmax(1) + 3 * (box.face_normals.sum(1) > 0)
    axes = np.array([[1, 2], [0, 2], [0, 1]])[normal % 3]
    plane = np.take_along_axis(box.vertices[box.faces], axes[:, None].repeat(3, 1), 2) * 0.5 + 0.5
    source_uvs = plane.astype(np.float32)
    rng = np.random.default_rng(1)
    smooth = np.kron(rng.integers(60, 200, (6, 8, 8, 4)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    bump = np.full((16, 16, 3), (150, 110, 245), np.uint8)
    modes = ["opaque", "mask", "opaque", "opaque", "opaque", "opaque"]
    materials = tuple(
        Material(str(k), base_color_texture=smooth[k], alpha_mode=modes[k], alpha_cutoff=0.3, normal_texture=bump, metallic=0.5)
        for k in range(6)
    )
    asset = dataclasses.replace(asset, uvs=source_uvs, material_ids=normal.astype(np.int32), materials=materials)
    cell = np.stack([normal % 3, normal // 3], 1)
    atlas = ((plane * 0.96 + 0.02 + cell[:, None]) / [3, 2]).astype(np.float32)
    baked = bake(asset, asset.vertices, asset.faces, atlas, 768)
    (color, surface, world, _), (color2, surface2, world2, _) = compared(asset, baked)
    assert np.abs(color[:, :3] - color2[:, :3]).mean() < 0.01
    assert set(np.unique(color2[:, 3])) == {0.0, 1.0}  # what the mask cut away stays cut away
    assert np.abs(color[:, 3] - color2[:, 3]).mean() < 0.02
    np.testing.assert_allclose(surface, surface2, atol=1 / 255)
    assert degrees(world, world2).max() < 2
    assert (
        degrees(world2, np.asarray(corner_normals(asset.vertices, asset.faces))[:, 0][side[:1]].repeat(len(world2), 0)).max()
        > 20
    )
    assert baked.materials[0].alpha_mode == "mask"
    assert LINEAR[255] == 1


@needs_meshlab
def test_curation_says_how_it_met_the_budget(ripples):
    kept = curate(ripples, CurationConfig(face_budget=2000, bake_size=256))
    assert kept.methods["reduced_by"] == "baked"
    assert kept.methods["reduced_from"] == len(ripples.faces)
    assert len(kept.asset.faces) <= 2000
    assert kept.asset.materials[0].base_color_texture.shape == (256, 256, 4)
