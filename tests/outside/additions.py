"""A source, a filter and an exporter, each as docs/architecture.md says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from versemill import seeds
from versemill.asset import Asset
from versemill.config import Config
from versemill.curation.filters import Verdict
from versemill.materials.material import Material
from versemill.mill.pipeline.sources import Source
from versemill.shards.export import Entry, Format
from versemill.shards.export.item import Item


class BoxesConfig(Config):
    """Boxes of one colour each."""

    least: float = Field(default=0.4, description="shortest side over the longest", gt=0, le=1)


def boxes(config: BoxesConfig, seed: int, index: int, item: str | None) -> Asset:
    """A box whose sides and colour are drawn."""
    rng = seeds.stream(seed, index, "outside/boxes")
    sides = np.append(rng.uniform(config.least, 1.0, 2), 1.0)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * sides
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    color = (*(float(c) for c in rng.uniform(0.2, 0.9, 3)), 1.0)
    zeros = np.zeros(len(faces), np.int32)
    return Asset(
        vertices=corners.astype(np.float32), faces=faces, uvs=np.zeros((len(faces), 3, 2), np.float32), material_ids=zeros,
        part_ids=zeros, materials=(Material(name="paint", base_color=color),), part_names=("box",), source="boxes", seed=seed,
        index=index, caption="a box",
    )  # fmt: skip


SOURCE = Source(BoxesConfig, boxes, description="boxes of one colour")


def slender(asset: Asset, features: dict[str, float], limit: float) -> Verdict:
    """Its shortest side over its longest is at least the limit."""
    sides = np.ptp(asset.vertices, axis=0)
    value = float(sides.min() / sides.max())
    return Verdict("slender", value >= limit, value, limit, f"the shortest side over the longest is {value:.3g}")


def write(items: Iterator[Item], folder: Path, shard: str) -> list[Entry]:
    """One line per asset."""
    entries: list[dict[str, Any]] = [{"id": item.id, "split": item.meta["split"]} for item in items]
    (folder / f"{shard}.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return entries


FORMAT = Format("names of assets, one JSON object per line", ("meta",), write)
