"""Vertex colours as a texture: a cell of 2 x 2 texels per face, whose bilinear interpolation is the triangle's own.

A face's corners lie at three texel centres of its cell, and the fourth completes the plane through their colours. Cells lie
in Z-order along Morton's curve through the faces, so that what mip levels average are neighbours on the surface too.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from versemill.colour import encode_srgb
from versemill.materials.material import Material, Texture
from versemill.mesh import Floats, Ints, morton_order


def paint(
    vertices: Floats,
    faces: Ints,
    uvs: NDArray[np.float32],
    material_ids: Ints,
    materials: Sequence[Material],
    colors: NDArray[np.uint8],
    colored: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], tuple[Material, ...], bool]:
    """Gives every material without textures the colours that its faces' corners have; they multiply its factor.

    A material that has a texture keeps it: its UVs are taken.

    Args:
        uvs: (F, 3, 2 S), of which the first set is written. colors: (F, 3, 4) sRGB with linear alpha.
        colored: (F,) which faces have any; others are white.

    Returns:
        UVs, materials, and whether all colours were kept.
    """
    uvs, painted, whole = uvs.copy(), list(materials), True
    white = np.where(colored[:, None, None], colors, np.uint8(255))
    for k, material in enumerate(materials):
        own = np.flatnonzero(material_ids == k)
        if (white[own] == 255).all():
            continue
        if material.textured:
            whole = False
            continue
        order = morton_order(vertices[faces[own]].mean(1))
        texture, uvs[own[order], :, :2] = cells(white[own[order]])
        if material.source == "default":
            material = dataclasses.replace(material, name="vertex colours", source="file", licence="unknown")
        painted[k] = dataclasses.replace(material, base_color_texture=texture)
    return uvs, tuple(painted), whole


def cells(colors: NDArray[np.uint8]) -> tuple[Texture, NDArray[np.float32]]:
    """A texture (H, W, 4) of one cell per face, (F, 3, 4), in Z-order, and the UVs (F, 3, 2) of the corners."""
    count = len(colors)
    number = np.arange(count, dtype=np.uint32)
    column, row = _even_bits(number).astype(np.int64), _even_bits(number >> np.uint32(1)).astype(np.int64)
    width, height = 2 * int(column.max() + 1), 2 * int(row.max() + 1)
    # The corner at the right angle is the one that keeps the fourth colour in range.
    corners = colors.astype(np.int64)
    fourth = corners[:, [1, 2, 0]] + corners[:, [2, 0, 1]] - corners
    excess = np.maximum(np.maximum(-fourth, fourth - 255), 0).sum(2)
    at = (excess.argmin(1)[:, None] + np.arange(3)) % 3
    rows = np.arange(count)[:, None]
    texture = np.zeros((height, width, 4), np.uint8)
    uvs = np.empty((count, 3, 2), np.float32)
    for k, (right, down) in enumerate(((0, 0), (1, 0), (0, 1))):
        x, y = 2 * column + right, 2 * row + down
        texture[y, x] = colors[rows[:, 0], at[:, k]]
        uvs[rows[:, 0], at[:, k]] = np.stack([(x + 0.5) / width, 1 - (y + 0.5) / height], 1)
    texture[2 * row + 1, 2 * column + 1] = np.clip(fourth[rows[:, 0], at[:, 0]], 0, 255)
    return texture, uvs


def _even_bits(code: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Every second bit of 32, closed up."""
    code = code & np.uint32(0x55555555)
    for shift, mask in ((1, 0x33333333), (2, 0x0F0F0F0F), (4, 0x00FF00FF), (8, 0x0000FFFF)):
        code = (code | (code >> np.uint32(shift))) & np.uint32(mask)
    return code


def from_linear(colors: Floats) -> NDArray[np.uint8]:
    """(..., 4) sRGB codes with linear alpha of linear RGB or RGBA in [0, 1], as glTF's COLOR_0 holds it."""
    clipped = np.clip(np.asarray(colors, np.float64), 0, 1)
    srgb = encode_srgb(clipped[..., :3])
    alpha = clipped[..., 3:] if clipped.shape[-1] == 4 else np.ones((*clipped.shape[:-1], 1))
    return np.rint(np.concatenate([srgb, alpha], -1) * 255).astype(np.uint8)
