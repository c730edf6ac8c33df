"""What of a pipeline comes from other packages: sources, filters, passes. Their code decides rows as ours does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from versemill.curation.filters import OWN_FILTERS
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.pipeline.sources import SOURCES
from versemill.plugins import Table
from versemill.views import PASSES


def modules(pipeline: Pipeline) -> tuple[str, ...]:
    """The modules, outside versemill, of the pipeline's sources, filters and passes, sorted.

    Raises:
        ConfigError: a name is unknown.
    """
    names = {table.target(name).partition(":")[0] for table, name in _named(pipeline)}
    return tuple(sorted(name for name in names if name.partition(".")[0] != "versemill"))


def metadata_folders(pipeline: Pipeline) -> list[str]:
    """The metadata folders of the installed packages that bring them: they hold the entry points that workers look up."""
    packages = dict.fromkeys(table.installed[name].dist for table, name in _named(pipeline) if name in table.installed)
    files = (file for package in packages if package for file in package.files or () if file.name == "entry_points.txt")
    return [str(Path(str(file.locate())).parent) for file in files]


def _named(pipeline: Pipeline) -> Iterator[tuple[Table[Any], str]]:
    yield from ((SOURCES, entry.source) for entry in pipeline.sources.values())
    yield from ((OWN_FILTERS, name) for name in pipeline.curate.filters.own)
    yield from ((PASSES, name) for name in pipeline.render.passes)
