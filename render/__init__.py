"""Cameras, lights, engines and passes: from an asset to pixel-aligned images."""

from render import cameras
from render.config import CameraConfig, CyclesConfig, LightingConfig, RenderConfig
from render.engine import KERNELS, render, render_views
from render.lighting import Lighting, Rectangle

__all__ = [
    "KERNELS",
    "CameraConfig",
    "CyclesConfig",
    "Lighting",
    "LightingConfig",
    "Rectangle",
    "RenderConfig",
    "cameras",
    "render",
    "render_views",
]
