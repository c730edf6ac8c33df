"""Warp, set up once for the whole process: quiet, exact arithmetic, and a kernel cache of our own.

Import this before any module that defines kernels. Workers that compile the same kernel at once race on
the cache, so the driver calls `compile_kernels` before it starts them.
"""

import ctypes.util
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

import warp as wp

from versemill.errors import MissingDependencyError, VersemillError

EXACT = {"fast_math": False, "fuse_fp": False, "enable_backward": False}
"""Options of every kernel module: no fused multiply-add and no fast math, so that results don't move with the compiler."""


def cache_dir() -> Path:
    """Where compiled kernels live: under $VERSEMILL_CACHE or ~/.cache/versemill; Warp adds its version to the path."""
    return Path(os.environ.get("VERSEMILL_CACHE") or Path.home() / ".cache" / "versemill") / "warp"


def usable_cache() -> Path:
    """`cache_dir`, made where it does not exist.

    Raises:
        VersemillError: it can't be made or written.
    """
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise VersemillError(
            f"compiled kernels can't be kept in '{folder}' ({error.strerror}); name a folder for them: VERSEMILL_CACHE=DIR"
        ) from error


@cache
def start() -> None:
    """Initialises Warp. Its native code complains on standard error where there is no NVIDIA driver; that is muted, since
    `versemill doctor` says it once and better. Says so where kernels will have to be compiled, which takes a while.

    Raises:
        VersemillError: its cache can't be written.
    """
    usable_cache()
    _init()
    if not any(Path(wp.config.kernel_cache_dir).glob("wp_*")):
        sys.stderr.write(f"versemill: compiling kernels into {wp.config.kernel_cache_dir}; once, about a minute\n")


def _init() -> None:
    if ctypes.util.find_library("cuda"):
        wp.init()
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        wp.init()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def resolve(device: str = "auto") -> str:
    """A Warp device name: "auto" is the first CUDA device, or "cpu" where there is none.

    Raises:
        MissingDependencyError: a device that this machine does not have.
    """
    start()
    if device == "auto":
        return "cuda:0" if wp.is_cuda_available() else "cpu"
    name = "cuda:0" if device == "cuda" else device
    known = [d.alias for d in wp.get_devices()]
    if name not in known:
        raise MissingDependencyError(f"device '{device}' is not here; this machine has {', '.join(known)}")
    return name


def compile_kernels(modules: list[str], device: str = "auto") -> None:
    """Compiles and loads the kernels of the named Python modules, so that no worker has to."""
    target = resolve(device)
    for name in modules:
        wp.load_module(name, device=target)


wp.config.kernel_cache_dir = str(cache_dir())
wp.config.log_level = wp.LOG_ERROR
