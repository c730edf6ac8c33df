"""PBR materials (glTF metallic-roughness) and the procedural, licence-free families that fill them."""

from versemill.materials.material import Material

__all__ = ["Material"]
