"""Draws an object's plan: every random value, as JSON. The plan alone decides the asset (see objects.py).

Each purpose has its own stream, and draws as many numbers as it could ever need whatever the configuration, so
that switching an augmentation on or off moves no other value: arms of an ablation are paired.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from versemill import seeds
from versemill.errors import ConfigError
from versemill.materials import library, procedural
from versemill.zeroverse.config import KINDS, Kind, ZeroverseConfig
from versemill.zeroverse.primitives import FIELDS, SURFACES

VERSION = 1
"""Of the plan's format and meaning: a plan of another version is refused, not misread."""

Plan = dict[str, Any]
BUILD_FIELDS = ("composition", "min_removed", "max_removed", "triangles", "texture_size", "tile")


def draw(config: ZeroverseConfig, seed: int, index: int) -> Plan:
    """Every value of object `index` of dataset `seed`, JSON-able."""
    rng = seeds.stream(seed, index, "zeroverse/composition")
    count = 1 + choose(rng.random(), config.count_weights)
    primitives = [primitive(config, seed, index, str(k)) for k in range(count)]
    u, v = seeds.stream(seed, index, "zeroverse/augmentation").random(2)
    # Disjoint shares lie at the two ends of [0, 1): switching one off hands none of its objects to the other.
    cut, wired = u < config.boolean, (1 - u if config.disjoint else v) <= config.wireframe
    return {
        **head(config, seed, index),
        "placement": config.placement,
        "primitives": primitives,
        "boolean": _boolean(config, seed, index) if cut else None,
        "wireframe": _wireframe(config, seed, index) if wired else None,
    }


def head(config: ZeroverseConfig, seed: int, index: int) -> Plan:
    """What every plan begins with."""
    fields = {name: getattr(config, name) for name in BUILD_FIELDS}
    return {"version": VERSION, "seed": seed, "index": index, "preset": config.preset, **fields}


def primitive(config: ZeroverseConfig, seed: int, index: int, owner: str, part: str | None = None) -> dict[str, Any]:
    """One primitive with its pose, height fields and materials, from streams named after `owner`.

    Args:
        part: what shares a texture under `texture_per: part`; the primitive itself if None.
    """
    rng = seeds.stream(seed, index, f"zeroverse/primitive/{owner}")
    kind = pick_kind(rng.random(), config.primitives)
    axes = between(rng.random(3), config.semi_axes)
    quaternion, unit, angles = rotation(rng), rng.random(6), rng.random(6) * 180
    pose: dict[str, Any]
    if config.placement == "cube":
        pose = {"center": (2 * unit[:3] - 1).tolist(), "quaternion": quaternion}
    else:
        pose = {
            "euler": angles[:3].tolist(),
            "offset": (unit[:3] * max(axes)).tolist(),
            "grown_euler": angles[3:].tolist(),
            "grown_offset": (unit[3:] * max(axes)).tolist(),
        }
    return {
        "kind": kind,
        "axes": axes.tolist(),
        **pose,
        "heights": _heights(config, seed, index, owner, kind, float(min(axes))),
        "materials": [material(config, seed, index, owner, s, part) for s in range(len(SURFACES[kind]))],
    }


def _heights(config: ZeroverseConfig, seed: int, index: int, owner: str, kind: Kind, smallest: float) -> list[dict[str, Any]]:
    """The displaced surfaces: amplitude in composition units, 5x5 grid in [-1, 1]. A torus has none, as in the paper."""
    rng = seeds.stream(seed, index, f"zeroverse/heights/{owner}")
    chosen, amplitude, grids = rng.random(FIELDS), rng.random(FIELDS), rng.uniform(-1, 1, (FIELDS, 5, 5))
    if kind == "torus":
        return []
    return [
        {"surface": s, "amplitude": float(amplitude[s] * config.height_amplitude * smallest), "grid": grids[s].tolist()}
        for s in range(len(SURFACES[kind]))
        if chosen[s] < config.height_field
    ]


def _boolean(config: ZeroverseConfig, seed: int, index: int) -> dict[str, Any]:
    rng = seeds.stream(seed, index, "zeroverse/boolean")
    attempts = [{"kind": pick_kind(rng.random(), config.cutters), **_place(config, rng)} for _ in range(config.attempts)]
    return {"attempts": attempts, "material": material(config, seed, index, "boolean", 0)}


def _wireframe(config: ZeroverseConfig, seed: int, index: int) -> dict[str, Any]:
    rng = seeds.stream(seed, index, "zeroverse/wireframe")
    kind, thickness = pick_kind(rng.random(), config.wires), float(between(rng.random(), config.wire_thickness))
    subdivided, smooth = (bool(x < 0.5) for x in rng.random(2))
    return {
        "kind": kind,
        "thickness": thickness,
        "subdivision": ("smooth" if smooth else "simple") if subdivided else "none",
        "attempts": [_place(config, rng) for _ in range(config.attempts)],
        "material": material(config, seed, index, "wireframe", 0),
    }


def _place(config: ZeroverseConfig, rng: np.random.Generator) -> dict[str, Any]:
    """Size, rotation, and a point of the surface still to be built: uniform numbers for the face and within it."""
    return {
        "size": float(between(rng.random(), config.augment_size)),
        "quaternion": rotation(rng),
        "point": rng.random(3).tolist(),
    }


def material(
    config: ZeroverseConfig, seed: int, index: int, owner: str, surface: int, part: str | None = None
) -> dict[str, Any]:
    """A texture, the colour that multiplies it (linear RGB) and where its pattern begins on the surface.

    Args:
        owner, surface: name the surface's own stream. part: what shares a texture under `texture_per: part`; `owner` if None.
    """
    own = "object/0" if config.texture_per == "object" else f"{owner}/{surface}"
    slot, hue, saturation, value, x, y = seeds.stream(seed, index, f"zeroverse/material/{own}").random(6)
    if config.texture_per == "part":
        own = f"part/{part or owner}"
        slot = seeds.stream(seed, index, f"zeroverse/material/{own}").random()
    # Textured surfaces are tinted lightly; plain ones get the whole colour.
    strength = config.tint if config.textures != "none" else 1.0
    color = (1 - 0.3 * strength * (1 - value)) * (1 - 0.8 * strength * saturation * _opponent(hue))
    record: dict[str, Any] = {"color": color.tolist(), "offset": [float(x), float(y)], "texture": None}
    if isinstance(config.textures, str) and config.textures == "procedural":
        if config.pool:
            rng = seeds.stream(seed, int(slot * config.pool), "zeroverse/texture")
        else:
            rng = seeds.stream(seed, index, f"zeroverse/texture/{own}")
        record["texture"] = procedural.draw(rng, config.families)
    elif config.textures != "none":
        sets = _allowed(library.index(config.textures), config)
        chosen = sets[int(slot * len(sets))]
        record["texture"] = {"library": str(config.textures), "set": chosen.name, "sha256": chosen.sha256}
    return record


def _allowed(sets: Sequence[library.TextureSet], config: ZeroverseConfig) -> Sequence[library.TextureSet]:
    """The sets under an accepted licence.

    Raises:
        ConfigError: there is none.
    """
    if config.licences is None:
        return sets
    allowed = [s for s in sets if s.licence.startswith(config.licences)]
    if not allowed:
        have = sorted({s.licence for s in sets})
        raise ConfigError(f"{config.textures} holds no set under licences {list(config.licences)}; it has {have}")
    return allowed


def _opponent(hue: float) -> np.ndarray:
    """(3,) how much of red, green and blue a fully saturated hue lacks."""
    return 1 - np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)


def choose(u: float, weights: Sequence[float]) -> int:
    """The position among the weights that a uniform number falls on."""
    cumulative = np.cumsum(weights)
    return int(np.searchsorted(cumulative, u * cumulative[-1], side="right"))


def pick_kind(u: float, weights: Mapping[Kind, float]) -> Kind:
    """The primitive type that a uniform number falls on."""
    return KINDS[choose(u, [weights.get(kind, 0.0) for kind in KINDS])]


def between(u: Any, interval: tuple[float, float]) -> Any:
    """Uniform numbers moved from [0, 1) to an interval."""
    return interval[0] + u * (interval[1] - interval[0])


def rotation(rng: np.random.Generator) -> list[float]:
    """A uniform rotation (Shoemake 1992) from three uniform numbers: (w, x, y, z)."""
    u, v, w = rng.random(3)
    a, b = math.sqrt(1 - u), math.sqrt(u)
    v, w = 2 * math.pi * v, 2 * math.pi * w
    # math, not numpy: numpy's vector units round sines differently from machine to machine, and a plan must not.
    return [b * math.cos(w), a * math.sin(v), a * math.cos(v), b * math.sin(w)]
