"""What a source draws by shares of its configuration, read back from the provenance of its assets; the report compares them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]
Tally = Mapping[str, float]


class Shares(NamedTuple):
    """One draw.

    Attributes:
        name: what is drawn, as a heading.
        configured: label -> weight, of any sum.
        drawn: label -> how often it was drawn.
        what: the thing counted: "assets kept", "primitives".
        stratified: drawn by a low-discrepancy sequence, closer to the weights than chance would be.
    """

    name: str
    configured: Tally
    drawn: Tally
    what: str
    stratified: bool = False


def zeroverse(entry: Mapping[str, Any], records: Sequence[Row]) -> Iterable[Shares]:
    """Numbers and types of primitives, augmentations, height fields, cutters, wireframes."""
    plans = [record["plan"] for record in records if "primitives" in record["plan"]]  # rooms have ranges, not shares
    primitives = [primitive for plan in plans for primitive in plan["primitives"]]
    yield Shares("primitives in an asset", {str(k + 1): w for k, w in enumerate(entry["count_weights"])},
                  Counter(str(len(plan["primitives"])) for plan in plans), "assets kept")  # fmt: skip
    yield Shares("type of primitive", entry["primitives"], Counter(p["kind"] for p in primitives), "primitives")
    boolean, wireframe = entry["boolean"], entry["wireframe"]
    if entry["disjoint"]:
        words = Counter("boolean" if plan["boolean"] else "wireframe" if plan["wireframe"] else "neither" for plan in plans)
        weights = {"boolean": boolean, "wireframe": wireframe, "neither": max(1 - boolean - wireframe, 0.0)}
        yield Shares("augmentation", weights, words, "assets kept")
    else:
        for word, share in (("boolean", boolean), ("wireframe", wireframe)):
            yield Shares(word, {"yes": share, "no": 1 - share}, Counter("yes" if plan[word] else "no" for plan in plans),
                          "assets kept")  # fmt: skip
    if entry["texture_per"] == "surface":  # then a primitive has as many materials as surfaces
        able = [primitive for primitive in primitives if primitive["kind"] != "torus"]
        displaced, surfaces = (sum(len(primitive[key]) for primitive in able) for key in ("heights", "materials"))
        yield Shares("height field", {"displaced": entry["height_field"], "smooth": 1 - entry["height_field"]},
                      {"displaced": displaced, "smooth": surfaces - displaced}, "surfaces")  # fmt: skip
    cutters = Counter(attempt["kind"] for plan in plans if plan["boolean"] for attempt in plan["boolean"]["attempts"])
    yield Shares("cutter of a boolean", entry["cutters"], cutters, "attempts")
    yield Shares(
        "type of wireframe", entry["wires"], Counter(p["wireframe"]["kind"] for p in plans if p["wireframe"]), "assets kept"
    )


def detailverse(entry: Mapping[str, Any], records: Sequence[Row]) -> Iterable[Shares]:
    """Families, and assets in any colours and patterns."""
    from versemill.detailverse import registry

    categories = entry["categories"] or dict.fromkeys(registry.families(), 1.0)
    families = Counter(record["specification"]["category"] for record in records)
    yield Shares("family", categories, families, "assets kept", stratified=True)
    if "wild" in entry:  # A recipe that names no substance was drawn from all textures and colours.
        materials = [record["specification"]["materials"].values() for record in records]
        drawn = Counter("any" if any("material" not in recipe for recipe in each) else "its own" for each in materials)
        yield Shares("colours and patterns", {"its own": 1 - entry["wild"], "any": entry["wild"]}, drawn, "assets kept")
