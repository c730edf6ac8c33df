"""Materials of OBJ and PLY files, as trimesh reads them from MTL, in metallic-roughness terms."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from versemill.curation.config import LoadLimits
from versemill.curation.images import check_image, to_array

from versemill.materials.material import Material


def convert(path: Path, i: int, source: Any) -> Material:
    """MTL's diffuse colour and texture, dissolve and shininess as one of our materials, made unique by its number.

    Raises:
        AssetError: "bad_image".
    """
    name = f"{getattr(source, 'name', None) or 'material'}" + (f"_{i}" if i else "")
    if not isinstance(source, trimesh.visual.material.SimpleMaterial):
        return Material(name=name)
    authored = source.kwargs or {}
    # trimesh invents a grey image where there are UVs but no material; only a decoded file has a format.
    image = source.image if getattr(source.image, "format", None) else None
    texture = None if image is None else to_array(image, "RGBA", f"the texture of material '{name}' of {path.name}")
    if texture is None and not {"kd", "d", "ns"} & set(authored):
        return Material(name=name)
    # With a texture, Kd is left at whatever the exporter's default was: the texture alone is meant.
    red, green, blue = (_unit(c, 1.0) for c in _three(authored.get("kd") if texture is None else None))
    alpha = _unit(next(iter(authored.get("d", [])), None), 1.0)
    shininess = _number(source.glossiness if "ns" in authored else None)
    return Material(
        name=name,
        base_color=(red, green, blue, alpha),
        # Blinn-Phong's exponent as the roughness of a highlight of the same width.
        roughness=0.6 if shininess is None else float((2 / (min(max(shininess, 0.0), 1000.0) + 2)) ** 0.25),
        base_color_texture=texture,
        alpha_mode="blend" if alpha < 1 else "opaque",
        source="file",
        licence="unknown",
    )


def texture_beside(path: Path, material: Material, limits: LoadLimits) -> Material:
    """The same material with the one image beside an OBJ that begins with its name, where the OBJ names no material."""
    beside = sorted(
        p for p in path.parent.iterdir() if p.name.startswith(path.stem) and p.suffix.lower() in (".png", ".jpg", ".jpeg")
    )
    if material.source != "default" or len(beside) != 1:
        return material
    data = beside[0].read_bytes()
    check_image(data, f"texture '{beside[0].name}'", limits)
    texture = to_array(Image.open(io.BytesIO(data)), "RGBA", beside[0].name)
    return Material(name=path.stem, base_color_texture=texture, source="file", licence="unknown")


def _three(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list) and len(values) == 3 else [1.0, 1.0, 1.0]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _unit(value: Any, default: float) -> float:
    number = _number(value)
    return default if number is None else min(max(number, 0.0), 1.0)
