"""The colour pass: stratified samples over each pixel.

`fast`: shadowed area lights, environment light by its irradiance where a cosine-weighted ray leaves the asset,
and a reflection ray where the surface shines. `fine`: path traced with multiple importance sampling and one
indirect bounce; it converges to the light transport of that depth.
"""

import warp as wp

from versemill import device as _device
from versemill.render.kernels.bsdf import (
    Lobes,
    density,
    lobes,
    luminance,
    reflect_to,
    sample_lobes,
    sample_specular,
    specular,
    specular_density,
)
from versemill.render.kernels.film import Film
from versemill.render.kernels.geometry import GBuffer, centre, in_empty_tile
from versemill.render.kernels.lights import (
    BOTH_LOBES,
    FAR,
    NO_LOBE,
    SPECULAR,
    direct,
    glow,
    lifted,
    lit,
    rectangles_along,
    total_pull,
)
from versemill.render.kernels.sampling import (
    Light,
    ambient,
    blurred_environment,
    cosine_direction,
    draw,
    environment,
    environment_density,
    frame,
    mix,
)
from versemill.render.kernels.scene import Hit, Scene, Surface, View, camera_direction, camera_origin, cast, surface

wp.set_module_options(_device.EXACT)

INDIRECT_LIMIT = wp.constant(5.0)
"""Indirect samples are clamped here against single bright pixels."""
INDIRECT_ROUGHNESS = wp.constant(0.4)
"""A bounce sees surfaces at least this rough: caustics of sharp reflections would only be noise."""
AGREE = wp.constant(0.25)
"""Standard error of half of the samples, relative to their mean, at which a pixel of `fine` has enough."""
FEW = wp.constant(4)
"""Up to this many samples, `fast` shades a calm pixel once."""


@wp.func
def shade_fast(scene: Scene, light: Light, hit: Hit, s: Surface, lobe: Lobes, key: wp.uint32, k: int, n: int):
    """Radiance towards the viewer, without noise where nothing is occluded."""
    start = lifted(scene, hit, s)
    total = wp.vec3(0.0)
    # A rough, weak reflection shares the diffuse ray; a mirror-like one gets its own.
    mirror = wp.max(lobe.albedo) * (1.0 - s.roughness) > 0.04
    sampled = NO_LOBE
    if mirror:
        sampled = SPECULAR
    for r in range(light.count):
        total += lit(scene, light, start, lobe, r, 1.0, draw(key, 8 + r, k, n), 0.5, sampled)
    open_way = frame(s.smooth) * cosine_direction(draw(key, 2, k, n))
    blocker = cast(scene, start, open_way, FAR, 0.5)
    around = ambient(light, lobe.normal)
    if blocker.face >= 0:
        around = glow(scene, light, blocker, open_way)
    total += wp.cw_mul(lobe.diffuse, around)
    if mirror:
        way = sample_specular(lobe, draw(key, 3, k, n))
        pdf = specular_density(lobe, way)
        below = wp.dot(way, lobe.normal)
        if below <= 0.0:
            # The environment's share goes by the whole lobe's albedo, so a direction that is lost is folded back.
            way = way - 2.0 * below * lobe.normal
        way = way - 2.0 * wp.min(wp.dot(way, s.smooth), 0.0) * s.smooth
        next_hit = cast(scene, start, way, FAR, 0.5)
        reach = FAR
        shine = blurred_environment(light, way, 0.5 * s.roughness)
        if next_hit.face >= 0:
            reach = next_hit.t
            shine = glow(scene, light, next_hit, way)
        total += wp.cw_mul(lobe.albedo, shine)
        if pdf > 0.0 and specular_density(lobe, way) == pdf:
            through = specular(lobe, way) / pdf
            total += wp.cw_mul(through, rectangles_along(light, start, lobe.normal, 0.0, way, reach, pdf))
        return total
    if blocker.face < 0:
        around = blurred_environment(light, 2.0 * wp.dot(lobe.normal, lobe.view) * lobe.normal - lobe.view, s.roughness)
    return total + wp.cw_mul(lobe.albedo, around)


@wp.func
def shade_fine(
    scene: Scene,
    light: Light,
    table: wp.array2d(dtype=wp.vec2),
    hit: Hit,
    s: Surface,
    lobe: Lobes,
    width: float,
    key: wp.uint32,
    k: int,
    n: int,
):
    """One path: light sampling here and after one bounce, both lobes sampled, weighted by the power heuristic."""
    start = lifted(scene, hit, s)
    # An even environment is found by the lobes' own rays; light sampling is kept for what those would miss.
    sky = light.sky * light.contrast
    pulls = total_pull(light, start, lobe.normal, sky)
    total = direct(scene, light, start, lobe, sky, pulls, key, 16, k, n, BOTH_LOBES)
    choose = draw(key, 3, k, n)
    way = sample_lobes(lobe, choose[0], draw(key, 2, k, n))
    pdf = density(lobe, way)
    # A normal map may point lobes into the surface: such a ray would only meet the point that it left.
    if pdf <= 0.0 or wp.dot(way, s.smooth) <= 0.0:
        return total
    through = reflect_to(lobe, way) / pdf
    next_hit = cast(scene, start, way, FAR, choose[1])
    reach = FAR
    if next_hit.face >= 0:
        reach = next_hit.t
    total += wp.cw_mul(through, rectangles_along(light, start, lobe.normal, pulls, way, reach, pdf))
    if next_hit.face < 0:
        other = sky / wp.max(pulls, 1.0e-9) * environment_density(light, way)
        total += wp.cw_mul(through, environment(light, way)) * (pdf * pdf / (pdf * pdf + other * other))
        return total
    next_surface = surface(scene, next_hit, way, width + 0.2 * next_hit.t)
    if scene.unlit[next_surface.material] == 1:
        return total + clamped(wp.cw_mul(through, next_surface.color))
    again = lobes(
        table,
        next_surface.shading,
        -way,
        next_surface.color,
        next_surface.metallic,
        wp.max(next_surface.roughness, INDIRECT_ROUGHNESS),
    )
    start = lifted(scene, next_hit, next_surface)
    pulls = total_pull(light, start, again.normal, light.sky)
    indirect = direct(scene, light, start, again, light.sky, pulls, key, 24, k, n, NO_LOBE) + next_surface.emission
    return total + clamped(wp.cw_mul(through, indirect))


@wp.func
def clamped(indirect: wp.vec3):
    """Indirect light of one sample, bounded against single bright pixels."""
    peak = wp.max(indirect)
    if peak > INDIRECT_LIMIT:
        return indirect * (INDIRECT_LIMIT / peak)
    return indirect


@wp.func
def calm(scene: Scene, gbuffer: GBuffer, i: int, column: int, row: int, width: int, height: int, footprint: float):
    """Whether a pixel and its eight neighbours see one smooth surface, so that its centre stands for all of it."""
    face = gbuffer.face[i]
    if face < 0:
        return False
    n = gbuffer.normal[i]
    p = gbuffer.position[i]
    for y in range(wp.max(row - 1, 0), wp.min(row + 2, height)):
        for x in range(wp.max(column - 1, 0), wp.min(column + 2, width)):
            j = i + (y - row) * width + x - column
            other = gbuffer.face[j]
            if other != face:
                if other < 0:
                    return False
                if scene.material[other] != scene.material[face] or wp.dot(n, gbuffer.normal[j]) < 0.95:
                    return False
                if wp.abs(wp.dot(gbuffer.position[j] - p, n)) > 2.0 * footprint:
                    return False
    return True


@wp.func
def alike(a: Surface, b: Surface, footprint: float):
    """Whether two samples of one pixel lie on one smooth surface."""
    if a.material != b.material or wp.dot(a.smooth, b.smooth) < 0.95:
        return False
    return wp.abs(wp.dot(b.position - a.position, a.geometric)) < 2.0 * footprint


@wp.struct
class Pattern:
    """How a pixel is sampled.

    `count` samples, each standing for `share` of a pixel at distance 1, from number `offset` of a set of `stratum` that
    belongs to `key`. `once`: the pixel is calm, and one sample at its centre will do.
    """

    count: int
    share: float
    key: wp.uint32
    offset: int
    stratum: int
    once: bool


@wp.struct
class Sums:
    """What the samples of a pixel add up to. `covered` of them met the asset, `shaded` were shaded for themselves; `squares` is
    of their luminance."""

    light: wp.vec3
    albedo: wp.vec3
    normal: wp.vec3
    position: wp.vec3
    squares: float
    covered: int
    shaded: int


@wp.func
def pattern(
    scene: Scene,
    view: View,
    gbuffer: GBuffer,
    i: int,
    pixel: int,
    width: int,
    height: int,
    samples: int,
    stratum: int,
    fine: bool,
    seed: wp.uint32,
):
    """The pattern of a pixel. Neighbours share a set of samples: together they are as even as one pixel's would be."""
    column = pixel % width
    row = (pixel // width) % height
    p = Pattern()
    p.count = samples
    p.share = view.pixel / wp.sqrt(float(samples))
    p.key = mix(seed ^ mix(wp.uint32(pixel)))
    p.stratum = stratum
    if fine:
        # Four pixels share; each pixel's own run of samples is even by itself.
        block = pixel - column % 2 - (row % 2) * width
        p.key = mix(seed ^ mix(wp.uint32(block)))
        p.offset = ((column & 1) + 2 * (row & 1)) * stratum
        p.stratum = 4 * stratum
    elif scene.cut_out == 0 and samples <= FEW:
        depth = gbuffer.depth[i]
        if view.orthographic == 1:
            depth = float(1.0)
        p.once = calm(scene, gbuffer, i, column, row, width, height, view.pixel * depth)
        if p.once:
            p.count = 1
            p.share = view.pixel
            block = pixel - column % 4 - (row % 4) * width
            p.key = mix(seed ^ mix(wp.uint32(block)))
            p.offset = (column & 1) + 2 * (row & 1) + 4 * ((column >> 1) & 1) + 8 * ((row >> 1) & 1)
            p.stratum = 16
    return p


@wp.func
def seen(scene: Scene, view: View, gbuffer: GBuffer, i: int, column: int, row: int, p: Pattern, k: int):
    """What the k-th sample of a pixel meets, and the direction of its ray."""
    px = float(column) + 0.5
    py = float(row) + 0.5
    if p.once:
        return centre(gbuffer, i), camera_direction(view, px, py)
    jitter = draw(p.key, 0, k + p.offset, p.stratum)
    px = float(column) + jitter[0]
    py = float(row) + jitter[1]
    direction = camera_direction(view, px, py)
    threshold = float(0.5)
    if scene.cut_out == 1:
        threshold = draw(p.key, 1, k + p.offset, p.stratum)[0]
    return cast(scene, camera_origin(view, px, py), direction, FAR, threshold), direction


@wp.func
def enough(sums: Sums, drawn: int, samples: int):
    """Whether the first half of many samples, all of which met the asset, agree so well that they will do."""
    if drawn != samples // 2 or samples < 16 or sums.covered != drawn:
        return False
    bright = luminance(sums.light) / float(sums.covered)
    spread = wp.max(sums.squares / float(sums.covered) - bright * bright, 0.0) / float(sums.covered - 1)
    return spread < AGREE * AGREE * (bright + 0.02) * (bright + 0.02)


@wp.func
def expose(film: Film, i: int, sums: Sums, count: int):
    """Puts the mean of a pixel's `count` samples on the film. A variance of -1 says that one sample was all there was."""
    # Alpha that rounds to 0 is background, and background has no colour.
    if 510 * sums.covered < count or sums.covered == 0:
        return
    scale = 1.0 / float(sums.covered)
    albedo = sums.albedo * scale
    mean = sums.light * scale
    bright = luminance(mean)
    white = wp.max(luminance(albedo), 1.0e-3)
    variance = wp.max(sums.squares * scale - bright * bright, 0.0)
    film.light[i] = wp.cw_div(mean, albedo)
    film.variance[i] = variance / (float(wp.max(sums.shaded - 1, 1)) * white * white)
    if sums.shaded == 1:
        film.variance[i] = -1.0
    film.albedo[i] = albedo
    film.normal[i] = wp.normalize(sums.normal)
    film.position[i] = sums.position * scale
    film.coverage[i] = float(sums.covered) / float(count)


@wp.kernel
def shading(
    scene: Scene,
    light: Light,
    table: wp.array2d(dtype=wp.vec2),
    views: wp.array(dtype=View),
    tiles: wp.array(dtype=wp.uint8),
    gbuffer: GBuffer,
    first: int,
    width: int,
    height: int,
    samples: int,
    stratum: int,
    fine: bool,
    seed: wp.uint32,
    film: Film,
):
    """Fills a film with the pixels from number `first` on. `stratum` is the power of two that holds `samples`.

    `fast` shades calm pixels once, at their centre; `fine` stops at half of its samples where they agree.
    """
    i = wp.tid()
    pixel = first + i
    v = pixel // (width * height)
    column = pixel % width
    row = (pixel // width) % height
    if in_empty_tile(tiles, v, column, row, width, height):
        return
    view = views[v]
    p = pattern(scene, view, gbuffer, i, pixel, width, height, samples, stratum, fine, seed)
    sums = Sums()
    count = p.count
    before = Surface()
    may_share = bool(False)
    sample = wp.vec3(0.0)
    for k in range(p.count):
        hit, direction = seen(scene, view, gbuffer, i, column, row, p, k)
        if hit.face >= 0:
            sums.covered += 1
            footprint = p.share
            if view.orthographic == 0:
                footprint = p.share * hit.t
            s = surface(scene, hit, direction, footprint)
            lobe = lobes(table, s.shading, -wp.normalize(direction), s.color, s.metallic, s.roughness)
            # What the surface reflects of a white surrounding: the part of its colour that light does not decide.
            white = lobe.diffuse + lobe.albedo
            if scene.unlit[s.material] == 1:
                sample = s.color
                white = s.color
                may_share = False
                sums.shaded += 1
            elif fine:
                sample = shade_fine(scene, light, table, hit, s, lobe, footprint, p.key, k + p.offset, p.stratum)
                sums.shaded += 1
            elif may_share and alike(before, s, view.pixel * hit.t):
                # Two neighbouring samples of one smooth surface share their shading.
                may_share = False
            else:
                sample = shade_fast(scene, light, hit, s, lobe, p.key, k + p.offset, p.stratum)
                before = s
                sums.shaded += 1
                may_share = True
            bright = luminance(sample)
            sums.light += sample + s.emission
            sums.squares += bright * bright
            # What shines by itself belongs to it: light that is the same everywhere needs no smoothing.
            sums.albedo += wp.max(white, wp.vec3(0.02)) + s.emission
            sums.normal += s.shading
            sums.position += s.position
        if fine and enough(sums, k + 1, samples):
            count = k + 1
            break
    expose(film, i, sums, count)
