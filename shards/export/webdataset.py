"""WebDataset: one tar per shard, `{id}.{view}.{pass}.{type}` members, each sample's together, bytes reproducible.

Members: `{id}.000.rgb.png` (RGBA), `{id}.000.depth.npy` (H, W) float32 planar z, `{id}.000.normal.npy` (H, W, 3) float32,
`{id}.000.mask.png`, then `{id}.cameras.json` (c2w 4x4 OpenCV, K), `{id}.fields.npz`, `{id}.mesh.glb`, `{id}.meta.json`.
Keys hold no dots and are unique over the dataset.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from versemill.fields import FIELD_ARRAYS
from versemill.files import written_aside
from versemill.shards.export import Entry, Format
from versemill.shards.export.item import Item, npy, npz, png, rgba, save, text
from versemill.shards.rows import decode_table


def members(item: Item) -> Iterator[tuple[str, bytes]]:
    """Names and contents of one sample's files, sorted as written."""
    if item.row["views"] is not None:
        cameras = [{"c2w": c.c2w.tolist(), "K": c.K.tolist(), "width": c.width, "height": c.height} for c in item.cameras]
        arrays = {name: item.images(name) for name in ("depth", "mask", "normal") if item.has(name)}
        for k in range(len(cameras)):
            if "depth" in arrays:
                yield f"{k:03d}.depth.npy", npy(arrays["depth"][k])
            if "mask" in arrays:
                yield f"{k:03d}.mask.png", png(arrays["mask"][k].astype(np.uint8) * 255)
            if "normal" in arrays:
                yield f"{k:03d}.normal.npy", npy(np.ascontiguousarray(arrays["normal"][k]))
            if item.has("rgb"):
                yield f"{k:03d}.rgb.png", png(rgba(item.views["rgb"][k]))
        yield "cameras.json", text(cameras)
    if item.row["fields"] is not None:
        yield "fields.npz", npz({name: decode_table(item.row["fields"][name]) for name in FIELD_ARRAYS})
    yield "mesh.glb", item.row["mesh"]["glb"]
    yield "meta.json", text(item.meta)


def write(items: Iterator[Item], out: Path, shard: str) -> list[Entry]:
    """Writes `{shard}.tar`, renamed when it is whole."""
    path = out / f"{shard}.tar"
    entries: list[Entry] = []
    with written_aside(path) as aside, tarfile.open(aside, "w", format=tarfile.USTAR_FORMAT) as tar:
        for item in items:
            for name, data in members(item):
                info = tarfile.TarInfo(f"{item.id}.{name}")
                info.size, info.mode = len(data), 0o444
                tar.addfile(info, io.BytesIO(data))
            entries.append({"id": item.id, "split": item.row["meta"]["split"], "tar": path.name})
    return entries


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes the list of tars that hold anything."""
    save(out / "shards.txt", "".join(f"{name}\n" for name in dict.fromkeys(e["tar"] for e in entries)).encode())


FORMAT = Format(
    summary="webdataset: tars with PNG, NPY, JSON; c2w, OpenCV, Z up, world units",
    columns=("mesh", "views", "fields"),
    write=write,
    finish=finish,
)
