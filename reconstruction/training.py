"""Training: one loop, a checkpoint that resumes exactly, an average of the weights, and a stop before divergence."""

import copy
import json
import math
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from reconstruction import presets
from reconstruction.data import Batch, Batches, Scenes
from reconstruction.losses import Loss
from reconstruction.model import LRM, pool
from reconstruction.presets import Preset
from reconstruction.splat import render
from versemill.camera import intrinsics, look_at
from versemill.errors import ConfigError, MissingDependencyError, VersemillError

CHECKPOINT, METRICS, CONFIG = "checkpoint.pt", "metrics.jsonl", "config.json"
WINDOW = 100
"""Steps over which the gradient norm's median is taken."""
Progress = Callable[[int, int, dict[str, float]], None]
"""Called with (steps done, steps in all, the last step's record)."""


class DivergenceError(VersemillError):
    """Training left the road: the loss is not finite, or gradient norms stay above the preset's limit."""


def train(
    dataset_dir: str | Path,
    preset: str | Preset,
    out: str | Path,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Trains a preset on the train split of a dataset folder; goes on where `out` was left.

    Writes `out`/checkpoint.pt, metrics.jsonl (one line per step) and config.json. On a CPU the same dataset, preset
    and seed give the same losses, also after a stop in between.

    Returns:
        steps, seconds (of this call), wait_share (of step time spent on the loader), parameters, objects, loss
        (mean of the last 50 steps), out.

    Raises:
        ConfigError: no such preset, no training assets, unsuitable images, or `out` holds another run.
        DivergenceError: the loss or the gradient norm says that training has failed.
        MissingDependencyError: the device is not here.
    """
    chosen = presets.get(preset)
    scenes = Scenes(dataset_dir, ("train",), chosen.size, keep=chosen.workers == 0)
    if not len(scenes):
        raise ConfigError(f"{dataset_dir} has no assets in its split 'train': mill more assets")
    return fit(scenes, chosen, Path(out), seed, device, progress)


def fit(scenes: Any, preset: Preset, out: Path, seed: int, device: str, progress: Progress | None = None) -> dict[str, Any]:
    """`train` on anything with a length whose items are `data.Scene`."""
    target = torch_device(device)
    if target.type == "cpu":
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, preset, seed)
    state = State(preset, seed, target)
    state.resume(out)
    records = _cut_metrics(out / METRICS, state.step)
    started, waited = time.perf_counter(), 0.0
    loader = DataLoader(
        Batches(scenes, preset, seed),
        batch_size=None,
        sampler=range(state.step, preset.steps),
        num_workers=preset.workers,
        generator=torch.Generator().manual_seed(seed),  # else the loader draws from the global one
    )
    norms = deque((r["grad_norm"] for r in records[-WINDOW:]), maxlen=WINDOW)
    asked = time.perf_counter()
    with (out / METRICS).open("a") as log:
        for batch in loader:
            waited += time.perf_counter() - asked
            record = state.advance(batch.to(target))
            records.append(record)
            log.write(json.dumps(record) + "\n")
            norms.append(record["grad_norm"])
            guard(record, norms, preset)
            if state.step % preset.save_every == 0 or state.step == preset.steps:
                log.flush()
                state.save(out)
            if progress:
                progress(state.step, preset.steps, record)
            asked = time.perf_counter()
    seconds = time.perf_counter() - started
    tail = [r["loss"] for r in records[-50:]]
    return {
        "steps": state.step,
        "seconds": seconds,
        "wait_share": waited / max(seconds, 1e-9),
        "parameters": sum(p.numel() for p in state.model.parameters()),
        "objects": len(scenes),
        "loss": sum(tail) / len(tail),
        "out": str(out),
    }


class State:
    """Everything a run carries from step to step: weights, their average, the optimiser and the step count."""

    def __init__(self, preset: Preset, seed: int, device: torch.device) -> None:
        self.preset, self.device, self.step = preset, device, 0
        self.model = fresh_model(preset, seed).to(device)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.loss = Loss(preset).to(device)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": preset.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=preset.lr, betas=(0.9, 0.95))

    def advance(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; its record."""
        lr = schedule(self.preset, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.model.train()
        total, terms = self.objective(batch)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.preset.clip)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.step += 1
        decay = min(self.preset.ema, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
        values = {name: float(value) for name, value in terms.items()}
        return {"step": self.step, "loss": float(total.detach()), **values, "grad_norm": float(norm), "lr": lr}

    def objective(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of a batch and its terms."""
        gaussians, depth = self.model(batch.images, batch.alpha, batch.c2w, batch.K)
        size = batch.target_rgb.shape[-1]
        rendering = render(gaussians, batch.target_c2w, batch.target_K, (size, size))
        stride = self.preset.stride
        targets = {
            "rgb": batch.target_rgb,
            "alpha": batch.target_alpha,
            "input_depth": pool(batch.depth, stride),
            "input_alpha": pool(batch.alpha, stride),
        }
        return self.loss(rendering, depth, targets)

    def save(self, out: Path) -> None:
        """Writes the checkpoint aside and renames it, so that a kill never leaves half of one."""
        parts = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save({"step": self.step, **parts}, out / f"{CHECKPOINT}.part")
        (out / f"{CHECKPOINT}.part").replace(out / CHECKPOINT)

    def resume(self, out: Path) -> None:
        """Takes up the checkpoint of `out` if there is one."""
        if (out / CHECKPOINT).exists():
            saved = torch.load(out / CHECKPOINT, map_location=self.device, weights_only=True)
            self.step = saved["step"]
            for name in ("model", "average", "optimizer"):
                getattr(self, name).load_state_dict(saved[name])


def fresh_model(preset: Preset, seed: int) -> LRM:
    """An untrained model on the CPU: the weights are a function of preset and seed; no global generator moves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LRM(preset)


def schedule(preset: Preset, step: int) -> float:
    """Learning rate of a step, counted from 0: linear warm-up, then a cosine to 0."""
    if step < preset.warmup:
        return preset.lr * (step + 1) / preset.warmup
    done = (step - preset.warmup) / max(1, preset.steps - preset.warmup)
    return preset.lr * 0.5 * (1 + math.cos(math.pi * done))


def guard(record: dict[str, float], norms: deque[float], preset: Preset) -> None:
    """Stops a run that diverges: LRM-Zero saw gradient norms of 2-5 before it, 0-1 in health.

    Raises:
        DivergenceError: the step is not finite, or the median norm of the last `WINDOW` steps exceeds the limit.
    """
    if not math.isfinite(record["loss"]) or not math.isfinite(record["grad_norm"]):
        raise DivergenceError(
            f"step {record['step']}: loss {record['loss']}, gradient norm {record['grad_norm']}. "
            "Lower lr or the perceptual weight, or train on simpler assets"
        )
    if len(norms) == WINDOW and record["step"] > preset.warmup + WINDOW and median(norms) > preset.divergence:
        raise DivergenceError(
            f"step {record['step']}: the median gradient norm of {WINDOW} steps is {median(norms):.2f}, the limit is "
            f"{preset.divergence}. Lower lr, the perceptual weight or max_angle, or raise `divergence` if the loss is well"
        )


def load_model(run_dir: Path, device: torch.device) -> tuple[LRM, Preset]:
    """The averaged model of a run, ready to predict, and its preset.

    Raises:
        ConfigError: the folder holds no trained model.
    """
    if not (run_dir / CHECKPOINT).exists() or not (run_dir / CONFIG).exists():
        raise ConfigError(f"{run_dir} holds no trained model ({CONFIG} and {CHECKPOINT}): train into it first")
    preset = Preset(**json.loads((run_dir / CONFIG).read_text())["preset"])
    model = LRM(preset).to(device).eval()
    model.load_state_dict(torch.load(run_dir / CHECKPOINT, map_location=device, weights_only=True)["average"])
    return model, preset


def try_step(device: str = "auto") -> str:
    """Trains one step of the smallest preset on noise, as a self-test; says where.

    Raises:
        MissingDependencyError, ConfigError: see `torch_device`. DivergenceError: the step is not finite.
    """
    target = torch_device(device)
    preset = presets.get("micro")
    generator = torch.Generator().manual_seed(0)
    shape = (1, preset.input_views + 1)
    rgb = torch.rand(*shape, 3, preset.size, preset.size, generator=generator)
    eyes = torch.randn(shape[1], 3, generator=generator).double().numpy()
    c2w = torch.tensor(np.stack([look_at(4 * eye / np.linalg.norm(eye)) for eye in eyes]))[None].float()
    K = torch.tensor(intrinsics(50.0, preset.size, preset.size)).float().expand(*shape, 3, 3)
    full = torch.ones_like(rgb[:, :, :1])
    batch = Batch(rgb, full, 4 * full, c2w, K, rgb[:, :1], full[:, :1], c2w[:, :1], K[:, :1])
    record = State(preset, 0, target).advance(batch.to(target))
    guard(record, deque(), preset)
    name = torch.cuda.get_device_name(target) if target.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return f"trained one step of preset {preset.name} on {name} with torch {torch.__version__}"


def torch_device(name: str) -> torch.device:
    """A torch device; "auto" is CUDA where there is one.

    Raises:
        MissingDependencyError: CUDA is asked for and not here.
        ConfigError: no device has this name.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no torch device '{name}'; take auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingDependencyError(f"device '{name}' is not here: torch {torch.__version__} sees no CUDA device; take cpu")
    return device


def _claim(out: Path, preset: Preset, seed: int) -> None:
    """Writes the run's configuration, or refuses a folder that holds another run."""
    wanted = {"preset": preset.model_dump(), "seed": seed}
    path = out / CONFIG
    if path.exists() and json.loads(path.read_text()) != wanted:
        raise ConfigError(f"{out} holds a run of another preset or seed: take another folder or remove it")
    path.write_text(json.dumps(wanted, indent=1) + "\n")


def _cut_metrics(path: Path, step: int) -> list[dict[str, float]]:
    """The records up to a step; later ones, from a run that was killed after its checkpoint, are dropped from the file."""
    lines = path.read_text().splitlines() if path.exists() else []
    kept = lines[:step]
    path.write_text("".join(line + "\n" for line in kept))
    return [json.loads(line) for line in kept]
