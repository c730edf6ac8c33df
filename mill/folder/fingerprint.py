"""What else decides the bytes besides config and seed: code, package versions, the processor, the render device."""

import hashlib
import importlib
import importlib.util
import platform
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from versemill import __version__, device
from versemill.packages import DATA
from versemill.packages import PACKAGES as HOUSE

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-image",
    "pillow",
    "trimesh",
    "manifold3d",
    "warp-lang",
    "pyarrow",
    "pymeshlab",
)
"""Packages whose code touches an asset or its encoding."""

CODE = (
    "versemill",
    *(f"versemill.{name}" for name in DATA),
    *(f"versemill.mill.pipeline.{name}" for name in ("stages", "sources", "plan")),
)
"""Our own packages and modules that do: a checkout that was edited makes other rows under the same version."""


def fingerprint(render_device: str = "auto", outside: tuple[str, ...] = ()) -> dict[str, Any]:
    """JSON-able; two shards with equal config, seed and fingerprint have equal bytes.

    Args:
        render_device: a device name as in the config; recorded as what it stands for here.
        outside: modules of other packages whose code counts too (`pipeline.outside`).

    Raises:
        MissingDependencyError: the device is not here.
    """
    return {**machine(outside), "device": device_facts(render_device)}


@cache
def machine(outside: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fingerprint without the render device; `outside` are modules of other packages."""
    return {
        "versemill": __version__,
        "code": code((*CODE, *outside)),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "packages": {package: _version(package) for package in PACKAGES},
        "system": f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}".strip(),
        "instructions": _instructions(),
    }


def device_facts(render_device: str) -> dict[str, Any]:
    """What the fingerprint says of a render device of this machine.

    Raises:
        MissingDependencyError: the device is not here.
    """
    name = device.resolve(render_device)
    if not name.startswith("cuda"):
        return {"name": "cpu"}
    import warp as wp

    gpu = wp.get_device(name)
    return {"name": gpu.name, "arch": int(gpu.arch), "driver": list(wp.get_cuda_driver_version())}


@cache
def code(modules: tuple[str, ...] = CODE) -> str:
    """12 hex digits of the SHA-256 of the modules' Python and YAML files, as they are installed."""
    digest = hashlib.sha256()
    for name in modules:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        files = [path for path in _code_files(name, origin) if path.suffix in (".py", ".yaml")]
        for file in sorted(files):
            digest.update(f"{name}/{file.relative_to(origin.parent).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _code_files(name: str, origin: Path) -> Iterable[Path]:
    """Files of a module or package; of the ground `versemill` without the packages that are installed inside it."""
    if origin.name != "__init__.py":
        return [origin]
    inner = HOUSE if name == "versemill" else ()
    return (path for path in origin.parent.rglob("*") if path.relative_to(origin.parent).parts[0] not in inner)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _instructions() -> list[str]:
    """Instruction sets in use, as numpy found them at run time; its kernels differ in the last bit between them."""
    features = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    return sorted(name for name, present in features.items() if present)
