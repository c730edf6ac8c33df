"""Named camera and lighting presets: plain data, with the object size that each paper assumes."""

from dataclasses import dataclass
from typing import Literal

FULL = (-180.0, 180.0)


@dataclass(frozen=True)
class CameraPreset:
    """Cameras that look at the origin; angles in degrees, distances for an object of longest side `object_size`.

    Attributes:
        views: how many.
        directions: "uniform" on the sphere, "cube" (normalised cube samples: denser at the corners), "hammersley",
            "ring" (even azimuths from the low end of `azimuth`), "angles" (uniform azimuth and elevation),
            "spiral" (even steps from the high to the low end of `elevation` while the azimuth goes round `turns` times),
            "listed" (`listed` azimuth, elevation).
        first: azimuth and elevation of view 0, whatever the others are, or None.
        radius: distance range. `fov`: horizontal field of view range.
        height: allowed world z of the camera, in the preset's units, or None.
        inverse_square: the distance is uniform in 1/r^2 instead of r.
        enclosing: distance is (sqrt(3)/2) object_size / sin(fov / 2): the bounding sphere of the cube just fits.
        lenses: focal lengths in mm on a 36 mm sensor, cycled through the views; 0 is orthographic, None is a draw in 35-65.
    """

    views: int
    directions: Literal["uniform", "cube", "hammersley", "ring", "angles", "spiral", "listed"] = "uniform"
    framing: Literal["preset", "sphere", "tight"] = "sphere"
    object_size: float = 2.0
    radius: tuple[float, float] = (3.5, 3.5)
    fov: tuple[float, float] = (50.0, 50.0)
    elevation: tuple[float, float] = (-90.0, 90.0)
    azimuth: tuple[float, float] = FULL
    height: tuple[float, float] | None = None
    roll: float = 0.0
    orthographic: bool = False
    inverse_square: bool = False
    enclosing: bool = False
    listed: tuple[tuple[float, float], ...] = ()
    first: tuple[float, float] | None = None
    turns: float = 1.0
    lenses: tuple[float | None, ...] = ()


def _eval(elevations: tuple[float, ...], count: int) -> tuple[tuple[float, float], ...]:
    return tuple((360.0 * k / count, e) for e in elevations for k in range(count))


FRONT = -90.0
"""Azimuth of an asset's front: glTF's +Z faces the viewer and becomes -Y here."""

CAMERAS: dict[str, CameraPreset] = {
    "sphere": CameraPreset(16, "uniform"),
    "hammersley": CameraPreset(16, "hammersley"),
    "hemisphere": CameraPreset(16, "uniform", elevation=(0.0, 90.0)),
    "ring": CameraPreset(16, "ring", elevation=(20.0, 20.0)),
    "orbit": CameraPreset(48, "ring", elevation=(15.0, 15.0), azimuth=(FRONT, FRONT + 360), fov=(40.0, 40.0)),
    "front": CameraPreset(8, "angles", "tight", elevation=(-15.0, 30.0), azimuth=(FRONT - 90, FRONT + 90)),
    "axes": CameraPreset(
        6,
        "listed",
        orthographic=True,
        listed=((FRONT, 0.0), (FRONT + 90, 0.0), (FRONT + 180, 0.0), (FRONT + 270, 0.0), (FRONT, 90.0), (FRONT, -90.0)),
    ),
    # LRM-Zero: distance [2, 3] (paper), 50 degrees, directions from a cube, height bound and side 1.8 (released renderer).
    "lrm_zero": CameraPreset(32, "cube", "preset", object_size=1.8, radius=(2.0, 3.0), height=(-0.75, 1.6)),
    # OpenLRM's released renderer (scripts/data/objaverse/blender_script.py, and its issue 6): side 2, lens 24 on a 32 mm
    # sensor, so that fx / width is 0.75; view 0 is frontal.
    "openlrm": CameraPreset(
        32,
        "cube",
        "preset",
        radius=(1.9, 2.6),
        fov=(67.38013505, 67.38013505),
        height=(-0.75, 1.6),
        first=(FRONT, 0.0),
    ),
    # InstantMesh, as its author states in issue 13: the model in [-1, 1]^3. How directions are drawn is not stated; they are
    # drawn here as LRM-Zero and OpenLRM do.
    "instantmesh": CameraPreset(32, "cube", "preset", radius=(2.0, 3.5), height=(-0.75, 1.6)),
    # LGM: distance 1.5 and 49.1 degrees (core/options.py), 100 views along a spiral from pole to pole (issue 22), about five
    # turns in the author's picture. The object's size is not stated: 1 is that of Zero-1-to-3's renderer, whose lens it has.
    "lgm": CameraPreset(100, "spiral", "preset", object_size=1.0, radius=(1.5, 1.5), fov=(49.1, 49.1), turns=5.0),
    # The evaluation layouts of GS-LRM and LRM-Zero: 4 + 4 views, 4 views, and the 64-view grid.
    "gs_lrm_eval8": CameraPreset(
        8,
        "listed",
        "preset",
        object_size=1.8,
        radius=(2.7, 2.7),
        listed=_eval((0.0,), 4) + tuple((a + 45.0, 40.0) for a, _ in _eval((40.0,), 4)),
    ),
    "gs_lrm_eval4": CameraPreset(4, "listed", "preset", object_size=1.8, radius=(2.7, 2.7), listed=_eval((20.0,), 4)),
    "gso_grid": CameraPreset(
        64, "listed", "preset", object_size=1.8, radius=(2.7, 2.7), listed=_eval((0.0, 20.0, 40.0, 60.0), 16)
    ),
    # TripoSG's image conditions: frontal hemisphere, a lens per view, the object fills 90 % of the frame or less.
    "triposg": CameraPreset(
        8,
        "angles",
        "tight",
        elevation=(-15.0, 30.0),
        azimuth=(FRONT - 90, FRONT + 90),
        lenses=(0.0, 50.0, 85.0, 135.0, None, None),
    ),
    # TRELLIS: feature views, and condition views whose distance follows the field of view.
    "trellis": CameraPreset(150, "hammersley", "preset", object_size=1.0, radius=(2.0, 2.0), fov=(40.0, 40.0)),
    "trellis_condition": CameraPreset(
        24, "hammersley", "preset", object_size=1.0, fov=(10.0, 70.0), inverse_square=True, enclosing=True
    ),
    # Zero-1-to-3: lens 35 on a 32 mm sensor, normalised cube samples.
    "zero123": CameraPreset(12, "cube", "preset", object_size=1.0, radius=(1.5, 2.2), fov=(49.13434, 49.13434)),
}

LIGHTINGS = ("white", "studio", "sky", "area", "hdri")
