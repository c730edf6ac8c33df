"""What things are made of: density and friction, by the words that name a material.

A word is a texture family of `versemill.materials` ("brushed_metal") or a material that DetailVerse names ("white marble").
Values are typical of dry, solid material at room temperature: what is porous or hollow weighs less.
"""

from dataclasses import dataclass

from versemill.markdown import table

SOURCES = {
    "Gere": "Gere, Mechanics of Materials, 5th edition, appendix H, table 1 (ranges; about their middle is taken)",
    "Incropera": "Incropera et al., Fundamentals of Heat and Mass Transfer, appendix A, tables A.1 and A.3",
    "Martinez": "I. Martinez, Properties of Solids, Universidad Politecnica de Madrid",
    "ICRU": "ICRU report 44, as the NIST X-ray attenuation database lists it",
    "SImetric": "SImetric, Density of Materials, simetric.co.uk/si_materials.htm",
    "friction": "static, dry, against steel, wood or itself: the table in eCampusOntario, Physics Fundamentals, appendix A; of "
    "plastics: designengineers.blogspot.com, Coefficients of Friction; rounded to 0.05",
    "assumed": "no table: a third of the fibre's own density, because cloth is mostly air; or that of water",
}
"""Key -> where values are from."""


@dataclass(frozen=True)
class Matter:
    """A kind of matter.

    Attributes:
        density: kg/m³. friction: Coulomb's coefficient. source: key of `SOURCES` of the density.
        words: what it is called.
    """

    density: float
    friction: float
    source: str
    words: str


MATTER = {
    "steel": Matter(7850, 0.6, "Gere", "steel metal chrome tread_plate"),
    "cast iron": Matter(7200, 0.4, "Gere", "iron rust"),
    "aluminium": Matter(2700, 0.6, "Gere", "aluminium"),
    "copper": Matter(8900, 0.55, "Gere", "copper"),
    "brass": Matter(8500, 0.5, "Gere", "brass"),
    "bronze": Matter(8500, 0.3, "Gere", "bronze"),
    "silver": Matter(10500, 0.5, "Incropera", "silver"),
    "gold": Matter(19300, 0.5, "Incropera", "gold"),
    "bismuth": Matter(9780, 0.5, "Incropera", "bismuth"),
    "hard stone": Matter(
        2700, 0.6, "Gere", "granite marble basalt slate cobblestone quartz amethyst fluorite gem mossy pyrite"
    ),
    "soft stone": Matter(2300, 0.6, "Gere", "limestone sandstone sand limestone_rock sandstone_rock"),
    "concrete": Matter(2300, 0.6, "Gere", "concrete terrazzo"),
    "brick": Matter(1920, 0.6, "Incropera", "brick terracotta tile tiles clay stoneware mosaic hexagons"),
    "porcelain": Matter(2400, 0.6, "SImetric", "porcelain"),
    "plaster": Matter(1680, 0.6, "Incropera", "plaster"),
    "glass": Matter(2500, 0.6, "Incropera", "glass"),
    "hardwood": Matter(720, 0.4, "Incropera", "wood oak walnut mahogany ebony lacquer parquet scale"),
    "softwood": Matter(510, 0.4, "Incropera", "pine planks wicker straw thatch bark"),
    "cork": Matter(240, 0.4, "SImetric", "cork"),
    "paper": Matter(930, 0.4, "Incropera", "paper wallpaper"),
    "plastic": Matter(1050, 0.5, "Gere", "plastic vinyl device"),
    "rubber": Matter(1100, 0.8, "Gere", "rubber grip"),
    "carbon fibre": Matter(1500, 0.3, "Martinez", "carbon carbon_fibre"),
    "leather": Matter(1000, 0.5, "Martinez", "leather"),
    "cloth": Matter(
        450, 0.3, "assumed",
        "woven knit felt tartan quilted cloth clothing linen cotton wool velvet canvas denim grille plume trousers robe lace "
        "rope fleece",
    ),
    "bone": Matter(1900, 0.4, "ICRU", "bone horn hoof beak shell pearl coral urchin"),
    "flesh": Matter(1050, 0.5, "ICRU", "skin hair fur coat mane hide feathers face comb eye meat"),
    "plant": Matter(
        900, 0.5, "Incropera", "leaf needle turf blossom petal stalk rind seed moss lettuce seed_white fruit_skin pumpkin_skin"
    ),
    "bread": Matter(280, 0.5, "Incropera", "bread cake"),
    "soil": Matter(1700, 0.6, "Gere", "soil"),
    "unnamed": Matter(
        1000, 0.5, "assumed",
        "paint painted noise checker stripes polka_dots camouflage panels scales chocolate icing jam cheese sprinkle cream",
    ),
}  # fmt: skip
"""Name -> matter. "unnamed" is taken for whatever no word names: paint and patterns, which hide what is under them."""

_NAME = {word: name for name, matter in MATTER.items() for word in matter.words.split()}


def matter_of(material: str) -> str | None:
    """The name in `MATTER` of a material: by its whole name, else by the last of its words that is known; None without any.

    "dark red leather" is leather, "polished_metal" steel, "painted wood" hardwood.
    """
    words = material.replace("_", " ").split()
    known = (_NAME.get(word) for word in ("_".join(words), *reversed(words)))
    return next((name for name in known if name), None)


def describe() -> str:
    """The table in Markdown, as in docs/simulators.md: values, sources, words."""
    rows = [(name, f"{m.density:g}", f"{m.friction:g}", m.source, m.words.replace("_", " ")) for name, m in MATTER.items()]
    return table(("matter", "kg/m³", "friction", "density from", "words"), rows) + "\n"
