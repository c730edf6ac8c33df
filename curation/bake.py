"""Texture baking: what a source asset looks like, written into the textures of another mesh of the same shape.

Which face covers a texel is a ray cast at the atlas laid flat; what the texel shows is what the source shows at its closest
point: base colour, metallic, roughness, and the normal, so that detail that a smaller mesh lost stays in the shading.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from versemill.asset import Asset
from versemill.colour import decode_srgb
from versemill.materials.material import Material, Texture
from versemill.materials.sampler import sample
from versemill.materials.vertex_colors import from_linear
from versemill.mesh import corner_normals
from versemill.queries import MeshQuery

Floats = NDArray[np.floating[Any]]
LINEAR = decode_srgb(np.arange(256) / 255)
"""sRGB codes as linear light."""


def bake(source: Asset, vertices: Floats, faces: NDArray[np.int32], uvs: NDArray[np.float32], size: int) -> Asset:
    """The source's looks on another mesh, in one material whose textures have `size` x `size` texels.

    A texel that no face covers takes after the nearest one that is covered, so that filtering finds no gaps. Parts and the
    source's place in its dataset stay; a face belongs to the part that lies nearest to its middle.

    Args:
        vertices: (V, 3). faces: (F, 3). uvs: (F, 3, 2) of charts that do not overlap, within [0, 1].
    """
    covered, face, weights = _texels(uvs, size)
    worn = [source.materials[k] for k in np.unique(source.material_ids)]
    unlit = all(material.unlit for material in worn)
    if unlit:
        source = dataclasses.replace(source, materials=tuple(dataclasses.replace(m, unlit=False) for m in source.materials))
    normals = corner_normals(vertices, faces)
    points = _between(np.asarray(vertices, np.float64)[faces], face, weights)
    query = MeshQuery(source.vertices, source.faces)
    _, near, spots = query.closest(points)
    at = _barycentric(source.vertices[source.faces[near]], spots)
    color, surface, world, emission = appearance(source, near, at)
    local = np.einsum("nij,nj->ni", _frames(vertices, faces, uvs, normals, face, weights), world)
    local[:, 2] = np.maximum(local[:, 2], 0.05)
    local /= np.linalg.norm(local, axis=1, keepdims=True)
    pixels = [from_linear(color), np.rint(surface * 255).astype(np.uint8), np.rint(local * 127.5 + 127.5).astype(np.uint8)]
    base, rough, bump = (_filled(values, covered) for values in pixels)
    baked = _material(worn, base, rough, bump)
    if (peak := float(emission.max(initial=0.0))) > 0:
        glow = _filled(from_linear(emission / peak)[:, :3], covered)
        baked = dataclasses.replace(baked, emissive=(peak, peak, peak), emissive_texture=glow)
    _, parts, _ = query.closest(np.asarray(vertices, np.float64)[faces].mean(1))
    return dataclasses.replace(
        source,
        vertices=np.asarray(vertices, np.float32),
        faces=faces,
        uvs=uvs,
        material_ids=np.zeros(len(faces), np.int32),
        part_ids=source.part_ids[parts],
        materials=(dataclasses.replace(baked, unlit=unlit),),
        normals=None,
    )


def _texels(uvs: NDArray[np.float32], size: int) -> tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.float32]]:
    """(size, size) which texel centres lie in a chart; for those, row by row, the face (N,) and its weights (N, 3)."""
    flat = np.concatenate([uvs.reshape(-1, 2), np.zeros((3 * len(uvs), 1))], 1)
    centre = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(centre, 1 - centre)
    origins = np.stack([u.reshape(-1), v.reshape(-1), np.ones(size * size)], 1)
    down = np.broadcast_to([0.0, 0.0, -1.0], origins.shape)
    hits = MeshQuery(flat, np.arange(3 * len(uvs)).reshape(-1, 3)).ray_cast(origins, down)
    hit = hits.faces >= 0
    return hit.reshape(size, size), hits.faces[hit], hits.weights[hit]


def _filled(values: NDArray[np.uint8], covered: NDArray[np.bool_]) -> Texture:
    image = np.zeros((*covered.shape, values.shape[1]), np.uint8)
    image[covered] = values
    rows, columns = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return np.ascontiguousarray(image[rows, columns])


def _between(corners: Floats, face: NDArray[Any], weights: Floats) -> NDArray[np.float64]:
    return np.einsum("nk,nkj->nj", weights.astype(np.float64), corners[face])


def _barycentric(corners: Floats, points: Floats) -> NDArray[np.float64]:
    """(N, 3) weights of points (N, 3) in triangles (N, 3, 3), within [0, 1]."""
    a, b, c = corners.astype(np.float64).transpose(1, 0, 2)
    cross = np.cross(b - a, c - a)
    double = np.maximum((cross**2).sum(1), 1e-300)
    second = np.einsum("ij,ij->i", np.cross(points - a, c - a), cross) / double
    third = np.einsum("ij,ij->i", np.cross(b - a, points - a), cross) / double
    weights = np.clip(np.stack([1 - second - third, second, third], 1), 0, 1)
    return weights / weights.sum(1, keepdims=True)


def appearance(asset: Asset, face: NDArray[Any], weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """What an asset shows at points of its surface, given by face (N,) and barycentric weights (N, 3).

    Returns:
        linear RGBA (N, 4); occlusion (1), roughness and metallic (N, 3); world-space unit shading normals (N, 3); linear
        emission (N, 3).
    """
    uvs = _between(asset.uvs, face, weights)
    smooth = asset.shading_normals()
    normal = _between(smooth, face, weights)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    color, surface, emission = np.ones((len(face), 4)), np.ones((len(face), 3)), np.zeros((len(face), 3))
    worn = asset.material_ids[face]
    for k, material in enumerate(asset.materials):
        own = np.flatnonzero(worn == k)
        if not len(own):
            continue
        color[own] = material.base_color
        if material.base_color_texture is not None:
            color[own] *= _looked_up(material, "base_color", uvs[own])
        if material.alpha_mode == "opaque":
            color[own, 3] = 1
        elif material.alpha_mode == "mask":
            color[own, 3] = color[own, 3] >= material.alpha_cutoff
        surface[own] = (1.0, material.roughness, material.metallic)
        if material.metallic_roughness_texture is not None:
            surface[own, 1:] *= _looked_up(material, "metallic_roughness", uvs[own])[:, 1:]
        emission[own] = material.emissive
        if material.emissive_texture is not None:
            emission[own] *= _looked_up(material, "emissive", uvs[own])
        if material.unlit:
            # Among lit materials, it is one that only shines.
            emission[own], color[own, :3] = emission[own] + color[own, :3], 0.0
        if material.normal_texture is not None:
            local = _looked_up(material, "normal", uvs[own]) * 2 - 1
            own_uvs = asset.uv_set(material.normal_sampler.uv_set)
            frames = _frames(asset.vertices, asset.faces, own_uvs, smooth, face[own], weights[own])
            turned = np.einsum("ni,nij->nj", local, frames)
            normal[own] = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-12)
    return color, surface, normal, emission


def _looked_up(material: Material, slot: str, uvs: Floats) -> NDArray[np.float64]:
    """(N, C) values in [0, 1] of a material's texture at (N, 2 S) UVs; colours are decoded to linear before they are mixed."""
    texture, sampler = material.texture(slot), material.sampler(slot)
    assert texture is not None
    place = uvs[:, 2 * sampler.uv_set : 2 * sampler.uv_set + 2]
    return sample(texture, place, sampler, _decoded if slot in ("base_color", "emissive") else lambda texels: texels / 255)


def _decoded(texels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.concatenate([LINEAR[texels[:, :3]], texels[:, 3:] / 255], 1)


def _frames(
    vertices: Floats, faces: NDArray[Any], uvs: Floats, normals: Floats, face: NDArray[Any], weights: Floats
) -> NDArray[np.float64]:
    """(N, 3, 3) rows tangent, bitangent and shading normal, made from each face's UVs as the renderer makes them."""
    smooth = _between(normals, face, weights)
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)
    corners, uv = np.asarray(vertices, np.float64)[faces[face]], uvs[face].astype(np.float64)
    edges, steps = corners[:, 1:] - corners[:, :1], uv[:, 1:] - uv[:, :1]
    side = np.where(np.linalg.det(steps) < 0, -1.0, 1.0)[:, None]
    tangent = (steps[:, 1, 1:] * edges[:, 0] - steps[:, 0, 1:] * edges[:, 1]) * side
    tangent -= np.einsum("ij,ij->i", tangent, smooth)[:, None] * smooth
    length = np.linalg.norm(tangent, axis=1, keepdims=True)
    # A face without UVs has no tangent; any will do.
    other = np.cross(smooth, np.where(np.abs(smooth[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    other /= np.maximum(np.linalg.norm(other, axis=1, keepdims=True), 1e-12)
    tangent = np.where(length > 1e-12, tangent / np.maximum(length, 1e-300), other)
    return np.stack([tangent, np.cross(smooth, tangent) * side, smooth], 1)


def _material(worn: Sequence[Material], base: Texture, rough: Texture, bump: Texture) -> Material:
    """One material of baked textures in place of several; what is the same everywhere is a factor."""
    modes: list[Literal["opaque", "mask", "blend"]] = ["blend", "mask", "opaque"]
    mode = next(m for m in modes if any(material.alpha_mode == m for material in worn))
    even = (rough == rough[0, 0]).all()
    return Material(
        name="baked",
        base_color_texture=base,
        metallic=float(rough[0, 0, 2] / 255) if even else 1.0,
        roughness=float(rough[0, 0, 1] / 255) if even else 1.0,
        metallic_roughness_texture=None if even else rough,
        normal_texture=bump,
        alpha_mode=mode,
        double_sided=any(material.double_sided for material in worn),
        source="baked",
        licence=" AND ".join(sorted({material.licence for material in worn})),
    )
