"""LGM's template: `{id}/rgb/%03d.png` (RGBA) and `{id}/pose/%03d.txt`, 16 numbers, camera to world.

The world is Blender's (Z up) and the camera's axes are OpenCV's, which are this project's own. LGM's provider is a
template: it raises until its reader edits it, and it scales by the first camera's distance; so units stay world units.
"""

from pathlib import Path

from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, listing, png, rgba, save


def write(item: Item, out: Path) -> Entry:
    """Writes one object folder."""
    for k, camera in enumerate(item.cameras):
        save(out / item.id / "rgb" / f"{k:03d}.png", png(rgba(item.views["rgb"][k])))
        save(out / item.id / "pose" / f"{k:03d}.txt", (" ".join(map(repr, camera.c2w.reshape(-1).tolist())) + "\n").encode())
    return {}


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes the list of ids."""
    save(out / "list.txt", "".join(f"{name}\n" for name in listing(entries)).encode())


FORMAT = Format(
    summary="LGM's provider template: RGBA and c2w; OpenCV camera axes, Z up, world units",
    columns=("views.width", "views.height", "views.count", "views.c2w", "views.K", "views.orthographic", "views.rgb"),
    write=per_asset(write),
    finish=finish,
)
