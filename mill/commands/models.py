"""Commands on models: train, evaluate, validate, ablate."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markdown import Markdown
from rich.table import Table
from versemill.mill.commands.common import AsJson, Dataset, err, holding_shards, out, print_json
from versemill.mill.pipeline.sources import MESH_SUFFIXES
from versemill.mill.run.progress import steps

from versemill.asset import Asset
from versemill.errors import ConfigError

# OpenMP's waiting threads sleep instead of spinning; torch reads this when it is first imported. On a busy machine spinning
# made training twenty times slower; on an idle one it gains little.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

MODELS = ("reconstruction",)
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Lpips = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder with vgg16.pth and lpips_vgg.pth; nothing is downloaded.")
]


def train(
    model: Annotated[str, typer.Argument(metavar="reconstruction", help="Which model.", show_default=False)],
    directory: Dataset,
    run_dir: Annotated[Path, typer.Option("--out", metavar="RUN", help="Where checkpoints go.", show_default=False)],
    preset: Annotated[
        str,
        typer.Option(
            help="monocular, micro, tiny, micro-triplane, small, small-triplane, base, paper: sizes, hardware and time."
        ),
    ] = "micro",
    seed: Annotated[int, typer.Option(min=0, help="Training seed.")] = 0,
    device: Device = "auto",
    lpips: Lpips = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write RUN/tensorboard.")] = False,
) -> None:
    """Train a bundled model on a dataset's train split; the same command resumes from the last checkpoint.

    Under torchrun, all processes train one model: each takes its own part of every step.

    Examples:

    versemill train reconstruction out/quickstart --preset micro --out out/run

    torchrun --nproc-per-node 8 -m versemill train reconstruction out/big --preset base --out out/run
    """
    from versemill import reconstruction

    if model not in MODELS:
        raise ConfigError(f"unknown model '{model}'; the models are: {', '.join(MODELS)}")
    holding_shards(directory)
    with steps(f"training {preset}") as progress:
        summary = reconstruction.train(
            directory, preset, run_dir, seed=seed, device=device, progress=progress, lpips=lpips, tensorboard=tensorboard
        )
    if os.environ.get("RANK", "0") == "0":
        print_json(summary)


def evaluate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `versemill train` wrote.", show_default=False)],
    targets: Annotated[
        list[Path], typer.Argument(metavar="DIR|MESHES...", help="A dataset, or meshes: files, folders.", show_default=False)
    ],
    dataset: Annotated[Path | None, typer.Option(metavar="DIR", help="With meshes: the dataset trained on.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="train, val, test; repeatable.", show_default="val test")] = None,
    views: Annotated[int, typer.Option(help="Input views: 4 or 8.")] = 4,
    device: Device = "auto",
    objects: Annotated[int | None, typer.Option(min=1, help="Of a dataset, at most so many.", show_default="all")] = None,
    directory: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where pictures go.", show_default="RUN/evaluation")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the per-scene optimum and the exported meshes.")] = False,
    lpips: Lpips = None,
    as_json: AsJson = False,
) -> None:
    """Score a trained model on held-out assets or on meshes, beside the mean image, the nearest view and the visual hull.

    Meshes are seen by the paper's cameras; one without materials gets a procedural one. The folder --out then holds the
    figures of all objects, and the pictures, splats and meshes of the first dozen.

    Examples:

    versemill evaluate out/run out/quickstart --split test

    versemill evaluate out/run chair.glb bunny.obj --dataset out/quickstart --views 8
    """
    from versemill import reconstruction

    options: dict[str, Any] = {"device": device, "full": not quick, "lpips": lpips, "out": directory}
    if missing := [target for target in targets if not target.exists()]:
        raise ConfigError(f"'{missing[0]}' is neither a dataset nor a mesh file: it does not exist")
    with steps("evaluating") as progress:
        options["progress"] = progress
        if len(targets) == 1 and _is_dataset(targets[0]):
            found = reconstruction.evaluate(run_dir, targets[0], split or ("val", "test"), views, objects=objects, **options)
        elif dataset is None:
            raise ConfigError("meshes are judged beside the mean image of the training data; name it: --dataset DIR")
        else:
            found = reconstruction.evaluate_assets(run_dir, _meshes(targets), dataset, views, **options)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    page = Path(found.table)
    out.print(Markdown(page.read_text(), hyperlinks=False))
    out.print(f"table: {page}\npicture: {found.grid}", soft_wrap=True)


def validate(
    directory: Dataset,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where earlier verdicts stand and this one is added.", show_default="DIR/history.jsonl"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The gate: train the dataset's validation preset, compare with the baselines and the dataset's past. Exit code 1: failed.

    Examples:

    versemill validate out/quickstart

    versemill validate out/nightly-07-14 --history nightly.jsonl
    """
    from versemill.mill.proof import validation

    with steps("training") as progress:
        verdict = validation.validate(directory, progress, history)
    if as_json:
        print_json({"passed": verdict.passed, "sentence": verdict.sentence, "metrics": verdict.metrics})
    else:
        out.print(verdict.sentence, style="green" if verdict.passed else "red", soft_wrap=True)
    raise typer.Exit(0 if verdict.passed else 1)


def ablate(
    name: Annotated[str, typer.Argument(help="Which ablation; `list` shows all.", show_default=False)],
    directory: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where everything goes.")] = None,
    preset: Annotated[
        str, typer.Option(help="The model that is trained: micro, monocular, or any other of `train`.")
    ] = "micro",
    train_steps: Annotated[
        int | None, typer.Option("--steps", help="Steps of each training.", show_default="the preset's")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Training seeds per arm; under 3 nothing is tested.")] = 3,
    assets: Annotated[int, typer.Option(help="Assets that each arm mills to train on.")] = 200,
    test_assets: Annotated[int, typer.Option(help="Assets of each test set.")] = 40,
    views: Annotated[int, typer.Option(help="Input views when judged, 4 or 8; monocular needs none.")] = 4,
    meshes: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="Also judge on meshes: a file or folder. Repeatable.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Ablations of your own, as mill/ablations.yaml.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Does a setting of the data matter? Mills arms that differ in it alone, trains on each, and says what can be said.

    All arms share seeds, objects and budget. The same command goes on where it was; more --seeds add to what there is.

    Examples:

    versemill ablate list

    versemill ablate boolean --out out/boolean --assets 160 --steps 600
    """
    from versemill.mill.proof import ablation

    if name == "list":
        table = Table("name", "question", "arms")
        for key, body in ablation.known(file)[2].items():
            table.add_row(key, body.question, ", ".join(body.arms))
        out.print(table)
        return
    if directory is None:
        raise ConfigError("name a folder for the ablation: --out DIR")
    budget = ablation.budget(preset=preset, steps=train_steps, seeds=seeds, assets=assets, test_assets=test_assets, views=views)
    found = ablation.ablate(
        name,
        directory,
        budget,
        file,
        _meshes(meshes or []),
        device,
        say=lambda line: err.print(line, soft_wrap=True),
        steps=steps,
    )
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    out.print(Markdown(Path(found.files[0]).read_text(), hyperlinks=False))
    out.print(f"table: {found.files[0]}\nplot: {found.files[1]}")


def _is_dataset(path: Path) -> bool:
    return path.is_dir() and any(path.glob("**/*.parquet"))


def _meshes(targets: Sequence[Path]) -> list[tuple[str, Asset]]:
    """Name and asset of each mesh; folders are searched.

    Raises:
        ConfigError: a path does not exist, or a folder holds no mesh.
    """
    from versemill.curation import load

    files: list[Path] = []
    for target in targets:
        if not target.exists():
            raise ConfigError(f"'{target}' does not exist: name a mesh file or a folder of them")
        found = sorted(p for p in target.rglob("*") if p.suffix.lower() in MESH_SUFFIXES) if target.is_dir() else [target]
        if not found:
            raise ConfigError(f"'{target}' holds neither shards nor meshes ({', '.join(sorted(MESH_SUFFIXES))})")
        files += found
    return [(path.name, load(path).normalized()) for path in files]
