"""Commands on models: train, evaluate, validate."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from mill.commands.common import AsJson, Dataset, holding_shards, out, print_json
from mill.progress import steps
from versemill.errors import ConfigError

# OpenMP's waiting threads sleep instead of spinning; torch reads this when it is first imported. On a busy machine spinning
# made training twenty times slower; on an idle one it gains little.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

MODELS = ("reconstruction",)


def train(
    model: Annotated[str, typer.Argument(metavar="reconstruction", help="Which model.", show_default=False)],
    directory: Dataset,
    run_dir: Annotated[Path, typer.Option("--out", metavar="RUN", help="Where checkpoints go.", show_default=False)],
    preset: Annotated[str, typer.Option(help="micro, tiny, small, base, paper: sizes, hardware and time.")] = "micro",
    seed: Annotated[int, typer.Option(min=0, help="Training seed.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train a bundled model on a dataset's train split; the same command resumes from the last checkpoint.

    Example: versemill train reconstruction out/quickstart --preset micro --out out/run
    """
    import reconstruction

    if model not in MODELS:
        raise ConfigError(f"unknown model '{model}'; the models are: {', '.join(MODELS)}")
    holding_shards(directory)
    with steps(f"training {preset}") as progress:
        print_json(reconstruction.train(directory, preset, run_dir, seed=seed, device=device, progress=progress))


def evaluate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `versemill train` wrote.", show_default=False)],
    targets: Annotated[
        list[Path], typer.Argument(metavar="DIR|FILES...", help="A dataset, or mesh files.", show_default=False)
    ],
    dataset: Annotated[Path | None, typer.Option(metavar="DIR", help="With mesh files: the dataset trained on.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="train, val, test; repeatable.", show_default="val test")] = None,
    views: Annotated[int, typer.Option(help="Input views: 4 or 8.")] = 4,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Score a trained model on held-out assets or on meshes, beside the mean image, the nearest view and the visual hull.

    Examples:

    versemill evaluate out/run out/quickstart --split test

    versemill evaluate out/run chair.glb bunny.obj --dataset out/quickstart --views 8
    """
    import reconstruction

    if missing := [target for target in targets if not target.exists()]:
        raise ConfigError(f"'{missing[0]}' is neither a dataset nor a mesh file: it does not exist")
    if len(targets) == 1 and targets[0].is_dir():
        found = reconstruction.evaluate(run_dir, targets[0], split or ("val", "test"), views, device)
    elif dataset is None:
        raise ConfigError("mesh files are judged beside the mean image of the training data; name it: --dataset DIR")
    else:
        from curation import load

        meshes = ((path.name, load(path).normalized()) for path in targets)
        found = reconstruction.evaluate_assets(run_dir, meshes, dataset, views, device)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    metrics = list(dict.fromkeys(name for means in found.summary.values() for name in means))
    table = Table("method", *metrics, title=f"{len(found.objects)} objects of {found.source}, {found.views} input views")
    for method, means in found.summary.items():
        table.add_row(method, *(f"{means[name]:.3f}" if name in means else "" for name in metrics))
    out.print(table)
    out.print(f"picture: {found.grid}")


def validate(directory: Dataset, as_json: AsJson = False) -> None:
    """The gate: train the dataset's validation preset and compare with the baselines. Exit code 1 if it does not beat them.

    Example: versemill validate out/quickstart
    """
    from mill import validation

    with steps("training") as progress:
        verdict = validation.validate(directory, progress)
    if as_json:
        print_json({"passed": verdict.passed, "sentence": verdict.sentence, "metrics": verdict.metrics})
    else:
        out.print(f"[{'green' if verdict.passed else 'red'}]{verdict.sentence}[/]", soft_wrap=True)
    raise typer.Exit(0 if verdict.passed else 1)
