"""A folder of shards: which files there are, and which rows they hold."""

import dataclasses
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs as pafs

from versemill.errors import ConfigError, ShardError
from versemill.seeds import SPLITS
from versemill.shards.extensions import Extension, find_extensions, unfit
from versemill.shards.schema import refusal
from versemill.shards.storage import exists, join, list_files, open_storage, shown


def shard_name(number: int) -> str:
    """The name, without a suffix, of a shard's own files: "shard-000012"."""
    return f"shard-{number:06d}"


def shard_number(path: str) -> int:
    """The number of the shard that a file belongs to, by its name; what follows the first dot does not matter.

    Raises:
        ValueError: it has no such name.
    """
    name = posixpath.basename(path).partition(".")[0]
    number = name.removeprefix("shard-")
    if number == name or not number.isdecimal():
        raise ValueError(f"'{path}' is not named like a shard, {shard_name(0)}")
    return int(number)


@dataclass(frozen=True)
class Shard:
    """One shard as readers see it: rows per row group, and each row's index and split. `stamp` is its file's size and date;
    `extensions` are the files of the dataset's extensions that hold further columns of the same rows."""

    path: str
    stamp: str
    groups: tuple[int, ...]
    indices: NDArray[np.uint64]
    splits: tuple[str, ...]
    extensions: tuple[tuple[Extension, "Shard"], ...] = ()


def find_shards(directory: str | Path) -> tuple[pafs.FileSystem, list[str]]:
    """The file system and sorted paths of the shards of a dataset folder (`DIR/shards/*.parquet`), or of a
    folder that holds the Parquet files itself.

    Raises:
        ShardError: there are none.
    """
    fs, root = open_storage(directory)
    paths = list_files(fs, join(root, "shards"), ".parquet") or list_files(fs, root, ".parquet")
    if not paths:
        raise ShardError(
            f"no shards in '{shown(directory)}': neither shards/*.parquet nor *.parquet; run a pipeline into it first"
        )
    return fs, paths


def open_shard(fs: pafs.FileSystem, path: str, extensions: Sequence[Extension] | None = None) -> Shard:
    """Reads a shard's footer and its rows' indices and splits, and those of its files in the dataset's extensions.

    Args:
        extensions: those to open, of `find_extensions`, which is called where None is given; () opens the shard alone.

    Raises:
        ShardError: the file is missing, damaged or of another schema version; or an extension lacks its part for this shard.
    """
    parts: list[tuple[Extension, Shard]] = []
    for extension in find_extensions(fs, path) if extensions is None else extensions:
        if not exists(fs, file := extension.file(path)):
            raise unfit(path, extension, "does not exist")
        ids, others = (_meta(fs, each, ["meta.id"])[1].field("id").to_pylist() for each in (path, file))
        if ids != others:
            raise unfit(path, extension, f"holds other rows, {len(others)} for {len(ids)}")
        parts.append((extension, _open(fs, file)))
    return dataclasses.replace(_open(fs, path), extensions=tuple(parts))


def _open(fs: pafs.FileSystem, path: str) -> Shard:
    """A shard's file by itself."""
    groups, meta = _meta(fs, path, ["meta.index", "meta.split"])
    info = fs.get_file_info(path)
    stamp, indices = f"{info.size} {info.mtime_ns}", meta.field("index").to_numpy(zero_copy_only=False)
    return Shard(path, stamp, groups, indices, tuple(meta.field("split").to_pylist()))


def _meta(fs: pafs.FileSystem, path: str, columns: list[str]) -> tuple[tuple[int, ...], pa.StructArray]:
    """Rows per row group of a shard's file, and columns of its rows' `meta`."""
    try:
        with pq.ParquetFile(path, filesystem=fs) as file:
            if reason := refusal(file.schema_arrow.metadata):
                raise ShardError(f"shard '{path}' is of {reason}")
            groups = tuple(file.metadata.row_group(g).num_rows for g in range(file.num_row_groups))
            meta = file.read(columns=columns)["meta"].combine_chunks()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ShardError(f"shard '{path}' can't be read ({error}); `versemill verify` tells more") from error
    if isinstance(meta, pa.ChunkedArray):
        meta = pa.concat_arrays(meta.chunks) if meta.num_chunks else pa.array([], meta.type)
    return groups, meta


def check_split(split: str | None) -> None:
    """Raises ConfigError for a split that does not exist; None is all splits."""
    if split is not None and split not in SPLITS:
        raise ConfigError(f"unknown split '{split}'; there are {', '.join(SPLITS)}")
