"""A bounded cache on disk, for shards in an object store: row groups, with the columns that were asked for, as Arrow files."""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs as pafs

from versemill.shards.storage import write_atomic

NAME = re.compile(r"[0-9a-f]{64}\.arrow")
"""Of the cache's own files: others that lie in the folder are neither counted nor removed."""


@dataclass(frozen=True)
class DiskCache:
    """A folder on a local disk that holds at most `limit` bytes; what was used longest ago goes first.

    Workers and runs share it: a file appears under its name only when it is whole, and a table that is mapped into
    memory stays readable after its file is gone. pyarrow's and fsspec's own caches have no bound on disk.
    """

    folder: str
    limit: int

    def table(self, key: str, make: Callable[[], pa.Table]) -> pa.Table:
        """The table of a key, mapped into memory; made, and kept if it fits, where it is not there."""
        table = self.get(key)
        if table is None:
            table = make()
            self.put(key, table)
        return table

    def get(self, key: str) -> pa.Table | None:
        """The table of a key, mapped into memory; None where it is not there."""
        path = self._path(key)
        try:
            os.utime(path)
            with pa.memory_map(str(path)) as file:
                return pa.ipc.open_file(file).read_all()
        except (OSError, pa.ArrowInvalid):
            return None

    def put(self, key: str, table: pa.Table) -> None:
        """Keeps a table if it fits."""
        if table.nbytes <= self.limit:
            path = self._path(key)
            with write_atomic(pafs.LocalFileSystem(), str(path)) as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
            self._evict()

    def _path(self, key: str) -> Path:
        return Path(self.folder).absolute() / f"{hashlib.sha256(key.encode()).hexdigest()}.arrow"

    def _evict(self) -> None:
        files = []
        for entry in os.scandir(self.folder):
            try:
                stat = entry.stat()
            except FileNotFoundError:  # another worker was faster
                continue
            if NAME.fullmatch(entry.name):
                files.append((stat.st_mtime_ns, entry.path, stat.st_size))
        total = sum(size for _, _, size in files)
        for _, path, size in sorted(files):
            if total <= self.limit:
                return
            Path(path).unlink(missing_ok=True)
            total -= size
