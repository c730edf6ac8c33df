"""Assets that cost nothing, for benchmarks of the run itself."""

import numpy as np

from versemill import seeds
from versemill.asset import Asset
from versemill.config import Config
from versemill.curated import Curated
from versemill.materials import Material
from versemill.mill.pipeline.sources import Source
from versemill.mill.pipeline.stages import Made, Note, Order, Recipe
from versemill.shards import encode_row

CORNERS = np.array([[-1, -1, -1], [1, -1, -1], [0, 1, -1], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], np.int32)


class TrivialConfig(Config):
    """A source of tetrahedra has nothing to set."""


def tetrahedron(seed: int, index: int) -> Asset:
    """A tetrahedron of its own for every index."""
    noise = seeds.stream(seed, index, "benchmarks/trivial").uniform(-0.1, 0.1, CORNERS.shape).astype(np.float32)
    zeros = np.zeros(4, np.int32)
    uvs = np.zeros((4, 3, 2), np.float32)
    return Asset(CORNERS + noise, FACES, uvs, zeros, zeros, (Material(),), ("all",), seed=seed, index=index, source="trivial")


TRIVIAL = Source(TrivialConfig, lambda settings, seed, index, item: tetrahedron(seed, index))


def make(recipe: Recipe, order: Order, note: Note) -> Made:
    """A row without views and fields: what is left is the run's own cost."""
    asset = tetrahedron(recipe.seed, order.index)
    curated = Curated(asset, asset.vertices, asset.faces)
    split = seeds.split(recipe.seed, order.index, recipe.shards.splits)
    settings, made_with = recipe.shards, recipe.fingerprint
    return Made(encode_row(curated, None, None, config=settings, digest=recipe.digest, fingerprint=made_with, split=split))
