"""Groups of operators that families share: which suit a kind of surface."""

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
