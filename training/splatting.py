"""Differentiable rendering of 3D Gaussians: by the reference compositor, by Warp kernels, or by gsplat on CUDA."""

from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn import functional as F

from versemill.errors import ConfigError, MissingDependencyError
from versemill.training.splats import NEAR, WIDEN, Gaussians, Rendering, composite, invert, project

BACKENDS = ("auto", "warp", "gsplat", "torch")


def render(gaussians: Gaussians, c2w: Tensor, K: Tensor, size: tuple[int, int], backend: str = "auto") -> Rendering:
    """Differentiable rendering of B sets of Gaussians by V cameras each.

    Args:
        c2w: (B, V, 4, 4) float32, camera to world, OpenCV axes. K: (B, V, 3, 3) in pixels. size: height, width.
        backend: "warp" (kernels, CPU or CUDA), "gsplat" (CUDA only, where it is installed), "torch" (the reference: small
            images only), or "auto": gsplat on CUDA where it is installed, else warp.

    Raises:
        ConfigError: an unknown backend. MissingDependencyError: gsplat was asked for and can't run here.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"no splatting backend '{backend}'; there are {', '.join(BACKENDS)}")
    if backend == "auto":
        backend = "gsplat" if gaussians.means.is_cuda and find_spec("gsplat") else "warp"
    if backend == "gsplat":
        return _render_gsplat(gaussians, c2w, K, size)
    splats = project(gaussians, invert(c2w), K, size)
    if backend == "torch":
        image, alpha = composite(splats, size)
    else:
        from versemill.training.splat_kernels import composite_fast  # compiled on first use; the reference needs no Warp

        image, alpha = composite_fast(splats, size)
    batch = c2w.shape[:2]
    image = image.permute(0, 3, 1, 2).unflatten(0, batch)
    return Rendering(image[:, :, :3], alpha[:, None].unflatten(0, batch), image[:, :, 3:])


def _render_gsplat(gaussians: Gaussians, c2w: Tensor, K: Tensor, size: tuple[int, int]) -> Rendering:
    if not gaussians.means.is_cuda or not find_spec("gsplat"):
        raise MissingDependencyError(
            "gsplat is not installed, or the tensors are not on CUDA: pip install gsplat, or take warp"
        )
    from gsplat import rasterization

    images, alphas = [], []
    for k in range(len(c2w)):
        image, alpha, _ = rasterization(
            gaussians.means[k], F.normalize(gaussians.quats[k], dim=-1), gaussians.scales[k], gaussians.opacities[k],
            gaussians.colors[k], invert(c2w[k]), K[k], size[1], size[0], near_plane=NEAR, eps2d=WIDEN, render_mode="RGB+D",
            packed=False,
        )  # fmt: skip
        images.append(image.permute(0, 3, 1, 2))
        alphas.append(alpha.permute(0, 3, 1, 2))
    picture = torch.stack(images)
    return Rendering(picture[:, :, :3], torch.stack(alphas), picture[:, :, 3:])
