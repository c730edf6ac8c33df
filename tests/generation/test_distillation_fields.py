"""A known box from a 2D model that knows it: every method gets there; fields, cameras and runs keep their promises."""

import json

import numpy as np
import pytest
import torch
from analytic import Oracle, box

from versemill.errors import ConfigError
from versemill.generation.distillation import cameras, optimisation
from versemill.generation.distillation.fields import Splats, Voxels
from versemill.generation.distillation.methods import Draws
from versemill.generation.distillation.models import Prior
from versemill.generation.distillation.settings import Cameras, Distillation, Inversion, Scoring
from versemill.generation.distillation.variational import Variational
from versemill.training.images import iou, psnr
from versemill.training.loop import DivergenceError

SIZE = 20


def settings(method="sdi", field="voxels", iterations=80, **changes):
    scoring = Scoring(method=method, guidance=1.0, highest=0.98, inversion=Inversion(steps=5), rounds=3)
    return Distillation(
        scoring=scoring, views=2, field=field, gaussians=300, resolution=18, samples=24, rate=0.03, iterations=iterations,
        **changes,
    )  # fmt: skip


def held_out(size=SIZE):
    return cameras.posed([20.0, 80.0, 140.0, 200.0, 260.0, 320.0], [25.0] * 6, Cameras(), size)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "field"),
    [
        ("sds", "gaussians"),
        ("sdi", "gaussians"),
        ("sdi", "voxels"),
        ("ism", "voxels"),
        ("fixed", "voxels"),
        ("fixed-point", "gaussians"),
    ],
)
def test_every_method_reaches_the_object(method, field):
    state = optimisation.optimise(settings(method, field), Oracle(SIZE), None, seed=0)
    truth, hit = box(*held_out(), SIZE)
    with torch.no_grad():
        seen = state.field.see(*held_out(), SIZE)
    assert float(psnr(torch.ones_like(truth), truth).mean()) < 10
    assert float(psnr(seen.over(1.0)[0], truth).mean()) > 16
    assert float(iou(seen.alpha[0, :, 0] > 0.5, hit).mean()) > 0.9


def test_vsd_starts_as_the_model_itself():
    """Before the second network has learned anything, both see the same noise and nothing moves; learning lowers its loss."""
    model, scoring = Oracle(12), settings("vsd").scoring
    c2w, K = held_out(12)
    prior = Prior(model.path, *model.estimators(c2w, K))
    x, second = torch.zeros(6, 3, 12, 12), Variational(3, 0, torch.device("cpu"))
    assert torch.equal(second.target(prior, x, torch.tensor(0.5), c2w, scoring, Draws(0, 0)), x)
    before = [second.learn(prior, x, c2w, Draws(0, 0)) for _ in range(20)]
    assert before[-1] < before[0]
    moved = second.target(prior, x, torch.tensor(0.5), c2w, scoring, Draws(0, 0))
    truth = model.encode(box(c2w, K, 12)[0])
    assert ((moved - x) * (truth - x)).sum() > 0, "towards what the model knows"


@pytest.mark.slow
def test_vsd_comes_nearer():
    """It waits for its second network: slower than the others by far, it is only asked for the way."""
    state = optimisation.optimise(settings("vsd", "voxels"), Oracle(SIZE), None, seed=0)
    truth, _ = box(*held_out(), SIZE)
    with torch.no_grad():
        seen = state.field.see(*held_out(), SIZE)
    assert float(psnr(seen.over(1.0)[0], truth).mean()) > float(psnr(torch.ones_like(truth), truth).mean()) + 2


def test_volume_rendering_is_the_beer_lambert_law():
    """A grid of one density: alpha = 1 - exp(-density length) of the ray's way through the box."""
    field = Voxels(settings(), 0)
    with torch.no_grad():
        field.density.fill_(-2.0)
        field.color[:, 0].fill_(10.0)
    c2w, K = held_out(16)
    with torch.no_grad():
        seen = field.see(c2w, K, 16)
    density = 10 * np.log1p(np.exp(-2.0))
    origin, pixel = c2w[1, :3, 3].double().numpy(), np.array([9.5, 6.5, 1.0])
    direction = c2w[1, :3, :3].double().numpy() @ np.linalg.inv(K[1].double().numpy()) @ pixel
    direction /= np.linalg.norm(direction)
    ends = np.sort([(-1 - origin) / direction, (1 - origin) / direction], axis=0)
    length = ends[1].min() - ends[0].max()
    assert float(seen.alpha[0, 1, 0, 6, 9]) == pytest.approx(1 - np.exp(-density * length), abs=1e-4)
    assert float(seen.alpha[0, :, 0, 0, 0].max()) < 1.0
    rgb = seen.rgb[0, 1, :, 6, 9] / seen.alpha[0, 1, 0, 6, 9]
    torch.testing.assert_close(rgb, torch.tensor([1.0, 0.5, 0.5]), atol=1e-3, rtol=0)


def test_voxels_as_gaussians_look_alike():
    field = Voxels(settings(), 0)
    c2w, K = held_out(32)
    with torch.no_grad():
        field.color.copy_(torch.randn(1, 3, 1, 1, 1, generator=torch.Generator().manual_seed(0)).expand_as(field.color))
        seen = field.see(c2w, K, 32)
        from versemill.training.splatting import render

        splats = render(field.gaussians(), c2w[None], K[None], (32, 32))
    assert float(psnr(seen.over(1.0)[0], splats.over(1.0)[0]).mean()) > 18


def test_splats_start_in_the_ball_whatever_the_seed():
    for seed in (0, 1):
        field = Splats(settings(field="gaussians", start_radius=0.4), seed)
        assert float(field.means.norm(dim=1).max()) <= 0.4 + 1e-6
    assert not torch.equal(field.means, Splats(settings(field="gaussians", start_radius=0.4), 0).means)


def test_cameras_look_at_the_origin_one_from_each_sector():
    given = Cameras(elevation=(-10.0, 40.0), distance=2.5)
    for step in range(20):
        c2w, _ = cameras.drawn(given, 32, 4, Draws(3, step))
        place = c2w[:, :3, 3]
        torch.testing.assert_close(place.norm(dim=1), torch.full((4,), 2.5))
        torch.testing.assert_close(-place / 2.5, c2w[:, :3, 2], atol=1e-5, rtol=0)
        elevation = torch.rad2deg(torch.arcsin(place[:, 2] / 2.5))
        assert ((elevation >= -10.01) & (elevation <= 40.01)).all()
        azimuth = torch.rad2deg(torch.atan2(place[:, 1], place[:, 0])) % 360
        gaps = torch.diff(torch.cat([azimuth.sort().values, azimuth.min()[None] + 360]))
        assert float(gaps.max()) <= 180 + 1e-3
    front, _ = cameras.reference(Cameras(picture_elevation=0.0), 32)
    torch.testing.assert_close(front[0, :3, 3], torch.tensor([3.0, 0.0, 0.0]))


class Stop(Exception):
    pass


@pytest.mark.parametrize("method", ["sdi", "vsd"])
def test_a_run_that_was_stopped_equals_one_that_was_not(method, tmp_path):
    model, given = Oracle(12), settings(method, iterations=6, save_every=2)
    rgb, hit = box(*cameras.reference(given.cameras, 12), 12)
    picture = optimisation.Picture(rgb[0], hit[0].float())

    def stop(done, total, record):
        if done == 5:
            raise Stop

    with pytest.raises(Stop):
        optimisation.optimise(given, model, picture, 4, tmp_path / "stopped", progress=stop)
    resumed = optimisation.optimise(given, model, picture, 4, tmp_path / "stopped")
    whole = optimisation.optimise(given, model, picture, 4, tmp_path / "whole")
    assert resumed.calls == whole.calls > 0
    for name in ("field", "optimizer", *(["variational"] if method == "vsd" else [])):
        first, second = (getattr(state, name).state_dict() for state in (resumed, whole))
        torch.testing.assert_close(first, second, atol=0, rtol=0)
    records = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("stopped", "whole")]
    assert records[0] == records[1]
    assert [json.loads(line)["step"] for line in records[0].splitlines()] == [1, 2, 3, 4, 5, 6]


def test_a_folder_of_another_run_is_refused(tmp_path):
    model = Oracle(12)
    optimisation.optimise(settings(iterations=1), model, None, 0, tmp_path, {"model": "a"})
    for changed, seed, basis, word in (
        (settings("sds", iterations=1), 0, "a", "settings"),
        (settings(iterations=1), 1, "a", "seed"),
        (settings(iterations=1), 0, "b", "model"),
    ):
        with pytest.raises(ConfigError, match=f"another {word}"):
            optimisation.optimise(changed, model, None, seed, tmp_path, {"model": basis})
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(ConfigError, match="not readable"):
        optimisation.optimise(settings(iterations=1), model, None, 0, tmp_path, {"model": "a"})


def test_a_model_without_an_answer_stops_the_run():
    class Broken(Oracle):
        def estimators(self, c2w, K):
            return (lambda x, t: (x * torch.nan, x),) * 2

    with pytest.raises(DivergenceError, match="iteration 1: the loss is nan"):
        optimisation.optimise(settings("sds", iterations=1), Broken(12), None, 0)
