"""What every command shares: the consoles, the argument types, JSON on standard output."""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from versemill.errors import ConfigError, ShardError
from versemill.mill.pipeline.config import RunConfig
from versemill.mill.terminal import Terminal

if TYPE_CHECKING:
    from versemill.mill.run.progress import Log

out = Terminal()
err = Terminal(stderr=True)

Dataset = Annotated[
    Path, typer.Argument(metavar="DIR", help="A dataset: a folder written by `versemill run`.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value on standard output.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. render.width=256. Repeatable."),
]
SourceOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting of the source, e.g. texture_size=256. Repeatable."),
]
CurationOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting of curation, e.g. resolution=256. Repeatable."),
]
RenderOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting of the renderer, e.g. cameras.fov=40. Repeatable."),
]
RunOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="run.KEY=VALUE", help="Change a setting of section run, e.g. run.workers=8. Repeatable."),
]


def complete_pipelines(incomplete: str) -> list[tuple[str, str]]:
    """Names and descriptions for the shell."""
    from versemill.mill.pipeline import config

    return [(name, text) for name, text in config.pipelines() if name.startswith(incomplete)]


def complete_formats(incomplete: str) -> list[tuple[str, str]]:
    """Names and summaries for the shell."""
    from versemill.shards import FORMATS

    return [(name, kind.summary) for name, kind in FORMATS.items() if name.startswith(incomplete)]


PipelineName = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINE", help="A name from `versemill list`.", show_default=False, autocompletion=complete_pipelines
    ),
]
Pipelines = Annotated[
    Path | None,
    typer.Option(
        "--pipelines",
        metavar="FILE",
        help="Your own pipelines; they may extend the bundled ones. `versemill init` writes an example.",
    ),
]
Address = Annotated[str | None, typer.Option(metavar="ADDR", help="Address of a running Ray cluster: auto, or head:6379.")]

Root = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder that must contain the files, the targets of their links, and the textures that they name.",
        show_default="each file's own folder",
    ),
]

Deadline = Annotated[
    float,
    typer.Option("--deadline-s", min=0.1, help="Time limit per file in seconds; its process is then killed."),
]
Memory = Annotated[int, typer.Option("--memory-mb", min=64, help="Memory limit per file in MiB; its process is then killed.")]
DEADLINE_S, MEMORY_MB = (RunConfig.model_fields[name].default for name in ("deadline_s", "memory_mb"))


class LogKind(StrEnum):
    """Forms of the progress."""

    auto = "auto"
    json = "json"


LogForm = Annotated[
    LogKind,
    typer.Option("--log", help="auto: a bar on a terminal, else lines with time, dataset and run; json: one object per line."),
]


def log_of(directory: str | Path, kind: LogKind) -> "Log":
    """The log of a command that works on a dataset or in a folder, with a run id of its own."""
    from versemill.mill.run.progress import Log
    from versemill.mill.run.watchdog import new_run
    from versemill.shards.storage import shown

    return Log(err, shown(uri_of(Path(directory))), kind.value, new_run())


Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also print every asset, every retry, and the messages of Ray and the workers.")
]


def print_json(value: Any) -> None:
    """Writes JSON for machines: sorted keys, nothing else on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def distinct(files: Sequence[Path]) -> None:
    """Refuses files whose results would have the same name.

    Raises:
        ConfigError: two have the same stem.
    """
    seen: dict[str, Path] = {}
    for file in files:
        if file.stem in seen:
            raise ConfigError(f"'{seen[file.stem]}' and '{file}' would both be written as {file.stem}; give them apart")
        seen[file.stem] = file


def holding_shards(directory: str | Path) -> None:
    """Reports a folder without shards as a bad argument.

    Raises:
        ConfigError: it holds none.
    """
    from versemill.shards.folder import find_shards

    try:
        find_shards(directory)
    except ShardError as error:
        raise ConfigError(str(error)) from error


def uri_of(directory: Path) -> str:
    """The folder or URI as typed: pathlib would halve the slashes of s3://."""
    text = str(directory)
    scheme, colon, rest = text.partition(":/")
    return f"{scheme}://{rest.lstrip('/')}" if colon and scheme.isalnum() else text
