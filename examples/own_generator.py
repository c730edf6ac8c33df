"""A generator of your own, used in a pipeline without changing versemill. docs/own-generator.md walks through it.

A source is a configuration, a function (config, seed, index) -> Asset, and a `Source` that joins them.
"""

import dataclasses
import sys
from pathlib import Path

import trimesh
from pydantic import Field

from versemill import Asset, Material, seeds
from versemill.config import Config
from versemill.mill.pipeline.sources import Source


class TowersConfig(Config):
    """The settings of this source."""

    blocks: int = Field(default=5, ge=1, le=20, description="blocks of a tower")
    twist: float = Field(default=20.0, description="degrees from block to block, at most")


def generate(config: TowersConfig, seed: int = 0, index: int = 0) -> Asset:
    """Tower `index` of dataset `seed`. Each kind of draw has a stream of its own, so adding one moves no other."""
    widths = seeds.stream(seed, index, "towers/width").uniform(0.5, 1.0, config.blocks)
    twist = seeds.stream(seed, index, "towers/twist").uniform(-config.twist, config.twist)
    scene = trimesh.Scene()
    for level, width in enumerate(widths):
        placed = trimesh.transformations.rotation_matrix(level * twist * 3.14159 / 180, [0, 0, 1])
        placed[2, 3] = 0.5 * level
        scene.add_geometry(trimesh.creation.box((width, width, 0.5)), node_name=f"block {level}", transform=placed)
    red, green, blue = seeds.stream(seed, index, "towers/colour").uniform(0.1, 0.8, 3)
    return dataclasses.replace(
        Asset.from_trimesh(scene),
        materials=(Material(name="paint", base_color=(float(red), float(green), float(blue), 1.0)),),
        seed=seed,
        index=index,
        source="towers",
        caption=f"A tower of {config.blocks} twisted blocks.",
        tags=("tower",),
    )


SOURCE = Source(TowersConfig, lambda config, seed, index, item: generate(config, seed, index), description="twisted towers")

PIPELINES = """
pipelines:
  towers:
    description: eight towers
    extends: quickstart
    run: {assets: 8}
    sources:
      zeroverse: null
      detailverse: null
      towers: {source: "own_generator:SOURCE", twist: 30}
    curate: {resolution: 48}
    render: {width: 48, height: 48, cameras: {views: 4}}
"""


if __name__ == "__main__":
    from versemill.mill.pipeline import config as pipelines
    from versemill.mill.run import driver

    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
    out.mkdir(parents=True, exist_ok=True)
    (out / "towers.yaml").write_text(PIPELINES)
    print(generate(TowersConfig(), seed=0, index=0))
    summary = driver.run(pipelines.load("towers", out / "towers.yaml"), out / "towers", progress=False)
    print(f"{summary.rows} rows, {summary.rejected} rejected")
