"""A learned filter: weights for each layer and noise level under which filtered maps are most like those of the truth.

Zero-to-Hero's values are the same in all layers and within windows of noise; a learned filter is the next step that the paper
names. Drawings of training objects are watched, and at some rows of every layer their logits are kept, along with those of
`oracle.true_maps`. The weights are then those by which `zero_to_hero.Filter` itself, over the kept logits of a drawing, comes
closest to the truth: the mean of KL(attention of the truth || filtered attention) over rows and calls. Since a filter changes
what the network sees, the second pass watches drawings under the first pass's weights too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from versemill import seeds
from versemill.generation.views import judging
from versemill.generation.views.network import NovelViews
from versemill.generation.views.oracle import true_maps
from versemill.generation.views.sampler import Call, Sampling, draw
from versemill.generation.views.zero_to_hero import NONE, Filter, Filtering, LearnedFiltering, Weigher, Weights, level_of

START = (0.9, 0.3, 0.5)
"""Pooling, current and update before fitting, near the paper's 1, 0.2 and 0.5."""


@dataclass(frozen=True)
class Fitting:
    """How a filter is fitted.

    Attributes:
        borders: see `LearnedFiltering`. rows: of each layer, head and target together, that are kept of an object.
        passes: how often drawings are watched. steps, lr: of Adam, on the logits of the weights.
    """

    borders: tuple[float, ...] = (0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.4, 0.2)
    rows: int = 32
    passes: int = 2
    steps: int = 60
    lr: float = 0.2


@dataclass(frozen=True, eq=False)
class Trace:
    """Logits of one layer at some rows of some drawings: (calls, rows, S) before filtering, and (rows, S) of the truth."""

    logits: Tensor
    truth: Tensor


def sampling_of(filtering: Filtering | LearnedFiltering | None) -> Sampling:
    """Zero-to-Hero's schedule and resampling with a filter, without mutual self-attention and guidance."""
    return Sampling(schedule="hourglass", rounds=5, filtering=filtering)


def watched(
    network: NovelViews, cases: Sequence[judging.Case], sampling: Sampling, rows: int, sample: int, device: torch.device
) -> list[Trace]:
    """Layer by layer, what drawings of some cases show; the same arguments give the same rows.

    Args:
        sample: number of the draw of noise.
    """
    logits: list[list[Tensor]] = [[] for _ in range(network.layers)]
    truths: list[list[Tensor]] = [[] for _ in range(network.layers)]
    for case in cases:
        truth = true_maps(network, case, device)
        picks = {layer: _picked(case, layer, maps, rows, sample) for layer, maps in truth.items()}
        kept: list[list[Tensor]] = [[] for _ in range(network.layers)]

        def watch(layer: int, maps: Tensor, picks: dict[int, Tensor] = picks, kept: list[list[Tensor]] = kept) -> None:
            kept[layer].append(maps.flatten(0, 2)[picks[layer]])

        inputs = judging.together([case], device)
        noise = judging.noise_of([case.seen.index], [sample], (len(case.targets), *network.shape), device)
        draw(network, *inputs, judging.rows_of(noise, len(inputs[0])), sampling, watch=watch)
        for layer, maps in truth.items():
            logits[layer].append(torch.stack(kept[layer]))
            truths[layer].append(maps.flatten(0, 2)[picks[layer]])
    return [Trace(torch.cat(a, 1), torch.cat(b)) for a, b in zip(logits, truths, strict=True)]


def divergence(trace: Trace, layer: int, calls: Sequence[Call], weigher: Weigher, until: float) -> Tensor:
    """Mean KL(truth || filtered), (), of a layer over its rows and the calls at times from 1 to `until`; differentiable."""
    hook, truth = Filter(None), trace.truth.softmax(-1)
    entropy = (truth * trace.truth.log_softmax(-1)).sum(-1).mean()
    losses = []
    for call, maps in zip(calls, trace.logits, strict=True):
        hook.begin(*call)
        answer = hook.filtered(layer, maps, weigher)
        if call.time >= until:
            losses.append(entropy - (truth * answer.log_softmax(-1)).sum(-1).mean())
    return torch.stack(losses).mean()


class Soft:
    """Weights of one layer that can be fitted: `raw` (3, levels), their logits."""

    def __init__(self, borders: tuple[float, ...]) -> None:
        self.borders = borders
        self.raw = torch.logit(torch.tensor(START))[:, None].repeat(1, len(borders)).requires_grad_()

    def weights(self, layer: int, time: float) -> Weights:
        """See `zero_to_hero.Weigher`."""
        k = level_of(self.borders, time)
        return NONE if k is None else Weights(*self.raw[:, k].sigmoid())


def fit(network: NovelViews, cases: Sequence[judging.Case], fitting: Fitting, device: torch.device) -> LearnedFiltering:
    """The filter of a network that comes closest to the truth on some cases.

    Weights that nothing depends on, as the share of the minimum in steps of one round, stay where they start.
    """
    borders, until = fitting.borders, fitting.borders[-1]
    calls = sampling_of(None).calls()
    learned: Filtering | LearnedFiltering = Filtering()
    traces: list[list[Trace]] = []
    for number in range(fitting.passes):
        traces.append(watched(network, cases, sampling_of(learned), fitting.rows, number, device))
        rows = []
        for layer in range(network.layers):
            own = [each[layer] for each in traces]
            together = Trace(torch.cat([t.logits for t in own], 1), torch.cat([t.truth for t in own]))
            rows.append(_fitted(together, layer, calls, borders, until, fitting))
        pooling, current, update = (tuple(tuple(row[k]) for row in rows) for k in range(3))
        learned = LearnedFiltering(borders=borders, pooling=pooling, current=current, update=update)
    assert isinstance(learned, LearnedFiltering)
    return learned


def _fitted(
    trace: Trace, layer: int, calls: Sequence[Call], borders: tuple[float, ...], until: float, fitting: Fitting
) -> list[list[float]]:
    soft = Soft(borders)
    optimizer = torch.optim.Adam([soft.raw], fitting.lr)
    for _ in range(fitting.steps):
        optimizer.zero_grad()
        divergence(trace, layer, calls, soft, until).backward()
        optimizer.step()
    return [[round(value, 4) for value in row] for row in soft.raw.detach().sigmoid().tolist()]


def _picked(case: judging.Case, layer: int, maps: Tensor, rows: int, sample: int) -> Tensor:
    """Which rows of logits (B, heads, L, S), flattened to (B * heads * L, S), are kept."""
    rng = seeds.stream(sample, case.seen.index, f"novel-views/filter/{layer}")
    count = maps.shape[:3].numel()
    return torch.from_numpy(rng.choice(count, min(rows, count), replace=False)).to(maps.device)
