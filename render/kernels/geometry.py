"""The geometry passes: one ray through each pixel's centre, nothing blended."""

import warp as wp

from versemill import device as _device
from versemill.render.kernels.scene import (
    Hit,
    Scene,
    View,
    camera_direction,
    camera_origin,
    cast,
    face_normal,
    hit_position,
    smooth_normal,
    surface,
)

wp.set_module_options(_device.EXACT)

TILE = wp.constant(4)
"""Pixels along a tile's side."""


@wp.func
def encode_srgb(x: float):
    """Linear to sRGB, clamped to [0, 1]."""
    c = wp.clamp(x, 0.0, 1.0)
    if c <= 0.0031308:
        return 12.92 * c
    return 1.055 * wp.pow(c, 1.0 / 2.4) - 0.055


@wp.func
def to_byte(x: float):
    """[0, 1] to 0..255, rounded."""
    return wp.uint8(int(wp.clamp(x, 0.0, 1.0) * 255.0 + 0.5))


@wp.kernel
def cover(
    mesh: wp.uint64,
    views: wp.array(dtype=View),
    width: int,
    height: int,
    columns: int,
    rows: int,
    tiles: wp.array(dtype=wp.uint8),
):
    """Marks the tiles that a face's projected box touches; the others can't show anything. One thread per view and face."""
    v, face = wp.tid()
    data = wp.mesh_get(mesh)
    view = views[v]
    low = wp.vec2(1.0e9, 1.0e9)
    high = wp.vec2(-1.0e9, -1.0e9)
    near = float(1.0e9)
    for k in range(3):
        local = wp.transpose(view.rotation) * (data.points[3 * face + k] - view.origin)
        near = wp.min(near, local[2])
        flat = local
        if view.orthographic == 0:
            flat = local / wp.max(local[2], 1.0e-6)
        image = view.project * wp.vec3(flat[0], flat[1], 1.0)
        low = wp.min(low, wp.vec2(image[0], image[1]))
        high = wp.max(high, wp.vec2(image[0], image[1]))
    x0 = int(0)  # noqa: RUF046 - declares a mutable Warp variable
    y0 = int(0)  # noqa: RUF046 - declares a mutable Warp variable
    x1 = columns - 1
    y1 = rows - 1
    if near > 1.0e-3:
        # A hundredth of a pixel stands for rounding; the clamps before the casts keep far points in integer range.
        x0 = wp.max(int(wp.floor(wp.clamp(low[0] - 0.01, -1.0, float(width)))), 0) // TILE
        y0 = wp.max(int(wp.floor(wp.clamp(low[1] - 0.01, -1.0, float(height)))), 0) // TILE
        x1 = wp.min(int(wp.floor(wp.clamp(high[0] + 0.01, -1.0, float(width - 1)))) // TILE, columns - 1)
        y1 = wp.min(int(wp.floor(wp.clamp(high[1] + 0.01, -1.0, float(height - 1)))) // TILE, rows - 1)
        if high[0] + 0.01 < 0.0 or high[1] + 0.01 < 0.0:
            return
        if low[0] - 0.01 >= float(width) or low[1] - 0.01 >= float(height):
            return
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            tiles[(v * rows + y) * columns + x] = wp.uint8(1)


@wp.func
def in_empty_tile(tiles: wp.array(dtype=wp.uint8), view: int, x: int, y: int, width: int, height: int):
    """Whether pixel (x, y) lies in a tile that `cover` left unmarked."""
    columns = (width + TILE - 1) // TILE
    rows = (height + TILE - 1) // TILE
    return int(tiles[(view * rows + y // TILE) * columns + x // TILE]) == 0


@wp.struct
class GBuffer:
    """What pixel centres see, per pixel: face (-1 is background), planar depth, weights of the face's first two corners,
    smooth normal of the visible side, position."""

    face: wp.array(dtype=wp.int32)
    depth: wp.array(dtype=float)
    weights: wp.array(dtype=wp.vec2)
    normal: wp.array(dtype=wp.vec3)
    position: wp.array(dtype=wp.vec3)


@wp.func
def centre(gbuffer: GBuffer, i: int):
    """The hit of pixel i's centre."""
    hit = Hit()
    hit.face = gbuffer.face[i]
    hit.t = gbuffer.depth[i]
    pair = gbuffer.weights[i]
    hit.weights = wp.vec3(pair[0], pair[1], 1.0 - pair[0] - pair[1])
    return hit


@wp.kernel
def trace(
    scene: Scene,
    views: wp.array(dtype=View),
    tiles: wp.array(dtype=wp.uint8),
    first: int,
    width: int,
    height: int,
    gbuffer: GBuffer,
):
    """One ray through the centre of each pixel from number `first` on; all that has a length stays 0 in the background."""
    i = wp.tid()
    pixel = first + i
    v = pixel // (width * height)
    column = pixel % width
    row = (pixel // width) % height
    gbuffer.face[i] = -1
    if in_empty_tile(tiles, v, column, row, width, height):
        return
    view = views[v]
    x = float(column) + 0.5
    y = float(row) + 0.5
    direction = camera_direction(view, x, y)
    hit = cast(scene, camera_origin(view, x, y), direction, 1.0e6, 0.5)
    if hit.face < 0:
        return
    outer = face_normal(scene, hit.face)
    side = float(1.0)
    if wp.dot(outer, direction) > 0.0:
        side = float(-1.0)
    gbuffer.face[i] = hit.face
    gbuffer.depth[i] = hit.t
    gbuffer.weights[i] = wp.vec2(hit.weights[0], hit.weights[1])
    gbuffer.normal[i] = side * smooth_normal(scene, hit, outer)
    gbuffer.position[i] = hit_position(scene, hit)


@wp.kernel
def properties(
    scene: Scene,
    views: wp.array(dtype=View),
    first: int,
    width: int,
    height: int,
    gbuffer: GBuffer,
    geometric: wp.array(dtype=wp.vec3),
    albedo: wp.array(dtype=wp.vec3ub),
    metal_rough: wp.array(dtype=wp.vec2ub),
):
    """The rest of what is asked for about the surface at pixel centres; a null array is not filled."""
    i = wp.tid()
    hit = centre(gbuffer, i)
    if hit.face < 0:
        return
    pixel = first + i
    view = views[pixel // (width * height)]
    direction = camera_direction(view, float(pixel % width) + 0.5, float((pixel // width) % height) + 0.5)
    footprint = view.pixel
    if view.orthographic == 0:
        footprint = footprint * hit.t
    s = surface(scene, hit, direction, footprint)
    if geometric:
        geometric[i] = s.geometric
    if albedo:
        albedo[i] = wp.vec3ub(
            to_byte(encode_srgb(s.color[0])), to_byte(encode_srgb(s.color[1])), to_byte(encode_srgb(s.color[2]))
        )
    if metal_rough:
        metal_rough[i] = wp.vec2ub(to_byte(s.metallic), to_byte(s.roughness))
