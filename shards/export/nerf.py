"""NeRF `transforms.json`: one scene folder per asset, for nerfstudio, instant-ngp and the NeRF-synthetic parsers.

`transforms.json` lists every view with a suffix in `file_path`; `transforms_{train,val,test}.json` list them without, as
NeRF-synthetic does, and are written where all views share one centred K. Poses are camera to world, OpenGL axes, Z-up
world, world units. Depth is planar z in 16-bit millimetres (a world unit is a metre), 0 is unknown. Masks are white where
the asset is.
"""

from pathlib import Path
from typing import Any

import numpy as np

from versemill.camera import Camera
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, angle_x, c2w_opengl, png, rgba, save, text

MILLIMETRES = 1000.0


def _intrinsics(camera: Camera) -> dict[str, Any]:
    K = camera.K
    return {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "w": camera.width, "h": camera.height,
            "k1": 0.0, "k2": 0.0, "p1": 0.0, "p2": 0.0, "camera_angle_x": angle_x(camera)}  # fmt: skip


def _parts(count: int) -> dict[str, list[int]]:
    """Of every eight views, counted from the last, one is test and one is val; below three views all are everything."""
    every = list(range(count))
    if count < 3:
        return {"train": every, "val": every, "test": every}
    test, val = set(every[::-8]), set(every[-2::-8])
    return {"train": [i for i in every if i not in test | val], "val": sorted(val), "test": sorted(test)}


def write(item: Item, out: Path) -> Entry:
    """Writes one scene folder."""
    folder = out / item.id
    cameras = item.cameras
    depth = item.images("depth") if item.has("depth") else None
    masks = item.images("mask") if item.has("mask") else None
    frames: list[dict[str, Any]] = []
    for k, camera in enumerate(cameras):
        frame: dict[str, Any] = {"file_path": f"images/{k:03d}.png", "transform_matrix": c2w_opengl(camera).tolist()}
        save(folder / frame["file_path"], png(rgba(item.views["rgb"][k])))
        if depth is not None:
            frame["depth_file_path"] = f"depth/{k:03d}.png"
            save(folder / frame["depth_file_path"], png(np.rint(depth[k] * MILLIMETRES).clip(0, 65535).astype(np.uint16)))
        if masks is not None:
            frame["mask_path"] = f"masks/{k:03d}.png"
            save(folder / frame["mask_path"], png(masks[k].astype(np.uint8) * 255))
        frames.append(frame)
    shared = all(np.array_equal(c.K, cameras[0].K) for c in cameras)
    for frame, camera in zip(frames, cameras, strict=True):
        frame |= {"camera_angle_x": angle_x(camera)} if shared else _intrinsics(camera)
    top = {"camera_model": "OPENCV", **(_intrinsics(cameras[0]) if shared else {}), "aabb_scale": 1}
    save(folder / "transforms.json", text({**top, "frames": frames}))
    centred = np.allclose(cameras[0].K[:2, 2], (cameras[0].width / 2, cameras[0].height / 2))
    if shared and centred:
        for part, views in _parts(len(cameras)).items():
            chosen = [{"file_path": f"./images/{k:03d}", "transform_matrix": frames[k]["transform_matrix"]} for k in views]
            save(folder / f"transforms_{part}.json", text({"camera_angle_x": angle_x(cameras[0]), "frames": chosen}))
    return {"synthetic": bool(shared and centred)}


FORMAT = Format(
    summary="nerfstudio, instant-ngp, NeRF-synthetic: transforms.json; c2w, OpenGL, Z up; depth in 16-bit mm",
    columns=("views",),
    write=per_asset(write),
)
