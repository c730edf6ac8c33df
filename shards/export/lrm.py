"""LRM cameras: one `opencv_cameras.json` per asset with opaque RGB images, for LRM-Zero, MegaSynth, Long-LRM and LVSM.

The file is a superset of what these read: `w2c` (4, 4) in OpenCV axes of the Z-up world, world units, intrinsics in
pixels both apart and as `fxfycxcy`, `file_path` relative to the JSON, and `image_path` absolute. `full_list.txt` and
`data_list.txt` hold the JSON paths, absolute and relative.
"""

from pathlib import Path

from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, opaque, png, rgba, save, text


def write(item: Item, out: Path) -> Entry:
    """Writes one scene folder; images are laid over white, because the readers know no alpha."""
    folder = out / item.id
    frames = []
    for k, camera in enumerate(item.cameras):
        path = folder / "images" / f"{k:03d}.png"
        save(path, png(opaque(rgba(item.views["rgb"][k]))))
        fx, fy, cx, cy = (float(camera.K[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
        frames.append({
            "file_path": f"images/{k:03d}.png",
            "image_path": str(path),
            "w": camera.width, "h": camera.height, "fx": fx, "fy": fy, "cx": cx, "cy": cy,
            "fxfycxcy": [fx, fy, cx, cy],
            "w2c": camera.w2c.tolist(),
            "blender_camera_location": camera.center.tolist(),
        })  # fmt: skip
    save(folder / "opencv_cameras.json", text({"scene_name": item.id, "frames": frames}))
    return {}


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes the lists of scenes, and one per split."""
    names = [(entry["split"], f"{entry['id']}/opencv_cameras.json") for entry in entries]
    for part in ("full", *sorted({split for split, _ in names})):
        chosen = [name for split, name in names if part in ("full", split)]
        save(out / f"{part}_list.txt", "".join(f"{out / name}\n" for name in chosen).encode())
    save(out / "data_list.txt", "".join(f"{name}\n" for _, name in names).encode())


FORMAT = Format(
    summary="LRM-Zero, MegaSynth, Long-LRM, LVSM: opencv_cameras.json; w2c, OpenCV, Z up; RGB over white",
    columns=("views.width", "views.height", "views.count", "views.c2w", "views.K", "views.orthographic", "views.rgb"),
    write=per_asset(write),
    finish=finish,
)
