"""Commands on models: train, evaluate, validate."""

from pathlib import Path
from typing import Annotated

import typer

from mill.commands.common import AsJson, Dataset, out, print_json
from versemill.errors import ConfigError

MODELS = ("reconstruction",)


def train(
    model: Annotated[str, typer.Argument(metavar="reconstruction", help="Which model.", show_default=False)],
    directory: Dataset,
    run_dir: Annotated[Path, typer.Option("--out", metavar="RUN", help="Where checkpoints go.", show_default=False)],
    preset: Annotated[str, typer.Option(help="micro, tiny, small, base, paper: sizes, hardware and time.")] = "micro",
    seed: Annotated[int, typer.Option(help="Training seed.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train a bundled model on a dataset's train split; the same command resumes from the last checkpoint.

    Example: versemill train reconstruction out/quickstart --preset micro --out out/run
    """
    import reconstruction

    if model not in MODELS:
        raise ConfigError(f"unknown model '{model}'; the models are: {', '.join(MODELS)}")
    print_json(reconstruction.train(directory, preset, run_dir, seed=seed, device=device))


def evaluate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `versemill train` wrote.", show_default=False)],
    directory: Dataset,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    views: Annotated[int, typer.Option(help="Input views: 4 or 8.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Score a trained model on held-out assets, beside the mean image, the nearest view and the visual hull.

    Example: versemill evaluate out/run out/quickstart --split test
    """
    import reconstruction

    found = reconstruction.evaluate(run_dir, directory, split=split, views=views)
    if as_json:
        print_json(found.to_json())
    else:
        out.print(found.table())


def validate(directory: Dataset, as_json: AsJson = False) -> None:
    """The gate: train the dataset's validation preset and compare with the baselines. Exit code 1 if it does not beat them.

    Example: versemill validate out/quickstart
    """
    from mill import validation

    verdict = validation.validate(directory)
    if as_json:
        print_json({"passed": verdict.passed, "sentence": verdict.sentence, "metrics": verdict.metrics})
    else:
        out.print(f"[{'green' if verdict.passed else 'red'}]{verdict.sentence}[/]", soft_wrap=True)
    raise typer.Exit(0 if verdict.passed else 1)
