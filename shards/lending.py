"""Memory that a `DataLoader`'s worker lends to the main process with a sample, and uses again once the sample is gone there.

Torch sends each tensor in shared memory of its own: made, filled for the first time, mapped and freed again for every sample,
which takes longer than to decode it. Here one block holds all float images of a sample; its first byte says whether it is out.
"""

import mmap
import os
import weakref
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import torch
from torch.utils.data import get_worker_info

PAGE = 4096
"""Bytes before the values: the first is 1 while somebody holds the sample."""


class Block:
    """Shared memory for `count` float32 values, without a name: it is gone with the last process that maps it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.file = os.memfd_create("versemill-sample", os.MFD_CLOEXEC)
        os.ftruncate(self.file, PAGE + 4 * count)
        self.map = mmap.mmap(self.file, PAGE + 4 * count)
        self.sent = False

    def __del__(self) -> None:
        os.close(self.file)

    @property
    def free(self) -> bool:
        """Whether no one holds what was last written into it."""
        return self.map[0] == 0

    def values(self) -> torch.Tensor:
        """(count,) float32: the block, taken; it is free again when no tensor shares this one's memory, or, once sent, no
        tensor that the main process made of it.
        """
        self.map[0], self.sent = 1, False
        return torch.from_numpy(_watched(self.map, lambda: None if self.sent else _release(self.map)))


def _watched(block: mmap.mmap, when_gone: Any) -> Any:
    array = np.frombuffer(block, np.float32, offset=PAGE)
    weakref.finalize(array, when_gone).atexit = False
    return array


def _release(block: mmap.mmap) -> None:
    block[0] = 0


_blocks: list[Block] = []
"""This process's blocks, as many as samples were out at once."""


class Sample(dict[str, Any]):
    """A sample whose float images may lie in a block; the main process receives a plain dictionary."""

    block: Block | None = None

    def floats(self, count: int) -> torch.Tensor:
        """(count,) float32 to decode into: in a worker a block's, else new."""
        if get_worker_info() is None or not hasattr(os, "memfd_create"):
            return torch.from_numpy(np.empty(count, np.float32))
        _blocks[:] = [block for block in _blocks if block.count == count or not block.free]
        self.block = next((block for block in _blocks if block.free and block.count == count), None)
        if self.block is None:
            self.block = Block(count)
            _blocks.append(self.block)
        return self.block.values()


def _reduce(sample: Sample) -> tuple[Any, ...]:
    """How a sample crosses over: what lies in its block by place, the rest as torch does it."""
    block = sample.block
    start = np.frombuffer(block.map, np.uint8).ctypes.data + PAGE if block else -1
    lent = {
        name: (value.storage_offset(), tuple(value.shape))
        for name, value in sample.items()
        if isinstance(value, torch.Tensor) and value.untyped_storage().data_ptr() == start and value.is_contiguous()
    }
    if block is None or not lent:
        return dict, (dict(sample),)
    block.sent = True
    rest = {name: None if name in lent else value for name, value in sample.items()}
    return _receive, (os.getpid(), block.file, block.count, lent, rest)


def _receive(
    pid: int, file: int, count: int, lent: dict[str, tuple[int, tuple[int, ...]]], rest: dict[str, Any]
) -> dict[str, Any]:
    handle = os.open(f"/proc/{pid}/fd/{file}", os.O_RDWR | os.O_CLOEXEC)
    try:
        block = mmap.mmap(handle, PAGE + 4 * count)
    finally:
        os.close(handle)
    values = torch.from_numpy(_watched(block, lambda: _release(block)))
    return rest | {name: values[at : at + int(np.prod(shape))].view(shape) for name, (at, shape) in lent.items()}


ForkingPickler.register(Sample, _reduce)
