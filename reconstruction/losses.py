"""What training minimises: squared error, a perceptual loss without learned weights, coverage, depth and normals."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from versemill.reconstruction.geometry import depth_normals
from versemill.reconstruction.presets import Preset
from versemill.reconstruction.splat import Rendering

FILTERS, LEVELS = 24, 3


class RandomFeatureLoss(nn.Module):
    """A perceptual loss that needs no download: distances of fixed random filter responses, over an image pyramid.

    The filters are drawn once from a fixed seed, have zero mean (flat regions answer nothing) and are orthonormal;
    responses are rectified and normalised by local contrast. It rewards edges and texture in place. It is not LPIPS:
    nothing in it was learned from people or pictures, and its values compare with no published figure.
    """

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2406_09371)
        filters = torch.randn(FILTERS, 3 * 25, generator=generator)
        filters = filters - filters.unflatten(1, (3, 25)).mean(2, keepdim=True).expand(-1, -1, 25).flatten(1)
        filters = torch.linalg.qr(filters.T)[0].T.unflatten(1, (3, 5, 5))
        self.register_buffer("filters", filters.contiguous(), persistent=False)

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Scalar distance of (N, 3, H, W) images in [0, 1]."""
        total = image.new_zeros(())
        both = torch.cat([image, target])
        for level in range(LEVELS):
            if level:
                both = F.avg_pool2d(both, 2)
            answers = F.conv2d(both, self.filters, padding=2)
            answers = F.relu(answers) / (0.1 + answers.detach().square().mean(1, keepdim=True).sqrt())
            total = total + (answers[: len(image)] - answers[len(image) :]).abs().mean()
        return total / LEVELS


@dataclass(frozen=True, eq=False)
class Geometry:
    """Predicted depth and what it is compared with: maps (B, V, C, s, s) of the cameras c2w (B, V, 4, 4), K (B, V, 3, 3).

    Attributes:
        depth: predicted planar z. true_depth: 0 where unknown. true_normal: world, 0 where unknown. cover: coverage.
    """

    depth: Tensor
    true_depth: Tensor
    true_normal: Tensor
    cover: Tensor
    c2w: Tensor
    K: Tensor


class Loss(nn.Module):
    """The weighted sum of a preset; pictures are compared over white.

    Args:
        perceptual: of (N, 3, H, W) image pairs in [0, 1]; the learned distance of `lpips.Lpips`, or None for random features.
    """

    def __init__(self, preset: Preset, perceptual: nn.Module | None = None) -> None:
        super().__init__()
        self.preset = preset
        self.perceptual = perceptual or RandomFeatureLoss()

    def forward(self, rendering: Rendering, rgb: Tensor, alpha: Tensor, geometry: Geometry) -> tuple[Tensor, dict[str, Tensor]]:
        """Scalar loss and its unweighted terms.

        Args:
            rendering: of the target views. rgb (B, T, 3, S, S) premultiplied and alpha (B, T, 1, S, S): their truth.
        """
        image = rendering.over(1.0).flatten(0, 1)
        target = (rgb + 1 - alpha).flatten(0, 1)
        terms = {"mse": F.mse_loss(image, target)}
        if self.preset.perceptual:
            terms["perceptual"] = self.perceptual(image, target).mean()
        if self.preset.mask:
            terms["mask"] = F.mse_loss(rendering.alpha, alpha)
        # Only pixels that the asset fills: at edges the mean depth is nobody's.
        known = (geometry.true_depth > 0) & (geometry.cover > 0.99)
        if self.preset.depth:
            error = F.smooth_l1_loss(geometry.depth, geometry.true_depth, reduction="none", beta=0.1)
            terms["depth"] = mean_where(error, known)
        if self.preset.normal:
            normals, holds = depth_normals(geometry.depth, geometry.c2w, geometry.K)
            told = geometry.true_normal.norm(dim=2, keepdim=True) > 0.5
            terms["normal"] = mean_where(1 - (normals * geometry.true_normal).sum(2, keepdim=True), known & holds & told)
        weights = {"mse": 1.0, **{name: getattr(self.preset, name) for name in ("perceptual", "mask", "depth", "normal")}}
        total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
        return total, {name: value.detach() for name, value in terms.items()}


def mean_where(values: Tensor, where: Tensor) -> Tensor:
    """Mean over the pixels `where`; 0 where there are none."""
    return (values * where).sum() / where.sum().clamp_min(1)
