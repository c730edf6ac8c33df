"""Views: what a renderer answers. All passes of one asset, pixel-aligned, with their cameras."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.camera import Camera


@dataclass(frozen=True)
class Pass:
    """One kind of image: its dtype, channels (0 = no channel axis) and meaning."""

    dtype: str
    channels: int
    meaning: str


PASSES: dict[str, Pass] = {
    "rgb": Pass("uint8", 4, "sRGB with straight alpha; uncovered pixels are (0, 0, 0, 0); alpha is coverage"),
    "normal": Pass("float32", 3, "world-space unit shading normal of the visible side at the pixel centre; 0 is background"),
    "depth": Pass("float32", 0, "planar z at the pixel centre, in world units; 0 is background"),
    "mask": Pass("bool", 0, "the pixel centre's ray hits the asset"),
    "geometric_normal": Pass("float32", 3, "world-space unit normal of the visible side of the hit triangle; 0 is background"),
    "albedo": Pass("uint8", 3, "sRGB base colour at the pixel centre; 0 is background"),
    "metallic_roughness": Pass("uint8", 2, "metallic, roughness, linear, at the pixel centre; 0 is background"),
    "part": Pass("int32", 0, "part id at the pixel centre; -1 is background"),
    "material": Pass("int32", 0, "material id at the pixel centre; -1 is background"),
    "position": Pass("float32", 3, "world position at the pixel centre; 0 is background"),
}


@dataclass(frozen=True, eq=False)
class Views:
    """N images per pass.

    Attributes:
        cameras: N cameras of one image size.
        passes: name of `PASSES` -> (N, H, W[, C]) array of that pass's dtype.
        info: JSON-able: engine, device, preset, camera preset, lighting and every drawn value.
        tags: findings that are not failures, such as "clipped"; sorted.
        lighting: (N,) int32, which lighting each view is lit by; one camera under several lightings is several views.
            None, the default, becomes zeros: one lighting for all.
    """

    cameras: tuple[Camera, ...]
    passes: dict[str, NDArray[Any]]
    info: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    lighting: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("views need at least one camera")
        lighting = np.zeros(len(self.cameras), np.int32) if self.lighting is None else np.asarray(self.lighting)
        if lighting.shape != (len(self.cameras),) or lighting.dtype != np.int32:
            raise ValueError(f"lighting must be ({len(self.cameras)},) int32, got {lighting.shape} {lighting.dtype}")
        object.__setattr__(self, "lighting", lighting)
        height, width = self.cameras[0].height, self.cameras[0].width
        for name, array in self.passes.items():
            if name not in PASSES:
                raise ValueError(f"unknown pass '{name}'; known: {', '.join(PASSES)}")
            kind = PASSES[name]
            shape = (len(self.cameras), height, width) + ((kind.channels,) if kind.channels else ())
            if array.shape != shape or array.dtype != np.dtype(kind.dtype):
                raise ValueError(f"pass '{name}' must be {shape} {kind.dtype}, got {array.shape} {array.dtype}")
