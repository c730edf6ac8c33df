"""Rendering: geometry against Embree, colour and cost against Cycles, an asset's bill, memory of a worker, views per second."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import trimesh
from numpy.typing import NDArray
from trimesh.ray.ray_pyembree import RayMeshIntersector

import detailverse
import zeroverse
from benchmarks.common import Benchmark, Table, measure
from benchmarks.render_curve import curve
from benchmarks.render_device import encoded, throughput
from curation import load
from curation.ingest import SUFFIXES
from render import KERNELS, CameraConfig, RenderConfig, render
from versemill import mesh
from versemill.asset import Asset
from versemill.camera import Camera
from versemill.device import compile_kernels, resolve

SEED = 7
PAPER = 1445.0
"""Core-seconds of LRM-Zero's 32 views of one object, from its published machine count and time."""
LIMITS = {"mask_iou": 0.9999, "normal_degrees": 0.01, "left_out": 0.05, "depth": 1e-5}
COST_LIMITS = {"fast": 15.0, "fine": 60.0}
NEAR = 0.01
"""Pixels. A pixel whose ray, moved by this much, leaves the plane that its centre sees has a depth edge there."""
JUMP = 1e-3
"""World units by which a depth leaves that plane across an edge; the asset's longest side is 2."""

Float64 = NDArray[np.float64]
Found = tuple[Table, dict[str, float]]


def _detail(index: int) -> Asset:
    return detailverse.generate(detailverse.DetailverseConfig(detail="fast", texture_size=64), SEED, index)


def _compositions(index: int) -> Asset:
    return zeroverse.generate(zeroverse.ZeroverseConfig(texture_size=64), SEED, index)


def _files() -> list[Asset]:
    """The mesh files of the folder that VERSEMILL_MESHES names, opaque, since Embree knows no alpha."""
    if "VERSEMILL_MESHES" not in os.environ:
        return []
    folder = Path(os.environ["VERSEMILL_MESHES"])
    assets = [load(path).normalized() for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    return [replace(a, materials=tuple(replace(m, alpha_mode="opaque") for m in a.materials)) for a in assets]


def embree(quick: bool, *, device: str = "auto") -> Found:
    """Mask, depth and geometric normal of 52 assets of both generators, and of the files of VERSEMILL_MESHES."""
    each, size = (3, 64) if quick else (26, 256)
    groups: dict[str, Iterable[Asset]] = {
        "zeroverse": map(_compositions, range(each)),
        "detailverse": map(_detail, range(each)),
        "files": _files(),
    }
    table = Table(
        f"Geometry passes against Embree, 4 views of {size}²; left out: a depth edge within {NEAR} pixels of the centre",
        ["assets", "", *LIMITS],
    )
    every: list[list[float]] = []
    for name, assets in groups.items():
        rows = [_agreement(asset, size, device) for asset in assets]
        every += rows
        if rows:
            table.rows += _summary(f"{len(rows)} {name}", rows)
    table.rows += _summary(f"{len(every)} together", every)
    table.rows.append(["limit", "", *LIMITS.values()])
    worst, mean = _worst(every), np.mean(every, 0)
    figures = {f"embree_{name}": value for name, value in zip(LIMITS, worst, strict=True)}
    figures |= {f"embree_{name}_mean": float(value) for name, value in zip(LIMITS, mean, strict=True)}
    return table, figures | {"embree_assets": float(len(every))}


def _worst(rows: list[list[float]]) -> list[float]:
    return [min(r[0] for r in rows), *(max(r[k] for r in rows) for k in (1, 2, 3))]


def _summary(name: str, rows: list[list[float]]) -> list[list[object]]:
    return [[name, "mean", *(float(v) for v in np.mean(rows, 0))], ["", "worst", *_worst(rows)]]


def _agreement(asset: Asset, size: int, device: str) -> list[float]:
    """In the order of `LIMITS`: mask IoU; mean normal difference; share of the shared pixels left out; mean depth error."""
    config = RenderConfig(
        device=device, width=size, height=size, passes=("mask", "depth", "geometric_normal"), cameras=CameraConfig(views=4)
    )
    made = render(asset, config)
    tracer = RayMeshIntersector(trimesh.Trimesh(asset.vertices, asset.faces, process=False))
    normals = mesh.face_normals(asset.vertices, asset.faces)
    both = either = kept = 0
    angles, depths = [], []
    for k, camera in enumerate(made.cameras):
        shape = (camera.height, camera.width)
        rays = _rays(camera, 0.0, 0.0)
        face = _first(tracer, *rays)
        depth, expected = _plane(asset, normals, face, *rays)
        clear = face >= 0
        for x, y in ((-NEAR, -NEAR), (NEAR, -NEAR), (-NEAR, NEAR), (NEAR, NEAR)):
            moved = _rays(camera, x, y)
            other = _first(tracer, *moved)
            step = _plane(asset, normals, other, *moved)[0] - _plane(asset, normals, face, *moved)[0]
            clear &= (other >= 0) & (np.abs(step) < JUMP)
        face, depth, clear, expected = (
            face.reshape(shape),
            depth.reshape(shape),
            clear.reshape(shape),
            expected.reshape(*shape, 3),
        )
        mask, ours = made.passes["mask"][k], made.passes["depth"][k]
        both, either = both + int((mask & (face >= 0)).sum()), either + int((mask | (face >= 0)).sum())
        clear &= mask
        kept += int(clear.sum())
        # The angle by its chord: an arc cosine of float32 vectors knows no angle below 0.02 degrees.
        chord = np.linalg.norm(expected - made.passes["geometric_normal"][k], axis=-1)[clear]
        angles.append(np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1))))
        depths.append(np.abs(ours - depth)[clear])
    return [both / either, float(np.concatenate(angles).mean()), 1 - kept / both, float(np.concatenate(depths).mean())]


def _rays(camera: Camera, x: float, y: float) -> tuple[Float64, Float64]:
    """(P, 3) origins and directions, `x` and `y` pixels from each centre; a direction is 1 long along the viewing axis."""
    moved = camera.K.copy()
    moved[:2, 2] -= x, y
    origins, directions = replace(camera, K=moved).rays()
    return origins.reshape(-1, 3), directions.reshape(-1, 3)


def _first(tracer: RayMeshIntersector, origins: Float64, directions: Float64) -> NDArray[np.int64]:
    """(P,) Embree's first face of each ray, -1 where it meets none."""
    return tracer.intersects_first(origins, directions / np.linalg.norm(directions, axis=1, keepdims=True))


def _plane(
    asset: Asset, normals: Float64, face: NDArray[np.int64], origins: Float64, directions: Float64
) -> tuple[Float64, Float64]:
    """(P,) planar depth at which each ray meets the plane of a face, (P, 3) the face's normal towards the viewer."""
    normal = normals[face]
    facing = (directions * normal).sum(1)
    toward = asset.vertices.astype(np.float64)[asset.faces[face, 0]] - origins
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (toward * normal).sum(1) / facing
    return depth, normal * -np.sign(facing)[:, None]


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
    shapes = [make(k) for k in range(10) for make in (_compositions, _detail)]
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
        table, found = STEPS[name](quick, device=device, **more)
        tables.append(table)
        figures |= found
    return Benchmark(tables, figures, "Embree (embreex) for geometry; Cycles for colour; LRM-Zero's bill for cost")


PARTS: dict[str, Callable[..., Benchmark]] = {name: partial(_run, [name]) for name in STEPS}


def run(quick: bool, *, device: str = "auto", plot: str = "") -> Benchmark:
    """Everything; with VERSEMILL_MESHES=FOLDER the geometry of every mesh file in there too."""
    return _run(STEPS, quick, device=device, plot=plot)
