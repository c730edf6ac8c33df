"""Score distillation: what noise a picture is taken to hold decides the method (SDI, section 4).

A picture x is mixed with a noise kappa, x_t = alpha(t) x + sigma(t) kappa, and denoised; the answer is what x should become:

    target(x) = data(x_t) = x - sigma(t) / alpha(t) (noise(x_t) - kappa)                                    equation 10

Half the squared distance to the target has SDI's gradient, with its weight sigma(t) / alpha(t). SDS draws kappa every time, SDI
inverts the picture. The ideal kappa is the noise that the model itself then sees (equation 8): `residual` is the distance.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from versemill import seeds
from versemill.generation.distillation.models import Prior
from versemill.generation.distillation.settings import Inversion, Scoring
from versemill.generation.paths import Path, mix
from versemill.generation.sampling import ddim_step


class Draws:
    """The random draws of one iteration: a stream for each purpose, so that an iteration can be repeated by itself."""

    def __init__(self, seed: int, step: int) -> None:
        self.seed, self.step = seed, step
        self._streams: dict[str, np.random.Generator] = {}

    def stream(self, purpose: str) -> np.random.Generator:
        """The stream of this iteration and purpose; it moves on with each draw."""
        if purpose not in self._streams:
            self._streams[purpose] = seeds.stream(self.seed, self.step, f"distillation/{purpose}")
        return self._streams[purpose]

    def normal(self, like: Tensor, purpose: str = "noise") -> Tensor:
        """Standard normal, shaped and placed as `like`."""
        return torch.from_numpy(self.stream(purpose).standard_normal(tuple(like.shape), np.float32)).to(like)

    def fixed(self, like: Tensor) -> Tensor:
        """The same in every iteration."""
        return Draws(self.seed, 0).normal(like, "fixed-noise")


Kappa = Callable[[Prior, Tensor, Tensor, Scoring, Draws], Tensor]
"""(model, pictures (V, ...), time (), settings, draws) -> kappa (V, ...)."""


def random(prior: Prior, x: Tensor, t: Tensor, scoring: Scoring, draws: Draws) -> Tensor:
    """SDS (DreamFusion): kappa ~ N(0, I), new in each iteration."""
    return draws.normal(x)


def fixed(prior: Prior, x: Tensor, t: Tensor, scoring: Scoring, draws: Draws) -> Tensor:
    """kappa ~ N(0, I), once and for all."""
    return draws.fixed(x)


def fixed_point(prior: Prior, x: Tensor, t: Tensor, scoring: Scoring, draws: Draws) -> Tensor:
    """Equation 8 as an iteration from random noise: kappa <- noise(alpha x + sigma kappa). It need not converge."""
    kappa = draws.normal(x)
    for _ in range(scoring.rounds):
        kappa = prior.estimate(mix(prior.path, x, kappa, t), t, scoring.denoising)[1]
    return kappa


def inverted(prior: Prior, x: Tensor, t: Tensor, scoring: Scoring, draws: Draws) -> Tensor:
    """SDI: x is inverted up to t + tau with guidance -gamma, and kappa is the noise in the result; then entropy is added."""
    inversion = scoring.inversion
    end = _end(t, inversion, draws)
    up = _invert(prior, x, grid(inversion, end), scoring.inverting, inversion, draws)
    alpha, sigma = prior.path.level(t if inversion.mislabelled else end)
    kappa = (up - alpha * x) / sigma
    if inversion.entropy and not inversion.entropy_every_step:
        kappa = kappa + inversion.entropy * prior.path.level(t)[1] * draws.normal(x, "entropy")
    return kappa


def unconditional(prior: Prior, x: Tensor, t: Tensor, scoring: Scoring, draws: Draws) -> Tensor:
    """As in ISM (LucidDreamer): inverted without the condition, to t itself, nothing added. SDI's ablation (0, gamma)."""
    inversion = scoring.inversion
    up = _invert(prior, x, grid(inversion, t), 0.0, inversion.model_copy(update={"entropy_every_step": False}), draws)
    alpha, sigma = prior.path.level(t)
    return (up - alpha * x) / sigma


KAPPAS: dict[str, Kappa] = {
    "sds": random,
    "fixed": fixed,
    "fixed-point": fixed_point,
    "sdi": inverted,
    "ism": unconditional,
}
"""Method -> its noise. VSD, which trains a network next to, is in `variational`; cached noise, for pictures, in `flat`."""


def target(prior: Prior, x: Tensor, t: Tensor, scoring: Scoring, draws: Draws) -> Tensor:
    """What pictures x (V, ...) should become, by the method of `scoring`."""
    kappa = KAPPAS[scoring.method](prior, x, t, scoring, draws)
    return prior.estimate(mix(prior.path, x, kappa, t), t, scoring.denoising)[0]


def residual(prior: Prior, x: Tensor, kappa: Tensor, t: Tensor, guidance: float) -> float:
    """Root mean square of kappa - noise(alpha x + sigma kappa): how far kappa is from solving equation 8."""
    noise = prior.estimate(mix(prior.path, x, kappa, t), t, guidance)[1]
    return float((kappa - noise).square().mean().sqrt())


def time_of(scoring: Scoring, step: int, steps: int, draws: Draws) -> Tensor:
    """t (): from `highest` in step 0 evenly down to `lowest` in the last one, or drawn between them."""
    share = step / max(steps - 1, 1) if scoring.annealed else float(draws.stream("time").random())
    return torch.tensor(scoring.highest + (scoring.lowest - scoring.highest) * share)


def grid(inversion: Inversion, end: Tensor) -> Tensor:
    """Times from `first` over the multiples of 1 / n below `end` to `end`: about n end of steps."""
    inner = [k / inversion.steps for k in range(1, inversion.steps + 1)]
    start = [inversion.first, 2 * inversion.first] if inversion.extra_step else [inversion.first]
    times = [*start, *(s for s in inner if start[-1] < s < float(end) - 1e-6), float(end)]
    return torch.tensor(times, device=end.device)


def calls(scoring: Scoring, step: int, steps: int, seed: int = 0) -> int:
    """Evaluations of the network in an iteration."""
    draws = Draws(seed, step)
    t = time_of(scoring, step, steps, draws)
    one, inverse = (1 if scale in (0.0, 1.0) else 2 for scale in (scoring.denoising, scoring.inverting))
    end = _end(t, scoring.inversion, draws) if scoring.method == "sdi" else t
    steps_up = len(grid(scoring.inversion, end)) - 1
    spent = {"sdi": inverse * steps_up, "ism": steps_up, "fixed-point": one * scoring.rounds, "vsd": 2}
    return one + spent.get(scoring.method, 0)


def _end(t: Tensor, inversion: Inversion, draws: Draws) -> Tensor:
    """Where SDI's inversion ends: t + u, u uniform in [0, tau]."""
    return (t + inversion.tau * float(draws.stream("tau").random())).clamp(max=1.0)


def _invert(prior: Prior, x: Tensor, times: Tensor, guidance: float, inversion: Inversion, draws: Draws) -> Tensor:
    """DDIM's steps backwards from x at the first of rising times to the last."""
    for t, s in pairwise(times):
        x = ddim_step(prior.path, lambda y, u: prior.estimate(y, u, guidance), x, t, s)
        if inversion.entropy_every_step:
            x = x + inversion.entropy * _deviation(prior.path, t, s) * draws.normal(x, "entropy")
    return x


def _deviation(path: Path, t: Tensor, s: Tensor) -> Tensor:
    """DDIM's sigma of a step between t and the noisier s (Song et al. 2021, equation 16): sigma_t / sigma_s sqrt(1 - r^2),
    r = alpha_s / alpha_t."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = path.level(t), path.level(s)
    return sigma_t / sigma_s * (1 - (alpha_s / alpha_t) ** 2).clamp_min(0).sqrt()
