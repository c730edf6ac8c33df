"""Reconstruction: cost of splatting against its reference, of a training step, and how long the loader keeps it waiting."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import Benchmark, Table, measure
from reconstruction import train
from reconstruction.presets import PRESETS
from reconstruction.splat import Gaussians, render
from versemill.camera import intrinsics, look_at


def run(quick: bool) -> Benchmark:
    """Splatting forward and backward at the sizes of micro and tiny; a short training on generated shards."""
    repeats = 1 if quick else 5
    table = Table("splatting with gradients, 1 object x 2 views, CPU ms", ["size, Gaussians", "kernels", "reference", "ratio"])
    figures: dict[str, float] = {}
    for name in ("micro", "tiny"):
        preset = PRESETS[name]
        count = preset.input_views * (preset.size // preset.stride) ** 2
        cost = {backend: _splat(preset.size, count, backend, repeats) for backend in ("warp", "torch")}
        ratio = cost["torch"] / cost["warp"]
        table.rows.append([f"{preset.size}², {count}", 1e3 * cost["warp"], 1e3 * cost["torch"], f"{ratio:.1f}x"])
        figures |= {f"splat_{name}_ms": 1e3 * cost["warp"], f"splat_{name}_speedup": ratio}
    steps = 3 if quick else 30
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(Path(folder) / "data", 4 if quick else 16)
        preset = PRESETS["micro"].model_copy(update={"steps": steps, "save_every": steps})
        with measure() as span:
            summary = train(dataset, preset, Path(folder) / "run", device="cpu")
    training = Table(
        "training, preset micro",
        ["steps", "ms per step", "CPU ms per step", "waiting for data"],
        [[steps, 1e3 * summary["seconds"] / steps, 1e3 * span.cpu / steps, f"{100 * summary['wait_share']:.1f} %"]],
    )
    figures |= {"step_ms": 1e3 * summary["seconds"] / steps, "wait_share": summary["wait_share"]}
    return Benchmark([table, training], figures, peer="the plain torch reference (every Gaussian at every pixel), same device")


def _splat(size: int, count: int, backend: str, repeats: int) -> float:
    """CPU seconds of one rendering with its gradients."""
    g = torch.Generator().manual_seed(0)
    shape = (1, count)
    inputs = [
        torch.rand(*shape, 3, generator=g) * 2 - 1,
        torch.randn(*shape, 4, generator=g),
        torch.rand(*shape, 3, generator=g) * 0.06 + 0.01,
        torch.rand(*shape, generator=g),
        torch.rand(*shape, 3, generator=g),
    ]
    inputs = [t.requires_grad_() for t in inputs]
    eyes = np.random.default_rng(0).normal(size=(1, 2, 3))
    eyes *= 3.5 / np.linalg.norm(eyes, axis=-1, keepdims=True)
    c2w = torch.tensor(np.stack([[look_at(e) for e in row] for row in eyes])).float()
    K = torch.tensor(intrinsics(50.0, size, size)).float().expand(1, 2, 3, 3)

    def once() -> None:
        torch.autograd.grad(render(Gaussians(*inputs), c2w, K, (size, size), backend).over(1.0).square().sum(), inputs)

    once()  # kernels are compiled and memory is warm
    with measure() as span:
        for _ in range(repeats):
            once()
    return span.cpu / repeats


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
