"""Local files. Own ones are written aside and renamed, so that a kill never leaves half of one (`shards.storage` does it for
datasets). Foreign ones must be regular files, end inside a root, and fit.

Links are followed as long as they end inside one of the roots, so that a model hub's cache, whose files are links, is read.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from versemill.errors import AssetError


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A hidden path next to `path` to write to: renamed onto it when the block ends well, removed when it raises."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield aside
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def is_inside(path: Path, roots: Iterable[Path]) -> bool:
    """Whether a path, its links followed, ends below one of the roots."""
    target = Path(os.path.realpath(path))
    return any(target.is_relative_to(os.path.realpath(root)) for root in roots)


def open_foreign(path: Path, roots: Iterable[Path], limit: int) -> bytes:
    """The bytes of a regular file that ends inside one of the roots.

    Raises:
        AssetError: "unsafe_path" where it ends outside; "missing_file" where there is none, or something else than a file;
            "too_large" above `limit` bytes; "unreadable" where the system refuses.
    """
    with open_regular(path, roots) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise AssetError("too_large", f"{path.name} has {size} bytes; the limit max_bytes is {limit}")
        try:
            return file.read(limit)
        except OSError as error:
            raise AssetError("unreadable", f"{path.name} can't be read: {error.strerror}") from error


def open_regular(path: Path, roots: Iterable[Path]) -> BufferedReader:
    """A regular file that ends inside one of the roots, open for reading.

    Raises:
        AssetError: as `open_foreign`, but for its size.
    """
    roots = tuple(roots)
    if not is_inside(path, roots):
        raise AssetError(
            "unsafe_path",
            f"'{path.name}' ends outside {', '.join(map(str, roots))}; "
            "name a root (--root) that holds it, or put it next to the model",
        )
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise AssetError("missing_file", f"{path} is not a file") from error
    except OSError as error:
        raise AssetError("unreadable", f"{path.name} can't be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise AssetError("missing_file", f"{path} is not a regular file")
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
