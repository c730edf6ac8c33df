"""What was added to a sealed dataset, in its ledger: DIR/columns/0001/{columns.json, shards/, ledger/}.

An entry of such a ledger holds the SHA-256 of the file, and of the files that it was made from: the shard, and the earlier
extensions' parts. Where one of those has changed, the entry no longer counts, and the part is written again.
"""

import re
from typing import Any

from versemill.mill.folder import entries
from versemill.mill.folder.dataset import Dataset
from versemill.shards import storage
from versemill.shards.extensions import FACTS, FOLDER, Extension, all_extensions
from versemill.shards.folder import shard_name

TYPES: dict[str, type] = {
    "shard": int, "sha256": str, "bytes": int, "rows": int, "made_from": list, "failures": list, "fingerprint": dict,
}  # fmt: skip


def extensions(dataset: Dataset) -> list[Extension]:
    """All of a dataset, in their order, complete or not. Raises ShardError: the description of one is damaged."""
    return all_extensions(dataset.fs, dataset.root)


def describe(dataset: Dataset, extension: Extension) -> None:
    """Writes the columns.json of an extension."""
    facts = {name: getattr(extension, name) for name in ("number", "views", "passes", "complete")}
    dataset.write(f"{folder(extension.number)}/{FACTS}", {**facts, "passes": list(extension.passes)})


def folder(number: int) -> str:
    """An extension's folder, relative to the dataset."""
    return f"{FOLDER}/{number:04d}"


def ledger_file(extension: Extension, shard: int) -> str:
    """Path of the ledger entry of an extension's part, relative to the dataset."""
    return f"{folder(extension.number)}/ledger/{shard_name(shard)}.json"


def part_file(extension: Extension, shard: int) -> str:
    """Path of an extension's part for a shard, relative to the dataset."""
    return f"{folder(extension.number)}/shards/{shard_name(shard)}.parquet"


def read(dataset: Dataset, extension: Extension, shard: int) -> dict[str, Any] | None:
    """The entry of a part, or None where there is none or it is damaged."""
    entry = dataset.read(ledger_file(extension, shard))
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), kind) for name, kind in TYPES.items()):
        return None
    return entry if entry["shard"] == shard and re.fullmatch("[0-9a-f]{64}", entry["sha256"]) else None


def made_from(dataset: Dataset, earlier: list[Extension], shard: int) -> list[str]:
    """SHA-256 of the files that a part after `earlier` is made from; "" for one that the ledger does not know."""
    known = [entries.read(dataset, shard), *(read(dataset, extension, shard) for extension in earlier)]
    return [entry["sha256"] if entry else "" for entry in known]


def lacking(dataset: Dataset, known: list[Extension], extension: Extension) -> list[int]:
    """The sealed shards that have no part of an extension, or one of an earlier state of the shard."""
    earlier = [each for each in known if each.number < extension.number]
    shards = []
    for shard in dataset.sealed():
        entry = read(dataset, extension, shard)
        info = dataset.fs.get_file_info(dataset.path(part_file(extension, shard)))
        if not entry or entry["made_from"] != made_from(dataset, earlier, shard) or info.size != entry["bytes"]:
            shards.append(shard)
    return shards


def hashes(dataset: Dataset) -> list[str]:
    """SHA-256 of all parts in the ledger, extension by extension."""
    known = (read(dataset, extension, shard) for extension in extensions(dataset) for shard in dataset.sealed())
    return [entry["sha256"] for entry in known if entry]


def forget_damaged(dataset: Dataset) -> None:
    """Removes the entries of parts whose bytes are not those of the entry, so that they are written again."""
    for extension in extensions(dataset):
        for shard in dataset.sealed():
            entry, path = read(dataset, extension, shard), dataset.path(part_file(extension, shard))
            if entry and storage.exists(dataset.fs, path) and storage.sha256(dataset.fs, path) != entry["sha256"]:
                dataset.remove(ledger_file(extension, shard))
