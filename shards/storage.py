"""Files wherever they are: local paths, `s3://`, `gs://` through pyarrow; any other scheme through fsspec.

A file gets its final name only when it is whole: it is written under a temporary name (hidden, in the same
folder), flushed to disk, and renamed.
"""

import hashlib
import os
import posixpath
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs as pafs

from versemill.errors import ConfigError, VersemillError

TEMPORARY = ".tmp"
MISTAKES = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)
"""Errors of a path that a user gave; any other error of a file system may be gone when the same command is run again."""

USER = re.compile(r"(?<=://)[^/?#]*@")
SECRET = re.compile(r"(?<=[?&])(access_key|secret_key|session_token|token|password|sig|se|key)=[^&#]*", re.IGNORECASE)

BLOCK = 1 << 22

Place = tuple[pafs.FileSystem, str]


def open_storage(uri: str | Path) -> Place:
    """The file system of a path or URI, and the path within it.

    Raises:
        ConfigError: no file system knows the scheme.
        VersemillError: it can't be reached.
    """
    text = str(uri)
    if "://" not in text:
        return pafs.LocalFileSystem(), str(Path(text).absolute())
    scheme, _, rest = text.partition("://")
    try:
        if scheme in ("file", "s3", "gs", "gcs", "abfs", "hdfs"):
            return pafs.FileSystem.from_uri(text)
        import fsspec

        return pafs.PyFileSystem(pafs.FSSpecHandler(fsspec.filesystem(scheme))), rest
    except (pa.ArrowException, ValueError, ImportError) as error:
        why = str(error).replace(text, shown(text))
        raise ConfigError(
            f"'{shown(text)}' can't be opened ({why}); use a local path, s3://, gs:// or an fsspec scheme"
        ) from error
    except OSError as error:
        why = str(error).replace(text, shown(text))
        raise VersemillError(f"'{shown(text)}' can't be reached ({why}); run the same command when it can") from error


def shown(uri: str | Path) -> str:
    """A location as it may be shown and written: without the user, password and keys that a URI may hold."""
    return SECRET.sub(r"\1=...", USER.sub("", str(uri)))


def join(*parts: str) -> str:
    """A path from its parts, with forward slashes."""
    return posixpath.join(*parts)


@contextmanager
def write_atomic(fs: pafs.FileSystem, path: str) -> Iterator["HashingSink"]:
    """A sink for the file `path`: renamed into place when the block ends well, removed when it raises.

    On a local disk the bytes are flushed to the disk before the rename. Missing folders are made; an object store has none.
    """
    folder, name = posixpath.split(path)
    if not has_objects(fs):
        fs.create_dir(folder, recursive=True)
    temporary = join(folder, f".{name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with fs.open_output_stream(temporary) as stream:
            sink = HashingSink(stream)
            yield sink
        if isinstance(fs, pafs.LocalFileSystem):
            _sync(temporary)
        fs.move(temporary, path)
        if isinstance(fs, pafs.LocalFileSystem):
            _sync(folder)
    except BaseException:
        if exists(fs, temporary):
            fs.delete_file(temporary)
        raise


class HashingSink:
    """A writable file that counts its bytes and hashes them on the way."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._hash, self.bytes, self.closed = stream, hashlib.sha256(), 0, False

    def write(self, data: Any) -> int:
        """Writes all of `data`; returns its length."""
        self._stream.write(data)
        self._hash.update(data)
        size = memoryview(data).nbytes
        self.bytes += size
        return size

    def tell(self) -> int:
        """Bytes written so far."""
        return self.bytes

    def flush(self) -> None:
        """Nothing to do: the stream is closed, then synced, by `write_atomic`."""

    def close(self) -> None:
        """Leaves the stream open: `write_atomic` owns it."""

    def writable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Never."""
        return False

    def seekable(self) -> bool:
        """Never."""
        return False

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the bytes so far."""
        return self._hash.hexdigest()


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def has_objects(fs: pafs.FileSystem) -> bool:
    """Whether this is an object store: an object appears when its upload is complete, and folders are only names."""
    return fs.type_name in ("s3", "gcs", "abfs")


def write_bytes(fs: pafs.FileSystem, path: str, data: bytes) -> None:
    """Writes a whole file, atomically. An object store gets it in one request, since each costs time and money."""
    if has_objects(fs):
        with fs.open_output_stream(path) as stream:
            stream.write(data)
        return
    with write_atomic(fs, path) as sink:
        sink.write(data)


def read_bytes(fs: pafs.FileSystem, path: str) -> bytes:
    """A whole file. Raises FileNotFoundError."""
    with fs.open_input_stream(path) as stream:
        return stream.read()


def exists(fs: pafs.FileSystem, path: str) -> bool:
    """Whether a file or folder is there."""
    return fs.get_file_info(path).type != pafs.FileType.NotFound


def list_files(fs: pafs.FileSystem, folder: str, suffix: str = "") -> list[str]:
    """Sorted paths of the finished files directly in a folder; empty where there is no such folder."""
    selector = pafs.FileSelector(folder, allow_not_found=True)
    files = [f.path for f in fs.get_file_info(selector) if f.type == pafs.FileType.File]
    return sorted(f for f in files if f.endswith(suffix) and not posixpath.basename(f).startswith("."))


def clear_temporary(fs: pafs.FileSystem, folder: str) -> int:
    """Removes what killed writers left in a folder; returns how many files. Call it while nothing writes there."""
    selector = pafs.FileSelector(folder, allow_not_found=True)
    left = [f.path for f in fs.get_file_info(selector) if posixpath.basename(f.path).endswith(TEMPORARY)]
    for path in left:
        fs.delete_file(path)
    return len(left)


def sha256(fs: pafs.FileSystem, path: str) -> str:
    """SHA-256 (hex) of a file. Raises FileNotFoundError."""
    h = hashlib.sha256()
    with fs.open_input_stream(path) as stream:
        while block := stream.read(BLOCK):
            h.update(block)
    return h.hexdigest()
