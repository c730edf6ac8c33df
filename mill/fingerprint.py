"""What else decides the bytes besides config and seed: package versions, the processor, the render device."""

import importlib
import platform
import sys
from functools import cache
from importlib import metadata
from typing import Any

from versemill import __version__, device

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


@cache
def fingerprint(render_device: str = "auto") -> dict[str, Any]:
    """JSON-able; two shards with equal config, seed and fingerprint have equal bytes.

    Args:
        render_device: a device name as in the config; recorded as what it stands for here.

    Raises:
        MissingDependencyError: the device is not here.
    """
    name = device.resolve(render_device)
    return {
        "versemill": __version__,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "packages": {package: _version(package) for package in PACKAGES},
        "system": f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}".strip(),
        "instructions": _instructions(),
        "device": _device(name),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _instructions() -> list[str]:
    """Instruction sets in use, as numpy found them at run time; its kernels differ in the last bit between them."""
    features = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    return sorted(name for name, present in features.items() if present)


def _device(name: str) -> dict[str, Any]:
    if not name.startswith("cuda"):
        return {"name": "cpu"}
    import warp as wp

    found = wp.get_device(name)
    return {"name": found.name, "arch": int(found.arch), "driver": list(wp.get_cuda_driver_version())}
