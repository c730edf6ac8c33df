"""A run starts a Ray of its own unless it is told an address, whatever the environment says."""

import os
import subprocess
import sys

import pytest

CODE = """
from versemill.mill.run.cluster import joined
with joined(None, 1) as cluster:
    import ray
    print(cluster.embedded, cluster.cpus, ray.get(ray.remote(lambda: 6 * 7).remote()))
"""


@pytest.mark.slow
def test_an_address_in_the_environment_is_not_obeyed():
    # Nothing listens there: a Ray that obeyed would fail after many retries.
    environment = os.environ | {"RAY_ADDRESS": "127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, timeout=240, check=False
    )
    assert done.stdout.split()[-3:] == ["True", "1", "42"], done.stderr[-1000:]
