"""Distillation without a third dimension: a picture optimised through a model, next to sampling from it.

With the last predicted noise as kappa, distillation *is* DDIM, as long as the picture is assigned its target (SDI, section 4);
`cached` is that recursion. `optimise` follows the gradient instead, and `residuals` prints how near to equation 8 a kappa is.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from versemill.generation.distillation import methods
from versemill.generation.distillation.methods import KAPPAS, Draws
from versemill.generation.distillation.models import Prior
from versemill.generation.distillation.settings import Scoring
from versemill.generation.paths import mix
from versemill.generation.sampling import ddim

CACHED = "cached"
"""The method of `optimise` that keeps the last predicted noise."""


def cached(prior: Prior, noise: Tensor, times: Tensor, guidance: float) -> Tensor:
    """Equation 10 with cached kappa, the picture assigned its target: (B, ...) the last prediction of the data.

    Args:
        noise: (B, ...), the path's x at the first of the falling times; a last time of 0 needs no step of its own.
    """
    data, kappa = prior.estimate(noise, times[0], guidance)
    for t in times[1:]:
        if t > 0:
            data, kappa = prior.estimate(mix(prior.path, data, kappa, t), t, guidance)
    return data


def optimise(
    prior: Prior,
    like: Tensor,
    scoring: Scoring,
    method: str,
    seed: int,
    steps: int = 1000,
    refresh: int = 25,
    rate: float = 0.1,
) -> Tensor:
    """Pictures (B, ...) optimised through a model, from its first look at pure noise; SDI's notebook has these defaults.

    Args:
        like: (B, ...) gives shape, type and place. method: of `KAPPAS`, or `CACHED`. refresh: steps for which a target is kept.
    """
    kappa = Draws(seed, 0).normal(like)
    start = torch.tensor(scoring.highest)
    x, kappa = prior.estimate(kappa, start, scoring.denoising)
    picture = nn.Parameter(x.clone())
    optimizer = torch.optim.Adam([picture], lr=rate)
    target = x
    for step in range(steps):
        if step % refresh == 0:
            now, draws = picture.detach(), Draws(seed, step)
            t = methods.time_of(scoring, step, steps, draws)
            if method != CACHED:
                kappa = KAPPAS[method](prior, now, t, scoring, draws)
            target, predicted = prior.estimate(mix(prior.path, now, kappa, t), t, scoring.denoising)
            kappa = predicted
        optimizer.zero_grad()
        (0.5 * (picture - target).square().mean()).backward()
        optimizer.step()
    return picture.detach()


ARMS: Mapping[str, float | None] = {"random": None, "0": 0.0, "+gamma": 1.0, "-gamma": -1.0}
"""Where kappa comes from -> guidance of its inversion, in units of gamma."""


def residuals(
    prior: Prior, like: Tensor, scoring: Scoring, times: tuple[float, ...], seed: int = 0, steps: int = 100
) -> dict[str, list[float]]:
    """Equation 8's residual by where kappa comes from, at each time; inversion goes to t itself, without entropy.

    The pictures are the model's own at that time: its predictions of the data along guided DDIM of `steps` steps.
    """
    exact = scoring.inversion.model_copy(update={"tau": 0.0, "entropy": 0.0})
    table: dict[str, list[float]] = {name: [] for name in ARMS}
    noise = Draws(seed, 0).normal(like)
    for number, time in enumerate(times):
        t = torch.tensor(time)
        falling = torch.linspace(scoring.highest, time, max(2, round(steps * (scoring.highest - time)) + 1))
        x_t = ddim(prior.path, lambda x, s: prior.estimate(x, s, scoring.denoising), noise, falling)
        x = prior.estimate(x_t, t, scoring.denoising)[0]
        for name, share in ARMS.items():
            draws = Draws(seed, number)
            if share is None:
                kappa = methods.random(prior, x, t, scoring, draws)
            else:
                arm = exact.model_copy(update={"guidance": share * scoring.guidance})
                kappa = methods.inverted(prior, x, t, scoring.model_copy(update={"inversion": arm}), draws)
            table[name].append(methods.residual(prior, x, kappa, t, scoring.denoising))
    return table
