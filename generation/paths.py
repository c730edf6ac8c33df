"""Between data and noise: how they are mixed, what a network is asked for, which times it sees. Apart from any network.

A path is x = alpha(t) data + sigma(t) noise (SiT, arXiv 2401.08740). Its target is linear in both, a data + b noise, so that
one formula gets the data back from whatever a network predicts. Times grow with noise. Nothing here looks at shapes beyond
the batch: images, latents and token sets alike.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

Prediction = Literal["velocity", "noise", "data", "v"]
"""dx/dt; the noise; the data; alpha noise - sigma data (Salimans and Ho 2022)."""
PREDICTION_TYPES: dict[str, Prediction] = {"epsilon": "noise", "v_prediction": "v", "sample": "data"}
"""Words of diffusers' schedulers -> ours."""


class Path(Protocol):
    """One way from data to noise. All times are (B,) or scalars; answers are broadcast over the rest of the sample."""

    def level(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma."""

    def rate(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Their derivatives by t."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(a, b) of the target a data + b noise."""

    def seen(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """By what the network's input is scaled, and the time it is given, within about 0 to 1000."""

    def times(self, uniform: Tensor) -> Tensor:
        """Training times of uniform draws (B,) in (0, 1)."""

    def steps(self, count: int) -> Tensor:
        """(count + 1,) times of a sampler, from noise down to data."""


@dataclass(frozen=True)
class Flow:
    """Rectified flow (TripoSG section 3.1): straight lines, t is the share of noise.

    TripoSG counts the other way, from noise at 0, and asks for data - noise: the same with the sign turned.

    Attributes:
        mean, deviation: of the logit of the training times; SD3's logit-normal draw.
        shift: resolution shift k (SD3, section 5.3.2), on the share of noise: t -> k t / (1 + (k - 1) t). sqrt(m / n) for m
            tokens after n.
        prediction: what the network is asked for.
    """

    mean: float = 0.0
    deviation: float = 1.0
    shift: float = 1.0
    prediction: Prediction = "velocity"

    def level(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha = 1 - t, sigma = t."""
        return 1 - t, t

    def rate(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """-1 and 1."""
        return -torch.ones_like(t), torch.ones_like(t)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """See `Path`."""
        return _coefficients(self, t)

    def seen(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """As it is; 1000 t."""
        return torch.ones_like(t), 1000 * t

    def times(self, uniform: Tensor) -> Tensor:
        """Logit-normal, then shifted."""
        return self.shifted(torch.sigmoid(self.mean + self.deviation * _normal(uniform)))

    def steps(self, count: int) -> Tensor:
        """Even, then shifted."""
        return self.shifted(torch.linspace(1, 0, count + 1))

    def shifted(self, t: Tensor) -> Tensor:
        """The resolution shift of a share of noise."""
        return self.shift * t / (1 + (self.shift - 1) * t)


@dataclass(frozen=True)
class DDPM:
    """Ho et al. 2020 in continuous time (Song et al. 2021, VP): beta rises linearly, t in [0, 1] stands for 1,000 steps."""

    beta_min: float = 0.1
    beta_max: float = 20.0
    prediction: Prediction = "noise"
    first: float = 1e-3

    def level(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha = exp(-(beta_min t + (beta_max - beta_min) t^2 / 2) / 2), sigma = sqrt(1 - alpha^2)."""
        half = -0.5 * (self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t * t)
        return half.exp(), (-torch.expm1(2 * half)).sqrt()

    def rate(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """-beta alpha / 2 and beta alpha^2 / (2 sigma)."""
        alpha, sigma = self.level(t)
        beta = self.beta_min + (self.beta_max - self.beta_min) * t
        return -0.5 * beta * alpha, 0.5 * beta * alpha * alpha / sigma

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """See `Path`."""
        return _coefficients(self, t)

    def seen(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """As it is; 1000 t."""
        return torch.ones_like(t), 1000 * t

    def times(self, uniform: Tensor) -> Tensor:
        """Even over [first, 1]."""
        return self.first + (1 - self.first) * uniform

    def steps(self, count: int) -> Tensor:
        """Even from 1 to `first`, then the data."""
        return torch.cat([torch.linspace(1, self.first, count), torch.zeros(1)])


@dataclass(frozen=True)
class Tabulated:
    """DDPM with the signal of each step from a table, as schedulers of diffusers hold it; t in [0, 1] stands for all steps.

    Attributes:
        signal: cumulative product of 1 - beta, from the first step to the last: alpha^2. Between them log(alpha^2 / sigma^2) is
            linear; before the first step, at t = 1 / steps, the data are taken to be clean only at 0 itself.
    """

    signal: tuple[float, ...]
    prediction: Prediction = "noise"

    def level(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma between the table's entries, t = (k + 1) / steps for entry k."""
        table = torch.tensor(self.signal, dtype=torch.float64, device=t.device)
        place = (t.double() * len(table) - 1).clamp(0, len(table) - 1)
        low = place.floor().long().clamp(max=len(table) - 2)
        signal = torch.sigmoid(torch.lerp(torch.logit(table)[low], torch.logit(table)[low + 1], place - low))
        signal = torch.where(t > 0, signal, 1.0)
        return signal.sqrt().to(t.dtype), (1 - signal).sqrt().to(t.dtype)

    def rate(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """By differences of half a step."""
        half = 0.5 / len(self.signal)
        (alpha, sigma), (alpha_before, sigma_before) = self.level(t + half), self.level(t - half)
        return (alpha - alpha_before) / (2 * half), (sigma - sigma_before) / (2 * half)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """See `Path`."""
        return _coefficients(self, t)

    def seen(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """As it is; the step's number, counted from 0."""
        return torch.ones_like(t), (t * len(self.signal) - 1).clamp_min(0)

    def times(self, uniform: Tensor) -> Tensor:
        """Even over the steps."""
        return 1 / len(self.signal) + (1 - 1 / len(self.signal)) * uniform

    def steps(self, count: int) -> Tensor:
        """Even from 1 to the first step, then the data."""
        return torch.cat([torch.linspace(1, 1 / len(self.signal), count), torch.zeros(1)])


@dataclass(frozen=True)
class EDM:
    """Karras et al. 2022: noise is added, t is its deviation, and the network is preconditioned (their table 1).

    Attributes:
        data: deviation of the data. mean, deviation: of the log of the training times.
        lowest, highest, rho: of the sampler's times (their equation 5).
    """

    data: float = 1.0
    mean: float = -1.2
    deviation: float = 1.2
    lowest: float = 0.002
    highest: float = 80.0
    rho: float = 7.0

    def level(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha = 1, sigma = t."""
        return torch.ones_like(t), t

    def rate(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """0 and 1."""
        return torch.zeros_like(t), torch.ones_like(t)

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(data - c_skip x) / c_out, in which x holds data and noise; its loss weight is then 1."""
        both = (t * t + self.data**2).sqrt()
        return t / (self.data * both), -self.data / both

    def seen(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """c_in = 1 / sqrt(t^2 + data^2); the log of t, brought to where the others lie."""
        return (t * t + self.data**2).rsqrt(), 100 * (t.clamp_min(1e-4).log() + 6.2)

    def times(self, uniform: Tensor) -> Tensor:
        """Log-normal."""
        return (self.mean + self.deviation * _normal(uniform)).exp()

    def steps(self, count: int) -> Tensor:
        """Equation 5, then the data."""
        ramp = torch.linspace(0, 1, count)
        high, low = self.highest ** (1 / self.rho), self.lowest ** (1 / self.rho)
        return torch.cat([(high + ramp * (low - high)) ** self.rho, torch.zeros(1)])


def mix(path: Path, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """x = alpha data + sigma noise; data and noise (B, ...), t (B,)."""
    alpha, sigma = (_over(c, data) for c in path.level(t))
    return alpha * data + sigma * noise


def target(path: Path, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """What the network should answer, (B, ...)."""
    a, b = (_over(c, data) for c in path.coefficients(t))
    return a * data + b * noise


def split(path: Path, x: Tensor, output: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The data and the noise, (B, ...), that a network's answer at x means, at times (B,) or ().

    The solution of x = alpha data + sigma noise, output = a data + b noise. Only a path that asks for the data has none at
    sigma 0.
    """
    (alpha, sigma), (a, b) = path.level(t), path.coefficients(t)
    whole = alpha * b - sigma * a
    data = _over(b / whole, x) * x - _over(sigma / whole, x) * output
    noise = _over(alpha / whole, x) * output - _over(a / whole, x) * x
    return data, noise


def _coefficients(path: Flow | DDPM | Tabulated, t: Tensor) -> tuple[Tensor, Tensor]:
    alpha, sigma = path.level(t)
    match path.prediction:
        case "velocity":
            return path.rate(t)
        case "noise":
            return torch.zeros_like(t), torch.ones_like(t)
        case "data":
            return torch.ones_like(t), torch.zeros_like(t)
        case "v":
            return -sigma, alpha


def _over(value: Tensor, sample: Tensor) -> Tensor:
    """A value per sample, (B,) or (), shaped to be multiplied with samples (B, ...)."""
    return value.reshape(value.shape + (1,) * (sample.ndim - value.ndim)) if value.ndim else value


def _normal(uniform: Tensor) -> Tensor:
    """Standard normal quantiles of uniform draws."""
    return math.sqrt(2) * torch.erfinv(2 * uniform - 1)
