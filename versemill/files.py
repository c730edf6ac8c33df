"""Local files: written aside and renamed, so that a kill never leaves half of one. `shards.storage` does it for datasets."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
