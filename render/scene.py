"""Packs an asset and its light into the arrays that the kernels read; the BVH is built here, once per asset."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from versemill import mesh
from versemill.asset import Asset
from versemill.camera import Camera
from versemill.colour import decode_srgb, encode_srgb
from versemill.materials.material import SLOTS, Texture
from versemill.materials.sampler import Sampler
from versemill.render.kernels.sampling import Light
from versemill.render.kernels.scene import CLAMP, MAGNIFY, MINIFY, MIRROR, REPEAT, Scene, View
from versemill.render.lighting import Lighting, directions

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
COLOURS = ("base_color", "emissive")
"""Slots whose texels are sRGB."""
WRAPS = {"repeat": int(REPEAT), "mirror": int(MIRROR), "clamp": int(CLAMP)}
ALPHA_MODES = {"opaque": 0, "mask": 1, "blend": 2}
BIAS = 5e-5
"""World units by which rays start off the surface; an asset is 2 units wide and float32 resolves 1e-7 there."""

SLACK = np.float32(1e-5)
"""World units by which the BVH's boxes are wider than their faces; a box test errs by 2e-7 of the distance to the camera."""


DECODE = decode_srgb(np.arange(256) / 255).astype(np.float32)
# Tables keep the mip levels of many textures cheap: sRGB codes <-> 16-bit light, and 8-bit <-> 16-bit linear values.
DECODE_16 = np.round(decode_srgb(np.arange(256) / 255) * 65535).astype(np.uint16)
LINEAR_16 = (np.arange(256) * 257).astype(np.uint16)
CODE_16 = ((np.arange(65536) + 128) // 257).astype(np.uint8)
ENCODE_16 = np.round(encode_srgb(np.arange(65536) / 65535) * 255).astype(np.uint8)


@dataclass
class PackedScene:
    """The kernel's scene and what must stay alive as long as it is used."""

    scene: Any
    mesh: Any
    device: str


def pack(asset: Asset, device: str) -> PackedScene:
    """Uploads an asset; faces, UVs, materials and mip-mapped textures."""
    corner_normals = asset.shading_normals()
    geometry = _tight_mesh(asset.vertices[asset.faces], device)
    scene = Scene()
    scene.mesh = geometry.id
    scene.normals = wp.array(corner_normals.reshape(-1, 3), dtype=wp.vec3, device=device)
    sets = [asset.uv_set(k) for k in range(asset.uv_sets)]
    scene.uvs = wp.array(np.concatenate(sets).reshape(-1, 2), dtype=wp.vec2, device=device)
    scene.density = wp.array(np.concatenate([_uv_density(asset, uvs) for uvs in sets]), dtype=float, device=device)
    scene.faces = len(asset.faces)
    scene.material = wp.array(asset.material_ids, dtype=wp.int32, device=device)
    scene.part = wp.array(asset.part_ids, dtype=wp.int32, device=device)

    textures: list[list[NDArray[np.uint8]]] = []
    levels: list[tuple[int, int, int]] = []
    seen: dict[tuple[int, bool], int] = {}
    maps = np.full((len(asset.materials), len(SLOTS)), -1, np.int32)
    lookups = np.zeros((len(asset.materials), len(SLOTS), 4), np.int32)
    for m, material in enumerate(asset.materials):
        for kind, slot in enumerate(SLOTS):
            image, colour = material.texture(slot), slot in COLOURS
            if image is None:
                continue
            if (id(image), colour) not in seen:
                seen[(id(image), colour)] = len(textures)
                textures.append(mip_levels(image, srgb=colour))
            maps[m, kind] = seen[(id(image), colour)]
            lookups[m, kind] = _lookup(material.sampler(slot))
    mips, texels, first = [], [], 0
    for chain in textures:
        mips.append((len(levels), len(chain)))
        for image in chain:
            levels.append((first, image.shape[1], image.shape[0]))
            texels.append(image.reshape(-1, 4))
            first += len(texels[-1])
    scene.textures = wp.array(maps, dtype=wp.vec4i, device=device)
    scene.lookups = wp.array(lookups.reshape(-1, 4), dtype=wp.vec4i, device=device)
    scene.mips = wp.array(np.array(mips or [(0, 1)], np.int32), dtype=wp.vec2i, device=device)
    scene.levels = wp.array(np.array(levels or [(0, 1, 1)], np.int32), dtype=wp.vec3i, device=device)
    packed = np.concatenate(texels) if texels else np.full((1, 4), 255, np.uint8)
    scene.texels = wp.array(packed, dtype=wp.vec4ub, device=device)
    scene.decode = wp.array(DECODE, dtype=float, device=device)

    factors = asset.materials
    scene.base_color = wp.array(np.array([m.base_color for m in factors], np.float32), dtype=wp.vec4, device=device)
    chains = [[textures[k] if k >= 0 else None for k in row] for row in maps]
    means = [_mean_color(m.base_color[:3], row[0]) for m, row in zip(factors, chains, strict=True)]
    scene.mean_color = _vectors(np.array(means), device)
    scene.emissive = _vectors(np.array([m.emissive for m in factors]), device)
    means = [_mean_color(m.emissive, row[3]) for m, row in zip(factors, chains, strict=True)]
    scene.mean_emission = _vectors(np.array(means), device)
    scene.unlit = wp.array(np.array([m.unlit for m in factors], np.int32), dtype=wp.int32, device=device)
    pairs = np.array([(m.metallic, m.roughness) for m in factors], np.float32)
    scene.metal_rough = wp.array(pairs, dtype=wp.vec2, device=device)
    modes = np.array([(ALPHA_MODES[m.alpha_mode], m.alpha_cutoff) for m in factors], np.float32)
    scene.alpha = wp.array(modes, dtype=wp.vec2, device=device)
    scene.cut_out = int(modes[:, 0].any())
    scene.bias = BIAS
    return PackedScene(scene, geometry, device)


def _tight_mesh(corners: Float32, device: str) -> Any:
    """Warp's mesh of (F, 3, 3) triangles, with a BVH that no ray slips through.

    Warp's triangle test is watertight, but its box test is not: rounding lets a ray that runs along the common edge of two
    boxes miss both. So the tree is built over triangles as wide as each face's box and `SLACK` more, before the true
    corners take their place. Corner k of face f is point 3 f + k.
    """
    low, high = corners.min(1) - SLACK, corners.max(1) + SLACK
    built = wp.Mesh(
        points=wp.array(np.stack([low, high, low], 1).reshape(-1, 3), dtype=wp.vec3, device=device),
        indices=wp.array(np.arange(3 * len(corners), dtype=np.int32), dtype=wp.int32, device=device),
    )
    built.points.assign(corners.reshape(-1, 3))
    return built


def _lookup(sampler: Sampler) -> tuple[int, int, int, int]:
    """A sampler as the kernel's numbers."""
    filters = int(MAGNIFY) * (sampler.magnify == "nearest") + int(MINIFY) * (sampler.minify == "nearest")
    return sampler.uv_set, WRAPS[sampler.wrap_s], WRAPS[sampler.wrap_t], filters


def _uv_density(asset: Asset, uvs: Float32) -> Float32:
    """(F,) UV length per world length of each face, in one UV set (F, 3, 2)."""
    edges = uvs[:, 1:] - uvs[:, :1]
    uv_area = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]) / 2
    area = mesh.face_areas(asset.vertices, asset.faces)
    return np.sqrt(uv_area / np.maximum(area, 1e-12)).astype(np.float32)


def _mean_color(color: Sequence[float], chain: list[NDArray[np.uint8]] | None) -> Float64:
    """A linear colour factor times the mean of its texture's mip levels, if there is one."""
    factor = np.array(color)
    return factor if chain is None else factor * DECODE[chain[-1][0, 0, :3]]


def mip_levels(image: Texture, srgb: bool) -> list[NDArray[np.uint8]]:
    """Halved copies of a texture down to one texel, each (h, w, 4) uint8; colours are averaged as light, not as codes."""
    decode, encode = (DECODE_16, ENCODE_16) if srgb else (LINEAR_16, CODE_16)
    channels = [(slice(0, 3), decode, encode)] + [(slice(3, 4), LINEAR_16, CODE_16)] * (image.shape[2] == 4)
    # Tables are read by `take`: it is three times as fast as indexing.
    values = [table.take(image[..., at]) for at, table, _ in channels]
    chain = [_opaque(image.shape[:2])]
    chain[0][..., : image.shape[2]] = image
    while max(chain[-1].shape[:2]) > 1:
        values = [_halved(v) for v in values]
        chain.append(_opaque(values[0].shape[:2]))
        for (at, _, table), v in zip(channels, values, strict=True):
            chain[-1][..., at] = table.take(v)
    return chain


def _opaque(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.full((*shape, 4), 255, np.uint8)


def _halved(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Mean of 2 x 2 neighbours; an odd last row or column, or a lone one, stands for itself."""
    odd = [(0, n % 2) for n in values.shape[:2]]
    if any(extra for _, extra in odd):
        values = np.pad(values, [*odd, (0, 0)], mode="edge")
    rows = values[::2].astype(np.uint32)
    rows += values[1::2]
    total = rows[:, ::2] + rows[:, 1::2]
    total += 2
    return (total >> 2).astype(np.uint16)


def pack_views(cameras: tuple[Camera, ...], device: str) -> Any:
    """An array of the kernel's `View` of each camera."""
    views = []
    for camera in cameras:
        view = View()
        view.origin = wp.vec3(*camera.center.tolist())
        view.rotation = wp.mat33(*camera.c2w[:3, :3].ravel().tolist())
        view.unproject = wp.mat33(*np.linalg.inv(camera.K).ravel().tolist())
        view.project = wp.mat33(*camera.K.ravel().tolist())
        view.pixel = float(1 / np.sqrt(abs(camera.K[0, 0] * camera.K[1, 1])))
        view.orthographic = int(camera.orthographic)
        views.append(view)
    return wp.array(views, dtype=View, device=device)


def pack_light(lighting: Lighting, device: str) -> Any:
    """The kernel's `Light`: environment with mip levels, alias table and irradiance, and the rectangles."""
    image = lighting.environment.astype(np.float64)
    height, width = image.shape[:2]
    edges = np.cos(np.arange(height + 1) / height * np.pi)
    solid = np.repeat(((edges[:-1] - edges[1:]) * 2 * np.pi / width)[:, None], width, 1)
    bright = image @ np.array([0.2126, 0.7152, 0.0722])
    weight = bright * solid
    # A little of a uniform draw keeps the density positive wherever a bilinear lookup may find light.
    share = 0.95 * weight / max(weight.sum(), 1e-30) + 0.05 * solid / solid.sum()
    share /= share.sum()
    keep, alias = alias_table(share.ravel())
    levels, area = [image], np.repeat(solid[..., None], 3, 2)
    while levels[-1].shape[0] > 4:
        pooled, area = _pooled(levels[-1], area)
        levels.append(pooled)
    table, first = [], 0
    for level in levels:
        table.append((first, level.shape[1], level.shape[0]))
        first += level.shape[0] * level.shape[1]
    light = Light()
    light.texels = _vectors(np.concatenate([level.reshape(-1, 3) for level in levels]), device)
    light.levels = wp.array(np.array(table, np.int32), dtype=wp.vec3i, device=device)
    light.keep = wp.array(keep.astype(np.float32), dtype=float, device=device)
    light.alias = wp.array(alias.astype(np.int32), dtype=wp.int32, device=device)
    light.density = wp.array((share / solid).astype(np.float32).ravel(), dtype=float, device=device)
    ambient = irradiance(levels, solid)
    light.ambient = _vectors(ambient.reshape(-1, 3), device)
    light.ambient_size = wp.vec2i(ambient.shape[1], ambient.shape[0])
    mean, squares = (float((bright**p * solid).sum() / solid.sum()) for p in (1, 2))
    light.sky = np.pi * mean
    light.contrast = 1 - mean**2 / squares if squares > 0 else 0.0
    rectangles = lighting.rectangles
    for name, values in (
        ("centers", [r.center for r in rectangles]),
        ("x", [r.x for r in rectangles]),
        ("y", [r.y for r in rectangles]),
        ("radiance", [r.radiance for r in rectangles]),
    ):
        setattr(light, name, _vectors(np.array(values or [(0.0, 0.0, 0.0)]), device))
    light.count = len(rectangles)
    return light


def _vectors(values: NDArray[Any], device: str) -> Any:
    return wp.array(np.ascontiguousarray(values, np.float32), dtype=wp.vec3, device=device)


def _pooled(image: Float64, area: Float64) -> tuple[Float64, Float64]:
    """Halves an environment, weighted by solid angle; returns the image and the summed solid angles."""

    def quads(values: Float64) -> Float64:
        h, w = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
        return values[:h, :w].reshape(h // 2, 2, w // 2, 2, 3).sum((1, 3))

    total = quads(area)
    return quads(image * area) / total, total


def irradiance(levels: list[Float64], solid: Float64, shape: tuple[int, int] = (16, 32)) -> Float64:
    """(h, w, 3) irradiance over pi of an environment, for the normals of an equirectangular grid."""
    # A cosine lobe is wide: the level of at most 64 columns is as good as the first.
    level = next(image for image in levels if image.shape[1] <= 64 or image is levels[-1])
    height, width = level.shape[:2]
    if (height, width) != solid.shape:
        edges = np.cos(np.arange(height + 1) / height * np.pi)
        solid = np.repeat(((edges[:-1] - edges[1:]) * 2 * np.pi / width)[:, None], width, 1)
    toward = directions(height, width).reshape(-1, 3)
    cosine = np.maximum(directions(*shape).reshape(-1, 3) @ toward.T, 0) * solid.ravel()
    # Normalised, so that a uniform environment gives exactly its own radiance.
    cosine /= cosine.sum(1, keepdims=True)
    return (cosine @ level.reshape(-1, 3)).reshape(*shape, 3)


def alias_table(share: Float64) -> tuple[Float64, NDArray[np.int64]]:
    """Walker's alias table of a distribution: entry k is kept with probability keep[k], else alias[k] is taken."""
    scaled = share * len(share)
    light, heavy = np.flatnonzero(scaled < 1), np.flatnonzero(scaled >= 1)
    keep, alias = np.minimum(scaled, 1.0), np.arange(len(share))
    if len(light) == 0 or len(heavy) == 0:
        return np.ones(len(share)), alias
    missing, spare = np.cumsum(1 - scaled[light]), np.cumsum(scaled[heavy] - 1)
    # One sweep: a light entry takes what it lacks from the first heavy one that has something left ...
    giver = np.searchsorted(spare, missing - (1 - scaled[light]), side="right")
    alias[light] = heavy[np.minimum(giver, len(heavy) - 1)]
    # ... and a heavy one that gave more than it had takes that from the next.
    taker = np.searchsorted(missing, spare[:-1], side="right")
    short = np.flatnonzero(taker < len(light))
    keep[heavy[short]] = 1 - (missing[taker[short]] - spare[short])
    alias[heavy[short]] = heavy[short + 1]
    return keep, alias


@cache
def split_sum_table(device: str, size: int = 32, count: int = 1024) -> Any:
    """(size, size) of (A, B) over roughness (rows) and cosine (columns) for Schlick reflectance f0 A + B.

    The integral over GGX half vectors of the height-correlated Smith term, with `count` Hammersley points.
    """
    steps = np.arange(count)
    radical, base, rest = np.zeros(count), 0.5, steps.copy()
    while rest.any():
        radical, rest, base = radical + base * (rest & 1), rest >> 1, base / 2
    u, phi = (steps + 0.5) / count, 2 * np.pi * radical
    table = np.zeros((size, size, 2), np.float32)
    for row in range(size):
        a2 = max((row + 0.5) / size, 0.03) ** 4
        cos_h = np.sqrt((1 - u) / (1 + (a2 - 1) * u))
        sin_h = np.sqrt(1 - cos_h**2)
        nv = ((np.arange(size) + 0.5) / size)[:, None]
        vh = np.sqrt(1 - nv**2) * sin_h * np.cos(phi) + nv * cos_h
        nl = 2 * vh * cos_h - nv
        lit = (nl > 0) & (vh > 0)
        smith = nl * np.sqrt(nv**2 * (1 - a2) + a2) + nv * np.sqrt(np.maximum(nl, 0) ** 2 * (1 - a2) + a2)
        # f cos / pdf of a GGX half vector: 4 V nl vh / nh, with V = 0.5 / smith.
        value = np.where(lit, 2 * nl * vh / np.maximum(smith * cos_h, 1e-12), 0.0)
        fresnel = (1 - np.clip(vh, 0, 1)) ** 5
        table[row, :, 0] = (value * (1 - fresnel)).mean(1)
        table[row, :, 1] = (value * fresnel).mean(1)
    return wp.array(table, dtype=wp.vec2, device=device)
