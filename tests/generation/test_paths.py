"""Paths and samplers, against direct formulas and against a Gaussian, whose best denoiser is known."""

import math

import numpy as np
import pytest
import torch

from versemill.generation import paths, sampling
from versemill.generation.paths import DDPM, EDM, Flow

T = torch.tensor([0.05, 0.3, 0.7, 0.99])
PATHS = [
    *(Flow(prediction=p) for p in ("velocity", "noise", "data", "v")),
    *(DDPM(prediction=p) for p in ("velocity", "noise", "data", "v")),
    EDM(),
    EDM(data=0.5),
]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_an_exact_answer_gives_data_and_noise_back(path):
    data, noise, t = draw(4, 3, 8, 8), draw(4, 3, 8, 8, seed=1), T.double()
    x = paths.mix(path, data, noise, t)
    got_data, got_noise = paths.split(path, x, paths.target(path, data, noise, t), t)
    torch.testing.assert_close(got_data, data, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(got_noise, noise, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("path", [Flow(), DDPM(), EDM()], ids=str)
def test_rates_are_the_derivatives_of_levels(path):
    t, h = T.double(), 1e-5
    for low, high, rate in zip(path.level(t - h), path.level(t + h), path.rate(t), strict=True):
        torch.testing.assert_close(rate, (high - low) / (2 * h), atol=1e-6, rtol=1e-5)


def test_flow_is_the_straight_line_and_asks_for_its_slope():
    data, noise, t = draw(4, 5, 2), draw(4, 5, 2, seed=1), T.double()
    path, share = Flow(), T.double()[:, None, None]
    torch.testing.assert_close(paths.mix(path, data, noise, t), (1 - share) * data + share * noise)
    torch.testing.assert_close(paths.target(path, data, noise, t), noise - data)


def test_ddpm_is_hos_chain_of_a_thousand_steps():
    """alpha bar of the discrete linear betas, 1e-4 to 0.02, is the continuous one's square of alpha to a few per mille."""
    betas = np.linspace(1e-4, 0.02, 1000)
    discrete = np.cumprod(1 - betas)
    alpha, sigma = DDPM().level(torch.arange(1, 1001).double() / 1000)
    np.testing.assert_allclose((alpha**2).numpy(), discrete, atol=2e-3)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
    torch.testing.assert_close(paths.target(DDPM(), draw(4, 2), draw(4, 2, seed=1), T.double()), draw(4, 2, seed=1))


def test_edm_is_its_table_of_preconditioning():
    """Karras et al. 2022, table 1, column Ours: D = c_skip x + c_out F(c_in x); the loss weight times c_out^2 is 1."""
    path, data, noise, t = EDM(data=0.5), draw(4, 2, 3), draw(4, 2, 3, seed=1), torch.tensor([0.01, 0.4, 3.0, 60.0]).double()
    sigma = t[:, None, None]
    x = data + sigma * noise
    skip, out = 0.25 / (sigma**2 + 0.25), sigma * 0.5 / (sigma**2 + 0.25).sqrt()
    torch.testing.assert_close(paths.target(path, data, noise, t), (data - skip * x) / out)
    torch.testing.assert_close(path.seen(t)[0], 1 / (t**2 + 0.25).sqrt())
    answer = draw(4, 2, 3, seed=2)
    torch.testing.assert_close(paths.split(path, x, answer, t)[0], skip * x + out * answer)
    steps = path.steps(18)
    i = torch.arange(18)
    expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    torch.testing.assert_close(steps[:-1], expected)
    assert steps[-1] == 0


def test_shift_acts_on_the_share_of_noise():
    """SD3, equation 23: k t / (1 + (k - 1) t); four times the tokens want k = 2, more noise at every time."""
    path = Flow(shift=2.0)
    t = torch.linspace(0, 1, 11)
    torch.testing.assert_close(path.shifted(t), 2 * t / (1 + t))
    assert (path.shifted(t)[1:-1] > t[1:-1]).all()
    # Signal to noise after the shift: (1 - t) / t falls by k.
    inner = t[1:-1]
    torch.testing.assert_close((1 - path.shifted(inner)) / path.shifted(inner), (1 - inner) / inner / 2)


def test_training_times_follow_their_distributions():
    uniform = (torch.arange(100_000) + 0.5) / 100_000
    logit = torch.logit(Flow(mean=0.3, deviation=0.8).times(uniform).double())
    assert logit.mean() == pytest.approx(0.3, abs=1e-3)
    assert logit.std() == pytest.approx(0.8, abs=1e-3)
    log = EDM().times(uniform).double().log()
    assert log.mean() == pytest.approx(-1.2, abs=1e-3)
    assert log.std() == pytest.approx(1.2, abs=1e-3)
    times = DDPM().times(uniform)
    assert times.min() >= 1e-3
    assert times.max() <= 1
    assert times.mean() == pytest.approx(0.5, abs=1e-3)


def gaussian(path, mean, deviation):
    """The estimator of data drawn from N(mean, deviation^2): exact, so that samples follow that law."""

    def estimate(x, t):
        alpha, sigma = path.level(t)
        data = mean + alpha * deviation**2 / (alpha**2 * deviation**2 + sigma**2) * (x - alpha * mean)
        noise = sigma / (alpha**2 * deviation**2 + sigma**2) * (x - alpha * mean)
        return data, noise

    return estimate


@pytest.mark.parametrize("path", [Flow(), Flow(shift=2.0), DDPM(), EDM()], ids=str)
@pytest.mark.parametrize("sampler", [sampling.euler, sampling.heun, sampling.ddim])
def test_samplers_reach_a_gaussian(path, sampler):
    times = path.steps(200).double()
    start = draw(4000, 2) * path.level(times[0])[1]
    samples = sampler(path, gaussian(path, 1.5, 0.6), start, times)
    assert samples.mean() == pytest.approx(1.5, abs=0.06)
    assert samples.std() == pytest.approx(0.6, abs=0.05)


def test_heun_is_more_exact_than_euler_at_equal_steps():
    path, start = Flow(), draw(500, 2)
    exact = 1.5 + 0.6 * start  # the flow of a Gaussian keeps quantiles
    times = path.steps(10).double()
    errors = [
        float((s(path, gaussian(path, 1.5, 0.6), start, times) - exact).abs().mean()) for s in (sampling.euler, sampling.heun)
    ]
    assert errors[1] < errors[0] / 3


@pytest.mark.parametrize("path", [Flow(), EDM()], ids=str)
def test_ddim_is_euler_on_straight_paths(path):
    times, start = path.steps(12).double(), draw(20, 3)
    estimate = gaussian(path, -0.4, 0.9)
    torch.testing.assert_close(sampling.ddim(path, estimate, start, times), sampling.euler(path, estimate, start, times))


@pytest.mark.parametrize("path", [Flow(), DDPM(prediction="v"), EDM()], ids=str)
def test_inversion_and_back_returns_the_data(path):
    estimate = gaussian(path, 0.7, 0.5)
    data = 0.7 + 0.5 * draw(200, 2)

    def error(steps):
        times = path.steps(steps).double()
        times = times[times > 0] if isinstance(path, DDPM) else times
        noise = sampling.invert(path, estimate, data, times)
        return float((sampling.ddim(path, estimate, noise, times) - data).square().mean().sqrt())

    assert error(200) < 0.02
    assert error(200) < error(50) / 2


def test_guidance_is_its_formula_and_guides_any_prediction_alike():
    x, t = draw(2, 4, 3), torch.tensor(0.4).double()
    c, u = draw(2, 4, 3, seed=1), draw(2, 4, 3, seed=2)
    for path in PATHS:
        guide = sampling.guided(sampling.estimator(path, lambda *_: c), sampling.estimator(path, lambda *_: u), 7.0)
        mixed = sampling.estimator(path, lambda *_: u + 7.0 * (c - u))
        for got, expected in zip(guide(x, t), mixed(x, t), strict=True):
            torch.testing.assert_close(got, expected)


def test_the_network_sees_scaled_input_and_one_time_per_sample():
    calls = []

    def network(x, time):
        calls.append((x, time))
        return torch.zeros_like(x)

    x = draw(3, 2)
    sampling.estimator(EDM(), network)(x, torch.tensor(2.0).double())
    torch.testing.assert_close(calls[0][0], x / math.sqrt(5))
    assert calls[0][1].shape == (3,)
    assert len(set(calls[0][1].tolist())) == 1
