"""Assets to and from other programs: mesh files (GLB, OBJ, PLY) and trimesh objects."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from versemill.asset import Asset
from versemill.colour import decode_srgb, encode_srgb
from versemill.errors import AssetError, ConfigError
from versemill.gltf import from_glb, to_glb
from versemill.materials.material import Material, clay_for_plain
from versemill.materials.sampler import sample
from versemill.ply import to_ply

Encoding = Literal["png", "jpeg"]

TO_Y_UP = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


def from_trimesh(mesh: trimesh.Trimesh | trimesh.Scene, up: Literal["y", "z"] = "z") -> Asset:
    """A normalised asset of a trimesh mesh, or of all meshes of a scene: one part per node, its materials and colours kept.

    Positions that are exactly equal within a part become one; shading normals are recomputed.

    Args:
        up: the axis that points up in `mesh`; the asset is Z up.

    Raises:
        AssetError: "empty", "not_finite" or "no_extent".
    """
    scene = mesh if isinstance(mesh, trimesh.Scene) else trimesh.Scene({"mesh": mesh})
    placed = {}
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        part = scene.geometry[name]
        if isinstance(part, trimesh.Trimesh) and len(part.faces):
            placed[str(node)] = part.copy()
            placed[str(node)].apply_transform(matrix)
    if not placed:
        raise AssetError("empty", "the trimesh object holds no triangles")
    # GLB holds float32: far from the origin, positions would lose their precision before they are normalised.
    used = np.concatenate([part.vertices[np.unique(part.faces)] for part in placed.values()])
    if not np.isfinite(used).all():
        raise AssetError("not_finite", f"{int((~np.isfinite(used)).any(1).sum())} of {len(used)} vertices hold NaN or infinity")
    low, high = used.min(0), used.max(0)
    half = float((high - low).max()) / 2 or 1.0
    middle = (low + high) / 2
    for part in placed.values():
        if part.visual.kind == "face":
            part.unmerge_vertices()  # GLB has colours per vertex alone
        part.vertices = (part.vertices - middle) / half
        if up == "z":
            part.apply_transform(TO_Y_UP)
    asset = from_glb(trimesh.Scene(placed).export(file_type="glb", include_normals=False))
    x, y, z = middle if up == "z" else TO_Y_UP[:3, :3].T @ middle
    worn = clay_for_plain(asset.materials)
    return dataclasses.replace(asset, materials=worn, center=(float(x), float(y), float(z)), scale=half).normalized()


def to_trimesh(asset: Asset) -> trimesh.Trimesh:
    """The geometry as it is (Z up, vertices shared, nothing merged), with its material's colour at the middle of each face."""
    colors = np.empty((len(asset.faces), 4), np.uint8)
    for k, material in enumerate(asset.materials):
        own = asset.material_ids == k
        colors[own] = _colors(material, asset.uv_set(material.base_color_sampler.uv_set)[own].mean(1))
    return trimesh.Trimesh(asset.vertices, asset.faces, face_colors=colors, process=False)


def _colors(material: Material, uvs: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(n, 4) sRGB with alpha, 8 bit, at (n, 2) UVs."""
    linear = np.broadcast_to(np.array(material.base_color), (len(uvs), 4))
    if material.base_color_texture is not None:
        linear = linear * sample(material.base_color_texture, uvs, material.base_color_sampler, _decode)
    return np.round(255 * np.concatenate([encode_srgb(linear[:, :3]), linear[:, 3:]], 1).clip(0, 1)).astype(np.uint8)


def _decode(texels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.concatenate([decode_srgb(texels[:, :3] / 255), texels[:, 3:] / 255], 1)


def write_mesh(asset: Asset, path: str | Path, textures: Encoding = "png") -> None:
    """Writes the asset in the format that the path's suffix names.

    - `.glb`: everything, embedded; Y up, as glTF requires.
    - `.obj`: shared positions, UVs per corner, a group per part, NAME.mtl and textures NAME-k-MAP.png next to it; Y up,
      as most programs read OBJ.
    - `.ply`: binary; shared positions, and `part` and `material` of every face; Z up, no textures.

    Args:
        textures: "png" keeps every texel; "jpeg" is smaller, and keeps PNG for textures with alpha.

    Raises:
        AssetError: the asset fails `Asset.check`.
        ConfigError: another suffix.
    """
    asset.check()
    path = Path(path)
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
