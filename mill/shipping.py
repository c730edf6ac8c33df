"""What a cluster's workers need that is not installed on its nodes: Ray's `runtime_env` sends it along with the run."""

import importlib.util
from pathlib import Path
from typing import Any

from mill.cluster import WORKER_ENVIRONMENT
from mill.config import Pipeline
from mill.fingerprint import own_modules
from versemill.errors import ConfigError

PACKAGES = ("versemill", "zeroverse", "detailverse", "render", "shards", "curation", "reconstruction", "mill")
"""What the wheel holds."""


def environment(pipeline: Pipeline) -> dict[str, Any]:
    """The `runtime_env` of a run on a cluster: `run.runtime_env`, and with `run.ship` our packages and those of own sources.

    Packages that versemill needs come from the nodes' Python or container, or from `run.runtime_env` (`pip`, `conda`,
    `image_uri`), which needs a network there.

    Raises:
        ConfigError: a source's module can't be found, or is not in a package (only whole packages can be sent).
    """
    given = dict(pipeline.run.runtime_env)
    found: dict[str, Any] = {**given, "env_vars": {**WORKER_ENVIRONMENT, **given.get("env_vars", {})}}
    if pipeline.run.ship:
        own = own_modules(entry.source for entry in pipeline.sources.values())
        roots = dict.fromkeys([*PACKAGES, *(name.partition(".")[0] for name in own)])
        found["py_modules"] = [*given.get("py_modules", []), *(_folder(name) for name in roots)]
        found.setdefault("excludes", ["__pycache__"])
    return found


def _folder(package: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None or Path(spec.origin).name != "__init__.py":
        raise ConfigError(
            f"'{package}' can't be sent to the cluster: it is no package (a folder with __init__.py); make it one"
        )
    return str(Path(spec.origin).parent)
