"""A perceptual loss that needs no download."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
