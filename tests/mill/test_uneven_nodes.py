"""A node with only cores and a node with a (logical) GPU: the driver is on the first, all is rendered on the second."""

import json
import os

import millstones
import pytest
import ray
from ray.cluster_utils import Cluster as Nodes
from test_run import hashes
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline import stages
from versemill.mill.run import cluster, driver

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
