"""A learned filter: the same hook with weights by layer and noise level, fitted against maps of the truth."""

import dataclasses
import json
from itertools import count, product

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner
from view_networks import MAPS, MICRO, MULTI, UNET, awake

from versemill.errors import ConfigError
from versemill.generation import NOVEL_VIEWS
from versemill.generation.views import data, judging, learned
from versemill.generation.views.attention import Kept, replayed
from versemill.generation.views.network import NovelViews
from versemill.generation.views.oracle import NEARLY_CLEAN, true_maps
from versemill.generation.views.sampler import Call, Sampling, draw, read_filter
from versemill.generation.views.zero_to_hero import EDGE, Filtering, LearnedFiltering, Weights, level_of
from versemill.mill.cli import app
from versemill.training.loop import train

CPU = torch.device("cpu")
KINDS = pytest.mark.parametrize("recipe", [MICRO, UNET, MULTI], ids=["transformer", "unet", "multi"])


def table(layers, *levels):
    return (tuple(levels),) * layers


def papers(layers):
    """The paper's values, written as a table."""
    return LearnedFiltering(
        borders=(0.8, 0.6), pooling=table(layers, 1.0, 0.0), current=table(layers, 0.2, 0.2), update=table(layers, 0.5, 0.5)
    )


@pytest.fixture(scope="module")
def cases(box_dataset):
    seen = data.SeenViews(box_dataset, ("train",), MICRO, None, False)
    return [judging.case_of(seen[k], judging.ViewsJudging(poses=4)) for k in range(2)]


@KINDS
def test_a_table_of_the_papers_values_is_the_papers_filter_to_the_bit(recipe):
    recipe = recipe.model_copy(update={"targets": 4})
    network = awake(NovelViews(recipe))
    batch = data.noise(recipe, torch.Generator().manual_seed(3))
    drawn = []
    for filtering in (Filtering(), papers(network.layers), None):
        numbers = count()

        def noise(numbers=numbers):
            return torch.randn(batch.noise.shape, generator=torch.Generator().manual_seed(next(numbers)))

        sampling = Sampling(steps=10, rounds=2, filtering=filtering)  # rounds at 1 and 0.9
        drawn.append(draw(network, batch.source, batch.c2w, batch.K, noise, sampling))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2], atol=1e-4)


def test_a_level_reaches_down_to_its_border():
    borders = (0.9, 0.8, 0.5)
    assert [level_of(borders, t) for t in (1.0, 0.9, 0.9 - 2 * EDGE, 0.8, 0.51, 0.5, 0.49, 0.0)] == [
        0,
        0,
        1,
        1,
        2,
        2,
        None,
        None,
    ]


def test_tables_that_do_not_fit_are_refused(tmp_path):
    network = awake(NovelViews(MICRO))
    batch = data.noise(MICRO, torch.Generator().manual_seed(0))
    with pytest.raises(ConfigError, match="weights of 9 layers, this network has 2"):
        draw(network, batch.source, batch.c2w, batch.K, lambda: batch.noise, learned.sampling_of(papers(9)))
    good = papers(2).model_dump()
    for changes in (
        {"borders": (0.6, 0.8)}, {"borders": (1.0, 0.6)}, {"borders": (0.6, -0.1)}, {"borders": (0.6,)},
        {"pooling": table(3, 1.0, 0.0)}, {"update": table(2, 1.5, 0.0)}, {"current": table(2, 0.5)}, {"borders": ()},
    ):  # fmt: skip
        (tmp_path / "filter.json").write_text(json.dumps({**good, **changes}))
        with pytest.raises(ConfigError, match="holds no learned filter"):
            read_filter(tmp_path / "filter.json")
    with pytest.raises(ConfigError, match="holds no learned filter"):
        read_filter(tmp_path / "none.json")


def test_a_setting_takes_the_file(tmp_path):
    path = tmp_path / "filter.json"
    path.write_text(papers(2).model_dump_json())
    settings = judging.ViewsJudging(sampling={"filtering": str(path)})
    assert settings.sampling.filtering == papers(2)
    assert judging.ViewsJudging(**settings.model_dump(mode="json")) == settings
    assert Sampling(filtering={}).filtering == Filtering()


@KINDS
def test_what_is_watched_is_what_the_network_attends_by(recipe, box_dataset):
    recipe = recipe.model_copy(update={"targets": 4})
    seen = data.SeenViews(box_dataset, ("train",), recipe, None, False)
    case = judging.case_of(seen[0], judging.ViewsJudging(poses=4))
    network = awake(NovelViews(recipe))
    sampling = Sampling(steps=1)
    traces = learned.watched(network, [case], sampling, 10**6, 0, CPU)
    inputs = judging.together([case], CPU)
    kept, noise = Kept(), judging.noise_of([case.seen.index], [0], (4, 3, 16, 16), CPU)
    draw(network, *inputs, noise, sampling, kept)
    truth = true_maps(network, case, CPU)
    assert len(traces) == len(kept.maps) == len(truth) == network.layers
    for layer, trace in enumerate(traces):
        assert trace.logits.shape[0] == sampling.evaluations
        every = kept.maps[layer].flatten(0, 2)
        assert trace.logits[0].shape == every.shape
        # Rows come in a drawn order, the same for both.
        order = torch.cdist(trace.logits[0], every).argmin(1)
        torch.testing.assert_close(trace.logits[0], every[order])
        torch.testing.assert_close(trace.truth, truth[layer].flatten(0, 2)[order])


def test_maps_of_the_truth_put_back_give_the_pass_over_the_truth(cases):
    network = awake(NovelViews(MICRO))
    case = cases[0]
    noise = judging.noise_of([case.seen.index], [1], (4, 3, 16, 16), CPU)()[0]
    t = torch.full((4,), NEARLY_CLEAN)
    alpha, sigma = network.path.level(t[0])
    x = alpha * (2 * case.targets - 1) + sigma * noise
    inputs = judging.together([case], CPU)
    with torch.no_grad():
        context = network.look(*inputs, torch.ones(1, 2))
        expected = network(x, 1000 * t, context)
        torch.testing.assert_close(network(x, 1000 * t, context, replayed(true_maps(network, case, CPU))), expected)


def trace_of(noise, calls, seed=0):
    """A layer whose logits are the truth's and independent noise, in every call anew."""
    generator = torch.Generator().manual_seed(seed)
    truth = 2 * torch.randn(64, 12, generator=generator)
    return learned.Trace(truth + noise * torch.randn(len(calls), 64, 12, generator=generator), truth)


class Fixed:
    def __init__(self, *values):
        self.values = values

    def weights(self, layer, time):
        return Weights(*self.values)


def test_logits_that_are_the_truths_stay_so_whatever_the_weights():
    calls = learned.sampling_of(None).calls()
    for weigher in (Filtering(), Fixed(0.3, 0.7, 0.1), learned.Soft((0.9, 0.5))):
        assert learned.divergence(trace_of(0.0, calls), 0, calls, weigher, 0.2).item() == pytest.approx(0, abs=1e-6)


def test_the_divergence_is_that_of_the_filtered_attention():
    """Without a filter: the plain mean of KL over calls down to the border."""
    calls = [Call(1.0, True, False), Call(1.0, False, True), Call(0.5, True, True), Call(0.1, True, True)]
    trace = trace_of(1.0, calls)
    p, logs = trace.truth.softmax(-1).numpy(), trace.logits.log_softmax(-1).numpy()
    expected = np.mean([(p * (np.log(p) - q)).sum(-1).mean() for q in logs[:3]])
    none = Filtering(pooled_until=2.0, filtered_until=2.0)
    assert float(learned.divergence(trace, 0, calls, none, 0.2)) == pytest.approx(expected, rel=1e-4)


def test_a_fit_finds_what_a_search_over_the_weights_finds():
    calls = learned.sampling_of(None).calls()
    trace = trace_of(1.5, calls)
    fitting = learned.Fitting(borders=(0.2,), steps=80)
    values = learned._fitted(trace, 0, calls, fitting.borders, 0.2, fitting)

    def judged(pooling, current, update):
        tables = {"pooling": ((pooling,),), "current": ((current,),), "update": ((update,),)}
        return float(learned.divergence(trace, 0, calls, LearnedFiltering(borders=(0.2,), **tables), 0.2))

    grid = product((0.0, 0.4, 0.8, 1.0), (0.05, 0.1, 0.2, 0.5, 1.0), (0.1, 0.2, 0.5, 1.0))
    best = min(judged(*weights) for weights in grid)
    fitted = judged(*(row[0] for row in values))
    assert fitted < best + 0.005
    assert fitted < float(learned.divergence(trace, 0, calls, Filtering(), 0.2))


def test_a_networks_filter_is_fitted_layer_by_layer_and_repeats_itself(cases):
    network = awake(NovelViews(MICRO))
    fitting = learned.Fitting(borders=(0.8, 0.4), rows=16, passes=2, steps=4)
    first = learned.fit(network, cases, fitting, CPU)
    assert first == learned.fit(network, cases, fitting, CPU)
    assert first.layers == network.layers == 2
    start = dict(zip(("pooling", "current", "update"), learned.START, strict=True))
    assert all(value != start["current"] for row in first.current for value in row)
    assert all(row[1] == start["pooling"] for row in first.pooling)  # one round a step below 0.8: nothing depends on it
    assert all(row[0] != start["pooling"] for row in first.pooling)
    assert first.current[0] != first.current[1]


def test_maps_are_no_obstacle(box_dataset):
    """A network that draws each target by itself is watched as one that draws them side by side."""
    item = data.SeenViews(box_dataset, ("train",), MICRO, None, False)[0]
    painted = dataclasses.replace(item, maps=(item.pictures(range(6)) * 255).byte())
    case = judging.case_of(painted, judging.ViewsJudging(poses=3))
    network = awake(NovelViews(MAPS))
    traces = learned.watched(network, [case], Sampling(steps=2), 20, 0, CPU)
    assert [tuple(t.logits.shape[:2]) for t in traces] == [(2, 20)] * 2


def test_the_command_takes_the_file(box_dataset, tmp_path):
    train(NOVEL_VIEWS, box_dataset, MICRO.model_copy(update={"steps": 2, "save_every": 2}), tmp_path / "run", device="cpu")
    item = data.SeenViews(box_dataset, ("val",), MICRO.model_copy(update={"size": 32}), None, True)[0]
    Image.fromarray(item.rgba[0].permute(1, 2, 0).numpy()).save(tmp_path / "box.png")
    (tmp_path / "filter.json").write_text(papers(2).model_dump_json())
    shown = []
    for name in ("amf", tmp_path / "filter.json"):
        out = tmp_path / str(len(shown))
        arguments = [
            "views",
            tmp_path / "run",
            "--image",
            tmp_path / "box.png",
            "--azimuth",
            "40",
            "--filter",
            name,
            "--out",
            out,
        ]
        answer = CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"])
        assert "66 calls" in answer.stdout
        shown.append(np.asarray(Image.open(out / "azimuth-40.png")))
    assert (shown[0] == shown[1]).all()
