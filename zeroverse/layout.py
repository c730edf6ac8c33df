"""Draws a room's plan: every random value, as JSON. The plan alone decides the asset (see rooms.py).

Each thing has streams of its own, named after its sort and number, so that taking one sort out, or opening a side,
moves nothing else. Positions are in the room's frame: x and y from its middle, z from its floor.
"""

import math
from typing import Any

import numpy as np

from versemill import seeds
from versemill.zeroverse.config import SIDES, Boxes, Frames, Group, Rods, RoomConfig, Side, ZeroverseConfig
from versemill.zeroverse.draws import Plan, between, choose, head, material, pick_kind, primitive, rotation

SINK = 0.04
"""Share of its size by which a thing is let into what it is fixed to: nothing hovers, no two faces coincide."""
ATTEMPTS = 24
"""Places drawn for every box; the first that is free is taken."""
WALLS: tuple[Side, ...] = ("right", "left", "back", "front")
GLASS_ALPHA = 0.25

Record = dict[str, Any]


def draw(config: ZeroverseConfig, seed: int, index: int) -> Plan:
    """Every value of room `index` of dataset `seed`, JSON-able."""
    return _Draw(config, seed, index).plan()


class _Draw:
    """One room's draws: configuration and key, the room's measures, and which surfaces shine."""

    def __init__(self, config: ZeroverseConfig, seed: int, index: int) -> None:
        assert config.room is not None
        self.config, self.seed, self.index = config, seed, index
        self.room: RoomConfig = config.room
        rng = self.stream("size")
        width, depth = between(rng.random(2), self.room.size)
        self.size = np.array([width, depth, between(rng.random(), self.room.height)])
        rng = self.stream("gloss")
        shiny, specular = rng.random(2)
        self.shiny = bool(shiny < self.room.gloss.chance)
        self.specular = bool(specular < self.room.gloss.specular)

    def stream(self, name: str) -> np.random.Generator:
        return seeds.stream(self.seed, self.index, f"zeroverse/room/{name}")

    def plan(self) -> Plan:
        room = self.room
        boxes = [box for name, group in room.boxes.items() for box in self.boxes(name, group)]
        window = self.window()
        return {
            **head(self.config, self.seed, self.index),
            "room": {
                "size": self.size.tolist(),
                "wall": room.wall,
                "open": list(room.open),
                "sides": {name: self.material(f"side {name}") for name in (*SIDES, "outside")},
                "boxes": boxes + self.boxes("frame", room.frames),
                "window": window and {name: window[name] for name in ("side", "low", "high")},
                "fittings": [*self.wall_rods(), *self.space_rods(), *self.plates(), *(window or {}).get("fittings", [])],
                "lights": self.lights(window),
            },
        }

    def count(self, name: str, group: Group) -> int:
        present, many = self.stream(f"{name}/count").random(2)
        low, high = group.count
        return low + int(many * (high - low + 1)) if present < group.chance else 0

    def material(self, owner: str, part: str | None = None) -> Record:
        return self.glossed(material(self.config, self.seed, self.index, owner, 0, part), f"{owner}/0")

    def glossed(self, record: Record, surface: str) -> Record:
        """The material, with constant roughness and metallic where this surface shines."""
        chosen, rough, metal = self.stream(f"gloss/{surface}").random(3)
        if not self.shiny or chosen >= self.room.gloss.surfaces:
            return record
        # MegaSynth's ranges, and those of its mirrors.
        ranges = ((0.0, 0.05), (0.6, 1.0)) if self.specular else ((0.001, 0.2), (0.001, 1.0))
        gloss = {"roughness": float(between(rough, ranges[0])), "metallic": float(between(metal, ranges[1]))}
        return {**record, "gloss": gloss}

    def glass(self, record: Record) -> Record:
        return {**record, "texture": None, "gloss": {"roughness": 0.05, "metallic": 0.0}, "alpha": GLASS_ALPHA}

    def composition(self, name: str, weights: tuple[float, ...]) -> list[Record]:
        """The primitives of a box."""
        many = 1 + choose(self.stream(f"{name}/primitives").random(), weights)
        drawn = [primitive(self.config, self.seed, self.index, f"{name}/{k}", part=name) for k in range(many)]
        for k, p in enumerate(drawn):
            p["materials"] = [self.glossed(m, f"{name}/{k}/{s}") for s, m in enumerate(p["materials"])]
        return drawn

    def boxes(self, sort: str, group: Boxes) -> list[Record]:
        """Boxes with the places where each may be; frames are boxes with struts."""
        return [self.box(f"{sort} {k + 1}", group) for k in range(self.count(sort, group))]

    def box(self, name: str, group: Boxes) -> Record:
        rng = self.stream(name)
        size = np.minimum(between(rng.random(3), group.size), 0.9 * self.size)
        side = WALLS[int(rng.random() * 4)] if group.place == "wall" else group.place
        record: Record = {
            "name": name,
            "side": side,
            "size": size.tolist(),
            "places": [self.place(u, size, side).tolist() for u in rng.random((ATTEMPTS, 3))],
        }
        if not isinstance(group, Frames):
            return {**record, "frame": None, "primitives": self.composition(name, group.primitives)}
        filled, thickness, split, smooth = rng.random(4)
        frame = {
            "kind": pick_kind(rng.random(), self.config.wires),
            "thickness": float(between(thickness, group.thickness)),
            "subdivision": "none" if split < 0.5 else "smooth" if smooth < 0.5 else "simple",
            "material": self.material(f"{name} struts"),
        }
        return {
            **record,
            "frame": frame,
            "primitives": self.composition(name, group.primitives) if filled < group.filled else [],
        }

    def place(self, u: np.ndarray, size: np.ndarray, side: Side | None) -> np.ndarray:
        """A centre (3,) for something of this size: within the room, let into the side that it is fixed to."""
        low, high = np.array([-0.5, -0.5, 0.0]) * self.size + size / 2, np.array([0.5, 0.5, 1.0]) * self.size - size / 2
        center = between(u, (np.minimum(low, high), np.maximum(low, high)))
        if side is not None:
            axis, negative = divmod(SIDES.index(side), 2)
            center[axis] = (low - SINK * size)[axis] if negative else (high + SINK * size)[axis]
        return center

    def rod(self, name: str, part: str, center: np.ndarray, axes: list[float], turn: list[float], side: Side | None) -> Record:
        return {
            "name": name,
            "kind": "cylinder",
            "center": center.tolist(),
            "axes": axes,
            "quaternion": turn,
            "side": side,
            "material": self.material(name, part),
        }

    def wall_rods(self) -> list[Record]:
        """Rods on one wall: standing out from it, or lying on it across or upright."""
        group = self.room.wall_rods
        side = WALLS[int(self.stream("wall rods").random() * 4)]
        rods = []
        for k in range(self.count("wall rods", group)):
            rng = self.stream(f"wall rod {k + 1}")
            axis = int(rng.random() * 3)
            length, radius = self.measures(rng, group, float(self.size[axis]))
            size = np.full(3, 2 * radius)
            size[axis] = length
            center = self.place(rng.random(3), size, side)
            turn = (_ALONG_X, _ALONG_Y, _ALONG_Z)[axis]
            rods.append(self.rod(f"wall rod {k + 1}", "wall rods", center, [radius, radius, length / 2], turn, side))
        return rods

    def space_rods(self) -> list[Record]:
        """Rods in the air, in any direction."""
        group = self.room.space_rods
        rods = []
        for k in range(self.count("space rods", group)):
            rng = self.stream(f"space rod {k + 1}")
            length, radius = self.measures(rng, group, float(self.size.min()))
            turn = rotation(rng)
            w, x, y, z = turn
            along = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
            center = self.place(rng.random(3), np.abs(along) * length + 2 * radius, None)
            rods.append(self.rod(f"space rod {k + 1}", "space rods", center, [radius, radius, length / 2], turn, None))
        return rods

    def measures(self, rng: np.random.Generator, group: Rods, room: float) -> tuple[float, float]:
        """Length and radius of a rod: a length that leaves space at its ends."""
        length, radius = rng.random(2)
        return min(float(between(length, group.length)), 0.8 * room), float(between(radius, group.radius))

    def plates(self) -> list[Record]:
        group = self.room.plates
        plates = []
        for k in range(self.count("plates", group)):
            name = f"plate {k + 1}"
            rng = self.stream(name)
            size = np.minimum(between(rng.random(3), group.size), 0.8 * self.size)
            size[int(rng.random() * 3)] = between(rng.random(), group.thickness)
            clear = rng.random() < group.glass
            plates.append(self.block(name, self.place(rng.random(3), size, None), size, None, clear))
        return plates

    def block(self, name: str, center: np.ndarray, size: np.ndarray, side: Side | None, glass: bool, part: str = "") -> Record:
        made = self.material(name, part or None)
        return {
            "name": name,
            "kind": "cube",
            "center": center.tolist(),
            "axes": (size / 2).tolist(),
            "quaternion": _ALONG_Z,
            "side": side,
            "material": self.glass(made) if glass else made,
        }

    def window(self) -> Record | None:
        """The hole's corners `low` and `high`, beyond the wall on either side, and what is in it."""
        group = self.room.window
        rng = self.stream("window")
        present, chosen, pane, bars, sun, many, wide, high, *spot = rng.random(11)
        if present >= group.chance:
            return None
        side = WALLS[int(chosen * 4)]
        axis, negative = divmod(SIDES.index(side), 2)
        wall, across = self.room.wall, 1 - axis
        hole = np.empty(3)
        hole[axis], hole[across], hole[2] = wall, between(wide, group.size), between(high, group.size)
        hole[[across, 2]] = np.minimum(hole[[across, 2]], 0.6 * self.size[[across, 2]])
        center = self.place(np.array(spot), hole + 1.0, None)
        center[axis] = (-1 if negative else 1) * (self.size[axis] + wall) / 2
        beyond = hole / 2
        fittings: list[Record] = []
        if pane < group.glass:
            size = hole + 0.2
            size[axis] = wall / 4
            fittings.append(self.block("window pane", center, size, side, glass=True))
        if bars < group.fence:
            count = 3 + int(many * 5)
            for k in range(count):
                size = np.full(3, 0.15)
                size[2] = hole[2] + 0.2
                at = center.copy()
                at[across] += ((k + 0.5) / count - 0.5) * hole[across]
                fittings.append(self.block(f"window bar {k + 1}", at, size, side, glass=False, part="window fence"))
            size = np.full(3, 0.12)
            size[across] = hole[across] + 0.2
            fittings.append(self.block("window rail", center, size, side, glass=False, part="window fence"))
        beyond[axis] += wall / 4
        return {
            "side": side,
            "low": (center - beyond).tolist(),
            "high": (center + beyond).tolist(),
            "fittings": fittings,
            "sun": bool(sun < group.sun),
        }

    def lights(self, window: Record | None) -> list[Record]:
        """Area lights at the ceiling, bulbs in the air, the sun through the window."""
        lights: list[Record] = []
        for k in range(self.count("lamps", self.room.lamps)):
            rng = self.stream(f"lamp {k + 1}")
            size = np.r_[between(rng.random(2), (1.5, 4.0)), 0.2]
            center = self.place(rng.random(3), size, "ceiling")
            lights.append({"name": f"lamp {k + 1}", "kind": "area", "center": center.tolist(), "size": size.tolist(),
                           "color": [1.0, 1.0, 1.0]})  # fmt: skip
        for k in range(self.count("bulbs", self.room.bulbs)):
            rng = self.stream(f"bulb {k + 1}")
            size = np.full(3, 0.6)
            center, color = self.place(rng.random(3), size, None), between(rng.random(3), (0.2, 1.0))
            lights.append({"name": f"bulb {k + 1}", "kind": "bulb", "center": center.tolist(), "size": size.tolist(),
                           "color": color.tolist()})  # fmt: skip
        if window and window["sun"]:
            rng = self.stream("sun")
            inward = -_outward(window["side"])
            slant, drop, strength = rng.random(3)
            direction = inward + np.array([inward[1], inward[0], 0]) * (slant - 0.5) - np.array([0, 0, 0.3 + drop])
            direction /= math.hypot(*direction)  # not numpy's, which rounds differently from machine to machine
            lights.append({"name": "sun", "kind": "sun", "direction": direction.tolist(),
                           "strength": float(between(strength, (0.2, 2.0)))})  # fmt: skip
        return lights


_HALF = 0.5**0.5
_ALONG_X, _ALONG_Y, _ALONG_Z = [_HALF, 0.0, _HALF, 0.0], [_HALF, -_HALF, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]
"""Rotations (w, x, y, z) of the z axis onto x, y and itself."""


def _outward(side: Side) -> np.ndarray:
    """(3,) unit normal of a side, away from the room."""
    axis, low = divmod(SIDES.index(side), 2)
    normal = np.zeros(3)
    normal[axis] = -1 if low else 1
    return normal
