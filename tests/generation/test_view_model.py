"""A novel-views network as distillation's 2D model: sampled through it, views are those of the family's own sampler."""

import pytest
import torch
from view_networks import MICRO, awake

from versemill.generation import NOVEL_VIEWS, sampling
from versemill.generation.distillation import cameras
from versemill.generation.distillation.models import Prior
from versemill.generation.distillation.settings import Cameras
from versemill.generation.views.network import NovelViews
from versemill.generation.views.sampler import Sampling, draw


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_views_are_those_of_the_sampler(guidance):
    network = awake(NovelViews(MICRO))
    size, generator = MICRO.size, torch.Generator().manual_seed(0)
    picture, noise = (
        torch.rand(3, 2 * size, 2 * size, generator=generator),
        torch.randn(1, 3, 3, size, size, generator=generator),
    )
    front = cameras.reference(Cameras(), 2 * size)
    c2w, K = cameras.posed([40.0, 130.0, -70.0], [25.0, 0.0, 50.0], Cameras(), size)
    model = NOVEL_VIEWS.view_model(network, picture, front[0][0], front[1][0])
    prior = Prior(model.path, *model.estimators(c2w, K))
    times = torch.linspace(1, 0, 5)
    start = noise[0] * model.path.level(times[0])[1]
    through = sampling.ddim(model.path, lambda x, t: prior.estimate(x, t, guidance), start, times)

    source = torch.nn.functional.avg_pool2d(picture, 2)
    small = cameras.reference(Cameras(), size)
    poses, lenses = torch.cat([small[0], c2w])[None], torch.cat([small[1], K])[None]
    drawn = draw(network, source[None], poses, lenses, lambda: noise, Sampling(steps=4, guidance=guidance))
    torch.testing.assert_close(model.decode(through), drawn[0], atol=1e-4, rtol=0)
    assert prior.calls == 4 * (1 if guidance == 1 else 2)
    assert model.size == size
    torch.testing.assert_close(model.decode(model.encode(source[None])), source[None])
