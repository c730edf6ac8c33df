"""What shape models are compared with: shapes that need no training, as meshes like any other answer."""

import numpy as np
import trimesh
from numpy.typing import NDArray

from versemill.camera import Camera
from versemill.generation.shapes.extraction import BOX, Mesh, surface
from versemill.queries import MeshQuery

Floats = NDArray[np.floating]


def ellipsoid(vertices: Floats, faces: NDArray[np.integer], box: Floats) -> Mesh:
    """The ellipsoid with a solid's centre and axes of inertia, and of that shape's sizes the one with the best IoU.

    Args:
        box: (Q, 3) points of uniform density, by which IoU is measured.
    """
    center, axes, deviations = moments(vertices, faces)
    ball = trimesh.creation.icosphere(subdivisions=4)
    return _best(ball.vertices, ball.faces, center, axes, np.sqrt(5) * deviations, vertices, faces, box, _in_ball)


def cuboid(vertices: Floats, faces: NDArray[np.integer], box: Floats) -> Mesh:
    """The box with a solid's centre and axes of inertia, and of that shape's sizes the one with the best IoU."""
    center, axes, deviations = moments(vertices, faces)
    cube = trimesh.creation.box((2, 2, 2))
    return _best(cube.vertices, cube.faces, center, axes, np.sqrt(3) * deviations, vertices, faces, box, _in_cube)


def moments(vertices: Floats, faces: NDArray[np.integer]) -> tuple[Floats, Floats, Floats]:
    """Centre (3,), principal axes as columns (3, 3) and standard deviations (3,) along them of a solid's volume."""
    solid = trimesh.Trimesh(vertices, faces, process=False)
    center, inertia, volume = solid.center_mass, solid.moment_inertia, solid.volume
    spread = np.eye(3) * np.trace(inertia) / 2 - inertia  # the second moments that belong to this inertia
    values, axes = np.linalg.eigh(spread / max(volume, 1e-12))
    if np.linalg.det(axes) < 0:
        axes[:, 0] *= -1
    return center, axes, np.sqrt(np.maximum(values, 1e-8))


def _in_ball(points: Floats) -> NDArray[np.bool_]:
    return np.linalg.norm(points, axis=1) < 1


def _in_cube(points: Floats) -> NDArray[np.bool_]:
    return np.abs(points).max(1) < 1


def _best(unit, corners, center, axes, sizes, vertices, faces, box, inside) -> Mesh:  # type: ignore[no-untyped-def]
    truth = MeshQuery(vertices, faces, winding=True).signed_distance(box) < 0
    local = (box - center) @ axes / sizes
    scales = np.linspace(0.6, 1.4, 17)
    shared = [(truth & (mine := inside(local / scale))).sum() / max(1, (truth | mine).sum()) for scale in scales]
    scale = scales[int(np.argmax(shared))]
    return ((unit * sizes * scale) @ axes.T + center).astype(np.float32), np.asarray(corners, np.int32)


def visual_hull(alpha: NDArray[np.floating], camera: Camera, resolution: int = 96) -> Mesh:
    """The largest shape in [-1, 1]^3 whose silhouette is a picture's alpha (H, W), 0.5 the border."""
    axis = np.linspace(-BOX, BOX, resolution + 1)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    pixels, depth = camera.project(grid)
    from scipy.ndimage import map_coordinates

    shown = map_coordinates(alpha.astype(np.float64), (pixels[:, ::-1] - 0.5).T, order=1, cval=0.0)
    value = np.maximum(0.5 - shown, np.abs(grid).max(1) - 1.0)
    if not camera.orthographic:
        value = np.where(depth > 0, value, 1.0)
    return surface(value.reshape((resolution + 1,) * 3).astype(np.float32))
