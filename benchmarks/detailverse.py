"""DetailVerse: cost per asset, validity, detail, looks and variety, next to the paper's table of sharp edges and Zeroverse.

`python -m benchmarks.detailverse --count 2000 --detail fast --workers 2 --rows rows.jsonl` checks many indices in a process
pool. It may be stopped and started again: what is in the file is not made twice. `--meshes DIR` sets the detail of
somebody's meshes beside it.
"""

import argparse
import hashlib
import json
import multiprocessing
import resource
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table as RichTable
from scipy.stats import chi2, chisquare, rankdata

from benchmarks.common import Benchmark, Table, measure
from benchmarks.looks import looks
from versemill import curation, detail, detailverse, seeds, zeroverse
from versemill.curation import duplicates
from versemill.curation.features import features as scoring_features
from versemill.errors import AssetError
from versemill.mesh import components, sharp_edges, topology, volume

PAPER_MEDIAN, PAPER_MEAN = 14_521, 45_773
"""Sharp edges per asset of Hi3DGen's DetailVerse (2503.22236, Table 1)."""

EXPECTED_SPECS = 4000
"""Specifications of another seed, in which the operators' expected shares are counted."""

PERMUTATIONS = 999

Row = dict[str, Any]
Floats = NDArray[np.float64]


def row(level: str, seed: int, index: int, measured: bool) -> Row:
    """Makes one asset and says all that is counted about it; `measured` adds the detail measure, the slowest part."""
    config = detailverse.DetailverseConfig.model_validate({"detail": level})
    spec = detailverse.sample_spec(config, seed, index)
    row_values: Row = {"index": index, "category": spec.category, "operators": sorted(_operators(spec))}
    row_values["kind"] = str(spec.proportions.get("kind", spec.proportions.get("shape")))
    try:
        with measure() as span:
            asset = detailverse.generate(config, seed, index)
    except AssetError as error:
        return {**row_values, "raised": f"{error.reason}: {error}"}
    row_values |= {
        "seconds": span.cpu,
        "built": asset.provenance["faces_before_simplification"],
        "faces": len(asset.faces),
        "edges": len(sharp_edges(asset.vertices, asset.faces)),
        "watertight": bool(topology(asset.faces).watertight),
        "volume": float(volume(asset.vertices, asset.faces)),
        "objects": int(components(asset.faces).max()) + 1,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "hash": asset.content_hash,
        "features": {k: float(v) for k, v in scoring_features(asset).items()},
        "shape": duplicates.descriptor(asset.vertices, asset.faces).round(6).tolist(),
    }
    if measured:
        row_values["crease"] = detail.measure(asset.vertices, asset.faces).crease_length
    return row_values


def _operators(spec: detailverse.Specification) -> set[str]:
    return {o.name for part in spec.parts.values() for o in part.operators}


def collect(level: str, count: int, workers: int, path: Path | None, measured: bool, seed: int = 0) -> list[Row]:
    """Rows of indices 0..count-1, from the file at `path` where they are there, else made and appended to it.

    Rows of another version of the code are not counted.
    """
    mark = {"level": level, "seed": seed, "measured": measured, "code": code_digest()}
    known: dict[int, Row] = {}
    if path is not None and path.exists():
        lines = (json.loads(line) for line in path.read_text().splitlines() if line.endswith("}"))
        known = {r["index"]: r for r in lines if all(r.get(k) == v for k, v in mark.items()) and r["index"] < count}
    missing = [k for k in range(count) if k not in known]
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stderr.isatty() and path is None) as progress:
        for made in progress.track(_made(level, seed, missing, measured, workers), len(missing), description=f"{level} assets"):
            known[made["index"]] = made
            if path is not None:
                with path.open("a") as file:
                    file.write(json.dumps(mark | made) + "\n")
    return [known[k] for k in sorted(known)]


def _made(level: str, seed: int, indices: Iterable[int], measured: bool, workers: int) -> Iterator[Row]:
    if workers < 2:
        yield from (row(level, seed, k, measured) for k in indices)
        return
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=200) as pool:
        yield from pool.imap_unordered(partial(row, level, seed, measured=measured), indices)


def code_digest() -> str:
    """Names the version of the generator: a hash of its sources."""
    root = Path(detailverse.__file__).parent
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(root.rglob("*.py")))).hexdigest()[:12]


def cost_and_validity(rows_by_level: dict[str, list[Row]], figures: dict[str, float]) -> list[Table]:
    """What assets cost, how large they are, and what is wrong with them."""
    cost = Table(
        "core-seconds per asset, painted at 512 pixels",
        ["detail", "assets", "median", "p99", "faces built (median)", "in 150-400k", "faces kept (median)", "peak memory GB"],
    )
    valid = Table("validity of consecutive indices", ["detail", "raised", "not watertight", "volume <= 0", "several objects"])
    sharp = Table("sharp edges over 30 degrees per asset", ["set", "median", "mean", "ratio of medians"])
    for level, rows in rows_by_level.items():
        good = [r for r in rows if "raised" not in r]
        column = {
            k: np.array([r[k] for r in good]) for k in ("seconds", "built", "faces", "edges", "memory", "objects", "volume")
        }
        median, tail = float(np.median(column["seconds"])), float(np.percentile(column["seconds"], 99))
        built, kept, edges = (float(np.median(column[k])) for k in ("built", "faces", "edges"))
        within = float(((column["built"] >= 150_000) & (column["built"] <= 400_000)).mean())
        memory = float(column["memory"].max())
        cost.rows.append([level, len(rows), median, tail, int(built), f"{within:.0%}", int(kept), memory])
        bad = [
            len(rows) - len(good),
            sum(not r["watertight"] for r in good),
            int((column["volume"] <= 0).sum()),
            int((column["objects"] > 1).sum()),
        ]
        valid.rows.append([level, *bad])
        sharp.rows.append([f"this, {level}", int(edges), int(column["edges"].mean()), edges / PAPER_MEDIAN])
        figures |= {
            f"{level}_median_core_s": median,
            f"{level}_p99_core_s": tail,
            f"{level}_faces_built_median": built,
            f"{level}_share_150_to_400k": within,
            f"{level}_peak_gb": memory,
            f"{level}_invalid": float(sum(bad[:3])),
            f"{level}_several_objects": float(bad[3]),
            f"{level}_sharp_edges_median": edges,
        }
    sharp.rows.append(["the paper's DetailVerse", PAPER_MEDIAN, PAPER_MEAN, 1.0])
    return [cost, valid, sharp]


def shares(rows: list[Row], seed: int, figures: dict[str, float]) -> Table:
    """Whether families, their members and operators come as often as configured.

    Families are alike, and so are the members (kinds, shapes) of one: two chi-square tests. What an operator's share is
    follows from families, slots and styles together, so its expectation is counted in the specifications of another seed;
    since the operators of one asset go together, the chi-square statistic is compared with that of permuted assets.
    """
    categories = Counter(r["category"] for r in rows)
    p_family = float(chisquare([categories[name] for name in detailverse.families()]).pvalue)
    members = Counter((r["category"], r["kind"]) for r in rows)
    expected = {(name, kind): categories[name] / len(_members(name)) for name in categories for kind in _members(name)}
    deviation = sum((members[key] - count) ** 2 / count for key, count in expected.items())
    p_member = float(chi2.sf(deviation, len(expected) - len(categories)))
    names = list(detailverse.operators())
    config = detailverse.DetailverseConfig()
    drawn = [r["operators"] for r in rows]
    drawn += [_operators(detailverse.sample_spec(config, seed + 1, k)) for k in range(EXPECTED_SPECS)]
    used = np.array([[name in operators for name in names] for operators in drawn], np.float64)
    p_operator = _permuted(used, len(rows), seeds.stream(seed, 0, "benchmarks/detailverse/shares"))
    counts = Counter({name: int(count) for name, count in zip(names, used[: len(rows)].sum(0), strict=True) if count})
    table = Table(f"shares of {len(rows)} assets", ["what", "configured", "seen", "fewest", "most", "chi-square p"])
    for label, known, seen, p in (
        ("families", len(detailverse.families()), categories, p_family),
        ("members of families", sum(len(_members(name)) for name in detailverse.families()), members, p_member),
        ("operators", len(names), counts, p_operator),
    ):
        low, high = (f"{_words(key)} {seen[key]}" for key in (min(seen, key=seen.__getitem__), max(seen, key=seen.__getitem__)))
        table.rows.append([label, known, len(seen), low, high, p])
    figures |= {"family_shares_p": p_family, "member_shares_p": p_member, "operator_shares_p": p_operator}
    figures |= {"members_seen": float(len(members)), "operators_seen": float(len(counts))}
    return table


def _members(name: str) -> tuple[str, ...]:
    """The kinds (or shapes) that a family knows."""
    fields = detailverse.families()[name].model_fields
    return get_args(fields["kind" if "kind" in fields else "shape"].annotation)


def _words(key: str | tuple[str, str]) -> str:
    return key if isinstance(key, str) else " ".join(key)


def _permuted(used: Floats, count: int, rng: np.random.Generator) -> float:
    """p of the chi-square statistic between the first `count` rows (assets) and the rest, when rows change places."""
    share = used.mean(0)
    known = (share > 0) & (share < 1)

    def statistic(chosen: Floats) -> float:
        gap = chosen.mean(0) - share
        return float((gap[known] ** 2 / (share * (1 - share))[known]).sum())

    seen = statistic(used[:count])
    others = [statistic(used[rng.permutation(len(used))[:count]]) for _ in range(PERMUTATIONS)]
    return (1 + sum(other >= seen for other in others)) / (1 + PERMUTATIONS)


def neighbours(rows: list[Row], figures: dict[str, float]) -> Table:
    """The family of each asset's nearest neighbour in the scoring features; near-duplicates by curation's descriptor."""
    names = [r["category"] for r in rows]
    keys = sorted(rows[0]["features"])
    values = np.array([[r["features"][k] for k in keys] for r in rows], np.float64)
    # Ranks in place of values: counts and areas span decades, and one outlier shall not decide a scale. Equals share one.
    scaled = rankdata(values, axis=0) / len(rows)
    scaled = scaled[:, values.std(0) > 0]
    nearest = np.empty(len(rows), np.int64)
    for k in range(len(rows)):
        away = np.abs(scaled - scaled[k]).sum(1)
        away[k] = np.inf
        nearest[k] = away.argmin()
    confusion: dict[str, Counter[str]] = {name: Counter() for name in sorted(set(names))}
    for name, other in zip(names, nearest, strict=True):
        confusion[name][names[int(other)]] += 1
    right = sum(taken[name] for name, taken in confusion.items()) / len(names)
    chance = sum((names.count(name) / len(names)) ** 2 for name in confusion)
    repeats = duplicates.find_duplicates(
        np.array([r["index"] for r in rows], np.uint64),
        np.array([r["hash"] for r in rows]),
        np.array([r["shape"] for r in rows], np.float32),
    )
    share = len(repeats.index) / len(rows)
    summary = Table(
        f"family of the nearest neighbour among {len(rows)}: {right:.0%} right, {chance:.0%} by chance; "
        f"near-duplicates {len(repeats.index)} ({share:.2%})",
        ["family", "assets", "right", "taken for"],
    )
    for name, taken in confusion.items():
        others = ", ".join(f"{other} {times}" for other, times in taken.most_common() if other != name)
        summary.rows.append([name, names.count(name), taken[name], others])
    figures |= {"nearest_neighbour_right": right, "nearest_neighbour_chance": chance, "near_duplicates": share}
    return summary


def creases(rows: list[Row], plain: int, meshes: Path | None, figures: dict[str, float]) -> list[Table]:
    """Crease length by family, next to Zeroverse's solids and meshes of others."""
    other = []
    for index in range(plain):
        asset = zeroverse.generate(zeroverse.ZeroverseConfig(preset="paper", composition="solid"), 0, index)
        other.append(detail.measure(asset.vertices, asset.faces).crease_length)
    base, lengths = float(np.median(other)), np.array([r["crease"] for r in rows])
    median = float(np.median(lengths))
    table = Table("crease length, median, in sizes of the object", ["set", "assets", "crease length", "over Zeroverse"])
    table.rows = [["this", len(rows), median, median / base], ["Zeroverse, solid", plain, base, 1.0]]
    edges = np.array([r["edges"] for r in rows])
    agree = float(np.corrcoef(edges.argsort().argsort(), lengths.argsort().argsort())[0, 1])
    table.title += f"; rank correlation with raw sharp edges {agree:.2f}"
    for name in sorted({r["category"] for r in rows}):
        of = [r["crease"] for r in rows if r["category"] == name]
        table.rows.append([f"  {name}", len(of), float(np.median(of)), float(np.median(of)) / base])
    figures |= {"crease_length_median": median, "crease_length_over_zeroverse_solid": median / base}
    if meshes is None:
        return [table]
    theirs = Table(f"detail of the meshes in {meshes.name}", ["mesh", "crease length", "this median over it", "sharp edges"])
    for path in sorted(p for p in meshes.rglob("*") if p.suffix.lower() in {".obj", ".ply", ".stl", ".off", ".glb", ".gltf"}):
        asset = curation.load(path)
        measured = detail.measure(asset.vertices, asset.faces)
        ratio = median / max(measured.crease_length, 1e-9)
        theirs.rows.append([path.relative_to(meshes).as_posix(), measured.crease_length, ratio, measured.sharp_edges])
    figures["meshes_most_crease"] = max((float(r[1]) for r in theirs.rows), default=0.0)
    return [table, theirs]


def report(rows_by_level: dict[str, list[Row]], plain: int, meshes: Path | None = None) -> Benchmark:
    """All tables of the rows at hand."""
    figures: dict[str, float] = {}
    tables = cost_and_validity(rows_by_level, figures)
    every = max(rows_by_level.values(), key=len)
    tables.append(shares(every, 0, figures))
    good = [r for r in every if "raised" not in r]
    tables.append(neighbours(good, figures))
    measured = [r for rows in rows_by_level.values() for r in rows if "crease" in r]
    if measured:
        tables += creases(measured, plain, meshes, figures)
    peer = "Hi3DGen's DetailVerse, 2503.22236 Table 1 (its meshes are not public)"
    return Benchmark(tables, figures, peer)


def run(quick: bool) -> Benchmark:
    """Generates consecutive assets at both levels of detail and counts what is wrong with them."""
    rows = {
        "fast": collect("fast", 30 if quick else 200, 1, None, False),
        "default": collect("default", 15 if quick else 60, 1, None, True),
    }
    benchmark = report(rows, 5 if quick else 30)
    benchmark.tables.append(looks(20 if quick else 100, benchmark.figures))
    return benchmark


def main() -> int:
    """The long run: any number of indices of one level, restartable."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detailverse", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="consecutive indices from 0 (default 2000)")
    parser.add_argument("--detail", choices=("fast", "default"), default="fast", help="level of detail (default fast)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--rows", type=Path, required=True, help="file of JSON lines that rows are appended to and read from")
    parser.add_argument("--measure", action="store_true", help="also take the detail measure of every asset")
    parser.add_argument("--meshes", type=Path, help="folder of meshes to compare (with --measure)")
    args = parser.parse_args()
    if args.meshes and not args.measure:
        parser.error("--meshes needs --measure")
    rows = collect(args.detail, args.count, args.workers, args.rows, args.measure)
    console = Console(width=None if sys.stdout.isatty() else 140)
    for table in report({args.detail: rows}, 30, args.meshes).tables:
        shown = RichTable(*table.columns, title=table.title, title_justify="left")
        for cells in table.rows:
            shown.add_row(*(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells))
        console.print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
