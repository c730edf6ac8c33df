"""A node with only cores and a node with a (logical) GPU: the driver is on the first, all is rendered on the second."""

import json
import os
from types import SimpleNamespace

import millstones
import pytest
import ray
from ray.cluster_utils import Cluster as Nodes
from test_run import hashes

from versemill.errors import ConfigError
from versemill.mill.folder.dataset import Dataset
from versemill.mill.folder.fingerprint import machine
from versemill.mill.pipeline import stages
from versemill.mill.run import cluster, driver
from versemill.mill.run.crew import Crew

SMALL = ["render.width=16", "render.height=16", "render.cameras.views=2", "render.passes=[rgb,depth]", "run.renderers=1"]


@pytest.fixture
def nodes(monkeypatch):
    """(address, node with the GPU)."""
    for name, value in {**cluster.QUIET, "PYTHONPATH": os.pathsep.join(cluster._search_path())}.items():
        monkeypatch.setenv(name, value)
    built = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = built.add_node(num_cpus=1, num_gpus=1)
    ray.init(address=built.address, log_to_driver=False, logging_level="error")
    try:
        yield built.address, other.node_id
    finally:
        ray.shutdown()
        built.shutdown()


@pytest.mark.slow
def test_what_needs_a_gpu_is_rendered_where_there_is_one(nodes, trivial, tmp_path, monkeypatch):
    address, with_gpu = nodes
    monkeypatch.setattr(stages, "draw", millstones.draw)
    pipeline = trivial(assets=20, overrides=SMALL)
    summary = driver.run(pipeline, tmp_path / "a", address=address, progress=False, maker=millstones.make_drawn)
    assert (summary.rows, summary.cores, summary.complete) == (20, 2, True)
    drawn = [json.loads(path.read_text()) for path in tmp_path.glob("drawn-*")]
    assert [(each["GPU"], each["node"]) for each in drawn] == [(1, with_gpu)]
    entry = Dataset.open(tmp_path / "a").read("ledger/shard-000000.json")
    assert "mixed" not in str(entry["fingerprint"]), "both nodes are this machine"
    alone = trivial(assets=20, overrides=[*SMALL[:-1], "run.renderers=0"])
    driver.run(alone, tmp_path / "b", address=address, progress=False, maker=millstones.make_drawn)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def _crew(said, **facts):
    crew = Crew.__new__(Crew)
    other = {**machine(()), **facts}
    crew._own, crew._say, crew.monitors = (), said.append, SimpleNamespace(machines=lambda: {"10.0.0.2": other})
    return crew


def test_unlike_processors_work_together_and_are_named():
    said = []
    agreed = _crew(said, instructions=["AVX512F"])._machine()
    assert agreed["instructions"][0] == "mixed"
    assert str(["AVX512F"]) in agreed["instructions"]
    assert {k: v for k, v in agreed.items() if k not in ("instructions", "system")} == {
        k: v for k, v in machine(()).items() if k not in ("instructions", "system")
    }
    assert "equivalent, not equal" in said[0]
    assert _crew(said)._machine() == machine(())


def test_a_node_with_other_versions_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"node 10\.0\.0\.2 has other software than the driver: .*numpy"):
        _crew([], packages={**machine(())["packages"], "numpy": "0.1"})._machine()
