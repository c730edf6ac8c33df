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
RELIEF = ("arcade", "basket_weave", "bricks", "cracks", "fluting", "glyphs", "hammering", "hex_grid", "knurling", "panels",
          "quilting", "reaction_diffusion", "scales", "studs", "voronoi")  # fmt: skip

MATERIALS: dict[str, tuple[str, ...]] = {
    "stone": ("marble", "granite", "concrete", "terrazzo", "sand", "plaster", "mosaic", "tiles"),
    "masonry": ("brick", "granite", "concrete", "plaster", "cobblestone", "sand", "panels"),
    "roof": ("tiles", "wood", "planks", "scales", "hexagons", "rust", "worn_paint"),
    "metal": ("brushed_metal", "hammered_metal", "polished_metal", "tread_plate", "rust", "worn_paint"),
    "paint": ("car_paint", "plastic", "worn_paint", "carbon_fibre", "camouflage", "tread_plate", "panels", "stripes"),
    "wood": ("wood", "planks", "parquet", "cork", "worn_paint"),
    "vessel": ("marble", "polished_metal", "hammered_metal", "brushed_metal", "wood", "mosaic", "terrazzo", "plaster",
               "granite", "tiles", "wallpaper"),
    "fabric": ("leather", "knit", "felt", "tartan", "woven", "stripes", "quilted", "checker", "polka_dots", "wallpaper"),
    "plant": ("moss", "leather", "felt", "noise"),
    "bark": ("bark", "wood", "cork", "moss"),
    "living": ("leather", "scales", "moss", "polka_dots", "noise", "stripes", "camouflage"),
    "gem": ("car_paint", "plastic", "marble", "polished_metal", "hexagons"),
    "mineral": ("granite", "marble", "sand", "concrete", "moss", "rust"),
    "shell": ("marble", "stripes", "noise", "plastic", "terrazzo", "mosaic", "polka_dots"),
}  # fmt: skip
"""Material group -> texture families of `versemill.materials.procedural`."""
