"""A small dataset for the other examples: eight assets of both procedural sources, made once."""

from pathlib import Path

from versemill.mill.pipeline import config
from versemill.mill.run import driver

SMALL = (
    "curate.resolution=48",
    "render.width=64",
    "render.height=64",
    "render.cameras.views=8",
    "sources.zeroverse.texture_size=64",
    "sources.detailverse.share=0.25",
    "sources.detailverse.texture_size=64",
    "shards.assets_per_shard=4",
)


def dataset(out: Path) -> Path:
    """The folder of the dataset; the same call resumes a run that was stopped, and returns at once on a complete one."""
    folder = out / "quickstart"
    driver.run(config.load("quickstart", overrides=SMALL, assets=8, seed=1), folder, progress=False)
    return folder
