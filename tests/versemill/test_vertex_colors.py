"""Vertex colours as textures: bilinear interpolation of a cell is the triangle's own interpolation."""

import numpy as np
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from versemill.gltf import from_glb
from versemill.materials import Material
from versemill.materials.vertex_colors import cells, from_linear, paint


def bilinear(texture, uv):
    """(N, C) float of a texture (H, W, C) at UVs (N, 2), v up."""
    height, width = texture.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    column, row = np.floor(x + 1e-4).astype(int), np.floor(y + 1e-4).astype(int)
    right, down = np.minimum(column + 1, width - 1), np.minimum(row + 1, height - 1)
    a, b = (x - column)[:, None], (y - row)[:, None]
    t = texture.astype(float)
    return (1 - b) * ((1 - a) * t[row, column] + a * t[row, right]) + b * ((1 - a) * t[down, column] + a * t[down, right])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.integers(0, 10**6), st.integers(0, 40))
def test_any_point_of_a_face_has_the_colour_between_its_corners(count, seed, spread):
    rng = np.random.default_rng(seed)
    base = rng.integers(3 * spread, 256 - 3 * spread, (count, 1, 4))  # the fourth texel, b + c - a, stays within 0 to 255
    colors = base + rng.integers(-spread, spread + 1, (count, 3, 4))
    texture, uvs = cells(colors.astype(np.uint8))
    weights = rng.dirichlet((1, 1, 1), count)
    colours = bilinear(texture, np.einsum("ik,ikj->ij", weights, uvs.astype(float)))
    np.testing.assert_allclose(colours, np.einsum("ik,ikj->ij", weights, colors), atol=0.1)


def test_corners_are_exact_even_where_the_fourth_texel_is_cut_off():
    colors = np.random.default_rng(0).choice([0, 255], (500, 3, 4)).astype(np.uint8)
    texture, uvs = cells(colors)
    np.testing.assert_allclose(bilinear(texture, uvs.reshape(-1, 2).astype(float)), colors.reshape(-1, 4), atol=0.1)


def test_cells_do_not_overlap_and_waste_little():
    texture, uvs = cells(np.full((1000, 3, 4), 7, np.uint8))
    texel = np.floor(uvs[..., 0] * texture.shape[1]) + texture.shape[1] * np.floor((1 - uvs[..., 1]) * texture.shape[0])
    assert len(np.unique(texel)) == 3000
    assert texture.size / 4 <= 4 * 4000


def test_only_materials_without_textures_are_painted():
    ball = trimesh.creation.icosphere(1)
    faces = np.asarray(ball.faces)
    ids = np.arange(len(faces)) % 3
    picture = np.zeros((2, 2, 4), np.uint8)
    materials = (Material("plain"), Material("pictured", base_color_texture=picture, source="file"), Material("white"))
    colors = np.where((ids == 2)[:, None, None], 255, np.full((len(faces), 3, 4), 90)).astype(np.uint8)
    before = np.random.default_rng(0).random((len(faces), 3, 2)).astype(np.float32)
    uvs, painted, whole = paint(ball.vertices, faces, before, ids, materials, colors, np.ones(len(faces), bool))
    assert not whole
    assert painted[0].base_color_texture is not None
    assert painted[0].source == "file"
    assert painted[1:] == materials[1:]
    np.testing.assert_array_equal(uvs[ids > 0], before[ids > 0])
    _, _, whole = paint(ball.vertices, faces, before, 0 * ids, materials, colors, np.zeros(len(faces), bool))
    assert whole


def test_linear_colours_become_srgb():
    assert from_linear([[0.0, 1.0, 0.2122308]]).tolist() == [[0, 255, 127, 255]]
    assert from_linear([[2.0, -1.0, 0.5, 0.5]]).tolist() == [[255, 0, 188, 128]]


def test_a_glb_keeps_its_vertex_colours():
    ball = trimesh.creation.icosphere(2)
    linear = np.column_stack([ball.vertices * 0.5 + 0.5, np.ones(len(ball.vertices))])
    ball.visual = trimesh.visual.ColorVisuals(ball, vertex_colors=np.rint(linear * 255).astype(np.uint8))
    asset = from_glb(ball.export(file_type="glb"))
    texture = asset.materials[0].base_color_texture
    corners = asset.vertices[asset.faces][..., [0, 2, 1]] * [1, 1, -1]  # back to the file's Y up
    expected = from_linear(np.rint((corners * 0.5 + 0.5) * 255).reshape(-1, 3) / 255)
    shown = bilinear(texture, asset.uvs.reshape(-1, 2).astype(float))
    np.testing.assert_allclose(shown, expected, atol=4)
    assert "gltf" not in asset.provenance
