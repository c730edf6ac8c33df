"""InstantMesh: `rendering_random_32views/{id}/` with RGBA, normals, depth and `cameras.npz`; `valid_paths.json`.

`cam_poses` (V, 3, 4) is world to camera; axes are OpenGL's, as its camera utilities are (its data set's are nowhere stated).
Its reader takes 32 views, assumes a field of view of 50 degrees, and reads depth as 8 bit of 6 world units: a quantum of
0.024. World normals n are stored as (n + 1) / 2 in 8 bit.
"""

from pathlib import Path

import numpy as np

from versemill.errors import ConfigError
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, angle_x, listing, npz, png, rgba, save, text, w2c_opengl

FAR = 6.0
FOV = 50.0
VIEWS = 32


def write(item: Item, out: Path) -> Entry:
    """Writes one object folder."""
    folder = out / "rendering_random_32views" / item.id
    count = item.count(VIEWS, "InstantMesh")
    angle = float(np.degrees(angle_x(item.cameras[0])))
    if abs(angle - FOV) > 0.01 or np.ptp([c.K for c in item.cameras], axis=0).any():
        raise ConfigError(f"InstantMesh assumes a field of view of {FOV} degrees, asset {item.id} has {angle:.2f}; "
                          "render with that one")  # fmt: skip
    depth, normal = item.images("depth"), item.images("normal")
    if depth.max() > FAR:
        raise ConfigError(
            f"InstantMesh stores depth up to {FAR}, asset {item.id} reaches {depth.max():.2f}; move cameras nearer"
        )
    for k in range(count):
        image = rgba(item.views["rgb"][k])
        codes = np.rint((normal[k] + 1) / 2 * 255).clip(0, 255).astype(np.uint8)
        hit = depth[k] > 0
        save(folder / f"{k:03d}.png", png(image))
        save(folder / f"{k:03d}_normal.png", png(np.dstack([codes * hit[..., None], np.where(hit, 255, 0).astype(np.uint8)])))
        save(folder / f"{k:03d}_depth.png", png(np.rint(depth[k] / FAR * 255).astype(np.uint8)))
    save(folder / "cameras.npz", npz({"cam_poses": np.stack([w2c_opengl(c)[:3] for c in item.cameras])}))
    return {}


def finish(out: Path, entries: list[Entry]) -> None:
    """Writes the list of ids."""
    save(out / "valid_paths.json", text({"good_objs": listing(entries)}))


FORMAT = Format(
    summary="InstantMesh: RGBA, 8-bit normals and depth, w2c; OpenGL, Z up, world units; 32 views at 50 degrees",
    columns=("views",),
    write=per_asset(write),
    finish=finish,
)
