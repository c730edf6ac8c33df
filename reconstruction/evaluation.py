"""Evaluation: held-out views of held-out objects, beside the baselines, in numbers and pictures."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reconstruction import baselines, metrics
from reconstruction.data import Scene, Scenes, scene, spread
from reconstruction.export import picture_grid, write_splats
from reconstruction.model import LRM
from reconstruction.splat import Gaussians, render
from reconstruction.training import fresh_model, load_model, torch_device
from render import CameraConfig, RenderConfig
from render import render as render_views
from versemill.asset import Asset
from versemill.errors import ConfigError
from versemill.views import Views

MODEL, UNTRAINED, MEAN, INPUT_MEAN = "model", "untrained model", "mean image", "mean of the inputs"
NEAREST, HULL = "nearest view", "visual hull"
METHODS = (MODEL, UNTRAINED, MEAN, INPUT_MEAN, NEAREST, HULL)
"""Order of the rows: ours, the same network before training (what it owes to its design alone), then the baselines."""
METRICS = ("psnr", "ssim", "mask_iou", "depth_error")
PICTURES = 12
"""Objects in the picture grid."""


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
        grid: the picture. splats: a .ply per object in the picture.
    """

    objects: list[dict[str, Any]]
    summary: dict[str, dict[str, float]]
    intervals: dict[str, tuple[float, float]]
    gains: dict[str, tuple[float, float | None, float | None]]
    views: int
    size: int
    source: str
    grid: str
    splats: list[str] = field(default_factory=list)


def evaluate(
    run_dir: str | Path,
    dataset_dir: str | Path,
    split: str | Sequence[str] = ("val", "test"),
    views: int = 4,
    device: str = "auto",
    objects: int | None = None,
    out: str | Path | None = None,
) -> Evaluation:
    """Evaluates a run on held-out assets of a dataset: the inputs are `views` cameras spread around, the targets all others.

    Writes evaluation.json, grid.png and splats/*.ply to `out` (default: `run_dir`/evaluation).

    Args:
        split: one split or several. objects: at most so many, in the shards' order.

    Raises:
        ConfigError: no trained model, no assets in the split, or too few views per asset.
    """
    target = torch_device(device)
    model, preset = load_model(Path(run_dir), target)
    splits = (split,) if isinstance(split, str) else tuple(split)
    scenes = held_out(dataset_dir, splits, preset.size, views)
    count = min(len(scenes), objects or len(scenes))
    mean = baselines.mean_image(_train_scenes(dataset_dir, preset.size))
    cases = ((s, spread(s.c2w, views)) for s in (scenes[i] for i in range(count)))
    source = f"{dataset_dir} ({', '.join(splits)})"
    return assess(model, cases, mean, target, views, source, Path(out or Path(run_dir) / "evaluation"))


def held_out(dataset_dir: str | Path, splits: tuple[str, ...], size: int, views: int) -> Scenes:
    """The scenes of `splits` at `size` pixels that a model which sees `views` of their views can be judged on.

    Raises:
        ConfigError: there are none, or they have too few views.
    """
    scenes = Scenes(dataset_dir, splits, size, keep=False)
    if not len(scenes):
        raise ConfigError(f"{dataset_dir} has no assets in {' or '.join(splits)}: mill more assets")
    spread(scenes[0].c2w, views)
    return scenes


def evaluate_assets(
    run_dir: str | Path, assets: Iterable[tuple[str, Asset]], dataset_dir: str | Path, views: int = 4, device: str = "auto",
    out: str | Path | None = None,
) -> Evaluation:  # fmt: skip
    """Evaluates a run on named assets (meshes of anyone's), with the paper's input cameras.

    Inputs are the 4 views of elevation 20 or the 8 of elevations 0 and 40 (LRM-Zero section 4); targets are 16 views
    on a ring between them. `dataset_dir` is the training dataset: its mean image is a baseline, and the distance of its
    cameras is taken, which the model was trained at.

    Raises:
        ConfigError: no trained model, or `views` is not 4 or 8.
        AssetError: an asset that can't be rendered.
    """
    if views not in (4, 8):
        raise ConfigError(f"the paper's cameras are 4 or 8 input views, not {views}")
    target = torch_device(device)
    model, preset = load_model(Path(run_dir), target)
    mean = baselines.mean_image(_train_scenes(dataset_dir, preset.size))
    cases = ((scene_of_asset(asset, views, preset.size, name), list(range(views))) for name, asset in assets)
    return assess(model, cases, mean, target, views, "meshes", Path(out or Path(run_dir) / "evaluation"))


def scene_of_asset(asset: Asset, views: int, size: int, name: str) -> Scene:
    """Views of an asset: first the paper's inputs, then 16 targets; rendered by the Warp engine at `size` pixels."""

    def shot(preset: str) -> Views:
        config = RenderConfig(width=size, height=size, cameras=CameraConfig(preset=preset), passes=("rgb", "depth", "mask"))
        return render_views(asset, config)

    parts = [shot(f"gs_lrm_eval{views}"), shot("ring")]
    rgba = np.concatenate([p.passes["rgb"] for p in parts])
    depth = np.concatenate([p.passes["depth"] for p in parts])
    cameras = [c for p in parts for c in p.cameras]
    return scene(
        {
            "id": name,
            "rgb": torch.from_numpy(rgba).permute(0, 3, 1, 2).float() / 255,
            "depth": torch.from_numpy(depth)[:, None],
            "c2w": torch.from_numpy(np.stack([c.c2w for c in cameras])).float(),
            "K": torch.from_numpy(np.stack([c.K for c in cameras])).float(),
            "orthographic": torch.tensor([c.orthographic for c in cameras]),
        }
    )


def assess(
    model: LRM, cases: Iterable[tuple[Scene, list[int]]], mean: Tensor, device: torch.device, views: int, source: str, out: Path
) -> Evaluation:
    """Measures a model on (scene, indices of its input views); writes the files of `evaluate` to `out`."""
    (out / "splats").mkdir(parents=True, exist_ok=True)
    untrained = fresh_model(model.preset, 0).to(device).eval()
    objects: list[dict[str, Any]] = []
    rows: list[list[Tensor]] = []
    splats: list[str] = []
    for scene_, inputs in cases:
        targets = [k for k in range(len(scene_.rgb)) if k not in inputs]
        answers, gaussians = _answers(model, untrained, scene_, inputs, targets, mean, device)
        objects.append(
            {"name": scene_.name, **{method: _measure(scene_, targets, *answer) for method, answer in answers.items()}}
        )
        if len(rows) < PICTURES:
            shown = _evenly(len(targets), 4)
            truth, image = scene_.over_white[targets][shown], answers[MODEL][0][shown]
            rows.append([scene_.over_white[inputs][:8], image, answers[HULL][0][shown], truth, (image - truth).abs()])
            path = out / "splats" / f"{len(rows) - 1:03d}.ply"
            write_splats(path, gaussians)
            splats.append(str(path))
    picture_grid(out / "grid.png", rows, ["inputs", "prediction", "visual hull", "truth", "|prediction - truth|"])
    evaluation = Evaluation(
        objects=objects,
        summary={m: _mean_metrics([o[m] for o in objects]) for m in METHODS},
        intervals={m: pair for m in METHODS if (pair := metrics.interval([o[m]["psnr"] for o in objects])) is not None},
        gains={m: _gain(objects, m) for m in METHODS[1:]},
        views=views,
        size=model.preset.size,
        source=source,
        grid=str(out / "grid.png"),
        splats=splats,
    )
    (out / "evaluation.json").write_text(json.dumps(asdict(evaluation), indent=1) + "\n")
    return evaluation


Answer = tuple[Tensor, Tensor | None, Tensor | None]
"""Pictures over white (T, 3, S, S), alpha (T, 1, S, S) and depth (T, 1, S, S) where a method has them."""


def _answers(
    model: LRM, untrained: LRM, scene_: Scene, inputs: list[int], targets: list[int], mean: Tensor, device: torch.device
) -> tuple[dict[str, Answer], Gaussians]:
    count = len(targets)
    with torch.no_grad():
        ours, gaussians = _predict(model, scene_, inputs, targets, device)
        fresh, _ = _predict(untrained, scene_, inputs, targets, device)
        hull_rgb, hull_alpha, hull_depth = baselines.visual_hull(scene_, inputs, targets)
    near = baselines.nearest_view(scene_, inputs, targets)
    return {
        MODEL: ours,
        UNTRAINED: fresh,
        MEAN: (mean.expand(count, -1, -1, -1), None, None),
        INPUT_MEAN: (scene_.over_white[inputs].mean(0).expand(count, -1, -1, -1), None, None),
        NEAREST: (scene_.over_white[near], scene_.alpha[near], None),
        HULL: (hull_rgb + 1 - hull_alpha, hull_alpha, hull_depth),
    }, gaussians


def _predict(
    model: LRM, scene_: Scene, inputs: list[int], targets: list[int], device: torch.device
) -> tuple[Answer, Gaussians]:
    size = model.preset.size
    seen = [t[None, inputs].to(device) for t in (scene_.over_white, scene_.alpha, scene_.c2w, scene_.K)]
    gaussians, _ = model(*seen)
    rendering = render(gaussians, scene_.c2w[None, targets].to(device), scene_.K[None, targets].to(device), (size, size))
    alpha = rendering.alpha[0].cpu()
    return (rendering.over(1.0)[0].clamp(0, 1).cpu(), alpha, rendering.depth[0].cpu() / alpha.clamp_min(1e-3)), gaussians


def _measure(scene_: Scene, targets: list[int], image: Tensor, alpha: Tensor | None, depth: Tensor | None) -> dict[str, float]:
    """Metric -> mean over target views."""
    truth, mask = scene_.over_white[targets], scene_.alpha[targets, 0] > 0.5
    values = {"psnr": metrics.psnr(image, truth), "ssim": metrics.ssim(image, truth)}
    if alpha is not None:
        values["mask_iou"] = metrics.iou(alpha[:, 0] > 0.5, mask)
        if depth is not None:
            known = scene_.depth[targets, 0]
            values["depth_error"] = metrics.depth_error(depth[:, 0], known, (known > 0) & (alpha[:, 0] > 0.5))
    return {name: float(value.nanmean()) for name, value in values.items() if not value.isnan().all()}


def _mean_metrics(measured: list[dict[str, float]]) -> dict[str, float]:
    names = [name for name in METRICS if any(name in m for m in measured)]
    return {name: float(np.mean([m[name] for m in measured if name in m])) for name in names}


def _gain(objects: list[dict[str, Any]], method: str) -> tuple[float, float | None, float | None]:
    values = [o[MODEL]["psnr"] - o[method]["psnr"] for o in objects]
    low, high = metrics.interval(values) or (None, None)
    return float(np.mean(values)), low, high


def _train_scenes(dataset_dir: str | Path, size: int) -> Iterable[Scene]:
    scenes = Scenes(dataset_dir, ("train",), size, keep=False)
    return (scenes[i] for i in range(len(scenes)))


def _evenly(count: int, wanted: int) -> list[int]:
    return [round(k * (count - 1) / max(1, min(wanted, count) - 1)) for k in range(min(wanted, count))]
