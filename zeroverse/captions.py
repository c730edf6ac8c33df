"""One sentence and a few tags about an asset, from its plan and what became of it."""

from collections import Counter
from typing import Any

from versemill.zeroverse.draws import Plan

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def object_caption(plan: Plan, outcome: dict[str, Any]) -> str:
    """For example: "A composition of two cubes and a torus in brick and wood, with a sphere cut out of it."."""
    kinds = Counter(p["kind"] for p in plan["primitives"])
    things = _list([_some(kind, n) for kind, n in sorted(kinds.items())])
    alone = sum(kinds.values()) == 1
    text = f"{things[0].upper()}{things[1:]}" if alone else f"A composition of {things}"
    families = _families(plan)
    if families:
        text += f" in {_list([f.replace('_', ' ') for f in families])}" if len(families) <= 3 else " in many materials"
    extras = []
    if outcome["boolean"] and outcome["boolean"]["kind"]:
        extras.append(f"{_some(outcome['boolean']['kind'], 1)} cut out of it")
    if outcome["wireframe"]:
        extras.append(f"{_some(outcome['wireframe']['kind'], 1)} of wire added")
    if extras:
        text += f", with {_list(extras)}"
    return text + "."


def object_tags(plan: Plan, outcome: dict[str, Any]) -> tuple[str, ...]:
    """Kinds of primitives, texture families, and what was done: sorted."""
    words = {p["kind"] for p in plan["primitives"]} | set(_families(plan)) | {plan["composition"]}
    if any(p["heights"] for p in plan["primitives"]):
        words.add("displaced")
    if outcome["boolean"] and outcome["boolean"]["kind"]:
        words.add("boolean")
    if outcome["wireframe"]:
        words.add("wireframe")
    return tuple(sorted(words))


def room_caption(plan: Plan, outcome: dict[str, Any]) -> str:
    """For example: "A room with five large, six small and two hanging objects, and a window, without ceiling and front."."""
    sorts = _sorts(plan, outcome)
    things = {name: n for name, n in sorts.items() if name not in ("frame", "window", "rod")}
    text = "An empty room"
    if things:
        text = f"A room with {_list([f'{_number(n)} {name}' for name, n in things.items()])} objects"
    extras = [_some(name, sorts[name]) for name in ("frame", "window") if name in sorts]
    if extras:
        text += f", and {_list(extras)}" if things else f" with {_list(extras)}"
    if plan["room"]["open"]:
        text += f", without {_list(plan['room']['open'])}"
    return text + "."


def room_tags(plan: Plan, outcome: dict[str, Any]) -> tuple[str, ...]:
    """The sorts of things in the room, the sides that it lacks, and how it was composed: sorted."""
    lights = {light["kind"] for light in plan["room"]["lights"] if light["kind"] != "area"}
    missing = {f"open_{side}" for side in plan["room"]["open"]}
    return tuple(sorted({"room", plan["composition"], *_sorts(plan, outcome), *lights, *missing}))


def _sorts(plan: Plan, outcome: dict[str, Any]) -> dict[str, int]:
    """Sort -> how many are in the room; the window and rods too."""
    room = plan["room"]
    names = [name for name, place in outcome["boxes"].items() if place is not None]
    names += [f["name"] for f in room["fittings"] if f["kind"] == "cylinder"]
    counts = Counter(name.split()[0] if " rod " not in name else "rod" for name in names if name not in outcome["left_out"])
    if room["window"] and room["window"]["side"] not in room["open"]:
        counts["window"] = 1
    return dict(counts)


def _families(plan: Plan) -> list[str]:
    records = [m["texture"] for p in plan["primitives"] for m in p["materials"]]
    return sorted({t["family"] for t in records if t and "family" in t})


def _some(noun: str, count: int) -> str:
    if count == 1:
        return f"a {noun}"
    return f"{_number(count)} {noun}s".replace("toruss", "tori")


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
