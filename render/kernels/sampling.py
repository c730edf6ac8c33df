"""Scrambled Sobol points, and the sampling of lobes, environments and lights."""

import warp as wp

from versemill import device as _device

wp.set_module_options(_device.EXACT)

PI = wp.constant(3.14159265358979)
MIX_2 = wp.constant(wp.uint32(0x846CA68B))
GOLDEN = wp.constant(wp.uint32(0x9E3779B9))
MIX_1 = wp.constant(wp.uint32(0x7FEB352D))
SALT_X = wp.constant(wp.uint32(0x68BC21EB))
SALT_Y = wp.constant(wp.uint32(0x02E5BE93))


@wp.func
def mix(h: wp.uint32):
    """A 32-bit integer hash (two rounds of multiply and shift)."""
    x = h
    x = (x ^ (x >> wp.uint32(16))) * MIX_1
    x = (x ^ (x >> wp.uint32(15))) * MIX_2
    return x ^ (x >> wp.uint32(16))


@wp.func
def to_unit(x: wp.uint32):
    """The upper 24 bits as a float in [0, 1)."""
    return float(x >> wp.uint32(8)) * (1.0 / 16777216.0)


@wp.func
def reverse(x: wp.uint32):
    """The 32 bits in reverse order."""
    y = ((x >> wp.uint32(1)) & wp.uint32(0x55555555)) | ((x & wp.uint32(0x55555555)) << wp.uint32(1))
    y = ((y >> wp.uint32(2)) & wp.uint32(0x33333333)) | ((y & wp.uint32(0x33333333)) << wp.uint32(2))
    y = ((y >> wp.uint32(4)) & wp.uint32(0x0F0F0F0F)) | ((y & wp.uint32(0x0F0F0F0F)) << wp.uint32(4))
    y = ((y >> wp.uint32(8)) & wp.uint32(0x00FF00FF)) | ((y & wp.uint32(0x00FF00FF)) << wp.uint32(8))
    return (y >> wp.uint32(16)) | (y << wp.uint32(16))


@wp.func
def scramble(x: wp.uint32, seed: wp.uint32):
    """A permutation in which each bit depends on the lower ones only: Owen scrambling of bit-reversed numbers."""
    y = x ^ (x * wp.uint32(0x3D20ADEA))
    y = (y + seed) * ((seed >> wp.uint32(16)) | wp.uint32(1))
    y = y ^ (y * wp.uint32(0x05526C56))
    return y ^ (y * wp.uint32(0x53A22864))


@wp.func
def draw(key: wp.uint32, dimension: int, index: int, count: int):
    """Sample `index` of `count` (a power of two) of an Owen-scrambled Sobol pair of its own for each key and dimension."""
    seed = mix(key ^ (wp.uint32(dimension) * GOLDEN))
    # Permuting the order decorrelates the dimensions. Aligned runs of 2, 4, 8 ... indices stay such runs, so each is
    # stratified by itself; scrambling keeps that.
    k = reverse(scramble(reverse(wp.uint32(index)), seed)) & wp.uint32(count - 1)
    mirrored = wp.uint32(0)
    vector = wp.uint32(1)
    rest = k
    while rest != wp.uint32(0):
        if (rest & wp.uint32(1)) != wp.uint32(0):
            mirrored = mirrored ^ vector
        rest = rest >> wp.uint32(1)
        vector = vector ^ (vector << wp.uint32(1))
    first = reverse(scramble(k, mix(seed + SALT_X)))
    second = reverse(scramble(mirrored, mix(seed + SALT_Y)))
    return wp.vec2(to_unit(first), to_unit(second))


@wp.func
def frame(n: wp.vec3):
    """A rotation whose third column is n."""
    side = float(1.0)
    if n[2] < 0.0:
        side = float(-1.0)
    a = -1.0 / (side + n[2])
    b = n[0] * n[1] * a
    t = wp.vec3(1.0 + side * n[0] * n[0] * a, side * b, -side * n[0])
    s = wp.vec3(b, side + n[1] * n[1] * a, -n[1])
    return wp.matrix_from_cols(t, s, n)


@wp.func
def cosine_direction(u: wp.vec2):
    """Cosine-weighted direction around +Z; its density is z / pi."""
    r = wp.sqrt(u[0])
    phi = 2.0 * PI * u[1]
    return wp.vec3(r * wp.cos(phi), r * wp.sin(phi), wp.sqrt(wp.max(1.0 - u[0], 0.0)))


@wp.func
def visible_half_vector(v: wp.vec3, a: float, u: wp.vec2):
    """GGX half vector visible from v (around +Z), by uniform points on a spherical cap."""
    w = wp.normalize(wp.vec3(v[0] * a, v[1] * a, v[2]))
    phi = 2.0 * PI * u[0]
    z = (1.0 - u[1]) * (1.0 + w[2]) - w[2]
    sin = wp.sqrt(wp.clamp(1.0 - z * z, 0.0, 1.0))
    h = wp.vec3(sin * wp.cos(phi) + w[0], sin * wp.sin(phi) + w[1], z + w[2])
    return wp.normalize(wp.vec3(h[0] * a, h[1] * a, wp.max(h[2], 1.0e-6)))


@wp.struct
class Light:
    """The environment (mip levels, alias table, irradiance over pi) and N rectangles.

    `sky` is the environment's mean irradiance in luminance; `contrast` in [0, 1) is 0 where it is the same all round.
    """

    texels: wp.array(dtype=wp.vec3)
    levels: wp.array(dtype=wp.vec3i)
    keep: wp.array(dtype=float)
    alias: wp.array(dtype=wp.int32)
    density: wp.array(dtype=float)
    ambient: wp.array(dtype=wp.vec3)
    ambient_size: wp.vec2i
    centers: wp.array(dtype=wp.vec3)
    x: wp.array(dtype=wp.vec3)
    y: wp.array(dtype=wp.vec3)
    radiance: wp.array(dtype=wp.vec3)
    sky: float
    contrast: float
    count: int


@wp.func
def turns(direction: wp.vec3):
    """Where a direction lies in any equirectangular image: shares of its width and height."""
    phi = wp.atan2(direction[1], direction[0])
    if phi < 0.0:
        phi += 2.0 * PI
    return wp.vec2(phi / (2.0 * PI), wp.acos(wp.clamp(direction[2], -1.0, 1.0)) / PI)


@wp.func
def panorama(texels: wp.array(dtype=wp.vec3), level: wp.vec3i, place: wp.vec2):
    """Bilinear lookup in an equirectangular image at a place of `turns`; level is (offset, width, height)."""
    x = place[0] * float(level[1]) - 0.5
    y = wp.clamp(place[1] * float(level[2]) - 0.5, 0.0, float(level[2] - 1))
    i = int(wp.floor(x))
    j = int(wp.floor(y))
    fx = x - wp.floor(x)
    fy = y - wp.floor(y)
    left = (i + level[1]) % level[1]
    right = (i + 1 + level[1]) % level[1]
    below = wp.min(j + 1, level[2] - 1)
    top = (1.0 - fx) * texels[level[0] + j * level[1] + left] + fx * texels[level[0] + j * level[1] + right]
    bottom = (1.0 - fx) * texels[level[0] + below * level[1] + left] + fx * texels[level[0] + below * level[1] + right]
    return (1.0 - fy) * top + fy * bottom


@wp.func
def environment(light: Light, direction: wp.vec3):
    """Radiance from a direction."""
    return panorama(light.texels, light.levels[0], turns(direction))


@wp.func
def blurred_environment(light: Light, direction: wp.vec3, roughness: float):
    """The environment at about the width of a GGX lobe."""
    last = float(light.levels.shape[0] - 1)
    lod = wp.clamp(wp.sqrt(roughness) * last, 0.0, last)
    low = int(wp.floor(lod))
    high = wp.min(low + 1, light.levels.shape[0] - 1)
    part = lod - float(low)
    place = turns(direction)
    return (1.0 - part) * panorama(light.texels, light.levels[low], place) + part * panorama(
        light.texels, light.levels[high], place
    )


@wp.func
def ambient(light: Light, normal: wp.vec3):
    """Irradiance of the whole environment over pi: what a white surface without shadows sends out."""
    return panorama(light.ambient, wp.vec3i(0, light.ambient_size[0], light.ambient_size[1]), turns(normal))


@wp.func
def environment_density(light: Light, direction: wp.vec3):
    """Probability density, over solid angle, with which `sample_environment` draws a direction."""
    level = light.levels[0]
    place = turns(direction)
    row = wp.min(int(place[1] * float(level[2])), level[2] - 1)
    column = wp.min(int(place[0] * float(level[1])), level[1] - 1)
    return light.density[row * level[1] + column]


@wp.func
def sample_environment(light: Light, pick: wp.vec2, within: wp.vec2):
    """A direction in proportion to radiance: a texel by the alias table, then uniform over its solid angle."""
    level = light.levels[0]
    count = level[1] * level[2]
    scaled = pick[0] * float(count)
    k = wp.min(int(scaled), count - 1)
    if pick[1] >= light.keep[k]:
        k = light.alias[k]
    row = k // level[1]
    column = k % level[1]
    high = wp.cos(PI * float(row) / float(level[2]))
    low = wp.cos(PI * float(row + 1) / float(level[2]))
    z = high + (low - high) * within[0]
    phi = 2.0 * PI * (float(column) + within[1]) / float(level[1])
    sin = wp.sqrt(wp.max(1.0 - z * z, 0.0))
    return wp.vec3(sin * wp.cos(phi), sin * wp.sin(phi), z)
