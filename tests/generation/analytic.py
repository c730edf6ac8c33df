"""2D models whose answers are exact: posterior means of Gaussian mixtures."""

import torch

from versemill.generation.distillation.models import Prior
from versemill.generation.paths import Tabulated
from versemill.training.geometry import rays

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
STABLE = Tabulated(tuple((1 - BETAS).cumprod(0).tolist()))
"""Stable Diffusion's schedule."""


def posterior(path, means, deviation):
    """The estimator of data that are N(means_k, deviation^2) with equal shares; means (K, ...) for all rows or (V, K, ...)."""

    def estimate(x, t):
        alpha, sigma = path.level(t)
        every = means if means.ndim > x.ndim else means[None]
        variance = deviation**2 * alpha**2 + sigma**2
        apart = x[:, None] - alpha * every
        log = -apart.flatten(2).square().sum(2) / (2 * variance)
        share = log.softmax(1).reshape(log.shape + (1,) * (x.ndim - 1))
        data = (share * (every + deviation**2 * alpha / variance * apart)).sum(1)
        noise = (share * sigma / variance * apart).sum(1)
        return data, noise

    return estimate


def mixture(dimensions=16, components=8, deviation=0.25, path=STABLE):
    """A prior over (B, dimensions) and its means; the condition picks the first two of them."""
    means = torch.randn(components, dimensions, generator=torch.Generator().manual_seed(0))
    return Prior(path, posterior(path, means[:2], deviation), posterior(path, means, deviation)), means


BOX = torch.tensor([0.75, 0.5, 0.6])
"""Half the sides of the box that the oracle knows."""
COLORS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.2, 0.9], [0.1, 0.7, 0.2], [0.9, 0.8, 0.1], [0.6, 0.2, 0.7], [0.2, 0.7, 0.8]])
"""Of its faces: +x, -x, +y, -y, +z, -z."""


def box(c2w, K, size):
    """The coloured box by exact rays: rgb over white (V, 3, S, S) and its silhouette (V, S, S) bool."""
    origins, directions = (r[0] for r in rays(c2w[None], K[None], size))
    half = BOX.view(1, 3, 1, 1)
    ends = torch.stack([(-half - origins) / directions, (half - origins) / directions])
    near, axis = ends.amin(0).max(1)
    hit = near < ends.amax(0).amin(1)
    back = torch.gather(directions, 1, axis[:, None])[:, 0] > 0  # a ray along +x meets the side -x
    rgb = COLORS[2 * axis + back].permute(0, 3, 1, 2)
    return torch.where(hit[:, None], rgb, 1.0), hit


class Oracle:
    """A 2D model that knows the box: given a camera, pictures near the true one; without it, grey of any kind."""

    path = STABLE

    def __init__(self, size=24, deviation=0.1):
        self.size, self.deviation = size, deviation

    def encode(self, pictures):
        return 2 * pictures - 1

    def decode(self, data):
        return ((data + 1) / 2).clamp(0, 1)

    def estimators(self, c2w, K):
        truth = self.encode(box(c2w, K, self.size)[0])
        grey = torch.zeros_like(truth)
        return posterior(self.path, truth[:, None], self.deviation), posterior(self.path, grey[:, None], 0.6)
