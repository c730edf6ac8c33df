"""Colour names that people use, the palettes of styles and periods, and the name of any colour."""

import colorsys
from collections.abc import Sequence

COLORS: dict[str, tuple[float, float, float]] = {
    "white": (0.92, 0.92, 0.90),
    "ivory": (0.91, 0.87, 0.77),
    "cream": (0.92, 0.85, 0.70),
    "beige": (0.79, 0.71, 0.58),
    "tan": (0.71, 0.56, 0.40),
    "light brown": (0.58, 0.44, 0.31),
    "brown": (0.41, 0.28, 0.18),
    "dark brown": (0.25, 0.17, 0.12),
    "black": (0.06, 0.06, 0.065),
    "dark grey": (0.22, 0.22, 0.23),
    "grey": (0.47, 0.47, 0.47),
    "light grey": (0.71, 0.71, 0.70),
    "blue-grey": (0.39, 0.47, 0.54),
    "red": (0.58, 0.17, 0.15),
    "dark red": (0.40, 0.09, 0.10),
    "brick red": (0.58, 0.29, 0.21),
    "reddish brown": (0.45, 0.24, 0.16),
    "orange": (0.75, 0.45, 0.27),
    "ginger": (0.60, 0.38, 0.22),
    "mustard yellow": (0.67, 0.54, 0.27),
    "yellow": (0.85, 0.73, 0.42),
    "pale yellow": (0.91, 0.84, 0.60),
    "golden brown": (0.62, 0.45, 0.26),
    "olive green": (0.40, 0.41, 0.22),
    "green": (0.22, 0.42, 0.22),
    "dark green": (0.10, 0.25, 0.16),
    "light green": (0.54, 0.68, 0.42),
    "grey-green": (0.50, 0.57, 0.47),
    "teal": (0.13, 0.38, 0.39),
    "turquoise": (0.30, 0.60, 0.60),
    "light blue": (0.57, 0.70, 0.81),
    "blue": (0.20, 0.33, 0.57),
    "dark blue": (0.10, 0.15, 0.31),
    "lilac": (0.66, 0.59, 0.74),
    "purple": (0.35, 0.21, 0.43),
    "pink": (0.84, 0.57, 0.61),
    "pale pink": (0.89, 0.75, 0.72),
}
"""Name -> sRGB, as strong as such things are in a room or a street."""

PALETTES: dict[str, tuple[str, ...]] = {
    "classical": ("ivory", "cream", "white", "dark red", "dark green", "dark blue", "beige", "mustard yellow", "grey-green"),
    "industrial": ("grey", "dark grey", "light grey", "black", "blue-grey", "dark green", "mustard yellow", "orange", "red"),
    "rustic": ("cream", "brick red", "brown", "olive green", "blue-grey", "mustard yellow", "beige", "dark green", "white"),
    "organic": ("beige", "light brown", "olive green", "grey-green", "cream", "brown", "light grey", "pale pink"),
    "ornate": ("dark red", "dark blue", "dark green", "ivory", "purple", "black", "teal", "mustard yellow"),
    "alien": ("white", "light grey", "dark grey", "black", "teal", "lilac", "blue-grey", "turquoise"),
    "plain": ("red", "blue", "white", "black", "grey", "green", "yellow", "light blue", "dark green", "cream", "dark blue",
              "orange", "light grey", "dark red", "beige"),
}  # fmt: skip
"""Style -> the colours of its paints, cloths and glazes."""


def name(color: Sequence[float]) -> str:
    """The name of an sRGB colour in [0, 1]: the nearest of COLORS, where hue counts for more the stronger a colour is."""
    return min(COLORS, key=lambda known: _distance(color, COLORS[known]))


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    """Squared distance in a cone of hue, chroma and value."""
    total = 0.0
    cones = []
    for color in (a, b):
        hue, saturation, value = colorsys.rgb_to_hsv(*color[:3])
        turn = 2 * 3.141592653589793 * hue
        cones.append((saturation * value, turn, value))
    (c0, h0, v0), (c1, h1, v1) = cones
    gap = abs((h0 - h1 + 3.141592653589793) % (2 * 3.141592653589793) - 3.141592653589793)
    total += (c0 - c1) ** 2 + c0 * c1 * gap**2 + 0.6 * (v0 - v1) ** 2
    return total
