"""Drawing JSON-able numbers and colours for texture recipes."""

import colorsys
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Color = list[float]
Span = tuple[float, float]

METALS: dict[str, Color] = {
    "silver": [0.95, 0.94, 0.92],
    "steel": [0.70, 0.71, 0.73],
    "iron": [0.56, 0.55, 0.54],
    "chrome": [0.80, 0.81, 0.82],
    "aluminium": [0.86, 0.87, 0.88],
    "gold": [0.95, 0.78, 0.38],
    "rose_gold": [0.90, 0.66, 0.55],
    "copper": [0.88, 0.55, 0.42],
    "brass": [0.84, 0.72, 0.42],
    "bronze": [0.66, 0.50, 0.31],
    "gunmetal": [0.33, 0.35, 0.39],
    "titanium": [0.62, 0.59, 0.56],
    "anodised_blue": [0.25, 0.42, 0.78],
    "anodised_red": [0.76, 0.20, 0.22],
    "anodised_teal": [0.16, 0.60, 0.58],
    "anodised_purple": [0.46, 0.28, 0.66],
}


def number(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform in [low, high], rounded to four decimals."""
    return round(float(rng.uniform(low, high)), 4)


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """Uniform integer in [low, high]."""
    return int(rng.integers(low, high + 1))


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def hsv(rng: np.random.Generator, hue: Span = (0, 1), saturation: Span = (0.15, 0.9), value: Span = (0.25, 0.95)) -> Color:
    """An sRGB colour with hue, saturation and value drawn from the given spans; hue wraps."""
    h, s, v = (rng.uniform(*span) for span in (hue, saturation, value))
    return [round(c, 4) for c in colorsys.hsv_to_rgb(h % 1, s, v)]


def near(rng: np.random.Generator, color: Color, spread: float) -> Color:
    """A colour near another: hue within spread / 4, saturation and value within spread."""
    h, s, v = colorsys.rgb_to_hsv(*color)
    dh, ds, dv = rng.uniform(-spread, spread, 3)
    return [round(c, 4) for c in colorsys.hsv_to_rgb((h + dh / 4) % 1, min(max(s + ds, 0), 1), min(max(v + dv, 0.03), 1))]


def scheme(rng: np.random.Generator, count: int) -> list[Color]:
    """`count` colours that go together: one hue and its neighbours, complement or triad, with unequal values."""
    base = rng.random()
    hues = {
        "analogous": (0.0, 0.06, -0.06, 0.11, -0.11),
        "complement": (0.0, 0.5, 0.04, 0.54, -0.04),
        "triad": (0.0, 1 / 3, 2 / 3, 0.05, 0.38),
        "monochrome": (0.0, 0.0, 0.01, -0.01, 0.0),
    }[pick(rng, ("analogous", "complement", "triad", "monochrome"))]
    values = rng.permutation(np.linspace(0.28, 0.94, max(count, 2)))
    colors = []
    for k in range(count):
        saturation = rng.uniform(0.12, 0.85)
        rgb = colorsys.hsv_to_rgb((base + hues[k % len(hues)]) % 1, saturation, float(values[k]))
        colors.append([round(c, 4) for c in rgb])
    return colors
