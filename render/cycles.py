"""The Cycles engine from our side: a Blender process behind a pipe, restarted when it dies, hangs or has served long."""

import atexit
import dataclasses
import json
import os
import select
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from versemill.asset import Asset
from versemill.camera import Camera, to_opengl
from versemill.colour import encode_srgb
from versemill.errors import AssetError, ConfigError, MissingDependencyError
from versemill.materials.material import SLOTS
from versemill.render.config import CyclesConfig, RenderConfig
from versemill.render.lighting import Lighting
from versemill.views import PASSES

WORKER = Path(__file__).with_name("cycles_worker.py")
FIX = "`make blender` installs it (bpy 4.5 in .venv-blender, Python 3.11)"


def find_blender(config: CyclesConfig) -> Path:
    """The interpreter that has bpy.

    Raises:
        MissingDependencyError: it is not here, or can't import bpy.
    """
    python = Path(config.python)
    if not python.exists():
        raise MissingDependencyError(f"the Cycles engine needs Blender's Python, and '{python}' is not here; {FIX}")
    probe = subprocess.run([python, "-c", "import bpy"], capture_output=True, text=True, check=False)
    if probe.returncode:
        last = (probe.stderr.strip().splitlines() or ["no message"])[-1]
        raise MissingDependencyError(f"'{python}' can't import bpy ({last}); {FIX}")
    return python


class CyclesProcess:
    """One Blender process. Its stderr goes to a file whose last lines explain a death."""

    def __init__(self, config: CyclesConfig) -> None:
        python = find_blender(config)
        self.config = config
        self.folder = tempfile.TemporaryDirectory(prefix="versemill-cycles-")
        self.log = Path(self.folder.name, "log").open("w+")  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            # -P keeps our folder off the path: a module of ours shares its name with Blender's add-on.
            [python, "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )
        self.served = 0

    def render(self, job: dict[str, Any]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Sends one job and waits for its arrays.

        Raises:
            AssetError: "cycles_failed", "cycles_crashed" or "cycles_timeout"; after the last two the process is gone.
            MissingDependencyError: no such compute device.
        """
        question, answer = (Path(self.folder.name, name) for name in ("job.npz", "answer.npz"))
        np.savez(question, **job)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"job": str(question), "answer": str(answer)}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise AssetError("cycles_crashed", self._obituary()) from None
        ready, _, _ = select.select([self.process.stdout], [], [], self.config.timeout)
        if not ready:
            self.close()
            raise AssetError("cycles_timeout", f"Cycles took more than {self.config.timeout:g} s; raise render.cycles.timeout")
        line = self.process.stdout.readline()
        if not line:
            raise AssetError("cycles_crashed", self._obituary())
        reply = json.loads(line)
        if not reply["ok"]:
            if reply["kind"] == "device":
                raise MissingDependencyError(f"{reply['message']}; set render.cycles.compute to a device that is here")
            raise AssetError("cycles_failed", reply["message"])
        self.served += 1
        with np.load(answer, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}, reply

    def close(self) -> None:
        """Ends the process and removes its files."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream is not None:
                stream.close()
        self.folder.cleanup()

    def _obituary(self) -> str:
        code = self.process.wait()
        self.log.flush()
        self.log.seek(0)
        last = " | ".join(self.log.read().strip().splitlines()[-3:])
        self.close()
        return f"the Cycles process ended with {code}; its last lines: {last or 'none'}"


_running: dict[CyclesConfig, CyclesProcess] = {}


def render_cycles(
    asset: Asset, cameras: Sequence[Camera], lights: Sequence[Lighting], config: RenderConfig, seed: int
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """All passes of an asset through Cycles, in the same conventions as the Warp engine's: all cameras in the first light,
    then all in the next.

    Returns:
        passes, and a record of the device and version that were used.

    Raises:
        MissingDependencyError: no interpreter, no bpy, or no such compute device.
        AssetError: see `CyclesProcess.render`.
    """
    passes, used = _render_light(asset, cameras, lights[0], config, seed)
    passes = {name: np.concatenate([array] * len(lights)) for name, array in passes.items()}
    for k, light in enumerate(lights[1:] if "rgb" in passes else (), 1):
        again, used = _render_light(asset, cameras, light, config.model_copy(update={"passes": ("rgb",)}), seed)
        passes["rgb"][k * len(cameras) : (k + 1) * len(cameras)] = again["rgb"]
    return passes, used


def _render_light(
    asset: Asset, cameras: Sequence[Camera], light: Lighting, config: RenderConfig, seed: int
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    process = _running.get(config.cycles)
    if process is None or process.process.poll() is not None or process.served >= config.cycles.restart_after:
        if process is not None:
            process.close()
        process = _running[config.cycles] = CyclesProcess(config.cycles)
    try:
        arrays, reply = process.render(_job(asset, cameras, light, config, seed))
    except AssetError as error:
        if error.reason != "cycles_failed":
            del _running[config.cycles]
        raise
    return _passes(arrays, config.passes), {"device": f"cycles {reply['device']}", "blender": reply["version"]}


@atexit.register
def stop() -> None:
    """Ends all Cycles processes of this process."""
    while _running:
        _running.popitem()[1].close()


def _job(asset: Asset, cameras: Sequence[Camera], lighting: Lighting, config: RenderConfig, seed: int) -> dict[str, Any]:
    if any(not np.isclose(c.K[0, 0], c.K[1, 1]) or c.K[0, 1] for c in cameras):
        raise ValueError("Cycles needs cameras with square pixels and no skew")
    textures: list[NDArray[np.uint8]] = []
    specs = []
    for m in asset.materials:
        slots = []
        for slot in SLOTS:
            image, sampler = m.texture(slot), m.sampler(slot)
            slots.append(None if image is None else {"image": len(textures), **dataclasses.asdict(sampler)})
            textures += [] if image is None else [image]
        specs.append(
            {
                "base_color": m.base_color,
                "metallic": m.metallic,
                "roughness": m.roughness,
                "emissive": m.emissive,
                "unlit": m.unlit,
                "alpha_mode": m.alpha_mode,
                "alpha_cutoff": m.alpha_cutoff,
                "textures": slots,
            }
        )
    settings = {
        "materials": specs,
        "width": cameras[0].width,
        "height": cameras[0].height,
        "samples": config.spp,
        "seed": seed,
        "bounces": config.cycles.bounces,
        "compute": config.cycles.compute,
        "denoise": config.denoise,
        "colour": "rgb" in config.passes,
        "geometry": bool(set(config.passes) - {"rgb"}),
    }
    arrays = {
        "vertices": asset.vertices,
        "faces": asset.faces,
        "uvs": asset.uvs,
        "normals": asset.shading_normals(),
        "material_ids": asset.material_ids,
        "part_ids": asset.part_ids,
        "environment": lighting.environment,
        "rectangles": np.array([[r.center, r.x, r.y, r.radiance] for r in lighting.rectangles], np.float64).reshape(-1, 4, 3),
        "c2w": np.stack([to_opengl(c.c2w) for c in cameras]),
        "K": np.stack([c.K for c in cameras]),
        "orthographic": np.array([c.orthographic for c in cameras]),
        "settings": np.array(json.dumps(settings)),
    }
    return arrays | {f"texture_{k}": image for k, image in enumerate(textures)}


def _passes(arrays: dict[str, NDArray[Any]], names: Collection[str]) -> dict[str, NDArray[Any]]:
    """Cycles' float passes as ours: background zeroed, colours coded, alpha straight."""
    made: dict[str, NDArray[Any]] = {}
    if "Combined" in arrays:
        combined = arrays["Combined"].astype(np.float64)
        alpha = np.round(np.clip(combined[..., 3:], 0, 1) * 255)
        straight = combined[..., :3] / np.maximum(combined[..., 3:], 1e-6)
        code = np.round(encode_srgb(np.clip(straight, 0, 1)) * 255) * (alpha > 0)
        made["rgb"] = np.concatenate([code, alpha], -1).astype(np.uint8)
    if "hit" in arrays:
        mask = arrays["hit"] > 0.5
        inside = mask[..., None]
        made["mask"] = mask
        made["depth"] = np.where(mask, arrays["Depth"][..., 0], 0).astype(np.float32)
        made["position"] = np.where(inside, arrays["position"][..., :3], 0).astype(np.float32)
        for name in ("normal", "geometric_normal"):
            vector = arrays[name][..., :3]
            length = np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)
            made[name] = np.where(inside, vector / length, 0).astype(np.float32)
        colour = encode_srgb(np.clip(arrays["albedo"][..., :3].astype(np.float64), 0, 1))
        made["albedo"] = np.where(inside, np.round(colour * 255), 0).astype(np.uint8)
        pair = np.clip(arrays["metallic_roughness"][..., :2], 0, 1)
        made["metallic_roughness"] = np.where(inside, np.round(pair * 255), 0).astype(np.uint8)
        for k, name in enumerate(("part", "material")):
            made[name] = np.where(mask, np.round(arrays["ids"][..., k]), -1).astype(np.int32)
    if missing := [name for name in names if name not in made]:
        raise ConfigError(f"the engine cycles does not make the pass '{missing[0]}'; take engine=warp, or leave it out")
    return {name: made[name] for name in PASSES if name in names}
