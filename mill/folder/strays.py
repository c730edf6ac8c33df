"""Files in the ledger, the runs and the staging folder that are not what their place is for: another's, or damaged."""

import posixpath

from versemill.mill.folder import census, staging
from versemill.mill.folder.dataset import Dataset, is_record
from versemill.shards import storage


def find(dataset: Dataset) -> list[str]:
    """Their names, relative to the dataset, sorted."""
    return sorted([*ledger(dataset), *runs(dataset), *staged(dataset)])


def ledger(dataset: Dataset) -> list[str]:
    """Files of the ledger that are no entry of a shard of this dataset."""
    facts = census.read(dataset)
    names = _names(dataset, "ledger")
    whole = {posixpath.basename(dataset.ledger_file(shard)) for shard, fact in facts.items() if "damaged" not in fact}
    return [f"ledger/{name}" for name in names if name not in whole]


def runs(dataset: Dataset) -> list[str]:
    """Files of DIR/runs that are no record of a run."""
    return [name for base in _names(dataset, "runs") if not is_record(dataset.read(name := f"runs/{base}"))]


def staged(dataset: Dataset) -> list[str]:
    """Files of DIR/staging that are no record and no row of an asset, and records that are damaged."""
    names = []
    for folder in (f"staging/{name}" for name in dataset.folders("staging")):
        for base in _names(dataset, folder):
            stem, suffix = posixpath.splitext(base)
            ours = stem.isdecimal() and int(stem) < dataset.assets
            if (
                not ours
                or suffix not in (".json", ".arrow")
                or (suffix == ".json" and staging.read(dataset, folder, int(stem)) is None)
            ):
                names.append(f"{folder}/{base}")
    return names


def _names(dataset: Dataset, folder: str) -> list[str]:
    """Names of a folder's files; hidden ones are being written."""
    return [posixpath.basename(path) for path in storage.list_files(dataset.fs, dataset.path(folder))]
