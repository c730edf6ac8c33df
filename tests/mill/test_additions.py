"""A package from outside the repository adds a model family, a source, a filter, a pass and an exporter, by entry points alone.

`tests/outside/` is that package. It is copied beside a `dist-info` folder, as pip would leave it, and used through the CLI.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ENTRY_POINTS = """
[versemill.families]
toy = outside.toy:FAMILY

[versemill.sources]
boxes = outside.additions:SOURCE

[versemill.filters]
slender = outside.additions:slender

[versemill.passes]
elevation = outside.additions:PASS

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


def versemill(home: Path, *arguments: str, code: int = 0) -> str:
    paths = [str(home / "site"), *(p for p in sys.path if p)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "versemill", *arguments]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def dataset(home: Path) -> Path:
    versemill(home, "run", "boxes", "--pipelines", "pipelines.yaml", "--out", "data", "--seed", "3")
    return home / "data"


@pytest.mark.slow
def test_source_filter_and_pass_make_rows(home: Path, dataset: Path) -> None:
    import pyarrow.parquet as pq

    (ledger,) = (json.loads(p.read_text()) for p in (dataset / "ledger").glob("shard-*.json"))
    reasons = {entry["reason"] for entry in ledger["rejections"]}
    assert reasons <= {"slender"}
    rows = pq.read_table(dataset / "shards", columns=["meta", "views"]).to_pylist()
    assert len(rows) + len(ledger["rejections"]) == 12
    assert all(row["views"]["elevation"] is not None and len(row["views"]["elevation"]) == 4 for row in rows)
    assert "position" not in rows[0]["views"]  # what the pass is computed from was not asked for
    fingerprint = ledger["fingerprint"]["code"]
    assert len(fingerprint) == 12
    from versemill.shards import ShardDataset

    heights = [sample["elevation"] for sample in _in(home, "import versemill.shards as s; d = s.ShardDataset('data', passes=('elevation','mask')); print([[float(x['elevation'].max()), float(x['elevation'][~x['mask'].bool()].abs().max())] for x in d])")]  # fmt: skip
    assert ShardDataset is not None
    assert heights


def _in(home: Path, script: str) -> list:
    paths = [str(home / "site"), *(p for p in sys.path if p)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", script], cwd=home, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
