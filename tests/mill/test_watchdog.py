"""What killed runs leave on a machine is removed by the next; what a living one uses is not."""

import os
import stat
import subprocess
import sys
import tempfile
import time

import psutil
import pytest

from versemill.errors import VersemillError
from versemill.mill.run.watchdog import Monitor, Observation, StageNote, clear_abandoned, new_run, scratch


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not psutil.pid_exists(process.pid)
    return process.pid


def test_only_what_nobody_uses_is_removed(place):
    def leave(owner, machine, age=0.0):
        folder = scratch(f"{owner}-{machine}-abc")
        folder.mkdir()
        (folder / "000000001.note").write_text("1 2 render\n")
        then = folder.stat().st_mtime - age
        os.utime(folder, (then, then))
        return folder.name

    here, gone = new_run().split("-")[1], dead_process()
    leave(gone, here)
    leave(gone, "00000000", age=2 * 86400)
    kept = {leave(os.getpid(), here, age=10**6), leave(gone, "00000001", age=3600)}
    mine = new_run()
    monitor = Monitor(mine)
    with StageNote(mine, "000000001"):
        assert {folder.name for folder in place.iterdir()} == {*kept, scratch(mine).name}
    monitor.sweep()
    assert {folder.name for folder in place.iterdir()} == kept


def test_a_run_leaves_no_folder(place):
    monitor = Monitor("1-a")
    with StageNote("1-a", "000000007") as stage_note:
        stage_note.write(12, "curate")
        os.write(2, b"last words\n")
        (observation,) = monitor.look()
        assert (observation.token, observation.index, observation.stage, observation.pid) == (
            "000000007",
            12,
            "curate",
            os.getpid(),
        )
        assert observation.memory_mb > 1
        words = monitor.exit_report("000000007")
    assert (words.index, words.stage, words.signal, words.lines) == (12, "curate", None, ["last words"])
    assert monitor.look() == []
    monitor.sweep()
    assert list(place.iterdir()) == []


def test_the_folder_is_nobody_elses(place):
    run = new_run()
    assert len(run.split("-")[2]) == 32  # 128 bits: nobody makes it first
    Monitor(run)
    assert stat.S_IMODE(scratch(run).stat().st_mode) == 0o700


@pytest.mark.parametrize("attack", ["link", "file", "open to all", "another owner"])
def test_a_prepared_folder_is_refused(place, attack):
    folder, elsewhere = scratch("1-a"), place / "elsewhere"
    elsewhere.mkdir(0o700)
    if attack == "link":
        folder.symlink_to(elsewhere)
    elif attack == "file":
        folder.write_text("")
    elif attack == "open to all":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        if os.getuid() != 0:
            pytest.skip("only root can give a folder away")
        folder.mkdir(0o700)
        os.chown(folder, 65534, 65534)
    for opened in (lambda: Monitor("1-a"), lambda: StageNote("1-a", "000000001").__enter__()):
        with pytest.raises(VersemillError, match="only this user can enter"):
            opened()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("ending", ["note", "log"])
def test_no_file_is_opened_through_a_link(place, ending):
    Monitor("1-a")
    victim = place / "victim"
    victim.write_text("precious")
    (scratch("1-a") / f"000000001.{ending}").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        StageNote("1-a", "000000001").__enter__()
    assert victim.read_text() == "precious"


def test_links_and_strangers_folders_are_not_cleared(place):
    dead, here = dead_process(), new_run().split("-")[1]
    kept = place / "kept"
    (kept / "inner").mkdir(parents=True)
    scratch(f"{dead}-{here}-link").symlink_to(kept)
    clear_abandoned()
    assert (kept / "inner").is_dir()


def test_only_who_is_still_at_the_asset_is_killed(place):
    """A worker that has gone on to its next asset since it was seen must not die for the one before."""
    script = """
import subprocess, sys, tempfile, time
from versemill.mill.run.watchdog import StageNote
tempfile.tempdir = sys.argv[1]
with StageNote("1-a", "000000003") as stage_note:
    child = subprocess.Popen(["sleep", "100"])
    stage_note.write(7, "curate")
    time.sleep(100)
"""
    monitor = Monitor("1-a")
    worker = subprocess.Popen([sys.executable, "-c", script, str(place)])
    try:
        while not (observations := monitor.look()):
            assert worker.poll() is None
            time.sleep(0.05)
        (observation,) = observations
        (child,) = psutil.Process(worker.pid).children()
        for stale in (
            Observation(observation.token, 6, "curate", observation.pid, 9.0),
            Observation("000000004", 7, "curate", observation.pid, 9.0),
        ):
            monitor.kill(stale)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.2)
        monitor.kill(observation)
        assert worker.wait(20) == -9
        assert psutil.wait_procs([child], timeout=20)[1] == []
        monitor.kill(observation)  # its note is still there, it is not
    finally:
        worker.kill()
        worker.wait()
