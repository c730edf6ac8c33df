"""A pipeline made concrete: how many assets, which source makes which, and what a worker needs to make one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.errors import ConfigError
from versemill.mill.pipeline import outside, sources, stages
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.stages import Order, Recipe


@dataclass(frozen=True, eq=False)
class Plan:
    """What is decided before the first asset.

    Attributes:
        pipeline: the config.
        assets: how many indices the dataset has.
        files: source entry -> record of its folder, for the entries that read one.
        items: source entry -> its finite supply in order, or None.
        assigned: (assets,) int32, position of each index's entry in `pipeline.sources`.
        ordinals: (assets,) int64, how many earlier indices have the same entry.
    """

    pipeline: Pipeline
    assets: int
    files: dict[str, Any]
    items: dict[str, list[str] | None]
    assigned: NDArray[np.int32]
    ordinals: NDArray[np.int64]

    @classmethod
    def of(cls, pipeline: Pipeline, known: Mapping[str, Any]) -> "Plan":
        """The plan of a pipeline.

        Args:
            known: the dataset's earlier record of files, so that unchanged ones are not read again.

        Raises:
            ConfigError: a folder is missing or empty, or the number of assets is not given or more than there are files.
        """
        folders = {n: e.config for n, e in pipeline.sources.items() if isinstance(e.config, sources.FilesConfig)}
        files = {name: sources.record(config, known.get(name)) for name, config in folders.items()}
        items: dict[str, list[str] | None] = {}
        for name, entry in pipeline.sources.items():
            supply = sources.SOURCES.find(entry.source).items
            items[name] = None if supply is None else supply(entry.config)
        assets = _count(pipeline, items)
        shares = {name: entry.share for name, entry in pipeline.sources.items()}
        assigned = sources.assign(shares, pipeline.run.seed, assets)
        return cls(pipeline, assets, files, items, assigned, sources.ordinals(assigned))

    @property
    def outside(self) -> tuple[str, ...]:
        """Modules of other packages whose code decides the rows."""
        return outside.modules(self.pipeline)

    def order(self, index: int) -> Order:
        """The order for one asset."""
        entry = list(self.items)[int(self.assigned[index])]
        supply = self.items[entry]
        if supply is None:
            return Order(index, entry)
        k = int(self.ordinals[index])
        return Order(index, entry, supply[k] if k < len(supply) else "")

    def recipe(self, digest: str, fingerprint: str) -> Recipe:
        """What a worker needs; the digests go into every row."""
        pipeline = self.pipeline
        return Recipe(
            seed=pipeline.run.seed,
            sources={name: (entry.source, entry.config) for name, entry in pipeline.sources.items()},
            curate=pipeline.curate,
            render=pipeline.render,
            fields=pipeline.fields,
            shards=pipeline.shards,
            digest=digest,
            fingerprint=fingerprint,
            draw=stages.draw,
        )


def _count(pipeline: Pipeline, items: Mapping[str, list[str] | None]) -> int:
    assets, supplies = pipeline.run.assets, list(items.values())
    if len(supplies) == 1 and (only := supplies[0]) is not None:
        if assets is not None and assets > len(only):
            raise ConfigError(f"{assets} assets asked for, but source '{next(iter(items))}' has {len(only)} files")
        return assets or len(only)
    if assets is None:
        raise ConfigError(f"how many assets? pipeline '{pipeline.name}' doesn't say: --assets N or --set run.assets=N")
    return assets
