"""DetailVerse: cost per asset, validity, detail, variety. Compared with the paper's table of sharp edges."""

import resource
from collections import Counter

import numpy as np

import detailverse
from benchmarks.common import Benchmark, Table, measure
from versemill import detail
from versemill.errors import AssetError
from versemill.mesh import components, sharp_edges, topology, volume

PAPER_MEDIAN, PAPER_MEAN = 14_521, 45_773
"""Sharp edges per asset of Hi3DGen's DetailVerse (2503.22236, Table 1)."""


def run(quick: bool) -> Benchmark:
    """Generates consecutive assets at both levels of detail and counts what is wrong with them."""
    figures: dict[str, float] = {}
    cost = Table("core-seconds per asset, painted", ["detail", "assets", "median", "p99", "faces (median)", "peak memory GB"])
    valid = Table("validity of consecutive indices", ["detail", "raised", "not watertight", "volume <= 0", "several objects"])
    sharp = Table("sharp edges over 30 degrees per asset", ["set", "median", "mean", "ratio of medians"])
    for level, count in (("fast", 20 if quick else 500), ("default", 5 if quick else 100)):
        config = detailverse.DetailverseConfig.model_validate({"detail": level})
        seconds, faces, edges, creases, bad = [], [], [], [], Counter[str]()
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
            if index < (5 if quick else 100):
                creases.append(detail.measure(asset.vertices, asset.faces).crease_length)
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
            f"{level}_crease_length_median": float(np.median(creases)),
        }
    sharp.rows.append(["the paper's DetailVerse", PAPER_MEDIAN, PAPER_MEAN, 1.0])
    return Benchmark(
        [cost, valid, sharp], figures, peer="Hi3DGen's DetailVerse, 2503.22236 Table 1 (its meshes are not public)"
    )
