"""O-Voxel, TRELLIS.2's format: `dual_grid_R/{sha256}.vxz`, `pbr_voxels_R/{sha256}.vxz`, `mesh_dumps/{sha256}.pickle`, metadata.

As its data toolkit writes them (github.com/microsoft/TRELLIS.2, data_toolkit and trellis2/datasets): objects fill the cube
[-0.5, 0.5]^3, Z up, the longest side 0.99999. A dual grid has `vertices` (3 bytes: the dual vertex within its voxel, times 255)
and `intersected` (bits 0, 1, 2: the edge along x, y, z that ends at the voxel's upper corner is crossed). PBR voxels are the
same voxels with `base_color` (sRGB), `metallic`, `roughness` and `alpha`. Both come from the textured mesh, so that open and
inner surfaces stay. Each folder has a metadata.csv. A surface that crosses no edge of the grid has no voxels and is marked as
not converted.

The mesh dump is pickled because that is what its reader opens; nothing here ever reads one. `pbr_dumps`, which the trainer of
the texture autoencoder renders, are not written.
"""

import csv
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.asset import Asset
from versemill.colour import decode_srgb, encode_srgb
from versemill.dual_grid import DualGrid, dual_grid
from versemill.gltf import from_glb
from versemill.materials.sampler import sample
from versemill.mesh import face_areas, normalized
from versemill.shards.export import Entry, Format, per_asset
from versemill.shards.export.item import Item, save
from versemill.shards.export.vxz import encode

RESOLUTIONS = (256, 512, 1024)

BATCH = 1 << 18
"""Voxels whose textures are read at once."""

SIDE = 0.99999
"""Of the object's box: its reader scales meshes to this."""


def placed(asset: Asset) -> NDArray[np.float64]:
    """(V, 3) the vertices, moved and scaled into the format's cube."""
    vertices, _, _ = normalized(asset.vertices, asset.faces)
    return vertices * (SIDE / 2)


def geometry(grid: DualGrid) -> dict[str, NDArray[np.uint8]]:
    """The attributes `vertices` (n, 3) and `intersected` (n, 1) of a dual grid's voxels."""
    crossed = grid.crossed.astype(np.uint8) @ np.array([1, 2, 4], np.uint8)
    return {"vertices": np.rint(grid.vertices * 255).astype(np.uint8), "intersected": crossed[:, None]}


def _writer(resolution: int) -> Callable[[Item, Path], Entry]:
    def write(item: Item, out: Path) -> Entry:
        """Writes the dual grid, the PBR voxels and the mesh of one object."""
        asset, meta = from_glb(item.row["mesh"]["glb"]), item.meta
        sha, vertices = meta["content_hash"], placed(asset)
        grid = dual_grid(vertices, asset.faces, resolution)
        if len(grid.voxels):
            looks = surface_looks(asset, grid, resolution)
            save(out / f"dual_grid_{resolution}" / f"{sha}.vxz", encode(grid.voxels, geometry(grid)))
            save(out / f"pbr_voxels_{resolution}" / f"{sha}.vxz", encode(grid.voxels, looks))
        dump = {"objects": [{"vertices": vertices.astype(np.float32), "faces": asset.faces}]}
        save(out / "mesh_dumps" / f"{sha}.pickle", pickle.dumps(dump, protocol=4))
        return {
            "sha256": sha,
            "file_identifier": item.id,
            "aesthetic_score": float(meta["metrics"].get("aesthetic_score", 0.0)),
            "num_faces": len(asset.faces),
            "voxels": len(grid.voxels),
        }

    return write


def surface_looks(asset: Asset, grid: DualGrid, resolution: int) -> dict[str, NDArray[np.uint8]]:
    """What each voxel of an asset's grid looks like: `base_color` (n, 3) sRGB, `metallic`, `roughness`, `alpha` (n, 1).

    Values are those of the point nearest to the voxel's centre, from the mip level whose texels are nearest in size.
    """
    corners = asset.uvs[:, 1:] - asset.uvs[:, :1]
    cells = np.maximum(face_areas(placed(asset), asset.faces), 1e-30) * resolution**2
    color, surface = np.ones((len(grid.faces), 4), np.float32), np.ones((len(grid.faces), 2), np.float32)
    for k, material in enumerate(asset.materials):
        own = np.flatnonzero(asset.material_ids[grid.faces] == k)
        color[own], surface[own] = material.base_color, (material.metallic, material.roughness)
        for slot, values, channels in (("base_color", color, [0, 1, 2, 3]), ("metallic_roughness", surface, [2, 1])):
            texture, sampler = material.texture(slot), material.sampler(slot)
            if texture is None:
                continue
            at = slice(2 * sampler.uv_set, 2 * sampler.uv_set + 2)
            area = np.abs(np.linalg.det(corners[..., at].astype(np.float64))) / 2 * texture.shape[0] * texture.shape[1]
            wanted = np.rint(np.log2(np.maximum(area / cells, 1)) / 2).astype(int)
            levels = _levels(texture, slot == "base_color", wanted.max())
            for begin in range(0, len(own), BATCH):
                some = own[begin : begin + BATCH]
                face = grid.faces[some]
                uv = np.einsum("ni,nij->nj", grid.weights[some], asset.uvs[face][..., at])
                for level in np.unique(wanted[face]):
                    there = wanted[face] == level
                    texels = levels[min(level, len(levels) - 1)]
                    values[some[there]] *= sample(texels, uv[there], sampler, lambda t: t)[:, channels]
        if material.alpha_mode == "opaque":
            color[own, 3] = 1
        elif material.alpha_mode == "mask":
            color[own, 3] = color[own, 3] >= material.alpha_cutoff
    looks: dict[str, NDArray[np.floating]] = {
        "base_color": encode_srgb(color[:, :3]),
        "metallic": surface[:, :1],
        "roughness": surface[:, 1:],
        "alpha": color[:, 3:],
    }
    return {name: np.rint(255 * values.clip(0, 1)).astype(np.uint8) for name, values in looks.items()}


def _levels(texture: NDArray[np.uint8], srgb: bool, most: int) -> list[NDArray[np.float32]]:
    """Mip levels of a texture in [0, 1], colours as light, from its own size until `most` halvings or one texel."""
    codes = np.arange(256) / 255
    level = codes.astype(np.float32)[texture]
    if srgb:
        level[..., :3] = decode_srgb(codes).astype(np.float32)[texture[..., :3]]
    levels = [level]
    while len(levels) <= most and max(level.shape[:2]) > 1:
        level = np.pad(level, [(0, level.shape[0] % 2), (0, level.shape[1] % 2), (0, 0)], mode="edge")
        level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) / np.float32(4)
        levels.append(level)
    return levels


def _finisher(resolution: int) -> Callable[[Path, list[Entry]], None]:
    def finish(out: Path, entries: list[Entry]) -> None:
        """Writes the metadata of the objects and of each folder; flags are True and False, which pandas reads as booleans."""
        facts = {
            name: [e[name] for e in entries] for name in ("sha256", "file_identifier", "aesthetic_score", "num_faces", "voxels")
        }
        names, sizes = {"sha256": facts["sha256"]}, facts.pop("voxels")
        made = [size > 0 for size in sizes]
        _table(out, facts)
        _table(out / "mesh_dumps", {**names, "mesh_dumped": [True] * len(entries)})
        _table(out / f"dual_grid_{resolution}", {**names, "dual_grid_converted": made, "dual_grid_size": sizes})
        _table(out / f"pbr_voxels_{resolution}", {**names, "pbr_voxelized": made, "num_pbr_voxels": sizes})

    return finish


def _table(folder: Path, columns: dict[str, list[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([list(columns), *zip(*columns.values(), strict=True)])
    save(folder / "metadata.csv", text.getvalue().encode())


def ovoxel(resolution: int) -> Format:
    """The format at so many voxels a side."""
    return Format(
        summary=f"O-Voxel for TRELLIS.2: dual grid and PBR voxels as .vxz, {resolution} a side; Z up, cube of side 1",
        columns=("mesh.glb",),
        write=per_asset(_writer(resolution)),
        finish=_finisher(resolution),
        kernels=("versemill.dual_grid_kernels",),
    )


OVOXEL256, OVOXEL512, OVOXEL1024 = map(ovoxel, RESOLUTIONS)
