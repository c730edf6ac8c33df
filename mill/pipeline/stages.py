"""One asset's way through the stages, as a plain function: no Ray, no files of the dataset, no YAML.

source -> curate -> render -> sample -> agreement -> encode, and either a row or a reasoned rejection comes out.
"""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from versemill import seeds
from versemill.asset import Asset
from versemill.curated import Rejected
from versemill.curation.config import CurationConfig, FieldsConfig
from versemill.errors import AssetError
from versemill.mill.pipeline import sources
from versemill.render.config import RenderConfig
from versemill.shards.config import ShardsConfig
from versemill.views import Views

STAGES = ("source", "curate", "render", "fields", "encode")

Note = Callable[[str], None]
"""Told the name of each stage when it begins, so that whoever watches knows where an asset was when it died."""

Draw = Callable[[Asset, RenderConfig], tuple[Views, tuple[float, float]]]
"""The render stage: the views of an asset, and the (wall, CPU) seconds that they took where they were rendered."""


class RendererLost(Exception):
    """The process that renders for this one died while the asset was in it or waited for it."""


def draw(asset: Asset, config: RenderConfig) -> tuple[Views, tuple[float, float]]:
    """Renders in this process."""
    from versemill import render

    wall, cpu = time.perf_counter(), cpu_seconds()
    views = render.render(asset, config)
    return views, (time.perf_counter() - wall, cpu_seconds() - cpu)


@dataclass(frozen=True)
class Recipe:
    """What a worker needs to make any asset of a dataset.

    Attributes:
        seed: dataset seed.
        sources: entry name -> (registered source, its config).
        curate, render, fields, shards: the stages' configs.
        digest, fingerprint: written into every row.
        draw: how its views are rendered: in the worker itself, or by a process that renders for all.
    """

    seed: int
    sources: dict[str, tuple[str, Any]]
    curate: CurationConfig
    render: RenderConfig
    fields: FieldsConfig
    shards: ShardsConfig
    digest: str
    fingerprint: str
    draw: Draw


@dataclass(frozen=True)
class Order:
    """One asset to make.

    Attributes:
        index: of the asset. entry: of the recipe's sources.
        item: that source's item (a file), where it has items; "" where its supply is exhausted.
        seed: dataset seed, where it is not the recipe's: draws for training change it from epoch to epoch.
    """

    index: int
    entry: str
    item: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Made:
    """What became of an asset: a one-row table, or a rejection; and (wall, CPU) seconds per stage."""

    outcome: pa.Table | Rejected
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """What became of it, JSON-able: the rejection, or the row's `meta` without its long texts; and the seconds."""
        if isinstance(self.outcome, Rejected):
            return {"status": "rejected", **asdict(self.outcome), "seconds": self.seconds}
        meta = self.outcome.select(["meta"]).to_pylist()[0]["meta"]
        short = {name: value for name, value in meta.items() if name not in ("provenance", "metrics", "methods")}
        return {"status": "row", **short, "seconds": self.seconds}


@dataclass
class Clock:
    """Measures stages and reports them to `note`."""

    note: Note
    stage: str = ""
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Times the block as `stage`, whether or not it ends well."""
        self.stage = stage
        self.note(stage)
        wall, cpu = time.perf_counter(), cpu_seconds()
        try:
            yield
        finally:
            self.seconds[stage] = (time.perf_counter() - wall, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """User and system seconds of this process and of the children that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def make(recipe: Recipe, order: Order, note: Note = lambda stage: None) -> Made:
    """Makes one asset: a pure function of (recipe, order).

    An `AssetError` of any stage is a rejection of that stage; any other error is the caller's to judge.
    """
    clock = Clock(note)
    if order.seed is not None:
        recipe = replace(recipe, seed=order.seed)
    try:
        outcome = _make(recipe, order, clock)
    except AssetError as error:
        stage = "ingest" if clock.stage == "source" and order.item is not None else clock.stage
        outcome = Rejected(stage, error.reason, str(error))
    return Made(outcome, clock.seconds)


def _make(recipe: Recipe, order: Order, clock: Clock) -> pa.Table | Rejected:
    from versemill import curation, shards

    if order.item == "":
        return Rejected("source", "exhausted", f"source '{order.entry}' has no more files for its share of the mix")
    name, config = recipe.sources[order.entry]
    with clock("source"):
        asset = sources.SOURCES.find(name).generate(config, recipe.seed, order.index, order.item)
    with clock("curate"):
        curated = curation.curate(asset, recipe.curate)
    if isinstance(curated, Rejected):
        return curated
    with clock("render"):
        views, spent = recipe.draw(curated.asset, recipe.render)
    clock.seconds["render"] = spent
    with clock("fields"):
        fields = curation.sample(curated, recipe.fields)
        agreement = curation.check_agreement(curated, views, recipe.fields)
    if isinstance(agreement, Rejected):
        return agreement
    with clock("encode"):
        return shards.encode_row(
            curated,
            views,
            fields,
            config=recipe.shards,
            digest=recipe.digest,
            fingerprint=recipe.fingerprint,
            split=seeds.split(recipe.seed, order.index, recipe.shards.splits),
            depth_to_surface=agreement,
        )
