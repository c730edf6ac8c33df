"""Materials of an object from their records in the plan; built textures are kept, because objects share them."""

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from versemill.config import canonical_json
from versemill.errors import AssetError
from versemill.materials import library, procedural
from versemill.materials.material import Material

CACHE_BYTES = 512 * 2**20
"""Most that the built textures of one process may take: 200 sets of 512 x 512."""
_cache: OrderedDict[tuple[str, int], tuple[Material, str]] = OrderedDict()


def build(record: dict[str, Any], name: str, size: int) -> tuple[Material, dict[str, str]]:
    """The material of one surface, named and coloured, and what identifies it for provenance.

    Raises:
        AssetError: "texture_changed" when a texture folder no longer holds the set that was drawn.
    """
    red, green, blue = record["color"]
    if record["texture"] is None:
        made, sha256 = Material(source="plain"), ""
    else:
        made, sha256 = _textures(record["texture"], size)
    identity = {"name": name, "source": made.source, "licence": made.licence, "sha256": sha256}
    if gloss := record.get("gloss"):
        made = replace(made, metallic_roughness_texture=None, **gloss)
    alpha = record.get("alpha", 1.0)
    mode: Literal["opaque", "blend"] = "opaque" if alpha == 1 else "blend"
    return replace(made, name=name, base_color=(red, green, blue, alpha), alpha_mode=mode), identity


def _textures(texture: dict[str, Any], size: int) -> tuple[Material, str]:
    """The untinted material and its content hash, built once while the cache holds it."""
    key = canonical_json(texture), size
    if key in _cache:
        _cache.move_to_end(key)
        return _cache[key]
    made = _from_library(texture, size) if "library" in texture else procedural.build(texture, size)
    _cache[key] = made, made.content_hash
    used = sum(_bytes(material) for material, _ in _cache.values())
    while used > CACHE_BYTES and len(_cache) > 1:
        used -= _bytes(_cache.popitem(last=False)[1][0])
    return _cache[key]


def _from_library(texture: dict[str, Any], size: int) -> Material:
    for candidate in library.index(Path(texture["library"])):
        if candidate.name == texture["set"] and candidate.sha256 == texture["sha256"]:
            return library.load(candidate, size)
    raise AssetError("texture_changed", f"{texture['library']} no longer holds set '{texture['set']}' as it was drawn")


def _bytes(material: Material) -> int:
    maps = (material.base_color_texture, material.metallic_roughness_texture, material.normal_texture)
    return sum(m.nbytes for m in maps if m is not None)
