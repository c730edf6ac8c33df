"""Commands on models: train, evaluate, validate, ablate. What families and presets there are stands in one table."""

import dataclasses
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from versemill.asset import Asset
from versemill.errors import AssetError, ConfigError
from versemill.mill.commands.common import (
    Address,
    AsJson,
    Dataset,
    LogForm,
    LogKind,
    Pipelines,
    complete_pipelines,
    err,
    holding_shards,
    log_of,
    out,
    print_json,
)
from versemill.mill.pipeline import config, models
from versemill.mill.pipeline.sources import MESH_SUFFIXES
from versemill.mill.run.progress import steps

# OpenMP's waiting threads sleep instead of spinning; torch reads this when it is first imported. On a busy machine spinning
# made training twenty times slower; on an idle one it gains little.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Lpips = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder with vgg16.pth and lpips_vgg.pth; nothing is downloaded.")
]
LIVE = "Assets that are milled while training"
PresetSettings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the preset; repeatable.")
]
Judging = Annotated[
    list[str] | None,
    typer.Option("--judge", metavar="KEY=VALUE", help="Change a setting of the evaluation, e.g. views=8; repeatable."),
]


def _presets(context: typer.Context, value: bool) -> None:
    """`--presets`: every family's presets as a table."""
    if not value:
        return
    table = Table("family", "preset", "hardware", "time", "expected", title="Families of models and their presets")
    for name in models.FAMILIES:
        family = models.FAMILIES.find(name)
        out.print(Text.assemble((name, "bold"), f": {family.summary}"))
        for recipe in family.presets.values():
            mark = " (default)" if recipe.name == family.default else ""
            table.add_row(name, recipe.name + mark, recipe.hardware, recipe.time, recipe.expected)
    out.print(table)
    raise typer.Exit


def train(
    family: Annotated[
        str, typer.Argument(metavar="FAMILY", help=f"{', '.join(models.FAMILIES)}, or package.module:NAME.", show_default=False)
    ],
    run_dir: Annotated[Path, typer.Option("--out", metavar="RUN", help="Output folder.", show_default=False)],
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="A dataset, written by `versemill run`; or use --live.", show_default=False),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Preset; --presets lists all with size, hardware and time.", show_default="the family's default"),
    ] = None,
    overrides: PresetSettings = None,
    seed: Annotated[int, typer.Option(min=0, help="Training seed.")] = 0,
    device: Device = "auto",
    lpips: Lpips = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write RUN/tensorboard.")] = False,
    live: Annotated[
        str | None,
        typer.Option(
            metavar="PIPELINE",
            help="Mill the training assets of a pipeline while training, instead of reading DIR.",
            autocompletion=complete_pipelines,
            rich_help_panel=LIVE,
        ),
    ] = None,
    pipelines: Pipelines = None,
    live_set: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Change a setting of that pipeline; repeatable.", rich_help_panel=LIVE),
    ] = None,
    curriculum: Annotated[
        bool,
        typer.Option("--curriculum", help="Draw more of the parts on which the held-out error is large.", rich_help_panel=LIVE),
    ] = False,
    draws: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Repeat the draws of another run: its draws.jsonl.", rich_help_panel=LIVE),
    ] = None,
    address: Address = None,
    presets: Annotated[
        bool, typer.Option("--presets", is_eager=True, callback=_presets, help="Show families and presets, and exit.")
    ] = False,
    log: LogForm = LogKind.auto,
) -> None:
    """Train a bundled model on a dataset's train split, or on assets that are milled while it trains (--live).

    Run the same command again to resume. Under torchrun, all processes train one model; each takes its share of every step.

    Examples:

    versemill train --presets

    versemill train gaussians out/quickstart --preset micro --out out/run

    versemill train gaussians --live tiny --preset tiny --out out/run --live-set run.assets=2000

    torchrun --nproc-per-node 8 -m versemill train gaussians out/big --preset base --out out/run
    """
    from versemill import training

    chosen = models.FAMILIES.find(family)
    recipe = chosen.preset(preset)
    if overrides:
        recipe = config.settings(f"preset {recipe.name}", type(recipe), overrides, recipe.model_dump())
    if (directory is None) == (live is None):
        raise ConfigError("name either a dataset folder, or a pipeline whose assets are milled while training: --live PIPELINE")
    if live is None and any((pipelines, live_set, curriculum, draws, address)):
        raise ConfigError("--pipelines, --live-set, --curriculum, --draws and --address are for training with --live")
    with steps(f"training {recipe.name}", log_of(run_dir, log)) as progress:
        options: tuple[Any, ...] = (recipe, run_dir, seed, device, progress, lpips, tensorboard)
        if live is not None:
            from versemill.mill.live.training import train as train_live

            pipeline = config.load(live, pipelines, live_set or ())
            summary = train_live(chosen, pipeline, *options, curriculum=curriculum, draws=draws, address=address)
        else:
            assert directory is not None
            holding_shards(directory)
            summary = training.train(chosen, directory, *options)
    if os.environ.get("RANK", "0") == "0":
        print_json(summary)


def evaluate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A folder written by `versemill train`.", show_default=False)],
    targets: Annotated[
        list[Path], typer.Argument(metavar="DIR|MESHES...", help="A dataset, or meshes: files, folders.", show_default=False)
    ],
    dataset: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The dataset that the model was trained on, for meshes and for a dataset without a train split."
        ),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="train, val, test; repeatable.", show_default="val test")] = None,
    judge: Judging = None,
    device: Device = "auto",
    objects: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of objects to evaluate.", show_default="all")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Output folder.", show_default="RUN/evaluation")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Skip measurements that take seconds per object.")] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN2",
            help="For novel-views: a reconstruction's run (gaussians, triplane) whose renderings become a row; repeatable.",
        ),
    ] = None,
    lpips: Lpips = None,
    as_json: AsJson = False,
    log: LogForm = LogKind.auto,
) -> None:
    """Score a trained model on held-out assets or on meshes, next to its untrained state and its baselines.

    The family is read from the run. Meshes are rendered with the paper's cameras; one without materials gets a procedural one.
    The folder --out then holds the scores of all objects, and the family's outputs: pictures, splats, meshes.

    Examples:

    versemill evaluate out/run out/quickstart --split test

    versemill evaluate out/run chair.glb bunny.obj --dataset out/quickstart --judge views=8

    versemill evaluate out/views-run out/views --against out/lrm-run
    """
    from versemill import training
    from versemill.training.runs import describe

    if missing := [target for target in targets if not target.exists()]:
        raise ConfigError(f"'{missing[0]}' does not exist: name a dataset, a mesh file or a folder of meshes")
    family = models.FAMILIES.find(describe(run_dir)["family"])
    others = [(models.FAMILIES.find(describe(run)["family"]), run) for run in against or []]
    options: dict[str, Any] = {"judging": _judging(family, judge), "device": device, "full": not quick, "lpips": lpips}
    with steps("evaluating", log_of(run_dir, log)) as progress:
        options |= {"out": directory, "progress": progress}
        if len(targets) == 1 and _is_dataset(targets[0]):
            options |= {"objects": objects, "against": others, "trained_on": dataset}
            result = training.evaluate(family, run_dir, targets[0], split or ("val", "test"), **options)
        elif others:
            raise ConfigError("--against compares views of a dataset: name one instead of meshes")
        elif dataset is None:
            raise ConfigError("meshes need the training data for the baselines: --dataset DIR")
        else:
            result = training.evaluate_assets(family, run_dir, _meshes(targets, objects), dataset, **options)
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    page = Path(result.table)
    out.print(Markdown(page.read_text(), hyperlinks=False))
    files = "".join(f"\n{kind}: {paths[0] if len(paths) == 1 else len(paths)}" for kind, paths in result.files.items() if paths)
    out.print(f"table: {page}{files}", soft_wrap=True)


def validate(
    directory: Dataset,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File of earlier verdicts; the new one is appended.", show_default="DIR/history.jsonl"
        ),
    ] = None,
    as_json: AsJson = False,
    log: LogForm = LogKind.auto,
) -> None:
    """The gate: train the model that section `validate` names, and compare it with baselines and earlier verdicts.

    Exit code 1 if it fails.

    Examples:

    versemill validate out/quickstart

    versemill validate out/nightly-07-14 --history nightly.jsonl
    """
    from versemill.mill.proof import validation

    with steps("training", log_of(directory, log)) as progress:
        verdict = validation.validate(directory, progress, history)
    if as_json:
        print_json({"passed": verdict.passed, "sentence": verdict.sentence, "metrics": verdict.metrics})
    else:
        out.print(verdict.sentence, style="green" if verdict.passed else "red", soft_wrap=True)
    raise typer.Exit(0 if verdict.passed else 1)


def ablate(
    name: Annotated[str, typer.Argument(help="Name of an ablation; `list` shows all.", show_default=False)],
    directory: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Output folder.")] = None,
    family: Annotated[str | None, typer.Option(help="Family of models.", show_default="the ablation's")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Preset; `train --presets` lists all.", show_default="the ablation's")
    ] = None,
    train_steps: Annotated[
        int | None, typer.Option("--steps", help="Steps of each training.", show_default="the preset's")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Training seeds per arm; a test needs at least 3.")] = 3,
    assets: Annotated[int, typer.Option(help="Training assets per arm.")] = 200,
    test_assets: Annotated[int, typer.Option(help="Assets per test set.")] = 40,
    judge: Judging = None,
    overrides: PresetSettings = None,
    meshes: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="Also evaluate on meshes: a file or folder. Repeatable.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--ablations", metavar="FILE", help="Your own ablations; `versemill init` writes an example.")
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    log: LogForm = LogKind.auto,
) -> None:
    """Test whether one setting matters: build matched datasets, train on each with several seeds, report intervals.

    All arms share seeds, objects and budget. Run the same command again to resume; more --seeds extend the result.

    Examples:

    versemill ablate list

    versemill ablate boolean --out out/boolean --assets 160 --steps 600
    """
    from versemill.mill.proof import ablation

    if name == "list":
        table = Table("name", "family", "question", "arms")
        for key, body in ablation.known(file)[2].items():
            table.add_row(key, body.family, body.question, ", ".join(body.arms))
        out.print(table)
        return
    if directory is None:
        raise ConfigError("name the output folder: --out DIR")
    budget = ablation.budget(
        family=family, preset=preset, steps=train_steps, seeds=seeds, assets=assets, test_assets=test_assets,
        judging=config.assignments(judge or []), train=config.assignments(overrides or []),
    )  # fmt: skip
    lines = log_of(directory, log)
    result = ablation.ablate(
        name, directory, budget, file, _meshes(meshes or []), device, say=lines.write, steps=partial(steps, log=lines)
    )
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    out.print(Markdown(Path(result.files[0]).read_text(), hyperlinks=False))
    out.print(f"table: {result.files[0]}\nplot: {result.files[1]}")


def _judging(family: Any, settings: Sequence[str] | None) -> Any:
    return models.judging(family, config.assignments(settings or []))


def _is_dataset(path: Path) -> bool:
    return path.is_dir() and any(path.glob("**/*.parquet"))


def _meshes(targets: Sequence[Path], limit: int | None = None) -> list[tuple[str, Asset]]:
    """Name and asset of each mesh, at most `limit`; folders are searched, and a file that can't be used is named and skipped.

    Raises:
        ConfigError: a path does not exist, or a folder holds no mesh. AssetError: no file can be used.
    """
    from versemill.curation import load

    files: list[Path] = []
    for target in targets:
        if not target.exists():
            raise ConfigError(f"'{target}' does not exist: name a mesh file or a folder of them")
        inside = sorted(p for p in target.rglob("*") if p.suffix.lower() in MESH_SUFFIXES) if target.is_dir() else [target]
        if not inside:
            raise ConfigError(f"'{target}' holds neither shards nor meshes ({', '.join(sorted(MESH_SUFFIXES))})")
        files += inside
    assets: list[tuple[str, Asset]] = []
    for path in files:
        if len(assets) == limit:
            break
        try:
            assets.append((path.name, load(path).normalized()))
        except AssetError as error:
            if len(files) == 1:
                raise
            err.print(Text.assemble(("skipped", "yellow"), f" {path.name}: {error}"), soft_wrap=True)
    if not assets and files:
        raise AssetError("unusable", f"none of {len(files)} mesh files can be used")
    return assets
