"""The census: what the ledger and the timings of each sealed shard add up to, in one file: a million rows are counted at once.

DIR/census.json is derived and may be deleted: a ledger file whose size or date has changed is read again.
"""

import contextlib
import posixpath
from typing import Any

from pyarrow import fs as pafs

from versemill.config import digest
from versemill.mill.folder import checked, entries
from versemill.mill.folder.dataset import Dataset, shard_of
from versemill.shards import storage

FILE = "census.json"
VERSION = 3
FORMAT = f"versemill census {VERSION}"

STAGE_OF = {"ingest": "source", "source": "source", "render": "render", "fields": "fields", "encode": "encode"}
"""Stage of a rejection -> the stage of `mill.pipeline.stages.STAGES` that it happened in; all others are curation's."""

Facts = dict[str, Any]
"""Of a sealed shard: `file`, `sha256`, `bytes`, `rows`, `digest`, `fingerprint` (digests), `failures` as in the ledger,
`sources` name -> [rows, rejected, failed], `rejections` "stage: reason" -> count, `lost` stage of the run -> how many were
rejected or failed there, `seconds` stage -> [assets that entered, CPU, wall]; or `damaged`: True and nothing else."""


def read(dataset: Dataset) -> dict[int, Facts]:
    """The facts of every sealed shard, rising; brings the census up to date, and writes it where the folder can be written."""
    stamps = _stamps(dataset)
    stored = dataset.read(FILE)
    known = stored["shards"] if isinstance(stored, dict) and stored.get("format") == FORMAT else {}
    kept = {shard: fact for shard, stamp in stamps.items() if (fact := known.get(str(shard))) and fact["stamp"] == stamp}
    facts = {shard: kept.get(shard) or {"stamp": stamp, **_facts(dataset, shard)} for shard, stamp in stamps.items()}
    if len(kept) != len(facts) or len(kept) != len(known):
        with contextlib.suppress(OSError):  # a dataset that can only be read is counted all the same
            data = checked.encode({"format": FORMAT, "shards": facts}, indent=None)
            storage.write_bytes(dataset.fs, dataset.path(FILE), data)
    return facts


def whole(facts: dict[int, Facts]) -> list[Facts]:
    """Those of the shards whose ledger entry can be read."""
    return [fact for fact in facts.values() if "damaged" not in fact]


def sizes(dataset: Dataset) -> dict[str, int]:
    """Name -> bytes of every file in the folder of shards, from one listing."""
    return {info.base_name: info.size for info in _files(dataset, "shards")}


def absent(dataset: Dataset, facts: dict[int, Facts]) -> list[int]:
    """Shards with a whole ledger entry whose file is missing or has another size than the entry says, rising."""
    bytes_of = sizes(dataset)
    return [s for s, f in facts.items() if "damaged" not in f and bytes_of.get(posixpath.basename(f["file"])) != f["bytes"]]


def _files(dataset: Dataset, folder: str) -> list[Any]:
    selector = pafs.FileSelector(dataset.path(folder), allow_not_found=True)
    return [i for i in dataset.fs.get_file_info(selector) if i.type == pafs.FileType.File and not i.base_name.startswith(".")]


def _stamps(dataset: Dataset) -> dict[int, list[int]]:
    """Shard -> size and date of its ledger file. Timings are written before it, so it stands for both."""
    stamps = {shard_of(info.base_name): [info.size, info.mtime_ns or 0] for info in _files(dataset, "ledger")}
    return {shard: stamps[shard] for shard in range(dataset.shards) if shard in stamps}


def _facts(dataset: Dataset, shard: int) -> Facts:
    entry = entries.read(dataset, shard)
    if entry is None:
        return {"damaged": True}
    lost = [*entry["rejections"], *entry["failures"]]
    return {
        **{key: entry[key] for key in ("file", "sha256", "bytes", "rows", "digest", "failures")},
        "fingerprint": digest(entry["fingerprint"]),
        "sources": _sources(entry),
        "rejections": count(f"{r['stage']}: {r['reason']}" for r in entry["rejections"]),
        "lost": count(STAGE_OF.get(r["stage"], "curate") for r in lost),
        "seconds": seconds(entries.timings(dataset, shard).values()),
    }


def _sources(entry: dict[str, Any]) -> dict[str, list[int]]:
    fate = {str(r["index"]): 1 for r in entry["rejections"]} | {str(f["index"]): 2 for f in entry["failures"]}
    counts: dict[str, list[int]] = {}
    for index, name in entry["sources"].items():
        counts.setdefault(name, [0, 0, 0])[fate.get(index, 0)] += 1
    return counts


def seconds(records: Any) -> dict[str, list[float]]:
    """Stage -> [assets that entered it, their CPU seconds, their wall seconds] of records with `seconds` (wall, CPU)."""
    totals: dict[str, list[float]] = {}
    for record in records:
        for stage, (wall, cpu) in record.get("seconds", {}).items():
            sums = totals.get(stage) or totals.setdefault(stage, [0, 0.0, 0.0])
            sums[0] += 1
            sums[1] += cpu
            sums[2] += wall
    return {stage: [entered, round(cpu, 4), round(wall, 4)] for stage, (entered, cpu, wall) in totals.items()}


def count(words: Any) -> dict[str, int]:
    """How often each word occurs."""
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts


def merge(tallies: Any) -> dict[str, int]:
    """The sum of several counts."""
    totals: dict[str, int] = {}
    for tally in tallies:
        for word, number in tally.items():
            totals[word] = totals.get(word, 0) + number
    return totals
