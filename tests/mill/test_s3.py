"""Datasets in an object store: the bytes of a local run, whatever happens on the way."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from faulty import Faulty
from test_run import SCRIPT, hashes, run

from versemill.mill import report
from versemill.mill.folder.dataset import Dataset
from versemill.mill.report.status import status
from versemill.mill.upkeep.verify import verify
from versemill.shards import storage


@pytest.fixture
def remote(s3_server, monkeypatch):
    """remote(every) -> a faulty way to the server; this process and those it starts take it."""
    ways = []
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)

    def way(every):
        made = Faulty(s3_server.port, every)
        threading.Thread(target=made.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
        ways.append(made)
        return made

    yield way
    for made in ways:
        made.shutdown()
        made.server_close()


def drive(pipeline, uri, folder):
    """A run in a process of its own, with a Ray of its own, whose workers find the same server."""
    config_file = folder / "config.json"
    config_file.write_text(json.dumps(pipeline.resolved))
    paths = json.dumps([str(Path(__file__).parent)])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    command = [sys.executable, "-c", SCRIPT, str(config_file), uri, paths]
    return subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True)


def contents(uri):
    """Shard file -> SHA-256 of the bytes that are there."""
    dataset = Dataset.open(uri)
    return {
        Path(path).name: storage.sha256(dataset.fs, path) for path in storage.list_files(dataset.fs, dataset.path("shards"))
    }


@pytest.mark.slow
def test_outage_and_kill_over_a_faulty_connection_end_in_the_bytes_of_a_local_run(
    two_workers, trivial, tmp_path, s3_server, remote
):
    """One request in twenty fails, in six ways; the first run meets an outage, the second is killed, the third ends."""
    pipeline = trivial(assets=16, overrides=["sources.t.milliseconds=50", "run.chunk=2", "shards.assets_per_shard=8"])
    run(pipeline, tmp_path / "local")
    uri = s3_server.bucket("faulty") + "/deep/data"
    direct = Dataset.at(uri)  # what the test itself looks at, it sees by the server's own address
    way = remote(every=20)

    first = drive(pipeline, uri, tmp_path)
    until(first, lambda: direct.folders("staging"))
    way.dead = True
    assert first.wait(120) == 1
    assert "versemill.errors.VersemillError: " in first.stderr.read()
    way.dead = False
    assert status(uri)["counts"]["failed"] == 0, "an outage is no asset's fault"

    second = drive(pipeline, uri, tmp_path)
    until(second, lambda: direct.sealed() and direct.folders("staging"))
    family = psutil.Process(second.pid).children(recursive=True)
    second.kill()
    second.wait(30)
    for process in family:  # they would go by themselves, Ray's agents after a minute
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert status(uri)["shards"]["sealed"] < 2

    third = drive(pipeline, uri, tmp_path)
    _, errors = third.communicate(timeout=180)
    assert third.returncode == 0, errors
    assert all(way.met.values()), way.met
    way.every = 0
    assert status(uri)["counts"]["failed"] == 0, status(uri)["failures"]
    assert hashes(uri) == hashes(tmp_path / "local")
    assert contents(uri) == contents(tmp_path / "local")
    assert verify(uri, deep=True) == []
    assert direct.folders("staging") == direct.folders("only") == []
    assert report.write(uri) == f"{uri}/report.html"
    assert storage.read_bytes(direct.fs, direct.path("report.html")).count(b'class="asset"') == status(uri)["counts"]["rows"]


def until(process, done):
    """Waits for `done` while the process runs."""
    end = time.monotonic() + 120
    while not done():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.2)
