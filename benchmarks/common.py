"""What a benchmark answers, the machine it ran on, and the clock it uses.

A benchmark is one module of this package with a `run(quick: bool) -> Benchmark`.
"""

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Table:
    """One table to print; every row has as many cells as there are columns."""

    title: str
    columns: list[str]
    rows: list[list[Any]] = field(default_factory=list)


@dataclass
class Benchmark:
    """Tables for people and `figures` (name -> number) for machines; `peer` says what it is compared with."""

    tables: list[Table]
    figures: dict[str, float]
    peer: str = ""


@dataclass
class Span:
    """Seconds spent in a `measure` block: `wall`, and `cpu` (user + system, children that were waited for included)."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def measure() -> Iterator[Span]:
    """Measures the block; the span is filled in when it ends."""
    span = Span()
    wall, cpu = time.perf_counter(), _cpu()
    try:
        yield span
    finally:
        span.wall, span.cpu = time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def machine() -> str:
    """One line about this machine: processor, cores, memory, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
