"""How a run ends when it is stopped, or when Ray's own processes are killed; and that nothing of it leaves the machine."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent
PROGRAM = """
import functools, sys
sys.path.insert(0, {here!r})
import millstones
from versemill.mill import cli
from versemill.mill.run import driver
driver.run = functools.partial(driver.run, maker=millstones.make)
sys.argv = ["versemill", *sys.argv[1:]]
cli.main()
"""


@pytest.fixture
def begin(tmp_path):
    """begin(milliseconds, *before) -> a run of 40 trivial assets in a process of its own, and its folder."""
    (tmp_path / "faults.json").write_text("{}")
    processes = []

    def start(milliseconds, *before):
        command = [*before, sys.executable, "-c", PROGRAM.format(here=str(HERE)), "run", "base", "--out", str(tmp_path / "out")]
        settings = (
            "sources.zeroverse=null", "sources.t.source=millstones:TRIVIAL", f"sources.t.faults={tmp_path / 'faults.json'}",
            f"sources.t.milliseconds={milliseconds}", "shards.assets_per_shard=10", "run.workers=2", "run.assets=40",
        )  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        command += [word for setting in settings for word in ("--set", setting)]
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def child(process, name, patience=60.0):
    """A descendant by a part of its command line, as soon as it is there."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        for each in psutil.Process(process.pid).children(recursive=True):
            try:
                if name in each.name() or name in " ".join(each.cmdline()[:1]):
                    return each
            except psutil.Error:
                continue
        time.sleep(0.05)
    raise AssertionError(f"no process {name}")


def finished(out):
    return len(list(out.glob("staging/*/*.json"))) + 10 * len(list(out.glob("ledger/*.json")))


def working(process, out, patience=90.0):
    """Waits until some assets are finished."""
    end = time.monotonic() + patience
    while finished(out) < 2:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def leftovers(pid):
    return [
        str(path) for pattern in (f"versemill-ray-{pid}-*", f"versemill-run-{pid}-*") for path in Path("/tmp").glob(pattern)
    ]


@pytest.mark.parametrize("delay", [0.0, 1.0, 2.0])
def test_a_signal_while_ray_starts(begin, tmp_path, delay):
    run = begin(10)
    child(run, "gcs_server")
    time.sleep(delay)
    run.send_signal(signal.SIGTERM)
    said = run.communicate(timeout=60)[1]
    assert (run.returncode, said.strip().splitlines()[-1]) == (
        130,
        "versemill: interrupted; run the same command again to resume",
    )
    assert leftovers(run.pid) == []


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT), (signal.SIGINT,) * 4])
def test_signals_while_a_run_stops(begin, tmp_path, numbers):
    run = begin(300)
    working(run, tmp_path / "out")
    for number in numbers:
        run.send_signal(number)
        time.sleep(0.4)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 130, said
    assert said.count("versemill: interrupted; run the same command again to resume") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_process_of_rays_is_killed(begin, tmp_path, name):
    run = begin(300)
    working(run, tmp_path / "out")
    children = psutil.Process(run.pid).children(recursive=True)
    child(run, name).kill()
    began = time.monotonic()
    said = run.communicate(timeout=60)[1]
    assert time.monotonic() - began < 15  # what the documents promise, not a measurement
    assert run.returncode == 1
    assert f"versemill: Ray's process {name} was killed from outside" in " ".join(said.split())
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert leftovers(run.pid) == []
    again = begin(300)
    said = again.communicate(timeout=120)[1]
    assert again.returncode == 0, said
    entries = [json.loads(path.read_text()) for path in sorted((tmp_path / "out" / "ledger").glob("*.json"))]
    assert len(entries) == 4
    assert not any(entry["failures"] for entry in entries)


def test_ray_is_private(begin, tmp_path):
    """What it writes lies in a folder that only this user can enter; it listens on the loopback interface; no dashboard."""
    run = begin(300)
    working(run, tmp_path / "out")
    (folder,) = Path("/tmp").glob(f"versemill-ray-{run.pid}-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    children = psutil.Process(run.pid).children(recursive=True)
    assert not any("dashboard.py" in word for each in children for word in each.cmdline())
    listening = [c.laddr.ip for p in children for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert {address.removeprefix("::ffff:") for address in listening} <= {"127.0.0.1", "::1"}


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("ip"), reason="only root makes a network namespace")
def test_nothing_leaves_the_machine(begin, tmp_path):
    """A run in a network namespace with nothing but a loopback interface; no call tries to reach any other address."""
    trace = (
        ["strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(tmp_path / "trace")] if shutil.which("strace") else []
    )
    run = begin(1, "unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *trace)
    said = run.communicate(timeout=300)[1]
    assert run.returncode == 0, said
    if trace:
        calls = (tmp_path / "trace").read_text()
        reached = set(re.findall(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', calls))
        assert reached
        assert {(a or b).removeprefix("::ffff:") for a, b in reached} <= {"127.0.0.1", "::1", "0.0.0.0"}
