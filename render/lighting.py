"""Light: an environment panorama and rectangles that emit on one side; presets are draws from a stream of their own."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill import seeds
from versemill.camera import look_at
from versemill.panoramas import read
from versemill.render import panoramas
from versemill.render.config import LightingConfig

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Rectangle:
    """An area light that cameras don't see: centre, half edges (world units), linear RGB radiance; it emits along x cross y."""

    center: tuple[float, float, float]
    x: tuple[float, float, float]
    y: tuple[float, float, float]
    radiance: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Lighting:
    """All light on an asset.

    Attributes:
        environment: (H, W, 3) float32 linear radiance; row 0 is +Z, column 0 starts at azimuth 0 (+X) and columns go
            counter-clockwise seen from above. Invisible to cameras (alpha is 0 there), but seen in reflections.
        rectangles: area lights.
        info: JSON-able record of the draw.
    """

    environment: Float32
    rectangles: tuple[Rectangle, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.environment.shape
        if len(shape) != 3 or shape[2] != 3 or self.environment.dtype != np.float32 or not np.isfinite(self.environment).all():
            raise ValueError(f"environment must be finite (H, W, 3) float32, got {shape} {self.environment.dtype}")


def uniform(radiance: float = 1.0) -> Lighting:
    """The same radiance from everywhere: the papers' white environment."""
    return Lighting(np.full((4, 8, 3), radiance, np.float32), (), {"preset": "white"})


def draw_all(config: LightingConfig, seed: int, index: int) -> tuple[Lighting, ...]:
    """The `config.count` lightings of one asset; another count moves none of them. Raises as `draw` does."""
    return tuple(draw(config, seed, index, number) for number in range(config.count))


def draw(config: LightingConfig, seed: int, index: int, number: int = 0) -> Lighting:
    """One lighting of one asset, from the stream "render/lighting", and "render/lighting/1" and so on for its others.

    Raises:
        ConfigError: a folder of panoramas that is missing, empty or unreadable.
        MissingDependencyError: Blender's panoramas are asked for and not here.
    """
    rng = seeds.stream(seed, index, "render/lighting" + (f"/{number}" if number else ""))
    name = config.preset
    if name == "mixed":
        name = ("white", "studio", "sky", "area")[int(rng.integers(4))]
    if name == "hdri":
        light = _hdri(rng, config.folder)
    else:
        light = {"white": lambda _: uniform(), "studio": _studio, "sky": _sky, "area": _area}[name](rng)
    return Lighting(
        (light.environment * config.strength).astype(np.float32),
        tuple(Rectangle(r.center, r.x, r.y, _triple(np.array(r.radiance) * config.strength)) for r in light.rectangles),
        light.info | {"strength": config.strength},
    )


def directions(height: int, width: int) -> Float64:
    """(height, width, 3) unit direction through each texel's centre of an environment."""
    theta = (np.arange(height) + 0.5) / height * np.pi
    phi = (np.arange(width) + 0.5) / width * 2 * np.pi
    sin = np.sin(theta)[:, None]
    return np.stack([sin * np.cos(phi), sin * np.sin(phi), np.broadcast_to(np.cos(theta)[:, None], (height, width))], -1)


def rectangle(direction: Float64, distance: float, size: tuple[float, float], irradiance: Float64) -> Rectangle:
    """A light at `distance` along `direction` facing the origin, where it gives about `irradiance` (linear RGB)."""
    pose = look_at(direction * distance)
    area = size[0] * size[1]
    # OpenCV's x cross y is forward, towards the origin.
    return Rectangle(
        _triple(direction * distance),
        _triple(pose[:3, 0] * size[0] / 2),
        _triple(pose[:3, 1] * size[1] / 2),
        _triple(irradiance * distance**2 / area),
    )


def _triple(values: NDArray[Any]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _angles(azimuth: float, elevation: float) -> Float64:
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])


def _tint(rng: np.random.Generator, spread: float) -> Float64:
    """A colour of mean 1 between warm and cool."""
    warm = rng.uniform(-spread, spread)
    tint = np.array([1 + warm, 1.0, 1 - warm])
    return tint / tint.mean()


def _studio(rng: np.random.Generator) -> Lighting:
    """Key, fill and rim light around the asset and a soft grey room."""
    turn = rng.uniform(0, 360)
    lights = [
        ("key", turn, rng.uniform(35, 55), 2.2, (2.4, 2.4), 0.12),
        ("fill", turn + rng.uniform(90, 130), rng.uniform(5, 25), 0.8, (3.5, 3.5), 0.08),
        ("rim", turn + rng.uniform(180, 230), rng.uniform(30, 60), 1.5, (1.8, 2.6), 0.05),
    ]
    rectangles = tuple(
        rectangle(_angles(a, e), 5.0, size, power * _tint(rng, spread)) for _, a, e, power, size, spread in lights
    )
    up = directions(16, 32)[..., 2]
    room = (0.3 + 0.14 * up)[..., None] * np.ones(3)
    return Lighting(room.astype(np.float32), rectangles, {"preset": "studio", "turn": turn})


def _sky(rng: np.random.Generator) -> Lighting:
    """A clear or hazy sky over warm ground, with a sun that is a small distant rectangle (half a degree to three)."""
    azimuth, elevation, haze = rng.uniform(0, 360), rng.uniform(15, 70), rng.random()
    sun = _angles(azimuth, elevation)
    look = directions(32, 64)
    up = look[..., 2]
    low = np.exp(-np.maximum(up, 0) * 4)[..., None]
    warmth = np.exp(-elevation / 25)
    zenith = np.array([0.20, 0.38, 0.75]) * (1 - haze) + 0.5 * haze
    horizon = np.array([0.75, 0.82, 0.9]) * (1 - warmth) + np.array([1.0, 0.78, 0.58]) * warmth
    glow = np.exp(-(1 - look @ sun) * 6)[..., None] * 0.6
    sky = zenith * (1 - low) + horizon * low + glow * (np.array([1.0, 0.9, 0.75]))
    ground = np.array([0.26, 0.23, 0.2]) * (0.5 + 0.5 * sun[2])
    blend = np.clip(up * 8 + 0.5, 0, 1)[..., None]
    environment = 0.8 * (sky * blend + ground * (1 - blend))
    size = 40.0 * np.radians(rng.uniform(1.0, 4.0) + 6 * haze)
    colour = np.array([1.0, 0.96, 0.9]) * (1 - warmth) + np.array([1.0, 0.75, 0.5]) * warmth
    light = rectangle(sun, 40.0, (size, size), (2.6 * (1 - 0.6 * haze)) * colour)
    info = {"preset": "sky", "azimuth": azimuth, "elevation": elevation, "haze": haze}
    return Lighting(environment.astype(np.float32), (light,), info)


def _area(rng: np.random.Generator) -> Lighting:
    """One to three rectangles of any size and tint in the upper hemisphere, over a dim room."""
    count = int(rng.integers(1, 4))
    rectangles = []
    for _ in range(count):
        direction = _angles(rng.uniform(0, 360), np.degrees(np.arcsin(rng.uniform(0.0, 0.98))))
        size = (float(rng.uniform(0.5, 3.5)), float(rng.uniform(0.5, 3.5)))
        power = rng.uniform(1.5, 3.5) / np.sqrt(count)
        rectangles.append(rectangle(direction, rng.uniform(3.5, 6.0), size, power * _tint(rng, 0.2)))
    room = rng.uniform(0.15, 0.4) * _tint(rng, 0.1)
    environment = np.broadcast_to(room, (8, 16, 3)).astype(np.float32)
    return Lighting(environment, tuple(rectangles), {"preset": "area", "lights": count})


def _hdri(rng: np.random.Generator, folder: str | None) -> Lighting:
    """A panorama of the folder, or of Blender's, turned about the vertical, with a mean radiance of 0.6."""
    images = panoramas.files(folder)
    chosen = images[int(rng.integers(len(images)))]
    image = read(chosen)
    turn = int(rng.integers(image.shape[1]))
    weight = np.sin((np.arange(image.shape[0]) + 0.5) / image.shape[0] * np.pi)[:, None, None]
    mean = float((image * weight).sum() / (weight.sum() * image.shape[1] * 3))
    # Panoramas run clockwise seen from above; before the turn, the middle column faces -X.
    turned = np.roll(image[:, ::-1], turn, axis=1) * (0.6 / max(mean, 1e-6))
    return Lighting(turned.astype(np.float32), (), {"preset": "hdri", "file": chosen.name, "turn": turn})
