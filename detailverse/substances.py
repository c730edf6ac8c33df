"""What parts are made of: groups of substances, and the texture recipe of a substance in a shade."""

from collections.abc import Callable
from typing import Any

import numpy as np

from versemill.detailverse import colors
from versemill.detailverse.substance_table import SUBSTANCES
from versemill.materials import procedural
from versemill.materials.palette import near

Rgb = list[float]
Recipe = dict[str, Any]

GROUPS: dict[str, tuple[str, ...]] = {
    "stone": (
        "white marble",
        "grey marble",
        "black marble",
        "green marble",
        "granite",
        "red granite",
        "sandstone",
        "limestone",
        "concrete",
        "bronze",
    ),
    "masonry": ("brick", "limestone", "sandstone", "granite", "plaster", "concrete", "cobblestone"),
    "roof": ("roof tile", "slate", "copper", "painted metal", "thatch", "green bronze"),
    "metal": ("steel", "brass", "bronze", "cast iron", "copper", "polished steel", "aluminium", "painted metal", "rusty iron"),
    "precious": ("gold", "silver", "brass", "bronze", "copper", "gold"),
    "bare metal": ("steel", "polished steel", "aluminium", "chrome", "cast iron"),
    "trim stone": ("limestone", "sandstone", "white marble", "granite", "plaster"),
    "joinery": ("oak", "walnut", "painted wood", "pine"),
    "blade": ("polished steel", "steel", "wrought iron", "polished steel"),
    "hilt": ("brass", "bronze", "steel", "gold", "wrought iron", "silver"),
    "barrel": ("bronze", "cast iron", "cast iron", "brass"),
    "instrument wood": ("mahogany", "walnut", "ginger wood", "ebony"),
    "tone wood": ("pine", "ash wood", "oak", "ginger wood"),
    "piano wood": ("black lacquer", "black lacquer", "mahogany", "walnut", "white lacquer"),
    "horn brass": ("brass", "silver", "gold", "brass"),
    "harp wood": ("gold", "walnut", "mahogany", "oak", "white lacquer"),
    "bar wood": ("mahogany", "walnut", "pine", "painted wood"),
    "tool steel": ("steel", "polished steel", "cast iron", "chrome"),
    "tool wood": ("oak", "walnut", "mahogany", "ginger wood"),
    "tool paint": ("painted metal", "copper", "brass", "painted metal"),
    "plate": ("porcelain", "stoneware", "glazed clay"),
    "radio case": ("walnut", "mahogany", "oak", "device plastic", "ginger wood"),
    "knob metal": ("brass", "aluminium", "chrome", "device dark", "gold"),
    "laptop": ("aluminium", "device dark", "aluminium", "device plastic"),
    "post": ("wrought iron", "oak", "cast iron", "painted wood", "painted metal"),
    "grave stone": ("granite", "grey marble", "limestone", "slate", "sandstone", "white marble"),
    "socle": ("black marble", "grey marble", "granite", "limestone", "green marble", "white marble"),
    "lattice": ("aluminium", "plastic", "brass", "steel", "painted metal", "white marble"),
    "iron": ("wrought iron", "cast iron", "steel", "brass", "rusty iron"),
    "paint": ("painted metal", "worn paint", "plastic", "car paint", "steel", "painted metal"),
    "hull": ("painted metal", "worn paint", "steel", "aluminium", "painted metal"),
    "load bed": ("pine", "oak", "painted metal"),
    "wood": ("oak", "pine", "walnut", "mahogany", "ebony", "painted wood"),
    "fine wood": ("walnut", "mahogany", "oak", "ash wood", "ebony"),
    "handle": ("oak", "ash wood", "walnut", "plastic", "rubber", "leather"),
    "vessel": (
        "terracotta",
        "porcelain",
        "glazed clay",
        "stoneware",
        "bronze",
        "white marble",
        "glass",
        "hammered copper",
        "silver",
        "oak",
    ),
    "pottery": ("terracotta", "glazed clay", "stoneware", "terracotta", "concrete"),
    "fabric": ("linen", "cotton", "wool", "velvet", "leather", "tartan"),
    "soft": ("linen", "cotton", "velvet", "wool", "tartan"),
    "yarn": ("knitted wool", "wool", "cotton"),
    "trim": ("cotton", "velvet", "rope", "wool"),
    "cloth": ("linen", "cotton", "velvet", "wool", "leather", "knitted wool"),
    "carpet": ("wool", "cotton", "tartan", "knitted wool"),
    "basket": ("wicker", "straw", "wicker", "oak"),
    "gem": ("gem", "pearl", "gem"),
    "lamp": ("lamp glass", "clear glass", "red glass"),
    "glass": ("dark glass", "clear glass"),
    "mineral": ("granite rock", "limestone rock", "sandstone rock", "basalt", "mossy rock", "slate"),
    "seashell": ("shell", "shell", "striped shell"),
    "panel": ("limestone", "white marble", "oak", "walnut", "sandstone", "bronze", "terracotta", "green marble", "plaster"),
    "crystal": ("quartz", "amethyst", "rose quartz", "smoky quartz", "fluorite"),
    "statue": ("white marble", "bronze", "limestone", "green bronze", "black marble", "terracotta", "plaster"),
}
"""Material group -> its substances. The name of a substance is a group of itself alone."""

WILD = (
    "camouflage",
    "checker",
    "polka_dots",
    "stripes",
    "wallpaper",
    "mosaic",
    "terrazzo",
    "hexagons",
    "tartan",
    "quilted",
    "carbon_fibre",
    "car_paint",
    "plastic",
    "leather",
    "worn_paint",
    "marble",
    "noise",
    "scales",
    "tiles",
    "polished_metal",
    "hammered_metal",
    "tread_plate",
    "rust",
    "woven",
    "knit",
    "felt",
)
"""Texture families of what may look like anything, in any colours."""

PATTERNS = {
    "camouflage": "camouflage",
    "checker": "chequered",
    "polka_dots": "spotted",
    "stripes": "striped",
    "wallpaper": "flowery",
    "mosaic": "mosaic",
    "terrazzo": "speckled",
    "hexagons": "hexagon-tiled",
    "tartan": "tartan",
    "quilted": "quilted",
    "noise": "mottled",
    "scales": "scaly",
    "tiles": "tiled",
    "panels": "panelled",
    "parquet": "parquet",
    "planks": "planked wood",
    "wood": "wood",
    "bark": "bark",
    "cork": "cork",
    "leather": "leather",
    "moss": "mossy",
    "marble": "marble",
    "granite": "granite",
    "concrete": "concrete",
    "plaster": "plaster",
    "sand": "sandstone",
    "brick": "brick",
    "cobblestone": "cobblestone",
    "woven": "woven",
    "knit": "knitted",
    "felt": "felt",
    "plastic": "plastic",
    "car_paint": "painted",
    "worn_paint": "worn painted",
    "carbon_fibre": "carbon fibre",
    "tread_plate": "chequer plate",
    "rust": "rusty iron",
    "polished_metal": "polished metal",
    "brushed_metal": "brushed metal",
    "hammered_metal": "hammered metal",
}
"""Texture family -> what people call it, for recipes that name no substance."""

_MAIN = ("color", "base", "light", "paint", "ridge", "warp", "ground", "high", "colors")


def substances(group: str) -> tuple[str, ...]:
    """Names of the substances of a group, which may be one substance's name."""
    return GROUPS.get(group, (group,))


def draw(rng: np.random.Generator, group: str, style: str, wild: bool = False) -> Recipe:
    """The recipe of a material for a group: a substance that the style likes and a shade from its palette.

    Args:
        wild: any of the `WILD` texture families, in any colours.
    """
    if wild:
        return procedural.draw(rng, WILD)
    names = substances(group)
    weights = np.array([3.0 if style in SUBSTANCES[name].styles else 1.0 for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    shades = SUBSTANCES[name].shades or (() if SUBSTANCES[name].color else colors.PALETTES[style])
    # A shade that the palette has comes more often.
    liked = np.array([2.0 if shade in colors.PALETTES[style] else 1.0 for shade in shades])
    shade = shades[int(rng.choice(len(shades), p=liked / liked.sum()))] if shades else ""
    return recipe(rng, name, shade)


def recipe(rng: np.random.Generator, name: str, shade: str = "") -> Recipe:
    """The complete recipe of a substance in a shade.

    Raises:
        ValueError: no such substance or colour.
    """
    if name not in SUBSTANCES:
        raise ValueError(f"unknown material '{name}'; known: {', '.join(sorted(SUBSTANCES))}")
    if shade and shade not in colors.COLORS:
        raise ValueError(f"unknown shade '{shade}'; known: {', '.join(colors.COLORS)}")
    kind = SUBSTANCES[name]
    drawn = procedural.draw(rng, [kind.texture])
    exact = kind.color or colors.COLORS.get(shade)
    if exact is not None:
        drawn |= _dye(kind.texture, near(rng, list(exact), 0.035), drawn)
    return {**drawn, **kind.params, "material": name, **({"shade": shade} if shade else {})}


def phrase(recipe: Recipe) -> str:
    """What a caption says of a recipe: 'oak', 'dark red leather', 'pink spotted'."""
    name = recipe.get("material")
    if name in SUBSTANCES:
        return SUBSTANCES[name].phrase.format(recipe.get("shade", "")).strip()
    family = str(recipe.get("family", ""))
    pattern = PATTERNS.get(family, family.replace("_", " "))
    if "metal" in recipe and family.endswith("_metal"):
        metal = str(recipe["metal"]).replace("_", " ").replace("anodised ", "")
        return f"{metal} metal" if str(recipe["metal"]).startswith("anodised") else metal
    color = main_color(recipe)
    said = colors.name(color) if color is not None and family not in ("tartan", "camouflage", "rust", "moss", "brick") else ""
    return f"{said} {pattern}".strip()


def main_color(recipe: Recipe) -> Rgb | None:
    """The colour that most of a recipe's surface has."""
    for key in _MAIN:
        value = recipe.get(key)
        if value is not None:
            return list(value[0]) if key == "colors" else list(value)
    return None


def _scaled(rgb: Rgb, by: float) -> Rgb:
    return [round(min(max(v * by, 0.0), 1.0), 4) for v in rgb]


def _dye(texture: str, rgb: Rgb, drawn: Recipe) -> Recipe:
    """The recipe's colours, so that it shows `rgb`."""

    def alike(*factors: float) -> list[Rgb]:
        return [_scaled(rgb, f) for f in factors]

    timber = {"light": rgb, "dark": _scaled(rgb, 0.62)}
    table: dict[str, Callable[[], Recipe]] = {
        "wood": lambda: timber,
        "planks": lambda: {**timber, "paint": None},
        "marble": lambda: {"base": rgb, "cloud": _scaled(rgb, 0.93)},
        "granite": lambda: {"colors": alike(1, 1, 0.88, 1.15, 0.75), "fleck": _scaled(rgb, 0.3)},
        "sand": lambda: {"color": rgb, "grain": _scaled(rgb, 0.65)},
        "brick": lambda: {"colors": alike(1, 0.9, 1.08, 0.82, 0.95)},
        "cobblestone": lambda: {"colors": alike(1, 0.9, 1.08, 0.82, 0.95)},
        "cork": lambda: {"colors": alike(1, 0.92, 1.06, 0.86, 0.97)},
        "bark": lambda: {"ridge": rgb, "furrow": _scaled(rgb, 0.4)},
        "moss": lambda: {"high": rgb, "low": _scaled(rgb, 0.45)},
        "felt": lambda: {"color": rgb, "second": _scaled(rgb, 0.88)},
        "woven": lambda: {"warp": rgb, "weft": _scaled(rgb, 0.86)},
        "knit": lambda: {"colors": alike(1, 0.85, 1.1)},
        "stripes": lambda: {"colors": alike(1.05, 0.72)},
        "car_paint": lambda: {"base": rgb, "flake": _scaled(rgb, 1.25)},
        "worn_paint": lambda: {"paint": rgb},
        "carbon_fibre": lambda: {"base": rgb},
    }
    return table.get(texture, lambda: {"color": rgb})()
