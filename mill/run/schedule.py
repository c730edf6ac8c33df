"""What to make next: fresh assets in chunks, suspects one by one, shards to seal when all of theirs are in."""

from collections import deque
from collections.abc import Iterable, Iterator

from versemill.mill.folder.dataset import Dataset

CHUNK_SECONDS = 1.0
"""A chunk holds about as many assets as one worker makes in this time: Ray's 5 ms per task then do not matter."""

CHUNK_LIMIT = 64


class Schedule:
    """The order of work. Indices rise; a suspect comes before any fresh asset, and alone.

    Args:
        dataset: gives shards and indices.
        sealed: shards that are finished.
        staged: indices that are finished, of shards that are not.
        retries: further tries of an asset that failed.
        chunk: assets per task, or "auto".
        workers: tasks that run at once; the last chunks are made smaller, so that all end together.
        only: make just these, in their order, and seal nothing.
    """

    def __init__(
        self,
        dataset: Dataset,
        sealed: Iterable[int],
        staged: Iterable[int],
        retries: int,
        chunk: int | str,
        workers: int,
        only: Iterable[int] | None = None,
    ) -> None:
        self._dataset, self._retries, self._chunk, self._workers = dataset, retries, chunk, workers
        self._staged, closed = set(staged), set(sealed)
        self._open = [shard for shard in range(dataset.shards) if shard not in closed] if only is None else []
        self._again: deque[int] = deque()
        self._tries: dict[int, int] = {}
        self._missing: dict[int, int] = {}
        self._mean: float | None = None
        self.total = sum(len(dataset.indices(shard)) for shard in self._open) if only is None else len(list(only))
        self.to_seal: deque[int] = deque()
        self.fresh = self.total - len(self._staged)
        self._fresh: Iterator[int] = self._unmade() if only is None else iter(list(only))
        self._sealing = only is None

    def _unmade(self) -> Iterator[int]:
        for shard in self._open:
            indices = [index for index in self._dataset.indices(shard) if index not in self._staged]
            self._missing[shard] = len(indices)
            if not indices:
                self.to_seal.append(shard)
            yield from indices

    def take(self) -> tuple[int, ...]:
        """The assets of the next task; empty when there is none to start now."""
        if self._again:
            return (self._again.popleft(),)
        taken: list[int] = []
        size = self.size()
        while len(taken) < size:
            index = next(self._fresh, None)
            if index is None:
                break
            taken.append(index)
        self.fresh -= len(taken)
        return tuple(taken)

    def size(self) -> int:
        """Assets in a chunk, by what they have cost so far."""
        if isinstance(self._chunk, int):
            return self._chunk
        if self._mean is None:
            return 1
        fair = -(-self.fresh // (2 * self._workers))
        return max(1, min(CHUNK_LIMIT, int(CHUNK_SECONDS / max(self._mean, 1e-6)), fair))

    def took(self, seconds: float) -> None:
        """One asset took so long; chunks follow the mean of the recent ones."""
        self._mean = seconds if self._mean is None else 0.9 * self._mean + 0.1 * seconds

    def settle(self, index: int) -> None:
        """The asset is finished, whatever became of it; its shard is put up for sealing when it was the last."""
        self._tries.pop(index, None)
        if self._sealing:
            shard = index // self._dataset.per_shard
            self._missing[shard] -= 1
            if self._missing[shard] == 0:
                del self._missing[shard]
                self.to_seal.append(shard)

    def again(self, index: int) -> None:
        """The asset is retried, alone, without being blamed: something else took its worker down."""
        self._again.append(index)

    def blame(self, index: int) -> bool:
        """The asset failed: True when it gets another try, False when that was its last."""
        self._tries[index] = self._tries.get(index, 0) + 1
        if self._tries[index] > self._retries:
            return False
        self._again.append(index)
        return True

    def tries(self, index: int) -> int:
        """How often the asset has failed so far."""
        return self._tries.get(index, 0)

    def unseal(self, shard: int, indices: Iterable[int]) -> None:
        """Some rows of a shard turned out to be damaged: they are remade, then the shard is sealed."""
        numbers = list(indices)
        self._missing[shard] = len(numbers)
        self._again.extend(numbers)
