"""What the colour pass leaves: light and surface colour apart, smoothed by a guided filter, then developed to sRGB."""

import warp as wp

from render.kernels.bsdf import luminance
from render.kernels.geometry import encode_srgb, to_byte
from versemill import device as _device

wp.set_module_options(_device.EXACT)


@wp.struct
class Film:
    """Per pixel: mean radiance over albedo, the variance of its luminance, albedo, normal, position, coverage in [0, 1]."""

    light: wp.array(dtype=wp.vec3)
    variance: wp.array(dtype=float)
    albedo: wp.array(dtype=wp.vec3)
    normal: wp.array(dtype=wp.vec3)
    position: wp.array(dtype=wp.vec3)
    coverage: wp.array(dtype=float)


@wp.func
def blurred_variance(film: Film, column: int, row: int, i: int, width: int, height: int):
    """3 x 3 mean over covered pixels: a few samples estimate their own variance badly."""
    total = float(0.0)
    weight = float(0.0)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            if column + dx >= 0 and column + dx < width and row + dy >= 0 and row + dy < height:
                j = i + dy * width + dx
                if film.coverage[j] > 0.0:
                    w = 1.0 / float(1 + dx * dx + dy * dy)
                    total += w * film.variance[j]
                    weight += w
    return total / weight


@wp.kernel
def smooth(
    film: Film,
    width: int,
    height: int,
    step: int,
    strength: float,
    light: wp.array(dtype=wp.vec3),
    variance: wp.array(dtype=float),
):
    """One pass of an edge-stopping wavelet filter (5 x 5 taps, `step` pixels apart) over the light.

    A tap counts as far as its normal agrees, its point lies in the pixel's tangent plane, and its brightness differs
    by no more than the noise does: so shadows' and reflections' edges stay, and textures, kept apart, are not touched.
    """
    i = wp.tid()
    if film.coverage[i] <= 0.0:
        return
    column = i % width
    row = (i // width) % height
    n = film.normal[i]
    p = film.position[i]
    center = luminance(film.light[i])
    noise = strength * wp.sqrt(blurred_variance(film, column, row, i, width, height)) + 1.0e-4
    # The width of a pixel on the surface, from its neighbours.
    total = film.light[i]
    spread = film.variance[i]
    weights = float(1.0)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            x = column + dx * step
            y = row + dy * step
            if (dx != 0 or dy != 0) and x >= 0 and x < width and y >= 0 and y < height:
                j = i + dy * step * width + dx * step
                if film.coverage[j] > 0.0:
                    agree = wp.max(wp.dot(n, film.normal[j]), 0.0)
                    gap = film.position[j] - p
                    off = wp.abs(wp.dot(gap, n)) / (0.1 * wp.length(gap) + 1.0e-6)
                    other = film.light[j]
                    differ = wp.abs(luminance(other) - center) / noise
                    kernel = wp.exp(-0.4 * float(dx * dx + dy * dy))
                    w = kernel * wp.exp(-differ - off * off - 32.0 * (1.0 - agree)) * film.coverage[j]
                    total += w * other
                    spread += w * w * film.variance[j]
                    weights += w
    light[i] = total / weights
    variance[i] = spread / (weights * weights)


@wp.kernel
def develop(film: Film, first: int, image: wp.array(dtype=wp.vec4ub)):
    """Light times albedo, clamped to sRGB, with coverage as straight alpha."""
    i = wp.tid()
    if film.coverage[i] <= 0.0:
        return
    c = wp.cw_mul(film.light[i], film.albedo[i])
    image[first + i] = wp.vec4ub(
        to_byte(encode_srgb(c[0])), to_byte(encode_srgb(c[1])), to_byte(encode_srgb(c[2])), to_byte(film.coverage[i])
    )
