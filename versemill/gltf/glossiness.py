"""KHR_materials_pbrSpecularGlossiness in metallic-roughness terms, by the conversion that Khronos published with it.

A surface of diffuse colour d and reflectance s is looked for among the metallic-roughness ones: how metallic it is solves a
quadratic in the two colours' brightness, and the base colour is what then gives d, or, for a metal, s.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.colour import decode_srgb
from versemill.materials.material import Texture
from versemill.materials.vertex_colors import from_linear

Floats = NDArray[np.floating[Any]]
DIELECTRIC = 0.04


def convert(diffuse: Floats, specular: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear base colours (..., 3) and metallic (...) of linear diffuse and specular colours (..., 3)."""
    strength = 1 - specular.max(-1)
    dull, shiny = (np.sqrt((np.square(c) * [0.299, 0.587, 0.114]).sum(-1)) for c in (diffuse, specular))
    b = dull * strength / (1 - DIELECTRIC) + shiny - 2 * DIELECTRIC
    root = np.sqrt(np.maximum(b * b - 4 * DIELECTRIC * (DIELECTRIC - shiny), 0))
    metallic = np.where(shiny < DIELECTRIC, 0.0, np.clip((root - b) / (2 * DIELECTRIC), 0, 1))[..., None]
    matt = diffuse * strength[..., None] / (1 - DIELECTRIC) / np.maximum(1 - metallic, 1e-6)
    metal = (specular - DIELECTRIC * (1 - metallic)) / np.maximum(metallic, 1e-6)
    share = metallic**2
    return np.clip((1 - share) * matt + share * metal, 0, 1), metallic[..., 0]


def textures(
    diffuse: Texture | None, diffuse_factor: Floats, glossy: Texture | None, specular_factor: Floats, glossiness: float
) -> tuple[Texture, Texture]:
    """Base colour (H, W, 4) and metallic-roughness (H, W, 3) textures, both with factor 1, of the larger image's size.

    Args:
        diffuse: (H, W, 4) sRGB or None. glossy: (H, W, 4), specular colour in sRGB and glossiness, or None.
        diffuse_factor: (4,) linear. specular_factor: (3,) linear.
    """
    shape = max((t.shape[:2] for t in (diffuse, glossy) if t is not None), key=lambda size: size[0] * size[1])
    base, shine = (_linear(texture, shape) for texture in (diffuse, glossy))
    base = base * diffuse_factor
    color, metallic = convert(base[..., :3], shine[..., :3] * specular_factor)
    rough = 1 - shine[..., 3] * glossiness
    values = np.stack([np.ones_like(rough), rough, metallic], -1)
    return from_linear(np.concatenate([color, base[..., 3:]], -1)), np.rint(values * 255).astype(np.uint8)


def _linear(texture: Texture | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(H, W, 4) linear values of a texture stretched to a shape; ones for None."""
    if texture is None:
        return np.ones((*shape, 4))
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, texture.shape[:2], strict=True))
    codes = texture[rows][:, columns] / 255
    return np.concatenate([decode_srgb(codes[..., :3]), codes[..., 3:]], -1)
