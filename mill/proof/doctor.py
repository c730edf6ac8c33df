"""`versemill doctor`: tries every engine, device and library, and prints the command that fixes what is missing."""

import functools
import importlib.metadata
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

import versemill
from versemill.errors import VersemillError
from versemill.mill.pipeline.models import FAMILIES

NEEDS_DRIVER = "an NVIDIA GPU with driver R580 or later (with an older one, CUDA 12: pip install 'warp-lang<1.18')"
CUDA_12 = "pip install 'warp-lang>=1.15,<1.18'"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was tried, the result, and the command that fixes it.

    `state` is "ok", "missing" (an optional thing that is not here) or "broken" (the main job needs it).
    """

    name: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    fix: str = ""


def examine() -> Iterator[Finding]:
    """Runs every check, one after the other; a check that raises is a finding, never a crash."""
    checks: list[tuple[str, Callable[[], Finding], str]] = [
        ("python", _python, "make setup"),
        ("packages", _packages, "make setup"),
        ("machine", _machine, ""),
        ("render: warp, cpu", lambda: _render("warp", "cpu"), "make setup"),
        ("render: warp, cuda", _render_cuda, NEEDS_DRIVER),
        ("render: cycles", _cycles, "make blender"),
        ("meshlab worker", _meshlab, "pip install 'versemill[meshlab]' and apt-get install libgl1 libopengl0"),
        *((f"model: {name}", functools.partial(_model, name), "make setup") for name in FAMILIES),
        ("ray", _ray, "make setup"),
    ]
    for name, check, fix in checks:
        try:
            yield check()
        except VersemillError as error:
            yield Finding(name, "broken", str(error), fix)
        except Exception as error:  # noqa: BLE001  whatever breaks here is exactly what the doctor reports
            yield Finding(name, "broken", f"{type(error).__name__}: {error}", fix)


def _python() -> Finding:
    return Finding("python", "ok", f"{sys.version.split()[0]} at {sys.executable}, versemill {versemill.__version__}")


def _packages() -> Finding:
    names = ("numpy", "warp-lang", "manifold3d", "trimesh", "pyarrow", "ray", "torch", "pydantic")
    return Finding("packages", "ok", ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names))


def _machine() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores usable"
    detail = f"{cores}, {memory:.0f} GiB memory, {free:.0f} GiB free on this disk"
    return Finding("machine", "ok" if free > 1 else "broken", detail, "free some disk space")


def _render(engine: Literal["warp", "cycles"], device: str) -> Finding:
    """Renders a small composition and checks what came out: a covered share, unit normals, depth in front of the camera."""
    from versemill.render import RenderConfig, render
    from versemill.zeroverse import ZeroverseConfig, generate

    asset = generate(ZeroverseConfig(texture_size=64), seed=0, index=0)
    settings = {"engine": engine, "device": device, "width": 64, "height": 64, "cameras": {"views": 2}}
    config = RenderConfig.model_validate(settings)
    started = time.perf_counter()
    views = render(asset, config)
    seconds = time.perf_counter() - started
    covered = views.passes["mask"]
    lengths = np.linalg.norm(views.passes["normal"][covered], axis=-1)
    name = f"render: {engine}, {device}"
    if not 0.02 < covered.mean() < 0.98 or abs(lengths - 1).max() > 1e-3 or views.passes["depth"][covered].min() <= 0:
        return Finding(name, "broken", f"the picture is wrong: {covered.mean():.0%} covered", "please report this")
    used = views.info.get("device", device)
    return Finding(name, "ok", f"2 views of 64x64 on {used} in {seconds:.2f} s, {covered.mean():.0%} covered")


def _render_cuda() -> Finding:
    import warp as wp

    from versemill import device

    name = "render: warp, cuda"
    if device.resolve("auto") == "cpu":
        detail, fix = fitting_warp(wp.get_cuda_driver_version(), wp.get_cuda_toolkit_version(), wp.__version__)
        return Finding(name, "missing", detail, fix)
    return _render("warp", "cuda")


def fitting_warp(driver: tuple[int, int] | None, built: tuple[int, int] | None, version: str) -> tuple[str, str]:
    """Why Warp uses no GPU, and the command that fixes it.

    Args:
        driver: CUDA version that the NVIDIA driver knows; None without a driver. built: the one that this Warp is built for.
        version: Warp's own.
    """
    if driver is None:
        return "no NVIDIA driver is here; the CPU renders", NEEDS_DRIVER
    knows = f"the driver knows CUDA {driver[0]}.{driver[1]}"
    if built is None:
        return (
            f"{knows}, but this warp-lang {version} is built without CUDA; the CPU renders",
            "pip install warp-lang from PyPI",
        )
    if driver[0] >= built[0]:
        return f"{knows}, which fits warp-lang {version}, but it shows no device; the CPU renders", "unset CUDA_VISIBLE_DEVICES"
    why = f"{knows}, and warp-lang {version} is built for CUDA {built[0]}.{built[1]}; the CPU renders"
    older = driver >= (12, 0) and built[0] > 12
    return why, f"{CUDA_12}, or driver R580 or later" if older else "a newer NVIDIA driver: R525 or later"


def _cycles() -> Finding:
    from versemill.errors import MissingDependencyError

    try:
        return _render("cycles", "cpu")
    except MissingDependencyError as error:
        return Finding("render: cycles", "missing", str(error), "make blender")


def _meshlab() -> Finding:
    import trimesh

    from versemill.curation import meshlab

    ball = trimesh.creation.icosphere(3)
    _, faces = meshlab.decimate(ball.vertices, ball.faces, target=200, seconds=60)
    state: Literal["ok", "broken"] = "ok" if 0 < len(faces) <= 220 else "broken"
    return Finding("meshlab worker", state, f"decimated {len(ball.faces)} faces to {len(faces)} in its own program")


def _model(name: str) -> Finding:
    from versemill.training.loop import try_step

    return Finding(f"model: {name}", "ok", try_step(FAMILIES.find(name), "auto"))


def _ray() -> Finding:
    from versemill.mill.run import cluster

    return Finding("ray", "ok", cluster.try_task())
