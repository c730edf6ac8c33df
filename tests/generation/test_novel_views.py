"""Novel views on a dataset of boxes: poses and rays, examples, the loss, what is withheld, the truth, exact resume."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner
from view_networks import MICRO, MULTI, UNET, awake

from versemill import seeds, training
from versemill.errors import ConfigError
from versemill.generation import MULTI_VIEWS, NOVEL_VIEWS, paths
from versemill.generation.views import data, judging
from versemill.generation.views.answers import FRAMES
from versemill.generation.views.attention import explicit, fused
from versemill.generation.views.cameras import orbit, plucker, relative_pose, turned
from versemill.generation.views.network import NovelViews, Objective
from versemill.generation.views.sampler import Sampling
from versemill.mill.cli import app
from versemill.training.loop import train, try_step
from versemill.training.runs import RECORDS, load

CPU = torch.device("cpu")
DEGREES = st.floats(-170, 170)


def poses(*angles, distance=3.0):
    return torch.tensor(np.stack([orbit(*pair, distance) for pair in angles]), dtype=torch.float32)[None]


@pytest.fixture(scope="module")
def boxes_seen(box_dataset):
    return data.SeenViews(box_dataset, ("train",), MICRO, None, False)


@pytest.fixture(scope="module")
def run(box_dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("views")
    train(NOVEL_VIEWS, box_dataset, MICRO, out, device="cpu")
    return out


@given(source=DEGREES, step=DEGREES, low=st.floats(-60, 60), high=st.floats(-60, 60), turn=DEGREES)
def test_poses_are_relative_in_azimuth(source, step, low, high, turn):
    pair = poses((source, low), (source + step, high))
    polar, sine, cosine, radius = relative_pose(pair)[0, 0]
    assert float(polar) == pytest.approx(np.radians(low - high), abs=1e-4)  # the polar angle falls as elevation rises
    assert (float(sine), float(cosine)) == pytest.approx((np.sin(np.radians(step)), np.cos(np.radians(step))), abs=1e-4)
    assert float(radius) == pytest.approx(0, abs=1e-4)
    moved = poses((source + turn, low), (source + step + turn, high))
    torch.testing.assert_close(turned(moved), turned(pair), atol=1e-4, rtol=1e-4)
    assert float(turned(pair)[0, 0, 1, 3]) == pytest.approx(0, abs=1e-4)
    assert float(turned(pair)[0, 0, 0, 3]) > 0


def test_a_ray_holds_the_points_that_its_pixel_shows():
    c2w = poses((40, 20))
    K = torch.tensor([[20.0, 0, 8], [0, 20, 8], [0, 0, 1]])[None, None]
    d, moment = plucker(c2w, K, 16)[0, 0].chunk(2)
    point = c2w[0, 0] @ torch.tensor([(2.5 - 8) / 20 * 1.7, (10.5 - 8) / 20 * 1.7, 1.7, 1.0])  # seen by pixel (2, 10)
    torch.testing.assert_close(torch.linalg.cross(point[:3], d[:, 10, 2]), moment[:, 10, 2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(d.norm(dim=0), torch.ones(16, 16))


def test_every_pixel_is_composited_by_its_alpha(boxes_seen):
    item = boxes_seen[0]
    rgba = item.rgba.numpy() / 255.0
    expected = rgba[:, :3] * rgba[:, 3:] + (1 - rgba[:, 3:])
    assert ((rgba[:, 3] > 0.05) & (rgba[:, 3] < 0.95)).any()
    np.testing.assert_allclose(item.pictures(range(6)).numpy(), expected, atol=1e-6)


def test_an_example_is_views_of_one_asset_with_their_cameras(boxes_seen):
    recipe = MICRO.model_copy(update={"permute": False, "targets": 3, "identity": 0.2, "drop": 0.1})
    kept, identical, regressed = [], [], []
    for number in range(400):
        item = boxes_seen[number % 4]
        made = data.example(item, recipe, seeds.stream(0, number, "test"), 0.3)
        every = item.pictures(range(6))
        shown = torch.cat([made.source[None], made.target])
        views = [int((every - picture).square().mean((1, 2, 3)).argmin()) for picture in shown]
        torch.testing.assert_close(shown, every[views])
        torch.testing.assert_close(made.c2w, item.c2w[views])
        kept.append(made.keep)
        identical += [view == views[0] for view in views[1:]]
        regressed.append(made.blank)
    kept = torch.stack(kept)
    assert np.mean(identical) == pytest.approx(0.2, abs=0.05)
    assert float(torch.stack(regressed).mean()) == pytest.approx(0.3, abs=0.05)
    shares = [float(((kept[:, 0] == a) & (kept[:, 1] == b)).float().mean()) for a, b in ((0, 1), (0, 0), (1, 0))]
    assert shares == pytest.approx([0.1] * 3, abs=0.05)


def test_first_everything_is_regressed(boxes_seen):
    batches = NOVEL_VIEWS.batches(boxes_seen, MICRO.model_copy(update={"regress": 0.0}), 0, 0, 1)
    assert [bool(batches[step].blank.all()) for step in range(6)] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("prediction", ["data", "noise", "v"])
def test_the_loss_is_the_error_of_what_the_path_asks_for(boxes_seen, prediction):
    recipe = MICRO.model_copy(update={"prediction": prediction, "regress": 0.5})
    batch = NOVEL_VIEWS.batches(boxes_seen, recipe, 0, 0, 1)[5]
    assert 0 < batch.blank.sum() < batch.blank.numel()
    network = awake(NOVEL_VIEWS.fresh(recipe, 0))
    total, terms = Objective(network)(batch)
    path = paths.DDPM(prediction=prediction)
    errors = []
    for b in range(2):
        context = network.look(batch.source[b : b + 1], batch.c2w[b : b + 1], batch.K[b : b + 1], batch.keep[b : b + 1])
        blank = batch.blank[b].bool()
        t = torch.where(blank, 1.0, path.times(batch.uniform[b] ** 0.5))
        truth = 2 * batch.target[b] - 1
        noise = torch.where(blank[:, None, None, None], 0.0, batch.noise[b])
        x = torch.where(blank[:, None, None, None], 0.0, paths.mix(path, truth, noise, t))
        errors.append((network(x, 1000 * t, context) - paths.target(path, truth, noise, t)).square().mean((1, 2, 3)))
    errors = torch.cat(errors)
    torch.testing.assert_close(total, errors.mean())
    torch.testing.assert_close(terms["regression"], errors[batch.blank.flatten() > 0].mean().detach())


def look(network, batch, keep=(1.0, 1.0), **changes):
    batch = dataclasses.replace(batch, **changes)
    return network.look(batch.source, batch.c2w, batch.K, torch.tensor(keep).expand(len(batch.source), 2))


@pytest.mark.parametrize("recipe", [MICRO, UNET], ids=["transformer", "unet"])
def test_what_is_withheld_is_not_seen(recipe):
    network = awake(NovelViews(recipe))
    batch = data.noise(recipe, torch.Generator().manual_seed(0))
    x, time = batch.noise.flatten(0, 1), torch.full((batch.noise.shape[1],), 500.0)
    other = {"source": 1 - batch.source}
    moved = {"c2w": torch.cat([batch.c2w[:, :1], poses(*[(77.0, 50.0)] * batch.noise.shape[1])], 1)}

    def answer(keep, **changes):
        return network(x, time, look(network, batch, keep, **changes))

    with torch.no_grad():
        plain = answer((1.0, 1.0))
        for change in (other, moved):
            assert not torch.allclose(plain, answer((1.0, 1.0), **change), atol=1e-3)
        torch.testing.assert_close(answer((0.0, 1.0)), answer((0.0, 1.0), **other))
        torch.testing.assert_close(answer((1.0, 0.0)), answer((1.0, 0.0), **moved))


@pytest.mark.parametrize("recipe", [MICRO, UNET], ids=["transformer", "unet"])
def test_targets_of_one_source_do_not_see_each_other(recipe):
    recipe = recipe.model_copy(update={"targets": 3})
    network = awake(NovelViews(recipe))
    batch = data.noise(recipe, torch.Generator().manual_seed(0))
    x, time = batch.noise.flatten(0, 1), torch.tensor([900.0, 500.0, 100.0])
    with torch.no_grad():
        whole = network(x, time, look(network, batch))
        for k in range(3):
            alone = look(network, batch, c2w=batch.c2w[:, [0, 1 + k]], K=batch.K[:, [0, 1 + k]])
            torch.testing.assert_close(network(x[k : k + 1], time[k : k + 1], alone), whole[k : k + 1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("recipe", [MICRO, UNET], ids=["transformer", "unet"])
def test_explicit_logits_attend_as_the_library_does(recipe):
    network = awake(NovelViews(recipe))
    batch = data.noise(recipe, torch.Generator().manual_seed(0))
    context = look(network, batch)
    x, time = batch.noise.flatten(0, 1), torch.full((batch.noise.shape[1],), 300.0)
    layers = []

    def noted(layer, queries, keys, values):
        layers.append(layer)
        return explicit(layer, queries, keys, values)

    with torch.no_grad():
        ours, theirs = network(x, time, context, noted), network(x, time, context, fused)
        assert float(theirs.std()) > 0.05
        assert float((ours - theirs).abs().max()) < 1e-5
        assert layers == sorted(set(layers))
        assert set(network.core.late) < set(layers)
        if recipe is UNET:
            from diffusers.models.attention_processor import AttnProcessor2_0

            network.core.unet.set_attn_processor(AttnProcessor2_0())
            both = torch.cat([x, context.source], 1)
            own = network.core.unet(both, time, context.token).sample
            assert float((ours - own).abs().max()) < 1e-5


def test_a_checkpoint_refuses_another_prediction(run, tmp_path):
    weights = torch.load(run / "checkpoint.pt", weights_only=True)["average"]
    with pytest.raises(ConfigError, match="it was changed"):
        NovelViews(MICRO.model_copy(update={"prediction": "v"})).load_state_dict(weights)
    NovelViews(MICRO).load_state_dict(weights)


@pytest.mark.parametrize("recipe", [MICRO, UNET], ids=["transformer", "unet"])
def test_a_stopped_training_goes_on_exactly(recipe, box_dataset, tmp_path):
    family = dataclasses.replace(NOVEL_VIEWS, preview=None)
    recipe = recipe.model_copy(update={"steps": 4, "warm": 2, "save_every": 2, "divergence": 1e6})
    train(family, box_dataset, recipe, tmp_path / "whole", device="cpu")

    def stop(step, count, record):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(family, box_dataset, recipe, tmp_path / "parts", device="cpu", progress=stop)
    train(family, box_dataset, recipe, tmp_path / "parts", device="cpu")
    assert (tmp_path / "parts" / RECORDS).read_text() == (tmp_path / "whole" / RECORDS).read_text()


def test_one_step_of_the_smallest_preset():
    assert "trained one step" in try_step(NOVEL_VIEWS, "cpu")


def test_the_truth_scores_full_marks_and_the_input_knows_no_pose(box_dataset, boxes_seen):
    held = data.SeenViews(box_dataset, ("val",), MICRO, None, True)
    case = judging.case_of(held[0], judging.ViewsJudging(poses=3))
    assert len(set(case.views)) == 4
    scores = judging.agreement(case.targets[None], case)
    assert scores["psnr"] == pytest.approx(100)
    assert scores["ssim"] == pytest.approx(1, abs=1e-5)
    assert scores["random_features"] == pytest.approx(0, abs=1e-6)
    assert scores["iou"] == 1
    assert scores["right_pose"] == 1
    assert scores["wrong_pose"] > 50
    plain = judging.baseline_scores([case], boxes_seen, None)
    assert set(plain) == {judging.COPY, judging.MEAN, judging.NEAREST}
    assert plain[judging.COPY]["right_pose"] == [0]
    assert plain[judging.COPY]["wrong_pose"][0] == pytest.approx(0, abs=1e-5)


def test_the_nearest_training_view_of_a_training_object_is_the_truth(boxes_seen):
    """Azimuths of a ring are shared by all objects, and of one's own picture the nearest is itself."""
    case = judging.case_of(boxes_seen[1], judging.ViewsJudging(poses=4))
    torch.testing.assert_close(judging.plain_answers(case, boxes_seen)[judging.NEAREST], case.targets)


def test_an_evaluation_has_every_method_and_metric(run, box_dataset):
    settings = judging.ViewsJudging(poses=2, seeds=2, sampling=Sampling(steps=2))
    outcome = training.evaluate(NOVEL_VIEWS, run, box_dataset, judging=settings, device="cpu")
    assert list(outcome.summary) == ["model", judging.REGRESSION, judging.COPY, judging.MEAN, judging.NEAREST]
    assert set(outcome.summary["model"]) == {m.key for m in judging.METRICS} - {"lpips"}
    assert "2 calls of the network" in " ".join(outcome.notes)
    assert Image.open(outcome.files["sheet"][0]).width > 400
    network, _ = load(NOVEL_VIEWS, run, CPU)
    cases = [judging.case_of(data.SeenViews(box_dataset, ("val",), MICRO, None, True)[0], settings)]
    assert judging.score(network, cases, settings, CPU)["psnr"][0] == pytest.approx(
        outcome.objects[0]["model"]["psnr"], abs=1e-4
    )


def test_unsuitable_data_and_presets_are_refused(box_dataset, tmp_path):
    with pytest.raises(ConfigError, match="needs square ones of 64"):
        data.SeenViews(box_dataset, ("train",), MICRO.model_copy(update={"size": 64}), None, False)
    for wrong, words in (({"size": 18}, "not a multiple of 4"), ({"width": 33}, "not a multiple of 4 heads")):
        with pytest.raises(ConfigError, match=words):
            type(MICRO)(**{**MICRO.model_dump(), **wrong})
    few = data.SeenViews(box_dataset, ("train",), MICRO, None, False)[0]
    with pytest.raises(ConfigError, match="a source and two targets"):
        judging.case_of(dataclasses.replace(few, rgba=few.rgba[:2]), judging.ViewsJudging())


@pytest.fixture(scope="module")
def picture(box_dataset, tmp_path_factory):
    """A view of a held-out box, as PNG with alpha."""
    item = data.SeenViews(box_dataset, ("val",), MICRO.model_copy(update={"size": 32}), None, True)[0]
    path = tmp_path_factory.mktemp("picture") / "box.png"
    Image.fromarray(item.rgba[0].permute(1, 2, 0).numpy()).save(path)
    return path


def command(*arguments):
    answer = CliRunner().invoke(app, ["views", *map(str, arguments), "--device", "cpu"])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.stdout


def test_the_command_writes_a_view_per_azimuth_and_a_turntable(run, picture, tmp_path):
    said = command(run, "--image", picture, "--azimuth", "30, 60,-90.5", "--steps", 2, "--turntable", "--out", tmp_path)
    assert "2 calls of the network per view" in said
    names = {"azimuth-30.png", "azimuth-60.png", "azimuth--90.5.png", "turntable.gif"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert Image.open(tmp_path / "azimuth-30.png").size == (16, 16)
    assert Image.open(tmp_path / "turntable.gif").n_frames == FRAMES
    said = command(run, "--image", picture, "--azimuth", "30", "--filter", "zero-to-hero", "--out", tmp_path / "again")
    assert "66 calls" in said
    again = [np.asarray(Image.open(folder / "azimuth-30.png")) for folder in (tmp_path, tmp_path / "again")]
    assert (again[0] != again[1]).any()


def test_the_command_says_what_it_can_not_use(run, picture, tmp_path):
    wide, small = tmp_path / "wide.png", tmp_path / "small.png"
    Image.new("RGBA", (64, 32), (255, 0, 0, 0)).save(wide)
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(small)
    (tmp_path / "text.png").write_text("no picture")
    base = ["--azimuth", "30", "--out", tmp_path / "out", "--image"]
    for arguments, words in (
        ((run, *base, wide), "64 x 32 pixels; a square picture of 16 to 8000"),
        ((run, *base, small), "8 x 8 pixels"),
        ((run, *base, tmp_path / "text.png"), "can't read the picture"),
        ((run, *base, tmp_path / "none.png"), "can't read the picture"),
        ((tmp_path, *base, picture), "is not a training run"),
        ((run, "--out", tmp_path / "out", "--image", picture), "--azimuth"),
        ((run, *base, picture, "--azimuth", "30,x"), "not a list of degrees"),
        ((run, *base, picture, "--azimuth", "30,nan"), "between -360 and 360"),
        ((run, *base, picture, "--azimuth", "30,30.0"), "twice"),
        ((run, *base, picture, "--azimuth", ",".join(str(k) for k in range(73))), "the limit is 72"),
    ):
        with pytest.raises(ConfigError, match=words):
            command(*arguments)
    assert not (tmp_path / "out").exists()


def test_views_that_are_drawn_together_see_each_other_and_share_their_noise_level(boxes_seen):
    recipe = MULTI.model_copy(update={"regress": 0.5})
    batch = MULTI_VIEWS.batches(boxes_seen, recipe, 0, 0, 1)[5]
    for drawn in (batch.uniform, batch.blank):
        assert torch.equal(drawn, drawn[:, :1].expand_as(drawn))
    network = awake(NovelViews(recipe))
    x, time = batch.noise.flatten(0, 1), torch.tensor([900.0, 100.0]).repeat_interleave(4)
    with torch.no_grad():
        whole = network(x, time, look(network, batch))
        changed = x.clone()
        changed[0] *= -1
        other = network(changed, time, look(network, batch))
        assert not torch.allclose(whole[1:4], other[1:4], atol=1e-3)
        torch.testing.assert_close(whole[4:], other[4:])
        # Their order says nothing; and each of them is seen by the others alone where it differs.
        order = torch.tensor([2, 0, 3, 1])
        places = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + order])
        turned_ = look(network, batch, c2w=batch.c2w[:, places], K=batch.K[:, places])
        again = network(x.unflatten(0, (2, 4))[:, order].flatten(0, 1), time, turned_)
        torch.testing.assert_close(again, whole.unflatten(0, (2, 4))[:, order].flatten(0, 1), atol=1e-5, rtol=1e-4)


def test_multi_views_are_trained_judged_and_drawn(box_dataset, picture, tmp_path):
    train(MULTI_VIEWS, box_dataset, MULTI, tmp_path / "run", device="cpu")
    settings = judging.ViewsJudging(poses=4, seeds=1, sampling=Sampling(steps=2))
    outcome = training.evaluate(MULTI_VIEWS, tmp_path / "run", box_dataset, judging=settings, device="cpu")
    assert set(outcome.summary["model"]) == {m.key for m in judging.METRICS} - {"lpips"}
    command(tmp_path / "run", "--image", picture, "--azimuth", "30,60", "--steps", 2, "--out", tmp_path / "views")
    assert len(list((tmp_path / "views").iterdir())) == 2
    with pytest.raises(ConfigError, match="drawn alone"):
        command(
            tmp_path / "run", "--image", picture, "--azimuth", "30", "--filter", "zero-to-hero", "--out", tmp_path / "views"
        )
    with pytest.raises(ConfigError, match="take network: transformer"):
        type(UNET)(**{**UNET.model_dump(), "together": True})
