"""What shape autoencoders read: TripoSG's dictionary, Hunyuan3D-2.1's `geo_data`, Dora's and CraftsMan's NPZ.

All of them train in glTF's axes (Y up) within [-1, 1]^3, and all count signed distance positive inside.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.ply import to_ply
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, angle_x, c2w_opengl, npz, obj, png, rgba, save, text, y_up

Points = NDArray[np.float32]

DORA_NEAR = 400_000
"""Dora's reader cuts `rand_points` at this row: points near the surface come before, points of the volume after."""

HUNYUAN_VIEWS = 24


def _with_sdf(points: Points, sdf: Points) -> Points:
    """(n, 4) points in Y-up axes with their distance, positive inside."""
    return np.concatenate([y_up(points), -sdf[:, None]], 1).astype(np.float32)


def _sharp(item: Item) -> Points:
    """Points on sharp edges, or uniform ones where the surface has none: readers draw from an array that is not empty."""
    fields = item.fields
    return fields.sharp_surface if len(fields.sharp_surface) else fields.surface


def _sharp_near(item: Item) -> tuple[Points, Points]:
    fields = item.fields
    some = len(fields.sharp_near_points) > 0
    return (fields.sharp_near_points, fields.sharp_near_sdf) if some else (fields.near_points, fields.near_sdf)


def write_triposg(item: Item, out: Path) -> Entry:
    """`{id}.npy`: a pickled dictionary of `surface_points` and `surface_normals`, (n, 3) float32 each.

    Pickled because that is what its reader opens; nothing here ever reads one.
    """
    surface = y_up(item.fields.surface)
    data: Any = {"surface_points": surface[:, :3], "surface_normals": surface[:, 3:]}
    buffer = io.BytesIO()
    np.save(buffer, data, allow_pickle=True)
    save(out / f"{item.id}.npy", buffer.getvalue())
    return {}


def write_hunyuan(item: Item, out: Path) -> Entry:
    """`{id}/geo_data/` (surface and SDF points in float16, watertight OBJ) and `{id}/render_cond/` (24 views)."""
    item.count(HUNYUAN_VIEWS, "Hunyuan3D-2.1")
    fields, geometry, renders = item.fields, out / item.id / "geo_data", out / item.id / "render_cond"
    vertices, faces = item.watertight
    surfaces = {"random_surface": y_up(fields.surface), "sharp_surface": y_up(_sharp(item))}
    save(geometry / f"{item.id}_surface.npz", npz({k: v.astype(np.float16) for k, v in surfaces.items()}))
    sets = {"vol": (fields.vol_points, fields.vol_sdf), "random_near": (fields.near_points, fields.near_sdf),
            "sharp_near": _sharp_near(item)}  # fmt: skip
    arrays: dict[str, NDArray[Any]] = {}
    for name, (points, sdf) in sets.items():
        arrays[f"{name}_points"] = y_up(points).astype(np.float16)
        arrays[f"{name}_label"] = (-sdf).astype(np.float16)
    save(geometry / f"{item.id}_sdf.npz", npz(arrays))
    save(geometry / f"{item.id}_watertight.obj", obj(y_up(vertices), faces))
    frames = []
    for k, camera in enumerate(item.cameras[:HUNYUAN_VIEWS]):
        save(renders / f"{k:03d}.png", png(rgba(item.views["rgb"][k])))
        frames.append({"file_path": f"{k:03d}.png", "camera_angle_x": angle_x(camera),
                       "transform_matrix": c2w_opengl(camera).tolist()})  # fmt: skip
    save(renders / "transforms.json", text({"frames": frames}))
    save(renders / "mesh.ply", to_ply(vertices, faces))
    return {}


def write_dora(item: Item, out: Path) -> Entry:
    """`{id}.npz`: coarse and sharp surfaces (n, 6), `rand_points` and `sharp_near_surface` (n, 4), float32.

    Near points are repeated in order, or cut, to the row where Dora's reader cuts.
    """
    fields = item.fields
    near, vol = _with_sdf(fields.near_points, fields.near_sdf), _with_sdf(fields.vol_points, fields.vol_sdf)
    arrays: dict[str, NDArray[Any]] = {
        "fps_coarse_surface": y_up(fields.surface),
        "fps_sharp_surface": y_up(_sharp(item)),
        "rand_points": np.concatenate([near[np.arange(DORA_NEAR) % len(near)], vol]),
        "sharp_near_surface": _with_sdf(*_sharp_near(item)),
    }
    save(out / f"{item.id}.npz", npz(arrays))
    return {}


def write_craftsman(item: Item, out: Path) -> Entry:
    """`{id}.npz`: `surface` (n, 6), `rand_points` (m, 3) near and in the volume, `sdfs` (m,); float32."""
    fields = item.fields
    arrays: dict[str, NDArray[Any]] = {
        "surface": y_up(fields.surface),
        "rand_points": y_up(np.concatenate([fields.near_points, fields.vol_points])),
        "sdfs": -np.concatenate([fields.near_sdf, fields.vol_sdf]),
    }
    save(out / f"{item.id}.npz", npz(arrays))
    return {}


def finish_splits(out: Path, entries: list[Entry]) -> None:
    """Writes one JSON list of ids per split."""
    for split in sorted({entry["split"] for entry in entries}):
        save(out / f"{split}.json", text([entry["id"] for entry in entries if entry["split"] == split]))


TRIPOSG = Format("TripoSG: surface points and normals; Y up, [-1, 1]^3", ("fields",), per_asset(write_triposg), finish_splits)
HUNYUAN = Format(
    "Hunyuan3D-2.1: geo_data and render_cond; Y up, [-1, 1]^3, SDF positive inside; 24 views",
    ("fields", "mesh", "views"),
    per_asset(write_hunyuan),
    finish_splits,
)
DORA = Format(
    "Dora: surface and SDF points; Y up, [-1, 1]^3, SDF positive inside", ("fields",), per_asset(write_dora), finish_splits
)
CRAFTSMAN = Format(
    "CraftsMan, Step1X-3D: surface and SDF points; Y up, [-1, 1]^3, SDF positive inside",
    ("fields",),
    per_asset(write_craftsman),
    finish_splits,
)
