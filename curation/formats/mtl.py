"""MTL: Wavefront's material files as exporters write them, in metallic-roughness terms.

Factors and maps of the 1995 specification (Kd, d, Tr, Ns, Ke, map_Kd, map_d, map_Ke, map_Bump) and of the PBR extension that
Clara.io and Blender write (Pr, Pm, map_Pr, map_Pm, norm).
"""

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from versemill.curation.config import LoadLimits
from versemill.curation.opening import open_image
from versemill.curation.place import Place
from versemill.errors import AssetError
from versemill.materials.material import Material, Texture
from versemill.materials.sampler import Sampler
from versemill.materials.uv_sets import Placement, ordered

NUMBERS = {"-blendu": 1, "-blendv": 1, "-bm": 1, "-boost": 1, "-cc": 1, "-clamp": 1, "-imfchan": 1, "-mm": 2, "-o": 3, "-s": 3}
NUMBERS |= {"-t": 3, "-texres": 1, "-type": 1}
"""Options of maps, and how many values follow; of -o, -s and -t the later ones may be missing."""

MAPS = {
    "map_kd": "color",
    "map_d": "opacity",
    "map_tr": "transparency",
    "map_ke": "emissive",
    "map_pr": "roughness",
    "map_pm": "metallic",
    "norm": "normal",
    "map_kn": "normal",
    "map_bump": "bump",
    "bump": "bump",
}
"""Statements that name an image, and what it is here."""

UNUSED = {"map_ka", "map_ks", "map_ns", "map_ps", "disp", "map_disp", "decal", "refl", "map_refl"}
"""Statements that name an image that `Material` has no place for."""


@dataclass(frozen=True)
class Map:
    """An image that a material names, with the options that change how it is looked up."""

    name: str
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clamp: bool = False
    strength: float = 1.0

    @property
    def placement(self) -> Placement:
        """Where it lies on the file's UVs."""
        return Placement(0, ((self.scale[0], 0.0), (0.0, self.scale[1])), self.offset)

    @property
    def sampler(self) -> Sampler:
        """How it is looked up, but for the number of its UV set."""
        return Sampler(wrap_s="clamp", wrap_t="clamp") if self.clamp else Sampler()


@dataclass
class Entry:
    """What an MTL says of one material: numbers by lower-case statement, and maps by what they are."""

    numbers: dict[str, list[float]] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)


def parse(text: str) -> dict[str, Entry]:
    """Material name -> entry. A line that can't be understood is passed over."""
    entries: dict[str, Entry] = {}
    entry = Entry()
    for line in text.splitlines():
        word, _, rest = line.replace("\t", " ").strip().partition(" ")
        key, rest = word.lower(), rest.strip()
        if key == "newmtl":
            entry = entries.setdefault(rest, Entry())
        elif key in MAPS:
            made = parse_map(rest)
            if made.name:
                entry.maps[MAPS[key]] = made
        elif key in UNUSED:
            entry.unused.append(word)
        elif key in ("kd", "ke", "d", "tr", "ns", "pr", "pm"):
            try:
                entry.numbers[key] = [float(value) for value in rest.split() if value != "-halo"]
            except ValueError:
                continue
    return entries


def parse_map(text: str) -> Map:
    """A map statement's options and name; the name may hold spaces or stand in quotes."""
    words = list(re.finditer(r"\S+", text))
    settings: dict[str, list[str]] = {}
    at = 0
    while at < len(words) and words[at].group().lower() in NUMBERS:
        option = words[at].group().lower()
        most, at = NUMBERS[option], at + 1
        settings[option] = []
        while at < len(words) and len(settings[option]) < most:
            value = words[at].group()
            if most == 3 and settings[option] and not _is_number(value):
                break
            settings[option].append(value)
            at += 1
    name = text[words[at].start() :].strip() if at < len(words) else ""
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1]
    return Map(
        name,
        _pair(settings.get("-s", ()), 1.0),
        _pair(settings.get("-o", ()), 0.0),
        settings.get("-clamp", ["off"])[0:1] == ["on"],
        _pair(settings.get("-bm", ()), 1.0)[0],
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _pair(values: Iterable[str], default: float) -> tuple[float, float]:
    numbers = [float(value) if _is_number(value) else default for value in values] + [default, default]
    return numbers[0], numbers[1]


class Library:
    """Makes materials of entries; keeps in mind what could not be had."""

    def __init__(self, place: Place, limits: LoadLimits) -> None:
        self.place, self.limits = place, limits
        self.left_out: set[str] = set()
        self.dropped: set[str] = set()
        self._files: dict[str, bytes] = {}

    def material(self, name: str, entry: Entry) -> tuple[Material, tuple[Placement, ...]]:
        """A material and the placements that become its UV sets.

        Raises:
            AssetError: "unsafe_path": the colour map is nowhere, and its name leads out of the root; "bad_image",
                "image_too_large" or "too_large" for a colour map.
        """
        self.dropped |= {f"{word} of material '{name}'" for word in entry.unused}
        numbers = {key: values for key, values in entry.numbers.items() if values and np.isfinite(values).all()}
        textures, maps, mode = self._base(name, entry)
        self._surface(entry, textures, maps)
        if (bump := self._bump(name, entry)) is not None:
            textures["normal"], maps["normal"] = bump
        glow = [max(value, 0.0) for value in _three(numbers.get("ke"), 0.0)]
        if (image := self._image(entry, "emissive", "RGB")) is not None:
            textures["emissive"], maps["emissive"] = image, entry.maps["emissive"]
            # A map without a factor, or with the exporter's default of 0, is meant to be seen.
            glow = glow if max(glow) > 0 else [1.0, 1.0, 1.0]
        if not textures and not {"kd", "d", "tr", "ns", "pr", "pm"} & set(numbers) and max(glow) == 0:
            return Material(name=name), ()
        alpha = _unit(numbers["d"][-1]) if "d" in numbers else 1 - _unit(numbers.get("tr", [0.0])[-1])
        # With a map, Kd is left at whatever the exporter's default was: the map alone is meant.
        mapped = "color" in entry.maps and entry.maps["color"].name not in self.left_out
        color = _three(None if mapped else numbers.get("kd"), 1.0)
        red, green, blue = (_unit(value) for value in color)
        distinct, sets = ordered({slot: where.placement for slot, where in maps.items()})
        images: dict[str, Any] = {f"{slot}_texture": texels for slot, texels in textures.items()}
        lookups: dict[str, Any] = {f"{s}_sampler": dataclasses.replace(maps[s].sampler, uv_set=k) for s, k in sets.items()}
        made = Material(
            name=name,
            base_color=(red, green, blue, alpha),
            metallic=1.0
            if "metallic" in entry.maps and "metallic_roughness" in textures
            else _unit(numbers.get("pm", [0.0])[0]),
            roughness=1.0 if "metallic_roughness" in textures else _roughness(numbers),
            emissive=(glow[0], glow[1], glow[2]),
            alpha_mode="blend" if alpha < 1 else mode,
            source="file",
            licence="unknown",
            **images,
            **lookups,
        )
        return made, distinct

    def _base(self, name: str, entry: Entry) -> tuple[dict[str, Texture], dict[str, Map], Literal["opaque", "mask", "blend"]]:
        """Colour with the opacity of the colour map's own alpha or of a map of its own."""
        color = self._image(entry, "color", "RGBA", needed=True)
        kind = next((kind for kind in ("opacity", "transparency") if kind in entry.maps), None)
        mask = None
        if kind is not None and (image := self._image(entry, kind, "RGBA")) is not None:
            # The alpha channel where it says something, else the brightness.
            mask = image[..., 3] if image[..., 3].min() < 255 else image[..., :3].max(-1)
            mask = 255 - mask if kind == "transparency" else mask
        if color is None and mask is None:
            return {}, {}, "opaque"
        where = entry.maps["color"] if color is not None else entry.maps[str(kind)]
        if color is None:
            assert mask is not None
            color = np.full((*mask.shape, 4), 255, np.uint8)
        elif mask is not None and entry.maps[str(kind)].placement != where.placement:
            self.dropped.add(f"{kind} map of material '{name}', which lies otherwise than its colour")
            mask = None
        if mask is not None:
            color, mask = _same_size(color, mask)
            color[..., 3] = mask
        alpha = color[..., 3]
        if alpha.max() == 0:
            # An alpha channel that hides everything is a leftover, no opacity.
            color[..., 3] = 255
        if alpha.min() == 255 or alpha.max() == 0:
            return {"base_color": color}, {"base_color": where}, "opaque"
        crisp = ((alpha < 16) | (alpha > 239)).mean() > 0.9
        return {"base_color": color}, {"base_color": where}, "mask" if crisp else "blend"

    def _surface(self, entry: Entry, textures: dict[str, Texture], maps: dict[str, Map]) -> None:
        """Roughness and metallic maps, which are grey images of their own, in one texture; factors fill what has no map."""
        images = {kind: self._image(entry, kind, "RGB") for kind in ("roughness", "metallic")}
        have = {kind: image[..., 0] for kind, image in images.items() if image is not None}
        if not have:
            return
        if len(have) == 2:
            first, second = entry.maps["roughness"], entry.maps["metallic"]
            if first.placement != second.placement:
                self.dropped.add(f"metallic map '{second.name}', which lies otherwise than the roughness")
                del have["metallic"]
        numbers = {key: values for key, values in entry.numbers.items() if values and np.isfinite(values).all()}
        rough = have.get("roughness")
        metal = have.get("metallic")
        rough = rough if rough is not None else np.full((1, 1), round(255 * _roughness(numbers)), np.uint8)
        # Without a map of its own, metallic stays a factor.
        metal = metal if metal is not None else np.full((1, 1), 255, np.uint8)
        rough, metal = _same_size(rough, metal)
        textures["metallic_roughness"] = np.stack([np.full_like(rough, 255), rough, metal], -1)
        maps["metallic_roughness"] = entry.maps["roughness" if "roughness" in have else "metallic"]

    def _bump(self, name: str, entry: Entry) -> tuple[Texture, Map] | None:
        """A normal map. `map_Bump` is one where it looks like one, else a height map, which is left out."""
        image = self._image(entry, "normal", "RGB")
        if image is not None:
            return image, entry.maps["normal"]
        image = self._image(entry, "bump", "RGB")
        if image is None:
            return None
        mean = image.reshape(-1, 3).mean(0)
        if mean[2] > 160 and np.abs(mean[:2] - 128).max() < 48:
            return image, entry.maps["bump"]
        self.dropped.add(f"height map of material '{name}'")
        return None

    def _image(self, entry: Entry, kind: str, mode: Literal["RGB", "RGBA"], needed: bool = False) -> Texture | None:
        """A map's texels, fresh to be written to; None where there is no such map or it can't be had.

        A map that is `needed` is refused where its name leads away or its image is broken; any other costs itself alone.
        """
        if kind not in entry.maps:
            return None
        name = entry.maps[kind].name
        try:
            if name not in self._files:
                self._files[name] = self.place.read(self.place.find(name))
            label = f"texture '{name}'"
            colour = kind in ("color", "emissive")
            side = self.limits.max_texture_side
            return open_image(self._files[name], label, side, self.place.budget, mode, colour).copy()
        except AssetError as error:
            if needed and error.reason != "missing_file":
                raise
            self.left_out.add(name)
            return None


def _same_size(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both images stretched, texel by texel, to the larger one's size."""
    height, width = max(first.shape[:2], second.shape[:2], key=lambda size: size[0] * size[1])

    def stretched(image: NDArray[Any]) -> NDArray[Any]:
        rows, columns = np.arange(height) * image.shape[0] // height, np.arange(width) * image.shape[1] // width
        return image[rows][:, columns]

    return stretched(first), stretched(second)


def _roughness(numbers: dict[str, list[float]]) -> float:
    if "pr" in numbers:
        return _unit(numbers["pr"][0])
    if "ns" not in numbers:
        return 0.6
    # Blinn-Phong's exponent as the roughness of a highlight of the same width.
    return float((2 / (min(max(numbers["ns"][0], 0.0), 1000.0) + 2)) ** 0.25)


def _three(values: list[float] | None, default: float) -> list[float]:
    return list(values) if values is not None and len(values) == 3 else [default] * 3


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
