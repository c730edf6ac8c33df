"""What a cluster's workers need that is not installed on its nodes: Ray's `runtime_env` sends it along with the run."""

import atexit
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

from versemill.errors import ConfigError
from versemill.mill.pipeline import outside
from versemill.mill.pipeline.config import Pipeline
from versemill.mill.run.cluster import WORKER_ENVIRONMENT
from versemill.packages import PACKAGES


def environment(pipeline: Pipeline) -> dict[str, Any]:
    """The `runtime_env` of a run on a cluster: `run.runtime_env`, and with `run.ship` our packages and those of own sources.

    Packages that versemill needs come from the nodes' Python or container, or from `run.runtime_env` (`pip`, `conda`,
    `image_uri`), which needs a network there.

    Raises:
        ConfigError: a source's module can't be found, or is not in a package (only whole packages can be sent).
    """
    given = dict(pipeline.run.runtime_env)
    sent: dict[str, Any] = {**given, "env_vars": {**WORKER_ENVIRONMENT, **given.get("env_vars", {})}}
    if pipeline.run.ship:
        roots = dict.fromkeys(module.partition(".")[0] for module in outside.modules(pipeline))
        folders = [house(), *(_folder(name) for name in roots), *outside.metadata_folders(pipeline)]
        sent["py_modules"] = [*given.get("py_modules", []), *folders]
        sent.setdefault("excludes", ["__pycache__"])
    return sent


def house() -> str:
    """A folder `versemill` that holds all of our packages. Installed from a wheel it exists; a checkout's parts are copied."""
    ground = Path(_folder("versemill"))
    if all((ground / name).is_dir() for name in PACKAGES):
        return str(ground)
    whole = Path(tempfile.mkdtemp(prefix="versemill-ship-")) / "versemill"
    atexit.register(shutil.rmtree, whole.parent, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ground, whole, ignore=ignore)
    for name in PACKAGES:
        shutil.copytree(_folder(f"versemill.{name}"), whole / name, ignore=ignore)
    return str(whole)


def _folder(package: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None or Path(spec.origin).name != "__init__.py":
        raise ConfigError(
            f"'{package}' can't be sent to the cluster: it is not a package (a folder with __init__.py); make it one"
        )
    return str(Path(spec.origin).parent)
