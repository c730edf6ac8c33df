"""HDF5: one file per view, with the keys that BlenderProc's writer gives: `<id>/<view>.hdf5`, gzip inside.

`colors` (H, W, 4) uint8; `depth` (H, W) float32, planar, 1e10 where nothing is; `normals` (H, W, 3) float32
in OpenGL camera axes, mapped from [-1, 1] to [0, 1], 0.5 where nothing is;
`instance_segmaps` (H, W) int32, part id + 1, 0 where nothing is;
`instance_attribute_maps` and `campose` JSON texts. Poses are camera to world, OpenGL axes, Z up, world units.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from versemill.camera import Camera
from versemill.errors import MissingDependencyError
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, c2w_opengl, rgba, save

FAR = 1e10
"""Depth of a pixel that hits nothing, as Blender writes it."""


def write(item: Item, out: Path) -> Entry:
    """Writes one asset's views; passes that were not rendered are left out, but for the colours."""
    instances = (item.images("part") if item.has("part") else np.where(item.images("mask"), 0, -1)) + 1
    depth = item.images("depth") if item.has("depth") else None
    normals = item.images("normal") if item.has("normal") else None
    for k, camera in enumerate(item.cameras):
        parts = [{"idx": int(i), "name": f"part_{i - 1}", "category_id": int(i)} for i in np.unique(instances[k]) if i > 0]
        frame: dict[str, Any] = {"colors": rgba(item.views["rgb"][k])}
        if depth is not None:
            frame["depth"] = np.where(depth[k] > 0, depth[k], FAR).astype(np.float32)
        if normals is not None:
            frame["normals"] = (normals[k] @ c2w_opengl(camera)[:3, :3].astype(np.float32) + 1) / 2
        frame["instance_segmaps"] = instances[k].astype(np.int32)
        frame["instance_attribute_maps"] = json.dumps(parts)
        frame["campose"] = json.dumps([_pose(camera)])
        save(out / item.id / f"{k}.hdf5", _hdf5(frame))
    return {}


def _pose(camera: Camera) -> dict[str, Any]:
    fov = 2 * np.arctan(np.array([camera.width / camera.K[0, 0], camera.height / camera.K[1, 1]]) / 2)
    pose = c2w_opengl(camera)
    return {"location": pose[:3, 3].tolist(), "cam2world_matrix": pose.tolist(), "cam_K": camera.K.tolist(),
            "fov_x": float(fov[0]), "fov_y": float(fov[1])}  # fmt: skip


def _hdf5(frame: dict[str, Any]) -> bytes:
    """The bytes of a file; h5py writes no clock into them."""
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError("the hdf5 export needs h5py: pip install 'versemill[hdf5]'") from error
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for key, value in frame.items():
            if isinstance(value, str):
                file.create_dataset(key, data=np.bytes_(value))
            else:
                file.create_dataset(key, data=value, compression="gzip", compression_opts=1)
    return out.getvalue()


FORMAT = Format(
    summary="HDF5 as BlenderProc writes it: a file per view; c2w, normals in camera axes, OpenGL, Z up, world units",
    columns=("views",),
    write=per_asset(write),
)
