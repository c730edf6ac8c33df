"""A torch dataset of assets that are milled while they are drawn: no shard on disk, bounded memory, one order for a seed."""

import os
import weakref
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Any, Self, Unpack

import pyarrow as pa
import torch.distributed as dist
from torch.utils.data import IterableDataset, get_worker_info

from versemill.config import digest
from versemill.errors import ConfigError
from versemill.mill.folder.dataset import data_digest
from versemill.mill.live.draws import Draw, Drawing, Epochs
from versemill.mill.live.feed import Feed, Tally
from versemill.mill.live.makers import Here, Mill, OnRay
from versemill.mill.pipeline import parts as pipeline_parts
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.config import Pipeline, load
from versemill.mill.run.worker import Maker
from versemill.shards import DiskCache, loose
from versemill.shards.folder import check_split
from versemill.shards.lending import Sample
from versemill.shards.reading import Reading, Selection, select


class LiveDataset(IterableDataset[Sample]):
    """The assets of a pipeline, milled while they are drawn; samples are those of `shards.ShardDataset`.

    An epoch is what `versemill run` makes of the pipeline with the epoch's seed, `run.assets` indices, of which those of the
    split are drawn in an order that the seed decides; the first epoch has the pipeline's own seed. Which sample comes when
    does not depend on who mills, nor on how many: an asset that is rejected or fails gives its place to the next index.
    `live.ahead` assets at most are in the making or wait. Section `live` of the pipeline has the other settings.

    The mill starts with the first sample and ends with `close`, with the `with` block, or with the process. Use it in a
    `DataLoader` with `num_workers=0`: the mill's own workers take the place of the loader's.

    Args:
        pipeline: a resolved pipeline, or the name of a bundled one.
        seed: of the first epoch; None: the pipeline's.
        selection: what is read of each row, and how. reading: its fields, instead of it or changing it.
        split: "train", "val", "test" or None for all.
        here: mill in this process, one asset at a time, without Ray and without limits of time and memory.
        address: of a running Ray cluster; None starts one for this dataset, with `run.workers` workers.
        rank, world_size: of n processes, process `rank` takes every n-th draw; from torch.distributed where it is
            initialised, else 0 of 1.
        maker: makes one asset; a function of a module that workers can import.

    Raises:
        ConfigError: an unknown pipeline, split, pass or field; no asset of the split; or it is read in a loader's worker.
        VersemillError: while it is drawn from: more assets were rejected or failed than `live.lost` allows.
    """

    def __init__(
        self,
        pipeline: Pipeline | str,
        seed: int | None = None,
        selection: Selection | None = None,
        *,
        split: str | None = "train",
        here: bool = False,
        address: str | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        maker: Maker = stages.make,
        **reading: Unpack[Reading],
    ) -> None:
        check_split(split)
        resolved = load(pipeline) if isinstance(pipeline, str) else pipeline
        if seed is not None:
            resolved = replace(resolved, run=resolved.run.model_copy(update={"seed": seed}))
        self.pipeline, self.selection = resolved, select(selection, **reading)
        self._here, self._address, self._maker = here, address, maker
        joined = dist.is_available() and dist.is_initialized()
        self.rank = rank if rank is not None else dist.get_rank() if joined else 0
        self.world_size = world_size if world_size is not None else dist.get_world_size() if joined else 1
        if not 0 <= self.rank < self.world_size:
            raise ConfigError(f"rank {self.rank} must lie in 0..{self.world_size - 1}")
        self.epochs = Epochs(resolved, split)
        self.epoch, self._position = 0, 0
        self._open: tuple[Mill, weakref.finalize] | None = None
        self._stream: tuple[int, Generator[tuple[Draw, Sample], None, None]] | None = None
        self._columns = tuple(dict.fromkeys(self.selection.columns()))
        self.tally = Tally()

    def __len__(self) -> int:
        """Samples of the epoch for this rank; every rank has as many."""
        return self.epochs.epoch(self.epoch).draws // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Starts `epoch` from its beginning."""
        self.epoch, self._position = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """Where this rank stands: the next sample it would yield."""
        return {"epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resumes from a `state_dict`, under the same pipeline, seed and ranks."""
        self.epoch, self._position = state["epoch"], state["position"]

    def __iter__(self) -> Iterator[Sample]:
        """The rest of the epoch; the next call yields the next epoch."""
        if get_worker_info() is not None:
            raise ConfigError("a LiveDataset mills in workers of its own: use it with DataLoader(..., num_workers=0)")
        epoch, end = self.epoch, len(self)
        while self.epoch == epoch and self._position < end:
            place = self._global(epoch, self._position)
            if self._stream is None or self._stream[0] != place:
                self._leave()
                self._stream = place, self.samples(self._ahead(epoch, self._position))
            try:
                _, sample = next(self._stream[1])
            except BaseException:
                self._leave()
                raise
            self._position += 1
            following = (epoch, self._position) if self._position < end else (epoch + 1, 0)
            self._stream = self._global(*following), self._stream[1]
            yield sample
        if self.epoch == epoch:
            self.set_epoch(epoch + 1)

    def _global(self, epoch: int, position: int) -> int:
        return self.epochs.epoch(epoch).first + position * self.world_size + self.rank

    def _ahead(self, epoch: int, position: int) -> Iterator[int]:
        """Positions of this rank from there on, epoch after epoch."""
        for number in count(epoch):
            length = self.epochs.epoch(number).draws // self.world_size
            yield from (self._global(number, k) for k in range(position if number == epoch else 0, length))

    def samples(self, positions: Iterator[int], drawing: Drawing | None = None) -> Generator[tuple[Draw, Sample], None, None]:
        """The draw and the sample of each position of an order, milled ahead; one order at a time.

        Args:
            drawing: the order; by default this dataset's own.
        """
        mill, live = self._mill(), self.pipeline.live
        cache = DiskCache(live.cache, live.cache_mb * 1_000_000) if live.cache else None
        keys = self._keys(mill.fingerprint)
        feed = Feed(drawing or self.epochs, mill, self._decode, live, cache, lambda draw: keys[draw.part])
        self.tally = feed.tally
        try:
            yield from feed.samples(positions)
        finally:
            feed.close()

    def _keys(self, fingerprint: str) -> dict[str, str]:
        """Part -> digest of what decides its rows besides seed and index, and of the columns that are kept of them."""
        files = {e: {p: each["sha256"] for p, each in record.items()} for e, record in self.epochs.plan.files.items()}
        shared = {k: v for k, v in self.pipeline.data.items() if k not in ("seed", "sources")}
        common = {**shared, "files": files, "columns": self._columns, "fingerprint": fingerprint}
        return {
            name: digest({**common, "source": source, "config": config.model_dump(mode="json")})
            for name, (source, config) in self._sources().items()
        }

    def _decode(self, draw: Draw, row: pa.Table) -> Sample:
        values = loose.values(row, self._columns)
        return self.selection.decode(values, draw.lap, self.pipeline.run.seed)

    @property
    def parts(self) -> list[str]:
        """Names of what a draw may be of: the pipeline's entries, and the parts that they can be split into."""
        return list(self._sources())

    def _sources(self) -> dict[str, tuple[str, Any]]:
        """Name -> source and settings of all entries, and of all parts that they can be split into."""
        parts = (*pipeline_parts.whole(self.pipeline), *pipeline_parts.split(self.pipeline))
        return {part.name: (part.source, part.config) for part in parts}

    def _mill(self) -> Mill:
        """The mill, started when it is first needed."""
        if self._open is None:
            if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not self._here and self._address is None:
                raise ConfigError(
                    "several training processes share one mill: start a Ray cluster (`ray start --head`), and name its address"
                )
            pipeline, plan = self.pipeline, self.epochs.plan
            recipe = replace(plan.recipe(data_digest(pipeline, plan.files), ""), sources=self._sources())
            mill: Mill = (
                Here(pipeline, recipe, self._columns, self._maker)
                if self._here
                else OnRay(pipeline, recipe, self._columns, self._address, self._maker)
            )
            self._open = mill, weakref.finalize(self, mill.close)
        return self._open[0]

    @property
    def cpu(self) -> float:
        """Core-seconds that milling took so far."""
        return self._open[0].cpu if self._open else 0.0

    def close(self) -> None:
        """Ends the mill; drawing again starts another."""
        self._leave()
        if self._open is not None:
            _, end = self._open
            self._open = None
            end()

    def _leave(self) -> None:
        """Forgets what was milled ahead."""
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()
