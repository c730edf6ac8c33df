"""An iterable torch dataset: row groups are split over ranks and workers, shuffled by seed, resumable anywhere."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Unpack

import torch.distributed as dist
from torch.utils.data import IterableDataset, get_worker_info

from versemill import seeds
from versemill.errors import ConfigError
from versemill.shards.cache import DiskCache
from versemill.shards.dataset import MEGABYTE, RowReader
from versemill.shards.duplicates import duplicate_indices
from versemill.shards.extensions import find_extensions
from versemill.shards.folder import Shard, check_split, find_shards, open_shard
from versemill.shards.lending import Sample
from versemill.shards.reading import Reading, Selection, select

Row = tuple[Shard, int]


class ShardStream(IterableDataset[Sample]):
    """The rows of a split, each once per epoch over all ranks and workers, in an order that depends on the seed.

    The unit of reading is a row group. Groups are permuted; consumer c of n (rank x worker) takes groups c, c + n, ...;
    rows are shuffled among `window` groups that follow each other. Order depends on (seed, epoch, ranks, workers).

    To resume after an interruption: with `num_workers=0`, or a loader that keeps worker states, use `state_dict` and
    `load_state_dict`; with a plain `DataLoader`, `resume(epoch, batches, batch_size)`.

    Args:
        directory, split, selection, drop_duplicates, disk_cache, reading: as in `ShardDataset`.
        shuffle: off gives the order of the shards.
        window: row groups among which rows are shuffled, and which are kept in memory.
        even: every consumer yields the same number of rows, so that ranks stay in step; the rest of the epoch's
            order, fewer rows than a row group for each consumer and window, is left out.
        seed: of the order, and of view, crop and point draws.
        rank, world_size: from torch.distributed where it is initialised; else 0 of 1.

    Raises:
        ShardError: no shards, or a damaged one.
        ConfigError: unknown split, or `even` with fewer row groups than consumers.
    """

    def __init__(
        self,
        directory: str | Path,
        split: str | None = None,
        selection: Selection | None = None,
        *,
        drop_duplicates: bool = False,
        shuffle: bool = True,
        window: int = 8,
        even: bool = False,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        disk_cache: DiskCache | None = None,
        **reading: Unpack[Reading],
    ) -> None:
        check_split(split)
        self.selection = select(selection, **reading)
        self.shuffle, self.window, self.even, self.seed = shuffle, window, even, seed
        here = dist.is_available() and dist.is_initialized()
        self.rank = rank if rank is not None else dist.get_rank() if here else 0
        self.world_size = world_size if world_size is not None else dist.get_world_size() if here else 1
        if not 0 <= self.rank < self.world_size:
            raise ConfigError(f"rank {self.rank} must lie in 0..{self.world_size - 1}")
        fs, paths = find_shards(directory)
        more = find_extensions(fs, paths[0]) if self.selection.passes else ()
        opened = [open_shard(fs, path, more) for path in paths]
        gone = duplicate_indices(directory, opened) if drop_duplicates else frozenset[int]()
        self._units = [unit for shard in opened for unit in _units(shard, split, gone)]
        self._reader = RowReader(fs, self.selection.columns(), window * 64 * MEGABYTE, disk_cache)
        self.epoch, self._position, self._batches, self._batch_size = 0, 0, 0, 0

    def __len__(self) -> int:
        """Rows of the split in all ranks; what is left out by `even` is not subtracted."""
        return sum(len(rows) for rows in self._units)

    def set_epoch(self, epoch: int) -> None:
        """Starts `epoch` from its beginning."""
        self.epoch, self._position, self._batches = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """Where this consumer stands: the next row it would yield."""
        return {"epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resumes from a `state_dict`, under the same ranks, workers and settings."""
        self.epoch, self._position, self._batches = state["epoch"], state["position"], 0

    def resume(self, epoch: int, batches: int, batch_size: int) -> None:
        """Resumes after this rank's `DataLoader` gave `batches` whole batches in `epoch`; workers take turns by batch."""
        self.epoch, self._position, self._batches, self._batch_size = epoch, 0, batches, batch_size

    def order(self, worker: int = 0, workers: int = 1) -> list[Row]:
        """The rows that a worker of this rank yields in this epoch, in order."""
        rng = seeds.stream(self.seed, self.epoch, "shards/stream")
        count = len(self._units)
        units = rng.permutation(count).tolist() if self.shuffle else list(range(count))
        consumers = self.world_size * workers
        mine = [self._units[u] for u in units[self.rank * workers + worker :: consumers]]
        rows: list[Row] = []
        for start in range(0, len(mine), self.window):
            block = [row for unit in mine[start : start + self.window] for row in unit]
            if self.shuffle:
                purpose = f"shards/window/{self.rank * workers + worker}/{start}"
                permuted = seeds.stream(self.seed, self.epoch, purpose).permutation(len(block))
                block = [block[i] for i in permuted]
            rows += block
        return rows[: self._share(units, consumers)] if self.even else rows

    def _share(self, units: Sequence[int], consumers: int) -> int:
        if len(self._units) < consumers:
            raise ConfigError(
                f"{len(self._units)} row groups can't feed {consumers} consumers evenly; "
                "use fewer workers, or write smaller row groups (shards.row_group_rows)"
            )
        return min(sum(len(self._units[u]) for u in units[c::consumers]) for c in range(consumers))

    def __iter__(self) -> Iterator[Sample]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        begin = self._position
        if self._batches:
            begin = (self._batches // workers + (worker < self._batches % workers)) * self._batch_size
        rows = self.order(worker, workers)
        for position in range(begin, len(rows)):
            shard, row = rows[position]
            self._position = position + 1
            yield self.selection.decode(self._reader.row(shard, row), self.epoch, self.seed)
        self.set_epoch(self.epoch + 1)


def _units(shard: Shard, split: str | None, gone: frozenset[int]) -> list[list[Row]]:
    """The rows of the split that are not `gone`, row group by row group; groups without any are left out."""
    units, start = [], 0
    for size in shard.groups:
        rows: list[Row] = [
            (shard, r)
            for r in range(start, start + size)
            if (split is None or shard.splits[r] == split) and int(shard.indices[r]) not in gone
        ]
        start += size
        if rows:
            units.append(rows)
    return units
