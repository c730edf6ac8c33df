"""FBX and USD files through Blender's importers, in Blender's own Python: see `curation.blender_worker`."""

import json
import os
import signal
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from versemill.curation.config import LoadLimits
from versemill.errors import AssetError

SUFFIXES = (".fbx", ".usd", ".usda", ".usdc", ".usdz")
WORKER = Path(__file__).with_name("blender_worker.py")
WAY_OUT = "`make blender` installs it (bpy 4.5 in .venv-blender); or export the model as GLB"


def to_glb(path: Path, limits: LoadLimits, root: Path) -> tuple[bytes, dict[str, Any]]:
    """The file's frame 0 as a GLB, and for the asset's history: "blender", its version, and where there are any
    "textures_left_out", the names of textures that do not lie inside the root, and "made_opaque", materials that
    were invisible.

    Raises:
        AssetError: "needs_blender" where there is no interpreter with bpy; "blender_timeout" or "blender_crashed"; "too_large",
            "empty" or "unreadable" for what is wrong with the file.
    """
    if path.suffix.lower() == ".usdz":
        _check_archive(path, limits)
    python = Path(limits.blender)
    if not python.exists():
        raise AssetError(
            "needs_blender", f"{path.name}: {path.suffix} is read through Blender, and '{python}' is not here; {WAY_OUT}"
        )
    with tempfile.TemporaryDirectory(prefix="versemill-blender-") as folder:
        target = Path(folder, "out.glb")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        # -P: the worker's own folder stays off the import path, so that it loads bpy alone.
        command = [str(python), "-P", str(WORKER), str(path), str(target), str(limits.max_faces), str(root)]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        ) as worker:
            try:
                answer, said = worker.communicate(timeout=limits.blender_seconds)
            except subprocess.TimeoutExpired as error:
                worker.kill()
                limit = f"{limits.blender_seconds:g} s"
                raise AssetError(
                    "blender_timeout", f"Blender took more than {limit} to read {path.name}; raise blender_seconds"
                ) from error
        reply = _reply(path, python, worker.returncode, answer, said)
        if not reply["ok"]:
            raise AssetError(reply["reason"], reply["message"])
        if not target.is_file():
            raise AssetError("unreadable", f"Blender wrote nothing for {path.name}")
        if (size := target.stat().st_size) > limits.max_bytes:
            raise AssetError("too_large", f"{path.name} is {size} bytes as GLB; the limit max_bytes is {limits.max_bytes}")
        left_out = {"textures_left_out": reply["left_out"]} if reply["left_out"] else {}
        opaque = {"made_opaque": reply["made_opaque"]} if reply["made_opaque"] else {}
        return target.read_bytes(), {"blender": reply["version"], **left_out, **opaque}


def _reply(path: Path, python: Path, code: int, answer: bytes, said: bytes) -> dict[str, Any]:
    if code == 0 and answer.strip():
        return json.loads(answer.splitlines()[-1])
    last = (said.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    if "No module named 'bpy'" in last:
        raise AssetError("needs_blender", f"{path.name}: '{python}' can't import bpy; {WAY_OUT}")
    how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    raise AssetError("blender_crashed", f"Blender {how} while it read {path.name}: {last}")


def _check_archive(path: Path, limits: LoadLimits) -> None:
    """A USDZ is a zip: its members must fit, and lie inside."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise AssetError("unreadable", f"{path.name} is not a USDZ archive: {error}") from error
    total = sum(member.file_size for member in members)
    if total > limits.max_bytes:
        raise AssetError("too_large", f"{path.name} unpacks to {total} bytes; the limit max_bytes is {limits.max_bytes}")
    for member in members:
        if member.filename.startswith("/") or ".." in Path(member.filename).parts:
            raise AssetError("unsafe_path", f"{path.name} holds '{member.filename}', which does not lie inside it")
