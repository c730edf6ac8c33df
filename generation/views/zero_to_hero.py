"""Zero-to-Hero (Sobol et al. 2024, arXiv 2405.18677): better novel views from a trained network, at test time alone.

What the paper leaves open is settled here: eta is 0, so that only resampling draws noise; all self-attention layers are
filtered; the halves of guidance have buffers of their own; logits are filtered after mutual self-attention has changed the
keys; the source's own branch starts from the first target's noise, and there is one for all targets of a picture.
"""

from collections.abc import Collection

import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor

from versemill.config import Config
from versemill.generation.views.attention import logits, weighed

EDGE = 1e-6
"""Times are compared with the borders of windows up to this."""


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


class Filtering(Config):
    """Filtering of attention maps and mutual self-attention. Times are shares of the path's noisiest, 1."""

    pooled_until: float = Setting(default=0.8, description="in-step filtering acts from time 1 to this; 2: never", ge=0, le=2)
    current: float = Setting(default=0.2, description="alpha_c: the current map's weight against the history's", gt=0, le=1)
    update: float = Setting(default=0.5, description="alpha_h: the weight of a step's map in the history", gt=0, le=1)
    filtered_until: float = Setting(
        default=0.6, description="cross-step filtering acts from time 1 to this; 2: never", ge=0, le=2
    )


class Filter:
    """The hook of one sampling: filters logits, and lets targets look at the source's own branch.

    The sampler says where it is by `begin`.

    Args:
        filtering: None leaves the maps as they are.
        mutual: rows (R,) whose keys and values each row takes in the layers `late`; None: its own.
        late: the layers of mutual self-attention.
    """

    def __init__(self, filtering: Filtering | None, mutual: Tensor | None = None, late: Collection[int] = ()) -> None:
        self.filtering, self.mutual, self.late = filtering, mutual, frozenset(late)
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
        return weighed(maps if self.filtering is None else self._filtered(layer, maps, self.filtering), values)

    def _filtered(self, layer: int, maps: Tensor, filtering: Filtering) -> Tensor:
        """M~ of M (section 4.2): the minimum over the step's rounds, then mixed with the history of earlier steps."""
        in_step = self.time >= filtering.pooled_until - EDGE
        if in_step and layer in self.pooled:
            maps = torch.minimum(maps, self.pooled[layer])
        if self.time >= filtering.filtered_until - EDGE:
            history = self.history.get(layer)
            if history is not None:
                maps = torch.lerp(history, maps, filtering.current)
            if self.last:
                self.history[layer] = maps if history is None else torch.lerp(history, maps, filtering.update)
        if in_step:
            self.pooled[layer] = torch.minimum(maps, self.pooled[layer]) if layer in self.pooled else maps
        return maps

    def keep(self, rows: Tensor) -> None:
        """Keeps these rows alone, and ends mutual self-attention."""
        self.mutual = None
        self.history = {layer: maps[rows] for layer, maps in self.history.items()}
        self.pooled = {}
