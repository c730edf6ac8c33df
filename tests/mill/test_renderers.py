"""Render actors: the same bytes as when workers render, and faults that cost one asset each though all share a process."""

import contextlib
import json
import os
import signal
import threading
import time

import millstones
import psutil
import pytest
import ray
from test_run import entries, hashes, leftovers

from versemill.mill.pipeline import stages
from versemill.mill.run import cluster, driver
from versemill.mill.upkeep.verify import verify

SMALL = ["render.width=16", "render.height=16", "render.cameras.views=2", "render.passes=[rgb,depth]"]


@pytest.fixture(scope="module")
def logical_gpu(tmp_path_factory):
    """A Ray with two cores and one GPU that exists on paper: what asks for it is scheduled, and computes on the CPU."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.QUIET.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", os.pathsep.join(cluster._search_path()))
        ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
        yield
        ray.shutdown()


@pytest.fixture
def drawn(logical_gpu, trivial, monkeypatch):
    """drawn(out, renderers, faults=..., overrides=[...]) runs 24 assets that are rendered by `millstones.draw`."""
    monkeypatch.setattr(stages, "draw", millstones.draw)

    def run(out, renderers, faults=None, overrides=()):
        pipeline = trivial(assets=24, faults=faults, overrides=[*SMALL, f"run.renderers={renderers}", *overrides])
        return driver.run(pipeline, out, progress=False, maker=millstones.make_drawn)

    return run


def artists(folder):
    """Process -> the resources that it held while it rendered."""
    notes = {path.name.removeprefix("drawn-"): json.loads(path.read_text()) for path in folder.glob("drawn-*")}
    for path in folder.glob("drawn-*"):
        path.unlink()
    return notes


def test_renderers_make_the_same_bytes_as_workers(drawn, tmp_path):
    drawn(tmp_path / "workers", 0)
    by_workers = artists(tmp_path)
    assert by_workers
    assert all("GPU" not in held for held in by_workers.values())
    summary = drawn(tmp_path / "actor", 1)
    (held,) = artists(tmp_path).values()
    assert held["GPU"] == 1
    assert (summary.rows, summary.complete) == (24, True)
    assert hashes(tmp_path / "actor") == hashes(tmp_path / "workers")
    assert verify(tmp_path / "actor", deep=True) == []
    assert leftovers(tmp_path / "actor") == []
    assert summary.core_seconds["render"] > 0
    drawn(tmp_path / "two", 2)
    assert len(artists(tmp_path)) == 2
    assert hashes(tmp_path / "two") == hashes(tmp_path / "workers")


def test_a_fault_in_the_renderer_costs_its_own_asset_alone(drawn, tmp_path):
    drawn(tmp_path / "undisturbed", 1)
    faults = {1: "raise", 3: "abort", 5: "hang", 6: "once abort", 18: "once segfault"}
    summary = drawn(tmp_path / "faulty", 1, faults=faults, overrides=["run.deadline_s=4"])
    failures = {f["index"]: (f["stage"], f["reason"], f["signal"]) for e in entries(tmp_path / "faulty") for f in e["failures"]}
    assert failures[1] == ("render", "exception", None)
    assert failures[3] == ("render", "crashed", "SIGABRT")
    assert failures[5][:2] == ("render", "timeout")
    assert set(failures) == {1, 3, 5}
    assert summary.rows == 21
    whole, faulty = entries(tmp_path / "undisturbed"), entries(tmp_path / "faulty")
    assert sorted(set(whole[0]["indices"]) - set(faulty[0]["indices"])) == [1, 3, 5]
    assert whole[1]["sha256"] == faulty[1]["sha256"]  # what failed once among 16..23 leaves no trace
    assert verify(tmp_path / "faulty", deep=True) == []


def test_a_renderer_that_is_killed_is_replaced_and_the_bytes_are_the_same(drawn, tmp_path):
    drawn(tmp_path / "undisturbed", 1)
    killed, done = [], threading.Event()

    def kill() -> None:
        while len(killed) < 2 and not done.is_set():
            here = psutil.Process().children(recursive=True)
            for process in here:
                notes = list((tmp_path / "killed").rglob("*.arrow"))
                with contextlib.suppress(psutil.Error):  # it has ended since it was listed
                    if notes and process.pid not in killed and "Renderer" in " ".join(process.cmdline()):
                        process.send_signal(signal.SIGKILL)
                        killed.append(process.pid)
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    summary = drawn(tmp_path / "killed", 1, overrides=["run.retries=3"])
    done.set()
    thread.join()
    assert killed
    assert (summary.failed, summary.complete) == (0, True)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "undisturbed")
