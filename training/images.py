"""Metrics of images, per view, and means over masks."""

import torch
from torch import Tensor
from torch.nn import functional as F


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of (..., 3, H, W) images in [0, 1]; 100 at most."""
    return -10 * torch.log10((image - target).square().mean((-3, -2, -1)).clamp_min(1e-10))


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang 2004) of (N, C, H, W) images in [0, 1]: (N,).

    Gaussian window of 11 pixels with sigma 1.5, averaged over positions where it lies inside the image.
    """
    channels = image.shape[1]
    x = torch.arange(11, device=image.device, dtype=image.dtype) - 5
    line = torch.exp(-(x**2) / (2 * 1.5**2))
    window = torch.outer(line, line) / line.sum() ** 2
    kernel = window.expand(channels, 1, 11, 11)

    def blur(t: Tensor) -> Tensor:
        return F.conv2d(t, kernel, groups=channels)

    a, b = blur(image), blur(target)
    aa, bb, ab = blur(image * image) - a * a, blur(target * target) - b * b, blur(image * target) - a * b
    c1, c2 = 0.01**2, 0.03**2
    score = ((2 * a * b + c1) * (2 * ab + c2)) / ((a * a + b * b + c1) * (aa + bb + c2))
    return score.mean((1, 2, 3))


def iou(mask: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of boolean masks (..., H, W); 1 where both are empty."""
    union = (mask | target).sum((-2, -1))
    return torch.where(union > 0, (mask & target).sum((-2, -1)) / union.clamp_min(1), 1.0)


def masked_mean(values: Tensor, where: Tensor) -> Tensor:
    """Mean (...,) of (..., H, W) over the pixels `where` (..., H, W) bool; NaN where there are none."""
    count = where.sum((-2, -1))
    return (values * where).sum((-2, -1)) / torch.where(count > 0, count, torch.nan)


def mean_where(values: Tensor, where: Tensor) -> Tensor:
    """Mean over the pixels `where`; 0 where there are none."""
    return (values * where).sum() / where.sum().clamp_min(1)
