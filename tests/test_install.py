"""The wheel, installed beside somebody's own `render.py`, `shards.py`, `mill.py`, and beside a package that adds to ours."""

import importlib.metadata
import json
import os
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from versemill.mill.folder import fingerprint
from versemill.mill.run import shipping

from versemill.packages import DATA, PACKAGES

ROOT = Path(__file__).resolve().parents[1]

FILES = [
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "pipelines.yaml",
    "constraints.txt",
]


TOY = '''
"""A source, an exporter and nothing else."""

import numpy as np
import trimesh

from versemill.asset import Asset
from versemill.config import Config
from versemill.materials import Material
from versemill.mill.pipeline.shares import Shares
from versemill.mill.pipeline.sources import Source
from versemill.shards.export import Format, per_asset
from versemill.shards.export.item import save


class BoxConfig(Config):
    tall: float = 0.5


def generate(config, seed, index, item=None):
    kind = ("flat", "tall")[index % 2]
    box = trimesh.creation.box((1, 1, 0.5 + (index % 2) + seed))
    count = len(box.faces)
    return Asset(
        vertices=box.vertices.astype(np.float32),
        faces=box.faces.astype(np.int32),
        uvs=np.zeros((count, 3, 2), np.float32),
        part_ids=np.zeros(count, np.int32),
        material_ids=np.zeros(count, np.int32),
        materials=(Material(name="plain"),),
        part_names=("box",),
        seed=seed,
        index=index,
        source="boxes",
        caption="a box",
        provenance={"kind": kind},
    )


def shares(entry, records):
    drawn = {kind: sum(record["kind"] == kind for record in records) for kind in ("flat", "tall")}
    yield Shares("kind of box", {"flat": 1 - entry["tall"], "tall": entry["tall"]}, drawn, "assets kept")


def write(item, out):
    save(out / f"{item.id}.txt", item.row["meta"]["caption"].encode())
    return {}


SOURCE = Source(BoxConfig, generate, description="boxes, flat and tall", shares=shares)
FORMAT = Format("captions as text", ("meta",), per_asset(write))
'''

SMALL = [
    "render.width=32", "render.height=32", "render.cameras.views=2", "curate.resolution=32", "run.workers=1",
    "curate.filters.max_planar_base=1", "shards.assets_per_shard=2",
    *(f"fields.{name}=64" for name in ("surface_points", "near_points", "volume_points", "sharp_points", "sharp_near_points")),
]  # fmt: skip


def build(folder):
    """The wheel and the source distribution of the checkout, the wheel made from the latter."""
    source = folder / "source"
    source.mkdir()
    for name in ("versemill", *PACKAGES):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "-q", "--no-isolation", "--outdir", str(folder / "dist"), str(source)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONSAFEPATH": "1"})
    (wheel,), (sdist,) = (list((folder / "dist").glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
    return wheel, sdist


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder with what the wheel installs, and nothing else."""
    if given := os.environ.get("VERSEMILL_WHEEL"):
        return Path(given)
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("build")
    wheel, sdist = build(folder)
    with tarfile.open(sdist) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {"setup.py", "pipelines.yaml", "versemill/packages.py", "zeroverse/presets.yaml"} <= names
    with zipfile.ZipFile(wheel) as file:
        tops = {name.partition("/")[0] for name in file.namelist()}
        assert tops == {"versemill", f"versemill-{importlib.metadata.version('versemill')}.dist-info"}
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


@pytest.fixture(scope="session")
def elsewhere(site, tmp_path_factory):
    """A working directory with modules of our packages' names, and a package that adds a source and an exporter."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in PACKAGES:
        (folder / f"{name}.py").write_text(f"raise ImportError('another {name}')\n")
    installed = tmp_path_factory.mktemp("installed")
    (installed / "toy_boxes").mkdir()
    (installed / "toy_boxes" / "__init__.py").write_text(TOY)
    metadata = installed / "toy_boxes-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy_boxes\nVersion: 1.0\n")
    (metadata / "RECORD").write_text("toy_boxes/__init__.py,,\ntoy_boxes-1.0.dist-info/entry_points.txt,,\n")
    (metadata / "entry_points.txt").write_text(
        "[versemill.sources]\nboxes = toy_boxes:SOURCE\n[versemill.exporters]\ncaptions = toy_boxes:FORMAT\n"
    )
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    environment = {**kept, "PYTHONPATH": f"{site}{os.pathsep}{installed}"}

    def python(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return folder, python


def test_one_list_of_packages():
    assert set(DATA) < set(PACKAGES)
    assert len(set(PACKAGES)) == len(PACKAGES)
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert found == {"versemill", *PACKAGES}
    assert {name.partition(".")[2] for name in fingerprint.CODE if name.count(".") == 1} == set(DATA)
    assert all((Path(shipping.house()) / name / "__init__.py").is_file() for name in PACKAGES)


def test_setup_maps_that_list(monkeypatch):
    given = {}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("setuptools.setup", lambda **keywords: given.update(keywords))
    runpy.run_path(str(ROOT / "setup.py"))
    assert given["package_dir"] == {"versemill": "versemill", **{f"versemill.{name}": name for name in PACKAGES}}
    assert {name.split(".")[1] for name in given["packages"] if name.count(".")} >= set(PACKAGES)
    assert not [name for name in given["packages"] if "tests" in name or "benchmarks" in name]


@pytest.mark.slow
def test_modules_of_the_same_names_are_no_obstacle(site, elsewhere):
    _, python = elsewhere
    assert "versemill mills 3D training corpora" in " ".join(python("-m", "versemill", "--help").split())
    names = ", ".join(f"versemill.{name}" for name in PACKAGES)
    files = python("-c", f"import {names}; print(*(m.__file__ for m in ({names},)), sep=chr(10))").split("\n")
    assert all(Path(file).is_relative_to(site) for file in files if file)
    for name in PACKAGES:
        assert python("-c", f"try: import {name}\nexcept ImportError as error: print(error)") == f"another {name}\n"


@pytest.mark.slow
def test_a_package_adds_a_source_and_an_exporter(elsewhere):
    folder, python = elsewhere
    assert "boxes, flat and tall" in python("-m", "versemill", "list")
    python("-m", "versemill", "preview", "boxes", "--out", "boxes.png", "--resolution", "32", "--glb", "box.glb")
    assert (folder / "boxes.png").stat().st_size > 500
    sources = ["sources.zeroverse=null", "sources.detailverse=null", "sources.boxes.tall=0.5"]
    sets = [word for setting in [*SMALL, *sources] for word in ("--set", setting)]
    python("-m", "versemill", "run", "quickstart", "--out", "made", "--assets", "4", *sets)
    status = json.loads(python("-m", "versemill", "status", "made", "--json"))
    assert status["counts"]["rows"] == 4, status
    python("-m", "versemill", "export", "made", "--format", "captions", "--to", "texts")
    assert [path.read_text() for path in sorted((folder / "texts").glob("*.txt"))] == ["a box"] * 4
    python("-m", "versemill", "report", "made")
    page = (folder / "made" / "report.html").read_text()
    assert "kind of box" in page


@pytest.mark.slow
def test_a_package_of_somebody_is_in_the_fingerprint_and_sent_along(elsewhere):
    _, python = elsewhere
    code = """
from versemill.mill.folder.fingerprint import fingerprint
from versemill.mill.pipeline import config, sources
from versemill.mill.run import shipping
print(sources.own_modules(["boxes", "zeroverse", "toy_boxes:SOURCE"]))
print(fingerprint("cpu", ["boxes"])["code"] == fingerprint("cpu", ["zeroverse"])["code"])
loaded = config.load("base", overrides=["sources.zeroverse=null", "sources.boxes.share=1", "run.ship=true"])
print(*(path.rpartition("/")[2] for path in shipping.environment(loaded)["py_modules"]))
"""
    assert python("-c", code).splitlines() == ["('toy_boxes',)", "False", "versemill toy_boxes toy_boxes-1.0.dist-info"]
