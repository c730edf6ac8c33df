"""The gate: train a set budget on a dataset, judge on held-out assets, say in one sentence whether it taught anything."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from versemill.config import Config
from versemill.training.evaluation import Evaluation, evaluate, held_out
from versemill.training.family import MODEL, Family, Progress
from versemill.training.loop import train
from versemill.training.recipe import Recipe

JUDGED = ("val", "test")
"""The splits that the network has not seen."""


@dataclass(frozen=True)
class Verdict:
    """Passed or not, why in one sentence, and the figures: `training` and `evaluation` as JSON-able dictionaries."""

    passed: bool
    sentence: str
    metrics: dict[str, Any] = field(default_factory=dict)


def validate(
    family: Family, dataset_dir: str | Path, out: str | Path, preset: str | Recipe | None = None, seed: int = 0,
    judging: Config | None = None, objects: int | None = None, device: str = "auto", progress: Progress | None = None,
) -> Verdict:  # fmt: skip
    """Trains a preset on the train split and judges it on val and test; resumes what is in `out`.

    It passes if and only if the model beats each method of `family.gate` in the family's first metric: with 20 objects or
    more, the paired 95 % intervals of all gains must lie above 0; with fewer, the mean gains must.

    Raises:
        ConfigError: the dataset has no training or no held-out assets, or does not suit the preset.
        DivergenceError: training failed.
    """
    recipe = family.preset(preset)
    held_out(family, dataset_dir, JUDGED, recipe, judging or family.judging())  # before minutes of training, not after
    training = train(family, dataset_dir, recipe, out, seed, device, progress)
    result = evaluate(family, out, dataset_dir, JUDGED, judging, device, objects, full=False)
    passed = all((mean if low is None else low) > 0 for mean, low, _ in (result.gains[name] for name in family.gate))
    return Verdict(passed, _sentence(family, result, passed), {"training": training, "evaluation": asdict(result)})


def _sentence(family: Family, result: Evaluation, passed: bool) -> str:
    metric, rival = family.metric, family.gate[0]
    unit = f" {metric.unit}" if metric.unit else ""
    gain, low, high = result.gains[rival]
    bounds = f", interval {metric.text(low, True)} to {metric.text(high, True)}" if low is not None and high is not None else ""
    values = {name: means[metric.key] for name, means in result.summary.items() if metric.key in means}
    others = ", ".join(f"{name} {metric.text(value)}" for name, value in values.items() if name != MODEL)
    ours = f"{metric.text(values[MODEL])} {metric.unit or metric.name}"
    return (
        f"{'passed' if passed else 'failed'}: preset {result.preset} reaches {ours} on {len(result.objects)} held-out assets, "
        f"{metric.text(gain, True)}{unit} against the {rival}{bounds} ({others})"
    )
