"""The gallery: assets spread over the dataset, each with its passes from several views, its cameras and its mesh."""

import base64
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill import gltf
from versemill.errors import AssetError
from versemill.mill.folder.census import Facts
from versemill.mill.folder.dataset import Dataset
from versemill.mill.report import geometry
from versemill.render.pictures import colour
from versemill.shards import read_rows
from versemill.shards.dataset import MEGABYTE, RowReader
from versemill.shards.folder import open_shard
from versemill.shards.rows import decode_pass
from versemill.views import PASSES

GALLERY = 16
"""Assets shown in 3D with all their passes, spread evenly over the dataset."""

THUMBNAILS = 500
"""Assets shown in all; those beyond `GALLERY` are one small picture and their words."""

VIEWS = 8
"""Views of an asset shown, spread evenly over those it has."""

SIDE = 192
"""Most pixels of a picture's longer side; smaller renders are shown as they are."""

THUMBNAIL, THUMBNAIL_BYTES = 96, 3_000
"""The same of a picture that stands alone, and its bytes."""

PICTURE_BYTES = 150_000
"""Of all of an asset's pictures together; the quality falls until they fit."""

PROVENANCE = 4000
"""Characters of an asset's history in the page; the shard has the whole."""

CAPTION, WORDS, WORD = 1000, 40, 100
"""Characters of a caption; tags, licences and parts of an asset, and the characters of each."""

POSES = 400
"""Cameras of an asset in the page."""

COLUMNS = ("meta", "views", "mesh.face_count", "mesh.glb")
FEW_COLUMNS = (
    *(f"meta.{name}" for name in ("id", "index", "source", "split", "caption", "tags", "licences", "metrics", "provenance")),
    *("meta.depth_to_surface", "mesh.face_count", "views.count", "views.width", "views.height", "views.rgb"),
)

Array = NDArray[Any]


class Whole(str):
    """A text of the page that is bounded where it is made, and must not be cut: a data URI, the configuration."""

    __slots__ = ()


def chosen(facts: Sequence[Facts], count: int = GALLERY) -> dict[str, list[int]]:
    """Shard file -> positions of the rows to show, evenly spread over all rows; near the start of a shard where one does.

    The first row group is enough for most of a large dataset: a reader stops at the last row that it wants.
    """
    with_rows = [fact for fact in facts if fact["rows"]]
    if not with_rows:
        return {}
    rows = [fact["rows"] for fact in with_rows]
    if len(rows) >= count:
        picked = np.linspace(0, len(rows) - 1, count).astype(int)
        return {with_rows[k]["file"]: [int(n) % min(8, rows[k])] for n, k in enumerate(picked)}
    starts = np.cumsum([0, *rows])
    spread = np.unique(np.linspace(0, starts[-1] - 1, min(count, int(starts[-1]))).astype(int))
    positions: dict[str, list[int]] = {}
    for row in spread:
        k = int(np.searchsorted(starts, row, side="right")) - 1
        positions.setdefault(with_rows[k]["file"], []).append(int(row - starts[k]))
    return positions


def cards(dataset: Dataset, facts: Sequence[Facts]) -> Iterator[dict[str, Any]]:
    """What the page shows of each chosen asset: see `card`. The fewer there are, the more bytes each mesh may have."""
    shown = chosen(facts)
    limit = min(geometry.MESH_BYTES, geometry.PAGE_BYTES // max(sum(map(len, shown.values())), 1))
    for file, positions in shown.items():
        for position, row in enumerate(read_rows(dataset.path(file), COLUMNS, fs=dataset.fs)):
            if position in positions:
                yield card(row, SIDE, limit)
            if position >= positions[-1]:
                break


def thumbnails(dataset: Dataset, facts: Sequence[Facts], count: int = THUMBNAILS) -> Iterator[dict[str, Any]]:
    """Cards of more assets, up to `count` with those of `cards`: one picture, no mesh; only that picture's bytes are read."""
    full = chosen(facts)
    reader = RowReader(dataset.fs, FEW_COLUMNS, MEGABYTE)
    for file, positions in chosen(facts, count).items():
        shard = open_shard(dataset.fs, dataset.path(file))
        for position in positions:
            if position not in full.get(file, ()):
                row = reader.row(shard, position)
                views = row["views"] and {**row["views"], "rgb": row["views"]["rgb"] and row["views"]["rgb"][:1]}
                yield card({**row, "views": views, "mesh": {**row["mesh"], "glb": None}}, THUMBNAIL, 0)


def card(row: dict[str, Any], side: int = SIDE, limit: int = geometry.MESH_BYTES) -> dict[str, Any]:
    """One asset, JSON-able: its texts, `pictures` of at most `side` pixels (see there), a `mesh` of about `limit` bytes.

    `cameras` holds each view's upper (3, 4) of c2w, row by row, and `lens` its (fx, fy, width, height, orthographic).
    """
    meta, views = row["meta"], row["views"] or {}
    metrics = json.loads(meta["metrics"])
    history = json.dumps(json.loads(meta["provenance"]), indent=1) if limit else ""
    return {
        "index": meta["index"],
        **{name: meta[name][:WORD] for name in ("id", "source", "split")},
        **{name: [word[:WORD] for word in meta[name][:WORDS]] for name in ("tags", "licences")},
        "caption": meta["caption"][:CAPTION],
        "error": meta["depth_to_surface"],
        "score": metrics.get("score"),
        "faces": row["mesh"]["face_count"],
        "glb": len(row["mesh"]["glb"] or b""),
        "pictures": pictures(views, side, PICTURE_BYTES if limit else THUMBNAIL_BYTES),
        "cameras": [[round(x, 4) for x in pose[:12]] for pose in (views.get("c2w") or ())[:POSES]],
        "lens": [
            [round(k[0], 2), round(k[4], 2), views["width"], views["height"], int(flat)]
            for k, flat in zip((views.get("K") or ())[:POSES], (views.get("orthographic") or ())[:POSES], strict=True)
        ],
        "mesh": _mesh(row["mesh"]["glb"], limit),
        "history": history[:PROVENANCE] + ("\n..." if len(history) > PROVENANCE else ""),
    }


def _mesh(glb: bytes | None, limit: int) -> dict[str, Any] | None:
    try:
        return geometry.encode(gltf.from_glb(glb), limit) if glb else None
    except AssetError:  # `versemill verify` says so; the page is for looking at the rest
        return None


def pictures(views: dict[str, Any], side: int = SIDE, most: int = PICTURE_BYTES) -> dict[str, Any] | None:
    """All passes of up to `VIEWS` views on one sheet: a row of squares per pass, a column per view.

    Returns:
        {"sheet": data URI, "width", "height" of a cell, "passes": names, "views": numbers}, or None without views.
    """
    names = [name for name in PASSES if views.get(name)]
    if not names:
        return None
    total = len(views[names[0]])
    shown = sorted({int(v) for v in np.linspace(0, total - 1, min(VIEWS, total))})
    scale = min(1.0, side / max(views["width"], views["height"]))
    # A multiple of 16, the size of WebP's blocks, so that no cell bleeds into the next.
    width, height = (max(16, round(views[length] * scale / 16) * 16) for length in ("width", "height"))
    sheet = Image.new("RGBA", (width * len(shown), height * len(names)))
    for r, name in enumerate(names):
        ranges = [views[f"{name}_range"][k] for k in shown] if PASSES[name].quantised else None
        planar = decode_pass(name, [views[name][k] for k in shown], ranges)
        images = transparent(name, np.moveaxis(planar, 1, -1) if PASSES[name].channels else planar)
        for c, image in enumerate(images):
            cell = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
            sheet.paste(cell, (c * width, r * height))
    return {"sheet": webp(sheet, most), "width": width, "height": height, "passes": names, "views": shown}


def transparent(name: str, images: Array) -> Array:
    """A pass (N, H, W[, C]) as (N, H, W, 4) uint8: as `render.pictures.colour` shows it, without its paper."""
    if name == "rgb":
        return images
    alpha = np.where(PASSES[name].covered(images), 255, 0).astype(np.uint8)
    return np.concatenate([colour(name, images), alpha[..., None]], -1)


def webp(image: Image.Image, limit: int) -> str:
    """An image as a data URI of at most `limit` bytes before base64, unless no quality is low enough."""
    for quality in (82, 70, 55, 35, 15):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=4)
        if buffer.tell() <= limit:
            break
    return Whole("data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode())
