"""A package from outside the repository adds a model family, a source, a filter, a pass and an exporter, by entry points alone.

`tests/outside/` is that package. It is copied beside a `dist-info` folder, as pip would leave it, and used through the CLI.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ENTRY_POINTS = """
[versemill.families]
toy = outside.toy:FAMILY

[versemill.sources]
boxes = outside.additions:SOURCE

[versemill.filters]
slender = outside.additions:slender

[versemill.passes]
elevation = outside.passes:PASS

[versemill.exporters]
names = outside.additions:FORMAT
"""
PIPELINES = """
pipelines:
  boxes:
    description: boxes from outside
    extends: base
    run: {assets: 12}
    sources: {zeroverse: null, boxes: {least: 0.3}}
    curate: {resolution: 32, filters: {own: {slender: 0.35}}}
    render: {width: 16, height: 16, cameras: {views: 4}, passes: [rgb, depth, mask, elevation]}
    fields: {surface_points: 64, sharp_points: 0, near_points: 0, sharp_near_points: 0, volume_points: 0, voxel_resolution: 8}
    shards: {assets_per_shard: 12, splits: [0.5, 0.25, 0.25]}
    validate: {family: toy, preset: one}
"""
ABLATIONS = """
base: {pipeline: base, set: {sources.zeroverse: null, sources.boxes: {}, curate.resolution: 32, render.cameras.views: 4,
  fields: {surface_points: 64, sharp_points: 0, near_points: 0, sharp_near_points: 0, volume_points: 0, voxel_resolution: 8}}}
tests: {boxes: {}}
ablations:
  penalty: {question: "does it help to say little?", family: toy, arms: {none: {}, much: {train: {penalty: 1.0}}}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(Path(__file__).parents[1] / "outside", folder / "site" / "outside")
    info = folder / "site" / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "pipelines.yaml").write_text(PIPELINES)
    (folder / "ablations.yaml").write_text(ABLATIONS)
    return folder


def environment(home: Path) -> dict[str, str]:
    paths = [str(home / "site"), *(path for path in sys.path if path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def python(home: Path, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=home, env=environment(home), capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def versemill(home: Path, *arguments: str) -> str:
    return python(home, "-m", "versemill", *arguments)


@pytest.fixture(scope="module")
def dataset(home: Path) -> Path:
    versemill(home, "run", "boxes", "--pipelines", "pipelines.yaml", "--out", "data", "--seed", "3")
    return home / "data"


@pytest.mark.slow
def test_source_filter_pass_and_exporter(home: Path, dataset: Path) -> None:
    (ledger,) = (json.loads(path.read_text()) for path in (dataset / "ledger").glob("shard-*.json"))
    assert {entry["reason"] for entry in ledger["rejections"]} == {"slender"}
    rows = pq.read_table(dataset / "shards", columns=["views"]).to_pylist()
    assert len(rows) + len(ledger["rejections"]) == 12
    assert all(len(row["views"]["elevation"]) == 4 for row in rows)
    assert all(row["views"]["position"] is None for row in rows)  # what the pass is computed from was not asked for
    script = (
        "import json; from versemill.shards import ShardDataset; d = ShardDataset('data', passes=('elevation', 'mask'));"
        "print(json.dumps([[float(x['elevation'].max()), float(x['elevation'][x['mask'] < 0.5].abs().max())] for x in d]))"
    )
    for highest, background in json.loads(python(home, "-c", script)):
        assert 1.0 < highest <= 2.0 + 1e-4  # the longest side is 2, from -1 to 1, and upright
        assert background == 0
    versemill(home, "export", "data", "--format", "names", "--to", "names")
    names = [json.loads(line) for path in (home / "names").glob("*.jsonl") for line in path.read_text().splitlines()]
    assert len({each["id"] for each in names}) == len(rows)
    versemill(home, "preview", "boxes", "--count", "2", "--resolution", "32", "--out", "boxes.png")
    assert (home / "boxes.png").stat().st_size > 500
    changed = (home / "site" / "outside" / "additions.py").read_text() + "\n# edited\n"
    script = (
        "from versemill.mill.pipeline import config, plan; from versemill.mill.folder.fingerprint import fingerprint;"
        "print(fingerprint('cpu', plan.Plan.of(config.load('boxes', 'pipelines.yaml'), {}).outside)['code'])"
    )
    before = python(home, "-c", script)
    assert before.strip() == ledger["fingerprint"]["code"]
    (home / "site" / "outside" / "additions.py").write_text(changed)
    assert python(home, "-c", script) != before


@pytest.mark.slow
def test_a_family_trains_resumes_evaluates_validates_and_ablates(home: Path, dataset: Path) -> None:
    assert "toy: silhouettes to a colour" in " ".join(versemill(home, "train", "--presets").split())
    versemill(home, "train", "toy", "data", "--out", "half", "--set", "steps=4", "--device", "cpu")
    versemill(home, "train", "toy", "data", "--out", "whole", "--device", "cpu")
    shutil.copytree(home / "whole", home / "again")
    saved = (home / "again" / "checkpoint.pt").read_bytes()
    versemill(home, "train", "toy", "data", "--out", "again", "--device", "cpu")  # finished: nothing happens
    assert (home / "again" / "checkpoint.pt").read_bytes() == saved
    records = [(home / name / "metrics.jsonl").read_text().splitlines() for name in ("half", "whole")]
    assert [len(each) for each in records] == [4, 8]
    result = json.loads(versemill(home, "evaluate", "whole", "data", "--json", "--device", "cpu"))
    assert set(result["summary"]) == {"model", "untrained model", "mean colour"}
    assert result["family"] == "toy"
    for method in ("untrained model", "mean colour"):
        gain = result["summary"][method]["error"] - result["summary"]["model"]["error"]
        assert result["gains"][method][0] == pytest.approx(gain)
    command = [sys.executable, "-m", "versemill", "validate", "data"]
    verdict = subprocess.run(command, cwd=home, env=environment(home), capture_output=True, text=True, check=False)
    assert verdict.returncode in (0, 1), verdict.stderr
    assert verdict.stdout.startswith(("passed", "failed")[verdict.returncode])
    assert "colour error" in verdict.stdout
    budget = ("--assets", "6", "--test-assets", "3", "--seeds", "2", "--device", "cpu")
    versemill(home, "ablate", "penalty", "--ablations", "ablations.yaml", "--out", "ablation", *budget)
    outcome = json.loads((home / "ablation" / "ablation.json").read_text())
    assert [len(runs) for runs in outcome["scores"]["boxes"]["error"].values()] == [2, 2]
    assert sorted(path.name for path in (home / "ablation" / "data").iterdir()) == ["none", "test-boxes"]
    assert "mean colour" in (home / "ablation" / "table.md").read_text()
