"""SIGINT and SIGTERM: the first stops what goes on in an orderly way, a second does not disturb that, a third ends at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit code of an interrupted command, whichever signal it was and however often it came."""

LINE = "interrupted; run the same command again to resume"
NUMBERS = (signal.SIGINT, signal.SIGTERM)

_received: list[int] = []
"""Signals of the present block."""


@contextmanager
def terminable() -> Iterator[None]:
    """SIGINT and SIGTERM raise KeyboardInterrupt in the block, once: what it cleans up is not interrupted again.

    A block within a block shares its signals; in another thread than the main one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is _stop:
        yield
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    install()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def install() -> None:
    """From now on, for as long as this process lives, as in a block of `terminable`."""
    _received.clear()
    for number in NUMBERS:
        signal.signal(number, _stop)


def rearm() -> None:
    """Takes the signals back, where native code has put in handlers of its own since, which Python does not see."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is _stop:
        for number in NUMBERS:
            signal.signal(number, _stop)


def ignore() -> None:
    """Nothing interrupts this process any more: what is left of it is Python's own end."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def check() -> None:
    """Raises KeyboardInterrupt if a signal came whose exception was lost, as in a callback of native code."""
    if _received:
        raise KeyboardInterrupt


def _stop(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    signal.alarm(0)  # Ray's native handler of SIGTERM sets one, at whose end it aborts
    if len(_received) == 1:
        raise KeyboardInterrupt
    if len(_received) > 2:
        os.write(2, f"versemill: {LINE}\n".encode())
        os._exit(INTERRUPTED)
