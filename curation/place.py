"""Where a model lies, and how the files that it names are found: next to it, or anywhere below its root.

One rule: a file may be read if it ends, its links followed, inside the root. The root is the folder that the user gives
(`run files`, `--root`); without one it is the model's own folder, as named and, where the model is a link, as it ends.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from versemill.curation.opening import Budget
from versemill.errors import AssetError
from versemill.files import is_inside, open_foreign

MOST_ENTRIES = 20_000
"""Entries of a root that are looked through for a name that is not where it should be."""


@dataclass(frozen=True)
class Place:
    """A model's surroundings.

    Attributes:
        model: its path. root: the folder that it and what it names must lie in; None is its own.
        limit: bytes of the largest file that is read.
        elsewhere: names that were found in another place than the file says, and where; for its history.
    """

    model: Path
    root: Path | None
    limit: int
    elsewhere: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def folder(self) -> Path:
        """The model's folder, as named."""
        return self.model.parent

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """Folders that files may end in."""
        if self.root is not None:
            return (self.root.resolve(),)
        return tuple(dict.fromkeys((self.folder.resolve(), self.model.resolve().parent)))

    def read(self, path: Path) -> bytes:
        """A file's bytes, which are read once however often they are asked for; see `open_foreign`.

        Raises:
            AssetError: as `open_foreign`; "too_large" also where the model's files are larger than `limit` together.
        """
        real = os.path.realpath(path)
        if real not in self._files:
            data = open_foreign(path, self.roots, self.limit)
            self.budget.spend_bytes(len(data), path.name)
            self._files[real] = data
        return self._files[real]

    @cached_property
    def budget(self) -> Budget:
        """What all that the model names may still ask for."""
        return Budget(self.limit)

    @cached_property
    def _files(self) -> dict[str, bytes]:
        return {}

    def read_named(self, name: str, missing: str) -> bytes:
        """The file that a relative path or URI names exactly, with `missing` as the reason where there is none.

        Raises:
            AssetError: as `open_foreign`; "unsafe_path" for an absolute path or a URL too.
        """
        if leads_away(name):
            raise AssetError(
                "unsafe_path", f"'{name}' is not a path relative to {self.model.name}; put the file next to the model"
            )
        try:
            return self.read(self.folder / name.replace("\\", "/"))
        except AssetError as error:
            if error.reason != "missing_file":
                raise
            raise AssetError(missing, f"{self.model.name} refers to '{name}', which does not exist") from error

    def find(self, name: str) -> Path:
        """The file that a name written on another machine means.

        Tried in this order, ignoring case: the path as it is written; its last parts, the longest first, next to the model
        and in each folder above it up to the root; and the one file of that name below the root, if that is not too large.

        Raises:
            AssetError: "unsafe_path" where it is nowhere and the name leads out of the root, else "missing_file".
        """
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", ".")]
        if not parts or "\0" in name:
            raise AssetError("missing_file", f"{self.model.name} names no file: '{name}'")
        if not leads_away(name) and (written := _matching(self.folder, parts)) is not None and is_inside(written, self.roots):
            return written
        tail = [part for part in parts if part != ".." and not part.endswith(":")]
        folders = [self.folder, *self._above()]
        for k in range(len(tail)):
            for folder in folders:
                match = _matching(folder, tail[k:])
                if match is not None and is_inside(match, self.roots):
                    return self._noted(name, match)
        same = {path for path in self._below if path.name.lower() == tail[-1].lower()} if tail else set()
        if len(same) == 1:
            return self._noted(name, same.pop())
        if leads_away(name) or not is_inside(self.folder.joinpath(*parts), self.roots):
            raise AssetError(
                "unsafe_path",
                f"'{name}' does not lie inside {', '.join(map(str, self.roots))}; "
                f"put it next to {self.model.name}, or name a root (--root) that holds both",
            )
        raise AssetError("missing_file", f"{self.model.name} refers to '{name}', which does not exist")

    def _noted(self, name: str, path: Path) -> Path:
        if path.parent != self.folder:
            self.elsewhere[name] = os.path.relpath(path, self.folder)
        return path

    def _above(self) -> Iterator[Path]:
        """Folders above the model's, up to the root."""
        folder = self.folder.resolve()
        while self.root is not None and folder != self.roots[0] and folder.is_relative_to(self.roots[0]):
            folder = folder.parent
            yield folder

    @cached_property
    def _below(self) -> list[Path]:
        """Files below the roots; none where there are more than `MOST_ENTRIES` entries to look through."""
        files: list[Path] = []
        seen = 0
        for root in self.roots:
            for folder, folders, names in os.walk(root):
                folders.sort()
                seen += len(names) + len(folders)
                if seen > MOST_ENTRIES:
                    return []
                files += (Path(folder, name) for name in sorted(names))
        return files


def leads_away(name: str) -> bool:
    """Whether a name is an absolute path, on whatever system, or a URL."""
    cleaned = name.replace("\\", "/")
    return cleaned.startswith("/") or "://" in cleaned or cleaned[1:3] == ":/"


def _matching(folder: Path, parts: list[str]) -> Path | None:
    """The file at these parts below a folder, exactly or else in other case."""
    exact = folder.joinpath(*parts)
    if exact.is_file():
        return exact
    here = folder
    for part in parts:
        try:
            names = sorted(path.name for path in here.iterdir())
        except OSError:
            return None
        match = part if part in ("..", ".") or part in names else next((n for n in names if n.lower() == part.lower()), None)
        if match is None:
            return None
        here = here / match
    return here if here.is_file() else None
