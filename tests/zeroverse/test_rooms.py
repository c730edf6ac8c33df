"""Rooms: closed, non-overlapping, reproducible, remade from their record, paired between arms, open where said."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from versemill import mesh, zeroverse
from versemill.config import digest
from versemill.queries import MeshQuery
from versemill.zeroverse import ZeroverseConfig, generate, rebuild
from versemill.zeroverse.config import SIDES
from versemill.zeroverse.shape import quaternion_matrix

SMALL = {"textures": "none", "triangles": 8000}
RAW = ZeroverseConfig(preset="rooms", **SMALL)
SOLID = ZeroverseConfig(preset="rooms", composition="solid", **SMALL)
CLOSED = ZeroverseConfig(preset="rooms-closed", **SMALL)


def interior(room):
    """Its two corners in the asset's frame."""
    size = np.array(room.provenance["plan"]["room"]["size"])
    return [(corner - np.array(room.center)) / room.scale for corner in (size * (-0.5, -0.5, 0), size * (0.5, 0.5, 1))]


@pytest.mark.parametrize("config", [RAW, SOLID, CLOSED], ids=["raw", "solid", "closed"])
def test_rooms_are_sound_and_remade_from_their_record(config):
    for index in range(4):
        room = generate(config, 1, index)
        room.check()
        assert mesh.topology(room.faces).watertight, index
        assert mesh.volume(room.vertices, room.faces) > 0
        assert np.ptp(room.vertices, axis=0).max() == pytest.approx(2, abs=2e-6)
        assert set(np.unique(room.material_ids)) == set(range(len(room.materials)))
        assert set(np.unique(room.part_ids)) == set(range(len(room.part_names)))
        assert len({m.name for m in room.materials}) == len(room.materials)
        outcome = room.provenance["outcome"]
        assert outcome["genus"] >= 0
        again = rebuild(json.loads(json.dumps(room.provenance)))
        assert again.content_hash == room.content_hash
        assert again.provenance == room.provenance
        assert (again.caption, again.tags) == (room.caption, room.tags)


@pytest.mark.parametrize("opened", [(), ("ceiling",), ("front",), SIDES[:-1]])
def test_sides_are_there_unless_open(opened):
    """Oracle: a ray from the room's middle to each side; contents are left out, so that nothing else is in its way."""
    nothing = {"chance": 0}
    bare = {"boxes": {}, **dict.fromkeys(("frames", "wall_rods", "space_rods", "plates", "window", "lamps", "bulbs"), nothing)}
    room = generate(ZeroverseConfig(preset="rooms", room={**bare, "open": opened}, **SMALL), 0, 0)
    outcome = room.provenance["outcome"]
    assert (outcome["components"], outcome["genus"]) == (1 if opened else 2, 0)
    low, high = interior(room)
    directions = [np.eye(3)[k // 2] * (1 - 2 * (k % 2)) for k in range(6)]
    hits = MeshQuery(room.vertices, room.faces).ray_cast(np.tile((low + high) / 2, (6, 1)), directions)
    for k, side in enumerate(SIDES):
        if side in opened:
            assert hits.faces[k] < 0
            continue
        assert room.part_names[room.part_ids[hits.faces[k]]] == f"room {side}"
        assert hits.distances[k] == pytest.approx((high - low)[k // 2] / 2, rel=1e-5)
    assert room.caption.startswith("An empty room")


def test_boxes_keep_apart_and_within_the_room():
    for index in range(5):
        room = generate(CLOSED, 2, index)
        low, high = interior(room)
        wall = CLOSED.room.wall / room.scale
        boxes = room.provenance["plan"]["room"]["boxes"]
        placed = room.provenance["outcome"]["boxes"]
        assert len(placed) == len(boxes)
        bounds = []
        for name, place in placed.items():
            if place is not None:
                points = room.vertices[np.unique(room.faces[room.part_ids == room.part_names.index(name)])]
                bounds.append((points.min(0), points.max(0)))
                assert (points.min(0) > low - wall).all()
                assert (points.max(0) < high + wall).all()
                size = next(box["size"] for box in boxes if box["name"] == name)
                assert np.allclose(np.ptp(points, axis=0) * room.scale, size, rtol=1e-4)
        for k, (a, b) in enumerate(bounds):
            for c, d in bounds[:k]:
                assert ((a > d) | (c > b)).any()
        assert sum(place is not None for place in placed.values()) >= 0.7 * len(placed)


def test_opening_a_side_moves_nothing():
    """rooms and rooms-closed are arms: what both hold is the same to the byte, textures included."""
    for index in range(4):
        opened, closed = (
            generate(ZeroverseConfig(preset=name, triangles=8000, texture_size=16), 3, index)
            for name in ("rooms", "rooms-closed")
        )
        assert (opened.center, opened.scale) == (closed.center, closed.scale)
        assert opened.provenance["outcome"]["base_sha256"] == closed.provenance["outcome"]["base_sha256"]
        shared = [name for name in opened.part_names if not name.startswith("room ")]
        gone = set(closed.part_names) - set(opened.part_names) - {"room ceiling", "room front"}
        assert gone <= set(opened.provenance["outcome"]["left_out"])
        assert len(shared) > 5
        for name in shared:
            a, b = (r.vertices[r.faces[r.part_ids == r.part_names.index(name)]] for r in (opened, closed))
            assert np.array_equal(a, b)
            a, b = (r.materials[r.material_ids[r.part_ids == r.part_names.index(name)][0]] for r in (opened, closed))
            assert a.name == b.name
            assert a.content_hash == b.content_hash


def test_a_category_that_is_left_out_moves_no_draw_of_the_others():
    plan = zeroverse.draw(RAW, 4, 0)["room"]
    boxes = {name: group for name, group in RAW.room.boxes.items() if name != "small"}
    fewer = RAW.room.model_copy(update={"boxes": boxes, "bulbs": RAW.room.lamps})
    other = zeroverse.draw(RAW.model_copy(update={"room": fewer}), 4, 0)["room"]
    assert [box for box in plan["boxes"] if "small" not in box["name"]] == other["boxes"]
    assert plan["fittings"] == other["fittings"]
    assert plan["sides"] == other["sides"]


def test_what_is_in_a_room_follows_its_configuration():
    plans = [zeroverse.draw(RAW, 5, index)["room"] for index in range(60)]
    sizes = np.array([plan["size"] for plan in plans])
    assert (sizes >= (17, 17, 10)).all()
    assert (sizes <= (30, 30, 15)).all()
    for name, group in RAW.room.boxes.items():
        counts = [sum(box["name"].startswith(name) for box in plan["boxes"]) for plan in plans]
        assert (min(counts), max(counts)) == group.count
        assert all(box["primitives"] for plan in plans for box in plan["boxes"] if box["name"].startswith(name))
    many = {len(box["primitives"]) for plan in plans for box in plan["boxes"] if box["name"].startswith("large")}
    assert many == {4, 5, 6, 7, 8}
    for share, number in (
        (0.8, sum(plan["window"] is not None for plan in plans)),
        (0.8, sum(any(box["frame"] for box in plan["boxes"]) for plan in plans)),
        (0.1, sum(any(light["kind"] == "bulb" for light in plan["lights"]) for plan in plans)),
        (0.5, sum(any("gloss" in m and "alpha" not in m for m in materials(plan)) for plan in plans)),
    ):
        assert abs(number / 60 - share) < 4 * np.sqrt(share * (1 - share) / 60)
    for plan in plans:
        rods = [fitting for fitting in plan["fittings"] if "wall rod" in fitting["name"]]
        assert 5 <= len(rods) <= 16
        assert len({rod["side"] for rod in rods}) == 1
        for fitting in plan["fittings"]:
            reach = np.abs(quaternion_matrix(fitting["quaternion"])) @ np.array(fitting["axes"])
            assert (np.abs(fitting["center"])[:2] + reach[:2] <= np.array(plan["size"][:2]) / 2 + 1).all()


def materials(plan):
    yield from plan["sides"].values()
    for box in plan["boxes"]:
        for p in box["primitives"]:
            yield from p["materials"]


def test_a_part_shares_one_texture_and_glass_is_clear():
    room = generate(ZeroverseConfig(preset="rooms", triangles=8000, texture_size=16), 0, 1)
    for part, name in enumerate(room.part_names):
        if name.startswith(("large", "small")):
            worn = [room.materials[k] for k in np.unique(room.material_ids[room.part_ids == part])]
            assert len({m.base_color_texture.tobytes() for m in worn}) == 1
            assert len({m.base_color for m in worn}) == len(worn)
    clear = [m for m in room.materials if m.alpha_mode == "blend"]
    assert all(m.base_color[3] < 0.5 and m.base_color_texture is None for m in clear)


def golden_room(index):
    """A room in figures: draws must match to the bit everywhere, geometry within a tolerance."""
    room = generate((RAW, SOLID)[index % 2], 7, index)
    area = mesh.face_areas(room.vertices, room.faces).sum()
    volume = mesh.volume(room.vertices, room.faces)
    plan = digest(room.provenance["plan"])
    return {"plan": plan, "triangles": len(room.faces), "volume": round(volume, 6), "area": round(float(area), 6)}


def test_golden_rooms():
    golden = json.loads((Path(__file__).parent / "golden_rooms.json").read_text())
    assert len(golden) == 4
    for index, expected in enumerate(golden):
        made = golden_room(index)
        assert made["plan"] == expected["plan"], index
        for name in ("triangles", "volume", "area"):
            assert made[name] == pytest.approx(expected[name], rel=0.01), name


def test_rooms_are_the_same_in_another_process():
    code = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("rooms", {__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(*[module.generate(module.SOLID, 7, index).content_hash for index in (1, 0)])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split()[::-1] == [generate(SOLID, 7, index).content_hash for index in (0, 1)]


def test_rooms_merge_with_their_preset_and_refuse():
    changed = ZeroverseConfig(preset="rooms-closed", room={"wall": 1.0})
    assert (changed.room.open, changed.room.wall) == ((), 1.0)
    assert ZeroverseConfig.model_validate(changed.model_dump()) == changed
    for wrong in (
        {"boolean": 0.5},
        {"room": {"open": ["roof"]}},
        {"room": {"open": SIDES}},
        {"room": {"size": (30, 17)}},
        {"room": {"size": (1, 2)}},
        {"room": {"bulbs": {"count": (3, 1)}}},
        {"room": {"boxes": {"large": {"primitives": (0, 0)}}}},
        {"room": {"doors": 1}},
    ):
        with pytest.raises(ValidationError):
            ZeroverseConfig(**{"preset": "rooms", **wrong})


def test_the_docs_place_cameras_and_lamps_inside():
    page = (Path(__file__).parents[2] / "docs" / "zeroverse.md").read_text()
    code = next(block.split("```")[0] for block in page.split("```python\n") if "def cameras_inside" in block)
    names = {}
    exec(code.split("room = zeroverse.generate")[0], names)
    room = generate(CLOSED, 0, 1)
    low, high = interior(room)
    cameras = names["cameras_inside"](room, 3, side=32)
    assert len(cameras) == 3
    centers = np.array([camera.center for camera in cameras])
    assert ((centers > low) & (centers < high)).all()
    assert (MeshQuery(room.vertices, room.faces).closest(centers)[0] > 0.15).all()
    lamps = names["lamps"](room)
    assert len(lamps.rectangles) == 2
    for lamp in lamps.rectangles:
        assert np.cross(lamp.x, lamp.y)[2] < 0
        assert low[2] < lamp.center[2] < high[2]
        downwards = MeshQuery(room.vertices, room.faces).ray_cast([lamp.center], [(0, 0, 1)])
        assert room.part_names[room.part_ids[downwards.faces[0]]].startswith("lamp")
