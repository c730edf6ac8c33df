"""Zeroverse: time per object, what textures add, and a long run of consecutive indices with every check."""

import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import manifold3d
import numpy as np
import psutil
import trimesh
from scipy.stats import chisquare

from benchmarks.common import Benchmark, Table, measure
from versemill import mesh
from versemill.asset import Asset
from versemill.zeroverse import ZeroverseConfig, build, draw, generate
from versemill.zeroverse.compose import compose
from versemill.zeroverse.config import KINDS
from versemill.zeroverse.wireframe import cage, struts

RELEASED = (1.9, 3.0)
"""Core-seconds per object of the released code for geometry and OBJ text, without augmentation (measured, 12 objects)."""
LIMITS: dict[Literal["raw", "solid"], float] = {"raw": 0.060, "solid": 0.250}


def run(quick: bool) -> Benchmark:
    """Times 60 or 1000 objects; checks 60 or 10,000 consecutive indices of each composition mode, and 60 or 1000 rooms."""
    timed, checked = (60, 60) if quick else (1000, 10_000)
    figures: dict[str, float] = {}
    tables = [_geometry(timed, figures), _peers(6 if quick else 20, figures), _textures(timed, figures)]
    for composition in LIMITS:
        tables += _long_run(composition, checked, figures)
    tables.append(_rooms(timed, figures))
    return Benchmark(tables, figures, peer=f"released code: {RELEASED[0]}-{RELEASED[1]} core-seconds per object")


def _geometry(count: int, figures: dict[str, float]) -> Table:
    table = Table(
        f"Geometry with UVs and ids, {count} objects, preset paper (boolean 0.4, wireframe 0.2): CPU ms per object",
        ["mode", "median", "p90", "p99", "max", "limit (median)", "triangles (median)", "released / median"],
    )
    for composition, limit in LIMITS.items():
        config = ZeroverseConfig(composition=composition, textures="none")
        generate(config, 1, 0)
        spent, triangles = [], []
        for index in range(count):
            start = time.process_time()
            asset = generate(config, 0, index)
            spent.append(time.process_time() - start)
            triangles.append(len(asset.faces))
        median, p90, p99, worst = np.percentile(spent, [50, 90, 99, 100])
        figures |= {f"{composition}_median_ms": 1e3 * median, f"{composition}_p99_ms": 1e3 * p99}
        faster = RELEASED[0] / median
        row = [composition, *(1e3 * float(x) for x in (median, p90, p99, worst)), 1e3 * limit, int(np.median(triangles))]
        table.rows.append([*row, f"{faster:.0f}x"])
    return table


def _rooms(count: int, figures: dict[str, float]) -> Table:
    table = Table(
        f"{count} consecutive rooms without textures: every check of objects, CPU ms per room",
        ["mode", "problems", "median", "p99", "max", "triangles (median)", "parts (median)", "boxes without a place"],
    )
    for composition in LIMITS:
        config = ZeroverseConfig(preset="rooms", composition=composition, textures="none")
        problems: Counter[str] = Counter()
        spent, triangles, parts, places = [], [], [], []
        for index in range(count):
            start = time.process_time()
            try:
                room = generate(config, 0, index)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what this run counts
                problems[f"{type(error).__name__}: {error}"[:60]] += 1
                continue
            spent.append(1e3 * (time.process_time() - start))
            problems.update(_faults(room))
            triangles.append(len(room.faces))
            parts.append(len(room.part_names))
            places += [place is None for place in room.provenance["outcome"]["boxes"].values()]
        figures |= {f"rooms_{composition}_problems": sum(problems.values()), f"rooms_{composition}_ms": float(np.median(spent))}
        times = [float(x) for x in np.percentile(spent, [50, 99, 100])]
        sizes = [int(np.median(triangles)), int(np.median(parts))]
        table.rows.append([composition, _counts(problems) or 0, *times, *sizes, f"{np.mean(places):.1%}"])
    return table


def _peers(count: int, figures: dict[str, float]) -> Table:
    """The same unions by trimesh (which loses UVs and ids), and the same wireframes as united hulls."""
    config = ZeroverseConfig(composition="solid", textures="none", boolean=0.0, wireframe=0.0)
    plans = [plan for plan in (draw(config, 0, index) for index in range(4 * count)) if len(plan["primitives"]) > 2][:count]
    ours, theirs = _cpu(lambda: [build(plan) for plan in plans]), 0.0
    for plan in plans:
        parts = [trimesh.Trimesh(s.vertices, s.faces, process=False) for s in compose(plan)[0]]
        theirs += _cpu(partial(trimesh.boolean.union, parts, engine="manifold"))
    direct = _cpu(lambda: [struts(kind, 0.5, 0.02, "smooth", 1.0, 0) for kind in KINDS])
    hulls = _cpu(lambda: [_hull_struts(*cage(kind, 0.5)) for kind in KINDS])
    figures |= {"union_vs_trimesh": theirs / ours, "wireframe_vs_hulls": hulls / direct}
    return Table(
        "Peers: CPU ms each",
        ["what", "here", "peer", "peer / here"],
        [
            ["composition and union with UVs and ids | trimesh.boolean.union alone", *_pair(ours, theirs, len(plans))],
            ["wireframe as one closed mesh | hull per edge and union", *_pair(direct, hulls, len(KINDS))],
        ],
    )


def _pair(ours: float, theirs: float, count: int) -> list[Any]:
    return [1e3 * ours / count, 1e3 * theirs / count, f"{theirs / ours:.1f}x"]


def _cpu(work: Callable[[], Any]) -> float:
    with measure() as span:
        work()
    return span.cpu


def _hull_struts(vertices: Any, quads: Any) -> Any:
    ball = manifold3d.Manifold.sphere(0.01, 6)
    ends = np.unique(np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), axis=1), axis=0)
    bars = [manifold3d.Manifold.batch_hull([ball.translate(vertices[a]), ball.translate(vertices[b])]) for a, b in ends]
    return manifold3d.Manifold.batch_boolean(bars, manifold3d.OpType.Add).num_tri()


def _textures(count: int, figures: dict[str, float]) -> Table:
    """Extra CPU time per object with 512 x 512 textures, from a cold start on."""
    plain, textured = ZeroverseConfig(textures="none"), ZeroverseConfig()
    generate(textured, 999, 0)
    extra = []
    for index in range(count):
        bare = _cpu(partial(generate, plain, 0, index))
        extra.append(_cpu(partial(generate, textured, 0, index)) - bare)
    figures |= {
        "textures_mean_ms": 1e3 * float(np.mean(extra)),
        "textures_warm_ms": 1e3 * float(np.median(extra[count // 2 :])),
    }
    return Table(
        f"Textures at 512 x 512 (pool of {textured.pool}), extra CPU ms per object",
        ["objects", "mean from cold", "first 20", "warm median", "limit"],
        [[count, 1e3 * float(np.mean(extra)), 1e3 * float(np.mean(extra[:20])), figures["textures_warm_ms"], 150]],
    )


def _long_run(composition: Literal["raw", "solid"], count: int, figures: dict[str, float]) -> list[Table]:
    """Consecutive indices with textures: every asset checked, memory watched, drawn shares against the configured."""
    config = ZeroverseConfig(composition=composition)
    problems: Counter[str] = Counter()
    drawn: dict[str, Counter] = {
        name: Counter() for name in ("count", "kind", "augmentation", "height field", "cutter", "wire")
    }
    outcomes: Counter[str] = Counter()
    memory, sizes = [], []
    process = psutil.Process()
    for index in range(count):
        try:
            asset = generate(config, 0, index)
            problems.update(_faults(asset))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what this run counts
            problems[f"{type(error).__name__}: {error}"[:60]] += 1
            continue
        sizes.append(len(asset.faces))
        _tally(asset, drawn, outcomes)
        if index % max(count // 20, 1) == 0:
            memory.append(process.memory_info().rss / 2**20)
    warm = memory[len(memory) // 4 :]
    figures |= {f"{composition}_problems": sum(problems.values()), f"{composition}_rss_growth_mib": warm[-1] - warm[0]}
    checks = Table(
        f"{count} consecutive indices, {composition}: finite, not degenerate, watertight, consistently wound, positive volume",
        ["problems", "triangles p1", "median", "p99", "max", "RSS MiB at 25 %", "RSS MiB at the end"],
        [[_counts(problems) or 0, *(int(x) for x in np.percentile(sizes, [1, 50, 99, 100])), int(warm[0]), int(warm[-1])]],
    )
    if composition == "raw":
        return [checks, Table("Operations, raw", ["outcome", "count"], [[k, n] for k, n in sorted(outcomes.items())])]
    return [
        checks,
        Table("Operations, solid", ["outcome", "count"], [[k, n] for k, n in sorted(outcomes.items())]),
        _shares(config, drawn, figures),
    ]


def _faults(asset: Asset) -> list[str]:
    """What is wrong with an asset, in words; it should be nothing."""
    asset.check()
    topology = mesh.topology(asset.faces)
    size = asset.vertices.max(0) - asset.vertices.min(0)
    faults = {
        "open edges": topology.boundary > 0,
        "non-manifold edges": topology.non_manifold > 0,
        "inconsistent winding": topology.inconsistent > 0,
        "no positive volume": not mesh.volume(asset.vertices, asset.faces) > 0,
        "not normalised": abs(size.max() - 2) > 1e-5,
        "flat": size.min() < 1e-3,
        "few triangles": len(asset.faces) < 100,
    }
    return [name for name, wrong in faults.items() if wrong]


def _tally(asset: Asset, drawn: dict[str, Counter], outcomes: Counter[str]) -> None:
    plan, outcome = asset.provenance["plan"], asset.provenance["outcome"]
    drawn["count"][len(plan["primitives"])] += 1
    for p in plan["primitives"]:
        drawn["kind"][p["kind"]] += 1
        if p["kind"] != "torus":
            drawn["height field"]["on"] += len(p["heights"])
            drawn["height field"]["off"] += len(p["materials"]) - len(p["heights"])
    drawn["augmentation"]["boolean" if plan["boolean"] else "wireframe" if plan["wireframe"] else "neither"] += 1
    if plan["boolean"]:
        drawn["cutter"][plan["boolean"]["attempts"][0]["kind"]] += 1
        outcomes["boolean made" if outcome["boolean"]["kind"] else "boolean given up"] += 1
        outcomes.update(f"attempt: {attempt['result']}" for attempt in outcome["boolean"]["attempts"])
    if plan["wireframe"]:
        drawn["wire"][plan["wireframe"]["kind"]] += 1
        outcomes["wireframe placed" if outcome["wireframe"]["attempts"][-1] == "placed" else "wireframe hidden"] += 1


def _shares(config: ZeroverseConfig, drawn: dict[str, Counter], figures: dict[str, float]) -> Table:
    configured: dict[str, dict[Any, float]] = {
        "count": {k + 1: w for k, w in enumerate(config.count_weights)},
        "kind": dict(config.primitives),
        "augmentation": {
            "boolean": config.boolean,
            "wireframe": config.wireframe,
            "neither": 1 - config.boolean - config.wireframe,
        },
        "height field": {"on": config.height_field, "off": 1 - config.height_field},
        "cutter": dict(config.cutters),
        "wire": dict(config.wires),
    }
    table = Table("Drawn shares against the configured ones (chi-square)", ["draw", "observed", "expected", "chi2", "p"])
    for name, weights in configured.items():
        observed = np.array([drawn[name][key] for key in weights], float)
        expected = np.array(list(weights.values())) / sum(weights.values()) * observed.sum()
        test = chisquare(observed, expected)
        figures[f"p_{name.replace(' ', '_')}"] = float(test.pvalue)
        row = [name, _vector(observed), _vector(expected), float(test.statistic), float(test.pvalue)]
        table.rows.append(row)
    return table


def _vector(values: Any) -> str:
    return " ".join(f"{x:.0f}" for x in values)


def _counts(problems: Counter[str]) -> str:
    return json.dumps(dict(problems)) if problems else ""
