"""The command that unites datasets."""

from pathlib import Path
from typing import Annotated

import typer
from versemill.mill.commands.common import out
from versemill.mill.commands.datasets import _place


def merge(
    directories: Annotated[list[Path], typer.Argument(metavar="A B [...]", help="Datasets, two or more.", show_default=False)],
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for the union.", show_default=False)],
) -> None:
    """Unite datasets: their sealed shards, byte for byte (linked where they can be, else copied), under one ledger.

    Pieces of one config and seed become that dataset again, and a run may go on with it. Datasets of different configs need
    different seeds; their union can be read, verified, reported, exported and trained on, and remembers its parts. The same
    command goes on where a killed one was.

    Examples:

    versemill merge out/node1 out/node2 --out out/whole

    versemill merge out/zeroverse out/detailverse out/scans --out out/corpus
    """
    from versemill.mill.run.progress import steps
    from versemill.mill.upkeep import merge as union

    with steps("merging") as progress:
        summary = union.merge(list(map(_place, directories)), _place(directory), lambda done, total: progress(done, total, {}))
    parts = len(directories)
    out.print(f"{parts} datasets in {summary.uri}: {summary.rows} rows, {summary.sealed} of {summary.shards} shards sealed")
