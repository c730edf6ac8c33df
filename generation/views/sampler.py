"""From noise to views: DDIM along a schedule, with Zero-to-Hero's resampling, filtering and mutual attention where asked."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

import torch
from pydantic import Field as Setting
from torch import Tensor

from versemill.config import Config
from versemill.errors import ConfigError
from versemill.generation import paths, sampling
from versemill.generation.views.attention import Hook, fused
from versemill.generation.views.network import NovelViews, pixels
from versemill.generation.views.zero_to_hero import EDGE, Filter, Filtering, Hourglass


class Sampling(Config):
    """How views are drawn. `zero_to_hero()` has the paper's values."""

    schedule: Literal["uniform", "hourglass"] = Setting(default="uniform", description="where the steps lie")
    steps: int = Setting(default=25, description="uniform: steps", ge=1, le=1000)
    hourglass: Hourglass = Hourglass()
    rounds: int = Setting(
        default=1, description="R: evaluations of a step above `resampled_until`, with fresh noise", ge=1, le=64
    )
    resampled_until: float = Setting(default=0.8, description="resampling acts in steps that begin above this", ge=0, le=1)
    filtering: Filtering | None = Setting(default=None, description="filtering of attention maps; null: none")
    mutual_until: float | None = Setting(
        default=None, description="mutual self-attention acts from time 1 to this (paper: 0.7, Zero123-XL 0.6); null: never",
        ge=0, le=1,
    )  # fmt: skip
    guidance: float = Setting(default=1.0, description="classifier-free guidance; 1: none (Zero-1-to-3: 3)", ge=0)

    def times(self) -> Tensor:
        """From 1, noise, to 0, the picture."""
        return self.hourglass.times() if self.schedule == "hourglass" else torch.linspace(1, 0, self.steps + 1)

    @property
    def evaluations(self) -> int:
        """Calls of the network (NFE)."""
        return sum(self.rounds if float(t) > self.resampled_until + EDGE else 1 for t in self.times()[:-1])


def zero_to_hero(guidance: float = 1.0) -> Sampling:
    """All of Zero-to-Hero with the paper's values: 66 calls of the network."""
    return Sampling(schedule="hourglass", rounds=5, filtering=Filtering(), mutual_until=0.6, guidance=guidance)


def draw(
    network: NovelViews, source: Tensor, c2w: Tensor, K: Tensor, noise: Callable[[], Tensor], sampling_: Sampling,
    hook: Hook | None = None,
) -> Tensor:  # fmt: skip
    """Views (B, T, 3, S, S) in [0, 1].

    Args:
        source: (B, 3, S, S) in [0, 1] over white. c2w, K: (B, 1 + T, 4, 4) and (B, 1 + T, 3, 3), the source first.
        noise: each call gives new standard normal noise (B, T, 3, S, S).
        hook: how the network attends where nothing is filtered; the library's way by default.

    Raises:
        ConfigError: mutual self-attention of views that are drawn together.
    """
    if network.recipe.together and sampling_.mutual_until is not None:
        raise ConfigError("mutual self-attention is for views that are drawn alone: leave mutual_until at null for multi-views")
    with torch.no_grad():
        return pixels(_Run(network, source, c2w, K, sampling_, hook).all_steps(noise))


class _Run:
    """One drawing. Rows are ordered (halves of guidance, B, T), with the source's own branch as a last target."""

    def __init__(
        self, network: NovelViews, source: Tensor, c2w: Tensor, K: Tensor, settings: Sampling, hook: Hook | None
    ) -> None:
        self.network, self.settings, self.path = network, settings, network.recipe.path
        self.source, self.c2w, self.K = source, c2w, K
        self.halves = 1 if settings.guidance == 1 else 2
        self.branch = settings.mutual_until is not None
        filters = self.branch or settings.filtering is not None
        self.filter = Filter(settings.filtering, self._sources(), network.core.late) if filters else None
        self.hook = self.filter or hook or fused
        self.context = self._look()

    def all_steps(self, noise: Callable[[], Tensor]) -> Tensor:
        """(B, T, 3, S, S) of the path's data."""
        settings, path = self.settings, self.path
        times = settings.times().to(self.source.device)
        x = path.level(times[0])[1] * self._rows(noise())
        for t, s in pairwise(times):
            if self.branch and float(t) < (settings.mutual_until or 0.0) - EDGE:
                x = self._without_branch(x)
            rounds = settings.rounds if float(t) > settings.resampled_until + EDGE else 1
            for number in range(rounds):
                if self.filter is not None:
                    self.filter.begin(float(t), number == 0, number == rounds - 1)
                ahead = sampling.ddim_step(path, self._estimate, x, t, s)
                if number < rounds - 1:
                    x = renoised(path, ahead, s, t, self._rows(noise()))
            x = ahead
        if self.branch:
            x = self._targets(x)
        return x.unflatten(0, (len(self.source), -1))

    def _look(self) -> Any:
        cameras = [torch.cat([m, m[:, :1]], 1) if self.branch else m for m in (self.c2w, self.K)]
        keep = torch.ones(len(self.source), 2, device=self.source.device)
        keep = torch.cat([keep, 0 * keep][: self.halves])
        c2w, K = (m.repeat(self.halves, 1, 1, 1) for m in cameras)
        return self.network.look(self.source.repeat(self.halves, 1, 1, 1), c2w, K, keep)

    def _rows(self, noise: Tensor) -> Tensor:
        """Noise (B, T, 3, S, S) as rows; the source's branch has the first target's."""
        return torch.cat([noise, noise[:, :1]], 1).flatten(0, 1) if self.branch else noise.flatten(0, 1)

    def _targets(self, rows: Tensor) -> Tensor:
        """Rows without those of the source's branch."""
        return rows.unflatten(0, (-1, self.c2w.shape[1]))[:, :-1].flatten(0, 1)

    def _sources(self) -> Tensor | None:
        """For each row the one of its source's branch."""
        if not self.branch:
            return None
        count = self.c2w.shape[1]  # T + 1
        rows = torch.arange(self.halves * len(self.source) * count, device=self.source.device)
        return rows - rows % count + count - 1

    def _without_branch(self, x: Tensor) -> Tensor:
        """The rows that go on where mutual self-attention ends."""
        rows = torch.arange(self.halves * len(x), device=x.device)
        self.branch = False
        self.context = self._look()
        if self.filter is not None:
            self.filter.keep(self._targets(rows))
        return self._targets(x)

    def _estimate(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Data and noise of rows x; both halves of guidance in one call of the network."""
        scale, time = self.path.seen(t)
        both = (scale * x).repeat(self.halves, 1, 1, 1)
        answer = self.network(both, time.expand(len(both)), self.context, self.hook)
        if self.halves == 2:
            with_it, without = answer.chunk(2)
            answer = without + self.settings.guidance * (with_it - without)
        return paths.split(self.path, x, answer, t)


def renoised(path: paths.Path, x: Tensor, s: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """From time s back up to the noisier time t, as the forward process would: x_t = (alpha_t / alpha_s) x_s + fresh noise."""
    (alpha_s, sigma_s), (alpha_t, sigma_t) = path.level(s), path.level(t)
    share = alpha_t / alpha_s
    return share * x + (sigma_t**2 - (share * sigma_s) ** 2).clamp_min(0).sqrt() * noise
