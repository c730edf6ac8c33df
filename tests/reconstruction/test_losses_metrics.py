"""Losses are zero at the truth; metrics agree with independent implementations."""

import pytest
import torch
from skimage.metrics import structural_similarity

from versemill.reconstruction.losses import Geometry, Loss
from versemill.reconstruction.presets import GaussiansRecipe
from versemill.training import images as metrics
from versemill.training.perceptual import FILTERS, RandomFeatureLoss
from versemill.training.splats import Rendering


def pictures(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def geometry(guess: torch.Tensor, depth: torch.Tensor, cover: torch.Tensor) -> Geometry:
    """Cameras that no depth term looks at."""
    poses, K = torch.eye(4).expand(*depth.shape[:2], 4, 4), torch.eye(3).expand(*depth.shape[:2], 3, 3)
    return Geometry(guess, depth, torch.zeros(*depth.shape[:2], 3, *depth.shape[3:]), cover, poses, K)


def test_the_loss_is_zero_at_the_truth_and_only_there(toy_preset: GaussiansRecipe) -> None:
    rgb, alpha = pictures(0, 2, 3, 3, 16, 16) * 0.5, torch.ones(2, 3, 1, 16, 16)
    depth = 1 + pictures(1, 2, 3, 1, 8, 8)
    loss = Loss(toy_preset)

    def judge(rendering: Rendering, guess: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return loss(rendering, rgb, alpha, geometry(guess, depth, torch.ones_like(depth)))

    total, terms = judge(Rendering(rgb, alpha, alpha), depth)
    assert set(terms) == {"mse", "perceptual", "mask", "depth"}
    assert float(total) == pytest.approx(0, abs=1e-7)
    worse = {
        "mse": (Rendering(rgb + 0.1, alpha, alpha), depth),
        "mask": (Rendering(rgb, alpha * 0.9, alpha), depth),
        "depth": (Rendering(rgb, alpha, alpha), depth + 0.2),
    }
    for name, (rendering, moved) in worse.items():
        total, terms = judge(rendering, moved)
        assert terms[name] > 0
        assert total > 0


def test_depth_is_judged_only_where_it_is_known(toy_preset: GaussiansRecipe) -> None:
    rgb, alpha = pictures(0, 1, 1, 3, 16, 16), torch.ones(1, 1, 1, 16, 16)
    depth, cover = torch.ones(1, 1, 1, 8, 8), torch.ones(1, 1, 1, 8, 8)
    depth[..., :4], cover[..., 4:6] = 0, 0.5
    guess = torch.ones(1, 1, 1, 8, 8)
    guess[..., :6] = 9.0
    assert Loss(toy_preset)(Rendering(rgb, alpha, alpha), rgb, alpha, geometry(guess, depth, cover))[1]["depth"] == 0


def test_the_normal_term_rewards_the_true_surface(toy_preset: GaussiansRecipe, make_ball) -> None:
    ball = make_ball(2, 48, 3)
    loss = Loss(toy_preset.model_copy(update={"normal": 1.0}))
    rendering = Rendering(ball.rgb[None], ball.alpha[None], ball.depth[None])
    terms = []
    for depth in (ball.depth, torch.where(ball.depth > 0, 2.5 + 0.3 * ball.depth, 0.0)):  # the second is flatter
        judged = Geometry(depth[None], ball.depth[None], ball.normal[None], ball.alpha[None], ball.c2w[None], ball.K[None])
        terms.append(float(loss(rendering, ball.rgb[None], ball.alpha[None], judged)[1]["normal"]))
    assert terms[0] < 0.02
    assert terms[1] > 3 * terms[0]


def test_random_features_are_fixed_orthonormal_and_blind_to_flat_regions() -> None:
    one, two = RandomFeatureLoss(), RandomFeatureLoss()
    assert torch.equal(one.filters, two.filters)
    flat = one.filters.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(FILTERS), atol=1e-5, rtol=0)
    assert one.filters.mean((2, 3)).abs().max() < 1e-6
    image = pictures(2, 1, 3, 32, 32)
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    assert one(image, image) == 0
    assert one(blurred, image) > one(image + 0.01 * (blurred - image), image) > 0


def test_psnr_of_a_known_error() -> None:
    image = torch.zeros(2, 3, 8, 8)
    assert metrics.psnr(image + 0.1, image).tolist() == pytest.approx([20.0, 20.0], abs=1e-4)
    assert metrics.psnr(image, image).tolist() == [100.0, 100.0]


def test_ssim_agrees_with_scikit_image() -> None:
    a = pictures(3, 1, 3, 24, 20).double()
    b = (a + 0.2 * pictures(4, 1, 3, 24, 20).double()).clamp(0, 1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "channel_axis": 0}
    expected = structural_similarity(a[0].numpy(), b[0].numpy(), **options)
    assert float(metrics.ssim(a, b)) == pytest.approx(expected, abs=1e-6)
    assert float(metrics.ssim(a, a)) == pytest.approx(1.0)


def test_iou_and_masked_means() -> None:
    a, b = torch.zeros(4, 4, dtype=torch.bool), torch.zeros(4, 4, dtype=torch.bool)
    assert metrics.iou(a, b) == 1
    a[:2], b[1:3] = True, True
    assert float(metrics.iou(a, b)) == pytest.approx(1 / 3)
    assert float(metrics.masked_mean(torch.arange(16.0).reshape(4, 4), a)) == pytest.approx(3.5)
    assert metrics.masked_mean(torch.ones(4, 4), torch.zeros(4, 4, dtype=torch.bool)).isnan()
