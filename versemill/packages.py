"""The packages of the house: root folders of the repository, imported as `versemill.NAME`. The only list of them."""

PACKAGES = ("zeroverse", "detailverse", "render", "shards", "training", "curation", "reconstruction", "generation", "mill")
"""From the lowest floor to the highest; `versemill` itself is the ground under them. `setup.py` reads this file."""
