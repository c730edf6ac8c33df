"""Hugging Face: Parquet that `datasets.load_dataset` opens with its images decoded, and a README with its metadata.

One row is one asset: `id`, `caption`, `source`, `images` (a list of `Image`: lossless WebP or PNG, RGBA), `c2w` (V, 16) OpenCV
camera to world, `K` (V, 9) pixels, `mesh` (`Mesh`: GLB). The hub's viewer shows columns of both types. Files are named by split
and shard.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from versemill.config import digest
from versemill.files import written_aside
from versemill.markdown import table
from versemill.shards.card import dataset_info
from versemill.shards.codecs import encode_colour, is_image_file
from versemill.shards.export import Entry, Format
from versemill.shards.export.item import Item, rgba, save

FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""What `datasets` stores of an `Image` or a `Mesh`; the path's suffix says which kind of file a mesh is."""

_VALUE = {"_type": "Value"}

FEATURES = {
    "id": {"dtype": "string", **_VALUE},
    "caption": {"dtype": "string", **_VALUE},
    "source": {"dtype": "string", **_VALUE},
    "tags": {"feature": {"dtype": "string", **_VALUE}, "_type": "Sequence"},
    "images": {"feature": {"_type": "Image"}, "_type": "Sequence"},
    "c2w": {"feature": {"feature": {"dtype": "float64", **_VALUE}, "_type": "Sequence"}, "_type": "Sequence"},
    "K": {"feature": {"feature": {"dtype": "float64", **_VALUE}, "_type": "Sequence"}, "_type": "Sequence"},
    "mesh": {"_type": "Mesh"},
}

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("caption", pa.string()),
        ("source", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("images", pa.list_(FILE)),
        ("c2w", pa.list_(pa.list_(pa.float64()))),
        ("K", pa.list_(pa.list_(pa.float64()))),
        ("mesh", FILE),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
)

ROWS = 100
GROUP_BYTES = 100 * 10**6
"""Row groups end at so many rows, as `datasets` writes images, or so many bytes of files, whichever comes first: the hub's
viewer reads whole row groups and shows none above 300 MB."""

SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""As `datasets` names them."""


def _row(item: Item) -> dict[str, Any]:
    meta, views = item.row["meta"], item.views
    files = [cell if is_image_file(cell) else encode_colour(rgba(cell), "webp") for cell in views["rgb"]]
    images = [{"bytes": file, "path": f"{item.id}-{k:03d}.{'webp' if file[:4] == b'RIFF' else 'png'}"}
              for k, file in enumerate(files)]  # fmt: skip
    mesh = {"bytes": item.row["mesh"]["glb"], "path": f"{item.id}.glb"}
    return {"id": item.id, "caption": meta["caption"], "source": meta["source"], "tags": meta["tags"], "images": images,
            "c2w": views["c2w"], "K": views["K"], "mesh": mesh}  # fmt: skip


def write(items: Iterator[Item], out: Path, shard: str) -> list[Entry]:
    """Writes `data/{split}-{shard}.parquet` for each split in the shard, renamed when they are whole."""
    (out / "data").mkdir(parents=True, exist_ok=True)
    writers: dict[str, pq.ParquetWriter] = {}
    waiting: dict[str, list[dict[str, Any]]] = {}
    sizes: dict[str, int] = {}
    entries: list[Entry] = []

    def flush(split: str) -> None:
        writers[split].write_table(pa.Table.from_pylist(waiting[split], schema=SCHEMA))
        waiting[split], sizes[split] = [], 0

    with ExitStack() as stack:
        for item in items:
            split = item.row["meta"]["split"]
            if split not in writers:
                aside = stack.enter_context(written_aside(out / "data" / f"{split}-{shard}.parquet"))
                writers[split] = stack.enter_context(pq.ParquetWriter(aside, SCHEMA, use_dictionary=False))
                waiting[split], sizes[split] = [], 0
            row = _row(item)
            size = sum(len(file["bytes"]) for file in (*row["images"], row["mesh"]))
            if waiting[split] and (len(waiting[split]) == ROWS or sizes[split] + size > GROUP_BYTES):
                flush(split)
            waiting[split].append(row)
            sizes[split] += size
            meta = item.row["meta"]
            identity = [meta["config_digest"], meta["seed"], meta["id"], meta["content_hash"]]
            entries.append({"id": item.id, "split": split, "seed": meta["seed"], "config": meta["config_digest"],
                            "identity": digest(identity)})  # fmt: skip
        for split in writers:
            if waiting[split]:
                flush(split)
    return entries


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes README.md with the splits' files, their rows, and what tells this dataset from others."""
    counts = {s: sum(e["split"] == s for e in entries) for s in ("train", "val", "test")}
    filled = {name: rows for name, rows in counts.items() if rows}
    files = [f"  - split: {SPLITS[s]}\n    path: data/{s}-*.parquet" for s in filled]
    made = ", ".join(
        f"configuration {config}, seed {seed}" for config, seed in sorted({(e["config"], e["seed"]) for e in entries})
    )
    identity = f"{made}, content {digest([e['identity'] for e in entries])}"
    lines = ["---", "tags: [3d, multi-view, synthetic, versemill]", "configs:", "- config_name: default", "  data_files:",
             *files, *dataset_info(identity, {SPLITS[s]: n for s, n in filled.items()}), "---", "",
             "# Posed images and meshes", "",
             "One row is one asset: `images` (RGBA), `c2w` (V, 16; camera to world, OpenCV axes, Z up), `K` (V, 9;",
             "pixels), `mesh` (GLB; Y up, as glTF). `images` and `mesh` have the types `Image` and `Mesh` of `datasets` 5.2,",
             "which decodes them with Pillow and trimesh.", "", table(("split", "rows"), counts.items()), ""]  # fmt: skip
    save(out / "README.md", "\n".join(lines).encode())


FORMAT = Format(
    summary="Hugging Face datasets: Parquet with columns of types Image and Mesh, and a README; c2w, OpenCV, Z up, world units",
    columns=(
        "views.count",
        "views.width",
        "views.height",
        "views.c2w",
        "views.K",
        "views.orthographic",
        "views.rgb",
        "mesh.glb",
    ),
    write=write,
    finish=finish,
)
