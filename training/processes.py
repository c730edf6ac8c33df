"""Training by several processes, as torchrun starts them: who am I, what device is mine, what do all say together."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Team:
    """The processes of one training. `rank` 0 alone writes files."""

    rank: int = 0
    size: int = 1

    def mean(self, values: dict[str, float], device: torch.device) -> dict[str, float]:
        """The mean over all processes of each number; the same on every one of them."""
        if self.size == 1:
            return values
        sums = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
        distributed.all_reduce(sums)
        return dict(zip(values, (sums / self.size).tolist(), strict=True))

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def team(device: torch.device) -> Iterator[tuple[Team, torch.device]]:
    """Joins the processes that torchrun started (it sets RANK, WORLD_SIZE, LOCAL_RANK), or is alone; and the own device.

    NCCL connects CUDA devices, each process taking the one of its local rank; Gloo connects CPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    joined = not distributed.is_initialized()
    if joined:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(distributed.get_rank(), size), device
    finally:
        if joined:
            distributed.destroy_process_group()
