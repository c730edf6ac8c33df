"""The gate of a pipeline: trains the smallest model on its shards, and keeps the verdict beside them for the report."""

from pathlib import Path
from typing import TYPE_CHECKING

from mill.dataset import Dataset
from reconstruction.config import ValidateConfig
from versemill.errors import ConfigError

if TYPE_CHECKING:
    from reconstruction import Verdict


def validate(directory: str | Path) -> "Verdict":
    """Runs `reconstruction.validate` with the dataset's own section `validate`.

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
    return reconstruction.validate(Path(dataset.root), config)
