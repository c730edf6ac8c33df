"""Zero-to-Hero (Sobol et al. 2024, arXiv 2405.18677): better novel views from a trained network, at test time alone.

What the paper leaves open is settled here: eta is 0, so that only resampling draws noise; all self-attention layers are
filtered; the halves of guidance have buffers of their own; logits are filtered after mutual self-attention has changed the
keys; the source's own branch starts from the first target's noise, and there is one for all targets of a picture.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Annotated, Any, NamedTuple, Protocol

import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor

from versemill.config import Config
from versemill.generation.views.attention import logits, weighed

EDGE = 1e-6
"""Times are compared with the borders of windows up to this."""
Share = Annotated[float, Setting(ge=0, le=1)]
Watch = Callable[[int, Tensor], None]


class Hourglass(Config):
    """Steps of the sampler: many near noise and near the picture, few between. The paper's values, as shares of its 1,000."""

    high: int = Setting(default=10, description="steps from noise down to `upper`", ge=1, le=1000)
    middle: int = Setting(default=6, description="steps between the borders", ge=1, le=1000)
    low: int = Setting(default=10, description="steps from `lower` to the picture", ge=1, le=1000)
    upper: float = Setting(default=0.8, description="upper border", gt=0, lt=1)
    lower: float = Setting(default=0.2, description="lower border", gt=0, lt=1)

    @model_validator(mode="after")
    def _narrows(self) -> "Hourglass":
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower} must be below upper {self.upper}")
        return self

    def times(self) -> Tensor:
        """(high + middle + low + 1,) from 1 to 0."""
        parts = [(1.0, self.upper, self.high), (self.upper, self.lower, self.middle), (self.lower, 0.0, self.low)]
        starts = [torch.linspace(a, b, count + 1)[:-1] for a, b, count in parts]
        return torch.cat([*starts, torch.zeros(1)])


class Weights(NamedTuple):
    """How a layer's logits are filtered at a time.

    Attributes:
        pooling: share of the in-step minimum; 0: none, 1: the minimum alone, as in the paper.
        current: alpha_c, the current map's weight against the history's. update: alpha_h, the weight of a step's map in the
            history. None: no cross-step filtering.
    """

    pooling: Any
    current: Any
    update: Any


NONE = Weights(0.0, None, None)


class Filtering(Config):
    """Filtering of attention maps, alike in all layers. Times are shares of the path's noisiest, 1."""

    pooled_until: float = Setting(default=0.8, description="in-step filtering acts from time 1 to this; 2: never", ge=0, le=2)
    current: float = Setting(default=0.2, description="alpha_c: the current map's weight against the history's", gt=0, le=1)
    update: float = Setting(default=0.5, description="alpha_h: the weight of a step's map in the history", gt=0, le=1)
    filtered_until: float = Setting(
        default=0.6, description="cross-step filtering acts from time 1 to this; 2: never", ge=0, le=2
    )

    def weights(self, layer: int, time: float) -> Weights:
        """The same in every layer."""
        pooling = 1.0 if time >= self.pooled_until - EDGE else 0.0
        return Weights(pooling, *((self.current, self.update) if time >= self.filtered_until - EDGE else (None, None)))


Table = tuple[tuple[Share, ...], ...]
"""[layer][level] -> a weight."""


class LearnedFiltering(Config):
    """Weights of their own for every layer and noise level, as `learned.fit` finds them."""

    borders: tuple[float, ...] = Setting(
        description="lower ends of the noise levels, falling from below 1; below the last one nothing is filtered", min_length=1
    )
    pooling: Table = Setting(description="per layer, per level: share of the in-step minimum")
    current: Table = Setting(description="per layer, per level: the current map's weight against the history's")
    update: Table = Setting(description="per layer, per level: the weight of a step's map in the history")

    @model_validator(mode="after")
    def _is_a_table(self) -> "LearnedFiltering":
        ends = (1.0, *self.borders)
        if self.borders[-1] < 0 or any(a <= b for a, b in pairwise(ends)):
            raise ValueError(f"borders {self.borders} must fall from below 1 to 0 or more")
        layers = {len(table) for table in (self.pooling, self.current, self.update)}
        levels = {len(row) for table in (self.pooling, self.current, self.update) for row in table}
        if len(layers) != 1 or levels != {len(self.borders)}:
            raise ValueError(f"each table needs a row for each layer, with {len(self.borders)} weights, one for each border")
        return self

    @property
    def layers(self) -> int:
        """Of the network it was fitted on."""
        return len(self.current)

    def weights(self, layer: int, time: float) -> Weights:
        """Of the level that holds the time."""
        k = level_of(self.borders, time)
        return NONE if k is None else Weights(self.pooling[layer][k], self.current[layer][k], self.update[layer][k])


def level_of(borders: Sequence[float], time: float) -> int | None:
    """Which level, counted from noise, holds a time; None: below all."""
    return next((k for k, border in enumerate(borders) if time >= border - EDGE), None)


class Weigher(Protocol):
    """What `Filter` asks for weights."""

    def weights(self, layer: int, time: float) -> Weights:
        """Of a layer at a time."""
        ...


class Filter:
    """The hook of one sampling: filters logits, and lets targets look at the source's own branch.

    The sampler says where it is by `begin`.

    Args:
        filtering: None leaves the maps as they are.
        watch: called with the layer and its logits before they are filtered.
        mutual: rows (R,) whose keys and values each row takes in the layers `late`; None: its own.
        late: the layers of mutual self-attention.
    """

    def __init__(
        self, filtering: Weigher | None, mutual: Tensor | None = None, late: Collection[int] = (), watch: Watch | None = None
    ) -> None:
        self.filtering, self.mutual, self.late, self.watch = filtering, mutual, frozenset(late), watch
        self.history: dict[int, Tensor] = {}
        self.pooled: dict[int, Tensor] = {}
        self.time, self.last = 0.0, True

    def begin(self, time: float, first: bool, last: bool) -> None:
        """Called before each evaluation: at which time, and whether it is the step's first and its last round."""
        if first:
            self.pooled = {}
        self.time, self.last = time, last

    def __call__(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """See `attention.Hook`."""
        if self.mutual is not None and layer in self.late:
            keys, values = keys[self.mutual], values[self.mutual]
        maps = logits(queries, keys)
        if self.watch is not None:
            self.watch(layer, maps)
        return weighed(maps if self.filtering is None else self.filtered(layer, maps, self.filtering), values)

    def filtered(self, layer: int, maps: Tensor, filtering: Weigher) -> Tensor:
        """M~ of M (section 4.2): pooled over the step's rounds, then mixed with the history of earlier steps."""
        weights = filtering.weights(layer, self.time)
        pools = not isinstance(weights.pooling, float) or weights.pooling > 0
        if pools and layer in self.pooled:
            maps = torch.lerp(maps, torch.minimum(maps, self.pooled[layer]), weights.pooling)
        if weights.current is not None:
            history = self.history.get(layer)
            if history is not None:
                maps = torch.lerp(history, maps, weights.current)
            if self.last:
                self.history[layer] = maps if history is None else torch.lerp(history, maps, weights.update)
        if pools:
            self.pooled[layer] = torch.minimum(maps, self.pooled[layer]) if layer in self.pooled else maps
        return maps

    def keep(self, rows: Tensor) -> None:
        """Keeps these rows alone, and ends mutual self-attention."""
        self.mutual = None
        self.history = {layer: maps[rows] for layer, maps in self.history.items()}
        self.pooled = {}
