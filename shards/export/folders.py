"""Plain folders: each asset's mesh, images, cameras, fields and facts as files that any tool opens.

Everything stays in this project's own conventions: Z up, OpenCV camera to world, planar depth, SDF negative inside.
"""

from pathlib import Path

import numpy as np

from versemill.fields import FIELD_ARRAYS
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, npy, npz, png, rgba, save, text
from versemill.shards.rows import decode_table
from versemill.views import PASSES


def write(item: Item, out: Path) -> Entry:
    """Writes one asset's folder."""
    folder = out / item.id
    save(folder / "mesh.glb", item.row["mesh"]["glb"])
    vertices, faces = item.watertight
    save(folder / "watertight.npz", npz({"vertices": vertices, "faces": faces}))
    save(folder / "meta.json", text(item.meta))
    if item.row["fields"] is not None:
        save(folder / "fields.npz", npz({name: decode_table(item.row["fields"][name]) for name in FIELD_ARRAYS}))
    if item.row["views"] is not None:
        cameras = [{"c2w": c.c2w.tolist(), "K": c.K.tolist(), "width": c.width, "height": c.height} for c in item.cameras]
        save(folder / "cameras.json", text(cameras))
        for name in PASSES:
            if not item.has(name):
                continue
            images = [rgba(cell) for cell in item.views["rgb"]] if name == "rgb" else item.images(name)
            for k, image in enumerate(images):
                place = folder / name / f"{k:03d}"
                if name == "rgb":
                    save(place.with_suffix(".png"), png(image))
                elif PASSES[name].kind == "coverage":
                    save(place.with_suffix(".png"), png(image.astype(np.uint8) * 255))
                else:
                    save(place.with_suffix(".npy"), npy(np.ascontiguousarray(image)))
    return {}


FORMAT = Format(
    summary="plain folders: GLB, PNG, NPY, JSON in this project's own conventions",
    columns=("mesh", "views", "fields"),
    write=per_asset(write),
)
