"""Zero-to-Hero: schedule and calls, filtering against its formulas, and what is left when all of it is off."""

from itertools import count

import numpy as np
import pytest
import torch
from view_networks import MICRO, MULTI, UNET, awake

from versemill.generation import paths, sampling
from versemill.generation.views import data
from versemill.generation.views.attention import Kept, explicit, logits, replayed, weighed
from versemill.generation.views.network import NovelViews
from versemill.generation.views.sampler import Sampling, draw, renoised, zero_to_hero
from versemill.generation.views.zero_to_hero import Filter, Filtering, Hourglass
from versemill.mill.proof import ablation

OFF = Filtering(current=1.0, update=1.0, pooled_until=2.0, filtered_until=2.0)
NETWORKS = pytest.mark.parametrize("recipe", [MICRO, UNET], ids=["transformer", "unet"])


class Counted:
    """Noise by the number of the call, and a network's calls and rows."""

    def __init__(self, network, batch):
        self.rows, self.numbers = [], count()
        self.shape = tuple(batch.noise.shape)
        network.register_forward_hook(lambda module, inputs, output: self.rows.append(len(inputs[0])))

    def noise(self):
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(next(self.numbers)))


def scene(recipe, targets=2):
    recipe = recipe.model_copy(update={"targets": targets})
    network = awake(NovelViews(recipe))
    return network, data.noise(recipe, torch.Generator().manual_seed(3))


def drawn(network, batch, settings, hook=None):
    counted = Counted(network, batch)
    return draw(network, batch.source, batch.c2w, batch.K, counted.noise, settings, hook), counted


def test_the_hourglass_has_the_papers_steps():
    times = (1000 * Hourglass().times()).round().int().tolist()
    assert times[:12] == [1000, 980, 960, 940, 920, 900, 880, 860, 840, 820, 800, 700]
    assert times[15:] == [300, 200, 180, 160, 140, 120, 100, 80, 60, 40, 20, 0]
    assert len(times) == 27


@NETWORKS
def test_calls_of_the_network_are_counted(recipe):
    network, batch = scene(recipe)
    for settings, calls in (
        (zero_to_hero(), 66), (Sampling(schedule="hourglass"), 26), (Sampling(steps=66), 66), (Sampling(steps=4), 4),
    ):  # fmt: skip
        answer, counted = drawn(network, batch, settings)
        assert settings.evaluations == calls
        assert len(counted.rows) == calls
        assert answer.shape == batch.target.shape
        assert 0 <= float(answer.min()) <= float(answer.max()) <= 1
    # The source's own branch is one more row of each picture, down to time 0.6: 10 steps of 5 rounds, then 0.8, 0.7 and 0.6.
    _, counted = drawn(network, batch, zero_to_hero(guidance=3.0))
    assert counted.rows == [6] * 53 + [4] * 13


@NETWORKS
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_switched_off_it_is_plain_ddim_to_the_bit(recipe, guidance):
    network, batch = scene(recipe)
    off, _ = drawn(network, batch, Sampling(steps=5, filtering=OFF, guidance=guidance))
    plain, _ = drawn(network, batch, Sampling(steps=5, guidance=guidance), explicit)
    assert torch.equal(off, plain)
    path, keep = network.recipe.path, torch.ones(1, 2)
    parts = [
        sampling.estimator(path, lambda x, t, k=k: network(x, t, network.look(batch.source, batch.c2w, batch.K, k), explicit))
        for k in (keep, 0 * keep)
    ]
    times = torch.linspace(1, 0, 6)
    start = path.level(times[0])[1] * torch.randn(batch.noise.shape, generator=torch.Generator().manual_seed(0)).flatten(0, 1)
    with torch.no_grad():
        expected = network.decode(sampling.ddim(path, sampling.guided(*parts, guidance), start, times))
    if guidance == 1:
        assert torch.equal(plain.flatten(0, 1), expected)
    else:  # both halves in one batch, and guided before they are split
        torch.testing.assert_close(plain.flatten(0, 1), expected, atol=1e-4, rtol=1e-4)


def test_filtering_is_the_papers_recursion():
    """Against the appendix's formulas, written out for one layer."""
    rng = np.random.default_rng(0)
    rounds = [(1.0, 5), (0.98, 5), (0.7, 1), (0.6, 1), (0.5, 1)]
    hook, history = Filter(Filtering()), None
    for time, count_ in rounds:
        filtered = []
        for number in range(count_):
            q, k, v = (torch.tensor(rng.normal(size=(2, 3, 4, 8)), dtype=torch.float32) for _ in range(3))
            hook.begin(time, number == 0, number == count_ - 1)
            answer = hook(0, q, k, v)
            m = (q @ k.mT).numpy() / np.sqrt(8)
            if time >= 0.8 and filtered:
                m = np.minimum(m, np.min(filtered, axis=0))
            if time >= 0.6 and history is not None:
                m = 0.2 * m + 0.8 * history
            filtered.append(m)
            torch.testing.assert_close(answer, torch.tensor(m).softmax(-1).float() @ v, atol=1e-5, rtol=1e-5)
        if time >= 0.6:
            history = filtered[-1] if history is None else 0.5 * filtered[-1] + 0.5 * history


def test_layers_and_halves_have_histories_of_their_own():
    torch.manual_seed(0)
    hook = Filter(Filtering())
    parts = [torch.randn(3, 4, 2, 5, 8) for _ in range(2)]
    for step, (q, k, v) in enumerate(parts):
        hook.begin(1.0 - 0.1 * step, True, True)
        whole = hook(0, q, k, v)
        hook(1, q, k.flip(-1), v)
    alone = Filter(Filtering())
    for step, part in enumerate(parts):
        alone.begin(1.0 - 0.1 * step, True, True)
        single = alone(7, *(t[2:3] for t in part))
    torch.testing.assert_close(whole[2:3], single)


def test_mutual_attention_takes_the_branchs_keys_and_values_in_late_layers_alone():
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 6, 2, 5, 8)
    rows = torch.tensor([2, 2, 2, 5, 5, 5])
    hook = Filter(None, rows, [1])
    torch.testing.assert_close(hook(0, q, k, v), explicit(0, q, k, v))
    torch.testing.assert_close(hook(1, q, k, v), weighed(logits(q, k[rows]), v[rows]))
    hook.keep(torch.tensor([0, 1, 3, 4]))
    torch.testing.assert_close(hook(1, q, k, v), explicit(1, q, k, v))


def test_at_the_source_itself_mutual_attention_changes_nothing():
    """A target at the identity pose starts as its source's branch does: their keys and values are the same."""
    network, batch = scene(MICRO, targets=1)
    same = [torch.cat([m[:, :1], m[:, :1]], 1) for m in (batch.c2w, batch.K)]
    arms = []
    for until in (None, 0.6):
        noise = Counted(network, batch).noise
        settings = Sampling(steps=6, mutual_until=until)
        arms.append(draw(network, batch.source, *same, noise, settings, explicit))
    torch.testing.assert_close(arms[0], arms[1], atol=1e-5, rtol=1e-4)


@NETWORKS
def test_zero_to_hero_changes_views_and_repeats_itself(recipe):
    network, batch = scene(recipe)
    plain, _ = drawn(network, batch, Sampling(schedule="hourglass"))
    resampled, _ = drawn(network, batch, Sampling(schedule="hourglass", rounds=5))
    filtered, _ = drawn(network, batch, Sampling(schedule="hourglass", rounds=5, filtering=Filtering()))
    whole, _ = drawn(network, batch, zero_to_hero())
    for a, b in ((plain, resampled), (resampled, filtered), (filtered, whole)):
        assert not torch.allclose(a, b, atol=1e-4)
    torch.testing.assert_close(whole, drawn(network, batch, zero_to_hero())[0])


def test_views_that_are_drawn_together_can_be_filtered():
    network, batch = scene(MULTI, targets=4)
    off, _ = drawn(network, batch, Sampling(steps=4, filtering=OFF, guidance=2.0))
    plain, _ = drawn(network, batch, Sampling(steps=4, guidance=2.0), explicit)
    assert torch.equal(off, plain)
    filtered, counted = drawn(network, batch, Sampling(schedule="hourglass", rounds=5, filtering=Filtering()))
    assert counted.rows == [4] * 66
    assert not torch.allclose(filtered, drawn(network, batch, Sampling(schedule="hourglass", rounds=5))[0], atol=1e-4)


def test_renoising_is_the_forward_process():
    path, t, s = paths.DDPM(), torch.tensor(0.9), torch.tensor(0.8)
    (alpha_s, sigma_s), (alpha_t, sigma_t) = path.level(s), path.level(t)
    g = torch.Generator().manual_seed(0)
    data_, first, second = (torch.full((200_000,), 0.7), *torch.randn(2, 200_000, generator=g))
    x = renoised(path, alpha_s * data_ + sigma_s * first, s, t, second)
    assert float(x.mean()) == pytest.approx(float(alpha_t) * 0.7, abs=0.01)
    assert float(x.std()) == pytest.approx(float(sigma_t), abs=0.01)


@NETWORKS
def test_maps_that_are_kept_can_be_put_back(recipe):
    network, batch = scene(recipe)
    context = network.look(batch.source, batch.c2w, batch.K, batch.keep)
    x, time = batch.noise.flatten(0, 1), torch.full((2,), 400.0)
    kept = Kept()
    with torch.no_grad():
        answer = network(x, time, context, kept)
        torch.testing.assert_close(network(x, time, context, replayed(kept.maps)), answer)
        assert not torch.allclose(network(-x, time, context, replayed(kept.maps)), network(-x, time, context), atol=1e-3)


def test_the_ablations_arms_are_one_training_asked_in_other_ways():
    base, tests, known = ablation.known()
    plan = ablation.plan("zero-to-hero", known["zero-to-hero"], base, tests, ablation.budget())
    assert len({trial.run for trial in plan.trials}) == len({trial.data for trial in plan.trials}) == 1
    assert [trial.judging.sampling.evaluations for trial in plan.trials] == [66, 26, 66, 66, 66, 66]
    assert plan.trials[-1].judging.sampling == zero_to_hero()
    assert plan.trials[0].pipeline.render.cameras.elevation == (25, 25)
    assert plan.budget.test_assets == 40
    assert plan.trials[0].judging.seeds == 3
