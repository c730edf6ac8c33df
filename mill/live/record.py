"""The record of a live training: RUN/draws.jsonl, a line per draw, in the order of positions; it is what a replay reads."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from pydantic import Field, ValidationError

from versemill.config import Config
from versemill.errors import ConfigError
from versemill.mill.live.draws import Draw

DRAWS = "draws.jsonl"


class Line(Config):
    """A line of the record: a `Draw`."""

    position: int = Field(ge=0)
    epoch: int = Field(ge=0)
    lap: int = Field(ge=0)
    seed: int = Field(ge=0, lt=2**63)
    index: int = Field(ge=0, lt=2**63)
    part: str
    item: str | None = None


def read(path: Path, begin: int = 0, end: float = math.inf) -> dict[int, Draw]:
    """The draws of positions from `begin` to before `end`, by position; a last line that a kill left half-written is left out.

    Raises:
        ConfigError: the file can't be read, or a line before the last is not a draw.
    """
    return {draw.position: draw for draw in _lines(path) if begin <= draw.position < end}


def _lines(path: Path) -> Iterator[Draw]:
    try:
        with path.open() as file:
            for number, text in enumerate(file, 1):
                if text.endswith("\n"):
                    yield _draw(path, number, text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read the record of draws '{path}': {error}") from error


def _draw(path: Path, number: int, text: str) -> Draw:
    try:
        return Draw(**Line.model_validate_json(text).model_dump())
    except ValidationError as error:
        raise ConfigError(
            f"line {number} of '{path}' is not a draw, as `versemill train --live` writes them: {text.strip()[:80]}"
        ) from error


class Record:
    """Appends the draws of one process to a file, from `open` to `close`.

    A line that a kill left half-written is cut off first, and a position that the file holds already is not written again.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, 0
        self._file: TextIO | None = None

    def open(self) -> None:
        """Opens the file, which may hold draws already."""
        if self._path.exists():
            with self._path.open("rb+") as file:
                whole = file.read().rpartition(b"\n")
                file.truncate(len(whole[0]) + len(whole[1]))
            self._next = max(read(self._path), default=-1) + 1
        self._file = self._path.open("a", buffering=1)  # a kill leaves every draw but the last

    def write(self, draw: Draw) -> None:
        """Writes a draw; positions rise."""
        assert self._file is not None
        if draw.position >= self._next:
            values: dict[str, Any] = {name: value for name, value in asdict(draw).items() if value is not None}
            self._file.write(json.dumps(values) + "\n")
            self._next = draw.position + 1

    def close(self) -> None:
        """Closes the file if it is open."""
        if self._file is not None:
            self._file.close()
            self._file = None
