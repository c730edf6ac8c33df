"""COCO: images with one annotation per visible part, as BlenderProc's COCO writer gives: `images/`, `coco_annotations.json`.

Masks are uncompressed run lengths (column-major counts, background first); boxes are [x, y, width, height] in pixels;
category ids start at 1. Cameras are stored as `cam_K` and `cam2world` (OpenCV axes, Z up, world units) in each image's entry.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, png, rgba, save, text


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed RLE: lengths of runs in column-major order, the first of background."""
    flat = np.concatenate([[False], mask.T.reshape(-1)])
    edges = np.flatnonzero(np.diff(flat))
    return np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()


def _annotation(mask: NDArray[np.bool_], category: int) -> dict[str, Any]:
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    return {
        "category_id": category + 1,
        "bbox": [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1],
        "area": len(rows),
        "iscrowd": 0,
        "segmentation": {"counts": runs(mask), "size": list(mask.shape)},
    }


def write(item: Item, out: Path) -> Entry:
    """Writes one asset's images; its annotations wait in the entry."""
    parts = item.images("part") if item.has("part") else np.where(item.images("mask"), 0, -1)
    views = []
    for k, camera in enumerate(item.cameras):
        name = f"images/{item.id}-{k:03d}.png"
        save(out / name, png(rgba(item.views["rgb"][k])))
        annotations = [_annotation(parts[k] == part, int(part)) for part in np.unique(parts[k]) if part >= 0]
        image = {"file_name": name, "width": camera.width, "height": camera.height, "cam_K": camera.K.reshape(-1).tolist(),
                 "cam2world": camera.c2w.tolist()}  # fmt: skip
        views.append({"image": image, "annotations": annotations})
    return {"views": views}


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes coco_annotations.json with ids counted over all assets."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for view in (view for entry in entries for view in entry["views"]):
        images.append({"id": len(images), **view["image"]})
        for annotation in view["annotations"]:
            annotations.append({"id": len(annotations) + 1, "image_id": images[-1]["id"], **annotation})
    names = sorted({a["category_id"] for a in annotations})
    categories = [{"id": c, "name": f"part_{c - 1}", "supercategory": "part"} for c in names]
    info = {"description": "exported by versemill", "version": "1.0"}
    save(out / "coco_annotations.json", text({"info": info, "licenses": [], "categories": categories, "images": images,
                                              "annotations": annotations}))  # fmt: skip


FORMAT = Format(
    summary="COCO: RGBA images, part masks as run lengths, cameras next to them (OpenCV, Z up)",
    columns=("views",),
    write=per_asset(write),
    finish=finish,
)
