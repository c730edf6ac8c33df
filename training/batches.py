"""Batches as a pure function of the step: resuming needs no generator state."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from versemill import seeds

T = TypeVar("T")


class Ordered:
    """Items that come in an order of their own and never end, such as assets that are milled while a model trains on them.

    Item number n is what position n of the training takes, whatever the epoch; a batch asks for its positions in order.
    """


class Batches(Dataset[Any]):
    """Batch number `step` is a pure function of (examples, recipe, seed, step).

    Of n processes, process `rank` takes its `recipe.batch` examples of every n * `recipe.batch`: together they see
    what one process with an n times larger batch sees. Each epoch is a permutation of the items,
    unless they are `Ordered`.

    Args:
        items: anything with a length and items. make: (item, recipe, generator) -> example, a dataclass of tensors.
        stream: draws come from "`stream`/order" (per epoch) and "`stream`/example" (per position).
    """

    def __init__(
        self, items: Any, recipe: Any, seed: int, rank: int, processes: int, *,
        make: Callable[[Any, Any, np.random.Generator], Any], stream: str,
    ) -> None:  # fmt: skip
        self.items, self.recipe, self.seed, self.rank, self.processes = items, recipe, seed, rank, processes
        self.make, self.stream = make, stream
        self._epoch, self._permutation = -1, np.zeros(0, np.int64)

    def __len__(self) -> int:
        return int(self.recipe.steps)

    def __getitem__(self, step: int) -> Any:
        first = (step * self.processes + self.rank) * self.recipe.batch
        return stack([self._example(position) for position in range(first, first + self.recipe.batch)])

    def _example(self, position: int) -> Any:
        rng = seeds.stream(self.seed, position, f"{self.stream}/example")
        return self.make(self.items[self._item(position)], self.recipe, rng)

    def _item(self, position: int) -> int:
        if isinstance(self.items, Ordered):
            return position
        epoch, place = divmod(position, len(self.items))
        if epoch != self._epoch:
            rng = seeds.stream(self.seed, epoch, f"{self.stream}/order")
            self._epoch, self._permutation = epoch, rng.permutation(len(self.items))
        return int(self._permutation[place])


def stack(examples: list[T]) -> T:
    """Dataclasses of tensors as one, with a new first axis."""
    kind = type(examples[0])
    return kind(*(torch.stack([getattr(e, f.name) for e in examples]) for f in fields(kind)))  # type: ignore[arg-type]


def to_device(batch: T, device: torch.device) -> T:
    """A dataclass of tensors on a device."""
    kind = type(batch)
    return kind(*(getattr(batch, f.name).to(device, non_blocking=True) for f in fields(kind)))  # type: ignore[arg-type]
