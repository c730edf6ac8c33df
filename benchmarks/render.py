"""Rendering: geometry against Embree and Cycles, colour and cost against Cycles, an asset's bill, memory, views per second."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import psutil

from benchmarks.common import Benchmark, Table, measure
from benchmarks.render_curve import curve
from benchmarks.render_device import encoded, throughput
from benchmarks.render_geometry import SEED, composition, cycles, detail, embree
from versemill import zeroverse
from versemill.device import compile_kernels, resolve
from versemill.render import KERNELS, CameraConfig, RenderConfig, render

PAPER = 1445.0
"""Core-seconds of LRM-Zero's 32 views of one object, from its published machine count and time."""
COST_LIMITS = {"fast": 15.0, "fine": 60.0}

Found = tuple[Table, dict[str, float]]


def cost(quick: bool, *, device: str = "auto") -> Found:
    """32 views of 512² of a Zeroverse object of 20,000 faces with RGB, normal, depth and mask, encoded as in a shard."""
    size, views = (128, 8) if quick else (512, 32)
    asset = zeroverse.generate(zeroverse.ZeroverseConfig(triangles=20_000), SEED, 0)
    title = f"{views} views of {size}² of {len(asset.faces)} faces: RGB, normal, depth, mask; on {resolve(device)}"
    table = Table(title, ["quality", "render, core-s", "encode, core-s", "together", "limit", "times less than the paper"])
    figures: dict[str, float] = {}
    for quality in ("fast", "fine"):
        config = RenderConfig(
            device=device, width=size, height=size, quality=quality, cameras=CameraConfig(preset="lrm_zero", views=views)
        )
        encoded(asset, render(asset, config.model_copy(update={"width": 16, "height": 16})))
        with measure() as drawing:
            made = render(asset, config)
        with measure() as writing:
            encoded(asset, made)
        total = drawing.cpu + writing.cpu
        figures |= {f"{quality}_core_seconds": total, f"{quality}_encode_core_seconds": writing.cpu}
        table.rows.append([quality, drawing.cpu, writing.cpu, total, COST_LIMITS[quality], PAPER / 32 * views / total])
    return table, figures


def memory(quick: bool, *, device: str = "auto") -> Found:
    """1,000 assets through one fresh worker: resident memory and open file descriptors as it goes."""
    count = 100 if quick else 1000
    table = Table(
        f"{count} assets of both generators, 4 views of 64², one worker", ["after", "resident MB", "open descriptors"]
    )
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        notes = pool.submit(_worker, count, device).result()
    for done, megabytes, descriptors in notes:
        table.rows.append([f"{done} assets", megabytes, descriptors])
    (_, first, files), (_, last, left) = notes[0], notes[-1]
    figures = {"memory_first_mb": first, "memory_last_mb": last, "memory_growth_mb": last - first}
    return table, figures | {"memory_descriptors_growth": float(left - files)}


def _worker(count: int, device: str) -> list[tuple[int, float, int]]:
    """Renders `count` assets in this process; (assets done, MB resident, open descriptors) at five times, the first once all
    20 shapes have been seen.
    """
    shapes = [make(k) for k in range(10) for make in (composition, detail)]
    process = psutil.Process()
    marks = {round(count * share) for share in (0.25, 0.5, 0.75, 1.0)} | {len(shapes)}
    notes = []
    for k in range(count):
        config = RenderConfig(
            device=device, width=64, height=64, quality=("fast", "fine")[k % 2], samples=4, cameras=CameraConfig(views=4)
        )
        encoded(shapes[k % len(shapes)], render(replace(shapes[k % len(shapes)], index=k), config))
        if k + 1 in marks:
            notes.append((k + 1, process.memory_info().rss / 1e6, process.num_fds()))
    return notes


STEPS: dict[str, Callable[..., Found]] = {
    "embree": embree,
    "cycles": cycles,
    "curve": curve,
    "cost": cost,
    "memory": memory,
    "cuda": throughput,
}


def _run(names: Iterable[str], quick: bool, *, device: str = "auto", plot: str = "") -> Benchmark:
    """The named steps; kernels are compiled and loaded before the first clock starts. `plot` is for the curve."""
    chosen = list(names)
    if plot and "curve" not in chosen:
        raise SystemExit(f"--plot is for part curve; {', '.join(chosen)} has none")
    compile_kernels(KERNELS, device)
    tables: list[Table] = []
    figures: dict[str, float] = {}
    for name in chosen:
        more = {"plot": plot} if name == "curve" else {}
        table, numbers = STEPS[name](quick, device=device, **more)
        tables.append(table)
        figures |= numbers
    return Benchmark(tables, figures, "Embree (embreex) and Cycles for geometry; Cycles for colour; LRM-Zero's bill for cost")


PARTS: dict[str, Callable[..., Benchmark]] = {name: partial(_run, [name]) for name in STEPS}


def run(quick: bool, *, device: str = "auto", plot: str = "") -> Benchmark:
    """Everything; with VERSEMILL_MESHES=FOLDER the geometry of every mesh file in there too."""
    return _run(STEPS, quick, device=device, plot=plot)
