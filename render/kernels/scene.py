"""The scene as kernels see it: one mesh, packed textures, and what a ray finds on the surface."""

import warp as wp

from versemill import device as _device

wp.set_module_options(_device.EXACT)

OPAQUE, MASK, BLEND = wp.constant(0), wp.constant(1), wp.constant(2)
REPEAT, MIRROR, CLAMP = wp.constant(0), wp.constant(1), wp.constant(2)
MAGNIFY, MINIFY = wp.constant(1), wp.constant(2)
"""Bits of a lookup's last number: where it reads the nearest texel."""
BASE, SURFACE, BUMP, EMISSIVE = wp.constant(0), wp.constant(1), wp.constant(2), wp.constant(3)
"""The four textures of a material."""
LAYERS = wp.constant(16)
"""How many cut-out surfaces one ray may pass."""


@wp.struct
class Scene:
    """A mesh with materials; arrays per corner (3F), face (F), material (M), texture (T) and mip level (L). Corner k of face f
    is the mesh's point 3 f + k. UV sets lie one after the other in `uvs` and `density`. `lookups` holds per material and
    texture (4M) the UV set, the wraps along u and v, and the filter's bits."""

    mesh: wp.uint64
    normals: wp.array(dtype=wp.vec3)
    uvs: wp.array(dtype=wp.vec2)
    density: wp.array(dtype=float)
    material: wp.array(dtype=wp.int32)
    part: wp.array(dtype=wp.int32)
    base_color: wp.array(dtype=wp.vec4)
    mean_color: wp.array(dtype=wp.vec3)
    metal_rough: wp.array(dtype=wp.vec2)
    alpha: wp.array(dtype=wp.vec2)
    emissive: wp.array(dtype=wp.vec3)
    mean_emission: wp.array(dtype=wp.vec3)
    unlit: wp.array(dtype=wp.int32)
    textures: wp.array(dtype=wp.vec4i)
    lookups: wp.array(dtype=wp.vec4i)
    mips: wp.array(dtype=wp.vec2i)
    levels: wp.array(dtype=wp.vec3i)
    texels: wp.array(dtype=wp.vec4ub)
    decode: wp.array(dtype=float)
    faces: int
    cut_out: int
    bias: float


@wp.struct
class View:
    """A camera: its place, its axes, K and its inverse, and a pixel's width at depth 1 (anywhere, if orthographic)."""

    origin: wp.vec3
    rotation: wp.mat33
    unproject: wp.mat33
    project: wp.mat33
    pixel: float
    orthographic: int


@wp.struct
class Hit:
    """Where a ray meets the mesh: `face` is -1 where it doesn't; weights of the face's corners."""

    face: int
    t: float
    weights: wp.vec3


@wp.struct
class Surface:
    """A point on the mesh seen from one side; normals point to that side."""

    position: wp.vec3
    geometric: wp.vec3
    smooth: wp.vec3
    shading: wp.vec3
    color: wp.vec3
    emission: wp.vec3
    metallic: float
    roughness: float
    material: int


@wp.func
def camera_origin(view: View, x: float, y: float):
    """Where the ray through image point (x, y) starts."""
    if view.orthographic == 1:
        plane = view.unproject * wp.vec3(x, y, 1.0)
        return view.origin + view.rotation * wp.vec3(plane[0], plane[1], 0.0)
    return view.origin


@wp.func
def camera_direction(view: View, x: float, y: float):
    """The ray's direction with unit length along the viewing axis, so that t is planar depth."""
    if view.orthographic == 1:
        return view.rotation * wp.vec3(0.0, 0.0, 1.0)
    return view.rotation * (view.unproject * wp.vec3(x, y, 1.0))


@wp.func
def wrapped(i: int, count: int, mode: int):
    """The index in [0, count) of a texel that may lie outside."""
    if mode == CLAMP:
        return wp.clamp(i, 0, count - 1)
    if mode == MIRROR:
        around = i % (2 * count)
        if around < 0:
            around += 2 * count
        return wp.min(around, 2 * count - 1 - around)
    inside = i % count
    if inside < 0:
        inside += count
    return inside


@wp.func
def texel(scene: Scene, level: wp.vec3i, x: int, y: int, lookup: wp.vec4i, srgb: bool):
    """One texel in [0, 1], decoded to linear where it is a colour."""
    raw = scene.texels[level[0] + wrapped(y, level[2], lookup[2]) * level[1] + wrapped(x, level[1], lookup[1])]
    alpha = float(int(raw[3])) / 255.0
    if srgb:
        return wp.vec4(scene.decode[int(raw[0])], scene.decode[int(raw[1])], scene.decode[int(raw[2])], alpha)
    return wp.vec4(float(int(raw[0])) / 255.0, float(int(raw[1])) / 255.0, float(int(raw[2])) / 255.0, alpha)


@wp.func
def reduced(x: float, mode: int):
    """A coordinate brought near [0, 1], where float32 and texel numbers are exact enough."""
    if mode == CLAMP:
        return wp.clamp(x, -1.0, 2.0)
    if mode == MIRROR:
        return x - 2.0 * wp.floor(0.5 * x)
    return x - wp.floor(x)


@wp.func
def lookup_level(scene: Scene, level: wp.vec3i, uv: wp.vec2, lookup: wp.vec4i, nearest: bool, srgb: bool):
    """One mip level, (offset, width, height), bilinear or the nearest texel."""
    # v points up, row 0 is the top.
    x = reduced(uv[0], lookup[1]) * float(level[1])
    y = (1.0 - reduced(uv[1], lookup[2])) * float(level[2])
    if nearest:
        return texel(scene, level, int(wp.floor(x)), int(wp.floor(y)), lookup, srgb)
    x = x - 0.5
    y = y - 0.5
    x0 = wp.floor(x)
    y0 = wp.floor(y)
    fx = x - x0
    fy = y - y0
    i = int(x0)
    j = int(y0)
    top = (1.0 - fx) * texel(scene, level, i, j, lookup, srgb) + fx * texel(scene, level, i + 1, j, lookup, srgb)
    bottom = (1.0 - fx) * texel(scene, level, i, j + 1, lookup, srgb) + fx * texel(scene, level, i + 1, j + 1, lookup, srgb)
    return (1.0 - fy) * top + fy * bottom


@wp.func
def texture(scene: Scene, hit: Hit, slot: int, width: float, slope: float, srgb: bool):
    """Trilinear lookup of a material's texture; the sample is `width` wide across the ray, `width / slope` on the surface."""
    material = scene.material[hit.face]
    lookup = scene.lookups[4 * material + slot]
    footprint = scene.density[lookup[0] * scene.faces + hit.face] * width / slope
    mip = scene.mips[scene.textures[material][slot]]
    first = scene.levels[mip[0]]
    texels = footprint * wp.sqrt(float(first[1]) * float(first[2]))
    lod = wp.clamp(wp.log2(wp.max(texels, 1.0e-8)), 0.0, float(mip[1] - 1))
    low = int(wp.floor(lod))
    part = lod - float(low)
    uv = hit_uv(scene, hit, lookup[0])
    nearest = (lookup[3] & MAGNIFY) != 0
    if lod > 0.0:
        nearest = (lookup[3] & MINIFY) != 0
    color = lookup_level(scene, scene.levels[mip[0] + low], uv, lookup, nearest, srgb)
    if part > 0.0:
        high = wp.min(low + 1, mip[1] - 1)
        color = (1.0 - part) * color + part * lookup_level(scene, scene.levels[mip[0] + high], uv, lookup, nearest, srgb)
    return color


@wp.func
def hit_uv(scene: Scene, hit: Hit, number: int):
    """Interpolated texture coordinates of a UV set."""
    at = 3 * (number * scene.faces + hit.face)
    return hit.weights[0] * scene.uvs[at] + hit.weights[1] * scene.uvs[at + 1] + hit.weights[2] * scene.uvs[at + 2]


@wp.func
def opaque_here(scene: Scene, hit: Hit, threshold: float):
    """Whether the surface stops a ray: alpha against the cut-off, or against `threshold` where it blends."""
    material = scene.material[hit.face]
    mode = scene.alpha[material]
    if int(mode[0]) == OPAQUE:
        return True
    alpha = scene.base_color[material][3]
    index = scene.textures[material][BASE]
    if index >= 0:
        level = scene.levels[scene.mips[index][0]]
        lookup = scene.lookups[4 * material + BASE]
        nearest = (lookup[3] & MAGNIFY) != 0
        alpha = alpha * lookup_level(scene, level, hit_uv(scene, hit, lookup[0]), lookup, nearest, True)[3]
    if int(mode[0]) == MASK:
        return alpha >= mode[1]
    return alpha > threshold


@wp.func
def cast(scene: Scene, origin: wp.vec3, direction: wp.vec3, limit: float, threshold: float):
    """First surface along a ray that stops it; `threshold` decides for blended materials."""
    miss = Hit()
    miss.face = -1
    travelled = float(0.0)
    for _layer in range(LAYERS):
        query = wp.mesh_query_ray(scene.mesh, origin + travelled * direction, direction, limit - travelled)
        if not query.result:
            return miss
        here = Hit()
        here.face = query.face
        here.t = travelled + query.t
        here.weights = wp.vec3(query.u, query.v, 1.0 - query.u - query.v)
        if scene.cut_out == 0:
            return here
        if opaque_here(scene, here, threshold):
            return here
        travelled = here.t + scene.bias / wp.length(direction)
    return miss


@wp.func
def occluded(scene: Scene, origin: wp.vec3, direction: wp.vec3, limit: float, threshold: float):
    """Whether anything stops a ray before `limit`."""
    if scene.cut_out == 0:
        return wp.mesh_query_ray_anyhit(scene.mesh, origin, direction, limit)
    return cast(scene, origin, direction, limit, threshold).face >= 0


@wp.func
def corner(scene: Scene, face: int, k: int):
    """Position of corner k of a face."""
    mesh = wp.mesh_get(scene.mesh)
    return mesh.points[3 * face + k]


@wp.func
def face_normal(scene: Scene, face: int):
    """Unit normal of a face's outer side."""
    a = corner(scene, face, 0)
    return wp.normalize(wp.cross(corner(scene, face, 1) - a, corner(scene, face, 2) - a))


@wp.func
def smooth_normal(scene: Scene, hit: Hit, geometric: wp.vec3):
    """Interpolated corner normal; the face's where the corners cancel."""
    at = 3 * hit.face
    n = hit.weights[0] * scene.normals[at] + hit.weights[1] * scene.normals[at + 1] + hit.weights[2] * scene.normals[at + 2]
    length = wp.length(n)
    if length < 1.0e-6:
        return geometric
    return n / length


@wp.func
def hit_position(scene: Scene, hit: Hit):
    """Interpolated position."""
    return (
        hit.weights[0] * corner(scene, hit.face, 0)
        + hit.weights[1] * corner(scene, hit.face, 1)
        + hit.weights[2] * corner(scene, hit.face, 2)
    )


@wp.func
def mapped_normal(scene: Scene, hit: Hit, smooth: wp.vec3, width: float, slope: float):
    """Normal-mapped shading normal; `smooth` is on the face's own (outer) side."""
    at = 3 * (scene.lookups[4 * scene.material[hit.face] + BUMP][0] * scene.faces + hit.face)
    edge1 = corner(scene, hit.face, 1) - corner(scene, hit.face, 0)
    edge2 = corner(scene, hit.face, 2) - corner(scene, hit.face, 0)
    d1 = scene.uvs[at + 1] - scene.uvs[at]
    d2 = scene.uvs[at + 2] - scene.uvs[at]
    turn = d1[0] * d2[1] - d2[0] * d1[1]
    if wp.abs(turn) < 1.0e-16:
        return smooth
    side = wp.sign(turn)
    tangent = (d2[1] * edge1 - d1[1] * edge2) * side
    tangent = tangent - wp.dot(tangent, smooth) * smooth
    length = wp.length(tangent)
    if length < 1.0e-12:
        return smooth
    tangent = tangent / length
    bitangent = wp.cross(smooth, tangent) * side
    raw = texture(scene, hit, BUMP, width, slope, False)
    local = wp.vec3(2.0 * raw[0] - 1.0, 2.0 * raw[1] - 1.0, 2.0 * raw[2] - 1.0)
    return wp.normalize(local[0] * tangent + local[1] * bitangent + wp.max(local[2], 0.05) * smooth)


@wp.func
def surface(scene: Scene, hit: Hit, direction: wp.vec3, width: float):
    """Everything about a hit; `direction` is the ray's, `width` the sample's width in world units across the ray."""
    s = Surface()
    outer = face_normal(scene, hit.face)
    smooth = smooth_normal(scene, hit, outer)
    s.position = hit_position(scene, hit)
    s.material = scene.material[hit.face]
    slope = wp.sqrt(wp.max(wp.abs(wp.dot(outer, wp.normalize(direction))), 0.04))
    maps = scene.textures[s.material]
    factor = scene.base_color[s.material]
    s.color = wp.vec3(factor[0], factor[1], factor[2])
    if maps[BASE] >= 0:
        base = texture(scene, hit, BASE, width, slope, True)
        s.color = wp.cw_mul(s.color, wp.vec3(base[0], base[1], base[2]))
    pair = scene.metal_rough[s.material]
    s.metallic = pair[0]
    s.roughness = pair[1]
    if maps[SURFACE] >= 0:
        orm = texture(scene, hit, SURFACE, width, slope, False)
        s.metallic = s.metallic * orm[2]
        s.roughness = s.roughness * orm[1]
    s.emission = scene.emissive[s.material]
    if maps[EMISSIVE] >= 0:
        shine = texture(scene, hit, EMISSIVE, width, slope, True)
        s.emission = wp.cw_mul(s.emission, wp.vec3(shine[0], shine[1], shine[2]))
    shading = smooth
    if maps[BUMP] >= 0:
        shading = mapped_normal(scene, hit, smooth, width, slope)
    side = float(1.0)
    if wp.dot(outer, direction) > 0.0:
        side = float(-1.0)
    s.geometric = side * outer
    s.smooth = side * smooth
    s.shading = side * shading
    return s
