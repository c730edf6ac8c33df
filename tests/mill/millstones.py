"""Makers and a source for tests of the run: cheap assets, and every way an asset can take its worker down.

Faults are read from the file named by the source's config: JSON, index -> kind, optionally only on its first tries.
"""

import ctypes
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import Field

from versemill import seeds
from versemill.asset import Asset
from versemill.config import Config
from versemill.curated import Curated, Rejected
from versemill.materials import Material
from versemill.mill.folder import checked
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.sources import Source
from versemill.mill.pipeline.stages import Made, Note, Order, Recipe
from versemill.render.config import RenderConfig
from versemill.shards import encode_row
from versemill.views import Views


def rewrite(path: Path, **changes) -> dict:
    """Changes keys of one of a dataset's JSON files as somebody would who knows of its digest; returns the new content."""
    content = {**checked.decode(path.read_bytes()), **changes}
    path.write_bytes(checked.encode(content))
    return content


CORNERS = np.array([[-1, -1, -1], [1, -1, -1], [0, 1, -1], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], np.int32)


class TrivialConfig(Config):
    """What the trivial source does."""

    faults: str = Field(default="", description="file of faults")
    milliseconds: float = Field(default=0, description="CPU time of an asset")
    reject_every: int = Field(default=0, description="every n-th index is rejected")
    size: float = Field(default=1.0, description="anything that changes the data")


def tetrahedron(config: TrivialConfig, seed: int, index: int, item: str | None = None) -> Asset:
    """A tetrahedron that differs from index to index."""
    noise = seeds.stream(seed, index, "test/noise").uniform(-0.1, 0.1, CORNERS.shape).astype(np.float32)
    return Asset(
        vertices=(CORNERS + noise) * np.float32(config.size),
        faces=FACES,
        uvs=np.zeros((4, 3, 2), np.float32),
        material_ids=np.zeros(4, np.int32),
        part_ids=np.zeros(4, np.int32),
        materials=(Material(),),
        part_names=("all",),
        seed=seed,
        index=index,
        source="trivial",
    )


TRIVIAL = Source(TrivialConfig, tetrahedron)


def draw(asset: Asset, config: RenderConfig) -> tuple[Views, tuple[float, float]]:
    """The real renderer, after the fault that the asset carries, if any; says who it was."""
    import ray  # not above: it reads its settings when it is imported

    folder = Path(asset.provenance["faults"]).parent
    here = ray.get_runtime_context()
    (folder / f"drawn-{os.getpid()}").write_text(json.dumps({**here.get_assigned_resources(), "node": here.get_node_id()}))
    fault(TrivialConfig(faults=asset.provenance["faults"]), asset.index, lambda stage: None)
    return stages.draw(asset, config)


def make_drawn(recipe: Recipe, order: Order, note: Note) -> Made:
    """A row with views, whose faults strike while it is rendered."""
    config = recipe.sources[order.entry][1]
    note("source")
    asset = replace(tetrahedron(config, recipe.seed, order.index).normalized(), provenance={"faults": config.faults})
    note("render")
    views, spent = recipe.draw(asset, recipe.render)
    note("encode")
    row = encode_row(
        Curated(asset, asset.vertices, asset.faces), views, None, config=recipe.shards, digest=recipe.digest,
        fingerprint=recipe.fingerprint, split="train",
    )  # fmt: skip
    return Made(row, {"render": spent})


def make(recipe: Recipe, order: Order, note: Note) -> Made:
    """A row without views and fields, after the fault that the faults file asks for, if any."""
    config = recipe.sources[order.entry][1]
    note("source")
    fault(config, order.index, note)
    end = time.process_time() + config.milliseconds / 1000
    while time.process_time() < end:
        pass
    if config.reject_every and order.index % config.reject_every == 0:
        return Made(Rejected("filter", "unwanted", f"{order.index} is a multiple of {config.reject_every}"))
    asset = tetrahedron(config, recipe.seed, order.index)
    split = seeds.split(recipe.seed, order.index, recipe.shards.splits)
    curated = Curated(asset, asset.vertices, asset.faces)
    row = encode_row(
        curated, None, None, config=recipe.shards, digest=recipe.digest, fingerprint=recipe.fingerprint, split=split
    )
    return Made(row, {"source": (config.milliseconds / 1000, config.milliseconds / 1000)})


def fault(config: TrivialConfig, index: int, note: Note) -> None:
    """Does what the faults file says of this index."""
    if not config.faults:
        return
    kind = json.loads(Path(config.faults).read_text()).get(str(index))
    if kind is None:
        return
    note("curate")
    if kind.startswith("once "):
        marker = Path(f"{config.faults}.{index}")
        if marker.exists():
            return
        marker.touch()
        kind = kind.removeprefix("once ")
    os.write(2, f"about to {kind}\n".encode())
    if kind == "raise":
        raise RuntimeError("deliberate")
    if kind == "abort":
        os.abort()
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "exit":
        os._exit(7)
    if kind == "hang":  # native code that holds the interpreter lock and hears no signal handler
        ctypes.PyDLL(None).sleep(10**6)
    if kind == "memory":
        hoard = bytearray(os.urandom(2**20)) * 600
        time.sleep(60)
        del hoard
    if kind == "disk":
        raise OSError(28, "No space left on device")
