"""Meshes small enough for a page: thinned to a budget, quantised, delta-coded, deflated; read by templates/viewer.js.

A packed array is cut into byte planes of the differences from row to row, so that deflate sees runs of small numbers.
"""

import base64
import dataclasses
import io
import zlib
from collections.abc import Mapping
from typing import Any

import fast_simplification
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.asset import Asset
from versemill.colour import encode_srgb
from versemill.materials.material import Material
from versemill.mesh import corner_normals, face_areas

Array = NDArray[Any]

PAGE_BYTES = 8_000_000
"""Of the meshes and colours of all assets together."""

MESH_BYTES = 2_500_000
"""Most bytes of one asset's mesh and colours, however few assets there are; what is larger is thinned for display."""

STEPS = 1 << 13
"""Positions are stored in 2 / STEPS = 0.00025 of the asset's longest side."""

UV_STEPS = 512
"""UVs are stored in 1/512 of a texture, coarser where they span more than 128 repeats."""

LAYERS = 48
"""Most materials with colours of their own; those with the least area beyond it share one mean colour."""


def encode(asset: Asset, limit: int = MESH_BYTES) -> dict[str, Any]:
    """An asset as JSON-able values of at most about `limit` bytes: see `encoded`."""
    asset = asset if np.abs(asset.vertices).max(initial=0) <= 1.001 else asset.normalized()
    if asset.normals is None:
        asset = dataclasses.replace(asset, normals=corner_normals(asset.vertices, asset.faces))
    triangles = len(asset.faces)
    while (length := size(mesh := encoded(asset, triangles))) > limit and triangles > 1000:
        triangles = int(triangles * max(min(0.95 * limit / length, 0.9), 0.1))
    return mesh


def encoded(asset: Asset, triangles: int) -> dict[str, Any]:
    """An asset with normals as JSON-able values: arrays as base64 of deflate, base colours as one WebP data URI.

    Returns:
        `data` {name: base64}: "position" (n, 3) uint16, "normal" (n, 2) uint16 octahedral, "uv" (n, 2) uint16,
        "layer" and "part" (n, 1) uint8, "index" (3 t, 1) uint32 high-water codes; `vertices` n, `triangles` t, `faces` of
        the whole mesh; `steps`, `uv` [u0, v0, step] for the way back; `layers` as `textures` gives them; `parts` names.
    """
    assert asset.normals is not None
    kept, corners = thin(asset.vertices, asset.faces, triangles)
    layers, of_material = textures(asset, kept)
    count = len(kept)
    uv, origin, step = _quantised_uvs(asset.uv_set(0)[kept])
    columns = (
        np.round((corners.reshape(-1, 3) + 1) / 2 * STEPS).clip(0, STEPS),
        octahedral(asset.normals[kept].reshape(-1, 3)),
        uv.reshape(-1, 2),
        np.repeat(of_material[asset.material_ids[kept]], 3)[:, None],
        np.repeat(asset.part_ids[kept] % 256, 3)[:, None],
    )
    order = _nearby(corners)
    table = (
        np.concatenate([column.astype(np.int32) for column in columns], 1).reshape(count, 3, -1)[order].reshape(3 * count, -1)
    )
    vertices, index = _indexed(table)
    widths = {"position": 3, "normal": 2, "uv": 2, "layer": 1, "part": 1}
    parts = dict(zip(widths, np.split(vertices, np.cumsum(list(widths.values()))[:-1], axis=1), strict=True))
    sizes = {"position": 2, "normal": 2, "uv": 2, "layer": 1, "part": 1}
    return {
        "data": {
            **{name: pack(parts[name], sizes[name]) for name in widths},
            "index": pack(_codes(index)[:, None], 4, delta=False),
        },
        "vertices": len(vertices),
        "triangles": count,
        "faces": len(asset.faces),
        "steps": STEPS,
        "uv": [*origin, step],
        "layers": layers,
        "parts": [name[:100] for name in asset.part_names[:256]],
    }


def thin(vertices: Array, faces: Array, budget: int) -> tuple[Array, Array]:
    """A mesh with about `budget` triangles and the same shape: edges are collapsed where the surface moves least (Garland and
    Heckbert 1997). A mesh that is small enough stays as it is.

    Returns:
        indices (T,) of the faces that are left, and their corners (T, 3, 3) float64.
    """
    if len(faces) <= budget:
        return np.arange(len(faces)), vertices[faces].astype(np.float64)
    points, triangles = np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32)
    collapses = fast_simplification.simplify(points, triangles, target_count=budget, return_collapses=True)[2]
    moved, _, target = fast_simplification.replay_simplification(points, triangles, collapses)
    mapped = target[faces]
    left = np.flatnonzero((mapped[:, 0] != mapped[:, 1]) & (mapped[:, 1] != mapped[:, 2]) & (mapped[:, 2] != mapped[:, 0]))
    return left, moved[mapped[left]].astype(np.float64)


def textures(asset: Asset, kept: Array) -> tuple[dict[str, Any], Array]:
    """Base colours of the materials that are seen, side by side in one picture.

    Args:
        kept: (T,) faces that are shown.

    Returns:
        {"side", "count", "image" (data URI: `count` squares, one above the other), "metallic", "roughness" (mean of each)},
        and (M,) int32 material -> layer.
    """
    used = np.bincount(asset.material_ids[kept], face_areas(asset.vertices, asset.faces)[kept], len(asset.materials))
    by_area = [int(m) for m in np.argsort(-used, kind="stable") if used[m] > 0] or [0]
    own, rest = by_area[:LAYERS], by_area[LAYERS:]
    count = len(own) + bool(rest)
    side = 256 if count <= 3 else 128 if count <= 24 else 64
    of_material = np.full(len(asset.materials), count - 1, np.int32)
    of_material[own] = np.arange(len(own))
    squares = [_square(asset.materials[m], side) for m in own]
    looks = [_look(asset.materials[m]) for m in own]
    if rest:
        mean = np.mean([_square(asset.materials[m], 1)[0, 0] for m in rest], 0).astype(np.uint8)
        squares.append(np.broadcast_to(mean, (side, side, 4)))
        looks.append((0.0, 0.6))
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(squares)).save(buffer, "WEBP", quality=72, method=4)
    image = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    metallic, roughness = ([round(look[k], 3) for look in looks] for k in (0, 1))
    return {"side": side, "count": count, "image": image, "metallic": metallic, "roughness": roughness}, of_material


def _square(material: Material, side: int) -> Array:
    """(side, side, 4) uint8 sRGB with linear alpha: texture times factor; opaque materials have alpha 255."""
    texture = material.base_color_texture
    plain = np.full((1, 1, 4), 255, np.uint8)
    small = Image.fromarray(plain if texture is None else texture).resize((side, side), Image.Resampling.BOX)
    factor = np.asarray(material.base_color, np.float64)
    factor[:3] = encode_srgb(factor[:3])
    colour = (np.asarray(small) * factor + 0.5).clip(0, 255).astype(np.uint8)
    if material.alpha_mode == "opaque":
        colour[..., 3] = 255
    return colour


def _look(material: Material) -> tuple[float, float]:
    texture = material.metallic_roughness_texture
    rough, metal = (1.0, 1.0) if texture is None else texture[..., 1:].reshape(-1, 2).mean(0) / 255
    return float(metal) * material.metallic, float(rough) * material.roughness


def octahedral(normals: Array) -> Array:
    """(n, 2) values 0..1022 of unit vectors (n, 3), by the octahedral map of Cigolle et al. 2014; zeros point up."""
    flat = normals.astype(np.float64) / np.maximum(np.abs(normals).sum(1, keepdims=True), 1e-12)
    x, y = flat[:, 0], flat[:, 1]
    below = flat[:, 2] < 0
    folded = np.stack([(1 - np.abs(y)) * np.where(x >= 0, 1, -1), (1 - np.abs(x)) * np.where(y >= 0, 1, -1)], 1)
    return np.round(np.where(below[:, None], folded, flat[:, :2]) * 511 + 511)


def _quantised_uvs(uvs: Array) -> tuple[Array, tuple[float, float], float]:
    """UVs (T, 3, 2) as steps from a corner; whole repeats are taken off each triangle, since textures repeat."""
    local = uvs.astype(np.float64) - np.floor(uvs.min(1, keepdims=True))
    low = local.reshape(-1, 2).min(0) if len(local) else np.zeros(2)
    span = float((local.reshape(-1, 2) - low).max(initial=0))
    step = max(1 / UV_STEPS, span / 65535)
    return np.round((local - low) / step), (float(low[0]), float(low[1])), step


def _nearby(corners: Array) -> Array:
    """An order of triangles (T, 3, 3) in which neighbours follow each other: along a Morton curve of their middles."""
    cell = ((corners.mean(1) + 1) / 2 * 1023).clip(0, 1023).astype(np.int64)
    code = np.zeros(len(cell), np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cell[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")


def _indexed(table: Array) -> tuple[Array, Array]:
    """Distinct rows of a corner table (3 T, c) in the order of first use, and each corner's row."""
    _, first, inverse = np.unique(table, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    order = np.argsort(first)
    rank[order] = np.arange(len(first))
    return table[first[order]], rank[inverse.ravel()]


def _codes(index: Array) -> Array:
    """Indices in order of first use as distances to the highest so far plus one; 0 is a new vertex."""
    highest = np.concatenate([[0], np.maximum.accumulate(index) + 1])[:-1]
    return highest - index


def pack(values: Array, size: int, delta: bool = True) -> str:
    """Base64 of the deflated byte planes of an array (n, c) of `size`-byte unsigned numbers, or of its differences."""
    numbers = values.astype(np.int64)
    if delta:
        numbers = np.diff(numbers, axis=0, prepend=np.zeros((1, numbers.shape[1]), np.int64))
    columns = np.ascontiguousarray(numbers.T.astype(f"<u{size}")).reshape(-1, 1).view(np.uint8)
    return base64.b64encode(zlib.compress(np.ascontiguousarray(columns.reshape(-1, size).T).tobytes(), 9)).decode()


def unpack(text: str, columns: int, size: int, delta: bool = True) -> Array:
    """The array (n, columns) behind `pack`, as the page's script reads it."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(size, -1)
    numbers = np.ascontiguousarray(planes.T).view(f"<u{size}").reshape(columns, -1).T
    return np.cumsum(numbers, axis=0, dtype=numbers.dtype) if delta else numbers


def indices(codes: Array) -> Array:
    """The vertex indices behind high-water codes (n,)."""
    codes = codes.astype(np.int64)
    highest = np.cumsum(codes == 0) - (codes == 0)
    return highest - codes


def size(mesh: Mapping[str, Any]) -> int:
    """Bytes of an encoded asset in the page."""
    return sum(map(len, mesh["data"].values())) + len(mesh["layers"]["image"])
