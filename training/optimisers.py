"""Optimisers of a recipe: AdamW, or Muon for the hidden matrices with AdamW for everything else."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from versemill.errors import ConfigError
from versemill.training.recipe import Recipe

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration (Jordan 2024), as in `torch.optim.Muon`."""


class Muon(torch.optim.Optimizer):
    """Momentum whose update of each matrix is orthogonalised (Jordan 2024).

    `torch.optim.Muon` takes matrices alone; this one also takes the kernels of convolutions, flattened to (out, in * h * w).
    On matrices both give the same steps, up to the rounding of bfloat16, in which both iterate.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; parameters without a gradient stay."""
        for group in self.param_groups:
            for parameter in (p for p in group["params"] if p.grad is not None):
                state = self.state[parameter]
                average = state.setdefault("momentum", torch.zeros_like(parameter))
                average.lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(average, group["momentum"])  # Nesterov's
                update = orthogonal(ahead.flatten(1))
                scale = math.sqrt(max(1.0, update.shape[0] / update.shape[1]))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update.view_as(parameter), alpha=-group["lr"] * scale)


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest (semi-)orthogonal matrix to (rows, columns), roughly: singular values end between about 0.7 and 1.2."""
    a, b, c = NEWTON_SCHULZ
    x = matrix.bfloat16()
    wide = x if x.shape[0] <= x.shape[1] else x.T
    wide = wide / wide.norm().clamp_min(1e-7)
    for _ in range(steps):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return (wide if x.shape[0] <= x.shape[1] else wide.T).to(matrix.dtype)


def build(
    recipe: Recipe, network: nn.Module, hidden: Callable[[Any], Iterable[nn.Parameter]] | None
) -> list[torch.optim.Optimizer]:
    """The optimisers of a network; together they hold each of its parameters once. AdamW comes first.

    Args:
        hidden: (network) -> its hidden matrices, which Muon takes if the recipe asks for it.

    Raises:
        ConfigError: the recipe asks for Muon, and the family names no hidden matrices.
    """
    if recipe.optimizer == "muon" and hidden is None:
        raise ConfigError(f"preset {recipe.name} asks for Muon, and its family names no hidden matrices: take adamw")
    muon = list(hidden(network)) if recipe.optimizer == "muon" and hidden is not None else []
    taken = {id(p) for p in muon}
    rest = [p for p in network.parameters() if id(p) not in taken and p.requires_grad]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.95))
    return [adamw, Muon(muon, recipe.matrix_lr)] if muon else [adamw]
