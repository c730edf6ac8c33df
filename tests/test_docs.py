"""The site builds without warnings; what README and docs tell people to type is understood; their Python runs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trimesh
import typer.main
from typer.exceptions import TyperException

from versemill.mill import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")])

NOT_RUN = {
    "torch.hub": "downloads a model",
    "train(GAUSSIANS": "trains for minutes; tests/training does it smaller",
    "def read_cell": "tests/shards/test_docs.py compares it with the decoder",
    "OUT/data/train-shard": "tests/shards/test_export_programs.py rebuilds from lines",
    "rooms-closed": "path traces a room for a minute",
}
"""What a snippet holds -> why it is not run here."""


def snippets() -> list[Any]:
    parameters = []
    for page in PAGES:
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S)):
            why = next((reason for text, reason in NOT_RUN.items() if text in code), None)
            marks = [pytest.mark.skip(why)] if why else []
            parameters.append(pytest.param(page, number, code, marks=marks, id=f"{page.name}-{number}"))
    return parameters


@pytest.fixture(scope="module")
def scopes() -> dict[Path, dict[str, Any]]:
    """Snippets of one page share their names, as a reader's session does."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize(("page", "number", "code"), snippets())
def test_python_in_the_docs_runs(
    page: Path, number: int, code: str, scopes: dict[Path, dict[str, Any]], box_dataset: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    trimesh.creation.icosphere(3).export(tmp_path / "ball.ply")
    shard = next((box_dataset / "shards").iterdir())
    for name, path in (("DIR/shards/shard-000000.parquet", shard), ("out/quickstart", box_dataset), ("DIR", box_dataset)):
        code = code.replace(f'"{name}"', f'"{path}"')
    code = (
        re.sub(r"(views|workers)=\d+", r"\1=2", code)
        .replace("resolution=128", "resolution=32")
        .replace("resolution=64", "resolution=32")
    )
    code = code.replace('ShardDataset(directory, "train", drop_duplicates=True)', "directory")
    scope = scopes.setdefault(page, {"path": "ball.ply", "directory": str(box_dataset)})
    exec(compile(code, f"{page.name}, snippet {number}", "exec"), scope)
    if "test_pebbles" in scope:
        scope.pop("test_pebbles")()


def commands() -> list[Any]:
    parameters = []
    for page in PAGES:
        text = page.read_text()
        lines = [
            line
            for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.S)
            for line in re.sub(r"\\\n\s*", " ", block).splitlines()
        ]
        inline = re.findall(r"(?<!`)`(versemill [^`\n]+)`", text)
        for line in (*lines, *inline):
            for part in re.split(r"&&|;|\|(?!\|)(?=\s)", line.split("  #")[0].replace("\\|", " ")):
                if match := re.match(r"\s*\$?\s*(?:[A-Z_]+=\S+ )*versemill ([a-z]+\b.*)", part):
                    parameters.append(pytest.param(match[1], id=f"{page.name}: {match[1][:70]}"))
    return parameters


@pytest.mark.parametrize("line", commands())
def test_commands_in_the_docs_are_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of commands and options, and the types of values; places such as DIR may be anything."""
    words = [word for word in shlex.split(re.sub(r"\[--[^\]]*\]|\.\.\.|[>&].*", "", line), comments=True) if word]
    group = typer.main.get_command(cli.app)
    name, *arguments = words
    command = group.commands.get(name)  # type: ignore[attr-defined]
    assert command is not None, f"there is no command {name}"
    for option in (word.partition("=")[0] for word in arguments if word.startswith("--")):
        known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        assert option in known | {"--help"}, f"{name} has no {option}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        try:
            command.make_context(name, [w for w in arguments if w != "--help"], resilient_parsing=True)
        except TyperException as error:
            pytest.fail(error.format_message())


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING" not in done.stderr
    reference = (tmp_path / "site/reference/index.html").read_text()
    for name in ("versemill.render.engine.render", "versemill.curation.pipeline.curate", "versemill.asset.Asset.from_trimesh",
                 "versemill.shards.streaming.ShardStream", "versemill.mill.run.driver.run"):  # fmt: skip
        assert f'id="{name}"' in reference
    pages = {path.parent.name for path in (tmp_path / "site").glob("*/index.html")}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= pages
    for path in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', path.read_text())
        assert all("versemill.github.io" in url for url in loaded), "a page fetches nothing from elsewhere"
