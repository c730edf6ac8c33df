"""What killed runs leave on a machine is removed by the next; what a living one uses is not."""

import os
import subprocess
import sys
import tempfile
import time

import psutil
import pytest
from versemill.mill.run.watchdog import Notebook, Sight, Warden, new_run, scratch


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return scratch("")


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not psutil.pid_exists(process.pid)
    return process.pid


def test_only_what_nobody_uses_is_removed(place):
    def leave(owner, machine, age=0.0):
        folder = place / f"{owner}-{machine}-abc"
        folder.mkdir(parents=True)
        (folder / "000000001.note").write_text("1 2 render\n")
        then = folder.stat().st_mtime - age
        os.utime(folder, (then, then))
        return folder.name

    here, gone = new_run().split("-")[1], dead_process()
    leave(gone, here)
    leave(gone, "00000000", age=2 * 86400)
    kept = {leave(os.getpid(), here, age=10**6), leave(gone, "00000001", age=3600)}
    mine = new_run()
    warden = Warden(mine)
    with Notebook(mine, "000000001"):
        assert {folder.name for folder in place.iterdir()} == {*kept, mine}
    warden.sweep()
    assert {folder.name for folder in place.iterdir()} == kept


def test_the_last_run_leaves_no_folder(place):
    warden = Warden("1-a")
    with Notebook("1-a", "000000007") as notebook:
        notebook.write(12, "curate")
        os.write(2, b"last words\n")
        (sight,) = warden.look()
        assert (sight.token, sight.index, sight.stage, sight.pid) == ("000000007", 12, "curate", os.getpid())
        assert sight.memory_mb > 1
        words = warden.last_words("000000007")
    assert (words.index, words.stage, words.signal, words.lines) == (12, "curate", None, ["last words"])
    assert warden.look() == []
    warden.sweep()
    assert not place.exists()


def test_only_who_is_still_at_the_asset_is_killed(place):
    """A worker that has gone on to its next asset since it was seen must not die for the one before."""
    script = """
import subprocess, sys, tempfile, time
from versemill.mill.run.watchdog import Notebook
tempfile.tempdir = sys.argv[1]
with Notebook("1-a", "000000003") as notebook:
    child = subprocess.Popen(["sleep", "100"])
    notebook.write(7, "curate")
    time.sleep(100)
"""
    warden = Warden("1-a")
    worker = subprocess.Popen([sys.executable, "-c", script, str(place.parent)])
    try:
        while not (sights := warden.look()):
            assert worker.poll() is None
            time.sleep(0.05)
        (sight,) = sights
        (child,) = psutil.Process(worker.pid).children()
        for stale in (Sight(sight.token, 6, "curate", sight.pid, 9.0), Sight("000000004", 7, "curate", sight.pid, 9.0)):
            warden.kill(stale)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.2)
        warden.kill(sight)
        assert worker.wait(20) == -9
        assert psutil.wait_procs([child], timeout=20)[1] == []
        warden.kill(sight)  # its note is still there, it is not
    finally:
        worker.kill()
        worker.wait()
