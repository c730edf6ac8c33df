"""Letters as outlines, from DejaVu: fonts that may be redistributed, and that come with matplotlib."""

import functools
from pathlib import Path
from typing import Literal

import manifold3d as m3
import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from versemill.detailverse.solids import Manifold, checked

Face = Literal["sans", "serif", "mono"]
FILES: dict[Face, str] = {"sans": "DejaVuSans-Bold.ttf", "serif": "DejaVuSerif-Bold.ttf", "mono": "DejaVuSansMono-Bold.ttf"}


@functools.lru_cache(maxsize=64)
def _section(text: str, face: Face) -> m3.CrossSection:
    """The text's outline with capitals about 1 high, centred."""
    font = FontProperties(fname=str(Path(mpl.get_data_path()) / "fonts" / "ttf" / FILES[face]))
    path = TextPath((0, 0), text, size=1.37, prop=font)
    rings = [ring[:-1] for ring in map(np.asarray, path.to_polygons()) if len(ring) > 3]
    shape = m3.CrossSection(rings, m3.FillRule.EvenOdd)
    low, high = np.array(shape.bounds()).reshape(2, 2)
    return shape.translate((-(low + high) / 2).tolist())


def write(text: str, height: float, width: float, thick: float, face: Face = "sans") -> Manifold:
    """The text as a raised plate in the plane of x and z, `thick` along y and centred; it reads from the front (-Y).

    Args:
        height: of its capitals; less where the text would be wider than `width`.
    """
    shape = _section(text, face)
    low, high = np.array(shape.bounds()).reshape(2, 2)
    scale = min(height / float(high[1] - low[1]), width / float(high[0] - low[0]))
    return checked(shape.scale([scale, scale]).extrude(thick).translate([0, 0, -thick / 2]).rotate([90, 0, 0]))
