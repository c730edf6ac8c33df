"""Tables that installed packages add to: our own entries, then those that packages declare as entry points.

A package adds a source named `boxes` by two lines of its pyproject.toml:

    [project.entry-points."versemill.sources"]
    boxes = "my_package.boxes:SOURCE"

Nothing is imported before it is needed, so listing the names costs no import.
"""

import importlib
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Generic, TypeVar

from versemill.errors import ConfigError

T = TypeVar("T")
PATH_HINT = "; put its folder on PYTHONPATH, or install it (with --pipelines FILE, the folder of FILE is searched too)"


class Table(Mapping[str, T], Generic[T]):
    """Name -> object. A name of the form `package.module:NAME` is looked up there, and is not among the table's own names.

    Args:
        word, plural: what an entry is, for messages: "source", "sources".
        kind: the class of every entry.
        own: name -> our own entry, or `module:NAME` of one that is imported when it is needed.

    The group of the entry points is `versemill.<plural>`.
    """

    def __init__(self, word: str, plural: str, kind: type[T], own: Mapping[str, str | T]) -> None:
        self.word, self.plural, self.kind, self.own = word, plural, kind, dict(own)

    @cached_property
    def installed(self) -> dict[str, metadata.EntryPoint]:
        """The entry points of other packages, by name; not imported.

        Raises:
            ConfigError: a name is already taken, by us or by another package.
        """
        entries: dict[str, metadata.EntryPoint] = {}
        for entry in metadata.entry_points(group=f"versemill.{self.plural}"):
            taken = "versemill" if entry.name in self.own else _package(entries[entry.name]) if entry.name in entries else None
            if taken:
                raise ConfigError(
                    f"package '{_package(entry)}' adds a {self.word} named '{entry.name}', a name that {taken} already uses; "
                    f"rename it there, or uninstall the package"
                )
            entries[entry.name] = entry
        return entries

    def target(self, name: str) -> str:
        """`module:NAME` of an entry; nothing is imported.

        Raises:
            ConfigError: the name is unknown.
        """
        if ":" in name:
            return name
        if name in self.own:
            own = self.own[name]
            return own if isinstance(own, str) else f"{self.kind.__module__}:{name}"
        if name in self.installed:
            return self.installed[name].value
        raise ConfigError(f"unknown {self.word} '{name}'; known: {', '.join(self)}, or package.module:NAME")

    def find(self, name: str) -> T:
        """The entry of that name, imported.

        Raises:
            ConfigError: the name is unknown, the module can't be imported, or what it names is of another class.
        """
        own = self.own.get(name)
        if own is not None and not isinstance(own, str):
            return own
        module, _, attribute = self.target(name).partition(":")
        try:
            entry = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # somebody's own module may raise anything
            hint = PATH_HINT if isinstance(error, ModuleNotFoundError) else ""
            raise ConfigError(f"can't load {self.word} '{name}': {type(error).__name__}: {error}{hint}") from error
        if not isinstance(entry, self.kind):
            expected = f"{self.kind.__module__}.{self.kind.__qualname__}"
            raise ConfigError(f"{self.word} '{name}' is a {type(entry).__name__}, not a {expected}")
        return entry

    def __getitem__(self, name: str) -> T:
        if name not in self.own and name not in self.installed:
            raise KeyError(name)
        return self.find(name)

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self.installed

    def __iter__(self) -> Iterator[str]:
        return iter((*self.own, *self.installed))

    def __len__(self) -> int:
        return len(self.own) + len(self.installed)


def search(file: str | Path) -> None:
    """Adds the folder of a user's file to the places where modules are looked up, after all others."""
    folder = str(Path(file).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)


def _package(entry: metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value
