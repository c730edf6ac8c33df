"""What was drawn against what was configured, and histograms of what came out."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import chdtrc

from versemill.errors import ConfigError
from versemill.mill.pipeline.shares import Tally
from versemill.mill.pipeline.sources import SOURCES
from versemill.seeds import SPLITS

BINS = 24
GROUPS = {
    "": "the assets",
    "features": "what curation measured",
    "watertight": "the watertight surface",
    "repairs": "repairs",
    "views": "the worst view of each asset",
}
"""Group of a metric -> its heading; others follow under their own name."""

STRATIFIED = "a low-discrepancy sequence keeps the counts within a few of their shares, closer than chance would"
"""Note on stratified draws, of which a test against chance says nothing."""

Row = Mapping[str, Any]


def against(name: str, configured: Tally, drawn: Tally, what: str, stratified: bool = False) -> dict[str, Any] | None:
    """One comparison: shares by configuration, shares by count, and how likely a deviation this large is by chance.

    Args:
        configured: label -> weight; drawn: label -> count. what: the thing counted ("assets", "primitives").
        stratified: drawn by a low-discrepancy sequence, and therefore not tested.

    Returns:
        {"name", "what", "note", "total", "rows": [{"label", "configured", "drawn", "count"}], "chi2", "df", "p"};
        `p` is Pearson's chi-square test, None where an expected count is under 5 or the draw is stratified; None where
        nothing was drawn.
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
    testable = df > 0 and expected[likely].min() >= 5 and not stratified
    rows: list[dict[str, Any]] = [
        {"label": label.replace("_", " "), "configured": float(s), "drawn": float(c / total), "count": int(c)}
        for label, s, c in zip(labels, share, count, strict=True)
    ]
    p = float(chdtrc(df, chi2)) if testable else None
    largest = max(max(row["configured"], row["drawn"]) for row in rows)
    facts = {"name": name, "what": what, "note": STRATIFIED if stratified else "", "total": int(total)}
    return {**facts, "rows": rows, "most": largest, "chi2": chi2, "df": df, "p": p}


def comparisons(config: Mapping[str, Any], tried: Tally, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every share of the configuration, compared with the dataset.

    Args:
        config: the resolved configuration. tried: source entry -> assets, whatever became of them.
        rows: with `meta.split`, `meta.source` and `meta.provenance`.
    """
    entries = config["sources"]
    shares = {name: entry["share"] for name, entry in entries.items()}
    splits = Counter(row["meta"]["split"] for row in rows)
    configured_splits = dict(zip(SPLITS, config["shards"]["splits"], strict=True))
    compared = [
        against("sources", shares, tried, "assets tried", stratified=True),
        against("split", configured_splits, splits, "assets kept", stratified=True),
    ]
    for name, entry in entries.items():
        alone = sum(other["source"] == entry["source"] for other in entries.values()) == 1
        configured = _shares(entry["source"])
        if configured and alone:
            drawn = [json.loads(row["meta"]["provenance"]) for row in rows if row["meta"]["source"] == entry["source"]]
            compared += [
                against(f"{name}: {each.name}", each.configured, each.drawn, each.what, each.stratified)
                for each in configured(entry, drawn)
            ]
    return [each for each in compared if each]


def _shares(source: str) -> Any:
    try:
        return SOURCES.find(source).shares
    except ConfigError:  # the package of a plug-in is not installed here; the rest of the page needs no source
        return None


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
    exposure = json.loads(row["views"]["info"]).get("exposure") if row.get("views") else None
    if exposure:
        for name in ("white", "black"):
            yield "views", f"share that is {name}", max(exposure[name])


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
