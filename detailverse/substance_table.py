"""The table of substances: what things are made of, in people's words."""

from dataclasses import dataclass, field
from typing import Any

from versemill.materials.palette import METALS


@dataclass(frozen=True)
class Substance:
    """A material that people have a word for.

    Attributes:
        texture: family of `versemill.materials.procedural` that shows it.
        phrase: how a caption names it before a noun or after "is"; "{}" stands for the shade.
        shades: names of `colors.COLORS`; empty means the colours of the style's palette.
        color: its own colour where no shade is said.
        params: values of the recipe that are not drawn.
        styles: the styles that prefer it.
    """

    texture: str
    phrase: str
    shades: tuple[str, ...] = ()
    color: tuple[float, float, float] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()


def _shaded(texture: str, phrase: str, shades: str, styles: str = "", /, **params: Any) -> Substance:
    return Substance(
        texture, phrase, tuple(s.strip() for s in shades.split(",") if s.strip()), None, params, tuple(styles.split())
    )


def _own(texture: str, phrase: str, r: float, g: float, b: float, styles: str = "", /, **params: Any) -> Substance:
    return Substance(texture, phrase, (), (r, g, b), params, tuple(styles.split()))


def _metal(phrase: str, name: str, texture: str = "polished_metal", styles: str = "", /, **params: Any) -> Substance:
    return Substance(texture, phrase, (), tuple(METALS[name]), {"metal": name, **params}, tuple(styles.split()))  # type: ignore[arg-type]


GLOSS: dict[str, Any] = {"texture": "smooth", "roughness": 0.18}
SATIN: dict[str, Any] = {"texture": "smooth", "roughness": 0.4}
MATT: dict[str, Any] = {"texture": "smooth", "roughness": 0.75}
GRAIN: dict[str, Any] = {"texture": "grain", "roughness": 0.6}
GLASS: dict[str, Any] = {"texture": "smooth", "roughness": 0.05}

SUBSTANCES: dict[str, Substance] = {
    # stone
    "white marble": _own("marble", "white marble", 0.90, 0.89, 0.86, "classical ornate", vein=[0.52, 0.50, 0.48]),
    "grey marble": _own("marble", "grey marble", 0.55, 0.55, 0.56, "classical", vein=[0.85, 0.84, 0.82]),
    "black marble": _own("marble", "black marble", 0.10, 0.10, 0.11, "ornate alien", vein=[0.75, 0.70, 0.60]),
    "green marble": _own("marble", "green marble", 0.16, 0.30, 0.24, "ornate", vein=[0.70, 0.76, 0.68]),
    "granite": _own("granite", "granite", 0.52, 0.50, 0.49, "industrial classical"),
    "red granite": _own("granite", "red granite", 0.55, 0.38, 0.34, "classical"),
    "sandstone": _own("plaster", "sandstone", 0.76, 0.64, 0.46, "classical rustic", roughness=0.9, relief=0.004),
    "limestone": _own("plaster", "limestone", 0.80, 0.76, 0.67, "classical rustic", roughness=0.9, relief=0.004),
    "slate": _own("plaster", "slate", 0.29, 0.32, 0.36, "rustic", roughness=0.7, relief=0.005),
    "basalt": _own("concrete", "basalt", 0.24, 0.24, 0.25, "", boards=0),
    "concrete": _own("concrete", "concrete", 0.60, 0.59, 0.57, "industrial"),
    "plaster": _shaded(
        "plaster", "{} plaster", "white, cream, beige, pale yellow, pale pink, light grey", "rustic classical", relief=0.004
    ),
    "brick": _shaded("brick", "{} brick", "reddish brown, dark red, tan, grey", "rustic industrial"),
    "cobblestone": _shaded("cobblestone", "{} cobblestone", "grey, beige, blue-grey", "rustic"),
    # fired clay and glass
    "terracotta": _own("plaster", "terracotta", 0.68, 0.38, 0.26, "classical rustic", roughness=0.85, relief=0.004),
    "roof tile": _own("plaster", "clay tile", 0.60, 0.32, 0.23, "classical rustic", roughness=0.85, relief=0.004),
    "stoneware": _shaded("plastic", "{} stoneware", "beige, brown, grey, blue-grey, grey-green", "rustic organic", **GRAIN),
    "porcelain": _shaded("plastic", "{} porcelain", "white, ivory, light blue, blue, grey-green", "ornate classical", **GLOSS),
    "glazed clay": _shaded("plastic", "{} glazed clay", "", "ornate rustic", **GLOSS),
    "glass": _shaded("plastic", "{} glass", "green, light blue, brown, teal, light grey, blue", "alien", **GLASS),
    "dark glass": _own("plastic", "dark glass", 0.08, 0.10, 0.12, **GLASS),
    "clear glass": _own("plastic", "pale glass", 0.72, 0.78, 0.79, **GLASS),
    "lamp glass": _own("plastic", "milky glass", 0.93, 0.90, 0.80, **GLASS),
    "red glass": _own("plastic", "red glass", 0.60, 0.10, 0.08, **GLASS),
    # metal
    "gold": _metal("gold", "gold", "polished_metal", "ornate"),
    "silver": _metal("silver", "silver", "polished_metal", "ornate classical"),
    "bronze": _metal("bronze", "bronze", "polished_metal", "classical ornate", roughness=0.33, scratches=0),
    "brass": _metal("brass", "brass", "polished_metal", "classical ornate"),
    "copper": _metal("copper", "copper", "polished_metal", "rustic", roughness=0.3, scratches=0),
    "steel": _metal("steel", "steel", "brushed_metal", "industrial alien", depth=0.05),
    "polished steel": _metal("polished steel", "steel", "polished_metal", "industrial alien"),
    "aluminium": _metal("aluminium", "aluminium", "brushed_metal", "industrial alien", depth=0.05),
    "chrome": _metal("chrome", "chrome", "polished_metal", "industrial"),
    "cast iron": _metal("cast iron", "gunmetal", "brushed_metal", "industrial rustic", roughness=0.6, depth=0.05),
    "wrought iron": _metal("wrought iron", "gunmetal", "hammered_metal", "rustic", roughness=0.4, tarnish=0.3),
    "hammered copper": _metal("hammered copper", "copper", "hammered_metal", "rustic"),
    "rusty iron": _metal("rusty iron", "iron", "rust", "industrial"),
    "green bronze": _own("plaster", "weathered green bronze", 0.36, 0.50, 0.43, "classical", roughness=0.7, relief=0.004),
    # paint, plastic, rubber
    "paint": _shaded("plastic", "{} painted", "", "rustic classical plain", **SATIN),
    "painted metal": _shaded("plastic", "{} painted metal", "", "industrial plain", **SATIN),
    "car paint": _shaded(
        "car_paint",
        "{}",
        "red, dark red, blue, dark blue, white, black, grey, light grey, green, yellow, light blue, cream, orange, dark green",
        sparkle=0.15,
        metallic=0.2,
        roughness=0.12,
    ),
    "hood cloth": _shaded("woven", "{} canvas", "black, dark brown, cream, dark green", "", threads=48),
    "wheel metal": _metal("silver-coloured", "aluminium"),
    "aircraft paint": _shaded(
        "plastic", "{}", "white, light grey, red, yellow, dark blue, dark green, blue-grey, cream, olive green", **GLOSS
    ),
    "tail paint": _shaded("plastic", "{}", "red, dark blue, white, orange, yellow, dark green, light grey, black", **GLOSS),
    "dark metal": _own("brushed_metal", "dark steel", 0.2, 0.21, 0.22, "", metal="gunmetal", depth=0.05, roughness=0.5),
    "frame paint": _shaded(
        "plastic", "{}", "red, dark blue, black, dark green, white, light blue, yellow, orange, grey, teal", **GLOSS
    ),
    "grip": _shaded("plastic", "{}", "black, dark brown, brown, red, grey", **MATT),
    "drum paint": _shaded("plastic", "{}", "red, dark blue, black, white, dark red, dark green, turquoise, orange", **GLOSS),
    "drum skin": _own("plastic", "white", 0.88, 0.86, 0.80, **MATT),
    "shield paint": _shaded(
        "plastic", "{} painted", "red, dark blue, dark green, white, dark red, mustard yellow, black, brown", **SATIN
    ),
    "device plastic": _shaded(
        "plastic", "{} plastic", "white, cream, light grey, pale pink, light blue, grey-green, black", "", **SATIN
    ),
    "telephone plastic": _shaded(
        "plastic", "{} plastic", "black, red, cream, dark green, grey, light blue, ivory", "", **GLOSS
    ),
    "device dark": _shaded("plastic", "{} plastic", "black, dark grey", "", **GRAIN),
    "key plastic": _shaded("plastic", "{} plastic", "white, black, cream, light blue, grey", "", **SATIN),
    "vinyl": _own("plastic", "black", 0.05, 0.05, 0.055, **GLOSS),
    "grille": _shaded("woven", "{} cloth", "beige, tan, light grey, brown, cream", "", threads=48),
    "sign paint": _shaded("plastic", "{}", "dark green, dark blue, black, white, dark red, cream, brown", **SATIN),
    "letter paint": _shaded("plastic", "{}", "white, mustard yellow, cream, black, red", **SATIN),
    "warning paint": _own("plastic", "red", 0.68, 0.11, 0.11, "", **SATIN),
    "worn paint": _shaded("worn_paint", "worn {} paint", "", "industrial rustic"),
    "plastic": _shaded("plastic", "{} plastic", "", "industrial alien plain", **SATIN),
    "rubber": _own("plastic", "black rubber", 0.055, 0.055, 0.06, texture="grain", roughness=0.85),
    "carbon": _own("carbon_fibre", "carbon fibre", 0.11, 0.11, 0.12, "alien industrial", shine=[0.33, 0.33, 0.35]),
    # wood
    "oak": _own("wood", "oak", 0.68, 0.52, 0.34, "rustic classical", knots=0),
    "pine": _own("wood", "pine", 0.80, 0.65, 0.44, "rustic"),
    "walnut": _own("wood", "walnut", 0.42, 0.29, 0.20, "classical ornate", knots=0),
    "mahogany": _own("wood", "mahogany", 0.45, 0.23, 0.16, "classical ornate", knots=0),
    "ebony": _own("wood", "ebony", 0.16, 0.13, 0.12, "ornate", knots=0),
    "ginger wood": _own("wood", "varnished maple", 0.60, 0.34, 0.17, "", knots=0, roughness=0.3),
    "black lacquer": _own("plastic", "black lacquered", 0.05, 0.05, 0.055, **GLASS),
    "white lacquer": _own("plastic", "white lacquered", 0.90, 0.89, 0.86, **GLOSS),
    "ash wood": _own("wood", "ash wood", 0.78, 0.69, 0.55, "plain", knots=0),
    "painted wood": _shaded("plastic", "{} painted wood", "", "rustic", **SATIN),
    "wicker": _own("wood", "wicker", 0.66, 0.49, 0.30, "rustic", knots=0),
    "straw": _own("wood", "straw", 0.80, 0.68, 0.42, "rustic", knots=0),
    "thatch": _own("bark", "thatch", 0.58, 0.48, 0.32, "rustic", lichen=[0.5, 0.45, 0.3]),
    "bark": _own("bark", "brown", 0.42, 0.34, 0.27, lichen=[0.46, 0.46, 0.36], cover=0.6),
    "grey bark": _own("bark", "grey", 0.50, 0.47, 0.43, lichen=[0.52, 0.53, 0.42], cover=0.6),
    # cloth and leather
    "linen": _shaded("woven", "{} linen", "cream, beige, white, grey, blue-grey, grey-green", "rustic classical", threads=72),
    "cotton": _shaded("woven", "{} cotton", "", "rustic plain", threads=72),
    "wool": _shaded("felt", "{} wool", "", "rustic plain"),
    "knitted wool": _shaded("knit", "{} knitted wool", "", "rustic", pattern="plain"),
    "velvet": _shaded("felt", "{} velvet", "dark red, dark green, dark blue, purple, teal, mustard yellow", "ornate classical"),
    "canvas": _shaded("woven", "{} canvas", "white, beige, olive green, dark blue, red, black", "plain", threads=48),
    "denim": _own("woven", "blue denim", 0.24, 0.32, 0.46, "plain", threads=72, weft=[0.5, 0.55, 0.62]),
    "leather": _shaded(
        "leather",
        "{} leather",
        "brown, dark brown, black, tan, reddish brown, dark red",
        "rustic classical ornate plain",
        stitch=False,
    ),
    "tartan": Substance("tartan", "tartan", styles=("rustic",)),
    "plume": _shaded("felt", "{}", "red, white, dark blue, black, dark green"),
    "clothing": _shaded(
        "woven", "{}", "red, blue, white, green, mustard yellow, light blue, grey, black, orange, dark red, teal", threads=72
    ),
    "trousers": _shaded("woven", "{}", "dark blue, black, grey, brown, beige, olive green, blue-grey", threads=72),
    "robe": _shaded("plastic", "{}", "pale pink, white, light blue, red, lilac, black, pink", **MATT),
    "shoe leather": _shaded("leather", "{} leather", "brown, dark brown, black, tan, reddish brown", "", stitch=False),
    "patent leather": _shaded(
        "plastic", "{} patent leather", "red, black, dark blue, dark red, pink, white, teal", "", **GLOSS
    ),
    "bag leather": _shaded(
        "leather", "{} leather", "brown, black, red, tan, dark blue, dark green, dark red, beige", "", stitch=False, crease=0.3
    ),
    "trainer cloth": _shaded("woven", "{} cloth", "red, dark blue, black, grey, green, white, blue, orange", "", threads=72),
    "sole rubber": _shaded("plastic", "{} rubber", "white, black, beige, dark brown, light grey", "", **MATT),
    "sole leather": _shaded("leather", "{} leather", "tan, dark brown, black", "", stitch=False),
    "lace": _shaded("plastic", "{}", "white, beige, brown, black, yellow, red", **MATT),
    "hat felt": _shaded("felt", "{} felt", "black, dark grey, grey, dark brown, dark blue"),
    "rope": _own("felt", "rope", 0.66, 0.56, 0.40),
    # living things
    "skin": _shaded("plastic", "{}", "tan, light brown, brown, beige, dark brown", **MATT),
    "hair": _shaded("felt", "{}", "dark brown, black, brown, golden brown, grey"),
    "fur": _shaded("felt", "{}", "brown, dark brown, black, grey, ginger, white, light brown, tan, cream, reddish brown"),
    "horse coat": _shaded("plastic", "{}", "brown, dark brown, black, grey, reddish brown, ginger, white", **MATT),
    "dog coat": _shaded("felt", "{}", "brown, black, golden brown, white, grey, ginger, cream"),
    "deer coat": _shaded("plastic", "{}", "light brown, reddish brown, brown", **MATT),
    "cow coat": _shaded("plastic", "{}", "brown, black, reddish brown, cream, grey", **MATT),
    "lion coat": _shaded("felt", "{}", "tan, golden brown, beige"),
    "giraffe coat": _shaded("plastic", "{}", "golden brown, tan, mustard yellow", **MATT),
    "mane": _shaded("felt", "{}", "dark brown, brown, reddish brown, black"),
    "fleece": _shaded("felt", "{}", "white, cream, beige, grey, dark brown"),
    "sheep face": _shaded("felt", "{}", "black, dark brown, beige, cream"),
    "hide": _shaded("leather", "{}", "grey, dark grey, blue-grey", stitch=False, crease=0.9),
    "scaly skin": _shaded("plastic", "{}", "green, olive green, dark green, brown, grey-green, tan, golden brown", **SATIN),
    "fish skin": _shaded("plastic", "{}", "light grey, blue-grey, orange, olive green, pink, ginger", **GLOSS),
    "smooth skin": _shaded("plastic", "{}", "reddish brown, orange, dark red, grey, pink, tan, lilac", **SATIN),
    "beetle shell": _shaded("plastic", "{}", "black, dark brown, dark green, red, reddish brown, teal", **GLOSS),
    "feathers": _shaded("felt", "{}", "brown, white, grey, black, light brown, dark brown, ginger, blue-grey"),
    "owl feathers": _shaded("felt", "{}", "brown, light brown, grey, reddish brown, white"),
    "dark feathers": _shaded("felt", "{}", "black, dark brown, dark grey, brown, reddish brown"),
    "pink feathers": _shaded("felt", "{}", "pink, pale pink"),
    "wing feathers": _shaded("felt", "{}", "dark brown, brown, grey, black, white, tan"),
    "tail feathers": _shaded("felt", "{}", "dark green, black, dark blue, teal, reddish brown"),
    "pale feathers": _shaded("felt", "{}", "white, cream, ivory"),
    "comb": _own("plastic", "red", 0.62, 0.12, 0.11, **SATIN),
    "turtle shell": _shaded("plastic", "{}", "olive green, brown, dark green, golden brown, dark brown", **SATIN),
    "caterpillar skin": _shaded("plastic", "{}", "light green, green, yellow, orange, brown, olive green", **SATIN),
    "horn": _own("plastic", "horn", 0.55, 0.47, 0.36, **SATIN),
    "bone": _own("plastic", "ivory-coloured", 0.86, 0.80, 0.67, **SATIN),
    "hoof": _own("plastic", "dark", 0.17, 0.14, 0.12, **MATT),
    "beak": _shaded("plastic", "{}", "mustard yellow, orange, dark grey, yellow", **SATIN),
    "eye": _own("plastic", "black", 0.03, 0.03, 0.035, **GLASS),
    # plants
    "leaf": _shaded("plastic", "{}", "green, dark green, light green, olive green", **GRAIN),
    "succulent leaf": _shaded("plastic", "{}", "grey-green, light green, green, blue-grey, dark green", **SATIN),
    "autumn leaf": _shaded("plastic", "{}", "orange, mustard yellow, dark red, golden brown, brick red", **GRAIN),
    "needle": _shaded("plastic", "{}", "dark green, green, grey-green, blue-grey", **GRAIN),
    "turf": _shaded("felt", "{}", "green, olive green, dark green"),
    "blossom": _shaded("plastic", "{}", "pale pink, white, pink", **GRAIN),
    "sunflower petal": _shaded("plastic", "{}", "yellow, yellow, mustard yellow, orange", **GRAIN),
    "petal": _shaded("plastic", "{}", "white, red, pink, yellow, lilac, purple, pale pink, orange", **GRAIN),
    "artichoke leaf": _shaded("plastic", "{}", "grey-green, green, olive green, light green", **GRAIN),
    "cone scale": _shaded("wood", "{}", "brown, reddish brown, light brown", knots=0),
    "pineapple rind": _shaded("leather", "{}", "golden brown, mustard yellow, olive green", stitch=False),
    "seed": _shaded("felt", "{}", "dark brown, black, brown"),
    "stalk": _shaded("plastic", "{}", "green, olive green, light green", **GRAIN),
    "soil": _own("felt", "dark brown", 0.22, 0.16, 0.12),
    "moss": _own("moss", "green", 0.34, 0.42, 0.18),
    # food
    "bread": _shaded("plaster", "{}", "golden brown, light brown, tan", roughness=0.6, relief=0.003),
    "cake": _shaded("cork", "{}", "pale yellow, brown, golden brown"),
    "chocolate": _own("plastic", "chocolate", 0.24, 0.14, 0.09, **SATIN),
    "icing": _shaded("plastic", "{}", "white, pale pink, cream, light green, pale yellow, light blue, pink", **SATIN),
    "jam": _own("plastic", "red", 0.56, 0.09, 0.10, **GLOSS),
    "cheese": _own("plastic", "yellow", 0.88, 0.68, 0.25, **SATIN),
    "meat": _own("plaster", "brown", 0.33, 0.20, 0.14, roughness=0.6),
    "lettuce": _own("leather", "light green", 0.47, 0.62, 0.28, stitch=False),
    "sprinkle": _shaded("plastic", "{}", "pink, yellow, light blue, white, red", **GLOSS),
    "ice cream": _shaded("plastic", "{}", "cream, pale pink, brown, light green, white, pale yellow, lilac", **MATT),
    "seed white": _own("plastic", "cream-coloured", 0.90, 0.84, 0.68, **MATT),
    "paper": _shaded("plastic", "{} paper", "white, pale pink, light blue, red, brown, pale yellow", "", **MATT),
    "fruit skin": _shaded("plastic", "{}", "red, green, yellow, orange, dark red", **SATIN),
    "pumpkin skin": _shaded("leather", "{}", "orange, golden brown, grey-green", stitch=False, crease=0.2),
    # stones and shells
    "gem": _shaded("plastic", "{}", "red, green, blue, purple, teal, yellow, white, black", **GLASS),
    "pearl": _own("car_paint", "pearl", 0.90, 0.88, 0.84, metallic=0.2, roughness=0.15, sparkle=0.1),
    "quartz": _own("marble", "quartz", 0.86, 0.87, 0.88, vein=[0.75, 0.76, 0.80]),
    "rose quartz": _own("marble", "rose quartz", 0.85, 0.67, 0.68, vein=[0.93, 0.85, 0.84]),
    "smoky quartz": _own("marble", "smoky quartz", 0.30, 0.25, 0.22, vein=[0.45, 0.40, 0.36]),
    "amethyst": _own("marble", "amethyst", 0.44, 0.31, 0.56, vein=[0.72, 0.64, 0.78]),
    "fluorite": _own("marble", "green fluorite", 0.38, 0.58, 0.50, vein=[0.62, 0.75, 0.70]),
    "pyrite": _metal("pyrite", "brass", "brushed_metal"),
    "bismuth": _metal("bismuth", "anodised_teal", roughness=0.25),
    "limestone rock": _own("plaster", "limestone", 0.70, 0.66, 0.58, roughness=0.95),
    "granite rock": _own("granite", "granite", 0.47, 0.46, 0.45, roughness=0.75),
    "sandstone rock": _own("sand", "sandstone", 0.70, 0.54, 0.38, lean=0),
    "mossy rock": _own("moss", "moss-covered", 0.36, 0.41, 0.22, bare=0.0),
    "shell": _shaded("plastic", "{}", "cream, beige, pale pink, white, tan, reddish brown, light grey", **SATIN),
    "striped shell": _shaded("stripes", "{} striped", "cream, tan, reddish brown, beige", relief=0.0, roughness=0.3),
    "sea urchin": _shaded("plastic", "{}", "purple, dark red, olive green, black, lilac, brown", **SATIN),
    "coral": _shaded("plastic", "{}", "cream, pale pink, orange, red, tan, white, mustard yellow, lilac", **GRAIN),
}
"""Name -> substance. Names are what a specification writes."""
