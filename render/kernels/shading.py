"""The colour pass: stratified samples over each pixel.

`fast`: shadowed area lights, environment light by its irradiance where a cosine-weighted ray leaves the asset,
and a reflection ray where the surface shines. `fine`: path traced with multiple importance sampling and one
indirect bounce; it converges to the light transport of that depth.
"""

import warp as wp

from render.kernels.bsdf import (
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
from render.kernels.film import Film
from render.kernels.geometry import in_empty_tile
from render.kernels.sampling import (
    Light,
    ambient,
    blurred_environment,
    cosine_direction,
    draw,
    environment,
    environment_density,
    frame,
    mix,
    sample_environment,
)
from render.kernels.scene import Hit, Scene, Surface, View, camera_direction, camera_origin, cast, corner, occluded, surface
from versemill import device as _device

wp.set_module_options(_device.EXACT)

FAR = wp.constant(1.0e6)
BOUNCED = wp.constant(0.6)
"""Share of the unshadowed light that `fast` grants to a surface seen by an occluded ray."""
INDIRECT_LIMIT = wp.constant(5.0)
"""Indirect samples are clamped here against single bright pixels."""
INDIRECT_ROUGHNESS = wp.constant(0.4)
"""A bounce sees surfaces at least this rough: caustics of sharp reflections would only be noise."""
NO_LOBE, SPECULAR, BOTH_LOBES = wp.constant(0), wp.constant(1), wp.constant(2)


@wp.func
def lifted(scene: Scene, hit: Hit, s: Surface):
    """Where shadow rays start: on the smooth surface that the corner normals describe, so that facets don't show."""
    at = 3 * hit.face
    side = wp.sign(
        wp.dot(
            s.geometric,
            wp.cross(
                corner(scene, hit.face, 1) - corner(scene, hit.face, 0), corner(scene, hit.face, 2) - corner(scene, hit.face, 0)
            ),
        )
    )
    offset = wp.vec3(0.0)
    for k in range(3):
        n = side * scene.normals[at + k]
        below = wp.min(wp.dot(s.position - corner(scene, hit.face, k), n), 0.0)
        offset = offset - hit.weights[k] * below * n
    return s.position + offset + scene.bias * s.geometric


@wp.func
def lit(scene: Scene, light: Light, start: wp.vec3, lobe: Lobes, k: int, u: wp.vec2, threshold: float, shared_with: int):
    """One shadowed sample of rectangle k; `shared_with` names the lobes that are sampled too, by direction."""
    x = light.x[k]
    y = light.y[k]
    point = light.centers[k] + (2.0 * u[0] - 1.0) * x + (2.0 * u[1] - 1.0) * y
    toward = point - start
    distance = wp.length(toward)
    direction = toward / distance
    out = wp.cross(x, y)
    area = 4.0 * wp.length(out)
    cosine = -wp.dot(direction, wp.normalize(out))
    if cosine <= 0.0:
        return wp.vec3(0.0)
    pdf = distance * distance / (cosine * area)
    shine = specular(lobe, direction)
    matt = lobe.diffuse * (wp.max(wp.dot(lobe.normal, direction), 0.0) / 3.14159265)
    if shared_with != NO_LOBE:
        other = density(lobe, direction)
        if shared_with == SPECULAR:
            other = specular_density(lobe, direction)
        weight = pdf * pdf / (pdf * pdf + other * other)
        shine = weight * shine
        if shared_with == BOTH_LOBES:
            matt = weight * matt
    reflected = matt + shine
    if wp.max(reflected) <= 0.0:
        return wp.vec3(0.0)
    if occluded(scene, start, direction, distance, threshold):
        return wp.vec3(0.0)
    return wp.cw_mul(light.radiance[k], reflected) / pdf


@wp.func
def rectangles_along(light: Light, start: wp.vec3, direction: wp.vec3, limit: float, pdf: float):
    """Radiance of the rectangles that a sampled ray crosses before `limit`, weighted against light sampling."""
    total = wp.vec3(0.0)
    for k in range(light.count):
        out = wp.cross(light.x[k], light.y[k])
        size = wp.length(out)
        n = out / size
        cosine = -wp.dot(direction, n)
        if cosine > 1.0e-6:
            t = wp.dot(light.centers[k] - start, n) / (-cosine)
            if t > 0.0 and t < limit:
                at = start + t * direction - light.centers[k]
                a = wp.dot(at, light.x[k]) / wp.length_sq(light.x[k])
                b = wp.dot(at, light.y[k]) / wp.length_sq(light.y[k])
                if wp.abs(a) <= 1.0 and wp.abs(b) <= 1.0:
                    other = t * t / (cosine * 4.0 * size)
                    total += light.radiance[k] * (pdf * pdf / (pdf * pdf + other * other))
    return total


@wp.func
def glow(scene: Scene, light: Light, hit: Hit, direction: wp.vec3):
    """About what a surface sends back when an occluded ray meets it: its mean colour in unshadowed light."""
    color = scene.mean_color[scene.material[hit.face]]
    at = 3 * hit.face
    n = hit.weights[0] * scene.normals[at] + hit.weights[1] * scene.normals[at + 1] + hit.weights[2] * scene.normals[at + 2]
    if wp.dot(n, direction) > 0.0:
        n = -n
    n = wp.normalize(n)
    around = ambient(light, n)
    at_hit = (
        hit.weights[0] * corner(scene, hit.face, 0)
        + hit.weights[1] * corner(scene, hit.face, 1)
        + hit.weights[2] * corner(scene, hit.face, 2)
    )
    for k in range(light.count):
        toward = light.centers[k] - at_hit
        out = wp.cross(light.x[k], light.y[k])
        squared = wp.length_sq(toward)
        cosines = wp.max(wp.dot(n, toward), 0.0) * wp.max(-wp.dot(out, toward), 0.0) / squared
        around += light.radiance[k] * (4.0 * cosines / (3.14159265 * squared))
    return BOUNCED * wp.cw_mul(color, around)


@wp.func
def shade_fast(
    scene: Scene,
    light: Light,
    table: wp.array2d(dtype=wp.vec2),
    hit: Hit,
    s: Surface,
    view: wp.vec3,
    key: wp.uint32,
    k: int,
    n: int,
):
    """Radiance towards the viewer, without noise where nothing is occluded."""
    lobe = lobes(table, s.shading, view, s.color, s.metallic, s.roughness)
    start = lifted(scene, hit, s)
    total = wp.vec3(0.0)
    # A rough, weak reflection shares the diffuse ray; a mirror-like one gets its own.
    mirror = wp.max(lobe.albedo) * (1.0 - s.roughness) > 0.04
    sampled = NO_LOBE
    if mirror:
        sampled = SPECULAR
    for r in range(light.count):
        total += lit(scene, light, start, lobe, r, draw(key, 8 + r, k, n), 0.5, sampled)
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
        found = cast(scene, start, way, FAR, 0.5)
        reach = FAR
        shine = blurred_environment(light, way, 0.5 * s.roughness)
        if found.face >= 0:
            reach = found.t
            shine = glow(scene, light, found, way)
        total += wp.cw_mul(lobe.albedo, shine)
        if pdf > 0.0 and specular_density(lobe, way) == pdf:
            through = specular(lobe, way) / pdf
            total += wp.cw_mul(through, rectangles_along(light, start, way, reach, pdf))
        return total
    if blocker.face < 0:
        around = blurred_environment(light, 2.0 * wp.dot(lobe.normal, view) * lobe.normal - view, s.roughness)
    return total + wp.cw_mul(lobe.albedo, around)


@wp.func
def direct(
    scene: Scene, light: Light, start: wp.vec3, lobe: Lobes, key: wp.uint32, dimension: int, k: int, n: int, shared_with: int
):
    """Light sampling of the rectangles (one, drawn evenly) and the environment."""
    total = wp.vec3(0.0)
    threshold = draw(key, dimension + 3, k, n)
    if light.count > 0:
        pick = wp.min(int(threshold[1] * float(light.count)), light.count - 1)
        # Multiple importance sampling counts each rectangle as if it had the sample alone: the draw is evened out here.
        total += float(light.count) * lit(
            scene, light, start, lobe, pick, draw(key, dimension, k, n), threshold[0], shared_with
        )
    way = sample_environment(light, draw(key, dimension + 1, k, n), draw(key, dimension + 2, k, n))
    reflected = reflect_to(lobe, way)
    if wp.max(reflected) > 0.0:  # noqa: SIM102 - Warp evaluates both sides of `and`
        if not occluded(scene, start, way, FAR, threshold[0]):
            pdf = environment_density(light, way)
            weight = float(1.0)
            if shared_with == BOTH_LOBES:
                other = density(lobe, way)
                weight = pdf * pdf / (pdf * pdf + other * other)
            total += wp.cw_mul(environment(light, way), reflected) * (weight / wp.max(pdf, 1.0e-9))
    return total


@wp.func
def shade_fine(
    scene: Scene,
    light: Light,
    table: wp.array2d(dtype=wp.vec2),
    hit: Hit,
    s: Surface,
    view: wp.vec3,
    width: float,
    key: wp.uint32,
    k: int,
    n: int,
):
    """One path: light sampling here and after one bounce, both lobes sampled, weighted by the power heuristic."""
    lobe = lobes(table, s.shading, view, s.color, s.metallic, s.roughness)
    start = lifted(scene, hit, s)
    total = direct(scene, light, start, lobe, key, 16, k, n, BOTH_LOBES)
    choose = draw(key, 3, k, n)
    way = sample_lobes(lobe, choose[0], draw(key, 2, k, n))
    pdf = density(lobe, way)
    # A normal map may point lobes into the surface: such a ray would only meet the point that it left.
    if pdf <= 0.0 or wp.dot(way, s.smooth) <= 0.0:
        return total
    through = reflect_to(lobe, way) / pdf
    found = cast(scene, start, way, FAR, choose[1])
    reach = FAR
    if found.face >= 0:
        reach = found.t
    total += wp.cw_mul(through, rectangles_along(light, start, way, reach, pdf))
    if found.face < 0:
        other = environment_density(light, way)
        total += wp.cw_mul(through, environment(light, way)) * (pdf * pdf / (pdf * pdf + other * other))
        return total
    there = surface(scene, found, way, width + 0.2 * found.t)
    again = lobes(table, there.shading, -way, there.color, there.metallic, wp.max(there.roughness, INDIRECT_ROUGHNESS))
    bounced = direct(scene, light, lifted(scene, found, there), again, key, 24, k, n, NO_LOBE)
    indirect = wp.cw_mul(through, bounced)
    peak = wp.max(indirect)
    if peak > INDIRECT_LIMIT:
        indirect = indirect * (INDIRECT_LIMIT / peak)
    return total + indirect


@wp.func
def alike(a: Surface, b: Surface, footprint: float):
    """Whether two samples of one pixel lie on one smooth surface."""
    if a.material != b.material or wp.dot(a.smooth, b.smooth) < 0.97:
        return False
    gap = b.position - a.position
    return wp.abs(wp.dot(gap, a.geometric)) < 2.0 * footprint and wp.length(gap) < 16.0 * footprint


@wp.func
def base_albedo(table: wp.array2d(dtype=wp.vec2), s: Surface, view: wp.vec3):
    """What the surface reflects of a white surrounding: the part of its colour that light does not decide."""
    lobe = lobes(table, s.shading, view, s.color, s.metallic, s.roughness)
    return wp.max(lobe.diffuse + lobe.albedo, wp.vec3(0.02))


@wp.kernel
def shading(
    scene: Scene,
    light: Light,
    table: wp.array2d(dtype=wp.vec2),
    views: wp.array(dtype=View),
    tiles: wp.array(dtype=wp.uint8),
    first: int,
    width: int,
    height: int,
    samples: int,
    stratum: int,
    fine: bool,
    seed: wp.uint32,
    film: Film,
):
    """Fills a film with the pixels from number `first` on. `stratum` is the power of two that holds `samples`."""
    i = wp.tid()
    pixel = first + i
    v = pixel // (width * height)
    column = pixel % width
    row = (pixel // width) % height
    if in_empty_tile(tiles, v, column, row, width, height):
        return
    view = views[v]
    key = mix(seed ^ mix(wp.uint32(pixel)))
    # A sample stands for its share of the pixel.
    share = view.pixel / wp.sqrt(float(samples))
    total = wp.vec3(0.0)
    albedo = wp.vec3(0.0)
    normal = wp.vec3(0.0)
    position = wp.vec3(0.0)
    squares = float(0.0)
    covered = int(0)  # noqa: RUF046 - declares a mutable Warp variable
    shaded = int(0)  # noqa: RUF046
    before = Surface()
    shared = wp.vec3(0.0)
    may_share = bool(False)
    for k in range(samples):
        jitter = draw(key, 0, k, stratum)
        px = float(column) + jitter[0]
        py = float(row) + jitter[1]
        threshold = float(0.5)
        if scene.cut_out == 1:
            threshold = draw(key, 1, k, stratum)[0]
        direction = camera_direction(view, px, py)
        hit = cast(scene, camera_origin(view, px, py), direction, FAR, threshold)
        if hit.face >= 0:
            covered += 1
            footprint = share
            if view.orthographic == 0:
                footprint = share * hit.t
            toward = -wp.normalize(direction)
            if fine:
                shaded += 1
                s = surface(scene, hit, direction, footprint)
                shared = shade_fine(scene, light, table, hit, s, toward, footprint, key, k, stratum)
            else:
                # Two neighbouring samples of one smooth surface share their shading; edges get it sample by sample.
                s = surface(scene, hit, direction, 1.5 * footprint)
                if may_share and alike(before, s, footprint):
                    may_share = False
                else:
                    shared = shade_fast(scene, light, table, hit, s, toward, key, k, stratum)
                    before = s
                    shaded += 1
                    may_share = True
            total += shared
            bright = luminance(shared)
            squares += bright * bright
            albedo += base_albedo(table, s, toward)
            normal += s.shading
            position += s.position
    # Alpha that rounds to 0 is background, and background has no colour.
    if 510 * covered < samples or covered == 0:
        return
    scale = 1.0 / float(covered)
    albedo = albedo * scale
    mean = total * scale
    bright = luminance(mean)
    white = wp.max(luminance(albedo), 1.0e-3)
    film.light[i] = wp.cw_div(mean, albedo)
    film.variance[i] = wp.max(squares * scale - bright * bright, 0.0) / (float(wp.max(shaded - 1, 1)) * white * white)
    film.albedo[i] = albedo
    film.normal[i] = wp.normalize(normal)
    film.position[i] = position * scale
    film.coverage[i] = float(covered) / float(samples)
