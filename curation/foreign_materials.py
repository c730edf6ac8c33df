"""Materials of foreign files (glTF's and MTL's, as trimesh reads them) in our own terms."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from curation.config import LoadLimits
from curation.images import check_image, to_array
from versemill.materials.material import Material


def texture_beside(path: Path, material: Material, limits: LoadLimits) -> Material:
    """The same material with the one image beside an OBJ that begins with its name, where the OBJ names no material."""
    beside = sorted(p for p in path.parent.glob(f"{path.stem}*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if material.source != "default" or len(beside) != 1:
        return material
    data = beside[0].read_bytes()
    check_image(data, f"texture '{beside[0].name}'", limits)
    texture = to_array(Image.open(io.BytesIO(data)), "RGBA", beside[0].name)
    return Material(name=path.stem, base_color_texture=texture, source="file", licence="unknown")


def convert(path: Path, i: int, source: Any) -> Material:
    """A trimesh material as one of ours; names are made unique by their number."""
    if isinstance(source, trimesh.visual.material.SimpleMaterial):
        source = _simple(source)
    if source is None or not hasattr(source, "baseColorFactor"):
        return Material(name=f"material{i}")
    label = f"material {i} of {path.name}"
    factor = source.baseColorFactor
    color = [1.0, 1.0, 1.0, 1.0] if factor is None else _unit(factor)
    textures: dict[str, Any] = {}
    for ours, theirs, mode in (
        ("base_color_texture", "baseColorTexture", "RGBA"),
        ("metallic_roughness_texture", "metallicRoughnessTexture", "RGB"),
        ("normal_texture", "normalTexture", "RGB"),
    ):
        image = getattr(source, theirs)
        textures[ours] = None if image is None else to_array(image, mode, f"{theirs} of {label}")
    plain = factor is None and all(t is None for t in textures.values()) and source.roughnessFactor is None
    alpha = str(source.alphaMode or "OPAQUE").lower()
    return Material(
        name=f"{source.name or 'material'}" + (f"_{i}" if i else ""),
        base_color=(color[0], color[1], color[2], color[3]),
        metallic=_clip(source.metallicFactor, 0.0 if plain else 1.0),
        roughness=_clip(source.roughnessFactor, 0.6 if plain else 1.0),
        alpha_mode="mask" if alpha == "mask" else "blend" if alpha == "blend" else "opaque",
        alpha_cutoff=_clip(source.alphaCutoff, 0.5),
        double_sided=bool(source.doubleSided),
        source="default" if plain else "file",
        licence="CC0-1.0" if plain else "unknown",
        **textures,
    )


def _simple(source: Any) -> trimesh.visual.material.PBRMaterial:
    """MTL's diffuse colour, dissolve and shininess in metallic-roughness terms."""
    extra = source.kwargs or {}
    image = source.image
    authored = any(key in extra for key in ("kd", "d", "Tr")) or image is not None
    if not authored:
        return trimesh.visual.material.PBRMaterial(name=source.name)
    color = _unit(source.diffuse) if "kd" in extra and image is None else [1.0, 1.0, 1.0, 1.0]
    dissolve = extra.get("d")
    color[3] = _clip(dissolve[0] if dissolve else None, 1.0)
    shine = np.clip(float(source.glossiness or 0.0), 0.0, 1000.0)
    result = trimesh.visual.material.PBRMaterial(
        name=source.name,
        metallicFactor=0.0,
        roughnessFactor=float(np.sqrt(2.0 / (shine + 2.0))) if source.glossiness is not None else 0.6,
        baseColorTexture=image,
        alphaMode="BLEND" if color[3] < 1 else "OPAQUE",
        doubleSided=True,
    )
    result.baseColorFactor = color
    return result


def _unit(values: Any) -> list[float]:
    array = np.asarray(values)
    scaled = array.astype(np.float64) / (255.0 if array.dtype == np.uint8 else 1.0)
    padded = np.r_[scaled.reshape(-1), np.ones(4)][: max(4, min(scaled.size, 4))]
    if scaled.size == 3:
        padded = np.r_[scaled.reshape(-1), 1.0]
    return [float(v) for v in np.clip(np.nan_to_num(padded), 0, 1)]


def _clip(value: Any, default: float) -> float:
    try:
        number = default if value is None else float(value)
    except (TypeError, ValueError):
        number = default
    return min(max(number, 0.0), 1.0) if np.isfinite(number) else default
