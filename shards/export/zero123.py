"""Zero-1-to-3: `{id}/%03d.png` (RGBA) and `%03d.npy` (3, 4) world to camera in OpenGL axes; `valid_paths.json`.

Its objects fill the cube [-0.5, 0.5]^3, so that positions are halved. It reads 12 views and more.
"""

from pathlib import Path

from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, listing, npy, png, rgba, save, text, w2c_opengl

SCALE = 0.5
VIEWS = 12


def write(item: Item, out: Path) -> Entry:
    """Writes one object folder."""
    item.count(VIEWS, "Zero-1-to-3")
    for k, camera in enumerate(item.cameras):
        save(out / item.id / f"{k:03d}.png", png(rgba(item.views["rgb"][k])))
        save(out / item.id / f"{k:03d}.npy", npy(w2c_opengl(camera, SCALE)[:3]))
    return {}


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes the list of ids."""
    save(out / "valid_paths.json", text(listing(entries)))


FORMAT = Format(
    summary="Zero-1-to-3: RGBA and w2c 3x4; OpenGL, Z up, cube of side 1; at least 12 views",
    columns=("views.width", "views.height", "views.count", "views.c2w", "views.K", "views.orthographic", "views.rgb"),
    write=per_asset(write),
    finish=finish,
)
