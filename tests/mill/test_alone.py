"""Files of others are worked on in a process that is killed for the time or memory it takes; the next file is done."""

from pathlib import Path

import psutil
import pytest
from strikes import strike

from versemill.errors import AssetError, ConfigError
from versemill.mill.run.alone import Alone


@pytest.mark.parametrize(("kind", "reason"), [
    ("hang", "timeout"), ("program", "timeout"), ("memory", "memory"), ("abort", "crashed"), ("refuse", "bad"),
])  # fmt: skip
def test_what_takes_too_much_is_killed_and_the_next_is_done(kind, reason):
    with Alone(3.0 if reason == "timeout" else 60.0, 700) as worker:
        first = worker.call(strike, "")
        started = psutil.Process(first).children(recursive=True)
        with pytest.raises(AssetError) as caught:
            worker.call(strike, kind)
        assert caught.value.reason == reason
        assert worker.call(strike, "") == first if reason == "bad" else worker.call(strike, "") != first
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert not psutil.pid_exists(first)


def test_mistakes_of_the_users_are_raised_as_they_are():
    with Alone(60.0, 700) as worker, pytest.raises(ConfigError, match="wrong"):
        worker.call(strike, "mistake")


def test_the_commands_go_on_after_a_file_that_takes_too_long(tmp_path, monkeypatch):
    """`curate` over three files, the middle one with a deadline that nothing meets."""
    import trimesh
    from typer.testing import CliRunner

    from versemill.mill import cli

    for name in ("a", "b"):
        trimesh.creation.icosphere(2).export(tmp_path / f"{name}.ply")
    (tmp_path / "c.obj").write_text("v 0 0 0\nf 1 1 nonsense\n")
    files = [str(tmp_path / name) for name in ("a.ply", "c.obj", "b.ply")]
    done = CliRunner().invoke(cli.app, ["curate", *files, "--out", str(tmp_path / "out"), "--set", "resolution=32"])
    assert done.exit_code == 1, done.output
    assert sorted(Path(tmp_path / "out").glob("*.glb")) == [tmp_path / "out" / "a.glb", tmp_path / "out" / "b.glb"]
    done = CliRunner().invoke(cli.app, ["curate", *files[:1], "--out", str(tmp_path / "late"), "--deadline-s", "0.1"])
    assert done.exit_code == 1
    assert "--deadline-s" in done.output
    assert (tmp_path / "late" / "a.json").exists()
