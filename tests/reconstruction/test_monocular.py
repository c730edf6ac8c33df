"""The monocular network: its truth on analytic balls, its loss, exact resume, boxes learned by heart, what it is not for."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from versemill.errors import ConfigError
from versemill.reconstruction import MONOCULAR
from versemill.reconstruction.monocular import (
    FACING,
    Monocular,
    MonocularObjective,
    MonocularRecipe,
    Pictures,
    normal_error,
    surface,
)
from versemill.training import evaluate, train
from versemill.training.family import MODEL, UNTRAINED
from versemill.training.loop import fit
from versemill.training.runs import CHECKPOINT, RECORDS, load
from versemill.training.scenes import Scene, Scenes

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def preset() -> MonocularRecipe:
    return MonocularRecipe(
        name="toy", hardware="any", time="seconds", expected="nothing", size=16, patch=2, width=16, layers=2, steps=6, batch=2,
        input_views=2, warmup=2, save_every=3, amp="off", divergence=100.0,
    )  # fmt: skip


def network(preset: MonocularRecipe, seed: int = 0) -> Monocular:
    """One whose answers depend on the picture; a fresh one's don't."""
    torch.manual_seed(seed)
    model = Monocular(preset)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    return model


def truth_of(scene: Scene) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return surface(scene.normal, scene.depth, scene.c2w)


def test_the_truth_of_a_ball_is_that_of_geometry_in_the_cameras_frame(balls) -> None:
    """A normal points from the ball's centre, which lies on the optical axis, to what the pixel sees."""
    scene = balls[0]
    normal, depth, known = truth_of(scene)
    z = depth + 3.0  # all cameras stand 3 away
    x, y = torch.meshgrid(torch.arange(16) + 0.5, torch.arange(16) + 0.5, indexing="xy")
    fx, cx = scene.K[0, 0, 0], scene.K[0, 0, 2]
    points = torch.cat([(x - cx) / fx * z, (y - cx) / fx * z, depth], 1)
    assert known.sum() > 300
    torch.testing.assert_close(normal * known, F.normalize(points, dim=1) * known, atol=1e-4, rtol=0)
    middle = F.normalize(normal[:, :, 7:9, 7:9].mean((2, 3)), dim=1)
    torch.testing.assert_close(middle, torch.tensor([0.0, 0.0, -1.0]).expand(8, 3), atol=1e-2, rtol=0)
    assert (depth[:, :, 8, 8] < -0.5).all()
    # What the camera's right shows points right, what its lower half shows points down.
    assert (normal[:, 0, 8, 11] > 0.3).all()
    assert (normal[:, 1, 11, 8] > 0.3).all()


def test_turning_the_world_leaves_what_a_picture_shows(balls, preset: MonocularRecipe) -> None:
    plain, turned = (MONOCULAR.batches(balls, preset.model_copy(update={"augment": on}), 0, 0, 1)[1] for on in (False, True))
    assert not torch.allclose(plain.normal, turned.normal, atol=0.1)
    for a, b in zip(*(surface(*(t.flatten(0, 1) for t in (x.normal, x.depth, x.c2w))) for x in (plain, turned)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_the_loss_is_one_of_pictures_whatever_their_order(balls, preset: MonocularRecipe) -> None:
    batch: Pictures = MONOCULAR.batches(balls, preset, 0, 0, 1)[0]
    seen = ("images", "alpha", "normal", "depth", "c2w")
    loss = MonocularObjective(network(preset.model_copy(update={"depth": 0.5})))
    total, terms = loss(batch)
    torch.testing.assert_close(total, 1.0 * terms["normal"] + 0.5 * terms["depth"])
    flipped = replace(batch, **{name: getattr(batch, name).flip(1) for name in seen})
    torch.testing.assert_close(loss(flipped)[0], total, atol=1e-4, rtol=0)
    assert abs(loss(replace(batch, c2w=batch.c2w.flip(1)))[0] - total) > 0.01  # another camera's frame is another truth


def test_the_perfect_answer_has_no_loss_and_no_error(balls, preset: MonocularRecipe) -> None:
    batch = MONOCULAR.batches(balls, preset, 0, 0, 1)[0]
    loss = MonocularObjective(network(preset))
    normal, depth, _ = surface(*(t.flatten(0, 1) for t in (batch.normal, batch.depth, batch.c2w)))
    loss.model.forward = lambda images, alpha: (normal, depth)
    assert loss(batch)[0] < 1e-5
    assert normal_error(truth_of(balls[0])[0], balls[0]) < 0.1
    assert normal_error(-truth_of(balls[0])[0], balls[0]) > 179.9


def test_an_untrained_network_is_its_baseline(balls, preset: MonocularRecipe) -> None:
    fresh = Monocular(preset)
    normal, depth = fresh(balls[0].over_white, balls[0].alpha)
    assert normal.shape == (8, 3, 16, 16)
    assert depth.shape == (8, 1, 16, 16)
    assert normal.dtype == depth.dtype == torch.float32
    judging = MONOCULAR.judging()
    ((name, values),) = MONOCULAR.baselines(balls, balls, judging).items()
    assert name == FACING
    assert values["normal_error"] == pytest.approx(MONOCULAR.score(fresh, balls, judging, CPU)["normal_error"])
    assert 20 < sum(values["normal_error"]) / len(balls) < 60


def test_mixed_precision_answers_nearly_the_same(balls, preset: MonocularRecipe) -> None:
    answers = [
        network(preset.model_copy(update={"amp": amp}))(balls[0].over_white, balls[0].alpha) for amp in ("off", "bfloat16")
    ]
    for exact, rough in zip(*answers, strict=True):
        assert rough.dtype == torch.float32
        torch.testing.assert_close(exact, rough, atol=0.1, rtol=0)


def test_a_stopped_training_goes_on_to_the_same_losses_and_weights(balls, preset: MonocularRecipe, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, total: int, record: dict[str, float]) -> None:
        if done == 5:  # past the checkpoint of step 3
            raise StopError

    fit(MONOCULAR, balls, preset, tmp_path / "whole", 0, "cpu")
    with pytest.raises(StopError):
        fit(MONOCULAR, balls, preset, tmp_path / "broken", 0, "cpu", stop)
    fit(MONOCULAR, balls, preset, tmp_path / "broken", 0, "cpu")
    assert (tmp_path / "broken" / RECORDS).read_bytes() == (tmp_path / "whole" / RECORDS).read_bytes()
    saved = [torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("broken", "whole")]
    torch.testing.assert_close(*saved, rtol=0, atol=0)


def test_a_rendered_box_is_learned_by_heart(
    box_dataset: Path, preset: MonocularRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six views whose faces are known by their colours alone."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # so little work that threads would only wait for each other
    recipe = {"size": 32, "steps": 300, "warmup": 10, "lr": 5e-3, "batch": 1, "input_views": 6, "ema": 0.9, "save_every": 300}
    scene = Scenes(box_dataset, ("train",), 32, keep=True, normals=True)[0]
    fit(MONOCULAR, [scene], preset.model_copy(update={**recipe, "augment": False}), tmp_path, 0, "cpu")
    judging = MONOCULAR.judging()
    assert MONOCULAR.baselines([scene], [scene], judging)[FACING]["normal_error"][0] > 30
    network, _ = load(MONOCULAR, tmp_path, CPU)
    assert MONOCULAR.score(network, [scene], judging, CPU)["normal_error"][0] < 6


def test_it_trains_on_shards_and_is_judged_beside_facing_the_camera(
    box_dataset: Path, preset: MonocularRecipe, tmp_path: Path
) -> None:
    train(MONOCULAR, box_dataset, preset.model_copy(update={"steps": 1}), tmp_path, device="cpu")
    result = evaluate(MONOCULAR, tmp_path, box_dataset, device="cpu")
    assert list(result.summary) == [MODEL, UNTRAINED, FACING]
    # A fresh network says that everything faces the camera.
    assert result.summary[UNTRAINED]["normal_error"] == pytest.approx(result.summary[FACING]["normal_error"])
    gain = result.summary[FACING]["normal_error"] - result.summary[MODEL]["normal_error"]
    assert result.gains[FACING][0] == pytest.approx(gain)  # of an error, the lower is the better
    with pytest.raises(ConfigError, match="does not train with LPIPS"):
        train(MONOCULAR, box_dataset, preset, tmp_path / "other", device="cpu", lpips=tmp_path)


def test_sizes_that_do_not_divide_are_refused(preset: MonocularRecipe) -> None:
    with pytest.raises(ValueError, match="multiple of patch 2 times 2 per layer"):
        Monocular(preset.model_copy(update={"size": 20}))
    with pytest.raises(ValueError, match="width 20 of 8"):
        Monocular(preset.model_copy(update={"width": 20}))
