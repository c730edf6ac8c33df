"""Evaluation: held-out views of held-out objects, beside the baselines, in numbers, pictures, splats and meshes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from versemill.reconstruction import baselines, fusion, metrics
from versemill.reconstruction.data import Scene, Scenes, spread
from versemill.reconstruction.export import picture_grid, write_splats
from versemill.reconstruction.lpips import MISSING, Lpips
from versemill.reconstruction.methods import HULL, METHODS, METRICS, MODEL, Contest, answers, measure, predict
from versemill.reconstruction.objects import scene_of_asset, textured
from versemill.reconstruction.runs import Model, drawing, fresh, load_model, torch_device
from versemill.reconstruction.splat import Gaussians
from versemill.reconstruction.tables import markdown
from versemill.reconstruction.training import Progress

from versemill.asset import Asset
from versemill.errors import ConfigError

PICTURES = 12
"""Objects in the picture grid, which also get their splats and mesh written."""


@dataclass(frozen=True)
class Evaluation:
    """What a run reaches on some objects.

    Attributes:
        objects: per object: name, and method -> metric -> mean over its target views. A metric that a method
            can't have (depth of a picture) is absent.
        summary: method -> metric -> mean over objects.
        intervals: method -> 95 % bootstrap interval of PSNR over objects; empty below 20 objects.
        gains: other method -> the model's PSNR minus the other's: mean, low, high over objects (paired); low and high
            are None below 20 objects.
        views: input views per object. size: image side. source: what was evaluated.
        table: the figures as Markdown. grid: the picture. splats, meshes: a .ply per object in the picture.
        notes: what was left out, and why.
    """

    objects: list[dict[str, Any]]
    summary: dict[str, dict[str, float]]
    intervals: dict[str, tuple[float, float]]
    gains: dict[str, tuple[float, float | None, float | None]]
    views: int
    size: int
    source: str
    table: str
    grid: str
    splats: list[str] = field(default_factory=list)
    meshes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def evaluate(
    run_dir: str | Path, dataset_dir: str | Path, split: str | Sequence[str] = ("val", "test"), views: int = 4,
    device: str = "auto", objects: int | None = None, out: str | Path | None = None, full: bool = True,
    lpips: str | Path | None = None, progress: Progress | None = None,
) -> Evaluation:  # fmt: skip
    """Evaluates a run on held-out assets of a dataset: the inputs are `views` cameras spread around, the targets all others.

    Writes evaluation.json, table.md, grid.png, splats/*.ply and meshes/*.ply to `out` (default: `run_dir`/evaluation).

    Args:
        split: one split or several. objects: at most so many, in the shards' order.
        full: also fit Gaussians to each object (the ceiling) and write meshes; seconds per object.
        lpips: folder of LPIPS weights; without it that metric is left out and the notes say so.

    Raises:
        ConfigError: no trained model, one that draws no pictures, no assets in the split, or too few views per asset.
    """
    target = torch_device(device)
    model, preset = load_model(Path(run_dir), target)
    splits = (split,) if isinstance(split, str) else tuple(split)
    scenes = held_out(dataset_dir, splits, preset.size, views)
    count = min(len(scenes), objects or len(scenes))
    cases = ((s, spread(s.c2w, views)) for s in (scenes[i] for i in range(count)))
    place = Path(out or Path(run_dir) / "evaluation")
    contest = _contest(model, dataset_dir, target, full, lpips)
    return assess(contest, cases, count, f"{dataset_dir} ({', '.join(splits)})", place, progress)


def evaluate_assets(
    run_dir: str | Path, assets: Sequence[tuple[str, Asset]], dataset_dir: str | Path, views: int = 4, device: str = "auto",
    out: str | Path | None = None, full: bool = True, lpips: str | Path | None = None, progress: Progress | None = None,
) -> Evaluation:  # fmt: skip
    """Evaluates a run on named assets (meshes of anyone's), with the paper's input cameras; see `evaluate`.

    Inputs are the 4 views of elevation 20 or the 8 of elevations 0 and 40 (LRM-Zero section 4), targets the other
    cameras of its 64-view grid. A mesh without materials gets drawn ones. `dataset_dir` is the training dataset: its
    mean image is a baseline.

    Raises:
        ConfigError: no trained model, one that draws no pictures, or `views` is not 4 or 8.
        AssetError: an asset that can't be rendered.
    """
    target = torch_device(device)
    model, preset = load_model(Path(run_dir), target)
    cases = ((scene_of_asset(textured(asset), views, preset.size, name), list(range(views))) for name, asset in assets)
    if views not in (4, 8):
        raise ConfigError(f"the paper's cameras are 4 or 8 input views, not {views}")
    contest = _contest(model, dataset_dir, target, full, lpips)
    return assess(contest, cases, len(assets), "meshes", Path(out or Path(run_dir) / "evaluation"), progress)


def held_out(dataset_dir: str | Path, splits: tuple[str, ...], size: int, views: int) -> Scenes:
    """The scenes of `splits` at `size` pixels that a model which sees `views` of their views can be judged on.

    Raises:
        ConfigError: there are none, or they have too few views.
    """
    scenes = Scenes(dataset_dir, splits, size, keep=False, normals=True)
    if not len(scenes):
        raise ConfigError(f"{dataset_dir} has no assets in {' or '.join(splits)}: mill more assets")
    spread(scenes[0].c2w, views)
    return scenes


def assess(
    contest: Contest, cases: Iterable[tuple[Scene, list[int]]], count: int, source: str, out: Path,
    progress: Progress | None = None,
) -> Evaluation:  # fmt: skip
    """Measures a model on `count` (scene, indices of its input views); writes the files of `evaluate` to `out`."""
    for folder in ("splats", "meshes"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    objects: list[dict[str, Any]] = []
    rows: list[list[Tensor]] = []
    files: dict[str, list[str]] = {"splats": [], "meshes": []}
    views = 0
    for scene, inputs in cases:
        targets, views = [k for k in range(len(scene.rgb)) if k not in inputs], len(inputs)
        found = predict(contest.model, scene, inputs, contest.device)
        given = answers(contest, scene, inputs, targets, found)
        objects.append({"name": scene.name, **{m: measure(contest, scene, targets, answer) for m, answer in given.items()}})
        if len(rows) < PICTURES:
            shown = _evenly(len(targets), 4)
            truth, image = scene.over_white[targets][shown], given[MODEL].image[shown]
            rows.append([scene.over_white[inputs][:8], image, given[HULL].image[shown], truth, (image - truth).abs()])
            _export(contest, found, out, f"{len(rows) - 1:03d}.ply", files)
        if progress:
            progress(len(objects), count, {"psnr": objects[-1][MODEL]["psnr"]})
    picture_grid(out / "grid.png", rows, ["inputs", "prediction", "visual hull", "truth", "|prediction - truth|"])
    methods = [m for m in METHODS if m in objects[0]]
    evaluation = Evaluation(
        objects=objects,
        summary={m: mean_metrics([o[m] for o in objects]) for m in methods},
        intervals={m: pair for m in methods if (pair := metrics.interval([o[m]["psnr"] for o in objects])) is not None},
        gains={m: _gain(objects, m) for m in methods[1:]},
        views=views,
        size=contest.model.preset.size,
        source=source,
        table=str(out / "table.md"),
        grid=str(out / "grid.png"),
        splats=files["splats"],
        meshes=files["meshes"],
        notes=[] if contest.lpips else [MISSING],
    )
    (out / "evaluation.json").write_text(json.dumps(asdict(evaluation), indent=1) + "\n")
    (out / "table.md").write_text(markdown(evaluation))
    return evaluation


def _contest(model: Model, dataset_dir: str | Path, device: torch.device, full: bool, lpips: str | Path | None) -> Contest:
    size = model.preset.size
    scenes = Scenes(dataset_dir, ("train",), size, keep=False)
    mean = baselines.mean_image(scenes[i] for i in range(len(scenes)))
    untrained = drawing(fresh(model.preset, 0)).to(device).eval()
    return Contest(model, untrained, mean, device, Lpips(lpips).to(device) if lpips else None, optimum=full)


def _export(contest: Contest, found: Any, out: Path, name: str, files: dict[str, list[str]]) -> None:
    """Writes the splats of a reconstruction, if it is one of Gaussians, and its mesh, if the evaluation is a full one."""
    if isinstance(found, Gaussians):
        write_splats(out / "splats" / name, found)
        files["splats"].append(str(out / "splats" / name))
    if contest.optimum:
        device = contest.device
        mesh = fusion.fuse(lambda c2w, K, size: contest.model.draw(found, c2w.to(device), K.to(device), size))
        if mesh is not None:
            fusion.write_mesh(out / "meshes" / name, mesh)
            files["meshes"].append(str(out / "meshes" / name))


def mean_metrics(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """Metric -> mean over the objects that have it."""
    names = [name for name in METRICS if any(name in m for m in measured)]
    return {name: float(np.mean([m[name] for m in measured if name in m])) for name in names}


def _gain(objects: list[dict[str, Any]], method: str) -> tuple[float, float | None, float | None]:
    values = [o[MODEL]["psnr"] - o[method]["psnr"] for o in objects]
    low, high = metrics.interval(values) or (None, None)
    return float(np.mean(values)), low, high


def _evenly(count: int, wanted: int) -> list[int]:
    return [round(k * (count - 1) / max(1, min(wanted, count) - 1)) for k in range(min(wanted, count))]
