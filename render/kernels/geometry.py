"""The geometry passes: one ray through each pixel's centre, nothing blended."""

import warp as wp

from render.kernels.scene import Scene, View, camera_direction, camera_origin, cast, surface
from versemill import device as _device

wp.set_module_options(_device.EXACT)


@wp.func
def encode_srgb(x: float):
    c = wp.clamp(x, 0.0, 1.0)
    if c <= 0.0031308:
        return 12.92 * c
    return 1.055 * wp.pow(c, 1.0 / 2.4) - 0.055


@wp.func
def to_byte(x: float):
    return wp.uint8(int(wp.clamp(x, 0.0, 1.0) * 255.0 + 0.5))


@wp.kernel
def geometry(
    scene: Scene,
    views: wp.array(dtype=View),
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
    view = views[i // (width * height)]
    x = float(i % width) + 0.5
    y = float((i // width) % height) + 0.5
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
