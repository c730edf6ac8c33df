"""The command `plan`: what a dataset will cost, before it is made."""

from pathlib import Path
from typing import Annotated

import typer
from versemill.mill.commands.common import AsJson, Overrides, out, print_json


def plan(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="A name from `versemill list`.", show_default=False)],
    assets: Annotated[int | None, typer.Option(help="How many assets to plan for.", show_default="the pipeline's")] = None,
    seed: Annotated[int | None, typer.Option(help="Dataset seed.", show_default="the pipeline's")] = None,
    sample: Annotated[int, typer.Option(min=2, help="Assets that are made to measure them; more narrow the interval.")] = 16,
    like: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Take the figures from a dataset of the same config; make nothing."),
    ] = None,
    overrides: Overrides = None,
    file: Annotated[Path | None, typer.Option(help="Your own pipelines.yaml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a dataset will cost: shards, core-hours, GPU-hours and bytes, from a measured sample. Keeps nothing.

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
