"""Builds the room of a plan: walls with a window, boxes full of primitives, frames, rods, lamps. Nothing is drawn here.

A plan's positions are in the room's frame (x, y from its middle, z from its floor), an asset's are normalised:
room position = asset.center + asset.scale * vertex.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from versemill.asset import Asset
from versemill.zeroverse import captions, primitives, solids
from versemill.zeroverse.compose import fill
from versemill.zeroverse.config import SIDES
from versemill.zeroverse.draws import Plan
from versemill.zeroverse.finish import Label, digest, finish
from versemill.zeroverse.primitives import SURFACES
from versemill.zeroverse.shape import Float64, Shape, join, quaternion_matrix
from versemill.zeroverse.wireframe import struts

GAP = 0.1
"""Least distance between two boxes along some axis."""
ROUND_STEP = 0.25
"""Edge length of rods and bulbs, in the room's unit."""


@dataclass
class _Scene:
    """What has been built so far, in the asset's frame: closed bodies, and what their surfaces are."""

    center: Float64
    scale: float
    tile: float
    bodies: list[Shape] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def inside(self, point: Any) -> Float64:
        """(3,) a point of the room, in the asset's frame."""
        return (np.asarray(point) - self.center) / self.scale

    def solid(self, kind: Any, center: Any, axes: Any, quaternion: Any) -> Shape:
        """A primitive of one surface, numbered as the next; its places and lengths are the room's."""
        scaled = [float(x) / self.scale for x in axes]
        made = primitives.primitive(kind, scaled, primitives.resolution(kind, scaled, ROUND_STEP / self.scale, displaced=False))
        shape = made.shape(made.vertices, self.tile).moved(quaternion_matrix(quaternion), self.inside(center))
        return _one_surface(shape, len(self.labels))

    def block(self, low: Float64, high: Float64) -> Shape:
        """An axis-aligned box; its surfaces are numbered like a cube's, from the next on."""
        axes = (high - low) / (2 * self.scale)
        made = primitives.primitive("cube", axes.tolist(), (2, 2, 2))
        return made.shape(made.vertices, self.tile, len(self.labels)).moved(np.eye(3), self.inside((low + high) / 2))

    def add(self, shape: Shape, *labels: Label) -> None:
        self.bodies.append(shape)
        self.labels += labels


def build(plan: Plan) -> Asset:
    """The room that a plan describes: the same plan gives the same asset.

    Raises:
        AssetError: "not_manifold", "union_failed" or "difference_failed" when manifold3d refuses; "texture_changed" for
            a texture folder that changed.
    """
    room = plan["room"]
    size, wall = np.asarray(room["size"]), room["wall"]
    scene = _Scene(center=np.array([0.0, 0.0, size[2] / 2]), scale=float(size.max()) / 2 + wall, tile=plan["tile"])
    _shell(scene, room)
    placed, contents = _boxes(scene, plan)
    for thing in (*room["fittings"], *_lamps(room)):
        if thing["side"] not in room["open"]:
            shape = scene.solid(thing["kind"], thing["center"], thing["axes"], thing["quaternion"])
            scene.add(shape, Label(thing["name"], thing["name"], thing["material"]))
    everything = [*room["boxes"], *room["fittings"], *_lamps(room)]
    outcome = {
        "base_sha256": digest(contents),
        "boxes": placed,
        "left_out": [thing["name"] for thing in everything if thing["side"] in room["open"]],
    }
    bodies = scene.bodies
    if plan["composition"] == "solid":
        bodies = [solids.shape(solids.union([solids.solid(body) for body in bodies]))]
    whole, labels = _used(join(bodies), scene.labels)
    words = captions.room_caption(plan, outcome), captions.room_tags(plan, outcome)
    return finish(plan, whole, labels, outcome, scene.center, scene.scale, *words)


def _shell(scene: _Scene, room: dict[str, Any]) -> None:
    """Floor, ceiling and walls as one closed body: a block less the room, less the open sides, less the window."""
    half, wall = np.asarray(room["size"]) / 2, room["wall"]
    middle = np.array([0.0, 0.0, half[2]])
    low, high = middle - half, middle + half
    outside = len(SIDES)
    shell = solids.solid(_one_surface(scene.block(low - wall, high + wall), outside))
    for side in room["open"]:
        axis, negative = divmod(SIDES.index(side), 2)
        (low if negative else high)[axis] += (-2 if negative else 2) * wall
    shell = solids.checked(shell - solids.solid(scene.block(low, high)), "difference_failed")
    window = room["window"]
    if window and window["side"] not in room["open"]:
        hole = _one_surface(scene.block(np.asarray(window["low"]), np.asarray(window["high"])), outside)
        shell = solids.checked(shell - solids.solid(hole), "difference_failed")
    labels = [Label(f"room {name}", f"room {name}", room["sides"][name]) for name in (*SIDES, "outside")]
    scene.add(solids.shape(shell), *labels)


def _boxes(scene: _Scene, plan: Plan) -> tuple[dict[str, int | None], list[Shape]]:
    """Fills the boxes that find a free place; returns which place each took (None: none was free), and their contents.

    What hangs on an open side takes its place, so that the others keep theirs, and is then left out.
    """
    room = plan["room"]
    area = sum(_area(box) for box in room["boxes"])
    placed: dict[str, int | None] = {}
    taken: list[tuple[Float64, Float64]] = []
    contents: list[Shape] = []
    for box in room["boxes"]:
        half = np.asarray(box["size"]) / 2
        corners = [(np.asarray(place) - half, np.asarray(place) + half) for place in box["places"]]
        free = (k for k, (low, high) in enumerate(corners) if all(_apart(low, high, *other) for other in taken))
        placed[box["name"]] = chosen = next(free, None)
        if chosen is None:
            continue
        taken.append(corners[chosen])
        low, high = (scene.inside(corner) for corner in corners[chosen])
        bodies = _contents(scene, plan, box, low, high, round(plan["triangles"] * _area(box) / area))
        contents += bodies
        if box["side"] not in room["open"]:
            scene.bodies += bodies
    return placed, contents


def _contents(scene: _Scene, plan: Plan, box: dict[str, Any], low: Float64, high: Float64, triangles: int) -> list[Shape]:
    """A box's composition, and the struts of a frame; their surfaces get their labels."""
    bodies, name = [], box["name"]
    if box["primitives"]:
        bodies = fill(box["primitives"], triangles, scene.tile, low, high, len(scene.labels))
        scene.labels += [
            Label(name, f"{name} {p['kind']} {k + 1} {surface}", material)
            for k, p in enumerate(box["primitives"])
            for surface, material in zip(SURFACES[p["kind"]], p["materials"], strict=True)
        ]
    if frame := box["frame"]:
        radius = float((high - low).min()) / 2
        thickness = min(frame["thickness"] / scene.scale, radius / 3)
        wire = struts(frame["kind"], 1.0, thickness / radius, frame["subdivision"], scene.tile / radius, len(scene.labels))
        ratio = (high - low) / np.ptp(wire.vertices, axis=0)
        middle = (wire.vertices.max(0) + wire.vertices.min(0)) / 2
        bodies.append(replace(wire, vertices=(wire.vertices - middle) * ratio + (low + high) / 2))
        scene.labels.append(Label(name, f"{name} struts", frame["material"]))
    return bodies


def _one_surface(shape: Shape, surface: int) -> Shape:
    return replace(shape, surfaces=np.full_like(shape.surfaces, surface))


def _area(box: dict[str, Any]) -> float:
    """Half the surface of a box that is filled; its share of the room's triangles."""
    x, y, z = box["size"]
    return x * y + y * z + z * x if box["primitives"] else 0.0


def _apart(low: Float64, high: Float64, other_low: Float64, other_high: Float64) -> bool:
    return bool(((low >= other_high + GAP) | (other_low >= high + GAP)).any())


def _lamps(room: dict[str, Any]) -> list[dict[str, Any]]:
    """What is seen of the lights: a panel for an area light, a ball for a bulb."""
    looks = {"area": ("cube", "ceiling"), "bulb": ("sphere", None)}
    return [
        {
            "name": light["name"],
            "kind": looks[light["kind"]][0],
            "side": looks[light["kind"]][1],
            "center": light["center"],
            "axes": [x / 2 for x in light["size"]],
            "quaternion": [1.0, 0.0, 0.0, 0.0],
            "material": {"color": light["color"], "offset": [0.0, 0.0], "texture": None},
        }
        for light in room["lights"]
        if light["kind"] in looks
    ]


def _used(whole: Shape, labels: list[Label]) -> tuple[Shape, list[Label]]:
    """Without the labels of what was left out or has no surface."""
    kept, surfaces = np.unique(whole.surfaces, return_inverse=True)
    return replace(whole, surfaces=surfaces), [labels[k] for k in kept]
