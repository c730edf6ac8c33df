"""The run on Ray: the same bytes whatever happens to it, and faults that cost one asset each."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import millstones
import psutil
import pytest

from versemill.errors import BusyError, ConfigError, VersemillError
from versemill.mill.folder.dataset import Dataset, locked
from versemill.mill.report.status import status
from versemill.mill.run import driver
from versemill.mill.run.cluster import Monitors
from versemill.mill.upkeep.verify import verify


def run(pipeline, out, **options):
    return driver.run(pipeline, out, progress=False, maker=millstones.make, **options)


def hashes(out):
    """Shard -> SHA-256, by the ledger; `verify` compares it with the file."""
    dataset = Dataset.open(out)
    return {shard: dataset.read(dataset.ledger_file(shard))["sha256"] for shard in dataset.sealed()}


def entries(out):
    dataset = Dataset.open(out)
    return [dataset.read(dataset.ledger_file(shard)) for shard in dataset.sealed()]


def leftovers(out):
    """Whatever is in a finished dataset's folder and should not be."""
    known = {"dataset.json", "census.json", "README.md", "metrics.prom", "lock", "shards", "ledger", "timings", "runs"}
    return [str(p) for p in Path(out).rglob("*") if p.relative_to(out).parts[0] not in known or ".tmp" in p.name]


def test_same_seed_same_bytes_whatever_the_width_and_the_chunks(two_workers, trivial, tmp_path):
    wide = run(trivial(), tmp_path / "a")
    run(trivial(overrides=["run.workers=1", "run.chunk=3"]), tmp_path / "b")
    assert (wide.rows, wide.rejected, wide.failed, wide.complete) == (34, 6, 0, True)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    assert verify(tmp_path / "a", deep=False) == []
    assert leftovers(tmp_path / "a") == []
    run(trivial(seed=2), tmp_path / "c")
    assert not set(hashes(tmp_path / "a").values()) & set(hashes(tmp_path / "c").values())


def test_a_complete_dataset_costs_nothing(two_workers, trivial, tmp_path):
    first = run(trivial(), tmp_path / "a")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*") if p.name != "lock"}
    second = run(trivial(), tmp_path / "a")
    assert (second.made, second.rows, second.complete) == (0, first.rows, True)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*") if p.name != "lock"}


def test_each_fault_costs_its_own_asset_alone(two_workers, trivial, tmp_path):
    limits = ["run.deadline_s=6", "run.memory_mb=500"]
    run(trivial(), tmp_path / "undisturbed")
    faults = {3: "raise", 9: "abort", 11: "hang", 13: "memory", 18: "segfault", 20: "exit", 33: "once abort", 34: "once raise"}
    summary = run(trivial(faults=faults, overrides=limits), tmp_path / "faulty")
    failures = {f["index"]: f for entry in entries(tmp_path / "faulty") for f in entry["failures"]}
    assert summary.failed == 6
    assert {i: (f["reason"], f["signal"]) for i, f in failures.items()} == {
        3: ("exception", None),
        9: ("crashed", "SIGABRT"),
        11: ("timeout", "SIGKILL"),
        13: ("memory", "SIGKILL"),
        18: ("crashed", "SIGSEGV"),
        20: ("crashed", None),
    }
    assert all((f["stage"], f["tries"]) == ("curate", 2) for f in failures.values())
    for index, failure in failures.items():
        assert any(f"about to {faults[index]}" in line for line in failure["log"]), failure
    assert "deliberate" in failures[3]["message"]
    whole, faulty = entries(tmp_path / "undisturbed"), entries(tmp_path / "faulty")
    for before, after in zip(whole, faulty, strict=True):
        assert sorted([*after["indices"], *(f["index"] for f in after["failures"])]) == before["indices"]
    assert whole[2]["sha256"] == faulty[2]["sha256"]  # what failed once among 32..39 leaves no trace
    assert verify(tmp_path / "faulty") == []


def test_an_asset_whose_kill_is_lost_is_killed_again(two_workers, trivial, tmp_path, monkeypatch):
    kill, seen = Monitors.kill, []

    def losing(self, observation):
        seen.append(observation.index)
        if len(seen) % 2 == 0:
            kill(self, observation)

    monkeypatch.setattr(Monitors, "kill", losing)
    summary = run(trivial(assets=8, faults={3: "memory", 5: "memory"}, overrides=["run.memory_mb=500"]), tmp_path / "a")
    assert (summary.failed, set(seen)) == (2, {3, 5})
    (entry,) = entries(tmp_path / "a")
    assert [(f["index"], f["reason"]) for f in entry["failures"]] == [(3, "memory"), (5, "memory")]


def test_rejections_are_kept_with_their_reason(two_workers, trivial, tmp_path):
    run(trivial(), tmp_path / "a")
    rejections = [r for entry in entries(tmp_path / "a") for r in entry["rejections"]]
    assert [r["index"] for r in rejections] == [0, 7, 14, 21, 28, 35]
    assert all((r["stage"], r["reason"]) == ("filter", "unwanted") and str(r["index"]) in r["message"] for r in rejections)


def test_a_shard_without_rows_is_sealed_too(two_workers, trivial, tmp_path):
    summary = run(trivial(overrides=["sources.t.reject_every=1"]), tmp_path / "a")
    assert (summary.rows, summary.rejected, summary.complete) == (0, 40, True)
    assert verify(tmp_path / "a", deep=True) == []


def test_another_config_in_the_same_folder_is_refused_with_what_differs(two_workers, trivial, tmp_path):
    run(trivial(assets=4), tmp_path / "a")
    for pipeline, words in (
        (trivial(assets=4, overrides=["sources.t.size=2"]), "sources.t.size: 1.0 -> 2"),
        (trivial(assets=4, seed=9), "seed: 1 -> 9"),
        (trivial(assets=5), "assets: 4 -> 5"),
    ):
        with pytest.raises(ConfigError, match="another dataset") as caught:
            run(pipeline, tmp_path / "a")
        assert words in str(caught.value)
    assert run(trivial(assets=4, overrides=["run.retries=5", "run.memory_mb=99"]), tmp_path / "a").complete


def test_two_runs_on_one_folder_are_refused(trivial, tmp_path):
    dataset = Dataset.at(tmp_path / "a")
    with locked(dataset), pytest.raises(BusyError, match=f"process {os.getpid()}"):
        run(trivial(), tmp_path / "a")
    with locked(dataset):
        pass


def test_a_folder_of_something_else_is_refused(trivial, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").write_text("...")
    with pytest.raises(ConfigError, match=r"thesis\.tex"):
        run(trivial(), tmp_path / "a")


def test_an_unwritable_output_is_refused(trivial, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can't write"):
        run(trivial(), tmp_path / "file" / "a")


def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(two_workers, trivial, tmp_path):
    with pytest.raises(VersemillError, match="make room, then run the same command"):
        run(trivial(faults={20: "disk"}), tmp_path / "a")
    assert run(trivial(), tmp_path / "a").complete
    run(trivial(), tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_only_makes_one_asset_beside_the_dataset(two_workers, trivial, tmp_path):
    run(trivial(), tmp_path / "a")
    before = hashes(tmp_path / "a")
    summary = run(trivial(), tmp_path / "a", only=[9, 7])
    assert [(o["index"], o["status"]) for o in summary.outcomes] == [(9, "row"), (7, "rejected")]
    assert hashes(tmp_path / "a") == before
    assert leftovers(tmp_path / "a") == []
    with pytest.raises(ConfigError, match=r"index 40 is not in this dataset; it has 0\.\.39"):
        run(trivial(), tmp_path / "a", only=[40])


def test_a_damaged_staging_file_is_made_again(two_workers, trivial, tmp_path):
    with pytest.raises(VersemillError):
        run(trivial(faults={30: "disk"}, overrides=["run.chunk=1"]), tmp_path / "a")
    staged = sorted((tmp_path / "a" / "staging").rglob("*.arrow"))
    assert staged
    staged[0].write_bytes(staged[0].read_bytes()[:100])
    record = sorted((tmp_path / "a" / "staging").rglob("*.json"))[-1]
    record.write_text("")
    assert run(trivial(), tmp_path / "a").complete
    run(trivial(), tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


SCRIPT = """
import json, sys
sys.path[:0] = json.loads(sys.argv[3])
import millstones
from versemill.mill.pipeline import config
from versemill.mill.run import driver
pipeline = config.restore("trivial", json.loads(open(sys.argv[1]).read()))
try:
    driver.run(pipeline, sys.argv[2], progress=False, maker=millstones.make)
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


def facts(processes):
    """Process -> its command line, and the addresses that they speak to; some may end while they are looked at."""
    names, spoken_to = dict.fromkeys(processes, ""), set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            names[process] = " ".join(process.cmdline())
            ends = (link.raddr for link in process.net_connections("inet") if link.raddr)
            spoken_to |= {end.ip.removeprefix("::ffff:") for end in ends}
    return names, spoken_to


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_driver_leaves_nothing_running_and_the_same_command_ends_in_the_same_bytes(
    two_workers, trivial, tmp_path, soon_gone, sign
):
    """In a process of its own, with a Ray of its own; one of its two workers hangs in native code when the driver goes."""
    settings = ["sources.t.milliseconds=80", "run.chunk=1", "run.workers=2"]
    slow = trivial(faults={1: "hang"}, overrides=settings)
    config_file = tmp_path / "config.json"
    config_file.write_text(json.dumps(slow.resolved))
    paths = json.dumps([str(Path(__file__).parent)])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    victim = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(config_file), str(tmp_path / "a"), paths], env=environment, cwd=tmp_path
    )
    end = time.monotonic() + 90
    while len(list((tmp_path / "a").rglob("*.arrow"))) + 16 * len(list((tmp_path / "a").glob("ledger/*"))) < 20:
        assert time.monotonic() < end
        assert victim.poll() is None
        time.sleep(0.02)
    family = psutil.Process(victim.pid).children(recursive=True)
    names, spoken_to = facts([psutil.Process(victim.pid), *family])
    assert spoken_to <= {each.address for card in psutil.net_if_addrs().values() for each in card}, "it speaks to itself alone"
    agents = [process for process in family if "::" in names[process] and "Agent" in names[process]]
    victim.send_signal(sign)
    assert victim.wait(30) == (1 if sign == signal.SIGTERM else -sign), "SIGTERM ends it as Ctrl-C does"
    _, alive = psutil.wait_procs([process for process in family if process not in agents], timeout=60)
    assert alive == []
    soon_gone += agents
    assert status(tmp_path / "a")["state"] == "stopped"
    assert 0 < status(tmp_path / "a")["counts"]["left"] < 40
    trivial()  # takes the fault away
    summary = run(slow, tmp_path / "a")
    assert summary.complete
    assert summary.made < 40
    run(slow, tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    assert leftovers(tmp_path / "a") == []


def test_a_file_system_without_locks_and_paths_works_too(two_workers, trivial, tmp_path):
    """As an object store is used: through fsspec, from every worker."""
    uri = f"local://{tmp_path}/remote"
    with pytest.raises(VersemillError):
        run(trivial(faults={20: "disk"}), uri)
    assert run(trivial(), uri).complete
    assert verify(uri, deep=True) == []
    run(trivial(), tmp_path / "a")
    assert hashes(uri) == hashes(tmp_path / "a")
