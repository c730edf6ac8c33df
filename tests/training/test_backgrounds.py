"""Recipes with a background: the inputs of every family that sees pictures stand in front of it, and nothing else changes."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from versemill import seeds
from versemill.errors import ConfigError
from versemill.generation.normals import data as normals
from versemill.generation.normals import domains
from versemill.generation.normals.presets import PRESETS as NORMALS
from versemill.mill.pipeline.config import settings
from versemill.reconstruction import posed
from versemill.reconstruction.families import GAUSSIANS
from versemill.reconstruction.monocular import MONOCULAR
from versemill.shards import backgrounds
from versemill.shards.backgrounds import Background
from versemill.training.scenes import laid_over


def rng(index=0):
    return seeds.stream(0, index, "test")


def same(first, second, but=()):
    return [f.name for f in fields(first) if not torch.equal(getattr(first, f.name), getattr(second, f.name))] == list(but)


@pytest.mark.parametrize("family", [GAUSSIANS, MONOCULAR], ids=lambda family: family.name)
@pytest.mark.parametrize("background", [Background(kinds=("clutter",)), Background(colour=(0.2, 0.4, 0.6))])
def test_only_the_input_pictures_change(balls, family, background):
    recipe = family.preset("micro").model_copy(update={"size": 16, "batch": 2, "input_views": 3})
    white, laid, again = (
        family.batches(balls, recipe.model_copy(update={"background": each}), 4, 0, 1)[1]
        for each in (None, background, background)
    )
    assert same(white, laid, but=("images",))
    assert same(laid, again)
    full, bare = ((white.alpha == value).expand_as(white.images) for value in (1, 0))
    torch.testing.assert_close(laid.images[full], white.images[full], atol=1e-5, rtol=0)
    assert (white.images[bare] == 1).all()
    assert (laid.images[bare] != 1).any()
    if background.colour:
        behind = laid.images.movedim(-3, -1)[(white.alpha == 0)[..., 0, :, :]]
        torch.testing.assert_close(behind, torch.tensor(background.colour).expand_as(behind))


def test_a_scene_in_front_of_a_colour_is_mixed_as_light(make_ball):
    scene = make_ball(1, 16, 3)
    colour = (0.1, 0.9, 0.5)
    laid = laid_over(Background(colour=colour), rng(), scene.rgb, scene.alpha, scene.c2w, scene.K)
    straight = (scene.rgb / scene.alpha.clamp_min(1e-6)).numpy()
    behind = np.broadcast_to(np.array(colour, np.float32)[:, None, None], straight.shape)
    assert np.allclose(laid, backgrounds.over(straight, scene.alpha.numpy(), behind), atol=1e-6)
    edge = ((scene.alpha > 0.2) & (scene.alpha < 0.8)).expand_as(laid)
    assert edge.any()
    assert (laid - (scene.rgb + (1 - scene.alpha) * torch.from_numpy(behind.copy())))[edge].abs().mean() > 0.01


def test_photograph_like_pictures_take_the_recipes_background():
    y, x = np.mgrid[:64, :64] - 31.5
    inside = x * x + y * y < 20**2
    rgba = np.where(inside, 120, 0)[None].repeat(4, 0).astype(np.uint8)
    rgba[3] = 255 * inside
    normal = np.where(inside, np.array([0, 0, -1])[:, None, None], 0).astype(np.float16)
    views = normals.Views(rgba[None], normal[None], "disc", "detailverse", 0)
    recipe = NORMALS["micro"]
    usual = normals.photographed(views, recipe, rng())
    laid = normals.photographed(views, recipe.model_copy(update={"background": Background(kinds=("checker",))}), rng())
    assert same(usual, laid, but=("picture",)), "noise, crop and labels stay"
    calm = replace(domains.TRAINING, exposure=0.0, balance=0.0, blur=0.0, grain=0.0, quality=(95, 95))
    bare = np.zeros((4, 16, 16), np.float32)
    behind = np.full((3, 16, 16), 0.25, np.float32)
    assert np.abs(domains.photograph(bare, calm, rng(), behind) - 0.25).max() < 0.02


def test_draws_aside_move_nothing():
    plain, split = rng(3), rng(3)
    aside = seeds.aside(split)
    drawn = aside.random(5)
    assert np.array_equal(plain.random(5), split.random(5))
    assert not np.array_equal(drawn, rng(3).random(5))
    assert np.array_equal(drawn, seeds.aside(rng(3)).random(5))


def test_folders_are_looked_at_before_anything_is_trained(tmp_path, box_dataset):
    recipe = settings("preset micro", type(GAUSSIANS.preset("micro")), [
        "background.kinds=[photographs]", f"background.photographs={tmp_path}",
    ], GAUSSIANS.preset("micro").model_dump())  # fmt: skip
    assert recipe.background == Background(kinds=("photographs",), photographs=str(tmp_path))
    with pytest.raises(ConfigError, match="has no picture"):
        posed.data(box_dataset, ("train",), recipe, None, False)
    with pytest.raises(ValidationError):
        type(recipe).model_validate(recipe.model_dump() | {"background": {"kinds": ["sky"]}})
