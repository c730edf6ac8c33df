"""Clusters whose nodes do not have the package: it is sent along, and its lack is one clear line."""

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from test_real import SMALL

from versemill.errors import ConfigError
from versemill.mill.pipeline import config
from versemill.mill.run import shipping
from versemill.mill.run.cluster import WORKER_ENVIRONMENT
from versemill.mill.upkeep import maintenance
from versemill.packages import PACKAGES


def pipeline(*overrides):
    return config.load("quickstart", overrides=overrides)


def test_nothing_is_sent_unless_asked():
    assert shipping.environment(pipeline()) == {"env_vars": WORKER_ENVIRONMENT}


def test_whole_packages_are_sent_and_own_settings_are_kept():
    given = "run.runtime_env={pip: [x==1], env_vars: {OMP_NUM_THREADS: '4', A: b}, py_modules: [/own]}"
    sent = shipping.environment(pipeline("run.ship=true", given))
    assert sent["pip"] == ["x==1"]
    assert sent["env_vars"] == {**WORKER_ENVIRONMENT, "OMP_NUM_THREADS": "4", "A": "b"}
    assert sent["py_modules"][0] == "/own"
    (house,) = (Path(path) for path in sent["py_modules"][1:])
    assert house.name == "versemill"
    assert all((house / name / "__init__.py").is_file() for name in ("", *PACKAGES))


def test_a_source_that_is_no_package_can_not_be_sent():
    with pytest.raises(ConfigError, match="'millstones' can't be sent"):
        shipping.environment(pipeline("run.ship=true", "sources.t.source=millstones:TRIVIAL"))


@pytest.fixture
def bare(tmp_path):
    """(address, environment) of a Ray node of a Python that has all that we have but this package."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(tmp_path / "venv")], check=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "versemill" not in entry.name:
            (packages / entry.name).symlink_to(entry)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "home").mkdir()
    short = tempfile.mkdtemp(prefix="vm-ray-", dir="/tmp")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "PYTHON"))}
    cache = os.environ.get("VERSEMILL_CACHE", str(Path.home() / ".cache" / "versemill"))
    environment = {**kept, "HOME": str(tmp_path / "home"), "VERSEMILL_CACHE": cache}
    python = str(tmp_path / "venv" / "bin" / "python")
    assert subprocess.run([python, "-c", "import ray, numpy, versemill"], cwd="/", env=environment, check=False).returncode == 1
    command = [
        python, "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}", "--num-cpus=2",
        "--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={short}", "--node-ip-address=127.0.0.1",
    ]  # fmt: skip
    node = subprocess.Popen(command, env=environment, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert node.poll() is None, node.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.3)
    yield f"127.0.0.1:{port}", environment
    family = psutil.Process(node.pid).children(recursive=True)
    node.send_signal(signal.SIGTERM)
    node.wait(30)
    _, alive = psutil.wait_procs(family, timeout=60)
    for process in alive:
        process.kill()
    subprocess.run(["rm", "-rf", short], check=True)


@pytest.mark.slow
def test_a_run_on_bare_nodes_makes_the_same_bytes(bare, tmp_path):
    address, environment = bare

    def versemill(out, *more):
        own = environment | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        arguments = [value for override in SMALL for value in ("--set", override)]
        command = [sys.executable, "-m", "versemill", "run", "quickstart", "--out", str(tmp_path / out), "--assets", "3"]
        return subprocess.run([*command, *arguments, *more], env=own, cwd=tmp_path, capture_output=True, text=True, check=False)

    refused = versemill("a", "--address", address)
    assert refused.returncode == 2, refused.stderr
    assert "--set run.ship=true" in refused.stderr.splitlines()[-1]
    sent = versemill("a", "--address", address, "--set", "run.ship=true")
    assert sent.returncode == 0, sent.stderr
    assert versemill("b").returncode == 0
    assert maintenance.diff(tmp_path / "a", tmp_path / "b") == []
