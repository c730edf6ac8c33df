"""Cameras, lights, engines and passes: from an asset to pixel-aligned images."""

from versemill.render import cameras
from versemill.render.config import CameraConfig, CyclesConfig, ExposureConfig, LightingConfig, RenderConfig
from versemill.render.engine import KERNELS, render, render_views
from versemill.render.lighting import Lighting, Rectangle

__all__ = [
    "KERNELS",
    "CameraConfig",
    "CyclesConfig",
    "ExposureConfig",
    "Lighting",
    "LightingConfig",
    "Rectangle",
    "RenderConfig",
    "cameras",
    "render",
    "render_views",
]
