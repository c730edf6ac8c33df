"""Bodies modelled as in clay: bones and eggs that melt into each other, extracted from their distances."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from versemill.detailverse.fields import Floats, extract
from versemill.detailverse.solids import Builder, Manifold


@dataclass
class Sculpture:
    """A body that grows by `bone` and `egg`.

    Attributes:
        blend: over how much neighbouring forms melt into each other, in world units.
        relief: points (N, 3) -> how far the surface stands out there.
    """

    blend: float = 0.08
    relief: Callable[[Floats], Floats] | None = None
    _forms: list[Callable[[Floats], Floats]] = field(default_factory=list)
    _low: Floats = field(default_factory=lambda: np.full(3, np.inf))
    _high: Floats = field(default_factory=lambda: np.full(3, -np.inf))

    def bone(self, path: ArrayLike, *radii: float) -> "Sculpture":
        """A limb along a path (K, 3) with a radius at every point, or one for all."""
        points = np.asarray(path, np.float64)
        thick = radii if len(radii) == len(points) else (radii[0],) * len(points)
        for k in range(len(points) - 1):
            a, b = points[k], points[k + 1]
            self._forms.append(lambda p, a=a, b=b, ra=thick[k], rb=thick[k + 1]: capsule(p, a, b, ra, rb))  # type: ignore[misc]
            for point, r in ((points[k], thick[k]), (points[k + 1], thick[k + 1])):
                self._grow(point, r)
        return self

    def egg(self, center: ArrayLike, radii: ArrayLike, lean: float = 0.0) -> "Sculpture":
        """An ellipsoid, leant by `lean` degrees about x (forwards, to -Y, where positive)."""
        c, r = np.asarray(center, np.float64), np.asarray(radii, np.float64)
        turn = np.radians(lean)
        rotation = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
        self._forms.append(lambda p: ellipsoid((p - c) @ rotation, r))
        self._grow(c, float(r.max()))
        return self

    def _grow(self, point: Floats, r: float) -> None:
        self._low, self._high = np.minimum(self._low, point - r), np.maximum(self._high, point + r)

    def __call__(self, points: Floats) -> Floats:
        """Signed distances (N,), approximate."""
        total = self._forms[0](points)
        for form in self._forms[1:]:
            other = form(points)
            h = np.maximum(self.blend - np.abs(total - other), 0) / self.blend
            total = np.minimum(total, other) - h * h * self.blend / 4
        return total - self.relief(points) if self.relief is not None else total

    def cast(self, builder: Builder) -> Manifold:
        """The solid."""
        middle = (self._low + self._high) / 2
        margin = self.blend + 0.06
        half = (self._high - self._low) / 2 + margin
        step = max(2.0 * builder.edge, 0.015) if builder.fine else 0.026
        body = extract(lambda p: self(p + middle), (float(half[0]), float(half[1]), float(half[2])), step, 1.3)
        return body.translate(middle.tolist())


def capsule(points: Floats, start: Floats, end: Floats, ra: float, rb: float) -> Floats:
    """Distances (N,) to a bar whose radius runs from ra to rb (approximate where they differ)."""
    along = end - start
    h = np.clip((points - start) @ along / max(float(along @ along), 1e-12), 0, 1)
    return np.linalg.norm(points - start - h[:, None] * along, axis=1) - (ra + (rb - ra) * h)


def ellipsoid(points: Floats, radii: Floats) -> Floats:
    """Distances (N,) to an ellipsoid at the origin, first order."""
    scaled = points / radii
    near = np.linalg.norm(scaled, axis=1)
    return near * (near - 1) / np.maximum(np.linalg.norm(scaled / radii, axis=1), 1e-9)
