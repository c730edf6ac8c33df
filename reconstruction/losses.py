"""What training minimises: squared error, a perceptual loss without learned weights, coverage, depth and normals."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from versemill.reconstruction.presets import PosedRecipe
from versemill.training.geometry import depth_normals
from versemill.training.images import mean_where
from versemill.training.perceptual import RandomFeatureLoss
from versemill.training.splats import Rendering


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
    """The weighted sum of a recipe; pictures are compared over white.

    Args:
        perceptual: of (N, 3, H, W) image pairs in [0, 1]; the learned distance of `lpips.Lpips`, or None for random features.
    """

    def __init__(self, recipe: PosedRecipe, perceptual: nn.Module | None = None) -> None:
        super().__init__()
        self.recipe = recipe
        self.perceptual = perceptual or RandomFeatureLoss()

    def forward(self, rendering: Rendering, rgb: Tensor, alpha: Tensor, geometry: Geometry) -> tuple[Tensor, dict[str, Tensor]]:
        """Scalar loss and its unweighted terms.

        Args:
            rendering: of the target views. rgb (B, T, 3, S, S) premultiplied and alpha (B, T, 1, S, S): their truth.
        """
        image = rendering.over(1.0).flatten(0, 1)
        target = (rgb + 1 - alpha).flatten(0, 1)
        terms = {"mse": F.mse_loss(image, target)}
        if self.recipe.perceptual:
            terms["perceptual"] = self.perceptual(image, target).mean()
        if self.recipe.mask:
            terms["mask"] = F.mse_loss(rendering.alpha, alpha)
        # Only pixels that the asset fills: at edges the mean depth is nobody's.
        known = (geometry.true_depth > 0) & (geometry.cover > 0.99)
        if self.recipe.depth:
            error = F.smooth_l1_loss(geometry.depth, geometry.true_depth, reduction="none", beta=0.1)
            terms["depth"] = mean_where(error, known)
        if self.recipe.normal:
            normals, holds = depth_normals(geometry.depth, geometry.c2w, geometry.K)
            known_normal = geometry.true_normal.norm(dim=2, keepdim=True) > 0.5
            terms["normal"] = mean_where(
                1 - (normals * geometry.true_normal).sum(2, keepdim=True), known & holds & known_normal
            )
        weights = {"mse": 1.0, **{name: getattr(self.recipe, name) for name in ("perceptual", "mask", "depth", "normal")}}
        total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
        return total, {name: value.detach() for name, value in terms.items()}
