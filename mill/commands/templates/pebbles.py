"""A source of your own: pebbles, spheres worn by seeded noise. pipelines.yaml names it as `pebbles:SOURCE`."""

import dataclasses

import numpy as np
import trimesh
from pydantic import Field

from versemill import Asset, Material, seeds
from versemill.config import Config
from versemill.mill.pipeline.sources import Source


class PebblesConfig(Config):
    """The settings of this source; in a pipeline they are written next to its `share`."""

    roughness: float = Field(default=0.15, ge=0, le=0.5, description="height of the dents, in radii")
    flatness: float = Field(default=0.6, gt=0, le=1, description="height over width")


def generate(config: PebblesConfig, seed: int = 0, index: int = 0) -> Asset:
    """Pebble `index` of dataset `seed`. The same arguments give the same pebble: each draw has a stream of its own."""
    mesh = trimesh.creation.icosphere(subdivisions=4)
    waves = seeds.stream(seed, index, "pebbles/waves")
    directions = waves.normal(size=(8, 3)) * 2.5
    dents = np.sin(mesh.vertices @ directions.T + waves.uniform(0, 2 * np.pi, 8)).mean(1)
    mesh.vertices *= (1 + config.roughness * dents)[:, None] * [1, 1, config.flatness]

    grey = float(seeds.stream(seed, index, "pebbles/colour").uniform(0.2, 0.7))
    return dataclasses.replace(
        Asset.from_trimesh(mesh),
        materials=(Material(name="stone", base_color=(grey, grey * 0.95, grey * 0.9, 1.0), roughness=0.9),),
        part_names=("pebble",),
        seed=seed,
        index=index,
        source="pebbles",
        caption="A dark pebble." if grey < 0.4 else "A pale pebble.",
        tags=("pebble", "stone"),
        provenance={"grey": grey, "config": config.model_dump()},
    )


SOURCE = Source(PebblesConfig, lambda config, seed, index, item: generate(config, seed, index), description="pebbles")
