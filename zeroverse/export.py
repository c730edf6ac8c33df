"""An asset as a file for other programs: GLB, OBJ with its MTL and textures, or PLY."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.asset import Asset
from versemill.errors import ConfigError
from versemill.gltf import to_glb
from versemill.materials.material import Material
from versemill.ply import to_ply

Encoding = Literal["png", "jpeg"]


def write_mesh(asset: Asset, path: Path, textures: Encoding = "png") -> None:
    """Writes the asset in the format that the path's suffix names.

    - `.glb`: everything, embedded; Y up, as glTF says.
    - `.obj`: shared positions, UVs per corner, a group per part, NAME.mtl and textures NAME-k-MAP.png beside it; Y up,
      as most programs read OBJ.
    - `.ply`: binary; shared positions, and `part` and `material` of every face; Z up, no textures.

    Args:
        textures: "png" keeps every texel; "jpeg" is smaller, and keeps PNG for textures with alpha.

    Raises:
        AssetError: the asset fails `Asset.check`.
        ConfigError: another suffix.
    """
    asset.check()
    suffix = path.suffix.lower()
    if suffix == ".glb":
        path.write_bytes(to_glb(asset, textures))
    elif suffix == ".obj":
        _write_obj(asset, path, textures)
    elif suffix == ".ply":
        path.write_bytes(to_ply(asset.vertices, asset.faces, {"part": asset.part_ids, "material": asset.material_ids}))
    else:
        raise ConfigError(f"can't write a mesh to '{path}': the name must end in .glb, .obj or .ply")


def _write_obj(asset: Asset, path: Path, textures: Encoding) -> None:
    lines = [f"mtllib {path.stem}.mtl"]
    lines += [f"v {x:.9g} {z:.9g} {-y:.9g}" for x, y, z in asset.vertices.tolist()]
    uvs, corner = np.unique(asset.uv_set(0).reshape(-1, 2), axis=0, return_inverse=True)
    corner = corner.reshape(-1, 3) + 1
    lines += [f"vt {u:.9g} {v:.9g}" for u, v in uvs.tolist()]
    order = np.lexsort((asset.material_ids, asset.part_ids))
    faces = asset.faces + 1
    part = material = -1
    for f in order.tolist():
        if asset.part_ids[f] != part:
            part, material = int(asset.part_ids[f]), -1
            lines.append(f"g {_word(asset.part_names[part])}")
        if asset.material_ids[f] != material:
            material = int(asset.material_ids[f])
            lines.append(f"usemtl {_material_name(asset.materials[material], material)}")
        (a, b, c), (ta, tb, tc) = faces[f].tolist(), corner[f].tolist()
        lines.append(f"f {a}/{ta} {b}/{tb} {c}/{tc}")
    path.write_text("\n".join(lines) + "\n")
    written: dict[bytes, str] = {}
    blocks = [_mtl(m, k, path, textures, written) for k, m in enumerate(asset.materials)]
    path.with_suffix(".mtl").write_text("\n".join(blocks))


def _mtl(material: Material, number: int, path: Path, textures: Encoding, written: dict[bytes, str]) -> str:
    """One material with the PBR extension's keys (Pr, Pm, norm); equal textures are written once."""
    red, green, blue, alpha = material.base_color
    lines = [f"newmtl {_material_name(material, number)}", f"Kd {red:.6g} {green:.6g} {blue:.6g}", f"d {alpha:.6g}",
             f"Pr {material.roughness:.6g}", f"Pm {material.metallic:.6g}"]  # fmt: skip

    def texture(key: str, name: str, texels: NDArray[np.uint8]) -> None:
        content = repr(texels.shape).encode() + texels.tobytes()
        if content not in written:
            opaque = texels.ndim == 2 or texels.shape[2] == 3
            suffix = "jpg" if textures == "jpeg" and opaque else "png"
            written[content] = f"{path.stem}-{number}-{name}.{suffix}"
            Image.fromarray(texels).save(path.with_name(written[content]), quality=92, subsampling=0)
        lines.append(f"{key} {written[content]}")

    if (color := material.base_color_texture) is not None:
        texture("map_Kd", "color", np.ascontiguousarray(color[..., :3] if (color[..., 3] == 255).all() else color))
    if (surface := material.metallic_roughness_texture) is not None:
        texture("map_Pr", "roughness", np.ascontiguousarray(surface[..., 1]))
        texture("map_Pm", "metallic", np.ascontiguousarray(surface[..., 2]))
    if (normal := material.normal_texture) is not None:
        texture("norm", "normal", normal)
    return "\n".join(lines) + "\n"


def _material_name(material: Material, number: int) -> str:
    return f"{number}-{_word(material.name)}"


def _word(name: str) -> str:
    return "_".join(name.split()) or "unnamed"
