import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # workers import `millstones` by name


@pytest.fixture(scope="module")
def two_workers():
    """One Ray for a module's tests: starting it costs seconds, and later tests start their own."""
    from mill import cluster

    with cluster.joined(None, 2) as found:
        yield found


@pytest.fixture
def trivial(tmp_path):
    """trivial(assets=..., faults={index: kind}, overrides=[...]) -> a pipeline of tetrahedra, see millstones.py."""
    import json

    from mill import config

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
