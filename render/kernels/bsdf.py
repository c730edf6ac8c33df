"""glTF's metallic-roughness surface: a GGX layer, energy-compensated, over a Lambert base."""

import warp as wp

from versemill import device as _device
from versemill.render.kernels.sampling import PI, cosine_direction, frame, visible_half_vector

wp.set_module_options(_device.EXACT)

DIELECTRIC = wp.constant(0.04)
"""Reflectance of a dielectric at normal incidence (index of refraction 1.5), as glTF says."""


@wp.struct
class Lobes:
    """A surface's reflection for one view direction."""

    normal: wp.vec3
    view: wp.vec3
    diffuse: wp.vec3
    f0: wp.vec3
    albedo: wp.vec3
    gain: wp.vec3
    a2: float
    specular_share: float


@wp.func
def luminance(c: wp.vec3):
    """Luminance of linear sRGB."""
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]


@wp.func
def split_sum(table: wp.array2d(dtype=wp.vec2), cosine: float, roughness: float):
    """(A, B): a GGX lobe of Schlick reflectance f0 reflects f0 A + B of a white surrounding. Bilinear in the table."""
    rows = table.shape[0]
    columns = table.shape[1]
    x = wp.clamp(cosine * float(columns) - 0.5, 0.0, float(columns - 1))
    y = wp.clamp(roughness * float(rows) - 0.5, 0.0, float(rows - 1))
    i = wp.min(int(x), columns - 2)
    j = wp.min(int(y), rows - 2)
    fx = x - float(i)
    fy = y - float(j)
    top = (1.0 - fx) * table[j, i] + fx * table[j, i + 1]
    bottom = (1.0 - fx) * table[j + 1, i] + fx * table[j + 1, i + 1]
    return (1.0 - fy) * top + fy * bottom


@wp.func
def facing(normal: wp.vec3, view: wp.vec3):
    """The shading normal, bent towards the viewer where interpolation or a normal map turned it away."""
    cosine = wp.dot(normal, view)
    if cosine > 0.02:
        return normal
    return wp.normalize(normal + (0.02 - cosine) * view)


@wp.func
def lobes(table: wp.array2d(dtype=wp.vec2), n: wp.vec3, view: wp.vec3, color: wp.vec3, metallic: float, roughness: float):
    """Prepares a surface seen along `view` (unit, away from it)."""
    lobe = Lobes()
    lobe.normal = facing(n, view)
    lobe.view = view
    rough = wp.clamp(roughness, 0.03, 1.0)
    lobe.a2 = rough * rough * rough * rough
    lobe.f0 = (1.0 - metallic) * wp.vec3(DIELECTRIC) + metallic * color
    ab = split_sum(table, wp.dot(lobe.normal, view), rough)
    # Light that a single bounce between microfacets loses comes back, tinted, from the later ones.
    whole = ab[0] + ab[1]
    lobe.gain = wp.vec3(1.0) + lobe.f0 * (1.0 / whole - 1.0)
    lobe.albedo = wp.cw_mul(lobe.f0 * ab[0] + wp.vec3(ab[1]), lobe.gain)
    coat = (DIELECTRIC * ab[0] + ab[1]) * (1.0 + DIELECTRIC * (1.0 / whole - 1.0))
    lobe.diffuse = (1.0 - metallic) * (1.0 - coat) * color
    specular = luminance(lobe.albedo)
    lobe.specular_share = wp.clamp(specular / wp.max(specular + luminance(lobe.diffuse), 1.0e-6), 0.1, 0.95)
    if luminance(lobe.diffuse) < 1.0e-6:
        lobe.specular_share = 1.0
    return lobe


@wp.func
def specular(lobe: Lobes, direction: wp.vec3):
    """The GGX lobe times the cosine towards `direction` (unit, away from the surface)."""
    nl = wp.dot(lobe.normal, direction)
    nv = wp.dot(lobe.normal, lobe.view)
    if nl <= 0.0 or nv <= 0.0:
        return wp.vec3(0.0)
    h = wp.normalize(lobe.view + direction)
    nh = wp.dot(lobe.normal, h)
    vh = wp.clamp(wp.dot(lobe.view, h), 0.0, 1.0)
    base = nh * nh * (lobe.a2 - 1.0) + 1.0
    d = lobe.a2 / (PI * base * base)
    smith = nl * wp.sqrt(nv * nv * (1.0 - lobe.a2) + lobe.a2) + nv * wp.sqrt(nl * nl * (1.0 - lobe.a2) + lobe.a2)
    m = 1.0 - vh
    fresnel = lobe.f0 + (wp.vec3(1.0) - lobe.f0) * (m * m * m * m * m)
    return wp.cw_mul(fresnel, lobe.gain) * (d * 0.5 / wp.max(smith, 1.0e-9) * nl)


@wp.func
def reflect_to(lobe: Lobes, direction: wp.vec3):
    """Both lobes times the cosine towards `direction`."""
    nl = wp.max(wp.dot(lobe.normal, direction), 0.0)
    return lobe.diffuse * (nl / PI) + specular(lobe, direction)


@wp.func
def specular_density(lobe: Lobes, direction: wp.vec3):
    """Probability density, over solid angle, with which `sample_specular` draws a direction; 0 below the surface."""
    nv = wp.dot(lobe.normal, lobe.view)
    if wp.dot(lobe.normal, direction) <= 0.0 or nv <= 0.0:
        return float(0.0)
    nh = wp.dot(lobe.normal, wp.normalize(lobe.view + direction))
    base = nh * nh * (lobe.a2 - 1.0) + 1.0
    d = lobe.a2 / (PI * base * base)
    return d / (2.0 * (nv + wp.sqrt(lobe.a2 + (1.0 - lobe.a2) * nv * nv)))


@wp.func
def density(lobe: Lobes, direction: wp.vec3):
    """Probability density, over solid angle, with which `sample_lobes` draws a direction; 0 below the surface."""
    nl = wp.max(wp.dot(lobe.normal, direction), 0.0)
    return lobe.specular_share * specular_density(lobe, direction) + (1.0 - lobe.specular_share) * nl / PI


@wp.func
def sample_specular(lobe: Lobes, u: wp.vec2):
    """A direction of the GGX lobe; it may point below the surface."""
    basis = frame(lobe.normal)
    local = wp.transpose(basis) * lobe.view
    h = visible_half_vector(local, wp.sqrt(lobe.a2), u)
    return basis * (2.0 * wp.dot(local, h) * h - local)


@wp.func
def sample_lobes(lobe: Lobes, choose: float, u: wp.vec2):
    """A direction of either lobe; it may point below the surface, where `density` is 0."""
    if choose < lobe.specular_share:
        return sample_specular(lobe, u)
    return frame(lobe.normal) * cosine_direction(u)
