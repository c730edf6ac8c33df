"""What becomes of each glTF extension: read, without effect on a still asset, left out by name, or refused."""

from typing import Any

from versemill.errors import AssetError

READ = frozenset(
    {
        "EXT_mesh_gpu_instancing",
        "EXT_meshopt_compression",
        "EXT_texture_webp",
        "KHR_draco_mesh_compression",
        "KHR_materials_emissive_strength",
        "KHR_materials_pbrSpecularGlossiness",
        "KHR_materials_unlit",
        "KHR_mesh_quantization",
        "KHR_meshopt_compression",
        "KHR_node_visibility",
        "KHR_texture_basisu",
        "KHR_texture_transform",
    }
)
"""What the asset shows."""

WITHOUT_EFFECT = frozenset(
    {
        "EXT_lights_ies",
        "EXT_lights_image_based",
        "KHR_animation_pointer",
        "KHR_audio",
        "KHR_lights_punctual",
        "KHR_materials_variants",
        "KHR_node_hoverability",
        "KHR_node_selectability",
        "KHR_xmp",
        "KHR_xmp_json_ld",
        "MSFT_lod",
        "MSFT_packing_normalRoughnessMetallic",
        "MSFT_packing_occlusionRoughnessMetallic",
    }
)
"""Lights, sounds, animation, annotations and choices whose first is the default: none changes how the asset looks at rest."""

NEUTRAL = {
    "KHR_materials_anisotropy": ("anisotropyStrength",),
    "KHR_materials_clearcoat": ("clearcoatFactor",),
    "KHR_materials_diffuse_transmission": ("diffuseTransmissionFactor",),
    "KHR_materials_dispersion": ("dispersion",),
    "KHR_materials_iridescence": ("iridescenceFactor",),
    "KHR_materials_sheen": ("sheenColorFactor", "sheenColorTexture"),
    "KHR_materials_transmission": ("transmissionFactor",),
    "KHR_materials_volume": ("thicknessFactor",),
}
"""Material extensions that do nothing where all of these are absent or 0."""


def check_required(document: dict[str, Any]) -> None:
    """Refuses a document that needs what is not read.

    Raises:
        AssetError: "unsupported_extension", which names them.
    """
    missing = sorted(set(map(str, document.get("extensionsRequired", ()))) - READ - WITHOUT_EFFECT)
    if missing:
        raise AssetError(
            "unsupported_extension", f"the file needs {', '.join(missing)}, which can't be read; export it without"
        )


def left_out(extensions: dict[str, Any]) -> set[str]:
    """Names of the extensions of a material that change its looks and that `Material` can't hold."""
    names = set()
    for name, content in extensions.items():
        if name in READ or name in WITHOUT_EFFECT:
            continue
        keys = NEUTRAL.get(name)
        if keys and not any(_weight(content.get(key)) for key in keys):
            continue
        if name == "KHR_materials_ior" and content.get("ior", 1.5) == 1.5:
            continue
        names.add(name)
    return names


def _weight(value: Any) -> bool:
    return any(map(bool, value)) if isinstance(value, list) else bool(value)
