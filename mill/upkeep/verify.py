"""Is a dataset what its ledger says? Missing, extra, truncated, tampered and incomplete are all found."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from versemill.mill.folder import census
from versemill.mill.folder.dataset import Dataset, is_running
from versemill.shards import read_rows, verify_shard

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
    sealed = dataset.sealed()
    found = _unsealed(dataset, set(sealed))
    for shard in sealed:
        found += _shard(dataset, shard, deep)
    return found + _extra(dataset, census.sizes(dataset))


def verify_quick(directory: str | Path) -> list[Problem]:
    """What two listings and the census show: missing and extra shards, wrong sizes, another config.

    No shard is opened: a million rows take seconds.

    Raises:
        ConfigError: there is no dataset.
    """
    dataset = Dataset.open(directory)
    facts, sizes = census.read(dataset), census.sizes(dataset)
    found = _unsealed(dataset, set(facts))
    for shard, fact in facts.items():
        if "damaged" in fact:
            found.append(_damaged(dataset, shard))
        elif fact["digest"] != dataset.info["digest"]:
            found.append(_another(dataset, shard, fact["digest"]))
        elif (size := sizes.get(posixpath.basename(fact["file"]))) is None:
            found.append(Problem("missing", shard, "the file is not there; remake the shard"))
        elif size != fact["bytes"]:
            found.append(_another_size(shard, size, fact["bytes"]))
    return found + _extra(dataset, sizes)


def _unsealed(dataset: Dataset, sealed: set[int]) -> list[Problem]:
    unsealed = sorted(set(range(dataset.shards)) - sealed)
    if not unsealed:
        return []
    why = "a run is at it" if is_running(dataset) else "run the same command to go on"
    first = ", ".join(map(str, unsealed[:5])) + (" ..." if len(unsealed) > 5 else "")
    return [Problem("unsealed", None, f"{len(unsealed)} of {dataset.shards} shards are not sealed ({first}); {why}")]


def _damaged(dataset: Dataset, shard: int) -> Problem:
    return Problem("ledger", shard, f"'{dataset.ledger_file(shard)}' is damaged")


def _another(dataset: Dataset, shard: int, digest: str) -> Problem:
    return Problem("config", shard, f"made with config {digest[:12]}, the dataset is {dataset.info['digest'][:12]}")


def _another_size(shard: int, size: int, wanted: int) -> Problem:
    return Problem("truncated" if size < wanted else "tampered", shard, f"{size} bytes, the ledger says {wanted}")


def _shard(dataset: Dataset, shard: int, deep: bool) -> list[Problem]:
    entry = dataset.read(dataset.ledger_file(shard))
    if not isinstance(entry, dict) or not set(entry) >= census.NEEDED:
        return [_damaged(dataset, shard)]
    if entry["digest"] != dataset.info["digest"]:
        return [_another(dataset, shard, entry["digest"])]
    path = dataset.path(entry["file"])
    info = dataset.fs.get_file_info(path)
    problems = [Problem(p.kind, shard, p.message) for p in verify_shard(dataset.fs, path, entry["sha256"], deep=deep)]
    if info.is_file and info.size < entry["bytes"]:
        return [_another_size(shard, info.size, entry["bytes"])]
    if deep and not problems:
        problems += _rows(dataset, shard, entry)
    return problems


def _rows(dataset: Dataset, shard: int, entry: dict[str, Any]) -> list[Problem]:
    try:
        indices = [row["meta"]["index"] for row in read_rows(dataset.path(entry["file"]), ["meta.index"], fs=dataset.fs)]
    except ShardError as error:
        return [Problem("unreadable", shard, str(error))]
    known = sorted([*entry["indices"], *(e["index"] for k in ("rejections", "failures") for e in entry[k])])
    problems = []
    if indices != entry["indices"]:
        problems.append(Problem("rows", shard, f"holds {len(indices)} rows, the ledger lists {len(entry['indices'])}"))
    if known != list(dataset.indices(shard)):
        problems.append(Problem("ledger", shard, "its indices are not those of this shard, each once"))
    return problems


def _extra(dataset: Dataset, there: Iterable[str]) -> list[Problem]:
    known = {posixpath.basename(dataset.shard_file(shard)) for shard in range(dataset.shards)}
    extra = sorted(name for name in there if name not in known)
    return [Problem("extra", None, f"'shards/{name}' does not belong to this dataset; remove it") for name in extra]
