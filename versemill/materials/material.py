"""One PBR material, in glTF's metallic-roughness model and glTF's texture layouts."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Texture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Material:
    """A surface. Textures multiply their factors, as in glTF 2.0 section 3.9.

    Texture row 0 is the top; UV (0, 0) is the texture's lower left corner (v up), textures repeat.

    Attributes:
        name: unique within an asset, for people.
        base_color: linear RGBA factor.
        metallic, roughness: factors in [0, 1].
        base_color_texture: (H, W, 4) uint8, sRGB with linear alpha, or None.
        metallic_roughness_texture: (H, W, 3) uint8, linear; G is roughness, B is metallic; or None.
        normal_texture: (H, W, 3) uint8, linear, tangent space, +Y up (OpenGL, as in glTF); or None.
        alpha_mode: "opaque" ignores alpha; "mask" cuts at `alpha_cutoff`; "blend" is transparent.
        double_sided: both sides are shaded; otherwise back faces are still visible here, but tagged.
        source: where it comes from: "procedural/wood", "file", "clay", or a texture set's id.
        licence: SPDX id or the set's own words; "CC0-1.0" for procedural ones.
    """

    name: str = "default"
    base_color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    metallic: float = 0.0
    roughness: float = 0.6
    base_color_texture: Texture | None = None
    metallic_roughness_texture: Texture | None = None
    normal_texture: Texture | None = None
    alpha_mode: Literal["opaque", "mask", "blend"] = "opaque"
    alpha_cutoff: float = 0.5
    double_sided: bool = True
    source: str = "default"
    licence: str = "CC0-1.0"

    def __post_init__(self) -> None:
        for name, channels in (("base_color_texture", 4), ("metallic_roughness_texture", 3), ("normal_texture", 3)):
            texture = getattr(self, name)
            if texture is not None and (
                texture.dtype != np.uint8 or texture.ndim != 3 or texture.shape[2] != channels or 0 in texture.shape
            ):
                raise ValueError(
                    f"{name} of material '{self.name}' must be (H, W, {channels}) uint8, got {texture.shape} {texture.dtype}"
                )

    def __repr__(self) -> str:
        textures = [
            name for name in ("base_color", "metallic_roughness", "normal") if getattr(self, f"{name}_texture") is not None
        ]
        shown = f"textures {', '.join(textures)}" if textures else f"colour {tuple(round(c, 3) for c in self.base_color)}"
        return f"Material({self.name!r}, {self.source}, {shown})"

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of all that is seen of the material: factors, modes and texture bytes; not its name."""
        h = hashlib.sha256()
        color, metallic, roughness = tuple(map(float, self.base_color)), float(self.metallic), float(self.roughness)
        seen = (color, metallic, roughness, self.alpha_mode, float(self.alpha_cutoff), self.double_sided)
        h.update(repr(seen).encode())
        for texture in (self.base_color_texture, self.metallic_roughness_texture, self.normal_texture):
            h.update(b"-" if texture is None else repr(texture.shape).encode() + texture.tobytes())
        return h.hexdigest()
