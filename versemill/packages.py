"""The packages of the house: root folders of the repository, imported as `versemill.NAME`. The only list of them."""

DATA = ("zeroverse", "detailverse", "render", "shards", "curation")
"""Those whose code decides the bytes of a dataset; the fingerprint covers them."""

PACKAGES = (*DATA, "training", "reconstruction", "generation", "mill")
"""All. `versemill` itself is the ground under them. `setup.py` reads this file."""
