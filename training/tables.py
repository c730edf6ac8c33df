"""An evaluation as a page of Markdown: every method in every metric, the model's gains, and the objects one by one."""

from collections.abc import Mapping, Sequence
from typing import Any

from versemill.markdown import table
from versemill.training.family import Metric
from versemill.training.statistics import MIN_OBJECTS

Gain = tuple[float, float | None, float | None]
"""A mean gain over objects and its 95 % interval, None where there are too few objects."""


def markdown(
    title: str, about: str, metrics: Sequence[Metric], objects: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Mapping[str, float]], intervals: Mapping[str, tuple[float, float]],
    gains: Mapping[str, Mapping[str, Gain]], notes: Sequence[str],
) -> str:  # fmt: skip
    """The page; intervals where there are `MIN_OBJECTS` objects or more, each object's score where there are fewer.

    Args:
        about: what the figures are of, a line. metrics: those that are shown; the first is the one of `intervals`.
        objects, summary, intervals, notes: as in `evaluation.Evaluation`. gains: its `all_gains`.
    """
    first = metrics[0]
    bounds = [f"95 % of {first.name}"] if intervals else []
    lines = [f"# {title}", "", f"{about} Means over objects.", ""]
    rows = []
    for method, means in summary.items():
        cells = [m.text(means[m.key]) if m.key in means else "" for m in metrics]
        cells += [" to ".join(first.text(value) for value in intervals[method])] if bounds else []
        rows.append([method, *cells, _gain(first, gains.get(method, {}).get(first.key))])
    lines.append(table(["", *(heading(m) for m in metrics), *bounds, "the model's gain"], rows))
    if len(objects) >= MIN_OBJECTS and len(metrics) > 1:
        lines += ["", "The model's gain in every metric, with 95 % intervals:", ""]
        rows = [[method, *(_gain(m, own.get(m.key)) for m in metrics)] for method, own in gains.items()]
        lines.append(table(["over", *(heading(m) for m in metrics)], rows))
    if len(objects) < MIN_OBJECTS:
        lines += ["", f"{first.name} by object (no intervals: they need {MIN_OBJECTS} objects):", ""]
        values = ((item["name"], [item[method].get(first.key) for method in summary]) for item in objects)
        rows = [[name, *("" if v is None else first.text(v) for v in row)] for name, row in values]
        lines.append(table(["", *summary], rows))
    for note in notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def heading(metric: Metric) -> str:
    """A column's heading: the metric's name, and its unit where it has one."""
    return f"{metric.name} ({metric.unit})" if metric.unit else metric.name


def _gain(metric: Metric, gain: Gain | None) -> str:
    if gain is None:
        return ""
    mean, low, high = gain
    interval = "" if low is None or high is None else f" ({metric.text(low, True)} to {metric.text(high, True)})"
    return metric.text(mean, True) + interval
