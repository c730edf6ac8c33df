"""Draws the cameras of an asset from a preset, with framing that keeps it inside or says that it isn't."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from versemill import seeds
from versemill.camera import Camera, intrinsics, look_at, orthographic_intrinsics
from versemill.render.config import RenderConfig
from versemill.render.presets import CAMERAS, CameraPreset

Float64 = NDArray[np.float64]

BOX = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
"""Corners of the box that every asset fits."""

ASSET_SIZE = 2.0
SENSOR = 36.0
ATTEMPTS = 10_000


def resolved(config: RenderConfig) -> CameraPreset:
    """The preset of a configuration with the user's own values in it."""
    own = config.cameras
    names = ("views", "fov", "radius", "elevation", "azimuth", "roll", "orthographic", "framing")
    changes = {name: value for name in names if (value := getattr(own, name)) is not None}
    if {"radius", "fov"} & set(changes):
        changes |= {"inverse_square": False, "enclosing": False}
    if {"fov", "orthographic"} & set(changes):
        changes["lenses"] = ()
    if {"elevation", "azimuth"} & set(changes):
        changes["first"] = None
    return dataclasses.replace(CAMERAS[own.preset], **changes)


def sample(config: RenderConfig, seed: int, index: int, points: ArrayLike | None = None, series: int = 0) -> tuple[Camera, ...]:
    """The cameras of one asset.

    Args:
        config: image size and `cameras`.
        seed, index: key of the stream "render/cameras".
        points: (N, 3) positions that framing "sphere" and "tight" keep inside; the corners of [-1, 1]^3 if None.
        series: later series of views draw from streams of their own, "render/cameras/1" and so on.

    Raises:
        ValueError: the preset's limits leave no direction to draw.
    """
    preset = resolved(config)
    rng = seeds.stream(seed, index, "render/cameras" + (f"/{series}" if series else ""))
    inside = BOX if points is None else np.asarray(points, np.float64)
    around = float(np.linalg.norm(inside, axis=1).max())
    directions = _directions(preset, rng)
    if preset.first is not None:
        directions[0] = spherical(*preset.first)
    scale = ASSET_SIZE / preset.object_size
    cameras = []
    for k, direction in enumerate(directions):
        lens = preset.lenses[k % len(preset.lenses)] if preset.lenses else -1.0
        fov, radius = _fov_and_radius(preset, lens, rng)
        roll = np.radians(rng.uniform(-preset.roll, preset.roll))
        pose = look_at(direction, roll=roll)
        if preset.orthographic or lens == 0.0:
            extent = _extent(preset, config, pose, inside, around, radius * scale, fov)
            distance = max(radius * scale, around * 1.5)
            K = orthographic_intrinsics(extent, config.width, config.height)
            orthographic = True
        else:
            K = intrinsics(fov, config.width, config.height)
            orthographic = False
            if preset.framing == "preset":
                distance = radius * scale
            elif preset.framing == "sphere":
                distance = sphere_distance(around, K, config.width, config.height, config.cameras.fill)
            else:
                distance = tight_distance(inside, pose[:3, :3], K, config.width, config.height, config.cameras.fill)
        if preset.height is not None and preset.framing == "preset":
            distance, direction = _bounded(direction, distance, preset, scale, rng)
            pose = look_at(direction, roll=roll)
        pose[:3, 3] = direction * distance
        cameras.append(Camera(pose, K, config.width, config.height, orthographic))
    return tuple(cameras)


def sphere_distance(radius: float, K: Float64, width: int, height: int, fill: float = 1.0) -> float:
    """Distance at which a sphere around the origin fills the share `fill` of the image's shorter side."""
    half = fill * min(width / K[0, 0], height / K[1, 1]) / 2
    return radius / float(np.sin(np.arctan(half)))


def tight_distance(points: Float64, rotation: Float64, K: Float64, width: int, height: int, fill: float = 1.0) -> float:
    """Smallest distance to the origin at which all points project into the middle share `fill` of the image.

    Args:
        points: (N, 3) in the world. rotation: (3, 3) camera to world.
    """
    local = points @ rotation
    reach = np.abs(local[:, :2]) * 2 / (fill * np.array([width / K[0, 0], height / K[1, 1]]))
    return float(max((reach - local[:, 2:]).max(), (-local[:, 2]).max() + 1e-3))


def clipped_views(cameras: tuple[Camera, ...], points: ArrayLike) -> list[int]:
    """Indices of the cameras that do not see all of the points (N, 3) inside their image, in front of them."""
    clipped = []
    for k, camera in enumerate(cameras):
        depth = (np.asarray(points, np.float64) - camera.center) @ camera.c2w[:3, 2]
        if (depth <= 1e-6).any():
            clipped.append(k)
            continue
        pixels, _ = camera.project(points)
        if (pixels < -1e-6).any() or (pixels > np.array([camera.width, camera.height]) + 1e-6).any():
            clipped.append(k)
    return clipped


def _fov_and_radius(preset: CameraPreset, lens: float | None, rng: np.random.Generator) -> tuple[float, float]:
    fov, radius = rng.uniform(*preset.fov), rng.uniform(*preset.radius)
    if preset.enclosing:
        enclosing = np.sqrt(3) / 2 * preset.object_size
        near, far = (enclosing / np.sin(np.radians(angle) / 2) for angle in (preset.fov[1], preset.fov[0]))
        radius = 1 / np.sqrt(rng.uniform(far**-2, near**-2)) if preset.inverse_square else rng.uniform(near, far)
        fov = np.degrees(2 * np.arcsin(enclosing / radius))
    if lens is None:
        lens = rng.uniform(35.0, 65.0)
    if lens > 0:
        fov = np.degrees(2 * np.arctan(SENSOR / 2 / lens))
    return float(fov), float(radius)


def _extent(
    preset: CameraPreset, config: RenderConfig, pose: Float64, inside: Float64, around: float, radius: float, fov: float
) -> float:
    """Width in world units of an orthographic image."""
    if preset.framing == "preset":
        return float(2 * radius * np.tan(np.radians(fov) / 2))
    aspect = config.width / config.height
    if preset.framing == "sphere":
        return 2 * around * max(1.0, aspect) / config.cameras.fill
    reach = np.abs(inside @ pose[:3, :2]).max(0)
    return float(2 * max(reach[0], reach[1] * aspect) / config.cameras.fill)


def _directions(preset: CameraPreset, rng: np.random.Generator) -> Float64:
    """(views, 3) unit vectors from the origin to the cameras."""
    count = preset.views
    if preset.directions == "listed":
        angles = np.array([preset.listed[k % len(preset.listed)] for k in range(count)])
        return spherical(angles[:, 0], angles[:, 1])
    if preset.directions == "ring":
        steps = np.arange(count) / count
        azimuth = preset.azimuth[0] + steps * (preset.azimuth[1] - preset.azimuth[0])
        return spherical(azimuth, rng.uniform(*preset.elevation, size=count))
    if preset.directions == "spiral":
        steps = np.linspace(0, 1, count)
        azimuth = preset.azimuth[0] + steps * preset.turns * 360
        return spherical(azimuth, preset.elevation[1] - steps * (preset.elevation[1] - preset.elevation[0]))
    if preset.directions == "angles":
        return spherical(rng.uniform(*preset.azimuth, size=count), rng.uniform(*preset.elevation, size=count))
    low, high = np.sin(np.radians(preset.elevation))
    if preset.directions == "hammersley":
        u, v = hammersley(count, rng.random(2))
        return spherical(
            preset.azimuth[0] + u * (preset.azimuth[1] - preset.azimuth[0]), np.degrees(np.arcsin(low + v * (high - low)))
        )
    if preset.directions == "uniform":
        azimuth = rng.uniform(*preset.azimuth, size=count)
        return spherical(azimuth, np.degrees(np.arcsin(rng.uniform(low, high, size=count))))
    return np.stack([_cube(preset, low, high, rng) for _ in range(count)])


def _cube(preset: CameraPreset, low: float, high: float, rng: np.random.Generator) -> Float64:
    """One normalised cube sample within the preset's elevations and azimuths."""
    for _ in range(ATTEMPTS):
        point = rng.uniform(-1, 1, size=3)
        length = np.linalg.norm(point)
        if length < 1e-3:
            continue
        point = point / length
        azimuth = (np.degrees(np.arctan2(point[1], point[0])) - preset.azimuth[0]) % 360
        if low - 1e-9 <= point[2] <= high + 1e-9 and azimuth <= preset.azimuth[1] - preset.azimuth[0]:
            return point
    raise ValueError(f"no camera direction in {ATTEMPTS} draws: elevation {preset.elevation}, azimuth {preset.azimuth}")


def _bounded(
    direction: Float64, distance: float, preset: CameraPreset, scale: float, rng: np.random.Generator
) -> tuple[float, Float64]:
    """Redraws direction and distance until the camera's z lies within the preset's bounds."""
    assert preset.height is not None
    low, high = np.sin(np.radians(preset.elevation))
    for _ in range(ATTEMPTS):
        if preset.height[0] * scale < direction[2] * distance < preset.height[1] * scale:
            return distance, direction
        direction, distance = _cube(preset, low, high, rng), rng.uniform(*preset.radius) * scale
    raise ValueError(f"no camera between z {preset.height} in {ATTEMPTS} draws with distance {preset.radius}")


def hammersley(count: int, offset: ArrayLike = (0.0, 0.0)) -> tuple[Float64, Float64]:
    """Hammersley points (count,), (count,) in [0, 1)^2, shifted by `offset` and wrapped."""
    steps = np.arange(count)
    radical, base, rest = np.zeros(count), 0.5, steps.copy()
    while rest.any():
        radical += base * (rest & 1)
        rest, base = rest >> 1, base / 2
    shift = np.asarray(offset, np.float64)
    return (radical + shift[0]) % 1.0, ((steps + 0.5) / count + shift[1]) % 1.0


def spherical(azimuth: ArrayLike, elevation: ArrayLike) -> Float64:
    """(..., 3) unit vectors of angles in degrees."""
    a, e = np.radians(np.asarray(azimuth, np.float64)), np.radians(np.asarray(elevation, np.float64))
    return np.stack(np.broadcast_arrays(np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)), -1)
