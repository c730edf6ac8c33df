"""From staging to ledger: finished assets of open shards, what the ledger says of sealed ones, and the sums over all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mill import census
from mill.dataset import Dataset
from mill.worker import record_file, row_file, staged
from shards import storage
from shards.writing import read_row
from versemill.errors import ShardError, VersemillError


@dataclass(frozen=True)
class Summary:
    """What a run did, and how its dataset stands now.

    Attributes:
        uri, assets, shards: the dataset; `sealed` of its shards are complete.
        rows, rejected, failed: counts over all sealed shards of the dataset.
        made: assets that this run finished; 0 when there was nothing to do.
        wall: seconds of the pipeline part, from the first task to the last seal. cpu: its workers' CPU seconds.
        cores: how many the run could use. busy: cpu / (wall * cores).
        core_seconds: stage -> CPU seconds per asset made by this run.
        outcomes: with `only`, each asset's record, in the order asked.
    """

    uri: str
    assets: int
    shards: int
    sealed: int
    rows: int
    rejected: int
    failed: int
    made: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    cores: int = 0
    busy: float = 0.0
    core_seconds: dict[str, float] = field(default_factory=dict)
    outcomes: tuple[dict[str, Any], ...] = ()

    @property
    def complete(self) -> bool:
        """Every shard is sealed."""
        return self.sealed == self.shards


def summarise(dataset: Dataset, **of_run: Any) -> Summary:
    """How a dataset stands, by its ledger; `of_run` are the fields of `Summary` that only a run knows."""
    sealed = census.whole(census.read(dataset))
    rows, rejected, failed = (sum(n[k] for fact in sealed for n in fact["sources"].values()) for k in range(3))
    return Summary(
        uri=dataset.uri,
        assets=dataset.assets,
        shards=dataset.shards,
        sealed=len(sealed),
        rows=rows,
        rejected=rejected,
        failed=failed,
        **of_run,
    )


@dataclass(frozen=True)
class Staging:
    """The folder where finished assets wait for their shard: a record each, and a row for those that have one."""

    dataset: Dataset
    folder: str

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
        found = []
        for index in staged(self.dataset, self.folder):
            if self.read(index) is None:
                self.dataset.remove(record_file(self.folder, index))
            else:
                found.append(index)
        return found

    def read(self, index: int) -> dict[str, Any] | None:
        """The record of an asset, or None while it is not finished."""
        return self.dataset.read(record_file(self.folder, index))

    def write(self, record: dict[str, Any]) -> None:
        """Writes the record of an asset without a row."""
        self.dataset.write(record_file(self.folder, record["index"]), record)

    def records(self, shard: int) -> dict[int, dict[str, Any]]:
        """The records of all of a shard's assets, by index.

        Raises:
            VersemillError: one is missing.
        """
        found = {}
        for index in self.dataset.indices(shard):
            record = self.read(index)
            if record is None:
                name = record_file(self.folder, index)
                raise VersemillError(f"'{name}' is gone or damaged; run the same command again")
            found[index] = record
        return found

    def drop_damaged(self, shard: int) -> list[int]:
        """Forgets the assets of a shard whose row can't be read; returns their indices."""
        damaged = []
        for index, record in self.records(shard).items():
            try:
                if record["status"] == "row":
                    read_row(self.dataset.fs, self.dataset.path(row_file(self.folder, index)))
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
    records: Mapping[int, dict[str, Any]],
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
