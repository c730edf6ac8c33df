"""Groups that families share: which operators suit a kind of surface, which texture families a kind of material."""

BORDERS = ("beads", "dentils", "egg_and_dart", "greek_key", "guilloche", "rope")
ROUND = (*BORDERS, "arcade", "basket_weave", "cracks", "fluting", "glyphs", "grooves", "hammering", "hex_grid", "knurling",
         "panels", "quilting", "reaction_diffusion", "ribs", "rivets", "scales", "studs", "voronoi")  # fmt: skip
"""What suits a turned or thrown body."""
STRIP = (*BORDERS, "fluting", "grooves", "knurling", "ribs", "studs")
"""What suits a narrow ring."""
WALL = ("arcade", "bricks", "panels", "planks", "studs", "cracks", "hex_grid", "rivets", "glyphs")
ROOF = ("scales", "ribs", "hex_grid", "bricks", "planks")
ARMOUR = ("panels", "rivets", "hex_grid", "grooves", "glyphs", "knurling", "studs")
SKIN = ("scales", "voronoi", "pebbles", "ridges", "reaction_diffusion", "hex_grid", "studs")
RELIEF = ("arcade", "basket_weave", "bricks", "cracks", "fluting", "glyphs", "hammering", "hex_grid", "knurling", "panels",
          "quilting", "reaction_diffusion", "scales", "studs", "voronoi")  # fmt: skip

MATERIALS: dict[str, tuple[str, ...]] = {
    "stone": ("marble", "granite", "sandstone", "limestone", "slate", "concrete", "terrazzo", "stone"),
    "masonry": ("brick", "sandstone", "limestone", "granite", "concrete", "plaster", "stone"),
    "roof": ("slate", "terracotta", "wood", "copper", "patina", "corroded_metal"),
    "metal": ("metal", "brushed_metal", "hammered_metal", "patina", "rust", "corroded_metal", "painted_metal"),
    "paint": ("painted_metal", "paint", "car_paint", "plastic", "enamel"),
    "wood": ("wood", "planks", "parquet", "plywood", "bark"),
    "vessel": ("ceramic", "glazed_ceramic", "terracotta", "porcelain", "marble", "metal", "brushed_metal", "wood", "glaze"),
    "fabric": ("fabric", "leather", "knit", "weave", "velvet", "carpet"),
    "plant": ("leaf", "bark", "moss", "plaster", "lichen"),
    "living": ("skin", "scales", "leather", "leaf", "coral", "plaster", "spots"),
    "gem": ("gem", "crystal", "glass", "marble", "agate", "ice"),
    "mineral": ("granite", "marble", "sandstone", "slate", "rock", "stone"),
    "shell": ("porcelain", "ceramic", "shell", "marble", "glazed_ceramic", "pearl"),
}
"""Material group -> texture families, of which those that `versemill.materials.procedural` paints are drawn."""
