"""How a texture is looked up: its UV set, what lies beyond its edges, and how texels are filtered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Wrap = Literal["repeat", "mirror", "clamp"]
Filter = Literal["linear", "nearest"]


@dataclass(frozen=True)
class Sampler:
    """A texture's lookup, in the terms of glTF 2.0 section 3.8.

    Minification always reads mip levels: `minify` says how texels of one level are read. A file that asks for none at all
    would only alias.

    Attributes:
        uv_set: which pair of `Asset.uvs` it reads.
        wrap_s, wrap_t: beyond [0, 1] along u and v.
        magnify, minify: how texels are read where they are larger or smaller than a pixel.
    """

    uv_set: int = 0
    wrap_s: Wrap = "repeat"
    wrap_t: Wrap = "repeat"
    magnify: Filter = "linear"
    minify: Filter = "linear"

    def __post_init__(self) -> None:
        if self.uv_set < 0:
            raise ValueError(f"a UV set's number is 0 or more, got {self.uv_set}")


PLAIN = Sampler()
"""Repeats and filters: what a texture gets that asks for nothing."""


def wrapped(texel: NDArray[np.int64], count: int, wrap: Wrap) -> NDArray[np.int64]:
    """Indices of texels, which may lie outside [0, count), as indices inside."""
    if wrap == "clamp":
        return np.clip(texel, 0, count - 1)
    if wrap == "mirror":
        around = texel % (2 * count)
        return np.minimum(around, 2 * count - 1 - around)
    return texel % count


def sample(
    texture: NDArray[Any], uv: NDArray[Any], sampler: Sampler, decode: Callable[[NDArray[Any]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(N, C) values of a texture (H, W, C) at UVs (N, 2), v up, in its full resolution, filtered as for magnification.

    Args:
        decode: what (N, C) texels mean, before they are mixed.
    """
    height, width = texture.shape[:2]
    nearest = sampler.magnify == "nearest"
    shift = 0.0 if nearest else 0.5
    x, y = uv[:, 0] * width - shift, (1 - uv[:, 1]) * height - shift
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    if nearest:
        rows, columns = wrapped(top, height, sampler.wrap_t), wrapped(left, width, sampler.wrap_s)
        return decode(texture[rows, columns])
    mixed = np.zeros((len(uv), texture.shape[2]))
    for right in (0, 1):
        for down in (0, 1):
            rows, columns = wrapped(top + down, height, sampler.wrap_t), wrapped(left + right, width, sampler.wrap_s)
            weight = np.abs(1 - right - (x - left)) * np.abs(1 - down - (y - top))
            mixed += decode(texture[rows, columns]) * weight[:, None]
    return mixed
