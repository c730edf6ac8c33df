"""One PBR material, in glTF's metallic-roughness model and glTF's texture layouts."""

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from versemill.materials.sampler import PLAIN, Sampler

Texture = NDArray[np.uint8]


SLOTS = {"base_color": 4, "metallic_roughness": 3, "normal": 3, "emissive": 3}
"""A material's textures and their channels: `NAME_texture` is looked up as `NAME_sampler` says."""


@dataclass(frozen=True, eq=False)
class Material:
    """A surface. Textures multiply their factors, as in glTF 2.0 section 3.9.

    Texture row 0 is the top; UV (0, 0) is the texture's lower left corner (v up).

    Attributes:
        name: unique within an asset, for people.
        base_color: linear RGBA factor.
        metallic, roughness: factors in [0, 1].
        base_color_texture: (H, W, 4) uint8, sRGB with linear alpha, or None.
        metallic_roughness_texture: (H, W, 3) uint8, linear; G is roughness, B is metallic; or None.
        normal_texture: (H, W, 3) uint8, linear, tangent space, +Y up (OpenGL, as in glTF); or None.
        emissive: linear RGB that the surface gives off by itself, in the unit of radiance; may be above 1.
        emissive_texture: (H, W, 3) uint8, sRGB, multiplies `emissive`; or None.
        base_color_sampler, metallic_roughness_sampler, normal_sampler, emissive_sampler: how each texture is looked up.
        unlit: the base colour is shown as it is, whatever the light.
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
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emissive_texture: Texture | None = None
    base_color_sampler: Sampler = PLAIN
    metallic_roughness_sampler: Sampler = PLAIN
    normal_sampler: Sampler = PLAIN
    emissive_sampler: Sampler = PLAIN
    unlit: bool = False
    alpha_mode: Literal["opaque", "mask", "blend"] = "opaque"
    alpha_cutoff: float = 0.5
    double_sided: bool = True
    source: str = "default"
    licence: str = "CC0-1.0"

    def __post_init__(self) -> None:
        for name, channels in SLOTS.items():
            texture = self.texture(name)
            if texture is not None and (
                texture.dtype != np.uint8 or texture.ndim != 3 or texture.shape[2] != channels or 0 in texture.shape
            ):
                raise ValueError(
                    f"{name}_texture of material '{self.name}' must be (H, W, {channels}) uint8, "
                    f"got {texture.shape} {texture.dtype}"
                )

    def __repr__(self) -> str:
        textures = [slot for slot in SLOTS if self.texture(slot) is not None]
        shown = f"textures {', '.join(textures)}" if textures else f"colour {tuple(round(c, 3) for c in self.base_color)}"
        return f"Material({self.name!r}, {self.source}, {shown})"

    def texture(self, slot: str) -> Texture | None:
        """The texture of one of `SLOTS`."""
        texture: Texture | None = getattr(self, f"{slot}_texture")
        return texture

    def sampler(self, slot: str) -> Sampler:
        """The sampler of one of `SLOTS`."""
        sampler: Sampler = getattr(self, f"{slot}_sampler")
        return sampler

    @property
    def textured(self) -> bool:
        """Whether any slot has a texture."""
        return any(self.texture(slot) is not None for slot in SLOTS)

    @property
    def uv_sets(self) -> int:
        """How many UV sets its textures need, at least one."""
        return max([1, *(self.sampler(slot).uv_set + 1 for slot in SLOTS if self.texture(slot) is not None)])

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of all that is seen of the material: factors, modes and texture bytes; not its name."""
        h = hashlib.sha256()
        color, metallic, roughness = tuple(map(float, self.base_color)), float(self.metallic), float(self.roughness)
        seen = (color, metallic, roughness, self.alpha_mode, float(self.alpha_cutoff), self.double_sided)
        h.update(repr(seen).encode())
        for slot in ("base_color", "metallic_roughness", "normal"):
            texture = self.texture(slot)
            h.update(b"-" if texture is None else repr(texture.shape).encode() + texture.tobytes())
        # What most materials don't have adds nothing, so that hashes of earlier versions stay.
        glow = (tuple(map(float, self.emissive)), self.unlit)
        if glow != ((0.0, 0.0, 0.0), False):
            h.update(repr(glow).encode())
        if self.emissive_texture is not None:
            h.update(b"emissive" + repr(self.emissive_texture.shape).encode() + self.emissive_texture.tobytes())
        for slot in SLOTS:
            if self.texture(slot) is not None and self.sampler(slot) != PLAIN:
                h.update(f"{slot} {self.sampler(slot)}".encode())
        return h.hexdigest()


CLAY = Material(base_color=(0.55, 0.53, 0.5, 1.0), roughness=0.8, source="clay")
"""What a mesh without any look of its own is shown in: plain white would burn out."""


def clay_for_plain(materials: Iterable[Material]) -> tuple[Material, ...]:
    """The materials, with clay in place of those that define no look (white, no texture, from no file); names stay."""
    plain = Material()
    return tuple(
        dataclasses.replace(CLAY, name=m.name) if m.source == plain.source and m.content_hash == plain.content_hash else m
        for m in materials
    )
