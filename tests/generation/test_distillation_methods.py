"""Distillation's methods against their equations, on 2D models whose answers are exact."""

import pytest
import torch
from analytic import STABLE, mixture, posterior
from hypothesis import given
from hypothesis import strategies as st

from versemill.generation.distillation import flat, methods
from versemill.generation.distillation.methods import KAPPAS, Draws
from versemill.generation.distillation.models import Prior
from versemill.generation.distillation.settings import Inversion, Scoring
from versemill.generation.paths import DDPM, mix, split
from versemill.generation.sampling import ddim

PLAIN = Inversion(tau=0.0, entropy=0.0)
T = torch.tensor(0.5)


def pictures(count=4, dimensions=16):
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("guidance", [0.0, 1.0, 7.5, -2.0])
def test_cached_noise_assigned_is_ddim(guidance):
    """The unit gate of SDI: to 1e-5 in float32."""
    prior, _ = mixture()
    noise = Draws(0, 0).normal(torch.zeros(32, 16))
    times = torch.cat([torch.linspace(0.98, 0.02, 40), torch.zeros(1)])
    sampled = ddim(prior.path, lambda x, t: prior.estimate(x, t, guidance), noise, times)
    assigned = flat.cached(prior, noise, times, guidance)
    assert (assigned - sampled).abs().max() < 1e-5 * max(1.0, float(sampled.abs().max()))


def test_equation_8_ranks_minus_gamma_zero_plus_gamma_and_random():
    """Appendix figure of SDI, on a mixture with Stable Diffusion's schedule; at high noise random kappa is the best."""
    prior, _ = mixture(components=16, deviation=0.15)
    times = (0.9, 0.65, 0.6, 0.5, 0.4)
    table = flat.residuals(prior, torch.zeros(64, 16), Scoring(), times)
    assert min(table, key=lambda arm: table[arm][0]) == "random"
    for k in range(1, len(times)):
        assert table["-gamma"][k] < table["0"][k] < table["+gamma"][k] < table["random"][k], times[k]


def test_target_is_equation_10_for_every_method():
    """x - sigma / alpha (noise(x_t) - kappa), with the gradient of SDI's loss."""
    prior, _ = mixture()
    x = pictures()
    alpha, sigma = prior.path.level(T)
    for method, kappa in KAPPAS.items():
        scoring = Scoring(method=method, rounds=2)
        noise = kappa(prior, x, T, scoring, Draws(0, 1))
        predicted = prior.estimate(mix(prior.path, x, noise, T), T, scoring.denoising)[1]
        target = methods.target(prior, x, T, scoring, Draws(0, 1))
        torch.testing.assert_close(target, x - sigma / alpha * (predicted - noise), atol=2e-4, rtol=1e-4)
        free = x.clone().requires_grad_()
        (0.5 * (free - target).square().sum()).backward()
        torch.testing.assert_close(free.grad, sigma / alpha * (predicted - noise), atol=2e-4, rtol=1e-4)


def test_inversion_solves_equation_8_where_the_ode_is_known():
    """For one Gaussian the exact inverse of x is mean alpha + (x - mean) sqrt(d^2 alpha^2 + sigma^2) / d."""
    path, mean, deviation = DDPM(), torch.full((16,), 0.3), 0.5
    estimate = posterior(path, mean[None], deviation)
    prior = Prior(path, estimate, estimate)
    x = pictures()
    alpha, sigma = path.level(T)
    up = alpha * mean + (x - mean) * ((deviation * alpha) ** 2 + sigma**2).sqrt() / deviation
    exact = (up - alpha * x) / sigma
    errors = []
    for steps in (100, 400):
        fine = Scoring(guidance=1.0, inversion=PLAIN.model_copy(update={"steps": steps, "guidance": 1.0, "first": 1e-5}))
        errors.append(float((methods.inverted(prior, x, T, fine, Draws(0, 0)) - exact).abs().max()))
    assert errors[1] < 0.05 * float(exact.abs().max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25), "DDIM is of first order"


def test_noise_differs_as_the_methods_say():
    prior, _ = mixture()
    x = pictures()
    draw = {
        name: [kappa(prior, x, T, Scoring(rounds=3), Draws(5, step)) for step in (0, 1, 1)] for name, kappa in KAPPAS.items()
    }
    for name, (first, second, again) in draw.items():
        assert torch.equal(second, again), f"{name} is not a function of seed and step"
        assert torch.equal(first, second) == (name in ("fixed", "ism")), name


def test_fixed_point_iterates_equation_8():
    prior, _ = mixture()
    x, scoring = pictures(), Scoring(guidance=1.0, rounds=1)
    noise = Draws(0, 2).normal(x)
    once = methods.fixed_point(prior, x, T, scoring, Draws(0, 2))
    assert torch.equal(once, prior.estimate(mix(prior.path, x, noise, T), T, 1.0)[1])
    gaps = [
        methods.residual(
            prior, x, methods.fixed_point(prior, x, T, scoring.model_copy(update={"rounds": n}), Draws(0, 2)), T, 1.0
        )
        for n in (1, 10, 40)
    ]
    assert gaps[2] < gaps[0]


@pytest.mark.parametrize(
    ("inversion", "t", "expected"),
    [
        (Inversion(), 0.98, 10),
        (Inversion(extra_step=True), 0.98, 11),
        (Inversion(), 0.25, 3),
        (Inversion(extra_step=True), 0.25, 4),
        (Inversion(steps=3), 0.98, 3),
        (Inversion(steps=20), 0.98, 20),
    ],
)
def test_grid_has_the_calls_of_paper_and_code(inversion, t, expected):
    times = methods.grid(inversion, torch.tensor(t))
    assert len(times) - 1 == expected
    assert (times.diff() > 0).all()
    assert float(times[-1]) == pytest.approx(t)


@given(t=st.floats(0.05, 1.0), steps=st.integers(1, 50), extra=st.booleans())
def test_grid_rises_to_its_end(t, steps, extra):
    times = methods.grid(Inversion(steps=steps, extra_step=extra), torch.tensor(t))
    assert (times.diff() > 0).all()
    assert float(times[-1]) == pytest.approx(t)
    assert (times.diff()[1:] < 1 / steps + 1e-5).all()


@pytest.mark.parametrize("method", [*KAPPAS])
@pytest.mark.parametrize("guidance", [1.0, 7.5])
def test_calls_are_counted_and_foretold(method, guidance):
    prior, _ = mixture()
    scoring = Scoring(method=method, guidance=guidance, inversion=Inversion(tau=0.1), rounds=4, annealed=guidance == 1)
    for step in (0, 20, 50, 70, 99):
        draws, before = Draws(3, step), prior.calls
        methods.target(prior, pictures(), methods.time_of(scoring, step, 100, draws), scoring, draws)
        assert prior.calls - before == methods.calls(scoring, step, 100, seed=3)


def test_mean_calls_are_those_of_the_released_code():
    """Reference: 11 calls at 0.98 and 4 at 0.25, a mean of 7.6, and one to denoise; each of them twice, for guidance."""
    scoring = Scoring(highest=0.98, lowest=0.25, inversion=Inversion(extra_step=True, tau=0.0))
    spent = [methods.calls(scoring, step, 1000) for step in range(1000)]
    assert sum(spent) / 1000 / 2 - 1 == pytest.approx(7.6, abs=0.1)
    assert methods.calls(scoring.model_copy(update={"method": "sds"}), 0, 1000) == 2


def test_time_falls_evenly_or_is_drawn():
    annealed = [float(methods.time_of(Scoring(), step, 5, Draws(0, step))) for step in range(5)]
    assert annealed == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
    drawn = [float(methods.time_of(Scoring(annealed=False), step, 400, Draws(0, step))) for step in range(400)]
    assert 0.2 <= min(drawn) < 0.22
    assert 0.98 < max(drawn) <= 1.0
    assert sum(drawn) / 400 == pytest.approx(0.6, abs=0.04)


def test_released_code_differs_where_the_settings_say():
    prior, _ = mixture()
    x, t = pictures(), torch.tensor(0.4)

    def kappa(**changes):
        scoring = Scoring(inversion=Inversion(**{"tau": 0.1, "entropy": 0.0, **changes}))
        return methods.inverted(prior, x, t, scoring, Draws(0, 7))

    # Mislabelled: the inverted picture itself is what is denoised, at the time it is not of.
    end = t + 0.1 * float(Draws(0, 7).stream("tau").random())
    alpha, sigma = prior.path.level(end)
    up = alpha * x + sigma * kappa()
    torch.testing.assert_close(mix(prior.path, x, kappa(mislabelled=True), t), up, atol=1e-5, rtol=1e-5)
    # Entropy: 0.3 sigma(t) of noise at the end; or in each step, by DDIM's deviation.
    added = kappa(entropy=0.3) - kappa()
    torch.testing.assert_close(added, 0.3 * prior.path.level(t)[1] * Draws(0, 7).normal(x, "entropy"), atol=1e-5, rtol=1e-4)
    assert not torch.equal(kappa(entropy=0.3, entropy_every_step=True), kappa())
    # Guidance: gamma = s + 1 forwards, 1 - s backwards.
    scoring = Scoring(plus_one=True)
    assert (scoring.denoising, scoring.inverting) == (8.5, -6.5)
    assert (Scoring().denoising, Scoring().inverting) == (7.5, -7.5)


@pytest.mark.parametrize("method", ["sds", "sdi", flat.CACHED])
def test_a_picture_optimised_reaches_what_the_condition_allows(method):
    """Not so with ISM: its kappa nearly solves equation 8, which is standing still, and pictures stall between modes."""
    prior, means = mixture(components=4, deviation=0.1)
    scoring = Scoring(guidance=1.0, inversion=PLAIN, lowest=0.05)
    x = flat.optimise(prior, torch.zeros(8, 16), scoring, method, seed=0, steps=200, refresh=5)
    away = torch.cdist(x, means[:2]).min(1).values
    assert (away < 0.35 * torch.cdist(means[:1], means[1:2])).all()


def test_stable_diffusions_path_is_a_table():
    path = STABLE
    t = torch.linspace(0.001, 1, 1000)
    alpha, sigma = path.level(t)
    torch.testing.assert_close(alpha.square(), torch.tensor(path.signal), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(alpha.square() + sigma.square(), torch.ones(1000))
    torch.testing.assert_close(path.seen(t)[1], torch.arange(1000.0), atol=1e-3, rtol=0)
    assert [float(v) for v in path.level(torch.tensor(0.0))] == [1.0, 0.0]
    middle = torch.tensor(0.45678)
    step = 1e-3
    slope = (path.level(middle + step)[0] - path.level(middle - step)[0]) / (2 * step)
    assert float(path.rate(middle)[0]) == pytest.approx(float(slope), rel=1e-3)
    data, noise = torch.randn(2, 5), torch.randn(2, 5)
    x = mix(path, data, noise, middle)
    answer = split(path, x, noise, middle)
    torch.testing.assert_close(answer[0], data, atol=1e-4, rtol=1e-4)
