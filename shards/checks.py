"""Checks: is a shard whole, unchanged, of this schema, finite, and do its cameras fit its pixels?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs as pafs

from versemill.camera import Camera
from versemill.errors import AssetError, ShardError
from versemill.fields import Fields
from versemill.gltf import from_glb
from versemill.mesh import face_normals, volume
from versemill.queries import MeshQuery
from versemill.shards.rows import decode_fields, decode_mesh, decode_views, read_rows
from versemill.shards.schema import misfits, refusal
from versemill.shards.storage import exists, sha256
from versemill.views import Views

SLACK = 0.03
"""World units by which a reprojected point may lie in front of the depth seen around its pixel."""

STRAY_SHARE = 0.05
"""Share of reprojected points that may miss the mask or float in front of the surface."""

BARE_SHARE = 0.05
"""Share of the mask that may have no alpha: coverage is sampled, and can miss a thin part that the pixel centre hits."""


AWAY = 0.2
"""Cosine from which a normal points away from who sees it; a smooth normal may do so a little, near a silhouette."""

AWAY_SHARE = 0.05
"""Share of a view's pixels, or of a surface's points, whose normals may point away."""


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        kind: "missing", "truncated", "tampered", "schema_version", "schema", "unreadable", "not_finite",
            "inconsistent", "normals" or "reprojection".
        path: the shard. row: the row's id, or "" when the file as a whole is meant.
        message: one sentence with value and limit.
    """

    kind: str
    path: str
    row: str
    message: str


def verify_shard(fs: pafs.FileSystem, path: str, expected: str | None = None, deep: bool = False) -> list[Problem]:
    """Everything that is wrong with a shard; an empty list when nothing is.

    Args:
        expected: SHA-256 (hex) that the ledger holds; None skips the comparison.
        deep: also decodes every cell, looks for NaN, and reprojects each view's depth into the next views.
    """
    if not exists(fs, path):
        return [Problem("missing", path, "", "the file is not there; remake the shard")]
    problems = []
    if expected is not None and (digest := sha256(fs, path)) != expected:
        problems.append(Problem("tampered", path, "", f"SHA-256 is {digest[:12]}..., the ledger says {expected[:12]}..."))
    try:
        with pq.ParquetFile(path, filesystem=fs) as file:
            if reason := refusal(file.schema_arrow.metadata):
                return [*problems, Problem("schema_version", path, "", reason)]
            if wrong := misfits(file.schema_arrow):
                text = f"missing, or not of the documented type: {', '.join(wrong[:5])}; remake the shard"
                problems.append(Problem("schema", path, "", text))
    except (OSError, pa.ArrowException) as error:
        kind = "truncated" if _lacks_footer(fs, path) else "unreadable"
        problems = [p for p in problems if p.kind != "tampered"]
        return [*problems, Problem(kind, path, "", f"not a whole Parquet file ({error})")]
    if deep:
        problems += _verify_rows(fs, path)
    return problems


def _lacks_footer(fs: pafs.FileSystem, path: str) -> bool:
    with fs.open_input_file(path) as file:
        size = file.size()
        file.seek(max(0, size - 4))
        return size < 12 or file.read() != b"PAR1"


def _verify_rows(fs: pafs.FileSystem, path: str) -> list[Problem]:
    problems = []
    seen: set[str] = set()
    try:
        for row in read_rows(path, fs=fs, extensions=()):
            name = row["meta"]["id"]
            if name in seen:
                problems.append(Problem("inconsistent", path, name, "the id occurs twice"))
            seen.add(name)
            problems += [Problem(kind, path, name, message) for kind, message in check_row(row)]
    except ShardError as error:
        problems.append(Problem("unreadable", path, "", str(error)))
    return problems


def check_row(row: dict[str, Any]) -> list[tuple[str, str]]:
    """(kind, message) of everything wrong with the contents of one row."""
    faults: list[tuple[str, str]] = []
    try:
        vertices, faces = decode_mesh(row["mesh"])
        if not np.isfinite(vertices).all():
            faults.append(("not_finite", "watertight_vertices hold NaN or infinity"))
        if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
            faults.append(("inconsistent", f"watertight_faces point beyond {len(vertices)} vertices"))
        from_glb(row["mesh"]["glb"]).check()
        if row["fields"] is not None:
            fields = decode_fields(row["fields"])
            for name, array in vars(fields).items():
                if isinstance(array, np.ndarray) and array.dtype.kind == "f" and not np.isfinite(array).all():
                    faults.append(("not_finite", f"{name} holds NaN or infinity"))
            if not faults:
                faults += check_surface(vertices, faces, fields)
        if row["views"] is not None:
            faults += check_views(decode_views(row["views"]))
    except (ShardError, AssetError) as error:
        faults.append(("unreadable", str(error)))
    return faults


def check_surface(vertices: NDArray[np.float32], faces: NDArray[np.int32], fields: Fields) -> list[tuple[str, str]]:
    """Does the closed surface face outwards, and do the sampled normals with it? (kind, message) for each that does not."""
    if not len(faces):
        return []
    if (inside := volume(vertices, faces)) < 0:
        return [("normals", f"the watertight surface is inside out: its volume is {inside:.3g}")]
    sampled = fields.surface[:4096]
    if not len(sampled):
        return []
    _, near, _ = MeshQuery(vertices, faces).closest(sampled[:, :3])
    along = np.einsum("ij,ij->i", sampled[:, 3:], face_normals(vertices, faces)[near])
    if (share := float((along < -AWAY).mean())) > AWAY_SHARE:
        return [("normals", f"{share:.1%} of the normals of `surface` point inwards; limit {AWAY_SHARE:.0%}")]
    return []


def away_share(cameras: tuple[Camera, ...], normals: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(V,) share of each view's mask whose normals (V, H, W, 3) point away from the camera."""
    shares = np.zeros(len(cameras))
    for i, camera in enumerate(cameras):
        rows, columns = np.nonzero(mask[i])
        if not len(rows):
            continue
        way = np.broadcast_to([0.0, 0.0, 1.0], (len(rows), 3))
        if not camera.orthographic:
            way = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], 1) @ np.linalg.inv(camera.K).T
        way = way @ camera.c2w[:3, :3].T
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        shares[i] = (np.einsum("ij,ij->i", normals[i][rows, columns], way) > AWAY).mean()
    return shares


def check_views(views: Views) -> list[tuple[str, str]]:
    """Do mask, depth, alpha and cameras agree? (kind, message) for each that does not."""
    faults = []
    depth, mask, rgb = (views.passes.get(name) for name in ("depth", "mask", "rgb"))
    for name, array in views.passes.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            faults.append(("not_finite", f"pass '{name}' holds NaN or infinity"))
    if depth is not None and mask is not None and (differs := int(((depth > 0) != mask).sum())):
        faults.append(("inconsistent", f"depth and mask disagree on {differs} pixels"))
    if (
        rgb is not None
        and mask is not None
        and (bare := int((mask & (rgb[..., 3] == 0)).sum())) > BARE_SHARE * max(1, mask.sum())
    ):
        faults.append(("inconsistent", f"{bare} pixels of the mask have no alpha"))
    if depth is not None and not faults:
        stray = stray_share(views.cameras, depth)
        worst = int(stray.argmax())
        if stray[worst] > STRAY_SHARE:
            text = (
                f"{stray[worst]:.1%} of view {worst}'s depth contradicts other views or the unit cube; limit {STRAY_SHARE:.0%}"
            )
            faults.append(("reprojection", text))
    # Wrong cameras turn normals too, and are the better name for it.
    for name in ("normal", "geometric_normal"):
        if name in views.passes and mask is not None and not faults:
            away = away_share(views.cameras, views.passes[name], mask)
            worst = int(away.argmax())
            if away[worst] > AWAY_SHARE:
                text = f"{away[worst]:.1%} of view {worst}'s '{name}' point away from the camera; limit {AWAY_SHARE:.0%}"
                faults.append(("normals", text))
    return faults


def stray_share(cameras: tuple[Camera, ...], depth: NDArray[np.float32], points: int = 2048) -> NDArray[np.float64]:
    """(V,) share of each view's unprojected depth that can't be on the surface the other views see.

    A point strays when it lies outside the box [-1, 1]^3, or when another view sees past it: where the point
    lands, that view shows background, or a surface farther away than the point, in all 3x3 pixels around.
    View i is tested against views i + 1 and i + 2.

    Args:
        depth: (V, H, W) float32, 0 is background.
        points: at most so many pixels per view, evenly picked.
    """
    count = len(cameras)
    shares = np.zeros(count)
    nearest = [_nearest(image) for image in depth]
    for i, camera in enumerate(cameras):
        rows, columns = np.nonzero(depth[i])
        if len(rows) == 0:
            continue
        pick = np.linspace(0, len(rows) - 1, min(points, len(rows))).astype(int)
        world = camera.unproject(depth[i])[rows[pick], columns[pick]]
        stray = (np.abs(world) > 1 + SLACK).any(1)
        for j in {(i + 1) % count, (i + 2) % count} - {i}:
            stray |= _seen_past(cameras[j], nearest[j], world)
        shares[i] = stray.mean()
    return shares


def _nearest(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smallest depth in the 3x3 pixels around; background is infinitely far."""
    far = np.pad(np.where(depth > 0, depth, np.float32(np.inf)), 1, constant_values=np.inf)
    return np.lib.stride_tricks.sliding_window_view(far, (3, 3)).min((2, 3))


def _seen_past(camera: Camera, nearest: NDArray[np.float32], world: NDArray[np.float64]) -> NDArray[np.bool_]:
    pixels, z = camera.project(world)
    x, y = np.floor(pixels).astype(np.int64).T
    inside = (z > 0) & (x >= 1) & (y >= 1) & (x < camera.width - 1) & (y < camera.height - 1)
    seen_past = np.zeros(len(world), bool)
    footprint = z[inside] / camera.K[0, 0] if not camera.orthographic else 1 / camera.K[0, 0]
    seen_past[inside] = nearest[y[inside], x[inside]] > z[inside] + SLACK + 2 * footprint
    return seen_past
