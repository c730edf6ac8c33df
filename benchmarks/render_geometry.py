"""Geometry passes against Embree, an independent ray caster, and against Cycles through the same cameras."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.ray.ray_pyembree import RayMeshIntersector

from benchmarks.common import Table
from versemill import detailverse, mesh, zeroverse
from versemill.asset import Asset
from versemill.camera import Camera
from versemill.curation import load
from versemill.curation.ingest import SUFFIXES
from versemill.render import CameraConfig, CyclesConfig, RenderConfig, render
from versemill.views import Views

SEED = 7
LIMITS = {"mask_iou": 0.9999, "normal_degrees": 0.01, "left_out": 0.05, "depth": 1e-5}
CYCLES_LIMITS = LIMITS | {"mask_iou": 0.9998, "normal_degrees": 0.02}
"""Cycles draws its rays up to 0.005 pixels off the centre, so it may see past an outline, or the other side of a crease."""
NEAR = 0.01
"""Pixels. A pixel whose ray, moved by this much, leaves the plane that its centre sees has a depth edge there."""
JUMP = 1e-3
"""World units by which a depth leaves that plane across an edge; the asset's longest side is 2."""
PASSES = ("mask", "depth", "geometric_normal")

Float64 = NDArray[np.float64]
Found = tuple[Table, dict[str, float]]
Row = list[float]
"""In the order of `LIMITS`: mask IoU; mean normal difference; share of the shared pixels left out; mean depth error."""


@dataclass(frozen=True, eq=False)
class Oracle:
    """What Embree sees through one camera: each pixel's planar depth and normal (H, W[, 3]), whether it sees anything, and
    whether no depth edge runs through the pixel's centre."""

    depth: Float64
    normal: Float64
    mask: NDArray[np.bool_]
    clear: NDArray[np.bool_]


def detail(index: int) -> Asset:
    """A DetailVerse asset."""
    return detailverse.generate(detailverse.DetailverseConfig(detail="fast", texture_size=64), SEED, index)


def composition(index: int) -> Asset:
    """A Zeroverse asset."""
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
        "zeroverse": map(composition, range(each)),
        "detailverse": map(detail, range(each)),
        "files": _files(),
    }
    rows = {name: [against_embree(asset, size, device) for asset in assets] for name, assets in groups.items()}
    return _compared("Embree", LIMITS, rows, size)


def cycles(quick: bool, *, device: str = "auto") -> Found:
    """The same passes against Cycles, of 12 assets and the files, in perspective and orthographic views."""
    each, size = (1, 64) if quick else (6, 256)
    files = _files()
    rows: dict[str, list[Row]] = {}
    for name, orthographic in (("perspective", False), ("orthographic", True)):
        for kind, make in (("zeroverse", composition), ("detailverse", detail)):
            rows[f"{kind}, {name}"] = [against_cycles(make(k), size, device, orthographic) for k in range(each)]
        rows[f"files, {name}"] = [against_cycles(asset, size, device, orthographic) for asset in files]
    return _compared("Cycles", CYCLES_LIMITS, rows, size)


def _compared(peer: str, limits: dict[str, float], groups: dict[str, list[Row]], size: int) -> Found:
    table = Table(
        f"Geometry passes against {peer}, 4 views of {size}²; left out: a depth edge within {NEAR} pixels of the centre",
        ["assets", "", *limits],
    )
    every: list[Row] = []
    for name, rows in groups.items():
        every += rows
        if rows:
            table.rows += _summary(f"{len(rows)} {name}", rows)
    table.rows += _summary(f"{len(every)} together", every)
    table.rows.append(["limit", "", *limits.values()])
    worst, mean = _worst(every), np.mean(every, 0)
    key = peer.lower()
    figures = {f"{key}_{name}": value for name, value in zip(limits, worst, strict=True)}
    figures |= {f"{key}_{name}_mean": float(value) for name, value in zip(limits, mean, strict=True)}
    return table, figures | {f"{key}_assets": float(len(every))}


def _worst(rows: list[Row]) -> list[float]:
    return [min(r[0] for r in rows), *(max(r[k] for r in rows) for k in (1, 2, 3))]


def _summary(name: str, rows: list[Row]) -> list[list[object]]:
    return [[name, "mean", *(float(v) for v in np.mean(rows, 0))], ["", "worst", *_worst(rows)]]


def _config(size: int, device: str, orthographic: bool = False) -> RenderConfig:
    cameras = CameraConfig(views=4, orthographic=orthographic)
    return RenderConfig(device=device, width=size, height=size, passes=PASSES, cameras=cameras)


def against_embree(asset: Asset, size: int, device: str) -> Row:
    """How Warp's passes differ from Embree's."""
    made = render(asset, _config(size, device))
    oracles = _oracles(asset, made)
    return _difference(made, [(o.mask, o.depth, o.normal) for o in oracles], oracles)


def against_cycles(asset: Asset, size: int, device: str, orthographic: bool) -> Row:
    """How Warp's passes differ from Cycles'; Embree says where depth edges are."""
    config = _config(size, device, orthographic)
    made = render(asset, config)
    theirs = render(asset, config.model_copy(update={"engine": "cycles", "cycles": CyclesConfig()}))
    return _difference(made, list(zip(*(theirs.passes[name] for name in PASSES), strict=True)), _oracles(asset, made))


def _difference(made: Views, others: list[tuple[NDArray[np.generic], ...]], oracles: list[Oracle]) -> Row:
    both = either = kept = 0
    angles, depths = [], []
    for k, ((other, depth, normal), oracle) in enumerate(zip(others, oracles, strict=True)):
        mask = made.passes["mask"][k]
        both, either = both + int((mask & other).sum()), either + int((mask | other).sum())
        clear = oracle.clear & mask & other
        kept += int(clear.sum())
        # The angle by its chord: an arc cosine of float32 vectors knows no angle below 0.02 degrees.
        chord = np.linalg.norm(normal - made.passes["geometric_normal"][k].astype(np.float64), axis=-1)[clear]
        angles.append(np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1))))
        depths.append(np.abs(made.passes["depth"][k] - depth)[clear])
    return [both / either, float(np.concatenate(angles).mean()), 1 - kept / both, float(np.concatenate(depths).mean())]


def _oracles(asset: Asset, made: Views) -> list[Oracle]:
    tracer = RayMeshIntersector(trimesh.Trimesh(asset.vertices, asset.faces, process=False))
    normals = mesh.face_normals(asset.vertices, asset.faces)
    return [_oracle(asset, normals, tracer, camera) for camera in made.cameras]


def _oracle(asset: Asset, normals: Float64, tracer: RayMeshIntersector, camera: Camera) -> Oracle:
    shape = (camera.height, camera.width)
    rays = _rays(camera, 0.0, 0.0)
    face = _first(tracer, *rays)
    depth, normal = _plane(asset, normals, face, *rays)
    clear = face >= 0
    for x, y in ((-NEAR, -NEAR), (NEAR, -NEAR), (-NEAR, NEAR), (NEAR, NEAR)):
        moved = _rays(camera, x, y)
        other = _first(tracer, *moved)
        step = _plane(asset, normals, other, *moved)[0] - _plane(asset, normals, face, *moved)[0]
        clear &= (other >= 0) & (np.abs(step) < JUMP)
    return Oracle(depth.reshape(shape), normal.reshape(*shape, 3), (face >= 0).reshape(shape), clear.reshape(shape))


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
