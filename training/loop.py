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

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from versemill.errors import ConfigError, VersemillError
from versemill.files import written_aside
from versemill.training import optimisers
from versemill.training.family import Batch, Examples, Family, Progress
from versemill.training.lpips import Lpips
from versemill.training.processes import Team, team
from versemill.training.recipe import Recipe, schedule
from versemill.training.runs import CHECKPOINT, RECORDS, claim, cut_records, torch_device
from versemill.training.scenes import check_needs
from versemill.training.tensorboard import board as tensorboard_of

Watch = Callable[["State"], None]
"""Called with the state before the first step of a call, and after every step."""

WINDOW = 100
"""Steps over which the gradient norm's median is taken."""


class DivergenceError(VersemillError):
    """Training diverged: the loss is not finite, or gradient norms stay above the recipe's limit."""


def train(
    family: Family,
    dataset_dir: str | Path,
    preset: str | Recipe | None,
    out: str | Path,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
    lpips: str | Path | None = None,
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Trains a preset of a family on the train split of a dataset folder, or resumes the run in `out`.

    Writes `out`/checkpoint.pt, metrics.jsonl (one line per step) and config.json. On a CPU the same dataset, preset
    and seed give the same losses, also after a stop in between. Under torchrun the processes train one model together.

    Args:
        preset: name, recipe, or None for the family's default.
        lpips: folder of LPIPS weights (see `lpips.Lpips`): the perceptual loss is then LPIPS instead of random features.
        tensorboard: also write `out`/tensorboard.

    Returns:
        steps, seconds (of this call), wait_share (of step time spent on the loader), parameters, objects, loss
        (mean of the last 50 steps), out.

    Raises:
        ConfigError: no such preset, no training assets, unsuitable data, LPIPS for a family that does not use it, or `out`
            holds another run.
        DivergenceError: the loss or the gradient norm says that training has failed.
        MissingDependencyError: the device, TensorBoard or the weights are not here.
    """
    recipe = family.preset(preset)
    if lpips and not family.takes_lpips:
        raise ConfigError(f"family '{family.name}' does not train with LPIPS: leave --lpips out")
    check_needs(dataset_dir, family.needs(recipe), f"preset {recipe.name}")
    examples = family.data(dataset_dir, ("train",), recipe, None, False)
    if not len(examples):
        raise ConfigError(f"{dataset_dir} has no assets in its split 'train': mill more assets")
    return fit(family, examples, recipe, Path(out), seed, device, progress, lpips, tensorboard)


def fit(
    family: Family, examples: Examples, recipe: Recipe, out: Path, seed: int, device: str, progress: Progress | None = None,
    lpips: str | Path | None = None, tensorboard: bool = False, origin: str | None = None, watch: Watch | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`train` on examples that are already read, or that come while it trains (`batches.Ordered`).

    Args:
        origin: says where examples come from that are not read from shards; a run resumes with the same alone.
        watch: sees the state after every step.
    """
    with team(torch_device(device)) as (processes, target):
        if target.type == "cpu":
            torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
        perceptual = Lpips(lpips) if lpips else None
        basis = {"seed": seed, "processes": processes.size, "lpips": perceptual.digest if perceptual else None}
        basis |= {"origin": origin}
        records: list[dict[str, float]] = []
        if processes.rank == 0:
            out.mkdir(parents=True, exist_ok=True)
            claim(out, family, recipe, basis)
        processes.wait()
        state = State(family, recipe, seed, target, perceptual, processes)
        state.resume(out)
        processes.wait()
        if processes.rank == 0:
            records = cut_records(out / RECORDS, state.step)
        with tensorboard_of(out, state.step) if tensorboard and processes.rank == 0 else _no_board() as board:
            return _loop(state, examples, out, records, board, progress, watch or (lambda state: None))


def _loop(
    state: "State", examples: Examples, out: Path, records: list[dict[str, float]],
    board: Callable[[dict[str, float]], None], progress: Progress | None, watch: Watch,
) -> dict[str, Any]:  # fmt: skip
    family, recipe, processes = state.family, state.recipe, state.team
    started, waited = time.perf_counter(), 0.0
    loader = DataLoader(
        family.batches(examples, recipe, state.seed, processes.rank, processes.size),
        batch_size=None,
        sampler=range(state.step, recipe.steps),
        num_workers=recipe.workers,
        generator=torch.Generator().manual_seed(state.seed),  # else the loader draws from the global one
    )
    watch(state)
    norms = deque((r["grad_norm"] for r in records[-WINDOW:]), maxlen=WINDOW)
    idle_since = time.perf_counter()
    with (out / RECORDS).open("a") if processes.rank == 0 else open(os.devnull, "w") as log:  # noqa: PTH123
        for batch in loader:
            waited += time.perf_counter() - idle_since
            record = state.advance(batch.to(state.device))
            records.append(record)
            log.write(json.dumps(record) + "\n")
            norms.append(record["grad_norm"])
            guard(record, norms, recipe)
            if processes.rank == 0:
                board(record)
                if state.step % recipe.save_every == 0 or state.step == recipe.steps:
                    log.flush()
                    state.save(out)
                    if family.preview is not None:
                        family.preview(state.average, examples, recipe, out / "preview.png")
                if progress:
                    progress(state.step, recipe.steps, record)
            watch(state)
            idle_since = time.perf_counter()
    seconds = time.perf_counter() - started
    processes.wait()
    tail = [r["loss"] for r in records[-50:]]
    return {
        "steps": state.step,
        "seconds": seconds,
        "wait_share": waited / max(seconds, 1e-9),
        "parameters": sum(p.numel() for p in state.network.parameters()),
        "objects": len(examples),
        "loss": sum(tail) / max(len(tail), 1),
        "out": str(out),
    }


class State:
    """Everything a run carries from step to step: weights, their average, the optimisers and the step count."""

    def __init__(
        self, family: Family, recipe: Recipe, seed: int, device: torch.device, perceptual: nn.Module | None = None,
        team: Team | None = None,
    ) -> None:  # fmt: skip
        self.family, self.recipe, self.seed, self.device, self.step = family, recipe, seed, device, 0
        self.team, self.perceptual = team or Team(), perceptual
        self.network = family.fresh(recipe, seed).to(device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.objective = family.objective(self.network, perceptual).to(device)
        if self.team.size > 1:
            self.objective = DistributedDataParallel(
                self.objective, broadcast_buffers=False, find_unused_parameters=family.freezes
            )
        self.optimizers = optimisers.build(recipe, self.network, family.hidden)
        self.peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]

    def advance(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; its record, the mean over all processes."""
        lr = schedule(self.recipe, self.step)
        for optimizer, peaks in zip(self.optimizers, self.peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = lr if peak == self.recipe.lr else lr * (peak / self.recipe.lr)
        self.network.train()
        total, terms = self.objective(batch)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        if torch.isfinite(norm):
            for optimizer in self.optimizers:
                optimizer.step()
        self.step += 1
        decay = min(self.recipe.ema, self.step / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)
            for mean, now in zip(self.average.buffers(), self.network.buffers(), strict=True):
                mean.copy_(now)
        values = {"loss": float(total.detach()), **{name: float(value) for name, value in terms.items()}}
        return {"step": self.step, **self.team.mean(values, self.device), "grad_norm": float(norm), "lr": lr}

    def error(self, batch: Batch) -> float:
        """The objective of the averaged weights on a batch; nothing is drawn, and nothing changes."""
        objective = self.family.objective(self.average, self.perceptual).to(self.device).eval()
        return float(objective(batch.to(self.device))[0].detach())

    def save(self, out: Path) -> None:
        """Writes the checkpoint aside and renames it, so that a kill never leaves half of one."""
        parts = {
            "model": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizers[0].state_dict(),
            "others": [optimizer.state_dict() for optimizer in self.optimizers[1:]],
        }
        with written_aside(out / CHECKPOINT) as aside:
            torch.save({"step": self.step, **parts}, aside)

    def resume(self, out: Path) -> None:
        """Takes up the checkpoint of `out` if there is one."""
        if (out / CHECKPOINT).exists():
            saved = torch.load(out / CHECKPOINT, map_location=self.device, weights_only=True)
            self.step = saved["step"]
            self.network.load_state_dict(saved["model"])
            self.average.load_state_dict(saved["average"])
            states = [saved["optimizer"], *saved.get("others", [])]
            for optimizer, state in zip(self.optimizers, states, strict=True):
                optimizer.load_state_dict(state)


@contextmanager
def _no_board() -> Iterator[Callable[[dict[str, float]], None]]:
    yield lambda record: None


def guard(record: dict[str, float], norms: deque[float], recipe: Recipe) -> None:
    """Stops a run that diverges: LRM-Zero saw gradient norms of 2-5 before it, 0-1 in health.

    Raises:
        DivergenceError: the step is not finite, or the median norm of the last `WINDOW` steps exceeds the limit.
    """
    if not math.isfinite(record["loss"]) or not math.isfinite(record["grad_norm"]):
        raise DivergenceError(
            f"step {record['step']}: loss {record['loss']}, gradient norm {record['grad_norm']}. "
            "Lower lr or the perceptual weight, or train on simpler assets"
        )
    if len(norms) == WINDOW and record["step"] > recipe.warmup + WINDOW and median(norms) > recipe.divergence:
        raise DivergenceError(
            f"step {record['step']}: the median gradient norm of {WINDOW} steps is {median(norms):.2f}, the limit is "
            f"{recipe.divergence}. Lower lr, the perceptual weight or max_angle, or raise `divergence` if the loss is well"
        )


def try_step(family: Family, device: str = "auto") -> str:
    """Trains one step of the family's smallest preset on noise, as a self-test; says where.

    Raises:
        MissingDependencyError, ConfigError: see `torch_device`. DivergenceError: the step is not finite.
    """
    target = torch_device(device)
    recipe = next(iter(family.presets.values()))
    batch = family.noise(recipe, torch.Generator().manual_seed(0))
    record = State(family, recipe, 0, target).advance(batch.to(target))
    guard(record, deque(), recipe)
    name = torch.cuda.get_device_name(target) if target.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return f"trained one step of preset {recipe.name} on {name} with torch {torch.__version__}"
