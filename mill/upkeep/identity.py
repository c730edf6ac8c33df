"""Is a dataset the one that its own files say it is? Config against digest, footers and rows against seed, shard and ledger."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from versemill.config import digest
from versemill.errors import ShardError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.folder.entries import Entry
from versemill.mill.pipeline.config import AFTERWARDS
from versemill.shards import read_rows

COLUMNS = ("meta.id", "meta.seed", "meta.index", "meta.config_digest", "meta.fingerprint_digest")


def config_faults(dataset: Dataset) -> list[str]:
    """What dataset.json says of itself and is not so: the digest of each part's config, seed and source files."""
    faults = []
    for part in dataset.parts:
        made = stored_digest(part)
        if made != part["digest"]:
            faults.append(
                f"dataset.json was changed: its config, seed and files have the digest {made[:12]}, "
                f"it says {part['digest'][:12]}"
            )
    if dataset.merged:
        made = digest([[part["digest"], part["assets"]] for part in dataset.parts])
        if made != dataset.info["digest"]:
            faults.append(f"dataset.json was changed: its parts have the digest {made[:12]}")
    return faults


def stored_digest(info: dict[str, Any]) -> str:
    """The digest of a dataset.json's config, seed and files, worked out from what is stored; see `Pipeline.data`."""
    kept = {name: value for name, value in info["config"].items() if name not in AFTERWARDS}
    entries = {
        name: {k: v for k, v in entry.items() if not (entry["source"] == "files" and k == "path")}
        for name, entry in info["config"]["sources"].items()
    }
    data = {**kept, "sources": entries, "seed": info["seed"], "conventions": info["conventions"]["version"]}
    hashes = {entry: {path: item["sha256"] for path, item in record.items()} for entry, record in info["files"].items()}
    return digest({**data, "files": hashes} if hashes else data)


def footer_faults(dataset: Dataset, shard: int, entry: Entry) -> Iterator[str]:
    """What a shard's footer says, and dataset.json or the ledger says otherwise; what it does not say is no fault."""
    try:
        with pq.ParquetFile(dataset.path(entry["file"]), filesystem=dataset.fs) as file:
            said = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        yield f"its footer can't be read ({error})"
        return
    for name, expected in _expected(dataset, shard, entry).items():
        if said.get(f"versemill.{name}", expected) != expected:
            yield f"its footer says {name} {said[f'versemill.{name}'][:80]}, it should be {expected}"


def _expected(dataset: Dataset, shard: int, entry: Entry) -> dict[str, str]:
    place = dataset.part(shard)
    assert place is not None
    part, number = place
    return {
        "seed": str(part["seed"]),
        "shard": str(number),
        "config_digest": part["digest"],
        "fingerprint_digest": digest(entry["fingerprint"]),
    }


def row_faults(dataset: Dataset, shard: int, entry: Entry) -> Iterator[str]:
    """Rows that are not those of the ledger, or say another seed, config or fingerprint than the shard's."""
    expected = _expected(dataset, shard, entry)
    try:
        rows = [row["meta"] for row in read_rows(dataset.path(entry["file"]), COLUMNS, fs=dataset.fs)]
    except ShardError as error:
        yield str(error)
        return
    if [row["index"] for row in rows] != entry["indices"]:
        yield f"holds {len(rows)} rows, the ledger lists {len(entry['indices'])} or others"
    for name in ("seed", "config_digest", "fingerprint_digest"):
        others = [row["id"] for row in rows if str(row[name]) != expected[name]]
        if others:
            yield f"{len(others)} rows say another {name} than {expected[name]}, the first is {others[0]}"
