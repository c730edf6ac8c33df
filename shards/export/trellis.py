"""TRELLIS tree: `metadata.csv`, `renders/{sha256}/`, `renders_cond/{sha256}/`, `voxels/{sha256}.ply`.

Its objects fill the cube [-0.5, 0.5]^3, Z up: positions are halved. `transforms.json` has a `camera_angle_x` per frame, c2w in
OpenGL axes, and `scale`/`offset` from the source's units. Depth, where rendered, is a 16-bit PNG, linear between the
frame's `depth.min` and `depth.max`. Voxels are the centres of occupied cells of a 64^3 grid.
`aesthetic_score` is curation's metric of that name, or 0 where none was computed: set the reader's minimum accordingly.
Features and latents are the reader's own models' business; their columns are false.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from versemill.ply import to_ply
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, angle_x, c2w_opengl, png, rgba, save, text

SCALE = 0.5
GRID = 64


def write(item: Item, out: Path) -> Entry:
    """Writes the renders, conditions and voxels of one object."""
    meta = item.meta
    sha = meta["content_hash"]
    vertices, faces = item.watertight
    depth = item.images("depth") if item.has("depth") else None
    frames: list[dict[str, Any]] = []
    for k, camera in enumerate(item.cameras):
        frame: dict[str, Any] = {
            "file_path": f"{k:03d}.png",
            "camera_angle_x": angle_x(camera),
            "transform_matrix": c2w_opengl(camera, SCALE).tolist(),
        }
        image = png(rgba(item.views["rgb"][k]))
        save(out / "renders" / sha / frame["file_path"], image)
        save(out / "renders_cond" / sha / frame["file_path"], image)
        if depth is not None and (depth[k] > 0).any():
            low, high = (float(f(depth[k][depth[k] > 0])) * SCALE for f in (np.min, np.max))
            codes = np.where(depth[k] > 0, (depth[k] * SCALE - low) / max(high - low, 1e-9), 0)
            frame["depth"] = {"min": low, "max": high}
            save(out / "renders" / sha / f"{k:03d}_depth.png", png(np.rint(codes * 65535).astype(np.uint16)))
        frames.append(frame)
    scale = SCALE / meta["scale"]
    top = {
        "aabb": [[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]],
        "scale": scale,
        "offset": [-scale * c for c in meta["center"]],
        "frames": frames,
    }
    save(out / "renders" / sha / "transforms.json", text(top))
    save(out / "renders_cond" / sha / "transforms.json", text(top))
    save(out / "renders" / sha / "mesh.ply", to_ply(vertices * SCALE, faces))
    voxels = item.fields.voxels
    save(out / "voxels" / f"{sha}.ply", to_ply((voxels.astype(np.float64) + 0.5) / GRID - 0.5))
    save(out / "raw" / f"{item.id}.glb", item.row["mesh"]["glb"])
    return {
        "sha256": sha,
        "file_identifier": item.id,
        "aesthetic_score": float(meta["metrics"].get("aesthetic_score", 0.0)),
        "captions": json.dumps([meta["caption"]]),
        "local_path": f"raw/{item.id}.glb",
        "num_voxels": len(voxels),
    }


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes metadata.csv; flags are True and False, which pandas reads as booleans."""
    rows = [{**{k: v for k, v in entry.items() if k not in ("id", "split")},
             "rendered": True, "voxelized": True, "cond_rendered": True} for entry in entries]  # fmt: skip
    table = io.StringIO()
    if rows:
        writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    save(out / "metadata.csv", table.getvalue().encode())


FORMAT = Format(
    summary="TRELLIS: metadata.csv, renders, renders_cond, voxels; c2w, OpenGL, Z up, cube of side 1",
    columns=("views", "mesh", "fields"),
    write=per_asset(write),
    finish=finish,
)
