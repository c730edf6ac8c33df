"""Exports for physics engines: CPU seconds an asset by step, and how well convex colliders stand for it."""

import io
from collections.abc import Callable
from typing import Any

import manifold3d
import numpy as np
import trimesh

from benchmarks.common import Benchmark, Table, measure
from versemill import detailverse, zeroverse
from versemill.asset import Asset
from versemill.shards.export.simulators.body import colliders
from versemill.shards.export.simulators.rigid import joined, of_solid
from versemill.shards.export.solids import Solid, part_solids, tidied

SOURCES: dict[str, Callable[[int], Asset]] = {
    "zeroverse": lambda index: zeroverse.generate(seed=1, index=index),
    "detailverse, fast": lambda index: detailverse.generate(detailverse.DetailverseConfig(detail="fast"), seed=1, index=index),
}


def run(quick: bool) -> Benchmark:
    """A few assets of each generator, whose surfaces are closed as they are."""
    cost = Table(
        "CPU seconds an asset: median (largest)",
        ["source", "faces", "parts", "cut into solids", "weigh", "colliders", "tidy for a file"],
    )
    fit = Table(
        "colliders against the solid: median (worst); apart is the volume in one of the two, by the solid's volume",
        ["source", "colliders", "apart", "apart, one hull", "error of the mass against trimesh"],
    )
    closed = Table(
        "parts, read by trimesh, which merges vertices", ["source", "parts", "watertight", "their volumes against the whole's"]
    )
    figures: dict[str, float] = {}
    for source, make in SOURCES.items():
        rows = [_measured(make(index)) for index in range(1 if quick else 8)]
        columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
        cost.rows.append([source, *(_both(columns[k]) for k in ("faces", "parts", "cut", "weigh", "collide", "tidy"))])
        fit.rows.append([source, *(_both(columns[k]) for k in ("colliders", "apart", "hull", "mass"))])
        error = f"within {columns['volume'].max():.1g}"
        closed.rows.append([source, int(columns["parts"].sum()), int(columns["closed"].sum()), error])
        figures |= {f"{source} {key}": float(np.median(values)) for key, values in columns.items()}
    return Benchmark([cost, fit, closed], figures, f"one convex hull; trimesh {trimesh.__version__} for the mass")


def _both(values: Any) -> str:
    return f"{np.median(values):.3g} ({values.max():.3g})"


def _measured(asset: Asset) -> dict[str, float]:
    with measure() as cut:
        solids = part_solids(asset, asset.vertices, asset.faces)
    with measure() as weigh:
        rigid = joined([of_solid(solid.vertices, solid.faces, 1000.0) for solid in solids.values()])
    with measure() as collide:
        hulls = colliders(asset.vertices, asset.faces)
    with measure() as tidy:
        scene = trimesh.Scene()
        for solid in (tidied(solid, 1e-5) for solid in solids.values()):
            scene.add_geometry(trimesh.Trimesh(solid.vertices, solid.faces, process=False))
        file = scene.export(file_type="glb", include_normals=False)
    read = trimesh.load(io.BytesIO(file), file_type="glb", process=True)
    meshes = list(read.geometry.values())
    whole = manifold3d.Manifold(manifold3d.Mesh(np.array(asset.vertices), asset.faces.astype(np.uint32)))
    reference = trimesh.Trimesh(asset.vertices.astype(np.float64), asset.faces, process=False)
    return {
        "faces": len(asset.faces),
        "parts": len(solids),
        "cut": cut.cpu,
        "weigh": weigh.cpu,
        "collide": collide.cpu,
        "tidy": tidy.cpu,
        "colliders": len(hulls),
        "apart": _apart(whole, hulls),
        "hull": _apart(whole, [Solid(np.asarray(asset.vertices, np.float64), asset.faces)]),
        "mass": abs(rigid.mass / (1000.0 * reference.volume) - 1),
        "closed": sum(mesh.is_watertight for mesh in meshes),
        "volume": abs(sum(mesh.volume for mesh in meshes) / reference.volume - 1),
    }


def _apart(whole: manifold3d.Manifold, pieces: list[Solid]) -> float:
    """Volume that is in the solid or in the union of the pieces' hulls, but not in both."""
    hulls = [manifold3d.Manifold.hull_points(piece.vertices) for piece in pieces]
    union = manifold3d.Manifold.batch_boolean(hulls, manifold3d.OpType.Add)
    return float(((union - whole).volume() + (whole - union).volume()) / whole.volume())
