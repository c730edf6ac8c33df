"""Watches workers from outside: which asset each is on, since when, how much memory it holds, what it said last.

A worker keeps a small *note* file per task in a scratch folder of its machine, and its standard error in a log
next to it; both outlive the worker. A `Monitor` reads them. The driver has one for its own machine, and one as
a Ray actor on every other node.
"""

import contextlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from versemill.errors import VersemillError

NOTE_BYTES = 128
RENDERER = "renderer-"
"""How the token of a render actor begins: its number and process follow, so that a note outlives the actor's replacement."""

LOG_LINES = 16
SIGNALS = (
    (r"Fatal Python error: Aborted|\*\*\* SIGABRT", "SIGABRT"),
    (r"Fatal Python error: Segmentation fault|\*\*\* SIGSEGV", "SIGSEGV"),
    (r"Fatal Python error: Bus error|\*\*\* SIGBUS", "SIGBUS"),
    (r"Fatal Python error: Floating.point exception|\*\*\* SIGFPE", "SIGFPE"),
    (r"Fatal Python error: Illegal instruction|\*\*\* SIGILL", "SIGILL"),
)
"""What a dying worker's fault handler writes, and the signal it means."""

NOISE = re.compile(r"\[[^]]* E \d+ \d+\] logging\.cc:|(PC: )?\s*@ +0x|Extension modules: |\s+File \".*/ray/_private/")
"""Lines of a dying worker that tell nothing: Ray's C++ stack of addresses without names, its own frames, module lists."""


@dataclass(frozen=True)
class Observation:
    """What a monitor sees of one task: the asset and stage it is on, its process, and the MiB of its process tree."""

    token: str
    index: int
    stage: str
    pid: int
    memory_mb: float


ABANDONED_SECONDS = 24 * 3600.0
PREFIX = "versemill-run-"
OPENED = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW


def scratch(run: str) -> Path:
    """The folder of a run's notes and logs on this machine. Its name holds a secret, so that no one else can make it first."""
    return Path(tempfile.gettempdir()) / f"{PREFIX}{run}"


def new_run() -> str:
    """An id for a run of this process: its number, its machine, and a secret."""
    return f"{os.getpid()}-{_machine()}-{secrets.token_hex(16)}"


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def open_scratch(run: str) -> Path:
    """The folder of a run, which is made where it does not exist.

    Raises:
        VersemillError: something of that name is not a folder of this user that no one else can enter.
    """
    folder = scratch(run)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) != 0o700:
        raise VersemillError(
            f"'{folder}' is not a folder that only this user can enter; remove it, or set TMPDIR to another place"
        )
    return folder


def clear_abandoned() -> None:
    """Removes the scratch folders of runs of this user that were killed: at once if their driver ran here, else after a day."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*-*"):
        owner, machine, _ = folder.name.removeprefix(PREFIX).split("-", 2)
        here = machine == _machine() and owner.isdigit()
        with contextlib.suppress(OSError):
            facts = folder.lstat()
            over = not psutil.pid_exists(int(owner)) if here else time.time() - facts.st_mtime > ABANDONED_SECONDS
            if over and stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid():
                shutil.rmtree(folder)


def clear_own() -> None:
    """Removes the scratch folders of this process's runs, which is about to end without a word."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}{os.getpid()}-{_machine()}-*"):
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class ExitReport:
    """What a dead task left: the asset and stage it was on, the signal it died of (None: no trace), its last lines."""

    index: int
    stage: str
    signal: str | None
    lines: list[str]


class StageNote:
    """The worker's side: one note and one log for one task; used as a context manager around the task.

    Inside, file descriptors 1 and 2 go to the log, so that the last lines of native code are kept too.
    """

    def __init__(self, run: str, token: str) -> None:
        folder = open_scratch(run)
        self._note, self._log = folder / f"{token}.note", folder / f"{token}.log"

    def __enter__(self) -> "StageNote":
        self._file = os.open(self._note, OPENED, 0o600)
        log = os.open(self._log, OPENED | os.O_APPEND, 0o600)
        self._kept = [os.dup(1), os.dup(2)]
        for number in (1, 2):
            os.dup2(log, number)
        os.close(log)
        return self

    def write(self, index: int, stage: str) -> None:
        """Says which asset the task is on, and where. One small write, so that a reader never sees half of it."""
        os.pwrite(self._file, f"{os.getpid()} {index} {stage}\n".encode().ljust(NOTE_BYTES)[:NOTE_BYTES], 0)

    def tail(self) -> list[str]:
        """The last lines of the log so far."""
        return _tail(self._log)

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        for number, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, number)
            os.close(kept)
        self._note.unlink(missing_ok=True)
        self._log.unlink(missing_ok=True)


class Monitor:
    """The watcher's side, for the workers of one machine."""

    def __init__(self, run: str) -> None:
        clear_abandoned()
        self._folder = open_scratch(run)

    def machine(self, own: tuple[str, ...]) -> dict[str, Any]:
        """What the fingerprint says of this machine."""
        from versemill.mill.folder.fingerprint import machine

        return machine(own)

    def look(self) -> list[Observation]:
        """All tasks that are being worked on here."""
        notes = {}
        for path in self._folder.glob("*.note"):
            words = _read(path).split(maxsplit=2)
            if len(words) == 3:
                notes[path.stem] = (int(words[0]), int(words[1]), words[2].strip())
        memory = memory_of(pid for pid, _, _ in notes.values())
        return [Observation(token, index, stage, pid, memory.get(pid, 0.0)) for token, (pid, index, stage) in notes.items()]

    def exit_report(self, token: str) -> ExitReport | None:
        """What a task that died here left; its files are removed. None: it was not here, or did not begin."""
        note, log = self._folder / f"{token}.note", self._folder / f"{token}.log"
        words, lines = _read(note).split(maxsplit=2), _tail(log)
        signal = signal_of(_read(log)[-65536:])
        note.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        return ExitReport(int(words[1]), words[2].strip(), signal, lines) if len(words) == 3 else None

    def kill(self, observation: Observation) -> None:
        """Kills a process that was seen at an asset, and the programs that it started, if it is here and still at it."""
        words = _read(self._folder / f"{observation.token}.note").split()
        if words[:2] != [str(observation.pid), str(observation.index)]:
            return
        kill_tree(observation.pid)

    def sweep(self) -> None:
        """Removes the run's scratch folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def kill_tree(pid: int) -> None:
    """Kills a process and the programs that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        worker = psutil.Process(pid)
        for process in (worker, *worker.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def signal_of(log: str) -> str | None:
    """The signal that a dead worker's log tells of; None where it tells of none (killed from outside, or `_exit`)."""
    return next((name for pattern, name in SIGNALS if re.search(pattern, log)), None)


def memory_of(pids: Iterable[int]) -> dict[int, float]:
    """MiB of resident memory of each process and its descendants."""
    roots = list(pids)
    if not roots:
        return {}
    children: dict[int, list[int]] = {}
    for process in psutil.process_iter(["ppid"]):
        children.setdefault(process.info["ppid"], []).append(process.pid)
    sums = {}
    for pid in roots:
        total, stack = 0.0, [pid]
        while stack:
            current = stack.pop()
            stack += children.get(current, [])
            total += _private(current)
        sums[pid] = total / 2**20
    return sums


def _private(pid: int) -> int:
    """Bytes of a process's resident memory that it does not share: Ray's object store is everybody's."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    informative = (line.rstrip()[:400] for line in lines if line.strip() and not NOISE.match(line))
    return list(informative)[-LOG_LINES:]
