"""Is a dataset what its ledger says? Missing, extra, truncated, tampered and incomplete are all found."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from versemill.errors import ConfigError, ShardError
from versemill.mill.folder import census, checked, columns, entries, strays
from versemill.mill.folder.dataset import Dataset, is_running
from versemill.mill.upkeep import identity
from versemill.shards import decode_views, read_rows, storage, verify_shard
from versemill.shards.checks import check_views

CHECKED = ("shards", "ledger", "timings", "runs", "staging", "columns")
"""Folders of a dataset that are looked into."""


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        kind: of `shards.verify_shard`, or "damaged" (dataset.json), "config", "unsealed", "ledger", "identity" (a shard of
            another dataset or place), "rows", "extra" (in the folder of shards), "stray" (in another one), "extension" (what
            `versemill extend` added is unfinished, or not of the shards as they are).
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
    problems = _dataset(dataset)
    if any(problem.kind == "damaged" for problem in problems):
        return problems  # without it, what else should be there is unknown
    sealed = dataset.sealed()
    problems += _unsealed(dataset, set(sealed))
    for shard in sealed:
        problems += _shard(dataset, shard, deep)
    problems += _extensions(dataset, hashed=True)
    if deep and not problems:
        problems += _extended_rows(dataset)
    return problems + _extra(dataset, census.sizes(dataset)) + _strays(dataset)


def notes(directory: str | Path) -> list[str]:
    """What `verify` can't tell of a dataset, one sentence each: what has no digest, and what is made of the rest."""
    dataset = Dataset.open(directory)
    if any(problem.kind == "damaged" for problem in _dataset(dataset)):
        return []
    names = ["dataset.json", *(dataset.ledger_file(shard) for shard in dataset.sealed())]
    old = [name for name in names if not _has_digest(dataset, name)]
    sentences = []
    if old:
        sentences.append(
            f"{len(old)} of {len(names)} files of the ledger were written before versemill recorded their digests: a change of "
            f"them is noticed only where it contradicts something ({', '.join(old[:3])}{' ...' if len(old) > 3 else ''})"
        )
    damaged = [
        name
        for shard in dataset.sealed()
        if not entries.timings(dataset, shard) and storage.exists(dataset.fs, dataset.path(name := dataset.timings_file(shard)))
    ]
    if damaged:
        sentences.append(f"{', '.join(damaged[:5])}: damaged; only plan --from and the report read the seconds in it")
    paths = storage.list_files(dataset.fs, dataset.path("").rstrip("/"))
    derived = [name for path in paths if (name := posixpath.basename(path)) not in ("dataset.json", "lock")]
    derived += [f"{name}/" for name in dataset.folders("") if name not in CHECKED]
    if derived:
        sentences.append(f"not looked at, since it holds no rows and is made of them again: {', '.join(sorted(derived))}")
    return sentences


def _has_digest(dataset: Dataset, name: str) -> bool:
    try:
        return checked.has_digest(storage.read_bytes(dataset.fs, dataset.path(name)))
    except OSError:
        return True  # it is missing, which is more than a note


def verify_quick(directory: str | Path) -> list[Problem]:
    """What two listings and the census show: missing and extra shards, wrong sizes, another config.

    No shard is opened: a million rows take seconds.

    Raises:
        ConfigError: there is no dataset.
    """
    dataset = Dataset.open(directory)
    problems = _dataset(dataset)
    if any(problem.kind == "damaged" for problem in problems):
        return problems
    facts, sizes = census.read(dataset), census.sizes(dataset)
    problems += _unsealed(dataset, set(facts))
    for shard, fact in facts.items():
        if "damaged" in fact:
            problems.append(_damaged(dataset, shard))
        elif fact["digest"] != dataset.info["digest"]:
            problems.append(_another(dataset, shard, fact["digest"]))
        elif (size := sizes.get(posixpath.basename(fact["file"]))) is None:
            problems.append(Problem("missing", shard, "the file is not there; remake the shard"))
        elif size != fact["bytes"]:
            problems.append(_another_size(shard, size, fact["bytes"]))
    return problems + _extensions(dataset, hashed=False) + _extra(dataset, sizes) + _strays(dataset)


def _dataset(dataset: Dataset) -> list[Problem]:
    try:
        return [Problem("config", None, fault) for fault in identity.config_faults(dataset)]
    except ConfigError as error:
        return [Problem("damaged", None, str(error))]
    except (KeyError, TypeError, AttributeError) as error:
        return [Problem("damaged", None, f"dataset.json lacks what it must say: {type(error).__name__} {error}; restore it")]


def _strays(dataset: Dataset) -> list[Problem]:
    """Files that belong to no shard, run or asset; a damaged ledger entry is its shard's problem already."""
    known = {dataset.ledger_file(shard) for shard in range(dataset.shards)}
    text = "'{}' is damaged, or not of this dataset; the next run sets it aside"
    return [Problem("stray", None, text.format(name)) for name in strays.find(dataset) if name not in known]


def _unsealed(dataset: Dataset, sealed: set[int]) -> list[Problem]:
    unsealed = sorted(set(range(dataset.shards)) - sealed)
    if not unsealed:
        return []
    why = "a run is at it" if is_running(dataset) else "run the same command to go on"
    first = ", ".join(map(str, unsealed[:5])) + (" ..." if len(unsealed) > 5 else "")
    return [Problem("unsealed", None, f"{len(unsealed)} of {dataset.shards} shards are not sealed ({first}); {why}")]


def _damaged(dataset: Dataset, shard: int) -> Problem:
    content = dataset.read(dataset.ledger_file(shard))
    why = (
        "its content does not match its digest, or it is not JSON"
        if content is None
        else entries.fault(dataset, shard, content)
    )
    return Problem("ledger", shard, f"'{dataset.ledger_file(shard)}' is damaged: {why}")


def _another(dataset: Dataset, shard: int, digest: str) -> Problem:
    return Problem("config", shard, f"made with config {digest[:12]}, the dataset is {dataset.info['digest'][:12]}")


def _another_size(shard: int, size: int, expected: int) -> Problem:
    return Problem("truncated" if size < expected else "tampered", shard, f"{size} bytes, the ledger says {expected}")


def _shard(dataset: Dataset, shard: int, deep: bool) -> list[Problem]:
    entry = entries.read(dataset, shard)
    if entry is None:
        return [_damaged(dataset, shard)]
    if entry["digest"] != dataset.info["digest"]:
        return [_another(dataset, shard, entry["digest"])]
    path = dataset.path(entry["file"])
    info = dataset.fs.get_file_info(path)
    problems = [Problem(p.kind, shard, p.message) for p in verify_shard(dataset.fs, path, entry["sha256"], deep=deep)]
    if info.is_file and info.size != entry["bytes"]:
        return [_another_size(shard, info.size, entry["bytes"])]
    if not problems:
        problems += [Problem("identity", shard, fault) for fault in identity.footer_faults(dataset, shard, entry)]
    if deep and not problems:
        problems += [Problem("rows", shard, fault) for fault in identity.row_faults(dataset, shard, entry)]
    return problems


def _extra(dataset: Dataset, names: Iterable[str]) -> list[Problem]:
    known = {posixpath.basename(dataset.shard_file(shard)) for shard in range(dataset.shards)}
    extra = sorted(name for name in names if name not in known)
    return [Problem("extra", None, f"'shards/{name}' does not belong to this dataset; remove it") for name in extra]


def _extensions(dataset: Dataset, hashed: bool) -> list[Problem]:
    """What is wrong with the parts that `extend` wrote: their entries and sizes, and their bytes where `hashed`."""
    try:
        known = columns.extensions(dataset)
    except ShardError as error:
        return [Problem("damaged", None, str(error))]
    problems = []
    for extension in known:
        name = columns.folder(extension.number)
        lacking = columns.lacking(dataset, known, extension)
        if lacking or not extension.complete:
            shown = ", ".join(map(str, lacking[:5])) + (" ..." if len(lacking) > 5 else "")
            parts = (
                f"{len(lacking)} parts ({shown}) are missing or not of the shards as they are"
                if lacking
                else "it is unfinished"
            )
            text = f"'{name}': {parts}; `versemill extend {dataset.uri}` writes them"
            problems.append(Problem("extension", None, text))
        for shard in sorted(set(dataset.sealed()) - set(lacking)) if hashed else ():
            path, entry = dataset.path(columns.part_file(extension, shard)), columns.read(dataset, extension, shard)
            faults = verify_shard(dataset.fs, path, entry["sha256"] if entry else None)
            problems += [Problem(p.kind, None, f"'{columns.part_file(extension, shard)}': {p.message}") for p in faults]
        shards = {posixpath.basename(columns.part_file(extension, shard)) for shard in dataset.sealed()}
        files = [posixpath.basename(path) for path in storage.list_files(dataset.fs, dataset.path(f"{name}/shards"))]
        problems += [
            Problem("extra", None, f"'{name}/shards/{file}' belongs to no shard; remove it")
            for file in files
            if file not in shards
        ]
    return problems


def _extended_rows(dataset: Dataset) -> list[Problem]:
    """What is wrong with the views of rows that extensions are joined to."""
    problems = []
    for shard in dataset.sealed() if columns.extensions(dataset) else ():
        try:
            for row in read_rows(dataset.path(dataset.shard_file(shard)), ["meta.id", "views"], dataset.fs):
                faults = check_views(decode_views(row["views"])) if row["views"] else []
                problems += [Problem(kind, shard, f"{row['meta']['id']}, extended: {message}") for kind, message in faults]
        except ShardError as error:
            problems.append(Problem("extension", shard, str(error)))
    return problems
