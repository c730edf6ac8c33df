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

    `fast` shades calm pixels once, at their centre; `fine` stops at half of its samples where they agree. A variance of -1
    says that one sample was all there was.
    """
    i = wp.tid()
    pixel = first + i
    v = pixel // (width * height)
    column = pixel % width
    row = (pixel // width) % height
    if in_empty_tile(tiles, v, column, row, width, height):
        return
    view = views[v]
    key = mix(seed ^ mix(wp.uint32(pixel)))
    count = samples
    # A sample stands for its share of the pixel.
    share = view.pixel / wp.sqrt(float(samples))
    once = bool(False)
    offset = int(0)  # noqa: RUF046 - declares a mutable Warp variable
    if not fine and scene.cut_out == 0 and samples <= FEW:
        depth = gbuffer.depth[i]
        if view.orthographic == 1:
            depth = float(1.0)
        once = calm(scene, gbuffer, i, column, row, width, height, view.pixel * depth)
        if once:
            count = 1
            share = view.pixel
            # The 16 pixels of a block share a set of samples: together they are as even as one pixel's would be.
            block = pixel - column % 4 - (row % 4) * width
            key = mix(seed ^ mix(wp.uint32(block)))
            offset = (column & 1) + 2 * (row & 1) + 4 * ((column >> 1) & 1) + 8 * ((row >> 1) & 1)
            stratum = 16
    if fine:
        # As above, of four pixels; each pixel's own run of samples is even by itself.
        block = pixel - column % 2 - (row % 2) * width
        key = mix(seed ^ mix(wp.uint32(block)))
        offset = ((column & 1) + 2 * (row & 1)) * stratum
        stratum = 4 * stratum
    total = wp.vec3(0.0)
    albedo = wp.vec3(0.0)
    normal = wp.vec3(0.0)
    position = wp.vec3(0.0)
    squares = float(0.0)
    covered = int(0)  # noqa: RUF046 - declares a mutable Warp variable
    shaded = int(0)  # noqa: RUF046 - declares a mutable Warp variable
    before = Surface()
    may_share = bool(False)
    sample = wp.vec3(0.0)
    for k in range(count):
        px = float(column) + 0.5
        py = float(row) + 0.5
        hit = Hit()
        if once:
            hit = centre(gbuffer, i)
        else:
            jitter = draw(key, 0, k + offset, stratum)
            px = float(column) + jitter[0]
            py = float(row) + jitter[1]
        direction = camera_direction(view, px, py)
        if not once:
            threshold = float(0.5)
            if scene.cut_out == 1:
                threshold = draw(key, 1, k + offset, stratum)[0]
            hit = cast(scene, camera_origin(view, px, py), direction, FAR, threshold)
        if hit.face >= 0:
            covered += 1
            footprint = share
            if view.orthographic == 0:
                footprint = share * hit.t
            s = surface(scene, hit, direction, footprint)
            lobe = lobes(table, s.shading, -wp.normalize(direction), s.color, s.metallic, s.roughness)
            unlit = scene.unlit[s.material] == 1
            if unlit:
                sample = s.color
                may_share = False
                shaded += 1
            elif fine:
                sample = shade_fine(scene, light, table, hit, s, lobe, footprint, key, k + offset, stratum)
                shaded += 1
            elif may_share and alike(before, s, view.pixel * hit.t):
                # Two neighbouring samples of one smooth surface share their shading.
                may_share = False
            else:
                sample = shade_fast(scene, light, hit, s, lobe, key, k + offset, stratum)
                before = s
                shaded += 1
                may_share = True
            total += sample + s.emission
            bright = luminance(sample)
            squares += bright * bright
            # What the surface reflects of a white surrounding: the part of its colour that light does not decide.
            # What shines by itself belongs to it: light that is the same everywhere needs no smoothing.
            if unlit:
                albedo += wp.max(s.color, wp.vec3(0.02)) + s.emission
            else:
                albedo += wp.max(lobe.diffuse + lobe.albedo, wp.vec3(0.02)) + s.emission
            normal += s.shading
            position += s.position
        if fine and k + 1 == samples // 2 and samples >= 16 and covered == k + 1:
            # Half of the samples will do where they agree.
            bright = luminance(total) / float(covered)
            spread = wp.max(squares / float(covered) - bright * bright, 0.0) / float(covered - 1)
            if spread < AGREE * AGREE * (bright + 0.02) * (bright + 0.02):
                count = k + 1
                break
    # Alpha that rounds to 0 is background, and background has no colour.
    if 510 * covered < count or covered == 0:
        return
    scale = 1.0 / float(covered)
    albedo = albedo * scale
    mean = total * scale
    bright = luminance(mean)
    white = wp.max(luminance(albedo), 1.0e-3)
    film.light[i] = wp.cw_div(mean, albedo)
    film.variance[i] = wp.max(squares * scale - bright * bright, 0.0) / (float(wp.max(shaded - 1, 1)) * white * white)
    if shaded == 1:
        film.variance[i] = -1.0
    film.albedo[i] = albedo
    film.normal[i] = wp.normalize(normal)
    film.position[i] = position * scale
    film.coverage[i] = float(covered) / float(count)
