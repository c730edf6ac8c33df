"""Closed solids and what families make them with: manifold3d, checked at every step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import manifold3d as m3
import numpy as np
from manifold3d import Manifold as Manifold
from numpy.typing import ArrayLike, NDArray

from versemill import seeds
from versemill.detailverse.spines import Spine
from versemill.detailverse.surfaces import PLAIN, Finish, Ornament, grid, slab
from versemill.errors import AssetError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Solid:
    """A closed body that belongs to a part."""

    body: Manifold
    part: str


@dataclass(frozen=True)
class Builder:
    """What a family builds with.

    Attributes:
        finishes: the ornament of each decorated part.
        fine: default detail rather than fast.
        edge: tessellation length: sample spacing of free-form surfaces, in world units.
        variation: key of what the specification does not spell out (the scatter of greebles, the facets of a rock).
    """

    finishes: dict[str, Finish]
    fine: bool
    edge: float
    variation: int

    def segments(self, radius: float) -> int:
        """Columns of a plain round surface."""
        return int(np.clip((150 if self.fine else 90) * np.sqrt(radius), 12, 160 if self.fine else 96) // 4 * 4)

    def finish(self, part: str, copies: int = 1) -> Finish:
        """The ornament of a part, whose samples `copies` bodies share; plain where it has none."""
        finish = self.finishes.get(part, PLAIN)
        return replace(finish, samples=finish.samples // copies)

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator for one purpose of this specification."""
        return seeds.stream(self.variation, 0, f"detailverse/build/{purpose}")

    def sweep(self, spine: Spine, part: str = "", segments: int = 0, copies: int = 1) -> Manifold:
        """The solid of a spine, with the ornament of `part`.

        Args:
            segments: columns where plain, by default as fits its size.
            copies: how many such bodies the asset will hold; they share the samples.
        """
        finish = self.finish(part, copies)
        return solid(*grid(spine, finish, segments or self.segments(float(spine.radius.max()))))

    def plate(self, width: float, height: float, thickness: float, part: str = "", copies: int = 1) -> Manifold:
        """A plate, front to -Y, with the first operator of `part` on its front; `copies` as in `sweep`."""
        finish = self.finish(part, copies)
        op: Ornament | None = finish.bands[0][2] if finish.bands else None
        return solid(*slab(width, height, thickness, op, finish))


def solid(vertices: ArrayLike, faces: ArrayLike) -> Manifold:
    """A manifold from arrays.

    Raises:
        AssetError: reason "not_manifold" with manifold3d's own word, or "inside_out".
    """
    mesh = m3.Mesh(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.uint32))
    return checked(Manifold(mesh))


def checked(body: Manifold) -> Manifold:
    """The body itself, if it is a solid.

    Raises:
        AssetError: reason "not_manifold", "empty" or "inside_out".
    """
    if body.status() != m3.Error.NoError:
        raise AssetError("not_manifold", f"manifold3d refuses a solid: {body.status().name}")
    if body.is_empty():
        raise AssetError("empty", "an operation left nothing of a solid")
    if not body.volume() > 0:
        raise AssetError("inside_out", f"a solid has volume {body.volume():.3g}, it must be positive")
    return body


def union(bodies: Iterable[Manifold]) -> Manifold:
    """The exact union."""
    return checked(Manifold.batch_boolean(list(bodies), m3.OpType.Add))


def subtract(body: Manifold, cutters: Sequence[Manifold]) -> Manifold:
    """The body without the cutters."""
    return checked(Manifold.batch_boolean([body, *cutters], m3.OpType.Subtract)) if cutters else body


def box(size: ArrayLike, center: ArrayLike = (0, 0, 0), bevel: float = 0.0) -> Manifold:
    """A box with chamfered edges: the hull of three boxes, each short of the bevel in two directions."""
    x, y, z = (float(v) for v in np.asarray(size, np.float64))
    at = [float(v) for v in np.asarray(center, np.float64)]
    cut = 2 * min(bevel, 0.45 * min(x, y, z))
    if cut <= 0:
        return Manifold.cube([x, y, z], True).translate(at)
    parts = [(x, y - cut, z - cut), (x - cut, y, z - cut), (x - cut, y - cut, z)]
    return Manifold.batch_hull([Manifold.cube(list(p), True) for p in parts]).translate(at)


def cylinder(
    radius: float, height: float, center: ArrayLike = (0, 0, 0), axis: str = "z", segments: int = 32, top: float | None = None
) -> Manifold:
    """A cylinder or cone frustum centred at `center` along an axis; `top` is the radius at its far end."""
    body = Manifold.cylinder(height, radius, radius if top is None else top, segments, True)
    turn = {"x": [0.0, 90.0, 0.0], "y": [-90.0, 0.0, 0.0], "z": [0.0, 0.0, 0.0]}[axis]
    return body.rotate(turn).translate([float(v) for v in np.asarray(center, np.float64)])


def strut(start: ArrayLike, end: ArrayLike, radius: float, segments: int = 10, end_radius: float | None = None) -> Manifold:
    """A round-ended bar: the hull of two small spheres."""
    ends = [
        Manifold.sphere(r, segments).translate([float(v) for v in np.asarray(p, np.float64)])
        for p, r in ((start, radius), (end, radius if end_radius is None else end_radius))
    ]
    return Manifold.batch_hull(ends)


def prism(outline: ArrayLike, height: float, center: ArrayLike = (0, 0, 0), holes: Sequence[ArrayLike] = ()) -> Manifold:
    """An extruded outline (K, 2), counter-clockwise, with holes, centred along z."""
    section = m3.CrossSection(
        [np.asarray(outline, np.float64), *[np.asarray(h, np.float64) for h in holes]], m3.FillRule.EvenOdd
    )
    x, y, z = (float(v) for v in np.asarray(center, np.float64))
    return section.extrude(height).translate([x, y, z - height / 2])


def section(outline: ArrayLike) -> m3.CrossSection:
    """A flat section from one outline (K, 2), counter-clockwise, to extrude or revolve."""
    return m3.CrossSection([np.asarray(outline, np.float64)])


def hull(points: ArrayLike) -> Manifold:
    """The convex hull of points (N, 3)."""
    return checked(Manifold.hull_points(np.ascontiguousarray(points, np.float64)))


def move(body: Manifold, rotation: ArrayLike, position: ArrayLike) -> Manifold:
    """The body turned by a 3x3 rotation, then shifted."""
    matrix = np.concatenate([np.asarray(rotation, np.float64), np.asarray(position, np.float64).reshape(3, 1)], 1)
    return body.transform(matrix)


def facing(direction: ArrayLike, up: ArrayLike = (0, 0, 1)) -> Floats:
    """A rotation (3, 3) that takes +Z to `direction` and +Y towards `up`."""
    z = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    x = np.cross(np.asarray(up, np.float64), z)
    if np.linalg.norm(x) < 1e-6:
        x = np.cross((0.0, 1.0, 0.0), z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], 1)


def cut(outline: ArrayLike, thick: float, edge: float = 0.0, holes: Sequence[ArrayLike] = ()) -> Manifold:
    """A plate cut to an outline (K, 2) of (x, z), counter-clockwise, `thick` along y and centred there.

    Args:
        edge: how far the rim is set back on both faces, over a third of the thickness.
        holes: outlines that are left out.
    """
    flat = m3.CrossSection([np.asarray(outline, np.float64), *[np.asarray(h, np.float64) for h in holes]], m3.FillRule.EvenOdd)
    body = flat.extrude(thick).translate([0, 0, -thick / 2])
    if edge > 0:
        core = thick * 0.66
        inner = flat.offset(-edge, m3.JoinType.Miter)
        body = union([flat.extrude(core).translate([0, 0, -core / 2]), inner.extrude(thick).translate([0, 0, -thick / 2])])
    return checked(body.rotate([90, 0, 0]))


def mirrored(bodies: Iterable[Manifold]) -> list[Manifold]:
    """The bodies, and their mirror images across the plane x = 0."""
    return [copy for body in bodies for copy in (body, body.mirror([1, 0, 0]))]


def around(body: Manifold, count: int, axis: str = "z") -> list[Manifold]:
    """`count` copies of a body, turned evenly about an axis through the origin."""
    turn = np.array([axis == "x", axis == "y", axis == "z"], np.float64)
    return [body.rotate((turn * 360 * k / count).tolist()) for k in range(count)]
