"""O-Voxel: CPU seconds from an asset to its .vxz files, at each resolution; both generators' assets."""

import statistics

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Benchmark, Table, measure
from versemill import detailverse, zeroverse
from versemill.asset import Asset
from versemill.device import compile_kernels
from versemill.dual_grid import dual_grid
from versemill.shards.export.ovoxel import RESOLUTIONS, geometry, placed, surface_looks
from versemill.shards.export.vxz import encode

SEED = 7


def _assets(count: int) -> list[Asset]:
    """Half of each generator, in its default configuration."""
    made = [zeroverse.generate(zeroverse.ZeroverseConfig(), SEED, k) for k in range(count // 2)]
    return made + [detailverse.generate(detailverse.DetailverseConfig(), SEED, k) for k in range(count // 2)]


def _steps(asset: Asset, resolution: int) -> tuple[list[float], int, float]:
    """CPU seconds of the grid, the looks and the two files; voxels; megabytes."""
    with measure() as gridding:
        grid = dual_grid(placed(asset), asset.faces, resolution)
    with measure() as looking:
        looks: dict[str, NDArray[np.uint8]] = surface_looks(asset, grid, resolution)
    with measure() as writing:
        files = [encode(grid.voxels, attributes) for attributes in (geometry(grid), looks)]
    return [gridding.cpu, looking.cpu, writing.cpu], len(grid.voxels), sum(map(len, files)) / 1e6


def run(quick: bool) -> Benchmark:
    """6 assets at 256, 512 and 1024; quick: 2 at 256."""
    compile_kernels(["versemill.dual_grid_kernels"], "cpu")
    assets = _assets(2 if quick else 6)
    faces = sorted(len(asset.faces) for asset in assets)
    columns = ["resolution", "voxels, median", "MB, median", "grid", "looks", "files", "all, median", "all, largest"]
    table = Table(f"{len(assets)} assets of {faces[0]} to {faces[-1]} faces, CPU s per asset", columns)
    figures: dict[str, float] = {}
    for resolution in RESOLUTIONS[:1] if quick else RESOLUTIONS:
        seconds, voxels, megabytes = zip(*(_steps(asset, resolution) for asset in assets), strict=True)
        parts, totals = [statistics.median(step) for step in zip(*seconds, strict=True)], [sum(s) for s in seconds]
        sizes = [statistics.median(voxels), statistics.median(megabytes)]
        table.rows.append([str(resolution), *sizes, *parts, statistics.median(totals), max(totals)])
        figures |= {f"cpu_s_{resolution}": statistics.median(totals), f"most_cpu_s_{resolution}": max(totals)}
    return Benchmark(
        [table], figures, peer="o_voxel does not install here; TRELLIS.2 claims under 10 s on one CPU per textured mesh"
    )
