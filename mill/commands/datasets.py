"""Commands on datasets: list, run, status, verify, retry, regenerate, extend, debug, diff, export, report."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from versemill.mill.commands.common import (
    Address,
    AsJson,
    Dataset,
    Overrides,
    RunOverrides,
    Verbose,
    err,
    holding_shards,
    out,
    print_json,
)

from versemill.errors import ConfigError

if TYPE_CHECKING:
    from versemill.mill.pipeline.config import Pipeline
    from versemill.mill.run.driver import Summary


def list_(
    file: Annotated[Path | None, typer.Option(help="Your own pipelines.yaml; it may extend the bundled ones.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the named pipelines, and the sources that they mix.

    Example: versemill list
    """
    from versemill.mill.pipeline import config
    from versemill.mill.pipeline.sources import SOURCES

    pipelines = config.pipelines(file)
    if as_json:
        print_json([{"name": name, "description": description} for name, description in pipelines])
        return
    sources = [(name, source.description) for name, source in SOURCES.items()]
    for heading, rows in (("pipeline", pipelines), ("source", sources)):
        table = Table(heading, "what it makes", box=None)
        for name, description in rows:
            table.add_row(f"[bold]{name}[/bold]", description)
        out.print(table)


def run(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="A name from `versemill list`.", show_default=False)],
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the dataset goes.", show_default=False)],
    assets: Annotated[int | None, typer.Option(help="How many assets to try.", show_default="the pipeline's")] = None,
    seed: Annotated[int | None, typer.Option(help="Dataset seed.", show_default="the pipeline's")] = None,
    overrides: Overrides = None,
    address: Address = None,
    file: Annotated[Path | None, typer.Option(help="Your own pipelines.yaml.")] = None,
    only: Annotated[
        list[int] | None, typer.Option(metavar="INDEX", help="Make these assets alone, seal nothing, and print them as JSON.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Mill a dataset: generate, curate, render, sample and seal shards. The same command goes on where it was.

    Examples:

    versemill run quickstart --out out/quickstart

    versemill run files --out out/mine --set sources.files.path=~/meshes

    versemill run mixed --out out/big --assets 10000 --seed 7 --set run.workers=32 --set render.device=cuda
    """
    from versemill.mill.folder import dataset as stored
    from versemill.mill.pipeline import config
    from versemill.mill.proof import after
    from versemill.mill.run import driver

    loaded = config.load(pipeline, file=file, overrides=overrides or [], assets=assets, seed=seed)
    after.check(loaded, stored.Dataset.at(_place(directory)))
    summary = driver.run(loaded, _place(directory), address=address, only=only, verbose=verbose)
    if only:
        print_json(summary.outcomes)
        raise typer.Exit(4 if any(outcome["status"] == "failed" for outcome in summary.outcomes) else 0)
    _finish(summary, loaded)


def status(
    directory: Dataset,
    as_json: AsJson = False,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="Prometheus' text format, as in DIR/metrics.prom.")] = False,
) -> None:
    """Counts, rates, rejections by reason, failures, core-seconds by stage; while a run goes on and after.

    Example: versemill status out/quickstart --json
    """
    from versemill.mill.report import status as view

    facts = view.status(_place(directory))
    if prometheus:
        sys.stdout.write(view.prometheus(_place(directory), facts))
        return
    if as_json:
        print_json(facts)
    else:
        out.print(view.text(facts))


def verify(
    directory: Dataset,
    quick: Annotated[bool, typer.Option("--quick", help="Presence and sizes only; open no shard.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Make again what is at fault, from config and seed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find missing, extra, truncated or tampered shards, NaN, and cameras that don't reproject. Exit code 1 if any.

    With --repair, what is at fault is made again, and compared: the same bytes as the ledger's SHA-256; or, made with other
    versions or on another device, equivalent within tolerances; or neither, which is exit code 1 too.

    Example: versemill verify out/quickstart
    """
    from versemill.mill.upkeep import maintenance
    from versemill.mill.upkeep import verify as check

    look = check.verify_quick if quick else partial(check.verify, deep=True)
    problems = look(_place(directory))
    remade: tuple[maintenance.Remade, ...] = ()
    if problems and repair:
        for problem in problems:
            err.print(f"[yellow]{problem}[/yellow]", soft_wrap=True)
        remade = maintenance.repair(_place(directory), problems).remade
        for each in remade:
            err.print(f"[{'red' if each.verdict == 'differs' else 'green'}]{each}[/]", soft_wrap=True)
        problems = look(_place(directory))
    if as_json:
        print_json([vars(problem) for problem in problems])
    else:
        for problem in problems:
            out.print(f"[red]{problem}[/red]", soft_wrap=True)
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        out.print(f"{directory}: {count}" if problems else f"{directory}: every shard is as the ledger says")
    raise typer.Exit(1 if problems or any(each.verdict == "differs" for each in remade) else 0)


def retry(directory: Dataset, overrides: RunOverrides = None, address: Address = None, verbose: Verbose = False) -> None:
    """Make the failed assets again, and only them.

    Example: versemill retry out/quickstart --set run.memory_mb=16000
    """
    from versemill.mill.upkeep import maintenance

    _finish(maintenance.retry(_place(directory), overrides or [], address=address, verbose=verbose))


def regenerate(
    directory: Dataset,
    shards: Annotated[str, typer.Option(metavar="3,7-9", help="Which shards.", show_default=False)],
    overrides: RunOverrides = None,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Make whole shards again from config and seed; on the same machine their bytes are the same.

    Example: versemill regenerate out/quickstart --shards 3,7-9
    """
    from versemill.mill.upkeep import maintenance

    _finish(maintenance.regenerate(_place(directory), _numbers(shards), overrides or [], address=address, verbose=verbose))


def extend(
    directory: Dataset,
    assets: Annotated[int, typer.Option(help="Assets in all, not how many more.", show_default=False)],
    overrides: RunOverrides = None,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Make more of the same dataset; the rows that are there stay.

    Example: versemill extend out/quickstart --assets 500
    """
    from versemill.mill.upkeep import maintenance

    _finish(maintenance.extend(_place(directory), assets, overrides or [], address=address, verbose=verbose))


def debug(
    directory: Dataset, index: Annotated[int, typer.Argument(help="Asset index, as the ledger names it.", show_default=False)]
) -> None:
    """Make one asset of a dataset in this process, without Ray: what it raises is shown whole.

    Example: python -m pdb -m versemill debug out/quickstart 17
    """
    from versemill.mill.upkeep import maintenance

    made = maintenance.debug(_place(directory), index)
    print_json(made.record)


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", show_default=False)],
) -> None:
    """What differs between two datasets: config, versions, shards. Exit code 1 if anything does.

    Example: versemill diff out/monday out/tuesday
    """
    from versemill.mill.upkeep import maintenance

    lines = maintenance.diff(_place(first), _place(second))
    for line in lines:
        out.print(line, soft_wrap=True)
    if not lines:
        out.print("equal: the same config, and every shard has the same SHA-256")
    raise typer.Exit(1 if lines else 0)


def export(
    directory: Dataset,
    format: Annotated[str | None, typer.Option(metavar="F", help="Which format; leave it out to see them all.")] = None,
    target: Annotated[Path | None, typer.Option("--to", metavar="OUT", help="Where the export goes.")] = None,
    split: Annotated[str | None, typer.Option(help="Only train, val or test.", show_default="all")] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Leave out what `versemill dedup` found to repeat others.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes; each takes whole shards.")] = 1,
) -> None:
    """Write a dataset in the files that other people's training code reads; the same command goes on where it was.

    Example: versemill export out/quickstart --format webdataset --to out/wds
    """
    from versemill.mill.run.progress import steps

    from versemill import shards

    if format is None:
        table = Table("format", "who reads it", box=None)
        for name, kind in shards.FORMATS.items():
            table.add_row(f"[bold]{name}[/bold]", kind.summary)
        out.print(table)
        return
    if target is None:
        raise ConfigError("an export needs its folder: --to OUT")
    holding_shards(_place(directory))
    with steps(f"exporting {format}") as progress:
        done = shards.export(
            _place(directory),
            format,
            target,
            split,
            drop_duplicates=drop_duplicates,
            workers=workers,
            progress=lambda k, n: progress(k, n, {}),
        )
    out.print(f"{done.assets} assets in {target}, {done.shards_written} shards written now")


def dedup(
    directory: Dataset,
    radius: Annotated[
        float | None,
        typer.Option(min=0, help="Greatest descriptor distance of near copies; 0: exact ones alone.", show_default="0.01"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; each takes whole shards.", show_default="cores")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find assets that repeat others, and write DIR/duplicates/table.parquet; no shard changes. The lowest index is kept.

    Exact copies have the same content hash. Near copies have the same shape, whatever its rotation, mirror image, scale and
    tessellation; looks don't count. Readers leave the duplicates out with ShardDataset(DIR, drop_duplicates=True), which also
    takes apart those that lie in two splits. The same command after `versemill extend` looks at the new shards alone.

    Example: versemill dedup out/big --workers 16
    """
    import os

    from versemill.curation.duplicates import NEAR
    from versemill.mill.run.progress import steps
    from versemill.mill.upkeep import dedup as search

    cores = len(os.sched_getaffinity(0))
    with steps("describing shards") as progress:
        found = search.dedup(
            _place(directory),
            NEAR if radius is None else radius,
            workers or cores,
            lambda done, total: progress(done, total, {}),
        )
    if as_json:
        print_json(vars(found))
        return
    for index, kept, own, other in found.straddling[:20]:
        err.print(f"[yellow]asset {index} ({own}) repeats {kept} ({other})[/yellow]")
    if len(found.straddling) > 20:
        err.print(f"[yellow]and {len(found.straddling) - 20} more across splits; the table lists them[/yellow]")
    total = found.exact + found.near
    kinds = f"{found.exact} exact, {found.near} near"
    out.print(f"{directory}: {total} of {found.rows} assets repeat one of a lower index: {kinds}", soft_wrap=True)
    if total:
        across = f"{len(found.straddling)} of them lie across splits; " if found.straddling else ""
        out.print(f"{across}leave them out with ShardDataset({str(directory)!r}, drop_duplicates=True)", soft_wrap=True)


def report(directory: Dataset) -> None:
    """Write DIR/report.html: gallery, passes, shares, rejections, timings, failures, validation. One self-contained page.

    Example: versemill report out/quickstart
    """
    from versemill.mill import report as page

    out.print(f"wrote {page.write(_place(directory))}")


def _finish(summary: "Summary", pipeline: "Pipeline | None" = None) -> None:
    """Says what was done, and does what `run.then` says. Rejections are answers, not failures.

    Exit code 1: validation says no; 4: some assets failed.
    """
    if summary.made:
        stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in summary.core_seconds.items())
        out.print(f"made {summary.made} assets in {summary.wall:.0f} s; {summary.busy:.0%} of {summary.cores} cores busy")
        out.print(f"core-seconds per asset: {stages}; all {sum(summary.core_seconds.values()):.2f}", soft_wrap=True)
    counts = f"{summary.rows} rows, {summary.rejected} rejected, {summary.failed} failed"
    out.print(f"{summary.uri}: {counts}; {summary.sealed} of {summary.shards} shards sealed", soft_wrap=True)
    if summary.failed:
        err.print(f"see `versemill status {summary.uri}`, then `versemill retry {summary.uri}`", soft_wrap=True)
    answers = _afterwards(summary, pipeline) if summary.complete else []
    for well, sentence in answers:
        out.print(sentence, style=None if well else "red", markup=False, soft_wrap=True)
    raise typer.Exit(1 if not all(well for well, _ in answers) else 4 if summary.failed else 0)


def _afterwards(summary: "Summary", pipeline: "Pipeline | None") -> list[tuple[bool, str]]:
    from versemill.mill.folder.dataset import Dataset as Stored
    from versemill.mill.proof import after
    from versemill.mill.run.progress import steps
    from versemill.mill.upkeep import maintenance

    dataset = Stored.open(summary.uri)
    wanted = pipeline or maintenance.pipeline_of(dataset)
    if not wanted.run.then:
        return []
    with steps(", ".join(wanted.run.then)) as progress:
        return after.finish(wanted, dataset, progress)


def _numbers(text: str) -> list[int]:
    """ "3,7-9" as [3, 7, 8, 9]."""
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdigit() or (dash and not (high.isdigit() and int(high) >= int(low))):
            raise ConfigError(f"shards are numbers and ranges such as 3,7-9, got '{text}'")
        found += range(int(low), int(high or low) + 1)
    return found


def _place(directory: Path) -> str:
    """The folder or URI as typed: pathlib would halve the slashes of s3://."""
    text = str(directory)
    scheme, colon, rest = text.partition(":/")
    return f"{scheme}://{rest.lstrip('/')}" if colon and scheme.isalnum() else text
