"""What the colour pass leaves: light and surface colour apart, smoothed by a guided filter, then developed to sRGB."""

import warp as wp

from versemill import device as _device
from versemill.render.kernels.bsdf import luminance
from versemill.render.kernels.geometry import encode_srgb, to_byte

wp.set_module_options(_device.EXACT)


@wp.struct
class Film:
    """Per pixel: mean radiance over albedo, the variance of its luminance (-1 where nothing says), albedo, normal, position,
    coverage in [0, 1].
    """

    light: wp.array(dtype=wp.vec3)
    variance: wp.array(dtype=float)
    albedo: wp.array(dtype=wp.vec3)
    normal: wp.array(dtype=wp.vec3)
    position: wp.array(dtype=wp.vec3)
    coverage: wp.array(dtype=float)


@wp.kernel
def steady(film: Film, width: int, height: int, light: wp.array(dtype=wp.vec3), variance: wp.array(dtype=float)):
    """Makes a few samples' light and variance fit to steer a filter.

    The variance becomes the mean of the 5 x 5 covered pixels that face the same way, or, where a pixel has only one
    sample, the variance among them. Light of several samples that is brighter or darker than all but one of the eight
    neighbours is brought to that one, as far as its own standard error reaches: a lone occluded ray is no detail, a small
    highlight on which the samples agree is.
    """
    i = wp.tid()
    if film.coverage[i] <= 0.0:
        return
    column = i % width
    row = (i // width) % height
    total = float(0.0)
    weight = float(0.0)
    sums = wp.vec3(0.0)
    near = int(0)  # noqa: RUF046 - declares a mutable Warp variable
    lowest = wp.vec2(1.0e9, 1.0e9)
    highest = wp.vec2(-1.0, -1.0)
    for y in range(wp.max(row - 2, 0), wp.min(row + 3, height)):
        for x in range(wp.max(column - 2, 0), wp.min(column + 3, width)):
            j = i + (y - row) * width + x - column
            if film.coverage[j] > 0.0:
                w = wp.max(wp.dot(film.normal[i], film.normal[j]), 0.01)
                bright = luminance(film.light[j])
                sums += w * w * wp.vec3(1.0, bright, bright * bright)
                if film.variance[j] >= 0.0:
                    total += w * w * film.variance[j]
                    weight += w * w
                if j != i and w > 0.8 and wp.abs(x - column) < 2 and wp.abs(y - row) < 2:
                    near += 1
                    other = bright
                    if other < lowest[0]:
                        lowest = wp.vec2(other, lowest[0])
                    elif other < lowest[1]:
                        lowest = wp.vec2(lowest[0], other)
                    if other > highest[0]:
                        highest = wp.vec2(other, highest[0])
                    elif other > highest[1]:
                        highest = wp.vec2(highest[0], other)
    if film.variance[i] >= 0.0:
        variance[i] = total / weight
    else:
        mean = sums[1] / sums[0]
        variance[i] = wp.max(sums[2] / sums[0] - mean * mean, 0.0)
    here = luminance(film.light[i])
    light[i] = film.light[i]
    if near > 4 and film.variance[i] >= 0.0:
        doubt = wp.sqrt(film.variance[i])
        steadied = wp.clamp(wp.clamp(here, lowest[1], highest[1]), here - doubt, here + doubt)
        light[i] = film.light[i] * (steadied / wp.max(here, 1.0e-6))


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
    """One pass of an edge-stopping wavelet filter (5 x 5 taps less the corners, `step` pixels apart) over the light.

    A tap counts as far as its normal agrees, its point lies in the pixel's tangent plane, and its brightness differs
    by no more than the noise does: so shadows' and reflections' edges stay, and textures, stored
    separately, are not touched.
    """
    i = wp.tid()
    if film.coverage[i] <= 0.0:
        return
    column = i % width
    row = (i // width) % height
    n = film.normal[i]
    p = film.position[i]
    center = luminance(film.light[i])
    steadiness = 1.0 / (strength * wp.sqrt(film.variance[i]) + 1.0e-3)
    total = film.light[i]
    spread = film.variance[i]
    weights = float(1.0)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            x = column + dx * step
            y = row + dy * step
            # The four corners would weigh a fiftieth of all.
            near = dx * dx + dy * dy
            if near != 0 and near != 8 and x >= 0 and x < width and y >= 0 and y < height:
                j = i + dy * step * width + dx * step
                if film.coverage[j] > 0.0:
                    gap = film.position[j] - p
                    off = wp.dot(gap, n)
                    unlike = 0.4 * float(near) + 32.0 * (1.0 - wp.dot(n, film.normal[j]))
                    unlike += off * off / (0.01 * wp.length_sq(gap) + 1.0e-12)
                    other = film.light[j]
                    unlike += wp.abs(luminance(other) - center) * steadiness
                    if unlike < 8.0:
                        # (1 - x / 8)^8, a bell like exp(-x) at a fraction of its cost.
                        w = 1.0 - 0.125 * unlike
                        w = w * w
                        w = w * w
                        w = w * w * film.coverage[j]
                        total += w * other
                        spread += w * w * film.variance[j]
                        weights += w
    light[i] = total / weights
    variance[i] = spread / (weights * weights)


@wp.kernel
def develop(film: Film, image: wp.array(dtype=wp.vec4ub)):
    """Light times albedo, clamped to sRGB, with coverage as straight alpha."""
    i = wp.tid()
    if film.coverage[i] <= 0.0:
        return
    c = wp.cw_mul(film.light[i], film.albedo[i])
    image[i] = wp.vec4ub(
        to_byte(encode_srgb(c[0])), to_byte(encode_srgb(c[1])), to_byte(encode_srgb(c[2])), to_byte(film.coverage[i])
    )
