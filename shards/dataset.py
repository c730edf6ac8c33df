"""A map-style torch dataset over sealed shards; every sample is decoded in the worker that requests it."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs as pafs
from torch.utils.data import Dataset

from versemill.errors import ShardError
from versemill.shards.cache import DiskCache
from versemill.shards.cells import Cells, LocalShard
from versemill.shards.duplicates import duplicate_indices
from versemill.shards.extensions import find_extensions, joined
from versemill.shards.folder import Shard, check_split, find_shards, open_shard
from versemill.shards.lending import Sample
from versemill.shards.loose import plain
from versemill.shards.reading import Reading, Selection, select
from versemill.shards.schema import completed, is_blob

MEGABYTE = 1_000_000


class RowReader:
    """Random access to rows; the row groups read last are kept within a byte budget.

    On a local disk the cells of binary columns stay in the file until a sample needs them. Open files are never pickled,
    and never shared over a fork: each process opens its own.
    """

    def __init__(
        self, fs: pafs.FileSystem, columns: Sequence[str], cache_bytes: int, disk_cache: DiskCache | None = None
    ) -> None:
        self._fs, self._columns, self._budget, self._disk = fs, list(columns), cache_bytes, disk_cache
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._files: OrderedDict[str, LocalShard | pq.ParquetFile] = OrderedDict()
        self._groups: OrderedDict[tuple[str, int], RowGroup] = OrderedDict()
        self._bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"_fs": self._fs, "_columns": self._columns, "_budget": self._budget, "_disk": self._disk}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def row(self, shard: Shard, row: int) -> dict[str, Any]:
        """One row as nested dictionaries, joined with what its shard's extensions add; a cell is bytes, or a buffer that shares
        the row group's memory."""
        values = self._own(shard, row)
        for extension, part in shard.extensions:
            values = joined(values, self._own(part, row), extension)
        return values

    def _own(self, shard: Shard, row: int) -> dict[str, Any]:
        """One row of the file alone."""
        starts = np.cumsum((0, *shard.groups))
        number = int(np.searchsorted(starts, row, "right")) - 1
        loaded, place = self._group(shard, number), row - int(starts[number])
        values = {name: plain(loaded.table[name][place]) for name in loaded.table.column_names}
        for column, cells in loaded.cells.items():
            group, leaf = column.split(".")
            values.setdefault(group, {})[leaf] = cells[place]
        return completed(values, self._columns)

    def _group(self, shard: Shard, number: int) -> "RowGroup":
        if os.getpid() != self._pid:
            self._forget()
        key = (shard.path, number)
        if key in self._groups:
            self._groups.move_to_end(key)
            return self._groups[key]
        if self._disk is None:
            group = self._fetch(shard, number)
        else:
            name = "\n".join([self._fs.type_name, shard.path, shard.stamp, str(number), *self._columns])
            group = RowGroup(self._disk.table(name, lambda: self._fetch(shard, number, direct=False).table), {})
        self._groups[key] = group
        self._bytes += group.table.nbytes
        while self._bytes > self._budget and len(self._groups) > 1:
            self._bytes -= self._groups.popitem(last=False)[1].table.nbytes
        return group

    def _fetch(self, shard: Shard, number: int, direct: bool = True) -> "RowGroup":
        try:
            file = self._file(shard.path)
            if not isinstance(file, LocalShard):
                return RowGroup(file.read_row_group(number, columns=self._columns, use_threads=False), {})
            # Without the rows' counts of views it is unknown which cells are whose.
            apart = [c for c in self._columns if is_blob(c) and ("views.count" in self._columns or not c.startswith("views."))]
            cells = {c: file.cells(number, c) for c in apart} if direct else {}
            blobs = {column: values for column, values in cells.items() if values is not None}
            rest = [column for column in self._columns if column not in blobs]
            table = file.parquet.read_row_group(number, columns=rest, use_threads=False)
            return RowGroup(table, {column: _by_row(column, values, table) for column, values in blobs.items()})
        except (OSError, pa.ArrowException) as error:
            raise ShardError(f"shard '{shard.path}' can't be read ({error}); `versemill verify` shows details") from error

    def _file(self, path: str, limit: int = 16) -> LocalShard | pq.ParquetFile:
        if path not in self._files:
            local = isinstance(self._fs, pafs.LocalFileSystem)
            self._files[path] = LocalShard(path) if local else pq.ParquetFile(path, filesystem=self._fs)
            if len(self._files) > limit:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(path)
        return self._files[path]


@dataclass(frozen=True)
class RowGroup:
    """What was read of a row group; and by column what is still in the file: of each row a cell, or the cells of its views."""

    table: pa.Table
    cells: dict[str, Sequence[Any]]


def _by_row(column: str, cells: Cells, table: pa.Table) -> Sequence[Any]:
    if not column.startswith("views."):
        return cells
    ends = np.cumsum(table["views"].combine_chunks().field("count").to_numpy(zero_copy_only=False)).tolist()
    return [cells[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


class ShardDataset(Dataset[Sample]):
    """All assets of a dataset folder, or of one split of it.

    A sample is a dictionary of tensors (V views, H x W pixels):

    - `id`, `index`, `caption`: str, int, str.
    - `rgb`: (V, 4, H, W) float32 in [0, 1], sRGB, straight alpha; with `background`: (V, 3, H, W), composited,
      and `alpha` (V, 1, H, W) next to it.
    - `normal`: (V, 3, H, W) float32 unit vectors; `depth`: (V, 1, H, W) float32 planar z, world units;
      `mask`: (V, 1, H, W) bool. 0 is background. Other passes likewise.
    - `c2w`: (V, 4, 4) float32; `K`: (V, 3, 3) float32, pixels of the image as returned; `orthographic`: (V,) bool;
      `lighting`: (V,) int64, which lighting each view is lit by; `views`: (V,) which views of the row these are.
    - `covisibility` with `covisibility=True`: (V, V) float32; (i, j) is the share of view i's foreground that view j sees.
    - field arrays by name, (n, c) float32; `watertight_vertices`, `watertight_faces` with `mesh=True`.

    Args:
        directory: path or URI of the dataset.
        split: "train", "val", "test" or None for all.
        selection: what is read of each row, and how.
        drop_duplicates: leave out what DIR/duplicates/table.parquet lists, which `versemill dedup` writes.
        seed: of view, crop and point draws; they also depend on the row and on `set_epoch`.
        cache_bytes: encoded row groups kept in memory per worker.
        disk_cache: keeps on a local disk what was read from an object store; all workers share it.
        reading: fields of `Selection`, instead of `selection` or changing it: `passes=("rgb",), views=4`.

    Raises:
        ShardError: no shards, or a damaged one.
        ConfigError: an unknown split, pass or field, an impossible selection, or no (or an outdated) table of duplicates.
    """

    def __init__(
        self,
        directory: str | Path,
        split: str | None = None,
        selection: Selection | None = None,
        *,
        drop_duplicates: bool = False,
        seed: int = 0,
        cache_bytes: int = 256 * MEGABYTE,
        disk_cache: DiskCache | None = None,
        **reading: Unpack[Reading],
    ) -> None:
        check_split(split)
        self.selection = select(selection, **reading)
        self.split, self.seed, self.epoch = split, seed, 0
        fs, paths = find_shards(directory)
        more = find_extensions(fs, paths[0]) if self.selection.passes else ()
        self.shards = [open_shard(fs, path, more) for path in paths]
        gone = duplicate_indices(directory, self.shards) if drop_duplicates else frozenset[int]()
        self._where = [(s, r) for s, shard in enumerate(self.shards) for r in range(len(shard.splits))
                       if (split is None or shard.splits[r] == split) and int(shard.indices[r]) not in gone]  # fmt: skip
        self._reader = RowReader(fs, self.selection.columns(), cache_bytes, disk_cache)

    def __len__(self) -> int:
        return len(self._where)

    @property
    def indices(self) -> NDArray[np.uint64]:
        """(len,) asset index of each sample."""
        return np.array([self.shards[s].indices[r] for s, r in self._where], np.uint64)

    def set_epoch(self, epoch: int) -> None:
        """Changes view, crop and point draws; call it before the epoch's workers start."""
        self.epoch = epoch

    def __getitem__(self, item: int) -> Sample:
        shard, row = self._where[item]
        return self.selection.decode(self._reader.row(self.shards[shard], row), self.epoch, self.seed)
