"""Baselines that have to be strong: the hull of a ball is nearly the ball."""

import torch

from versemill.training import baselines
from versemill.training import images as metrics
from versemill.training.scenes import angles, spread


def test_the_mean_image_is_the_best_constant(balls) -> None:
    mean = baselines.mean_image(balls)
    views = torch.cat([s.over_white for s in balls])
    best = (views - mean).square().mean()
    assert torch.allclose(mean, views.mean(0), atol=1e-6)
    assert (views - mean - 0.01).square().mean() > best


def test_the_nearest_view_is_the_nearest(balls) -> None:
    scene = balls[0]
    for target, near in zip((4, 5, 6, 7), baselines.nearest_view(scene, [0, 1, 2, 3], [4, 5, 6, 7]), strict=True):
        apart = angles(scene.c2w[target : target + 1], scene.c2w[:4])[0]
        assert apart[near] == apart.min()


def test_the_hull_of_a_ball_is_nearly_the_ball_in_its_colours(balls) -> None:
    for scene in balls:
        inputs = spread(scene.c2w, 6)
        targets = [k for k in range(8) if k not in inputs]
        rgb, alpha, depth = baselines.visual_hull(scene, inputs, targets)
        truth = scene.alpha[targets, 0] > 0.5
        assert metrics.iou(alpha[:, 0] > 0.5, truth).min() > 0.8
        # The hull holds the object: hardly ever behind it, up to the march's step and edge pixels.
        both = (scene.depth[targets] > 0) & (depth > 0)
        assert (depth - scene.depth[targets])[both].quantile(0.9) < 0.1
        constant = metrics.psnr(baselines.mean_image(balls).expand(len(targets), -1, -1, -1), scene.over_white[targets])
        assert metrics.psnr(rgb + 1 - alpha, scene.over_white[targets]).mean() > constant.mean() + 2
