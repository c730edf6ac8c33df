"""OpenLRM: `{id}/rgba/%03d.png`, `{id}/pose/%03d.npy` (3, 4) camera to world in OpenGL axes, `{id}/intrinsics.npy`.

`intrinsics.npy` is [[fx, fy], [cx, cy], [width, height]] in pixels, one for all views. World units, Z up. `{split}.json`
lists ids.
"""

from pathlib import Path

import numpy as np

from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, c2w_opengl, npy, png, rgba, save, text


def write(item: Item, out: Path) -> Entry:
    """Writes one object folder."""
    folder, K, camera = out / item.id, item.K, item.cameras[0]
    save(folder / "intrinsics.npy", npy(np.array([[K[0, 0], K[1, 1]], [K[0, 2], K[1, 2]], [camera.width, camera.height]])))
    for k, view in enumerate(item.cameras):
        save(folder / "rgba" / f"{k:03d}.png", png(rgba(item.views["rgb"][k])))
        save(folder / "pose" / f"{k:03d}.npy", npy(c2w_opengl(view)[:3]))
    return {}


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes one list of ids per split."""
    for split in sorted({entry["split"] for entry in entries}):
        save(out / f"{split}.json", text([entry["id"] for entry in entries if entry["split"] == split]))


FORMAT = Format(
    summary="OpenLRM: RGBA, c2w 3x4, one K; OpenGL, Z up, world units",
    columns=("views.width", "views.height", "views.count", "views.c2w", "views.K", "views.orthographic", "views.rgb"),
    write=per_asset(write),
    finish=finish,
)
