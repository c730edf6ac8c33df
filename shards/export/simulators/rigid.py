"""Mass, centre of mass and inertia of solids bounded by triangles: exact sums, no sampling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from versemill.errors import AssetError

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rigid:
    """The mass properties of a rigid body.

    Attributes:
        mass: in kg.
        center: (3,) centre of mass, in metres.
        inertia: (3, 3) tensor about the centre of mass, along the frame's axes, in kg m².
    """

    mass: float
    center: Float64
    inertia: Float64

    def principal(self) -> tuple[Float64, Float64]:
        """The principal moments (3,), rising, and the rotation (3, 3) whose columns are their axes, right-handed."""
        moments, axes = np.linalg.eigh(self.inertia)
        # Each axis points to where its largest component is positive, so that equal tensors give equal axes.
        largest = axes[np.abs(axes).argmax(0), range(3)]
        axes = axes * np.sign(largest)
        axes[:, 2] *= np.sign(np.linalg.det(axes))
        return moments, axes


def of_solid(vertices: Float64, faces: NDArray[np.integer], density: float) -> Rigid:
    """The mass properties of a closed surface, (n, 3) vertices in metres and (m, 3) faces wound outwards, filled with a density
    in kg/m³.

    Each face spans a tetrahedron with the origin; volumes and second moments of tetrahedra (Tonon, "Explicit exact formulas for
    the 3-D tetrahedron inertia tensor", 2004) are summed with their sign.

    Raises:
        AssetError: "no_volume": the surface is inside out or flat.
    """
    origin = vertices.mean(0)
    corners = (vertices - origin)[faces]
    six = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    volume = six.sum() / 6
    if not volume > 0:
        raise AssetError("no_volume", f"a solid of {len(faces)} faces has the volume {volume:.3g}; a mass needs a positive one")
    total = corners.sum(1)
    center = six @ total / 24 / volume
    second = (np.einsum("i,ij,ik->jk", six, total, total) + np.einsum("i,imj,imk->jk", six, corners, corners)) / 120
    about = (second + second.T) / 2 - volume * np.outer(center, center)
    return Rigid(density * volume, origin + center, density * (np.trace(about) * np.eye(3) - about))


def joined(bodies: Sequence[Rigid]) -> Rigid:
    """The mass properties of bodies that are one: by the parallel axis theorem."""
    mass = sum(body.mass for body in bodies)
    center = np.sum([body.mass * body.center for body in bodies], axis=0) / mass
    inertia = np.zeros((3, 3))
    for body in bodies:
        arm = body.center - center
        inertia += body.inertia + body.mass * (arm @ arm * np.eye(3) - np.outer(arm, arm))
    return Rigid(mass, center, inertia)
