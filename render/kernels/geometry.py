"""The geometry passes: one ray through each pixel's centre, nothing blended."""

import warp as wp

from render.kernels.scene import Scene, View, camera_direction, camera_origin, cast, surface
from versemill import device as _device

wp.set_module_options(_device.EXACT)

TILE = wp.constant(8)
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
        local = wp.transpose(view.rotation) * (data.points[data.indices[3 * face + k]] - view.origin)
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


@wp.kernel
def geometry(
    scene: Scene,
    views: wp.array(dtype=View),
    tiles: wp.array(dtype=wp.uint8),
    width: int,
    height: int,
    face: wp.array(dtype=wp.int32),
    depth: wp.array(dtype=float),
    smooth: wp.array(dtype=wp.vec3),
    geometric: wp.array(dtype=wp.vec3),
    albedo: wp.array(dtype=wp.vec3ub),
    metal_rough: wp.array(dtype=wp.vec2ub),
    position: wp.array(dtype=wp.vec3),
):
    """Fills what has a length; background stays as it was: face -1, everything else 0."""
    i = wp.tid()
    v = i // (width * height)
    column = i % width
    row = (i // width) % height
    if in_empty_tile(tiles, v, column, row, width, height):
        face[i] = -1
        return
    view = views[v]
    x = float(column) + 0.5
    y = float(row) + 0.5
    direction = camera_direction(view, x, y)
    hit = cast(scene, camera_origin(view, x, y), direction, 1.0e6, 0.5)
    face[i] = hit.face
    if hit.face < 0:
        return
    depth[i] = hit.t
    pixel = view.pixel
    if view.orthographic == 0:
        pixel = pixel * hit.t
    s = surface(scene, hit, direction, pixel)
    if smooth:
        smooth[i] = s.smooth
    if geometric:
        geometric[i] = s.geometric
    if albedo:
        albedo[i] = wp.vec3ub(
            to_byte(encode_srgb(s.color[0])), to_byte(encode_srgb(s.color[1])), to_byte(encode_srgb(s.color[2]))
        )
    if metal_rough:
        metal_rough[i] = wp.vec2ub(to_byte(s.metallic), to_byte(s.roughness))
    if position:
        position[i] = s.position
