"""The gate of a pipeline: trains a small model on its shards, and keeps the verdict next to them for the report."""

import datetime
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versemill.config import digest
from versemill.errors import ConfigError
from versemill.mill.folder import entries
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline.models import FAMILIES, ValidateConfig, judging, recipe
from versemill.training.family import MODEL

if TYPE_CHECKING:
    from versemill.training.gate import Verdict

HISTORY = "history.jsonl"
"""Every verdict on a dataset, one line each, oldest first: when, of what, score, gain over the gate's first rival."""


def validate(directory: str | Path, progress: Callable[..., Any] | None = None, history: str | Path | None = None) -> "Verdict":
    """Runs `training.validate` with the dataset's own section `validate`, and compares with the past.

    The model lies in DIR/validation, the verdict in DIR/validation.json. A training that was interrupted is resumed;
    one of other shards or settings starts from scratch.

    Args:
        history: file of earlier verdicts, which this one is added to; DIR/history.jsonl by default. Datasets that are
            rebuilt every night share one file.

    Raises:
        ConfigError: there is no dataset, it is not complete, or it lies in an object store.
    """
    from versemill import training

    dataset = Dataset.open(directory)
    if not dataset.local:
        raise ConfigError(f"'{dataset.uri}' lies in an object store; copy it to a local folder to train on it")
    if len(dataset.sealed()) < dataset.shards:
        raise ConfigError(f"'{dataset.uri}' has {len(dataset.sealed())} of {dataset.shards} shards; finish the run first")
    config = ValidateConfig.model_validate(dataset.info["config"]["validate"])
    family = FAMILIES.find(config.family)
    # Histories of versions without `train` go on where it is empty.
    unlike = {"max_drop", "device"} if config.train else {"max_drop", "device", "train"}
    past = Path(history) if history else Path(dataset.root) / HISTORY
    earlier = read_history(past)
    shards = [(entries.read(dataset, shard) or {}).get("sha256") for shard in dataset.sealed()]
    basis = digest({"config": config.model_dump(mode="json"), "shards": shards})
    out = Path(dataset.root) / "validation"
    if (dataset.read("validation/basis.json") or {}).get("basis") != basis:
        shutil.rmtree(out, ignore_errors=True)
        dataset.write("validation/basis.json", {"basis": basis})
    verdict = training.validate(
        family, Path(dataset.root), out, recipe(family, config.preset, config.train), config.seed,
        judging(family, config.judging), config.objects, config.device, progress,
    )  # fmt: skip
    evaluation = verdict.metrics["evaluation"]
    entry = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "dataset": dataset.root,
        "digest": dataset.info["digest"],
        "basis": basis,
        "training": digest(config.model_dump(mode="json", exclude=unlike)),
        "objects": len(evaluation["objects"]),
        "metric": family.metric.key,
        "score": evaluation["summary"][MODEL][family.metric.key],
        "gain": evaluation["gains"][family.gate[0]][0],
    }
    verdict = judge(verdict, entry, earlier, config.max_drop, family.metric.unit)
    with past.open("a") as file:
        file.write(json.dumps({**entry, "passed": verdict.passed}) + "\n")
    dataset.write("validation.json", {"passed": verdict.passed, "sentence": verdict.sentence, "metrics": verdict.metrics})
    return verdict


def judge(
    verdict: "Verdict", entry: dict[str, Any], earlier: list[dict[str, Any]], max_drop: float | None, unit: str
) -> "Verdict":
    """The verdict in the light of the past: a gain that has fallen too far fails, however good it still is.

    The past are earlier verdicts that passed, of the same training (family, preset, seed, judging, objects) on other shards;
    the latest counts. The gain over the first method of the family's gate is compared, since held-out assets may have
    changed with the dataset.
    """
    past = [e for e in earlier if e["training"] == entry["training"] and e["basis"] != entry["basis"] and e["passed"]]
    if not past:
        return verdict
    last = past[-1]
    change = entry["gain"] - last["gain"]
    fallen = max_drop is not None and change < -max_drop
    unit = f" {unit}" if unit else ""
    compared = f"; {change:+.2f}{unit} against its past of {last['at'][:10]}"
    sentence = verdict.sentence + compared + (f", more than {max_drop}{unit} below it" if fallen else "")
    if fallen and verdict.passed:
        sentence = "failed" + sentence.removeprefix("passed")
    return replace(
        verdict,
        passed=verdict.passed and not fallen,
        sentence=sentence,
        metrics={**verdict.metrics, "past": {"last": last, "change": change}},
    )


def read_history(path: Path) -> list[dict[str, Any]]:
    """The lines of a history file; none where there is no file.

    Raises:
        ConfigError: a line that no verdict wrote.
    """
    if not path.exists():
        return []
    try:
        entries = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        needed = {"training", "basis", "passed", "gain", "at"}
        if all(isinstance(entry, dict) and needed <= set(entry) for entry in entries):
            return entries
    except (ValueError, UnicodeDecodeError):
        pass
    raise ConfigError(f"'{path}' is not a history of verdicts: every line must be one that `versemill validate` wrote")
