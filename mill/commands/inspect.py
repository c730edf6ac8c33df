"""Commands that look, and change nothing but what `verify --repair` repairs: list, plan, status, verify, diff."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from versemill.mill.commands.common import (
    AsJson,
    Dataset,
    Overrides,
    PipelineName,
    Pipelines,
    err,
    out,
    print_json,
    uri_of,
)
from versemill.shards.storage import shown


def list_(
    file: Pipelines = None,
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
            table.add_row(Text(name, "bold"), description)
        out.print(table)


def plan(
    pipeline: PipelineName,
    assets: Annotated[int | None, typer.Option(help="Number of assets.", show_default="the pipeline's")] = None,
    seed: Annotated[int | None, typer.Option(help="Dataset seed.", show_default="the pipeline's")] = None,
    sample: Annotated[int, typer.Option(min=2, help="Assets made to measure the cost; more give a narrower interval.")] = 16,
    like: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Take the figures from an existing dataset of the same config instead."),
    ] = None,
    overrides: Overrides = None,
    file: Pipelines = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what a dataset will cost: shards, core-hours, GPU-hours, bytes and days, from a measured sample.

    Examples:

    versemill plan zeroverse-paper --assets 10000

    versemill plan quickstart --assets 100000 --from out/quickstart --json
    """
    from versemill.mill.pipeline import config
    from versemill.mill.upkeep import estimate

    loaded = config.load(pipeline, file=file, overrides=overrides or [], assets=assets, seed=seed)
    facts = estimate.estimate(loaded, sample, None if like is None else str(like), progress=not as_json)
    if as_json:
        print_json(facts)
    else:
        out.print(estimate.text(facts))


def status(
    directory: Dataset,
    as_json: AsJson = False,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Print Prometheus text format, as in DIR/metrics.prom.")
    ] = False,
) -> None:
    """Show counts, rates, rejections by reason, failures and core-seconds by stage, during a run and after it.

    Example: versemill status out/quickstart --json
    """
    from versemill.mill.report import status as view

    facts = view.status(uri_of(directory))
    if prometheus:
        sys.stdout.write(view.prometheus(uri_of(directory), facts))
        return
    if as_json:
        print_json(facts)
    else:
        out.print(view.text(facts))


def verify(
    directory: Dataset,
    quick: Annotated[bool, typer.Option("--quick", help="Check only presence and sizes.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild damaged shards from config and seed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find missing, extra, truncated or altered shards, NaN, and cameras that do not reproject. Exit code 1 if any.

    --repair rebuilds damaged shards and compares them with the ledger: the same SHA-256; or, under other versions or on another
    device, equivalent within tolerances; or different, which is exit code 1 too.

    Example: versemill verify out/quickstart
    """
    from versemill.mill.upkeep import maintenance
    from versemill.mill.upkeep import verify as check

    look = check.verify_quick if quick else partial(check.verify, deep=True)
    problems = look(uri_of(directory))
    remade: tuple[maintenance.Remade, ...] = ()
    if problems and repair:
        for problem in problems:
            err.print(str(problem), style="yellow", soft_wrap=True)
        remade = maintenance.repair(uri_of(directory), problems).remade
        for each in remade:
            err.print(str(each), style="red" if each.verdict == "differs" else "green", soft_wrap=True)
        problems = look(uri_of(directory))
    if as_json:
        print_json([vars(problem) for problem in problems])
    else:
        for problem in problems:
            out.print(str(problem), style="red", soft_wrap=True)
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        for note in check.notes(uri_of(directory)):
            err.print(f"note: {note}", soft_wrap=True)
        place = shown(uri_of(directory))
        out.print(f"{place}: {count}" if problems else f"{place}: all shards match the ledger")
    raise typer.Exit(1 if problems or any(each.verdict == "differs" for each in remade) else 0)


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", show_default=False)],
) -> None:
    """Compare two datasets: config, versions, shards. Exit code 1 if anything differs.

    Example: versemill diff out/monday out/tuesday
    """
    from versemill.mill.upkeep import maintenance

    lines = maintenance.diff(uri_of(first), uri_of(second))
    for line in lines:
        out.print(line, soft_wrap=True)
    if not lines:
        out.print("equal: the same config, and every shard has the same SHA-256")
    raise typer.Exit(1 if lines else 0)
