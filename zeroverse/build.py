"""Builds the asset of a plan: compose, displace, cut, wire, texture. Nothing is drawn here."""

import hashlib
import importlib.metadata
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from manifold3d import Manifold

import versemill
from versemill import mesh
from versemill.asset import Asset
from versemill.errors import AssetError
from zeroverse import captions, primitives, solids, surfaces
from zeroverse.draws import VERSION, Plan
from zeroverse.primitives import SURFACES, Primitive
from zeroverse.shape import Float64, Shape, euler_matrix, join, quaternion_matrix, winding_numbers
from zeroverse.wireframe import augment_axes, struts

AUGMENT_STEP = 0.07
"""Edge length of a cutter's grid; a cutter is small and its surface stays visible."""
CRUMB = 1e-3
"""Share of the object's volume below which a piece that a cut leaves loose is swept away."""
MANIFOLD3D = importlib.metadata.version("manifold3d")
CLEAR = 1e-3
"""How far off a point of the surface must be outside every solid to count as visible."""


def build(plan: Plan) -> Asset:
    """The asset that a plan describes: the same plan gives the same asset.

    Raises:
        AssetError: "plan_version" for a plan of another version; "not_manifold", "union_failed" or
            "difference_failed" when manifold3d refuses; "texture_changed" for a texture folder that changed.
    """
    if plan["version"] != VERSION:
        raise AssetError("plan_version", f"this is a plan of version {plan['version']}; this Zeroverse builds {VERSION}")
    base, scale, center = compose(plan)
    scene = _Scene(bodies=base, composition=plan["composition"], tile=plan["tile"])
    if scene.composition == "solid":
        scene.bodies = [solids.shape(solids.union([solids.solid(body) for body in base]))]
    labels = [
        (f"{p['kind']} {k + 1}", f"{p['kind']} {k + 1} {name}", material)
        for k, p in enumerate(plan["primitives"])
        for name, material in zip(SURFACES[p["kind"]], p["materials"], strict=True)
    ]
    outcome: dict[str, Any] = {"boolean": None, "wireframe": None}
    if plan["boolean"]:
        outcome["boolean"] = cut = _cut(scene, plan["boolean"], len(labels), plan["min_removed"], plan["max_removed"])
        if cut["kind"]:
            labels.append((f"{cut['kind']} cut", f"{cut['kind']} cut", plan["boolean"]["material"]))
    if plan["wireframe"]:
        outcome["wireframe"] = _wire(scene, plan["wireframe"], len(labels))
        kind = plan["wireframe"]["kind"]
        labels.append((f"{kind} wireframe", f"{kind} wireframe", plan["wireframe"]["material"]))
    return _asset(plan, join(scene.bodies), labels, outcome, _digest(join(base)), center, scale)


def compose(plan: Plan) -> tuple[list[Shape], float, Float64]:
    """The displaced primitives, each closed, together centred with longest side 2, before any augmentation.

    Returns:
        shapes, and the scale and centre that lead back: composition position = center + scale * vertex.
    """
    drawn = plan["primitives"]
    cells = _resolutions(drawn, plan["triangles"])
    made: list[Primitive] = []
    local: list[Float64] = []
    for p, n in zip(drawn, cells, strict=True):
        made.append(primitives.primitive(p["kind"], p["axes"], n))
        heights = {h["surface"]: (h["amplitude"], np.asarray(h["grid"])) for h in p["heights"]}
        local.append(made[-1].displaced(heights))
    poses = _poses(drawn, plan["placement"])
    posed = [v @ rotation.T + offset for v, (rotation, offset) in zip(local, poses, strict=True)]
    low, high = (np.stack([bound(v, axis=0) for v in posed]) for bound in (np.min, np.max))
    low, high = low.min(0), high.max(0)
    scale, center = float((high - low).max()) / 2, (low + high) / 2
    shapes, surface = [], 0
    for p, primitive, vertices in zip(drawn, made, posed, strict=True):
        normalized = ((vertices - center) / scale).astype(np.float32).astype(np.float64)
        shapes.append(primitive.shape(normalized, plan["tile"] * scale, surface))
        surface += len(SURFACES[p["kind"]])
    return shapes, scale, center


def _resolutions(drawn: list[dict[str, Any]], triangles: int) -> list[tuple[int, ...]]:
    """Grid cells of each primitive, with the shortest common edge length that keeps to the budget of triangles."""

    def at(step: float) -> list[tuple[int, ...]]:
        return [primitives.resolution(p["kind"], p["axes"], step, bool(p["heights"])) for p in drawn]

    low, high = 1e-3, 10.0
    for _ in range(16):
        step = (low * high) ** 0.5
        total = sum(primitives.triangle_count(p["kind"], n) for p, n in zip(drawn, at(step), strict=True))
        low, high = (low, step) if total <= triangles else (step, high)
    return at(high)


def _poses(drawn: list[dict[str, Any]], placement: str) -> list[tuple[Float64, Float64]]:
    """Rotation (3, 3) and position (3,) of each primitive in the composition."""
    if placement == "cube":
        return [(quaternion_matrix(p["quaternion"]), np.asarray(p["center"])) for p in drawn]
    poses: list[tuple[Float64, Float64]] = []
    for p in drawn:
        turn, shift = euler_matrix(p["grown_euler"]), np.asarray(p["grown_offset"])
        poses = [(turn @ rotation, turn @ offset + shift) for rotation, offset in poses]
        poses.append((euler_matrix(p["euler"]), np.asarray(p["offset"])))
    return poses


@dataclass
class _Scene:
    """What has been built so far: closed bodies, one per primitive in `raw`, a single one in `solid`."""

    bodies: list[Shape]
    composition: str
    tile: float

    def point(self, numbers: list[float]) -> tuple[Float64, bool]:
        """A point of the surface, uniform by area, from three uniform numbers; and whether it is outside all bodies."""
        whole = join(self.bodies)
        cumulative = np.cumsum(mesh.face_areas(whole.vertices, whole.faces))
        face = min(int(np.searchsorted(cumulative, numbers[0] * cumulative[-1], side="right")), len(cumulative) - 1)
        root, v = np.sqrt(numbers[1]), numbers[2]
        corners = whole.vertices[whole.faces[face]]
        spot = np.array([1 - root, root * (1 - v), root * v]) @ corners
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        outside = spot + CLEAR * normal / max(float(np.linalg.norm(normal)), 1e-300)
        return spot, self.composition == "solid" or bool(winding_numbers(outside[None], whole)[0] < 0.5)


def _cut(scene: _Scene, drawn: dict[str, Any], surface: int, least: float, most: float) -> dict[str, Any]:
    """Subtracts the first drawn cutter that sits on the visible surface and removes a fit share of the volume."""
    tried = []
    for attempt in drawn["attempts"]:
        spot, visible = scene.point(attempt["point"])
        if not visible:
            tried.append({"result": "hidden", "removed": 0.0})
            continue
        cutter = _augment(attempt["kind"], attempt["size"], scene.tile, surface).moved(
            quaternion_matrix(attempt["quaternion"]), spot
        )
        bodies, removed, crumbs = _difference(scene.bodies, cutter)
        result = "removed_too_little" if removed < least else "removed_too_much" if removed > most else "cut"
        tried.append({"result": result, "removed": removed})
        if result == "cut":
            scene.bodies = bodies
            return {
                "kind": attempt["kind"],
                "center": spot.tolist(),
                "removed": removed,
                "crumbs": crumbs,
                "attempts": tried,
            }
    return {"kind": None, "center": None, "removed": 0.0, "crumbs": 0, "attempts": tried}


def _difference(bodies: list[Shape], cutter: Shape) -> tuple[list[Shape], float, int]:
    """What is left of each body, the share of all volume that was removed, and how many crumbs were swept away."""
    tool = solids.solid(cutter)
    low, high = cutter.vertices.min(0), cutter.vertices.max(0)
    total = sum(body.volume for body in bodies)
    left: list[Shape] = []
    removed, crumbs = 0.0, 0
    for body in bodies:
        if (body.vertices.min(0) > high).any() or (body.vertices.max(0) < low).any():
            left.append(body)
            continue
        whole = solids.solid(body)
        rest: Manifold = whole - tool
        removed += whole.volume() - rest.volume()
        if rest.is_empty():
            continue
        rest, swept = solids.without_crumbs(solids.checked(rest, "difference_failed"), CRUMB * total)
        crumbs += swept
        left.append(solids.shape(rest))
    return left, removed / total, crumbs


def _augment(kind: Any, size: float, tile: float, surface: int) -> Shape:
    """A cutter at the origin: one surface id for all of it."""
    axes = augment_axes(kind, size)
    made = primitives.primitive(kind, axes, primitives.resolution(kind, axes, AUGMENT_STEP, displaced=False))
    shape = made.shape(made.vertices, tile)
    return replace(shape, surfaces=np.full_like(shape.surfaces, surface))


def _wire(scene: _Scene, drawn: dict[str, Any], surface: int) -> dict[str, Any]:
    """Adds the wireframe at the first drawn point that is visible, or at the last one if none is."""
    tried = []
    for attempt in drawn["attempts"]:
        spot, visible = scene.point(attempt["point"])
        tried.append("placed" if visible else "hidden")
        if visible:
            break
    wire = struts(drawn["kind"], attempt["size"], drawn["thickness"], drawn["subdivision"], scene.tile, surface)
    wire = wire.moved(quaternion_matrix(attempt["quaternion"]), spot)
    if scene.composition == "solid":
        scene.bodies = [solids.shape(solids.union([solids.solid(body) for body in [*scene.bodies, wire]]))]
    else:
        scene.bodies = [*scene.bodies, wire]
    return {"kind": drawn["kind"], "center": spot.tolist(), "attempts": tried}


def _asset(
    plan: Plan,
    whole: Shape,
    labels: list[tuple[str, str, dict[str, Any]]],
    outcome: dict[str, Any],
    base: str,
    center: Float64,
    scale: float,
) -> Asset:
    part_names = list(dict.fromkeys(part for part, _, _ in labels))
    part_of = np.array([part_names.index(part) for part, _, _ in labels])
    built = [surfaces.build(material, name, plan["texture_size"]) for _, name, material in labels]
    offsets = np.array([material["offset"] for _, _, material in labels])
    vertices, shift, grow = _normalized(whole.vertices)
    low, high = vertices.min(0), vertices.max(0)
    components = int(mesh.components(whole.faces).max()) + 1
    made = Asset(
        vertices=vertices,
        faces=whole.faces.astype(np.int32),
        uvs=(whole.uvs[whole.triangles] + offsets[whole.surfaces][:, None]).astype(np.float32),
        material_ids=whole.surfaces.astype(np.int32),
        part_ids=part_of[whole.surfaces].astype(np.int32),
        materials=tuple(material for material, _ in built),
        part_names=tuple(part_names),
        seed=plan["seed"],
        index=plan["index"],
        source="zeroverse",
        caption=captions.caption(plan, outcome),
        tags=captions.tags(plan, outcome),
        center=tuple(float(x) for x in center + scale * shift),  # type: ignore[arg-type]
        scale=scale * grow,
        provenance={
            "generator": "zeroverse",
            "versemill": versemill.__version__,
            "manifold3d": MANIFOLD3D,
            "plan": plan,
            "outcome": {
                **outcome,
                "base_sha256": base,
                "vertices": len(vertices),
                "triangles": len(whole.triangles),
                "components": components,
                # Euler's formula for closed surfaces, where three edges belong to two triangles.
                "genus": components - (len(vertices) - len(whole.triangles) // 2) // 2,
                "volume": whole.volume * grow**-3,
                "size": (high - low).tolist(),
                "materials": [identity for _, identity in built],
            },
        },
    )
    made.check()
    return made


def _normalized(vertices: Float64) -> tuple[np.ndarray, Float64, float]:
    """Vertices centred with longest side 2, the shift and the scale; untouched where an augmentation left them so."""
    low, high = vertices.min(0), vertices.max(0)
    shift, grow = (low + high) / 2, float((high - low).max()) / 2
    if np.abs(shift).max() < 1e-6 and abs(grow - 1) < 1e-6:
        return vertices.astype(np.float32), np.zeros(3), 1.0
    return ((vertices - shift) / grow).astype(np.float32), shift, grow


def _digest(shape: Shape) -> str:
    """SHA-256 of a shape's float32 positions, faces, UVs and surfaces."""
    h = hashlib.sha256()
    for array in (
        shape.vertices.astype(np.float32),
        shape.faces,
        shape.uvs[shape.triangles].astype(np.float32),
        shape.surfaces,
    ):
        h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()
