"""Views: what a renderer returns. All passes of one asset, pixel-aligned, with their cameras."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from versemill import notebook
from versemill.camera import Camera
from versemill.plugins import Table

Kind = Literal["colour", "direction", "distance", "position", "coverage", "level", "id"]
"""What a value is. It decides how the pass is stored, averaged, shown and written as PNG:

- colour: sRGB, with or without alpha. Stored as a picture.
- direction: a unit vector. Stored as codes over [-1, 1]; turns with the camera's frame; unit again after averaging.
- distance, position: lengths. Stored as codes over each view's own range.
- coverage: yes or no. level: 8-bit steps of something linear. id: a number that can't be averaged. Stored as they are.
"""


@dataclass(frozen=True)
class Pass:
    """One kind of image.

    Attributes:
        dtype: of the array in `Views`.
        channels: of the last axis; 0 is no channel axis.
        kind: what a value is.
        meaning: one sentence for the docs.
        tolerance: what one pixel may differ by between two renderings that count as equivalent, in the pass's own unit; of
            coverage, the share of pixels that may differ.
        frame: of directions and positions.
        unit: of a value.
        empty: the value of a pixel that shows nothing.
        derived: ({pass: (N, H, W[, C])} of `needs`, c2w (N, 4, 4) float64) -> this pass's array, for passes that are computed
            from others; None where an engine fills the pass.
        needs: passes that `derived` reads; rendered if this pass is requested, and kept only if they are requested, too.
    """

    dtype: str
    channels: int
    kind: Kind
    meaning: str
    tolerance: float
    frame: str = ""
    unit: str = ""
    empty: int = 0
    derived: Callable[[Mapping[str, NDArray[Any]], NDArray[np.float64]], NDArray[Any]] | None = None
    needs: tuple[str, ...] = ()

    @property
    def quantised(self) -> bool:
        """Whether shards hold uint16 codes with a range per view instead of the values."""
        return self.kind in ("direction", "distance", "position")

    @property
    def span(self) -> tuple[float, float] | None:
        """The range of the codes where it is the same for every view."""
        return (-1.0, 1.0) if self.kind == "direction" else None

    @property
    def stored(self) -> str:
        """The dtype of a cell in a shard."""
        return "uint16" if self.quantised else self.dtype

    def covered(self, images: NDArray[Any]) -> NDArray[np.bool_]:
        """(..., H, W): which pixels of (..., H, W[, channels]) show something."""
        shown = np.not_equal(images, self.empty)
        return np.any(shown, -1) if self.channels else shown


_OWN: dict[str, str | Pass] = {
    "rgb": Pass(
        "uint8", 4, "colour", "sRGB with straight alpha; uncovered pixels are (0, 0, 0, 0); alpha is coverage", 4.0, unit="sRGB"
    ),
    "normal": Pass(
        "float32",
        3,
        "direction",
        "world-space unit shading normal of the visible side at the pixel centre; 0 is background",
        0.02,
        frame="world",
    ),
    "depth": Pass(
        "float32",
        0,
        "distance",
        "planar z at the pixel centre, in world units; 0 is background",
        0.001,
        frame="camera z",
        unit="world units",
    ),
    "mask": Pass("bool", 0, "coverage", "the pixel centre's ray hits the asset", 0.005),
    "geometric_normal": Pass(
        "float32",
        3,
        "direction",
        "world-space unit normal of the visible side of the hit triangle; 0 is background",
        0.02,
        frame="world",
    ),
    "albedo": Pass("uint8", 3, "colour", "sRGB base colour at the pixel centre; 0 is background", 4.0, unit="sRGB"),
    "metallic_roughness": Pass("uint8", 2, "level", "metallic, roughness, linear, at the pixel centre; 0 is background", 4.0),
    "part": Pass("int32", 0, "id", "part id at the pixel centre; -1 is background", 0.0, empty=-1),
    "material": Pass("int32", 0, "id", "material id at the pixel centre; -1 is background", 0.0, empty=-1),
    "position": Pass(
        "float32",
        3,
        "position",
        "world position at the pixel centre; 0 is background",
        0.001,
        frame="world",
        unit="world units",
    ),
}
"""A new pass is one line here, and what fills it in `render/` (`engine.py` and its kernels; `cycles.py` for that engine):
shards, exports, report, preview and the documentation follow."""
PASSES = Table("pass", "passes", Pass, _OWN)
"""All passes by name; an installed package adds its own (`versemill.plugins`), computed from others (`Pass.derived`). The
module of such a pass may import nothing of versemill but this one, since schemas are built from this table."""


def passes_of(*kinds: Kind) -> tuple[str, ...]:
    """Names of the passes of these kinds, in the order of `PASSES`."""
    return tuple(name for name, each in PASSES.items() if each.kind in kinds)


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

    def __repr__(self) -> str:
        camera, lights = self.cameras[0], len(np.unique(self.lighting)) if self.lighting is not None else 1
        lit = f" under {lights} lightings" if lights > 1 else ""
        return f"Views({len(self.cameras)} of {camera.width} x {camera.height}{lit}: {', '.join(self.passes)})"

    def _repr_html_(self) -> str:
        return notebook.figure(self)
