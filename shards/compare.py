"""Are two shards equal, or, made under different fingerprints, equivalent within stated tolerances?"""

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import fs as pafs

from versemill.fields import FIELD_ARRAYS, Fields
from versemill.mesh import volume
from versemill.shards.checks import Problem
from versemill.shards.rows import decode_fields, decode_mesh, decode_views, read_rows
from versemill.shards.storage import sha256
from versemill.views import PASSES, Views

TOLERANCES = {"points": 0.001, "volume": 0.001, "camera": 1e-9}
"""What two values may differ by. Field points and distances: world units. The watertight mesh's volume: relatively. Cameras:
absolutely. A pass says its own (`versemill.views.Pass.tolerance`), per pixel of both masks, for its worst channel."""

OUTLIERS = 0.01
"""Share of pixels, or of points, that may exceed their tolerance: silhouettes and creases fall either way."""


@dataclass(frozen=True)
class Comparison:
    """Equal: the same bytes. Equivalent: no differences beyond the tolerances; `problems` names those there are."""

    equal: bool
    problems: list[Problem]

    @property
    def equivalent(self) -> bool:
        """Whether training on either would be the same."""
        return not self.problems


def compare_shards(fs: pafs.FileSystem, path: str, other: str) -> Comparison:
    """Compares two shards of one file system, row by row; equal bytes spare the work.

    Raises:
        ShardError: a shard can't be read.
    """
    if sha256(fs, path) == sha256(fs, other):
        return Comparison(True, [])
    problems = []
    for a, b in zip_longest(*(read_rows(file, fs=fs, extensions=()) for file in (path, other))):
        if a is None or b is None or a["meta"]["id"] != b["meta"]["id"]:
            names = [row["meta"]["id"] if row else "nothing" for row in (a, b)]
            problems.append(Problem("rows", path, names[0], f"{names[0]} stands where the other shard has {names[1]}"))
            break
        problems += [Problem("differs", path, a["meta"]["id"], message) for message in compare_rows(a, b)]
    return Comparison(False, problems)


def compare_rows(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """What differs beyond the tolerances between two rows of one asset; one sentence each."""
    problems = [f"meta.{k} differs" for k in ("seed", "index", "source", "split", "caption", "config_digest", "provenance")
             if a["meta"][k] != b["meta"][k]]  # fmt: skip
    volumes = [volume(*decode_mesh(row["mesh"])) for row in (a, b)]
    if abs(volumes[0] - volumes[1]) > TOLERANCES["volume"] * max(map(abs, volumes)):
        problems.append(f"the watertight volume is {volumes[0]:.6g}, the other's {volumes[1]:.6g}")
    for group in ("views", "fields"):
        if (a[group] is None) != (b[group] is None):
            return [*problems, f"only one of them has {group}"]
    if a["views"] is not None:
        problems += _compare_views(decode_views(a["views"]), decode_views(b["views"]))
    if a["fields"] is not None:
        problems += _compare_fields(decode_fields(a["fields"]), decode_fields(b["fields"]))
    return problems


def _compare_views(a: Views, b: Views) -> list[str]:
    shapes = [(len(v.cameras), v.cameras[0].width, v.cameras[0].height, sorted(v.passes)) for v in (a, b)]
    if shapes[0] != shapes[1]:
        return [f"views are {shapes[0]}, the other's {shapes[1]}"]
    problems = []
    for one, two in zip(a.cameras, b.cameras, strict=True):
        if max(np.abs(one.c2w - two.c2w).max(), np.abs(one.K - two.K).max()) > TOLERANCES["camera"]:
            problems.append("cameras differ")
            break
    both: NDArray[np.bool_] | None = None
    if "mask" in a.passes:
        share = float((a.passes["mask"] != b.passes["mask"]).mean())
        if share > PASSES["mask"].tolerance:
            problems.append(f"{share:.2%} of the mask differs, limit {PASSES['mask'].tolerance:.2%}")
        both = a.passes["mask"] & b.passes["mask"]
    for name in sorted(set(a.passes) - {"mask"}):
        gap = np.abs(a.passes[name].astype(np.float64) - b.passes[name].astype(np.float64))
        gap = gap.max(-1) if gap.ndim == 4 else gap
        problems += _outliers(f"pass '{name}'", gap if both is None else gap[both], PASSES[name].tolerance)
    return problems


def _compare_fields(a: Fields, b: Fields) -> list[str]:
    problems = []
    for name in FIELD_ARRAYS:
        one, two = getattr(a, name), getattr(b, name)
        if name == "voxels":
            cells = [set(map(tuple, v.tolist())) for v in (one, two)]
            share = len(cells[0] ^ cells[1]) / max(1, len(cells[0] | cells[1]))
            if share > OUTLIERS:
                problems.append(f"{share:.2%} of the voxels differ, limit {OUTLIERS:.0%}")
        elif one.shape != two.shape:
            problems.append(f"field '{name}' is {one.shape}, the other's {two.shape}")
        elif one.size:
            gap = np.abs(one[..., :3] - two[..., :3]).max(-1) if one.ndim == 2 else np.abs(one - two)
            problems += _outliers(f"field '{name}'", gap, TOLERANCES["points"])
    return problems


def _outliers(name: str, gap: NDArray[np.floating], tolerance: float) -> list[str]:
    share = float((gap > tolerance).mean()) if gap.size else 0.0
    return [f"{share:.2%} of {name} differs by more than {tolerance:g}, limit {OUTLIERS:.0%}"] if share > OUTLIERS else []
