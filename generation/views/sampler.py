"""From noise to views: DDIM along a schedule, with Zero-to-Hero's resampling, filtering and mutual attention where asked."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import torch
from pydantic import Field as Setting
from pydantic import field_validator
from torch import Tensor

from versemill.config import Config
from versemill.errors import ConfigError
from versemill.generation import paths, sampling
from versemill.generation.views.attention import Hook, fused
from versemill.generation.views.zero_to_hero import EDGE, Filter, Filtering, Hourglass, LearnedFiltering, Watch

MAX_FILE = 1 << 20
"""Bytes of a file of learned weights."""


class Drawer(Protocol):
    """What views can be drawn with: `network.NovelViews`, `zero123.Zero123`, or a model of your own behind the same hook."""

    @property
    def path(self) -> paths.Path:
        """Between data and noise."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of what is drawn: pictures, or their latents."""

    @property
    def layers(self) -> int:
        """Calls of the hook in a pass."""

    @property
    def late(self) -> Sequence[int]:
        """Layers of mutual self-attention."""

    @property
    def mutual(self) -> bool:
        """Whether there is such a thing: views are drawn alone, and from another view."""

    def look(self, source: Tensor, c2w: Tensor, K: Tensor, keep: Tensor) -> Any:
        """See `NovelViews.look`."""

    def __call__(self, x: Tensor, time: Tensor, context: Any, hook: Hook = fused) -> Tensor:
        """What the path asks for, (R, *shape), at x (R, *shape) and times (R,) as the path gives them."""

    def decode(self, data: Tensor) -> Tensor:
        """Pictures (R, 3, S, S) in [0, 1] of what was drawn."""


class Call(NamedTuple):
    """One evaluation of the network: at which time, and whether it is the step's first round and its last."""

    time: float
    first: bool
    last: bool


class Sampling(Config):
    """How views are drawn. `zero_to_hero()` has the paper's values."""

    schedule: Literal["uniform", "hourglass"] = Setting(default="uniform", description="where the steps lie")
    steps: int = Setting(default=25, description="uniform: steps", ge=1, le=1000)
    hourglass: Hourglass = Hourglass()
    rounds: int = Setting(
        default=1, description="R: evaluations of a step above `resampled_until`, with fresh noise", ge=1, le=64
    )
    resampled_until: float = Setting(default=0.8, description="resampling acts in steps that begin above this", ge=0, le=1)
    filtering: Filtering | LearnedFiltering | None = Setting(
        default=None,
        description="filtering of attention maps: {}: the paper's values; a file of learned weights; null: none",
    )
    mutual_until: float | None = Setting(
        default=None, description="mutual self-attention acts from time 1 to this (paper: 0.7, Zero123-XL 0.6); null: never",
        ge=0, le=1,
    )  # fmt: skip
    guidance: float = Setting(default=1.0, description="classifier-free guidance; 1: none (Zero-1-to-3: 3)", ge=0)

    @field_validator("filtering", mode="before")
    @classmethod
    def _reads_a_file(cls, value: Any) -> Any:
        return read_filter(Path(value)) if isinstance(value, str) else value

    def times(self) -> Tensor:
        """From 1, noise, to 0, the picture."""
        return self.hourglass.times() if self.schedule == "hourglass" else torch.linspace(1, 0, self.steps + 1)

    def rounds_at(self, time: float) -> int:
        """Evaluations of the step that begins at a time."""
        return self.rounds if time > self.resampled_until + EDGE else 1

    def calls(self) -> list[Call]:
        """The evaluations of one drawing, in order."""
        starts = [float(t) for t in self.times()[:-1]]
        counts = [self.rounds_at(t) for t in starts]
        return [Call(t, k == 0, k == n - 1) for t, n in zip(starts, counts, strict=True) for k in range(n)]

    @property
    def evaluations(self) -> int:
        """Calls of the network (NFE)."""
        return len(self.calls())


def zero_to_hero(guidance: float = 1.0) -> Sampling:
    """All of Zero-to-Hero with the paper's values: 66 calls of the network."""
    return Sampling(schedule="hourglass", rounds=5, filtering=Filtering(), mutual_until=0.6, guidance=guidance)


def read_filter(path: Path) -> LearnedFiltering:
    """Learned weights of a JSON file, as `python -m benchmarks views --part learned` writes it.

    Raises:
        ConfigError: no such file, or it holds something else.
    """
    try:
        with path.open("rb") as file:
            return LearnedFiltering.model_validate_json(file.read(MAX_FILE))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} holds no learned filter: {' '.join(str(error).split())[:300]}") from error


def draw(
    network: Drawer, source: Tensor, c2w: Tensor, K: Tensor, noise: Callable[[], Tensor], sampling_: Sampling,
    hook: Hook | None = None, watch: Watch | None = None,
) -> Tensor:  # fmt: skip
    """Views (B, T, 3, S, S) in [0, 1].

    Args:
        source: (B, 3, S, S) in [0, 1] over white. c2w, K: (B, 1 + T, 4, 4) and (B, 1 + T, 3, 3), the source first.
        noise: each call gives new standard normal noise (B, T, *network.shape).
        hook: how the network attends where nothing is filtered; the library's way by default.
        watch: called with the layer and its logits, before they are filtered, in every call of the network.

    Raises:
        ConfigError: mutual self-attention of a network without it, or weights that were fitted on another network.
    """
    if sampling_.mutual_until is not None and not network.mutual:
        raise ConfigError(
            "mutual self-attention is for views that are drawn alone and from another view, not for multi-views and map-views: "
            "leave mutual_until at null"
        )
    learned = sampling_.filtering
    if isinstance(learned, LearnedFiltering) and learned.layers != network.layers:
        raise ConfigError(
            f"the learned filter has weights of {learned.layers} layers, this network has {network.layers}: fit one on it"
        )
    with torch.no_grad():
        data = _Run(network, source, c2w, K, sampling_, hook, watch).all_steps(noise)
        return network.decode(data.flatten(0, 1)).unflatten(0, data.shape[:2])


class _Run:
    """One drawing. Rows are ordered (halves of guidance, B, T), with the source's own branch as a last target."""

    def __init__(
        self, network: Drawer, source: Tensor, c2w: Tensor, K: Tensor, settings: Sampling, hook: Hook | None,
        watch: Watch | None,
    ) -> None:  # fmt: skip
        self.network, self.settings, self.path = network, settings, network.path
        self.source, self.c2w, self.K = source, c2w, K
        self.halves = 1 if settings.guidance == 1 else 2
        self.branch = settings.mutual_until is not None
        filters = self.branch or settings.filtering is not None or watch is not None
        self.filter = Filter(settings.filtering, self._sources(), network.late, watch) if filters else None
        self.hook = self.filter or hook or fused
        self.context = self._look()

    def all_steps(self, noise: Callable[[], Tensor]) -> Tensor:
        """(B, T, *shape) of the path's data."""
        settings, path = self.settings, self.path
        times = settings.times().to(self.source.device)
        x = path.level(times[0])[1] * self._rows(noise())
        for t, s in pairwise(times):
            if self.branch and float(t) < (settings.mutual_until or 0.0) - EDGE:
                x = self._without_branch(x)
            rounds = settings.rounds_at(float(t))
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
        """Noise (B, T, *shape) as rows; the source's branch has the first target's."""
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
