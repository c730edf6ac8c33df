"""The wheel, installed beside somebody's own `render.py`, `shards.py`, `mill.py`, and beside a package that adds to ours."""

import importlib.metadata
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
    """A working directory with modules of our packages' names, and a package that adds a source."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in PACKAGES:
        (folder / f"{name}.py").write_text(f"raise ImportError('another {name}')\n")
    installed = tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "tests" / "outside", installed / "outside")
    metadata = installed / "outside-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (metadata / "RECORD").write_text("outside/__init__.py,,\noutside-1.0.dist-info/entry_points.txt,,\n")
    (metadata / "entry_points.txt").write_text("[versemill.sources]\nboxes = outside.additions:SOURCE\n")
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
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert folders == {"versemill", *PACKAGES}
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
    assert "Make 3D training data" in " ".join(python("-m", "versemill", "--help").split())
    names = ", ".join(f"versemill.{name}" for name in PACKAGES)
    files = python("-c", f"import {names}; print(*(m.__file__ for m in ({names},)), sep=chr(10))").split("\n")
    assert all(Path(file).is_relative_to(site) for file in files if file)
    for name in PACKAGES:
        assert python("-c", f"try: import {name}\nexcept ImportError as error: print(error)") == f"another {name}\n"


@pytest.mark.slow
def test_a_preview_beside_them(elsewhere):
    folder, python = elsewhere
    python("-m", "versemill", "preview", "boxes", "--out", "boxes.png", "--resolution", "32", "--glb", "box.glb")
    assert min((folder / name).stat().st_size for name in ("boxes.png", "box.glb")) > 500


@pytest.mark.slow
def test_a_package_of_somebody_is_in_the_fingerprint_and_sent_along(elsewhere):
    _, python = elsewhere
    code = """
from versemill.mill.folder.fingerprint import fingerprint
from versemill.mill.pipeline import config, outside
from versemill.mill.run import shipping
loaded = config.load("base", overrides=["sources.zeroverse=null", "sources.boxes.share=1", "run.ship=true"])
print(outside.modules(loaded))
print(fingerprint("cpu", outside.modules(loaded))["code"] == fingerprint("cpu")["code"])
print(*(path.rpartition("/")[2] for path in shipping.environment(loaded)["py_modules"]))
"""
    assert python("-c", code).splitlines() == ["('outside.additions',)", "False", "versemill outside outside-1.0.dist-info"]


@pytest.mark.slow
def test_a_checkout_in_the_working_directory_is_not_taken_for_the_package(site, tmp_path):
    (tmp_path / "versemill").mkdir()
    (tmp_path / "versemill" / "__init__.py").write_text("raise ImportError('the checkout')\n")
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    sources = ["sources.detailverse=null", "sources.zeroverse.texture_size=32"]
    sets = [word for setting in [*SMALL, *sources] for word in ("--set", setting)]
    command = [sys.executable, "-P", "-m", "versemill", "run", "quickstart", "--out", "made", "--assets", "1", *sets]
    done = subprocess.run(
        command, cwd=tmp_path, env={**kept, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
