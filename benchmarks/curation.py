"""Curation: accuracy and time of signed distances, watertight methods side by side with peers, the cost of an asset."""

import importlib
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks.common import Benchmark, Table, measure
from versemill import seeds
from versemill.asset import Asset
from versemill.curated import Rejected
from versemill.curation import CurationConfig, FieldsConfig, curate, load, meshlab, sample
from versemill.curation.clean import clean, closed_components
from versemill.curation.duplicates import NEAR, descriptor, find_duplicates
from versemill.curation.ingest import SUFFIXES
from versemill.curation.volumes import winding_surface
from versemill.curation.watertight import METHODS, Source, Unsuitable, Watertight, make_watertight
from versemill.errors import VersemillError
from versemill.materials.material import Material
from versemill.mesh import components, sharp_edges, topology
from versemill.queries import MeshQuery
from versemill.zeroverse import ZeroverseConfig, generate

Points = NDArray[np.float64]
PEER = "pymeshlab 2025.7 alpha wrap (1 %/0.1 %), point-cloud-utils 0.34 (resolution 20k)"


def _asset(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Asset:
    n = len(faces)
    return Asset(
        np.asarray(vertices, np.float32),
        np.asarray(faces, np.int32),
        np.zeros((n, 3, 2), np.float32),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        (Material(),),
        ("all",),
    ).normalized()


def _sphere(p: Points) -> Points:
    return np.linalg.norm(p, axis=1) - 1


def _box(p: Points, half: tuple[float, float, float] = (1.0, 0.75, 0.5)) -> Points:
    q = np.abs(p) - half
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)


def _torus(p: Points) -> Points:
    return np.hypot(np.hypot(p[:, 0], p[:, 1]) - 0.7, p[:, 2]) - 0.3


def _csg() -> tuple[trimesh.Trimesh, Callable[[Points], Points]]:
    """A box with a ball sunk into its top to the equator, and the exact signed distance to their union.

    The boundary is five whole faces of the box, its top outside a circle, the upper half of the sphere, and the circle where
    the two meet: the nearest of these is exact inside as well as outside.
    """
    half, radius = np.array([0.95, 0.6, 0.4]), 0.45
    ball = trimesh.creation.icosphere(7, radius)
    ball.apply_translation((0.0, 0.0, half[2]))
    joined = trimesh.boolean.union([trimesh.creation.box(2 * half), ball], engine="manifold")

    def exact(p: Points) -> Points:
        to_center = p - [0, 0, half[2]]
        out = np.hypot(p[:, 0], p[:, 1])
        circle = np.hypot(out - radius, to_center[:, 2])
        dome = np.where(to_center[:, 2] >= 0, np.abs(np.linalg.norm(to_center, axis=1) - radius), circle)
        nearest = np.minimum(dome, circle)
        for axis in range(3):
            for sign in (-1.0, 1.0):
                spot = np.clip(p, -half, half)
                spot[:, axis] = sign * half[axis]
                apart = np.linalg.norm(p - spot, axis=1)
                if (axis, sign) == (2, 1.0):
                    apart = np.where(np.hypot(spot[:, 0], spot[:, 1]) < radius, np.inf, apart)
                nearest = np.minimum(nearest, apart)
        inside = (_box(p, (0.95, 0.6, 0.4)) < 0) | (np.linalg.norm(to_center, axis=1) < radius)
        return np.where(inside, -nearest, nearest)

    return joined, exact


def _distances(quick: bool) -> tuple[Table, dict[str, float]]:
    table = Table(
        "Signed distance against the analytic one (half the points near the surface; longest side 2)",
        ["shape", "faces", "points", "largest error", "of longest side", "wrong signs off 1e-4 of side", "core-s"],
    )
    box = trimesh.creation.box((2.0, 1.5, 1.0))
    box = trimesh.Trimesh(*trimesh.remesh.subdivide_to_size(box.vertices, box.faces, 0.023))
    shapes: dict[str, tuple[trimesh.Trimesh, Callable[[Points], Points]]] = {
        "sphere": (trimesh.creation.icosphere(7 if not quick else 6), _sphere),
        "box": (box, _box),
        "torus": (trimesh.creation.torus(0.7, 0.3, 320, 160), _torus),
        "box + ball": _csg(),
    }
    count = 50_000 if quick else 500_000
    figures: dict[str, float] = {}
    rng = np.random.default_rng(0)
    for name, (mesh, exact) in shapes.items():
        surface = trimesh.sample.sample_surface(mesh, count // 2, seed=0)[0]
        near = surface + rng.normal(size=surface.shape) * np.where(np.arange(len(surface)) % 2, 0.01, 0.001)[:, None]
        points = np.concatenate([near, rng.uniform(-1.05, 1.05, (count - len(near), 3))])
        with measure() as span:
            distances = MeshQuery(mesh.vertices, mesh.faces, winding=True).signed_distance(points)
        truth = exact(points.astype(np.float32).astype(np.float64))
        error = float(np.abs(distances - truth).max())
        wrong = int(((np.sign(distances) != np.sign(truth)) & (np.abs(truth) > 2e-4)).sum())
        table.rows.append([name, len(mesh.faces), count, f"{error:.1e}", f"{error / 2:.1e}", wrong, f"{span.cpu:.2f}"])
        key = name.replace(" + ", "_")
        figures |= {f"sdf_{key}_error": error / 2, f"sdf_{key}_wrong_signs": float(wrong), f"sdf_{key}_seconds": span.cpu}
    return table, figures


def _soup(seed: int = 0) -> trimesh.Trimesh:
    rng = np.random.default_rng(seed)
    makers = (
        lambda: trimesh.creation.icosphere(4),
        lambda: trimesh.creation.torus(1.0, 0.35, 64, 32),
        lambda: trimesh.creation.cylinder(0.5, 1.5, sections=128),
    )
    parts = []
    for i in range(9):
        part = makers[i % 3]()
        part.apply_scale(rng.uniform(0.2, 0.6))
        part.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
        part.apply_translation(rng.uniform(-0.5, 0.5, 3))
        parts.append(part)
    return trimesh.util.concatenate(parts)


def _car() -> trimesh.Trimesh:
    parts = [trimesh.creation.box((2.0, 0.9, 0.4))]
    for x in (-0.65, 0.65):
        for y in (-0.45, 0.45):
            wheel = trimesh.creation.cylinder(0.22, 0.12, sections=64)
            wheel.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
            wheel.apply_translation((x, 1.25 * y, -0.45))
            parts.append(wheel)
    return trimesh.util.concatenate(parts)


def _cup() -> trimesh.Trimesh:
    cup = trimesh.creation.cylinder(0.6, 1.6, sections=96).subdivide().subdivide()
    return trimesh.Trimesh(cup.vertices, cup.faces[cup.triangles_center[:, 2] < 0.79], process=False)


def _sheet() -> trimesh.Trimesh:
    n = 60
    x, y = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n), indexing="ij")
    i = np.arange(n * n).reshape(n, n)
    quads = np.stack([i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]], -1).reshape(-1, 4)
    vertices = np.stack([x, y, 0.2 * np.sin(3 * x) * np.cos(2 * y)], -1).reshape(-1, 3)
    return trimesh.Trimesh(vertices, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]), process=False)


def _pcu(vertices: Points, faces: NDArray[np.integer]) -> tuple[Points, NDArray[np.integer]]:
    return importlib.import_module("point_cloud_utils").make_mesh_watertight(vertices, faces, 20_000)


def _wrap(vertices: Points, faces: NDArray[np.integer]) -> tuple[Points, NDArray[np.integer]]:
    wrapped = meshlab.run({"name": "alpha_wrap", "alpha": 1.0, "offset": 0.1}, vertices, faces, 300)
    return wrapped["vertices"], wrapped["faces"]


def _row(source: Source, vertices: Points, faces: NDArray[np.integer]) -> tuple[float, float, int, float]:
    """Two-way mean distance to the visible source, normal consistency, bodies, kept share of the sharp-edge length."""
    seen, normals = source.visible
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    distances, near, _ = MeshQuery(vertices, faces).closest(seen)
    points = trimesh.sample.sample_surface(mesh, 20_000, seed=0)[0]
    back = MeshQuery(source.vertices, source.faces).closest(points)[0]
    consistency = float(np.abs((mesh.face_normals[near] * normals).sum(1)).mean())
    kept = 1.0
    edges = sharp_edges(source.vertices, source.faces)
    if len(edges):
        ends = source.vertices[edges].astype(np.float64)
        middles = ends.mean(1)
        middles = middles[MeshQuery(vertices, faces).closest(middles)[0] < 0.02]  # those that are not hidden inside
        ridge = mesh.vertices[sharp_edges(np.asarray(vertices), np.asarray(faces))]
        dense = (ridge[:, :1] * np.linspace(0, 1, 20)[:, None] + ridge[:, 1:] * np.linspace(1, 0, 20)[:, None]).reshape(-1, 3)
        kept = float((cKDTree(dense).query(middles)[0] < 0.01).mean()) if len(dense) and len(middles) else 0.0
    return float((distances.mean() + back.mean()) / 2), consistency, int(components(np.asarray(faces)).max()) + 1, kept


def _watertight(quick: bool) -> tuple[Table, dict[str, float]]:
    table = Table(
        "Watertight surfaces (longest side 2; chamfer: mean two-way distance to the visible source)",
        ["input", "method", "faces", "core-s", "chamfer", "normals", "bodies", "sharp kept"],
    )
    config = CurationConfig(resolution=128 if quick else 256)
    figures: dict[str, float] = {}
    for name, mesh in (("soup", _soup()), ("car", _car()), ("cup", _cup()), ("sheet", _sheet())):
        asset, _ = clean(_asset(mesh.vertices, mesh.faces), 1e-6, 0.005)
        vertices, faces = asset.vertices, asset.faces
        label = components(faces)
        source = Source(vertices, faces, label, closed_components(faces, label), seeds.stream(0, 0, "benchmark"), "cpu")
        with measure() as span:
            chosen = make_watertight(vertices, faces, seeds.stream(0, 0, "benchmark"), config)
        assert isinstance(chosen, Watertight)
        method = chosen.methods["watertight"]
        answers = [(f"versemill: {method} (chosen)", span.cpu, (chosen.vertices.astype(np.float64), chosen.faces))]
        others: dict[str, Callable] = {}
        if name == "soup":
            others["versemill: winding"] = lambda s=source: METHODS["winding"](s, config)
        others["pymeshlab alpha wrap"] = lambda v=vertices, f=faces: _wrap(v.astype(np.float64), f)
        others["point-cloud-utils"] = lambda v=vertices, f=faces: _pcu(v.astype(np.float64), f)
        for other, make in others.items():
            try:
                with measure() as span:
                    result = make()
            except (VersemillError, ImportError, Unsuitable) as error:
                table.rows.append([name, other, f"not run: {error}", "", "", "", "", ""])
                continue
            answers.append((other, span.cpu, (np.asarray(result[0], np.float64), np.asarray(result[1]))))
        for who, seconds, surface in answers:
            chamfer, normals, bodies, sharp = _row(source, *surface)
            cells = [f"{seconds:.2f}", f"{chamfer:.6f}", f"{normals:.3f}", bodies, f"{sharp:.0%}"]
            table.rows.append([name, who, len(surface[1]), *cells])
            key = f"{name}_{who.split(':')[-1].split('(')[0].strip().replace(' ', '_').replace('-', '_')}"
            figures |= {f"{key}_seconds": seconds, f"{key}_chamfer": chamfer, f"{key}_sharp_kept": sharp}
    return table, figures


def _compositions(quick: bool) -> tuple[Table, dict[str, float]]:
    """Random overlapping closed solids: how far the chosen surface lies from the exact union, which the sources' own signed
    distances give: a point belongs to its boundary when it lies on one body and in none.
    """
    table = Table(
        "Compositions of 9 closed solids (Hausdorff distance to the union's boundary; longest side 2)",
        ["seed", "faces in", "method", "core-s", "Hausdorff"],
    )
    worst = slowest = 0.0
    for seed in range(3 if quick else 8):
        mesh = _soup(seed)
        asset = _asset(mesh.vertices, mesh.faces)
        with measure() as span:
            chosen = make_watertight(asset.vertices, asset.faces, seeds.stream(0, 0, "benchmark"), CurationConfig())
        assert isinstance(chosen, Watertight)
        bodies = trimesh.Trimesh(asset.vertices, asset.faces, process=False).split(only_watertight=False)
        queries = [MeshQuery(body.vertices, body.faces, winding=True) for body in bodies]

        def depth(points: Points, queries: list[MeshQuery] = queries) -> Points:
            return np.min([query.signed_distance(points) for query in queries], axis=0)

        front = trimesh.sample.sample_surface(trimesh.Trimesh(chosen.vertices, chosen.faces, process=False), 20_000, seed=0)[0]
        back = trimesh.sample.sample_surface(trimesh.Trimesh(asset.vertices, asset.faces, process=False), 20_000, seed=0)[0]
        back = back[depth(back) > -1e-6]
        apart = max(np.abs(depth(front)).max(), MeshQuery(chosen.vertices, chosen.faces).closest(back)[0].max())
        worst, slowest = max(worst, float(apart)), max(slowest, span.cpu)
        table.rows.append([seed, len(asset.faces), chosen.methods["watertight"], f"{span.cpu:.2f}", f"{apart:.1e}"])
    return table, {"compositions_hausdorff": worst, "compositions_seconds": slowest}


def _files(quick: bool) -> tuple[Table, dict[str, float]]:
    """Every mesh file of the folder that VERSEMILL_MESHES names through curation: method, visible parts, distances."""
    folder = Path(os.environ["VERSEMILL_MESHES"])
    table = Table(
        f"Meshes of {folder.name} (VERSEMILL_MESHES)",
        ["file", "faces", "open edges", "method", "bodies", "core-s", "chamfer", "normals", "missed of what is seen"],
    )
    kept = seconds = 0.0
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    for path in paths:
        with measure() as span:
            answer = curate(load(path), CurationConfig())
        seconds = max(seconds, span.cpu)
        if isinstance(answer, Rejected):
            table.rows.append([path.name, "", "", f"rejected: {answer.reason}", "", f"{span.cpu:.2f}", "", "", ""])
            continue
        asset, surface = answer.asset, (answer.watertight_vertices, answer.watertight_faces)
        label = components(asset.faces)
        closed = closed_components(asset.faces, label)
        source = Source(asset.vertices, asset.faces, label, closed, seeds.stream(0, 0, "benchmark"), "cpu")
        chamfer, normals, bodies, _ = _row(source, surface[0].astype(np.float64), surface[1])
        missed = float((MeshQuery(*surface).closest(source.visible[0])[0] > 2 * 2 / 256).mean())
        kept += trimesh.Trimesh(*surface, process=False).is_volume and missed < 0.01
        cells = [f"{span.cpu:.2f}", f"{chamfer:.6f}", f"{normals:.3f}", f"{missed:.2%}"]
        edges = topology(asset.faces).boundary
        table.rows.append([path.name, len(asset.faces), edges, answer.methods["watertight"], bodies, *cells])
    return table, {"files": float(len(paths)), "files_watertight_and_whole": kept, "files_slowest_seconds": seconds}


def _duplicates(quick: bool) -> tuple[Table, dict[str, float]]:
    """Descriptors of generated shapes and of copies of them; the index on synthetic descriptors with the same spread."""
    count = 24 if quick else 96
    rng = np.random.default_rng(0)
    shapes, copies, seconds = [], [], 0.0
    for k in range(count):
        asset = generate(ZeroverseConfig(), seed=1, index=k)
        with measure() as span:
            shapes.append(descriptor(asset.vertices, asset.faces))
        seconds += span.cpu / count
        turn = trimesh.transformations.random_rotation_matrix(rng.random(3))[:3, :3] * rng.uniform(0.5, 2)
        mirror = np.diag([-1.0 if k % 2 else 1.0, 1, 1])
        vertices, faces = trimesh.remesh.subdivide(asset.vertices @ turn @ mirror, asset.faces)
        copies.append(descriptor(vertices, faces))
    known = np.stack(shapes)
    apart = np.linalg.norm(known[:, None] - known[None], axis=-1) + np.eye(count) * 9
    copied = np.linalg.norm(known - np.stack(copies), axis=1)
    table = Table("Descriptors of zeroverse assets", ["what", "smallest", "median", "largest"])
    for what, values in (("to a turned, scaled, mirrored, finer copy", copied), ("to the nearest other asset", apart.min(1))):
        table.rows.append([what, *(f"{q:.4f}" for q in np.quantile(values, (0, 0.5, 1)))])
    table.rows.append([f"radius of near copies; {1000 * seconds:.0f} core-ms a descriptor", f"{NEAR}", "", ""])
    total = 50_000 if quick else 1_000_000
    spread, axes = np.linalg.svd(known - known.mean(0), full_matrices=False)[1:]
    many = (known.mean(0) + (rng.normal(size=(total, len(spread))) * spread / np.sqrt(count)) @ axes).astype(np.float32)
    later = total // 2 + rng.choice(total // 2, total // 100, replace=False)
    first = rng.choice(total // 2, total // 100, replace=False)
    many[later] = many[first] + rng.normal(size=(len(later), many.shape[1])).astype(np.float32) * 0.003 / many.shape[1] ** 0.5
    with measure() as span:
        pairs = find_duplicates(np.arange(total), np.arange(total), many)
    expected = set(zip(later.tolist(), first.tolist(), strict=True))
    got = set(zip(pairs.index.tolist(), pairs.kept.tolist(), strict=True))
    index = f"index over {total} synthetic descriptors, 1 % copies: {span.cpu:.1f} core-s, missed {len(expected - got)}"
    table.rows.append([f"{index}, others {len(got - expected)}", "", "", ""])
    figures = {
        "dedup_copy_distance": float(copied.max()),
        "dedup_other_distance": float(apart.min()),
        "dedup_descriptor_seconds": seconds,
        "dedup_index_seconds": span.cpu,
        "dedup_index_rows": float(total),
        "dedup_missed": float(len(expected - got)),
    }
    return table, figures


def _whole(quick: bool) -> tuple[Table, dict[str, float]]:
    """An already watertight asset of 40k faces through curation and sampling with the default counts."""
    mesh = trimesh.creation.torus(0.7, 0.3, 200, 100)
    asset = _asset(mesh.vertices, mesh.faces)
    with measure() as first:
        curated = curate(asset, CurationConfig())
    assert not isinstance(curated, Rejected)
    with measure() as second:
        fields = sample(curated, FieldsConfig())
    points = len(fields.surface) + len(fields.near_points) + len(fields.vol_points) + len(fields.sharp_near_points)
    table = Table("A watertight asset of 40k faces, default settings", ["step", "core-s", "points"])
    table.rows = [["curate", f"{first.cpu:.2f}", ""], ["sample", f"{second.cpu:.2f}", points]]
    return table, {"curate_40k_seconds": first.cpu, "sample_40k_seconds": second.cpu}


STEPS: dict[str, Callable[[bool], tuple[Table, dict[str, float]]]] = {
    "distances": _distances,
    "compositions": _compositions,
    "watertight": _watertight,
    "whole": _whole,
    "duplicates": _duplicates,
    "files": _files,
}


def _run(names: Iterable[str], quick: bool) -> Benchmark:
    """The named steps; kernels are loaded before the first clock starts."""
    ball = trimesh.creation.icosphere(2)
    warm = MeshQuery(ball.vertices, ball.faces, winding=True)
    warm.signed_distance(ball.vertices)
    winding_surface(warm, ball.vertices.min(0), ball.vertices.max(0), 0.1)
    tables: list[Table] = []
    figures: dict[str, float] = {}
    for name in names:
        table, numbers = STEPS[name](quick)
        tables.append(table)
        figures |= numbers
    return Benchmark(tables, figures, PEER)


PARTS: dict[str, Callable[[bool], Benchmark]] = {name: partial(_run, [name]) for name in STEPS}


def run(quick: bool) -> Benchmark:
    """Everything; with VERSEMILL_MESHES=FOLDER also every mesh file in there."""
    return _run([name for name in STEPS if name != "files" or "VERSEMILL_MESHES" in os.environ], quick)
