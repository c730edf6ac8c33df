"""What training minimises: squared error, a perceptual loss without learned weights, coverage and depth."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reconstruction.presets import Preset
from reconstruction.splat import Rendering

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


class Loss(nn.Module):
    """The weighted sum of a preset; pictures are compared over white."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.perceptual = RandomFeatureLoss()

    def forward(self, rendering: Rendering, depth: Tensor, targets: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scalar loss and its unweighted terms.

        Args:
            rendering: of the target views. depth: (B, I, 1, s, s) of the Gaussians' centres in their own input views.
            targets: rgb (B, T, 3, S, S) premultiplied and alpha (B, T, 1, S, S) of the target views; input_depth and
                input_alpha (B, I, 1, s, s) of the input views, depth 0 where unknown.
        """
        image = rendering.over(1.0).flatten(0, 1)
        target = (targets["rgb"] + 1 - targets["alpha"]).flatten(0, 1)
        terms = {"mse": F.mse_loss(image, target)}
        if self.preset.perceptual:
            terms["perceptual"] = self.perceptual(image, target)
        if self.preset.mask:
            terms["mask"] = F.mse_loss(rendering.alpha, targets["alpha"])
        if self.preset.depth:
            # Only pixels that the asset fills: at edges the mean depth is nobody's.
            known = (targets["input_depth"] > 0) & (targets["input_alpha"] > 0.99)
            error = F.smooth_l1_loss(depth, targets["input_depth"], reduction="none", beta=0.1)
            terms["depth"] = (error * known).sum() / known.sum().clamp_min(1)
        weights = {"mse": 1.0, **{name: getattr(self.preset, name) for name in ("perceptual", "mask", "depth")}}
        total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
        return total, {name: value.detach() for name, value in terms.items()}
