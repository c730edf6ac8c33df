"""What a field of truncated signed distances is trained by: TripoSG's equations 8 to 10, each term by itself.

`field` values are signed distances over the truncation width tau, clipped to [-1, 1], negative inside.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def truncated(sdf: Tensor, tau: float) -> Tensor:
    """The target: signed distances over tau, clipped to [-1, 1]."""
    return (sdf / tau).clamp(-1, 1)


def distance_loss(field: Tensor, target: Tensor) -> Tensor:
    """|s - s'| + (s - s')^2, mean (TripoSG, equation 8)."""
    error = field - target
    return error.abs().mean() + error.square().mean()


def occupancy_loss(field: Tensor, sdf: Tensor) -> Tensor:
    """Binary cross-entropy of inside; the field's negative is its logit, so that it stays negative inside."""
    return F.binary_cross_entropy_with_logits(-field, (sdf < 0).to(field.dtype))


def normal_loss(gradient: Tensor, normals: Tensor) -> Tensor:
    """1 - cos(gradient, normal), mean over surface points (..., 3) (TripoSG, equation 9)."""
    return (1 - F.cosine_similarity(gradient, normals, dim=-1)).mean()


def eikonal_loss(gradient: Tensor, sdf: Tensor, tau: float) -> Tensor:
    """(|tau grad| - 1)^2, mean over the points (...,) inside the band |sdf| < tau; 0 where none is.

    A field divided by tau rises with slope 1 / tau, and not at all where it is clipped.
    """
    inside = (sdf.abs() < tau).to(gradient.dtype)
    slope = (gradient.square().sum(-1) + 1e-12).sqrt() * tau
    return ((slope - 1).square() * inside).sum() / inside.sum().clamp_min(1)


def kl_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence to the unit Gaussian, *mean* over tokens and channels (3DShape2VecSet)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def slope(value: Tensor, points: Tensor) -> Tensor:
    """Gradient (B, Q, 3) of field values (B, Q) by their points (B, Q, 3), which require it; differentiable again."""
    return torch.autograd.grad(value.sum(), points, create_graph=True)[0]
