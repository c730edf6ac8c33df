"""Finished assets of open shards: a record and a row file each, until their shard is sealed and in the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from versemill.errors import ShardError, VersemillError
from versemill.mill.folder.dataset import Dataset
from versemill.shards import storage
from versemill.shards.writing import read_row, write_row

Record = dict[str, Any]
"""Of a finished asset: `index`, `source`, `status` ("row", "rejected", "failed"), `sha256` of its row or why it has none."""


def record_file(staging: str, index: int) -> str:
    """Path of a finished asset's record; it is written last, so it says that the asset is done."""
    return f"{staging}/{index:09d}.json"


def row_file(staging: str, index: int) -> str:
    """Path of a finished asset's row."""
    return f"{staging}/{index:09d}.arrow"


def staged(dataset: Dataset, staging: str) -> list[int]:
    """Indices with a record in the staging folder, rising."""
    names = [Path(p).stem for p in storage.list_files(dataset.fs, dataset.path(staging), ".json")]
    return [int(name) for name in names if name.isdecimal() and int(name) < dataset.assets]


def read(dataset: Dataset, staging: str, index: int) -> Record | None:
    """The record of a finished asset; None where there is none, or it is damaged."""
    record = dataset.read(record_file(staging, index))
    return record if _whole(record, index) else None


def _whole(record: Any, index: int) -> bool:
    """Whether this is the record of the asset with that index, with all that the ledger says of it."""
    if not isinstance(record, dict) or record.get("index") != index or not isinstance(record.get("source"), str):
        return False
    why = {"row": None, "rejected": "rejection", "failed": "failure"}.get(str(record.get("status")), "")
    if why == "" or not isinstance(record.get("seconds", {}), dict):
        return False
    return why is None or (
        isinstance(record.get(why), dict) and all(isinstance(record[why].get(k), str) for k in ("stage", "reason", "message"))
    )


@dataclass(frozen=True)
class Staging:
    """The folder where finished assets wait for their shard: a record each, and a row for those that have one."""

    dataset: Dataset
    folder: str

    @classmethod
    def at(cls, location: str, folder: str) -> "Staging":
        """The staging folder of the dataset at a location."""
        return cls(Dataset.at(location), folder)

    @property
    def place(self) -> str:
        """The dataset, for errors."""
        return self.dataset.uri

    def clean(self, others: bool) -> None:
        """Removes what a killed run left half-written; `others`: also what was staged under another fingerprint."""
        for folder in ("", "shards", "ledger", "timings", "runs", self.folder):
            storage.clear_temporary(self.dataset.fs, self.dataset.path(folder).rstrip("/"))
        self.dataset.remove_folder("only")
        for name in self.dataset.folders("staging") if others else ():
            if f"staging/{name}" != self.folder:
                self.dataset.remove_folder(f"staging/{name}")

    def finished(self) -> list[int]:
        """Indices that a killed run left here; a record that its machine's crash left damaged does not count."""
        return [index for index in staged(self.dataset, self.folder) if self.read(index) is not None]

    def read(self, index: int) -> Record | None:
        """The record of an asset, or None while it is not finished."""
        return read(self.dataset, self.folder, index)

    def rows(self, shard: int) -> tuple[tuple[int, str | None], ...]:
        """Index and SHA-256 of each row of a shard."""
        return tuple((i, record.get("sha256")) for i, record in self.records(shard).items() if record["status"] == "row")

    def put(self, index: int, row: pa.Table) -> Record:
        """Writes the row of an asset; what its record says of it."""
        return {"sha256": write_row(self.dataset.fs, self.dataset.path(row_file(self.folder, index)), row)}

    def row(self, index: int, sha256: str | None) -> pa.Table:
        """The row of an asset.

        Raises:
            ShardError: it is missing, damaged, or not the one that was staged.
        """
        return read_row(self.dataset.fs, self.dataset.path(row_file(self.folder, index)), sha256)

    def write(self, record: Record) -> None:
        """Writes the record of an asset, which says that it is finished."""
        self.dataset.write(record_file(self.folder, record["index"]), record)

    def records(self, shard: int) -> dict[int, Record]:
        """The records of all of a shard's assets, by index.

        Raises:
            VersemillError: one is missing.
        """
        records = {}
        for index in self.dataset.indices(shard):
            record = self.read(index)
            if record is None:
                name = record_file(self.folder, index)
                raise VersemillError(f"'{name}' is gone or damaged; run the same command again")
            records[index] = record
        return records

    def drop_damaged(self, shard: int) -> list[int]:
        """Forgets the assets of a shard whose row can't be read; returns their indices."""
        damaged = []
        for index, record in self.records(shard).items():
            try:
                if record["status"] == "row":
                    self.row(index, record.get("sha256"))
            except ShardError:
                self.dataset.remove(record_file(self.folder, index))
                damaged.append(index)
        return damaged

    def close(self, shard: int, facts: Mapping[str, Any], made_with: Mapping[str, Any]) -> None:
        """Writes the ledger entry of a shard whose file is in place, which makes it count; then clears its staging files.

        Args:
            facts: `sha256`, `bytes` and `rows` of the file. made_with: the fingerprint.
        """
        records = self.records(shard)
        kept = ("source", "status", "bytes", "wall", "seconds")
        timings = {str(i): {k: record[k] for k in kept if k in record} for i, record in records.items()}
        self.dataset.write(self.dataset.timings_file(shard), {"shard": shard, "assets": timings})
        self.dataset.write(self.dataset.ledger_file(shard), _entry(self.dataset, shard, facts, records, made_with))
        for index in records:
            self.dataset.remove(row_file(self.folder, index))
            self.dataset.remove(record_file(self.folder, index))


def _entry(
    dataset: Dataset,
    shard: int,
    facts: Mapping[str, Any],
    records: Mapping[int, Record],
    made_with: Mapping[str, Any],
) -> dict[str, Any]:
    """What the ledger says of a sealed shard: its file, what became of every index, and what it was made with."""
    base = {index: {k: record[k] for k in ("index", "source", "item") if k in record} for index, record in records.items()}
    by_status = {status: [i for i, r in records.items() if r["status"] == status] for status in ("row", "rejected", "failed")}
    return {
        "shard": shard,
        "file": dataset.shard_file(shard),
        **facts,
        "indices": by_status["row"],
        "sources": {str(i): records[i]["source"] for i in records},
        "rejections": [{**base[i], **records[i]["rejection"]} for i in by_status["rejected"]],
        "failures": [{**base[i], **records[i]["failure"]} for i in by_status["failed"]],
        "digest": dataset.info["digest"],
        "fingerprint": dict(made_with),
    }
