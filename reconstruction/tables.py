"""An evaluation as a page of Markdown: every method in every metric, the model's gains, and the objects one by one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from versemill.reconstruction.methods import METRICS
from versemill.reconstruction.metrics import MIN_OBJECTS

if TYPE_CHECKING:
    from versemill.reconstruction.evaluation import Evaluation

SHOWN = {
    "psnr": ("PSNR", "{:.2f}"),
    "ssim": ("SSIM", "{:.3f}"),
    "lpips": ("LPIPS", "{:.3f}"),
    "mask_iou": ("mask IoU", "{:.3f}"),
    "depth_error": ("depth error", "{:.3f}"),
    "normal_error": ("normal error", "{:.1f}°"),
}
"""Metric -> its heading and format."""


def markdown(evaluation: "Evaluation") -> str:
    """The page; intervals where there are `MIN_OBJECTS` objects or more, each object's PSNR where there are fewer."""
    count = len(evaluation.objects)
    metrics = [name for name in METRICS if any(name in means for means in evaluation.summary.values())]
    bounds = ["95 % of PSNR"] if evaluation.intervals else []
    lines = [f"# {evaluation.source}", ""]
    lines += [f"{count} objects, {evaluation.views} input views, {evaluation.size}² pixels. Means over objects.", ""]
    lines += _head(["", *(SHOWN[name][0] for name in metrics), *bounds, "the model's gain"])
    for method, means in evaluation.summary.items():
        cells = [SHOWN[name][1].format(means[name]) if name in means else "" for name in metrics]
        cells += ["{:.2f} to {:.2f}".format(*evaluation.intervals[method])] if bounds else []
        lines.append(_row([method, *cells, _gain(evaluation.gains, method)]))
    if count < MIN_OBJECTS:
        methods = list(evaluation.summary)
        lines += ["", f"PSNR by object (no intervals: they need {MIN_OBJECTS} objects):", "", *_head(["", *methods])]
        for item in evaluation.objects:
            lines.append(_row([str(item["name"]), *(f"{item[method]['psnr']:.2f}" for method in methods)]))
    for note in evaluation.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def _gain(gains: Mapping[str, tuple[float, float | None, float | None]], method: str) -> str:
    if method not in gains:
        return ""
    mean, low, high = gains[method]
    return f"{mean:+.2f}" + ("" if low is None else f" ({low:+.2f} to {high:+.2f})")


def _head(names: list[str]) -> list[str]:
    return [_row(names), "|" + "---|" * len(names)]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
