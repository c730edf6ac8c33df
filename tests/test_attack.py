"""The quick form of `python -m benchmarks attack`: every attempt is handled."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEAST = {"files": 300, "fuzz": 300, "flips": 40, "names": 20, "pages": 40, "faults": 8}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder with the benchmarks and nothing else of the checkout."""
    folder = tmp_path_factory.mktemp("attack")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("part", [*list(LEAST)[:-1], pytest.param("faults", marks=pytest.mark.slow)])
def test_every_attempt_is_handled(elsewhere, part):
    paths = os.pathsep.join([str(elsewhere), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"PYTHONPATH": paths}
    command = [sys.executable, "-m", "benchmarks", "attack", "--quick", "--json", "--part", part]
    done = subprocess.run(command, env=environment, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["tried"] >= LEAST[part]
    assert figures["handled"] == figures["tried"], done.stdout
