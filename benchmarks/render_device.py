"""Views per second of a device, alone and while other processes encode, and Cycles on the same device; runs on any."""

import os
import shutil
from dataclasses import replace
from typing import Literal

import numpy as np
import warp as wp

from benchmarks.common import Table, measure
from versemill import zeroverse
from versemill.asset import Asset
from versemill.curated import Curated
from versemill.device import resolve
from versemill.errors import MissingDependencyError
from versemill.mill.pipeline.stages import cpu_seconds, draw
from versemill.mill.run import cluster
from versemill.mill.run.crew import PER_GPU, START_SECONDS
from versemill.mill.run.renderers import Remote, Renderers
from versemill.mill.run.watchdog import new_run, scratch
from versemill.render import KERNELS, CameraConfig, CyclesConfig, RenderConfig, render
from versemill.shards import ShardsConfig, encode_row
from versemill.views import PASSES, Views

DEVICE_LIMIT, END_TO_END_LIMIT = 300.0, 150.0
"""Views per second wanted of an H200, the second with encoding on 16 cores."""


def encoded(asset: Asset, views: Views) -> int:
    """Encodes an asset's row as a shard holds it; returns its bytes."""
    curated = Curated(asset, asset.vertices, asset.faces)
    row = encode_row(curated, views, None, config=ShardsConfig(), digest="", fingerprint="", split="train")
    return int(row.nbytes)


def throughput(quick: bool, *, device: str = "auto") -> tuple[Table, dict[str, float]]:
    """All passes of views of 512² of objects of 20,000 faces with `fast`: the kernels' own time, the calls' time, and from
    asset to encoded row with a run's own processes; then Cycles on the same device.

    On the CPU the counts are small and the kernels' own time is the calls' time.
    """
    name = resolve(device)
    cuda = name != "cpu"
    size = 128 if quick else 512
    views, assets = (32, 4 if quick else 32) if cuda else (4, 2)
    config = RenderConfig(device=name, width=size, height=size, passes=tuple(PASSES), cameras=CameraConfig(views=views))
    shape = zeroverse.generate(zeroverse.ZeroverseConfig(triangles=20_000), 7, 0)
    work = [replace(shape, index=k) for k in range(assets)]
    render(shape, config)  # kernels, tables and the memory pool are there before the clock starts

    kernels = 0.0
    if cuda:
        wp.timing_begin(cuda_filter=wp.TIMING_ALL)
        for asset in work:
            render(asset, config)
        kernels = sum(result.elapsed for result in wp.timing_end()) / 1000
    with measure() as calls:
        for asset in work:
            render(asset, config)
    cores = len(os.sched_getaffinity(0))
    wall, stored, spent = _through_renderers(work, config)

    total = views * assets
    label = wp.get_device(name).name if cuda else "CPU"
    table = Table(
        f"{label}, {cores} cores: {assets} assets x {views} views of {size}² of {len(shape.faces)} faces, all passes, fast",
        ["what", "views/s", "wanted of an H200", "core-s per view"],
    )
    rates = {
        "device": total / (kernels or calls.wall),
        "calls": total / calls.wall,
        "end_to_end": total / wall,
    }
    table.rows.append(
        ["kernels and copies, by the device's clock" if cuda else "render calls", rates["device"], DEVICE_LIMIT, ""]
    )
    table.rows.append(["render calls, one after the other", rates["calls"], "", calls.cpu / total])
    what = f"rendered by renderers and encoded by workers, {stored / total / 1e6:.2f} MB a view"
    table.rows.append([what, rates["end_to_end"], END_TO_END_LIMIT, spent / total])
    figures = {f"{key}_views_per_second": rate for key, rate in rates.items()}
    for compute in ("optix", "cuda") if cuda else ("cpu",):
        row, rate = _cycles(shape, config, compute, 16 if cuda else 1)
        table.rows.append(row)
        figures |= {f"cycles_{compute}_views_per_second": rate} if rate else {}
    return table, figures


def _row(drawn: Remote, asset: Asset, config: RenderConfig) -> tuple[int, float]:
    """Runs in a worker: has an asset rendered and encodes it; the row's bytes, and the core-seconds of both."""
    views, (_, spent) = drawn(asset, config)
    before = cpu_seconds()
    size = encoded(asset, views)
    return size, spent + cpu_seconds() - before


def _through_renderers(work: list[Asset], config: RenderConfig) -> tuple[float, int, float]:
    """As a run does it: renderers draw in processes of their own while a worker per core encodes; (wall seconds, bytes of
    all rows, core-seconds).
    """
    pixels = config.width * config.height * (config.cameras.views or 1)
    each = pixels * sum(np.dtype(kind.dtype).itemsize * max(1, kind.channels) for kind in PASSES.values())
    cuda = config.device != "cpu"
    with cluster.joined(None, store=each * (len(work) + 2)) as joined:
        import ray

        run, count = new_run(), PER_GPU if cuda else 1
        kernels = tuple((name, config.device) for name in KERNELS)
        renderers = Renderers(run, count, joined.gpus / count, draw, kernels, config.device)
        job = ray.remote(_row).options(num_cpus=1)
        small = config.model_copy(update={"width": 16, "height": 16})
        try:
            renderers.device(START_SECONDS)
            # Every process is there, and its modules are loaded, before the clock starts.
            ray.get([job.remote(renderers.remote, replace(work[0], index=k), small) for k in range(2 * joined.cpus)])
            with measure() as span:
                answers = ray.get([job.remote(renderers.remote, asset, config) for asset in work])
        finally:
            renderers.stop()
            shutil.rmtree(scratch(run), ignore_errors=True)
    return span.wall, sum(size for size, _ in answers), sum(spent for _, spent in answers)


def _cycles(
    asset: Asset, config: RenderConfig, compute: Literal["cpu", "cuda", "optix"], views: int
) -> tuple[list[object], float]:
    """The same passes by Cycles with 16 samples and OIDN, the process warm."""
    settings = {
        "engine": "cycles",
        "samples": 16,
        "cycles": CyclesConfig(compute=compute),
        "cameras": CameraConfig(views=views),
    }
    theirs = config.model_copy(update=settings)
    what = f"Cycles on {compute}, 16 samples, denoised"
    try:
        render(asset, theirs)
    except MissingDependencyError as error:
        return [f"{what}: not run, {error}", "", "", ""], 0.0
    with measure() as span:
        render(asset, theirs)
    return [what, views / span.wall, "", ""], views / span.wall
