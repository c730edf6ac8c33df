"""DetailVerse: cost per asset, validity, detail and variety, beside the paper's table of sharp edges and Zeroverse."""

import resource
from collections import Counter

import numpy as np
from numpy.typing import NDArray

import detailverse
import zeroverse
from benchmarks.common import Benchmark, Table, measure
from versemill import detail
from versemill.asset import Asset
from versemill.errors import AssetError
from versemill.mesh import components, face_areas, sharp_edges, topology, volume

PAPER_MEDIAN, PAPER_MEAN = 14_521, 45_773
"""Sharp edges per asset of Hi3DGen's DetailVerse (2503.22236, Table 1)."""


DUPLICATE = 0.05
"""Two assets of one family are near-duplicates when their features lie nearer than this, in standard deviations."""


def features(asset: Asset, found: detail.Detail) -> list[float]:
    """What an asset looks like in eleven numbers: extents, fullness, the detail measure, spread of its area."""
    low, high = asset.vertices.min(0), asset.vertices.max(0)
    sides = (high - low).astype(np.float64)
    areas = face_areas(asset.vertices, asset.faces)
    centres = asset.vertices[asset.faces].mean(1)
    spread = np.sqrt(np.average((centres - np.average(centres, 0, areas)) ** 2, 0, areas))
    return [
        *sides,
        *spread,
        volume(asset.vertices, asset.faces) / float(np.prod(sides)),
        float(np.log(areas.sum())),
        found.crease_length,
        found.curvature_energy,
        found.normal_entropy,
    ]


def neighbours(rows: NDArray[np.float64], names: list[str]) -> tuple[dict[str, Counter[str]], float]:
    """The family of each asset's nearest neighbour, by family, and the share that has a near-duplicate."""
    scaled = (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-9)
    distance = np.linalg.norm(scaled[:, None] - scaled[None], axis=2) / np.sqrt(rows.shape[1])
    np.fill_diagonal(distance, np.inf)
    confusion: dict[str, Counter[str]] = {name: Counter() for name in sorted(set(names))}
    for k, name in enumerate(names):
        confusion[name][names[int(distance[k].argmin())]] += 1
    return confusion, float((distance.min(1) < DUPLICATE).mean())


def run(quick: bool) -> Benchmark:
    """Generates consecutive assets at both levels of detail and counts what is wrong with them."""
    figures: dict[str, float] = {}
    cost = Table("core-seconds per asset, painted", ["detail", "assets", "median", "p99", "faces (median)", "peak memory GB"])
    valid = Table("validity of consecutive indices", ["detail", "raised", "not watertight", "volume <= 0", "several objects"])
    sharp = Table("sharp edges over 30 degrees per asset", ["set", "median", "mean", "ratio of medians"])
    seen: list[list[float]] = []
    creases: list[float] = []
    names: list[str] = []
    for level, count in (("fast", 20 if quick else 200), ("default", 15 if quick else 60)):
        config = detailverse.DetailverseConfig.model_validate({"detail": level})
        seconds, faces, edges, bad = [], [], [], Counter[str]()
        for index in range(count):
            with measure() as span:
                try:
                    asset = detailverse.generate(config, 0, index)
                except AssetError:
                    bad["raised"] += 1
                    continue
            seconds.append(span.cpu)
            faces.append(len(asset.faces))
            edges.append(len(sharp_edges(asset.vertices, asset.faces)))
            bad["open"] += not topology(asset.faces).watertight
            bad["inside out"] += volume(asset.vertices, asset.faces) <= 0
            bad["several"] += int(components(asset.faces).max()) > 0
            if level == "default":
                found = detail.measure(asset.vertices, asset.faces)
                creases.append(found.crease_length)
                seen.append(features(asset, found))
                names.append(asset.provenance["specification"]["category"])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        median, tail = float(np.median(seconds)), float(np.percentile(seconds, 99))
        cost.rows.append([level, count, median, tail, int(np.median(faces)), memory])
        valid.rows.append([level, bad["raised"], bad["open"], bad["inside out"], bad["several"]])
        sharp.rows.append(
            [f"this, {level}", int(np.median(edges)), int(np.mean(edges)), float(np.median(edges)) / PAPER_MEDIAN]
        )
        figures |= {
            f"{level}_median_core_s": median,
            f"{level}_p99_core_s": tail,
            f"{level}_invalid": float(bad["raised"] + bad["open"] + bad["inside out"]),
            f"{level}_several_objects": float(bad["several"]),
            f"{level}_sharp_edges_median": float(np.median(edges)),
        }
    sharp.rows.append(["the paper's DetailVerse", PAPER_MEDIAN, PAPER_MEAN, 1.0])
    plain = []
    for index in range(5 if quick else 30):
        other = zeroverse.generate(zeroverse.ZeroverseConfig(preset="paper", composition="solid"), 0, index)
        plain.append(detail.measure(other.vertices, other.faces).crease_length)
    ratio = float(np.median(creases) / np.median(plain))
    crease = Table("crease length, median, in sizes of the object", ["set", "crease length", "ratio"])
    crease.rows = [["this, default", float(np.median(creases)), ratio], ["Zeroverse, solid", float(np.median(plain)), 1.0]]
    confusion, duplicates = neighbours(np.array(seen), names)
    right = sum(taken[name] for name, taken in confusion.items()) / len(names)
    chance = sum((names.count(name) / len(names)) ** 2 for name in confusion)
    told = Table(
        f"family of the nearest neighbour: {right:.0%} right, {chance:.0%} by chance; near-duplicates {duplicates:.1%}",
        ["family", "assets", "right", "taken for"],
    )
    for name, taken in confusion.items():
        others = ", ".join(f"{other} {times}" for other, times in taken.most_common() if other != name)
        told.rows.append([name, names.count(name), taken[name], others])
    figures |= {
        "crease_length_median": float(np.median(creases)),
        "crease_length_over_zeroverse_solid": ratio,
        "nearest_neighbour_right": right,
        "nearest_neighbour_chance": chance,
        "near_duplicates": duplicates,
    }
    peer = "Hi3DGen's DetailVerse, 2503.22236 Table 1 (its meshes are not public)"
    return Benchmark([cost, valid, sharp, crease, told], figures, peer)
