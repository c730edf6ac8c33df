"""Meshes as cameras see them: masks, normals and shaded pictures, by casting rays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from versemill.camera import Camera, look_at, orthographic_intrinsics
from versemill.generation.shapes.extraction import Mesh
from versemill.mesh import face_normals
from versemill.queries import MeshQuery


def seen(mesh: Mesh, camera: Camera) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Mask (H, W) and world-space unit normals of the visible side (H, W, 3), 0 outside, of a mesh; it may be empty."""
    vertices, faces = mesh
    shape = camera.height, camera.width
    if not len(faces):
        return np.zeros(shape, bool), np.zeros((*shape, 3), np.float32)
    origins, directions = camera.rays()
    hits = MeshQuery(vertices, faces).ray_cast(origins.reshape(-1, 3), directions.reshape(-1, 3))
    mask = hits.faces >= 0
    normals = np.where(mask[:, None], face_normals(vertices, faces)[hits.faces], 0)
    away = (normals * directions.reshape(-1, 3)).sum(1) > 0
    normals[away] *= -1
    return mask.reshape(shape), normals.reshape(*shape, 3).astype(np.float32)


def front(size: int, elevation: float = 10.0, azimuth: float = -90.0) -> Camera:
    """A parallel camera that sees all of [-1, 1]^3's inscribed sphere; angles in degrees, -90 is an asset's front."""
    e, a = np.radians(elevation), np.radians(azimuth)
    eye = 4 * np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return Camera(look_at(eye), orthographic_intrinsics(2.6, size, size), size, size, orthographic=True)


def normal_picture(mesh: Mesh, camera: Camera) -> NDArray[np.float32]:
    """(3, H, W) in [0, 1] over white: camera-space normals as colours, what Normal-FID looks at."""
    mask, normals = seen(mesh, camera)
    colors = (normals @ camera.c2w[:3, :3].astype(np.float32)) * np.array([1, -1, -1], np.float32) / 2 + 0.5
    return np.where(mask[..., None], colors, 1).transpose(2, 0, 1).astype(np.float32)


def shaded(mesh: Mesh, camera: Camera) -> NDArray[np.uint8]:
    """(H, W, 3) grey picture over white, lit from next to the camera."""
    mask, normals = seen(mesh, camera)
    light = camera.c2w[:3, :3] @ (np.array([-0.4, -0.6, -1.0]) / np.linalg.norm([0.4, 0.6, 1.0]))
    grey = 60 + 170 * np.clip(normals @ light, 0, 1)
    return np.repeat(np.where(mask, grey, 255).astype(np.uint8)[..., None], 3, -1)


def sheet(path: Path, rows: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
    """Writes rows of equally large pictures (H, W, 3) as one PNG; shorter rows end in white."""
    columns = max(map(len, rows))
    white = np.full_like(rows[0][0], 255)
    lines = [np.concatenate([*row, *[white] * (columns - len(row))], 1) for row in rows]
    Image.fromarray(np.concatenate(lines, 0)).save(path)
