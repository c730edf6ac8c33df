"""Builds the object of a plan: compose, cut, wire. Nothing is drawn here."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from manifold3d import Manifold

from versemill import mesh
from versemill.asset import Asset
from versemill.zeroverse import captions, primitives, solids
from versemill.zeroverse.compose import compose
from versemill.zeroverse.draws import Plan
from versemill.zeroverse.finish import Label, digest, finish
from versemill.zeroverse.primitives import SURFACES
from versemill.zeroverse.shape import Float64, Shape, join, quaternion_matrix, winding_numbers
from versemill.zeroverse.wireframe import augment_axes, struts

AUGMENT_STEP = 0.07
"""Edge length of a cutter's grid; a cutter is small and its surface stays visible."""
CRUMB = 1e-3
"""Share of the object's volume below which a piece that a cut leaves loose is swept away."""
CLEAR = 1e-3
"""How far off a point of the surface must be outside every solid to count as visible."""


def build(plan: Plan) -> Asset:
    """The object that a plan describes: the same plan gives the same asset.

    Raises:
        AssetError: "not_manifold", "union_failed" or "difference_failed" when manifold3d refuses; "texture_changed" for
            a texture folder that changed.
    """
    base, scale, center = compose(plan)
    scene = _Scene(bodies=base, composition=plan["composition"], tile=plan["tile"])
    if scene.composition == "solid":
        scene.bodies = [solids.shape(solids.union([solids.solid(body) for body in base]))]
    labels = [
        Label(f"{p['kind']} {k + 1}", f"{p['kind']} {k + 1} {name}", material)
        for k, p in enumerate(plan["primitives"])
        for name, material in zip(SURFACES[p["kind"]], p["materials"], strict=True)
    ]
    outcome: dict[str, Any] = {"boolean": None, "wireframe": None}
    if plan["boolean"]:
        outcome["boolean"] = cut = _cut(scene, plan["boolean"], len(labels), plan["min_removed"], plan["max_removed"])
        if cut["kind"]:
            labels.append(Label(f"{cut['kind']} cut", f"{cut['kind']} cut", plan["boolean"]["material"]))
    if plan["wireframe"]:
        outcome["wireframe"] = _wire(scene, plan["wireframe"], len(labels))
        kind = plan["wireframe"]["kind"]
        labels.append(Label(f"{kind} wireframe", f"{kind} wireframe", plan["wireframe"]["material"]))
    outcome["base_sha256"] = digest(base)
    words = captions.object_caption(plan, outcome), captions.object_tags(plan, outcome)
    return finish(plan, join(scene.bodies), labels, outcome, center, scale, *words)


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
