"""glTF's materials as ours: factors, textures, samplers and placements; what can't be held is named in `Reader.dropped`."""

from typing import Any, Literal

import numpy as np

from versemill.gltf import glossiness
from versemill.gltf.document import Reader, natural
from versemill.gltf.extensions import left_out
from versemill.materials.material import Material, Texture
from versemill.materials.sampler import Filter, Sampler, Wrap
from versemill.materials.uv_sets import Placement, ordered

Document = dict[str, Any]

WRAPS: dict[int, Wrap] = {10497: "repeat", 33648: "mirror", 33071: "clamp"}
NEAREST, LINEAR = 9728, 9729
NEAREST_MINIFIERS = (9728, 9984, 9986)


def read_material(reader: Reader, entry: Document) -> tuple[Material, tuple[Placement, ...]]:
    """One entry of `materials`, and the placements that become its UV sets."""
    surface, extensions = dict(entry.get("pbrMetallicRoughness", {})), entry.get("extensions", {})
    reader.dropped |= left_out(extensions)
    if "occlusionTexture" in entry:
        reader.dropped.add("occlusionTexture")
    strength = float(extensions.get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1))
    red, green, blue = (strength * float(c) for c in entry.get("emissiveFactor", (0, 0, 0)))
    glows = red + green + blue > 0
    glossy = extensions.get("KHR_materials_pbrSpecularGlossiness")
    infos = {
        "base_color": surface.get("baseColorTexture"),
        "metallic_roughness": surface.get("metallicRoughnessTexture"),
        "normal": entry.get("normalTexture"),
        "emissive": entry.get("emissiveTexture") if glows else None,
    }
    if glossy is not None:
        textures, factors = _glossy(reader, glossy, infos)
    else:
        textures = {
            "base_color": reader.texture(infos["base_color"], "RGBA", colour=True),
            "metallic_roughness": reader.texture(infos["metallic_roughness"], "RGB"),
        }
        red_, green_, blue_, alpha = (float(c) for c in surface.get("baseColorFactor", (1, 1, 1, 1)))
        factors = {
            "base_color": (red_, green_, blue_, alpha),
            "metallic": float(surface.get("metallicFactor", 1.0)),
            "roughness": float(surface.get("roughnessFactor", 1.0)),
        }
    textures["normal"] = _normal(reader, infos["normal"])
    textures["emissive"] = reader.texture(infos["emissive"], "RGB", colour=True)
    distinct, sets = ordered({slot: placement(infos[slot]) for slot, texels in textures.items() if texels is not None})
    extras: Document = entry["extras"] if isinstance(entry.get("extras"), dict) else {}
    modes: dict[str, Literal["opaque", "mask", "blend"]] = {"OPAQUE": "opaque", "MASK": "mask", "BLEND": "blend"}
    lookups: dict[str, Any] = {f"{slot}_sampler": sampler(reader, infos[slot], number) for slot, number in sets.items()}
    images: dict[str, Any] = {f"{slot}_texture": texels for slot, texels in textures.items()}
    made = Material(
        name=str(entry.get("name", "material")),
        **factors,
        **images,
        **lookups,
        emissive=(red, green, blue),
        unlit="KHR_materials_unlit" in extensions,
        alpha_mode=modes[entry.get("alphaMode", "OPAQUE")],
        alpha_cutoff=float(entry.get("alphaCutoff", 0.5)),
        double_sided=bool(entry.get("doubleSided", False)),
        source=str(extras.get("source", "file")),
        licence=str(extras.get("licence", "unknown")),
    )
    return made, distinct


def sampler(reader: Reader, info: Document | None, uv_set: int) -> Sampler:
    """How a texture reference is looked up, from the UV set of that number."""
    assert info is not None
    texture = reader.document["textures"][natural(info["index"])]
    entry = reader.document["samplers"][natural(texture["sampler"])] if "sampler" in texture else {}
    magnify: Filter = "nearest" if entry.get("magFilter", LINEAR) == NEAREST else "linear"
    minify: Filter = "nearest" if entry.get("minFilter", LINEAR) in NEAREST_MINIFIERS else "linear"
    return Sampler(uv_set, WRAPS[entry.get("wrapS", 10497)], WRAPS[entry.get("wrapT", 10497)], magnify, minify)


def placement(info: Document | None) -> Placement:
    """Where a texture reference lies: its coordinates and KHR_texture_transform, turned from v down to v up."""
    assert info is not None
    channel = natural(info.get("texCoord", 0))
    moved = info.get("extensions", {}).get("KHR_texture_transform")
    if not moved:
        return Placement(channel)
    angle = float(moved.get("rotation", 0))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    (a, b), (c, d) = (turn * np.asarray(moved.get("scale", (1, 1)), np.float64)).tolist()
    x, y = (float(value) for value in moved.get("offset", (0, 0)))
    return Placement(natural(moved.get("texCoord", channel)), ((a, -b), (-c, d)), (x + b, 1 - d - y))


def _normal(reader: Reader, info: Document | None) -> Texture | None:
    """The normal map, its `scale` applied."""
    texels = reader.texture(info, "RGB")
    if info is None or texels is None or info.get("scale", 1.0) == 1.0:
        return texels
    vectors = (texels / np.float32(127.5) - 1) * np.array([info["scale"], info["scale"], 1], np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-6))
    return ((vectors * 0.5 + 0.5) * 255 + 0.5).clip(0, 255).astype(np.uint8)


def _glossy(
    reader: Reader, glossy: Document, infos: dict[str, Document | None]
) -> tuple[dict[str, Texture | None], dict[str, Any]]:
    """Textures and factors of a specular-glossiness surface; puts its texture references into `infos`."""
    first, second = glossy.get("diffuseTexture"), glossy.get("specularGlossinessTexture")
    diffuse = np.array([float(c) for c in glossy.get("diffuseFactor", (1, 1, 1, 1))])
    specular = np.array([float(c) for c in glossy.get("specularFactor", (1, 1, 1))])
    shine = float(glossy.get("glossinessFactor", 1.0))
    if first and second and (placement(first), sampler(reader, first, 0)) != (placement(second), sampler(reader, second, 0)):
        # Two images that lie differently can't be mixed texel by texel.
        reader.dropped.add("specularGlossinessTexture")
        second = None
    infos["base_color"] = infos["metallic_roughness"] = first or second
    images = [reader.texture(info, "RGBA", colour=True) for info in (first, second)]
    if all(image is None for image in images):
        color, metallic = glossiness.convert(diffuse[:3], specular)
        red, green, blue = color.tolist()
        factors = {"base_color": (red, green, blue, float(diffuse[3])), "metallic": float(metallic), "roughness": 1 - shine}
        return {"base_color": None, "metallic_roughness": None}, factors
    base, surface = glossiness.textures(images[0], diffuse, images[1], specular, shine)
    return {"base_color": base, "metallic_roughness": surface}, {"metallic": 1.0, "roughness": 1.0}
