"""The union of datasets: sealed shards are kept byte for byte, the ledger is rewritten, splits stay as they are.

Datasets of one config and seed (made in pieces, on several machines) become that very dataset, and a run can continue it.
With datasets of different configs or seeds, dataset.json keeps what each part was (`parts`), and the parts' shards follow one
another; rows keep their ids, which begin with the digest of their part. Such a dataset can be read, verified, reported,
exported and validated; what makes assets (run, retry, extend) is done to a part where it was made, and merged again.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from versemill import CONVENTION_VERSION, __version__
from versemill.config import digest
from versemill.errors import ConfigError, ShardError
from versemill.mill.folder import card, columns, entries
from versemill.mill.folder.dataset import FORMAT, Dataset, is_running, is_there, locked, shard_count
from versemill.mill.folder.ledger import Summary, summarise
from versemill.shards import storage
from versemill.shards.rows import DIGEST_DIGITS, row_id
from versemill.shards.schema import SCHEMA_VERSION

Info = dict[str, Any]
"""The content of a dataset.json."""

Rename = Callable[[str], str]

ABOUT = ("pipeline", "description", "digest", "seed", "assets", "config", "files", "conventions", "versions")
"""What `parts` keeps of a part's dataset.json."""


@dataclass(frozen=True)
class _Sealed:
    """A sealed shard where it lies: its dataset, its number there, and its ledger entry."""

    dataset: Dataset
    number: int
    entry: dict[str, Any]


@dataclass
class _Part:
    """All that is given of one config and seed: its description, and its shards by the numbers that its own run gives them."""

    info: Info
    uris: list[str] = field(default_factory=list)
    shards: dict[int, _Sealed] = field(default_factory=dict)


def merge(
    directories: Sequence[str | Path], out: str | Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Summary:
    """Merges datasets into a folder of its own. The same call resumes one that was killed, and replaces damaged copies.

    A shard is hard-linked where both folders lie on one disk, and copied otherwise; either way its SHA-256 is compared
    with the ledger first.

    Args:
        progress: called with (shards taken over, shards in all).

    Raises:
        ConfigError: fewer than two datasets, one of them unfinished, being written or of other conventions or schema; two
            that hold the same id; or `out` holds something else.
        ShardError: a shard is not what its ledger says.
    """
    given = [Dataset.open(directory) for directory in directories]
    target = Dataset.at(out)
    _refuse(given, target)
    parts = _parts(given)
    description = {**parts[0].info, "from": parts[0].uris} if len(parts) == 1 else _union(parts)
    if len(parts) > 1:
        for part in parts:
            _refuse_unfinished(part)
    with locked(target):
        if is_there(target, description):
            digests = [target.info["digest"], *(p["digest"] for p in target.info.get("parts", ()))]
            if digests != [description["digest"], *(p["digest"] for p in description.get("parts", ()))]:
                raise ConfigError(f"'{out}' holds another dataset; choose another --out")
        else:
            target.write("dataset.json", description)
        for folder in ("", "shards", "ledger", "timings"):
            storage.clear_temporary(target.fs, target.path(folder).rstrip("/"))
        total, done, first = sum(len(part.shards) for part in parts), 0, 0
        for part in parts:
            rename: Rename = _same if len(parts) == 1 else partial(_entry_name, _label(part.info))
            for number, sealed in sorted(part.shards.items()):
                _take_over(sealed, target, first + number, description["digest"], rename)
                done += 1
                progress(done, total)
            first += shard_count(part.info)
        summary = summarise(Dataset.open(out))
        if summary.complete:
            card.write(target)
    return summary


def _refuse(given: Sequence[Dataset], target: Dataset) -> None:
    if len(given) < 2:
        raise ConfigError(f"a merge needs two datasets or more, got {len(given)}")
    for dataset in given:
        if dataset.root == target.root:
            raise ConfigError(f"'{target.uri}' is one of the datasets; the union needs a folder of its own, --out DIR")
        if is_running(dataset):
            raise ConfigError(f"a run is writing to '{dataset.uri}'; merge when it is done")
        if columns.extensions(dataset):
            raise ConfigError(
                f"'{dataset.uri}' was extended by views or passes, which a union would lack; leave it out and read it by itself"
            )
        have = dataset.info["conventions"]["version"], dataset.info["versions"]["schema"]
        if have != (CONVENTION_VERSION, SCHEMA_VERSION):
            raise ConfigError(
                f"'{dataset.uri}' has conventions {have[0]} and schema {have[1]}; here they are {CONVENTION_VERSION} and "
                f"{SCHEMA_VERSION}: make it again with this version"
            )


def _parts(given: Sequence[Dataset]) -> list[_Part]:
    """The parts of all datasets, by digest; a dataset that was merged before falls into its own.

    Raises:
        ConfigError: two of them hold the same id, or a ledger entry is damaged.
    """
    by_digest: dict[str, _Part] = {}
    for dataset in given:
        first = 0
        sealed = set(dataset.sealed())
        for about in dataset.parts:
            info = {"format": FORMAT, **{key: about.get(key, "") for key in ABOUT}}
            part = by_digest.setdefault(info["digest"], _Part(info))
            part.uris += [uri for uri in about.get("from", [dataset.uri]) if uri not in part.uris]
            if info["assets"] > part.info["assets"]:
                part.info = info
            for number in range(shard_count(info)):
                if first + number in sealed:
                    _add(part, number, _read(dataset, first + number))
            first += shard_count(info)
    parts = list(by_digest.values())
    heads: dict[str, _Part] = {}
    for part in parts:
        other = heads.setdefault(part.info["digest"][:DIGEST_DIGITS], part)
        if other is not part:
            raise ConfigError(
                f"the digests of '{other.uris[0]}' and '{part.uris[0]}' both begin with "
                f"{part.info['digest'][:DIGEST_DIGITS]}, so their ids collide; make one of them with another --seed"
            )
        _refuse_partial(part)
    return parts


def _read(dataset: Dataset, number: int) -> _Sealed:
    entry = entries.read(dataset, number)
    if entry is None:
        raise ConfigError(f"ledger entry {number} of '{dataset.uri}' is damaged; `versemill verify {dataset.uri} --repair`")
    return _Sealed(dataset, number, entry)


def _add(part: _Part, number: int, sealed: _Sealed) -> None:
    """Adds a shard; the same bytes given twice count once."""
    known = part.shards.setdefault(number, sealed)
    if known.entry["sha256"] != sealed.entry["sha256"]:
        index = min(map(int, sealed.entry["sources"]))
        raise ConfigError(
            f"'{known.dataset.uri}' and '{sealed.dataset.uri}' both hold {row_id(part.info['digest'], index)}, in shards "
            f"of other bytes ({known.entry['sha256'][:12]}, {sealed.entry['sha256'][:12]}); leave one of them out"
        )


def _refuse_partial(part: _Part) -> None:
    """A last shard is full only in the dataset with the most assets."""
    per = part.info["config"]["shards"]["assets_per_shard"]
    for number, sealed in part.shards.items():
        expected = min(per, part.info["assets"] - number * per)
        if len(sealed.entry["sources"]) != expected:
            uri = sealed.dataset.uri
            raise ConfigError(
                f"shard {sealed.number} of '{uri}' holds {len(sealed.entry['sources'])} assets, the union's holds {expected}; "
                f"`versemill extend {uri} --assets {part.info['assets']}` first"
            )


def _refuse_unfinished(part: _Part) -> None:
    lacking = shard_count(part.info) - len(part.shards)
    if lacking:
        raise ConfigError(
            f"'{part.uris[0]}' lacks {lacking} of {shard_count(part.info)} shards; finish it first, since a union of several "
            "configs can't be run on"
        )


def _union(parts: Sequence[_Part]) -> Info:
    """dataset.json of several parts: what they share of the configuration, all sources, and each part's own."""
    total = sum(part.info["assets"] for part in parts)
    first = parts[0].info["config"]
    config = {
        name: section for name, section in first.items() if all(part.info["config"].get(name) == section for part in parts[1:])
    }
    weights = [part.info["assets"] / total for part in parts]
    splits = zip(*(part.info["config"]["shards"]["splits"] for part in parts), strict=True)
    config |= {
        "sources": {},
        "shards": {**first["shards"], "splits": [sum(w * s for w, s in zip(weights, each, strict=True)) for each in splits]},
        "validate": first["validate"],
    }
    files: dict[str, Any] = {}
    for part, weight in zip(parts, weights, strict=True):
        entries = part.info["config"]["sources"]
        shares = sum(entry["share"] for entry in entries.values())
        for name, entry in entries.items():
            config["sources"][_entry_name(_label(part.info), name)] = {**entry, "share": weight * entry["share"] / shares}
        files |= {_entry_name(_label(part.info), name): record for name, record in part.info["files"].items()}
    return {
        "format": FORMAT,
        "pipeline": " + ".join(_label(part.info) for part in parts),
        "description": f"merged from {len(parts)} datasets",
        "digest": digest([[part.info["digest"], part.info["assets"]] for part in parts]),
        "seed": [part.info["seed"] for part in parts],
        "assets": total,
        "config": config,
        "files": files,
        "conventions": parts[0].info["conventions"],
        "versions": {"versemill": __version__, "schema": SCHEMA_VERSION},
        "parts": [{"from": part.uris, **{key: part.info[key] for key in ABOUT}} for part in parts],
    }


def repeats(dataset: Dataset) -> list[str]:
    """A sentence for each two parts of a union that have the same seed and sources, and so the same shapes."""
    return [
        f"{_label(a)} and {_label(b)} have the same seed and sources, so the union holds the same shapes twice; "
        "for others, make one of them with another --seed"
        for a, b in combinations(dataset.parts, 2)
        if a["seed"] == b["seed"] and a["config"]["sources"] == b["config"]["sources"]
    ]


def _label(info: Info) -> str:
    """Unique among parts: the pipeline, and the head of the digest with which the ids begin."""
    return f"{info['pipeline']}-{info['digest'][:DIGEST_DIGITS]}"


def _entry_name(label: str, entry: str) -> str:
    """A source entry's name in the union; one that comes from an earlier union has it already."""
    return entry if entry.startswith(f"{label}/") else f"{label}/{entry}"


def _same(entry: str) -> str:
    return entry


def _take_over(sealed: _Sealed, target: Dataset, number: int, target_digest: str, rename: Rename) -> None:
    """Puts a shard, its timings and its ledger entry in place, the entry last; leaves alone what is there already."""
    entry = sealed.entry
    name = target.shard_file(number)
    here = entries.read(target, number)
    new = {
        **entry,
        "shard": number,
        "file": name,
        "sources": {index: rename(source) for index, source in entry["sources"].items()},
        **{k: [{**lost, "source": rename(lost["source"])} for lost in entry[k]] for k in ("rejections", "failures")},
        "digest": target_digest,
    }
    if here == new and _hash(target, name) == entry["sha256"]:
        return
    if here is not None:
        target.remove(target.ledger_file(number))
    _place(sealed, target, name)
    timings = entries.timings(sealed.dataset, sealed.number)
    assets = {i: {**r, "source": rename(r["source"])} if "source" in r else r for i, r in timings.items()}
    target.write(target.timings_file(number), {"shard": number, "assets": assets})
    target.write(target.ledger_file(number), new)


def _place(sealed: _Sealed, target: Dataset, name: str) -> None:
    """Links or copies a shard's file.

    Raises:
        ShardError: it is missing, or its bytes are not those that the ledger knows.
    """
    source, file, sha256 = sealed.dataset, sealed.entry["file"], sealed.entry["sha256"]
    fault = f"'{source.uri}/{file}' is {{}}; `versemill verify {source.uri} --repair`, then merge again"
    if not storage.exists(source.fs, source.path(file)):
        raise ShardError(fault.format("missing"))
    if source.local and target.local:
        if _hash(source, file) != sha256:
            raise ShardError(fault.format("not what the ledger says"))
        path = Path(target.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another disk, or one without links
            path.hardlink_to(source.path(file))
            return
    with source.fs.open_input_stream(source.path(file)) as stream, storage.write_atomic(target.fs, target.path(name)) as sink:
        while block := stream.read(storage.BLOCK):
            sink.write(block)
        if sink.sha256 != sha256:
            raise ShardError(fault.format("not what the ledger says"))


def _hash(dataset: Dataset, name: str) -> str | None:
    path = dataset.path(name)
    return storage.sha256(dataset.fs, path) if storage.exists(dataset.fs, path) else None
