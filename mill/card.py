"""DIR/README.md: the dataset card of a finished dataset, from its ledger and the small columns of its shards."""

from collections.abc import Mapping
from typing import Any

from mill import census
from mill.dataset import Dataset
from shards import card, read_rows, storage
from versemill.errors import ShardError

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
    rows: list[dict[str, Any]] = []
    unreadable = []
    for fact in sealed:
        try:
            rows += [_numbers(row) for row in read_rows(dataset.fs, dataset.path(fact["file"]), COLUMNS)]
        except ShardError:
            unreadable.append(fact["file"])
    made_with = {fact["fingerprint"]: shard for shard, fact in facts.items() if "damaged" not in fact}
    prints = {key[:12]: (dataset.read(dataset.ledger_file(shard)) or {}).get("fingerprint") for key, shard in made_with.items()}
    rejected = census.merge(fact["rejections"] for fact in sealed)
    failed = census.count(f"{f['stage']}: {f['reason']}" for fact in sealed for f in fact["failures"])
    return card(
        name=dataset.info["pipeline"],
        rows=census.count(row["split"] for row in rows),
        rejected=dict(sorted(rejected.items())),
        failed=dict(sorted(failed.items())),
        config={**{k: v for k, v in dataset.info["config"].items() if k != "run"}, "seed": dataset.info["seed"]},
        digest=dataset.info["digest"],
        fingerprint=dict(sorted(prints.items())),
        licences=census.count(licence for row in rows for licence in row["licences"]),
        statistics={name: _spread([r[name] for r in rows if r[name] is not None]) for name in STATISTICS},
        gaps=_gaps(dataset, rows, sum(rejected.values()), sum(failed.values()), len(prints), unreadable),
    )


STATISTICS = ("faces", "vertices", "views", "depth to surface")


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the card counts of one row, without its texts."""
    meta, mesh, views = row["meta"], row["mesh"], row["views"]
    return {
        "split": meta["split"],
        "licences": meta["licences"],
        "faces": mesh["face_count"],
        "vertices": mesh["vertex_count"],
        "views": views and views["count"],
        "depth to surface": meta["depth_to_surface"],
        "fields": bool(row["fields"] and row["fields"]["stats"]),
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "mean": sum(values) / len(values), "max": max(values)} if values else {}


def _gaps(
    dataset: Dataset, rows: list[dict[str, Any]], rejected: int, failed: int, fingerprints: int, unreadable: list[str]
) -> tuple[str, ...]:
    """What the data does not cover, as far as the run knows."""
    kinds = {entry["source"] for entry in dataset.info["config"]["sources"].values()}
    lacking = {name: sum(not row[name] for row in rows) for name in ("views", "fields")}
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
