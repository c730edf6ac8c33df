"""The command line: exit codes that scripts rely on, one line per mistake, help that teaches."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from versemill import __version__
from versemill.errors import ConfigError
from versemill.mill import cli
from versemill.mill.commands.common import uri_of
from versemill.mill.commands.run import shard_numbers
from versemill.mill.folder.dataset import Dataset, locked


def versemill(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The real program in a process of its own."""
    command = [sys.executable, "-m", "versemill", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "quikstart", "--out", "x"], "did you mean 'quickstart'"),
        (["run", "quickstart", "--out", "x", "--assets", "-3"], "assets"),
        (["run", "quickstart", "--out", "x", "--set", "render.wdith=3"], "did you mean"),
        (["run", "quickstart", "--out", "x", "--set", "run.workers=0"], "run.workers"),
        (["run", "quickstart", "--out", "x", "--set", "nonsense"], "section.key=value"),
        (["run", "quickstart", "--out", "/proc/nowhere/x"], "/proc/nowhere"),
        (["run", "quickstart", "--out", __file__], "test_cli.py"),
        (["run", "quickstart", "--out", "x", "--assets", "many"], "--assets"),
        (["run", "quickstart", "--out", "x", "--only", "96"], "0..95"),
        (["run", "quickstart", "--out", "x", "--address", "127.0.0.1:1"], "127.0.0.1:1"),
        (["run", "quickstart"], "--out"),
        (["run", "quickstart", "--out", "x", "--sett", "a=1"], "--sett"),
        (["run", "quickstart", "--out", "x", "--set", "run.then=[exprt]"], "run.then"),
        (["run", "quickstart", "--out", "x", "--set", "run.then=[export]", "--set", "export.formats=[x]"], "webdataset"),
        (["run", "quickstart", "--out", "x", "--set", "curate.score_head=no/head.json"], "no/head.json is not a score head"),
        (["run", "quickstart", "--out", "x", "--set", "curate.image_models=[no/dino.pt]"], "no/dino.pt"),
        (["plan", "quikstart"], "did you mean 'quickstart'"),
        (["plan", "quickstart", "--from", "nowhere"], "nowhere"),
        (["plan", "quickstart", "--sample", "1"], "--sample"),
        (["mill", "quickstart"], "mill"),
        (["preview", "zeroverse", "--out", "x.png", "--count", "-1"], "--count"),
        (["run", "files", "--out", "x"], "folder"),
        (["run", "files", "--out", "x", "--set", f"sources.files.path={__file__}"], "folder"),
        (["status", "nowhere"], "nowhere"),
        (["verify", "nowhere"], "nowhere"),
        (["report", "nowhere"], "nowhere"),
        (["validate", "nowhere"], "nowhere"),
        (["preview", "no-such-mesh.obj", "--out", "x.png"], "no-such-mesh.obj"),
        (["preview", "zeroverse", "--out", "no/such/folder/x.png"], "no/such/folder"),
        (["preview", "zeroverse", "--out", "x.xyz"], ".xyz"),
        (["preview", "zeroverse", "--out", "x"], "x"),
        (["curate", "x.obj", "--out", f"{__file__}/x"], "test_cli.py/x"),
        (["specs", "--build", "nowhere.yaml", "--glb", "x.glb"], "nowhere.yaml"),
        (["train", "gan", "nowhere", "--out", "x"], "gan"),
        (["train", "gaussians", "nowhere", "--out", "x"], "no shards in 'nowhere'"),
        (["export", "nowhere", "--format", "nerf", "--to", "x"], "no shards in 'nowhere'"),
        (["evaluate", "nowhere", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    answer = versemill(*arguments, cwd=tmp_path)
    assert answer.returncode == 2, answer.stderr
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not list(tmp_path.iterdir()), "nothing was done"


def test_a_device_that_is_not_here_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    answer = versemill("run", "quickstart", "--out", "x", "--set", "render.device=cuda:99", cwd=tmp_path)
    assert answer.returncode == 3
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "cuda:99" in answer.stderr
    assert not list(tmp_path.iterdir()), "nothing was done"


def test_an_engine_that_is_not_here_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    settings = ["--set", "render.engine=cycles", "--set", "render.cycles.python=no/blender"]
    answer = versemill("run", "quickstart", "--out", "x", *settings, cwd=tmp_path)
    assert answer.returncode == 3
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "no/blender" in answer.stderr
    assert not list(tmp_path.iterdir()), "nothing was done"


def test_a_dataset_that_another_run_writes_is_one_line_and_exit_code_5(tmp_path: Path) -> None:
    with locked(Dataset.at(tmp_path / "x")):
        answer = versemill("run", "quickstart", "--out", "x", cwd=tmp_path)
    assert answer.returncode == 5, answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "another run is writing to 'x'" in answer.stderr
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["lock"]


@pytest.mark.slow
def test_only_prints_one_json_value(tmp_path: Path) -> None:
    settings = ["render.width=16", "render.height=16", "render.cameras.views=2", "curate.resolution=48"]
    more = [value for setting in settings for value in ("--set", setting)]
    answer = versemill("run", "quickstart", "--out", "x", "--only", "5", "--only", "2", *more, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert [record["index"] for record in json.loads(answer.stdout)] == [5, 2]


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"format": 1}'])
@pytest.mark.parametrize("command", [("status", "d"), ("run", "quickstart", "--out", "d")])
def test_a_damaged_dataset_is_one_line(command: tuple[str, ...], content: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/dataset.json").write_text(content)
    answer = versemill(*command, cwd=tmp_path)
    assert answer.returncode == 2
    assert "dataset.json' is damaged" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["dataset.json"]


def test_version() -> None:
    assert versemill("--version").stdout == f"versemill {__version__}\n"


def test_help_names_every_command_with_an_example() -> None:
    runner = CliRunner()
    for commands in cli.GROUPS.values():
        for command in commands:
            shown = runner.invoke(cli.app, [command.__name__.strip("_"), "--help"])
            assert shown.exit_code == 0
            assert "Example" in shown.output


def test_list_as_json_holds_the_named_pipelines() -> None:
    listed = json.loads(CliRunner().invoke(cli.app, ["list", "--json"]).output)
    names = [entry["name"] for entry in listed]
    assert {"quickstart", "zeroverse-paper", "detailverse", "mixed", "files"} <= set(names)
    assert all(entry["description"] for entry in listed)


def test_preview_writes_a_sheet_and_a_glb(tmp_path: Path) -> None:
    picture, glb = tmp_path / "x.png", tmp_path / "x.glb"
    arguments = ["preview", "zeroverse", "--seed", "3", "--out", str(picture), "--glb", str(glb), "--resolution", "64"]
    answer = CliRunner().invoke(cli.app, arguments)
    assert answer.exit_code == 0, answer.output
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape[1] > 4 * 64
    assert pixels.std() > 10
    again = CliRunner().invoke(cli.app, ["preview", str(glb), "--out", str(tmp_path / "again.png"), "--resolution", "64"])
    assert again.exit_code == 0, again.output
    folder = ["preview", "files", "--set", f"path={tmp_path}", "--out", str(tmp_path / "files.png"), "--resolution", "32"]
    assert CliRunner().invoke(cli.app, folder).exit_code == 0
    beyond = CliRunner().invoke(cli.app, [*folder, "--index", "1"])
    assert "source 'files' has 1 items; index 1 asked for" in str(beyond.exception)


def test_shard_numbers_and_places() -> None:
    assert shard_numbers("3,7-9") == [3, 7, 8, 9]
    for bad in ("3,x", "9-3", "", "-1"):
        with pytest.raises(ConfigError, match=f"3,7-9, got '{bad}'"):
            shard_numbers(bad)
    assert uri_of(Path("s3://bucket/key")) == "s3://bucket/key"
    assert uri_of(Path("out/x")) == "out/x"
