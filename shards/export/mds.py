"""MDS, the shards of mosaicml-streaming: one or more `*.mds` files per shard and one `index.json`.

A sample has `id`, `caption` (str), `cameras` and `meta` (json), `glb` (bytes), and for each view `rgb_000` (png) and
`depth_000` (bytes of an NPY, float32 planar z). Cameras are c2w in OpenCV axes, Z up, world units. All assets need the same
number of views. File layout: uint32 sample count, uint32 offsets (count + 1, from the file's start), a JSON of the
columns, then the samples; a sample is the uint32 sizes of its columns, then their bytes.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from versemill.config import canonical_json
from versemill.errors import ConfigError
from versemill.shards.export import Entry, Format
from versemill.shards.export.item import Item, npy, png, rgba, save, text

SIZE_LIMIT = 1 << 26


def _sample(item: Item) -> dict[str, tuple[str, bytes]]:
    """Column -> (encoding, bytes), sorted by name as the reader expects."""
    cameras = [{"c2w": c.c2w.tolist(), "K": c.K.tolist(), "width": c.width, "height": c.height} for c in item.cameras]
    sample = {
        "id": ("str", item.id.encode()),
        "caption": ("str", item.row["meta"]["caption"].encode()),
        "cameras": ("json", json.dumps(cameras).encode()),
        "meta": ("json", canonical_json(item.meta).encode()),
        "glb": ("bytes", item.row["mesh"]["glb"]),
    }
    depth = item.images("depth") if item.has("depth") else ()
    for k, cell in enumerate(item.views["rgb"]):
        sample[f"rgb_{k:03d}"] = ("png", png(rgba(cell)))
    for k, image in enumerate(depth):
        sample[f"depth_{k:03d}"] = ("bytes", npy(image))
    return dict(sorted(sample.items()))


def write(items: Iterator[Item], out: Path, shard: str) -> list[Entry]:
    """Writes `{shard}.{part}.mds`; a new part begins before a file outgrows the size limit."""
    entries: list[Entry] = []
    parts: list[dict[str, Any]] = []
    columns: dict[str, str] = {}
    waiting: list[bytes] = []

    def flush() -> None:
        name = f"{shard}.{len(parts):03d}.mds"
        info = _info(columns)
        data = _file(waiting, info)
        save(out / name, data)
        parts.append({**info, "raw_data": {"basename": name, "bytes": len(data), "hashes": {}},
                      "samples": len(waiting), "version": 2, "zip_data": None})  # fmt: skip
        waiting.clear()

    for item in items:
        sample = _sample(item)
        encodings = {name: encoding for name, (encoding, _) in sample.items()}
        if columns and encodings != columns:
            raise ConfigError(f"MDS needs the same columns in every sample, but asset {item.id} has other views or passes")
        columns = encodings
        data = [data for _, data in sample.values()]
        encoded = struct.pack(f"<{len(data)}I", *map(len, data)) + b"".join(data)
        if waiting and sum(map(len, waiting)) + len(encoded) > SIZE_LIMIT:
            flush()
        waiting.append(encoded)
        entries.append({"id": item.id, "split": item.row["meta"]["split"], "parts": parts if not entries else []})
    if waiting:
        flush()
    return entries


def _info(columns: dict[str, str]) -> dict[str, Any]:
    return {"column_encodings": list(columns.values()), "column_names": list(columns), "column_sizes": [None] * len(columns),
            "compression": None, "format": "mds", "hashes": [], "size_limit": SIZE_LIMIT}  # fmt: skip


def _file(samples: list[bytes], info: dict[str, Any]) -> bytes:
    header = json.dumps(info, sort_keys=True).encode()
    begin = 4 + 4 * (len(samples) + 1) + len(header)
    offsets = [begin]
    for sample in samples:
        offsets.append(offsets[-1] + len(sample))
    return struct.pack(f"<I{len(offsets)}I", len(samples), *offsets) + header + b"".join(samples)


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes index.json over all files."""
    parts = [part for entry in entries for part in entry["parts"]]
    save(out / "index.json", text({"shards": parts, "version": 2}))


FORMAT = Format(
    summary="mosaicml-streaming: MDS shards; c2w, OpenCV, Z up, world units",
    columns=("views", "mesh.glb"),
    write=write,
    finish=finish,
)
