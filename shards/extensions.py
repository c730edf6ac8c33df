"""What was added to a sealed dataset: DIR/columns/0001/shards/*.parquet, one file of views or passes next to each shard.

`versemill extend DIR --views N` and `--passes NAME` write them; no sealed file changes. Such a file has the schema of a shard
and the rows of the shard of its name, in its order; what it does not add is null. Readers join the two row by row.
"""

import json
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyarrow import fs as pafs

from versemill.errors import ShardError
from versemill.shards.storage import join, read_bytes

FOLDER = "columns"
FACTS = "columns.json"


@dataclass(frozen=True)
class Extension:
    """One addition to every row of a dataset.

    Attributes:
        number: from 1; they are joined in this order. path: its folder.
        views: further views that it adds to each row, with all passes; 0: it adds `passes` to the views that are there.
        passes: the passes that it holds.
        complete: every shard has its file. Readers pass over one that is not.
    """

    number: int
    path: str
    views: int
    passes: tuple[str, ...]
    complete: bool

    def file(self, shard: str) -> str:
        """The path of the file that belongs to the shard of a path."""
        return join(self.path, "shards", posixpath.basename(shard))


def find_extensions(fs: pafs.FileSystem, shard: str) -> list[Extension]:
    """The complete extensions of the dataset that a shard's file lies in, in their order; none of a folder without `shards`.

    Raises:
        ShardError: a columns.json is damaged.
    """
    folder = posixpath.dirname(shard)
    if posixpath.basename(folder) != "shards":
        return []
    return [extension for extension in all_extensions(fs, posixpath.dirname(folder)) if extension.complete]


def all_extensions(fs: pafs.FileSystem, root: str) -> list[Extension]:
    """The extensions of a dataset's folder, in their order, complete or not. Raises ShardError: a columns.json is damaged."""
    selector = pafs.FileSelector(join(root, FOLDER), allow_not_found=True)
    folders = [info.path for info in fs.get_file_info(selector) if info.type == pafs.FileType.Directory]
    return sorted((_read(fs, folder) for folder in folders), key=lambda extension: extension.number)


def _read(fs: pafs.FileSystem, folder: str) -> Extension:
    path = join(folder, FACTS)
    try:
        facts = json.loads(read_bytes(fs, path))
        number, views, passes, complete = (facts[name] for name in ("number", "views", "passes", "complete"))
        if posixpath.basename(folder) != f"{number:04d}" or not isinstance(views, int) or not isinstance(complete, bool):
            raise ValueError("it describes another folder, or lacks a number")
        return Extension(number, folder, views, tuple(map(str, passes)), complete)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ShardError(
            f"'{path}' is missing or damaged ({error}); restore it, or remove its folder and extend again"
        ) from error


def unfit(path: str, extension: Extension, why: str) -> ShardError:
    """The error of a shard whose file in an extension is missing or is not of its rows."""
    what = f"{extension.views} views" if extension.views else ", ".join(extension.passes)
    return ShardError(
        f"shard '{path}' lacks its part of extension {extension.number} ({what}): '{extension.file(path)}' {why}; "
        "`versemill extend DIR` writes what is missing"
    )


def touches(columns: Sequence[str] | None) -> bool:
    """Whether columns (groups or leaves; None is all) are among those that an extension can hold."""
    return columns is None or any(column.partition(".")[0] == "views" for column in columns)


def joined(row: dict[str, Any], more: dict[str, Any], extension: Extension) -> dict[str, Any]:
    """A row with what an extension's row adds to it, both as nested dictionaries with the same columns; a row that could not be
    rendered stays as it is."""
    views, added = row["views"], more["views"]
    if added is None or views is None:
        return row if added is None else {**row, "views": added}
    if extension.views:
        return {**row, "views": {name: _longer(name, value, added.get(name)) for name, value in views.items()}}
    known = {name: value for name, value in added.items() if value is not None and views.get(name) is None}
    return {**row, "views": {**views, **known}}


def _longer(name: str, value: Any, more: Any) -> Any:
    """The value of a leaf of `views` for the views that are there and those that are added."""
    if name == "covisibility":
        return more  # of all views, which only the later file knows
    if name in ("width", "height", "info"):
        return value
    if value is None or more is None:
        return None
    if name == "count":
        return value + more
    if name == "tags":
        return sorted({*value, *more})
    return [*value, *more] if isinstance(value, list) and isinstance(more, list) else Joined(value, more)


class Joined(Sequence[Any]):
    """Two sequences of cells, one after the other, that stay where they are until a cell is asked for."""

    def __init__(self, first: Sequence[Any], second: Sequence[Any]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __iter__(self) -> Iterator[Any]:
        yield from self._first
        yield from self._second

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, slice):
            return [self[k] for k in range(*item.indices(len(self)))]
        at = item + len(self) if item < 0 else item
        return self._first[at] if at < len(self._first) else self._second[at - len(self._first)]
