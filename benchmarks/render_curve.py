"""Colour against Cycles: error by cost of both engines on the same scenes, as a table and a plot."""

import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.common import Table, measure
from versemill import detailverse, zeroverse
from versemill.asset import Asset
from versemill.camera import Camera
from versemill.device import resolve
from versemill.render import CameraConfig, CyclesConfig, Lighting, LightingConfig, RenderConfig
from versemill.render import cameras as camera_samplers
from versemill.render import lighting as lights
from versemill.render.cycles import render_cycles
from versemill.render.engine import render_passes

LIGHTINGS = ("studio", "sky", "area")
WARP = {"fast": (1, 4, 16), "fine": (4, 6, 16, 64)}
CYCLES = (1, 2, 4, 8, 16)
REFERENCE = 256
CONVERGED = 256
"""Samples at which what is left between `fine` and the reference is not the noise of `fine`."""
LIMIT_DB, LIMIT_RATIO = 32.0, 4.0


@dataclass
class Setting:
    """One way to render: its errors in dB, its core-seconds per further view of a scene."""

    engine: str
    samples: int
    denoise: bool

    def __post_init__(self) -> None:
        self.decibel: list[float] = []
        self.seconds: list[float] = []

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.engine}, {self.samples} samples{'' if self.denoise else ', not denoised'}"

    @property
    def psnr(self) -> float:
        """Mean PSNR of the scenes, in dB."""
        return float(np.mean(self.decibel))

    @property
    def cost(self) -> float:
        """Mean core-seconds of a further view."""
        return float(np.mean(self.seconds))


@dataclass(frozen=True)
class Scene:
    """One image to make: an asset, a camera, a light."""

    asset: Asset
    camera: Camera
    light: Lighting
    size: int

    def render(self, setting: Setting, device: str, copies: int = 1, seed: int = 1) -> NDArray[np.uint8]:
        """(copies, H, W, 4) sRGB of the camera, `copies` times."""
        cameras = (self.camera,) * copies
        if setting.engine == "Cycles":
            config = RenderConfig(
                engine="cycles",
                width=self.size,
                height=self.size,
                passes=("rgb",),
                samples=setting.samples,
                denoise=setting.denoise,
                cycles=CyclesConfig(),
            )
            return render_cycles(self.asset, cameras, (self.light,), config, seed)[0]["rgb"]
        quality = setting.engine.removeprefix("Warp ")
        made = render_passes(
            self.asset, cameras, (self.light,), ("rgb",), quality, setting.samples, setting.denoise, seed, device
        )
        return made["rgb"]

    def mask(self, device: str) -> NDArray[np.bool_]:
        """(H, W): pixels whose centre sees the asset."""
        made = render_passes(self.asset, (self.camera,), (self.light,), ("mask",), "fast", 1, False, 0, device)
        return made["mask"][0]


def _scenes(quick: bool) -> list[Scene]:
    """Three assets of each generator in three lightings; quick: one of each in one."""
    size, each = (64, 1) if quick else (256, 3)
    scenes = []
    for k in range(each):
        for asset in (
            zeroverse.generate(zeroverse.ZeroverseConfig(), 7, k),
            detailverse.generate(detailverse.DetailverseConfig(detail="fast"), 7, k),
        ):
            config = RenderConfig(width=size, height=size, cameras=CameraConfig(preset="hemisphere", views=1))
            camera = camera_samplers.sample(config, 7, k, asset.vertices)[0]
            for preset in LIGHTINGS[: 1 if quick else None]:
                scenes.append(Scene(asset, camera, lights.draw(LightingConfig(preset=preset), 7, k), size))
    return scenes


def _spent() -> float:
    """CPU seconds of the processes that this one has started and that live: Cycles is one."""
    times = [p.cpu_times() for p in psutil.Process().children(recursive=True)]
    return sum(t.user + t.system for t in times)


def _timed(scene: Scene, setting: Setting, device: str, copies: int) -> tuple[NDArray[np.uint8], float]:
    before = _spent()
    with measure() as span:
        image = scene.render(setting, device, copies)
    return image, span.cpu + _spent() - before


def decibel(a: NDArray[np.uint8], b: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """PSNR in dB of two (H, W, 4) sRGB images over the masked pixels, colour only."""
    error = (a[mask].astype(np.float64) - b[mask])[:, :3] / 255
    return float(-10 * np.log10(max(float((error**2).mean()), 1e-12)))


def curve(quick: bool, *, device: str = "auto", plot: str = "") -> tuple[Table, dict[str, float]]:
    """Errors against Cycles' reference over the foreground, and what a view costs.

    The cost is that of a further view, without building the scene, for both engines alike: a setting renders a camera once
    and twice, and the core-seconds' difference counts. That is done with every asset in one of its lightings, and each
    lighting comes as often. The noise of the reference, and what more samples would not mend, are measured with three
    assets, each in a lighting of its own. `plot` is a PNG to write.
    """
    name = resolve(device)
    reference = Setting("Cycles", 64 if quick else REFERENCE, False)
    settings = [Setting("Cycles", n, True) for n in (CYCLES[:3] if quick else CYCLES)]
    for quality, counts in WARP.items():
        settings += [Setting(f"Warp {quality}", n, True) for n in (counts[:3] if quick else counts)]
    converged = Setting("Warp fine", 64 if quick else CONVERGED, False)
    noise: list[float] = []
    scenes = _scenes(quick)
    for setting in settings:
        scenes[0].render(setting, name)  # kernels, tables and Blender are there before the clock starts
    for number, scene in enumerate(scenes):
        sys.stderr.write(f"image {number + 1} of {len(scenes)}\n")
        mask = scene.mask(name)
        truth = scene.render(reference, name)[0]
        turn = (number // len(LIGHTINGS) - number) % len(LIGHTINGS) == 0
        if turn and number < len(LIGHTINGS) ** 2:
            noise.append(decibel(scene.render(reference, name, seed=2)[0], truth, mask))
            converged.decibel.append(decibel(scene.render(converged, name)[0], truth, mask))
        for setting in settings:
            image, once = _timed(scene, setting, name, 1)
            setting.decibel.append(decibel(image[0], truth, mask))
            if turn or quick:
                setting.seconds.append(_timed(scene, setting, name, 2)[1] - once)
    return _table(settings, converged, reference, noise, scenes, plot)


def _table(
    settings: list[Setting], converged: Setting, reference: Setting, noise: list[float], scenes: list[Scene], plot: str
) -> tuple[Table, dict[str, float]]:
    default = next(s for s in settings if (s.engine, s.samples) == ("Warp fine", 6))
    theirs = [s for s in settings if s.engine == "Cycles"]
    equal, what = cost_at(theirs, default.psnr)
    table = Table(
        f"Colour of {len(scenes)} images of {scenes[0].size}², foreground, against Cycles at {reference.samples} samples",
        ["setting", "PSNR, dB", "worst", "core-s per view", "Cycles at this error, times as much"],
    )
    for s in settings:
        more = "" if s in theirs else cost_at(theirs, s.psnr)[0] / s.cost
        table.rows.append([s.name, s.psnr, min(s.decibel), s.cost, more])
    what_stays = f"{converged.name}, {len(noise)} images: what stays apart"
    table.rows.append([what_stays, converged.psnr, min(converged.decibel), "", ""])
    its_noise = f"the reference with another seed, {len(noise)} images: its noise"
    table.rows.append([its_noise, float(np.mean(noise)), min(noise), "", ""])
    table.rows.append([f"wanted of {default.name}", LIMIT_DB, "", "", LIMIT_RATIO])
    table.rows.append([f"Cycles as good as that: {what}", default.psnr, "", equal, ""])
    if plot:
        _plot(settings, float(np.mean(noise)), Path(plot))
    figures = {"curve_fine_db": default.psnr, "curve_fine_core_seconds": default.cost, "curve_noise_db": float(np.mean(noise))}
    figures |= {"curve_converged_db": converged.psnr, "curve_cycles_core_seconds_at_equal_error": equal}
    return table, figures | {"curve_ratio_at_equal_error": equal / default.cost}


def cost_at(settings: list[Setting], psnr: float) -> tuple[float, str]:
    """Core-seconds at which the settings, in order of samples, reach a PSNR, between two of them by the cost's logarithm;
    the first or last one's outside their range, which the words say.
    """
    first, last = settings[0], settings[-1]
    if psnr <= first.psnr:
        return first.cost, f"{first.samples} samples, which is better already"
    for low, high in pairwise(settings):
        if psnr <= high.psnr:
            share = (psnr - low.psnr) / (high.psnr - low.psnr)
            costs = np.log(max(low.cost, 1e-9)), np.log(max(high.cost, 1e-9))
            return float(np.exp(costs[0] + share * (costs[1] - costs[0]))), f"between {low.samples} and {high.samples} samples"
    return last.cost, f"{last.samples} samples, which is not as good yet"


def _plot(settings: list[Setting], noise: float, path: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.2), dpi=120, layout="constrained")
    for engine, marker in (("Cycles", "s"), ("Warp fine", "o"), ("Warp fast", "^")):
        line = [s for s in settings if s.engine == engine]
        label = f"{engine}, OIDN" if engine == "Cycles" else engine
        axes.plot([s.cost for s in line], [s.psnr for s in line], marker=marker, label=label)
        for s in line:
            axes.annotate(str(s.samples), (s.cost, s.psnr), xytext=(4, -10), textcoords="offset points", fontsize=7)
    axes.axhline(noise, color="0.6", linestyle=":", label="noise of the reference")
    axes.set_xscale("log")
    axes.set_xlabel("core-seconds per view")
    axes.set_ylabel("PSNR against Cycles, dB")
    axes.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside upper center", ncols=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
