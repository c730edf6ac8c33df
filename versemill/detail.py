"""How much surface detail a mesh shows, measured in normal maps so that neither tessellation nor fine noise counts.

Twelve orthographic 512 x 512 normal maps, from the corners of an icosahedron, frame the object's bounding sphere.
"Size" is that sphere's diameter (512 pixels), so that every figure is free of the object's scale.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from versemill import camera, mesh
from versemill.queries import MeshQuery

PIXELS = 512
ANGLE = 30.0
"""Degrees between two normals that make a crease."""
BLUR = 2.0
"""Standard deviation in pixels of the blur that a crease has to survive."""

_REACH = 2
"""Pixels on either side of a crease where the blurred normals are compared."""
_SURVIVING = 0.79
"""What the blur leaves, at that reach, of the angle of a straight crease that stands alone."""
_LEVELS = range(2, 6)
"""Octaves of the curvature energy: blocks of 4, 8, 16 and 32 pixels."""
_TILE, _BINS = 32, 24

_GOLDEN = (1 + 5**0.5) / 2
_AXES = np.array([np.roll((0, sign, _GOLDEN), k) for k in range(3) for sign in (1, -1)]) / np.hypot(1, _GOLDEN)
# Turned, since objects like to stand along the axes, and a face that is seen edge-on has no pixels.
VIEWS = _AXES @ camera.look_at((0.53, 0.38, 0.76), roll=0.4)[:3, :3]
"""(6, 3) unit directions; each is looked along both ways."""


@dataclass(frozen=True)
class Detail:
    """Detail of one mesh.

    Attributes:
        crease_length: visible length of normal discontinuities over 30 degrees, in sizes, mean of the views, with the
            foreshortening taken out (up to a factor of 5). A pair of
            neighbouring pixels counts where the surface goes on (no depth jump), their normals differ by more than 30
            degrees, and a Gaussian blur of 2 pixels leaves the difference that it leaves of a lone crease of 30 degrees.
        curvature_energy: variance of the blurred normals within blocks of 4 to 32 pixels, by octave, per block width in sizes;
            mean of the octaves. Creases add equally to each octave, gentle curvature hardly to the fine ones.
        normal_entropy: mean Shannon entropy in bits of the blurred normals within tiles of 32 pixels.
        sharp_edges: mesh edges over 30 degrees; this one does grow with tessellation.
    """

    crease_length: float
    curvature_energy: float
    normal_entropy: float
    sharp_edges: int


def measure(vertices: NDArray[np.floating[Any]], faces: NDArray[np.integer[Any]], device: str = "cpu") -> Detail:
    """Measures the detail of a mesh, (V, 3) and (F, 3), at any scale and place.

    Raises:
        ValueError: the mesh is empty, not finite, or has no extent.
    """
    points = np.asarray(vertices, np.float64)
    used = points[np.unique(faces)] if len(faces) else points[:0]
    middle = (used.min(0) + used.max(0)) / 2 if len(used) else np.zeros(3)
    radius = np.linalg.norm(used - middle, axis=1).max(initial=0.0)
    if not (np.isfinite(radius) and radius > 0):
        raise ValueError(f"detail needs a finite mesh with an extent; its bounding sphere has radius {radius}")
    points = (points - middle) / radius
    views = [_measure_view(*image) for axis in VIEWS for image in _normal_maps(points, faces, axis, device)]
    creases, energy, entropy = np.mean(views, axis=0)
    return Detail(float(creases), float(energy), float(entropy), len(mesh.sharp_edges(points, faces, ANGLE)))


def _measure_view(normals: NDArray[np.float32], depth: NDArray[np.float32]) -> tuple[float, float, float]:
    """Crease length, curvature energy and entropy of one view."""
    seen = depth > 0
    blurred = np.stack([gaussian_filter(normals[..., k], BLUR, truncate=2) for k in range(3)], -1)
    blurred /= np.maximum(np.sqrt(np.einsum("ijk,ijk->ij", blurred, blurred)), np.float32(1e-3))[..., None]
    crossings = sum(_crossings(normals, blurred, depth, axis) for axis in (0, 1))
    # A line crosses pixel rows and columns |cos| + |sin| times per pixel of length: 4 / pi over all directions.
    return np.pi / 4 * crossings / PIXELS, _energy(blurred * seen[..., None], seen), _entropy(blurred, seen)


def _normal_maps(
    points: NDArray[np.float64], faces: NDArray[np.integer[Any]], axis: NDArray[np.float64], device: str
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The two views along an axis: camera-space normals (H, W, 3) of the visible side, depth (H, W) in pixels; 0 is background.

    The mesh is turned rather than the rays: a BVH answers rays along its own axes four times as fast. The view from
    behind is a mirror image, which no figure minds. Images are cut to the object on a grid of 64 pixels, so that blocks
    and tiles stay where they are.
    """
    local = points @ camera.look_at(axis)[:3, :3]
    query = MeshQuery(local, faces, device)
    facing = mesh.face_normals(local, faces).astype(np.float32)
    # The row after the last face is the background's.
    facing = np.concatenate([facing * np.where(facing[:, 2:] > 0, -1, 1), np.zeros((1, 3))]).astype(np.float32)
    low = np.clip(np.floor((local[:, :2].min(0) + 1) * PIXELS / 128) * 64, 0, PIXELS)
    high = np.clip(np.ceil((local[:, :2].max(0) + 1) * PIXELS / 128) * 64, 0, PIXELS)
    x, y = ((np.arange(a, b) + 0.5) * (2 / PIXELS) - 1 for a, b in zip(low, high, strict=True))
    origins = np.zeros((len(y), len(x), 3), np.float32)
    origins[..., 0], origins[..., 1] = x, y[:, None]
    for side in (1.0, -1.0):
        origins[..., 2] = -2 * side
        along = np.broadcast_to(np.array([0, 0, side], np.float32), origins.shape)
        hits = query.ray_cast(origins, along, 4.0)
        normals = facing[hits.faces].reshape(origins.shape)
        if side < 0:
            # A face that looks at the front shows its other side from behind: only x and y turn with it.
            normals[..., :2] *= -1
        yield normals, (hits.distances * np.float32(PIXELS / 2)).reshape(origins.shape[:2])


def _crossings(normals: NDArray[np.float32], blurred: NDArray[np.float32], depth: NDArray[np.float32], axis: int) -> float:
    """Neighbouring pixels along an axis of the image (0 down, 1 right) that lie on either side of a crease.

    Each counts as much as its crease is foreshortened, so that lengths are those on the object, whatever its pose.
    """
    if axis == 0:
        normals, blurred, depth = (np.swapaxes(a, 0, 1) for a in (normals, blurred, depth))
    ends = (slice(None), slice(_REACH, -_REACH - 1)), (slice(None), slice(_REACH + 1, -_REACH))
    a, b = (normals[end] for end in ends)
    near, far = (depth[end] for end in ends)
    creased = (np.einsum("ijk,ijk->ij", a, b) < np.cos(np.radians(ANGLE))) & (near > 0) & (far > 0)
    rows, columns = np.nonzero(creased)
    component = 0 if axis == 1 else 1
    # Where the surface goes on, the step in depth lies between the slopes of the two planes.
    slopes = [-n[rows, columns, component] / np.minimum(n[rows, columns, 2], np.float32(-0.02)) for n in (a, b)]
    rise = (far - near)[rows, columns]
    goes_on = (rise >= np.minimum(*slopes) - 0.5) & (rise <= np.maximum(*slopes) + 0.5)
    before, after = blurred[rows, columns], blurred[rows, columns + 2 * _REACH + 1]
    survives = np.einsum("ij,ij->i", before, after) < np.cos(np.radians(ANGLE * _SURVIVING))
    line = np.cross(a[rows, columns], b[rows, columns])
    shortened = np.linalg.norm(line[:, :2], axis=1) / np.maximum(np.linalg.norm(line, axis=1), 1e-6)
    return float(((goes_on & survives) / np.maximum(shortened, 0.2)).sum())


def _energy(normals: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    """Mean over octaves of the variance of normals that blocks hold beyond their quarters, per block width in sizes."""
    total, count = normals.astype(np.float64), seen.astype(np.float64)
    area = max(count.sum(), 1.0)
    lengths = []
    for _ in range(_LEVELS.stop):
        lengths.append(float(((total**2).sum(-1) / np.maximum(count, 1)).sum() / area))
        total, count = (a[0::2, 0::2] + a[1::2, 0::2] + a[0::2, 1::2] + a[1::2, 1::2] for a in (total, count))
    return float(np.mean([(lengths[k - 1] - lengths[k]) * PIXELS / 2**k for k in _LEVELS]))


def _entropy(blurred: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    """Mean entropy in bits of the normals' x and y, in 24 x 24 bins, over the object's pixels, tile by tile."""
    rows, columns = np.nonzero(seen)
    cell = np.clip((blurred[rows, columns, :2] + 1) * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
    tile = rows // _TILE * (seen.shape[1] // _TILE) + columns // _TILE
    tiles = seen.size // _TILE**2
    counts = np.bincount(tile * _BINS**2 + cell[:, 0] * _BINS + cell[:, 1], minlength=tiles * _BINS**2)
    counts = counts.reshape(tiles, _BINS**2)
    size = counts.sum(1, keepdims=True)
    share = counts / np.maximum(size, 1)
    bits = -(share * np.log2(np.maximum(share, 1e-12))).sum(1)
    return float((bits * size[:, 0]).sum() / max(size.sum(), 1))
