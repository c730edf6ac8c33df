"""A finished dataset's later life: retry what failed, remake shards, make more of it, compare two, look at one asset.

Each of these opens shards again (their ledger entries go, which makes them unfinished) and then is the run.
The dataset's own dataset.json says how its assets are made; nothing has to be repeated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from versemill.config import digest
from versemill.errors import ConfigError, ShardError
from versemill.mill.folder import columns as folder_columns
from versemill.mill.folder import entries
from versemill.mill.folder.dataset import Dataset, comparable, differences, locked
from versemill.mill.folder.fingerprint import fingerprint
from versemill.mill.folder.ledger import Summary
from versemill.mill.folder.staging import record_file, row_file
from versemill.mill.pipeline import stages
from versemill.mill.pipeline.config import Pipeline, restore
from versemill.mill.pipeline.plan import Plan
from versemill.mill.pipeline.stages import Made
from versemill.mill.run.driver import run
from versemill.mill.run.worker import Maker
from versemill.mill.upkeep import columns
from versemill.mill.upkeep.verify import Problem, verify
from versemill.shards import storage
from versemill.shards.compare import compare_shards
from versemill.shards.folder import shard_name, shard_number
from versemill.shards.schema import SCHEMA
from versemill.shards.writing import write_row


def pipeline_of(dataset: Dataset, overrides: Sequence[str] = ()) -> Pipeline:
    """The pipeline that a dataset is made by, with its number of assets; `overrides` may only touch the section `run`."""
    for text in overrides:
        if not text.startswith("run."):
            raise ConfigError(f"a dataset's config can't be changed ('{text}'); only run.workers and the like can")
    return restore(dataset.info["pipeline"], dataset.info["config"], [f"run.assets={dataset.assets}", *overrides])


def _own(directory: str | Path) -> Dataset:
    """The dataset, where it can make its assets.

    Raises:
        ConfigError: there is none, or it was merged from several configs.
    """
    dataset = Dataset.open(directory)
    if dataset.merged:
        where = ", ".join(f"'{uri}'" for part in dataset.parts for uri in part["from"])
        raise ConfigError(f"'{dataset.uri}' was merged from several configs; do this to one of {where}, then merge again")
    return dataset


def _run(dataset: Dataset, overrides: Sequence[str], maker: Maker, options: Mapping[str, Any]) -> Summary:
    """The run, and then what extensions of the dataset lack for the shards that it sealed."""
    summary = run(pipeline_of(dataset, overrides), dataset.location, maker=maker, **options)
    if summary.complete and folder_columns.extensions(dataset):
        columns.extend(dataset.location)
    return summary


def retry(directory: str | Path, overrides: Sequence[str] = (), maker: Maker = stages.make, **options: Any) -> Summary:
    """Makes the failed assets again, and only them: the rows of their shards are kept.

    Args:
        options: of `mill.run.driver.run`.
    """
    dataset = _own(directory)
    with locked(dataset):
        for shard in dataset.sealed():
            entry = entries.read(dataset, shard)
            if entry and entry["failures"]:
                _reopen(dataset, shard, entry, keep=True)
    return _run(dataset, overrides, maker, options)


def regenerate(
    directory: str | Path, shards: Iterable[int], overrides: Sequence[str] = (), maker: Maker = stages.make, **options: Any
) -> Summary:
    """Makes whole shards again, from nothing but config and seed.

    Raises:
        ConfigError: a shard that the dataset does not have.
    """
    dataset = _own(directory)
    numbers = sorted(set(shards))
    if bad := [shard for shard in numbers if not 0 <= shard < dataset.shards]:
        raise ConfigError(f"shard {bad[0]} is not in this dataset; it has 0..{dataset.shards - 1}")
    with locked(dataset):
        for shard in numbers:
            _reopen(dataset, shard, None, keep=False)
    return _run(dataset, overrides, maker, options)


@dataclass(frozen=True)
class Remade:
    """What became of a shard that was made again.

    Attributes:
        verdict: "equal": its bytes are those that the ledger held the SHA-256 of. "equivalent": made under another fingerprint,
            and within the tolerances of `shards.compare` of the file that was there. "differs": neither. "unknown": made
            under another fingerprint, and nothing was left to compare it with.
        message: one sentence.
    """

    shard: int
    verdict: str
    message: str

    def __str__(self) -> str:
        return f"shard {self.shard}: {self.verdict}: {self.message}"


@dataclass(frozen=True)
class Repair:
    """How the dataset stands now, and what became of each shard that had a ledger entry or a file before."""

    summary: Summary
    remade: tuple[Remade, ...]


def repair(
    directory: str | Path, problems: Sequence[Problem] | None = None, maker: Maker = stages.make, **options: Any
) -> Repair:
    """Makes the shards again that have problems, and the unsealed ones, and says whether they are the same bytes as before.

    What was there is kept in DIR/replaced until it has been compared; a repair that was killed is finished by the next.

    Args:
        problems: of `mill.upkeep.verify`; None looks for them with `verify(directory)`.
    """
    dataset = _own(directory)
    all_problems = verify(directory) if problems is None else problems
    faulty = {problem.shard for problem in all_problems if problem.shard is not None}
    with locked(dataset):
        folder_columns.forget_damaged(dataset)
        for shard in sorted(faulty):
            _set_aside(dataset, shard)
    summary = regenerate(directory, faulty, maker=maker, **options)
    files = storage.list_files(dataset.fs, dataset.path("replaced"))
    shards = sorted({shard_number(path) for path in files})
    remade = tuple(_judge(dataset, shard) for shard in shards)
    dataset.remove_folder("replaced")
    return Repair(summary, remade)


def _set_aside(dataset: Dataset, shard: int) -> None:
    dataset.fs.create_dir(dataset.path("replaced"))
    if (entry := entries.read(dataset, shard)) is not None:
        dataset.write(f"replaced/{shard_name(shard)}.json", entry)
    if storage.exists(dataset.fs, path := dataset.path(dataset.shard_file(shard))):
        dataset.fs.move(path, dataset.path(f"replaced/{shard_name(shard)}.parquet"))


def _judge(dataset: Dataset, shard: int) -> Remade:
    new = entries.read(dataset, shard)
    if new is None:
        return Remade(shard, "differs", "its ledger entry is missing or damaged after the shard was made again")
    old = dataset.read(f"replaced/{shard_name(shard)}.json") or {}
    if new["sha256"] == old.get("sha256"):
        return Remade(shard, "equal", f"the bytes are those of the ledger's SHA-256 {new['sha256'][:12]}")
    known = old.get("sha256", "nothing")[:12]
    changed = differences(old["fingerprint"], new["fingerprint"]) if "fingerprint" in old else ["no fingerprint was recorded"]
    why = f"the SHA-256 is {new['sha256'][:12]}, the ledger held {known}; "
    why += f"another fingerprint ({changed[0]})" if changed else "the fingerprint is the same"
    before, now = dataset.path(f"replaced/{shard_name(shard)}.parquet"), dataset.path(new["file"])
    if not changed:
        return Remade(shard, "differs", why)
    try:
        comparison = compare_shards(dataset.fs, before, now)
    except (ShardError, FileNotFoundError):
        return Remade(shard, "unknown", f"{why}; the file that was there can't be read, so nothing can be compared")
    if comparison.equal:
        return Remade(shard, "equal", "the bytes are those of the file that was there")
    if comparison.equivalent:
        return Remade(shard, "equivalent", f"{why}; within the tolerances of shards.compare, which is not equal")
    return Remade(shard, "differs", f"{why}; {comparison.problems[0].message}")


def extend(
    directory: str | Path, assets: int, overrides: Sequence[str] = (), maker: Maker = stages.make, **options: Any
) -> Summary:
    """More of the same dataset: `assets` in all. Rows that are there stay; a last shard that was not full is filled.

    Raises:
        ConfigError: fewer assets than there are.
    """
    dataset = _own(directory)
    if assets < dataset.assets:
        raise ConfigError(f"'{dataset.uri}' has {dataset.assets} assets already; extend it to more, not to {assets}")
    Plan.of(pipeline_of(dataset, [f"run.assets={assets}", *overrides]), dataset.info["files"])
    with locked(dataset):
        last = dataset.shards - 1
        entry = entries.read(dataset, last)
        if entry and len(dataset.indices(last)) < dataset.per_shard and assets > dataset.assets:
            _reopen(dataset, last, entry, keep=True, failures=True)
        dataset.write("dataset.json", {**dataset.info, "assets": assets})
    return _run(Dataset.open(directory), overrides, maker, options)


def debug(directory: str | Path, index: int, maker: Maker = stages.make) -> Made:
    """Makes one asset of a dataset in this process, without Ray: what it raises is raised here, for a debugger.

    Raises:
        ConfigError: the dataset has no such index.
    """
    dataset = _own(directory)
    if not 0 <= index < dataset.assets:
        raise ConfigError(f"index {index} is not in this dataset; it has 0..{dataset.assets - 1}")
    pipeline = pipeline_of(dataset)
    plan = Plan.of(pipeline, dataset.info["files"])
    made_with = digest(fingerprint(pipeline.render.device, plan.outside))
    return maker(plan.recipe(dataset.info["digest"], made_with), plan.order(index), lambda stage: None)


def diff(first: str | Path, second: str | Path) -> list[str]:
    """What differs between two datasets: config, assets, fingerprints, shards; empty when their rows are the same bytes.

    A shard counts as equal only by its SHA-256; under different fingerprints shards are "remade", not equal.
    """
    a, b = Dataset.open(first), Dataset.open(second)
    lines = differences(comparable(a.info), comparable(b.info))
    ledgers = [{s: e for s in d.sealed() if (e := entries.read(d, s))} for d in (a, b)]
    for shard in sorted({*ledgers[0], *ledgers[1]}):
        one, two = ledgers[0].get(shard), ledgers[1].get(shard)
        if one is None or two is None:
            lines.append(f"shard {shard}: only in {first if two is None else second}")
        elif one["sha256"] != two["sha256"]:
            why = differences(one["fingerprint"], two["fingerprint"]) or differences(one["indices"], two["indices"], "indices")
            lines.append(f"shard {shard}: {one['sha256'][:12]} -> {two['sha256'][:12]}" + (f" ({why[0]})" if why else ""))
    had, has = ([(e.views, *e.passes) for e in folder_columns.extensions(d)] for d in (a, b))
    if had != has:
        return lines + differences(had, has, "extensions")
    return lines + differences(folder_columns.hashes(a), folder_columns.hashes(b), "extensions")


def _reopen(dataset: Dataset, shard: int, entry: dict[str, Any] | None, keep: bool, failures: bool = False) -> None:
    """Makes a shard unfinished; its rows and rejections go back to staging first when they are to be kept."""
    if keep and entry is not None:
        if storage.sha256(dataset.fs, dataset.path(entry["file"])) != entry["sha256"]:
            raise ShardError(
                f"'{entry['file']}' is not what the ledger says, so its rows can't be kept; "
                f"`versemill verify {dataset.uri} --repair` first"
            )
        staging = f"staging/{digest(entry['fingerprint'])[:12]}"
        seconds = entries.timings(dataset, shard)
        fates = {r["index"]: ("rejected", r) for r in entry["rejections"]}
        if failures:
            fates |= {f["index"]: ("failed", f) for f in entry["failures"]}
        for index, table in _rows(dataset, entry):
            sha256 = write_row(dataset.fs, dataset.path(row_file(staging, index)), table)
            fates[index] = ("row", {"index": index, "source": entry["sources"][str(index)], "sha256": sha256})
        for index, (status, fact) in sorted(fates.items()):
            base = {k: fact[k] for k in ("index", "source", "item") if k in fact}
            rest = {k: v for k, v in fact.items() if k not in base}
            kind = {"rejected": "rejection", "failed": "failure"}.get(status)
            record = {**seconds.get(str(index), {}), **base, "status": status, **({kind: rest} if kind else rest)}
            dataset.write(record_file(staging, index), record)
    dataset.remove(dataset.ledger_file(shard))


def _rows(dataset: Dataset, entry: dict[str, Any]) -> Iterable[tuple[int, pa.Table]]:
    """The rows of a sealed shard as the one-row tables that it was sealed from."""
    with pq.ParquetFile(dataset.path(entry["file"]), filesystem=dataset.fs) as file:
        position = 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).replace_schema_metadata(SCHEMA.metadata)
            for k in range(table.num_rows):
                yield entry["indices"][position], table.slice(k, 1)
                position += 1
