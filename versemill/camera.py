"""Cameras: OpenCV axes (x right, y down, z forward) in a right-handed, Z-up world.

`c2w` maps camera to world. `K` is in pixels; the centre of pixel (0, 0) is (0.5, 0.5). An orthographic
camera uses the same K: its focal entries are pixels per world unit and depth does not divide.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""OpenCV camera axes <-> OpenGL/Blender camera axes (x right, y up, looking down -z); its own inverse."""


@dataclass(frozen=True, eq=False)
class Camera:
    """One view.

    Attributes:
        c2w: (4, 4) float64, camera to world, OpenCV axes.
        K: (3, 3) float64 intrinsics in pixels.
        width, height: image size in pixels.
        orthographic: rays are parallel to the viewing axis.
    """

    c2w: Float64
    K: Float64
    width: int
    height: int
    orthographic: bool = False

    def __post_init__(self) -> None:
        c2w, K = np.asarray(self.c2w, np.float64), np.asarray(self.K, np.float64)
        if c2w.shape != (4, 4) or K.shape != (3, 3):
            raise ValueError(f"a camera needs c2w (4, 4) and K (3, 3), got {c2w.shape} and {K.shape}")
        if not (np.isfinite(c2w).all() and np.isfinite(K).all()):
            raise ValueError("a camera's c2w and K must be finite")
        rotation = c2w[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6) or np.linalg.det(rotation) < 0:
            raise ValueError("the upper left 3x3 of c2w must be a rotation")
        object.__setattr__(self, "c2w", c2w)
        object.__setattr__(self, "K", K)

    def __repr__(self) -> str:
        where = ", ".join(f"{value:.3g}" for value in self.center)
        kind = (
            "orthographic" if self.orthographic else f"fov {np.degrees(2 * np.arctan(self.width / 2 / self.K[0, 0])):.3g} deg"
        )
        return f"Camera({self.width} x {self.height}, {kind}, at ({where}))"

    @property
    def w2c(self) -> Float64:
        """(4, 4) float64, world to camera, OpenCV axes."""
        return invert_pose(self.c2w)

    @property
    def center(self) -> Float64:
        """(3,) float64, the camera's position in the world."""
        return self.c2w[:3, 3].copy()

    def project(self, points: ArrayLike) -> tuple[Float64, Float64]:
        """Projects world points (N, 3) to pixels (N, 2) and planar depth (N,)."""
        local = np.asarray(points, np.float64) @ self.w2c[:3, :3].T + self.w2c[:3, 3]
        depth = local[:, 2]
        plane = local[:, :2] if self.orthographic else local[:, :2] / depth[:, None]
        return plane @ self.K[:2, :2].T + self.K[:2, 2], depth

    def rays(self) -> tuple[Float64, Float64]:
        """World-space rays through all pixel centres.

        Returns:
            origins (H, W, 3) and directions (H, W, 3), float64. A direction's component along the viewing
            axis is 1, so that `origin + depth * direction` unprojects planar depth.
        """
        x, y = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        plane = (np.stack([x, y], -1) - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T
        zeros, ones = np.zeros(plane.shape[:2] + (1,)), np.ones(plane.shape[:2] + (1,))
        if self.orthographic:
            start, local = np.concatenate([plane, zeros], -1), np.concatenate([zeros, zeros, ones], -1)
        else:
            start, local = np.zeros(plane.shape[:2] + (3,)), np.concatenate([plane, ones], -1)
        rotation = self.c2w[:3, :3]
        return start @ rotation.T + self.c2w[:3, 3], local @ rotation.T

    def unproject(self, depth: ArrayLike) -> Float64:
        """World positions (H, W, 3) of a planar depth map (H, W); where depth is 0 the position is meaningless."""
        origins, directions = self.rays()
        return origins + np.asarray(depth, np.float64)[..., None] * directions


def invert_pose(pose: ArrayLike) -> Float64:
    """Inverse of rigid transforms (..., 4, 4): c2w <-> w2c, exactly orthogonal where a general inverse is not."""
    pose = np.asarray(pose, np.float64)
    inverse = np.zeros_like(pose)
    rotation = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation, pose[..., :3, 3])
    inverse[..., 3, 3] = 1.0
    return inverse


def to_opengl(c2w: ArrayLike) -> Float64:
    """OpenCV c2w (..., 4, 4) to the OpenGL/Blender c2w of the same camera (the world stays Z up)."""
    return np.asarray(c2w, np.float64) @ OPENGL


def from_opengl(c2w: ArrayLike) -> Float64:
    """OpenGL/Blender c2w (..., 4, 4) to OpenCV c2w."""
    return np.asarray(c2w, np.float64) @ OPENGL


def look_at(eye: ArrayLike, target: ArrayLike = (0.0, 0.0, 0.0), up: ArrayLike = (0.0, 0.0, 1.0), roll: float = 0.0) -> Float64:
    """c2w (4, 4) of a camera at `eye` that looks at `target`, rolled by `roll` radians about its axis.

    Where the view is within 1e-6 of `up`, +Y takes the place of `up` (+Z where `up` is +-Y), so that poles have a
    defined image.

    Raises:
        ValueError: eye and target coincide.
    """
    eye, target, up = (np.asarray(v, np.float64) for v in (eye, target, up))
    forward = target - eye
    distance = np.linalg.norm(forward)
    if distance == 0:
        raise ValueError(f"a camera can't look at its own position {eye.tolist()}")
    forward = forward / distance
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-6 * np.linalg.norm(up):
        right = np.cross(forward, (0.0, 1.0, 0.0) if abs(forward[1]) < 0.5 else (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    c2w = np.eye(4)
    c2w[:3, 0] = cos * right + sin * down
    c2w[:3, 1] = -sin * right + cos * down
    c2w[:3, 2] = forward
    c2w[:3, 3] = eye
    return c2w


def intrinsics(fov: float, width: int, height: int) -> Float64:
    """K (3, 3) of a centred pinhole camera with square pixels.

    Args:
        fov: horizontal field of view in degrees, 0 < fov < 180.
    """
    if not 0 < fov < 180:
        raise ValueError(f"field of view must lie in (0, 180) degrees, got {fov}")
    focal = 0.5 * width / np.tan(np.radians(fov) / 2)
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])


def orthographic_intrinsics(extent: float, width: int, height: int) -> Float64:
    """K (3, 3) of an orthographic camera whose image is `extent` world units wide."""
    scale = width / extent
    return np.array([[scale, 0.0, width / 2], [0.0, scale, height / 2], [0.0, 0.0, 1.0]])
