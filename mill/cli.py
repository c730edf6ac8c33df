"""The command line: `versemill COMMAND`. It parses, calls one function of the house, prints, and answers an exit code."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from versemill import __version__
from versemill.errors import ConfigError, VersemillError

EXIT_CODES = """\b
Exit codes: 0 done; 1 an error, or a negative answer (verify, validate);
2 a bad argument, configuration or path: nothing was done;
3 a device, program or package is missing; 4 done, but some assets failed (see status)."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="versemill mills 3D training corpora: assets, clean geometry, multi-view renders, shards, and models that prove them.",
    epilog=EXIT_CODES,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Dataset = Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder that `versemill run` wrote.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one setting, e.g. render.resolution=256. Repeatable."),
]


def main() -> None:
    """Entry point: runs the command; an intended error becomes one line on standard error and its exit code."""
    try:
        app()
    except VersemillError as error:
        err.print(f"[red]versemill:[/red] {error}", soft_wrap=True, markup=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("versemill: interrupted; the same command goes on where it was")
        sys.exit(130)


def _version(asked: bool) -> None:
    if asked:
        out.print(f"versemill {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    del version


@app.command("list")
def list_(
    file: Annotated[Path | None, typer.Option(help="Your own pipelines.yaml; it may extend the bundled ones.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the named pipelines.

    Example: versemill list
    """
    from mill import config

    found = config.pipelines(file)
    if as_json:
        _print_json([{"name": name, "description": description} for name, description in found])
        return
    table = Table("pipeline", "what it makes", box=None)
    for name, description in found:
        table.add_row(f"[bold]{name}[/bold]", description)
    out.print(table)


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="A name from `versemill list`.", show_default=False)],
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the dataset goes.", show_default=False)],
    assets: Annotated[int | None, typer.Option(help="How many indices to try.", show_default="the pipeline's")] = None,
    seed: Annotated[int | None, typer.Option(help="Dataset seed.", show_default="the pipeline's")] = None,
    overrides: Overrides = None,
    address: Annotated[str | None, typer.Option(metavar="ADDR", help="A Ray cluster, e.g. auto or ray://head:10001.")] = None,
    file: Annotated[Path | None, typer.Option(help="Your own pipelines.yaml.")] = None,
) -> None:
    """Mill a dataset: generate, curate, render, sample and seal shards. The same command goes on where it was.

    Examples:

    versemill run quickstart --out out/quickstart

    versemill run files --out out/mine --set sources.files.path=~/meshes

    versemill run mixed --out out/big --assets 10000 --seed 7 --set run.workers=32 --set render.device=cuda
    """
    from mill import config, driver

    loaded = config.load(pipeline, file=file, overrides=overrides or [], assets=assets, seed=seed)
    summary = driver.run(loaded, out_dir, address=address)
    raise typer.Exit(4 if summary.failed else 0)


@app.command()
def status(directory: Dataset, as_json: AsJson = False) -> None:
    """Counts, rates, rejections by reason, failures, core-seconds by stage; while a run goes on and after.

    Example: versemill status out/quickstart --json
    """
    from mill import status as view

    facts = view.status(directory)
    if as_json:
        _print_json(facts)
    else:
        out.print(view.text(facts))


@app.command()
def verify(
    directory: Dataset,
    quick: Annotated[bool, typer.Option("--quick", help="Presence and checksums only; don't decode the rows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find missing, extra, truncated or tampered shards, NaN, and cameras that don't reproject. Exit code 1 if any.

    Example: versemill verify out/quickstart
    """
    from mill import verify as check

    problems = check.verify(directory, deep=not quick)
    if as_json:
        _print_json([str(problem) for problem in problems])
    else:
        for problem in problems:
            out.print(f"[red]{problem}[/red]")
        out.print(f"{directory}: {len(problems)} problems" if problems else f"{directory}: every shard is as the ledger says")
    raise typer.Exit(1 if problems else 0)


@app.command()
def preview(
    source: Annotated[str, typer.Argument(metavar="zeroverse|detailverse|FILE", help="What to show.", show_default=False)],
    picture: Annotated[Path, typer.Option("--out", metavar="X.png", help="The contact sheet.", show_default=False)],
    seed: Annotated[int, typer.Option(help="Dataset seed.")] = 0,
    index: Annotated[int, typer.Option(help="Asset index; with --count, the first.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=400, help="More than 1: a grid of assets, one picture each.")] = 1,
    resolution: Annotated[int, typer.Option(min=32, max=2048, help="Pixels of one picture's side.")] = 256,
    glb: Annotated[Path | None, typer.Option(metavar="X.glb", help="Also write the asset as GLB.")] = None,
    overrides: Overrides = None,
) -> None:
    """Look at assets: RGB, normals and depth of one, or a grid of many.

    Examples:

    versemill preview zeroverse --seed 1 --index 7 --out seven.png --glb seven.glb

    versemill preview detailverse --count 24 --out grid.png --set detail=fast

    versemill preview chair.obj --out chair.png
    """
    from mill import preview as sheets

    sheets.write(source, picture, seed=seed, index=index, count=count, resolution=resolution, glb=glb, overrides=overrides or [])
    out.print(f"wrote {picture}" + (f" and {glb}" if glb else ""))


@app.command()
def train(
    model: Annotated[str, typer.Argument(metavar="reconstruction", help="Which model.", show_default=False)],
    directory: Dataset,
    run_dir: Annotated[Path, typer.Option("--out", metavar="RUN", help="Where checkpoints and metrics go.", show_default=False)],
    preset: Annotated[str, typer.Option(help="micro, tiny, small, base, paper: sizes, hardware and time.")] = "micro",
    seed: Annotated[int, typer.Option(help="Training seed.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train a bundled model on a dataset's train split; the same command resumes from the last checkpoint.

    Example: versemill train reconstruction out/quickstart --preset micro --out out/run
    """
    import reconstruction

    _known_model(model)
    facts = reconstruction.train(directory, preset, run_dir, seed=seed, device=device)
    _print_json(facts)


@app.command()
def evaluate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `versemill train` wrote.", show_default=False)],
    directory: Dataset,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    as_json: AsJson = False,
) -> None:
    """Score a trained model on held-out assets, beside the mean image, the nearest view and the visual hull.

    Example: versemill evaluate out/run out/quickstart --split test
    """
    import reconstruction

    _print_evaluation(reconstruction.evaluate(run_dir, directory, split=split), as_json)


@app.command()
def validate(directory: Dataset, as_json: AsJson = False) -> None:
    """The gate: train the smallest preset on a dataset and compare with the baselines. Exit code 1 if it does not beat them.

    Example: versemill validate out/quickstart
    """
    from mill import validation

    verdict = validation.validate(directory)
    if as_json:
        _print_json({"passed": verdict.passed, "sentence": verdict.sentence, "metrics": verdict.metrics})
    else:
        out.print(f"[{'green' if verdict.passed else 'red'}]{verdict.sentence}[/]")
    raise typer.Exit(0 if verdict.passed else 1)


@app.command()
def report(directory: Dataset) -> None:
    """Write DIR/report.html: gallery, passes, shares, rejections, timings, failures, validation. One self-contained page.

    Example: versemill report out/quickstart
    """
    from mill import report as page

    out.print(f"wrote {page.write(directory)}")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Try every engine, device and library for real; say what was used, what is missing and the line that fixes it.

    Example: versemill doctor
    """
    from mill import doctor as checks

    marks = {"ok": "[green]ok     [/green]", "missing": "[yellow]missing[/yellow]", "broken": "[red]broken [/red]"}
    findings = []
    for finding in checks.examine():
        findings.append(finding)
        if not as_json:
            out.print(f"{marks[finding.state]} [bold]{finding.name}[/bold]: {finding.detail}", soft_wrap=True)
            if finding.state != "ok" and finding.fix:
                out.print(f"        fix: {finding.fix}", soft_wrap=True)
    if as_json:
        _print_json([vars(finding) for finding in findings])
    raise typer.Exit(1 if any(finding.state == "broken" for finding in findings) else 0)


def _known_model(name: str) -> None:
    if name != "reconstruction":
        raise ConfigError(f"unknown model '{name}'; the models are: reconstruction")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")
