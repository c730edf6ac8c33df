"""MeshLab's repairs, in their own program behind a pipe: see `curation.meshlab_worker`."""

import dataclasses
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from versemill.asset import Asset
from versemill.curation.bake import bake
from versemill.errors import AssetError, MissingDependencyError
from versemill.mesh import adjacency, face_areas
from versemill.queries import MeshQuery

Arrays = dict[str, NDArray[Any]]
WORKER = Path(__file__).with_name("meshlab_worker.py")
INSTALL = "pip install 'versemill[meshlab]' (and on Debian: apt-get install libgl1 libopengl0)"


def run(job: dict[str, Any], vertices: ArrayLike, faces: ArrayLike, seconds: float, uvs: ArrayLike | None = None) -> Arrays:
    """Sends one job to a fresh worker program and waits at most `seconds`.

    Args:
        job: {"name": "decimate" | "close_holes" | "remesh" | "alpha_wrap", and its options}.

    Returns:
        "vertices" (V, 3) float64, "faces" (F, 3) int32, and where they survive "uvs" (F, 3, 2) and "origin" (F,).

    Raises:
        MissingDependencyError: pymeshlab or xatlas can't be imported.
        AssetError: "not_finite" or "bad_index" before anything is sent (MeshLab hangs on NaN); "meshlab_timeout",
            "meshlab_crashed" or "meshlab_failed" after.
    """
    points, triangles = np.asarray(vertices), np.asarray(faces)
    if not np.isfinite(points).all() or (uvs is not None and not np.isfinite(np.asarray(uvs)).all()):
        raise AssetError("not_finite", f"the mesh for MeshLab's {job['name']} holds NaN or infinity")
    if len(triangles) == 0 or triangles.min() < 0 or triangles.max() >= len(points):
        raise AssetError("bad_index", f"the mesh for MeshLab's {job['name']} has no faces, or indices out of range")
    arrays = {"vertices": points, "faces": triangles, "job": np.array(json.dumps(job))}
    if uvs is not None:
        arrays["uvs"] = np.asarray(uvs)
    request = io.BytesIO()
    np.savez(request, **arrays)  # type: ignore[arg-type]
    # -P: the worker's own folder stays off the import path, so that it loads numpy and pymeshlab alone.
    with subprocess.Popen(
        [sys.executable, "-P", str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as worker:
        try:
            answer, said = worker.communicate(request.getvalue(), timeout=seconds)
        except subprocess.TimeoutExpired as error:
            worker.kill()
            raise AssetError(
                "meshlab_timeout", f"MeshLab's {job['name']} took longer than {seconds:g} s and was stopped"
            ) from error
    last = (said.decode(errors="replace").strip().splitlines() or [""])[-1]
    if worker.returncode == 3:
        raise MissingDependencyError(f"{last}; to install it: {INSTALL}")
    if worker.returncode < 0:
        name = signal.Signals(-worker.returncode).name
        raise AssetError("meshlab_crashed", f"MeshLab's {job['name']} died of {name}: {last}")
    if worker.returncode:
        raise AssetError("meshlab_failed", f"MeshLab's {job['name']} failed: {last}")
    with np.load(io.BytesIO(answer), allow_pickle=False) as result:
        outputs = {name: result[name] for name in result.files}
    if len(outputs["faces"]) == 0 or not np.isfinite(outputs["vertices"]).all():
        raise AssetError("meshlab_failed", f"MeshLab's {job['name']} gave {len(outputs['faces'])} faces or broken vertices")
    return outputs


def decimate(vertices: ArrayLike, faces: ArrayLike, target: int, seconds: float = 60.0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Vertices (V, 3) float64 and faces (F, 3) int32 of the mesh collapsed to about `target` faces; closed stays closed."""
    arrays = run({"name": "decimate", "target": int(target)}, vertices, faces, seconds)
    return arrays["vertices"], arrays["faces"]


def reduce(asset: Asset, target: int, how: str = "auto", size: int = 1024, seconds: float = 60.0) -> tuple[Asset, str]:
    """The asset with at most about `target` faces, its looks kept.

    Args:
        how: "auto" collapses edges and keeps UVs, materials and parts, where UVs run on across most edges; where they don't
            (vertex colours, a chart per face) or there are several sets it does as "bake": edges are collapsed for the shape's
            sake alone and the looks baked into a new atlas of `size` texels. "remesh": even triangles instead of collapsed
            ones, baked likewise.

    Returns:
        the asset, and what was done: "kept_uvs", "untextured", "baked" or "remeshed".
    """
    if how == "auto":
        textured = bool(np.ptp(asset.uvs) > 0)
        if not textured or (asset.uv_sets == 1 and seams(asset) < 0.5):
            job = {"name": "decimate", "target": int(target)}
            arrays = run(job, asset.vertices, asset.faces, seconds, asset.uvs if textured else None)
            return _rebuilt(asset, arrays, arrays["origin"]), "kept_uvs" if textured else "untextured"
    job = {"name": "decimate", "target": int(target), "atlas": int(size)}
    if how == "remesh":
        # Even triangles of that area each have edges of this length.
        length = float(np.sqrt(face_areas(asset.vertices, asset.faces).sum() / target * 4 / np.sqrt(3)))
        job |= {"name": "remesh", "length": length, "crease": 30.0}
    arrays = run(job, asset.vertices, asset.faces, seconds)
    shape = arrays["vertices"].astype(np.float32), arrays["faces"].astype(np.int32), arrays["uvs"].astype(np.float32)
    return bake(asset, *shape, size), "remeshed" if how == "remesh" else "baked"


def seams(asset: Asset) -> float:
    """Share of the edges between two faces where their UVs differ."""
    pairs, ends = adjacency(asset.faces)
    if not len(pairs):
        return 0.0
    corners = [(asset.faces[pairs[:, k], :, None] == ends[:, None, :]).argmax(1) for k in (0, 1)]
    first, second = (asset.uvs[pairs[:, k, None], corners[k]] for k in (0, 1))
    return float((np.abs(first - second) > 1e-5).any((1, 2)).mean())


def close_holes(asset: Asset, edges: int, seconds: float = 60.0) -> Asset:
    """The asset with holes of at most `edges` edges closed; a cap takes material, part and UV of the face nearest to it."""
    arrays = run({"name": "close_holes", "edges": int(edges)}, asset.vertices, asset.faces, seconds)
    return _rebuilt(asset, arrays, _nearest_faces(asset, arrays))


def _nearest_faces(asset: Asset, arrays: Arrays) -> NDArray[np.int64]:
    middles = arrays["vertices"][arrays["faces"]].mean(1)
    return MeshQuery(asset.vertices, asset.faces).closest(middles)[1].astype(np.int64)


def _rebuilt(asset: Asset, arrays: Arrays, origin: NDArray[np.int64]) -> Asset:
    faces = arrays["faces"].astype(np.int32)
    if "uvs" in arrays:
        uvs = arrays["uvs"].astype(np.float32)
    else:
        # Old faces keep their corners; a new one wears its neighbour's first corner.
        same = (
            (asset.faces[origin] == faces).all(1)
            if len(asset.vertices) == len(arrays["vertices"])
            else np.zeros(len(faces), bool)
        )
        uvs = np.where(same[:, None, None], asset.uvs[origin], asset.uvs[origin][:, :1])
    return dataclasses.replace(
        asset,
        vertices=arrays["vertices"].astype(np.float32),
        faces=faces,
        uvs=np.ascontiguousarray(uvs),
        material_ids=asset.material_ids[origin],
        part_ids=asset.part_ids[origin],
        normals=None,
    )
