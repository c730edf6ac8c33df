"""The examples run as examples/README.md says, and print what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
PRINTS = {
    "one_asset.py": r"Fields\(surface 20,480.*\d+% of the box",
    "own_meshes.py": r"3 rows, 1 rejected, in 1 shard\nrejected: 1 x ingest: unreadable",
    "own_generator.py": r"Asset\(towers #0: 40 vertices, 60 faces, 1 material, 5 parts\)\n8 rows, 0 rejected",
    "own_ablation.py": r"one primitive against four .* not tested",
    "read_with_duckdb.py": r"zeroverse .*wrote .*first\.glb.*glTF",
    "training_loop.py": r"mean depth error (\d\.\d+) -> (\d\.\d+) world units",
    "whole_loop.py": r"left out: normals: no --normals RUN.*left out: LRM: no --lrm RUN.*sheet\.png: truth",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def environment(out: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(EXAMPLES), *(path for path in sys.path if path)])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OUT": str(out), "MPLBACKEND": "agg"}


def test_every_example_is_listed_and_tested() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", (EXAMPLES / "README.md").read_text()))
    present = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")} - {"quickstart.py"}
    assert listed == present
    assert {name for name in present if name.endswith(".py")} == set(PRINTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PRINTS))
def test_scripts(name: str, out: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, str(EXAMPLES / name), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out, env=environment, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = re.search(PRINTS[name], done.stdout, re.S)
    assert said, done.stdout[-2000:]
    if name == "training_loop.py":
        assert float(said[2]) < float(said[1]) / 2


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks(path: Path, out: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are kept without their output"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not any(output.output_type == "error" for output in outputs)
    html = " ".join(output.data.get("text/html", "") for output in outputs if "data" in output)
    assert html.count("data:image/png;base64") >= 1 or "first" not in path.name
