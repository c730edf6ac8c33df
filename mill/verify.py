"""Is a dataset what its ledger says? Missing, extra, truncated, tampered and incomplete are all found."""

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mill.dataset import Dataset, is_running
from shards import read_rows, storage, verify_shard
from versemill.errors import ShardError


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        kind: of `shards.verify_shard`, or "unsealed", "extra", "ledger", "rows", "config".
        shard: its number, or None when the dataset as a whole is meant.
        message: one sentence.
    """

    kind: str
    shard: int | None
    message: str

    def __str__(self) -> str:
        where = "dataset" if self.shard is None else f"shard {self.shard}"
        return f"{where}: {self.kind}: {self.message}"


def verify(directory: str | Path, deep: bool = False) -> list[Problem]:
    """Everything that is wrong with a dataset; an empty list when nothing is.

    Args:
        deep: also decode every row, look for NaN, reproject the views, and compare the rows with the ledger's indices.

    Raises:
        ConfigError: there is no dataset.
    """
    dataset = Dataset.open(directory)
    found: list[Problem] = []
    sealed = dataset.sealed()
    unsealed = sorted(set(range(dataset.shards)) - set(sealed))
    if unsealed:
        why = "a run is at it" if is_running(dataset) else "run the same command to go on"
        first = ", ".join(map(str, unsealed[:5])) + (" ..." if len(unsealed) > 5 else "")
        found.append(Problem("unsealed", None, f"{len(unsealed)} of {dataset.shards} shards are not sealed ({first}); {why}"))
    for shard in sealed:
        found += _shard(dataset, shard, deep)
    return found + _extra(dataset, set(sealed))


def _shard(dataset: Dataset, shard: int, deep: bool) -> list[Problem]:
    entry = dataset.read(dataset.ledger_file(shard))
    if not isinstance(entry, dict) or not {"file", "sha256", "bytes", "indices", "digest"} <= set(entry):
        return [Problem("ledger", shard, f"'{dataset.ledger_file(shard)}' is damaged")]
    if entry["digest"] != dataset.info["digest"]:
        return [
            Problem("config", shard, f"made with config {entry['digest'][:12]}, the dataset is {dataset.info['digest'][:12]}")
        ]
    path = dataset.path(entry["file"])
    info = dataset.fs.get_file_info(path)
    problems = [Problem(p.kind, shard, p.message) for p in verify_shard(dataset.fs, path, entry["sha256"], deep=deep)]
    if info.is_file and info.size < entry["bytes"]:
        text = f"{info.size} bytes, the ledger says {entry['bytes']}"
        return [Problem("truncated", shard, text)]
    if deep and not problems:
        problems += _rows(dataset, shard, entry)
    return problems


def _rows(dataset: Dataset, shard: int, entry: dict[str, Any]) -> list[Problem]:
    try:
        indices = [row["meta"]["index"] for row in read_rows(dataset.fs, dataset.path(entry["file"]), ["meta.index"])]
    except ShardError as error:
        return [Problem("unreadable", shard, str(error))]
    known = sorted([*entry["indices"], *(e["index"] for k in ("rejections", "failures") for e in entry[k])])
    problems = []
    if indices != entry["indices"]:
        problems.append(Problem("rows", shard, f"holds {len(indices)} rows, the ledger lists {len(entry['indices'])}"))
    if known != list(dataset.indices(shard)):
        problems.append(Problem("ledger", shard, "its indices are not those of this shard, each once"))
    return problems


def _extra(dataset: Dataset, sealed: set[int]) -> list[Problem]:
    known = {posixpath.basename(dataset.shard_file(shard)) for shard in range(dataset.shards)}
    there = [posixpath.basename(path) for path in storage.list_files(dataset.fs, dataset.path("shards"))]
    extra = [name for name in there if name not in known]
    return [Problem("extra", None, f"'shards/{name}' does not belong to this dataset") for name in extra]
