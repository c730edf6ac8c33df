"""Scenes and batches: pure functions of (seed, step), consistent augmentation, sensible views."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from versemill.errors import ConfigError
from versemill.reconstruction import GAUSSIANS
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training.scenes import Scenes, angles, scene, spread


def test_a_batch_is_a_pure_function_of_seed_and_step(balls, toy_preset: GaussiansRecipe) -> None:
    first, second, other = (
        GAUSSIANS.batches(balls, toy_preset, 3, 0, 1),
        GAUSSIANS.batches(balls, toy_preset, 3, 0, 1),
        GAUSSIANS.batches(balls, toy_preset, 4, 0, 1),
    )
    second[0]  # asking for other steps before changes nothing
    a, b = first[5], second[5]
    assert all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    assert not torch.equal(a.c2w, other[5].c2w)


def test_an_epoch_takes_every_scene_once(balls, toy_preset: GaussiansRecipe) -> None:
    batches = GAUSSIANS.batches(balls, toy_preset, 0, 0, 1)
    for epoch in range(3):
        assert sorted(batches._item(epoch * len(balls) + k) for k in range(len(balls))) == list(range(len(balls)))


def test_targets_hold_novel_views_and_an_input(balls, toy_preset: GaussiansRecipe) -> None:
    batch = GAUSSIANS.batches(balls, toy_preset.model_copy(update={"augment": False}), 0, 0, 1)[0]
    for k in range(toy_preset.batch):
        known = [any(torch.equal(t, i) for i in batch.c2w[k]) for t in batch.target_c2w[k]]
        assert sum(known) == 1


def test_the_view_angle_threshold_holds(balls, toy_preset: GaussiansRecipe) -> None:
    batch = GAUSSIANS.batches(balls, toy_preset.model_copy(update={"max_angle": 40.0, "augment": False}), 0, 0, 1)[1]
    for k in range(toy_preset.batch):
        assert angles(batch.target_c2w[k], batch.c2w[k]).min(1).values.max() <= 40.0


def test_augmentation_turns_all_cameras_as_one_and_keeps_pixels(balls, toy_preset: GaussiansRecipe) -> None:
    plain = GAUSSIANS.batches(balls, toy_preset.model_copy(update={"augment": False}), 0, 0, 1)[0]
    turned = GAUSSIANS.batches(balls, toy_preset, 0, 0, 1)[0]
    between = turned.c2w[0, 0] @ torch.linalg.inv(plain.c2w[0, 0])
    torch.testing.assert_close(between @ plain.c2w[0], turned.c2w[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(between[2], torch.tensor([0.0, 0.0, 1.0, 0.0]), atol=1e-5, rtol=0)
    assert torch.equal(plain.alpha, turned.alpha)
    torch.testing.assert_close(plain.images[0].sum(1), turned.images[0].sum(1))


def test_spread_views_differ_and_leave_some_to_test(balls) -> None:
    chosen = spread(balls[0].c2w, 4)
    assert len(set(chosen)) == 4
    apart = angles(balls[0].c2w[chosen], balls[0].c2w[chosen])
    assert apart[~torch.eye(4, dtype=torch.bool)].min() > 30
    with pytest.raises(ConfigError, match="at least 9 views"):
        spread(balls[0].c2w, 8)


def test_shards_give_premultiplied_scenes_of_the_asked_size(box_dataset: Path) -> None:
    scenes = Scenes(box_dataset, ("train",), 16, keep=True)
    assert len(scenes) == 4
    item = scenes[0]
    assert item.rgb.shape == (6, 3, 16, 16)
    assert (item.rgb <= item.alpha + 1e-6).all()
    assert item.K[0, 0, 2] == pytest.approx(8.0)
    assert scenes[0] is item
    assert not item.depth[item.alpha == 0].any()


def test_images_that_do_not_suit_are_refused(box_dataset: Path, balls) -> None:
    with pytest.raises(ConfigError, match=r"32 pixels wide .* 64"):
        Scenes(box_dataset, ("train",), 64, keep=False)
    item = balls[0]
    sample = {"id": "x", "rgb": torch.cat([item.rgb, item.alpha], 1), "depth": item.depth, "c2w": item.c2w, "K": item.K}
    with pytest.raises(ConfigError, match="orthographic"):
        scene({**sample, "orthographic": torch.ones(8, dtype=torch.bool)})
    with pytest.raises(ConfigError, match="16 x 8"):
        scene({**sample, "rgb": sample["rgb"][:, :, :8], "orthographic": torch.zeros(8, dtype=torch.bool)})
