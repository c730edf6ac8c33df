"""Rendering: geometry passes against Embree, and core-seconds per view of both qualities beside Cycles."""

from pathlib import Path

import numpy as np
import trimesh
from trimesh.ray.ray_pyembree import RayMeshIntersector

import zeroverse
from benchmarks.common import Benchmark, Span, Table, measure
from render import KERNELS, CameraConfig, CyclesConfig, RenderConfig, render
from versemill import mesh
from versemill.asset import Asset
from versemill.camera import Camera
from versemill.device import compile_kernels, resolve
from versemill.views import Views

PASSES = ("rgb", "normal", "depth", "mask")
PAPER = 1445.0
"""Core-seconds of LRM-Zero's 32 views of one object, from its published machine count and time."""


def run(quick: bool) -> Benchmark:
    """Runs on the CUDA device where there is one, else on the CPU; Cycles only where its interpreter is."""
    device = resolve("auto")
    compile_kernels(KERNELS, device)
    assets = [zeroverse.generate(zeroverse.ZeroverseConfig(), 7, k) for k in range(2 if quick else 8)]
    render(assets[0], RenderConfig(width=16, height=16))
    tables: list[Table] = []
    figures: dict[str, float] = {}

    agreement = Table("Geometry passes against Embree", ["asset", "mask IoU", "normal, degrees", "depth", "left out"])
    rows = [_agreement(asset, 128 if quick else 256, device) for asset in assets]
    for asset, row in zip(assets, rows, strict=True):
        agreement.rows.append([f"zeroverse {asset.index}", *row])
    names = ("mask_iou", "normal_degrees", "depth", "left_out")
    worst = dict(zip(names, (min(r[0] for r in rows), *(max(r[k] for r in rows) for k in (1, 2, 3))), strict=True))
    agreement.rows.append(["worst", *worst.values()])
    figures |= {f"embree_{name}": value for name, value in worst.items()}
    tables.append(agreement)

    size, views = (64, 4) if quick else (512, 32)
    asset = max(assets, key=lambda a: len(a.faces))
    title = f"{views} views of {size}² of {len(asset.faces)} faces on {device}, passes {', '.join(PASSES)}, no encoding"
    cost = Table(title, ["engine", "core-s", "core-s per view", "views per s", "times less than the paper"])
    for quality in ("fast", "fine"):
        span, made = _timed(asset, RenderConfig(width=size, height=size, quality=quality, cameras=CameraConfig(views=views)))
        figures |= {f"{quality}_core_seconds": span.cpu, f"{quality}_views_per_second": len(made.cameras) / span.wall}
        cost.rows.append([f"warp {quality}", *_row(span, views)])
    python = CyclesConfig().python
    if Path(python).exists():
        few = 1 if quick else 2
        config = RenderConfig(engine="cycles", width=size, height=size, samples=16, cameras=CameraConfig(views=few))
        render(asset, config.model_copy(update={"width": 16, "height": 16}))
        # Cycles' process is another one: its clock is read while it lives.
        span, _ = _timed(asset, config, worker=True)
        figures["cycles_core_seconds_per_view"] = span.cpu / few
        cost.rows.append(["Cycles, 16 samples, denoised", *_row(span, few)])
    else:
        cost.rows.append([f"Cycles: not run, {python} is missing", "", "", "", ""])
    tables.append(cost)
    return Benchmark(tables, figures, "Embree (embreex) for geometry; Cycles for colour; LRM-Zero's bill for cost")


def _timed(asset: Asset, config: RenderConfig, worker: bool = False) -> tuple[Span, Views]:
    import psutil

    def used() -> float:
        times = [p.cpu_times() for p in psutil.Process().children(recursive=True)] if worker else []
        return sum(t.user + t.system for t in times)

    before = used()
    with measure() as span:
        made = render(asset, config)
    span.cpu += used() - before
    return span, made


def _row(span: Span, views: int) -> list[float]:
    per_view = span.cpu / views
    return [span.cpu, per_view, views / span.wall, PAPER / 32 / per_view]


def _agreement(asset: Asset, size: int, device: str) -> tuple[float, float, float, float]:
    """Mask IoU, mean normal and depth difference where both engines see one surface, and the share where they don't."""
    config = RenderConfig(
        device=device, width=size, height=size, passes=("mask", "depth", "geometric_normal"), cameras=CameraConfig(views=4)
    )
    made = render(asset, config)
    embree = RayMeshIntersector(trimesh.Trimesh(asset.vertices, asset.faces, process=False))
    normals = mesh.face_normals(asset.vertices, asset.faces)
    both = either = kept = 0
    angles, depths = [], []
    for k, camera in enumerate(made.cameras):
        face, depth, expected = _cast(embree, asset, camera, normals)
        mask, ours = made.passes["mask"][k], made.passes["depth"][k]
        both, either = both + int((mask & (face >= 0)).sum()), either + int((mask | (face >= 0)).sum())
        change = np.abs(ours - depth)
        # A ray along an edge may take either surface; nothing else is left out.
        clear = mask & (face >= 0) & (change < 1e-3)
        kept += int(clear.sum())
        cosine = np.clip((expected * made.passes["geometric_normal"][k]).sum(-1)[clear], -1, 1)
        angles.append(np.degrees(np.arccos(cosine)))
        depths.append(change[clear])
    return both / either, float(np.concatenate(angles).mean()), float(np.concatenate(depths).mean()), 1 - kept / both


def _cast(
    embree: RayMeshIntersector, asset: Asset, camera: Camera, normals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embree's face, the depth of that face's plane, and its normal towards the viewer, at each pixel's centre."""
    origins, directions = camera.rays()
    flat = directions.reshape(-1, 3)
    face = embree.intersects_first(origins.reshape(-1, 3), flat / np.linalg.norm(flat, axis=1, keepdims=True))
    normal = normals[face]
    with np.errstate(divide="ignore", invalid="ignore"):
        toward = asset.vertices.astype(np.float64)[asset.faces[face, 0]] - origins.reshape(-1, 3)
        depth = (toward * normal).sum(1) / (flat * normal).sum(1)
    seen = normal * -np.sign((normal * flat).sum(1, keepdims=True))
    shape = (camera.height, camera.width)
    return face.reshape(shape), depth.reshape(shape), seen.reshape(*shape, 3)
