"""Program pairs, for models that write programs: what each asset was built from, next to its caption, mesh and views.

`data/{split}-{shard}.jsonl`, a line per asset: `id`, `split`, `source`, `caption`, `program`, `curation`, `content_hash`,
`mesh` (a GLB's path), `views` (each `image`, a PNG's path; `c2w`, OpenCV camera to world, Z up; `K` in pixels). `program` is
what `rebuild` of the package that `source` names takes: a plan of `versemill.zeroverse`, or a specification of
`versemill.detailverse` with its level, sizes and seed. The mesh is that asset after curation; `curation` names what that
changed, and is empty where it changed nothing. `content_hash` is the curated asset's. Assets of other sources have no program
and are left out.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from versemill.files import written_aside
from versemill.shards.export import LEFT_OUT, Entry, Format
from versemill.shards.export.item import Item, png, rgba, save

PROGRAMS = {
    "zeroverse": ("plan",),
    "detailverse": ("specification", "detail", "texture_size", "face_budget", "seed", "index"),
}
"""Source -> the parts of its assets' provenance that they are built from."""

FIXES = ("pose", "cap_faces", "material", "reduced_from", "reduced_by")
"""What curation notes among its methods where it was asked for more than cleaning."""


def _line(item: Item, folder: Path) -> dict[str, Any] | str:
    """The record of one asset, whose files are written; or the reason why it has none."""
    meta = item.meta
    names, provenance = PROGRAMS.get(meta["source"]), meta["provenance"]
    if names is None:
        return f"source '{meta['source']}' builds from no program; sources that do: {', '.join(PROGRAMS)}"
    if missing := [name for name in names if name not in provenance]:
        return f"its record lacks {', '.join(missing)}: a version of versemill made it that did not keep that"
    save(folder / "meshes" / f"{item.id}.glb", item.row["mesh"]["glb"])
    views = []
    for k, camera in enumerate(item.cameras if item.row["views"] is not None else ()):
        path = f"views/{item.id}/{k:03d}.png"
        save(folder / path, png(rgba(item.views["rgb"][k])))
        views.append({"image": path, "c2w": camera.c2w.tolist(), "K": camera.K.tolist()})
    repairs = {name: count for name, count in meta["metrics"].get("repairs", {}).items() if count}
    return {
        "id": item.id,
        "split": meta["split"],
        "source": meta["source"],
        "caption": meta["caption"],
        "program": {name: provenance[name] for name in names},
        "curation": repairs | {name: meta["methods"][name] for name in FIXES if name in meta["methods"]},
        "content_hash": meta["content_hash"],
        "mesh": f"meshes/{item.id}.glb",
        "views": views,
    }


def write(items: Iterator[Item], out: Path, shard: str) -> list[Entry]:
    """Writes the files of one shard's assets, and their lines by split, renamed when they are whole."""
    (out / "data").mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    with ExitStack() as stack:
        files: dict[str, IO[str]] = {}
        for item in items:
            split, line = item.row["meta"]["split"], _line(item, out)
            if isinstance(line, str):
                entries.append({"id": item.id, "split": split, LEFT_OUT: line})
                continue
            if split not in files:
                aside = stack.enter_context(written_aside(out / "data" / f"{split}-{shard}.jsonl"))
                files[split] = stack.enter_context(aside.open("w"))
            files[split].write(json.dumps(line, allow_nan=False) + "\n")
            entries.append({"id": item.id, "split": split})
    return entries


FORMAT = Format(
    summary="models that write programs: JSONL of program, caption, mesh and views; c2w, OpenCV, Z up, world units",
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
)
