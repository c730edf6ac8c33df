"""Progress for people: a live bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

SILENT_EVERY = 5.0
"""Seconds between lines where standard error is not a terminal."""


@contextmanager
def steps(label: str) -> Iterator[Callable[[int, int, Mapping[str, float]], None]]:
    """A progress callback (done, total, figures) for long work that isn't a run: training, exporting.

    The first figure is shown beside the bar; `figures` may be empty.
    """
    console = Console(stderr=True)
    last = started = time.monotonic()

    def line(done: int, total: int, figures: Mapping[str, float]) -> str:
        rate = done / max(time.monotonic() - started, 1e-9)
        shown = "".join(f", {name} {value:.4g}" for name, value in list(figures.items())[:1])
        return f"{rate:.1f}/s, {duration((total - done) / max(rate, 1e-9))} left{shown}"

    if console.is_terminal:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[facts]}"), console=console,
        ) as bar:  # fmt: skip
            task = bar.add_task(label, total=None, facts="")
            yield lambda done, total, figures: bar.update(task, completed=done, total=total, facts=line(done, total, figures))
        return

    def occasionally(done: int, total: int, figures: Mapping[str, float]) -> None:
        nonlocal last
        if time.monotonic() - last >= SILENT_EVERY or done == total:
            last = time.monotonic()
            console.print(f"{label}: {done}/{total}, {line(done, total, figures)}", highlight=False)

    yield occasionally


@dataclass
class Tally:
    """Counts of a run: assets that were finished earlier, and what this run made."""

    total: int
    earlier: int = 0
    rows: int = 0
    rejected: int = 0
    failed: int = 0
    by_source: dict[str, int] = field(default_factory=dict)

    @property
    def made(self) -> int:
        """Assets that this run finished, whatever became of them."""
        return self.rows + self.rejected + self.failed

    def add(self, source: str, status: str) -> None:
        """One more asset of a source, with status "row", "rejected" or "failed"."""
        self.by_source[source] = self.by_source.get(source, 0) + 1
        if status == "row":
            self.rows += 1
        elif status == "rejected":
            self.rejected += 1
        else:
            self.failed += 1


class Display:
    """Shows a tally on standard error; used as a context manager. `shown=False` shows nothing."""

    def __init__(self, tally: Tally, shown: bool) -> None:
        self._tally, self._shown = tally, shown
        self._started = self._last = time.monotonic()
        self._console = Console(stderr=True)
        self._bar: Progress | None = None

    def __enter__(self) -> "Display":
        if self._shown and self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[facts]}"), console=self._console)
            self._task = self._bar.add_task("assets", total=self._tally.total, completed=self._tally.earlier, facts="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.update(force=True)
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """One line, beside the bar."""
        if self._shown:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def update(self, force: bool = False) -> None:
        """Shows the tally as it is now."""
        tally = self._tally
        if self._bar:
            self._bar.update(self._task, completed=tally.earlier + tally.made, facts=self._facts())
        elif self._shown and (force or time.monotonic() - self._last >= SILENT_EVERY):
            self._last = time.monotonic()
            sys.stderr.write(f"{tally.earlier + tally.made}/{tally.total} assets, {self._facts()}\n")
            sys.stderr.flush()

    def _facts(self) -> str:
        tally = self._tally
        elapsed = max(time.monotonic() - self._started, 1e-9)
        parts = [f"{tally.made / elapsed * 60:.0f}/min" if tally.made / elapsed < 2 else f"{tally.made / elapsed:.0f}/s"]
        left = tally.total - tally.earlier - tally.made
        if tally.made and left:
            parts.append(f"{duration(left * elapsed / tally.made)} left")
        parts.append(counts(tally.by_source))
        parts += [f"{n} {word}" for n, word in ((tally.rejected, "rejected"), (tally.failed, "failed")) if n]
        return ", ".join(part for part in parts if part)


def counts(numbers: Mapping[str, int]) -> str:
    """ "zeroverse 3, detailverse 4"."""
    return ", ".join(f"{name} {number}" for name, number in sorted(numbers.items()))


def duration(seconds: float) -> str:
    """ "45 s", "3 min", "2 h 05 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
