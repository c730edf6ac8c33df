"""Reconstruction: what splatting costs and how exact it is, what a training step costs and waits, an asset learned by heart."""

import importlib.util
import os
import tempfile
from dataclasses import replace
from pathlib import Path

# As the command line does: OpenMP's waiting threads sleep instead of spinning, or their spinning is counted as work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from benchmarks.common import Benchmark, Table, measure
from reconstruction import train
from reconstruction.data import Scenes
from reconstruction.methods import Answer, predict
from reconstruction.metrics import psnr
from reconstruction.presets import PRESETS
from reconstruction.runs import load_model
from reconstruction.splat import WIDEN, Gaussians, composite, invert, project, render
from reconstruction.training import fit
from versemill.camera import intrinsics, look_at

TRAINED = {"micro": 100, "tiny": 30, "micro-triplane": 20}
"""Preset -> steps that are timed, the reading of the shards in the first epoch included."""
HEART_STEPS = 1500
"""Steps in which one asset is learned by heart."""


def run(quick: bool) -> Benchmark:
    """Splatting at the sizes of micro and tiny, its exactness, short trainings on generated shards, and the overfit test."""
    figures: dict[str, float] = {}
    cost = Table("splatting with gradients, 1 object x 2 views, CPU ms", ["size, Gaussians", "kernels", "reference", "ratio"])
    for name in ("micro", "tiny"):
        preset = PRESETS[name]
        count = preset.input_views * (preset.size // preset.stride) ** 2
        spent = {backend: _splat(preset.size, count, backend, 1 if quick else 5) for backend in ("warp", "torch")}
        ratio = spent["torch"] / spent["warp"]
        cost.rows.append([f"{preset.size}², {count}", 1e3 * spent["warp"], 1e3 * spent["torch"], f"{ratio:.1f}x"])
        figures |= {f"splat_{name}_ms": 1e3 * spent["warp"], f"splat_{name}_speedup": ratio}
    exactness = _exactness(figures)
    training = Table("training", ["preset", "parameters", "steps", "CPU s per step", "s per step", "waiting for data"])
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(Path(folder) / "data", 4 if quick else 16)
        for name, full in TRAINED.items():
            steps = 3 if quick else full
            preset = PRESETS[name].model_copy(update={"steps": steps, "save_every": steps})
            with measure() as span:
                summary = train(dataset, preset, Path(folder) / name, device="cpu")
            training.rows.append(
                [name, summary["parameters"], steps, span.cpu / steps, summary["seconds"] / steps,
                 f"{100 * summary['wait_share']:.1f} %"]
            )  # fmt: skip
            figures |= {f"step_{name}_cpu_s": span.cpu / steps, f"wait_{name}": summary["wait_share"]}
        heart = _by_heart(dataset, Path(folder) / "heart", 20 if quick else HEART_STEPS, figures)
    peer = "the plain torch reference (every Gaussian at every pixel), same device; gsplat's plain torch projection"
    return Benchmark([cost, exactness, training, heart], figures, peer)


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
        found = render(Gaussians(*inputs), c2w, K, (48, 48), backend)
        picture = torch.cat([found.rgb, found.alpha], 2)
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


def _by_heart(dataset: Path, out: Path, steps: int, figures: dict[str, float]) -> Table:
    """Six views of one asset at 32 pixels, by the network of `micro` with a Gaussian per pixel: PSNR of all of them."""
    change = {"stride": 1, "steps": steps, "save_every": steps, "lr": 1.5e-3, "warmup": 20, "batch": 1, "target_views": 6}
    plain = {"augment": False, "weight_decay": 0.0, "ema": 0.9, "amp": "off", "perceptual": 0.0, "depth": 0.0}
    preset = PRESETS["micro"].model_copy(update=change | plain)
    whole = Scenes(dataset, ("train",), preset.size, keep=False)[0]
    six = {name: getattr(whole, name)[:6] for name in ("rgb", "alpha", "depth", "normal", "c2w", "K")}
    scene = replace(whole, **six)
    with measure() as span:
        fit([scene], preset, out, 0, "cpu")
    model, _ = load_model(out, torch.device("cpu"))
    inputs = list(range(preset.input_views))
    with torch.no_grad():
        found = predict(model, scene, inputs, torch.device("cpu"))
        image = Answer.of(model.draw(found, scene.c2w[None], scene.K[None], preset.size)).image
    quality = psnr(image, scene.over_white)
    figures["by_heart_psnr"] = float(quality.mean())
    row = [steps, float(quality[inputs].mean()), float(quality[preset.input_views :].mean()), float(quality.mean()), span.cpu]
    return Table("one asset by heart", ["steps", "inputs, dB", "other views, dB", "all, dB (wanted: 28)", "CPU s"], [row])


def _dataset(folder: Path, assets: int) -> Path:
    """Zeroverse assets at 64², 12 views, without curation, sealed into one shard."""
    from pyarrow import fs as pafs

    import shards
    from render import CameraConfig, RenderConfig
    from render import render as render_views
    from versemill.curated import Curated
    from zeroverse import ZeroverseConfig, generate

    config = RenderConfig(width=64, height=64, quality="fast", cameras=CameraConfig(views=12), passes=("rgb", "depth", "mask"))
    rows = []
    for index in range(assets):
        asset = generate(ZeroverseConfig(), 0, index).normalized()
        curated = Curated(asset, asset.vertices, asset.faces)
        views = render_views(asset, config)
        rows.append(
            shards.encode_row(curated, views, None, config=shards.ShardsConfig(), digest="", fingerprint="", split="train")
        )
    (folder / "shards").mkdir(parents=True)
    shards.seal(pafs.LocalFileSystem(), str(folder / "shards" / "shard-000000.parquet"), rows, {})
    return folder
