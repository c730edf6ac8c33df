"""One sentence and a few tags about an object, from its plan and what became of it."""

from collections import Counter
from typing import Any

from zeroverse.draws import Plan

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def caption(plan: Plan, outcome: dict[str, Any]) -> str:
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


def tags(plan: Plan, outcome: dict[str, Any]) -> tuple[str, ...]:
    """Kinds of primitives, texture families, and what was done: sorted."""
    found = {p["kind"] for p in plan["primitives"]} | set(_families(plan)) | {plan["composition"]}
    if any(p["heights"] for p in plan["primitives"]):
        found.add("displaced")
    if outcome["boolean"] and outcome["boolean"]["kind"]:
        found.add("boolean")
    if outcome["wireframe"]:
        found.add("wireframe")
    return tuple(sorted(found))


def _families(plan: Plan) -> list[str]:
    records = [m["texture"] for p in plan["primitives"] for m in p["materials"]]
    return sorted({t["family"] for t in records if t and "family" in t})


def _some(noun: str, count: int) -> str:
    if count == 1:
        return f"a {noun}"
    return f"{NUMBERS[count] if count < len(NUMBERS) else count} {noun}s".replace("toruss", "tori")


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
