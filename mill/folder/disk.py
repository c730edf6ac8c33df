"""Disk space: is there enough before a run starts, and during it?"""

import math
import os
from pathlib import Path

from versemill.errors import VersemillError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline.config import Pipeline
from versemill.render.presets import CAMERAS

SAMPLE = 8
"""Rows after which their mean size is believed."""

SLACK_BYTES = 64 * 2**20
"""What ledgers, records and everybody else's small files may take."""

PIXEL_BYTES = {"rgb": 0.25, "normal": 0.25, "depth": 0.1}
"""A pixel of a pass takes at least so much where most of the picture is background; other passes nearly nothing."""

POINT_BYTES = 20
"""A field sample takes at least so much."""


def free(dataset: Dataset) -> int | None:
    """Bytes that this process may still write to the dataset's file system; None for an object store and for /proc."""
    return _free(Path(dataset.root)) if dataset.local else None


def _free(path: Path) -> int | None:
    system = _system(path)
    return system.f_bavail * system.f_frsize if system.f_blocks else None  # /proc and its like have no blocks


def _is_read_only(path: Path) -> bool:
    return bool(_system(path).f_flag & os.ST_RDONLY)


def _system(path: Path) -> os.statvfs_result:
    """Of the nearest folder that exists."""
    while not path.exists():
        path = path.parent
    return os.statvfs(path)


def least(pipeline: Pipeline) -> float:
    """Bytes that a row takes at least, from the config alone."""
    render, fields = pipeline.render, pipeline.fields
    views = render.cameras.views or CAMERAS[render.cameras.preset].views
    pixels = views * render.width * render.height * sum(PIXEL_BYTES.get(name, 0.0) for name in render.passes)
    return pixels + POINT_BYTES * (fields.surface_points + fields.near_points + fields.volume_points)


class Guard:
    """Compares what the rest of a run needs with what is free.

    Args:
        dataset: where it is written.
        row_bytes: that a row takes at least; the mean of the rows that are there counts as soon as there are some.
    """

    def __init__(self, dataset: Dataset, row_bytes: float) -> None:
        self._dataset, self._least = dataset, row_bytes

    def before(self, left: int) -> None:
        """Refuses a run whose rest can't fit.

        Args:
            left: assets that are still to be made.

        Raises:
            VersemillError: it needs more than is free (says both, and how many assets would fit), or the disk is read-only.
        """
        if self._dataset.local and _is_read_only(Path(self._dataset.root)):
            raise VersemillError(f"the disk of '{self._dataset.uri}' is read-only; remount it, or choose another --out")
        self._compare(left, self._least * 0.5, "at least ")  # rejected assets take nothing

    def during(self, made: int, row_bytes: int, left: int, in_flight: int) -> None:
        """Stops a run before it fills the disk.

        Args:
            made, row_bytes: assets that were made, and the bytes of their rows.
            in_flight: assets that are being made.

        Raises:
            VersemillError: the rest can't fit, or the disk is nearly full.
        """
        room = free(self._dataset)
        if room is None:
            return
        mean = row_bytes / made if made >= SAMPLE else self._least
        soon = mean * (2 * self._dataset.per_shard + in_flight) + SLACK_BYTES  # a shard is written next to its staged rows
        if room < min(soon, SLACK_BYTES + mean * (left + self._dataset.per_shard)):
            raise VersemillError(
                f"the disk of '{self._dataset.uri}' is nearly full: {size(room)} free, and the next shard needs {size(soon)}; "
                "what was made is kept; make room, then run the same command"
            )
        if made >= SAMPLE:
            self._compare(left, mean)

    def _compare(self, left: int, mean: float, about: str = "") -> None:
        room = free(self._dataset)
        need = left * mean
        if room is None or need == 0 or need + SLACK_BYTES <= room:
            return
        fits = max(0, math.floor((room - SLACK_BYTES) / mean))
        raise VersemillError(
            f"'{self._dataset.uri}' needs {about}{size(need)} for {left} assets ({size(mean)} each) and "
            f"{size(SLACK_BYTES)} for the ledger and others' files; {size(room)} are free, enough for {fits}; make room and "
            "run the same command, or choose another --out or fewer --assets"
        )


def size(count: float) -> str:
    """ "1.5 GB"."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 100 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.0f} PB"
