"""Light on a point: shadowed samples of rectangles and of the environment, and what an occluded ray would find."""

import warp as wp

from versemill import device as _device
from versemill.render.kernels.bsdf import Lobes, density, luminance, reflect_to, specular, specular_density
from versemill.render.kernels.sampling import Light, ambient, draw, environment, environment_density, sample_environment
from versemill.render.kernels.scene import Hit, Scene, Surface, corner, hit_position, occluded

wp.set_module_options(_device.EXACT)

FAR = wp.constant(1.0e6)
BOUNCED = wp.constant(0.6)
"""Share of the unshadowed light that `fast` grants to a surface seen by an occluded ray."""
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
def lit(
    scene: Scene,
    light: Light,
    start: wp.vec3,
    lobe: Lobes,
    k: int,
    chance: float,
    u: wp.vec2,
    threshold: float,
    shared_with: int,
):
    """One shadowed sample of rectangle k, which is asked with probability `chance`; `shared_with` names the lobes that are
    sampled too, by direction.
    """
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
    pdf = chance * distance * distance / (cosine * area)
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
def pull(light: Light, k: int, start: wp.vec3, normal: wp.vec3):
    """About the irradiance that rectangle k gives without shadows; 0 only where it gives none."""
    toward = light.centers[k] - start
    squared = wp.length_sq(toward)
    distance = wp.sqrt(squared)
    out = wp.cross(light.x[k], light.y[k])
    # Part of a rectangle may shine over a horizon that its centre is below.
    reach = (wp.length(light.x[k]) + wp.length(light.y[k])) / distance
    above = wp.max(wp.dot(normal, toward) / distance + reach, 0.0)
    return 4.0 * luminance(light.radiance[k]) * above * wp.max(-wp.dot(out, toward), 0.0) / (squared * distance)


@wp.func
def rectangles_along(light: Light, start: wp.vec3, normal: wp.vec3, total: float, direction: wp.vec3, limit: float, pdf: float):
    """Radiance of the rectangles that a sampled ray crosses before `limit`, weighted against light sampling, which asks
    each by its share of the `total` pull; where `total` is 0 it asks all.
    """
    radiance = wp.vec3(0.0)
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
                    if total > 0.0:
                        other = other * pull(light, k, start, normal) / total
                    radiance += light.radiance[k] * (pdf * pdf / (pdf * pdf + other * other))
    return radiance


@wp.func
def glow(scene: Scene, light: Light, hit: Hit, direction: wp.vec3):
    """About what a surface sends back when an occluded ray meets it: its mean colour in unshadowed light."""
    material = scene.material[hit.face]
    color = scene.mean_color[material]
    if scene.unlit[material] == 1:
        return color
    at = 3 * hit.face
    n = hit.weights[0] * scene.normals[at] + hit.weights[1] * scene.normals[at + 1] + hit.weights[2] * scene.normals[at + 2]
    if wp.dot(n, direction) > 0.0:
        n = -n
    n = wp.normalize(n)
    around = ambient(light, n)
    at_hit = hit_position(scene, hit)
    for k in range(light.count):
        toward = light.centers[k] - at_hit
        out = wp.cross(light.x[k], light.y[k])
        squared = wp.length_sq(toward)
        cosines = wp.max(wp.dot(n, toward), 0.0) * wp.max(-wp.dot(out, toward), 0.0) / squared
        around += light.radiance[k] * (4.0 * cosines / (3.14159265 * squared))
    return BOUNCED * wp.cw_mul(color, around) + scene.mean_emission[material]


@wp.func
def total_pull(light: Light, start: wp.vec3, normal: wp.vec3, sky: float):
    """What `direct` draws from: the environment's share `sky` and each rectangle's pull."""
    total = sky
    for k in range(light.count):
        total += pull(light, k, start, normal)
    return total


@wp.func
def direct(
    scene: Scene,
    light: Light,
    start: wp.vec3,
    lobe: Lobes,
    sky: float,
    total: float,
    key: wp.uint32,
    dimension: int,
    k: int,
    n: int,
    shared_with: int,
):
    """One sample of the light: of the environment or of one rectangle, drawn by what they give without shadows."""
    if total <= 0.0:
        return wp.vec3(0.0)
    threshold = draw(key, dimension + 2, k, n)
    left = threshold[1] * total - sky
    u = draw(key, dimension, k, n)
    if left >= 0.0:
        pick = int(-1)  # noqa: RUF046 - declares a mutable Warp variable
        chosen = float(0.0)
        for r in range(light.count):
            share = pull(light, r, start, lobe.normal)
            if left >= 0.0 and share > 0.0:
                pick = r
                chosen = share
            left = left - share
        if pick < 0:
            return wp.vec3(0.0)
        return lit(scene, light, start, lobe, pick, chosen / total, u, threshold[0], shared_with)
    way = sample_environment(light, u, draw(key, dimension + 1, k, n))
    reflected = reflect_to(lobe, way)
    if wp.max(reflected) <= 0.0:
        return wp.vec3(0.0)
    if occluded(scene, start, way, FAR, threshold[0]):
        return wp.vec3(0.0)
    pdf = wp.max(sky / total * environment_density(light, way), 1.0e-9)
    weight = float(1.0)
    if shared_with == BOTH_LOBES:
        other = density(lobe, way)
        weight = pdf * pdf / (pdf * pdf + other * other)
    return wp.cw_mul(environment(light, way), reflected) * (weight / pdf)
