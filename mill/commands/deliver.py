"""Commands on whole datasets once they are made: dedup, merge, export, report."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from versemill.errors import ConfigError
from versemill.mill.commands.common import (
    AsJson,
    Dataset,
    LogForm,
    LogKind,
    complete_formats,
    err,
    holding_shards,
    log_of,
    out,
    print_json,
    uri_of,
)
from versemill.shards.storage import shown


def dedup(
    directory: Dataset,
    radius: Annotated[
        float | None,
        typer.Option(min=0, help="Largest descriptor distance of near duplicates; 0: exact ones only.", show_default="0.01"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; each takes whole shards.", show_default="cores")
    ] = None,
    as_json: AsJson = False,
    log: LogForm = LogKind.auto,
) -> None:
    """Find assets that duplicate others and write DIR/duplicates/table.parquet. No shard changes; the lowest index is kept.

    Exact copies have the same content hash. Near copies have the same shape, whatever the rotation, reflection, scale and
    tessellation; appearance is ignored. Readers skip duplicates with ShardDataset(DIR, drop_duplicates=True), also those that
    lie in two splits. After `versemill extend`, the same command examines only the new shards.

    Example: versemill dedup out/big --workers 16
    """
    import os

    from versemill.curation.duplicates import NEAR
    from versemill.mill.run.progress import steps
    from versemill.mill.upkeep import dedup as search

    cores = len(os.sched_getaffinity(0))
    with steps("describing shards", log_of(directory, log)) as progress:
        summary = search.dedup(
            uri_of(directory),
            NEAR if radius is None else radius,
            workers or cores,
            lambda done, total: progress(done, total, {}),
        )
    if as_json:
        print_json(vars(summary))
        return
    for index, kept, own, other in summary.straddling[:20]:
        err.print(f"asset {index} ({own}) repeats {kept} ({other})", style="yellow")
    if len(summary.straddling) > 20:
        err.print(f"and {len(summary.straddling) - 20} more across splits; see the table", style="yellow")
    total = summary.exact + summary.near
    kinds = f"{summary.exact} exact, {summary.near} near"
    place = shown(uri_of(directory))
    out.print(f"{place}: {total} of {summary.rows} assets duplicate one of a lower index: {kinds}", soft_wrap=True)
    if total:
        across = f"{len(summary.straddling)} of them lie across splits; " if summary.straddling else ""
        out.print(f"{across}leave them out with ShardDataset({place!r}, drop_duplicates=True)", soft_wrap=True)


def merge(
    directories: Annotated[list[Path], typer.Argument(metavar="A B [...]", help="Datasets, two or more.", show_default=False)],
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for the result.", show_default=False)],
    log: LogForm = LogKind.auto,
) -> None:
    """Combine datasets: their sealed shards, byte for byte (hard-linked where possible, else copied), under one ledger.

    Parts of one config and seed become that dataset again, and a run can continue it. Others form a union, which can be read,
    verified, reported, exported and trained on, and records its parts. Rows keep their ids. Run the same command again to
    resume.

    Examples:

    versemill merge out/node1 out/node2 --out out/whole

    versemill merge out/zeroverse out/detailverse out/scans --out out/corpus
    """
    from versemill.mill.folder.dataset import Dataset as Folder
    from versemill.mill.run.progress import steps
    from versemill.mill.upkeep import merge as union

    with steps("merging", log_of(directory, log)) as progress:
        summary = union.merge(list(map(uri_of, directories)), uri_of(directory), lambda done, total: progress(done, total, {}))
    parts = len(directories)
    for sentence in union.repeats(Folder.open(uri_of(directory))):
        err.print(f"note: {sentence}", style="yellow", soft_wrap=True)
    out.print(f"{parts} datasets in {summary.uri}: {summary.rows} rows, {summary.sealed} of {summary.shards} shards sealed")


def export(
    directory: Dataset,
    format: Annotated[
        str | None,
        typer.Option(metavar="F", help="Format; leave it out to list all formats.", autocompletion=complete_formats),
    ] = None,
    target: Annotated[Path | None, typer.Option("--to", metavar="OUT", help="Output folder.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split: train, val or test.", show_default="all")] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Leave out the duplicates that `versemill dedup` found.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes; each takes whole shards.")] = 1,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one setting of the format, e.g. size=0.5 of urdf. Repeatable."),
    ] = None,
    log: LogForm = LogKind.auto,
) -> None:
    """Write a dataset in a format that other programs read. Run the same command again to resume.

    Examples:

    versemill export out/quickstart --format webdataset --to out/wds

    versemill export out/quickstart --format mjcf --to out/mjcf --set size=0.5 --set density=600
    """
    from versemill import shards
    from versemill.mill.pipeline import config
    from versemill.mill.run.progress import steps

    if format is None:
        table = Table("format", "who reads it", "settings", box=None)
        for name, kind in shards.FORMATS.items():
            settings = "" if kind.settings is None else ", ".join(kind.settings.model_fields)
            table.add_row(Text(name, "bold"), kind.summary, settings)
        out.print(table)
        return
    if target is None:
        raise ConfigError("name the output folder: --to OUT")
    holding_shards(uri_of(directory))
    with steps(f"exporting {format}", log_of(directory, log)) as progress:
        done = shards.export(
            uri_of(directory), format, target, split, drop_duplicates=drop_duplicates,
            settings=config.assignments(overrides or []), workers=workers, progress=lambda k, n: progress(k, n, {}),
        )  # fmt: skip
    out.print(f"{done.assets} assets in {target}, {done.shards_written} shards written now")
    if done.left_out:
        out.print(f"{len(done.left_out)} left out; {target / 'left_out.jsonl'} gives the reasons", soft_wrap=True)


def report(
    directory: Dataset,
    assets: Annotated[int, typer.Option(min=1, max=5000, help="Assets in the gallery, evenly spread.")] = 500,
) -> None:
    """Write DIR/report.html: gallery, passes, shares, rejections, timings, failures, validation. One self-contained page.

    Example: versemill report out/quickstart
    """
    from versemill.mill import report as page

    out.print(f"wrote {page.write(uri_of(directory), assets)}")
