"""The gate of a pipeline: trains the smallest model on its shards, and keeps the verdict beside them for the report."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mill.dataset import Dataset
from reconstruction.config import ValidateConfig
from versemill.config import digest
from versemill.errors import ConfigError

if TYPE_CHECKING:
    from reconstruction import Verdict


def validate(directory: str | Path, progress: Callable[..., Any] | None = None) -> "Verdict":
    """Runs `reconstruction.validate` with the dataset's own section `validate`.

    The model lies in DIR/validation, the verdict in DIR/validation.json. A training that was interrupted goes on;
    one of other shards or settings starts anew.

    Raises:
        ConfigError: there is no dataset, it is not complete, or it lies in an object store.
    """
    import reconstruction

    dataset = Dataset.open(directory)
    if not dataset.local:
        raise ConfigError(f"'{directory}' lies in an object store; copy it to a local folder to train on it")
    if len(dataset.sealed()) < dataset.shards:
        raise ConfigError(f"'{directory}' has {len(dataset.sealed())} of {dataset.shards} shards; finish the run first")
    config = ValidateConfig.model_validate(dataset.info["config"]["validate"])
    shards = [(dataset.read(dataset.ledger_file(shard)) or {}).get("sha256") for shard in dataset.sealed()]
    basis = digest({"config": config.model_dump(mode="json"), "shards": shards})
    out = Path(dataset.root) / "validation"
    if (dataset.read("validation/basis.json") or {}).get("basis") != basis:
        shutil.rmtree(out, ignore_errors=True)
        dataset.write("validation/basis.json", {"basis": basis})
    verdict = reconstruction.validate(Path(dataset.root), config, out, progress)
    dataset.write("validation.json", {"passed": verdict.passed, "sentence": verdict.sentence, "metrics": verdict.metrics})
    return verdict
