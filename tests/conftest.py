"""What is true of the whole suite: under `make test` it runs against the built wheel, not the checkout."""

import os
from pathlib import Path

import pytest

import mill
import versemill


def pytest_sessionstart(session: pytest.Session) -> None:
    wheel = os.environ.get("VERSEMILL_WHEEL")
    for package in (versemill, mill) if wheel else ():
        if not Path(str(package.__file__)).is_relative_to(str(wheel)):
            raise pytest.UsageError(f"{package.__name__} comes from {package.__file__}, not from the wheel in {wheel}")
