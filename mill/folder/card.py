"""DIR/README.md: the dataset card of a finished dataset, from its ledger and the small columns of its shards."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from versemill.config import digest
from versemill.errors import ShardError
from versemill.mill.folder import census, columns, entries
from versemill.mill.folder.dataset import Dataset
from versemill.shards import card, read_rows, storage

FILE = "README.md"
COLUMNS = (
    "meta.split",
    "meta.licences",
    "meta.depth_to_surface",
    "mesh.face_count",
    "mesh.vertex_count",
    "views.count",
    "fields.stats",
)


def write(dataset: Dataset) -> None:
    """Writes the card. The same dataset has the same card: nothing in it depends on the clock or the host."""
    storage.write_bytes(dataset.fs, dataset.path(FILE), text(dataset).encode(errors="backslashreplace"))


def text(dataset: Dataset) -> str:
    """The card of what is sealed; a shard that can't be read is named among the gaps."""
    facts = census.read(dataset)
    sealed = census.whole(facts)
    sums = _Sums()
    unreadable = []
    for fact in sealed:
        try:
            rows = list(read_rows(dataset.path(fact["file"]), COLUMNS, fs=dataset.fs))
        except ShardError:
            unreadable.append(fact["file"])
        else:
            for row in rows:
                sums.add(row)
    made_with = {fact["fingerprint"]: shard for shard, fact in facts.items() if "damaged" not in fact}
    prints = {key[:12]: (entries.read(dataset, shard) or {}).get("fingerprint") for key, shard in made_with.items()}
    rejected = census.merge(fact["rejections"] for fact in sealed)
    failed = census.count(f"{f['stage']}: {f['reason']}" for fact in sealed for f in fact["failures"])
    return card(
        name=dataset.info["pipeline"],
        rows=sums.splits,
        rejected=dict(sorted(rejected.items())),
        failed=dict(sorted(failed.items())),
        config={**{k: v for k, v in dataset.info["config"].items() if k != "run"}, "seed": dataset.info["seed"]},
        digest=dataset.info["digest"],
        content=digest([fact["sha256"] for fact in sealed] + columns.hashes(dataset)),
        fingerprint=dict(sorted(prints.items())),
        licences=sums.licences,
        statistics={name: spread.facts for name, spread in sums.statistics.items()},
        gaps=_gaps(dataset, sums.lacking, sum(rejected.values()), sum(failed.values()), len(prints), unreadable),
    )


STATISTICS = ("faces", "vertices", "views", "depth to surface")


@dataclass
class _Spread:
    """Of the values of one quantity: how many, their sum, the least and the greatest."""

    count: int = 0
    total: float = 0
    least: float = float("inf")
    greatest: float = float("-inf")

    def add(self, value: float) -> None:
        self.count, self.total = self.count + 1, self.total + value
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)

    @property
    def facts(self) -> dict[str, float]:
        """Nothing where there was no value."""
        return {"min": self.least, "mean": self.total / self.count, "max": self.greatest} if self.count else {}


@dataclass
class _Sums:
    """What the card says of all rows, added up one by one: a million of them must not lie in memory.

    Attributes:
        splits, licences: word -> rows. lacking: group -> rows without it. statistics: quantity -> its spread.
    """

    splits: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    lacking: dict[str, int] = field(default_factory=lambda: {"views": 0, "fields": 0})
    statistics: dict[str, _Spread] = field(default_factory=lambda: {name: _Spread() for name in STATISTICS})

    def add(self, row: Mapping[str, Any]) -> None:
        """One more row, of `COLUMNS`."""
        meta, mesh = row["meta"], row["mesh"]
        views = row["views"] and row["views"]["count"]
        self.splits[meta["split"]] += 1
        self.licences.update(meta["licences"])
        self.lacking["views"] += not views
        self.lacking["fields"] += not (row["fields"] and row["fields"]["stats"])
        for name, value in zip(
            STATISTICS, (mesh["face_count"], mesh["vertex_count"], views, meta["depth_to_surface"]), strict=True
        ):
            if value is not None:
                self.statistics[name].add(value)


def _gaps(
    dataset: Dataset, lacking: Mapping[str, int], rejected: int, failed: int, fingerprints: int, unreadable: list[str]
) -> tuple[str, ...]:
    """What the data does not cover, as far as the run knows."""
    kinds = {entry["source"] for entry in dataset.info["config"]["sources"].values()}
    said = {
        "Every asset is synthetic: no scan and no photograph is among them.": "files" not in kinds,
        f"{rejected} assets were rejected; kinds of shapes that the filters turn away are rarer than their source makes them.":
            rejected,
        f"{failed} assets failed and are missing.": failed,
        f"The shards were made under {fingerprints} fingerprints: equivalent within tolerances, not bit for bit one machine's.":
            fingerprints > 1,
        **{f"{number} rows have no {name}.": number for name, number in lacking.items()},
        f"Not counted here, because they can't be read: {', '.join(unreadable)}. `versemill verify --repair` remakes them.":
            unreadable,
    }  # fmt: skip
    return tuple(sentence for sentence, holds in said.items() if holds)
