"""Work on one foreign file at a time, in a process that is killed when it takes too long or too much, for commands without Ray.

The limits, how memory is counted, and how a process and what it started are killed are those of a run.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from versemill.errors import AssetError
from versemill.mill.run.watchdog import kill_tree, memory_of
from versemill.mill.run.worker import die_with_parent

POLL_SECONDS = 0.2
START_SECONDS = 120.0
"""How long the process may take to start, which is no file's fault."""


class Alone:
    """One worker process, replaced when it is killed or dies; used as a context manager.

    Args:
        deadline_s, memory_mb: of one call; see `RunConfig`.
    """

    def __init__(self, deadline_s: float, memory_mb: int) -> None:
        self._deadline_s, self._memory_mb = deadline_s, memory_mb
        self._process: Any = None
        self._pipe: Connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._stop()

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What the function of a module answers there; what it raises is raised here.

        Raises:
            AssetError: "timeout", "memory" or "crashed": the process was killed, or died.
        """
        if self._process is None:
            self._start()
        self._pipe.send((function, arguments, options))
        end = time.monotonic() + self._deadline_s
        while True:
            try:
                if self._pipe.poll(POLL_SECONDS):
                    well, answer = self._pipe.recv()
                    break
            except (EOFError, OSError):
                code = self._stop()
                raise AssetError("crashed", f"the process that worked on it died ({_cause(code)})") from None
            held = memory_of([self._process.pid])[self._process.pid]
            if held > self._memory_mb:
                self._stop()
                raise AssetError("memory", f"it took {held:.0f} MiB, more than the limit of {self._memory_mb} (--memory-mb)")
            if time.monotonic() > end:
                self._stop()
                raise AssetError("timeout", f"it took longer than the limit of {self._deadline_s:g} s (--deadline-s)")
        if well:
            return answer
        raise answer

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=False)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(START_SECONDS):
            self._stop()
            raise AssetError("timeout", f"the process that should work on it did not start within {START_SECONDS:g} s")
        self._pipe.recv()

    def _stop(self) -> int | None:
        """Kills the process with all that it started; returns how it ended."""
        if self._process is None:
            return None
        kill_tree(self._process.pid)
        self._process.join()
        self._pipe.close()
        process, self._process = self._process, None
        return process.exitcode


def _serve(pipe: Connection) -> None:
    """The process's side: one call after the other until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started this one is told, and kills it
    die_with_parent()
    pipe.send("ready")
    while True:
        try:
            function, arguments, options = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(*arguments, **options)
        except MemoryError as error:
            answer = False, AssetError("memory", f"it does not fit into memory: {error}")
        except Exception as error:  # noqa: BLE001  raised on the other side
            answer = False, error
        pipe.send(answer)


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else f"signal {-code}"
