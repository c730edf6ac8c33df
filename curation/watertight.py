"""The watertight surface: the method is chosen per mesh, each result must pass a gate, and what was tried is recorded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import manifold3d
import numpy as np
from numpy.typing import NDArray

from versemill.curated import Rejected
from versemill.curation.clean import closed_components
from versemill.curation.config import CurationConfig
from versemill.curation.visibility import escapes, hemisphere
from versemill.curation.volumes import shell_surface, winding_surface
from versemill.mesh import component_volumes, components, face_areas, face_normals, sample_surface, topology, volume
from versemill.queries import MeshQuery

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]
Surface = tuple[Vertices, Faces]

GATE_SAMPLES = 4096
VISIBILITY_RAYS = (4, 24)  # a first few for all points, the rest for those still unseen


class Unsuitable(Exception):
    """A method that does not apply to this mesh, or whose result fails the gate; `str` says why."""


@dataclass(frozen=True, eq=False)
class Source:
    """The mesh to be made watertight, with what the methods share."""

    vertices: Vertices
    faces: Faces
    label: NDArray[np.int32]
    closed: NDArray[np.bool_]
    rng: np.random.Generator
    device: str

    @cached_property
    def outward(self) -> Surface:
        """Every closed component wound with positive volume: a cavity becomes a body inside another, and is then dropped."""
        return _outward(self.vertices, self.faces, self.label)

    @cached_property
    def query(self) -> MeshQuery:
        """Of the faces wound outward."""
        return MeshQuery(*self.outward, self.device, winding=True)

    @cached_property
    def samples(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points and normals (N, 3) drawn uniformly from the whole surface."""
        points, chosen, _ = sample_surface(self.vertices, self.faces, GATE_SAMPLES, self.rng)
        return points, face_normals(self.vertices, self.faces)[chosen]

    @cached_property
    def visible(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Those samples that something outside can see."""
        points, normals = self.samples
        seen = np.zeros(len(points), bool)
        for rays in VISIBILITY_RAYS:
            rest = np.flatnonzero(~seen)
            front, back = escapes(self.vertices, self.faces, points[rest], normals[rest], rays, self.device)
            seen[rest] = (front | back).any(1)
        if seen.sum() < GATE_SAMPLES // 20:
            seen[:] = True  # nearly all is hidden: judge by all of it
        return points[seen], normals[seen]


@dataclass(frozen=True, eq=False)
class Watertight:
    """A closed surface that passed the gate, with its measurements and the history of the choice."""

    vertices: Vertices
    faces: Faces
    metrics: dict[str, Any]
    methods: dict[str, Any]


def make_watertight(
    vertices: Vertices, faces: Faces, rng: np.random.Generator, config: CurationConfig
) -> Watertight | Rejected:
    """Tries "as_is", "union", "capped_union", "winding" and "shell" in this order and takes the first that passes the gate.

    - as_is: closed, consistently wound bodies that do not overlap; enclosed bodies and cavities are dropped. Exact.
    - union: closed bodies that overlap, joined by manifold3d. Exact; sharp edges stay.
    - capped_union: as union, after each hole is closed by a fan of triangles.
    - winding: the capped mesh's winding number over a sparse distance grid, for soups that manifold3d refuses.
    - shell: a thin skin for open sheets, where the methods above lose or invent surface.

    Args:
        vertices: (V, 3) float32, longest side 2, centred. faces: (F, 3) int32, cleaned.
        rng: draws the gate's samples.
    """
    label = components(faces)
    source = Source(vertices, faces, label, closed_components(faces, label), rng, config.device)
    tried: list[dict[str, str]] = []
    for name, method in METHODS.items():
        try:
            surface = method(source, config)
            metrics = gate(source, surface, name, config)
        except Unsuitable as reason:
            tried.append({"method": name, "reason": str(reason)})
            continue
        return Watertight(*surface, metrics, {"watertight": name, "tried": tried})
    last = tried[-1]
    return Rejected("watertight", "no_watertight_surface", f"no method passed; the last, {last['method']}: {last['reason']}")


def as_is(source: Source, config: CurationConfig) -> Surface:
    """The closed components themselves, without those that others enclose."""
    if not source.closed.all():
        raise Unsuitable(f"{int((~source.closed).sum())} of {len(source.closed)} components are open")
    vertices, faces = source.outward
    count = len(source.closed)
    if count == 1:
        return _compact(vertices, faces)
    inner, overlapping = _relations(source)
    if overlapping:
        raise Unsuitable(f"{overlapping} of {count} closed components cut into others")
    return _compact(vertices, faces[~inner[source.label]])


def _outward(vertices: Vertices, faces: Faces, label: NDArray[np.int32]) -> Surface:
    """Closed components of negative volume turned around."""
    negative = component_volumes(vertices, faces, label) < 0
    return vertices, np.where(negative[label][:, None], faces[:, [0, 2, 1]], faces)


def _relations(source: Source) -> tuple[NDArray[np.bool_], int]:
    """Closed components that lie wholly inside others, and how many cut into others, by points just above the surface."""
    vertices, faces = source.outward
    label, count = source.label, len(source.closed)
    per = int(np.clip(16384 // count, 8, 512))
    order = np.argsort(label, kind="stable")
    cumulative = np.cumsum(face_areas(vertices, faces)[order])
    last = np.cumsum(np.bincount(label, minlength=count)) - 1
    first = np.r_[0.0, cumulative[last[:-1]]]
    # As many points on every component, evenly spaced along its area.
    targets = first[:, None] + (np.arange(per) + 0.5) / per * (cumulative[last] - first)[:, None]
    chosen = order[np.searchsorted(cumulative, targets.reshape(-1)).clip(max=len(faces) - 1)]
    root, v = np.sqrt(source.rng.random(len(chosen))), source.rng.random(len(chosen))
    weights = np.stack([1 - root, root * (1 - v), root * v], 1)
    points = np.einsum("ij,ijk->ik", weights, vertices[faces[chosen]].astype(np.float64))
    above = points + 1e-4 * face_normals(vertices, faces)[chosen]
    inside = source.query.signed_distance(above) < 0
    share = inside.reshape(count, per).mean(1)
    # Bodies that coincide have nothing above their surface: their boxes give them away.
    boxes = np.full((count, 6), -np.inf)
    corners = vertices[faces]
    np.maximum.at(boxes, label, np.concatenate([corners.max(1), -corners.min(1)], 1))
    twins = count - len(np.unique(boxes.round(5), axis=0))
    return share == 1.0, int(((share > 0) & (share < 1)).sum()) + twins


def union(source: Source, config: CurationConfig) -> Surface:
    """All closed components, joined; what others enclose disappears."""
    if not source.closed.all():
        raise Unsuitable(f"{int((~source.closed).sum())} of {len(source.closed)} components are open")
    return _union(*source.outward, source.label)


def capped_union(source: Source, config: CurationConfig) -> Surface:
    """As `union`, after every boundary loop is closed by a fan."""
    if source.closed.all():
        raise Unsuitable("nothing to cap")
    vertices, faces = cap(source.vertices, source.faces)
    label = components(faces)
    closed = closed_components(faces, label)
    if not closed.all():
        raise Unsuitable(f"{int((~closed).sum())} of {len(closed)} components stay open or non-manifold after capping")
    return _union(*_outward(vertices, faces, label), label)


def _union(vertices: Vertices, faces: Faces, label: NDArray[np.int32]) -> Surface:
    bodies = []
    order = np.argsort(label, kind="stable")
    for own in np.split(faces[order], np.flatnonzero(np.diff(label[order])) + 1):
        used, local = np.unique(own, return_inverse=True)
        if not volume(vertices, own) > 1e-9:
            continue  # a capped sheet: if it is seen, the gate misses it
        mesh = manifold3d.Mesh(vertices[used], local.reshape(-1, 3).astype(np.uint32))
        body = manifold3d.Manifold(mesh)
        if body.status() != manifold3d.Error.NoError:
            raise Unsuitable(f"manifold3d refuses a component of {len(own)} faces: {body.status().name}")
        bodies.append(body)
    if not bodies:
        raise Unsuitable("no component has a volume")
    joined = manifold3d.Manifold.batch_boolean(bodies, manifold3d.OpType.Add)
    result = joined.to_mesh()
    vertices, faces = np.asarray(result.vert_properties[:, :3], np.float32), np.asarray(result.tri_verts, np.int32)
    if len(faces) == 0:
        raise Unsuitable("the union is empty")
    # Cavities between the bodies can't be seen; they go like enclosed bodies do.
    label = components(faces)
    return _compact(vertices, faces[(component_volumes(vertices, faces, label) > 0)[label]])


def cap(vertices: Vertices, faces: Faces) -> Surface:
    """Closes every boundary loop with a fan around its centroid, so that winding numbers become whole.

    Expects a vertex to lie on one loop at most, as `curation.clean.split_non_manifold` leaves it.
    """
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    code = edges[:, 0].astype(np.int64) * len(vertices) + edges[:, 1]
    _, first, counts = np.unique(code, return_index=True, return_counts=True)
    rim = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)[first[counts == 1]]
    if not len(rim):
        return vertices, faces
    follow = dict(zip(rim[:, 0].tolist(), rim[:, 1].tolist(), strict=True))
    points, fans = [vertices], [faces]
    total = len(vertices)
    while follow:
        start, _ = next(iter(follow.items()))
        loop = [start]
        while (after := follow.pop(loop[-1], None)) is not None and after != start:
            loop.append(after)
        ring = np.array(loop, np.int32)
        if len(ring) == 3:
            fans.append(ring[None, ::-1])
            continue
        points.append(vertices[ring].astype(np.float64).mean(0, keepdims=True).astype(np.float32))
        fans.append(np.stack([np.roll(ring, -1), ring, np.full(len(ring), total, np.int32)], 1))
        total += 1
    return np.concatenate(points), np.concatenate(fans).astype(np.int32)


def winding(source: Source, config: CurationConfig) -> Surface:
    """Iso-surface of the capped mesh's winding number."""
    vertices, faces = cap(source.vertices, source.faces)
    query = MeshQuery(vertices, faces, config.device, winding=True)
    low, high = vertices.min(0).astype(np.float64), vertices.max(0).astype(np.float64)
    return _simplified(*winding_surface(query, low, high, 2 / config.resolution), config)


def shell(source: Source, config: CurationConfig) -> Surface:
    """A skin around everything that is seen."""
    query = source.query
    low, high = source.vertices.min(0).astype(np.float64), source.vertices.max(0).astype(np.float64)
    spacing = 2 / config.resolution
    vertices, faces = shell_surface(query, low, high, spacing, config.shell_half_thickness * spacing)
    return _simplified(vertices, faces, config)


def _simplified(vertices: Vertices, faces: Faces, config: CurationConfig) -> Surface:
    """Outer components only, simplified within the configured share of a voxel."""
    if len(faces) == 0:
        raise Unsuitable("the iso-surface is empty")
    if config.simplify > 0:
        body = manifold3d.Manifold(manifold3d.Mesh(vertices, faces.astype(np.uint32)))
        if body.status() == manifold3d.Error.NoError:
            mesh = body.simplify(config.simplify * 2 / config.resolution).to_mesh()
            vertices, faces = np.asarray(mesh.vert_properties[:, :3], np.float32), np.asarray(mesh.tri_verts, np.int32)
    return _compact(vertices, faces)


def _compact(vertices: Vertices, faces: Faces) -> Surface:
    used, local = np.unique(faces, return_inverse=True)
    return np.ascontiguousarray(vertices[used], np.float32), local.reshape(-1, 3).astype(np.int32)


METHODS: dict[str, Callable[[Source, CurationConfig], Surface]] = {
    "as_is": as_is,
    "union": union,
    "capped_union": capped_union,
    "winding": winding,
    "shell": shell,
}


def gate(source: Source, surface: Surface, method: str, config: CurationConfig) -> dict[str, Any]:
    """Measurements of a candidate surface against the visible source surface.

    Raises:
        Unsuitable: it is not closed, manifold, consistently wound and of positive volume, or a limit is passed.
    """
    vertices, faces = surface
    if len(faces) == 0:
        raise Unsuitable("the result is empty")
    facts = topology(faces)
    if not facts.watertight:
        raise Unsuitable(
            f"the result has {facts.boundary} boundary, {facts.non_manifold} non-manifold, {facts.inconsistent} unlike edges"
        )
    amount = volume(vertices, faces)
    if not amount > 1e-9:
        raise Unsuitable(f"the result's volume is {amount:.3g}")
    metrics: dict[str, Any] = {
        "faces": len(faces),
        "components": int(components(faces).max()) + 1,
        "volume": amount,
        "chamfer": 0.0,
        "uncovered": 0.0,
        "invented": 0.0,
        "blocked": 0.0,
        "normal_consistency": 1.0,
    }
    if method == "as_is":
        return metrics
    voxel = 2 / config.resolution
    query = MeshQuery(vertices, faces, config.device, winding=method == "union")
    if method == "union":
        # Whole bodies hide nothing but what they enclose; that is cheaper to ask than whether rays escape.
        seen, normals = source.samples
        shown = query.signed_distance(seen) > -1e-4
        seen, normals = seen[shown], normals[shown]
    else:
        seen, normals = source.visible
    distance, near, _ = query.closest(seen)
    consistency = np.abs(np.einsum("ij,ij->i", face_normals(vertices, faces)[near], normals))
    points, _, _ = sample_surface(vertices, faces, GATE_SAMPLES, source.rng)
    back, _, _ = source.query.closest(points)
    near_enough = back <= 3 * voxel
    metrics["uncovered"] = float((distance > 2 * voxel).mean())
    metrics["invented"] = float(1 - near_enough.mean())
    # Caps are counted as invented area, not as distance.
    metrics["chamfer"] = (
        float((distance.mean() + back[near_enough].mean()) / 2) if near_enough.any() else float(distance.mean())
    )
    metrics["normal_consistency"] = float(consistency.mean())
    if method in ("capped_union", "winding"):  # the two that may put a lid on something
        metrics["blocked"] = _blocked(source, query, voxel)
    for name, value, limit, worse in (
        ("blocked", metrics["blocked"], config.max_blocked, 1),
        ("chamfer", metrics["chamfer"] / voxel, config.max_chamfer, 1),
        ("uncovered", metrics["uncovered"], config.max_uncovered, 1),
        ("invented", metrics["invented"], config.max_invented, 1),
        ("normal_consistency", metrics["normal_consistency"], config.min_normal_consistency, -1),
    ):
        if worse * (value - limit) > 0:
            raise Unsuitable(f"{name} {value:.4g} is beyond {limit:.4g}")
    return metrics


def _blocked(source: Source, result: MeshQuery, voxel: float) -> float:
    """Share of the lines of sight to the source, from outside to either of its sides, that the result is in the way of.

    A lid over a cup hides its inside: views would show one surface and fields describe another.
    """
    points, normals = source.samples
    points, normals = points[:1024], normals[:1024]
    outer = source.query
    free = hidden = 0
    for sign in (1.0, -1.0):
        toward = sign * hemisphere(normals, 8)
        start = points[:, None] + sign * 1e-4 * normals[:, None] + 0 * toward
        open_to_sky = outer.ray_cast(start.reshape(-1, 3), toward.reshape(-1, 3)).faces < 0
        rays = toward.reshape(-1, 3)[open_to_sky]
        if len(rays):
            # The result may lie a little off the source; only what is farther off than that blocks.
            hits = result.ray_cast(start.reshape(-1, 3)[open_to_sky] + 3 * voxel * rays, rays)
            free, hidden = free + len(rays), hidden + int((hits.faces >= 0).sum())
    return hidden / max(free, 1)
