"""One asset's way through curation: check, normalise, clean, filter, make watertight."""

import dataclasses
from pathlib import Path
from typing import Any, TypeAlias

import trimesh

from versemill import seeds
from versemill.asset import Asset
from versemill.curated import Curated, Rejected
from versemill.curation import meshlab
from versemill.curation.clean import clean
from versemill.curation.config import CurationConfig
from versemill.curation.features import features
from versemill.curation.filters import judge
from versemill.curation.image_features import fingerprint, image_features
from versemill.curation.ingest import load
from versemill.curation.orient import rest_pose
from versemill.curation.scores import score
from versemill.curation.watertight import make_watertight
from versemill.detail import measure
from versemill.errors import AssetError
from versemill.materials.material import CLAY
from versemill.mesh import components, topology

Mesh: TypeAlias = Asset | trimesh.Trimesh | trimesh.Scene | str | Path
"""What can be curated: an asset, a trimesh object, or the path of a mesh file."""


def curate(mesh: Mesh, config: CurationConfig | None = None) -> Curated | Rejected:
    """Prepares a mesh for rendering and sampling, or rejects it with a reason (TripoSG section 4, its data-building system).

    Bad meshes end in a rejection, never in an exception.

    Args:
        mesh: an asset; a trimesh mesh or scene, assumed to be Z up; or the path of a file (see `load`).
        config: the default is `CurationConfig()`.
    """
    config = config or CurationConfig()
    try:
        asset = _asset(mesh)
    except AssetError as error:
        return Rejected("ingest", error.reason, str(error))
    try:
        asset = asset.normalized()
    except AssetError as error:
        return Rejected("check", error.reason, str(error))
    if config.raw:
        return Curated(asset, asset.vertices, asset.faces, {"watertight": {}}, {"watertight": "none (curate.raw)"})
    asset, repairs = clean(asset, config.merge_distance, config.min_part, config.device)
    if len(asset.faces) == 0:
        return Rejected("clean", "degenerate", "no triangle with an area is left after cleaning", 0.0, 1.0)
    asset = asset.normalized()
    try:
        asset, fixes = fix(asset, config)
    except AssetError as error:
        return Rejected("fix", error.reason, str(error))
    parts = int(components(asset.faces).max()) + 1
    if parts > config.max_parts:
        return Rejected(
            "clean",
            "too_many_parts",
            f"the mesh has {parts} components; max_parts is {config.max_parts}",
            parts,
            config.max_parts,
        )
    measured = features(asset, config.device)
    verdicts = judge(asset, measured, config.filters)
    dropped = [v for v in verdicts if not v.keep]
    if dropped:
        first = dropped[0]
        return Rejected("filter", first.reason, first.message, first.value, first.threshold)
    result = make_watertight(asset.vertices, asset.faces, seeds.stream(asset.seed, asset.index, "curation/gate"), config)
    if isinstance(result, Rejected):
        return result
    images = image_features(asset.vertices, asset.faces, config.image_models, config.device)
    metrics = {
        "repairs": repairs,
        "score": score(measured, images, config.score_head),
        "features": measured,
        "image_features": images,
        "filters": [dataclasses.asdict(v) for v in verdicts],
        "watertight": result.metrics,
    }
    if config.detail:
        metrics["detail"] = dataclasses.asdict(measure(asset.vertices, asset.faces, config.device))
    return Curated(asset, result.vertices, result.faces, metrics, {**result.methods, **fixes, "score": scored_by(config)})


def _asset(mesh: Mesh) -> Asset:
    if isinstance(mesh, Asset):
        return mesh
    return load(Path(mesh)) if isinstance(mesh, str | Path) else Asset.from_trimesh(mesh)


def scored_by(config: CurationConfig) -> dict[str, Any]:
    """Which head and which image models made the score, by the beginning of their files' SHA-256."""
    models = [f"{Path(path).name} {fingerprint(path)}" for path in config.image_models]
    return {
        "head": f"{Path(config.score_head).name} {fingerprint(config.score_head)}" if config.score_head else "written by hand",
        "image_models": models or "none: curate.image_models is empty, so the score rests on geometry and materials alone",
    }


def fix(asset: Asset, config: CurationConfig) -> tuple[Asset, dict[str, Any]]:
    """Rest pose, closed holes, face budget and clay, each where the configuration asks for it; and what was done.

    Raises:
        AssetError: a MeshLab job failed or passed its deadline.
        MissingDependencyError: a MeshLab job is needed and pymeshlab is not installed.
    """
    done: dict[str, Any] = {}
    if config.orient == "rest":
        asset, done["pose"] = rest_pose(asset, seeds.stream(asset.seed, asset.index, "curation/pose"))
    if config.close_holes and topology(asset.faces).boundary:
        before = len(asset.faces)
        asset = meshlab.close_holes(asset, config.close_holes, config.meshlab_seconds)
        done["cap_faces"] = len(asset.faces) - before
    if config.untextured == "clay" and all(m.source == "default" for m in asset.materials):
        asset = dataclasses.replace(asset, materials=tuple(dataclasses.replace(CLAY, name=m.name) for m in asset.materials))
        done["material"] = "clay"
    if config.face_budget and len(asset.faces) > config.face_budget:
        done["reduced_from"] = len(asset.faces)
        asset, done["reduced_by"] = meshlab.reduce(
            asset, config.face_budget, config.reduce, config.bake_size, config.meshlab_seconds
        )
    return asset.normalized(), done
