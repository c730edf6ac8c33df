"""Views per second of a device, alone and with encoding beside it, and Cycles on the same device; runs on any."""

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Literal

import warp as wp

import zeroverse
from benchmarks.common import Table, measure
from render import CameraConfig, CyclesConfig, RenderConfig, render
from shards import ShardsConfig, encode_row
from versemill.asset import Asset
from versemill.curated import Curated
from versemill.device import resolve
from versemill.errors import MissingDependencyError
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
    asset to encoded row with threads that encode while the device renders; then Cycles on the same device.

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
    with measure() as whole:
        stored = _pipelined(work, config, cores)

    total = views * assets
    label = wp.get_device(name).name if cuda else "CPU"
    table = Table(
        f"{label}, {cores} cores: {assets} assets x {views} views of {size}² of {len(shape.faces)} faces, all passes, fast",
        ["what", "views/s", "wanted of an H200", "core-s per view"],
    )
    rates = {
        "device": total / (kernels or calls.wall),
        "calls": total / calls.wall,
        "end_to_end": total / whole.wall,
    }
    table.rows.append(
        ["kernels and copies, by the device's clock" if cuda else "render calls", rates["device"], DEVICE_LIMIT, ""]
    )
    table.rows.append(["render calls, one after the other", rates["calls"], "", calls.cpu / total])
    what = f"rendered and encoded, {stored / total / 1e6:.2f} MB a view"
    table.rows.append([what, rates["end_to_end"], END_TO_END_LIMIT, whole.cpu / total])
    figures = {f"{key}_views_per_second": rate for key, rate in rates.items()}
    for compute in ("optix", "cuda") if cuda else ("cpu",):
        row, rate = _cycles(shape, config, compute, 16 if cuda else 1)
        table.rows.append(row)
        figures |= {f"cycles_{compute}_views_per_second": rate} if rate else {}
    return table, figures


def _pipelined(work: list[Asset], config: RenderConfig, threads: int) -> int:
    """Renders here while threads encode, with at most two assets per thread waiting; returns the bytes of all rows."""
    stored = 0
    waiting: deque[Future[int]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for asset in work:
            waiting.append(pool.submit(encoded, asset, render(asset, config)))
            if len(waiting) > 2 * threads:
                stored += waiting.popleft().result()
        return stored + sum(job.result() for job in waiting)


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
