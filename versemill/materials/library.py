"""A folder of PBR texture sets (MatSynth, ambientCG, Poly Haven namings) as materials: indexed once, hashed, resized."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.errors import AssetError, ConfigError
from versemill.files import written_aside
from versemill.materials import images
from versemill.materials.material import Material

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}
INDEX = "versemill-textures.json"
"""Name of the index, written into the folder where that is possible."""

# Longest words first, so that "normal_dx" is not taken for "normal". A map's word ends the name, before a
# resolution such as "2k" if there is one.
_WORDS = {
    "base_color": ("basecolor", "base_color", "diffuse", "albedo", "color", "diff", "col"),
    "roughness": ("roughness", "rough"),
    "metallic": ("metallic", "metalness", "metal"),
    "normal": ("normalgl", "normal_gl", "nor_gl", "nor-gl", "normal", "nor"),
    "normal_dx": ("normaldx", "normal_dx", "nor_dx", "nor-dx"),
    "opacity": ("opacity", "alpha"),
}
_WORD = {word: kind for kind, words in _WORDS.items() for word in words}
_NAME = re.compile(
    r"^(?:(?P<set>.+?)[_\-. ])??(?P<map>" + "|".join(sorted(_WORD, key=len, reverse=True)) + r")(?:[_\-. ]?\d+k)?$",
    re.IGNORECASE,
)
_RESOLUTION = re.compile(r"[_\-. ]\d+k(?:[_\-. ](?:jpe?g|png))?$", re.IGNORECASE)


@dataclass(frozen=True)
class TextureSet:
    """One set: `maps` is (kind, absolute path) pairs, `sha256` hashes kinds and file contents, `licence` is its own words."""

    name: str
    maps: tuple[tuple[str, str], ...]
    sha256: str
    licence: str


@cache
def index(folder: Path) -> tuple[TextureSet, ...]:
    """The sets of a folder and its subfolders, sorted by name; every set has at least a base colour.

    Files are hashed once: the result is kept in `versemill-textures.json` in the folder (where it can be written)
    and used while names, sizes and times of all images stay the same. A licence is read from LICENSE,
    LICENCE or LICENSE.txt next to the images or above them, or "licence" in a MatSynth metadata.json; else "unknown".

    Raises:
        ConfigError: the folder is missing or holds no set.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        raise ConfigError(f"texture folder {folder} does not exist; give a folder of PBR sets or textures: procedural")
    images = sorted(p for p in root.rglob("*") if p.suffix.lower() in IMAGES and p.is_file())
    state = [[str(p.relative_to(root)), (stat := p.stat()).st_size, stat.st_mtime_ns] for p in images]
    kept = root / INDEX
    try:
        saved = json.loads(kept.read_text())
    except (OSError, ValueError):
        saved = {}
    if saved.get("state") != state:
        saved = {"state": state, "sets": [asdict(texture_set) for texture_set in _scan(root, images)]}
        try:
            with written_aside(kept) as aside:
                aside.write_text(json.dumps(saved, indent=1))
        except OSError:
            pass  # a read-only folder is hashed again by the next process
    sets = tuple(
        TextureSet(s["name"], tuple((kind, str(root / path)) for kind, path in s["maps"]), s["sha256"], s["licence"])
        for s in saved["sets"]
    )
    if not sets:
        raise ConfigError(
            f"{folder} holds no texture set; expected files such as NAME_basecolor.png, NAME_2K_Color.jpg or NAME_diff_2k.jpg"
        )
    return sets


def load(texture_set: TextureSet, size: int) -> Material:
    """The set as a material with (size, size) textures.

    Raises:
        AssetError: "bad_texture" when an image can't be read.
    """
    maps = dict(texture_set.maps)
    base = np.full((size, size, 4), 255, np.uint8)
    base[..., :3] = _image(maps["base_color"], "RGB", size)
    if "opacity" in maps:
        base[..., 3] = _image(maps["opacity"], "L", size)
    surface = np.zeros((size, size, 3), np.uint8)
    surface[..., 1] = _image(maps["roughness"], "L", size) if "roughness" in maps else 153
    surface[..., 2] = _image(maps["metallic"], "L", size) if "metallic" in maps else 0
    normal = None
    if "normal" in maps:
        normal = _image(maps["normal"], "RGB", size)
    elif "normal_dx" in maps:
        normal = _image(maps["normal_dx"], "RGB", size)
        normal[..., 1] = 255 - normal[..., 1]
    return Material(
        name=texture_set.name,
        metallic=1.0,
        roughness=1.0,
        base_color_texture=base,
        metallic_roughness_texture=surface,
        normal_texture=normal,
        alpha_mode="mask" if "opacity" in maps else "opaque",
        source=f"library/{texture_set.name}",
        licence=texture_set.licence,
    )


def _scan(root: Path, images: list[Path]) -> list[TextureSet]:
    sets: dict[str, dict[str, Path]] = {}
    for path in images:
        match = _NAME.match(path.stem)
        if match is None:
            continue
        # MatSynth keeps plain names (basecolor.png) in a folder per material; the others prefix the set's name.
        folder = path.parent.relative_to(root)
        stem = _RESOLUTION.sub("", match["set"]) if match["set"] else ""
        name = (folder / stem).as_posix() if stem and stem != _RESOLUTION.sub("", folder.name) else folder.as_posix()
        sets.setdefault(name, {}).setdefault(_WORD[match["map"].lower()], path)
    texture_sets = []
    for name, maps in sorted(sets.items()):
        if "base_color" not in maps:
            continue
        digest = hashlib.sha256()
        for kind, path in sorted(maps.items()):
            digest.update(kind.encode() + hashlib.sha256(path.read_bytes()).digest())
        pairs = tuple((kind, path.relative_to(root).as_posix()) for kind, path in sorted(maps.items()))
        texture_sets.append(TextureSet(name, pairs, digest.hexdigest(), _licence(root, maps["base_color"].parent)))
    return texture_sets


def _licence(root: Path, folder: Path) -> str:
    metadata = folder / "metadata.json"
    if metadata.is_file():
        record = json.loads(metadata.read_text())
        for key in ("licence", "license"):
            if record.get(key):
                return str(record[key])
    for place in [folder, *folder.parents]:
        for name in ("LICENSE", "LICENCE", "LICENSE.txt", "LICENCE.txt"):
            if (place / name).is_file():
                return (place / name).read_text().strip().splitlines()[0][:80]
        if place == root:
            break
    return "unknown"


def _image(path: str, mode: str, size: int) -> NDArray[np.uint8]:
    """An 8-bit image of (size, size); 16-bit gray is scaled, not clipped."""
    try:
        with Image.open(path, formats=images.FORMATS) as opened:
            image: Image.Image = opened
            if image.mode.startswith("I"):
                image = Image.fromarray((np.asarray(image, np.float64) / 257 + 0.5).clip(0, 255).astype(np.uint8))
            return np.array(image.convert(mode).resize((size, size), Image.Resampling.LANCZOS))
    except (OSError, ValueError) as error:
        raise AssetError("bad_texture", f"can't read texture {path}: {error}") from error
