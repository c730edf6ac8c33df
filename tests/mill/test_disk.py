"""Room on the disk: refused before, stopped during, and the same bytes once there is room."""

import os
from types import SimpleNamespace

import pytest
from test_run import hashes, run

from versemill.errors import VersemillError
from versemill.mill.folder import disk
from versemill.mill.folder.dataset import Dataset
from versemill.mill.pipeline import config
from versemill.mill.run import driver


@pytest.fixture
def room(monkeypatch):
    """room(bytes, ...): every file system has so many bytes free; with several, each look sees the next."""

    def set_to(*sizes):
        left = list(sizes)
        monkeypatch.setattr(
            os,
            "statvfs",
            lambda path: SimpleNamespace(f_bavail=left.pop(0) if len(left) > 1 else left[0], f_frsize=1, f_flag=0, f_blocks=1),
        )

    return set_to


def test_a_run_that_can_not_fit_is_refused_before_anything_is_made(room, tmp_path):
    pipeline = config.load("zeroverse-400k")
    room(10**9)
    with pytest.raises(VersemillError) as caught:
        driver.run(pipeline, tmp_path / "a", progress=False)
    assert caught.value.exit_code == 1  # a scheduler may try again when there is room
    said = str(caught.value)
    assert "1.0 GB are free" in said
    assert "for 400000 assets" in said
    assert "67.1 MB for the ledger" in said
    assert "fewer --assets" in said
    assert list(tmp_path.iterdir()) == []
    fits = int(said.partition("enough for ")[2].partition(";")[0])
    assert 0 < fits * disk.least(pipeline) * 0.5 < 10**9


def test_the_guard_believes_the_rows_that_were_made(room, trivial, two_workers, tmp_path):
    run(trivial(), tmp_path / "a")
    guard = disk.Guard(Dataset.open(tmp_path / "a"), 0.0)
    room(10**9)
    guard.during(disk.SAMPLE, 8 * 10**6, 900, 2)  # 1 MB each: 900 MB and the slack fit
    with pytest.raises(
        VersemillError, match=r"needs 1.2 GB for 1200 assets \(1.0 MB each\) .*; 1.0 GB are free, enough for 932"
    ):
        guard.during(disk.SAMPLE, 8 * 10**6, 1200, 2)
    room(80 * 10**6)
    with pytest.raises(VersemillError, match=r"nearly full: 80\.0 MB free, and the next shard needs 101 MB"):
        guard.during(disk.SAMPLE, 8 * 10**6, 40, 2)
    room(90 * 10**6)
    guard.during(disk.SAMPLE, 8 * 10**6, 0, 0)  # all is made, and the last shard fits


def test_a_run_stops_before_the_disk_is_full_and_goes_on_when_there_is_room(room, trivial, two_workers, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "SNAPSHOT_SECONDS", 0.2)
    slow = ["sources.t.milliseconds=60", "run.chunk=1"]
    ample, scarce = (SimpleNamespace(f_bavail=size, f_frsize=1, f_flag=0, f_blocks=1) for size in (10**12, 10**7))
    monkeypatch.setattr(os, "statvfs", lambda path: scarce if any((tmp_path / "a").rglob("*.arrow")) else ample)
    with pytest.raises(VersemillError, match="make room, then run the same command"):
        run(trivial(overrides=slow), tmp_path / "a")
    kept = len(list((tmp_path / "a").rglob("*.arrow")))
    assert kept
    room(10**12)
    summary = run(trivial(overrides=slow), tmp_path / "a")
    assert summary.complete
    assert summary.made < 40
    run(trivial(overrides=slow), tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_free_is_that_of_the_nearest_folder_that_exists(tmp_path):
    stat = os.statvfs(tmp_path)
    free = disk.free(Dataset.at(tmp_path / "not" / "yet"))
    assert free == pytest.approx(stat.f_bavail * stat.f_frsize, rel=0.05)
    assert disk.free(Dataset.at(f"local://{tmp_path}")) is None


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e11, "250 GB"), (3e15, "3 PB")])
def test_sizes_read_well(count, text):
    assert disk.size(count) == text
