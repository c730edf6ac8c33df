"""What the stand-alone command writes for one file: NAME.glb, NAME.watertight.ply, NAME.fields.npz and NAME.json."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from versemill.curated import Curated, Rejected
from versemill.curation.config import CurationConfig, FieldsConfig, LoadLimits
from versemill.curation.fields import sample
from versemill.curation.ingest import load
from versemill.curation.pipeline import curate
from versemill.errors import AssetError
from versemill.fields import FIELD_ARRAYS, Fields
from versemill.gltf import to_glb

MEANINGS = {
    "as_is": " (the mesh was closed already)",
    "union": " (closed parts joined)",
    "capped_union": " (parts closed, then joined)",
    "winding": " (rebuilt from winding numbers)",
    "shell": " (a thin closed shell around an open surface)",
}
"""What made the watertight surface, for people; see `curation.watertight`."""


def curate_file(
    path: Path,
    out: Path,
    config: CurationConfig | None = None,
    fields: FieldsConfig | None = None,
    limits: LoadLimits | None = None,
    root: Path | None = None,
) -> Curated | Rejected:
    """Curates one mesh file and writes the results into the folder `out`, which is made if need be.

    A rejected file gets its NAME.json alone, with the reason. `root`: see `load`.
    """
    path, out = Path(path), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    try:
        answer = curate(load(path, limits or LoadLimits(), root), config or CurationConfig())
    except AssetError as error:
        answer = Rejected("ingest", error.reason, str(error))
    if isinstance(answer, Rejected):
        return write_rejected(path, out, answer)
    arrays = sample(answer, fields or FieldsConfig())
    (out / f"{path.stem}.glb").write_bytes(to_glb(answer.asset))
    write_ply(out / f"{path.stem}.watertight.ply", answer)
    np.savez_compressed(out / f"{path.stem}.fields.npz", **{name: getattr(arrays, name) for name in FIELD_ARRAYS})
    write_report(out / f"{path.stem}.json", report(path.name, answer, arrays))
    return answer


def summarise_file(path: Path, out: Path, config: CurationConfig, root: Path | None = None) -> str | Rejected:
    """`curate_file`, answered in a line where the file is kept: what a process tells another."""
    answer = curate_file(path, out, config, root=root)
    if isinstance(answer, Rejected):
        return answer
    method = answer.methods["watertight"]
    meaning = MEANINGS.get(method, "")
    return (
        f"{len(answer.asset.faces):,} faces; watertight surface of {len(answer.watertight_faces):,} faces by {method}{meaning}"
    )


def write_rejected(path: Path, out: Path, answer: Rejected) -> Rejected:
    """Writes a rejected file's NAME.json, and gives the reason back."""
    out.mkdir(parents=True, exist_ok=True)
    write_report(out / f"{path.stem}.json", report(path.name, answer))
    return answer


def report(name: str, answer: Curated | Rejected, fields: Fields | None = None) -> dict[str, Any]:
    """JSON-able account of one file: kept or not, why, how, and every measurement."""
    if isinstance(answer, Rejected):
        return {"file": name, "kept": False, "rejected": answer.__dict__}
    return {
        "file": name,
        "kept": True,
        "metrics": answer.metrics,
        "methods": answer.methods,
        "tags": list(answer.tags),
        "frame": {"up": "z", "center": list(answer.asset.center), "scale": answer.asset.scale, "sdf_sign": "negative inside"},
        "provenance": answer.asset.provenance,
        "fields": None if fields is None else fields.stats,
    }


def write_report(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON with sorted keys."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True, default=float) + "\n")


def write_ply(path: Path, curated: Curated) -> None:
    """The watertight surface as binary PLY, vertices shared, so that it reads back closed."""
    surface = trimesh.Trimesh(curated.watertight_vertices, curated.watertight_faces, process=False)
    surface.export(path, file_type="ply")
