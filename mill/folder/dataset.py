"""The dataset folder: what lies where, who may write, and what is finished.

    DIR/dataset.json                 resolved config, digest, seed, assets, the record of source files, versions
    DIR/shards/shard-000000.parquet  sealed rows
    DIR/ledger/shard-000000.json     SHA-256, rows, rejections, failures of a sealed shard
    DIR/timings/shard-000000.json    seconds per asset and stage; never part of what is compared
    DIR/staging/FINGERPRINT/         finished assets of shards that are not sealed yet
    DIR/runs/000001-ID.json          one file per run: when, how wide, how long, cores busy
    DIR/metrics.prom                 the latest run for Prometheus
    DIR/census.json                  sums over ledger and timings; derived, may be deleted
    DIR/README.md                    the dataset card of a finished dataset
    DIR/duplicates/                  what `dedup` found: a table, and the descriptors that it compared
    DIR/exports/FORMAT/              what `run.then: [export]` wrote
    DIR/validation.json, validation/ the verdict of `validate`, and its model
    DIR/after.json                   which stages after the last shard are done, and of which shards
    DIR/replaced/                    shards that `verify --repair` makes again, until they are compared
    DIR/columns/0001/                views or passes that `extend` added: columns.json, shards/ and ledger/ of their own
    DIR/lock                         held while a run writes

DIR is a local path or a URI (`s3://`, `gs://`, ...). A file appears under its name only when it is whole.
"""

import fcntl
import json
import os
import platform
import posixpath
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from pyarrow import fs as pafs

from versemill import CONVENTION_VERSION, __version__
from versemill.config import digest
from versemill.errors import BusyError, ConfigError
from versemill.mill.folder import checked
from versemill.mill.pipeline.config import AFTERWARDS, Pipeline
from versemill.shards import storage
from versemill.shards.folder import shard_name
from versemill.shards.schema import SCHEMA_VERSION

FORMAT = 1
KEYS = ("pipeline", "digest", "seed", "assets", "config", "files", "conventions", "versions")
REMAINS = ("lock", "staging", "runs", "metrics.prom")
"""What workers and record of a run may write into a folder that somebody removed meanwhile; a new run clears it."""

CONVENTIONS = {
    "version": CONVENTION_VERSION,
    "world": "right-handed, Z up; the asset's longest side is 2, its bounding box centred at the origin",
    "camera": "OpenCV axes; c2w; K in pixels; the centre of pixel (0, 0) is (0.5, 0.5)",
    "depth": "planar z; 0 is background",
    "normal": "world-space unit vector of the visible side; 0 is background",
    "rgb": "sRGB, straight alpha",
    "sdf": "negative inside",
}


@dataclass(frozen=True)
class Dataset:
    """A dataset folder.

    Attributes:
        uri: as the user wrote it, without credentials: to be shown and written.
        fs, root: its file system and the path within it.
        location: as the user wrote it, to open it again; it may hold credentials.
    """

    uri: str
    fs: pafs.FileSystem
    root: str
    location: str = field(repr=False)

    @classmethod
    def at(cls, uri: str | Path) -> "Dataset":
        """The folder at a path or URI, whether or not there is a dataset in it."""
        fs, root = storage.open_storage(uri)
        return cls(storage.shown(uri), fs, root, root if "://" not in str(uri) else str(uri))

    @classmethod
    def open(cls, uri: str | Path) -> "Dataset":
        """The dataset at a path or URI.

        Raises:
            ConfigError: there is none.
        """
        dataset = cls.at(uri)
        if not storage.exists(dataset.fs, dataset.path("dataset.json")):
            raise ConfigError(
                f"'{dataset.uri}' holds no dataset (no dataset.json); "
                f"make one with `versemill run PIPELINE --out {dataset.uri}`"
            )
        return dataset

    @property
    def local(self) -> bool:
        """Whether it lies on this machine's file system."""
        return isinstance(self.fs, pafs.LocalFileSystem)

    def path(self, *parts: str) -> str:
        """A path within the dataset, for `fs`."""
        return storage.join(self.root, *parts)

    @cached_property
    def info(self) -> dict[str, Any]:
        """The content of dataset.json, read once.

        Raises:
            ConfigError: it is damaged, or of another format.
        """
        content = self.read("dataset.json")
        if not isinstance(content, dict) or content.get("format") != FORMAT or not set(KEYS) <= set(content):
            name = self.path("dataset.json")
            raise ConfigError(
                f"'{name}' is damaged, was changed by hand, or is of another format than {FORMAT}; restore it, or start in "
                "an empty folder"
            )
        return content

    @property
    def assets(self) -> int:
        """How many indices the dataset has."""
        return self.info["assets"]

    @property
    def per_shard(self) -> int:
        """Indices per shard; the last one may have fewer."""
        return self.info["config"]["shards"]["assets_per_shard"]

    @property
    def merged(self) -> bool:
        """Whether it is a union of several configs (see mill/merge.py), which no run can continue."""
        return "parts" in self.info

    @property
    def parts(self) -> list[dict[str, Any]]:
        """What each dataset that it was merged from was, in the order of their shards; of any other dataset, itself."""
        return self.info.get("parts") or [self.info]

    @property
    def shards(self) -> int:
        """How many shards the dataset has when it is complete."""
        return sum(shard_count(part) for part in self.parts)

    def indices(self, shard: int) -> range:
        """The asset indices of a shard: those of its part, where the dataset was merged; none beyond the last shard."""
        if (place := self.part(shard)) is None:
            return range(0)
        part, number = place
        per = part["config"]["shards"]["assets_per_shard"]
        return range(number * per, min((number + 1) * per, part["assets"]))

    def part(self, shard: int) -> tuple[dict[str, Any], int] | None:
        """The one of `parts` that a shard belongs to, and the shard's number there; None beyond the last shard."""
        for part in self.parts:
            if shard < shard_count(part):
                return part, shard
            shard -= shard_count(part)
        return None

    def shard_file(self, shard: int) -> str:
        """Path of a shard, relative to the dataset."""
        return f"shards/{shard_name(shard)}.parquet"

    def ledger_file(self, shard: int) -> str:
        """Path of a shard's ledger entry, relative to the dataset."""
        return f"ledger/{shard_name(shard)}.json"

    def timings_file(self, shard: int) -> str:
        """Path of a shard's timings, relative to the dataset."""
        return f"timings/{shard_name(shard)}.json"

    def sealed(self) -> list[int]:
        """Shards of this dataset with a ledger file, rising; other files in the ledger do not count."""
        names = (posixpath.basename(p) for p in storage.list_files(self.fs, self.path("ledger"), ".json"))
        return sorted(shard for name in names if (shard := shard_of(name)) is not None and shard < self.shards)

    def read(self, name: str) -> Any:
        """A JSON file of the dataset, or None where it is missing or damaged; see `mill.folder.checked`."""
        try:
            return checked.decode(storage.read_bytes(self.fs, self.path(name)))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def write(self, name: str, value: Any) -> None:
        """Writes a JSON file of the dataset, atomically, with the digest of its bytes."""
        storage.write_bytes(self.fs, self.path(name), checked.encode(value))

    def set_aside(self, name: str) -> str:
        """Moves a file that does not belong where it lies to DIR/damaged, and returns its new name."""
        target = f"damaged/{name.replace('/', '-')}"
        self.fs.create_dir(self.path("damaged"))
        self.fs.move(self.path(name), self.path(target))
        return target

    def remove(self, name: str) -> None:
        """Removes a file of the dataset if it is there."""
        if storage.exists(self.fs, self.path(name)):
            self.fs.delete_file(self.path(name))

    def folders(self, name: str) -> list[str]:
        """Names of the folders in a folder of the dataset, sorted; empty where there is no such folder."""
        selector = pafs.FileSelector(self.path(name), allow_not_found=True)
        return sorted(i.base_name for i in self.fs.get_file_info(selector) if i.type == pafs.FileType.Directory)

    def remove_folder(self, name: str) -> None:
        """Removes a folder of the dataset with all it holds, if it is there."""
        if storage.exists(self.fs, self.path(name)):
            self.fs.delete_dir(self.path(name))

    def runs(self) -> list[dict[str, Any]]:
        """The records of all runs, oldest first; a damaged one is left out."""
        names = [posixpath.basename(p) for p in storage.list_files(self.fs, self.path("runs"), ".json")]
        records = [content for name in names if is_record(content := self.read(f"runs/{name}"))]
        return sorted(records, key=lambda record: record["number"])


def shard_of(name: str) -> int | None:
    """The number in the name of a shard's file ("shard-000003.json"); None for any other name."""
    match = re.fullmatch(r"shard-(\d{6,9})\.(json|parquet)", name)
    return int(match[1]) if match else None


RECORD = {"number": int, "state": str, "made": int, "wall": int | float, "cores": int, "busy": int | float}
"""What is read of a run's record at least."""


def is_record(content: Any) -> bool:
    """Whether this is the record of a run."""
    return isinstance(content, dict) and all(isinstance(content.get(name), kind) for name, kind in RECORD.items())


def shard_count(info: Mapping[str, Any]) -> int:
    """How many shards a dataset.json stands for."""
    return -(-info["assets"] // info["config"]["shards"]["assets_per_shard"])


def describe(pipeline: Pipeline, assets: int, files: Mapping[str, Any]) -> dict[str, Any]:
    """The content of dataset.json.

    Args:
        files: source entry -> `mill.pipeline.sources.record`, for the entries that read a folder.
    """
    return {
        "format": FORMAT,
        "pipeline": pipeline.name,
        "description": pipeline.description,
        "digest": data_digest(pipeline, files),
        "seed": pipeline.run.seed,
        "assets": assets,
        "config": pipeline.resolved,
        "files": files,
        "conventions": CONVENTIONS,
        "versions": {"versemill": __version__, "schema": SCHEMA_VERSION},
    }


def data_digest(pipeline: Pipeline, files: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of all that decides the rows under one fingerprint: the config and the source files' hashes."""
    hashes = {entry: {path: item["sha256"] for path, item in record.items()} for entry, record in files.items()}
    return digest({**pipeline.data, "files": hashes}) if hashes else pipeline.digest


def is_there(dataset: Dataset, description: Mapping[str, Any]) -> bool:
    """Whether the folder holds this very dataset; False: it is new or empty.

    Raises:
        ConfigError: the folder holds another dataset (says what differs), a damaged one, or something else.
    """
    if not storage.exists(dataset.fs, dataset.path("dataset.json")):
        selector = pafs.FileSelector(dataset.root, allow_not_found=True)
        names = {info.base_name for info in dataset.fs.get_file_info(selector)}
        others = sorted(name for name in names if name not in REMAINS and not name.endswith(storage.TEMPORARY))
        if others:
            raise ConfigError(
                f"'{dataset.uri}' is not empty and holds no dataset ({', '.join(others[:3])}); choose another --out"
            )
        return False
    differing = differences(comparable(dataset.info), comparable(description))
    if differing:
        shown = "; ".join(differing[:4]) + (f"; and {len(differing) - 4} more" if len(differing) > 4 else "")
        raise ConfigError(
            f"'{dataset.uri}' holds another dataset: {shown}. Choose another --out, or the config it was made with"
        )
    return True


def establish(dataset: Dataset, description: dict[str, Any]) -> None:
    """Writes dataset.json into a new folder, or checks that the one there is the same dataset; raises as `is_there` does."""
    if not is_there(dataset, description):
        for name in ("staging", "runs"):
            dataset.remove_folder(name)
        dataset.write("dataset.json", description)


def comparable(info: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a dataset's rows, from its dataset.json: what must be equal for two runs to write into one folder."""
    config = {k: v for k, v in info["config"].items() if k not in AFTERWARDS}
    entries = {
        name: {k: v for k, v in entry.items() if not (entry["source"] == "files" and k == "path")}
        for name, entry in config["sources"].items()
    }
    files = {e: {p: item["sha256"] for p, item in record.items()} for e, record in info["files"].items()}
    return {
        "seed": info["seed"],
        "assets": info["assets"],
        **config,
        "sources": entries,
        "files": files,
        "conventions": info["conventions"]["version"],
        "schema": info["versions"]["schema"],
    }


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """ "path: old -> new" for every leaf that differs between two JSON-able values, in the order of keys."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(k for k in new if k not in old)]
        return [
            line
            for key in keys
            for line in differences(old.get(key, "(absent)"), new.get(key, "(absent)"), f"{path}.{key}" if path else key)
        ]
    return [] if old == new else [f"{path}: {_short(old)} -> {_short(new)}"]


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


@contextmanager
def locked(dataset: Dataset) -> Iterator[None]:
    """Holds the dataset's lock: one run writes at a time. The kernel lets it go when the process dies.

    An object store has no locks; there, two runs at once only cost double work, since both write the same bytes.

    Raises:
        ConfigError: the folder can't be made or written.
        OSError: the disk is full or read-only.
        BusyError: another run holds the lock.
    """
    if not dataset.local:
        yield
        return
    path = Path(dataset.path("lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+")
    except storage.MISTAKES as error:
        raise ConfigError(f"can't write to '{dataset.uri}': {error.strerror or error}; choose another --out") from error
    with handle:
        try:
            _lock(handle)
        except OSError as error:
            handle.seek(0)
            raise BusyError(f"another run is writing to '{dataset.uri}' ({handle.read().strip() or 'no name'})") from error
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()} on {platform.node()}\n")
        handle.flush()
        yield


def _lock(handle: TextIO, patience: float = 1.0) -> None:
    """Locks the file; waits a moment, because `is_running` holds the lock for an instant when it looks."""
    end = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def is_running(dataset: Dataset) -> bool:
    """Whether a run holds the lock right now (always False for an object store)."""
    path = Path(dataset.path("lock")) if dataset.local else None
    if path is None or not path.exists():
        return False
    try:
        with path.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
