"""The gate: train a set budget on a dataset, judge on held-out assets, say in one sentence whether it taught anything."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from versemill.reconstruction import presets
from versemill.reconstruction.config import ValidateConfig
from versemill.reconstruction.evaluation import evaluate, held_out
from versemill.reconstruction.methods import HULL, MEAN, MODEL, NEAREST, UNTRAINED
from versemill.reconstruction.training import Progress, train

JUDGED = ("val", "test")
"""The splits that the model has not seen."""


@dataclass(frozen=True)
class Verdict:
    """Passed or not, why in one sentence, and the figures: `training` and `evaluation` as JSON-able dictionaries."""

    passed: bool
    sentence: str
    metrics: dict[str, Any] = field(default_factory=dict)


def validate(dataset_dir: str | Path, config: ValidateConfig, out: str | Path, progress: Progress | None = None) -> Verdict:
    """Trains `config.preset` on the train split and judges on val and test; goes on where `out` was left.

    It passes if and only if the model's PSNR beats the mean image's, and its own before training (or the credit is its
    design's, not the data's): with 20 objects or more, the paired 95 % intervals of both gains must lie above 0; with
    fewer, the mean gains must.

    Raises:
        ConfigError: the dataset has no training or no held-out assets, or its views don't suit the preset.
        DivergenceError: training failed.
    """
    held_out(dataset_dir, JUDGED, presets.get(config.preset).size, config.views)  # before minutes of training, not after
    training = train(dataset_dir, config.preset, out, config.seed, config.device, progress)
    result = evaluate(out, dataset_dir, JUDGED, config.views, config.device, config.objects, full=False)
    gain, low, high = result.gains[MEAN]
    judged = (result.gains[MEAN], result.gains[UNTRAINED])
    passed = all((mean if lower is None else lower) > 0 for mean, lower, _ in judged)
    ours, others = result.summary[MODEL]["psnr"], {m: result.summary[m]["psnr"] for m in (UNTRAINED, MEAN, NEAREST, HULL)}
    bounds = f", interval {low:+.2f} to {high:+.2f}" if low is not None and high is not None else ""
    sentence = (
        f"{'passed' if passed else 'failed'}: preset {config.preset} reaches {ours:.2f} dB on {len(result.objects)} held-out "
        f"assets, {gain:+.2f} dB against the mean image{bounds} "
        f"({', '.join(f'{name} {value:.2f}' for name, value in others.items())})"
    )
    return Verdict(passed, sentence, {"training": training, "evaluation": asdict(result)})
