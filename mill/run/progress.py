"""Progress for people: a live bar on a terminal, a line now and then in a log."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from versemill.mill.terminal import Terminal, printable

SILENT_EVERY = 30.0
"""Seconds between lines where standard error is not a terminal."""

SETTLED = 4
"""Assets after the first before a rate, and so the time that is left, means anything: the first ones wait for Ray to start."""

LogFormat = Literal["auto", "json"]


class Log:
    """Lines on standard error: plain on a terminal; elsewhere with the time, the dataset and the run, for cron's mail and for
    collectors.

    Attributes:
        dataset: its URI, or where else the command works. run: the run's id, once there is one. kind: "json" writes one JSON
            object a line, terminal or not.
    """

    def __init__(self, console: Terminal, dataset: str, kind: LogFormat = "auto", run: str = "") -> None:
        self.console, self.dataset, self.kind, self.run = console, dataset, kind, run

    @property
    def lines(self) -> bool:
        """Whether progress is printed in lines instead of a bar."""
        return self.kind == "json" or not self.console.is_terminal

    def write(self, text: str, **facts: Any) -> None:
        """One line; `facts` are for JSON alone."""
        if not self.lines:
            self.console.print(text, soft_wrap=True)
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if self.kind == "json":
            line = json.dumps({"time": now, "dataset": self.dataset, "run": self.run, "text": text, **facts})
        else:
            line = printable(" ".join(part for part in (now, self.dataset, self.run, text) if part))
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


@contextmanager
def steps(label: str, log: Log | None = None) -> Iterator[Callable[[int, int, Mapping[str, float]], None]]:
    """A progress callback (done, total, figures) for long work that isn't a run: training, exporting.

    The first figure is shown next to the bar; `figures` may be empty. JSON lines hold all of them.
    """
    log = log or Log(Terminal(stderr=True), "")
    last = started = time.monotonic()

    def line(done: int, total: int, figures: Mapping[str, float]) -> str:
        if done <= 1 or done == total:  # the first step may have waited for a compiler
            return "".join(f", {name} {value:.4g}" for name, value in list(figures.items())[:1])
        rate = done / max(time.monotonic() - started, 1e-9)
        shown = "".join(f", {name} {value:.4g}" for name, value in list(figures.items())[:1])
        return f", {rate:.1f}/s, {duration((total - done) / max(rate, 1e-9))} left{shown}"

    if not log.lines:
        with Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[facts]}", markup=False), console=log.console,
        ) as bar:  # fmt: skip
            task = bar.add_task(label, total=None, facts="")
            yield lambda done, total, figures: bar.update(
                task, completed=done, total=total, facts=line(done, total, figures).removeprefix(", ")
            )
        return

    def occasionally(done: int, total: int, figures: Mapping[str, float]) -> None:
        nonlocal last
        if time.monotonic() - last >= SILENT_EVERY or done == total:
            last = time.monotonic()
            log.write(f"{label}: {done}/{total}{line(done, total, figures)}", **figures, done=done, total=total)

    yield occasionally


@dataclass
class Tally:
    """Counts of a run: assets that were finished earlier, and what this run made.

    Attributes:
        total, earlier: assets to make, and how many of them an earlier run had finished.
        fates: source -> {"row", "rejected", "failed": assets}.
        rejections, failures: "stage: reason" -> assets. retries: tries that were repeated.
        stages: stage -> [assets that entered it, their CPU seconds, their wall seconds].
        cpu: CPU seconds of all workers. row_bytes: of the rows. sealed: shards.
    """

    total: int
    earlier: int = 0
    fates: dict[str, dict[str, int]] = field(default_factory=dict)
    rejections: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    stages: dict[str, list[float]] = field(default_factory=dict)
    cpu: float = 0.0
    row_bytes: int = 0
    sealed: int = 0

    def fate(self, name: str) -> int:
        """Assets that became a "row", were "rejected" or "failed"."""
        return sum(each[name] for each in self.fates.values())

    @property
    def made(self) -> int:
        """Assets that this run finished, whatever became of them."""
        return sum(sum(each.values()) for each in self.fates.values())

    @property
    def left(self) -> int:
        """Assets that are still to be made."""
        return self.total - self.earlier - self.made

    def add(self, record: Mapping[str, Any]) -> None:
        """One more finished asset, by its record in the staging folder."""
        status = record["status"]
        self.fates.setdefault(record["source"], {"row": 0, "rejected": 0, "failed": 0})[status] += 1
        self.row_bytes += record.get("bytes", 0)
        for tally, why in ((self.rejections, record.get("rejection")), (self.failures, record.get("failure"))):
            if why:
                reason = f"{why['stage']}: {why['reason']}"
                tally[reason] = tally.get(reason, 0) + 1
        for stage, (wall, cpu) in record.get("seconds", {}).items():
            self.spent(stage, cpu, wall)

    def spent(self, stage: str, cpu: float, wall: float) -> None:
        """One asset (or shard) entered a stage and took so many seconds there."""
        sums = self.stages.setdefault(stage, [0, 0.0, 0.0])
        sums[0], sums[1], sums[2] = sums[0] + 1, sums[1] + cpu, sums[2] + wall


class Display:
    """Shows a tally on standard error; used as a context manager. `shown=False` shows nothing, `verbose` every asset."""

    def __init__(self, tally: Tally, log: Log, shown: bool, verbose: bool = False) -> None:
        self._tally, self.log, self._shown, self._verbose = tally, log, shown, verbose
        self._started = self._last = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._bar: Progress | None = None

    def __enter__(self) -> "Display":
        if self._shown and not self.log.lines:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[facts]}", markup=False), console=self.log.console)
            self._task = self._bar.add_task("assets", total=self._tally.total, completed=self._tally.earlier, facts="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.update(force=True)
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """One line, above the bar."""
        if self._shown:
            self.log.write(text)

    def detail(self, text: str) -> None:
        """One line that only the verbose want."""
        if self._verbose:
            self.say(text)

    def update(self, force: bool = False) -> None:
        """Shows the tally as it is now."""
        tally = self._tally
        if self._bar:
            self._bar.update(self._task, total=tally.total, completed=tally.earlier + tally.made, facts=self._facts())
        elif self._shown and (force or time.monotonic() - self._last >= SILENT_EVERY):
            self._last = time.monotonic()
            done = tally.earlier + tally.made
            fates = {word: tally.fate(name) for name, word in (("row", "rows"), ("rejected", "rejected"), ("failed", "failed"))}
            self.log.write(f"{done}/{tally.total} assets, {self._facts()}", done=done, total=tally.total, **fates)

    def _facts(self) -> str:
        tally = self._tally
        elapsed = max(time.monotonic() - self._started, 1e-9)
        parts = [f"{tally.made / elapsed * 60:.0f}/min" if tally.made / elapsed < 2 else f"{tally.made / elapsed:.0f}/s"]
        if tally.made and self._first is None:
            self._first = time.monotonic(), tally.made
        since, before = self._first or (self._started, 0)
        if tally.left and tally.made - before >= SETTLED:
            parts.append(f"{duration(tally.left * (time.monotonic() - since) / (tally.made - before))} left")
        parts.append(counts({source: sum(each.values()) for source, each in tally.fates.items()}))
        parts += [f"{n} {word}" for word in ("rejected", "failed") if (n := tally.fate(word))]
        return ", ".join(part for part in parts if part)


def counts(numbers: Mapping[str, int]) -> str:
    """ "zeroverse 3, detailverse 4"."""
    return ", ".join(f"{name} {number}" for name, number in sorted(numbers.items()))


def duration(seconds: float) -> str:
    """ "45 s", "3 min", "2 h 05 min", "3.4 days"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"
