"""What is seen of a body in engines that read OBJ files with one texture each: one file per material."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from versemill.asset import Asset
from versemill.colour import decode_srgb, encode_srgb
from versemill.materials import Material
from versemill.shards.export.item import png, save


@dataclass(frozen=True)
class Look:
    """One material's mesh and colours, as they lie in an asset's folder.

    Attributes:
        material: as in the asset.
        mesh: path of the OBJ file, relative to the folder. texture: that of the PNG file, or None.
        rgba: (4,) sRGB with alpha, in [0, 1]: the colour where there is no texture.
    """

    material: Material
    mesh: str
    texture: str | None
    rgba: tuple[float, ...]


def write_looks(asset: Asset, folder: Path) -> list[Look]:
    """Writes `visual/K.obj`, `.mtl` and, for textured materials, `.png` for each material that has faces."""
    normals, looks = asset.shading_normals(), []
    for number in np.unique(asset.material_ids).tolist():
        material, own = asset.materials[number], asset.material_ids == number
        uvs = asset.uv_set(material.base_color_sampler.uv_set)[own]
        name = f"visual/{number}"
        rgba = (*encode_srgb(np.array(material.base_color[:3])).tolist(), float(material.base_color[3]))
        lines = [f"newmtl m{number}", "Kd {:.6g} {:.6g} {:.6g}".format(*rgba), f"d {rgba[3]:.6g}"]
        texture = None
        if material.base_color_texture is not None:
            texture = f"{name}.png"
            save(folder / texture, png(_tinted(material.base_color_texture, material.base_color)))
            lines = [f"newmtl m{number}", "Kd 1 1 1", f"map_Kd {number}.png"]
        save(folder / f"{name}.mtl", ("\n".join(lines) + "\n").encode())
        text = _obj(asset.vertices, asset.faces[own], uvs, normals[own], number)
        save(folder / f"{name}.obj", text.encode())
        looks.append(Look(material, f"{name}.obj", texture, rgba))
    return looks


def _tinted(texels: NDArray[np.uint8], factor: tuple[float, ...]) -> NDArray[np.uint8]:
    """(H, W, 3 or 4) sRGB texels times a linear factor; without the alpha channel where it is opaque."""
    scaled = texels
    if factor != (1.0, 1.0, 1.0, 1.0):
        linear = decode_srgb(texels[..., :3] / 255) * np.array(factor[:3])
        values = np.concatenate([encode_srgb(linear), texels[..., 3:] / 255 * factor[3]], -1)
        scaled = np.rint(255 * values.clip(0, 1)).astype(np.uint8)
    return np.ascontiguousarray(scaled[..., :3] if (scaled[..., 3] == 255).all() else scaled)


def _obj(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], uvs: NDArray[np.float32], normals: NDArray[np.float32], number: int
) -> str:
    lines = [f"mtllib {number}.mtl", f"usemtl m{number}"]
    used, corner = np.unique(faces, return_inverse=True)
    lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices[used].tolist()]
    columns = [corner.reshape(-1)]
    for key, values in (("vt", uvs), ("vn", normals)):
        distinct, index = np.unique(values.reshape(-1, values.shape[-1]), axis=0, return_inverse=True)
        lines += [f"{key} {' '.join(f'{x:.6g}' for x in row)}" for row in distinct.tolist()]
        columns.append(index.reshape(-1))
    rows = (np.stack(columns, 1) + 1).reshape(-1, 9).tolist()
    lines += ["f {}/{}/{} {}/{}/{} {}/{}/{}".format(*row) for row in rows]
    return "\n".join(lines) + "\n"
