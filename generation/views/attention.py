"""The one hook through which the networks here attend, and what it is good for: explicit logits, maps kept and put back.

A hook answers (layer, queries (B, heads, L, d), keys (B, heads, S, d), values (B, heads, S, d)) with (B, heads, L, d). Layers
are numbered in the order in which a network runs them. Without a hook a network takes the library's fused attention.
"""

from collections.abc import Callable

from torch import Tensor

from versemill.generation.transformer import attention

Hook = Callable[[int, Tensor, Tensor, Tensor], Tensor]


def fused(layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The library's own attention, or what is faster in training; its logits are never seen."""
    return attention(queries, keys, values)


def logits(queries: Tensor, keys: Tensor) -> Tensor:
    """(B, heads, L, S) before the softmax, scaled by 1 / sqrt(d); float32."""
    return (queries @ keys.mT).float() * queries.shape[-1] ** -0.5


def weighed(maps: Tensor, values: Tensor) -> Tensor:
    """The answer of logits (B, heads, L, S) and values (B, heads, S, d)."""
    return maps.softmax(-1).to(values.dtype) @ values


def explicit(layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The same as `fused`, step by step."""
    return weighed(logits(queries, keys), values)


class Kept:
    """Attends explicitly and keeps every layer's logits of the last pass in `maps`."""

    def __init__(self) -> None:
        self.maps: dict[int, Tensor] = {}

    def __call__(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """See `Hook`."""
        self.maps[layer] = logits(queries, keys)
        return weighed(self.maps[layer], values)


def replayed(maps: dict[int, Tensor]) -> Hook:
    """Attends by these logits, whatever the queries and keys are: the oracle of Zero-to-Hero (its section 3)."""
    return lambda layer, queries, keys, values: weighed(maps[layer], values)
