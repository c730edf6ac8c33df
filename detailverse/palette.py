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
    "stone": ("marble", "granite", "concrete", "terrazzo", "sand", "plaster"),
    "masonry": ("brick", "granite", "concrete", "plaster", "cobblestone", "sand"),
    "roof": ("wood", "tiles", "planks", "rust", "plaster"),
    "metal": ("brushed_metal", "hammered_metal", "polished_metal", "rust", "worn_paint"),
    "paint": ("car_paint", "plastic", "worn_paint", "carbon_fibre", "camouflage"),
    "wood": ("wood", "planks", "parquet", "cork"),
    "vessel": ("marble", "polished_metal", "brushed_metal", "wood", "mosaic", "terrazzo", "plaster", "granite"),
    "fabric": ("leather", "knit", "felt", "tartan", "woven", "stripes", "quilted"),
    "plant": ("moss", "bark", "leather", "noise"),
    "living": ("leather", "scales", "moss", "polka_dots", "noise"),
    "gem": ("marble", "plastic", "polished_metal", "car_paint"),
    "mineral": ("granite", "marble", "sand", "concrete", "moss"),
    "shell": ("marble", "stripes", "noise", "plastic", "terrazzo"),
}
"""Material group -> texture families, of which those that `versemill.materials.procedural` paints are drawn."""
