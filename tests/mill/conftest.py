import sys
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # workers import `millstones` by name


HEAVY = ("test_estimate.py", "test_real.py")
"""Modules whose assets are real ones: workers grow by it, and other tests limit their memory."""


def pytest_collection_modifyitems(items):
    """Tests that share a Ray come last, since nobody can start another one in this process after it; heavy ones at the end."""
    items.sort(key=lambda item: (uses := "two_workers" in item.fixturenames, uses and item.path.name in HEAVY))


@pytest.fixture(scope="session")
def soon_gone():
    """Processes that must end by themselves, looked at once at the end: Ray's agents ask a dead server for a minute."""
    processes = []
    yield processes
    _, alive = psutil.wait_procs(processes, timeout=120)
    assert alive == []


@pytest.fixture(scope="session")
def two_workers():
    """One Ray for all of these tests: it takes seconds to start and to stop, and so does the first asset of its workers."""
    from versemill.mill.run import cluster

    with cluster.joined(None, 2) as joined:
        yield joined


@pytest.fixture
def trivial(tmp_path):
    """trivial(assets=..., faults={index: kind}, overrides=[...]) -> a pipeline of tetrahedra, see millstones.py."""
    import json

    from versemill.mill.pipeline import config

    faults_file = tmp_path / "faults.json"

    def build(assets=40, seed=1, faults=None, overrides=()):
        faults_file.write_text(json.dumps({str(k): v for k, v in (faults or {}).items()}))
        fixed = [
            "sources.zeroverse=null",
            "sources.t.source=millstones:TRIVIAL",
            f"sources.t.faults={faults_file}",
            "sources.t.reject_every=7",
            "shards.assets_per_shard=16",
            "run.deadline_s=60",
        ]
        return config.load("base", overrides=[*fixed, *overrides], assets=assets, seed=seed)

    return build
