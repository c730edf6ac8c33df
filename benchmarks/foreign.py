"""Foreign files read by versemill and by Blender: faces, box, area, albedo and normals, and where they differ.

`python -m benchmarks foreign --folder DIR`. Blender imports each file and writes it as a plain GLB, which is read and measured
as ours is; so a difference is one of reading. It finds the next faults: nothing here says who is right.
"""

import json
import select
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Benchmark, Table
from versemill.asset import Asset
from versemill.curation import LoadLimits, load
from versemill.curation.ingest import SUFFIXES
from versemill.errors import AssetError, ConfigError
from versemill.mesh import face_areas
from versemill.render import RenderConfig, cameras
from versemill.render.engine import render_views

WORKER = Path(__file__).with_name("foreign_blender.py")
READ_BY_BLENDER = (".glb", ".gltf", ".obj", ".ply", ".stl", ".fbx")
SECONDS = 60
SIZE_SLACK = 1e-3
"""Of the longest side, by which boxes, and of the area, by which areas may differ."""
COLOUR_SLACK, NORMAL_SLACK, MASK_SLACK = 6.0, 10.0, 0.03
"""Mean difference of sRGB codes, mean angle in degrees, and share of the silhouette."""


class Blender:
    """A Blender that reads files until it hangs or dies; then another one."""

    def __init__(self, python: str) -> None:
        self.python = python
        self.process: subprocess.Popen[bytes] | None = None

    def read(self, source: Path, target: Path) -> Asset | str:
        """What Blender makes of a file, or why it can't."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [self.python, "-P", str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(source.resolve()), str(target)]).encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.close()
            return "hung" if not ready else "died"
        answer = json.loads(line)
        if not answer["ok"]:
            return str(answer["message"])
        try:
            return load(target, LoadLimits())
        except AssetError as error:
            return error.reason

    def close(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass(frozen=True)
class Facts:
    """What is compared of one reading."""

    faces: int
    low: np.ndarray
    high: np.ndarray
    area: float
    views: dict[str, Any]


def facts(asset: Asset, config: RenderConfig) -> Facts:
    """Measures an asset in its file's units, and from four sides."""
    points = asset.vertices[np.unique(asset.faces)].astype(np.float64) * asset.scale + np.array(asset.center)
    views = render_views(
        asset, cameras.sample(config, 0, 0, np.array([[-1, -1, -1], [1, 1, 1]], np.float32)), passes=config.passes
    ).passes
    area = float(face_areas(asset.vertices, asset.faces).sum()) * asset.scale**2
    return Facts(len(asset.faces), points.min(0), points.max(0), area, views)


def differences(ours: Facts, theirs: Facts) -> list[str]:
    """In words, where two readings differ."""
    lines = []
    size = max(float((ours.high - ours.low).max()), 1e-300)
    if ours.faces != theirs.faces:
        lines.append(f"faces {ours.faces} / {theirs.faces}")
    apart = max(np.abs(ours.low - theirs.low).max(), np.abs(ours.high - theirs.high).max()) / size
    if apart > SIZE_SLACK:
        lines.append(f"box by {apart:.2g} of its side")
    if abs(ours.area - theirs.area) > SIZE_SLACK * max(ours.area, theirs.area):
        lines.append(f"area {ours.area:.4g} / {theirs.area:.4g}")
    masks = ours.views["mask"], theirs.views["mask"]
    both, either = (masks[0] & masks[1]), (masks[0] | masks[1])
    if (missed := 1 - both.sum() / max(either.sum(), 1)) > MASK_SLACK:
        lines.append(f"silhouette by {missed:.0%}")
    if both.any():
        colour = np.abs(ours.views["albedo"][both].astype(float) - theirs.views["albedo"][both]).mean()
        if colour > COLOUR_SLACK:
            lines.append(f"albedo by {colour:.0f} codes")
        cosine = (ours.views["normal"][both] * theirs.views["normal"][both]).sum(-1)
        if (angle := float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())) > NORMAL_SLACK:
            lines.append(f"normals by {angle:.0f} degrees")
    return lines


def run(quick: bool = False, folder: str = "") -> Benchmark:
    """Compares all files below a folder, which is their root; `quick` the first twenty."""
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not folder or not files:
        raise ConfigError(f"no file to read in '{folder}' ({', '.join(SUFFIXES)}); name a folder: --folder DIR")
    passes = ("albedo", "normal", "mask")
    views = {"preset": "ring", "views": 4, "elevation": (20, 20), "azimuth": (-60, 300), "framing": "sphere"}
    config = RenderConfig.model_validate({"width": 64, "height": 64, "cameras": views, "passes": passes})
    differing = Table("where the readings of versemill and Blender differ (versemill / Blender)", ["file", "difference"])
    refused = Table("rejected by versemill", ["file", "reason", "Blender"])
    counts = dict.fromkeys(
        ("files", "same", "different", "rejected by versemill alone", "rejected by both", "read by versemill alone"), 0
    )
    blender = Blender(LoadLimits().blender)
    try:
        for path in files[: 20 if quick else None]:
            counts["files"] += 1
            name = path.relative_to(root).as_posix()
            with tempfile.TemporaryDirectory() as scratch:
                known = path.suffix.lower() in READ_BY_BLENDER
                theirs = blender.read(path, Path(scratch, "out.glb")) if known else "reads no " + path.suffix
                try:
                    ours = load(path, root=root)
                except AssetError as error:
                    counts["rejected by both" if isinstance(theirs, str) else "rejected by versemill alone"] += 1
                    reading = f"{len(theirs.faces)} faces" if isinstance(theirs, Asset) else theirs
                    refused.rows.append([name, f"{error.reason}: {error}", reading])
                    continue
                if isinstance(theirs, str):
                    counts["read by versemill alone"] += 1
                    continue
                faults = differences(facts(ours, config), facts(theirs, config))
            counts["different" if faults else "same"] += 1
            if faults:
                dropped = ours.provenance.get("dropped", [])
                said = f" (dropped: {', '.join(dropped)})" if dropped else ""
                differing.rows.append([name, "; ".join(faults) + said])
    finally:
        blender.close()
    total = Table("files", list(counts), [list(counts.values())])
    return Benchmark([total, differing, refused], {name: float(n) for name, n in counts.items()}, "Blender's importers")
