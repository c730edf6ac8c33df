"""A reconstruction next to novel-views: its rendering from one view is a row of the table."""

import pytest
import torch
from typer.testing import CliRunner
from view_networks import MICRO

from versemill import training
from versemill.errors import ConfigError
from versemill.generation import NOVEL_VIEWS
from versemill.generation.views import data, judging
from versemill.generation.views.sampler import Sampling
from versemill.mill.cli import app
from versemill.reconstruction import GAUSSIANS, MONOCULAR
from versemill.reconstruction.methods import Answer
from versemill.training.images import psnr
from versemill.training.loop import train
from versemill.training.runs import load

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def runs(box_dataset, toy_preset, tmp_path_factory):
    """Folders of a novel-views, of a reconstruction trained on one input view, and of one at another size."""
    root = tmp_path_factory.mktemp("against")
    train(NOVEL_VIEWS, box_dataset, MICRO.model_copy(update={"steps": 2, "save_every": 2}), root / "views", device="cpu")
    one = toy_preset.model_copy(update={"input_views": 1, "steps": 2, "save_every": 2})
    train(GAUSSIANS, box_dataset, one, root / "lrm", device="cpu")
    train(GAUSSIANS, box_dataset, one.model_copy(update={"size": 32}), root / "large", device="cpu")
    return root


SETTINGS = judging.ViewsJudging(poses=2, seeds=1, sampling=Sampling(steps=1))


def test_a_reconstruction_is_rendered_from_the_source_view_alone(runs, box_dataset):
    outcome = training.evaluate(
        NOVEL_VIEWS, runs / "views", box_dataset, judging=SETTINGS, device="cpu", against=[(GAUSSIANS, runs / "lrm")]
    )
    name = "gaussians (lrm)"
    assert list(outcome.summary)[:3] == ["model", judging.REGRESSION, name]
    assert f"{name} is rendered from the source view alone" in " ".join(outcome.notes)
    network, recipe = load(GAUSSIANS, runs / "lrm", CPU)
    scene = GAUSSIANS.data(box_dataset, ("val",), recipe, None, True)[0]
    case = judging.case_of(data.SeenViews(box_dataset, ("val",), MICRO, None, True)[0], SETTINGS)
    source, targets = list(case.views[:1]), list(case.views[1:])
    with torch.no_grad():
        objects = network(*(t[None, source] for t in (scene.over_white, scene.alpha, scene.c2w, scene.K)))[0]
        image = Answer.of(network.draw(objects, scene.c2w[None, targets], scene.K[None, targets], 16)).image
    expected = float(psnr(image, scene.over_white[targets]).mean())
    assert outcome.objects[0][name]["psnr"] == pytest.approx(expected, abs=0.1)  # views are kept in 8 bits


def test_another_model_is_given_the_source_and_asked_for_the_targets(box_dataset):
    item = data.SeenViews(box_dataset, ("val",), MICRO, None, True)[0]
    case = judging.case_of(item, judging.ViewsJudging(poses=3))

    def oracle(pictures, alpha, c2w, K, other_c2w, other_K):
        torch.testing.assert_close(pictures, item.pictures(case.views[:1]))
        torch.testing.assert_close(alpha[0, 0], item.rgba[case.views[0], 3] / 255)
        torch.testing.assert_close(c2w[0], item.c2w[case.views[0]])
        torch.testing.assert_close(K[0], item.K[case.views[0]])
        views = [int((item.c2w - camera).abs().sum((1, 2)).argmin()) for camera in other_c2w]
        return item.pictures(views)

    assert judging.agreement(judging.rendered(case, oracle, CPU), case)["psnr"] == pytest.approx(100)


def test_runs_that_can_not_be_compared_are_refused(runs, box_dataset):
    def evaluate(family, run, other, name):
        training.evaluate(family, runs / run, box_dataset, device="cpu", against=[(other, runs / name)], objects=1)

    with pytest.raises(ConfigError, match="sees pictures of 32 pixels, these have 16: train one with --set size=16"):
        evaluate(NOVEL_VIEWS, "views", GAUSSIANS, "large")
    with pytest.raises(ConfigError, match="draws no views"):
        evaluate(NOVEL_VIEWS, "views", MONOCULAR, "lrm")
    with pytest.raises(ConfigError, match="not judged against"):
        evaluate(GAUSSIANS, "lrm", GAUSSIANS, "lrm")
    twice = [(GAUSSIANS, runs / "lrm")] * 2
    with pytest.raises(ConfigError, match="two runs of --against are called"):
        training.evaluate(NOVEL_VIEWS, runs / "views", box_dataset, device="cpu", against=twice)


def test_the_command_takes_a_run_beside(runs, box_dataset, tmp_path):
    options = ["--judge", "poses=2", "--judge", "seeds=1", "--judge", "sampling.steps=1", "--device", "cpu"]
    arguments = ["evaluate", runs / "views", box_dataset, "--against", runs / "lrm", "--out", tmp_path, *options]
    answer = CliRunner().invoke(app, [*map(str, arguments)])
    assert answer.exit_code == 0, answer.output
    assert "gaussians (lrm)" in (tmp_path / "table.md").read_text()
