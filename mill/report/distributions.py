"""What was drawn against what was configured, and histograms of what came out."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import chdtrc

BINS = 24
GROUPS = {
    "": "the assets",
    "features": "what curation measured",
    "watertight": "the watertight surface",
    "repairs": "repairs",
}
"""Group of a metric -> its heading; others follow under their own name."""

Row = Mapping[str, Any]
Tally = Mapping[str, float]


def against(name: str, configured: Tally, drawn: Tally, what: str, note: str = "") -> dict[str, Any] | None:
    """One comparison: shares by configuration, shares by count, and how likely a deviation this large is by chance.

    Args:
        configured: label -> weight; drawn: label -> count. what: the thing counted ("assets", "primitives").

    Returns:
        {"name", "what", "note", "total", "rows": [{"label", "configured", "drawn", "count"}], "chi2", "df", "p"};
        `p` is Pearson's chi-square test, None where an expected count is under 5; None where nothing was drawn.
    """
    total, weight = sum(drawn.values()), sum(configured.values())
    if not total or not weight:
        return None
    labels = [label for label in configured if configured[label] > 0 or drawn.get(label)]
    labels += sorted(label for label in drawn if label not in configured)
    share = np.array([configured.get(label, 0) / weight for label in labels])
    count = np.array([drawn.get(label, 0) for label in labels], float)
    expected = share * total
    likely = expected > 0
    chi2 = float(((count - expected)[likely] ** 2 / expected[likely]).sum()) if not count[~likely].any() else float("inf")
    df = int(likely.sum()) - 1
    told = df > 0 and expected[likely].min() >= 5
    rows: list[dict[str, Any]] = [
        {"label": label.replace("_", " "), "configured": float(s), "drawn": float(c / total), "count": int(c)}
        for label, s, c in zip(labels, share, count, strict=True)
    ]
    p = float(chdtrc(df, chi2)) if told else None
    largest = max(max(row["configured"], row["drawn"]) for row in rows)
    facts = {"name": name, "what": what, "note": note, "total": int(total)}
    return {**facts, "rows": rows, "most": largest, "chi2": chi2, "df": df, "p": p}


def comparisons(config: Mapping[str, Any], tried: Tally, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every share of the configuration beside what the dataset holds.

    Args:
        config: the resolved configuration. tried: source entry -> assets, whatever became of them.
        rows: with `meta.split`, `meta.source` and `meta.provenance`.
    """
    entries = config["sources"]
    shares = {name: entry["share"] for name, entry in entries.items()}
    splits = Counter(row["meta"]["split"] for row in rows)
    sequence = "a quasi-random sequence keeps the mix within a few assets of its shares, closer than chance would"
    found = [
        {**mix, "p": None} if (mix := against("sources", shares, tried, "assets tried", sequence)) else None,
        against("split", dict(zip(("train", "val", "test"), config["shards"]["splits"], strict=True)), splits, "assets kept"),
    ]
    for name, entry in entries.items():
        alone = sum(other["source"] == entry["source"] for other in entries.values()) == 1
        if entry["source"] in DRAWS and alone:
            plans = [json.loads(row["meta"]["provenance"]) for row in rows if row["meta"]["source"] == entry["source"]]
            found += [each and {**each, "name": f"{name}: {each['name']}"} for each in DRAWS[entry["source"]](entry, plans)]
    return [each for each in found if each]


def _zeroverse(entry: Mapping[str, Any], records: Sequence[Row]) -> Iterable[dict[str, Any] | None]:
    plans = [record["plan"] for record in records if "primitives" in record["plan"]]  # rooms have ranges, not shares
    primitives = [primitive for plan in plans for primitive in plan["primitives"]]
    yield against("primitives in an asset", {str(k + 1): w for k, w in enumerate(entry["count_weights"])},
                  Counter(str(len(plan["primitives"])) for plan in plans), "assets kept")  # fmt: skip
    yield against("type of primitive", entry["primitives"], Counter(p["kind"] for p in primitives), "primitives")
    boolean, wireframe = entry["boolean"], entry["wireframe"]
    if entry["disjoint"]:
        words = Counter("boolean" if plan["boolean"] else "wireframe" if plan["wireframe"] else "neither" for plan in plans)
        shares = {"boolean": boolean, "wireframe": wireframe, "neither": max(1 - boolean - wireframe, 0.0)}
        yield against("augmentation", shares, words, "assets kept")
    else:
        for word, share in (("boolean", boolean), ("wireframe", wireframe)):
            yield against(word, {"yes": share, "no": 1 - share}, Counter("yes" if plan[word] else "no" for plan in plans),
                          "assets kept")  # fmt: skip
    if entry["texture_per"] == "surface":  # then a primitive has as many materials as surfaces
        able = [primitive for primitive in primitives if primitive["kind"] != "torus"]
        displaced, surfaces = (sum(len(primitive[key]) for primitive in able) for key in ("heights", "materials"))
        yield against("height field", {"displaced": entry["height_field"], "smooth": 1 - entry["height_field"]},
                      {"displaced": displaced, "smooth": surfaces - displaced}, "surfaces")  # fmt: skip
    cutters = Counter(attempt["kind"] for plan in plans if plan["boolean"] for attempt in plan["boolean"]["attempts"])
    yield against("cutter of a boolean", entry["cutters"], cutters, "attempts")
    yield against(
        "type of wireframe", entry["wires"], Counter(p["wireframe"]["kind"] for p in plans if p["wireframe"]), "assets kept"
    )


def _detailverse(entry: Mapping[str, Any], records: Sequence[Row]) -> Iterable[dict[str, Any] | None]:
    from versemill.detailverse import registry

    shares = entry["categories"] or dict.fromkeys(registry.families(), 1.0)
    yield against("family", shares, Counter(record["specification"]["category"] for record in records), "assets kept")
    if "wild" in entry:  # A recipe that names no substance was drawn from all textures and colours.
        drawn = Counter(
            "any" if any("material" not in recipe for recipe in record["specification"]["materials"].values()) else "its own"
            for record in records
        )
        yield against("colours and patterns", {"its own": 1 - entry["wild"], "any": entry["wild"]}, drawn, "assets kept")


DRAWS: dict[str, Callable[[Mapping[str, Any], Sequence[Row]], Iterable[dict[str, Any] | None]]] = {
    "zeroverse": _zeroverse,
    "detailverse": _detailverse,
}
"""Source -> its comparisons, from its part of the configuration and the histories of its rows."""


def histograms(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Bars of the numbers that at least half of the rows have and that vary, by source, in groups.

    Returns:
        [{"title", "histograms": [{"name", "bars": [{"count", "stack": [(source position, from, to) in 0..1]}], "low",
        "high", "median"}]}]; sources are numbered in the order of `sources`.
    """
    names = sources(rows)
    place = {name: k for k, name in enumerate(names)}
    groups: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in rows:
        for group, name, value in _numbers(row):
            groups.setdefault(group, {}).setdefault(name, []).append((place[row["meta"]["source"]], value))
    result = []
    for group in sorted(groups, key=lambda g: list(GROUPS).index(g) if g in GROUPS else len(GROUPS)):
        shown = [
            _histogram(name, pairs, len(names))
            for name, pairs in groups[group].items()
            if len(pairs) >= max(2, len(rows) / 2) and _varies([value for _, value in pairs])
        ]
        if shown:
            result.append({"title": GROUPS.get(group, group.replace("_", " ")), "histograms": shown})
    return result


def sources(rows: Sequence[Row]) -> list[str]:
    """The sources of the rows, sorted: their position is their colour."""
    return sorted({row["meta"]["source"] for row in rows})


def _numbers(row: Row) -> Iterable[tuple[str, str, float]]:
    """(group, name, value) of every number of a row."""
    metrics = json.loads(row["meta"]["metrics"])
    own = {"triangles": row["mesh"]["face_count"], "depth to surface": row["meta"]["depth_to_surface"]}
    loose = {name: value for name, value in metrics.items() if not isinstance(value, dict | list)}
    for name, value in {"score": loose.pop("score", None), **own, **loose}.items():
        if _is_number(value):
            yield "", name.replace("_", " "), float(value)
    for group, values in metrics.items():
        for name, value in values.items() if isinstance(values, dict) else ():
            if _is_number(value):
                yield group, name.replace("_", " "), float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _varies(values: Sequence[float]) -> bool:
    """Whether the values differ by more than rounding."""
    return max(values) - min(values) > 1e-9 * max(abs(max(values)), abs(min(values)))


def _histogram(name: str, pairs: Sequence[tuple[int, float]], sources: int) -> dict[str, Any]:
    owner = np.array([pair[0] for pair in pairs])
    values = np.array([pair[1] for pair in pairs])
    edges = np.histogram_bin_edges(values, BINS)
    stacked = np.cumsum([np.histogram(values[owner == k], edges)[0] for k in range(sources)], 0)
    most = int(stacked[-1].max())
    bars = []
    for b in range(BINS):
        tops = [0, *(int(stacked[k, b]) for k in range(sources))]
        stack = [(k, tops[k] / most, tops[k + 1] / most) for k in range(sources) if tops[k + 1] > tops[k]]
        bars.append({"count": tops[-1], "low": _short(edges[b]), "high": _short(edges[b + 1]), "stack": stack})
    return {"name": name, "bars": bars, "low": _short(edges[0]), "high": _short(edges[-1]), "median": _short(np.median(values))}


def _short(value: Any) -> str:
    number = float(value)
    if number == round(number) and abs(number) < 1e7:
        return f"{number:,.0f}"
    return f"{number:,.0f}" if 1e4 <= abs(number) < 1e7 else f"{number:.3g}"
