"""Procedural PBR textures without a licence: a recipe is drawn, and a material is built from the recipe alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.config import digest
from versemill.materials.canvas import Canvas, Field, Maps
from versemill.materials.families import cloth, metal, organic, pattern, stone
from versemill.materials.material import Material

_PAINTERS = {**stone.FAMILIES, **organic.FAMILIES, **metal.FAMILIES, **cloth.FAMILIES, **pattern.FAMILIES}

FAMILIES: tuple[str, ...] = tuple(sorted(_PAINTERS))
"""Names of the texture families."""

_STEEPEST = 3.0
"""Largest slope that a normal map shows; a step in the height would else turn normals into the surface."""


def draw(rng: np.random.Generator, families: Sequence[str] | None = None) -> dict[str, Any]:
    """Draws a recipe: the family, its texture seed and every parameter, as JSON-able values.

    Two numbers are taken from `rng` whatever the family is; the parameters come from the texture seed.

    Args:
        families: names of `FAMILIES` to choose from, with equal shares; None is all.

    Raises:
        ValueError: a family is unknown, or there is none to choose from.
    """
    names = FAMILIES if families is None else tuple(families)
    unknown = [name for name in names if name not in _PAINTERS]
    if unknown or not names:
        problem = f"unknown texture families {unknown}" if unknown else "no texture family to choose from"
        raise ValueError(f"{problem}; known: {', '.join(FAMILIES)}")
    family = names[int(rng.integers(len(names)))]
    seed = int(rng.integers(2**53))
    parameters = _PAINTERS[family][0](np.random.Generator(np.random.Philox(seed).jumped()))
    return {"family": family, "seed": seed, **parameters}


def build(recipe: dict[str, Any], size: int = 512) -> Material:
    """Builds the material of a recipe, with (size, size) textures that repeat without a seam.

    The same recipe shows the same pattern at any size. Base colour, roughness, metallic and normal textures are
    all there; `source` is "procedural/<family>".

    Raises:
        ValueError: the recipe's family is unknown, or the size is below 16.
    """
    family = recipe.get("family")
    if family not in _PAINTERS:
        raise ValueError(f"unknown texture family '{family}'; known: {', '.join(FAMILIES)}")
    if size < 16:
        raise ValueError(f"a procedural texture needs at least 16 pixels, got {size}")
    maps: Maps = _PAINTERS[family][1](recipe, Canvas(size, recipe["seed"]))
    base = np.full((size, size, 4), 255, np.uint8)
    base[..., :3] = _bytes(maps.color)
    surface = np.zeros((size, size, 3), np.uint8)
    surface[..., 1] = _bytes(np.maximum(maps.roughness, 0.03))
    surface[..., 2] = _bytes(maps.metallic)
    return Material(
        name=f"{family}-{digest(recipe)[:8]}",
        metallic=1.0,
        roughness=1.0,
        base_color_texture=base,
        metallic_roughness_texture=surface,
        normal_texture=normal_map(maps.height),
        source=f"procedural/{family}",
    )


def normal_map(height: Field) -> NDArray[np.uint8]:
    """Tangent-space normals (S, S, 3) uint8, +Y up, of a repeating height field (S, S) in texture widths."""
    size = height.shape[0]
    right = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * np.float32(size / 2)
    up = (np.roll(height, 1, 0) - np.roll(height, -1, 0)) * np.float32(size / 2)
    slope = np.sqrt(right * right + up * up)
    # Slopes are compressed smoothly towards the steepest, and the length of (x, y, 1) follows from what is left.
    squeeze = 1 / (1 + slope / np.float32(_STEEPEST))
    length = 1 / np.sqrt(1 + (slope * squeeze) ** 2)
    return _bytes(np.stack([-right * squeeze * length, -up * squeeze * length, length], -1) * 0.5 + 0.5)


def _bytes(values: Any) -> NDArray[np.uint8]:
    """Numbers in [0, 1] as bytes."""
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
