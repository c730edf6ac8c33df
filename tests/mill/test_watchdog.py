"""What killed runs leave on a machine is removed by the next; what a living one uses is not."""

import os
import platform
import subprocess
import sys
import tempfile

import psutil
import pytest

from mill.watchdog import Notebook, Warden, scratch


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
    def leave(name, host, age=0.0):
        folder = place / name
        folder.mkdir(parents=True)
        (folder / "host").write_text(host)
        (folder / "000000001.note").write_text("1 2 render\n")
        then = folder.stat().st_mtime - age
        os.utime(folder, (then, then))

    gone = dead_process()
    leave(f"{gone}-killed", platform.node())
    leave(f"{os.getpid()}-alive", platform.node(), age=10**6)
    leave(f"{gone}-elsewhere", "another-host", age=3600)
    leave(f"{gone}-forgotten", "another-host", age=2 * 86400)
    warden = Warden(f"{os.getpid()}-mine")
    names = {folder.name for folder in place.iterdir()}
    assert names == {f"{os.getpid()}-alive", f"{gone}-elsewhere", f"{os.getpid()}-mine"}
    warden.sweep()
    assert {folder.name for folder in place.iterdir()} == names - {f"{os.getpid()}-mine"}


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
