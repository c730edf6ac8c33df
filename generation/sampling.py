"""From noise to data, and back: each sampler is its equation. They know a path and an estimator, no network.

An estimator answers (x (B, ...), t ()) with what it takes x to be made of: the data and the noise, both (B, ...). `times`
fall from noise to data, as `Path.steps` gives them.
"""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from versemill.generation.paths import Path, split

Estimator = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Network = Callable[[Tensor, Tensor], Tensor]
"""(scaled x (B, ...), time (B,) within about 0 to 1000) -> what the path asks for."""


def estimator(path: Path, network: Network) -> Estimator:
    """A network's answer, read as data and noise."""

    def estimate(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        scale, time = path.seen(t)
        return split(path, x, network(scale * x, time.expand(len(x))), t)

    return estimate


def guided(conditional: Estimator, unconditional: Estimator, scale: float) -> Estimator:
    """Classifier-free guidance (Ho and Salimans 2022): u + scale (c - u).

    Data and noise are affine in every prediction with the same coefficients, so guiding one guides all.
    """
    if scale == 1:
        return conditional

    def estimate(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        (data, noise), (free_data, free_noise) = conditional(x, t), unconditional(x, t)
        return free_data + scale * (data - free_data), free_noise + scale * (noise - free_noise)

    return estimate


def euler(path: Path, estimate: Estimator, x: Tensor, times: Tensor) -> Tensor:
    """x + (s - t) dx/dt."""
    for t, s in pairwise(times):
        x = x + (s - t) * _slope(path, estimate, x, t)
    return x


def heun(path: Path, estimate: Estimator, x: Tensor, times: Tensor) -> Tensor:
    """Euler's step, corrected by the slope at its end, but for a last step to 0 (Karras et al. 2022, algorithm 1)."""
    for t, s in pairwise(times):
        slope = _slope(path, estimate, x, t)
        ahead = x + (s - t) * slope
        x = ahead if s == 0 else x + (s - t) * (slope + _slope(path, estimate, ahead, s)) / 2
    return x


def ddim(path: Path, estimate: Estimator, x: Tensor, times: Tensor) -> Tensor:
    """alpha_s data + sigma_s noise (Song et al. 2021, equation 12 without added noise); on straight paths this is `euler`."""
    for t, s in pairwise(times):
        x = ddim_step(path, estimate, x, t, s)
    return x


def ddim_step(path: Path, estimate: Estimator, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """One step of `ddim` from time t to time s, towards data or towards noise."""
    data, noise = estimate(x, t)
    alpha, sigma = path.level(s)
    return alpha * data + sigma * noise


def invert(path: Path, estimate: Estimator, data: Tensor, times: Tensor) -> Tensor:
    """The noise that `ddim` along the same times would turn into the data: its steps taken backwards (DDIM inversion).

    From time 0 the estimator is asked at time 0, which a network that predicts data can't answer: start above it then.
    """
    return ddim(path, estimate, data, times.flip(0))


def _slope(path: Path, estimate: Estimator, x: Tensor, t: Tensor) -> Tensor:
    """dx/dt of the probability flow: alpha' data + sigma' noise."""
    data, noise = estimate(x, t)
    data_rate, noise_rate = path.rate(t)
    return data_rate * data + noise_rate * noise
