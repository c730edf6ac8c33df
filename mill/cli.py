"""The command line: `versemill COMMAND`. Commands live in `mill/commands`; this is their table and what errors become."""

import io
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from versemill import __version__
from versemill.errors import VersemillError
from versemill.mill.commands import assets, deliver, distill, generate, inspect, models, normals, pipelines, run, views
from versemill.mill.commands.common import err, out
from versemill.mill.run import signals
from versemill.shards.storage import MISTAKES, shown

EXIT_CODES = (
    "Exit codes: 0 success; 1 an error, or a negative result of verify, validate, diff or curate; 2 a bad argument, "
    "configuration or path, nothing was changed; 3 a device, program or package is missing; 4 finished, but some assets "
    "failed (see status); 5 another run is writing to the dataset, nothing was changed; 130 interrupted."
)
MOST_CHARACTERS = 2000
"""Of the line that an error becomes: it may quote what was given."""

GROUPS = {
    "Pipelines": (inspect.list_, pipelines.config_, pipelines.schema, pipelines.init),
    "Datasets": (
        inspect.plan, run.run, inspect.status, inspect.verify, run.retry, run.regenerate,
        run.extend, run.debug, inspect.diff, deliver.dedup, deliver.merge, deliver.export, deliver.report,
    ),
    "Assets": (assets.preview, assets.specs, assets.curate, assets.render, assets.score, assets.doctor),
    "Models": (
        models.train, models.evaluate, models.validate, models.ablate, generate.generate, normals.normals, views.views,
        distill.distill,
    ),
}  # fmt: skip

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Make 3D training data: generate or read assets, clean, render and sample them, write shards, train models on them.",
    epilog=EXIT_CODES,
)
for group, commands in GROUPS.items():
    for command in commands:
        app.command(command.__name__.strip("_"), rich_help_panel=group)(command)


def _version(requested: bool) -> None:
    if requested:
        out.print(f"versemill {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: runs the command; an intended error becomes one line on standard error and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that is not UTF-8, a file name that is not
            stream.reconfigure(errors="backslashreplace")
    signals.install()
    try:
        code = _command()
    except KeyboardInterrupt:
        code = signals.INTERRUPTED
    signals.ignore()
    if code == signals.INTERRUPTED:
        _complain(signals.LINE)
    sys.exit(code)


def _command() -> int:
    """Runs the command and returns its exit code; what it raises on purpose is said in one line."""
    try:
        return app(standalone_mode=False) or 0
    except VersemillError as error:
        _complain(str(error))
        return error.exit_code
    except OSError as error:
        if isinstance(error, MISTAKES) and error.filename is not None:
            _complain(f"can't use the path '{error.filename}': {error.strerror}")
            return 2
        _complain(f"a disk, a store or a connection failed: {error}; fix it, then run the same command")
        return 1
    except TyperException as error:  # Typer's own are pages with boxes; a script's log wants a line
        message, usage = error.format_message(), getattr(error, "ctx", None)
        if message:  # without one, help was asked for by giving no command
            _complain(f"{message.rstrip('.')}; see `{usage.command_path if usage else 'versemill'} --help`")
        return 2


def _complain(text: str) -> None:
    line = shown(" ".join(text.split()))
    err.print(
        f"versemill: {line if len(line) <= MOST_CHARACTERS else line[:MOST_CHARACTERS] + ' ...'}", style="red", soft_wrap=True
    )


if __name__ == "__main__":
    main()
