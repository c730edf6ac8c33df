"""Two Ray nodes on one machine, one of which is killed with all that it holds: the bytes of an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from test_run import hashes, leftovers

from versemill.mill.folder.dataset import Dataset
from versemill.mill.report.status import status
from versemill.mill.upkeep.verify import verify

DRIVER = """
import json, sys
sys.path[:0] = json.loads(sys.argv[4])
import millstones
from versemill.mill.pipeline import config
from versemill.mill.run import driver
pipeline = config.restore("trivial", json.loads(open(sys.argv[1]).read()))
driver.run(pipeline, sys.argv[2], address=sys.argv[3] or None, progress=False, maker=millstones.make)
"""

NODES = """
import json, sys, time
import ray
from ray.cluster_utils import Cluster
settings = dict(num_cpus=1, object_store_memory=80 * 2**20, include_dashboard=False)
cluster = Cluster(initialize_head=True, head_node_args=settings)
second = cluster.add_node(**settings)
raylets = [node.all_processes["raylet"][0].process.pid for node in (cluster.head_node, second)]
print(json.dumps([cluster.address, raylets]), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def nodes(tmp_path):
    """Address of a cluster of two nodes, and their raylets' process ids, in processes of their own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment |= {
        "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": "/tmp",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *(p for p in sys.path if p)]),
        # A node that dies is noticed after seconds instead of half a minute.
        "RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "3",
        "RAY_health_check_initial_delay_ms": "0",
    }  # fmt: skip
    holder = subprocess.Popen([sys.executable, "-c", NODES], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, cwd=tmp_path)  # fmt: skip
    address, raylets = json.loads(holder.stdout.readline())
    family = psutil.Process(holder.pid).children(recursive=True)
    try:
        yield address, raylets, environment
    finally:
        holder.stdin.close()
        try:
            holder.wait(30)
        finally:
            holder.kill()
            for process in family:
                if process.is_running():
                    process.kill()


@pytest.mark.slow
def test_a_killed_node_costs_nothing_but_time(trivial, tmp_path, nodes):
    address, raylets, environment = nodes
    pipeline = trivial(assets=40, overrides=["sources.t.milliseconds=150", "run.chunk=2", "shards.assets_per_shard=10"])
    (tmp_path / "config.json").write_text(json.dumps(pipeline.resolved))

    def drive(out, at):
        command = [
            sys.executable,
            "-c",
            DRIVER,
            str(tmp_path / "config.json"),
            str(out),
            at,
            json.dumps([str(Path(__file__).parent)]),
        ]
        return subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    run = drive(tmp_path / "a", address)
    workers = wait_for_workers(run, tmp_path / "a", raylets[1])
    os.kill(raylets[1], signal.SIGKILL)  # the node, and with it its workers
    for worker in workers:
        if worker.is_running():
            worker.kill()
    _, errors = run.communicate(timeout=180)
    assert run.returncode == 0, errors
    facts = status(tmp_path / "a")
    assert (facts["state"], facts["counts"]["failed"]) == ("complete", 0), facts["failures"]
    assert verify(tmp_path / "a", deep=True) == []
    assert leftovers(tmp_path / "a") == []
    alone = drive(tmp_path / "b", "")
    _, errors = alone.communicate(timeout=180)
    assert alone.returncode == 0, errors
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def wait_for_workers(run, out, raylet):
    """The workers of the node of `raylet`, once they have work and a shard is sealed."""
    end = time.monotonic() + 120
    while True:
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < end
        workers = [p for p in psutil.Process(raylet).children(recursive=True) if "ray::work" in " ".join(p.cmdline())]
        if workers and Dataset.at(out).sealed():
            return workers
        time.sleep(0.1)
