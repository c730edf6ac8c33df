"""Commands that make assets of a dataset: run, retry, regenerate, extend, debug."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from versemill.errors import ConfigError
from versemill.mill.commands.common import (
    Address,
    Dataset,
    LogForm,
    LogKind,
    Overrides,
    PipelineName,
    Pipelines,
    RunOverrides,
    Verbose,
    err,
    log_of,
    out,
    print_json,
    uri_of,
)

if TYPE_CHECKING:
    from versemill.mill.folder.dataset import Dataset as Stored
    from versemill.mill.pipeline.config import Pipeline
    from versemill.mill.run.driver import Summary


def run(
    pipeline: PipelineName,
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder or URI.", show_default=False)],
    assets: Annotated[int | None, typer.Option(help="Number of assets.", show_default="the pipeline's")] = None,
    seed: Annotated[int | None, typer.Option(help="Dataset seed.", show_default="the pipeline's")] = None,
    overrides: Overrides = None,
    address: Address = None,
    file: Pipelines = None,
    only: Annotated[
        list[int] | None,
        typer.Option(metavar="INDEX", help="Make only these assets, seal nothing, and print the records as JSON."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the resolved config, the plan and its cost; write nothing.")
    ] = False,
    verbose: Verbose = False,
    log: LogForm = LogKind.auto,
) -> None:
    """Make a dataset: generate, curate, render, sample, and seal shards. Run the same command again to resume.

    Examples:

    versemill run quickstart --out out/quickstart

    versemill run files --out out/mine --set sources.files.path=~/meshes

    versemill run mine --pipelines mine.yaml --out out/mine --dry-run

    versemill run mixed --out out/big --assets 10000 --seed 7 --set run.workers=32 --set render.device=cuda
    """
    from versemill.mill.folder import dataset as stored
    from versemill.mill.pipeline import config
    from versemill.mill.proof import after
    from versemill.mill.run import driver

    loaded = config.load(pipeline, file=file, overrides=overrides or [], assets=assets, seed=seed)
    after.check(loaded, stored.Dataset.at(uri_of(directory)))
    for note in config.notes(loaded):
        err.print(f"note: {note}", soft_wrap=True)
    if dry_run:
        _rehearse(loaded, stored.Dataset.at(uri_of(directory)))
        return
    summary = driver.run(loaded, uri_of(directory), address=address, only=only, verbose=verbose, log=log.value)
    if only:
        print_json(summary.outcomes)
        raise typer.Exit(4 if any(outcome["status"] == "failed" for outcome in summary.outcomes) else 0)
    _finish(uri_of(directory), summary, log, loaded)


SAMPLE = 8
"""Assets that --dry-run makes in a temporary folder to estimate the cost; a dataset that has shards gives it itself."""


def _rehearse(pipeline: "Pipeline", dataset: "Stored") -> None:
    from versemill.mill.folder import dataset as layout
    from versemill.mill.pipeline import config
    from versemill.mill.pipeline.plan import Plan
    from versemill.mill.upkeep import estimate

    plan = Plan.of(pipeline, (dataset.read("dataset.json") or {}).get("files", {}))
    begun = layout.is_there(dataset, layout.describe(pipeline, plan.assets, plan.files))
    typer.echo(config.text(pipeline))
    sealed = dataset.sealed() if begun else []
    out.print(estimate.text(estimate.estimate(pipeline, SAMPLE, dataset.uri if sealed else None)))
    what = f"resume there: {len(sealed)} of {dataset.shards} shards are sealed" if begun else "start a new dataset"
    out.print(f"nothing was written; without --dry-run, this command would write to {dataset.uri} and {what}", soft_wrap=True)


def retry(
    directory: Dataset,
    overrides: RunOverrides = None,
    address: Address = None,
    verbose: Verbose = False,
    log: LogForm = LogKind.auto,
) -> None:
    """Retry the failed assets, and only those.

    Example: versemill retry out/quickstart --set run.memory_mb=16000
    """
    from versemill.mill.upkeep import maintenance

    _finish(
        uri_of(directory),
        maintenance.retry(uri_of(directory), overrides or [], address=address, verbose=verbose, log=log.value),
        log,
    )


def regenerate(
    directory: Dataset,
    shards: Annotated[str, typer.Option(metavar="3,7-9", help="Which shards.", show_default=False)],
    overrides: RunOverrides = None,
    address: Address = None,
    verbose: Verbose = False,
    log: LogForm = LogKind.auto,
) -> None:
    """Rebuild whole shards from config and seed; on the same machine the bytes are identical.

    Example: versemill regenerate out/quickstart --shards 3,7-9
    """
    from versemill.mill.upkeep import maintenance

    _finish(
        uri_of(directory),
        maintenance.regenerate(
            uri_of(directory), shard_numbers(shards), overrides or [], address=address, verbose=verbose, log=log.value
        ),
        log,
    )


def extend(
    directory: Dataset,
    assets: Annotated[int | None, typer.Option(help="New total number of assets.", show_default="as many as there are")] = None,
    views: Annotated[
        int | None,
        typer.Option(min=1, help="New number of views per asset, all passes of it.", show_default="as many as there are"),
    ] = None,
    passes: Annotated[
        list[str] | None,
        typer.Option(metavar="PASS", help="Pass that every view is to have; repeatable.", show_default="those there are"),
    ] = None,
    overrides: RunOverrides = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --views or --passes: processes, each for whole shards.", show_default="cores, 1 on a GPU"
        ),
    ] = None,
    address: Address = None,
    verbose: Verbose = False,
    log: LogForm = LogKind.auto,
) -> None:
    """Grow a dataset: more assets, or more views or passes of those it has. Existing rows and files stay.

    Views and passes are rendered from the stored meshes into new files next to the shards (DIR/columns); nothing is generated
    again, and readers join both. Run the same command again to resume.

    Examples:

    versemill extend out/quickstart --assets 500

    versemill extend out/quickstart --passes albedo --passes position

    versemill extend out/quickstart --views 64 --workers 8
    """
    from versemill.mill.run.progress import steps
    from versemill.mill.upkeep import columns, maintenance

    summary = None
    if assets is not None:
        summary = maintenance.extend(
            uri_of(directory), assets, overrides or [], address=address, verbose=verbose, log=log.value
        )
    if assets is None or views is not None or passes:
        with steps("extending", log_of(directory, log)) as progress:
            added = columns.extend(
                uri_of(directory), views, passes or (), workers, lambda done, total: progress(done, total, {})
            )
        have = f"{added.rows} rows, {added.views} views each with {', '.join(added.passes)}"
        out.print(f"{added.uri}: {have}; {added.written} parts of shards written now", soft_wrap=True)
        if added.failed:
            err.print(
                f"{added.failed} rows could not be rendered; the ledgers in {added.uri}/columns give the reasons",
                soft_wrap=True,
            )
    if summary:
        _finish(uri_of(directory), summary, log)


def debug(directory: Dataset, index: Annotated[int, typer.Argument(help="Index of the asset.", show_default=False)]) -> None:
    """Make one asset of a dataset in this process, without Ray, and show the full traceback if it fails.

    Example: python -m pdb -m versemill debug out/quickstart 17
    """
    from versemill.mill.upkeep import maintenance

    made = maintenance.debug(uri_of(directory), index)
    seconds = {stage: {"wall": wall, "cpu": cpu} for stage, (wall, cpu) in made.seconds.items()}
    print_json({**made.record, "seconds": seconds})


def _finish(place: str, summary: "Summary", log: LogKind, pipeline: "Pipeline | None" = None) -> None:
    """Says what was done, and does what `run.then` says. Rejections are answers, not failures.

    Exit code 1: validation says no, or shards are missing; 4: some assets failed.
    """
    if summary.made:
        stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in summary.core_seconds.items())
        out.print(f"made {summary.made} assets in {summary.wall:.0f} s; {summary.busy:.0%} of {summary.cores} cores busy")
        out.print(f"core-seconds per asset: {stages}; all {sum(summary.core_seconds.values()):.2f}", soft_wrap=True)
    counts = f"{summary.rows} rows, {summary.rejected} rejected, {summary.failed} failed"
    out.print(f"{summary.uri}: {counts}; {summary.sealed} of {summary.shards} shards sealed", soft_wrap=True)
    if summary.failed:
        err.print(f"see `versemill status {summary.uri}`, then `versemill retry {summary.uri}`", soft_wrap=True)
    answers = _afterwards(place, log, pipeline) if summary.complete else []
    for well, sentence in answers:
        out.print(sentence, style=None if well else "red", soft_wrap=True)
    well = summary.complete and all(well for well, _ in answers)
    raise typer.Exit(1 if not well else 4 if summary.failed else 0)


def _afterwards(place: str, log: LogKind, pipeline: "Pipeline | None") -> list[tuple[bool, str]]:
    from versemill.mill.folder.dataset import Dataset as Stored
    from versemill.mill.proof import after
    from versemill.mill.run.progress import steps
    from versemill.mill.upkeep import maintenance

    dataset = Stored.open(place)
    chosen = pipeline or maintenance.pipeline_of(dataset)
    if not chosen.run.then:
        return []
    with steps(", ".join(chosen.run.then), log_of(place, log)) as progress:
        return after.finish(chosen, dataset, progress)


def shard_numbers(text: str) -> list[int]:
    """ "3,7-9" as [3, 7, 8, 9]."""
    numbers: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdigit() or (dash and not (high.isdigit() and int(high) >= int(low))):
            raise ConfigError(f"shards are numbers and ranges such as 3,7-9, got '{text}'")
        numbers += range(int(low), int(high or low) + 1)
    return numbers
