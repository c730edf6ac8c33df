"""Splatting: a per-pixel oracle, finite differences, invariants, and the kernels against the reference."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from versemill.camera import intrinsics, look_at
from versemill.errors import ConfigError, MissingDependencyError
from versemill.training import splats as splat
from versemill.training.splats import Gaussians, composite, invert, project
from versemill.training.splatting import render

NAMES = ("means", "quats", "scales", "opacities", "colors")


def cloud(seed: int, sets: int = 1, count: int = 40, spread: float = 0.15) -> Gaussians:
    g = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=g)

    return Gaussians(
        uniform(sets, count, 3) * 2 - 1, torch.randn(sets, count, 4, generator=g), uniform(sets, count, 3) * spread + 0.02,
        uniform(sets, count), uniform(sets, count, 3),
    )  # fmt: skip


def cameras(seed: int, sets: int, views: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    eyes = np.random.default_rng(seed).normal(size=(sets, views, 3))
    eyes *= 3.2 / np.linalg.norm(eyes, axis=-1, keepdims=True)
    c2w = torch.tensor(np.stack([[look_at(e) for e in row] for row in eyes])).float()
    K = torch.tensor(intrinsics(50.0, size[1], size[0])).float()
    return c2w, K.expand(sets, views, 3, 3)


def oracle(gaussians: Gaussians, c2w: np.ndarray, K: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Colour and alpha (H, W, 4) of the first set by plain loops in float64, from the definition."""
    means, quats, scales, opacities, colors = (getattr(gaussians, n)[0].double().numpy() for n in NAMES)
    w2c = np.linalg.inv(c2w.astype(float))
    drawn = []
    for k in range(len(means)):
        x, y, z = w2c[:3, :3] @ means[k] + w2c[:3, 3]
        if z <= splat.NEAR:
            continue
        w, i, j, l = quats[k] / np.linalg.norm(quats[k])  # noqa: E741
        cross = np.array([[0, -l, j], [l, 0, -i], [-j, i, 0]])
        rotation = np.eye(3) + 2 * w * cross + 2 * cross @ cross
        covariance = w2c[:3, :3] @ rotation @ np.diag(scales[k] ** 2) @ rotation.T @ w2c[:3, :3].T
        jacobian = np.array([[K[0, 0] / z, 0, -K[0, 0] * x / z**2], [0, K[1, 1] / z, -K[1, 1] * y / z**2]])
        flat = jacobian @ covariance @ jacobian.T + 0.3 * np.eye(2)
        drawn.append((z, k, np.array([K[0, 0] * x / z + K[0, 2], K[1, 1] * y / z + K[1, 2]]), np.linalg.inv(flat)))
    drawn.sort(key=lambda item: item[:2])
    image = np.zeros((*size, 4))
    for row in range(size[0]):
        for column in range(size[1]):
            light = 1.0
            for _, k, center, precision in drawn:
                d = np.array([column + 0.5, row + 0.5]) - center
                alpha = min(0.999, opacities[k] * math.exp(-0.5 * d @ precision @ d))
                if alpha >= 1 / 255:
                    image[row, column, :3] += light * alpha * colors[k]
                    light *= 1 - alpha
            image[row, column, 3] = 1 - light
    return image


@pytest.mark.parametrize("backend", ["torch", "warp"])
def test_loops_over_pixels_agree(backend: str) -> None:
    gaussians, size = cloud(0), (9, 12)
    c2w, K = cameras(1, 1, 2, size)
    result = render(gaussians, c2w, K, size, backend)
    for view in range(2):
        expected = oracle(gaussians, c2w[0, view].numpy(), K[0, view].double().numpy(), size)
        got = torch.cat([result.rgb, result.alpha], 2)[0, view].permute(1, 2, 0).numpy()
        assert expected[..., 3].max() > 0.5
        np.testing.assert_allclose(got, expected, atol=2e-5)


def test_gradients_agree_with_finite_differences() -> None:
    """In float64, with Gaussians wide enough that no pixel crosses the alpha threshold."""
    size = (4, 5)
    c2w, K = (t.double() for t in cameras(2, 1, 1, size))
    start = cloud(3, count=3)
    tensors = [getattr(start, n).double() for n in NAMES]
    tensors[0] = tensors[0] * 0.3
    tensors[2] = tensors[2] + 0.8
    tensors[3] = 0.3 + 0.4 * tensors[3]
    inputs = [t.requires_grad_() for t in tensors]

    def image(*parts: torch.Tensor) -> torch.Tensor:
        picture, alpha = composite(project(Gaussians(*parts), invert(c2w), K, size), size)
        return torch.cat([picture, alpha[..., None]], -1)

    assert torch.autograd.gradcheck(image, inputs, eps=1e-6, atol=1e-6, rtol=1e-4)


def values_and_gradients(gaussians: Gaussians, c2w: torch.Tensor, K: torch.Tensor, size: tuple[int, int], backend: str):
    inputs = [getattr(gaussians, n).clone().requires_grad_() for n in NAMES]
    result = render(Gaussians(*inputs), c2w, K, size, backend)
    values = torch.cat([result.rgb, result.alpha, result.depth], 2)
    weights = torch.randn(values.shape, generator=torch.Generator().manual_seed(0)).to(values)
    (values * weights).sum().backward()
    return values.detach(), [t.grad for t in inputs]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 21), width=st.integers(1, 21), threads=st.sampled_from([1, 2]))
def test_kernels_equal_the_reference(seed: int, height: int, width: int, threads: int) -> None:
    gaussians, size = cloud(seed, sets=2, count=30), (height, width)
    c2w, K = cameras(seed, 2, 3, size)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fast, fast_grads = values_and_gradients(gaussians, c2w, K, size, "warp")
    finally:
        torch.set_num_threads(before)
    slow, slow_grads = values_and_gradients(gaussians, c2w, K, size, "torch")
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)
    for name, a, b in zip(NAMES, fast_grads, slow_grads, strict=True):
        torch.testing.assert_close(
            a, b, atol=1e-4 * max(1.0, float(b.abs().max())), rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_threads_do_not_change_a_bit() -> None:
    gaussians, size = cloud(5, sets=2, count=60), (16, 16)
    c2w, K = cameras(5, 2, 3, size)
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(values_and_gradients(gaussians, c2w, K, size, "warp"))
    torch.set_num_threads(before)
    assert torch.equal(results[0][0], results[1][0])
    assert all(torch.equal(a, b) for a, b in zip(results[0][1], results[1][1], strict=True))


@pytest.mark.parametrize("backend", ["torch", "warp"])
def test_the_order_of_gaussians_does_not_matter(backend: str) -> None:
    gaussians, size = cloud(6), (16, 16)
    c2w, K = cameras(6, 1, 2, size)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    shuffled = Gaussians(*(getattr(gaussians, n)[:, order] for n in NAMES))
    a, b = (render(g, c2w, K, size, backend).over(0.5) for g in (gaussians, shuffled))
    torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


def test_moving_world_and_cameras_together_changes_nothing() -> None:
    gaussians, size = cloud(7), (16, 16)
    c2w, K = cameras(7, 1, 2, size)
    move = torch.tensor(look_at((0.3, -0.8, 0.5), (0.2, 0.4, 0.1))).float()
    turn = torch.tensor([0.9, 0.1, -0.3, 0.2])
    move[:3, :3] = splat.rotations(turn)
    w1, v1 = turn[0] / turn.norm(), turn[1:] / turn.norm()
    w2, v2 = gaussians.quats[..., :1], gaussians.quats[..., 1:]
    product = torch.cat(
        [w1 * w2 - (v1 * v2).sum(-1, keepdim=True), w1 * v2 + w2 * v1 + torch.linalg.cross(v1.expand_as(v2), v2)], -1
    )
    moved = Gaussians(
        gaussians.means @ move[:3, :3].T + move[:3, 3], product, gaussians.scales, gaussians.opacities, gaussians.colors
    )
    a, b = render(gaussians, c2w, K, size).rgb, render(moved, move @ c2w, K, size).rgb
    torch.testing.assert_close(a, b, atol=2e-5, rtol=0)


def test_what_is_opaque_hides_what_is_behind() -> None:
    size = (15, 15)
    c2w = torch.tensor(look_at((0.0, -3.0, 0.0))).float()[None, None]
    K = torch.tensor(intrinsics(40.0, 15, 15)).float()[None, None]
    means = torch.tensor([[[0.0, 0.5, 0.0], [0.0, -0.5, 0.0]]])
    colors = torch.tensor([[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]])
    both = Gaussians(means, torch.tensor([1.0, 0, 0, 0]).expand(1, 2, 4), torch.full((1, 2, 3), 0.4), torch.ones(1, 2), colors)
    middle = render(both, c2w, K, size).rgb[0, 0, :, 7, 7]
    assert middle[0] > 0.99
    assert middle[2] < 0.01
    assert float(render(both, c2w, K, size).depth[0, 0, 0, 7, 7]) == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize("backend", ["torch", "warp"])
def test_nothing_in_view_is_an_empty_picture_with_zero_gradients(backend: str) -> None:
    size = (8, 8)
    c2w, K = cameras(8, 1, 1, size)
    behind = c2w[0, 0, :3, 3] - 2 * c2w[0, 0, :3, 2]
    start = cloud(8, count=4)
    hidden = Gaussians(behind.expand(1, 4, 3), start.quats, start.scales, start.opacities, start.colors)
    values, grads = values_and_gradients(hidden, c2w, K, size, backend)
    assert not values.any()
    assert all(not g.any() for g in grads)


def test_coverage_lies_between_0_and_1_and_grows_with_opacity() -> None:
    size = (16, 16)
    c2w, K = cameras(9, 1, 2, size)
    start = cloud(9)
    thin, thick = (
        render(Gaussians(start.means, start.quats, start.scales, start.opacities * f, start.colors), c2w, K, size).alpha
        for f in (0.5, 1.0)
    )
    assert thin.min() >= 0
    assert thick.max() <= 1
    assert (thick >= thin - 1e-6).all()


def test_an_unknown_backend_is_named() -> None:
    c2w, K = cameras(0, 1, 1, (4, 4))
    with pytest.raises(ConfigError, match="opengl"):
        render(cloud(0), c2w, K, (4, 4), "opengl")


def test_projection_is_gsplats() -> None:
    """gsplat's own plain torch functions, which need no CUDA: centres, depths, inverse covariances."""
    reference = pytest.importorskip("gsplat.cuda._torch_impl")
    gaussians, size = cloud(11), (20, 30)
    c2w, K = cameras(11, 1, 3, size)
    covariances, _ = reference._quat_scale_to_covar_preci(
        torch.nn.functional.normalize(gaussians.quats[0], dim=-1), gaussians.scales[0], triu=False
    )
    radii, xy, depths, conics, _ = reference._fully_fused_projection(
        gaussians.means[0], covariances, invert(c2w)[0], K[0], size[1], size[0], eps2d=splat.WIDEN, near_plane=splat.NEAR
    )
    ours = project(gaussians, invert(c2w), K, size)
    drawn = (radii > 0).all(-1)
    assert drawn.float().mean() > 0.9
    torch.testing.assert_close(ours.xy[drawn], xy[drawn], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(ours.features[..., 3][drawn], depths[drawn], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.conic[drawn], conics[drawn], atol=1e-4, rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_gsplat_draws_the_same_picture() -> None:
    pytest.importorskip("gsplat")
    size = (24, 32)
    gaussians = Gaussians(*(getattr(cloud(12), n).cuda() for n in NAMES))
    c2w, K = (t.cuda() for t in cameras(12, 1, 3, size))
    fast, fast_grads = values_and_gradients(gaussians, c2w, K, size, "gsplat")
    slow, slow_grads = values_and_gradients(gaussians, c2w, K, size, "torch")
    torch.testing.assert_close(fast, slow, atol=1e-4, rtol=0)
    for a, b in zip(fast_grads, slow_grads, strict=True):
        torch.testing.assert_close(a, b, atol=1e-3 * float(b.abs().max()), rtol=1e-2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is missing where CUDA is")
def test_gsplat_without_cuda_is_missed_by_name() -> None:
    c2w, K = cameras(0, 1, 1, (4, 4))
    with pytest.raises(MissingDependencyError, match="gsplat"):
        render(cloud(0), c2w, K, (4, 4), "gsplat")
