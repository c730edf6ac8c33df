"""What every model shares: recipe, family, loop, runs, scenes, statistics, tables, comparison, splatting. Knows no model."""
