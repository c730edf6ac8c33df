"""From a field to a mesh: coarse to fine, full evaluation at every point that is looked at, marching cubes at 0."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import measure
from torch import Tensor

Values = Callable[[Tensor], Tensor]
"""Points (Q, 3) -> values (Q,): negative inside, and where the surface is near, of a magnitude below 1."""
Mesh = tuple[NDArray[np.float32], NDArray[np.int32]]
"""vertices (V, 3) float32, faces (F, 3) int32."""
NOTHING: Mesh = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
"""The mesh without a face."""
BOX = 1.05
"""Half the side of the cube that is searched; assets fit [-1, 1]^3."""
NEAR = 0.75
"""A cell is refined where a corner's magnitude is below this."""


def grid(values: Values, resolution: int, coarsest: int = 64, chunk: int = 8_192) -> NDArray[np.float32]:
    """(R + 1,) * 3 values at the corners of R^3 cells over [-BOX, BOX]^3.

    All corners of the coarsest level are evaluated; of each finer one only those of cells that the surface may cross: a
    corner is near it (`NEAR`) or signs differ. The others are interpolated, and keep their sign.

    Raises:
        ValueError: the resolution is not `coarsest` times a power of two.
    """
    ratio = resolution // coarsest
    if ratio < 1 or coarsest * ratio != resolution or ratio & (ratio - 1):
        raise ValueError(f"a resolution is {coarsest} times a power of two, not {resolution}")
    size = coarsest
    corners = torch.cartesian_prod(*(torch.arange(size + 1),) * 3)
    field = _evaluate(values, corners, size, chunk).view((size + 1,) * 3)
    while size < resolution:
        crossed = _crossed(field)
        size *= 2
        field = torch.nn.functional.interpolate(field[None, None], (size + 1,) * 3, mode="trilinear", align_corners=True)[0, 0]
        fine = torch.nn.functional.interpolate(crossed[None, None].float(), (size,) * 3)[0, 0]
        crossed_corners = _corners_of(fine > 0).nonzero()
        field[crossed_corners.unbind(1)] = _evaluate(values, crossed_corners, size, chunk)
    return field.numpy()


def mesh(values: Values, resolution: int, coarsest: int = 64) -> Mesh:
    """The zero set as triangles, wound outwards; closed, since the box's own boundary counts as outside. May be empty."""
    return surface(grid(values, resolution, min(coarsest, resolution)))


def surface(field: NDArray[np.float32]) -> Mesh:
    """Marching cubes of values (R + 1,) * 3 over [-BOX, BOX]^3, negative inside; see `mesh`."""
    closed = field.copy()
    for axis in range(3):
        for end in (0, -1):
            side = closed.swapaxes(0, axis)
            np.maximum(side[end], 1e-3, out=side[end])
    # A corner of exactly 0 makes triangles without area.
    closed[closed == 0] = 1e-6
    if not closed.min() < 0:
        return NOTHING
    vertices, faces, _, _ = measure.marching_cubes(closed, 0.0, gradient_direction="descent")
    return (vertices * (2 * BOX / (len(field) - 1)) - BOX).astype(np.float32), faces.astype(np.int32)


def _evaluate(values: Values, corners: Tensor, size: int, chunk: int) -> Tensor:
    points = corners * (2 * BOX / size) - BOX
    with torch.no_grad():
        return torch.cat([values(part).float().cpu() for part in points.split(chunk)])


def _crossed(field: Tensor) -> Tensor:
    """Cells (R,) * 3 that the surface may cross."""
    near = -torch.nn.functional.max_pool3d(-field.abs()[None, None], 2, 1)[0, 0] < NEAR
    low = -torch.nn.functional.max_pool3d(-field[None, None], 2, 1)[0, 0]
    high = torch.nn.functional.max_pool3d(field[None, None], 2, 1)[0, 0]
    return near | ((low < 0) & (high >= 0))


def _corners_of(cells: Tensor) -> Tensor:
    """(R + 1,) * 3 bool: corners of the marked cells (R,) * 3."""
    return torch.nn.functional.max_pool3d(torch.nn.functional.pad(cells[None, None].float(), (1,) * 6), 2, 1)[0, 0] > 0
