"""Training: one loop, a checkpoint that resumes exactly, an average of the weights, and a stop before divergence."""

import copy
import json
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from versemill.reconstruction import presets
from versemill.reconstruction.data import Batch, Batches, Scenes
from versemill.reconstruction.geometry import pool, strided
from versemill.reconstruction.losses import Geometry, Loss
from versemill.reconstruction.lpips import Lpips
from versemill.reconstruction.monocular import Monocular, MonocularObjective
from versemill.reconstruction.presets import Preset
from versemill.reconstruction.processes import Team, team
from versemill.reconstruction.runs import CHECKPOINT, METRICS, Model, Network, claim, cut_metrics, fresh, torch_device

from versemill.camera import intrinsics, look_at
from versemill.errors import ConfigError, MissingDependencyError, VersemillError

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
    lpips: str | Path | None = None,
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Trains a preset on the train split of a dataset folder; goes on where `out` was left.

    Writes `out`/checkpoint.pt, metrics.jsonl (one line per step) and config.json. On a CPU the same dataset, preset
    and seed give the same losses, also after a stop in between. Under torchrun the processes train one model together.

    Args:
        lpips: folder of LPIPS weights (see `lpips.Lpips`): the perceptual loss is then LPIPS instead of random features.
        tensorboard: also write `out`/tensorboard.

    Returns:
        steps, seconds (of this call), wait_share (of step time spent on the loader), parameters, objects, loss
        (mean of the last 50 steps), out.

    Raises:
        ConfigError: no such preset, no training assets, unsuitable images, or `out` holds another run.
        DivergenceError: the loss or the gradient norm says that training has failed.
        MissingDependencyError: the device, TensorBoard or the weights are not here.
    """
    chosen = presets.get(preset)
    scenes = Scenes(dataset_dir, ("train",), chosen.size, keep=chosen.workers == 0, normals=chosen.reads_normals)
    if not len(scenes):
        raise ConfigError(f"{dataset_dir} has no assets in its split 'train': mill more assets")
    if chosen.reads_normals and not scenes.has_normals:
        raise ConfigError(f"preset {chosen.name} learns from normals and {dataset_dir} has no pass 'normal': render it")
    return fit(scenes, chosen, Path(out), seed, device, progress, lpips, tensorboard)


def fit(
    scenes: Any, preset: Preset, out: Path, seed: int, device: str, progress: Progress | None = None,
    lpips: str | Path | None = None, tensorboard: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """`train` on anything with a length whose items are `data.Scene`."""
    with team(torch_device(device)) as (processes, target):
        if target.type == "cpu":
            torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
        perceptual = Lpips(lpips) if lpips else None
        basis = {"preset": preset.model_dump(), "seed": seed, "processes": processes.size}
        basis |= {"lpips": perceptual.digest if perceptual else None}
        records: list[dict[str, float]] = []
        if processes.rank == 0:
            out.mkdir(parents=True, exist_ok=True)
            claim(out, basis)
        processes.wait()
        state = State(preset, seed, target, perceptual, processes)
        state.resume(out)
        processes.wait()
        if processes.rank == 0:
            records = cut_metrics(out / METRICS, state.step)
        with _board(out, state.step) if tensorboard and processes.rank == 0 else _no_board() as board:
            return _loop(state, scenes, out, records, board, progress)


def _loop(
    state: "State", scenes: Any, out: Path, records: list[dict[str, float]], board: Callable[[dict[str, float]], None],
    progress: Progress | None,
) -> dict[str, Any]:  # fmt: skip
    preset, processes = state.preset, state.team
    started, waited = time.perf_counter(), 0.0
    loader = DataLoader(
        Batches(scenes, preset, state.seed, processes.rank, processes.size),
        batch_size=None,
        sampler=range(state.step, preset.steps),
        num_workers=preset.workers,
        generator=torch.Generator().manual_seed(state.seed),  # else the loader draws from the global one
    )
    norms = deque((r["grad_norm"] for r in records[-WINDOW:]), maxlen=WINDOW)
    asked = time.perf_counter()
    with (out / METRICS).open("a") if processes.rank == 0 else open(os.devnull, "w") as log:  # noqa: PTH123
        for batch in loader:
            waited += time.perf_counter() - asked
            record = state.advance(batch.to(state.device))
            records.append(record)
            log.write(json.dumps(record) + "\n")
            norms.append(record["grad_norm"])
            guard(record, norms, preset)
            if processes.rank == 0:
                board(record)
                if state.step % preset.save_every == 0 or state.step == preset.steps:
                    log.flush()
                    state.save(out)
                if progress:
                    progress(state.step, preset.steps, record)
            asked = time.perf_counter()
    seconds = time.perf_counter() - started
    processes.wait()
    tail = [r["loss"] for r in records[-50:]]
    return {
        "steps": state.step,
        "seconds": seconds,
        "wait_share": waited / max(seconds, 1e-9),
        "parameters": sum(p.numel() for p in state.model.parameters()),
        "objects": len(scenes),
        "loss": sum(tail) / max(len(tail), 1),
        "out": str(out),
    }


class Objective(nn.Module):
    """A model and its loss as one module: batch in, scalar and its terms out. What DDP wraps."""

    def __init__(self, model: Model, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch and its terms; depth is judged where the family has it.

        Gaussians have a depth in their own input views, a field has one where it is rendered.
        """
        scene, depth = self.model(batch.images, batch.alpha, batch.c2w, batch.K)
        rendering = self.model.draw(scene, batch.target_c2w, batch.target_K, batch.target_rgb.shape[-1])
        if depth is None:
            geometry = Geometry(
                rendering.depth / rendering.alpha.clamp_min(1e-2), batch.target_depth, batch.target_normal,
                batch.target_alpha, batch.target_c2w, batch.target_K,
            )  # fmt: skip
        else:
            stride = self.model.preset.stride
            truth, normal, cover = (pool(t, stride) for t in (batch.depth, batch.normal, batch.alpha))
            geometry = Geometry(depth, truth, normal, cover, batch.c2w, strided(batch.K, stride))
        return self.loss(rendering, batch.target_rgb, batch.target_alpha, geometry)


def objective(network: Network, perceptual: nn.Module | None) -> nn.Module:
    """What a step minimises: the network and its family's loss as one module."""
    if isinstance(network, Monocular):
        return MonocularObjective(network)
    return Objective(network, Loss(network.preset, perceptual))


class State:
    """Everything a run carries from step to step: weights, their average, the optimiser and the step count."""

    def __init__(
        self, preset: Preset, seed: int, device: torch.device, perceptual: nn.Module | None = None, team: Team | None = None
    ) -> None:
        self.preset, self.seed, self.device, self.step = preset, seed, device, 0
        self.team = team or Team()
        self.model = fresh(preset, seed).to(device)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.objective = objective(self.model, perceptual).to(device)
        if self.team.size > 1:
            self.objective = DistributedDataParallel(self.objective, broadcast_buffers=False)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": preset.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=preset.lr, betas=(0.9, 0.95))

    def advance(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; its record, the mean over all processes."""
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
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)
        values = {"loss": float(total.detach()), **{name: float(value) for name, value in terms.items()}}
        return {"step": self.step, **self.team.mean(values, self.device), "grad_norm": float(norm), "lr": lr}

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


@contextmanager
def _board(out: Path, step: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Writes records to `out`/tensorboard; what a killed run wrote after `step` is superseded."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependencyError("TensorBoard is not installed: pip install 'versemill[tensorboard]'") from error
    with SummaryWriter(str(out / "tensorboard"), purge_step=step + 1) as writer:

        def write(record: dict[str, float]) -> None:
            for name, value in record.items():
                if name != "step":
                    writer.add_scalar(f"train/{name}", value, int(record["step"]))

        yield write


@contextmanager
def _no_board() -> Iterator[Callable[[dict[str, float]], None]]:
    yield lambda record: None


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


def try_step(device: str = "auto") -> str:
    """Trains one step of preset `micro` on noise, as a self-test; says where.

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
    seen = (rgb, full, 4 * full, torch.zeros_like(rgb), c2w, K)
    batch = Batch(*seen, *(t[:, :1] for t in seen))
    record = State(preset, 0, target).advance(batch.to(target))
    guard(record, deque(), preset)
    name = torch.cuda.get_device_name(target) if target.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return f"trained one step of preset {preset.name} on {name} with torch {torch.__version__}"
