"""Reconstruction: what splatting costs and how exact it is, what a training step costs and waits, an asset learned by heart."""

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

# As the command line does: OpenMP's waiting threads sleep instead of spinning, or their spinning is counted as work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from pyarrow import fs as pafs

from benchmarks.common import Benchmark, Table, measure
from versemill import shards
from versemill.camera import intrinsics, look_at
from versemill.curated import Rejected
from versemill.mill.pipeline import config as pipelines
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.plan import Plan
from versemill.reconstruction import GAUSSIANS, TRIPLANE
from versemill.reconstruction.methods import Answer, predict
from versemill.training.images import psnr
from versemill.training.loop import train
from versemill.training.runs import load
from versemill.training.scenes import Scenes
from versemill.training.splats import WIDEN, Gaussians, composite, invert, project
from versemill.training.splatting import render

TRAINED = ((GAUSSIANS, "micro", 100), (GAUSSIANS, "tiny", 30), (TRIPLANE, "micro", 20))
"""Family, preset, steps that are timed, the reading of the shards in the first epoch included."""
HEART_STEPS = 1500
"""Steps in which one asset is learned by heart."""
BY_HEART = {
    "size": 64, "patch": 8, "stride": 2, "layers": 2, "lr": 2e-3, "warmup": 20, "batch": 1, "target_views": 5, "augment": False,
    "weight_decay": 0.0, "ema": 0.9, "amp": "off", "perceptual": 0.0, "mask": 0.0, "depth": 0.0,
}  # fmt: skip
"""`micro`, changed for that: nothing that keeps a network from learning by heart."""


def splatting(quick: bool) -> Benchmark:
    """What splatting costs at the sizes of micro and tiny, and how exact it is."""
    figures: dict[str, float] = {}
    cost = Table("splatting with gradients, 1 object x 2 views, CPU ms", ["size, Gaussians", "kernels", "reference", "ratio"])
    for name in ("micro", "tiny"):
        preset = GAUSSIANS.presets[name]
        count = preset.input_views * (preset.size // preset.stride) ** 2
        spent = {backend: _splat(preset.size, count, backend, 1 if quick else 5) for backend in ("warp", "torch")}
        ratio = spent["torch"] / spent["warp"]
        cost.rows.append([f"{preset.size}², {count}", 1e3 * spent["warp"], 1e3 * spent["torch"], f"{ratio:.1f}x"])
        figures |= {f"splat_{name}_ms": 1e3 * spent["warp"], f"splat_{name}_speedup": ratio}
    peer = "the plain torch reference (every Gaussian at every pixel), same device; gsplat's plain torch projection"
    return Benchmark([cost, _exactness(figures)], figures, peer)


def training(quick: bool) -> Benchmark:
    """What a step of the presets costs on milled shards, and how much of it is waiting for data."""
    figures: dict[str, float] = {}
    table = Table("training", ["preset", "parameters", "steps", "CPU s per step", "s per step", "waiting for data"])
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(Path(folder) / "data", 4 if quick else 16)
        for family, name, full in TRAINED:
            steps = 3 if quick else full
            label = f"{family.name} {name}"
            preset = family.presets[name].model_copy(update={"steps": steps, "save_every": steps})
            with measure() as span:
                summary = train(family, dataset, preset, Path(folder) / label, device="cpu")
            table.rows.append(
                [label, summary["parameters"], steps, span.cpu / steps, summary["seconds"] / steps,
                 f"{100 * summary['wait_share']:.1f} %"]
            )  # fmt: skip
            figures |= {
                f"step_{family.name}_{name}_cpu_s": span.cpu / steps,
                f"wait_{family.name}_{name}": summary["wait_share"],
            }
    return Benchmark([table], figures)


def overfit(quick: bool) -> Benchmark:
    """One milled asset learned by heart: five views at 64 pixels by a small network."""
    figures: dict[str, float] = {}
    steps = 20 if quick else HEART_STEPS
    preset = GAUSSIANS.presets["micro"].model_copy(update={**BY_HEART, "steps": steps, "save_every": steps})
    count = preset.input_views
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(Path(folder) / "data", 1, views=5)
        with measure() as span:
            train(GAUSSIANS, dataset, preset, Path(folder) / "run", device="cpu")
        network, _ = load(GAUSSIANS, Path(folder) / "run", torch.device("cpu"))
        scene = Scenes(dataset, ("train",), preset.size, keep=False)[0]
    model: Any = network
    with torch.no_grad():
        predicted = predict(model, scene, list(range(count)), torch.device("cpu"))
        image = Answer.of(model.draw(predicted, scene.c2w[None], scene.K[None], preset.size)).image
    quality = psnr(image, scene.over_white)
    error = (image - scene.over_white).square() * scene.alpha
    inside = float(-10 * torch.log10(error.sum() / (3 * scene.alpha.sum())))
    figures |= {"by_heart_psnr": float(quality.mean()), "by_heart_inside_psnr": inside}
    table = Table(
        "one asset by heart",
        ["steps", "inputs, dB", "other views, dB", "all, dB (wanted: 28)", "all, the asset's pixels alone, dB", "CPU s"],
        [[steps, float(quality[:count].mean()), float(quality[count:].mean()), float(quality.mean()), inside, span.cpu]],
    )
    return Benchmark([table], figures)


PARTS = {"splatting": splatting, "training": training, "overfit": overfit}


def run(quick: bool) -> Benchmark:
    """Every part."""
    parts = [part(quick) for part in PARTS.values()]
    figures = {name: value for part in parts for name, value in part.figures.items()}
    return Benchmark([table for part in parts for table in part.tables], figures, parts[0].peer)


def _scene(size: int, count: int, spread: float = 0.06, dtype: torch.dtype = torch.float32) -> tuple[list[torch.Tensor], ...]:
    """Random Gaussians as their five tensors, and two cameras (c2w, K)."""
    g = torch.Generator().manual_seed(0)
    inputs = [
        torch.rand(1, count, 3, generator=g) * 2 - 1,
        torch.randn(1, count, 4, generator=g),
        torch.rand(1, count, 3, generator=g) * spread + 0.01,
        torch.rand(1, count, generator=g),
        torch.rand(1, count, 3, generator=g),
    ]
    eyes = np.random.default_rng(0).normal(size=(1, 2, 3))
    eyes *= 3.5 / np.linalg.norm(eyes, axis=-1, keepdims=True)
    c2w = torch.tensor(np.stack([[look_at(e) for e in row] for row in eyes])).to(dtype)
    K = torch.tensor(intrinsics(50.0, size, size)).to(dtype).expand(1, 2, 3, 3)
    return [t.to(dtype).requires_grad_() for t in inputs], [c2w, K]


def _splat(size: int, count: int, backend: str, repeats: int) -> float:
    """CPU seconds of one rendering with its gradients."""
    inputs, (c2w, K) = _scene(size, count)

    def once() -> None:
        torch.autograd.grad(render(Gaussians(*inputs), c2w, K, (size, size), backend).over(1.0).square().sum(), inputs)

    once()  # kernels are compiled and memory is warm
    with measure() as span:
        for _ in range(repeats):
            once()
    return span.cpu / repeats


def _exactness(figures: dict[str, float]) -> Table:
    """Largest differences: kernels to reference, reference to finite differences, projection to gsplat."""
    table = Table("splatting, largest difference", ["what", "found", "limit"])
    inputs, (c2w, K) = _scene(48, 600)
    images, slopes = {}, {}
    for backend in ("warp", "torch"):
        rendered = render(Gaussians(*inputs), c2w, K, (48, 48), backend)
        picture = torch.cat([rendered.rgb, rendered.alpha], 2)
        slopes[backend] = torch.autograd.grad(picture.square().sum(), inputs)
        images[backend] = picture.detach()
    pairs = zip(slopes["warp"], slopes["torch"], strict=True)
    figures["kernel_value_error"] = float((images["warp"] - images["torch"]).abs().max())
    figures["kernel_gradient_error"] = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
    figures["finite_difference_error"] = _finite_differences()
    names = {
        "kernel_value_error": ("kernels to the reference, values", 1e-4),
        "kernel_gradient_error": ("kernels to the reference, gradients over their largest", 1e-3),
        "finite_difference_error": ("reference to finite differences (float64), gradients over their largest", 1e-3),
    }
    if importlib.util.find_spec("gsplat"):
        from gsplat.cuda import _torch_impl as peer

        with torch.no_grad():
            means, quats, scales = (t[0] for t in inputs[:3])
            covariances, _ = peer._quat_scale_to_covar_preci(torch.nn.functional.normalize(quats, dim=-1), scales)
            _, xy, depth, conic, _ = peer._fully_fused_projection(means, covariances, invert(c2w)[0], K[0], 48, 48, eps2d=WIDEN)
            ours = project(Gaussians(*inputs), invert(c2w), K, (48, 48))
        gaps = [(ours.xy - xy) / 48, ours.features[..., 3] - depth, ours.conic - conic]
        figures["gsplat_error"] = max(float(gap.abs().max()) for gap in gaps)
        names["gsplat_error"] = ("projection to gsplat's: place in image widths, depth, inverse covariance", 1e-4)
    table.rows = [[what, f"{figures[key]:.1e}", f"{limit:.0e}"] for key, (what, limit) in names.items()]
    return table


def _finite_differences(step: float = 1e-6) -> float:
    """Largest relative error of a gradient along a random direction, for each of the five inputs."""
    inputs, (c2w, K) = _scene(6, 4, spread=1.0, dtype=torch.float64)

    def value(parts: list[torch.Tensor]) -> torch.Tensor:
        image, alpha = composite(project(Gaussians(*parts), invert(c2w), K, (6, 6)), (6, 6))
        return image.square().sum() + alpha.square().sum()

    gradients = torch.autograd.grad(value(inputs), inputs)
    worst = 0.0
    for k, gradient in enumerate(gradients):
        way = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        ends = [value([t + sign * step * way if j == k else t for j, t in enumerate(inputs)]) for sign in (1, -1)]
        along = float((gradient * way).sum())
        worst = max(worst, abs(float((ends[0] - ends[1]).detach()) / (2 * step) - along) / float(gradient.norm()))
    return worst


def _dataset(folder: Path, assets: int, views: int = 12) -> Path:
    """Assets of the pipeline `tiny`, every stage of it in this process, sealed into one shard."""
    pipeline = pipelines.load("tiny", overrides=["shards.splits=[1, 0, 0]", f"render.cameras.views={views}"], assets=assets)
    plan = Plan.of(pipeline, {})
    made = [stages.make(plan.recipe("", ""), plan.order(index)).outcome for index in range(assets)]
    rows = [row for row in made if not isinstance(row, Rejected)]
    (folder / "shards").mkdir(parents=True)
    shards.seal(pafs.LocalFileSystem(), str(folder / "shards" / "shard-000000.parquet"), rows, {})
    return folder
