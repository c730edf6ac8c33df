"""Commands on pipelines: config, schema, init, run --dry-run, --pipelines, and the shell's completion."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from versemill.mill import cli
from versemill.mill.pipeline import config
from versemill.mill.pipeline.schema import schema

ROOT = Path(__file__).parents[2]


def versemill(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "versemill", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=500, check=False)
    assert done.returncode == code, done.stderr[-2000:]
    return done


@pytest.mark.parametrize("name", [name for name, _ in config.pipelines() if name != "files"])
def test_config_prints_a_file_that_gives_the_same_pipeline(name: str, tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli.app, ["config", name, "--set", "run.seed=5"])
    assert answer.exit_code == 0, answer.output
    (tmp_path / "mine.yaml").write_text(answer.output)
    again, first = config.load(name, tmp_path / "mine.yaml"), config.load(name, overrides=["run.seed=5"])
    assert again.digest == first.digest
    assert again.resolved == first.resolved
    assert again.description == first.description


def test_the_schema_beside_pipelines_yaml_is_the_one_that_is_printed() -> None:
    printed = json.loads(CliRunner().invoke(cli.app, ["schema"]).output)
    stored = json.loads((ROOT / "pipelines.schema.json").read_text())
    assert printed == stored, "run: versemill schema > pipelines.schema.json"
    assert (ROOT / "pipelines.yaml").read_text().startswith("# yaml-language-server: $schema=pipelines.schema.json\n")


def test_the_schema_accepts_our_pipelines_and_refuses_what_config_refuses() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    check = jsonschema.Draft202012Validator(schema())
    bundled = yaml.safe_load((ROOT / "pipelines.yaml").read_text())
    assert not list(check.iter_errors(bundled))
    for name, _ in config.pipelines():
        if name != "files":
            assert not list(check.iter_errors(yaml.safe_load(config.text(config.load(name)))))
    for body, where in (
        ({"render": {"widht": 3}}, "widht"),
        ({"render": {"quality": "best"}}, "best"),
        ({"sources": {"zeroverse": {"booleann": 1}}}, "booleann"),
        ({"run": {"assets": -1}}, "-1"),
        ({"rendr": {}}, "rendr"),
    ):
        errors = list(check.iter_errors({"pipelines": {"x": body}}))
        assert any(where in error.message for error in errors)


@pytest.mark.slow
def test_a_starter_project_runs_as_its_readme_says(tmp_path: Path) -> None:
    home = tmp_path / "mine"
    versemill("init", str(home), cwd=tmp_path)
    assert "not empty" in versemill("init", str(home), cwd=tmp_path, code=2).stderr
    small = ["render.width=32", "render.height=32", "run.assets=6", "curate.resolution=48", "sources.zeroverse.texture_size=32"]
    settings = [word for setting in small for word in ("--set", setting)]
    run = ["run", "pebbles", "--pipelines", "pipelines.yaml", "--out", "out", *settings]
    said = versemill(*run, "--dry-run", cwd=home).stdout
    assert not (home / "out").exists()
    assert "start a new dataset" in said
    assert re.search(r"takes \d+% of the time; ", said)
    shown = yaml.safe_load(said.partition("\n\n")[0])
    assert shown["pipelines"]["pebbles"]["sources"]["pebbles"]["roughness"] == 0.2
    versemill(*run, cwd=home)
    ledger = json.loads((home / "out/ledger/shard-000000.json").read_text())
    assert ledger["rows"] == 6
    assert "6 of 6" not in said
    assert "resume there: 1 of 1 shards are sealed" in versemill(*run, "--dry-run", cwd=home).stdout
    other = versemill("status", "out", "--json", cwd=home)
    assert json.loads(other.stdout)["sources"]["pebbles"]["rows"] == 3
    listed = versemill("ablate", "list", "--ablations", "ablations.yaml", cwd=home).stdout
    assert "flatness" in listed


def test_a_camera_preset_that_loses_its_number_of_views_is_noted() -> None:
    (note,) = config.notes(config.load("quickstart", overrides=["render.cameras.preset=trellis"]))
    assert "'trellis' has 150 views, this pipeline renders 16" in note
    free = config.load("quickstart", overrides=["render.cameras.preset=trellis", "render.cameras.views=null"])
    assert not config.notes(free)
    assert not any(config.notes(config.load(name)) for name in ("base", "quickstart", "zeroverse-paper"))


def test_a_source_that_is_not_on_the_path_says_how_to_put_it_there(tmp_path: Path) -> None:
    answer = versemill("preview", "nowhere_to_be:SOURCE", "--out", "x.png", cwd=tmp_path, code=2)
    assert "PYTHONPATH" in answer.stderr
    assert "--pipelines" in answer.stderr


@pytest.mark.parametrize(
    ("typed", "expected"), [("versemill run quick", "quickstart"), ("versemill export d --format web", "webdataset")]
)
def test_the_shell_completes_pipelines_and_formats(typed: str, expected: str, tmp_path: Path) -> None:
    paths = os.pathsep.join(path for path in sys.path if path)
    words = typed.split()
    environment = {**os.environ, "PYTHONPATH": paths, "_VERSEMILL_COMPLETE": "complete_bash", "COMP_WORDS": typed,
                   "COMP_CWORD": str(len(words) - 1)}  # fmt: skip
    code = "import sys; sys.argv[0] = 'versemill'; from versemill.mill.cli import app; app(prog_name='versemill')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False, cwd=tmp_path
    )
    assert done.stdout.split() == [expected], done.stderr
